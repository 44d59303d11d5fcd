//! Ordinals, identities, volumes and claim owners of the pods of a StatefulSet.
//!
//! Upstream: `pkg/controller/statefulset/stateful_set_utils.go`, v1.36.

use api::{Kind, Resource, pods};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::controller_utils as utils;

/// The label with the name of the revision that a pod was made from.
pub(super) const REVISION_LABEL: &str = "controller-revision-hash";
const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// Splits `web-3` into `web` and 3. Upstream: `getParentNameAndOrdinal`.
fn parent_and_ordinal(name: &str) -> Option<(&str, i32)> {
    let (parent, ordinal) = name.rsplit_once('-')?;
    let digits = !ordinal.is_empty() && ordinal.bytes().all(|it| it.is_ascii_digit());
    digits.then(|| Some((parent, ordinal.parse().ok()?))).flatten()
}

/// The number at the end of a pod's name.
pub(super) fn ordinal(pod: &Pod) -> Option<i32> {
    ordinal_of(pod.name())
}

/// Upstream: `isRunningAndReady`.
pub(super) fn is_running_and_ready(pod: &Pod) -> bool {
    pods::phase(pod) == "Running" && pods::is_ready(pod)
}

/// The number at the end of a name.
pub(super) fn ordinal_of(name: &str) -> Option<i32> {
    parent_and_ordinal(name).map(|(_, ordinal)| ordinal)
}

/// Whether a pod's name is one of a StatefulSet's.
pub(super) fn is_member_of(set: &StatefulSet, pod: &Pod) -> bool {
    parent_and_ordinal(pod.name()).is_some_and(|(parent, _)| parent == set.name())
}

/// The smallest number.
pub(super) fn start_ordinal(spec: &StatefulSetSpec) -> i32 {
    spec.ordinals.as_ref().and_then(|it| it.start).unwrap_or(0)
}

/// `spec.replicas`.
pub(super) fn replicas(spec: &StatefulSetSpec) -> i32 {
    spec.replicas.unwrap_or(1)
}

/// Whether a number is one that the set wants now.
fn in_range(spec: &StatefulSetSpec, ordinal: i32) -> bool {
    let start = start_ordinal(spec);
    (start..start.saturating_add(replicas(spec))).contains(&ordinal)
}

/// Upstream: `podInOrdinalRange`.
pub(super) fn pod_in_range(spec: &StatefulSetSpec, pod: &Pod) -> bool {
    ordinal(pod).is_some_and(|it| in_range(spec, it))
}

/// Whether all pods are started and stopped at the same time. Upstream: `allowsBurst`.
pub(super) fn allows_burst(spec: &StatefulSetSpec) -> bool {
    spec.pod_management_policy.as_deref() == Some("Parallel")
}

/// Whether old pods are replaced without anybody deleting them.
pub(super) fn is_rolling_update(spec: &StatefulSetSpec) -> bool {
    let strategy = spec.update_strategy.as_ref().and_then(|it| it.type_.as_deref());
    strategy.unwrap_or("RollingUpdate") == "RollingUpdate"
}

/// The number from which on pods are updated, if the strategy says.
pub(super) fn partition(spec: &StatefulSetSpec) -> Option<i32> {
    let rolling = spec.update_strategy.as_ref()?.rolling_update.as_ref()?;
    Some(rolling.partition.unwrap_or(0))
}

/// The revision that a pod was made from. Upstream: `getPodRevision`.
pub(super) fn pod_revision(pod: &Pod) -> &str {
    pod.metadata.labels.as_ref().and_then(|it| it.get(REVISION_LABEL)).map_or("", String::as_str)
}

/// The name of the claim of a template for a number. Upstream: `getPersistentVolumeClaimName`.
fn claim_name(set: &StatefulSet, template: &PersistentVolumeClaim, ordinal: i32) -> String {
    format!("{}-{}-{ordinal}", template.name(), set.name())
}

/// Whether a pod has the labels of its number. Upstream: `identityMatches`.
pub(super) fn identity_matches(set: &StatefulSet, pod: &Pod) -> bool {
    let label = pod.metadata.labels.as_ref().and_then(|it| it.get(POD_NAME_LABEL));
    is_member_of(set, pod) && label.is_some_and(|it| it == pod.name())
}

