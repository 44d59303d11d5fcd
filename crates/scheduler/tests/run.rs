//! The scheduler as a component, over a small store: the queue, preemption, and what must always
//! hold after any sequence of changes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may stop")]

use std::collections::BTreeMap;

use api::time::after_ms;
use api::{
    Action, Change, Component, EventSpec, Kind, Listers, Object, ObjectRef, Objects, Plan,
    Resource, Settings, Timestamp, View, WorkQueue, Zones,
};
use k8s_openapi::api::core::v1::{Node, Pod};
use scheduler::Scheduler;
use serde_json::{Value, json};

/// A store and a clock for one component.
struct World {
    objects: Objects,
    scheduler: Scheduler,
    now: Timestamp,
    due: Option<Timestamp>,
    events: Vec<EventSpec>,
    settings: Settings,
    zones: Zones,
}

impl World {
    fn new(config: Option<&Value>) -> Self {
        Self {
            objects: Objects::default(),
            scheduler: Scheduler::new(config).unwrap(),
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            due: None,
            events: vec![],
            settings: Settings::default(),
            zones: Zones::default(),
        }
    }

    fn write(&mut self, object: Option<Object>, key: &ObjectRef) {
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
        };
        let mut queue = WorkQueue::default();
        self.scheduler.react(&Change { old, new: object }, &view, &mut queue);
        let due = queue.entries.into_iter().map(|(_, at)| at);
        self.due = due.chain(self.due).min();
    }

    fn put(&mut self, value: Value) {
        let kind = Kind::from_api_version(
            value["apiVersion"].as_str().unwrap_or("v1"),
            value["kind"].as_str().unwrap(),
        )
        .unwrap();
        let object = api::wire::object_from_value(kind, &value).unwrap();
        let key = object.object_ref();
        self.write(Some(object), &key);
    }

    fn delete(&mut self, kind: Kind, name: &str) {
        let namespace = if kind.namespaced() { "default" } else { "" };
        self.write(None, &ObjectRef::new(kind, namespace, name));
    }

    fn apply(&mut self, plan: Plan) {
        for action in plan.actions {
            match action {
                Action::Bind { pod, node } => {
                    let mut object: Pod =
                        Listers(&self.objects).by_ref::<Pod>(&pod).unwrap().clone();
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
    fn run(&mut self, seconds: i64) {
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
            };
            let more = self.scheduler.applied(&ObjectRef::new(Kind::Pod, "", ""), &results, &view);
            self.apply(more);
            n_events += 1;
            assert!(n_events < 10_000, "does not settle");
        }
        self.now = end;
    }

    fn pod(&self, name: &str) -> &Pod {
        Listers(&self.objects).get("default", name).unwrap()
    }

    fn node_of(&self, name: &str) -> &str {
        api::pods::node_name(self.pod(name)).unwrap_or_default()
    }

    fn texts(&self) -> Vec<String> {
        self.events.iter().map(|it| format!("{}: {}", it.reason, it.message)).collect()
    }
}

fn node(name: &str, cpu: &str, labels: Value) -> Value {
    let mut all = json!({"kubernetes.io/hostname": name});
    for (key, value) in labels.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    json!({"kind": "Node", "metadata": {"name": name, "labels": all}, "spec": {},
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "10"}}})
}

fn pod(name: &str, cpu: &str, spec: Value) -> Value {
    let mut all = json!({"schedulerName": "default-scheduler", "containers": [
        {"name": "c", "image": "i:1", "resources": {"requests": {"cpu": cpu}}}]});
    for (key, value) in spec.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    json!({"kind": "Pod", "metadata": {"name": name, "namespace": "default",
        "uid": format!("uid-{name}"), "labels": {"app": name.split('-').next().unwrap()}}, "spec": all})
}

#[test]
fn a_pod_is_bound_and_an_event_says_so() {
    let mut world = World::new(None);
    world.put(node("n1", "2", json!({})));
    world.put(pod("web", "1", json!({})));
    world.run(1);
    assert_eq!(world.node_of("web"), "n1");
    assert_eq!(world.texts(), ["Scheduled: Successfully assigned default/web to n1"]);
}

