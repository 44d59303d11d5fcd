//! Reconcile cases of StatefulSets.

use api::{Action, Plan};
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use serde_json::{Value, json};

use super::StatefulSetController;
use crate::testing::{PodSketch, World, deleted, lines, owner, status_of, template};

fn stateful_set(replicas: i32, policy: &str, partition: i32) -> Value {
    json!({
        "metadata": { "name": "s", "generation": 1 },
        "spec": {
            "replicas": replicas,
            "serviceName": "s",
            "podManagementPolicy": policy,
            "selector": { "matchLabels": { "app": "a" } },
            "template": template("x"),
            "updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": { "partition": partition },
            },
        },
    })
}

/// The set and its current revision. Returns the revision's name.
fn put_set(world: &mut World, set: Value) -> String {
    world.put::<StatefulSet>(set);
    let mut plan = decide(world);
    plan.actions.truncate(1);
    world.apply(&plan);
    match &plan.actions[0] {
        Action::Create { object, .. } => object.name().to_owned(),
        _ => panic!("the first round creates a revision"),
    }
}

fn decide(world: &World) -> Plan {
    world.decide::<StatefulSet>(&mut StatefulSetController::default(), "s")
}

fn created(plan: &Plan) -> Vec<String> {
    let lines = lines(plan);
    lines.iter().filter_map(|it| it.strip_prefix("create Pod ").map(str::to_owned)).collect()
}

/// Rows: how the set manages pods, how many it wants; the pods (`+` ready, `-` not, `x` failed,
/// `~` going); which are created and which deleted.
#[test]
fn pods_start_and_stop_in_order() {
    for (policy, replicas, pods, creates, deletes) in [
        ("OrderedReady", 3, "", vec!["s-0"], vec![]),
        ("OrderedReady", 3, "-", vec![], vec![]),
        ("OrderedReady", 3, "+", vec!["s-1"], vec![]),
        ("OrderedReady", 3, "x", vec![], vec!["s-0"]),
        ("OrderedReady", 3, "~++", vec![], vec![]),
        ("OrderedReady", 1, "+++", vec![], vec!["s-2"]),
        ("OrderedReady", 1, "++~", vec![], vec![]),
        ("OrderedReady", 1, "-++", vec![], vec![]),
        ("OrderedReady", 1, "+-+", vec![], vec!["s-2"]),
        ("OrderedReady", 1, "++-", vec![], vec!["s-2"]),
        ("OrderedReady", 1, "+--", vec![], vec![]),
        ("Parallel", 1, "+--", vec![], vec!["s-2", "s-1"]),
        ("Parallel", 3, "", vec!["s-0", "s-1", "s-2"], vec![]),
        ("Parallel", 3, "-", vec!["s-1", "s-2"], vec![]),
        ("Parallel", 1, "-++", vec![], vec!["s-2", "s-1"]),
    ] {
        let mut world = World::default();
        let revision = put_set(&mut world, stateful_set(replicas, policy, 0));
        let labels = &[
            ("controller-revision-hash", revision.as_str()),
            ("statefulset.kubernetes.io/pod-name", ""),
        ];
        for (ordinal, state) in pods.chars().enumerate() {
            let name = format!("s-{ordinal}");
            let labels = &[labels[0], (labels[1].0, name.as_str())];
            let pod = PodSketch {
                phase: if state == 'x' { "Failed" } else { "Running" },
                ready: matches!(state, '+' | '~').then_some(0),
                deleted: state == '~',
                labels,
                ..PodSketch::default()
            };
            world.put_pod(&owner("StatefulSet", "s"), &name, pod);
        }
        let plan = decide(&world);
        assert_eq!(created(&plan), creates, "{policy} {replicas} {pods}");
        assert_eq!(deleted(&plan), deletes, "{policy} {replicas} {pods}");
    }
}

