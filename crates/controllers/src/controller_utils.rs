//! What the workload controllers share: queueing the owner of a changed object, adopting and
//! releasing, pods from templates, the order in which pods are deleted, hashes of templates.
//!
//! Upstream: `pkg/controller/controller_utils.go` and `controller_ref_manager.go`, v1.36.
//! Differs from upstream: among ready pods of about the same age the uid decides for all of them
//! as soon as two of them differ in age at all, because upstream's comparison is not transitive.

use api::Order;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use api::selector::{self, Labels};
use api::time::after_ms;
use api::{
    Action, Change, DeleteOptions, EventSpec, Object, ObjectRef, Patch, Plan, Resource, Timestamp,
    View, WorkQueue, pods, slow_start_batch,
};
use k8s_openapi::api::core::v1::{Namespace, Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

/// Queues a key for the reconcile that a change causes.
pub(crate) fn enqueue(queue: &mut WorkQueue, view: &View<'_>, key: ObjectRef) {
    queue.add_at(key, after_ms(view.now, view.settings.controller_latency_ms));
}

/// Until when the last sync of each object goes on. What changes meanwhile waits for the next one,
/// so that an object with thousands of pods is not looked at once for each of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace {
    busy_until: BTreeMap<ObjectRef, Timestamp>,
}

impl Pace {
    /// How long a sync takes for each object that it reads. A guess at upstream's speed.
    const MICROS_PER_OBJECT: usize = 20;
    /// With fewer objects, syncs take no time.
    const MIN_OBJECTS: usize = 250;

    /// Notes that a sync of `key` has begun, which reads so many objects.
    pub(crate) fn begin(&mut self, key: &ObjectRef, n_objects: usize, now: Timestamp) {
        if n_objects < Self::MIN_OBJECTS {
            self.busy_until.remove(key);
            return;
        }
        let ms = n_objects * Self::MICROS_PER_OBJECT / 1_000;
        let end = after_ms(now, i64::try_from(ms).unwrap_or(i64::MAX));
        self.busy_until.insert(key.clone(), end);
    }

    /// Passes keys on, each not before the sync of it that goes on has ended.
    pub(crate) fn pass(&self, from: WorkQueue, to: &mut WorkQueue) {
        for (key, at) in from.entries {
            let free = self.busy_until.get(&key).copied();
            to.add_at(key, free.map_or(at, |it| it.max(at)));
        }
    }
}

/// Queues all objects of a type. Upstream: the initial list of the informer.
pub(crate) fn enqueue_all<T: Resource>(queue: &mut WorkQueue, view: &View<'_>) {
    for object in view.listers.0.list(T::KIND) {
        enqueue(queue, view, object.object_ref());
    }
}

/// The owner that a reference points to, if it is of the type and still the same object. Upstream:
/// `resolveControllerRef`.
pub(crate) fn resolve<'a, T: Resource>(
    owner: &OwnerReference,
    namespace: &str,
    view: &View<'a>,
) -> Option<&'a T> {
    if owner.kind != T::KIND.name() {
        return None;
    }
    view.listers.get::<T>(namespace, &owner.name).filter(|it| it.uid() == owner.uid)
}

/// Queues the controllers that a change of a dependent concerns: its owners before and after, or,
/// for an orphan that is new or was relabelled, every controller that would select it.
pub(crate) fn enqueue_owners<T: Resource>(
    change: &Change,
    view: &View<'_>,
    queue: &mut WorkQueue,
    selector_of: impl Fn(&T) -> &LabelSelector,
) {
    let Some(object) = change.object() else { return };
    let namespace = object.namespace();
    let old_owner = change.old.as_ref().and_then(Object::controller);
    let new_owner = change.new.as_ref().and_then(Object::controller);
    let moved = old_owner != new_owner;
    let left = old_owner.filter(|_| moved);
    for owner in left.into_iter().chain(new_owner) {
        if let Some(owner) = resolve::<T>(owner, namespace, view) {
            enqueue(queue, view, owner.object_ref());
        }
    }
    let Some(new) = &change.new else { return };
    let relabelled = change.old.as_ref().is_none_or(|old| old.meta().labels != new.meta().labels);
    let orphan = new_owner.is_none() && new.meta().deletion_timestamp.is_none();
    if !orphan || !(relabelled || moved) || new.meta().labels.is_none() {
        return;
    }
    for controller in view.listers.list_in::<T>(namespace) {
        let selector = selector_of(controller);
        if !is_empty(selector) && selector::matches(selector, new.meta().labels.as_ref()) {
            enqueue(queue, view, controller.object_ref());
        }
    }
}

