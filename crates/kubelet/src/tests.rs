//! The kubelet against a store of the simplest kind: pods in, lines about their statuses out.

mod allocation;
mod deleted_node;
mod eviction;
mod images;
mod preemption;
mod probes;
mod restarts;
mod stopping;

use std::collections::BTreeMap;

use api::k8s_openapi::api::coordination::v1::Lease;
use api::k8s_openapi::api::core::v1::{ContainerStatus, Node, Pod};
use api::{
    Action, Change, Component, Kind, Listers, Object, ObjectRef, Objects, Resource, Settings,
    Timestamp, View, WorkQueue, Zones, pods,
};

use crate::Kubelet;

/// A store and a clock, as little of them as the kubelet needs.
struct Bench {
    objects: Objects,
    kubelet: Kubelet,
    queue: BTreeMap<ObjectRef, Timestamp>,
    now: Timestamp,
    settings: Settings,
    zones: Zones,
    lines: Vec<String>,
}

impl Bench {
    /// A cluster that has been there for a minute.
    fn new(nodes: &[&str]) -> Self {
        let mut bench = Self::young(nodes, -60);
        bench.run_to(0);
        bench
    }

    /// A cluster whose kubelets start at a second.
    fn young(nodes: &[&str], second: i64) -> Self {
        let mut bench = Self {
            objects: Objects::default(),
            kubelet: Kubelet::default(),
            queue: BTreeMap::new(),
            now: Timestamp::from_second(second).unwrap(),
            settings: Settings::default(),
            zones: Zones::default(),
            lines: Vec::new(),
        };
        for node in nodes {
            let mut it = Node::default();
            it.metadata.name = Some((*node).to_owned());
            bench.put(it.into_object());
        }
        bench
    }

    fn view(&self) -> (Objects, Settings, Zones, Timestamp) {
        (self.objects.clone(), self.settings.clone(), self.zones.clone(), self.now)
    }

    fn changed(&mut self, old: Option<Object>, new: Option<Object>) {
        let (objects, settings, zones, now) = self.view();
        let view = View {
            listers: Listers(&objects),
            now,
            seed: 1,
            settings: &settings,
            zones: &zones,
            recording: true,
        };
        let mut queue = WorkQueue::default();
        self.kubelet.react(&Change { old, new }, &view, &mut queue);
        for (key, at) in queue.entries {
            let entry = self.queue.entry(key).or_insert(at);
            *entry = at.min(*entry);
        }
    }

    fn put(&mut self, mut object: Object) {
        if object.meta().uid.is_none() {
            object.meta_mut().uid = Some(format!("uid-{}", object.name()));
        }
        let old = self.objects.put(object.clone());
        self.changed(old, Some(object));
    }

    fn edit<T: Resource>(&mut self, namespace: &str, name: &str, edit: impl Fn(&mut T)) {
        let key = ObjectRef::new(T::KIND, namespace, name);
        let mut object = Listers(&self.objects).by_ref::<T>(&key).unwrap().clone();
        edit(&mut object);
        self.put(object.into_object());
    }

    fn annotate_node(&mut self, name: &str, key: &str, value: Option<&str>) {
        self.edit::<Node>("", name, |it| {
            let annotations = it.metadata.annotations.get_or_insert_default();
            let key = format!("sim.orrery.dev/{key}");
            match value {
                Some(value) => annotations.insert(key, value.to_owned()),
                None => annotations.remove(&key),
            };
        });
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Create { object, .. } | Action::Update(object) => self.put(object),
            Action::UpdateStatus(object) => {
                if let Object::Pod(pod) = &object {
                    self.lines.push(format!("{} {}", self.clock(), summary(pod)));
                }
                self.put(object);
            }
            Action::Delete { key, .. } => {
                self.lines.push(format!("{} {key} deleted", self.clock()));
                let old = self.objects.remove(&key);
                self.changed(old, None);
            }
            Action::Record(event) if event.regarding.kind == Kind::Pod => {
                let quiet = ["Pulled", "Created", "Started"];
                if !quiet.contains(&event.reason.as_str()) {
                    let line = format!("{} {}: {}", self.clock(), event.reason, event.message);
                    self.lines.push(line);
                }
            }
            _ => {}
        }
    }

    fn clock(&self) -> String {
        let ms = self.now.as_millisecond();
        if ms % 1_000 == 0 {
            format!("{}", ms / 1_000)
        } else {
            format!("{}.{:03}", ms / 1_000, ms % 1_000)
        }
    }

    /// Runs up to and with a second.
    fn run_to(&mut self, second: i64) {
        let end = Timestamp::from_second(second).unwrap();
        loop {
            let due = self.queue.iter().min_by_key(|(key, at)| (**at, (*key).clone()));
            let Some((key, at)) = due.map(|(key, at)| (key.clone(), *at)) else { break };
            if at > end {
                break;
            }
            self.queue.remove(&key);
            self.now = self.now.max(at);
            let (objects, settings, zones, now) = self.view();
            let view = View {
                listers: Listers(&objects),
                now,
                seed: 1,
                settings: &settings,
                zones: &zones,
                recording: true,
            };
            let plan = self.kubelet.decide(&key, &view);
            if let Some(at) = plan.requeue_at {
                self.queue.entry(key).or_insert(at);
            }
            for action in plan.actions {
                self.apply(action);
            }
        }
        self.now = end;
    }

    fn check(&self, expected: &str) {
        let expected: Vec<&str> =
            expected.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
        let lines: Vec<&str> = self.lines.iter().map(|it| it.trim_end()).collect();
        assert_eq!(lines, expected, "\n{}\n", lines.join("\n"));
    }
}

