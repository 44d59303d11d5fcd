//! Which volume serves a claim.
//!
//! Upstream: `staging/src/k8s.io/component-helpers/storage/volume/pv_helpers.go`
//! (`FindMatchingVolume`), `pkg/controller/volume/persistentvolume/index.go`, v1.36.

use api::k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api::k8s_openapi::api::storage::v1::StorageClass;
use api::{Listers, Resource, quantity, selector};

use super::annotation;

const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// The class that a claim asks for, empty for none.
pub(super) fn class_of_claim(claim: &PersistentVolumeClaim) -> &str {
    let spec = claim.spec.as_ref().and_then(|it| it.storage_class_name.as_deref());
    annotation(&claim.metadata.annotations, BETA_CLASS).or(spec).unwrap_or_default()
}

fn class_of_volume(volume: &PersistentVolume) -> &str {
    let spec = volume.spec.as_ref().and_then(|it| it.storage_class_name.as_deref());
    annotation(&volume.metadata.annotations, BETA_CLASS).or(spec).unwrap_or_default()
}

/// Whether the binding waits for a pod to be scheduled. Upstream: `IsDelayBindingMode`.
pub(super) fn delays_binding(claim: &PersistentVolumeClaim, listers: &Listers<'_>) -> bool {
    let class = listers.get::<StorageClass>("", class_of_claim(claim));
    class.and_then(|it| it.volume_binding_mode.as_deref()) == Some("WaitForFirstConsumer")
}

pub(super) fn requested(claim: &PersistentVolumeClaim) -> i64 {
    let resources = claim.spec.as_ref().and_then(|it| it.resources.as_ref());
    let requests = resources.and_then(|it| it.requests.as_ref());
    requests.and_then(|it| it.get("storage")).map_or(0, quantity::value)
}

fn capacity(volume: &PersistentVolume) -> i64 {
    let capacity = volume.spec.as_ref().and_then(|it| it.capacity.as_ref());
    capacity.and_then(|it| it.get("storage")).map_or(0, quantity::value)
}

fn modes_match(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let of_volume = volume.spec.as_ref().and_then(|it| it.volume_mode.as_deref());
    let of_claim = claim.spec.as_ref().and_then(|it| it.volume_mode.as_deref());
    of_volume.unwrap_or("Filesystem") == of_claim.unwrap_or("Filesystem")
}

fn attributes_match(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let of_volume = volume.spec.as_ref().and_then(|it| it.volume_attributes_class_name.as_deref());
    let of_claim = claim.spec.as_ref().and_then(|it| it.volume_attributes_class_name.as_deref());
    of_volume.unwrap_or_default() == of_claim.unwrap_or_default()
}

fn access_modes(volume: &PersistentVolume) -> &[String] {
    volume.spec.as_ref().and_then(|it| it.access_modes.as_deref()).unwrap_or_default()
}

fn offers_access(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let mut wanted = claim.spec.iter().flat_map(|it| it.access_modes.iter().flatten());
    wanted.all(|it| access_modes(volume).contains(it))
}

/// The volume is promised to this claim: by name, and by uid where it has one.
/// Upstream: `IsVolumeBoundToClaim`.
pub(super) fn is_bound_to(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let Some(to) = volume.spec.as_ref().and_then(|it| it.claim_ref.as_ref()) else { return false };
    to.name.as_deref() == Some(claim.name())
        && to.namespace.as_deref().unwrap_or_default() == claim.namespace()
        && to.uid.as_deref().is_none_or(|it| it.is_empty() || it == claim.uid())
}

/// Why a volume that was asked for by name cannot serve. Upstream: `checkVolumeSatisfyClaim`.
pub(super) fn mismatch(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Option<String> {
    if volume.metadata.deletion_timestamp.is_some() {
        return Some(format!("the volume is marked for deletion \"{}\"", volume.name()));
    }
    let text = if capacity(volume) < requested(claim) {
        "requested PV is too small"
    } else if class_of_volume(volume) != class_of_claim(claim) {
        "storageClassName does not match"
    } else if !attributes_match(volume, claim) {
        "volumeAttributesClassName does not match"
    } else if !modes_match(volume, claim) {
        "incompatible volumeMode"
    } else if !offers_access(volume, claim) {
        "incompatible accessMode"
    } else {
        return None;
    };
    Some(text.to_owned())
}

/// The smallest volume that serves, of those with the fewest access modes; among these, one that is
/// promised to the claim comes first. With `delayed`, only such a one: the scheduler chooses the
/// others.
pub(super) fn find_best<'a>(
    claim: &PersistentVolumeClaim,
    delayed: bool,
    listers: &Listers<'a>,
) -> Option<&'a PersistentVolume> {
    let wanted = claim.spec.as_ref().and_then(|it| it.selector.as_ref());
    let free = |volume: &PersistentVolume| {
        !delayed
            && volume.spec.as_ref().is_none_or(|it| it.claim_ref.is_none())
            && super::phase(volume) == "Available"
            && class_of_volume(volume) == class_of_claim(claim)
            && wanted.is_none_or(|it| selector::matches(it, volume.metadata.labels.as_ref()))
    };
    let serves = |volume: &&PersistentVolume| {
        volume.metadata.deletion_timestamp.is_none()
            && modes_match(volume, claim)
            && attributes_match(volume, claim)
            && offers_access(volume, claim)
            && capacity(volume) >= requested(claim)
            && (is_bound_to(volume, claim) || free(volume))
    };
    let all = listers.list::<PersistentVolume>().filter(serves);
    all.min_by_key(|it| (access_modes(it).len(), !is_bound_to(it, claim), capacity(it)))
}
