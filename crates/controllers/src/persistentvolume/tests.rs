//! Claims and volumes, and what is written and said about them.

use serde_json::{Value, json};

use api::{Action, Component, Kind, ObjectRef, Patch};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;

use super::PersistentVolumeController;
use crate::testing::{World, time};

fn volume(name: &str, spec: Value) -> Value {
    let mut whole = json!({
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "storageClassName": "standard", "hostPath": {"path": "/x"},
    });
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    json!({"metadata": {"name": name}, "spec": whole, "status": {"phase": "Available"}})
}

fn claim(name: &str, spec: Value) -> Value {
    let mut whole = json!({
        "accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
        "resources": {"requests": {"storage": "500Mi"}},
    });
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    json!({"metadata": {"name": name}, "spec": whole, "status": {"phase": "Pending"}})
}

fn class(name: &str, provisioner: &str, mode: &str) -> Value {
    json!({"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": mode})
}

/// Every action in a few words.
fn decide(
    world: &World,
    controller: &mut PersistentVolumeController,
    key: &ObjectRef,
) -> Vec<String> {
    let plan = controller.decide(key, &world.view());
    let words = plan.actions.iter().map(|action| match action {
        Action::Patch { key, subresource, patch: Patch::Merge(patch) } => {
            let phase = patch["status"]["phase"].as_str().unwrap_or_default();
            let to = patch["spec"]["volumeName"].as_str();
            let to = to.or(patch["spec"]["claimRef"]["name"].as_str()).unwrap_or_default();
            format!("{} {subresource}{}{to}", key.name, phase_sign(phase))
        }
        Action::Create { object, .. } => format!("create {}", object.name()),
        Action::Delete { key, .. } => format!("delete {}", key.name),
        Action::Record(event) => format!("{}: {}", event.reason, event.message),
        other => format!("{other:?}"),
    });
    words.collect()
}

fn phase_sign(phase: &str) -> String {
    if phase.is_empty() { "-> ".to_owned() } else { format!("={phase}") }
}

fn check_claim(world: &World, expected: &[&str]) {
    let key = ObjectRef::new(Kind::PersistentVolumeClaim, "default", "c");
    let told = decide(world, &mut PersistentVolumeController::default(), &key);
    assert_eq!(told, expected);
}

#[test]
fn a_claim_takes_the_smallest_volume_that_serves() {
    let mut world = World::default();
    world.put::<PersistentVolume>(volume("big", json!({"capacity": {"storage": "9Gi"}})));
    world.put::<PersistentVolume>(volume("fits", json!({})));
    world.put::<PersistentVolume>(volume("small", json!({"capacity": {"storage": "1Mi"}})));
    world.put::<PersistentVolume>(volume("other", json!({"storageClassName": "fast"})));
    world.put::<PersistentVolume>(volume(
        "taken",
        json!({"claimRef": {"name": "x", "namespace": "default", "uid": "x"}}),
    ));
    world.put::<PersistentVolumeClaim>(claim("c", json!({})));
    check_claim(&world, &["fits -> c", "fits status=Bound", "c -> fits", "c status=Bound"]);
}

#[test]
fn a_volume_that_is_asked_for_by_name_has_to_serve() {
    for (spec, why) in [
        (json!({"storageClassName": "fast"}), "storageClassName does not match"),
        (json!({"capacity": {"storage": "1Mi"}}), "requested PV is too small"),
        (json!({"accessModes": ["ReadOnlyMany"]}), "incompatible accessMode"),
        (json!({"volumeMode": "Block"}), "incompatible volumeMode"),
    ] {
        let mut world = World::default();
        world.put::<PersistentVolume>(volume("v", spec));
        world.put::<PersistentVolumeClaim>(claim("c", json!({"volumeName": "v"})));
        let text = format!("VolumeMismatch: Cannot bind to requested volume \"v\": {why}");
        check_claim(&world, &[&text]);
    }
}

#[test]
fn a_claim_without_volume_and_class_says_so() {
    let mut world = World::default();
    world.put::<PersistentVolumeClaim>(claim("c", json!({"storageClassName": ""})));
    let text = "FailedBinding: no persistent volumes available for this claim and no storage class \
                is set";
    check_claim(&world, &[text]);
}

