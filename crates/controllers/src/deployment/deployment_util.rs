//! Revisions, conditions, bounds and sums of Deployments and their ReplicaSets.
//!
//! Upstream: `pkg/controller/deployment/util/deployment_util.go`, v1.36.

use api::Order;
use api::time::meta_time;
use api::{Resource, Timestamp};
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentCondition, DeploymentSpec, DeploymentStatus, ReplicaSet, ReplicaSetSpec,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::controller_utils as utils;

/// The number of a roll-out, on the Deployment and its ReplicaSets.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
/// The earlier numbers of a ReplicaSet that was rolled back to.
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The Deployment's size when a ReplicaSet was scaled last.
const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// The same with the surge.
const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// The label that tells the pods of one ReplicaSet from those of another.
pub(super) const TEMPLATE_HASH: &str = "pod-template-hash";
/// Annotations that are not copied from the Deployment to its ReplicaSets.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
];
/// Upstream: `maxRevHistoryLengthInChars`.
const MAX_HISTORY_CHARS: usize = 2_000;

/// The condition types.
pub(super) const PROGRESSING: &str = "Progressing";
pub(super) const AVAILABLE: &str = "Available";
pub(super) const REPLICA_FAILURE: &str = "ReplicaFailure";

/// The reasons of the condition `Progressing` that decisions depend on.
pub(super) mod reason {
    pub(in super::super) const NEW_RS_AVAILABLE: &str = "NewReplicaSetAvailable";
    pub(in super::super) const TIMED_OUT: &str = "ProgressDeadlineExceeded";
    pub(in super::super) const PAUSED: &str = "DeploymentPaused";
}

/// `spec.replicas` of a Deployment.
pub(super) fn replicas(spec: &DeploymentSpec) -> i32 {
    spec.replicas.unwrap_or(1)
}

/// `spec.replicas` of a ReplicaSet.
pub(super) fn rs_replicas(rs: &ReplicaSet) -> i32 {
    rs.spec.as_ref().and_then(|it| it.replicas).unwrap_or(1)
}

/// `status.availableReplicas` of a ReplicaSet.
pub(super) fn rs_available(rs: &ReplicaSet) -> i32 {
    rs.status.as_ref().and_then(|it| it.available_replicas).unwrap_or(0)
}

/// `status.replicas` of a ReplicaSet.
pub(super) fn rs_actual(rs: &ReplicaSet) -> i32 {
    rs.status.as_ref().map_or(0, |it| it.replicas)
}

/// The sum of a number over ReplicaSets.
pub(super) fn sum<'a>(
    sets: impl IntoIterator<Item = &'a ReplicaSet>,
    number: fn(&ReplicaSet) -> i32,
) -> i32 {
    sets.into_iter().map(number).fold(0, i32::saturating_add)
}

/// How many pods are on their way out, if every ReplicaSet tells. Upstream:
/// `GetTerminatingReplicaCountForReplicaSets`.
pub(super) fn terminating<'a>(sets: impl IntoIterator<Item = &'a ReplicaSet>) -> Option<i32> {
    let mut total = 0;
    for rs in sets {
        let status = rs.status.as_ref();
        match status.and_then(|it| it.terminating_replicas) {
            Some(it) => total += it,
            None if status.and_then(|it| it.observed_generation).unwrap_or(0) == 0 => {}
            None => return None,
        }
    }
    Some(total)
}

/// The position of the first of several ReplicaSets in order of age; names break ties.
pub(super) fn sort_by_age(sets: &mut [ReplicaSet]) {
    sets.order_by(|a, b| (created(a), a.name()).cmp(&(created(b), b.name())));
}

fn created(rs: &ReplicaSet) -> Option<Timestamp> {
    rs.metadata.creation_timestamp.as_ref().map(|it| it.0)
}

/// Largest first; among equals the newest or the oldest first. Upstream:
/// `ReplicaSetsBySizeNewer`, `ReplicaSetsBySizeOlder`.
pub(super) fn sort_by_size(sets: &mut [ReplicaSet], newer_first: bool) {
    sets.order_by(|a, b| {
        let by_size = rs_replicas(b).cmp(&rs_replicas(a));
        let by_age = (created(a), a.name()).cmp(&(created(b), b.name()));
        by_size.then(if newer_first { by_age.reverse() } else { by_age })
    });
}

/// Upstream: `IsRollingUpdate`.
pub(super) fn is_rolling_update(spec: &DeploymentSpec) -> bool {
    let strategy = spec.strategy.as_ref().and_then(|it| it.type_.as_deref());
    strategy.unwrap_or("RollingUpdate") == "RollingUpdate"
}

/// Surge and unavailability in pods. If both come to nothing, one pod may be unavailable, or the
/// roll-out could never start. Upstream: `ResolveFenceposts`.
fn fenceposts(spec: &DeploymentSpec) -> (i32, i32) {
    let rolling = spec.strategy.as_ref().and_then(|it| it.rolling_update.as_ref());
    let total = replicas(spec);
    let surge = rolling.and_then(|it| utils::scaled_value(it.max_surge.as_ref()?, total, true));
    let unavailable =
        rolling.and_then(|it| utils::scaled_value(it.max_unavailable.as_ref()?, total, false));
    match (surge.unwrap_or(0), unavailable.unwrap_or(0)) {
        (0, 0) => (0, 1),
        both => both,
    }
}

