//! When to look at a Job, and the frame of a pass over it.
//!
//! Upstream: `pkg/controller/job/job_controller.go`, v1.36.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::time::{after_ms, after_secs};
use api::{
    Action, ApiError, Change, Component, ComponentId, Kind, Object, ObjectRef, Plan, Resource,
    Timestamp, View, WorkQueue, selector,
};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;

use super::backoff_utils::BackoffRecord;
use super::is_job_finished;
use super::sync::{SyncJobCtx, TRACKING_FINALIZER, has_tracking_finalizer};
use super::tracking::remove_tracking_finalizer;
use crate::controller_utils::{enqueue, is_empty, resolve, update, warning};

/// `source.component` of the events.
pub(super) const SOURCE: &str = "job-controller";

/// Changes of pods are gathered for this long. Upstream: `SyncJobBatchPeriod`.
pub(super) const SYNC_JOB_BATCH_PERIOD_MS: i64 = 1_000;

/// Who manages a Job if nobody else is named. Upstream: `JobControllerName`.
const CONTROLLER_NAME: &str = "kubernetes.io/job-controller";

/// The Job controller.
#[derive(Clone, Debug, Default)]
pub struct JobController {
    /// Failures since the last success, of Jobs that run. Upstream: `podBackoffStore`.
    backoff: BTreeMap<ObjectRef, BackoffRecord>,
    /// A pass whose pods are being created or deleted.
    pending: Option<Box<SyncJobCtx>>,
}

