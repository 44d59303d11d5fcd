//! What is due when: one entry for each key of a component, and of two times the earlier wins.
//!
//! Upstream: `staging/src/k8s.io/client-go/util/workqueue/{delaying_queue,default_rate_limiters}.go`, v1.36.
//! Differs from upstream: an entry that is due keeps its place when it is added again, because one
//! loop serves all queues in order of time and then of arrival.

use std::collections::BTreeMap;

use api::{ComponentId, ObjectRef, SharedMap, SharedTable, Timestamp, hash_bytes};

/// A key of a component.
pub(crate) type Task = (ComponentId, ObjectRef);

fn hash_of(task: &Task) -> u64 {
    let (component, key) = (task.0 as u64, &task.1);
    let namespace = hash_bytes(component << 8 | key.kind as u64, key.namespace.as_bytes());
    hash_bytes(namespace, key.name.as_bytes())
}

/// When a task is due, and as which of those that were added.
type Place = (Timestamp, u64);

/// The pending entries of all components.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventQueue {
    /// Ordered by time, then by arrival: equal times run first come, first served.
    due: SharedMap<Place, Task>,
    /// Where each task stands in `due`.
    places: SharedTable<(Task, Place)>,
    next_seq: u64,
}

impl EventQueue {
    /// Looks at a task at `at`, or earlier if that was asked for before.
    pub(crate) fn add(&mut self, task: Task, at: Timestamp) {
        let place = (at, self.next_seq);
        let hash = hash_of(&task);
        match self.places.find(hash, |it| it.0 == task).map(|it| it.1) {
            Some(before) if before.0 <= at => return,
            Some(before) => {
                self.due.remove(&before);
                if let Some(it) = self.places.find_mut(hash, |it| it.0 == task) {
                    it.1 = place;
                }
            }
            None => self.places.insert(hash, (task.clone(), place)),
        }
        self.next_seq += 1;
        self.due.insert(place, task);
    }

    /// When the earliest task is due.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.due.first().map(|((at, _), _)| *at)
    }

    /// Takes the earliest task out.
    pub(crate) fn pop(&mut self) -> Option<(Timestamp, Task)> {
        let ((at, _), task) = self.due.pop_first()?;
        self.places.remove(hash_of(&task), |it| it.0 == task);
        Some((at, task))
    }

    /// Drops everything that a component wanted to look at.
    pub(crate) fn drop_component(&mut self, component: ComponentId) {
        for (_, task) in self.due.iter().filter(|it| it.1.0 == component) {
            self.places.remove(hash_of(task), |it| it.0 == *task);
        }
        self.due.retain(|_, task| task.0 != component);
    }
}

/// How long a component waits after its first failure, and at most, milliseconds. Upstream:
/// `DefaultTypedControllerRateLimiter`; `DefaultJobApiBackOff` and `MaxJobApiBackOff`.
const fn delays(component: ComponentId) -> (i64, i64) {
    match component {
        ComponentId::Job => (1_000, 60_000),
        _ => (5, 1_000_000),
    }
}

/// How often each task failed in a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateLimiter {
    failures: BTreeMap<Task, u32>,
}

impl RateLimiter {
    /// How long to wait after one more failure, milliseconds.
    pub(crate) fn failed(&mut self, task: &Task) -> i64 {
        let n_failures = self.failures.entry(task.clone()).or_default();
        let (base, max) = delays(task.0);
        let delay = base.checked_shl(*n_failures).filter(|_| *n_failures < 32);
        *n_failures = n_failures.saturating_add(1);
        delay.unwrap_or(max).min(max)
    }

    /// The task succeeded.
    pub(crate) fn forget(&mut self, task: &Task) {
        if !self.failures.is_empty() {
            self.failures.remove(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use api::{ComponentId, Kind, ObjectRef, Timestamp};

    use super::{EventQueue, RateLimiter, Task};

    fn task(name: &str) -> Task {
        (ComponentId::Job, ObjectRef::new(Kind::Job, "default", name))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_earlier_time_wins_and_equal_times_run_in_order_of_arrival() {
        for (added, order) in [
            (vec![("a", 5), ("b", 3)], vec![("b", 3), ("a", 5)]),
            (vec![("a", 5), ("b", 3), ("a", 1)], vec![("a", 1), ("b", 3)]),
            (vec![("a", 1), ("b", 3), ("a", 5)], vec![("a", 1), ("b", 3)]),
            (vec![("b", 1), ("a", 1), ("b", 1)], vec![("b", 1), ("a", 1)]),
        ] {
            let mut queue = EventQueue::default();
            for (name, second) in &added {
                queue.add(task(name), at(*second));
            }
            let ran: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
            let want: Vec<_> = order.iter().map(|(name, it)| (at(*it), task(name))).collect();
            assert_eq!(ran, want, "{added:?}");
        }
    }

    #[test]
    fn a_stopped_component_has_nothing_left_to_do() {
        let mut queue = EventQueue::default();
        queue.add(task("a"), at(1));
        queue.drop_component(ComponentId::Job);
        assert_eq!(queue.next_at(), None);
        queue.add(task("a"), at(9));
        assert_eq!(queue.next_at(), Some(at(9)));
    }

    #[test]
    fn failures_wait_twice_as_long_each_time_up_to_a_thousand_seconds() {
        let mut limiter = RateLimiter::default();
        let deployment = (ComponentId::Deployment, task("a").1);
        let delays: Vec<_> = (0..40).map(|_| limiter.failed(&deployment)).collect();
        assert_eq!(delays[..4], [5, 10, 20, 40]);
        assert_eq!(delays[18..], vec![1_000_000; 22]);
        limiter.forget(&deployment);
        assert_eq!(limiter.failed(&deployment), 5);
    }

    #[test]
    fn jobs_wait_longer_at_first_and_a_minute_at_most() {
        let mut limiter = RateLimiter::default();
        let delays: Vec<_> = (0..8).map(|_| limiter.failed(&task("a"))).collect();
        assert_eq!(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    }
}