/// Upstream: `MaxUnavailable`.
pub(super) fn max_unavailable(spec: &DeploymentSpec) -> i32 {
    if !is_rolling_update(spec) || replicas(spec) == 0 {
        return 0;
    }
    fenceposts(spec).1.min(replicas(spec))
}

/// Upstream: `MaxSurge`.
pub(super) fn max_surge(spec: &DeploymentSpec) -> i32 {
    if is_rolling_update(spec) { fenceposts(spec).0 } else { 0 }
}

/// How large the new ReplicaSet may be now. Upstream: `NewRSNewReplicas`.
pub(super) fn new_rs_new_replicas(spec: &DeploymentSpec, all: i32, new: i32) -> i32 {
    if !is_rolling_update(spec) {
        return replicas(spec);
    }
    // Unlike `max_surge` this does not fall back on one unavailable pod.
    let rolling = spec.strategy.as_ref().and_then(|it| it.rolling_update.as_ref());
    let surge = rolling.and_then(|it| it.max_surge.as_ref());
    let surge = surge.and_then(|it| utils::scaled_value(it, replicas(spec), true)).unwrap_or(0);
    let room = replicas(spec) + surge - all;
    if room <= 0 { new } else { new + room.min(replicas(spec) - new) }
}

/// Upstream: `HasProgressDeadline`.
pub(super) fn has_progress_deadline(spec: &DeploymentSpec) -> bool {
    spec.progress_deadline_seconds.is_some_and(|it| it != i32::MAX)
}

/// Equal but for the hash label. Upstream: `EqualIgnoreHash`.
pub(super) fn equal_ignore_hash(a: &PodTemplateSpec, b: &PodTemplateSpec) -> bool {
    let labels = |it: &PodTemplateSpec| {
        let mut labels = it.metadata.as_ref().and_then(|it| it.labels.clone()).unwrap_or_default();
        labels.remove(TEMPLATE_HASH);
        labels
    };
    let rest = |it: &PodTemplateSpec| ObjectMeta {
        labels: None,
        creation_timestamp: None,
        ..it.metadata.clone().unwrap_or_default()
    };
    a.spec == b.spec && labels(a) == labels(b) && rest(a) == rest(b)
}

/// The oldest ReplicaSet with the Deployment's template. Upstream: `FindNewReplicaSet`.
pub(super) fn find_new(spec: &DeploymentSpec, sorted: &[ReplicaSet]) -> Option<usize> {
    let template = |rs: &ReplicaSet| rs.spec.as_ref().and_then(|it| it.template.clone());
    sorted.iter().position(|rs| {
        template(rs).is_some_and(|template| equal_ignore_hash(&template, &spec.template))
    })
}

/// The number in the revision annotation; 0 where there is none. `None` if it is malformed.
pub(super) fn revision(rs: &ReplicaSet) -> Option<i64> {
    match annotation(&rs.metadata, REVISION) {
        "" => Some(0),
        text => text.parse().ok(),
    }
}

pub(super) fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> &'a str {
    meta.annotations.as_ref().and_then(|it| it.get(key)).map_or("", String::as_str)
}

/// Sets an annotation. Returns whether that changed anything.
pub(super) fn set_annotation(meta: &mut ObjectMeta, key: &str, value: &str) -> bool {
    if annotation(meta, key) == value {
        return false;
    }
    let annotations = meta.annotations.get_or_insert_default();
    annotations.insert(key.to_owned(), value.to_owned());
    true
}

/// Copies the Deployment's annotations and numbers the roll-out. A ReplicaSet that had a smaller
/// number is one that was rolled back to, and remembers it. Returns whether anything changed.
/// Upstream: `SetNewReplicaSetAnnotations`.
pub(super) fn set_new_annotations(d: &Deployment, rs: &mut ReplicaSet, revision: i64) -> bool {
    let mut changed = false;
    for (key, value) in d.metadata.annotations.iter().flatten() {
        if !NOT_COPIED.contains(&key.as_str()) {
            changed |= set_annotation(&mut rs.metadata, key, value);
        }
    }
    let old = annotation(&rs.metadata, REVISION).to_owned();
    let Some(old_number) = (if old.is_empty() { Some(0) } else { old.parse::<i64>().ok() }) else {
        return false;
    };
    if old_number < revision {
        changed |= set_annotation(&mut rs.metadata, REVISION, &revision.to_string());
        if !old.is_empty() {
            let history = append_history(annotation(&rs.metadata, REVISION_HISTORY), &old);
            changed |= set_annotation(&mut rs.metadata, REVISION_HISTORY, &history);
        }
    }
    changed
}

/// Drops the oldest numbers when the list becomes too long.
fn append_history(history: &str, revision: &str) -> String {
    if history.is_empty() {
        return revision.to_owned();
    }
    let mut all: Vec<&str> = history.split(',').chain([revision]).collect();
    let mut length = history.len() + 1 + revision.len();
    while length > MAX_HISTORY_CHARS && all.len() > 1 {
        length -= all.remove(0).len() + 1;
    }
    all.join(",")
}

