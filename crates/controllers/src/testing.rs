//! Small worlds for the tests of controllers, and plans in words.

use api::time::after_ms;
use api::{
    Action, Component, Listers, Object, ObjectRef, Objects, Plan, Resource, Settings, Timestamp,
    View, Zones,
};
use k8s_openapi::api::core::v1::Pod;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A store and a time.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) objects: Objects,
    /// Milliseconds since the beginning.
    pub(crate) now_ms: i64,
    settings: Settings,
    zones: Zones,
}

impl World {
    /// An empty store so many milliseconds after the beginning.
    pub(crate) fn at_ms(now_ms: i64) -> Self {
        Self { now_ms, ..Self::default() }
    }

    /// Stores an object that is written as JSON, in the namespace `default`. Its uid is its name
    /// in front of which stands `uid-`.
    pub(crate) fn put<T: Resource + DeserializeOwned>(&mut self, value: Value) {
        let mut object: T = serde_json::from_value(value).unwrap();
        let name = object.name().to_owned();
        let meta = object.meta_mut();
        meta.namespace.get_or_insert_with(|| "default".to_owned());
        meta.uid.get_or_insert_with(|| format!("uid-{name}"));
        if !T::KIND.namespaced() {
            meta.namespace = None;
        }
        self.objects.put(object.into_object());
    }

    /// Stores a pod of an owner.
    pub(crate) fn put_pod(&mut self, owner: &Value, name: &str, pod: PodSketch<'_>) {
        self.put::<Pod>(pod.to_json(owner, name));
    }

    pub(crate) fn view(&self) -> View<'_> {
        View {
            listers: Listers(&self.objects),
            now: at_ms(self.now_ms),
            seed: 0,
            settings: &self.settings,
            zones: &self.zones,
            recording: true,
        }
    }

    /// What a component decides for an object.
    pub(crate) fn decide<T: Resource>(&self, component: &mut impl Component, name: &str) -> Plan {
        component.decide(&ObjectRef::new(T::KIND, "default", name), &self.view())
    }

    /// Carries out what a plan says about statuses and sizes, as the store would.
    pub(crate) fn apply(&mut self, plan: &Plan) {
        for action in &plan.actions {
            match action {
                Action::Create { object, .. } => {
                    let mut object = object.clone();
                    let uid = format!("uid-{}", object.name());
                    object.meta_mut().uid.get_or_insert(uid);
                    self.objects.put(object);
                }
                Action::Update(object) | Action::UpdateStatus(object) => {
                    self.objects.put(object.clone());
                }
                Action::Delete { key, .. } => {
                    self.objects.remove(key);
                }
                _ => {}
            }
        }
    }
}

/// An instant.
pub(crate) fn at_ms(ms: i64) -> Timestamp {
    after_ms(Timestamp::UNIX_EPOCH, ms)
}

/// The time as the API writes it.
pub(crate) fn time(seconds: i64) -> Value {
    json!(at_ms(seconds * 1_000).to_string())
}

/// What matters about a pod.
#[derive(Clone, Copy)]
pub(crate) struct PodSketch<'a> {
    pub(crate) node: &'a str,
    pub(crate) phase: &'a str,
    /// Since when it has been ready.
    pub(crate) ready: Option<i64>,
    pub(crate) created: i64,
    pub(crate) deleted: bool,
    pub(crate) labels: &'a [(&'a str, &'a str)],
    pub(crate) cost: &'a str,
}

impl Default for PodSketch<'_> {
    fn default() -> Self {
        Self {
            node: "n",
            phase: "Running",
            ready: Some(0),
            created: 0,
            deleted: false,
            labels: &[],
            cost: "0",
        }
    }
}

impl PodSketch<'_> {
    fn to_json(self, owner: &Value, name: &str) -> Value {
        let mut labels = json!({ "app": "a" });
        for (key, value) in self.labels {
            labels[key] = json!(value);
        }
        let ready = if self.ready.is_some() { "True" } else { "False" };
        json!({
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": { "controller.kubernetes.io/pod-deletion-cost": self.cost },
                "creationTimestamp": time(self.created),
                "deletionTimestamp": self.deleted.then(|| time(0)),
                "ownerReferences": if owner.is_null() { json!([]) } else { json!([owner]) },
            },
            "spec": { "nodeName": self.node, "containers": [] },
            "status": {
                "phase": self.phase,
                "conditions": [{
                    "type": "Ready",
                    "status": ready,
                    "lastTransitionTime": time(self.ready.unwrap_or(0)),
                }],
            },
        })
    }
}

/// A controlling owner reference.
pub(crate) fn owner(kind: &str, name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": name,
        "uid": format!("uid-{name}"),
        "controller": true,
    })
}

/// A template with the label `app=a`.
pub(crate) fn template(image: &str) -> Value {
    json!({
        "metadata": { "labels": { "app": "a" } },
        "spec": { "containers": [{ "name": "c", "image": image }] },
    })
}

/// A plan without its statuses, one line for each action.
pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    let line = |action: &Action| {
        Some(match action {
            Action::Create { object, .. } => format!("create {}", named(object)),
            Action::Update(object) => format!("update {}", named(object)),
            Action::Patch { key, .. } => format!("patch {} {}", key.kind, key.name),
            Action::Delete { key, .. } => format!("delete {} {}", key.kind, key.name),
            Action::Record(event) => format!("event {}: {}", event.reason, event.message),
            _ => return None,
        })
    };
    plan.actions.iter().filter_map(line).collect()
}

fn named(object: &Object) -> String {
    let prefix = object.meta().generate_name.as_deref().unwrap_or_default();
    let name = if object.name().is_empty() { prefix } else { object.name() };
    let size = match object {
        Object::ReplicaSet(it) => it.spec.as_ref().and_then(|it| it.replicas),
        _ => None,
    };
    let size = size.map(|it| format!(" replicas={it}")).unwrap_or_default();
    format!("{} {name}{size}", object.kind())
}

/// The names of the objects that a plan deletes.
pub(crate) fn deleted(plan: &Plan) -> Vec<String> {
    let deleted = |action: &Action| match action {
        Action::Delete { key, .. } => Some(key.name.to_string()),
        _ => None,
    };
    plan.actions.iter().filter_map(deleted).collect()
}

/// The last status that a plan writes for a type.
pub(crate) fn status_of<T: Resource>(plan: &Plan) -> Option<T> {
    let status = |action: &Action| match action {
        Action::UpdateStatus(object) => object.as_kind::<T>().cloned(),
        _ => None,
    };
    plan.actions.iter().rev().find_map(status)
}
