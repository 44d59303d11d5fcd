//! Reconcile cases of Deployments.

use api::{Kind, ObjectRef, Plan, Resource};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use serde_json::{Value, json};

use super::deployment_controller::DeploymentController;
use super::deployment_util as util;
use crate::testing::{World, at_ms, deleted, lines, owner, status_of, template, time};

/// A Deployment named `d` that rolls with the given surge and unavailability.
fn deployment(replicas: i32, surge: Value, unavailable: Value) -> Value {
    json!({
        "metadata": { "name": "d", "generation": 1 },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": "a" } },
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable },
            },
            "template": template("new"),
            "progressDeadlineSeconds": 60,
            "revisionHistoryLimit": 2,
        },
    })
}

/// A ReplicaSet of `d`; `noted` is the size of `d` when it was scaled last, with its surge.
fn replica_set(image: &str, at: i64, size: i32, available: i32, noted: (i32, i32)) -> Value {
    json!({
        "metadata": {
            "name": format!("d-{image}"),
            "generation": 1,
            "creationTimestamp": time(at),
            "labels": { "app": "a" },
            "ownerReferences": [owner("Deployment", "d")],
            "annotations": {
                "deployment.kubernetes.io/revision": (at + 1).to_string(),
                "deployment.kubernetes.io/desired-replicas": noted.0.to_string(),
                "deployment.kubernetes.io/max-replicas": noted.1.to_string(),
            },
        },
        "spec": {
            "replicas": size,
            "selector": { "matchLabels": { "app": "a" } },
            "template": template(image),
        },
        "status": {
            "observedGeneration": 1,
            "replicas": size,
            "readyReplicas": available,
            "availableReplicas": available,
        },
    })
}

fn decide(world: &World) -> Plan {
    world.decide::<Deployment>(&mut DeploymentController, "d")
}

fn scalings(plan: &Plan) -> Vec<String> {
    let prefix = "event ScalingReplicaSet: Scaled ";
    let all = lines(plan);
    let scalings = all.iter().filter_map(|it| it.strip_prefix(prefix));
    scalings.map(|it| it.replace("replica set ", "")).collect()
}

fn progressing(plan: &Plan) -> String {
    let status = status_of::<Deployment>(plan).and_then(|it| it.status).unwrap_or_default();
    let condition = util::condition(&status, util::PROGRESSING).cloned().unwrap_or_default();
    format!("{} {}", condition.status, condition.reason.unwrap_or_default())
}

#[test]
fn the_first_replica_set_is_named_after_its_template() {
    let created = |image: &str| {
        let mut world = World::default();
        let mut d = deployment(3, json!("25%"), json!("25%"));
        d["spec"]["template"] = template(image);
        world.put::<Deployment>(d);
        let plan = decide(&world);
        assert_eq!(progressing(&plan), "True NewReplicaSetCreated");
        lines(&plan)[0].clone()
    };
    let line = created("x");
    assert!(line.starts_with("create ReplicaSet d-") && line.ends_with(" replicas=3"), "{line}");
    assert_eq!(created("x"), line);
    assert_ne!(created("y"), line);
}

#[test]
fn a_name_that_is_taken_is_not_tried_twice() {
    let mut world = World::default();
    world.put::<Deployment>(deployment(1, json!(1), json!(0)));
    let mut first = decide(&world);
    let api::Action::Create { object, .. } = first.actions.remove(0) else { panic!() };
    let mut foreign = object.clone();
    foreign.meta_mut().owner_references = None;
    foreign.meta_mut().labels = None;
    world.objects.put(foreign);
    let plan = decide(&world);
    assert_eq!(lines(&plan), Vec::<String>::new());
    world.apply(&plan);
    let again = lines(&decide(&world));
    assert!(again[0].starts_with("create ReplicaSet"));
    assert!(!again[0].contains(object.name()));
}

