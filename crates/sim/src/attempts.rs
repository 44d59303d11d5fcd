//! What the scheduler found for each pod, attempt by attempt, within a bounded memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use view::Diagnosis;

/// How many attempts of a pod are kept.
const PER_POD: usize = 20;
/// How many rows (verdicts and scores of one node) are kept in all.
const MAX_ROWS: usize = 50_000;
/// What an attempt without rows counts for.
const BASE_ROWS: usize = 4;

/// Which attempts are recorded with all their verdicts and scores. Of the others the outcome alone
/// is kept: their record is made when somebody asks for it, by running up to them again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Recording {
    /// All: nobody waits for the run.
    #[default]
    Full,
    /// None: a long run.
    Outlines,
    /// That of this event.
    Only(u64),
}

/// When, and what was found.
#[derive(Clone, Debug)]
struct Attempt {
    at_ms: i64,
    is_full: bool,
    diagnosis: Arc<Diagnosis>,
}

/// Attempts by pod (`namespace/name`), each with the number of the event that made it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    by_pod: BTreeMap<String, BTreeMap<u64, Attempt>>,
    /// In the order in which they came, for dropping the oldest.
    order: VecDeque<(String, u64)>,
    n_rows: usize,
    pub(crate) recording: Recording,
}

/// An attempt as it is kept.
pub(crate) struct Kept {
    /// The number of its event.
    pub(crate) at: u64,
    /// Whether `diagnosis` has more than the outcome.
    pub(crate) is_full: bool,
    pub(crate) diagnosis: Diagnosis,
}

impl Attempts {
    /// Whether an attempt of event `at` should be recorded in full.
    pub(crate) fn wants(&self, at: u64) -> bool {
        match self.recording {
            Recording::Full => true,
            Recording::Outlines => false,
            Recording::Only(it) => it == at,
        }
    }

    /// Keeps what event `at` found. A replay that comes by again changes nothing, but for filling
    /// in what was left out.
    pub(crate) fn put(&mut self, at: u64, at_ms: i64, diagnosis: &Arc<Diagnosis>, is_full: bool) {
        let attempts = self.by_pod.entry(diagnosis.pod.clone()).or_default();
        let before = attempts.get(&at);
        if before.is_some_and(|it| it.is_full || !is_full) {
            return;
        }
        match before {
            Some(outline) => self.n_rows -= rows(&outline.diagnosis),
            None => self.order.push_back((diagnosis.pod.clone(), at)),
        }
        self.n_rows += rows(diagnosis);
        attempts.insert(at, Attempt { at_ms, is_full, diagnosis: diagnosis.clone() });
        if attempts.len() > PER_POD {
            // The first tells how it began, so the second goes.
            let second = attempts.keys().nth(1).copied();
            if let Some(gone) = second.and_then(|it| attempts.remove(&it)) {
                self.n_rows -= rows(&gone.diagnosis);
            }
        }
        self.keep_bounds();
    }

    /// The oldest go when there is no room for all.
    fn keep_bounds(&mut self) {
        while self.n_rows > MAX_ROWS {
            let Some((pod, at)) = self.order.pop_front() else { break };
            self.remove(&pod, at);
        }
        // Entries of attempts that went before their turn.
        if self.order.len() > 4 * MAX_ROWS {
            let by_pod = &self.by_pod;
            self.order.retain(|(pod, at)| by_pod.get(pod).is_some_and(|it| it.contains_key(at)));
        }
    }

    /// The attempts for a pod up to event `until`, oldest first.
    pub(crate) fn of_pod(&self, pod: &str, until: u64) -> Vec<Kept> {
        let attempts = self.by_pod.get(pod).into_iter().flat_map(|it| it.range(..=until));
        attempts
            .map(|(at, it)| Kept {
                at: *at,
                is_full: it.is_full,
                diagnosis: Diagnosis { at_ms: it.at_ms, ..Diagnosis::clone(&it.diagnosis) },
            })
            .collect()
    }

    /// What event `at` found for a pod, if it was recorded in full.
    pub(crate) fn take_full(&mut self, pod: &str, at: u64) -> Option<Diagnosis> {
        let it = self.by_pod.get_mut(pod)?.remove(&at).filter(|it| it.is_full)?;
        Some(Diagnosis { at_ms: it.at_ms, ..Arc::unwrap_or_clone(it.diagnosis) })
    }

    /// Forgets what came after event `at`.
    pub(crate) fn truncate(&mut self, at: u64) {
        for attempts in self.by_pod.values_mut() {
            for (_, gone) in attempts.split_off(&(at + 1)) {
                self.n_rows -= rows(&gone.diagnosis);
            }
        }
        self.by_pod.retain(|_, it| !it.is_empty());
        self.order.retain(|(_, it)| *it <= at);
    }

