//! Creates and deletes pods so that as many run as should.
//!
//! Upstream: `pkg/controller/job/job_controller.go` (`manageJob`, `deleteActivePods`), v1.36.

use api::Order;
use std::cmp::Reverse;
use std::sync::Arc;

use api::{Plan, Resource, View, pods};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;

use super::backoff_utils::remaining_ms_per_index;
use super::indexed_job_utils::{
    add_completion_index_env, completion_index, completions, first_pending_indexes, indexes_of,
    set_index,
};
use super::job_controller::SOURCE;
use super::sync::{
    Managed, Step, SyncJobCtx, TRACKING_FINALIZER, has_backoff_limit_per_index,
    has_tracking_finalizer, is_indexed, is_suspended, is_terminating, only_replace_failed_pods,
    requeue_after,
};
use super::tracking::remove_tracking_finalizer;
use crate::controller_utils::{
    create_pods, delete_pod, max_restarts, namespace_terminating, pod_from_template, ready_since,
    size,
};

/// Upstream: `MaxPodCreateDeletePerSync`.
const MAX_POD_CREATE_DELETE_PER_SYNC: usize = 500;

impl SyncJobCtx {
    /// Plans the first half of the pass.
    pub(super) fn manage(&mut self, plan: &mut Plan, view: &View<'_>) {
        self.steps = vec![Step::Other; plan.actions.len()];
        if self.finished_condition.is_some() {
            for pod in self.active_pods.clone() {
                self.delete(plan, &pod);
            }
        } else if self.job.metadata.deletion_timestamp.is_none() {
            self.managed = Managed::Yes;
            self.manage_job(plan, view);
        }
    }

    fn delete(&mut self, plan: &mut Plan, pod: &Pod) {
        delete_pod(plan, SOURCE, pod, &*self.job);
        self.steps.push(Step::Delete { ready: pods::is_ready(pod) });
        // The deletion and its event are two actions.
        self.steps.resize(plan.actions.len(), Step::Other);
    }

    /// Deletes pods that shall not count as failed: without their finalizer first. Upstream:
    /// `deleteJobPods`.
    fn delete_job_pods(&mut self, plan: &mut Plan, pods: &[Arc<Pod>]) {
        for pod in pods {
            if has_tracking_finalizer(pod) {
                plan.push(remove_tracking_finalizer(pod));
                self.steps.push(Step::Other);
            }
            self.delete(plan, pod);
        }
    }

    fn manage_job(&mut self, plan: &mut Plan, view: &View<'_>) {
        let active = self.active_pods.len();
        if is_suspended(&self.job) {
            let pods = self.active_pods_for_removal(active);
            return self.delete_job_pods(plan, &pods);
        }
        let wanted = self.wanted_active();
        let mut surplus = self.active_pods_for_removal(active.saturating_sub(wanted));
        if !surplus.is_empty() {
            surplus.truncate(MAX_POD_CREATE_DELETE_PER_SYNC);
            return self.delete_job_pods(plan, &surplus);
        }
        let terminating =
            if only_replace_failed_pods(&self.job) { size(self.terminating) } else { 0 };
        let missing = wanted.saturating_sub(terminating + active);
        if missing > 0 {
            self.create_pods(plan, view, missing.min(MAX_POD_CREATE_DELETE_PER_SYNC));
        }
    }

    /// How many pods should be active.
    fn wanted_active(&self) -> usize {
        let Some(spec) = self.spec() else { return 0 };
        let parallelism = size(spec.parallelism.unwrap_or(1));
        match spec.completions {
            // A work queue: after the first success the others only finish their work.
            None if self.succeeded > 0 => self.active_pods.len(),
            None => parallelism,
            Some(it) => parallelism.min(size(it.saturating_sub(self.succeeded))),
        }
    }

    fn create_pods(&mut self, plan: &mut Plan, view: &View<'_>, missing: usize) {
        if namespace_terminating(self.job.namespace(), view) {
            return;
        }
        if !has_backoff_limit_per_index(&self.job) {
            let remaining = self.new_backoff_record.remaining_ms(view.now);
            if remaining > 0 {
                self.managed = Managed::Waiting;
                return requeue_after(plan, view, remaining);
            }
        }
        if !is_indexed(&self.job) {
            let pods = std::iter::repeat_n(self.pod_from_template(), missing);
            create_pods(plan, SOURCE, pods, &*self.job);
            self.steps.resize(plan.actions.len(), Step::Create);
            return;
        }
        let Some(indexes) = self.indexes_to_add(plan, view, missing) else { return };
        let template = self.pod_from_template();
        let pods = indexes.into_iter().map(|index| {
            let mut pod = template.clone();
            let replaced = self.pods_with_delayed_deletion.get(&index);
            set_index(&mut pod, &self.job, index, replaced.map(AsRef::as_ref));
            pod
        });
        create_pods(plan, SOURCE, pods, &*self.job);
        self.steps.resize(plan.actions.len(), Step::Create);
    }

