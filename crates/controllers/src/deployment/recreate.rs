//! Stops all old pods before the first new one starts.
//!
//! Upstream: `pkg/controller/deployment/recreate.go`, v1.36.

use api::pods;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;

use super::deployment_util::{self as util, rs_actual, rs_replicas, sum};
use super::sync::{Rollout, Sets};
use crate::controller_utils as utils;

impl Rollout<'_> {
    /// Upstream: `rolloutRecreate`. `None` if the sync ends early.
    pub(super) fn rollout_recreate(&mut self) -> Option<()> {
        let mut sets = self.sync_revision(false)?;
        let active: Vec<ReplicaSet> =
            sets.old.iter().filter(|it| rs_replicas(it) > 0).cloned().collect();
        for rs in &active {
            self.scale_replica_set(rs, 0, false);
        }
        if !active.is_empty() || self.old_pods_running(&sets) {
            self.sync_rollout_status(&sets);
            return Some(());
        }
        if sets.new.is_none() {
            sets = self.sync_revision(true)?;
        }
        if let Some(new) = &sets.new {
            self.scale_replica_set(new, util::replicas(&self.spec), false);
        }
        if util::is_complete(&self.deployment, &self.status()) {
            self.cleanup(&sets.old);
        }
        self.sync_rollout_status(&sets);
        Some(())
    }

    /// Whether an old ReplicaSet has, or thinks that it has, pods that run. Upstream:
    /// `oldPodsRunning`.
    fn old_pods_running(&self, sets: &Sets) -> bool {
        let has_pods = |rs: &ReplicaSet| {
            utils::owned::<Pod>(rs, &self.view).any(|pod| !pods::is_terminal(pod))
        };
        sum(&sets.old, rs_actual) > 0 || sets.old.iter().any(has_pods)
    }
}
