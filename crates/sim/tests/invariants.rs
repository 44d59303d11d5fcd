//! What must hold after every event of any run.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod random;

use std::collections::BTreeMap;

use api::k8s_openapi::api::core::v1::{Node, Pod};
use api::{Kind, Object, ObjectRef, Resource, pods, quantity, resources};
use random::{Random, load, scenario};
use sim::Simulation;

/// No node has more asked of it than it has.
fn check_room(simulation: &Simulation) {
    let listers = simulation.listers();
    for node in listers.list::<Node>() {
        let mut asked: BTreeMap<String, i64> = BTreeMap::new();
        for pod in listers.pods_on(node.name()).filter(|it| !pods::is_terminal(it)) {
            for (resource, amount) in resources::pod_requests(pod) {
                *asked.entry(resource).or_default() += amount;
            }
            *asked.entry("pods".to_owned()).or_default() += 1;
        }
        for (resource, quantity) in node.status.iter().flat_map(|it| &it.allocatable).flatten() {
            let room = match resource.as_str() {
                "cpu" => quantity::milli_value(quantity),
                _ => quantity::value(quantity),
            };
            let asked = asked.get(resource).copied().unwrap_or_default();
            assert!(asked <= room, "{}: {asked} of {room} {resource} are asked", node.name());
        }
    }
}

/// What was seen of an object before.
struct Seen {
    version: u64,
    node: Option<String>,
    phase: String,
}

/// Versions grow, a pod is bound once, and what has ended stays so.
fn check_change(object: &Object, seen: &mut BTreeMap<(ObjectRef, String), Seen>) {
    let version: u64 = object.meta().resource_version.as_deref().unwrap().parse().unwrap();
    let pod = object.as_kind::<Pod>();
    let node = pod.and_then(pods::node_name).map(str::to_owned);
    let phase = pod.map(|it| pods::phase(it).to_owned()).unwrap_or_default();
    let key = (object.object_ref(), object.uid().to_owned());
    if let Some(before) = seen.get(&key) {
        assert!(version >= before.version, "{}: version {version}", key.0);
        assert!(before.node.is_none() || before.node == node, "{}: bound again", key.0);
        let ended = matches!(before.phase.as_str(), "Succeeded" | "Failed");
        assert!(!ended || before.phase == phase, "{}: {} after its end", key.0, phase);
    }
    seen.insert(key, Seen { version, node, phase });
}

/// Whoever is controlled has an owner that is there, but for a moment before it is collected.
fn check_owners(simulation: &Simulation) {
    let listers = simulation.listers();
    for object in Kind::ALL.iter().flat_map(|kind| listers.0.list(*kind)) {
        let Some(owner) = object.controller() else { continue };
        let Some(key) = ObjectRef::of_owner(owner, object.namespace()) else { continue };
        let there = listers.object(&key).is_some_and(|it| it.uid() == owner.uid);
        let leaving = object.meta().deletion_timestamp.is_some();
        assert!(there || leaving, "{} has lost its owner {key}", object.object_ref());
    }
}

#[test]
fn after_every_event_nodes_have_room_and_objects_only_grow_older() {
    for seed in 20..26 {
        let text = scenario(&mut Random(seed));
        let mut simulation = load(&text);
        let mut seen = BTreeMap::new();
        let mut revision = 0;
        while simulation.now_ms() < 300_000 && simulation.step() {
            let delta = simulation.delta(revision);
            revision = delta.revision;
            let nodes_changed = !delta.nodes.is_empty();
            let pods =
                delta.pods.iter().map(|it| ObjectRef::new(Kind::Pod, &it.namespace, &it.name));
            for key in pods {
                if let Some(object) = simulation.listers().object(&key) {
                    check_change(object, &mut seen);
                }
            }
            if nodes_changed {
                check_room(&simulation);
            }
        }
        // Long enough for the garbage collector to have come by.
        simulation.run_until(simulation.now_ms() + 1_000, u64::MAX);
        check_owners(&simulation);
    }
}
