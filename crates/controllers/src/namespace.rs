//! Empties namespaces that are being deleted, and lets them go when they are empty.
//!
//! Upstream: `pkg/controller/namespace/{namespace_controller.go,
//! deletion/namespaced_resources_deleter.go, deletion/status_condition_utils.go}`, v1.36.
//! Differs from upstream: it looks again when something leaves the namespace and not after an
//! estimate; the conditions about API discovery are always good.

use std::collections::BTreeMap;

use api::k8s_openapi::api::core::v1::{Namespace, NamespaceCondition, NamespaceStatus};
use api::time::{after_ms, meta_time};
use api::{
    Action, Change, Component, ComponentId, DeleteOptions, Kind, Object, ObjectRef, Patch, Plan,
    Propagation, Resource, Timestamp, View, WorkQueue, pods,
};

/// The finalizer in the spec that this controller stands for.
const KUBERNETES: &str = "kubernetes";

/// The namespace controller.
#[derive(Clone, Copy, Debug, Default)]
pub struct NamespaceController;

impl Component for NamespaceController {
    fn id(&self) -> ComponentId {
        ComponentId::Namespace
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        for namespace in view.listers.list::<Namespace>() {
            if namespace.metadata.deletion_timestamp.is_some() {
                queue.add_at(namespace.object_ref(), view.now);
            }
        }
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let at = after_ms(view.now, view.settings.controller_latency_ms);
        match (&change.old, &change.new) {
            (_, Some(Object::Namespace(it))) if it.metadata.deletion_timestamp.is_some() => {
                queue.add_at(it.object_ref(), at);
            }
            (Some(old), None) if !old.namespace().is_empty() => {
                let namespace = view.listers.get::<Namespace>("", old.namespace());
                let namespace = namespace.filter(|it| it.metadata.deletion_timestamp.is_some());
                if let Some(namespace) = namespace {
                    queue.add_at(namespace.object_ref(), at);
                }
            }
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let Some(namespace) = view.listers.by_ref::<Namespace>(key) else {
            return Plan::default();
        };
        if namespace.metadata.deletion_timestamp.is_none() {
            return Plan::default();
        }
        sync(namespace, view)
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(*self)
    }
}

/// Upstream: `namespacedResourcesDeleter.Delete`.
fn sync(namespace: &Namespace, view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    let held = namespace.spec.iter().flat_map(|it| it.finalizers.iter().flatten());
    if !held.clone().any(|it| it == KUBERNETES) {
        return plan;
    }
    let content = Content::of(namespace.name(), view);
    for object in &content.deletable {
        plan.push(Action::Delete {
            key: object.object_ref(),
            options: DeleteOptions {
                propagation: Some(Propagation::Background),
                uid: Some(object.uid().to_owned()),
                ..DeleteOptions::default()
            },
        });
    }
    // What goes at once is gone by the time the status is written.
    let status = status(namespace, &content, view.now);
    if namespace.status.as_ref() != Some(&status) {
        let mut new = namespace.clone();
        new.status = Some(status);
        plan.push(Action::UpdateStatus(new.into_object()));
    }
    if content.remaining.is_empty() {
        let rest: Vec<&String> = held.filter(|it| *it != KUBERNETES).collect();
        plan.push(Action::Patch {
            key: namespace.object_ref(),
            subresource: "finalize",
            patch: Patch::Merge(serde_json::json!({"spec": {"finalizers": rest}})),
        });
    }
    plan
}

/// What is in a namespace.
struct Content<'a> {
    /// Not yet told to go.
    deletable: Vec<&'a Object>,
    /// Numbers by resource of what will still be there afterwards.
    remaining: BTreeMap<String, usize>,
    /// Numbers by finalizer among what will still be there.
    finalizers: BTreeMap<String, usize>,
}

impl<'a> Content<'a> {
    fn of(namespace: &'a str, view: &View<'a>) -> Self {
        let mut content =
            Self { deletable: Vec::new(), remaining: BTreeMap::new(), finalizers: BTreeMap::new() };
        for kind in Kind::ALL.iter().filter(|it| it.namespaced()) {
            let resource = match kind.group() {
                "" => format!("{}.", kind.plural()),
                group => format!("{}.{group}", kind.plural()),
            };
            for object in view.listers.0.list_in(*kind, namespace) {
                let meta = object.meta();
                if meta.deletion_timestamp.is_none() {
                    content.deletable.push(object);
                }
                let finalizers = meta.finalizers.as_deref().unwrap_or_default();
                if finalizers.is_empty() && goes_at_once(object) {
                    continue;
                }
                *content.remaining.entry(resource.clone()).or_default() += 1;
                for finalizer in finalizers {
                    *content.finalizers.entry(finalizer.clone()).or_default() += 1;
                }
            }
        }
        content
    }
}

/// Only bound pods that still run are given time to stop.
fn goes_at_once(object: &Object) -> bool {
    let Object::Pod(pod) = object else { return true };
    pods::node_name(pod).is_none() || pods::is_terminal(pod)
}

fn status(namespace: &Namespace, content: &Content<'_>, now: Timestamp) -> NamespaceStatus {
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
        (
            "NamespaceDeletionContentFailure",
            good(
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
        ),
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

#[cfg(test)]
mod tests {
    use api::k8s_openapi::api::core::v1::{ConfigMap, Pod};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{World, lines, time};

    fn check(deleting: bool, content: &[Value], expected: &[&str]) {
        let mut world = World::at_ms(1_000);
        world.put::<Namespace>(json!({
            "metadata": { "name": "shop", "deletionTimestamp": deleting.then(|| time(1)) },
            "spec": { "finalizers": ["kubernetes"] },
        }));
        for object in content {
            match object["kind"].as_str() {
                Some("Pod") => world.put::<Pod>(object.clone()),
                _ => world.put::<ConfigMap>(object.clone()),
            }
        }
        let key = ObjectRef::new(Kind::Namespace, "", "shop");
        let plan = NamespaceController.decide(&key, &world.view());
        assert_eq!(lines(&plan), expected, "{content:?}");
    }

    #[test]
    fn a_namespace_goes_when_nothing_is_left_in_it() {
        let meta = |more: Value| {
            let mut meta = json!({ "name": "x", "namespace": "shop" });
            for (key, value) in more.as_object().into_iter().flatten() {
                meta[key] = value.clone();
            }
            meta
        };
        let pod = |meta: Value, phase: &str| {
            let spec = json!({ "nodeName": "n", "containers": [] });
            json!({ "kind": "Pod", "metadata": meta, "spec": spec, "status": { "phase": phase } })
        };
        let map = |meta: Value| json!({ "kind": "ConfigMap", "metadata": meta });
        check(false, &[map(meta(json!({})))], &[]);
        check(true, &[], &["patch Namespace shop"]);
        let both = ["delete ConfigMap x", "patch Namespace shop"];
        check(true, &[map(meta(json!({})))], &both);
        check(
            true,
            &[map(json!({ "name": "x", "namespace": "other" }))],
            &["patch Namespace shop"],
        );
        // A finalizer holds it, and a pod that has to stop first.
        check(true, &[map(meta(json!({ "finalizers": ["a/b"] })))], &["delete ConfigMap x"]);
        check(true, &[pod(meta(json!({})), "Running")], &["delete Pod x"]);
        check(true, &[pod(meta(json!({ "deletionTimestamp": time(1) })), "Running")], &[]);
        let both = ["delete Pod x", "patch Namespace shop"];
        check(true, &[pod(meta(json!({})), "Succeeded")], &both);
    }
}