impl Component for JobController {
    fn id(&self) -> ComponentId {
        ComponentId::Job
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        for job in view.listers.list::<Job>() {
            queue.add_at(job.object_ref(), view.now);
        }
        for pod in view.listers.list::<Pod>().filter(|it| has_tracking_finalizer(it)) {
            queue.add_at(pod.object_ref(), view.now);
        }
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        match change.object().map(Object::kind) {
            Some(Kind::Pod) => react_to_pod(change, view, queue),
            Some(Kind::Job) => self.react_to_job(change, view, queue),
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        self.pending = None;
        match key.kind {
            Kind::Pod => sync_orphan_pod(key, view),
            _ => self.sync_job(key, view),
        }
    }

    fn applied(
        &mut self,
        key: &ObjectRef,
        results: &[Result<Option<Object>, ApiError>],
        view: &View<'_>,
    ) -> Plan {
        let mut plan = Plan::default();
        if let Some(mut ctx) = self.pending.take() {
            ctx.tally(results);
            self.second_half(key, &mut ctx, &mut plan, view);
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

impl JobController {
    fn react_to_job(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let Some(key) = change.key() else { return };
        let old = change.old.as_ref().and_then(Object::as_kind::<Job>);
        let Some(job) = change.new.as_ref().and_then(Object::as_kind::<Job>) else {
            self.backoff.remove(&key);
            enqueue_orphans(old, view, queue);
            return;
        };
        let Some(old) = old else { return enqueue(queue, view, key) };
        if is_job_finished(job) {
            self.backoff.remove(&key);
            enqueue_orphans(Some(job), view, queue);
            return;
        }
        if old.metadata.generation == job.metadata.generation {
            queue.add_at(key.clone(), batched(view));
        } else {
            enqueue(queue, view, key.clone());
        }
        let deadline = |job: &Job| job.spec.as_ref().and_then(|it| it.active_deadline_seconds);
        let started = job.status.as_ref().and_then(|it| it.start_time.as_ref());
        if let (Some(started), Some(seconds)) = (started, deadline(job))
            && deadline(old) != Some(seconds)
        {
            queue.add_at(key, after_secs(started.0, seconds).max(view.now));
        }
    }

    fn sync_job(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let job = match view.listers.object(key) {
            Some(Object::Job(job)) if !is_job_finished(job) => job,
            _ => {
                self.backoff.remove(key);
                return plan;
            }
        };
        let Some(spec) = job.spec.as_ref().filter(|_| !is_managed_elsewhere(job)) else {
            return plan;
        };
        if let Some(mode) = spec.completion_mode.as_deref()
            && !matches!(mode, "NonIndexed" | "Indexed")
        {
            let text = "Skipped Job sync because completion mode is unknown";
            plan.record(warning(SOURCE, &**job, "UnknownCompletionMode", text));
            return plan;
        }
        let pods = get_pods_for_job(&mut plan, job, view);
        let record = self.backoff.get(key).copied().unwrap_or_default();
        let mut ctx = SyncJobCtx::new(job.clone(), pods, record, view.now);
        ctx.evaluate(&mut plan, view.now);
        ctx.manage(&mut plan, view);
        if plan.actions.is_empty() {
            self.second_half(key, &mut ctx, &mut plan, view);
        } else {
            self.pending = Some(Box::new(ctx));
        }
        plan
    }

    fn second_half(
        &mut self,
        key: &ObjectRef,
        ctx: &mut SyncJobCtx,
        plan: &mut Plan,
        view: &View<'_>,
    ) {
        let suspend_changed = ctx.conclude(plan, view.now);
        let counts_changed = ctx.set_counts();
        if ctx.track(plan, view, suspend_changed || counts_changed) {
            self.backoff.insert(key.clone(), ctx.new_backoff_record);
        }
    }
}

fn is_managed_elsewhere(job: &Job) -> bool {
    let manager = job.spec.as_ref().and_then(|it| it.managed_by.as_deref());
    manager.is_some_and(|it| it != CONTROLLER_NAME)
}

/// The pods of a Job: those that it owns and selects, and orphans that it selects, which the plan
/// adopts. Those that it owns and selects no more, the plan releases.
fn get_pods_for_job(plan: &mut Plan, job: &Job, view: &View<'_>) -> Vec<Arc<Pod>> {
    let deleting = job.metadata.deletion_timestamp.is_some();
    let mut result = vec![];
    for key in view.listers.0.owned_by(job.uid()) {
        let Some(Object::Pod(pod)) = view.listers.object(key) else { continue };
        if api::controller_of(&pod.metadata).is_none_or(|it| it.uid != job.uid()) {
            continue;
        }
        if selects(job, pod) {
            result.push(pod.clone());
        } else if !deleting {
            plan.push(release(pod, job));
        }
    }
    if deleting {
        return result;
    }
    for key in view.listers.0.orphans(Kind::Pod, job.namespace()) {
        let Some(Object::Pod(pod)) = view.listers.object(key) else { continue };
        if pod.metadata.deletion_timestamp.is_none() && selects(job, pod) {
            let pod = adopted(pod, job);
            plan.push(update(pod.clone()));
            result.push(Arc::new(pod));
        }
    }
    result
}

fn selects(job: &Job, pod: &Pod) -> bool {
    let selector = job.spec.as_ref().and_then(|it| it.selector.as_ref());
    selector.is_some_and(|it| !is_empty(it) && selector::matches(it, pod.metadata.labels.as_ref()))
}

fn release(pod: &Pod, job: &Job) -> Action {
    let mut pod = pod.clone();
    if let Some(owners) = &mut pod.metadata.owner_references {
        owners.retain(|it| it.uid != job.uid());
    }
    if let Some(finalizers) = &mut pod.metadata.finalizers {
        finalizers.retain(|it| it != TRACKING_FINALIZER);
    }
    update(pod)
}

fn adopted(pod: &Pod, job: &Job) -> Pod {
    let mut pod = pod.clone();
    if !has_tracking_finalizer(&pod) {
        pod.metadata.finalizers.get_or_insert_default().push(TRACKING_FINALIZER.to_owned());
    }
    pod.metadata.owner_references.get_or_insert_default().push(job.controller_ref());
    pod
}

/// When a Job is looked at whose pods have changed.
fn batched(view: &View<'_>) -> Timestamp {
    after_ms(view.now, SYNC_JOB_BATCH_PERIOD_MS)
}

/// Frees the pods of a Job that has ended or is gone.
fn enqueue_orphans(job: Option<&Job>, view: &View<'_>, queue: &mut WorkQueue) {
    let Some(job) = job else { return };
    for pod in view.listers.owned_by::<Pod>(job.uid()).filter(|it| has_tracking_finalizer(it)) {
        enqueue(queue, view, pod.object_ref());
    }
}

/// Queues the Jobs that a changed pod concerns, or the pod itself if it has lost its Job.
fn react_to_pod(change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
    let Some(object) = change.object() else { return };
    let Some(pod) = object.as_kind::<Pod>() else { return };
    let namespace = object.namespace();
    let batched = batched(view);
    let owner = object.controller();
    let old_owner = change.old.as_ref().and_then(Object::controller);
    let left = old_owner.filter(|_| old_owner != owner);
    if let Some(job) = left.and_then(|it| resolve::<Job>(it, namespace, view)) {
        queue.add_at(job.object_ref(), batched);
    }
    let job = owner.and_then(|it| resolve::<Job>(it, namespace, view));
    let ending = change.new.is_none() || pod.metadata.deletion_timestamp.is_some();
    let freed = owner.is_none() || (ending && job.is_none_or(is_job_finished));
    if freed && change.new.is_some() && has_tracking_finalizer(pod) {
        enqueue(queue, view, object.object_ref());
    }
    if let Some(job) = job.filter(|job| !is_job_finished(job)) {
        queue.add_at(job.object_ref(), batched);
    }
    let labels_changed =
        change.old.as_ref().is_none_or(|it| it.meta().labels != object.meta().labels);
    let is_candidate = owner.is_none() && !ending && pod.metadata.labels.is_some();
    if is_candidate && (labels_changed || old_owner.is_some()) {
        for job in view.listers.list_in::<Job>(namespace).filter(|it| selects(it, pod)) {
            queue.add_at(job.object_ref(), batched);
        }
    }
}

/// Removes the finalizer of a pod that no running Job will count. Upstream:
/// `handleSingleOrphanPod`.
fn sync_orphan_pod(key: &ObjectRef, view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    let Some(pod) = view.listers.by_ref::<Pod>(key) else { return plan };
    if let Some(owner) = api::controller_of(&pod.metadata) {
        if owner.kind != Job::KIND.name() || owner.api_version != Job::KIND.api_version() {
            return plan;
        }
        let job = resolve::<Job>(owner, pod.namespace(), view);
        if job.is_some_and(|it| is_managed_elsewhere(it) || !is_job_finished(it)) {
            return plan;
        }
    }
    if has_tracking_finalizer(pod) {
        plan.push(remove_tracking_finalizer(pod));
    }
    plan
}
