//! Volumes that only one pod or one node may use.
//!
//! Upstream: `pkg/scheduler/framework/plugins/volumerestrictions/volume_restrictions.go`, v1.36.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::Object;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Volume};

use super::names;
use crate::framework::cycle_state::CycleState;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{
    FilterPlugin, Handle, Plugin, PreFilter, PreFilterPlugin, QueueingHint, Rejection,
};
use crate::framework::types::{NodeInfo, PodInfo};

const ERR_DISK_CONFLICT: &str = "node(s) had no available disk";
const ERR_READ_WRITE_ONCE_POD: &str = "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod";

/// The plugin.
pub struct VolumeRestrictions;

#[derive(Clone)]
struct PreFilterState {
    /// Claims of the pod that only one pod may use.
    claims: BTreeSet<String>,
    conflicts: i64,
}

impl PreFilterState {
    fn update(&mut self, other: &PodInfo, n: i64) {
        let uses = claims(other).filter(|it| self.claims.contains(*it)).count();
        self.conflicts += n * i64::try_from(uses).unwrap_or(0);
    }
}

/// The names of the claims that a pod's volumes refer to.
pub(super) fn claims(pod: &PodInfo) -> impl Iterator<Item = &str> {
    let claims = pod.volumes().iter().filter_map(|it| it.persistent_volume_claim.as_ref());
    claims.map(|it| it.claim_name.as_str())
}

impl Plugin for VolumeRestrictions {
    fn name(&self) -> &'static str {
        names::VOLUME_RESTRICTIONS
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
                event: ClusterEvent::new(EventResource::Pod, ActionType::DELETE),
                hint: Some(Arc::new(|context, pod, change| {
                    let Some(Object::Pod(deleted)) = &change.old else {
                        return QueueingHint::Queue;
                    };
                    if deleted.metadata.namespace != pod.pod.metadata.namespace {
                        return QueueingHint::Skip;
                    }
                    let deleted = PodInfo::new(deleted.clone(), context.interner);
                    let shares = claims(&deleted).any(|it| claims(pod).any(|own| own == it));
                    let conflicts = pod
                        .volumes()
                        .iter()
                        .any(|it| deleted.volumes().iter().any(|other| conflicts(it, other)));
                    if shares || conflicts { QueueingHint::Queue } else { QueueingHint::Skip }
                })),
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(EventResource::Node, ActionType::ADD),
                hint: None,
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(EventResource::PersistentVolumeClaim, ActionType::ADD),
                hint: Some(Arc::new(|_, pod, change| super::hint_if_claimed(pod, &change.new))),
            },
        ]
    }
}

fn needs_check(it: &Volume) -> bool {
    it.gce_persistent_disk.is_some()
        || it.aws_elastic_block_store.is_some()
        || it.rbd.is_some()
        || it.iscsi.is_some()
}

/// Upstream: `isVolumeConflict`.
fn conflicts(a: &Volume, b: &Volume) -> bool {
    let both_read_only =
        |a: Option<bool>, b: Option<bool>| a.unwrap_or_default() && b.unwrap_or_default();
    if let (Some(a), Some(b)) = (&a.gce_persistent_disk, &b.gce_persistent_disk)
        && a.pd_name == b.pd_name
        && !both_read_only(a.read_only, b.read_only)
    {
        return true;
    }
    if let (Some(a), Some(b)) = (&a.aws_elastic_block_store, &b.aws_elastic_block_store)
        && a.volume_id == b.volume_id
    {
        return true;
    }
    if let (Some(a), Some(b)) = (&a.iscsi, &b.iscsi)
        && a.iqn == b.iqn
        && !both_read_only(a.read_only, b.read_only)
    {
        return true;
    }
    if let (Some(a), Some(b)) = (&a.rbd, &b.rbd) {
        let pool = |it: &Option<String>| it.clone().unwrap_or_else(|| "rbd".to_owned());
        return a.monitors.iter().any(|it| b.monitors.contains(it))
            && pool(&a.pool) == pool(&b.pool)
            && a.image == b.image
            && !both_read_only(a.read_only, b.read_only);
    }
    false
}

impl PreFilterPlugin for VolumeRestrictions {
    fn pre_filter(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> Result<PreFilter, Rejection> {
        let namespace = pod.namespace_name();
        let mut exclusive = BTreeSet::new();
        for name in claims(pod) {
            let Some(claim) = handle.listers.get::<PersistentVolumeClaim>(namespace, name) else {
                return Err(Rejection::unresolvable(super::claim_not_found(name)));
            };
            let modes = claim.spec.iter().flat_map(|it| it.access_modes.iter().flatten());
            if modes.into_iter().any(|it| it == "ReadWriteOncePod") {
                exclusive.insert(name.to_owned());
            }
        }
        let used = |it: &&String| handle.cache.is_pvc_used(&format!("{namespace}/{it}"));
        let conflicts = i64::try_from(exclusive.iter().filter(used).count()).unwrap_or(0);
        if conflicts == 0 && !pod.volumes().iter().any(needs_check) {
            return Ok(PreFilter::Skip);
        }
        state.write(PreFilterState { claims: exclusive, conflicts });
        Ok(PreFilter::All)
    }

    fn add_pod(
        &self,
        _: &Handle<'_>,
        state: &mut CycleState,
        _: &PodInfo,
        other: &PodInfo,
        _: &NodeInfo,
    ) {
        if let Some(it) = state.read_mut::<PreFilterState>() {
            it.update(other, 1);
        }
    }

    fn remove_pod(
        &self,
        _: &Handle<'_>,
        state: &mut CycleState,
        _: &PodInfo,
        other: &PodInfo,
        _: &NodeInfo,
    ) {
        if let Some(it) = state.read_mut::<PreFilterState>() {
            it.update(other, -1);
        }
    }
}

impl FilterPlugin for VolumeRestrictions {
    fn filter(
        &self,
        _: &Handle<'_>,
        state: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        let checked = pod.volumes().iter().filter(|it| needs_check(it));
        for volume in checked {
            let there = node.pods.iter().flat_map(|it| it.volumes());
            if there.into_iter().any(|it| conflicts(volume, it)) {
                return Err(Rejection::unschedulable(ERR_DISK_CONFLICT));
            }
        }
        match state.read::<PreFilterState>() {
            Some(it) if it.conflicts > 0 => Err(Rejection::unschedulable(ERR_READ_WRITE_ONCE_POD)),
            _ => Ok(()),
        }
    }
}