/// Whether a selector selects everything.
pub(crate) fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

/// The objects that belong to a controller from now on: those it owns and selects, and the orphans
/// that it selects, which the plan adopts. What it owns and selects no more, the plan releases.
/// Upstream: `ClaimObject`.
pub(crate) fn claim<'a, T: Resource + 'a>(
    plan: &mut Plan,
    owner: &impl Resource,
    selector: &LabelSelector,
    view: &View<'a>,
    wanted: impl Fn(&T) -> bool,
) -> Vec<&'a T> {
    let selects = |it: &T| selector::matches(selector, it.meta().labels.as_ref());
    let mut claimed = Vec::new();
    for object in owned::<T>(owner, view).filter(|it| wanted(it)) {
        if selects(object) {
            claimed.push(object);
        } else if owner.meta().deletion_timestamp.is_none() {
            plan.push(release(object, owner));
        }
    }
    if owner.meta().deletion_timestamp.is_some() {
        return claimed;
    }
    for object in view.listers.0.orphans(T::KIND, owner.namespace()) {
        let Some(object) = view.listers.by_ref::<T>(object) else { continue };
        if object.meta().deletion_timestamp.is_none() && selects(object) && wanted(object) {
            plan.push(adopt(object, owner));
            claimed.push(object);
        }
    }
    claimed
}

/// The objects of a type that a controller owns, whether it still selects them or not.
pub(crate) fn owned<'a, T: Resource + 'a>(
    owner: &impl Resource,
    view: &View<'a>,
) -> impl Iterator<Item = &'a T> {
    let uid = owner.uid().to_owned();
    let all = view.listers.owned_by::<T>(&uid);
    all.filter(move |it| api::controller_of(it.meta()).is_some_and(|owner| owner.uid == uid))
}

fn adopt(object: &impl Resource, owner: &impl Resource) -> Action {
    let metadata = json!({ "ownerReferences": [owner.controller_ref()], "uid": object.uid() });
    patch_metadata(object.object_ref(), metadata)
}

fn release(object: &impl Resource, owner: &impl Resource) -> Action {
    let reference = json!({ "$patch": "delete", "uid": owner.uid() });
    let metadata = json!({ "ownerReferences": [reference], "uid": object.uid() });
    patch_metadata(object.object_ref(), metadata)
}

fn patch_metadata(key: ObjectRef, metadata: serde_json::Value) -> Action {
    Action::Patch { key, subresource: "", patch: Patch::Strategic(json!({ "metadata": metadata })) }
}

/// A `Normal` event about an object.
pub(crate) fn normal(
    component: &str,
    about: &impl Resource,
    reason: &str,
    message: impl Into<String>,
) -> EventSpec {
    EventSpec::about(component, about.object_ref(), about.uid(), reason, message)
}

/// A `Warning` event about an object.
pub(crate) fn warning(
    component: &str,
    about: &impl Resource,
    reason: &str,
    message: impl Into<String>,
) -> EventSpec {
    EventSpec { warning: true, ..normal(component, about, reason, message) }
}

/// A pod as a template describes it, owned by `parent`, with a name still to be generated.
/// Upstream: `GetPodFromTemplate`.
pub(crate) fn pod_from_template(template: &PodTemplateSpec, parent: &impl Resource) -> Pod {
    let mut pod = Pod { spec: template.spec.clone(), ..Pod::default() };
    if let Some(meta) = &template.metadata {
        pod.metadata.labels.clone_from(&meta.labels);
        pod.metadata.annotations.clone_from(&meta.annotations);
        pod.metadata.finalizers.clone_from(&meta.finalizers);
    }
    pod.metadata.namespace = Some(parent.namespace().to_owned());
    pod.metadata.generate_name = Some(pod_prefix(parent.name()));
    pod.metadata.owner_references = Some(vec![parent.controller_ref()]);
    pod
}

/// `name-`, or the name alone where the dash would make it too long. Upstream: `getPodsPrefix`.
fn pod_prefix(name: &str) -> String {
    const MAX_NAME: usize = 253;
    if name.len() < MAX_NAME { format!("{name}-") } else { name.to_owned() }
}

/// Creates a pod and says so in an event of its parent. Upstream: `RealPodControl.createPods`.
fn create_pod(component: &str, pod: Pod, parent: &impl Resource) -> Action {
    Action::Create {
        object: pod.into_object(),
        created: Some(Box::new(normal(
            component,
            parent,
            "SuccessfulCreate",
            "Created pod: {name}",
        ))),
        failed: Some(Box::new(warning(
            component,
            parent,
            "FailedCreate",
            "Error creating: {error}",
        ))),
    }
}