#[test]
fn a_pod_that_fits_nowhere_waits_until_a_node_is_labelled() {
    let mut world = World::new(None);
    world.put(node("n1", "2", json!({})));
    world.put(pod("web", "1", json!({"nodeSelector": {"disktype": "ssd"}})));
    world.run(200);
    let text = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new \
                claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful \
                for scheduling.";
    assert_eq!(world.texts(), [format!("FailedScheduling: {text}")]);
    let condition = api::pods::condition(world.pod("web"), "PodScheduled").unwrap();
    assert_eq!(condition.reason.as_deref(), Some("Unschedulable"));
    assert_eq!(condition.message.as_deref(), Some(text));
    world.put(node("n1", "2", json!({"colour": "red"})));
    world.run(1);
    assert_eq!(world.events.len(), 1, "a label that does not help wakes nobody");
    world.put(node("n1", "2", json!({"disktype": "ssd"})));
    world.run(1);
    assert_eq!(world.node_of("web"), "n1");
}

#[test]
fn an_unschedulable_pod_is_tried_again_after_five_minutes() {
    let mut world = World::new(None);
    world.put(node("n1", "2", json!({})));
    world.put(pod("web", "3", json!({})));
    world.run(299);
    assert_eq!(world.events.len(), 1);
    world.run(62);
    assert_eq!(world.events.len(), 2);
}

#[test]
fn a_pod_of_another_scheduler_is_left_alone() {
    let mut world = World::new(None);
    world.put(node("n1", "2", json!({})));
    world.put(pod("web", "1", json!({"schedulerName": "other"})));
    world.run(600);
    assert_eq!((world.node_of("web"), world.events.len()), ("", 0));
}

#[test]
fn a_gated_pod_waits_for_its_gates() {
    let mut world = World::new(None);
    world.put(node("n1", "2", json!({})));
    world.put(pod("web", "1", json!({"schedulingGates": [{"name": "example.com/a"}]})));
    world.run(600);
    assert_eq!((world.node_of("web"), world.events.len()), ("", 0));
    world.put(pod("web", "1", json!({})));
    world.run(1);
    assert_eq!(world.node_of("web"), "n1");
}

#[test]
fn a_pod_of_higher_priority_takes_the_place_of_a_lower_one() {
    let mut world = World::new(None);
    world.put(node("n1", "2", json!({})));
    world.put(pod("low", "2", json!({"priority": 0})));
    world.run(1);
    world.put(pod("high", "2", json!({"priority": 1_000})));
    world.run(1);
    assert!(Listers(&world.objects).get::<Pod>("default", "low").is_none());
    assert_eq!(world.node_of("high"), "n1");
    let texts = world.texts();
    assert!(
        texts.contains(&"Preempted: Preempted by pod uid-high on node n1".to_owned()),
        "{texts:?}"
    );
    assert!(
        texts
            .contains(&"FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.".to_owned()),
        "{texts:?}"
    );
}

