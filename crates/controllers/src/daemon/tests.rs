//! Reconcile cases of DaemonSets.

use api::{Action, Plan};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Node;
use serde_json::{Value, json};

use super::daemon_controller::DaemonSetsController;
use super::daemonset_util as util;
use crate::testing::{PodSketch, World, at_ms, deleted, lines, owner, status_of, template};

fn daemon_set(strategy: &Value) -> Value {
    json!({
        "metadata": {
            "name": "d",
            "generation": 1,
            "annotations": { "deprecated.daemonset.template.generation": "2" },
        },
        "spec": {
            "selector": { "matchLabels": { "app": "a" } },
            "template": template("x"),
            "updateStrategy": strategy,
        },
    })
}

fn rolling(surge: i32, unavailable: i32) -> Value {
    let bounds = json!({ "maxSurge": surge, "maxUnavailable": unavailable });
    json!({ "type": "RollingUpdate", "rollingUpdate": bounds })
}

/// A DaemonSet named `d` with its revision, and so many nodes.
fn world(strategy: &Value, n_nodes: usize) -> World {
    let mut world = World::default();
    world.put::<DaemonSet>(daemon_set(strategy));
    for i in 1..=n_nodes {
        world.put::<Node>(json!({ "metadata": { "name": format!("n{i}") } }));
    }
    let mut revision = world.decide::<DaemonSet>(&mut DaemonSetsController::default(), "d");
    revision.actions.truncate(1);
    world.apply(&revision);
    world
}

fn decide(world: &World) -> Plan {
    world.decide::<DaemonSet>(&mut DaemonSetsController::default(), "d")
}

/// The nodes for which a plan creates pods.
fn created_on(plan: &Plan) -> Vec<String> {
    let node = |action: &Action| match action {
        Action::Create { object, .. } => {
            util::target_node_name(object.as_kind()?).map(str::to_owned)
        }
        _ => None,
    };
    plan.actions.iter().filter_map(node).collect()
}

fn put(world: &mut World, name: &str, pod: PodSketch<'_>) {
    world.put_pod(&owner("DaemonSet", "d"), name, pod);
}

const NEW: PodSketch<'_> = PodSketch {
    node: "n",
    phase: "Running",
    ready: Some(0),
    created: 1,
    deleted: false,
    labels: &[("pod-template-generation", "2")],
    cost: "0",
};
const OLD: PodSketch<'_> =
    PodSketch { created: 0, labels: &[("pod-template-generation", "1")], ..NEW };

#[test]
fn the_first_round_records_the_template_and_fills_every_node_that_wants_a_pod() {
    let mut world = world(&rolling(0, 1), 2);
    world.put::<Node>(json!({
        "metadata": { "name": "n3" },
        "spec": { "taints": [{ "key": "own", "effect": "NoSchedule" }] },
    }));
    let plan = decide(&world);
    assert_eq!(created_on(&plan), ["n1", "n2"]);
    let Some(Action::Create { object, .. }) = plan.actions.first() else { panic!() };
    let labels = object.meta().labels.clone().unwrap();
    assert_eq!(labels["pod-template-generation"], "2");
    assert_eq!(labels["controller-revision-hash"].len(), 10);
    let status = status_of::<DaemonSet>(&plan).unwrap().status.unwrap();
    assert_eq!((status.desired_number_scheduled, status.current_number_scheduled), (2, 0));
}

#[test]
fn pods_go_from_nodes_that_may_not_keep_them() {
    let mut world = world(&rolling(0, 1), 0);
    for (node, effect) in [("n1", "NoSchedule"), ("n2", "NoExecute")] {
        world.put::<Node>(json!({
            "metadata": { "name": node },
            "spec": { "taints": [{ "key": "own", "effect": effect }] },
        }));
        put(&mut world, node, PodSketch { node, ..NEW });
    }
    put(&mut world, "lost", PodSketch { node: "gone", ..NEW });
    let plan = decide(&world);
    assert_eq!(deleted(&plan), ["n2"]);
    let status = status_of::<DaemonSet>(&plan).unwrap().status.unwrap();
    assert_eq!((status.desired_number_scheduled, status.number_misscheduled), (0, 2));
}

#[test]
fn of_several_pods_on_a_node_the_oldest_stays() {
    let mut world = world(&rolling(0, 1), 1);
    for (name, created) in [("b", 2), ("a", 3), ("c", 1)] {
        put(&mut world, name, PodSketch { node: "n1", created, ..NEW });
    }
    assert_eq!(deleted(&decide(&world)), ["b", "a"]);
}

#[test]
fn failed_pods_are_replaced_after_a_delay_that_doubles() {
    let mut world = world(&rolling(0, 1), 1);
    let mut controller = DaemonSetsController::default();
    put(&mut world, "f", PodSketch { node: "n1", phase: "Failed", ready: None, ..NEW });
    // Rows: when the failed pod is seen; whether it is deleted, or when it is looked at again. A
    // time that was asked for stays.
    for (now_ms, again_ms) in [
        (0, None),
        (500, Some(1_500)),
        (700, Some(1_500)),
        (1_500, None),
        (2_000, Some(4_000)),
        (4_000, None),
    ] {
        world.now_ms = now_ms;
        let plan = world.decide::<DaemonSet>(&mut controller, "d");
        assert_eq!(plan.requeue_at, again_ms.map(at_ms), "at {now_ms}");
        assert_eq!(deleted(&plan).len(), usize::from(again_ms.is_none()), "at {now_ms}");
    }
    world.now_ms = 0;
    let lines = lines(&decide(&world));
    assert_eq!(
        lines[0],
        "event FailedDaemonPod: Found failed daemon pod default/f on node n1, will try to kill it"
    );
}

