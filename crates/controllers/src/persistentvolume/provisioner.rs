//! The simulated provisioner: makes a volume for a claim whose class names one.
//!
//! Upstream: `pkg/controller/volume/persistentvolume/pv_controller.go` (`provisionClaim`), v1.36,
//! and kubernetes-csi/external-provisioner.

use std::collections::BTreeMap;

use api::k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, HostPathVolumeSource, Node, NodeSelector, NodeSelectorRequirement,
    NodeSelectorTerm, ObjectReference, PersistentVolume, PersistentVolumeClaim,
    PersistentVolumeSpec, VolumeNodeAffinity,
};
use api::k8s_openapi::api::storage::v1::StorageClass;
use api::time::after_ms;
use api::{Action, EventSpec, ObjectRef, Plan, Resource, Timestamp, View};

use super::matching::class_of_claim;
use super::{PROVISIONED_BY, SELECTED_NODE, STORAGE_PROVISIONER, annotation, patch, record};

/// How long the making of a volume takes.
const PROVISION_MS: i64 = 1_000;

/// Provisioners that were part of Kubernetes and are CSI drivers now.
const MIGRATED: &[(&str, &str)] = &[
    ("kubernetes.io/aws-ebs", "ebs.csi.aws.com"),
    ("kubernetes.io/gce-pd", "pd.csi.storage.gke.io"),
    ("kubernetes.io/azure-disk", "disk.csi.azure.com"),
    ("kubernetes.io/azure-file", "file.csi.azure.com"),
    ("kubernetes.io/cinder", "cinder.csi.openstack.org"),
    ("kubernetes.io/vsphere-volume", "csi.vsphere.vmware.com"),
    ("kubernetes.io/portworx-volume", "pxd.portworx.com"),
];

/// Provisioners whose volumes live on one node.
const NODE_LOCAL: &[&str] = &["rancher.io/local-path", "openebs.io/local"];

/// The folders of provisioners that are no CSI drivers; those of others are named after them.
const FOLDERS: &[(&str, &str)] = &[
    ("rancher.io/local-path", "/opt/local-path-provisioner"),
    ("k8s.io/minikube-hostpath", "/tmp/hostpath-provisioner"),
];

/// Asks for a volume, and makes it when the time has come.
pub(super) fn provision(
    claim: &PersistentVolumeClaim,
    provisioning: &mut BTreeMap<ObjectRef, Timestamp>,
    view: &View<'_>,
    plan: &mut Plan,
) {
    let object = claim.clone().into_object();
    let name = class_of_claim(claim);
    let Some(class) = view.listers.get::<StorageClass>("", name) else {
        let text = format!("storageclass.storage.k8s.io \"{name}\" not found");
        record(plan, object, true, "ProvisioningFailed", &text);
        return;
    };
    let migrated = MIGRATED.iter().find(|(old, _)| *old == class.provisioner).map(|(_, new)| *new);
    let provisioner = migrated.unwrap_or(&class.provisioner);
    if provisioner.starts_with("kubernetes.io/") {
        let text = format!("no volume plugin matched name: {provisioner}");
        record(plan, object, true, "ProvisioningFailed", &text);
        return;
    }
    let key = claim.object_ref();
    match provisioning.get(&key).copied() {
        Some(due) if due <= view.now => {
            provisioning.remove(&key);
            create_volume(claim, class, provisioner, view, plan);
        }
        Some(due) => plan.requeue(due),
        None => {
            let due = after_ms(view.now, PROVISION_MS);
            provisioning.insert(key.clone(), due);
            plan.requeue(due);
            if annotation(&claim.metadata.annotations, STORAGE_PROVISIONER) != Some(provisioner) {
                let annotations = serde_json::json!({
                    "volume.beta.kubernetes.io/storage-provisioner": provisioner,
                    STORAGE_PROVISIONER: provisioner,
                });
                let change = serde_json::json!({"metadata": {"annotations": annotations}});
                patch(plan, &key, "", change);
            }
            let text = format!(
                "Waiting for a volume to be created either by the external provisioner \
                 '{provisioner}' or manually by the system administrator. If volume creation is \
                 delayed, please verify that the provisioner is running and correctly registered."
            );
            record(plan, object.clone(), false, "ExternalProvisioning", &text);
            let text = format!(
                "External provisioner is provisioning volume for claim \"{}\"",
                key.namespaced_name()
            );
            plan.record(EventSpec::normal(provisioner, &object, "Provisioning", text));
        }
    }
}

