//! Counts finished pods exactly once: their uids go into the status, then their finalizers go,
//! then the uids become counts.
//!
//! Upstream: `pkg/controller/job/job_controller.go` (`trackJobStatusAndRemoveFinalizers`), v1.36.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::Gather;
use api::time::meta_time;
use api::{Action, Object, ObjectRef, Plan, Resource, Timestamp, View, pods};
use k8s_openapi::api::core::v1::Pod;

use super::indexed_job_utils::{completion_index, valid_index};
use super::job_controller::SOURCE;
use super::pod_failure_policy::{Verdict, match_pod_failure_policy};
use super::sync::{
    SyncJobCtx, TRACKING_FINALIZER, condition_true, ensure_condition, final_condition,
    has_tracking_finalizer, is_indexed, is_pod_failed,
};
use crate::controller_utils::{count, nonzero, normal, update, warning};

/// Upstream: `MaxUncountedPods`.
const MAX_UNCOUNTED_PODS: usize = 500;

/// What became of the finished pods.
#[derive(Default)]
struct Finished {
    /// Uid and key of the pods to let go.
    pods: Vec<(String, ObjectRef)>,
    succeeded_indexes: BTreeSet<i32>,
    succeeded: Vec<String>,
    failed: Vec<String>,
    /// There are more than one pass takes in.
    more: bool,
}

impl SyncJobCtx {
    /// Plans the second half of the pass. Returns whether the back-off record is to be kept.
    pub(super) fn track(&mut self, plan: &mut Plan, view: &View<'_>, needs_flush: bool) -> bool {
        if self.is_refused() {
            return false;
        }
        let mut uids: BTreeSet<String> = self
            .pods
            .iter()
            .filter(|it| has_tracking_finalizer(it))
            .filter_map(|it| it.metadata.uid.clone())
            .to_set();
        let mut needs_flush = self.clean_uncounted(&uids) || needs_flush;
        let finished = self.take_in_finished();
        needs_flush |= self.add_uncounted(&finished);
        needs_flush |= self.update_indexes(&finished.succeeded_indexes);
        needs_flush |= self.set_interim_condition(view.now);
        if needs_flush {
            let action = self.write_status();
            plan.push(action);
        }
        for (uid, key) in finished.pods {
            // Deleted pods may be gone by now, or have lost their finalizer.
            let pod = view.listers.by_ref::<Pod>(&key).filter(|it| it.uid() == uid);
            let pod = pod.filter(|it| has_tracking_finalizer(it));
            plan.actions.extend(pod.map(remove_tracking_finalizer));
            uids.remove(&uid);
        }
        let counted = self.clean_uncounted(&uids);
        let ended = !finished.more && self.enact_finished(view.now);
        if counted || ended {
            let action = self.write_status();
            plan.push(action);
        }
        if ended {
            self.record_finished(plan);
        }
        needs_flush
    }

    /// Writes the status whatever was written since: the first half of this pass was.
    fn write_status(&mut self) -> Action {
        Arc::make_mut(&mut self.job).metadata.resource_version = None;
        Action::UpdateStatus(Object::Job(self.job.clone()))
    }

    /// The API refuses a status with more ready than active pods, which comes about while the
    /// back-off runs and other pods are ready. Upstream tries it in vain until the back-off is
    /// over.
    fn is_refused(&self) -> bool {
        let status = self.job.status.as_ref();
        status.is_some_and(|it| it.ready.unwrap_or(0) > it.active.unwrap_or(0))
    }

    /// Turns uids of pods that have no finalizer any more into counts.
    fn clean_uncounted(&mut self, with_finalizer: &BTreeSet<String>) -> bool {
        let status = self.job.status.as_ref();
        let Some(uncounted) = status.and_then(|it| it.uncounted_terminated_pods.as_ref()) else {
            return false;
        };
        let mut uids = uncounted.succeeded.iter().chain(&uncounted.failed).flatten();
        if uids.all(|it| with_finalizer.contains(it)) {
            return false;
        }
        let status = self.status();
        let Some(uncounted) = &mut status.uncounted_terminated_pods else { return false };
        let clean = |uids: &mut Option<Vec<String>>, total: &mut Option<i32>| {
            let before = uids.as_ref().map_or(0, Vec::len);
            let mut left = uids.take().unwrap_or_default();
            left.retain(|it| with_finalizer.contains(it));
            let counted = before - left.len();
            *total = nonzero(total.unwrap_or(0) + count(counted));
            *uids = Some(left).filter(|it| !it.is_empty());
            counted > 0
        };
        let succeeded = clean(&mut uncounted.succeeded, &mut status.succeeded);
        let failed = clean(&mut uncounted.failed, &mut status.failed);
        succeeded || failed
    }

