//! The active queue, the back-off queue and the unschedulable pods.
//!
//! Upstream: `pkg/scheduler/backend/queue/{scheduling_queue,active_queue,backoff_queue,unschedulable_pods}.go`, v1.36.
//! Differs from upstream: no attempt overlaps with another or with an event, so there is no memory
//! of events for pods in flight.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Timestamp;
use api::time::{after_ms, ms_between};

use crate::framework::interface::Rejection;
use crate::framework::types::PodInfo;

/// Pods stay unschedulable so long at most. Upstream: `DefaultPodMaxInUnschedulablePodsDuration`.
const MAX_IN_UNSCHEDULABLE_MS: i64 = 5 * 60 * 1_000;
/// How often the ones that stayed too long are looked for. Upstream: `flushUnschedulablePodsLeftover`.
const FLUSH_INTERVAL_MS: i64 = 30 * 1_000;
/// Back-offs end at whole seconds. Upstream: `backoffQOrderingWindowDuration`.
const BACKOFF_WINDOW_MS: i64 = 1_000;

/// A pod with the history of its attempts.
#[derive(Clone, Debug)]
pub struct QueuedPodInfo {
    /// The pod.
    pub pod: Arc<PodInfo>,
    /// When it entered the queue last.
    pub timestamp: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// How often it was found unschedulable.
    pub unschedulable_count: u32,
    /// How often in a row an attempt ended with a fault.
    pub errors: u32,
    /// The plugins that turned it away.
    pub unschedulable_plugins: Vec<&'static str>,
    /// The PreEnqueue plugin that keeps it out, with its reason.
    pub gated: Option<Rejection>,
    /// Sequence number of its entry, for equal priorities and times.
    pub sequence: u64,
}

/// The order of the active queue.
type ActiveKey = (std::cmp::Reverse<i32>, Timestamp, u64);

/// What [`SchedulingQueue::pop`] found.
#[derive(Clone, Debug)]
pub enum PopResult {
    /// This pod is next.
    Pod(QueuedPodInfo),
    /// Nothing is due; look again at this time.
    Wait(Option<Timestamp>),
}

/// The queue.
#[derive(Clone, Debug, Default)]
pub struct SchedulingQueue {
    active: BTreeMap<ActiveKey, QueuedPodInfo>,
    active_keys: BTreeMap<Arc<str>, ActiveKey>,
    backoff: BTreeMap<Arc<str>, (Timestamp, QueuedPodInfo)>,
    unschedulable: BTreeMap<Arc<str>, QueuedPodInfo>,
    next_sequence: u64,
    initial_backoff_ms: i64,
    max_backoff_ms: i64,
}

impl SchedulingQueue {
    /// With its back-offs in seconds.
    #[must_use]
    pub fn new(initial_backoff_seconds: i64, max_backoff_seconds: i64) -> Self {
        Self {
            initial_backoff_ms: initial_backoff_seconds.saturating_mul(1_000),
            max_backoff_ms: max_backoff_seconds.saturating_mul(1_000),
            ..Self::default()
        }
    }

    /// A pod that is new to the queue.
    pub fn queued(&mut self, pod: Arc<PodInfo>, now: Timestamp) -> QueuedPodInfo {
        QueuedPodInfo {
            pod,
            timestamp: now,
            attempts: 0,
            unschedulable_count: 0,
            errors: 0,
            unschedulable_plugins: Vec::new(),
            gated: None,
            sequence: 0,
        }
    }

