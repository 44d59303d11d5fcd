//! Defaults of volumes, claims and classes.
//!
//! Upstream: `pkg/apis/core/v1/defaults.go`, `pkg/apis/storage/v1/defaults.go`, v1.36.

use k8s_openapi::api::core::v1::{
    AzureDiskVolumeSource, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec,
    VolumeResourceRequirements,
};
use k8s_openapi::api::storage::v1::{CSIDriver, StorageClass};

use crate::defaults::{core, set_text};

/// Upstream: `SetDefaults_PersistentVolume`.
pub(super) fn set_volume(volume: &mut PersistentVolume) {
    set_text(&mut volume.status.get_or_insert_default().phase, "Pending");
    let spec = volume.spec.get_or_insert_default();
    set_text(&mut spec.persistent_volume_reclaim_policy, "Retain");
    spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    core::round_up(&mut spec.capacity);
    if let Some(path) = &mut spec.host_path {
        path.type_.get_or_insert_default();
    }
    if let Some(iscsi) = &mut spec.iscsi {
        set_text(&mut iscsi.iscsi_interface, "default");
    }
    if let Some(rbd) = &mut spec.rbd {
        set_text(&mut rbd.pool, "rbd");
        set_text(&mut rbd.user, "admin");
        set_text(&mut rbd.keyring, "/etc/ceph/keyring");
    }
    if let Some(it) = &mut spec.azure_disk {
        set_azure_disk(it);
    }
    if let Some(it) = &mut spec.scale_io {
        set_text(&mut it.storage_mode, "ThinProvisioned");
        set_text(&mut it.fs_type, "xfs");
    }
}

pub(super) fn set_azure_disk(disk: &mut AzureDiskVolumeSource) {
    disk.caching_mode.get_or_insert_with(|| "ReadWrite".to_owned());
    disk.fs_type.get_or_insert_with(|| "ext4".to_owned());
    disk.read_only.get_or_insert(false);
    disk.kind.get_or_insert_with(|| "Shared".to_owned());
}

/// Upstream: `SetDefaults_PersistentVolumeClaim`.
pub(super) fn set_claim(claim: &mut PersistentVolumeClaim) {
    set_text(&mut claim.status.get_or_insert_default().phase, "Pending");
    set_claim_spec(claim.spec.get_or_insert_default());
}

/// Upstream: `SetDefaults_PersistentVolumeClaimSpec`.
pub(super) fn set_claim_spec(spec: &mut PersistentVolumeClaimSpec) {
    spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    let resources: &mut VolumeResourceRequirements = spec.resources.get_or_insert_default();
    core::round_up(&mut resources.requests);
    core::round_up(&mut resources.limits);
}

/// Upstream: `SetDefaults_StorageClass`.
pub(super) fn set_class(class: &mut StorageClass) {
    class.reclaim_policy.get_or_insert_with(|| "Delete".to_owned());
    class.volume_binding_mode.get_or_insert_with(|| "Immediate".to_owned());
}

/// Upstream: `SetDefaults_CSIDriver`.
pub(super) fn set_driver(driver: &mut CSIDriver) {
    let spec = &mut driver.spec;
    spec.attach_required.get_or_insert(true);
    spec.pod_info_on_mount.get_or_insert(false);
    spec.storage_capacity.get_or_insert(false);
    spec.fs_group_policy.get_or_insert_with(|| "ReadWriteOnceWithFSType".to_owned());
    let modes = spec.volume_lifecycle_modes.get_or_insert_default();
    if modes.is_empty() {
        modes.push("Persistent".to_owned());
    }
    spec.requires_republish.get_or_insert(false);
    spec.se_linux_mount.get_or_insert(false);
}
