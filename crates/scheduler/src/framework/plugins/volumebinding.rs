//! Volumes that a pod's claims are or will be bound to must be reachable from the node.
//!
//! Upstream: `pkg/scheduler/framework/plugins/volumebinding/{volume_binding,binder}.go`, v1.36.
//! Differs from upstream: in-tree volumes are not translated to CSI drivers, and there is no
//! `CSIStorageCapacity`, so a driver that tracks its capacity always has enough.

use api::Order;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::{Action, Object, Resource as _, quantity};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use view::Term;

use super::{claim_names, class_of_claim, names, volume_of};
use crate::framework::cycle_state::CycleState;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{
    FilterPlugin, Handle, Plugin, PreBind, PreBindPlugin, PreFilter, PreFilterPlugin, PreScore,
    PreScorePlugin, Rejection, ScorePlugin,
};
use crate::framework::intern::Interner;
use crate::framework::labels::{NodeFacts, NodeSelector, Selector};
use crate::framework::types::{NodeId, NodeInfo, PodInfo};

const ERR_NODE_CONFLICT: &str = "node(s) didn't match PersistentVolume's node affinity";
const ERR_BIND_CONFLICT: &str = "node(s) didn't find available persistent volumes to bind";
const ERR_PV_NOT_EXIST: &str =
    "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// The plugin.
pub struct VolumeBinding;

/// A volume with its node affinity, compiled.
#[derive(Clone)]
struct Volume {
    object: Arc<PersistentVolume>,
    affinity: Option<NodeSelector>,
}

impl Volume {
    fn new(object: &PersistentVolume, interner: &mut Interner) -> Self {
        let affinity = object.spec.as_ref().and_then(|it| it.node_affinity.as_ref());
        let required = affinity.and_then(|it| it.required.as_ref());
        let affinity = required.map(|it| NodeSelector::new(it, interner));
        Self { object: Arc::new(object.clone()), affinity }
    }

    /// Upstream: `CheckNodeAffinity`, which sees a node without a name.
    fn reaches(&self, node: &NodeInfo, interner: &Interner) -> bool {
        let facts = NodeFacts { labels: &node.labels, name: None };
        self.affinity.as_ref().is_none_or(|it| it.matches(facts, interner))
    }

    fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }
}

/// A claim that is bound when its pod has a node.
#[derive(Clone)]
struct Delayed {
    claim: Arc<PersistentVolumeClaim>,
    /// The volumes of its class, those that would do apart from the node first in order of size.
    candidates: Vec<Volume>,
    class: Option<Arc<StorageClass>>,
}

#[derive(Clone)]
struct StateData {
    /// `None`: bound to a volume that does not exist.
    bound: Vec<Option<Volume>>,
    delayed: Vec<Delayed>,
}

/// What binding on a node would do.
struct Decision {
    bindings: Vec<(Arc<PersistentVolume>, Arc<PersistentVolumeClaim>)>,
    provisions: Vec<Arc<PersistentVolumeClaim>>,
}

impl Plugin for VolumeBinding {
    fn name(&self) -> &'static str {
        names::VOLUME_BINDING
    }
    fn as_pre_filter(&self) -> Option<&dyn PreFilterPlugin> {
        Some(self)
    }
    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
    fn as_pre_score(&self) -> Option<&dyn PreScorePlugin> {
        Some(self)
    }
    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        Some(self)
    }
    fn as_pre_bind(&self) -> Option<&dyn PreBindPlugin> {
        Some(self)
    }
    fn events_to_register(&self) -> Vec<ClusterEventWithHint> {
        let changed = ActionType::ADD | ActionType::UPDATE;
        let any = |resource, action| ClusterEventWithHint {
            event: ClusterEvent::new(resource, action),
            hint: None,
        };
        vec![
            any(EventResource::StorageClass, changed),
            ClusterEventWithHint {
                event: ClusterEvent::new(EventResource::PersistentVolumeClaim, changed),
                hint: Some(Arc::new(|_, pod, change| super::hint_if_claimed(pod, &change.new))),
            },
            any(EventResource::PersistentVolume, changed),
            any(EventResource::Node, ActionType::ADD | ActionType::UPDATE_NODE_LABEL),
            any(EventResource::CsiNode, changed),
            any(EventResource::CsiDriver, ActionType::UPDATE),
        ]
    }
}

