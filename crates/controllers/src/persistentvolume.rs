//! Binds claims to volumes, provisions volumes for claims, and protects both while they are used.
//!
//! Upstream: `pkg/controller/volume/persistentvolume/{pv_controller,index}.go`,
//! `pkg/controller/volume/{pvcprotection,pvprotection}`, v1.36; the provisioner stands for
//! kubernetes-csi/external-provisioner.
//! Differs from upstream: bound claims and volumes are not looked at again every 15 seconds, because
//! nothing changes unseen; any provisioner that a class names is there and needs one second for a
//! volume.

mod matching;
mod provisioner;
mod recycler;
mod sync_claim;
mod sync_volume;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use api::k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use api::time::after_ms;
use api::{
    Action, Change, Component, ComponentId, EventSpec, Kind, Object, ObjectRef, Patch, Plan,
    Resource, Timestamp, View, WorkQueue, pods,
};

use matching::delays_binding;

const COMPONENT: &str = "persistentvolume-controller";
/// Upstream: `defaultPVClaimBinderSyncPeriod`.
const SYNC_PERIOD_MS: i64 = 15_000;
/// A new claim is bound by four writes, one after the other, and the claim's own come last. Recorded:
/// the first attempt to schedule the pod that a StatefulSet makes right after it fails each time.
const BINDING_MS: i64 = 20;
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
const STORAGE_PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const PVC_PROTECTION: &str = "kubernetes.io/pvc-protection";
const PV_PROTECTION: &str = "kubernetes.io/pv-protection";

/// The controller of volumes and claims.
#[derive(Clone, Debug, Default)]
pub struct PersistentVolumeController {
    /// When the volume of a claim will have been made.
    provisioning: BTreeMap<ObjectRef, Timestamp>,
    /// New claims that wait for a consumer and were made before one. Upstream looks at them before
    /// the pod can be there that is made next.
    without_consumer: BTreeSet<ObjectRef>,
    recycling: recycler::Recycling,
}