    /// The pod that the template describes, with the finalizer.
    fn pod_from_template(&self) -> Pod {
        let Some(spec) = self.spec() else { return Pod::default() };
        let mut pod = pod_from_template(&spec.template, &*self.job);
        if is_indexed(&self.job) {
            add_completion_index_env(&mut pod);
        }
        let finalizers = pod.metadata.finalizers.get_or_insert_default();
        if !finalizers.iter().any(|it| it == TRACKING_FINALIZER) {
            finalizers.push(TRACKING_FINALIZER.to_owned());
        }
        pod
    }

    /// The indexes that get a pod now. `None` if all that miss one must wait.
    fn indexes_to_add(
        &mut self,
        plan: &mut Plan,
        view: &View<'_>,
        missing: usize,
    ) -> Option<Vec<i32>> {
        let mut busy = indexes_of(&self.active_pods);
        if only_replace_failed_pods(&self.job) {
            busy.extend(indexes_of(self.pods.iter().filter(|it| is_terminating(it))));
        }
        let failed = self.failed_indexes.as_ref();
        let indexes =
            first_pending_indexes(&self.job, missing, &busy, &self.succeeded_indexes, failed);
        if !has_backoff_limit_per_index(&self.job) {
            return Some(indexes);
        }
        let remaining = |index: &i32| {
            let pod = self.pods_with_delayed_deletion.get(index);
            remaining_ms_per_index(view.now, pod.map(AsRef::as_ref))
        };
        let now: Vec<i32> = indexes.iter().copied().filter(|it| remaining(it) == 0).collect();
        let wait = indexes.iter().map(remaining).min().filter(|_| now.is_empty());
        let Some(wait) = wait else { return Some(now) };
        self.managed = Managed::Waiting;
        requeue_after(plan, view, wait);
        None
    }

    /// At least so many active pods, those first that are missed least; of Indexed Jobs also all
    /// without a valid index and all but one of those that share one.
    fn active_pods_for_removal(&self, at_least: usize) -> Vec<Arc<Pod>> {
        let (mut remove, mut left) = if is_indexed(&self.job) {
            duplicated_indexes(&self.job, &self.active_pods)
        } else {
            (vec![], self.active_pods.clone())
        };
        let more = at_least.saturating_sub(remove.len());
        if more > 0 {
            sort_active(&mut left);
            remove.extend(left.into_iter().take(more));
        }
        remove
    }
}

/// The pods to remove and those to keep. Upstream: `appendDuplicatedIndexPodsForRemoval`.
fn duplicated_indexes(job: &Job, active: &[Arc<Pod>]) -> (Vec<Arc<Pod>>, Vec<Arc<Pod>>) {
    let (mut remove, mut keep) = (vec![], vec![]);
    let mut pods = active.to_vec();
    pods.order_by_key(|it| completion_index(it));
    for same in pods.chunk_by_mut(|a, b| completion_index(a) == completion_index(b)) {
        let index = same.first().and_then(|it| completion_index(it));
        sort_active(same);
        match same {
            [rest @ .., last] if index.is_some_and(|it| it < completions(job)) => {
                remove.extend_from_slice(rest);
                keep.push(last.clone());
            }
            _ => remove.extend_from_slice(same),
        }
    }
    (remove, keep)
}

/// Upstream: `ActivePods`.
fn sort_active(pods: &mut [Arc<Pod>]) {
    pods.order_by_key(|pod| {
        let phase = match pods::phase(pod) {
            "Unknown" => 1,
            "Running" => 2,
            _ => 0,
        };
        let created = pod.metadata.creation_timestamp.as_ref().map(|it| it.0);
        (
            pods::node_name(pod).is_some(),
            phase,
            pods::is_ready(pod),
            Reverse(ready_since(pod)),
            Reverse(max_restarts(pod)),
            Reverse(created),
        )
    });
}
