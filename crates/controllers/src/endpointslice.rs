//! Keeps EndpointSlices of the pods that a Service selects.
//!
//! Upstream: `pkg/controller/endpointslice/endpointslice_controller.go` and
//! `staging/src/k8s.io/endpointslice/{reconciler,utils}.go`, v1.36.
//! Differs from upstream: the annotation for topology aware routing leads to no hints, because no
//! traffic flows here; a write counts as seen when it was decided, not when it succeeded.

mod reconciler;
mod slice_tracker;
mod trafficdist;
mod trigger_time_tracker;
mod utils;

use std::collections::BTreeMap;

use api::time::{after_ms, after_secs};
use api::{
    Change, Component, ComponentId, Kind, Object, ObjectRef, Plan, Resource, View, WorkQueue, pods,
};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use self::slice_tracker::SliceTracker;
use self::trigger_time_tracker::TriggerTimeTracker;
use crate::controller_utils::{enqueue, enqueue_all, warning};

/// `source.component` of its events.
const COMPONENT: &str = "endpoint-slice-controller";
/// The value of the label that tells who manages a slice.
const CONTROLLER_NAME: &str = "endpointslice-controller.k8s.io";
/// The label with the name of a slice's Service.
const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";
/// The label that tells who manages a slice.
const MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
/// From the end of a slice to the look at its Service. Upstream: `endpointSliceChangeMinSyncDelay`.
const SLICE_CHANGE_DELAY_MS: i64 = 1_000;
/// How often a failed sync is repeated. Upstream: `maxRetries`.
const MAX_RETRIES: u32 = 15;

/// The controller.
#[derive(Clone, Debug, Default)]
pub struct EndpointSliceController {
    /// How often the sync of a Service has failed in a row.
    retries: BTreeMap<ObjectRef, u32>,
    trigger_times: TriggerTimeTracker,
    slices: SliceTracker,
}

