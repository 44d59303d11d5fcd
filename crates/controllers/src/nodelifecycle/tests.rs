//! Tables of passes: who is lost when, and who is tainted at which rate.

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::{Value, json};

use super::*;
use crate::testing::{PodSketch, World, at_ms, lines, status_of, time};
use api::{Action, Patch};

/// A node with a Ready condition or without one.
fn put_node(world: &mut World, name: &str, zone: &str, ready: Option<&str>, excluded: bool) {
    let conditions: Vec<Value> = ready
        .iter()
        .map(|it| json!({ "type": "Ready", "status": it, "lastHeartbeatTime": time(0) }))
        .collect();
    let mut labels = json!({ "topology.kubernetes.io/zone": zone });
    if excluded {
        labels["node.kubernetes.io/exclude-disruption"] = json!("");
    }
    world.put::<Node>(json!({
        "metadata": { "name": name, "labels": labels, "creationTimestamp": time(0) },
        "status": { "conditions": conditions },
    }));
}

/// A lease that is being renewed, or was last renewed at a second.
fn put_lease(world: &mut World, name: &str, renewed: Option<i64>) {
    let renewing = if renewed.is_none() { "true" } else { "false" };
    world.put::<Lease>(json!({
        "metadata": { "name": name, "namespace": health::LEASE_NAMESPACE,
            "annotations": { "sim.orrery.dev/renewing": renewing } },
        "spec": { "renewTime": time(renewed.unwrap_or(0)).as_str().unwrap().replace('Z', ".000000Z") },
    }));
}

/// Writes the taints of a plan's patches, which the small world does not know.
fn apply(world: &mut World, plan: &Plan) -> Vec<String> {
    world.apply(plan);
    let mut tainted = vec![];
    for action in &plan.actions {
        let Action::Patch { key, patch: Patch::Merge(patch), .. } = action else { continue };
        let mut node = world.view().listers.by_ref::<Node>(key).cloned().unwrap();
        let taints = serde_json::from_value(patch["spec"]["taints"].clone()).unwrap();
        node.spec.get_or_insert_default().taints = taints;
        if taints::has_no_execute(&node, UNREACHABLE) || taints::has_no_execute(&node, NOT_READY) {
            tainted.push(key.name.to_string());
        }
        world.objects.put(node.into_object());
    }
    tainted
}

/// Passes until a second. Returns at which second which node was tainted `NoExecute`.
fn run(world: &mut World, controller: &mut NodeLifecycleController, to: i64) -> Vec<(i64, String)> {
    let mut tainted = vec![];
    let mut queue = WorkQueue::default();
    controller.ask_for_pass(&world.view(), &mut queue);
    let mut next = queue.entries.first().map(|it| it.1);
    while let Some(at) = next.filter(|it| *it <= at_ms(to * 1_000)) {
        world.now_ms = at.as_millisecond();
        let plan = controller.pass(&world.view());
        let at = world.now_ms / 1_000;
        tainted.extend(apply(world, &plan).into_iter().map(|it| (at, it)));
        next = plan.requeue_at;
    }
    world.now_ms = to * 1_000;
    tainted
}

#[test]
fn a_node_is_lost_when_its_lease_is_fifty_seconds_old() {
    for (ready, renewed, at, expected) in [
        (Some("True"), Some(None), 1_000, "True"),
        (Some("True"), Some(Some(10)), 57, "True"),
        (Some("True"), Some(Some(10)), 63, "Unknown(NodeStatusUnknown)"),
        (Some("False"), Some(None), 1_000, "False"),
        (Some("False"), Some(Some(10)), 63, "Unknown(NodeStatusUnknown)"),
        (Some("Unknown"), Some(Some(10)), 63, "Unknown"),
        // Without any sign of life a new node has a minute.
        (None, None, 57, ""),
        (None, None, 63, "Unknown(NodeStatusNeverUpdated)"),
        (None, Some(None), 1_000, ""),
        // The time of the first look counts where nothing else is known.
        (Some("True"), None, 47, "True"),
        (Some("True"), None, 53, "Unknown(NodeStatusUnknown)"),
    ] {
        let mut world = World::at_ms(0);
        put_node(&mut world, "n", "", ready, false);
        put_node(&mut world, "other", "", Some("True"), false);
        put_lease(&mut world, "other", None);
        if let Some(renewed) = renewed {
            put_lease(&mut world, "n", renewed);
        }
        let mut controller = NodeLifecycleController::default();
        run(&mut world, &mut controller, at);
        let node = world.view().listers.node("n").cloned().unwrap();
        let conditions = node.status.unwrap().conditions.unwrap_or_default();
        let told = conditions.iter().find(|it| it.type_ == "Ready").map(|it| match &it.reason {
            Some(reason) => format!("{}({reason})", it.status),
            None => it.status.clone(),
        });
        assert_eq!(told.unwrap_or_default(), expected, "{ready:?} {renewed:?} at {at}");
        let lost = expected.contains('(');
        assert_eq!(conditions.len(), if lost { 4 } else { usize::from(ready.is_some()) });
    }
}

