//! Volumes that are labelled with zones keep their pods there.
//!
//! Upstream: `pkg/scheduler/framework/plugins/volumezone/volume_zone.go`, v1.36.

use std::sync::Arc;

use api::Object;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use view::Term;

use super::{names, volumerestrictions::claims};
use crate::framework::cycle_state::CycleState;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{
    FilterPlugin, Handle, Plugin, PreFilter, PreFilterPlugin, QueueingHint, Rejection,
};
use crate::framework::intern::Sym;
use crate::framework::types::{NodeInfo, PodInfo};

const ERR_REASON: &str = "node(s) had no available volume zone";
const BETA_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
const BETA_REGION: &str = "failure-domain.beta.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";

/// The plugin.
pub struct VolumeZone;

#[derive(Clone)]
struct PvTopology {
    volume: String,
    key: Sym,
    ga_key: Sym,
    values: Vec<Sym>,
}

#[derive(Clone)]
struct StateData {
    topologies: Vec<PvTopology>,
    /// A node without any of these is not constrained.
    keys: [Sym; 4],
}

impl Plugin for VolumeZone {
    fn name(&self) -> &'static str {
        names::VOLUME_ZONE
    }
    fn as_pre_filter(&self) -> Option<&dyn PreFilterPlugin> {
        Some(self)
    }
    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
    fn events_to_register(&self) -> Vec<ClusterEventWithHint> {
        let changed = ActionType::ADD | ActionType::UPDATE;
        vec![
            ClusterEventWithHint {
                event: ClusterEvent::new(EventResource::StorageClass, ActionType::ADD),
                hint: Some(Arc::new(|_, _, change| match &change.new {
                    Some(Object::StorageClass(it)) if waits(it) => QueueingHint::Queue,
                    _ => QueueingHint::Skip,
                })),
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(
                    EventResource::Node,
                    ActionType::ADD | ActionType::UPDATE_NODE_LABEL,
                ),
                hint: None,
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(EventResource::PersistentVolumeClaim, changed),
                hint: Some(Arc::new(|_, pod, change| super::hint_if_claimed(pod, &change.new))),
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(EventResource::PersistentVolume, changed),
                hint: Some(Arc::new(|_, _, change| {
                    let zones = |it: &Option<Object>| {
                        let labels = it.as_ref().and_then(|it| it.meta().labels.clone());
                        let all = labels.unwrap_or_default();
                        [BETA_ZONE, BETA_REGION, ZONE, REGION].map(|key| all.get(key).cloned())
                    };
                    if change.old.is_none() || zones(&change.old) != zones(&change.new) {
                        QueueingHint::Queue
                    } else {
                        QueueingHint::Skip
                    }
                })),
            },
        ]
    }
}

fn waits(class: &StorageClass) -> bool {
    class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer")
}

/// Upstream: `getPVbyPod`.
fn topologies(handle: &mut Handle<'_>, pod: &PodInfo) -> Result<Vec<PvTopology>, Rejection> {
    let mut topologies = Vec::new();
    let reject = |text: String| Err(Rejection::unresolvable(text));
    for name in claims(pod) {
        if name.is_empty() {
            return reject("PersistentVolumeClaim had no name".to_owned());
        }
        let Some(claim) = handle.listers.get::<PersistentVolumeClaim>(pod.namespace_name(), name)
        else {
            return reject(super::claim_not_found(name));
        };
        let volume = super::volume_of(claim);
        if volume.is_empty() {
            let class_name = super::class_of_claim(claim);
            if class_name.is_empty() {
                return reject("PersistentVolumeClaim had no pv name and storageClass name".into());
            }
            let Some(class) = handle.listers.get::<StorageClass>("", class_name) else {
                return reject(format!("storageclass.storage.k8s.io \"{class_name}\" not found"));
            };
            if class.volume_binding_mode.is_none() {
                return reject(format!(
                    "VolumeBindingMode not set for StorageClass \"{class_name}\""
                ));
            }
            if waits(class) {
                continue;
            }
            return reject("PersistentVolume had no name".to_owned());
        }
        let Some(volume) = handle.listers.get::<PersistentVolume>("", volume) else {
            return reject(format!("persistentvolume \"{volume}\" not found"));
        };
        for (key, ga_key) in
            [(BETA_ZONE, ZONE), (BETA_REGION, REGION), (ZONE, ZONE), (REGION, REGION)]
        {
            let Some(value) = volume.metadata.labels.as_ref().and_then(|it| it.get(key)) else {
                continue;
            };
            let values: Vec<&str> = value.split("__").map(str::trim).collect();
            if values.contains(&"") {
                continue;
            }
            let interner = &mut handle.cache.interner;
            topologies.push(PvTopology {
                volume: volume.metadata.name.clone().unwrap_or_default(),
                key: interner.intern(key),
                ga_key: interner.intern(ga_key),
                values: values.into_iter().map(|it| interner.intern(it)).collect(),
            });
        }
    }
    Ok(topologies)
}

impl StateData {
    fn conflict(&self, node: &NodeInfo) -> Option<&PvTopology> {
        if self.keys.iter().all(|it| node.labels.get(*it).is_none()) {
            return None;
        }
        self.topologies.iter().find(|it| {
            let value = node.labels.get(it.key).or_else(|| node.labels.get(it.ga_key));
            value.is_none_or(|value| !it.values.contains(&value))
        })
    }
}

impl PreFilterPlugin for VolumeZone {
    fn pre_filter(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> Result<PreFilter, Rejection> {
        let topologies = topologies(handle, pod)?;
        if topologies.is_empty() {
            return Ok(PreFilter::Skip);
        }
        let keys =
            [BETA_ZONE, BETA_REGION, ZONE, REGION].map(|it| handle.cache.interner.intern(it));
        state.write(StateData { topologies, keys });
        Ok(PreFilter::All)
    }
}

impl FilterPlugin for VolumeZone {
    fn filter(
        &self,
        _: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        match state.read::<StateData>().and_then(|it| it.conflict(node)) {
            None => Ok(()),
            Some(_) => Err(Rejection::unresolvable(ERR_REASON)),
        }
    }

    fn explain(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &NodeInfo,
    ) -> Vec<Term> {
        let Some(it) = state.read::<StateData>().and_then(|it| it.conflict(node)) else {
            return Vec::new();
        };
        let values: Vec<&str> =
            it.values.iter().map(|it| handle.cache.interner.text(*it)).collect();
        let key = handle.cache.interner.text(it.key);
        vec![Term {
            text: format!("volume {} is only in {key} {}", it.volume, values.join(", ")),
            short: format!("volume {}", it.volume),
            path: Some("spec.volumes".to_owned()),
        }]
    }
}