    /// Whether a pod is somewhere in the queue.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.active_keys.contains_key(key)
            || self.backoff.contains_key(key)
            || self.unschedulable.contains_key(key)
    }

    /// Puts a pod into the active queue, or among the unschedulable ones when a PreEnqueue plugin
    /// keeps it out. Upstream: `moveToActiveQ`.
    pub fn activate(&mut self, mut pod: QueuedPodInfo, gate: Result<(), Rejection>) -> bool {
        let key = pod.pod.key.clone();
        self.remove(&key);
        if let Err(rejection) = gate {
            pod.gated = Some(rejection);
            self.unschedulable.insert(key, pod);
            return false;
        }
        pod.gated = None;
        self.next_sequence += 1;
        pod.sequence = self.next_sequence;
        let order = (std::cmp::Reverse(pod.pod.priority), pod.timestamp, pod.sequence);
        self.active_keys.insert(key, order);
        self.active.insert(order, pod);
        true
    }

    /// Keeps a pod until something changes.
    pub fn add_unschedulable(&mut self, pod: QueuedPodInfo) {
        let key = pod.pod.key.clone();
        self.remove(&key);
        self.unschedulable.insert(key, pod);
    }

    /// Puts a pod into the back-off queue if its back-off has not ended, else into the active one.
    pub fn requeue(&mut self, pod: QueuedPodInfo, now: Timestamp, gate: Result<(), Rejection>) {
        let until = self.backoff_expiration(&pod);
        match until.filter(|_| gate.is_ok()).filter(|it| *it >= window(now)) {
            Some(until) => {
                let key = pod.pod.key.clone();
                self.remove(&key);
                self.backoff.insert(key, (until, pod));
            }
            None => {
                self.activate(pod, gate);
            }
        }
    }

    /// When the pod's back-off ends. Upstream: `getBackoffTime`.
    fn backoff_expiration(&self, pod: &QueuedPodInfo) -> Option<Timestamp> {
        let count = if pod.errors > 0 { pod.errors } else { pod.unschedulable_count };
        if self.max_backoff_ms == 0 || count == 0 {
            return None;
        }
        let shift = count - 1;
        let capped = self.max_backoff_ms.checked_shr(shift).unwrap_or(0);
        let duration = if self.initial_backoff_ms > capped {
            self.max_backoff_ms
        } else {
            self.initial_backoff_ms << shift
        };
        Some(window(after_ms(pod.timestamp, duration)))
    }

    /// The pod that is next, or when one will be. While the active queue is empty, a pod that backs
    /// off for anything but a fault is taken early. Upstream: `Pop` with `SchedulerPopFromBackoffQ`.
    pub fn pop(&mut self, now: Timestamp) -> PopResult {
        self.flush_backoff(now);
        if let Some((_, mut pod)) = self.active.pop_first() {
            self.active_keys.remove(&pod.pod.key);
            pod.attempts += 1;
            return PopResult::Pod(pod);
        }
        if let Some(key) = self.first_backoff()
            && let Some((_, mut pod)) = self.backoff.remove(&key)
        {
            pod.attempts += 1;
            return PopResult::Pod(pod);
        }
        PopResult::Wait(self.next_time())
    }

    /// Upstream: `lessBackoffCompletedWithPriority`.
    fn first_backoff(&self) -> Option<Arc<str>> {
        let early = self.backoff.iter().filter(|(_, (_, it))| !it.unschedulable_plugins.is_empty());
        let order = |(_, (until, it)): &(&Arc<str>, &(Timestamp, QueuedPodInfo))| {
            (*until, std::cmp::Reverse(it.pod.priority), it.timestamp, it.sequence)
        };
        early.min_by_key(order).map(|(key, _)| key.clone())
    }

    /// Whether [`SchedulingQueue::pop`] would find a pod now.
    #[must_use]
    pub fn is_ready(&self, now: Timestamp) -> bool {
        let due = |(until, _): &&(Timestamp, QueuedPodInfo)| *until < window(now);
        self.has_active()
            || self.first_backoff().is_some()
            || self.backoff.values().any(|it| due(&it))
    }

    /// When something will be due that needs no event.
    #[must_use]
    pub fn next_time(&self) -> Option<Timestamp> {
        let backoff = self.backoff.values().map(|(until, _)| after_ms(*until, BACKOFF_WINDOW_MS));
        let kept = self.unschedulable.values().filter(|it| it.gated.is_none());
        let flush = kept.map(|it| {
            let ms = it.timestamp.as_millisecond() + MAX_IN_UNSCHEDULABLE_MS;
            let rounds = ms.div_euclid(FLUSH_INTERVAL_MS) + 1;
            Timestamp::from_millisecond(rounds * FLUSH_INTERVAL_MS).unwrap_or(Timestamp::MAX)
        });
        backoff.chain(flush).min()
    }

    /// Whether a pod waits in the active queue.
    #[must_use]
    pub fn has_active(&self) -> bool {
        !self.active.is_empty()
    }

    fn flush_backoff(&mut self, now: Timestamp) {
        let due: Vec<Arc<str>> = self
            .backoff
            .iter()
            .filter(|(_, (until, _))| *until < window(now))
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            if let Some((_, pod)) = self.backoff.remove(&key) {
                self.activate(pod, Ok(()));
            }
        }
    }

    /// The pods that stayed unschedulable for too long. Upstream: `flushUnschedulablePodsLeftover`.
    pub fn take_left_over(&mut self, now: Timestamp) -> Vec<QueuedPodInfo> {
        let old = |it: &QueuedPodInfo| {
            it.gated.is_none() && ms_between(it.timestamp, now) > MAX_IN_UNSCHEDULABLE_MS
        };
        let keys: Vec<Arc<str>> = self
            .unschedulable
            .iter()
            .filter(|(_, it)| old(it))
            .map(|(key, _)| key.clone())
            .collect();
        keys.iter().filter_map(|it| self.unschedulable.remove(it)).collect()
    }

    /// The pods that wait for something to change.
    pub fn unschedulable(&self) -> impl Iterator<Item = &QueuedPodInfo> {
        self.unschedulable.values()
    }

    /// Takes a pod that waits for something to change.
    pub fn take_unschedulable(&mut self, key: &str) -> Option<QueuedPodInfo> {
        self.unschedulable.remove(key)
    }

    /// Replaces the object of a pod in the active or the back-off queue; `false` if it is in neither.
    pub fn update(&mut self, pod: &Arc<PodInfo>) -> bool {
        if let Some(order) = self.active_keys.get(&pod.key).copied() {
            if let Some(mut it) = self.active.remove(&order) {
                it.pod = pod.clone();
                let order = (std::cmp::Reverse(pod.priority), it.timestamp, it.sequence);
                self.active_keys.insert(pod.key.clone(), order);
                self.active.insert(order, it);
            }
            return true;
        }
        match self.backoff.get_mut(&pod.key) {
            Some((_, it)) => {
                it.pod = pod.clone();
                true
            }
            None => false,
        }
    }

    /// Removes a pod from wherever it is.
    pub fn remove(&mut self, key: &str) -> Option<QueuedPodInfo> {
        if let Some(order) = self.active_keys.remove(key) {
            return self.active.remove(&order);
        }
        if let Some((_, pod)) = self.backoff.remove(key) {
            return Some(pod);
        }
        self.unschedulable.remove(key)
    }
}