#[test]
fn several_profiles_serve_their_own_pods() {
    let config = json!({
        "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
        "profiles": [{"schedulerName": "default-scheduler"}, {"schedulerName": "packer",
            "pluginConfig": [{"name": "NodeResourcesFit",
                "args": {"scoringStrategy": {"type": "MostAllocated"}}}]}]});
    let mut world = World::new(Some(&config));
    world.put(node("n1", "8", json!({})));
    world.put(node("n2", "8", json!({})));
    world.put(pod("first", "2", json!({})));
    world.run(1);
    let first = world.node_of("first").to_owned();
    world.put(pod("packed", "1", json!({"schedulerName": "packer"})));
    world.put(pod("spread", "1", json!({})));
    world.run(1);
    assert_eq!(world.node_of("packed"), first);
    assert_ne!(world.node_of("spread"), first);
    assert_eq!(world.events[1].component, "packer");
}

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn random_pod(random: &mut Random, at: u64) -> Value {
    let app = ["web", "db", "batch"][usize::try_from(random.below(3)).unwrap()];
    let selector = json!({"matchLabels": {"app": app}});
    let key = ["kubernetes.io/hostname", "zone"][usize::try_from(random.below(2)).unwrap()];
    let term = json!({"topologyKey": key, "labelSelector": selector});
    let spec = match random.below(7) {
        0 => json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": key,
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}]}),
        1 => json!({"topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector},
            {"maxSkew": 2, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}]}),
        2 => {
            json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}})
        }
        3 => {
            json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}})
        }
        4 => {
            json!({"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 50, "podAffinityTerm": term}]}}})
        }
        5 => {
            json!({"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 50, "podAffinityTerm": term}]}}})
        }
        _ => json!({}),
    };
    pod(&format!("{app}-{at}"), &format!("{}m", 100 * (1 + random.below(8))), spec)
}

/// What a scheduler says about a pod, nodes by name.
fn verdict(scheduler: &mut Scheduler, pod: &Value, objects: &Objects) -> Value {
    let pod: Pod = serde_json::from_value(pod.clone()).unwrap();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let (outcome, _) = scheduler.evaluate(&pod.into(), objects, now, 1).unwrap();
    let name = |id| scheduler.node_name(id).to_owned();
    let nodes = outcome.statuses.nodes.iter();
    let rejected: BTreeMap<String, String> =
        nodes.map(|(id, it)| (name(id), format!("{it:?}"))).collect();
    let scores: BTreeMap<String, Vec<i64>> = outcome
        .feasible
        .iter()
        .enumerate()
        .map(|(at, id)| (name(*id), outcome.scores.iter().map(|it| it.normalized[at]).collect()))
        .collect();
    json!({"rejected": rejected, "scores": scores, "message": outcome.message})
}

fn assert_nothing_is_over_allocated(world: &World) {
    for node in Listers(&world.objects).list::<Node>() {
        let name = node.metadata.name.as_deref().unwrap();
        let capacity = node.status.as_ref().unwrap().allocatable.as_ref().unwrap();
        let pods: Vec<&Pod> = Listers(&world.objects).pods_on(name).collect();
        let cpu: i64 = pods.iter().map(|it| api::resources::pod_requests(it)["cpu"]).sum();
        assert!(cpu <= api::quantity::milli_value(&capacity["cpu"]), "{name} has {cpu}m");
        assert!(pods.len() <= 10);
    }
}

#[test]
fn counts_kept_up_to_date_say_the_same_as_counts_made_anew() {
    for seed in 0..6 {
        let mut random = Random(seed);
        let mut world = World::new(None);
        for at in 0..60 {
            match random.below(10) {
                0..=1 => {
                    let name = format!("n{}", random.below(6));
                    let zone = format!("z{}", random.below(3));
                    let labels =
                        if random.below(5) == 0 { json!({}) } else { json!({"zone": zone}) };
                    world.put(node(&name, "4", labels));
                }
                2 => {
                    let pods = Listers(&world.objects);
                    let all: Vec<String> =
                        pods.list::<Pod>().map(|it| it.name().to_owned()).collect();
                    if !all.is_empty() {
                        let at = usize::try_from(random.below(all.len() as u64)).unwrap();
                        world.delete(Kind::Pod, &all[at]);
                    }
                }
                3 if random.below(4) == 0 => {
                    let name = format!("n{}", random.below(6));
                    if Listers(&world.objects).node(&name).is_some() {
                        world.delete(Kind::Node, &name);
                    }
                }
                _ => world.put(random_pod(&mut random, at)),
            }
            world.run(1);
            let mut fresh = Scheduler::from_objects(None, &world.objects).unwrap();
            let probe = random_pod(&mut random, 1_000 + at);
            let kept = verdict(&mut world.scheduler, &probe, &world.objects);
            let anew = verdict(&mut fresh, &probe, &world.objects);
            assert_eq!(kept, anew, "seed {seed}, step {at}");
        }
        assert_nothing_is_over_allocated(&world);
    }
}
