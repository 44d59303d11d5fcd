//! Workloads with their figures.

use api::k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use api::k8s_openapi::api::batch::v1::{CronJob, Job};
use api::{Kind, Listers, Object, Timestamp, Zones, cron, time};
use view::{Workload, WorkloadDetail};

use super::{created_ms, ms};
use crate::moments::{root_of, workload_name};

/// How many coming runs of a CronJob are told.
const N_NEXT: usize = 5;

/// How many runs of an `@every` schedule are passed over on the way to now.
const MAX_SEARCH: usize = 1_000;

/// Whether objects of a kind are shown as workloads.
pub(super) fn is_workload(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Deployment
            | Kind::ReplicaSet
            | Kind::StatefulSet
            | Kind::DaemonSet
            | Kind::Job
            | Kind::CronJob
    )
}

/// What the figures are read from.
pub(super) struct Clock<'a> {
    pub(super) start: Timestamp,
    pub(super) now: Timestamp,
    pub(super) zones: &'a Zones,
}

/// A workload as the page draws it.
pub(super) fn workload(
    object: &Object,
    clock: &Clock<'_>,
    listers: &Listers<'_>,
) -> Option<Workload> {
    let key = object.object_ref();
    let (status, detail) = match object {
        Object::Deployment(it) => deployment(it),
        Object::ReplicaSet(it) => replica_set(it),
        Object::StatefulSet(it) => stateful_set(it),
        Object::DaemonSet(it) => daemon_set(it),
        Object::Job(it) => job(it, clock.start),
        Object::CronJob(it) => cron_job(it, clock),
        _ => return None,
    };
    let root = root_of(object, listers).unwrap_or_else(|| key.clone());
    Some(Workload {
        object: key.to_view(),
        workload: workload_name(&root),
        status: status.to_owned(),
        created_ms: created_ms(clock.start, object),
        detail,
    })
}

fn n(it: Option<i32>) -> i32 {
    it.unwrap_or_default()
}

fn deployment(it: &Deployment) -> (&'static str, WorkloadDetail) {
    let spec = it.spec.as_ref();
    let status = it.status.clone().unwrap_or_default();
    let desired = spec.and_then(|it| it.replicas).unwrap_or(1);
    let (updated, ready) = (n(status.updated_replicas), n(status.ready_replicas));
    let condition = |type_: &str, value: &str| {
        let mut all = status.conditions.iter().flatten();
        all.any(|it| it.type_ == type_ && it.status == value)
    };
    let settled = updated == desired && n(status.replicas) == desired && ready == desired;
    let word = if spec.and_then(|it| it.paused) == Some(true) {
        "Paused"
    } else if condition("Progressing", "False") {
        "Stalled"
    } else if settled {
        "Available"
    } else {
        "Progressing"
    };
    (word, WorkloadDetail::Replicas { desired, current: n(status.replicas), ready, updated })
}

fn replica_set(it: &ReplicaSet) -> (&'static str, WorkloadDetail) {
    let desired = it.spec.as_ref().and_then(|it| it.replicas).unwrap_or(1);
    let status = it.status.clone().unwrap_or_default();
    let (current, ready) = (status.replicas, n(status.ready_replicas));
    let detail = WorkloadDetail::Replicas { desired, current, ready, updated: current };
    (settled(desired, current, ready), detail)
}

fn stateful_set(it: &StatefulSet) -> (&'static str, WorkloadDetail) {
    let desired = it.spec.as_ref().and_then(|it| it.replicas).unwrap_or(1);
    let status = it.status.clone().unwrap_or_default();
    let (current, ready) = (status.replicas, n(status.ready_replicas));
    let updated = n(status.updated_replicas);
    let detail = WorkloadDetail::Replicas { desired, current, ready, updated };
    (settled(desired, current, ready), detail)
}

fn settled(desired: i32, current: i32, ready: i32) -> &'static str {
    match (desired, current, ready) {
        (0, 0, _) => "Scaled to zero",
        _ if desired == current && ready == desired => "Available",
        _ => "Progressing",
    }
}