    fn take_in_finished(&self) -> Finished {
        let (known_succeeded, known_failed) = self.uncounted();
        let mut result = Finished::default();
        let indexed = is_indexed(&self.job);
        let ends_badly =
            self.finished_condition.as_ref().is_some_and(|it| it.type_ != "SuccessCriteriaMet");
        for pod in self.pods.iter().filter(|it| has_tracking_finalizer(it)) {
            let considered_failed = is_pod_failed(pod, &self.job);
            if !self.can_remove_finalizer(pod, considered_failed) {
                continue;
            }
            let uid = pod.uid().to_owned();
            result.pods.push((uid.clone(), pod.object_ref()));
            let index = valid_index(pod, &self.job);
            let is_known_failed = known_failed.contains(&uid);
            if pods::phase(pod) == "Succeeded" && !is_known_failed {
                if indexed {
                    let new = index.filter(|it| !self.previous_succeeded_indexes.has(*it));
                    result.succeeded_indexes.extend(new);
                } else if !known_succeeded.contains(&uid) {
                    result.succeeded.push(uid);
                }
            } else if (considered_failed || ends_badly)
                && !is_known_failed
                && (!indexed || index.is_some())
                && self.counts_as_failed(pod)
            {
                result.failed.push(uid);
            }
            let known = known_succeeded.len() + known_failed.len();
            let new = result.succeeded_indexes.len() + result.succeeded.len() + result.failed.len();
            if known + new >= MAX_UNCOUNTED_PODS {
                result.more = true;
                break;
            }
        }
        result
    }

    fn add_uncounted(&mut self, finished: &Finished) -> bool {
        if finished.succeeded.is_empty() && finished.failed.is_empty() {
            return !finished.succeeded_indexes.is_empty();
        }
        let uncounted = self.status().uncounted_terminated_pods.get_or_insert_default();
        let add = |uids: &mut Option<Vec<String>>, new: &[String]| {
            if !new.is_empty() {
                uids.get_or_insert_default().extend_from_slice(new);
            }
        };
        add(&mut uncounted.succeeded, &finished.succeeded);
        add(&mut uncounted.failed, &finished.failed);
        true
    }

    fn counts_as_failed(&self, pod: &Pod) -> bool {
        let policy = self.spec().and_then(|it| it.pod_failure_policy.as_ref());
        match_pod_failure_policy(policy, pod) != Verdict::Ignore
    }

    fn can_remove_finalizer(&self, pod: &Pod, considered_failed: bool) -> bool {
        if self.job.metadata.deletion_timestamp.is_some()
            || self.finished_condition.is_some()
            || pods::phase(pod) == "Succeeded"
        {
            return true;
        }
        let delayed = completion_index(pod).and_then(|it| self.pods_with_delayed_deletion.get(&it));
        considered_failed && delayed.is_none_or(|it| it.uid() != pod.uid())
    }

    fn update_indexes(&mut self, new: &BTreeSet<i32>) -> bool {
        if !is_indexed(&self.job) {
            return false;
        }
        self.succeeded_indexes = self.succeeded_indexes.with(new);
        let total = self.succeeded_indexes.total();
        let completed = Some(self.succeeded_indexes.to_string()).filter(|it| !it.is_empty());
        let failed = self.failed_indexes.as_ref().map(ToString::to_string);
        let changed = self
            .job
            .status
            .as_ref()
            .is_none_or(|it| it.completed_indexes != completed || it.failed_indexes != failed);
        let same_total = self.job.status.as_ref().is_some_and(|it| it.succeeded == nonzero(total));
        if !changed && same_total {
            return false;
        }
        let status = self.status();
        status.succeeded = nonzero(total);
        status.completed_indexes = completed;
        status.failed_indexes = failed;
        changed
    }

    /// Adds the condition that announces the end, and goes on with the final one.
    fn set_interim_condition(&mut self, now: Timestamp) -> bool {
        let Some(condition) = self.finished_condition.clone() else { return false };
        let last = match condition.type_.as_str() {
            "FailureTarget" => "Failed",
            "SuccessCriteriaMet" => "Complete",
            _ => return false,
        };
        self.finished_condition = Some(final_condition(last, &condition, now));
        let new = condition_true(&self.job, &condition.type_).is_none();
        if new {
            self.status().conditions.get_or_insert_default().push(condition);
        }
        new
    }

    /// Ends the Job once all pods are counted and none is terminating. Upstream:
    /// `enactJobFinished`.
    fn enact_finished(&mut self, now: Timestamp) -> bool {
        let Some(condition) = self.finished_condition.clone() else { return false };
        let (succeeded, failed) = self.uncounted();
        if !succeeded.is_empty() || !failed.is_empty() || self.terminating > 0 {
            return false;
        }
        let complete = condition.type_ == "Complete";
        ensure_condition(self.status(), condition);
        if complete {
            self.status().completion_time = Some(meta_time(now));
        }
        true
    }

    fn record_finished(&self, plan: &mut Plan) {
        let Some(condition) = &self.finished_condition else { return };
        if condition.type_ != "Complete" {
            let reason = condition.reason.as_deref().unwrap_or_default();
            let message = condition.message.as_deref().unwrap_or_default();
            plan.record(warning(SOURCE, &*self.job, reason, message));
            return;
        }
        let succeeded = self.job.status.as_ref().and_then(|it| it.succeeded);
        let completions = self.spec().and_then(|it| it.completions);
        if completions.is_some_and(|it| succeeded.unwrap_or(0) > it) {
            let text = "Too many succeeded pods running after completion count reached";
            plan.record(warning(SOURCE, &*self.job, "TooManySucceededPods", text));
        }
        plan.record(normal(SOURCE, &*self.job, "Completed", "Job completed"));
    }
}

/// Lets go of a pod.
pub(super) fn remove_tracking_finalizer(pod: &Pod) -> Action {
    let mut pod = pod.clone();
    let mut finalizers = pod.metadata.finalizers.take().unwrap_or_default();
    finalizers.retain(|it| it != TRACKING_FINALIZER);
    pod.metadata.finalizers = Some(finalizers).filter(|it| !it.is_empty());
    update(pod)
}
