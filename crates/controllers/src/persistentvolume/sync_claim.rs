//! Upstream: `syncUnboundClaim`, `syncBoundClaim` and `bind` in
//! `pkg/controller/volume/persistentvolume/pv_controller.go`, v1.36.

use api::k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use api::k8s_openapi::api::storage::v1::StorageClass;
use api::{Plan, Resource, View, pods};

use super::matching::{class_of_claim, delays_binding, find_best, is_bound_to, mismatch};
use super::provisioner::{provision, reference};
use super::{
    BIND_COMPLETED, BOUND_BY_CONTROLLER, PersistentVolumeController, SELECTED_NODE, claims_of,
    has_annotation, patch, phase, record,
};

pub(super) fn sync(
    claim: &PersistentVolumeClaim,
    memory: &mut PersistentVolumeController,
    view: &View<'_>,
    plan: &mut Plan,
) {
    let volume_name = claim.spec.as_ref().and_then(|it| it.volume_name.as_deref());
    let volume_name = volume_name.filter(|it| !it.is_empty());
    let bound = has_annotation(&claim.metadata.annotations, BIND_COMPLETED);
    match (bound, volume_name) {
        (true, name) => sync_bound(claim, name, view, plan),
        (false, Some(name)) => sync_named(claim, name, view, plan),
        (false, None) => sync_unbound(claim, memory, view, plan),
    }
}

fn sync_unbound(
    claim: &PersistentVolumeClaim,
    memory: &mut PersistentVolumeController,
    view: &View<'_>,
    plan: &mut Plan,
) {
    let delayed = delays_binding(claim, &view.listers);
    if let Some(volume) = find_best(claim, delayed, &view.listers) {
        bind(volume, claim, plan);
        return;
    }
    let spec_class = claim.spec.as_ref().and_then(|it| it.storage_class_name.as_deref());
    if spec_class.is_none()
        && class_of_claim(claim).is_empty()
        && let Some(class) = default_class(view)
    {
        let change = serde_json::json!({"spec": {"storageClassName": class.name()}});
        patch(plan, &claim.object_ref(), "", change);
        return;
    }
    if delayed && !has_annotation(&claim.metadata.annotations, SELECTED_NODE) {
        let is_new = memory.without_consumer.remove(&claim.object_ref());
        let consumers = if is_new { vec![] } else { consumers(claim, view) };
        let (reason, message) = waits_for(&consumers);
        record(plan, claim.clone().into_object(), false, reason, &message);
    } else if !class_of_claim(claim).is_empty() {
        provision(claim, &mut memory.provisioning, view, plan);
        return;
    } else {
        let text = "no persistent volumes available for this claim and no storage class is set";
        record(plan, claim.clone().into_object(), false, "FailedBinding", text);
    }
    set_pending(claim, plan);
}

/// The newest class that is marked as default; of equals the first by name.
fn default_class<'a>(view: &View<'a>) -> Option<&'a StorageClass> {
    const MARKS: [&str; 2] = [
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ];
    let marked = |it: &&StorageClass| {
        let annotations = it.metadata.annotations.as_ref();
        MARKS
            .iter()
            .any(|key| annotations.and_then(|it| it.get(*key)).is_some_and(|it| it == "true"))
    };
    let created = |it: &StorageClass| it.metadata.creation_timestamp.as_ref().map(|it| it.0);
    let classes = view.listers.list::<StorageClass>().filter(marked);
    classes.reduce(|best, it| if created(it) > created(best) { it } else { best })
}

/// The pods that use a claim and are nowhere yet. Upstream: `findNonScheduledPodsByPVC`.
pub(super) fn consumers<'a>(claim: &'a PersistentVolumeClaim, view: &View<'a>) -> Vec<&'a str> {
    let waiting = view.listers.list_in::<Pod>(claim.namespace()).filter(|pod| {
        pods::node_name(pod).is_none()
            && !pods::is_terminal(pod)
            && claims_of(pod).any(|it| it == claim.name())
    });
    waiting.map(Resource::name).collect()
}

/// Upstream: `emitEventForUnboundDelayBindingClaim`.
fn waits_for(consumers: &[&str]) -> (&'static str, String) {
    match consumers {
        [] => (
            "WaitForFirstConsumer",
            "waiting for first consumer to be created before binding".to_owned(),
        ),
        [name] => ("WaitForPodScheduled", format!("waiting for pod {name} to be scheduled")),
        names => {
            let names = names.join(",");
            ("WaitForPodScheduled", format!("waiting for pods {names} to be scheduled"))
        }
    }
}