/// Creates pods in batches that grow: after a pod is refused only those of its batch are still
/// tried. Upstream: `slowStartBatch`.
pub(crate) fn create_pods(
    plan: &mut Plan,
    component: &str,
    pods: impl IntoIterator<Item = Pod>,
    parent: &impl Resource,
) {
    for (attempt, pod) in pods.into_iter().enumerate() {
        let first = plan.actions.len();
        plan.push(create_pod(component, pod, parent));
        plan.attempt_since(first, slow_start_batch(attempt));
    }
}

/// Deletes a pod and says so in an event of its parent, whatever becomes of other pods. Upstream:
/// `RealPodControl.DeletePod`.
pub(crate) fn delete_pod(plan: &mut Plan, component: &str, pod: &Pod, parent: &impl Resource) {
    let first = plan.actions.len();
    plan.push(Action::Delete { key: pod.object_ref(), options: DeleteOptions::default() });
    let message = format!("Deleted pod: {}", pod.name());
    plan.record(normal(component, parent, "SuccessfulDelete", message));
    plan.attempt_since(first, 0);
}

/// Whether nothing new can be created in a namespace, because it is being deleted.
pub(crate) fn namespace_terminating(namespace: &str, view: &View<'_>) -> bool {
    let namespace = view.listers.get::<Namespace>("", namespace);
    namespace.is_some_and(|it| it.metadata.deletion_timestamp.is_some())
}

/// Writes the status of an object whatever its version: within a decision nobody else writes.
pub(crate) fn update_status(mut object: impl Resource) -> Action {
    object.meta_mut().resource_version = None;
    Action::UpdateStatus(object.into_object())
}

/// Writes metadata and spec of an object, whatever its version.
pub(crate) fn update(mut object: impl Resource) -> Action {
    object.meta_mut().resource_version = None;
    Action::Update(object.into_object())
}

/// How the API writes a count that it leaves out when it is zero.
pub(crate) fn nonzero(count: i32) -> Option<i32> {
    (count != 0).then_some(count)
}

/// A number of things as the API counts them.
pub(crate) fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// An API count as a number of things; less than none is none.
pub(crate) fn size(n: i32) -> usize {
    usize::try_from(n).unwrap_or(0)
}

/// The number, or so many percent of `total`; `None` if it is neither. Upstream:
/// `intstr.GetScaledValueFromIntOrPercent`.
pub(crate) fn scaled_value(value: &IntOrString, total: i32, round_up: bool) -> Option<i32> {
    match value {
        IntOrString::Int(it) => Some(*it),
        IntOrString::String(text) => {
            let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
            let hundredths = percent * i64::from(total) + if round_up { 99 } else { 0 };
            i32::try_from(hundredths.div_euclid(100)).ok()
        }
    }
}

/// When the next of the ready pods will have been ready for so many seconds. Upstream:
/// `FindMinNextPodAvailabilityCheck`.
pub(crate) fn next_availability_check<'a>(
    all: impl IntoIterator<Item = &'a Pod>,
    min_ready_seconds: i32,
    now: Timestamp,
) -> Option<Timestamp> {
    let times = all.into_iter().filter_map(|pod| {
        let since = pods::condition(pod, "Ready").filter(|it| it.status == "True")?;
        let since = since.last_transition_time.as_ref()?.0;
        Some(after_ms(since, i64::from(min_ready_seconds) * 1_000))
    });
    times.filter(|at| *at > now).min()
}

/// Sorts the pods so that those come first that are missed least. `rank` tells how many related
/// pods share the node of a pod. Upstream: `ActivePodsWithRanks`.
pub(crate) fn sort_for_deletion(
    pods: &mut Vec<&Pod>,
    now: Timestamp,
    rank: impl Fn(&Pod) -> usize,
) {
    let mut ranked: Vec<_> =
        pods.iter().map(|pod| (prominence(pod, now, rank(pod)), *pod)).collect();
    ranked.order_by_key(|(prominence, _)| *prominence);
    for alike in ranked.chunk_by_mut(|(a, _), (b, _)| a == b) {
        let since = |pod: &Pod| ready_since(pod);
        let first = alike.first().and_then(|(_, pod)| since(pod));
        if alike.iter().all(|(_, pod)| since(pod) == first) {
            alike.order_by_key(|(_, pod)| {
                let age = age_rank(pod.metadata.creation_timestamp.as_ref().map(|it| it.0), now);
                (Reverse(max_restarts(pod)), age, pod.uid().to_owned())
            });
        } else {
            alike.order_by_key(|(_, pod)| pod.uid());
        }
    }
    *pods = ranked.into_iter().map(|(_, pod)| pod).collect();
}