/// Phase, readiness and the state of each container.
fn summary(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let all = status.init_container_statuses.iter().flatten();
    let all = all.chain(status.container_statuses.iter().flatten());
    let states: Vec<String> = all.map(|it| format!("{}={}", it.name, state(it))).collect();
    let ready = if pods::is_ready(pod) { "ready" } else { "-" };
    let reason = status.reason.map(|it| format!(" {it}")).unwrap_or_default();
    format!("{} {}{reason} {ready} {}", pod.name(), pods::phase(pod), states.join(" "))
        .trim()
        .to_owned()
}

fn state(status: &ContainerStatus) -> String {
    let state = status.state.clone().unwrap_or_default();
    let text = if let Some(it) = state.waiting {
        it.reason.unwrap_or_default()
    } else if let Some(it) = state.terminated {
        format!("{}({})", it.reason.unwrap_or_default(), it.exit_code)
    } else {
        "running".to_owned()
    };
    match status.restart_count {
        0 => text,
        n => format!("{text}x{n}"),
    }
}

fn pod(name: &str, yaml: serde_json::Value, annotations: &[(&str, &str)]) -> Object {
    let mut pod: Pod = serde_json::from_value(serde_json::json!({ "spec": yaml })).unwrap();
    pod.metadata.name = Some(name.to_owned());
    pod.metadata.namespace = Some("default".to_owned());
    let annotations = annotations.iter();
    let annotations = annotations.map(|(k, v)| (format!("sim.orrery.dev/{k}"), (*v).to_owned()));
    pod.metadata.annotations = Some(annotations.collect());
    pod.into_object()
}

fn spec(policy: &str) -> serde_json::Value {
    serde_json::json!({
        "nodeName": "n1",
        "restartPolicy": policy,
        "containers": [{"name": "c", "image": "busybox"}],
    })
}

fn delete(bench: &mut Bench, name: &str, grace: i64) {
    let now = bench.now;
    bench.edit::<Pod>("default", name, |it| {
        it.metadata.deletion_timestamp = Some(api::time::meta_time(now));
        it.metadata.deletion_grace_period_seconds = Some(grace);
    });
}

#[test]
fn a_pod_runs_to_its_end() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(pod("p", spec("Never"), &[("duration", "2s")]));
    bench.run_to(60);
    bench.check(
        "0 p Pending - c=ContainerCreating
         1 p Running ready c=running
         3 p Succeeded - c=Completed(0)",
    );
}

#[test]
fn readiness_follows_the_probe_and_the_annotation() {
    let mut bench = Bench::new(&["n1"]);
    let mut it = spec("Always");
    it["containers"][0]["readinessProbe"] =
        serde_json::json!({"initialDelaySeconds": 4, "periodSeconds": 10, "httpGet": {"port": 80}});
    bench.put(pod("p", it, &[]));
    bench.run_to(20);
    bench.edit::<Pod>("default", "p", |it| {
        let annotations = it.metadata.annotations.as_mut().unwrap();
        annotations.insert("sim.orrery.dev/ready".into(), "false".into());
    });
    bench.run_to(30);
    bench.check(
        "0 p Pending - c=ContainerCreating
         1 p Running - c=running
         11 p Running ready c=running
         20 p Running - c=running",
    );
}