fn create_volume(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    provisioner: &str,
    view: &View<'_>,
    plan: &mut Plan,
) {
    let name = format!("pvc-{}", claim.uid());
    let mut volume = PersistentVolume::default();
    volume.metadata.name = Some(name.clone());
    volume.metadata.annotations =
        Some([(PROVISIONED_BY.to_owned(), provisioner.to_owned())].into());
    let wanted = claim.spec.clone().unwrap_or_default();
    // The name of a CSI driver has no slash.
    let is_folder = provisioner.contains('/');
    let requests = wanted.resources.and_then(|it| it.requests).unwrap_or_default();
    volume.spec = Some(PersistentVolumeSpec {
        capacity: Some(requests),
        access_modes: wanted.access_modes,
        volume_mode: wanted.volume_mode,
        storage_class_name: Some(class.name().to_owned()),
        mount_options: class.mount_options.clone(),
        persistent_volume_reclaim_policy: Some(
            class.reclaim_policy.clone().unwrap_or_else(|| "Delete".to_owned()),
        ),
        csi: (!is_folder).then(|| CSIPersistentVolumeSource {
            driver: provisioner.to_owned(),
            volume_handle: name.clone(),
            ..CSIPersistentVolumeSource::default()
        }),
        host_path: is_folder.then(|| folder(claim, provisioner, &name)),
        claim_ref: Some(reference(claim)),
        node_affinity: affinity(claim, provisioner, view),
        ..PersistentVolumeSpec::default()
    });
    let done = EventSpec::normal(
        provisioner,
        &claim.clone().into_object(),
        "ProvisioningSucceeded",
        format!("Successfully provisioned volume {name}"),
    );
    let failed = EventSpec::warning(
        provisioner,
        &claim.clone().into_object(),
        "ProvisioningFailed",
        format!("failed to provision volume with StorageClass \"{}\": {{error}}", class.name()),
    );
    plan.push(Action::Create {
        object: volume.into_object(),
        created: Some(Box::new(done)),
        failed: Some(Box::new(failed)),
    });
}

/// The folder of a node in which a provisioner keeps a volume.
fn folder(claim: &PersistentVolumeClaim, provisioner: &str, name: &str) -> HostPathVolumeSource {
    let known = FOLDERS.iter().find(|(it, _)| *it == provisioner).map(|(_, folder)| *folder);
    let base = match (known, provisioner.rsplit_once('/')) {
        (Some(folder), _) => folder.to_owned(),
        (None, Some((_, short))) => format!("/var/lib/{short}"),
        (None, None) => "/var/lib".to_owned(),
    };
    let path = format!("{base}/{name}_{}_{}", claim.namespace(), claim.name());
    HostPathVolumeSource { path, type_: Some("DirectoryOrCreate".to_owned()) }
}

/// Where the volume can be reached from: the node or the zone of the pod that it was made for.
fn affinity(
    claim: &PersistentVolumeClaim,
    provisioner: &str,
    view: &View<'_>,
) -> Option<VolumeNodeAffinity> {
    let node = annotation(&claim.metadata.annotations, SELECTED_NODE)?;
    let node = view.listers.get::<Node>("", node)?;
    let key = if NODE_LOCAL.contains(&provisioner) {
        "kubernetes.io/hostname"
    } else {
        "topology.kubernetes.io/zone"
    };
    let value = node.metadata.labels.as_ref()?.get(key)?.clone();
    let expression = NodeSelectorRequirement {
        key: key.to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![value]),
    };
    let term = NodeSelectorTerm {
        match_expressions: Some(vec![expression]),
        ..NodeSelectorTerm::default()
    };
    Some(VolumeNodeAffinity { required: Some(NodeSelector { node_selector_terms: vec![term] }) })
}

/// A reference to the claim, as volumes keep it.
pub(super) fn reference(claim: &PersistentVolumeClaim) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("PersistentVolumeClaim".to_owned()),
        name: Some(claim.name().to_owned()),
        namespace: Some(claim.namespace().to_owned()),
        uid: Some(claim.uid().to_owned()),
        resource_version: claim.metadata.resource_version.clone(),
        ..ObjectReference::default()
    }
}
