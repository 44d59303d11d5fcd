//! Claims and volumes, and what is written and said about them.

use serde_json::{Value, json};

use api::{Action, Component, Kind, ObjectRef, Patch};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;

use super::PersistentVolumeController;
use crate::testing::World;

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
                "VolumeFailedDelete: error getting deleter volume plugin for volume \"v\": no \
                 deletable volume plugin matched",
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
