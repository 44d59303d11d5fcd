//! What the scheduler found for a pod, attempt by attempt.
//!
//! While a run goes far, only the outcomes of attempts are kept; the verdicts and scores behind
//! one are found by running up to it once more, aside, when somebody asks.

use view::{Attempt, Diagnosis};

use super::Simulation;
use crate::attempts::{Kept, Recording};
use crate::world::Logs;

impl Simulation {
    /// What the scheduler found for a pod, attempt by attempt, up to now.
    #[must_use]
    pub fn attempts(&self, namespace: &str, name: &str) -> Vec<Diagnosis> {
        self.kept(namespace, name).into_iter().map(|it| self.in_full(it)).collect()
    }

    /// The attempts at a pod up to now, in a line each: when, and what came of it.
    #[must_use]
    pub fn attempt_list(&self, namespace: &str, name: &str) -> Vec<Attempt> {
        let row = |Kept { diagnosis: it, .. }: Kept| {
            let nominated = it.preemption.as_ref().and_then(|it| it.nominated.as_ref());
            let text = match (&it.chosen, nominated) {
                (Some(node), _) => format!("bound to {node}"),
                (None, Some(node)) => format!("makes room on {node}"),
                (None, None) => it.message.unwrap_or_default(),
            };
            Attempt { at_ms: it.at_ms, attempt: it.attempt, text }
        };
        self.kept(namespace, name).into_iter().map(row).collect()
    }

    /// What the scheduler found for a pod the last time it looked, or at another place of
    /// [`Simulation::attempt_list`].
    #[must_use]
    pub fn diagnosis(
        &self,
        namespace: &str,
        name: &str,
        place: Option<usize>,
    ) -> Option<Diagnosis> {
        let mut kept = self.kept(namespace, name);
        let last = kept.len().checked_sub(1)?;
        let kept = kept.swap_remove(place.filter(|it| *it < last).unwrap_or(last));
        Some(self.in_full(kept))
    }

    fn kept(&self, namespace: &str, name: &str) -> Vec<Kept> {
        self.logs.attempts.of_pod(&format!("{namespace}/{name}"), self.world.n_events)
    }

    /// Fills in what was left out when the attempt was made.
    fn in_full(&self, kept: Kept) -> Diagnosis {
        if kept.is_full {
            return kept.diagnosis;
        }
        let Some(mut world) = self.checkpoints.latest(|it| it.n_events < kept.at) else {
            return kept.diagnosis;
        };
        let mut logs = Logs::default();
        logs.attempts.recording = Recording::Only(kept.at);
        while world.n_events < kept.at && world.advance(&self.run, &self.steps, &mut logs, i64::MAX)
        {
        }
        logs.attempts.take_full(&kept.diagnosis.pod, kept.at).unwrap_or(kept.diagnosis)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Options, Preset, Simulation};

    /// Two nodes and a job of 400 pods, 20 at a time, of which some must wait.
    fn simulation() -> Simulation {
        let node = |name: &str| {
            format!(
                "apiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\n\
                 status: {{allocatable: {{cpu: \"4\", memory: 8Gi, pods: \"110\"}}}}\n---\n"
            )
        };
        let pod = "spec:\n      restartPolicy: Never\n      containers:\n      \
                   - {name: c, image: busybox, command: [sleep, \"30\"], resources: {requests: {cpu: 500m}}}\n";
        let text = format!(
            "{}{}apiVersion: batch/v1\nkind: Job\nmetadata: {{name: big}}\nspec:\n  \
             completions: 400\n  parallelism: 20\n  completionMode: Indexed\n  template:\n    {pod}",
            node("a"),
            node("b")
        );
        let options = Options { preset: Some(Preset::Empty), ..Options::default() };
        Simulation::load(&text, options).unwrap()
    }

    #[test]
    fn a_long_run_tells_of_an_attempt_what_a_watched_one_tells() {
        let (mut long, mut watched) = (simulation(), simulation());
        long.run_until(3_600_000, u64::MAX);
        for ms in (0..=3_600_000).step_by(10_000) {
            watched.run_until(ms, u64::MAX);
        }
        assert_eq!((long.n_events(), long.hash()), (watched.n_events(), watched.hash()));
        let (mut n_outlined, mut n_unplaced) = (0, 0);
        for pod in long.names(api::Kind::Pod).into_iter().step_by(40) {
            let name = pod.name.as_str();
            n_outlined += long.kept("default", name).iter().filter(|it| !it.is_full).count();
            let attempts = long.attempts("default", name);
            n_unplaced += attempts.iter().filter(|it| it.chosen.is_none()).count();
            assert_eq!(attempts, watched.attempts("default", name), "{name}");
            let last = attempts.len() - 1;
            assert_eq!(long.diagnosis("default", name, None).as_ref(), attempts.last());
            assert_eq!(long.diagnosis("default", name, Some(last)).as_ref(), attempts.last());
            assert_eq!(long.diagnosis("default", name, Some(0)).as_ref(), attempts.first());
            assert!(watched.kept("default", name).iter().all(|it| it.is_full));
        }
        assert!(n_outlined > 2 && n_unplaced > 0, "{n_outlined} {n_unplaced}");
    }
}