/// Whether a pod mounts the claims of its number. Upstream: `storageMatches`.
pub(super) fn storage_matches(set: &StatefulSet, pod: &Pod) -> bool {
    let volumes = || pod.spec.iter().flat_map(|it| it.volumes.iter().flatten());
    claims(set, pod).iter().all(|(name, claim)| {
        let mut named = volumes().filter(|it| it.name == *name);
        named.any(|it| {
            let source = it.persistent_volume_claim.as_ref();
            source.is_some_and(|it| it.claim_name == claim.name())
        })
    })
}

/// The claims of a pod by the names of their templates. Upstream: `getPersistentVolumeClaims`.
pub(super) fn claims(set: &StatefulSet, pod: &Pod) -> Vec<(String, PersistentVolumeClaim)> {
    let (Some(spec), Some(ordinal)) = (&set.spec, ordinal(pod)) else { return Vec::new() };
    let templates = spec.volume_claim_templates.iter().flatten();
    templates
        .map(|template| {
            let mut claim = template.clone();
            claim.metadata.name = Some(claim_name(set, template, ordinal));
            claim.metadata.namespace = Some(set.namespace().to_owned());
            let selected = spec.selector.match_labels.clone().unwrap_or_default();
            claim.metadata.labels.get_or_insert_default().extend(selected);
            (template.name().to_owned(), claim)
        })
        .collect()
}

/// Mounts the claims in place of volumes of the same names. Upstream: `updateStorage`.
pub(super) fn update_storage(set: &StatefulSet, pod: &mut Pod) {
    let claims = claims(set, pod);
    let spec = pod.spec.get_or_insert_default();
    let others = spec.volumes.take().unwrap_or_default().into_iter();
    let others: Vec<Volume> =
        others.filter(|it| claims.iter().all(|(name, _)| *name != it.name)).collect();
    let mounted = claims.iter().map(|(name, claim)| Volume {
        name: name.clone(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.name().to_owned(),
            read_only: None,
        }),
        ..Volume::default()
    });
    let volumes: Vec<Volume> = mounted.chain(others).collect();
    spec.volumes = (!volumes.is_empty()).then_some(volumes);
}

/// Labels a pod with its name and number. Upstream: `updateIdentity`.
pub(super) fn update_identity(pod: &mut Pod) {
    let (name, ordinal) = (pod.name().to_owned(), ordinal(pod).unwrap_or(0));
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(POD_NAME_LABEL.to_owned(), name);
    labels.insert(POD_INDEX_LABEL.to_owned(), ordinal.to_string());
}

/// The pod of a number as a revision describes it. Upstream: `newStatefulSetPod`.
pub(super) fn new_pod(
    set: &StatefulSet,
    template: &PodTemplateSpec,
    revision: &str,
    ordinal: i32,
) -> Pod {
    let mut pod = utils::pod_from_template(template, set);
    let name = format!("{}-{ordinal}", set.name());
    pod.metadata.name = Some(name.clone());
    update_identity(&mut pod);
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(REVISION_LABEL.to_owned(), revision.to_owned());
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(name);
    let service = set.spec.as_ref().and_then(|it| it.service_name.clone());
    spec.subdomain = service.filter(|it| !it.is_empty());
    update_storage(set, &mut pod);
    pod
}

/// Whether claims go with the set and with their pod. Upstream:
/// `getPersistentVolumeClaimRetentionPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    pub(super) delete_when_deleted: bool,
    pub(super) delete_when_scaled: bool,
}

impl Retention {
    pub(super) fn of(set: &StatefulSet) -> Self {
        let policy = set.spec.as_ref();
        let policy = policy.and_then(|it| it.persistent_volume_claim_retention_policy.as_ref());
        let deletes = |it: Option<&String>| it.is_some_and(|it| it == "Delete");
        Self {
            delete_when_deleted: deletes(policy.and_then(|it| it.when_deleted.as_ref())),
            delete_when_scaled: deletes(policy.and_then(|it| it.when_scaled.as_ref())),
        }
    }

    /// Which owners a claim should have: the set, and the pod. The pod only when it is going.
    fn owners(self, scaled_down: bool) -> (bool, bool) {
        let pod = self.delete_when_scaled && scaled_down;
        (self.delete_when_deleted && !pod, pod)
    }
}

fn refers(owner: &OwnerReference, kind: Kind, name: &str) -> bool {
    owner.api_version == kind.api_version() && owner.kind == kind.name() && owner.name == name
}