/// Zones, each with ready and lost nodes. Returns at which seconds somebody was tainted.
fn taints_of(zones: &[(&str, usize, usize)], to: i64) -> Vec<i64> {
    let mut world = World::at_ms(0);
    for (zone, ready, lost) in zones {
        for n in 0..ready + lost {
            let name = format!("{zone}{n:02}");
            put_node(&mut world, &name, zone, Some("True"), *zone == "excluded");
            put_lease(&mut world, &name, (n >= *ready).then_some(0));
        }
    }
    let mut controller = NodeLifecycleController::default();
    let tainted = run(&mut world, &mut controller, to);
    tainted.into_iter().map(|it| it.0).collect()
}

#[test]
fn lost_nodes_are_tainted_at_the_rate_of_their_zone() {
    for (what, zones, expected) in [
        ("nobody is lost", vec![("a", 3, 0)], vec![]),
        ("one of two", vec![("a", 1, 1)], vec![52]),
        ("two of four", vec![("a", 2, 2)], vec![52, 62]),
        ("zones have their own rates", vec![("a", 2, 2), ("b", 2, 2)], vec![52, 52, 62, 62]),
        ("most of a small zone", vec![("a", 1, 3)], vec![]),
        ("two are never most", vec![("a", 1, 2)], vec![52, 62]),
        ("a whole zone, but not all", vec![("a", 0, 3), ("b", 1, 0)], vec![52, 62, 72]),
        ("all nodes of all zones", vec![("a", 0, 3), ("b", 0, 1)], vec![]),
        // The token of the quicker rate is still there.
        ("most of a large zone", vec![("a", 20, 40)], vec![52, 152, 252]),
        (
            "excluded ones count for nothing",
            vec![("excluded", 0, 3), ("b", 1, 0)],
            vec![52, 57, 62],
        ),
    ] {
        let to = if what.contains("large") { 260 } else { 100 };
        assert_eq!(taints_of(&zones, to), expected, "{what}");
    }
}

#[test]
fn a_cluster_that_is_lost_as_a_whole_takes_its_taints_back() {
    let mut world = World::at_ms(0);
    for name in ["a", "b"] {
        put_node(&mut world, name, "", Some("True"), false);
        put_lease(&mut world, name, None);
    }
    let mut controller = NodeLifecycleController::default();
    assert!(run(&mut world, &mut controller, 100).is_empty());
    put_lease(&mut world, "a", Some(100));
    let tainted = run(&mut world, &mut controller, 200);
    assert_eq!(tainted, [(152, "a".to_owned())]);
    put_lease(&mut world, "b", Some(200));
    run(&mut world, &mut controller, 300);
    for name in ["a", "b"] {
        let node = world.view().listers.node(name).cloned().unwrap();
        assert!(!taints::has_no_execute(&node, UNREACHABLE), "{name}");
        assert_eq!(ready_status(&node), Some("Unknown"), "{name}");
    }
    // When one comes back, the other gets a grace period before it is tainted.
    put_node(&mut world, "a", "", Some("True"), false);
    put_lease(&mut world, "a", None);
    assert_eq!(run(&mut world, &mut controller, 400), [(312, "b".to_owned())]);
}

