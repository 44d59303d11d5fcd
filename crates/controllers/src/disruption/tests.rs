//! Tables of passes: what budgets count, say and write.

use serde_json::{Value, json};

use super::*;
use crate::testing::{PodSketch, World, at_ms, lines, owner, status_of, time};

const BUDGET: &str = "x";

/// Expected pods, desired and current healthy ones, allowed disruptions.
type Numbers = (i32, i32, i32, i32);

/// A budget with a field or two, for the pods `app=a`.
fn budget(world: &mut World, mut spec: Value) {
    spec["selector"] = json!({ "matchLabels": { "app": "a" } });
    world.put::<PodDisruptionBudget>(
        json!({ "metadata": { "name": BUDGET, "generation": 2 }, "spec": spec }),
    );
}

fn numbers(it: &PodDisruptionBudget) -> Numbers {
    let status = it.status.as_ref().unwrap();
    let told = [
        status.expected_pods,
        status.desired_healthy,
        status.current_healthy,
        status.disruptions_allowed,
    ];
    let [a, b, c, d] = told.map(Option::unwrap);
    (a, b, c, d)
}

fn pass(world: &World) -> Plan {
    world.decide::<PodDisruptionBudget>(&mut DisruptionController::default(), BUDGET)
}

fn set<T: Resource + serde::de::DeserializeOwned>(
    world: &mut World,
    name: &str,
    replicas: i32,
    parent: &Value,
) {
    let owners = if parent.is_null() { json!([]) } else { json!([parent]) };
    world.put::<T>(json!({
        "metadata": { "name": name, "ownerReferences": owners },
        "spec": { "replicas": replicas, "selector": {}, "serviceName": "s", "template": {} },
    }));
}

#[test]
fn budgets_count_their_pods() {
    let check = |spec: Value, replicas: i32, ready: &[bool], expected: Numbers| {
        let mut world = World::at_ms(0);
        set::<ReplicaSet>(&mut world, "rs", replicas, &Value::Null);
        for (n, ready) in ready.iter().enumerate() {
            let sketch = PodSketch { ready: ready.then_some(0), ..PodSketch::default() };
            world.put_pod(&owner("ReplicaSet", "rs"), &format!("p{n}"), sketch);
        }
        budget(&mut world, spec.clone());
        let written = status_of::<PodDisruptionBudget>(&pass(&world)).unwrap();
        assert_eq!(numbers(&written), expected, "{spec} of {replicas}: {ready:?}");
        assert_eq!(written.status.unwrap().observed_generation, Some(2));
    };
    let (all, two) = ([true, true, true], [true, true, false]);
    check(json!({ "minAvailable": 2 }), 3, &all, (3, 2, 3, 1));
    check(json!({ "minAvailable": 3 }), 3, &two, (3, 3, 2, 0));
    // A number counts the pods that are there; a share counts what is asked for.
    check(json!({ "minAvailable": 2 }), 9, &all, (3, 2, 3, 1));
    check(json!({ "minAvailable": "50%" }), 9, &all, (9, 5, 3, 0));
    check(json!({ "minAvailable": "50%" }), 3, &all, (3, 2, 3, 1));
    check(json!({ "minAvailable": "0%" }), 3, &two, (3, 0, 2, 2));
    check(json!({ "minAvailable": "100%" }), 3, &all, (3, 3, 3, 0));
    check(json!({ "maxUnavailable": 1 }), 4, &[true, true, true, false], (4, 3, 3, 0));
    check(json!({ "maxUnavailable": 9 }), 3, &two, (3, 0, 2, 2));
    check(json!({ "maxUnavailable": "30%" }), 4, &[true; 4], (4, 2, 4, 2));
    check(json!({ "maxUnavailable": "30%" }), 7, &[true; 7], (7, 4, 7, 3));
    check(json!({ "maxUnavailable": 0 }), 3, &all, (3, 3, 3, 0));
    check(json!({ "maxUnavailable": 1 }), 0, &[true], (0, 0, 1, 0));
    check(json!({ "minAvailable": 0 }), 0, &[], (0, 0, 0, 0));
}