#[test]
fn an_update_goes_from_the_highest_number_down_to_the_partition() {
    // Rows: the partition; the revisions of three pods (`-`: new and not ready); which is deleted.
    for (policy, partition, pods, deletes) in [
        ("OrderedReady", 0, "ooo", vec!["s-2"]),
        ("OrderedReady", 0, "oon", vec!["s-1"]),
        ("OrderedReady", 0, "onn", vec!["s-0"]),
        ("OrderedReady", 0, "nnn", vec![]),
        ("OrderedReady", 2, "ooo", vec!["s-2"]),
        ("OrderedReady", 2, "oon", vec![]),
        ("Parallel", 0, "ooo", vec!["s-2"]),
        ("Parallel", 0, "oo-", vec![]),
        ("Parallel", 0, "o-n", vec![]),
        ("Parallel", 0, "-on", vec!["s-1"]),
    ] {
        let mut world = World::default();
        let new = put_set(&mut world, stateful_set(3, policy, partition));
        for (ordinal, state) in pods.chars().enumerate() {
            let name = format!("s-{ordinal}");
            let revision = if state == 'o' { "s-old" } else { new.as_str() };
            let labels = &[
                ("controller-revision-hash", revision),
                ("statefulset.kubernetes.io/pod-name", name.as_str()),
            ];
            let ready = (state != '-').then_some(0);
            let pod = PodSketch { labels, ready, ..PodSketch::default() };
            world.put_pod(&owner("StatefulSet", "s"), &name, pod);
        }
        let plan = decide(&world);
        assert_eq!(deleted(&plan), deletes, "{policy} {partition} {pods}");
    }
}

#[test]
fn a_pod_below_the_partition_is_made_from_the_current_revision() {
    let mut world = World::default();
    put_set(&mut world, stateful_set(2, "Parallel", 1));
    world.put::<ControllerRevision>(json!({
        "metadata": {
            "name": "s-old",
            "labels": { "app": "a" },
            "ownerReferences": [owner("StatefulSet", "s")],
        },
        "data": { "spec": { "template": template("old") } },
        "revision": 0,
    }));
    let mut set = stateful_set(2, "Parallel", 1);
    set["status"] = json!({ "replicas": 0, "currentRevision": "s-old" });
    world.put::<StatefulSet>(set);
    let plan = decide(&world);
    let image = |action: &Action| match action {
        Action::Create { object, .. } => {
            let pod = object.as_kind::<Pod>()?;
            pod.spec.as_ref()?.containers[0].image.clone()
        }
        _ => None,
    };
    let images: Vec<String> = plan.actions.iter().filter_map(image).collect();
    assert_eq!(images, ["old", "x"]);
}

#[test]
fn a_number_comes_with_a_name_a_host_name_and_a_claim() {
    let mut world = World::default();
    let mut set = stateful_set(2, "OrderedReady", 0);
    set["spec"]["ordinals"] = json!({ "start": 5 });
    set["spec"]["volumeClaimTemplates"] = json!([{ "metadata": { "name": "data" }, "spec": {} }]);
    put_set(&mut world, set);
    let plan = decide(&world);
    assert_eq!(lines(&plan), ["create PersistentVolumeClaim data-s-5", "create Pod s-5"]);
    let Action::Create { object, .. } = &plan.actions[1] else { panic!() };
    let pod = object.as_kind::<Pod>().unwrap();
    let labels = pod.metadata.labels.clone().unwrap();
    assert_eq!(labels["apps.kubernetes.io/pod-index"], "5");
    let spec = pod.spec.clone().unwrap();
    assert_eq!((spec.hostname.as_deref(), spec.subdomain.as_deref()), (Some("s-5"), Some("s")));
    let volume = spec.volumes.unwrap().remove(0);
    assert_eq!(volume.persistent_volume_claim.unwrap().claim_name, "data-s-5");
}

#[test]
fn a_claim_that_is_being_deleted_holds_its_pod_up() {
    let mut world = World::default();
    let mut set = stateful_set(1, "OrderedReady", 0);
    set["spec"]["volumeClaimTemplates"] = json!([{ "metadata": { "name": "data" }, "spec": {} }]);
    put_set(&mut world, set);
    world.put::<PersistentVolumeClaim>(json!({
        "metadata": { "name": "data-s-0", "deletionTimestamp": "1970-01-01T00:00:00Z" },
    }));
    let plan = decide(&world);
    assert_eq!(
        lines(&plan),
        [
            "event FailedCreate: Create Pod s-0 in StatefulSet s failed error: pvc data-s-0 is being deleted"
        ]
    );
    assert!(plan.failed);
}

