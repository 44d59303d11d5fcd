//! Keeps pods with scheduling gates out of the queue.
//!
//! Upstream: `pkg/scheduler/framework/plugins/schedulinggates/scheduling_gates.go`, v1.36.

use std::sync::Arc;

use api::Object;
use k8s_openapi::api::core::v1::Pod;

use super::names;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{Plugin, PreEnqueuePlugin, QueueingHint, Rejection};

/// The plugin.
pub struct SchedulingGates;

impl Plugin for SchedulingGates {
    fn name(&self) -> &'static str {
        names::SCHEDULING_GATES
    }
    fn as_pre_enqueue(&self) -> Option<&dyn PreEnqueuePlugin> {
        Some(self)
    }
    fn events_to_register(&self) -> Vec<ClusterEventWithHint> {
        vec![ClusterEventWithHint {
            event: ClusterEvent::new(EventResource::Pod, ActionType::UPDATE_POD_GATES_ELIMINATED),
            hint: Some(Arc::new(|_, pod, change| match &change.new {
                Some(Object::Pod(it)) if it.metadata.uid == pod.pod.metadata.uid => {
                    QueueingHint::Queue
                }
                _ => QueueingHint::Skip,
            })),
        }]
    }
}

impl PreEnqueuePlugin for SchedulingGates {
    fn pre_enqueue(&self, pod: &Pod) -> Result<(), Rejection> {
        let gates = pod.spec.as_ref().and_then(|it| it.scheduling_gates.as_deref());
        let names: Vec<&str> = gates.into_iter().flatten().map(|it| it.name.as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let text = format!("waiting for scheduling gates: [{}]", names.join(" "));
        Err(Rejection::unresolvable(text))
    }
}
