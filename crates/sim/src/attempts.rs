//! What the scheduler found for each pod, attempt by attempt, within a bounded memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use view::Diagnosis;

/// How many attempts of a pod are kept.
const PER_POD: usize = 20;
/// How many rows (verdicts and scores of one node) are kept in all.
const MAX_ROWS: usize = 50_000;

/// When, and what was found.
type Attempt = (i64, Arc<Diagnosis>);

/// Attempts by pod (`namespace/name`), each with the number of the event that made it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    by_pod: BTreeMap<String, BTreeMap<u64, Attempt>>,
    /// In the order in which they came, for dropping the oldest.
    order: VecDeque<(String, u64)>,
    n_rows: usize,
}

impl Attempts {
    /// Keeps what event `at` found. A replay that comes by again changes nothing.
    pub(crate) fn put(&mut self, at: u64, at_ms: i64, diagnosis: &Arc<Diagnosis>) {
        let attempts = self.by_pod.entry(diagnosis.pod.clone()).or_default();
        if attempts.contains_key(&at) {
            return;
        }
        self.n_rows += rows(diagnosis);
        self.order.push_back((diagnosis.pod.clone(), at));
        attempts.insert(at, (at_ms, diagnosis.clone()));
        if attempts.len() > PER_POD {
            // The first tells how it began, so the second goes.
            let second = attempts.keys().nth(1).copied();
            if let Some((_, gone)) = second.and_then(|it| attempts.remove(&it)) {
                self.n_rows -= rows(&gone);
            }
        }
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
    pub(crate) fn of_pod(&self, pod: &str, until: u64) -> Vec<Diagnosis> {
        let attempts = self.by_pod.get(pod).into_iter().flat_map(|it| it.range(..=until));
        attempts
            .map(|(_, (at_ms, it))| Diagnosis { at_ms: *at_ms, ..Diagnosis::clone(it) })
            .collect()
    }

    /// Forgets what came after event `at`.
    pub(crate) fn truncate(&mut self, at: u64) {
        for attempts in self.by_pod.values_mut() {
            for (_, (_, gone)) in attempts.split_off(&(at + 1)) {
                self.n_rows -= rows(&gone);
            }
        }
        self.by_pod.retain(|_, it| !it.is_empty());
        self.order.retain(|(_, it)| *it <= at);
    }

    fn remove(&mut self, pod: &str, at: u64) {
        let Some(attempts) = self.by_pod.get_mut(pod) else { return };
        if let Some((_, gone)) = attempts.remove(&at) {
            self.n_rows -= rows(&gone);
        }
        if attempts.is_empty() {
            self.by_pod.remove(pod);
        }
    }
}

/// What a diagnosis costs: one at least, so that small ones are bounded too.
fn rows(diagnosis: &Diagnosis) -> usize {
    1 + diagnosis.verdicts.len() + diagnosis.scores.len()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use view::{Diagnosis, NodeVerdict, StatusCode};

    use super::{Attempts, MAX_ROWS, PER_POD};

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
        (0..50).for_each(|it| attempts.put(it, 1_000, &diagnosis("a", 1)));
        let kept: Vec<_> = attempts.by_pod["a"].keys().copied().collect();
        assert_eq!(kept.len(), PER_POD);
        assert_eq!((kept[0], kept[1], kept[PER_POD - 1]), (0, 31, 49));
        assert_eq!(attempts.of_pod("a", 32).len(), 3);
        assert_eq!(attempts.of_pod("a", 99)[0].at_ms, 1_000);
    }

    #[test]
    fn the_oldest_pods_go_when_the_room_is_used_up() {
        let mut attempts = Attempts::default();
        for pod in 0..5 {
            attempts.put(pod, 0, &diagnosis(&pod.to_string(), MAX_ROWS / 3));
        }
        let kept: Vec<_> = attempts.by_pod.keys().cloned().collect();
        assert_eq!(kept, ["3", "4"]);
    }

    #[test]
    fn changing_the_past_forgets_what_came_after() {
        let mut attempts = Attempts::default();
        attempts.put(3, 0, &diagnosis("a", 1));
        attempts.put(7, 0, &diagnosis("a", 1));
        attempts.put(8, 0, &diagnosis("b", 1));
        attempts.truncate(7);
        assert_eq!((attempts.of_pod("a", 99).len(), attempts.of_pod("b", 99).len()), (2, 0));
        assert_eq!(attempts.n_rows, 4);
    }
}