#[test]
fn what_is_asked_for_is_what_the_topmost_controller_asks_for() {
    let deployment = owner("Deployment", "d");
    for (what, expected) in [
        ("deployment", Ok((7, 6, 1, 0))),
        ("deployment is gone", Ok((3, 2, 1, 0))),
        ("set is gone", Err("found no controllers for pod \"p\"")),
        ("job", Err("jobs.batch does not implement the scale subresource")),
        ("custom", Err("no matches for kind \"Ring\" in version \"example.com/v1\"")),
        ("two controllers", Ok((8, 7, 2, 0))),
    ] {
        let mut world = World::at_ms(0);
        let mut of = owner("ReplicaSet", "rs");
        match what {
            "job" => of["apiVersion"] = json!("batch/v1"),
            "custom" => of["apiVersion"] = json!("example.com/v1"),
            _ => {}
        }
        match what {
            "job" => of["kind"] = json!("Job"),
            "custom" => of["kind"] = json!("Ring"),
            _ => {}
        }
        if what != "set is gone" {
            let parent = if what == "two controllers" { &Value::Null } else { &deployment };
            set::<ReplicaSet>(&mut world, "rs", 3, parent);
        }
        if what == "deployment" {
            set::<Deployment>(&mut world, "d", 7, &Value::Null);
        }
        world.put_pod(&of, "p", PodSketch::default());
        if what == "two controllers" {
            set::<StatefulSet>(&mut world, "db", 5, &Value::Null);
            world.put_pod(&owner("StatefulSet", "db"), "db-0", PodSketch::default());
        }
        budget(&mut world, json!({ "maxUnavailable": 1 }));
        let plan = pass(&world);
        let written = status_of::<PodDisruptionBudget>(&plan).unwrap();
        match expected {
            Ok(expected) => assert_eq!(numbers(&written), expected, "{what}"),
            Err(why) => {
                let text = format!("Failed to calculate the number of expected pods: {why}");
                assert_eq!(
                    lines(&plan),
                    [format!("event CalculateExpectedPodCountFailed: {text}")]
                );
                let status = written.status.unwrap();
                assert_eq!(status.disruptions_allowed, Some(0));
                let condition = &status.conditions.unwrap()[0];
                let told = (&*condition.status, &*condition.reason, &*condition.message);
                assert_eq!(told, ("False", "SyncFailed", why));
            }
        }
    }
}

#[test]
fn nothing_is_said_where_the_numbers_are_plain() {
    let said = |spec: Value, owners: &[Value]| {
        let mut world = World::at_ms(0);
        set::<ReplicaSet>(&mut world, "rs", 1, &Value::Null);
        for (n, owner) in owners.iter().enumerate() {
            world.put_pod(owner, &format!("p{n}"), PodSketch::default());
        }
        budget(&mut world, spec);
        let reason = |it: &String| it.split(": ").next().unwrap().to_owned();
        lines(&pass(&world)).iter().map(reason).collect::<Vec<_>>()
    };
    let controlled = owner("ReplicaSet", "rs");
    for (spec, owners, expected) in [
        (json!({ "minAvailable": 1 }), vec![], vec!["event NoPods"]),
        (json!({ "maxUnavailable": 1 }), vec![], vec!["event NoPods"]),
        (json!({ "minAvailable": 1 }), vec![Value::Null], vec![]),
        (json!({ "maxUnavailable": 1 }), vec![Value::Null], vec!["event UnmanagedPods"]),
        (json!({ "minAvailable": "50%" }), vec![Value::Null], vec!["event UnmanagedPods"]),
        (json!({ "minAvailable": "50%" }), vec![controlled.clone()], vec![]),
        (
            json!({ "maxUnavailable": 1 }),
            vec![controlled, Value::Null],
            vec!["event UnmanagedPods"],
        ),
    ] {
        assert_eq!(said(spec.clone(), &owners), expected, "{spec} {owners:?}");
    }
}

#[test]
fn a_pod_that_was_let_go_counts_no_more_until_it_should_have_gone() {
    for (since, deleted, expected, requeue, event) in [
        (0, false, (3, 1, 2, 1), Some(120_005), false),
        (0, true, (3, 1, 2, 1), None, false),
        (-119, false, (3, 1, 2, 1), Some(1_005), false),
        (-121, false, (3, 1, 3, 2), None, true),
    ] {
        let mut world = World::at_ms(1_000_000);
        for name in ["a", "b", "c"] {
            let deleted = deleted && name == "a";
            world.put_pod(&Value::Null, name, PodSketch { deleted, ..PodSketch::default() });
        }
        budget(&mut world, json!({ "minAvailable": 1 }));
        let mut it =
            world.view().listers.get::<PodDisruptionBudget>("default", BUDGET).cloned().unwrap();
        let at: Time = serde_json::from_value(time(1_000 + since)).unwrap();
        it.status.get_or_insert_default().disrupted_pods =
            Some([("a".to_owned(), at.clone()), ("gone".to_owned(), at)].into());
        world.objects.put(it.into_object());
        let plan = pass(&world);
        let written = status_of::<PodDisruptionBudget>(&plan).unwrap();
        assert_eq!(numbers(&written), expected, "{since} {deleted}");
        let left: Vec<String> =
            written.status.unwrap().disrupted_pods.unwrap_or_default().into_keys().collect();
        let stays = requeue.is_some();
        assert_eq!(left, if stays { vec!["a"] } else { vec![] }, "{since} {deleted}");
        assert_eq!(plan.requeue_at, requeue.map(|it| at_ms(1_000_000 + it)));
        let text =
            "event NotDeleted: Pod was expected by PDB default/default to be deleted but it wasn't";
        assert_eq!(lines(&plan), if event { vec![text] } else { vec![] });
    }
}