#[test]
fn when_a_lost_cluster_comes_back_everybody_gets_another_grace_period() {
    let mut world = World::at_ms(0);
    for (name, ready) in [("a", "True"), ("b", "True"), ("c", "False")] {
        put_node(&mut world, name, "", Some(ready), false);
        put_lease(&mut world, name, None);
    }
    let mut controller = NodeLifecycleController::default();
    run(&mut world, &mut controller, 100);
    for name in ["a", "b"] {
        put_lease(&mut world, name, Some(100));
    }
    run(&mut world, &mut controller, 155);
    put_lease(&mut world, "c", Some(155));
    run(&mut world, &mut controller, 180);
    put_node(&mut world, "a", "", Some("True"), false);
    put_lease(&mut world, "a", None);
    let of_c =
        |world: &World| ready_status(world.view().listers.node("c").unwrap()).map(str::to_owned);
    // It would have been lost at 207 s.
    run(&mut world, &mut controller, 230);
    assert_eq!(of_c(&world).as_deref(), Some("False"));
    run(&mut world, &mut controller, 235);
    assert_eq!(of_c(&world).as_deref(), Some("Unknown"));
}

#[test]
fn a_node_that_is_not_ready_is_tainted_so_and_the_taint_follows_its_condition() {
    let keys = |world: &World| {
        let node = world.view().listers.node("n").cloned().unwrap();
        let taints = node.spec.and_then(|it| it.taints).unwrap_or_default();
        taints.iter().map(|it| it.key.replace("node.kubernetes.io/", "")).collect::<Vec<_>>()
    };
    let mut world = World::at_ms(0);
    put_node(&mut world, "n", "", Some("False"), false);
    put_node(&mut world, "other", "", Some("True"), false);
    put_lease(&mut world, "n", None);
    put_lease(&mut world, "other", None);
    let mut controller = NodeLifecycleController::default();
    run(&mut world, &mut controller, 10);
    assert_eq!(keys(&world), ["not-ready"]);
    // Then it is lost: the taint is swapped at once, without waiting for a token.
    put_lease(&mut world, "n", Some(10));
    run(&mut world, &mut controller, 70);
    assert_eq!(keys(&world), ["unreachable"]);
    let mut node = world.view().listers.node("n").cloned().unwrap();
    node.status.as_mut().unwrap().conditions.as_mut().unwrap()[0].status = "True".to_owned();
    world.objects.put(node.into_object());
    put_lease(&mut world, "n", None);
    run(&mut world, &mut controller, 80);
    assert!(keys(&world).is_empty());
}

#[test]
fn coming_and_going_is_told_and_pods_of_a_lost_node_are_not_ready() {
    let mut world = World::at_ms(0);
    for name in ["a", "b"] {
        put_node(&mut world, name, "", Some("True"), false);
        put_lease(&mut world, name, None);
    }
    world.put_pod(&Value::Null, "p", PodSketch { node: "a", ..PodSketch::default() });
    world.put_pod(&Value::Null, "q", PodSketch { node: "a", ready: None, ..PodSketch::default() });
    let mut controller =
        NodeLifecycleController { next_pass: Some(at_ms(0)), ..NodeLifecycleController::default() };
    let plan = controller.pass(&world.view());
    let said = |name: &str| {
        format!("event RegisteredNode: Node {name} event: Registered Node {name} in Controller")
    };
    assert_eq!(lines(&plan), [said("a"), said("b")]);
    put_lease(&mut world, "a", Some(0));
    world.now_ms = 52_500;
    controller.next_pass = Some(at_ms(52_500));
    let plan = controller.pass(&world.view());
    let told: Vec<String> = lines(&plan).into_iter().filter(|it| it.starts_with("event")).collect();
    assert_eq!(
        told,
        [
            "event NodeNotReady: Node a status is now: NodeNotReady",
            "event NodeNotReady: Node is not ready"
        ]
    );
    let pod = status_of::<Pod>(&plan).unwrap();
    assert_eq!((pod.name(), pods::is_ready(&pod)), ("p", false));
    apply(&mut world, &plan);
    // The next passes have nothing to add.
    world.now_ms = 57_500;
    controller.next_pass = Some(at_ms(57_500));
    let again = lines(&controller.pass(&world.view()));
    assert!(!again.iter().any(|it| it.starts_with("event")), "{again:?}");
    // A pod that is bound to it now is not ready either.
    world.put_pod(&Value::Null, "late", PodSketch { node: "a", ..PodSketch::default() });
    let plan = world.decide::<Pod>(&mut controller, "late");
    assert_eq!(lines(&plan), ["event NodeNotReady: Node is not ready"]);
    world.objects.remove(&ObjectRef::new(Kind::Node, "", "a"));
    controller.next_pass = Some(at_ms(52_500));
    let plan = controller.pass(&world.view());
    assert_eq!(lines(&plan), ["event RemovingNode: Node a event: Removing Node a from Controller"]);
}