/// Upstream: `podHasPVCs`.
fn check_claims(handle: &Handle<'_>, pod: &PodInfo) -> Result<bool, String> {
    let claims = claim_names(&pod.pod);
    for (name, is_ephemeral) in &claims {
        let claim = handle.listers.get::<PersistentVolumeClaim>(pod.namespace_name(), name);
        let Some(claim) = claim else {
            return Err(if *is_ephemeral {
                format!(
                    "waiting for ephemeral volume controller to create the persistentvolumeclaim \
                     \"{name}\""
                )
            } else {
                super::claim_not_found(name)
            });
        };
        let phase = claim.status.as_ref().and_then(|it| it.phase.as_deref());
        if phase == Some("Lost") {
            return Err(format!(
                "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{}\"",
                volume_of(claim)
            ));
        }
        if claim.metadata.deletion_timestamp.is_some() {
            return Err(format!("persistentvolumeclaim \"{name}\" is being deleted"));
        }
        if *is_ephemeral {
            super::check_ephemeral(&pod.pod, claim)?;
        }
    }
    Ok(!claims.is_empty())
}

fn is_fully_bound(claim: &PersistentVolumeClaim) -> bool {
    let annotations = claim.metadata.annotations.as_ref();
    !volume_of(claim).is_empty() && annotations.is_some_and(|it| it.contains_key(BIND_COMPLETED))
}

/// Upstream: `IsDelayBindingMode`.
fn class_of(
    handle: &Handle<'_>,
    claim: &PersistentVolumeClaim,
) -> Result<Option<Arc<StorageClass>>, Rejection> {
    let name = class_of_claim(claim);
    if name.is_empty() {
        return Ok(None);
    }
    let Some(class) = handle.listers.get::<StorageClass>("", name) else { return Ok(None) };
    if class.volume_binding_mode.is_none() {
        return Err(Rejection::error(format!(
            "VolumeBindingMode not set for StorageClass \"{name}\""
        )));
    }
    Ok(Some(Arc::new(class.clone())))
}

impl PreFilterPlugin for VolumeBinding {
    fn pre_filter(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> Result<PreFilter, Rejection> {
        if !check_claims(handle, pod).map_err(Rejection::unresolvable)? {
            return Ok(PreFilter::Skip);
        }
        let mut data = StateData { bound: Vec::new(), delayed: Vec::new() };
        for (name, _) in claim_names(&pod.pod) {
            let claim = handle.listers.get::<PersistentVolumeClaim>(pod.namespace_name(), &name);
            let Some(claim) = claim else { continue };
            if is_fully_bound(claim) {
                let volume = handle.listers.get::<PersistentVolume>("", volume_of(claim));
                let volume = volume.map(|it| Volume::new(it, &mut handle.cache.interner));
                data.bound.push(volume);
                continue;
            }
            let class = class_of(handle, claim)?;
            let waits = class.as_ref().and_then(|it| it.volume_binding_mode.as_deref())
                == Some("WaitForFirstConsumer");
            if !waits || !volume_of(claim).is_empty() {
                return Err(Rejection::unresolvable(
                    "pod has unbound immediate PersistentVolumeClaims",
                ));
            }
            let candidates = candidates(handle, claim);
            data.delayed.push(Delayed { claim: Arc::new(claim.clone()), candidates, class });
        }
        // The smallest claims choose first.
        data.delayed.order_by_key(|it| requested(&it.claim));
        state.write(data);
        Ok(PreFilter::All)
    }
}

fn storage(quantities: Option<&BTreeMap<String, Quantity>>) -> quantity::Exact {
    let amount = quantities.and_then(|it| it.get("storage"));
    amount.and_then(|it| quantity::parse(&it.0).ok()).unwrap_or_default()
}

fn requested(claim: &PersistentVolumeClaim) -> quantity::Exact {
    let resources = claim.spec.as_ref().and_then(|it| it.resources.as_ref());
    storage(resources.and_then(|it| it.requests.as_ref()))
}

fn capacity(volume: &PersistentVolume) -> quantity::Exact {
    storage(volume.spec.as_ref().and_then(|it| it.capacity.as_ref()))
}

fn class_of_volume(volume: &PersistentVolume) -> &str {
    let annotations = volume.metadata.annotations.as_ref();
    let beta = annotations.and_then(|it| it.get("volume.beta.kubernetes.io/storage-class"));
    let own = volume.spec.as_ref().and_then(|it| it.storage_class_name.as_deref());
    beta.map(String::as_str).or(own).unwrap_or_default()
}

fn is_bound_to(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let reference = volume.spec.as_ref().and_then(|it| it.claim_ref.as_ref());
    reference.is_some_and(|it| {
        it.name == claim.metadata.name
            && it.namespace == claim.metadata.namespace
            && it
                .uid
                .as_deref()
                .is_none_or(|uid| uid.is_empty() || Some(uid) == claim.metadata.uid.as_deref())
    })
}

/// The volumes that would do for a claim, the node apart. Upstream: `FindMatchingVolume` without its
/// node affinity.
fn candidates(handle: &mut Handle<'_>, claim: &PersistentVolumeClaim) -> Vec<Volume> {
    let class = class_of_claim(claim);
    let spec = claim.spec.clone().unwrap_or_default();
    let interner = &mut handle.cache.interner;
    let selector = spec.selector.as_ref().and_then(|it| Selector::new(Some(it), interner).ok());
    let mode = |it: &Option<String>| it.clone().unwrap_or_else(|| "Filesystem".to_owned());
    let mut found = Vec::new();
    for volume in handle.listers.list::<PersistentVolume>() {
        let volume_spec = volume.spec.clone().unwrap_or_default();
        let bound = is_bound_to(volume, claim);
        let attributes = |it: &Option<String>| it.clone().unwrap_or_default();
        if class_of_volume(volume) != class
            || (volume_spec.claim_ref.is_some() && !bound)
            || capacity(volume) < requested(claim)
            || mode(&spec.volume_mode) != mode(&volume_spec.volume_mode)
            || attributes(&spec.volume_attributes_class_name)
                != attributes(&volume_spec.volume_attributes_class_name)
            || volume.metadata.deletion_timestamp.is_some()
        {
            continue;
        }
        let interner = &mut handle.cache.interner;
        if !bound {
            let phase = volume.status.as_ref().and_then(|it| it.phase.as_deref());
            let labels =
                crate::framework::intern::Labels::new(volume.metadata.labels.as_ref(), interner);
            let modes = volume_spec.access_modes.unwrap_or_default();
            let wanted = spec.access_modes.iter().flatten();
            if phase != Some("Available")
                || selector.as_ref().is_some_and(|it| !it.matches(&labels, interner))
                || !wanted.into_iter().all(|it| modes.contains(it))
            {
                continue;
            }
        }
        found.push((!bound, capacity(volume), Volume::new(volume, interner)));
    }
    found.order_by_key(|(is_free, capacity, _)| (*is_free, *capacity));
    found.into_iter().map(|(_, _, volume)| volume).collect()
}

impl StateData {
    /// Upstream: `FindPodVolumes`.
    fn decide(
        &self,
        node: &NodeInfo,
        interner: &Interner,
    ) -> Result<Decision, &'static [&'static str]> {
        let mut decision = Decision { bindings: Vec::new(), provisions: Vec::new() };
        for volume in &self.bound {
            match volume {
                None => return Err(&[ERR_PV_NOT_EXIST]),
                Some(it) if !it.reaches(node, interner) => return self.conflict(node, interner),
                Some(_) => {}
            }
        }
        match self.decide_delayed(node, interner, &mut decision) {
            true => Ok(decision),
            false => Err(&[ERR_BIND_CONFLICT]),
        }
    }

