//! A store and a clock for the scheduler alone, and a generator of random numbers.
#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may stop")]

use api::time::after_ms;
use api::{
    Action, Change, Component, EventSpec, Kind, Listers, Object, ObjectRef, Objects, Plan,
    Resource, Settings, Timestamp, View, WorkQueue, Zones,
};
use k8s_openapi::api::core::v1::{Node, Pod};
use scheduler::Scheduler;
use serde_json::{Value, json};

/// A store and a clock for one component.
pub(crate) struct World {
    pub(crate) objects: Objects,
    pub(crate) scheduler: Scheduler,
    pub(crate) now: Timestamp,
    pub(crate) due: Option<Timestamp>,
    pub(crate) events: Vec<EventSpec>,
    pub(crate) settings: Settings,
    pub(crate) zones: Zones,
    /// Looks at the objects, the pod and the node right before a binding.
    pub(crate) before_binding: Option<fn(&Objects, &Pod, &Node)>,
}

impl World {
    pub(crate) fn new(config: Option<&Value>) -> Self {
        Self {
            objects: Objects::default(),
            scheduler: Scheduler::new(config).unwrap(),
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            due: None,
            events: vec![],
            settings: Settings::default(),
            zones: Zones::default(),
            before_binding: None,
        }
    }

    pub(crate) fn write(&mut self, object: Option<Object>, key: &ObjectRef) {
        let old = match &object {
            Some(it) => self.objects.put(it.clone()),
            None => self.objects.remove(key),
        };
        let view = View {
            listers: Listers(&self.objects),
            now: self.now,
            seed: 1,
            settings: &self.settings,
            zones: &self.zones,
            recording: true,
        };
        let mut queue = WorkQueue::default();
        self.scheduler.react(&Change { old, new: object }, &view, &mut queue);
        let due = queue.entries.into_iter().map(|(_, at)| at);
        self.due = due.chain(self.due).min();
    }

    pub(crate) fn put(&mut self, value: Value) {
        let kind = Kind::from_api_version(
            value["apiVersion"].as_str().unwrap_or("v1"),
            value["kind"].as_str().unwrap(),
        )
        .unwrap();
        let object = api::wire::object_from_value(kind, &value).unwrap();
        let key = object.object_ref();
        self.write(Some(object), &key);
    }

    pub(crate) fn delete(&mut self, kind: Kind, name: &str) {
        let namespace = if kind.namespaced() { "default" } else { "" };
        self.write(None, &ObjectRef::new(kind, namespace, name));
    }

    pub(crate) fn apply(&mut self, plan: Plan) {
        for action in plan.actions {
            match action {
                Action::Bind { pod, node } => {
                    let mut object: Pod =
                        Listers(&self.objects).by_ref::<Pod>(&pod).unwrap().clone();
                    if let Some(look) = self.before_binding {
                        let node = Listers(&self.objects).node(&node).unwrap();
                        look(&self.objects, &object, node);
                    }
                    object.spec.as_mut().unwrap().node_name = Some(node);
                    self.write(Some(object.into_object()), &pod);
                }
                Action::UpdateStatus(object) => {
                    let key = object.object_ref();
                    self.write(Some(object), &key);
                }
                Action::Delete { key, .. } => self.write(None, &key),
                Action::Record(event) => self.events.push(event),
                other => panic!("unexpected {other:?}"),
            }
        }
        self.due = plan.requeue_at.into_iter().chain(self.due).min();
    }

    /// Runs until nothing is due before `seconds` from now have passed.
    pub(crate) fn run(&mut self, seconds: i64) {
        let end = after_ms(self.now, seconds * 1_000);
        let mut n_events = 0;
        while let Some(at) = self.due.filter(|it| *it <= end) {
            self.now = self.now.max(at);
            self.due = None;
            let view = View {
                listers: Listers(&self.objects),
                now: self.now,
                seed: 1,
                settings: &self.settings,
                zones: &self.zones,
                recording: true,
            };
            let plan = self.scheduler.decide(&ObjectRef::new(Kind::Pod, "", ""), &view);
            let results: Vec<_> = plan.actions.iter().map(|_| Ok(None)).collect();
            self.apply(plan);
            let view = View {
                listers: Listers(&self.objects),
                now: self.now,
                seed: 1,
                settings: &self.settings,
                zones: &self.zones,
                recording: true,
            };
            let more = self.scheduler.applied(&ObjectRef::new(Kind::Pod, "", ""), &results, &view);
            self.apply(more);
            n_events += 1;
            assert!(n_events < 10_000, "does not settle");
        }
        self.now = end;
    }

    pub(crate) fn pod(&self, name: &str) -> &Pod {
        Listers(&self.objects).get("default", name).unwrap()
    }

    pub(crate) fn node_of(&self, name: &str) -> &str {
        api::pods::node_name(self.pod(name)).unwrap_or_default()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.events.iter().map(|it| format!("{}: {}", it.reason, it.message)).collect()
    }
}

pub(crate) fn node(name: &str, cpu: &str, labels: Value) -> Value {
    let mut all = json!({"kubernetes.io/hostname": name});
    for (key, value) in labels.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    json!({"kind": "Node", "metadata": {"name": name, "labels": all}, "spec": {},
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "10"}}})
}

pub(crate) fn pod(name: &str, cpu: &str, spec: Value) -> Value {
    let mut all = json!({"schedulerName": "default-scheduler", "containers": [
        {"name": "c", "image": "i:1", "resources": {"requests": {"cpu": cpu}}}]});
    for (key, value) in spec.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    json!({"kind": "Pod", "metadata": {"name": name, "namespace": "default",
        "uid": format!("uid-{name}"), "labels": {"app": name.split('-').next().unwrap()}}, "spec": all})
}

/// A small generator, so that a failure can be repeated.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}