/// What makes a pod worth keeping: bound, running, ready, costly to delete, alone on its node,
/// ready for long.
fn prominence(
    pod: &Pod,
    now: Timestamp,
    rank: usize,
) -> (bool, u8, bool, i32, Reverse<usize>, i64) {
    let phase = match pods::phase(pod) {
        "Unknown" => 1,
        "Running" => 2,
        _ => 0,
    };
    let ready = pods::is_ready(pod);
    let age = if ready { age_rank(ready_since(pod), now) } else { 0 };
    (pods::node_name(pod).is_some(), phase, ready, deletion_cost(pod), Reverse(rank), age)
}

pub(crate) fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let ready = pods::condition(pod, "Ready").filter(|it| it.status == "True")?;
    Some(ready.last_transition_time.as_ref()?.0)
}

/// The age in nanoseconds as a power of two. Unknown is younger than everything. Upstream:
/// `logarithmicRankDiff`.
fn age_rank(since: Option<Timestamp>, now: Timestamp) -> i64 {
    let Some(since) = since else { return -2 };
    let age = now.as_nanosecond() - since.as_nanosecond();
    if age > 0 { i64::from(age.ilog2()) } else { -1 }
}

/// The annotation `controller.kubernetes.io/pod-deletion-cost`; 0 where it is absent or malformed.
fn deletion_cost(pod: &Pod) -> i32 {
    let annotations = pod.metadata.annotations.as_ref();
    let text = annotations.and_then(|it| it.get("controller.kubernetes.io/pod-deletion-cost"));
    let Some(text) = text else { return 0 };
    let plain = text == "0" || text.starts_with(|c: char| c == '-' || ('1'..='9').contains(&c));
    if plain { text.parse().unwrap_or(0) } else { 0 }
}

/// The highest restart count among the containers, and among the sidecars. Upstream:
/// `maxContainerRestarts`.
pub(crate) fn max_restarts(pod: &Pod) -> (i32, i32) {
    let Some(status) = &pod.status else { return (0, 0) };
    let regular = status.container_statuses.iter().flatten().map(|it| it.restart_count).max();
    let init_containers = pod.spec.iter().flat_map(|it| it.init_containers.iter().flatten());
    let sidecars: Vec<&str> = init_containers
        .filter(|it| it.restart_policy.as_deref() == Some("Always"))
        .map(|it| it.name.as_str())
        .collect();
    let init = status.init_container_statuses.iter().flatten();
    let sidecar = init.filter(|it| sidecars.contains(&it.name.as_str())).map(|it| it.restart_count);
    (regular.unwrap_or(0), sidecar.max().unwrap_or(0))
}

/// A short hash of a template in letters that spell no words. Upstream: `ComputeHash`.
///
/// Differs from upstream: the hash is of the template as JSON instead of Go's dump of its memory,
/// because only equality of templates matters to anyone who sees the hash.
pub(crate) fn compute_hash(template: &impl serde::Serialize, collisions: Option<i32>) -> String {
    let collisions = collisions.map(|it| i64::from(it).to_le_bytes());
    let template = api::wire::to_json(template);
    let hash = hash_of(&[template.as_bytes(), collisions.as_ref().map_or(&[], |it| it)]);
    safe_encode(&hash.to_string())
}

/// The hash of several texts as one.
pub(crate) fn hash_of(parts: &[&[u8]]) -> u32 {
    let mut hash = Fnv32a(0x811c_9dc5);
    for part in parts {
        // Writing to the hash cannot fail.
        let _ = hash.write_all(part);
    }
    hash.0
}

/// Upstream: `rand.SafeEncodeString`.
fn safe_encode(text: &str) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    text.bytes().map(|it| char::from(ALPHABET[usize::from(it) % ALPHABET.len()])).collect()
}

/// FNV-1a with 32 bits.
struct Fnv32a(u32);

impl Write for Fnv32a {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Labels with one more. Upstream: `CloneAndAddLabel`.
pub(crate) fn with_label(labels: Option<&Labels>, key: &str, value: &str) -> Labels {
    let mut labels = labels.cloned().unwrap_or_default();
    labels.insert(key.to_owned(), value.to_owned());
    labels
}
