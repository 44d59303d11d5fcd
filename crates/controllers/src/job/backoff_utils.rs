//! The delay before failed pods are replaced: 10 s after the last failure, doubled with each
//! failure since the last success, up to 10 minutes.
//!
//! Upstream: `pkg/controller/job/backoff_utils.go`, v1.36.

use std::sync::Arc;

use api::{Timestamp, pods};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use super::indexed_job_utils::index_absolute_failure_count;

/// Upstream: `DefaultJobPodFailureBackOff`.
const DEFAULT_BACKOFF_MS: i64 = 10_000;
/// Upstream: `MaxJobPodFailureBackOff`.
const MAX_BACKOFF_MS: i64 = 600_000;

/// What is remembered of a Job's failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BackoffRecord {
    failures_after_last_success: usize,
    last_failure: Option<Timestamp>,
}

impl BackoffRecord {
    /// The record after pods finished.
    pub(super) fn after(self, succeeded: &[Arc<Pod>], failed: &[Arc<Pod>]) -> Self {
        let last_success = succeeded.iter().map(|it| finished_time(it)).max();
        let failures = failed.iter().map(|it| finished_time(it));
        let failures: Vec<Timestamp> =
            failures.filter(|it| last_success.is_none_or(|success| *it > success)).collect();
        let before = if last_success.is_some() { Self::default() } else { self };
        Self {
            failures_after_last_success: before.failures_after_last_success + failures.len(),
            last_failure: failures.into_iter().max().or(before.last_failure),
        }
    }

    /// Milliseconds until pods may be created.
    pub(super) fn remaining_ms(&self, now: Timestamp) -> i64 {
        self.last_failure.map_or(0, |at| remaining_ms(now, self.failures_after_last_success, at))
    }
}

/// Milliseconds until the pod of one index may be replaced.
pub(super) fn remaining_ms_per_index(now: Timestamp, last_failed: Option<&Pod>) -> i64 {
    let Some(pod) = last_failed else { return 0 };
    let failures = usize::try_from(index_absolute_failure_count(pod)).unwrap_or(0) + 1;
    remaining_ms(now, failures, finished_time(pod))
}

fn remaining_ms(now: Timestamp, failures: usize, last_failure: Timestamp) -> i64 {
    if failures == 0 {
        return 0;
    }
    let doublings = u32::try_from(failures - 1).unwrap_or(u32::MAX).min(10);
    let backoff = (DEFAULT_BACKOFF_MS << doublings).min(MAX_BACKOFF_MS);
    (backoff - api::time::ms_between(last_failure, now)).max(0)
}

/// When a pod ended: by its containers, or when it stopped being ready, or when its deletion
/// began.
pub(super) fn finished_time(pod: &Pod) -> Timestamp {
    let created = || pod.metadata.creation_timestamp.as_ref().map(|it| it.0);
    finish_time_from_containers(pod)
        .or_else(|| finish_time_from_ready(pod))
        .or_else(|| finish_time_from_deletion(pod))
        .or_else(created)
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

fn finish_time_from_containers(pod: &Pod) -> Option<Timestamp> {
    let status = pod.status.as_ref()?;
    let is_sidecar = |name: &str| {
        let containers = pod.spec.iter().flat_map(|it| it.init_containers.iter().flatten());
        containers
            .filter(|it| it.restart_policy.as_deref() == Some("Always"))
            .any(|it| it.name == name)
    };
    let main = status.container_statuses.iter().flatten();
    let sidecars = status.init_container_statuses.iter().flatten();
    let mut latest = None;
    for container in main.chain(sidecars.filter(|it| is_sidecar(&it.name))) {
        // One that still runs means that the pod has not ended.
        latest = latest.max(Some(finished_at(container)?));
    }
    latest
}

fn finished_at(container: &ContainerStatus) -> Option<Timestamp> {
    let terminated = container.state.as_ref()?.terminated.as_ref()?;
    terminated.finished_at.as_ref().map(|it| it.0)
}

fn finish_time_from_ready(pod: &Pod) -> Option<Timestamp> {
    let ready = pods::condition(pod, "Ready").filter(|it| it.status == "False")?;
    ready.last_transition_time.as_ref().map(|it| it.0)
}

fn finish_time_from_deletion(pod: &Pod) -> Option<Timestamp> {
    let deletion = pod.metadata.deletion_timestamp.as_ref()?.0;
    let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
    Some(api::time::after_secs(deletion, -grace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_since_the_last_success() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let ended = |second: i64| {
            let terminated =
                serde_json::json!({ "exitCode": 0, "finishedAt": at(second).to_string() });
            let status = serde_json::json!({ "containerStatuses": [{
                "name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "terminated": terminated },
            }] });
            Arc::new(serde_json::from_value(serde_json::json!({ "status": status })).unwrap())
        };
        let all = |times: &[i64]| times.iter().map(|it| ended(*it)).collect::<Vec<Arc<Pod>>>();
        // Rounds of successes and failures; the delay of so many failures, counted from the last.
        for (rounds, now, expected) in [
            (vec![(vec![], vec![10])], 10, 10_000),
            (vec![(vec![], vec![10, 12])], 12, 20_000),
            (vec![(vec![], vec![10]), (vec![], vec![20])], 25, 15_000),
            (vec![(vec![], vec![10, 12]), (vec![14], vec![])], 14, 0),
            (vec![(vec![], vec![10, 12]), (vec![14], vec![16])], 16, 10_000),
            (vec![(vec![14], vec![10, 12])], 14, 0),
            (vec![(vec![], vec![10]), (vec![], vec![])], 15, 5_000),
        ] {
            let mut record = BackoffRecord::default();
            for (succeeded, failed) in &rounds {
                record = record.after(&all(succeeded), &all(failed));
            }
            assert_eq!(record.remaining_ms(at(now)), expected, "{rounds:?} at {now}");
        }
    }

    #[test]
    fn the_delay_doubles_up_to_ten_minutes() {
        let check = |failures: usize, expected_ms: i64| {
            let at = Timestamp::UNIX_EPOCH;
            assert_eq!(remaining_ms(at, failures, at), expected_ms, "{failures} failures");
        };
        check(0, 0);
        check(1, 10_000);
        check(2, 20_000);
        check(6, 320_000);
        check(7, 600_000);
        check(100, 600_000);
    }
}
