//! One pass over a Job: what its pods say, whether it has failed or succeeded, and what follows.
//!
//! Upstream: `pkg/controller/job/job_controller.go` (`syncJob`), v1.36.
//!
//! Differs from upstream: a pass has two halves, because plans are carried out later. The first
//! creates and deletes pods; the second writes the status once it is known what worked.

use api::Order;
use std::collections::BTreeMap;
use std::sync::Arc;

use api::time::{after_ms, after_secs, meta_time};
use api::{ApiError, Object, Plan, Timestamp, View, pods};
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::Pod;

use super::backoff_utils::BackoffRecord;
use super::indexed_job_utils::{
    OrderedIntervals, completions, failed_indexes, indexes_of, pods_with_delayed_deletion,
    succeeded_indexes, valid_index,
};
use super::job_controller::{SOURCE, SYNC_JOB_BATCH_PERIOD_MS};
use super::pod_failure_policy::{Verdict, match_pod_failure_policy};
use super::success_policy::match_success_policy;
use crate::controller_utils::{count, nonzero, normal};

/// The finalizer that keeps a pod until it has been counted. Upstream: `JobTrackingFinalizer`.
pub(super) const TRACKING_FINALIZER: &str = "batch.kubernetes.io/job-tracking";

/// What one action of the first half of a pass does to the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Other,
    /// A pod more.
    Create,
    /// An active pod less.
    Delete {
        /// Whether it was ready.
        ready: bool,
    },
}

/// How the pods of the Job were managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Managed {
    /// Not at all: the Job ends, or is being deleted.
    No,
    /// They were.
    Yes,
    /// They will be, when the back-off is over. Upstream reports no active pods meanwhile.
    Waiting,
}

/// What a pass knows. Upstream: `syncJobCtx`.
#[derive(Clone, Debug)]
pub(super) struct SyncJobCtx {
    /// With a status. It is the stored one until something in it changes.
    pub(super) job: Arc<Job>,
    /// The Job's pods; those of Indexed Jobs by index.
    pub(super) pods: Vec<Arc<Pod>>,
    pub(super) active_pods: Vec<Arc<Pod>>,
    pub(super) finished_condition: Option<JobCondition>,
    pub(super) active: i32,
    pub(super) ready: i32,
    pub(super) terminating: i32,
    pub(super) succeeded: i32,
    pub(super) failed: i32,
    pub(super) previous_succeeded_indexes: OrderedIntervals,
    pub(super) succeeded_indexes: OrderedIntervals,
    pub(super) failed_indexes: Option<OrderedIntervals>,
    pub(super) pods_with_delayed_deletion: BTreeMap<i32, Arc<Pod>>,
    pub(super) new_backoff_record: BackoffRecord,
    pub(super) managed: Managed,
    /// What the actions of the first half do, one for each.
    pub(super) steps: Vec<Step>,
}

impl SyncJobCtx {
    /// Counts the pods.
    pub(super) fn new(
        mut job: Arc<Job>,
        mut pods: Vec<Arc<Pod>>,
        record: BackoffRecord,
        now: Timestamp,
    ) -> Self {
        let suspended = is_suspended(&job);
        let starts = |it: &JobStatus| {
            it.uncounted_terminated_pods.is_some() && (suspended || it.start_time.is_some())
        };
        if !job.status.as_ref().is_some_and(starts) {
            let status = Arc::make_mut(&mut job).status.get_or_insert_default();
            status.uncounted_terminated_pods.get_or_insert_default();
            if status.start_time.is_none() && !suspended {
                status.start_time = Some(meta_time(now));
            }
        }
        if is_indexed(&job) {
            pods.order_by_key(|it| valid_index(it, &job));
        }
        let active_pods: Vec<_> = pods.iter().filter(|it| pods::is_active(it)).cloned().collect();
        let ready = active_pods.iter().filter(|it| pods::is_ready(it)).count();
        let terminating = pods.iter().filter(|it| is_terminating(it)).count();
        let mut ctx = Self {
            active: count(active_pods.len()),
            ready: count(ready),
            terminating: count(terminating),
            job,
            pods,
            active_pods,
            finished_condition: None,
            succeeded: 0,
            failed: 0,
            previous_succeeded_indexes: OrderedIntervals::default(),
            succeeded_indexes: OrderedIntervals::default(),
            failed_indexes: None,
            pods_with_delayed_deletion: BTreeMap::new(),
            new_backoff_record: record,
            managed: Managed::No,
            steps: vec![],
        };
        ctx.count_finished();
        ctx
    }