#[test]
fn a_status_that_is_right_is_not_written_again() {
    let mut world = World::at_ms(0);
    world.put_pod(&Value::Null, "a", PodSketch::default());
    budget(&mut world, json!({ "minAvailable": 1 }));
    let plan = pass(&world);
    world.apply(&plan);
    assert!(pass(&world).is_empty());
    world.put_pod(&Value::Null, "a", PodSketch { ready: None, ..PodSketch::default() });
    let written = status_of::<PodDisruptionBudget>(&pass(&world)).unwrap();
    assert_eq!(numbers(&written), (1, 1, 0, 0));
}

#[test]
fn a_target_that_was_not_deleted_is_forgiven_after_two_minutes() {
    for (status, reason, phase, deleted, at, expected) in [
        ("True", "EvictionByEvictionAPI", "Running", false, 119, Ok(120_000)),
        ("True", "EvictionByEvictionAPI", "Running", false, 120, Err("False")),
        ("True", "TerminationByKubelet", "Running", false, 500, Ok(0)),
        ("True", "DeletionByPodGC", "Failed", false, 500, Ok(0)),
        ("True", "DeletionByTaintManager", "Running", true, 500, Ok(0)),
        ("False", "", "Running", false, 500, Ok(0)),
    ] {
        let mut world = World::at_ms(at * 1_000);
        world.put::<Pod>(json!({
            "metadata": { "name": "p", "deletionTimestamp": deleted.then(|| time(0)) },
            "status": { "phase": phase, "conditions": [{
                "type": "DisruptionTarget", "status": status, "reason": reason,
                "lastTransitionTime": time(0),
            }] },
        }));
        let plan = world.decide::<Pod>(&mut DisruptionController::default(), "p");
        let written = status_of::<Pod>(&plan);
        let told = written.as_ref().and_then(|it| pods::condition(it, "DisruptionTarget"));
        let requeue = plan.requeue_at.map_or(0, |it| it.as_millisecond());
        let got = told.map_or(Ok(requeue), |it| Err(it.status.as_str()));
        assert_eq!(got, expected, "{status} {reason} {phase} {deleted} at {at}");
    }
}

/// What a change of a pod makes a controller say, and whether it looks at the budget at all.
fn reaction(
    world: &World,
    it: &mut DisruptionController,
    old: &Pod,
    new: &Pod,
) -> Option<Vec<String>> {
    let mut queue = WorkQueue::default();
    let change =
        Change { old: Some(old.clone().into_object()), new: Some(new.clone().into_object()) };
    it.react(&change, &world.view(), &mut queue);
    let key = ObjectRef::new(Kind::PodDisruptionBudget, "default", BUDGET);
    let queued = queue.entries.iter().any(|(it, _)| *it == key);
    queued.then(|| lines(&it.decide(&key, &world.view())))
}

#[test]
fn each_change_of_a_pod_makes_a_budget_say_again_what_it_has_to_say() {
    let mut world = World::at_ms(0);
    world.put_pod(&Value::Null, "p", PodSketch::default());
    budget(&mut world, json!({ "minAvailable": 1 }));
    let old = world.view().listers.get::<Pod>("default", "p").cloned().unwrap();
    let mut new = old.clone();
    new.status.as_mut().unwrap().pod_ip = Some("10.0.0.1".to_owned());
    let mut controller = DisruptionController::default();
    assert_eq!(reaction(&world, &mut controller, &old, &new), None, "it changes no number");
    // With a second budget, every change is remarked on, once each.
    world.put::<PodDisruptionBudget>(json!({
        "metadata": { "name": "y" },
        "spec": { "selector": { "matchLabels": { "app": "a" } } },
    }));
    let said = reaction(&world, &mut controller, &old, &new).unwrap();
    let text = "event MultiplePodDisruptionBudgets: Pod \"default\"/\"p\" matches multiple \
                PodDisruptionBudgets.  Chose \"x\" arbitrarily.";
    assert_eq!(said, [text]);
    assert_eq!(reaction(&world, &mut controller, &old, &new).unwrap(), [text]);
    // A budget that complained about unmanaged pods does so again.
    let mut world = World::at_ms(0);
    world.put_pod(&Value::Null, "p", PodSketch::default());
    budget(&mut world, json!({ "maxUnavailable": 1 }));
    assert_eq!(lines(&pass(&world)).len(), 1);
    world.decide::<PodDisruptionBudget>(&mut controller, BUDGET);
    assert_eq!(reaction(&world, &mut controller, &old, &new).unwrap().len(), 1);
}