/// Notes the size of the Deployment on a ReplicaSet. Returns whether that changed anything.
/// Upstream: `SetReplicasAnnotations`.
pub(super) fn set_replicas_annotations(spec: &DeploymentSpec, rs: &mut ReplicaSet) -> bool {
    let max = replicas(spec) + max_surge(spec);
    let desired = set_annotation(&mut rs.metadata, DESIRED_REPLICAS, &replicas(spec).to_string());
    set_annotation(&mut rs.metadata, MAX_REPLICAS, &max.to_string()) || desired
}

/// The size of the Deployment when the ReplicaSet was scaled last.
pub(super) fn desired_replicas(rs: &ReplicaSet) -> Option<i32> {
    annotation(&rs.metadata, DESIRED_REPLICAS).parse().ok().filter(|it| *it >= 0)
}

/// Whether the ReplicaSet is all that the Deployment wants. Upstream: `IsSaturated`.
pub(super) fn is_saturated(spec: &DeploymentSpec, rs: &ReplicaSet) -> bool {
    let wanted = replicas(spec);
    rs_replicas(rs) == wanted && desired_replicas(rs) == Some(wanted) && rs_available(rs) == wanted
}

/// The share of a ReplicaSet in `to_add` replicas of which `added` are given away already.
/// Negative numbers take away. Upstream: `GetReplicaSetProportion`.
pub(super) fn proportion(d: &Deployment, rs: &ReplicaSet, to_add: i32, added: i32) -> i32 {
    if rs_replicas(rs) == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let fraction = d.spec.as_ref().map_or(0, |spec| fraction(d, spec, rs));
    let allowed = to_add - added;
    if to_add > 0 { fraction.min(allowed) } else { fraction.max(allowed) }
}

/// Upstream: `getReplicaSetFraction`.
fn fraction(d: &Deployment, spec: &DeploymentSpec, rs: &ReplicaSet) -> i32 {
    let size = rs_replicas(rs);
    if replicas(spec) == 0 {
        return -size;
    }
    let max = replicas(spec) + max_surge(spec);
    let noted: Option<i32> = annotation(&rs.metadata, MAX_REPLICAS).parse().ok();
    let actual = || d.status.as_ref().and_then(|it| it.replicas).unwrap_or(0);
    let before = i64::from(noted.filter(|it| *it > 0).unwrap_or_else(actual));
    if before == 0 {
        return 0;
    }
    // Rounded to the nearest: (size * max) / before + 1/2.
    let rounded = (2 * i64::from(size) * i64::from(max) + before) / (2 * before);
    i32::try_from(rounded).unwrap_or(i32::MAX) - size
}

/// A new condition.
pub(super) fn new_condition(
    type_: &str,
    status: &str,
    reason: &str,
    message: impl Into<String>,
    now: Timestamp,
) -> DeploymentCondition {
    DeploymentCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.into()),
        last_update_time: Some(meta_time(now)),
        last_transition_time: Some(meta_time(now)),
    }
}

/// The condition of a type.
pub(super) fn condition<'a>(
    status: &'a DeploymentStatus,
    type_: &str,
) -> Option<&'a DeploymentCondition> {
    status.conditions.iter().flatten().find(|it| it.type_ == type_)
}

/// The reason of the condition `Progressing`.
pub(super) fn progress_reason(status: &DeploymentStatus) -> Option<&str> {
    condition(status, PROGRESSING)?.reason.as_deref()
}

/// Adds or replaces a condition, but not one with the same status and reason. Upstream:
/// `SetDeploymentCondition`.
pub(super) fn set_condition(status: &mut DeploymentStatus, mut new: DeploymentCondition) {
    if let Some(old) = condition(status, &new.type_).filter(|it| it.status == new.status) {
        if old.reason == new.reason {
            return;
        }
        new.last_transition_time.clone_from(&old.last_transition_time);
    }
    remove_condition(status, &new.type_);
    status.conditions.get_or_insert_default().push(new);
}

/// Removes a condition.
pub(super) fn remove_condition(status: &mut DeploymentStatus, type_: &str) {
    if let Some(conditions) = &mut status.conditions {
        conditions.retain(|it| it.type_ != type_);
        if conditions.is_empty() {
            status.conditions = None;
        }
    }
}

/// Whether all replicas are new and available, and no others are left. Upstream:
/// `DeploymentComplete`.
pub(super) fn is_complete(d: &Deployment, status: &DeploymentStatus) -> bool {
    let wanted = d.spec.as_ref().map_or(0, replicas);
    let is = |count: Option<i32>| count.unwrap_or(0) == wanted;
    is(status.updated_replicas)
        && is(status.replicas)
        && is(status.available_replicas)
        && status.observed_generation.unwrap_or(0) >= d.metadata.generation.unwrap_or(0)
}

/// The template of a ReplicaSet's spec, for change.
pub(super) fn rs_spec_mut(rs: &mut ReplicaSet) -> &mut ReplicaSetSpec {
    rs.spec.get_or_insert_default()
}
