//! Upstream: `syncVolume`, `reclaimVolume` and `unbindVolume` in
//! `pkg/controller/volume/persistentvolume/pv_controller.go`, v1.36.

use api::k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api::{Action, DeleteOptions, Plan, Resource, View};

use super::recycler::recycle;
use super::{
    BIND_COMPLETED, BOUND_BY_CONTROLLER, PROVISIONED_BY, PersistentVolumeController, claim_ref,
    has_annotation, patch, phase, record, sync_claim,
};

pub(super) fn sync(
    volume: &PersistentVolume,
    memory: &mut PersistentVolumeController,
    view: &View<'_>,
    plan: &mut Plan,
) {
    let spec = volume.spec.as_ref();
    let uid =
        spec.and_then(|it| it.claim_ref.as_ref()).map(|it| it.uid.clone().unwrap_or_default());
    let (Some(key), Some(uid)) = (claim_ref(volume), uid.filter(|it| !it.is_empty())) else {
        set_phase(volume, "Available", plan);
        return;
    };
    let claim = view.listers.by_ref::<PersistentVolumeClaim>(&key).filter(|it| it.uid() == uid);
    let Some(claim) = claim else {
        release(volume, memory, view, plan);
        return;
    };
    let named = claim.spec.as_ref().and_then(|it| it.volume_name.as_deref()).unwrap_or_default();
    if named.is_empty() {
        let mode = |it: Option<&str>| it.unwrap_or("Filesystem").to_owned();
        let of_volume = mode(spec.and_then(|it| it.volume_mode.as_deref()));
        let of_claim = mode(claim.spec.as_ref().and_then(|it| it.volume_mode.as_deref()));
        if of_volume == of_claim {
            sync_claim::sync(claim, memory, view, plan);
            return;
        }
        let text = format!(
            "Cannot bind PersistentVolume to requested PersistentVolumeClaim \"{}\" due to \
             incompatible volumeMode.",
            claim.name()
        );
        record(plan, volume.clone().into_object(), true, "VolumeMismatch", &text);
        let text = format!(
            "Cannot bind PersistentVolume \"{}\" to requested PersistentVolumeClaim due to \
             incompatible volumeMode.",
            volume.name()
        );
        record(plan, claim.clone().into_object(), true, "VolumeMismatch", &text);
    } else if named == volume.name() {
        if has_annotation(&claim.metadata.annotations, BIND_COMPLETED) {
            set_phase(volume, "Bound", plan);
        } else {
            sync_claim::sync(claim, memory, view, plan);
        }
    } else {
        lost_to_another(volume, memory, view, plan);
    }
}

/// The claim has taken another volume.
fn lost_to_another(
    volume: &PersistentVolume,
    memory: &mut PersistentVolumeController,
    view: &View<'_>,
    plan: &mut Plan,
) {
    let annotations = &volume.metadata.annotations;
    if has_annotation(annotations, PROVISIONED_BY) && policy(volume) == "Delete" {
        release(volume, memory, view, plan);
    } else if has_annotation(annotations, BOUND_BY_CONTROLLER) {
        unbind(volume, plan);
    } else {
        let change = serde_json::json!({"spec": {"claimRef": {"uid": null}}});
        patch(plan, &volume.object_ref(), "", change);
        set_phase(volume, "Available", plan);
    }
}

fn policy(volume: &PersistentVolume) -> &str {
    let policy = volume.spec.as_ref().and_then(|it| it.persistent_volume_reclaim_policy.as_deref());
    policy.unwrap_or("Retain")
}

pub(super) fn unbind(volume: &PersistentVolume, plan: &mut Plan) {
    let change = serde_json::json!({
        "metadata": {"annotations": {BOUND_BY_CONTROLLER: null}},
        "spec": {"claimRef": null},
    });
    patch(plan, &volume.object_ref(), "", change);
    set_phase(volume, "Available", plan);
}

/// The claim is gone: what becomes of the volume is its reclaim policy's matter.
fn release(
    volume: &PersistentVolume,
    memory: &mut PersistentVolumeController,
    view: &View<'_>,
    plan: &mut Plan,
) {
    if !matches!(phase(volume), "Released" | "Failed") {
        set_phase(volume, "Released", plan);
        // The write brings the volume back here.
        return;
    }
    match policy(volume) {
        "Delete" if volume.metadata.deletion_timestamp.is_none() => match undeletable(volume) {
            None => {
                let key = volume.object_ref();
                plan.push(Action::Delete { key, options: DeleteOptions::default() });
            }
            Some(why) => fail(volume, "VolumeFailedDelete", &why, plan),
        },
        "Recycle" => recycle(volume, &mut memory.recycling, view, plan),
        _ => {}
    }
}

/// Why a volume cannot be deleted. Upstream: `findDeletablePlugin`, and the deleter of
/// `pkg/volume/hostpath/host_path.go`.
fn undeletable(volume: &PersistentVolume) -> Option<String> {
    let spec = volume.spec.as_ref();
    let is_csi = spec.is_some_and(|it| it.csi.is_some());
    if is_csi || has_annotation(&volume.metadata.annotations, PROVISIONED_BY) {
        return None;
    }
    let Some(host_path) = spec.and_then(|it| it.host_path.as_ref()) else {
        return Some(format!(
            "error getting deleter volume plugin for volume \"{}\": no deletable volume plugin \
             matched",
            volume.name()
        ));
    };
    let path = &host_path.path;
    let within = path.find("/tmp/").is_some_and(|at| at + "/tmp/".len() < path.len());
    (!within)
        .then(|| format!("host_path deleter only supports /tmp/.+ but received provided {path}"))
}

/// The volume stays as it is, for the user to see.
pub(super) fn fail(volume: &PersistentVolume, reason: &str, text: &str, plan: &mut Plan) {
    if phase(volume) == "Failed" {
        return;
    }
    let change = serde_json::json!({"status": {"phase": "Failed", "message": text}});
    patch(plan, &volume.object_ref(), "status", change);
    record(plan, volume.clone().into_object(), true, reason, text);
}

fn set_phase(volume: &PersistentVolume, new: &str, plan: &mut Plan) {
    if phase(volume) != new {
        let change = serde_json::json!({"status": {"phase": new, "message": null}});
        patch(plan, &volume.object_ref(), "status", change);
    }
}