    pub(super) fn spec(&self) -> Option<&JobSpec> {
        self.job.spec.as_ref()
    }

    /// The status, for change: only then the Job is copied.
    pub(super) fn status(&mut self) -> &mut JobStatus {
        Arc::make_mut(&mut self.job).status.get_or_insert_default()
    }

    /// The uids that are in the status but not yet in its counts: succeeded and failed.
    pub(super) fn uncounted(&self) -> (Vec<String>, Vec<String>) {
        let status = self.job.status.as_ref();
        let uncounted = status.and_then(|it| it.uncounted_terminated_pods.as_ref());
        uncounted.map_or_else(Default::default, |it| {
            (it.succeeded.clone().unwrap_or_default(), it.failed.clone().unwrap_or_default())
        })
    }

    fn count_finished(&mut self) {
        let (uncounted_succeeded, uncounted_failed) = self.uncounted();
        let succeeded = self.new_pods(&uncounted_succeeded, |pod| pods::phase(pod) == "Succeeded");
        let failed = self.new_pods(&uncounted_failed, |pod| is_pod_failed(pod, &self.job));
        let policy = self.spec().and_then(|it| it.pod_failure_policy.as_ref());
        let counts = |pod: &&Arc<Pod>| match_pod_failure_policy(policy, pod) != Verdict::Ignore;
        let new_failed = failed.iter().filter(counts).count();
        let status = self.job.status.as_ref();
        self.succeeded = status.and_then(|it| it.succeeded).unwrap_or(0)
            + count(succeeded.len() + uncounted_succeeded.len());
        self.failed = status.and_then(|it| it.failed).unwrap_or(0)
            + count(new_failed + uncounted_failed.len());
        self.new_backoff_record = self.new_backoff_record.after(&succeeded, &failed);
    }

    /// Finished pods with the finalizer that are not among the uncounted. Upstream:
    /// `getNewFinishedPods`.
    fn new_pods(&self, uncounted: &[String], finished: impl Fn(&Pod) -> bool) -> Vec<Arc<Pod>> {
        let is_new = |pod: &&Arc<Pod>| {
            has_tracking_finalizer(pod)
                && !pod.metadata.uid.as_ref().is_some_and(|it| uncounted.contains(it))
                && (!is_indexed(&self.job) || valid_index(pod, &self.job).is_some())
                && finished(pod)
        };
        self.pods.iter().filter(is_new).cloned().collect()
    }

    /// Looks for reasons to end the Job.
    pub(super) fn evaluate(&mut self, plan: &mut Plan, now: Timestamp) {
        self.finished_condition = condition_true(&self.job, "SuccessCriteriaMet").cloned();
        if self.finished_condition.is_none() {
            self.finished_condition = self.evaluate_failure(plan, now);
        }
        if is_indexed(&self.job) {
            self.evaluate_indexes(now);
        }
    }

    fn evaluate_failure(&self, plan: &mut Plan, now: Timestamp) -> Option<JobCondition> {
        if let Some(target) = condition_true(&self.job, "FailureTarget") {
            return Some(final_condition("Failed", target, now));
        }
        let fail =
            |reason, message: &str| Some(new_condition("FailureTarget", reason, message, now));
        if let Some(message) = self.fail_job_message() {
            return fail("PodFailurePolicy", &message);
        }
        let spec = self.spec()?;
        let limit = spec.backoff_limit.unwrap_or(i32::MAX);
        if self.failed > limit || past_backoff_limit_on_failure(spec, limit, &self.pods) {
            return fail("BackoffLimitExceeded", "Job has reached the specified backoff limit");
        }
        let deadline = spec.active_deadline_seconds.filter(|_| !is_suspended(&self.job))?;
        let started = self.job.status.as_ref()?.start_time.as_ref()?.0;
        let end = after_secs(started, deadline);
        if now >= end {
            return fail("DeadlineExceeded", "Job was active longer than specified deadline");
        }
        plan.requeue(end);
        None
    }

    fn fail_job_message(&self) -> Option<String> {
        let policy = self.spec()?.pod_failure_policy.as_ref()?;
        let failed = self.pods.iter().filter(|it| is_pod_failed(it, &self.job));
        failed.map(|it| match_pod_failure_policy(Some(policy), it)).find_map(|it| match it {
            Verdict::FailJob(message) => Some(message),
            _ => None,
        })
    }