impl Component for PersistentVolumeController {
    fn id(&self) -> ComponentId {
        ComponentId::PersistentVolume
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        for kind in [Kind::PersistentVolume, Kind::PersistentVolumeClaim] {
            for object in view.listers.0.list(kind) {
                queue.add_at(object.object_ref(), view.now);
            }
        }
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let at = after_ms(view.now, view.settings.controller_latency_ms);
        if let Some(Object::Pod(pod)) = change.object()
            && let Some(volume) = recycler::volume_of(pod)
        {
            queue.add_at(ObjectRef::new(Kind::PersistentVolume, "", volume), at);
        }
        match (&change.old, &change.new) {
            (old, Some(Object::PersistentVolumeClaim(new))) => {
                // A scheduler that hears of the claim's pod at the same time is faster.
                let late = if old.is_none() { BINDING_MS } else { 0 };
                let at = if old.is_none() && delays_binding(new, &view.listers) {
                    if sync_claim::consumers(new, view).is_empty() {
                        self.without_consumer.insert(new.object_ref());
                    }
                    view.now
                } else {
                    after_ms(at, late)
                };
                queue.add_at(new.object_ref(), at);
            }
            (Some(Object::PersistentVolumeClaim(old)), None) => {
                self.provisioning.remove(&old.object_ref());
                self.without_consumer.remove(&old.object_ref());
                if let Some(volume) = old.spec.as_ref().and_then(|it| it.volume_name.as_deref()) {
                    queue.add_at(ObjectRef::new(Kind::PersistentVolume, "", volume), at);
                }
            }
            // Claims do not hear of new volumes and classes: they are looked at again in time.
            (_, Some(Object::PersistentVolume(new))) => queue.add_at(new.object_ref(), at),
            (Some(Object::PersistentVolume(old)), None) => {
                self.recycling.remove(old.name());
                if let Some(key) = claim_ref(old) {
                    queue.add_at(key, at);
                }
            }
            (_, Some(Object::Pod(pod))) if pods::is_terminal(pod) => released(pod, view, at, queue),
            (Some(Object::Pod(pod)), None) => released(pod, view, at, queue),
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        match view.listers.object(key) {
            Some(Object::PersistentVolumeClaim(claim)) => {
                protect_claim(claim, view, &mut plan);
                if plan.is_empty() {
                    sync_claim::sync(claim, self, view, &mut plan);
                    if !has_annotation(&claim.metadata.annotations, BIND_COMPLETED) {
                        plan.requeue(next_resync(view.now));
                    }
                }
            }
            Some(Object::PersistentVolume(volume)) => {
                protect_volume(volume, &mut plan);
                if plan.is_empty() {
                    sync_volume::sync(volume, self, view, &mut plan);
                }
            }
            _ => {}
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

/// When all claims are looked at again; what keeps one waiting is told anew then.
fn next_resync(now: Timestamp) -> Timestamp {
    after_ms(now, SYNC_PERIOD_MS - now.as_millisecond().rem_euclid(SYNC_PERIOD_MS))
}

/// A pod that has ended may have held a claim that is being deleted.
fn released(pod: &Pod, view: &View<'_>, at: Timestamp, queue: &mut WorkQueue) {
    for name in claims_of(pod) {
        let claim = view.listers.get::<PersistentVolumeClaim>(pod.namespace(), &name);
        if let Some(claim) = claim.filter(|it| it.metadata.deletion_timestamp.is_some()) {
            queue.add_at(claim.object_ref(), at);
        }
    }
}

/// The names of the claims that a pod uses.
fn claims_of(pod: &Pod) -> impl Iterator<Item = String> + use<'_> {
    let volumes = pod.spec.iter().flat_map(|it| it.volumes.iter().flatten());
    volumes.filter_map(|it| match (&it.persistent_volume_claim, &it.ephemeral) {
        (Some(claim), _) => Some(claim.claim_name.clone()),
        (None, Some(_)) => Some(format!("{}-{}", pod.name(), it.name)),
        _ => None,
    })
}

fn has_annotation(annotations: &Option<BTreeMap<String, String>>, key: &str) -> bool {
    annotation(annotations, key).is_some()
}

fn annotation<'a>(annotations: &'a Option<BTreeMap<String, String>>, key: &str) -> Option<&'a str> {
    annotations.as_ref()?.get(key).map(String::as_str)
}

/// The claim that a volume belongs or is promised to.
fn claim_ref(volume: &PersistentVolume) -> Option<ObjectRef> {
    let claim = volume.spec.as_ref()?.claim_ref.as_ref()?;
    let namespace = claim.namespace.as_deref().unwrap_or_default();
    let name = claim.name.as_deref().unwrap_or_default();
    Some(ObjectRef::new(Kind::PersistentVolumeClaim, namespace, name))
}

fn phase(volume: &PersistentVolume) -> &str {
    volume.status.as_ref().and_then(|it| it.phase.as_deref()).unwrap_or_default()
}

fn patch(plan: &mut Plan, key: &ObjectRef, subresource: &'static str, patch: serde_json::Value) {
    plan.push(Action::Patch { key: key.clone(), subresource, patch: Patch::Merge(patch) });
}

fn record(plan: &mut Plan, object: Object, warning: bool, reason: &str, message: &str) {
    let event = EventSpec::normal(COMPONENT, &object, reason, message);
    plan.record(EventSpec { warning, ..event });
}

/// Upstream: `pvcprotection`: a claim that is being deleted stays while there is a scheduled pod
/// that uses it, even one that has ended.
fn protect_claim(claim: &PersistentVolumeClaim, view: &View<'_>, plan: &mut Plan) {
    let meta = &claim.metadata;
    if meta.deletion_timestamp.is_none() {
        return;
    }
    let mut pods_there = view.listers.list_in::<Pod>(claim.namespace());
    let in_use = pods_there
        .any(|pod| pods::node_name(pod).is_some() && claims_of(pod).any(|it| it == claim.name()));
    if !in_use {
        remove_finalizer(plan, claim, PVC_PROTECTION);
    }
}

/// Upstream: `pvprotection`: a volume that is being deleted stays while it is bound.
fn protect_volume(volume: &PersistentVolume, plan: &mut Plan) {
    if volume.metadata.deletion_timestamp.is_some() && phase(volume) != "Bound" {
        remove_finalizer(plan, volume, PV_PROTECTION);
    }
}

fn remove_finalizer<T: Resource>(plan: &mut Plan, object: &T, name: &str) {
    let finalizers = object.meta().finalizers.as_deref().unwrap_or_default();
    if !finalizers.iter().any(|it| it == name) {
        return;
    }
    let rest: Vec<&String> = finalizers.iter().filter(|it| *it != name).collect();
    let list = if rest.is_empty() { serde_json::Value::Null } else { serde_json::json!(rest) };
    patch(plan, &object.object_ref(), "", serde_json::json!({"metadata": {"finalizers": list}}));
}