/// Rows: how the set manages pods; claims that are being deleted; what a round comes to. Pods that are started in parallel are tried in batches
/// of one, two, four.
#[test]
fn a_batch_with_a_pod_that_is_held_up_is_the_last() {
    let held = |pod: &str, claims: &[&str]| {
        let errors: Vec<String> =
            claims.iter().map(|it| format!("pvc {it}-{pod} is being deleted")).collect();
        let errors = errors.join(", ");
        let errors = if claims.len() > 1 { format!("[{errors}]") } else { errors };
        format!("event FailedCreate: Create Pod {pod} in StatefulSet s failed error: {errors}")
    };
    for (policy, claims, expected) in [
        ("OrderedReady", vec!["a-s-0", "b-s-0"], vec![held("s-0", &["a", "b"])]),
        ("Parallel", vec!["a-s-0", "b-s-0"], vec![held("s-0", &["a", "b"])]),
        (
            "Parallel",
            vec!["a-s-1", "b-s-2"],
            vec![
                "create PersistentVolumeClaim a-s-0".to_owned(),
                "create PersistentVolumeClaim b-s-0".to_owned(),
                "create Pod s-0".to_owned(),
                "create PersistentVolumeClaim b-s-1".to_owned(),
                held("s-1", &["a"]),
                "create PersistentVolumeClaim a-s-2".to_owned(),
                held("s-2", &["b"]),
            ],
        ),
    ] {
        let mut world = World::default();
        let mut set = stateful_set(5, policy, 0);
        let template = |name: &str| json!({ "metadata": { "name": name }, "spec": {} });
        set["spec"]["volumeClaimTemplates"] = json!([template("a"), template("b")]);
        put_set(&mut world, set);
        for name in &claims {
            world.put::<PersistentVolumeClaim>(json!({
                "metadata": { "name": name, "deletionTimestamp": "1970-01-01T00:00:00Z" },
            }));
        }
        let plan = decide(&world);
        assert_eq!(lines(&plan), expected, "{policy} {claims:?}");
        assert!(plan.failed);
    }
}

#[test]
fn a_finished_update_makes_the_new_revision_the_current_one() {
    let mut world = World::default();
    let revision = put_set(&mut world, stateful_set(1, "OrderedReady", 0));
    let mut set = stateful_set(1, "OrderedReady", 0);
    set["status"] = json!({ "replicas": 1, "currentRevision": "s-old", "currentReplicas": 0 });
    world.put::<StatefulSet>(set);
    let labels = &[
        ("controller-revision-hash", revision.as_str()),
        ("statefulset.kubernetes.io/pod-name", "s-0"),
    ];
    let pod = PodSketch { labels, ..PodSketch::default() };
    world.put_pod(&owner("StatefulSet", "s"), "s-0", pod);
    let status = status_of::<StatefulSet>(&decide(&world)).unwrap().status.unwrap();
    assert_eq!(status.current_revision.as_deref(), Some(revision.as_str()));
    assert_eq!((status.current_replicas, status.available_replicas), (Some(1), Some(1)));
}

#[test]
fn the_oldest_revisions_that_nobody_uses_go() {
    let mut world = World::default();
    let mut set = stateful_set(1, "OrderedReady", 0);
    set["spec"]["revisionHistoryLimit"] = json!(1);
    set["status"] = json!({ "replicas": 1, "currentRevision": "s-2" });
    world.put::<StatefulSet>(set);
    for revision in 1..=5 {
        world.put::<ControllerRevision>(json!({
            "metadata": {
                "name": format!("s-{revision}"),
                "labels": { "app": "a" },
                "ownerReferences": [owner("StatefulSet", "s")],
            },
            "data": { "spec": { "template": template(&format!("old-{revision}")) } },
            "revision": revision,
        }));
    }
    let labels = &[("controller-revision-hash", "s-1")];
    world.put_pod(&owner("StatefulSet", "s"), "s-0", PodSketch { labels, ..PodSketch::default() });
    let gone = deleted(&decide(&world));
    assert_eq!(gone, ["s-0", "s-3", "s-4"], "the pod is of an old revision");
}

/// Rows: the labels and the owner of a revision; what becomes of it.
#[test]
fn revisions_are_adopted_but_never_released() {
    for (app, owned, touched) in
        [("a", true, false), ("a", false, true), ("off", true, false), ("off", false, false)]
    {
        let mut world = World::default();
        put_set(&mut world, stateful_set(1, "OrderedReady", 0));
        let owners = if owned { json!([owner("StatefulSet", "s")]) } else { json!([]) };
        world.put::<ControllerRevision>(json!({
            "metadata": { "name": "old", "labels": { "app": app }, "ownerReferences": owners },
            "data": { "spec": { "template": template("old") } },
            "revision": 1,
        }));
        let actions = decide(&world).actions;
        let patched = |it: &Action| matches!(it, Action::Patch { key, .. } if key.name == "old");
        assert_eq!(actions.iter().any(patched), touched, "{app} {owned}");
    }
}
