//! Keeps new pods off cordoned nodes.
//!
//! Upstream: `pkg/scheduler/framework/plugins/nodeunschedulable/node_unschedulable.go`, v1.36.

use std::sync::Arc;

use api::Object;
use api::taints::tolerated;
use k8s_openapi::api::core::v1::{Node, Taint, Toleration};
use view::Term;

use super::names;
use crate::framework::cycle_state::CycleState;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{FilterPlugin, Handle, Plugin, QueueingHint, Rejection};
use crate::framework::types::{NodeInfo, PodInfo};

const ERR_REASON: &str = "node(s) were unschedulable";

/// The plugin.
pub struct NodeUnschedulable;

impl Plugin for NodeUnschedulable {
    fn name(&self) -> &'static str {
        names::NODE_UNSCHEDULABLE
    }
    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
    fn events_to_register(&self) -> Vec<ClusterEventWithHint> {
        vec![
            ClusterEventWithHint {
                event: ClusterEvent::new(
                    EventResource::Node,
                    ActionType::ADD | ActionType::UPDATE_NODE_TAINT,
                ),
                hint: Some(Arc::new(|_, _, change| {
                    let cordoned = |it: &Option<Object>| {
                        let node = it.as_ref().and_then(Object::as_kind::<Node>)?;
                        Some(node.spec.as_ref().and_then(|it| it.unschedulable) == Some(true))
                    };
                    match (cordoned(&change.old), cordoned(&change.new)) {
                        (Some(true) | None, Some(false)) => QueueingHint::Queue,
                        _ => QueueingHint::Skip,
                    }
                })),
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(EventResource::Pod, ActionType::UPDATE_POD_TOLERATION),
                hint: Some(Arc::new(|_, pod, change| {
                    let new = change.new.as_ref();
                    match new {
                        Some(Object::Pod(it))
                            if it.metadata.uid == pod.pod.metadata.uid
                                && tolerates_cordon(tolerations(it)) =>
                        {
                            QueueingHint::Queue
                        }
                        _ => QueueingHint::Skip,
                    }
                })),
            },
        ]
    }
}

fn tolerations(pod: &k8s_openapi::api::core::v1::Pod) -> &[Toleration] {
    pod.spec.as_ref().and_then(|it| it.tolerations.as_deref()).unwrap_or_default()
}

fn tolerates_cordon(tolerations: &[Toleration]) -> bool {
    let taint = Taint {
        key: "node.kubernetes.io/unschedulable".to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    };
    tolerated(&taint, tolerations)
}

impl FilterPlugin for NodeUnschedulable {
    fn is_local(&self) -> bool {
        true
    }

    fn filter(
        &self,
        _: &Handle<'_>,
        _: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        if !node.unschedulable || tolerates_cordon(pod.tolerations()) {
            Ok(())
        } else {
            Err(Rejection::unresolvable(ERR_REASON))
        }
    }

    fn explain(&self, _: &Handle<'_>, _: &CycleState, _: &PodInfo, node: &NodeInfo) -> Vec<Term> {
        vec![Term {
            text: format!(
                "{} is cordoned, and no toleration matches node.kubernetes.io/unschedulable:NoSchedule",
                node.name
            ),
            short: "cordoned".to_owned(),
            path: Some("spec.tolerations".to_owned()),
        }]
    }
}