fn owners(meta: &ObjectMeta) -> impl Iterator<Item = &OwnerReference> {
    meta.owner_references.iter().flatten()
}

fn has_owner(claim: &PersistentVolumeClaim, owner: &impl Resource) -> bool {
    owners(&claim.metadata).any(|it| it.uid == owner.uid())
}

/// Whether a claim belongs to an earlier object of the same name. Upstream: `hasStaleOwnerRef`.
pub(super) fn has_stale_owner<T: Resource>(claim: &PersistentVolumeClaim, object: &T) -> bool {
    let mut named = owners(&claim.metadata).filter(|it| refers(it, T::KIND, object.name()));
    named.next().is_some_and(|it| it.uid != object.uid())
}

/// Upstream: `hasUnexpectedController`.
pub(super) fn has_unexpected_controller(
    claim: &PersistentVolumeClaim,
    set: &StatefulSet,
    pod: &Pod,
) -> bool {
    let retention = Retention::of(set);
    if !retention.delete_when_deleted && !retention.delete_when_scaled {
        return false;
    }
    owners(&claim.metadata).any(|owner| {
        if refers(owner, Kind::StatefulSet, set.name()) {
            owner.uid != set.uid()
        } else if refers(owner, Kind::Pod, pod.name()) {
            owner.uid != pod.uid()
        } else {
            owner.controller == Some(true)
        }
    })
}

/// Whether a claim has the owners that the retention policy asks for. Upstream:
/// `isClaimOwnerUpToDate`.
pub(super) fn is_claim_owner_up_to_date(
    claim: &PersistentVolumeClaim,
    set: &StatefulSet,
    pod: &Pod,
) -> bool {
    if has_stale_owner(claim, set) || has_stale_owner(claim, pod) {
        return true;
    }
    let owned = (has_owner(claim, set), has_owner(claim, pod));
    if has_unexpected_controller(claim, set, pod) {
        return owned == (false, false);
    }
    let ours = |it: &&OwnerReference| it.uid == set.uid() || it.uid == pod.uid();
    if owners(&claim.metadata).filter(ours).any(|it| it.controller != Some(true)) {
        return false;
    }
    let scaled_down = set.spec.as_ref().is_some_and(|it| !pod_in_range(it, pod));
    owned == Retention::of(set).owners(scaled_down)
}

/// Gives a claim the owners that the retention policy asks for. Upstream:
/// `updateClaimOwnerRefForSetAndPod`.
pub(super) fn update_claim_owners(claim: &mut PersistentVolumeClaim, set: &StatefulSet, pod: &Pod) {
    let unexpected = has_unexpected_controller(claim, set, pod);
    let mut owners = claim.metadata.owner_references.take().unwrap_or_default();
    owners.retain(|it| {
        !refers(it, Kind::StatefulSet, set.name()) && !refers(it, Kind::Pod, pod.name())
    });
    if !unexpected {
        let scaled_down = set.spec.as_ref().is_some_and(|it| !pod_in_range(it, pod));
        let (by_set, by_pod) = Retention::of(set).owners(scaled_down);
        owners.extend(by_set.then(|| set.controller_ref()));
        owners.extend(by_pod.then(|| pod.controller_ref()));
    }
    claim.metadata.owner_references = (!owners.is_empty()).then_some(owners);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_name_ends_in_its_number() {
        for (name, expected) in [
            ("web-0", Some(("web", 0))),
            ("a-b-12", Some(("a-b", 12))),
            ("web", None),
            ("web-", None),
            ("web-x", None),
            ("web-99999999999", None),
        ] {
            assert_eq!(parent_and_ordinal(name), expected, "{name}");
        }
    }

    #[test]
    fn a_claim_is_owned_by_the_pod_only_while_it_is_scaled_down() {
        for (delete_when_deleted, delete_when_scaled, scaled_down, expected) in [
            (false, false, true, (false, false)),
            (true, false, true, (true, false)),
            (false, true, false, (false, false)),
            (false, true, true, (false, true)),
            (true, true, false, (true, false)),
            (true, true, true, (false, true)),
        ] {
            let retention = Retention { delete_when_deleted, delete_when_scaled };
            assert_eq!(retention.owners(scaled_down), expected, "{retention:?}");
        }
    }
}