    fn remove(&mut self, pod: &str, at: u64) {
        let Some(attempts) = self.by_pod.get_mut(pod) else { return };
        if let Some(gone) = attempts.remove(&at) {
            self.n_rows -= rows(&gone.diagnosis);
        }
        if attempts.is_empty() {
            self.by_pod.remove(pod);
        }
    }
}

/// What a diagnosis costs: something at least, so that small ones are bounded too.
fn rows(diagnosis: &Diagnosis) -> usize {
    BASE_ROWS + diagnosis.verdicts.len() + diagnosis.scores.len()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use view::{Diagnosis, NodeVerdict, StatusCode};

    use super::{Attempts, BASE_ROWS, MAX_ROWS, PER_POD, Recording};

    fn diagnosis(pod: &str, n_rows: usize) -> Arc<Diagnosis> {
        let verdict = NodeVerdict {
            node: String::new(),
            code: StatusCode::Success,
            plugin: None,
            reasons: vec![],
            terms: vec![],
        };
        let verdicts = vec![verdict; n_rows];
        Arc::new(Diagnosis { pod: pod.to_owned(), verdicts, ..Diagnosis::default() })
    }

    #[test]
    fn a_pod_keeps_its_first_and_its_newest_attempts() {
        let mut attempts = Attempts::default();
        (0..50).for_each(|it| attempts.put(it, 1_000, &diagnosis("a", 1), true));
        let kept: Vec<_> = attempts.by_pod["a"].keys().copied().collect();
        assert_eq!(kept.len(), PER_POD);
        assert_eq!((kept[0], kept[1], kept[PER_POD - 1]), (0, 31, 49));
        assert_eq!(attempts.of_pod("a", 32).len(), 3);
        assert_eq!(attempts.of_pod("a", 99)[0].diagnosis.at_ms, 1_000);
    }

    #[test]
    fn the_oldest_pods_go_when_the_room_is_used_up() {
        let mut attempts = Attempts::default();
        for pod in 0..5 {
            attempts.put(pod, 0, &diagnosis(&pod.to_string(), MAX_ROWS / 3), true);
        }
        let kept: Vec<_> = attempts.by_pod.keys().cloned().collect();
        assert_eq!(kept, ["3", "4"]);
    }

    #[test]
    fn filling_in_outlines_keeps_to_the_same_room() {
        let mut attempts = Attempts::default();
        let pods: Vec<String> = (0..5).map(|it| it.to_string()).collect();
        for n_rows in [0, MAX_ROWS / 3] {
            for (at, pod) in pods.iter().enumerate() {
                attempts.put(at as u64, 0, &diagnosis(pod, n_rows), n_rows > 0);
            }
        }
        assert!(attempts.n_rows <= MAX_ROWS, "{}", attempts.n_rows);
        assert!(attempts.of_pod("4", 99)[0].is_full);
    }

    #[test]
    fn changing_the_past_forgets_what_came_after() {
        let mut attempts = Attempts::default();
        attempts.put(3, 0, &diagnosis("a", 1), true);
        attempts.put(7, 0, &diagnosis("a", 1), true);
        attempts.put(8, 0, &diagnosis("b", 1), true);
        attempts.truncate(7);
        assert_eq!((attempts.of_pod("a", 99).len(), attempts.of_pod("b", 99).len()), (2, 0));
        assert_eq!(attempts.n_rows, 2 * (BASE_ROWS + 1));
    }

    #[test]
    fn an_outline_is_filled_in_by_a_replay_and_never_emptied_again() {
        let mut attempts = Attempts { recording: Recording::Only(7), ..Attempts::default() };
        assert_eq!((attempts.wants(6), attempts.wants(7)), (false, true));
        for (n_rows, is_full, n_verdicts, n_kept) in
            [(0, false, 0, BASE_ROWS), (3, true, 3, BASE_ROWS + 3), (0, false, 3, BASE_ROWS + 3)]
        {
            attempts.put(7, 5, &diagnosis("a", n_rows), is_full);
            let kept = attempts.of_pod("a", 7);
            assert_eq!((kept.len(), kept[0].at), (1, 7));
            assert_eq!(kept[0].diagnosis.verdicts.len(), n_verdicts);
            assert_eq!(attempts.n_rows, n_kept);
        }
        assert_eq!(attempts.take_full("a", 7).map(|it| it.verdicts.len()), Some(3));
    }
}