/// Rows: size, surge, unavailable; the old set's size and available pods; the new set's; what is
/// scaled.
#[test]
fn a_rolling_update_keeps_within_surge_and_unavailability() {
    for (replicas, surge, unavailable, old, new, expected) in [
        (4, json!("25%"), json!("25%"), (4, 4), (1, 0), vec!["down d-old from 4 to 3"]),
        (4, json!("25%"), json!("25%"), (3, 3), (1, 0), vec!["up d-new from 1 to 2"]),
        (4, json!("25%"), json!("25%"), (3, 3), (2, 0), vec![]),
        (4, json!("25%"), json!("25%"), (3, 3), (2, 1), vec!["down d-old from 3 to 2"]),
        (2, json!(1), json!(0), (2, 2), (1, 0), vec![]),
        (2, json!(1), json!(0), (2, 2), (1, 1), vec!["down d-old from 2 to 1"]),
        (2, json!(0), json!(1), (2, 2), (0, 0), vec!["down d-old from 2 to 1"]),
        (2, json!(0), json!(1), (1, 1), (0, 0), vec!["up d-new from 0 to 1"]),
        // One per cent of two is nothing, and then one may be unavailable after all.
        (2, json!(0), json!("1%"), (2, 2), (0, 0), vec!["down d-old from 2 to 1"]),
        // What is unhealthy goes first, and costs no availability.
        (4, json!("25%"), json!("25%"), (4, 1), (1, 1), vec!["down d-old from 4 to 2"]),
        (4, json!("25%"), json!("25%"), (0, 0), (5, 5), vec!["down d-new from 5 to 4"]),
        // New pods that are not available yet hold even the unhealthy ones.
        (10, json!(2), json!(2), (8, 6), (4, 0), vec![]),
        // A set that was just scaled does not know yet how many pods it is to lose.
        (5, json!(3), json!(2), (5, 11), (3, 0), vec![]),
    ] {
        let mut world = World::default();
        let max = replicas + 1;
        world.put::<Deployment>(deployment(replicas, surge.clone(), unavailable.clone()));
        world.put::<ReplicaSet>(replica_set("old", 0, old.0, old.1, (replicas, max)));
        world.put::<ReplicaSet>(replica_set("new", 1, new.0, new.1, (replicas, max)));
        let found = scalings(&decide(&world));
        assert_eq!(found, expected, "{replicas} {surge} {unavailable}: {old:?} {new:?}");
    }
}

/// Rows: the size before and after; the sizes of old and new set; the scalings.
#[test]
fn a_change_of_size_during_a_roll_out_is_shared_in_proportion() {
    for (before, after, old, new, expected) in [
        (10, 15, 8, 5, vec!["up d-old from 8 to 11", "up d-new from 5 to 7"]),
        (10, 5, 8, 5, vec!["down d-old from 8 to 5", "down d-new from 5 to 3"]),
        (10, 0, 8, 5, vec!["down d-old from 8 to 0", "down d-new from 5 to 0"]),
    ] {
        let mut world = World::default();
        world.put::<Deployment>(deployment(after, json!(3), json!(2)));
        world.put::<ReplicaSet>(replica_set("old", 0, old, old, (before, before + 3)));
        world.put::<ReplicaSet>(replica_set("new", 1, new, 0, (before, before + 3)));
        assert_eq!(scalings(&decide(&world)), expected, "{before} to {after}");
    }
}