/// The start of the window of a second. Upstream: `alignToWindow`.
fn window(at: Timestamp) -> Timestamp {
    let ms = at.as_millisecond();
    Timestamp::from_millisecond(ms - ms.rem_euclid(BACKOFF_WINDOW_MS)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::intern::Interner;
    use k8s_openapi::api::core::v1::{Pod, PodSpec};

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn pod(name: &str, priority: i32) -> Arc<PodInfo> {
        let mut pod = Pod::default();
        pod.metadata.name = Some(name.to_owned());
        pod.spec = Some(PodSpec { priority: Some(priority), ..PodSpec::default() });
        Arc::new(PodInfo::new(Arc::new(pod), &mut Interner::default()))
    }

    fn names(queue: &mut SchedulingQueue, now: Timestamp) -> Vec<String> {
        std::iter::from_fn(|| match queue.pop(now) {
            PopResult::Pod(it) => Some(it.pod.key.to_string()),
            PopResult::Wait(_) => None,
        })
        .collect()
    }

    #[test]
    fn the_highest_priority_goes_first_then_who_came_first() {
        let mut queue = SchedulingQueue::new(1, 10);
        for (name, priority, ms) in [("a", 0, 2), ("b", 0, 1), ("c", 5, 3), ("d", 0, 1)] {
            let queued = queue.queued(pod(name, priority), at(ms));
            queue.activate(queued, Ok(()));
        }
        assert_eq!(names(&mut queue, at(10)), ["/c", "/b", "/d", "/a"]);
    }

    /// Each row: attempts that ended with a fault, seconds until the next one.
    #[test]
    fn a_back_off_doubles_up_to_its_maximum() {
        for (errors, seconds) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (60, 10)] {
            let mut queue = SchedulingQueue::new(1, 10);
            let mut queued = queue.queued(pod("a", 0), at(0));
            queued.errors = errors;
            queue.requeue(queued, at(0), Ok(()));
            assert!(!queue.is_ready(at(seconds * 1_000 + 999)), "{errors}");
            assert!(queue.is_ready(at((seconds + 1) * 1_000)), "{errors}");
        }
    }

    #[test]
    fn a_pod_that_backs_off_without_a_fault_is_taken_when_nothing_else_waits() {
        let mut queue = SchedulingQueue::new(1, 10);
        let mut queued = queue.queued(pod("a", 0), at(0));
        queued.unschedulable_count = 1;
        queued.unschedulable_plugins = vec!["NodeResourcesFit"];
        queue.requeue(queued, at(0), Ok(()));
        assert_eq!(names(&mut queue, at(1)), ["/a"]);
    }

    #[test]
    fn a_pod_that_a_plugin_keeps_out_is_not_active() {
        let mut queue = SchedulingQueue::new(1, 10);
        let queued = queue.queued(pod("a", 0), at(0));
        assert!(!queue.activate(queued, Err(Rejection::unresolvable("wait"))));
        assert_eq!((queue.has_active(), queue.unschedulable().count()), (false, 1));
    }
}
