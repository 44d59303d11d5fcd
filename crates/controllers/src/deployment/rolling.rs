//! Replaces pods bit by bit: the new ReplicaSet grows while the old ones shrink.
//!
//! Upstream: `pkg/controller/deployment/rolling.go`, v1.36.

use k8s_openapi::api::apps::v1::ReplicaSet;

use super::deployment_util::{self as util, rs_available, rs_replicas, sum};
use super::sync::{Rollout, Sets};

impl Rollout<'_> {
    /// Upstream: `rolloutRolling`. `None` if the sync ends early.
    pub(super) fn rollout_rolling(&mut self) -> Option<()> {
        let sets = self.sync_revision(true)?;
        if !self.reconcile_new(&sets)
            && !self.reconcile_old(&sets)
            && util::is_complete(&self.deployment, &self.status())
        {
            self.cleanup(&sets.old);
        }
        self.sync_rollout_status(&sets);
        Some(())
    }

    /// Scales the new ReplicaSet as far as the surge allows. Upstream: `reconcileNewReplicaSet`.
    fn reconcile_new(&mut self, sets: &Sets) -> bool {
        let Some(new) = &sets.new else { return false };
        let wanted = util::replicas(&self.spec);
        let size = if rs_replicas(new) > wanted {
            wanted
        } else {
            let all = sum(sets.all(), rs_replicas);
            util::new_rs_new_replicas(&self.spec, all, rs_replicas(new))
        };
        rs_replicas(new) != wanted && self.scale_replica_set(new, size, false).is_some()
    }

    /// Scales old ReplicaSets down as far as availability allows, what is unhealthy first.
    /// Upstream: `reconcileOldReplicaSets`.
    fn reconcile_old(&mut self, sets: &Sets) -> bool {
        let mut old: Vec<ReplicaSet> =
            sets.old.iter().filter(|it| rs_replicas(it) > 0).cloned().collect();
        if old.is_empty() {
            return false;
        }
        let min_available = util::replicas(&self.spec) - util::max_unavailable(&self.spec);
        let new_unavailable =
            sets.new.as_ref().map_or(0, |new| rs_replicas(new) - rs_available(new));
        let max_scaled_down = sum(sets.all(), rs_replicas) - min_available - new_unavailable;
        if max_scaled_down <= 0 {
            return false;
        }
        util::sort_by_age(&mut old);
        let Some(cleaned) = self.cleanup_unhealthy(&mut old, max_scaled_down) else {
            return false;
        };
        let available = sum(old.iter().chain(&sets.new), rs_available);
        let scaled = self.scale_down_old(&old, available - min_available);
        cleaned + scaled > 0
    }

    /// `None` if a status is older than the last scaling: more pods are available than there should
    /// be, and nothing is scaled down until that is known. Upstream: `cleanupUnhealthyReplicas`.
    fn cleanup_unhealthy(&mut self, old: &mut [ReplicaSet], at_most: i32) -> Option<i32> {
        let mut total = 0;
        for rs in old {
            if total >= at_most {
                break;
            }
            let n = (rs_replicas(rs) - rs_available(rs)).min(at_most - total);
            if n < 0 {
                return None;
            }
            if n > 0 {
                if let Some(scaled) = self.scale_replica_set(rs, rs_replicas(rs) - n, false) {
                    *rs = scaled;
                }
                total += n;
            }
        }
        Some(total)
    }

    /// Upstream: `scaleDownOldReplicaSetsForRollingUpdate`.
    fn scale_down_old(&mut self, old: &[ReplicaSet], at_most: i32) -> i32 {
        let mut total = 0;
        for rs in old {
            let n = rs_replicas(rs).min(at_most - total);
            if n > 0 {
                self.scale_replica_set(rs, rs_replicas(rs) - n, false);
                total += n;
            }
        }
        total
    }
}
