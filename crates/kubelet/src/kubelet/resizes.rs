//! When the resizes of a node's pods are tried, and what follows.
//!
//! Upstream: `retryPendingResizes` and `handlePodResourcesResize` in
//! `pkg/kubelet/allocation/allocation_manager.go`, and who calls them in `pkg/kubelet/kubelet.go`,
//! v1.36.

use api::k8s_openapi::api::core::v1::{Node, Pod};
use api::time::after_ms;
use api::{Kind, ObjectRef, Plan, Resource, View, WorkQueue};

use super::Kubelet;
use crate::allocation::{self, Resize, is_resized};
use crate::events::Recorder;
use crate::eviction;
use crate::pod_workers::Context;
use crate::predicate::admit;

impl Kubelet {
    /// Hears of a pod that asks for other resources than before.
    pub(super) fn push_resize(
        &mut self,
        key: &ObjectRef,
        old: &Pod,
        pod: &Pod,
        view: &View<'_>,
        queue: &mut WorkQueue,
    ) {
        let (Some(before), Some(spec)) = (&old.spec, &pod.spec) else { return };
        let Some(entry) = self.workers.get_mut(key).filter(|it| it.admitted) else { return };
        if !is_resized(before, spec) {
            return;
        }
        self.resizing = true;
        entry.worker.resize.get_or_insert_with(|| Box::new(Resize::of(before)));
        let name = entry.worker.node.clone();
        let workers = &self.workers;
        let Some(state) = self.nodes.get_mut(&name) else { return };
        let waiting = &mut state.resizes;
        if !waiting.pods.contains(key) {
            waiting.pods.push(key.clone());
            allocation::sort(&mut waiting.pods, view, |it| {
                workers.get(it).and_then(|it| it.worker.resize.as_deref())
            });
        }
        waiting.due = true;
        queue.add_at(ObjectRef::new(Kind::Node, "", &name), view.now);
    }

    /// Something has become free: the resizes that wait for it are to be tried again.
    pub(super) fn retry_resizes(&mut self, node: &str, view: &View<'_>, queue: &mut WorkQueue) {
        let Some(state) = self.nodes.get_mut(node) else { return };
        if !state.resizes.pods.is_empty() {
            state.resizes.due = true;
            queue.add_at(ObjectRef::new(Kind::Node, "", node), view.now);
        }
    }

    /// Upstream: `retryPendingResizes`.
    pub(super) fn try_resizes(&mut self, node: &Node, view: &View<'_>, plan: &mut Plan) {
        let Some(state) = self.nodes.get_mut(node.name()).filter(|it| !it.failed) else { return };
        let waiting = &mut state.resizes;
        let again = waiting.tried_at.map(|it| after_ms(it, allocation::RETRY_MS));
        if waiting.pods.is_empty() || !(waiting.due || again.is_some_and(|it| it <= view.now)) {
            if let Some(at) = again.filter(|_| !waiting.pods.is_empty()) {
                plan.requeue(at);
            }
            return;
        }
        (waiting.due, waiting.tried_at) = (false, Some(view.now));
        for key in std::mem::take(&mut waiting.pods) {
            if self.try_resize(&key, node, view, plan)
                && let Some(state) = self.nodes.get_mut(node.name())
            {
                state.resizes.pods.push(key);
            }
        }
        if self.nodes.get(node.name()).is_some_and(|it| !it.resizes.pods.is_empty()) {
            plan.requeue(after_ms(view.now, allocation::RETRY_MS));
        }
    }

    /// Returns whether the pod still waits. Upstream: `handlePodResourcesResize`.
    fn try_resize(
        &mut self,
        key: &ObjectRef,
        node: &Node,
        view: &View<'_>,
        plan: &mut Plan,
    ) -> bool {
        let Some(pod) = view.listers.by_ref::<Pod>(key) else { return false };
        let Some(spec) = pod.spec.as_ref() else { return false };
        let Some(entry) = self.workers.get_mut(key).filter(|it| it.admitted) else { return false };
        let Some(state) = self.nodes.get_mut(node.name()) else { return false };
        let worker = &mut entry.worker;
        let Some(mut resize) = worker.resize.take() else { return false };
        let mut out = Recorder::new(pod, node.name());
        let (mut waits, mut news) = (false, true);
        if resize.allocated_pod(pod).is_none() {
            news = resize.settle();
        } else {
            let requests = api::resources::spec_requests(spec);
            state.usage.remove(&entry.requests, &entry.ports);
            let verdict = eviction::admit(pod, spec, node, state.eviction.pressure);
            match verdict
                .and_then(|()| admit(pod, spec, &requests, &entry.ports, node, &state.usage, false))
            {
                Ok(()) => {
                    entry.requests = requests;
                    let names = resize.restarts(spec);
                    resize.grant(pod, view.now, &mut out);
                    let context = Context { pod, spec, seed: view.seed, settings: view.settings };
                    let last = worker.restart_for_resize(&names, view.now, &context, &mut out);
                    resize.done_at = Some(worker.sees_resize_at(last, view.now));
                }
                Err(refusal) => {
                    waits = true;
                    news = resize.defer(refusal, pod, view.now, &mut out);
                }
            }
            state.usage.add(&entry.requests, &entry.ports);
        }
        worker.resize = Some(resize);
        if news {
            plan.actions.extend(self.advance(key, pod, spec, node, view, out).actions);
        }
        waits
    }
}