    /// A bound volume does not reach the node; unbound claims are looked at all the same.
    fn conflict(
        &self,
        node: &NodeInfo,
        interner: &Interner,
    ) -> Result<Decision, &'static [&'static str]> {
        let mut decision = Decision { bindings: Vec::new(), provisions: Vec::new() };
        Err(match self.decide_delayed(node, interner, &mut decision) {
            true => &[ERR_NODE_CONFLICT],
            false => &[ERR_NODE_CONFLICT, ERR_BIND_CONFLICT],
        })
    }

    fn decide_delayed(&self, node: &NodeInfo, interner: &Interner, out: &mut Decision) -> bool {
        let mut chosen: BTreeSet<&str> = BTreeSet::new();
        for it in &self.delayed {
            let annotations = it.claim.metadata.annotations.as_ref();
            let selected = annotations.and_then(|it| it.get(SELECTED_NODE));
            if selected.is_some_and(|it| **it != *node.name) {
                return false;
            }
            if selected.is_none()
                && let Some(volume) = it.find(node, interner, &chosen)
            {
                chosen.insert(volume.name());
                out.bindings.push((volume.object.clone(), it.claim.clone()));
                continue;
            }
            if !it.can_provision(node, interner) {
                return false;
            }
            out.provisions.push(it.claim.clone());
        }
        true
    }
}

impl Delayed {
    fn find(
        &self,
        node: &NodeInfo,
        interner: &Interner,
        taken: &BTreeSet<&str>,
    ) -> Option<&Volume> {
        let mut free = self.candidates.iter().filter(|it| !taken.contains(it.name()));
        let own = self.candidates.iter().find(|it| is_bound_to(&it.object, &self.claim));
        if let Some(own) = own {
            return Some(own).filter(|it| it.reaches(node, interner));
        }
        free.find(|it| it.reaches(node, interner))
    }

