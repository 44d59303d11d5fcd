//! What follows where a pod finds no node: victims are deleted, the pod is told and queued again.
//!
//! Upstream: `handleSchedulingFailure` of `pkg/scheduler/schedule_one.go` and `prepareCandidate` of
//! `pkg/scheduler/framework/preemption/executor.go`, v1.36.

use std::sync::Arc;

use api::{Action, DeleteOptions, EventSpec, Object, Plan, Resource as _, View};
use k8s_openapi::api::core::v1::PodCondition;

use super::{NOTE_LENGTH_LIMIT, Scheduler};
use crate::backend::queue::QueuedPodInfo;
use crate::framework::interface::Nomination;
use crate::framework::types::PodInfo;
use crate::schedule_one::Outcome;

impl Scheduler {
    /// There is no node for the pod now. Upstream: `handleSchedulingFailure`.
    pub(super) fn handle_failure(
        &mut self,
        queued: QueuedPodInfo,
        outcome: &Outcome,
        view: &View<'_>,
        plan: &mut Plan,
    ) {
        if let Some(Nomination::Node(node)) = &outcome.post_filter.nominated {
            self.preempt(&queued.pod, node, &outcome.post_filter.victims, view, plan);
        }
        let fault = outcome.fault.is_some();
        let text = outcome.fault.as_deref().or(outcome.message.as_deref()).unwrap_or_default();
        let nominated = outcome.post_filter.nominated.as_ref();
        self.report_failure(queued, text, fault, nominated, view, plan);
    }

    /// Deletes the victims. Upstream: `prepareCandidate`.
    pub(super) fn preempt(
        &mut self,
        pod: &PodInfo,
        node: &str,
        victims: &[Arc<PodInfo>],
        view: &View<'_>,
        plan: &mut Plan,
    ) {
        let profile = pod.spec().and_then(|it| it.scheduler_name.clone()).unwrap_or_default();
        for victim in victims {
            let key = victim.pod.object_ref();
            let Some(Object::Pod(current)) = view.listers.object(&key) else { continue };
            if current.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let mut updated = (**current).clone();
            let status = updated.status.get_or_insert_default();
            let condition = PodCondition {
                type_: "DisruptionTarget".to_owned(),
                status: "True".to_owned(),
                reason: Some("PreemptionByScheduler".to_owned()),
                message: Some(format!(
                    "{profile}: preempting to accommodate a higher priority pod"
                )),
                observed_generation: current.metadata.generation,
                ..PodCondition::default()
            };
            if api::pods::set_condition(status, condition, view.now) {
                plan.push(Action::UpdateStatus(updated.into_object()));
            }
            plan.push(Action::Delete { key, options: DeleteOptions::default() });
            let uid = pod.pod.metadata.uid.as_deref().unwrap_or_default();
            let text = format!("Preempted by pod {uid} on node {node}");
            let object = Object::Pod(current.clone());
            plan.record(EventSpec::normal(&profile, &object, "Preempted", text));
        }
        // Pods of lower priority that were to run there have to look again.
        let lower: Vec<Arc<PodInfo>> = self
            .nominator
            .pods_for(node)
            .iter()
            .filter(|it| it.priority < pod.priority)
            .cloned()
            .collect();
        for other in lower {
            self.nominator.delete(&other.key);
            let Some(Object::Pod(current)) = view.listers.object(&other.pod.object_ref()) else {
                continue;
            };
            let mut updated = (**current).clone();
            let status = updated.status.get_or_insert_default();
            if status.nominated_node_name.take().is_some_and(|it| !it.is_empty()) {
                plan.push(Action::UpdateStatus(updated.into_object()));
            }
        }
    }

    /// Queues the pod again, says why in an event and in its condition.
    pub(super) fn report_failure(
        &mut self,
        mut queued: QueuedPodInfo,
        text: &str,
        fault: bool,
        nomination: Option<&Nomination>,
        view: &View<'_>,
        plan: &mut Plan,
    ) {
        let key = queued.pod.pod.object_ref();
        let Some(Object::Pod(current)) = view.listers.object(&key) else { return };
        let Some(framework) = self.framework_for(current).cloned() else { return };
        if current.metadata.uid != queued.pod.pod.metadata.uid {
            return;
        }
        queued.pod = Arc::new(PodInfo::new(current.clone(), &mut self.cache.interner));
        let info = queued.pod.clone();
        if queued.unschedulable_plugins.is_empty() {
            queued.errors += 1;
        } else {
            queued.unschedulable_count += 1;
            queued.errors = 0;
        }
        queued.timestamp = view.now;
        if queued.unschedulable_plugins.is_empty() {
            self.queue.requeue(queued, view.now, Ok(()));
        } else {
            self.queue.add_unschedulable(queued);
        }
        match nomination {
            Some(Nomination::Node(node)) => self.nominator.add(info.clone(), node),
            Some(Nomination::Clear) => self.nominator.delete(&info.key),
            None => {}
        }
        let mut note = text.to_owned();
        if note.len() > NOTE_LENGTH_LIMIT {
            let mut end = NOTE_LENGTH_LIMIT - 4;
            while !note.is_char_boundary(end) {
                end -= 1;
            }
            note.truncate(end);
            note.push_str(" ...");
        }
        let object = Object::Pod(current.clone());
        let name = &framework.profile_name;
        plan.record(EventSpec::warning(name, &object, "FailedScheduling", note).on_control_plane());
        let mut updated = (**current).clone();
        let status = updated.status.get_or_insert_default();
        let condition = PodCondition {
            type_: "PodScheduled".to_owned(),
            status: "False".to_owned(),
            reason: Some(if fault { "SchedulerError" } else { "Unschedulable" }.to_owned()),
            message: Some(text.to_owned()),
            observed_generation: current.metadata.generation,
            ..PodCondition::default()
        };
        let mut changed = api::pods::set_condition(status, condition, view.now);
        let wanted = match nomination {
            Some(Nomination::Node(node)) => Some(Some(node.to_string())),
            Some(Nomination::Clear) => Some(None),
            None => None,
        };
        if let Some(wanted) = wanted
            && status.nominated_node_name.as_deref().unwrap_or_default()
                != wanted.as_deref().unwrap_or_default()
        {
            status.nominated_node_name = wanted;
            changed = true;
        }
        if changed {
            plan.push(Action::UpdateStatus(updated.into_object()));
        }
    }
}
