//! Empties namespaces that are being deleted, the pods first, and lets them go when they are empty.
//!
//! Upstream: `pkg/controller/namespace/{namespace_controller.go,
//! deletion/namespaced_resources_deleter.go, deletion/status_condition_utils.go}`, v1.36.
//! Differs from upstream: the conditions about API discovery are always good.

use std::collections::BTreeMap;

use api::k8s_openapi::api::core::v1::{Namespace, NamespaceCondition, NamespaceStatus, Pod};
use api::time::{after_ms, after_secs, meta_time, ms_between};
use api::{
    Action, Change, Component, ComponentId, DeleteOptions, Kind, Object, ObjectRef, Patch, Plan,
    Propagation, Resource, Timestamp, View, WorkQueue, pods,
};

/// The finalizer in the spec that this controller stands for.
const KUBERNETES: &str = "kubernetes";
/// From a change of a namespace to the look at it. Upstream: `namespaceDeletionGracePeriod`.
const DELETION_GRACE_SECS: i64 = 5;
/// How long finalizers are thought to take, seconds. Upstream: `finalizerEstimateSeconds`.
const FINALIZER_ESTIMATE_SECS: i64 = 15;
/// The longest delay after failures. Upstream: `nsControllerRateLimiter`.
const MAX_RETRY_MS: i64 = 60_000;

/// The namespace controller.
#[derive(Clone, Debug, Default)]
pub struct NamespaceController {
    /// How often a namespace could not be emptied in a row.
    failures: BTreeMap<ObjectRef, u32>,
}