    /// Upstream: `checkVolumeProvisions`.
    fn can_provision(&self, node: &NodeInfo, interner: &Interner) -> bool {
        let Some(class) = &self.class else { return false };
        if class.provisioner.is_empty() || class.provisioner == NO_PROVISIONER {
            return false;
        }
        let terms = class.allowed_topologies.as_deref().unwrap_or_default();
        let label = |key: &str| {
            let value = node.labels.get(interner.get(key)?)?;
            Some(interner.text(value))
        };
        terms.is_empty()
            || terms.iter().any(|term| {
                let expressions = term.match_label_expressions.as_deref().unwrap_or_default();
                !expressions.is_empty()
                    && expressions.iter().all(|it| {
                        label(&it.key).is_some_and(|value| it.values.iter().any(|it| it == value))
                    })
            })
    }
}

impl FilterPlugin for VolumeBinding {
    fn filter(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        let Some(state) = state.read::<StateData>() else { return Ok(()) };
        match state.decide(node, &handle.cache.interner) {
            Ok(_) => Ok(()),
            Err([one]) => Err(Rejection::unresolvable(*one)),
            Err(all) => {
                let mut rejection = Rejection::unresolvable("");
                let reasons = all.iter().map(|it| (*it).into()).collect();
                rejection.reasons = crate::framework::interface::Reasons::Many(reasons);
                Err(rejection)
            }
        }
    }

    fn explain(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &NodeInfo,
    ) -> Vec<Term> {
        let Some(state) = state.read::<StateData>() else { return Vec::new() };
        let interner = &handle.cache.interner;
        let path = Some("spec.volumes".to_owned());
        let mut terms = Vec::new();
        for volume in state.bound.iter().flatten().filter(|it| !it.reaches(node, interner)) {
            terms.push(Term {
                text: format!("volume {} cannot be reached from this node", volume.name()),
                short: format!("volume {}", volume.name()),
                path: path.clone(),
            });
        }
        for it in &state.delayed {
            if it.find(node, interner, &BTreeSet::new()).is_none()
                && !it.can_provision(node, interner)
            {
                let name = it.claim.metadata.name.as_deref().unwrap_or_default();
                terms.push(Term {
                    text: format!(
                        "claim {name}: no free volume fits on this node, none can be made"
                    ),
                    short: format!("claim {name}"),
                    path: path.clone(),
                });
            }
        }
        terms
    }
}

impl PreScorePlugin for VolumeBinding {
    fn pre_score(
        &self,
        _: &mut Handle<'_>,
        _: &mut CycleState,
        _: &PodInfo,
        _: &[NodeId],
    ) -> Result<PreScore, Rejection> {
        // Scoring by capacity is behind a feature gate that is off in 1.36.
        Ok(PreScore::Skip)
    }
}

impl ScorePlugin for VolumeBinding {
    fn score(
        &self,
        _: &Handle<'_>,
        _: &CycleState,
        _: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<Vec<i64>, Rejection> {
        Ok(vec![0; nodes.len()])
    }
}

impl PreBindPlugin for VolumeBinding {
    fn pre_bind(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &str,
    ) -> PreBind {
        let Some(state) = state.read::<StateData>() else { return PreBind::default() };
        let Some(info) = handle.cache.node_by_name(node) else { return PreBind::default() };
        let Ok(decision) = state.decide(info, &handle.cache.interner) else {
            return PreBind::default();
        };
        let mut actions = Vec::new();
        for (volume, claim) in decision.bindings {
            actions.push(Action::Update(bind(&volume, &claim)));
        }
        for claim in decision.provisions {
            let mut claim = (*claim).clone();
            let annotations = claim.metadata.annotations.get_or_insert_default();
            annotations.insert(SELECTED_NODE.to_owned(), node.to_owned());
            actions.push(Action::Update(claim.into_object()));
        }
        let wait_for_volumes = !actions.is_empty();
        PreBind { actions, wait_for_volumes }
    }
}

/// The volume with a reference to the claim. Upstream: `GetBindVolumeToClaim`.
fn bind(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Object {
    let mut volume = volume.clone();
    let spec = volume.spec.get_or_insert_default();
    if spec.claim_ref.is_none() {
        let annotations = volume.metadata.annotations.get_or_insert_default();
        annotations.insert(BOUND_BY_CONTROLLER.to_owned(), "yes".to_owned());
    }
    spec.claim_ref = Some(k8s_openapi::api::core::v1::ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("PersistentVolumeClaim".to_owned()),
        name: claim.metadata.name.clone(),
        namespace: claim.metadata.namespace.clone(),
        uid: claim.metadata.uid.clone(),
        resource_version: claim.metadata.resource_version.clone(),
        field_path: None,
    });
    volume.into_object()
}
