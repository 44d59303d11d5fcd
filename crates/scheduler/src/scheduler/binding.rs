//! The binding of a pod to its node, which may have to wait for volumes.
//!
//! Upstream: the binding cycle of `pkg/scheduler/schedule_one.go`, v1.36.
//! Differs from upstream: attempts and bindings do not overlap; a binding that waits for volumes is
//! remembered and carried out when they are bound.

use api::time::{after_ms, ms_between};
use api::{Action, Change, EventSpec, Listers, Object, ObjectRef, Plan, Resource as _, View};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};

use super::{BIND_TIMEOUT_MS, Binding, Scheduler};
use crate::extender;
use crate::framework::interface::Nomination;
use crate::framework::plugins::claim_names;
use crate::framework::types::PodInfo;

/// How often a binding asks for its volumes, and first after as long. Upstream: `BindPodVolumes`.
const POLL_MS: i64 = 1_000;

impl Scheduler {
    /// Notes which volumes are bound by now: the binding that waits for them asks once a second.
    pub(super) fn look_at_waiting(&mut self, view: &View<'_>) {
        for it in self.waiting.values_mut() {
            let asks = || {
                let ms = ms_between(it.since, view.now);
                after_ms(it.since, ms - ms.rem_euclid(POLL_MS) + POLL_MS)
            };
            let bound = are_volumes_bound(&it.pod.pod, view.listers);
            it.bound_at = bound.then(|| it.bound_at.unwrap_or_else(asks));
        }
    }

    /// A binding that learns that its volumes are bound, or that waited too long.
    pub(super) fn finish_waiting(&mut self, view: &View<'_>) -> Option<Plan> {
        let due = self.waiting.iter().find_map(|(key, it)| {
            let bound = it.bound_at.is_some_and(|at| at <= view.now);
            let late = ms_between(it.since, view.now) >= BIND_TIMEOUT_MS;
            (bound || late).then(|| (key.clone(), bound))
        });
        let (key, bound) = due?;
        let binding = self.waiting.remove(&key)?;
        Some(if bound {
            let mut plan = Plan::default();
            self.bind(binding, view, &mut plan);
            plan
        } else {
            let text = "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded";
            self.fail_binding(binding, text, view)
        })
    }

    pub(super) fn bind(&mut self, binding: Binding, view: &View<'_>, plan: &mut Plan) {
        let pod = &binding.pod.pod;
        let Some(framework) = self.framework_for(&pod.pod).cloned() else { return };
        if let Some(Err(error)) = extender::bind(&framework.extenders, pod, &binding.node) {
            plan.actions.extend(self.fail_binding(binding, &error, view).actions);
            return;
        }
        let mut binders = framework.bind.iter().filter_map(|it| it.as_bind());
        let Some(action) = binders.find_map(|it| it.bind(pod, &binding.node)) else { return };
        plan.push(action);
        let object = Object::Pod(pod.pod.clone());
        let text = format!("Successfully assigned {} to {}", pod.key, binding.node);
        plan.record(
            EventSpec::normal(&framework.profile_name, &object, "Scheduled", text)
                .on_control_plane(),
        );
        self.in_flight = Some(binding);
    }

    /// Takes an assumed pod back and queues it again. Upstream: `handleBindingCycleError`.
    pub(super) fn fail_binding(&mut self, binding: Binding, text: &str, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let mut pod = binding.pod;
        if self.cache.forget_pod(&pod.pod.key) {
            let change = Change { old: Some(Object::Pod(pod.pod.pod.clone())), new: None };
            let event = crate::framework::events::ClusterEvent::new(
                crate::framework::events::EventResource::AssignedPod,
                crate::framework::events::ActionType::DELETE,
            );
            self.move_all(event, &change, view.listers, view.now);
        }
        pod.unschedulable_plugins.clear();
        self.report_failure(pod, text, true, Some(&Nomination::Clear), view, &mut plan);
        plan
    }
}

/// Tells the world where a pod will be while its volumes are being bound. Upstream: the feature
/// `NominatedNodeNameForExpectation`.
pub(super) fn expect_on(key: &ObjectRef, node: &str, listers: Listers<'_>) -> Option<Action> {
    let mut pod = listers.by_ref::<Pod>(key)?.clone();
    pod.status.get_or_insert_default().nominated_node_name = Some(node.to_owned());
    Some(Action::UpdateStatus(pod.into_object()))
}

/// Whether all claims of the pod are bound. Upstream: `checkBindings`.
fn are_volumes_bound(pod: &PodInfo, listers: Listers<'_>) -> bool {
    claim_names(&pod.pod).iter().all(|(name, _)| {
        let claim = listers.get::<PersistentVolumeClaim>(pod.namespace_name(), name);
        claim.is_some_and(|claim| {
            let annotations = claim.metadata.annotations.as_ref();
            let volume = claim.spec.as_ref().and_then(|it| it.volume_name.as_deref());
            annotations.is_some_and(|it| it.contains_key("pv.kubernetes.io/bind-completed"))
                && volume.is_some_and(|it| listers.get::<PersistentVolume>("", it).is_some())
        })
    })
}