#[test]
fn recreate_waits_for_the_last_old_pod() {
    let mut d = deployment(2, json!(1), json!(0));
    d["spec"]["strategy"] = json!({ "type": "Recreate" });
    for (size, actual, expected) in
        [(2, 2, "update ReplicaSet d-old replicas=0"), (0, 1, ""), (0, 0, "create")]
    {
        let mut world = World::default();
        world.put::<Deployment>(d.clone());
        let mut old = replica_set("old", 0, size, 0, (2, 2));
        old["status"]["replicas"] = json!(actual);
        world.put::<ReplicaSet>(old);
        let lines = lines(&decide(&world)).join("; ");
        assert_eq!(lines.is_empty(), expected.is_empty(), "{size} {actual}: {lines}");
        assert!(lines.contains(expected), "{size} {actual}: {lines}");
    }
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll_out() {
    let mut d = deployment(3, json!(1), json!(0));
    d["spec"]["paused"] = json!(true);
    let mut world = World::default();
    world.put::<Deployment>(d.clone());
    world.put::<ReplicaSet>(replica_set("old", 0, 2, 2, (2, 3)));
    let plan = decide(&world);
    assert_eq!(scalings(&plan), ["up d-old from 2 to 3"]);
    assert_eq!(progressing(&plan), "Unknown DeploymentPaused");

    d["spec"]["paused"] = json!(false);
    d["status"] = json!({
        "conditions": [{ "type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused" }],
    });
    let mut world = World::default();
    world.put::<Deployment>(d);
    world.put::<ReplicaSet>(replica_set("new", 0, 3, 3, (3, 4)));
    assert_eq!(progressing(&decide(&world)), "Unknown DeploymentResumed");
}

#[test]
fn a_roll_out_that_does_not_get_on_is_reported_when_the_deadline_has_passed() {
    let started = json!({
        "observedGeneration": 1,
        "replicas": 1,
        "updatedReplicas": 1,
        "unavailableReplicas": 1,
        "terminatingReplicas": 0,
        "conditions": [
            {
                "type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated",
                "message": "ReplicaSet \"d-new\" is progressing.",
                "lastUpdateTime": time(0), "lastTransitionTime": time(0),
            },
            {
                "type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable",
                "message": "Deployment does not have minimum availability.",
                "lastUpdateTime": time(0), "lastTransitionTime": time(0),
            },
        ],
    });
    for (reason, now_ms, requeue_ms, expected) in [
        ("ReplicaSetUpdated", 1_000, Some(61_000), " "),
        ("ReplicaSetUpdated", 59_500, Some(60_005), " "),
        ("ReplicaSetUpdated", 60_005, None, "False ProgressDeadlineExceeded"),
        // It was complete once; that it lost its pod is no matter of progress.
        ("NewReplicaSetAvailable", 1_000, None, " "),
        ("NewReplicaSetAvailable", 60_005, None, " "),
    ] {
        let mut world = World::at_ms(now_ms);
        let mut d = deployment(1, json!(1), json!(0));
        d["metadata"]["annotations"] = json!({ "deployment.kubernetes.io/revision": "1" });
        d["status"] = started.clone();
        d["status"]["conditions"][0]["reason"] = json!(reason);
        world.put::<Deployment>(d);
        let mut rs = replica_set("new", 0, 1, 0, (1, 2));
        rs["status"]["terminatingReplicas"] = json!(0);
        world.put::<ReplicaSet>(rs);
        let plan = decide(&world);
        assert_eq!(progressing(&plan), expected, "at {now_ms}");
        assert_eq!(plan.requeue_at, requeue_ms.map(at_ms), "at {now_ms}");
    }
}

#[test]
fn the_oldest_sets_shrink_first() {
    let mut world = World::default();
    world.put::<Deployment>(deployment(4, json!(1), json!(1)));
    for (image, at, size) in [("a", 5, 2), ("z", 1, 2), ("new", 9, 1)] {
        world.put::<ReplicaSet>(replica_set(image, at, size, size, (4, 5)));
    }
    assert_eq!(scalings(&decide(&world)), ["down d-z from 2 to 0"]);
}

#[test]
fn a_roll_out_that_was_complete_does_not_time_out() {
    let mut world = World::at_ms(500_000);
    let mut d = deployment(2, json!(1), json!(0));
    d["metadata"]["annotations"] = json!({ "deployment.kubernetes.io/revision": "1" });
    let condition = |reason: &str| {
        json!({ "type": "Progressing", "status": "True", "reason": reason,
            "lastUpdateTime": time(0), "lastTransitionTime": time(0) })
    };
    // It is scaled long after its roll-out has ended, and an old set turns up.
    d["status"] = json!({
        "observedGeneration": 1, "replicas": 1, "updatedReplicas": 2,
        "readyReplicas": 9, "availableReplicas": 9,
        "conditions": [condition("NewReplicaSetAvailable")],
    });
    world.put::<Deployment>(d.clone());
    world.put::<ReplicaSet>(replica_set("new", 0, 2, 1, (2, 3)));
    world.put::<ReplicaSet>(replica_set("old", 0, 1, 1, (2, 3)));
    assert_eq!(progressing(&decide(&world)), "True NewReplicaSetAvailable");
    world.objects.remove(&ObjectRef::new(Kind::ReplicaSet, "default", "d-old"));
    // One that gets on keeps the time since when it has been under way.
    d["status"]["conditions"] = json!([condition("ReplicaSetUpdated")]);
    d["status"]["updatedReplicas"] = json!(1);
    world.put::<Deployment>(d);
    let status = status_of::<Deployment>(&decide(&world)).and_then(|it| it.status).unwrap();
    let it = util::condition(&status, util::PROGRESSING).unwrap();
    let at = |it: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| {
        it.as_ref().map(|it| it.0.as_second())
    };
    assert_eq!((at(&it.last_update_time), at(&it.last_transition_time)), (Some(500), Some(0)));
}

#[test]
fn a_rollback_takes_the_next_number_and_remembers_the_old_one() {
    let mut world = World::default();
    world.put::<Deployment>(deployment(1, json!(1), json!(0)));
    world.put::<ReplicaSet>(replica_set("new", 0, 0, 0, (1, 2)));
    world.put::<ReplicaSet>(replica_set("other", 1, 1, 1, (1, 2)));
    let plan = decide(&world);
    world.apply(&plan);
    let key = ObjectRef::new(Kind::ReplicaSet, "default", "d-new");
    let rs = world.objects.get(&key).and_then(|it| it.as_kind::<ReplicaSet>()).unwrap();
    assert_eq!(util::annotation(rs.meta(), util::REVISION), "3");
    assert_eq!(util::annotation(rs.meta(), "deployment.kubernetes.io/revision-history"), "1");
    assert_eq!(scalings(&plan), ["up d-new from 0 to 1"]);
}

#[test]
fn the_oldest_empty_replica_sets_beyond_the_limit_go_when_the_roll_out_is_complete() {
    let mut world = World::default();
    let mut d = deployment(1, json!(1), json!(0));
    d["status"] = json!({
        "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
    });
    world.put::<Deployment>(d);
    for (at, image) in ["a", "b", "c", "e"].into_iter().enumerate() {
        let at = i64::try_from(at).unwrap();
        world.put::<ReplicaSet>(replica_set(image, at, 0, 0, (1, 2)));
    }
    world.put::<ReplicaSet>(replica_set("new", 9, 1, 1, (1, 2)));
    assert_eq!(deleted(&decide(&world)), ["d-a", "d-b"]);
}

#[test]
fn an_old_replica_set_with_pods_or_news_stays() {
    // Rows: what the two oldest of three sets have; which of them go.
    for (oldest, expected) in [
        (json!({}), vec!["d-a"]),
        (json!({ "status": { "replicas": 1 } }), vec![]),
        (json!({ "spec": { "replicas": 1 } }), vec![]),
        (json!({ "metadata": { "generation": 2 } }), vec![]),
        // One that is going already does not count.
        (json!({ "metadata": { "deletionTimestamp": time(9) } }), vec![]),
    ] {
        let mut world = World::default();
        let mut d = deployment(1, json!(1), json!(0));
        let status = json!({ "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
            "observedGeneration": 1, "readyReplicas": 1 });
        d["status"] = status;
        world.put::<Deployment>(d);
        for (at, image) in ["a", "b", "c"].into_iter().enumerate() {
            let at = i64::try_from(at).unwrap();
            let mut rs = replica_set(image, at, 0, 0, (1, 2));
            if image == "a" {
                for (part, fields) in oldest.as_object().unwrap() {
                    for (key, value) in fields.as_object().unwrap() {
                        rs[part][key] = value.clone();
                    }
                }
            }
            world.put::<ReplicaSet>(rs);
        }
        world.put::<ReplicaSet>(replica_set("new", 9, 1, 1, (1, 2)));
        // An old set with a size of its own is scaled down instead.
        assert_eq!(deleted(&decide(&world)), expected, "{oldest}");
    }
}