/// A claim that names its volume.
fn sync_named(claim: &PersistentVolumeClaim, name: &str, view: &View<'_>, plan: &mut Plan) {
    let Some(volume) = view.listers.get::<PersistentVolume>("", name) else {
        set_pending(claim, plan);
        return;
    };
    let free = volume.spec.as_ref().is_none_or(|it| it.claim_ref.is_none());
    if free {
        if let Some(why) = mismatch(volume, claim) {
            let text = format!("Cannot bind to requested volume \"{name}\": {why}");
            record(plan, claim.clone().into_object(), true, "VolumeMismatch", &text);
            set_pending(claim, plan);
        } else {
            bind(volume, claim, plan);
        }
    } else if is_bound_to(volume, claim) {
        bind(volume, claim, plan);
    } else {
        let text = format!("volume \"{name}\" already bound to a different claim.");
        record(plan, claim.clone().into_object(), true, "FailedBinding", &text);
        set_pending(claim, plan);
    }
}

fn sync_bound(claim: &PersistentVolumeClaim, name: Option<&str>, view: &View<'_>, plan: &mut Plan) {
    let Some(name) = name else {
        let text =
            "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
        lose(claim, "ClaimLost", text, plan);
        return;
    };
    let Some(volume) = view.listers.get::<PersistentVolume>("", name) else {
        let text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
        lose(claim, "ClaimLost", text, plan);
        return;
    };
    let owner = volume.spec.as_ref().and_then(|it| it.claim_ref.as_ref());
    if owner.is_none_or(|it| it.uid.as_deref() == Some(claim.uid())) {
        bind(volume, claim, plan);
    } else {
        let text = "Two claims are bound to the same volume, this one is bound incorrectly";
        lose(claim, "ClaimMisbound", text, plan);
    }
}

fn claim_phase(claim: &PersistentVolumeClaim) -> &str {
    claim.status.as_ref().and_then(|it| it.phase.as_deref()).unwrap_or_default()
}

fn set_pending(claim: &PersistentVolumeClaim, plan: &mut Plan) {
    if claim_phase(claim) != "Pending" {
        let change = serde_json::json!({"status": {"phase": "Pending"}});
        patch(plan, &claim.object_ref(), "status", change);
    }
}

fn lose(claim: &PersistentVolumeClaim, reason: &str, text: &str, plan: &mut Plan) {
    if claim_phase(claim) == "Lost" {
        return;
    }
    let change = serde_json::json!(
        {"status": {"phase": "Lost", "accessModes": null, "capacity": null}}
    );
    patch(plan, &claim.object_ref(), "status", change);
    record(plan, claim.clone().into_object(), true, reason, text);
}

/// Writes both sides of a binding, as far as they are not written yet. Upstream: `bind`.
fn bind(volume: &PersistentVolume, claim: &PersistentVolumeClaim, plan: &mut Plan) {
    let key = volume.object_ref();
    let spec = volume.spec.clone().unwrap_or_default();
    let complete = spec.claim_ref.as_ref().is_some_and(|it| {
        it.uid.as_deref() == Some(claim.uid()) && it.name.as_deref() == Some(claim.name())
    });
    if !complete {
        let mut change = serde_json::json!({"spec": {"claimRef": reference(claim)}});
        if !is_bound_to(volume, claim) {
            let annotations = serde_json::json!({BOUND_BY_CONTROLLER: "yes"});
            change["metadata"] = serde_json::json!({ "annotations": annotations });
        }
        patch(plan, &key, "", change);
    }
    if phase(volume) != "Bound" {
        patch(plan, &key, "status", serde_json::json!({"status": {"phase": "Bound"}}));
    }
    let key = claim.object_ref();
    let named = claim.spec.as_ref().and_then(|it| it.volume_name.as_deref());
    let mut annotations = serde_json::Map::new();
    if !has_annotation(&claim.metadata.annotations, BIND_COMPLETED) {
        annotations.insert(BIND_COMPLETED.to_owned(), "yes".into());
    }
    if named != Some(volume.name()) {
        annotations.insert(BOUND_BY_CONTROLLER.to_owned(), "yes".into());
    }
    if !annotations.is_empty() {
        let change = serde_json::json!({
            "metadata": {"annotations": annotations},
            "spec": {"volumeName": volume.name()},
        });
        patch(plan, &key, "", change);
    }
    let capacity = claim.status.as_ref().and_then(|it| it.capacity.as_ref());
    if claim_phase(claim) != "Bound" || capacity.is_none() {
        let change = serde_json::json!({"status": {
            "phase": "Bound", "accessModes": spec.access_modes, "capacity": spec.capacity,
        }});
        patch(plan, &key, "status", change);
    }
}