#[test]
fn an_update_in_place_deletes_no_more_than_may_be_unavailable() {
    for (unavailable, ready, n_deleted) in [
        (1, [true, true, true], 1),
        (2, [true, true, true], 2),
        // A pod that is not available anyway goes at once, and counts.
        (1, [true, true, false], 1),
        (2, [true, true, false], 2),
    ] {
        let mut world = world(&rolling(0, unavailable), 3);
        for (node, ready) in ["n1", "n2", "n3"].into_iter().zip(ready) {
            put(&mut world, node, PodSketch { node, ready: ready.then_some(0), ..OLD });
        }
        let deleted = deleted(&decide(&world));
        assert_eq!(deleted.len(), n_deleted, "{unavailable} {ready:?}");
        assert!(ready[2] || deleted[0] == "n3", "{unavailable} {ready:?}: {deleted:?}");
    }
}

#[test]
fn nothing_is_updated_while_pods_are_missing_or_by_strategy_on_delete() {
    let mut missing = world(&rolling(0, 1), 2);
    put(&mut missing, "n1", PodSketch { node: "n1", ..OLD });
    assert_eq!(deleted(&decide(&missing)), Vec::<String>::new());
    let mut by_hand = world(&json!({ "type": "OnDelete" }), 1);
    put(&mut by_hand, "n1", PodSketch { node: "n1", ..OLD });
    assert_eq!(deleted(&decide(&by_hand)), Vec::<String>::new());
}

#[test]
fn an_update_with_surge_starts_the_new_pod_first() {
    let mut world = world(&rolling(1, 0), 2);
    for node in ["n1", "n2"] {
        put(&mut world, node, PodSketch { node, ..OLD });
    }
    let plan = decide(&world);
    let nodes = created_on(&plan);
    let [node] = nodes.as_slice() else { panic!("{nodes:?}") };
    let Some(Action::Create { object, .. }) = plan.actions.first() else { panic!() };
    let hash = object.meta().labels.clone().unwrap()["controller-revision-hash"].clone();
    let labels = &[("controller-revision-hash", hash.as_str())];
    put(&mut world, "new", PodSketch { node, ready: None, labels, ..NEW });
    let plan = decide(&world);
    assert_eq!((created_on(&plan), deleted(&plan)), (vec![], vec![]));
    put(&mut world, "new", PodSketch { node, labels, ..NEW });
    let plan = decide(&world);
    assert_eq!(deleted(&plan), std::slice::from_ref(node));
}

#[test]
fn an_old_revision_goes_when_there_are_too_many_and_no_pod_has_it() {
    let mut world = world(&rolling(0, 1), 1);
    let mut ds = daemon_set(&rolling(0, 1));
    ds["spec"]["revisionHistoryLimit"] = json!(1);
    world.put::<DaemonSet>(ds);
    for revision in 1..=3 {
        world.put::<k8s_openapi::api::apps::v1::ControllerRevision>(json!({
            "metadata": {
                "name": format!("old{revision}"),
                "labels": { "app": "a", "controller-revision-hash": format!("h{revision}") },
                "ownerReferences": [owner("DaemonSet", "d")],
            },
            "data": {},
            "revision": revision,
        }));
    }
    let labels = &[("controller-revision-hash", "h1")];
    put(&mut world, "n1", PodSketch { node: "n1", labels, deleted: true, ..NEW });
    assert_eq!(deleted(&decide(&world)), ["old2", "old3"]);
}

#[test]
fn a_pod_that_is_going_is_replaced_early_only_with_surge_and_where_one_should_run() {
    let taint = |effect: &str| json!([{ "key": "k", "effect": effect }]);
    for (strategy, taints, creates) in [
        (rolling(1, 0), json!([]), vec!["n1"]),
        (rolling(0, 1), json!([]), vec![]),
        // A pod that is there may stay, but none starts.
        (rolling(1, 0), taint("NoSchedule"), vec![]),
    ] {
        let mut world = world(&strategy, 0);
        world.put::<Node>(json!({ "metadata": { "name": "n1" }, "spec": { "taints": taints } }));
        let pod = PodSketch { node: "n1", deleted: true, ..PodSketch::default() };
        put(&mut world, "p", pod);
        assert_eq!(created_on(&decide(&world)), creates, "{strategy} {taints}");
    }
}

#[test]
fn pods_are_created_in_batches_and_deleted_whatever_becomes_of_them() {
    let mut world = world(&rolling(0, 1), 4);
    put(&mut world, "old", PodSketch { node: "n1", ..PodSketch::default() });
    put(&mut world, "twin", PodSketch { node: "n1", created: 5, ..PodSketch::default() });
    let plan = decide(&world);
    assert_eq!(deleted(&plan), ["twin"]);
    let attempts = plan.attempts.iter().map(|it| {
        let is_delete = matches!(plan.actions[it.actions.start], Action::Delete { .. });
        (if is_delete { "delete" } else { "create" }, it.actions.len(), it.batch)
    });
    assert_eq!(
        attempts.collect::<Vec<_>>(),
        [("create", 1, 0), ("create", 1, 1), ("create", 1, 1), ("delete", 2, 0)]
    );
}