fn daemon_set(it: &DaemonSet) -> (&'static str, WorkloadDetail) {
    let status = it.status.clone().unwrap_or_default();
    let desired = status.desired_number_scheduled;
    let (current, ready) = (status.current_number_scheduled, status.number_ready);
    let detail = WorkloadDetail::DaemonSet {
        desired,
        current,
        ready,
        updated: n(status.updated_number_scheduled),
        misscheduled: status.number_misscheduled,
    };
    (if ready == desired && current == desired { "Available" } else { "Progressing" }, detail)
}

fn job(it: &Job, start: Timestamp) -> (&'static str, WorkloadDetail) {
    let spec = it.spec.as_ref();
    let status = it.status.clone().unwrap_or_default();
    let condition = |type_: &str| {
        status.conditions.iter().flatten().find(|it| it.type_ == type_ && it.status == "True")
    };
    let complete = condition("Complete");
    let failed = condition("Failed");
    let word = if complete.is_some() {
        "Complete"
    } else if failed.is_some() {
        "Failed"
    } else if it.metadata.deletion_timestamp.is_some() {
        "Terminating"
    } else if condition("Suspended").is_some() {
        "Suspended"
    } else if condition("FailureTarget").is_some() {
        "FailureTarget"
    } else if condition("SuccessCriteriaMet").is_some() {
        "SuccessCriteriaMet"
    } else {
        "Running"
    };
    let ended = status
        .completion_time
        .as_ref()
        .or_else(|| complete.or(failed).and_then(|it| it.last_transition_time.as_ref()));
    let detail = WorkloadDetail::Job {
        completions: spec.and_then(|it| it.completions),
        parallelism: spec.and_then(|it| it.parallelism).unwrap_or(1),
        active: n(status.active),
        succeeded: n(status.succeeded),
        failed: n(status.failed),
        completed_indexes: status.completed_indexes.clone().unwrap_or_default(),
        finished_ms: ended.map(|it| ms(start, it)),
    };
    (word, detail)
}

fn cron_job(it: &CronJob, clock: &Clock<'_>) -> (&'static str, WorkloadDetail) {
    let spec = &it.spec;
    let status = it.status.as_ref();
    let suspended = spec.suspend == Some(true);
    let active = status.and_then(|it| it.active.as_ref()).map_or(0, Vec::len);
    let word = match (suspended, active) {
        (true, _) => "Suspended",
        (_, 0) => "Waiting",
        _ => "Running",
    };
    let detail = WorkloadDetail::CronJob {
        schedule: spec.schedule.clone(),
        time_zone: spec.time_zone.clone().unwrap_or_default(),
        suspended,
        active: i32::try_from(active).unwrap_or(i32::MAX),
        last_ms: status.and_then(|it| it.last_schedule_time.as_ref()).map(|it| ms(clock.start, it)),
        next_ms: next_runs(it, clock.start, clock.now, clock.zones, N_NEXT),
    };
    (word, detail)
}

/// When a CronJob will be due next, milliseconds of the run; nothing while it is suspended or its
/// schedule or zone cannot be read.
pub(crate) fn next_runs(
    cron_job: &CronJob,
    start: Timestamp,
    now: Timestamp,
    zones: &Zones,
    n_runs: usize,
) -> Vec<i64> {
    let spec = &cron_job.spec;
    if spec.suspend == Some(true) {
        return vec![];
    }
    let text = match spec.time_zone.as_deref() {
        Some(zone) if !zone.is_empty() => format!("TZ={zone} {}", spec.schedule),
        _ => spec.schedule.clone(),
    };
    let Ok(schedule) = cron::parse(&text, zones) else { return vec![] };
    // `@every` counts from the last run, or from the creation of the CronJob.
    let last = cron_job.status.as_ref().and_then(|it| it.last_schedule_time.as_ref());
    let base = last.or(cron_job.metadata.creation_timestamp.as_ref()).map_or(now, |it| it.0);
    let mut at = if matches!(schedule, cron::Schedule::Every { .. }) { base } else { now };
    let mut runs = Vec::new();
    for _ in 0..MAX_SEARCH {
        let Some(next) = schedule.next_fire(at) else { break };
        at = next;
        if at > now {
            runs.push(time::ms_between(start, at));
        }
        if runs.len() >= n_runs {
            break;
        }
    }
    runs
}
