//! How many volumes of a driver a node can attach.
//!
//! Upstream: `pkg/scheduler/framework/plugins/nodevolumelimits/csi.go`, v1.36.
//! Differs from upstream: in-tree volumes are not translated to CSI drivers, and there are no
//! `VolumeAttachment` objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Gather;
use api::Object;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::{CSINode, StorageClass};

use super::names;
use crate::framework::cycle_state::CycleState;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{
    FilterPlugin, Handle, Plugin, PreFilter, PreFilterPlugin, QueueingHint, Rejection,
};
use crate::framework::types::{NodeInfo, PodInfo};

const ERR_REASON: &str = "node(s) exceed max volume count";

/// The plugin.
pub struct CsiLimits;

impl Plugin for CsiLimits {
    fn name(&self) -> &'static str {
        names::NODE_VOLUME_LIMITS
    }
    fn as_pre_filter(&self) -> Option<&dyn PreFilterPlugin> {
        Some(self)
    }
    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
    fn events_to_register(&self) -> Vec<ClusterEventWithHint> {
        vec![
            ClusterEventWithHint {
                event: ClusterEvent::new(
                    EventResource::CsiNode,
                    ActionType::ADD | ActionType::UPDATE,
                ),
                hint: Some(Arc::new(|_, _, change| {
                    let limits = |it: &Option<Object>| {
                        it.as_ref().and_then(Object::as_kind::<CSINode>).map(limits)
                    };
                    let (old, new) = (limits(&change.old), limits(&change.new));
                    let old = old.unwrap_or_default();
                    let more = new
                        .unwrap_or_default()
                        .into_iter()
                        .any(|(driver, limit)| old.get(&driver).is_none_or(|it| limit > *it));
                    if change.old.is_none() || more {
                        QueueingHint::Queue
                    } else {
                        QueueingHint::Skip
                    }
                })),
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(EventResource::Pod, ActionType::DELETE),
                hint: Some(Arc::new(|_, _, change| match &change.old {
                    Some(Object::Pod(it)) if super::is_on_a_node(it) && has_claims(it) => {
                        QueueingHint::Queue
                    }
                    _ => QueueingHint::Skip,
                })),
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(EventResource::PersistentVolumeClaim, ActionType::ADD),
                hint: Some(Arc::new(|_, pod, change| super::hint_if_claimed(pod, &change.new))),
            },
        ]
    }
}

fn has_claims(pod: &k8s_openapi::api::core::v1::Pod) -> bool {
    let volumes = pod.spec.iter().flat_map(|it| it.volumes.iter().flatten());
    volumes.into_iter().any(|it| it.persistent_volume_claim.is_some() || it.ephemeral.is_some())
}

fn limits(node: &CSINode) -> BTreeMap<String, i64> {
    let drivers = node.spec.drivers.iter();
    drivers
        .filter_map(|it| {
            let count = it.allocatable.as_ref()?.count?;
            Some((it.name.clone(), i64::from(count)))
        })
        .to_map()
}

impl PreFilterPlugin for CsiLimits {
    fn pre_filter(
        &self,
        _: &mut Handle<'_>,
        _: &mut CycleState,
        pod: &PodInfo,
    ) -> Result<PreFilter, Rejection> {
        Ok(if has_claims(&pod.pod) { PreFilter::All } else { PreFilter::Skip })
    }
}

/// The volumes of a pod that count, by a name of their own, with their drivers. Upstream:
/// `filterAttachableVolumes`.
fn attachable(
    handle: &Handle<'_>,
    pod: &PodInfo,
    is_new: bool,
    out: &mut BTreeMap<String, String>,
) -> Result<(), Rejection> {
    let namespace = pod.namespace_name();
    for (name, is_ephemeral) in super::claim_names(&pod.pod) {
        let Some(claim) = handle.listers.get::<PersistentVolumeClaim>(namespace, &name) else {
            if is_new {
                return Err(Rejection::unresolvable(format!(
                    "looking up PVC {namespace}/{name}: {}",
                    super::claim_not_found(&name)
                )));
            }
            continue;
        };
        if is_ephemeral {
            super::check_ephemeral(&pod.pod, claim).map_err(Rejection::error)?;
        }
        if let Some((driver, handle)) = csi_driver(handle, claim) {
            out.insert(format!("{driver}/{handle}"), driver);
        }
    }
    Ok(())
}

/// Upstream: `getCSIDriverInfo`.
fn csi_driver(handle: &Handle<'_>, claim: &PersistentVolumeClaim) -> Option<(String, String)> {
    if let Some(volume) = handle.listers.get::<PersistentVolume>("", super::volume_of(claim)) {
        let csi = volume.spec.as_ref()?.csi.as_ref()?;
        return Some((csi.driver.clone(), csi.volume_handle.clone()));
    }
    let class = handle.listers.get::<StorageClass>("", super::class_of_claim(claim))?;
    let meta = &claim.metadata;
    let key = format!(
        "{}/{}",
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default()
    );
    (!class.provisioner.is_empty()).then(|| (class.provisioner.clone(), key))
}

impl FilterPlugin for CsiLimits {
    fn filter(
        &self,
        handle: &Handle<'_>,
        _: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        let mut new = BTreeMap::new();
        attachable(handle, pod, true, &mut new)?;
        let limits = handle.listers.get::<CSINode>("", &node.name).map(limits).unwrap_or_default();
        if new.is_empty() || limits.is_empty() {
            return Ok(());
        }
        let mut attached = BTreeMap::new();
        for other in &node.pods {
            attachable(handle, other, false, &mut attached)?;
        }
        new.retain(|volume, _| !attached.contains_key(volume));
        for (driver, limit) in limits {
            let of = |all: &BTreeMap<String, String>| {
                i64::try_from(all.values().filter(|it| **it == driver).count()).unwrap_or(0)
            };
            if of(&new) > 0 && of(&attached) + of(&new) > limit {
                return Err(Rejection::unschedulable(ERR_REASON));
            }
        }
        Ok(())
    }
}