    fn evaluate_indexes(&mut self, now: Timestamp) {
        let fail = |reason, message| Some(new_condition("FailureTarget", reason, message, now));
        let (previous, succeeded) = succeeded_indexes(&self.job, &self.pods);
        self.succeeded = succeeded.total();
        if has_backoff_limit_per_index(&self.job) {
            let failed = failed_indexes(&self.job, &self.pods);
            let max = self.spec().and_then(|it| it.max_failed_indexes);
            if self.finished_condition.is_some() {
                // Decided already.
            } else if max.is_some_and(|it| failed.total() > it) {
                let text = "Job has exceeded the specified maximal number of failed indexes";
                self.finished_condition = fail("MaxFailedIndexesExceeded", text);
            } else if failed.total() > 0
                && failed.total() + succeeded.total() >= completions(&self.job)
            {
                self.finished_condition = fail("FailedIndexes", "Job has failed indexes");
            }
            let active = indexes_of(&self.active_pods);
            self.pods_with_delayed_deletion =
                pods_with_delayed_deletion(&self.job, &self.pods, &active, &succeeded, &failed);
            self.failed_indexes = Some(failed);
        }
        if self.finished_condition.is_none() {
            let policy = self.spec().and_then(|it| it.success_policy.as_ref());
            let met = match_success_policy(policy, completions(&self.job), &succeeded);
            self.finished_condition =
                met.map(|it| new_condition("SuccessCriteriaMet", "SuccessPolicy", &it, now));
        }
        self.previous_succeeded_indexes = previous;
        self.succeeded_indexes = succeeded;
    }

    /// Takes in which actions of the first half worked.
    pub(super) fn tally(&mut self, results: &[Result<Option<Object>, ApiError>]) {
        for (step, result) in self.steps.iter().zip(results) {
            match step {
                _ if result.is_err() => {}
                Step::Other => {}
                Step::Create => self.active += 1,
                Step::Delete { ready } => {
                    self.active -= 1;
                    self.terminating += 1;
                    self.ready -= i32::from(*ready);
                }
            }
        }
        if results.iter().any(Result::is_err) && self.managed == Managed::No {
            // Pods are left: the Job cannot end yet.
            self.finished_condition = None;
        }
    }

    /// Ends, suspends or resumes the Job. Returns whether the status must be written for it.
    pub(super) fn conclude(&mut self, plan: &mut Plan, now: Timestamp) -> bool {
        if self.managed == Managed::Waiting {
            self.active = 0;
        }
        if self.finished_condition.is_some() {
            return false;
        }
        let complete = match self.spec().and_then(|it| it.completions) {
            None => self.succeeded > 0 && self.active == 0,
            Some(it) => self.succeeded >= it && self.active == 0,
        };
        if complete {
            let text = "Reached expected number of succeeded pods";
            self.finished_condition =
                Some(new_condition("SuccessCriteriaMet", "CompletionsReached", text, now));
            return false;
        }
        self.managed != Managed::No && self.suspend_or_resume(plan, now)
    }

    fn suspend_or_resume(&mut self, plan: &mut Plan, now: Timestamp) -> bool {
        let (status, reason, message, event, start) = if is_suspended(&self.job) {
            ("True", "JobSuspended", "Job suspended", "Suspended", None)
        } else {
            ("False", "JobResumed", "Job resumed", "Resumed", Some(meta_time(now)))
        };
        let condition = JobCondition {
            status: status.to_owned(),
            ..new_condition("Suspended", reason, message, now)
        };
        let conditions = self.job.status.as_ref().and_then(|it| it.conditions.as_ref());
        let before = conditions.into_iter().flatten().find(|it| it.type_ == condition.type_);
        if before.is_none() && condition.status == "False" {
            return false;
        }
        if before.is_some_and(|it| says_the_same(it, &condition)) {
            return false;
        }
        ensure_condition(self.status(), condition);
        plan.record(normal(SOURCE, &*self.job, event, message));
        self.status().start_time = start;
        true
    }

    /// Writes the counts of pods into the status. Returns whether anything is new.
    pub(super) fn set_counts(&mut self) -> bool {
        let (active, ready, terminating) = (self.active, self.ready, self.terminating);
        let changed = self.job.status.as_ref().is_none_or(|it| {
            active != it.active.unwrap_or(0)
                || it.ready != Some(ready)
                || it.terminating != Some(terminating)
        });
        if !changed {
            return false;
        }
        let status = self.status();
        status.active = nonzero(active);
        status.ready = Some(ready);
        status.terminating = Some(terminating);
        true
    }
}