impl Component for EndpointSliceController {
    fn id(&self) -> ComponentId {
        ComponentId::EndpointSlice
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        self.slices = SliceTracker::default();
        enqueue_all::<Service>(queue, view);
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let Some(object) = change.object() else { return };
        match object.kind() {
            Kind::Service => enqueue(queue, view, object.object_ref()),
            Kind::Pod => pod_changed(change, view, queue),
            Kind::EndpointSlice => {
                for key in self.slices.see(change) {
                    queue.add_at(key, after_ms(view.now, SLICE_CHANGE_DELAY_MS));
                }
            }
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let Some(service) = view.listers.by_ref::<Service>(key) else {
            self.retries.remove(key);
            self.trigger_times.delete(key);
            self.slices.forget(key);
            return plan;
        };
        // Upstream tries again and again, until the slice is back.
        if self.slices.lacks_one(key) {
            return plan;
        }
        let errors = self.sync(&mut plan, service, view);
        self.slices.expect(&plan);
        if errors.is_empty() {
            self.retries.remove(key);
            return plan;
        }
        let message = format!(
            "Error updating Endpoint Slices for Service {}: {}",
            key.namespaced_name(),
            utils::aggregate(&errors)
        );
        plan.record(warning(COMPONENT, service, "FailedToUpdateEndpointSlices", message));
        let n = self.retries.entry(key.clone()).or_default();
        if *n < MAX_RETRIES {
            plan.requeue(after_secs(view.now, (1_i64 << *n).min(1_000)));
            *n += 1;
        } else {
            *n = 0;
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

/// Queues the Services that select a pod, if anything changed that a slice shows. Upstream:
/// `GetPodUpdateProjectionKey` and `GetServicesToUpdate`.
fn pod_changed(change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
    if view.listers.0.count(Kind::Service) == 0 {
        return;
    }
    let old = change.old.as_ref().and_then(Object::as_kind::<Pod>);
    let new = change.new.as_ref().and_then(Object::as_kind::<Pod>);
    let Some(namespace) = change.object().map(Object::namespace) else { return };
    let (mut pod_changed, mut labels_changed) = (true, false);
    if let (Some(old), Some(new)) = (old, new) {
        let domain =
            |it: &Pod| it.spec.as_ref().map(|it| (it.hostname.clone(), it.subdomain.clone()));
        labels_changed = old.metadata.labels != new.metadata.labels || domain(old) != domain(new);
        pod_changed = old.metadata.deletion_timestamp != new.metadata.deletion_timestamp
            || pods::is_ready(old) != pods::is_ready(new)
            || utils::pod_ips(old) != utils::pod_ips(new);
    }
    if !pod_changed && !labels_changed {
        return;
    }
    for service in view.listers.list_in::<Service>(namespace) {
        let selected = |it: Option<&Pod>| it.is_some_and(|it| utils::selects(service, it));
        let (before, after) = (selected(old), selected(new));
        if if pod_changed { before || after } else { before != after } {
            enqueue(queue, view, service.object_ref());
        }
    }
}

impl EndpointSliceController {
    /// Upstream: `syncService`.
    fn sync(&mut self, plan: &mut Plan, service: &Service, view: &View<'_>) -> Vec<String> {
        let Some(spec) = &service.spec else { return Vec::new() };
        if spec.type_.as_deref() == Some("ExternalName") || spec.selector.is_none() {
            return Vec::new();
        }
        let pods = view.listers.list_in::<Pod>(service.namespace());
        let pods: Vec<&Pod> = pods.filter(|it| utils::selects(service, it)).collect();
        let slices = view.listers.list_in::<EndpointSlice>(service.namespace());
        let slices: Vec<&EndpointSlice> = slices
            .filter(|it| {
                utils::label(&it.metadata, SERVICE_NAME_LABEL) == service.name()
                    && utils::label(&it.metadata, MANAGED_BY_LABEL) == CONTROLLER_NAME
                    && it.metadata.deletion_timestamp.is_none()
            })
            .collect();
        // Also if nothing is written it counts as seen.
        let trigger_time = self.trigger_times.compute(service, &pods);
        reconciler::reconcile(plan, service, spec, &pods, &slices, trigger_time, view)
    }
}

#[cfg(test)]
mod tests {
    use api::Action;
    use k8s_openapi::api::core::v1::Node;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{World, time};

    /// A pod in short: the value of its label, whether it is ready, its address.
    fn pod(label: &str, ready: bool, ip: &str) -> Object {
        let ready = if ready { "True" } else { "False" };
        let pod: Value = json!({
            "metadata": { "name": "p", "namespace": "default", "labels": { "app": label } },
            "status": {
                "conditions": [{ "type": "Ready", "status": ready }], "podIPs": [{ "ip": ip }],
            },
        });
        serde_json::from_value::<Pod>(pod).unwrap().into_object()
    }

    #[test]
    fn what_is_written_shows_when_the_change_came_about() {
        let mut world = World::at_ms(9_000);
        world.put::<Service>(json!({
            "metadata": { "name": "web", "creationTimestamp": time(5) },
            "spec": { "selector": { "app": "a" }, "ipFamilies": ["IPv4"] },
        }));
        world.put::<Node>(json!({ "metadata": { "name": "n" } }));
        let mut controller = EndpointSliceController::default();
        let mut at = |world: &mut World| {
            let plan = world.decide::<Service>(&mut controller, "web");
            let slice = plan.actions.iter().find_map(|it| match it {
                Action::Create { object, .. } | Action::Update(object) => Some(object.clone()),
                _ => None,
            });
            let mut slice = slice.unwrap();
            slice.meta_mut().name = Some("web-1".to_owned());
            let annotations = slice.meta().annotations.clone().unwrap_or_default();
            world.objects.put(slice);
            annotations.get("endpoints.kubernetes.io/last-change-trigger-time").cloned()
        };
        assert_eq!(at(&mut world).as_deref(), Some("1970-01-01T00:00:05Z"));
        for (second, ready) in [(7, true), (8, false)] {
            world.put::<Pod>(json!({
                "metadata": { "name": "p", "labels": { "app": "a" } },
                "spec": { "nodeName": "n", "containers": [] },
                "status": {
                    "phase": "Running", "podIPs": [{ "ip": "10.0.0.1" }],
                    "conditions": [{
                        "type": "Ready", "status": if ready { "True" } else { "False" },
                        "lastTransitionTime": time(second),
                    }],
                },
            }));
            assert_eq!(at(&mut world), Some(format!("1970-01-01T00:00:0{second}Z")));
        }
        world.objects.remove(&ObjectRef::new(Kind::Pod, "default", "p"));
        assert_eq!(at(&mut world), None);
    }

    #[test]
    fn a_service_is_looked_at_when_something_changes_that_a_slice_shows() {
        let mut world = World::default();
        world.put::<Service>(json!({
            "metadata": { "name": "web" }, "spec": { "selector": { "app": "a" } },
        }));
        let of = |label: &str| Some(pod(label, true, "10.0.0.1"));
        for (old, new, queued) in [
            (None, of("a"), true),
            (None, of("b"), false),
            (of("a"), None, true),
            (of("b"), None, false),
            (of("a"), of("a"), false),
            (of("a"), of("b"), true),
            (of("b"), of("a"), true),
            (of("b"), of("c"), false),
            (of("a"), Some(pod("a", false, "10.0.0.1")), true),
            (of("a"), Some(pod("b", false, "10.0.0.1")), true),
            (of("a"), Some(pod("a", true, "10.0.0.2")), true),
            (of("b"), Some(pod("b", false, "10.0.0.2")), false),
        ] {
            let change = Change { old, new };
            let mut queue = WorkQueue::default();
            EndpointSliceController::default().react(&change, &world.view(), &mut queue);
            assert_eq!(!queue.entries.is_empty(), queued, "{change:?}");
        }
    }
}