#[test]
fn a_failed_node_says_nothing_until_it_is_back() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(pod("p", spec("Always"), &[]));
    bench.put(pod("q", spec("Never"), &[("duration", "9s")]));
    bench.run_to(5);
    bench.lines.clear();
    bench.annotate_node("n1", "failed", Some("true"));
    bench.run_to(8);
    delete(&mut bench, "p", 30);
    bench.run_to(50);
    bench.check("");
    bench.annotate_node("n1", "failed", None);
    bench.run_to(60);
    bench.check(
        "50 Killing: Stopping container c
         50 q Succeeded - c=Completed(0)
         51 p Failed - c=Error(143)
         51 Pod default/p deleted",
    );
    let finished = Listers(&bench.objects).get::<Pod>("default", "q").unwrap();
    let statuses = finished.status.as_ref().unwrap().container_statuses.as_ref().unwrap();
    let ended = statuses[0].state.as_ref().unwrap().terminated.as_ref().unwrap();
    assert_eq!(ended.finished_at.as_ref().unwrap().0.as_second(), 10);
}

#[test]
fn pods_that_do_not_fit_are_refused_until_there_is_room() {
    let mut bench = Bench::new(&["n1"]);
    let asks = |cpu: &str| {
        let mut it = spec("Never");
        it["containers"][0]["resources"] = serde_json::json!({"requests": {"cpu": cpu}});
        it
    };
    bench.put(pod("a", asks("3"), &[("duration", "2s")]));
    bench.run_to(1);
    bench.put(pod("b", asks("2"), &[]));
    bench.run_to(10);
    bench.put(pod("c", asks("2"), &[("duration", "2s")]));
    bench.run_to(20);
    bench.check(
        "0 a Pending - c=ContainerCreating
         1 a Running ready c=running
         1 OutOfcpu: Node didn't have enough resource: cpu, requested: 2000, used: 3000, capacity: 4000
         1 b Failed OutOfcpu -
         3 a Succeeded - c=Completed(0)
         10 c Pending - c=ContainerCreating
         11 c Running ready c=running
         13 c Succeeded - c=Completed(0)",
    );
}

#[test]
fn a_deadline_ends_the_pod() {
    let mut bench = Bench::new(&["n1"]);
    let mut it = spec("Always");
    it["activeDeadlineSeconds"] = 8.into();
    bench.put(pod("p", it, &[]));
    bench.run_to(30);
    bench.check(
        "0 p Pending - c=ContainerCreating
         1 p Running ready c=running
         8 DeadlineExceeded: Pod was active on the node longer than the specified deadline
         8 Killing: Stopping container c
         8 p Running - c=running
         9 p Failed DeadlineExceeded - c=Error(143)",
    );
}

#[test]
fn a_mirror_pod_comes_back_and_its_containers_never_stopped() {
    let mut bench = Bench::new(&["n1"]);
    let manifest = r#"[{"metadata": {"name": "etcd", "namespace": "kube-system"},
        "spec": {"containers": [{"name": "c", "image": "etcd"}]}}]"#;
    bench.annotate_node("n1", "static-pods", Some(manifest));
    bench.run_to(10);
    let key = ObjectRef::new(Kind::Pod, "kube-system", "etcd-n1");
    let old = bench.objects.remove(&key);
    bench.changed(old, None);
    bench.run_to(20);
    bench.check(
        "0 etcd-n1 Pending - c=ContainerCreating
         1 etcd-n1 Running ready c=running
         10 etcd-n1 Running ready c=running",
    );
    bench.annotate_node("n1", "static-pods", None);
    bench.run_to(30);
    assert!(Listers(&bench.objects).by_ref::<Pod>(&key).is_none());
}

#[test]
fn the_lease_of_a_failed_node_tells_its_last_renewal() {
    let mut bench = Bench::new(&["n1"]);
    bench.run_to(25);
    bench.annotate_node("n1", "failed", Some("true"));
    bench.run_to(30);
    let lease = Listers(&bench.objects).get::<Lease>("kube-node-lease", "n1").unwrap();
    let renewed = lease.spec.as_ref().unwrap().renew_time.as_ref().unwrap();
    assert_eq!(renewed.0.as_second(), 20);
    let annotations = lease.metadata.annotations.as_ref().unwrap();
    assert_eq!(annotations["sim.orrery.dev/renewing"], "false");
}