#[test]
fn binding_waits_for_a_consumer_where_the_class_says_so() {
    let mut world = World::default();
    world.put::<StorageClass>(class("standard", "csi.example.com", "WaitForFirstConsumer"));
    world.put::<PersistentVolume>(volume("fits", json!({})));
    world.put::<PersistentVolumeClaim>(claim("c", json!({})));
    let text = "WaitForFirstConsumer: waiting for first consumer to be created before binding";
    check_claim(&world, &[text]);
    world.put::<Pod>(json!({"metadata": {"name": "p"}, "spec": {"containers": [],
        "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]}}));
    check_claim(&world, &["WaitForPodScheduled: waiting for pod p to be scheduled"]);
}

#[test]
fn a_missing_class_fails_the_provisioning() {
    let mut world = World::default();
    world.put::<PersistentVolumeClaim>(claim("c", json!({"storageClassName": "nope"})));
    let text = "ProvisioningFailed: storageclass.storage.k8s.io \"nope\" not found";
    check_claim(&world, &[text]);
    world.put::<StorageClass>(class("nope", "kubernetes.io/no-provisioner", "Immediate"));
    let text = "ProvisioningFailed: no volume plugin matched name: kubernetes.io/no-provisioner";
    check_claim(&world, &[text]);
}

#[test]
fn a_provisioner_makes_the_volume_after_a_second() {
    let mut world = World::default();
    world.put::<StorageClass>(class("standard", "csi.example.com", "Immediate"));
    world.put::<PersistentVolumeClaim>(claim("c", json!({})));
    let key = ObjectRef::new(Kind::PersistentVolumeClaim, "default", "c");
    let mut controller = PersistentVolumeController::default();
    let first = decide(&world, &mut controller, &key);
    assert!(first.iter().any(|it| it.starts_with("ExternalProvisioning: Waiting")), "{first:?}");
    world.now_ms = 500;
    assert!(decide(&world, &mut controller, &key).is_empty());
    world.now_ms = 1_000;
    assert_eq!(decide(&world, &mut controller, &key), ["create pvc-uid-c"]);
}

#[test]
fn a_released_volume_follows_its_policy() {
    for (policy, phase, expected) in [
        ("Retain", "Bound", vec!["v status=Released"]),
        ("Retain", "Released", vec![]),
        (
            "Delete",
            "Released",
            vec![
                "v status=Failed",
                "VolumeFailedDelete: host_path deleter only supports /tmp/.+ but received provided /x",
            ],
        ),
    ] {
        let mut world = World::default();
        let gone = json!({"name": "gone", "namespace": "default", "uid": "gone"});
        let mut it = volume(
            "v",
            json!({
                "claimRef": gone, "persistentVolumeReclaimPolicy": policy,
            }),
        );
        it["status"]["phase"] = phase.into();
        world.put::<PersistentVolume>(it);
        let key = ObjectRef::new(Kind::PersistentVolume, "", "v");
        let told = decide(&world, &mut PersistentVolumeController::default(), &key);
        assert_eq!(told, expected, "{policy} {phase}");
    }
}

#[test]
fn what_a_volume_is_made_of_decides_whether_it_can_be_deleted_or_recycled() {
    let only_tmp =
        "VolumeFailedDelete: host_path deleter only supports /tmp/.+ but received provided";
    let mnt = format!("{only_tmp} /mnt/data");
    let tmp = format!("{only_tmp} /tmp/");
    let local = "VolumeFailedDelete: error getting deleter volume plugin for volume \"v\": no \
                 deletable volume plugin matched";
    let recycled = ["create recycler-for-v"];
    for (policy, source, expected) in [
        ("Delete", json!({ "hostPath": { "path": "/mnt/data" } }), vec!["v status=Failed", &mnt]),
        ("Delete", json!({ "hostPath": { "path": "/tmp/" } }), vec!["v status=Failed", &tmp]),
        ("Delete", json!({ "hostPath": { "path": "/tmp/data" } }), vec!["delete v"]),
        ("Delete", json!({ "csi": { "driver": "d", "volumeHandle": "h" } }), vec!["delete v"]),
        ("Delete", json!({ "local": { "path": "/mnt" } }), vec!["v status=Failed", local]),
        ("Recycle", json!({ "hostPath": { "path": "/mnt/data" } }), recycled.to_vec()),
        ("Recycle", json!({ "nfs": { "path": "/", "server": "s" } }), recycled.to_vec()),
        (
            "Recycle",
            json!({ "local": { "path": "/mnt" } }),
            vec![
                "v status=Failed",
                "VolumeFailedRecycle: No recycler plugin found for the volume!",
            ],
        ),
    ] {
        let mut world = World::default();
        let gone = json!({"name": "gone", "namespace": "default", "uid": "gone"});
        let mut spec = json!({
            "claimRef": gone, "persistentVolumeReclaimPolicy": policy, "hostPath": null,
        });
        for (key, value) in source.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        let mut it = volume("v", spec);
        it["status"]["phase"] = "Released".into();
        world.put::<PersistentVolume>(it);
        let key = ObjectRef::new(Kind::PersistentVolume, "", "v");
        let told = decide(&world, &mut PersistentVolumeController::default(), &key);
        assert_eq!(told, expected, "{policy} {source}");
    }
}

#[test]
fn a_volume_that_is_promised_to_the_claim_comes_first_unless_another_of_that_name_was_meant() {
    for (uid, expected) in [("", "c -> big"), ("uid-c", "c -> big"), ("older", "c -> fits")] {
        let mut world = World::default();
        let promised = json!({"name": "c", "namespace": "default", "uid": uid});
        let big = json!({"capacity": {"storage": "9Gi"}, "claimRef": promised});
        world.put::<PersistentVolume>(volume("big", big));
        world.put::<PersistentVolume>(volume("fits", json!({})));
        world.put::<PersistentVolumeClaim>(claim("c", json!({})));
        let key = ObjectRef::new(Kind::PersistentVolumeClaim, "default", "c");
        let told = decide(&world, &mut PersistentVolumeController::default(), &key);
        assert!(told.iter().any(|it| it == expected), "{uid}: {told:?}");
    }
}

#[test]
fn a_volume_whose_claim_took_another_is_given_up() {
    let by_controller = json!({ "pv.kubernetes.io/bound-by-controller": "yes" });
    let provisioned = json!({ "pv.kubernetes.io/provisioned-by": "csi.example.com" });
    let free = vec!["v -> ", "v status=Available"];
    for (annotations, policy, expected, claim_ref) in [
        (&provisioned, "Delete", vec!["v status=Released"], None),
        (&provisioned, "Retain", free.clone(), Some(json!({ "uid": null }))),
        (&by_controller, "Delete", free.clone(), Some(Value::Null)),
        (&json!({}), "Delete", free.clone(), Some(json!({ "uid": null }))),
    ] {
        let mut world = World::default();
        let to = json!({"name": "c", "namespace": "default", "uid": "uid-c"});
        let mut it =
            volume("v", json!({ "claimRef": to, "persistentVolumeReclaimPolicy": policy }));
        it["metadata"]["annotations"] = annotations.clone();
        it["status"]["phase"] = "Bound".into();
        world.put::<PersistentVolume>(it);
        world.put::<PersistentVolumeClaim>(claim("c", json!({ "volumeName": "other" })));
        let key = ObjectRef::new(Kind::PersistentVolume, "", "v");
        let mut controller = PersistentVolumeController::default();
        assert_eq!(decide(&world, &mut controller, &key), expected, "{annotations} {policy}");
        let plan = controller.decide(&key, &world.view());
        let patched = plan.actions.iter().find_map(|it| match it {
            Action::Patch { patch: Patch::Merge(patch), .. } => patch["spec"].get("claimRef"),
            _ => None,
        });
        assert_eq!(patched, claim_ref.as_ref(), "{annotations} {policy}");
    }
}

#[test]
fn the_newest_default_class_is_given_to_a_claim_without_one() {
    const IS_DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
    for (times, expected) in [([1, 2], "two"), ([2, 1], "one"), ([1, 1], "one")] {
        let mut world = World::default();
        for (name, second, mark) in
            [("one", times[0], "true"), ("two", times[1], "true"), ("not", 9, "false")]
        {
            let mut it = class(name, "csi.example.com", "Immediate");
            it["metadata"]["annotations"] = json!({ IS_DEFAULT: mark });
            it["metadata"]["creationTimestamp"] = time(second);
            world.put::<StorageClass>(it);
        }
        world.put::<PersistentVolumeClaim>(claim("c", json!({ "storageClassName": null })));
        let key = ObjectRef::new(Kind::PersistentVolumeClaim, "default", "c");
        let plan = PersistentVolumeController::default().decide(&key, &world.view());
        let Some(Action::Patch { patch: Patch::Merge(patch), .. }) = plan.actions.first() else {
            panic!("{plan:?}")
        };
        assert_eq!(patch["spec"]["storageClassName"], expected, "{times:?}");
    }
}

#[test]
fn a_claim_that_waits_is_looked_at_every_fifteen_seconds() {
    let bound = json!({"pv.kubernetes.io/bind-completed": "yes"});
    for (now, annotations, expected) in [
        (1_000, json!({}), Some(15_000)),
        (15_000, json!({}), Some(30_000)),
        (29_999, json!({}), Some(30_000)),
        (1_000, bound, None),
    ] {
        let mut world = World::at_ms(now);
        let mut it = claim("c", json!({"storageClassName": "", "volumeName": "v"}));
        it["metadata"]["annotations"] = annotations;
        world.put::<PersistentVolumeClaim>(it);
        let key = ObjectRef::new(Kind::PersistentVolumeClaim, "default", "c");
        let plan = PersistentVolumeController::default().decide(&key, &world.view());
        assert_eq!(plan.requeue_at.map(|it| it.as_millisecond()), expected, "{now}");
    }
}

#[test]
fn what_becomes_of_a_recycled_volume_is_what_its_pod_says() {
    let recycled = vec![
        "delete recycler-for-v",
        "VolumeRecycled: Volume recycled",
        "v -> ",
        "v status=Available",
    ];
    let failed = "VolumeFailedRecycle: Recycle failed: failed to recycle volume:";
    let unknown = format!("{failed} pod failed, pod.Status.Message unknown");
    let late = format!("{failed} Pod was active too long");
    let deleted = format!("{failed} recycler pod was deleted");
    let old = "VolumeFailedRecycle: Recycle failed: old recycler pod found, will retry later";
    for (started, status, expected) in [
        (true, json!({ "phase": "Pending" }), vec![]),
        (true, json!({ "phase": "Succeeded" }), recycled),
        (
            true,
            json!({ "phase": "Failed" }),
            vec!["delete recycler-for-v", "v status=Failed", &unknown],
        ),
        (
            true,
            json!({ "phase": "Failed", "message": "Pod was active too long" }),
            vec!["delete recycler-for-v", "v status=Failed", &late],
        ),
        (true, Value::Null, vec!["v status=Failed", &deleted]),
        (
            false,
            json!({ "phase": "Running" }),
            vec!["delete recycler-for-v", "v status=Failed", old],
        ),
    ] {
        let mut world = World::default();
        let gone = json!({"name": "gone", "namespace": "default", "uid": "gone"});
        let spec = json!({ "claimRef": gone, "persistentVolumeReclaimPolicy": "Recycle" });
        let mut it = volume("v", spec);
        it["status"]["phase"] = "Released".into();
        world.put::<PersistentVolume>(it);
        let key = ObjectRef::new(Kind::PersistentVolume, "", "v");
        let mut controller = PersistentVolumeController::default();
        if started {
            assert_eq!(decide(&world, &mut controller, &key), ["create recycler-for-v"]);
        }
        if !status.is_null() {
            let spec = json!({ "containers": [] });
            let it =
                json!({"metadata": {"name": "recycler-for-v"}, "spec": spec, "status": status});
            world.put::<Pod>(it);
        }
        assert_eq!(decide(&world, &mut controller, &key), expected, "{started} {status}");
    }
}

#[test]
fn a_claim_that_is_being_deleted_stays_while_a_bound_pod_names_it() {
    for (pod, stays) in [
        (None, false),
        (Some((json!({ "nodeName": "n1" }), "Running")), true),
        (Some((json!({ "nodeName": "n1" }), "Succeeded")), true),
        (Some((json!({}), "Pending")), false),
    ] {
        let mut world = World::default();
        let mut it = claim("c", json!({}));
        it["metadata"]["finalizers"] = json!(["kubernetes.io/pvc-protection"]);
        it["metadata"]["deletionTimestamp"] = time(0);
        world.put::<PersistentVolumeClaim>(it);
        if let Some((mut spec, phase)) = pod.clone() {
            spec["containers"] = json!([]);
            spec["volumes"] = json!([{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]);
            let status = json!({ "phase": phase });
            world.put::<Pod>(json!({"metadata": {"name": "p"}, "spec": spec, "status": status}));
        }
        let key = ObjectRef::new(Kind::PersistentVolumeClaim, "default", "c");
        let plan = PersistentVolumeController::default().decide(&key, &world.view());
        let released = plan.actions.iter().any(|it| match it {
            Action::Patch { patch: Patch::Merge(it), .. } => {
                it["metadata"].get("finalizers").is_some()
            }
            _ => false,
        });
        assert_eq!(released, !stays, "{pod:?}");
    }
}