impl Component for NamespaceController {
    fn id(&self) -> ComponentId {
        ComponentId::Namespace
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        for namespace in view.listers.list::<Namespace>() {
            enqueue(namespace, view, queue);
        }
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        if let Some(Object::Namespace(namespace)) = &change.new {
            enqueue(namespace, view, queue);
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let namespace = view.listers.by_ref::<Namespace>(key);
        let namespace = namespace.filter(|it| it.metadata.deletion_timestamp.is_some());
        let outcome = namespace.map_or(Outcome::Done, |it| sync(&mut plan, it, view));
        let failures = self.failures.remove(key).unwrap_or(0);
        match outcome {
            Outcome::Done => {}
            Outcome::Remaining(estimate) => plan.requeue(after_secs(view.now, estimate / 2 + 1)),
            Outcome::Failed => {
                let delay_ms = (5_i64 << failures.min(20)).min(MAX_RETRY_MS);
                plan.requeue(after_ms(view.now, delay_ms));
                self.failures.insert(key.clone(), failures + 1);
            }
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

/// Looks at a namespace that is being deleted, some time after it changed. Upstream:
/// `enqueueNamespace`.
fn enqueue(namespace: &Namespace, view: &View<'_>, queue: &mut WorkQueue) {
    if namespace.metadata.deletion_timestamp.is_some() {
        queue.add_at(namespace.object_ref(), after_secs(view.now, DELETION_GRACE_SECS));
    }
}

/// How far a namespace has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is empty, or nothing is to be done.
    Done,
    /// Something will take about so many seconds more.
    Remaining(i64),
    /// Something should be gone and is not.
    Failed,
}

/// Upstream: `namespacedResourcesDeleter.Delete`.
fn sync(plan: &mut Plan, namespace: &Namespace, view: &View<'_>) -> Outcome {
    let held = namespace.spec.iter().flat_map(|it| it.finalizers.iter().flatten());
    if !held.clone().any(|it| it == KUBERNETES) {
        return Outcome::Done;
    }
    let name = namespace.name();
    let mut content = Content::default();
    let estimate = estimate_for_pods(namespace, view);
    content.delete(plan, Kind::Pod, name, view);
    if !content.remaining.is_empty() {
        let outcome = match estimate {
            0 if content.finalizers.is_empty() => Outcome::Failed,
            0 => Outcome::Remaining(FINALIZER_ESTIMATE_SECS),
            estimate => Outcome::Remaining(estimate),
        };
        // While pods are left, what is left is not told.
        write_status(plan, namespace, &Content::default(), outcome, view.now);
        return outcome;
    }
    for kind in Kind::ALL.iter().filter(|it| it.namespaced() && **it != Kind::Pod) {
        content.delete(plan, *kind, name, view);
    }
    let waits = !content.finalizers.is_empty();
    let outcome = if waits { Outcome::Remaining(FINALIZER_ESTIMATE_SECS) } else { Outcome::Done };
    write_status(plan, namespace, &content, outcome, view.now);
    if !waits {
        let rest: Vec<&String> = held.filter(|it| *it != KUBERNETES).collect();
        plan.push(Action::Patch {
            key: namespace.object_ref(),
            subresource: "finalize",
            patch: Patch::Merge(serde_json::json!({"spec": {"finalizers": rest}})),
        });
    }
    outcome
}

/// The longest time in seconds that a pod of the namespace may take to stop; 0 once so much has
/// passed since the namespace was deleted. Upstream: `estimateGracefulTermination`.
fn estimate_for_pods(namespace: &Namespace, view: &View<'_>) -> i64 {
    let pods = view.listers.list_in::<Pod>(namespace.name()).filter(|it| !pods::is_terminal(it));
    let grace = |pod: &Pod| pod.spec.as_ref()?.termination_grace_period_seconds;
    let estimate = pods.filter_map(grace).max().unwrap_or(0);
    let deleted = namespace.metadata.deletion_timestamp.as_ref().map(|it| it.0);
    let over = deleted.is_none_or(|it| ms_between(it, view.now) >= estimate.saturating_mul(1_000));
    if over { 0 } else { estimate }
}

/// What will still be in a namespace when everything has been told to go.
#[derive(Default)]
struct Content {
    /// Numbers by resource.
    remaining: BTreeMap<String, usize>,
    /// Numbers by finalizer.
    finalizers: BTreeMap<String, usize>,
}

impl Content {
    /// Deletes all objects of a kind. Upstream: `deleteAllContentForGroupVersionResource`.
    fn delete(&mut self, plan: &mut Plan, kind: Kind, namespace: &str, view: &View<'_>) {
        let mut n_remaining = 0;
        for object in view.listers.0.list_in(kind, namespace) {
            let meta = object.meta();
            if meta.deletion_timestamp.is_none() {
                plan.push(Action::Delete {
                    key: object.object_ref(),
                    options: DeleteOptions {
                        propagation: Some(Propagation::Background),
                        uid: Some(object.uid().to_owned()),
                        ..DeleteOptions::default()
                    },
                });
            }
            let finalizers = meta.finalizers.as_deref().unwrap_or_default();
            if finalizers.is_empty() && goes_at_once(object) {
                continue;
            }
            n_remaining += 1;
            for finalizer in finalizers {
                *self.finalizers.entry(finalizer.clone()).or_default() += 1;
            }
        }
        if n_remaining > 0 {
            self.remaining.insert(format!("{}.{}", kind.plural(), kind.group()), n_remaining);
        }
    }
}

/// Only bound pods that still run are given time to stop, unless they want none.
fn goes_at_once(object: &Object) -> bool {
    let Object::Pod(pod) = object else { return true };
    let grace = pod.spec.as_ref().and_then(|it| it.termination_grace_period_seconds);
    pods::node_name(pod).is_none() || pods::is_terminal(pod) || grace == Some(0)
}

fn write_status(
    plan: &mut Plan,
    namespace: &Namespace,
    content: &Content,
    outcome: Outcome,
    now: Timestamp,
) {
    let status = status(namespace, content, outcome, now);
    if namespace.status.as_ref() != Some(&status) {
        let mut new = namespace.clone();
        new.status = Some(status);
        plan.push(Action::UpdateStatus(new.into_object()));
    }
}

/// Upstream: `namespaceConditionUpdater`.
fn status(
    namespace: &Namespace,
    content: &Content,
    outcome: Outcome,
    now: Timestamp,
) -> NamespaceStatus {
    let remaining = match content.remaining.is_empty() {
        true => ("False", "ContentRemoved", "All content successfully removed".to_owned()),
        false => {
            let parts: Vec<String> = content
                .remaining
                .iter()
                .map(|(resource, n)| format!("{resource} has {n} resource instances"))
                .collect();
            let text = format!("Some resources are remaining: {}", parts.join(", "));
            ("True", "SomeResourcesRemain", text)
        }
    };
    let finalizers = match content.finalizers.is_empty() {
        true => (
            "False",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished".to_owned(),
        ),
        false => {
            let parts: Vec<String> = content
                .finalizers
                .iter()
                .map(|(finalizer, n)| format!("{finalizer} in {n} resource instances"))
                .collect();
            let parts = parts.join(", ");
            let text = format!("Some content in the namespace has finalizers remaining: {parts}");
            ("True", "SomeFinalizersRemain", text)
        }
    };
    let good = |reason: &'static str, text: &str| ("False", reason, text.to_owned());
    let told = [
        (
            "NamespaceDeletionDiscoveryFailure",
            good("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            good("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        ("NamespaceDeletionContentFailure", content_failure(namespace, outcome)),
        ("NamespaceContentRemaining", remaining),
        ("NamespaceFinalizersRemaining", finalizers),
    ];
    let mut status = namespace.status.clone().unwrap_or_default();
    status.phase = Some("Terminating".to_owned());
    let conditions = status.conditions.get_or_insert_default();
    for (type_, (value, reason, message)) in told {
        let old = conditions.iter_mut().find(|it| it.type_ == type_);
        let since = old.as_ref().filter(|it| it.status == value);
        let since = since.and_then(|it| it.last_transition_time.clone());
        let condition = NamespaceCondition {
            type_: type_.to_owned(),
            status: value.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: since.or(Some(meta_time(now))),
        };
        match old {
            Some(old) => *old = condition,
            None => conditions.push(condition),
        }
    }
    status
}

fn content_failure(
    namespace: &Namespace,
    outcome: Outcome,
) -> (&'static str, &'static str, String) {
    if outcome != Outcome::Failed {
        let text = "All content successfully deleted, may be waiting on finalization";
        return ("False", "ContentDeleted", text.to_owned());
    }
    let text = format!(
        "Failed to delete all resource types, 1 remaining: unexpected items still remain in \
         namespace: {} for gvr: /v1, Resource=pods",
        namespace.name()
    );
    ("True", "ContentDeletionFailed", text)
}

#[cfg(test)]
mod tests {
    use api::k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{World, at_ms, lines, status_of, time};

    /// What is done about the namespace `shop` that was deleted in the first second, and at which
    /// second it is looked at again.
    fn decide(now: i64, content: &[Value]) -> Plan {
        let mut world = World::at_ms(now * 1_000);
        world.put::<Namespace>(json!({
            "metadata": { "name": "shop", "deletionTimestamp": time(1) },
            "spec": { "finalizers": ["kubernetes"] },
        }));
        for object in content {
            match object["kind"].as_str() {
                Some("Pod") => world.put::<Pod>(object.clone()),
                _ => world.put::<ConfigMap>(object.clone()),
            }
        }
        let key = ObjectRef::new(Kind::Namespace, "", "shop");
        NamespaceController::default().decide(&key, &world.view())
    }

    fn meta(name: &str, more: &Value) -> Value {
        let mut meta = json!({ "name": name, "namespace": "shop" });
        for (key, value) in more.as_object().into_iter().flatten() {
            meta[key] = value.clone();
        }
        meta
    }

    fn map(more: &Value) -> Value {
        json!({ "kind": "ConfigMap", "metadata": meta("x", more) })
    }

    fn pod(more: &Value, phase: &str, grace: i64) -> Value {
        let spec =
            json!({ "nodeName": "n", "containers": [], "terminationGracePeriodSeconds": grace });
        let status = json!({ "phase": phase });
        json!({ "kind": "Pod", "metadata": meta("p", more), "spec": spec, "status": status })
    }

    #[test]
    fn a_namespace_goes_when_nothing_is_left_in_it_and_pods_go_first() {
        let (none, held) = (json!({}), json!({ "finalizers": ["a/b"] }));
        let going = json!({ "deletionTimestamp": time(1) });
        let held_and_going = json!({ "deletionTimestamp": time(1), "finalizers": ["a/b"] });
        let last = "patch Namespace shop";
        for (now, content, expected, again_ms) in [
            (6, vec![], vec![last], None),
            (6, vec![map(&none)], vec!["delete ConfigMap x", last], None),
            // A finalizer holds it.
            (6, vec![map(&held)], vec!["delete ConfigMap x"], Some(8_000)),
            // A pod that has to stop first keeps everything else.
            (6, vec![map(&none), pod(&none, "Running", 30)], vec!["delete Pod p"], Some(16_000)),
            (11, vec![map(&none), pod(&going, "Running", 60)], vec![], Some(31_000)),
            (40, vec![pod(&held_and_going, "Running", 30)], vec![], Some(8_000)),
            (40, vec![pod(&going, "Running", 30)], vec![], Some(5)),
            // These do not have to stop.
            (
                6,
                vec![map(&none), pod(&none, "Succeeded", 30)],
                vec!["delete Pod p", "delete ConfigMap x", last],
                None,
            ),
            (6, vec![pod(&none, "Running", 0)], vec!["delete Pod p", last], None),
        ] {
            let plan = decide(now, &content);
            assert_eq!(lines(&plan), expected, "at {now} s: {content:?}");
            let again = again_ms.map(|it: i64| at_ms(now * 1_000 + it));
            assert_eq!(plan.requeue_at, again, "at {now} s: {content:?}");
        }
    }

    #[test]
    fn what_is_left_is_told_but_for_pods() {
        let (none, held) = (json!({}), json!({ "finalizers": ["a/b"] }));
        let removed = ["ContentDeleted", "ContentRemoved", "ContentHasNoFinalizers"];
        let told = |plan: &Plan| {
            let status = status_of::<Namespace>(plan).unwrap().status.unwrap();
            let conditions = status.conditions.unwrap();
            let reasons: Vec<_> =
                conditions[2..].iter().map(|it| it.reason.clone().unwrap()).collect();
            let messages: Vec<_> = conditions.into_iter().filter_map(|it| it.message).collect();
            (reasons, messages.join("\n"))
        };
        assert_eq!(told(&decide(6, &[])).0, removed);
        assert_eq!(told(&decide(6, &[pod(&none, "Running", 30)])).0, removed);
        let (reasons, messages) = told(&decide(6, &[map(&held)]));
        assert_eq!(reasons, ["ContentDeleted", "SomeResourcesRemain", "SomeFinalizersRemain"]);
        assert!(messages.contains("Some resources are remaining: configmaps. has 1 resource inst"));
        assert!(messages.contains("remaining: a/b in 1 resource instances"), "{messages}");
        let (reasons, messages) = told(&decide(40, &[pod(&none, "Running", 30)]));
        assert_eq!(reasons[0], "ContentDeletionFailed");
        assert!(messages.contains(
            "1 remaining: unexpected items still remain in namespace: shop for gvr: /v1, \
             Resource=pods"
        ));
    }

    #[test]
    fn failures_are_repeated_with_growing_delays() {
        let mut world = World::at_ms(40_000);
        world.put::<Namespace>(json!({
            "metadata": { "name": "shop", "deletionTimestamp": time(1) },
            "spec": { "finalizers": ["kubernetes"] },
        }));
        world.put::<Pod>(pod(&json!({ "deletionTimestamp": time(1) }), "Running", 30));
        let key = ObjectRef::new(Kind::Namespace, "", "shop");
        let mut controller = NamespaceController::default();
        let mut delay = || {
            let at = controller.decide(&key, &world.view()).requeue_at.unwrap();
            ms_between(at_ms(40_000), at)
        };
        let delays: Vec<i64> = (0..16).map(|_| delay()).collect();
        assert_eq!(delays[..4], [5, 10, 20, 40]);
        assert_eq!(delays[13..], [40_960, 60_000, 60_000]);
    }

    #[test]
    fn a_namespace_is_looked_at_five_seconds_after_it_changed() {
        let mut world = World::at_ms(1_000);
        for (name, deleted) in [("shop", true), ("other", false)] {
            let deleted = deleted.then(|| time(1));
            let meta = json!({ "name": name, "deletionTimestamp": deleted });
            world.put::<Namespace>(json!({ "metadata": meta }));
        }
        let mut queue = WorkQueue::default();
        for object in world.view().listers.0.list(Kind::Namespace) {
            let change = Change { old: Some(object.clone()), new: Some(object.clone()) };
            NamespaceController::default().react(&change, &world.view(), &mut queue);
        }
        let key = ObjectRef::new(Kind::Namespace, "", "shop");
        assert_eq!(queue.entries, [(key, at_ms(6_000))]);
    }
}
