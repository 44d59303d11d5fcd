//! Judges whether a roll-out gets on, has finished, or has taken too long.
//!
//! Upstream: `pkg/controller/deployment/progress.go`, v1.36.
//! Differs from upstream: a deployment that was complete once and lost pods later is not looked at
//! again and again, because nothing would come of it until something else happens.

use api::time::{after_ms, after_secs, ms_between};
use api::{Resource, Timestamp};
use k8s_openapi::api::apps::v1::{DeploymentCondition, DeploymentStatus, ReplicaSet};

use super::deployment_util::{self as util, PROGRESSING, REPLICA_FAILURE, new_condition, reason};
use super::sync::{Rollout, Sets};

impl Rollout<'_> {
    /// Upstream: `syncRolloutStatus`.
    pub(super) fn sync_rollout_status(&mut self, sets: &Sets) {
        let mut new = self.calculate_status(sets);
        if util::has_progress_deadline(&self.spec) {
            self.estimate_progress(&mut new, sets);
        } else {
            util::remove_condition(&mut new, PROGRESSING);
        }
        match replica_failure(sets) {
            Some(failure) => util::set_condition(&mut new, failure),
            None => util::remove_condition(&mut new, REPLICA_FAILURE),
        }
        if new == self.status() {
            self.requeue_stuck(&new);
        } else {
            self.write_status(new);
        }
    }

    fn estimate_progress(&self, new: &mut DeploymentStatus, sets: &Sets) {
        let old = self.status();
        let finished = new.replicas == new.updated_replicas
            && util::progress_reason(&old) == Some(reason::NEW_RS_AVAILABLE);
        if finished {
            return;
        }
        let what = match &sets.new {
            Some(rs) => format!("ReplicaSet \"{}\"", rs.name()),
            None => format!("Deployment \"{}\"", self.deployment.name()),
        };
        let now = self.view.now;
        if util::is_complete(&self.deployment, new) {
            let message = format!("{what} has successfully progressed.");
            let done = new_condition(PROGRESSING, "True", reason::NEW_RS_AVAILABLE, message, now);
            util::set_condition(new, done);
        } else if has_progressed(&old, new) {
            let message = format!("{what} is progressing.");
            let mut going = new_condition(PROGRESSING, "True", "ReplicaSetUpdated", message, now);
            if let Some(current) = util::condition(&old, PROGRESSING) {
                if current.status == "True" {
                    going.last_transition_time.clone_from(&current.last_transition_time);
                }
                // The time of the update moves even if nothing else does.
                util::remove_condition(new, PROGRESSING);
            }
            util::set_condition(new, going);
        } else if self.timed_out(new) {
            let message = format!("{what} has timed out progressing.");
            let late = new_condition(PROGRESSING, "False", reason::TIMED_OUT, message, now);
            util::set_condition(new, late);
        }
    }

    /// Upstream: `DeploymentTimedOut`.
    fn timed_out(&self, status: &DeploymentStatus) -> bool {
        match util::progress_reason(status) {
            None | Some(reason::NEW_RS_AVAILABLE) => false,
            Some(reason::TIMED_OUT) => true,
            Some(_) => self.deadline(status).is_some_and(|it| it < self.view.now),
        }
    }

    /// When the roll-out will have taken too long.
    fn deadline(&self, status: &DeploymentStatus) -> Option<Timestamp> {
        let progressing = util::condition(status, PROGRESSING)?;
        let seconds = self.spec.progress_deadline_seconds?;
        Some(after_secs(progressing.last_update_time.as_ref()?.0, seconds.into()))
    }

    /// Looks again when the deadline has passed. Upstream: `requeueStuckDeployment`, which in the
    /// last second retries every few milliseconds.
    fn requeue_stuck(&mut self, new: &DeploymentStatus) {
        let status = self.status();
        // Neither of these ever becomes another by time alone.
        let is_final = matches!(
            util::progress_reason(&status),
            Some(reason::TIMED_OUT | reason::NEW_RS_AVAILABLE)
        );
        if !util::has_progress_deadline(&self.spec)
            || util::is_complete(&self.deployment, new)
            || is_final
        {
            return;
        }
        let Some(deadline) = self.deadline(&status) else { return };
        let now = self.view.now;
        let at = if ms_between(now, deadline) < 1_000 {
            after_ms(deadline.max(now), 5)
        } else {
            after_secs(deadline, 1)
        };
        self.plan.requeue(at);
    }
}

/// Whether pods were created, became ready or available, or old ones went. Upstream:
/// `DeploymentProgressing`.
fn has_progressed(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    let n = |count: Option<i32>| count.unwrap_or(0);
    let outdated = |it: &DeploymentStatus| n(it.replicas) - n(it.updated_replicas);
    n(new.updated_replicas) > n(old.updated_replicas)
        || outdated(new) < outdated(old)
        || n(new.ready_replicas) > n(old.ready_replicas)
        || n(new.available_replicas) > n(old.available_replicas)
}

/// The failure of the new ReplicaSet, or else of an old one. Upstream: `getReplicaFailures`.
fn replica_failure(sets: &Sets) -> Option<DeploymentCondition> {
    let failure = |rs: &ReplicaSet| {
        let mut conditions = rs.status.as_ref()?.conditions.iter().flatten();
        conditions.find(|it| it.type_ == REPLICA_FAILURE).map(|it| DeploymentCondition {
            type_: it.type_.clone(),
            status: it.status.clone(),
            reason: it.reason.clone(),
            message: it.message.clone(),
            last_transition_time: it.last_transition_time.clone(),
            last_update_time: it.last_transition_time.clone(),
        })
    };
    sets.new.iter().chain(&sets.old).find_map(failure)
}