/// Asks for another pass, not before the batch period is over. Upstream:
/// `enqueueSyncJobWithDelay`.
pub(super) fn requeue_after(plan: &mut Plan, view: &View<'_>, delay_ms: i64) {
    plan.requeue(after_ms(view.now, delay_ms.max(SYNC_JOB_BATCH_PERIOD_MS)));
}

pub(super) fn is_suspended(job: &Job) -> bool {
    job.spec.as_ref().is_some_and(|it| it.suspend == Some(true))
}

pub(super) fn is_indexed(job: &Job) -> bool {
    job.spec.as_ref().is_some_and(|it| it.completion_mode.as_deref() == Some("Indexed"))
}

pub(super) fn has_backoff_limit_per_index(job: &Job) -> bool {
    job.spec.as_ref().is_some_and(|it| it.backoff_limit_per_index.is_some())
}

pub(super) fn has_tracking_finalizer(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|it| it == TRACKING_FINALIZER)
}

/// Being deleted, with containers that may still run.
pub(super) fn is_terminating(pod: &Pod) -> bool {
    pods::is_terminating(pod) && !pods::is_terminal(pod)
}

/// Whether pods are replaced only once they are terminal. Upstream: `onlyReplaceFailedPods`.
pub(super) fn only_replace_failed_pods(job: &Job) -> bool {
    job.spec.as_ref().is_some_and(|it| {
        it.pod_replacement_policy.as_deref() == Some("Failed") || it.pod_failure_policy.is_some()
    })
}

/// Whether a pod counts as failed: by its phase or, unless only failed pods are replaced, because
/// it is being deleted.
pub(super) fn is_pod_failed(pod: &Pod, job: &Job) -> bool {
    match pods::phase(pod) {
        "Failed" => true,
        "Succeeded" => false,
        _ => pods::is_terminating(pod) && !only_replace_failed_pods(job),
    }
}

/// With restart policy `OnFailure` the restarts of pods that still run count, too.
fn past_backoff_limit_on_failure(spec: &JobSpec, limit: i32, pods: &[Arc<Pod>]) -> bool {
    let template = spec.template.spec.as_ref();
    if template.and_then(|it| it.restart_policy.as_deref()) != Some("OnFailure") {
        return false;
    }
    let running = pods.iter().filter(|it| matches!(pods::phase(it), "Running" | "Pending"));
    let containers = running
        .filter_map(|it| it.status.as_ref())
        .flat_map(|it| [&it.init_container_statuses, &it.container_statuses])
        .flat_map(|it| it.iter().flatten());
    let restarts: i64 = containers.map(|it| i64::from(it.restart_count)).sum();
    // A limit of nought allows none, and is not reached by none.
    restarts >= i64::from(limit).max(1)
}

/// The condition of a type, if it is True.
pub(super) fn condition_true<'a>(job: &'a Job, type_: &str) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|it| it.type_ == type_ && it.status == "True")
}

/// A condition that is True.
pub(super) fn new_condition(
    type_: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> JobCondition {
    JobCondition {
        type_: type_.to_owned(),
        status: "True".to_owned(),
        last_probe_time: Some(meta_time(now)),
        last_transition_time: Some(meta_time(now)),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
    }
}

/// The final condition with the reason and message of the interim one.
pub(super) fn final_condition(type_: &str, interim: &JobCondition, now: Timestamp) -> JobCondition {
    let reason = interim.reason.as_deref().unwrap_or_default();
    let message = interim.message.as_deref().unwrap_or_default();
    new_condition(type_, reason, message, now)
}

fn says_the_same(a: &JobCondition, b: &JobCondition) -> bool {
    a.status == b.status && a.reason == b.reason && a.message == b.message
}

/// Sets a condition; one that would be False from the start is left out. Returns whether anything
/// changed. Upstream: `ensureJobConditionStatus`.
pub(super) fn ensure_condition(status: &mut JobStatus, condition: JobCondition) -> bool {
    let conditions = status.conditions.get_or_insert_default();
    match conditions.iter_mut().find(|it| it.type_ == condition.type_) {
        Some(old) => {
            let same = says_the_same(old, &condition);
            if !same {
                *old = condition;
            }
            !same
        }
        None if condition.status != "False" => {
            conditions.push(condition);
            true
        }
        None => false,
    }
}
