//! The in-tree plugins.

pub mod defaultbinder;
pub mod defaultpreemption;
pub mod dynamicresources;
pub mod expression;
pub mod imagelocality;
pub mod interpodaffinity;
pub mod names;
pub mod nodeaffinity;
pub mod nodedeclaredfeatures;
pub mod nodename;
pub mod nodeports;
pub mod noderesources;
pub mod nodeunschedulable;
pub mod nodevolumelimits;
pub mod podtopologyspread;
pub mod queuesort;
pub mod registry;
pub mod schedulinggates;
pub mod tainttoleration;
pub mod volumebinding;
pub mod volumerestrictions;
pub mod volumezone;

/// Whether a pod takes or will take room on a node. Upstream asks this in its hints.
fn is_on_a_node(pod: &Pod) -> bool {
    let nominated = pod.status.as_ref().and_then(|it| it.nominated_node_name.as_deref());
    [api::pods::node_name(pod), nominated].into_iter().flatten().any(|it| !it.is_empty())
}

use api::Object;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};

use crate::framework::interface::QueueingHint;
use crate::framework::types::PodInfo;

fn claim_not_found(name: &str) -> String {
    format!("persistentvolumeclaim \"{name}\" not found")
}

/// `spec.volumeName`, empty while the claim has no volume.
fn volume_of(claim: &PersistentVolumeClaim) -> &str {
    claim.spec.as_ref().and_then(|it| it.volume_name.as_deref()).unwrap_or_default()
}

/// Upstream: `GetPersistentVolumeClaimClass`.
fn class_of_claim(claim: &PersistentVolumeClaim) -> &str {
    let annotations = claim.metadata.annotations.as_ref();
    let beta = annotations.and_then(|it| it.get("volume.beta.kubernetes.io/storage-class"));
    let own = claim.spec.as_ref().and_then(|it| it.storage_class_name.as_deref());
    beta.map(String::as_str).or(own).unwrap_or_default()
}

/// The claims of a pod's volumes, and whether they were made for the pod.
pub(crate) fn claim_names(pod: &Pod) -> Vec<(String, bool)> {
    let volumes = pod.spec.iter().flat_map(|it| it.volumes.iter().flatten());
    volumes
        .into_iter()
        .filter_map(|it| match (&it.persistent_volume_claim, &it.ephemeral) {
            (Some(claim), _) => Some((claim.claim_name.clone(), false)),
            (None, Some(_)) => {
                let pod = pod.metadata.name.as_deref().unwrap_or_default();
                Some((format!("{pod}-{}", it.name), true))
            }
            (None, None) => None,
        })
        .collect()
}

/// Whether a claim with the name of an ephemeral one was made for the pod. Upstream:
/// `ephemeral.VolumeIsForPod`.
fn check_ephemeral(pod: &Pod, claim: &PersistentVolumeClaim) -> Result<(), String> {
    let owner = api::controller_of(&claim.metadata).map(|it| it.uid.as_str());
    if owner == pod.metadata.uid.as_deref() {
        return Ok(());
    }
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    Err(format!(
        "PVC {}/{} was not created for pod {}/{} (pod is not owner)",
        text(&claim.metadata.namespace),
        text(&claim.metadata.name),
        text(&pod.metadata.namespace),
        text(&pod.metadata.name)
    ))
}

/// Queue when the claim that changed is one of the pod's.
fn hint_if_claimed(pod: &PodInfo, claim: &Option<Object>) -> QueueingHint {
    match claim {
        Some(Object::PersistentVolumeClaim(it))
            if it.metadata.namespace == pod.pod.metadata.namespace
                && claim_names(&pod.pod)
                    .iter()
                    .any(|(name, _)| Some(name) == it.metadata.name.as_ref()) =>
        {
            QueueingHint::Queue
        }
        _ => QueueingHint::Skip,
    }
}
