//! Pods that have to go, because the node needs memory or a critical pod their place.
//!
//! Upstream: `evictPod` in `pkg/kubelet/eviction/eviction_manager.go` and
//! `HandleAdmissionFailure` in `pkg/kubelet/preemption/preemption.go`, v1.36.

use std::collections::BTreeMap;

use api::k8s_openapi::api::core::v1::{Node, Pod, PodSpec};
use api::{EventSpec, ObjectRef, Plan, Resource, Timestamp, View, pods};

use super::Kubelet;
use crate::events::Recorder;
use crate::eviction::{self, Decision};
use crate::kubelet_node_status::event;
use crate::pod_workers::Context;
use crate::predicate::{HostPort, Refusal, admit_elsewise, shortages};
use crate::{preemption, static_pods};

impl Kubelet {
    /// What the eviction manager decided. Upstream: `evictPod`.
    pub(super) fn carry_out(
        &mut self,
        node: &Node,
        decision: Decision,
        view: &View<'_>,
        plan: &mut Plan,
    ) {
        if let Some(at) = decision.next {
            plan.requeue(at);
        }
        if decision.is_short {
            let message = "Attempting to reclaim memory";
            plan.record(EventSpec {
                warning: true,
                ..event(node, "EvictionThresholdMet", message)
            });
        }
        if let Some((key, message, grace_ms)) = decision.victim {
            self.put_out(&key, (eviction::REASON, message), Some(grace_ms), node, view, plan);
        }
    }

    /// Stops a pod and calls it failed, in the time that is given or its own. Returns when it will
    /// have stopped.
    fn put_out(
        &mut self,
        key: &ObjectRef,
        why: (&'static str, String),
        grace_ms: Option<i64>,
        node: &Node,
        view: &View<'_>,
        plan: &mut Plan,
    ) -> Option<Timestamp> {
        let pod = view.listers.by_ref::<Pod>(key)?;
        let (spec, entry) = (pod.spec.as_ref()?, self.workers.get_mut(key)?);
        let mut out = Recorder::new(pod, node.name());
        out.pod(true, why.0, why.1.clone());
        let context = Context { pod, spec, seed: view.seed, settings: view.settings };
        let own = spec.termination_grace_period_seconds.unwrap_or(30).max(1).saturating_mul(1_000);
        let grace_ms = grace_ms.unwrap_or(own);
        entry.worker.begin_stop(view.now, Some(grace_ms), Some(why), &context, &mut out);
        let due = entry.worker.stops_at();
        // The change of its status makes its worker go on.
        plan.actions.extend(self.advance(key, pod, spec, node, view, out).actions);
        due
    }

    /// Puts others out for a critical pod. Returns when the last will have stopped. Upstream:
    /// `CriticalPodAdmissionHandler`.
    #[expect(clippy::too_many_arguments, reason = "they are the pod and its surroundings")]
    pub(super) fn make_room(
        &mut self,
        pod: &Pod,
        spec: &PodSpec,
        requests: &BTreeMap<String, i64>,
        ports: &[HostPort],
        node: &Node,
        view: &View<'_>,
        plan: &mut Plan,
    ) -> Result<Option<Timestamp>, Refusal> {
        let usage = &self.state_of(node.name(), view).usage;
        let is_static = static_pods::mirror_hash(pod).is_some();
        admit_elsewise(spec, ports, node, usage, is_static)?;
        let missing = shortages(requests, node, usage);
        let missing = missing.iter().map(|it| (it.name.to_owned(), it.missing())).collect();
        let mut candidates = Vec::new();
        for (key, entry) in &self.workers {
            let here = entry.worker.node == node.name() && entry.admitted;
            let other = view.listers.by_ref::<Pod>(key).filter(|it| here && !pods::is_terminal(it));
            candidates
                .extend(other.and_then(|it| preemption::candidate(pod, key, it, &entry.requests)));
        }
        let victims = preemption::choose(&missing, &candidates).map_err(|why| Refusal {
            reason: "UnexpectedAdmissionError".to_owned(),
            message: format!(
                "Unexpected error while attempting to recover from admission failure: preemption: \
                 error finding a set of pods to preempt: {why}"
            ),
        })?;
        let mut last = None;
        for key in victims {
            let why = (preemption::REASON, preemption::MESSAGE.to_owned());
            last = last.max(self.put_out(&key, why, None, node, view, plan));
        }
        Ok(last)
    }
}
