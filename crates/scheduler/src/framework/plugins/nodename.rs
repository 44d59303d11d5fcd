//! Keeps a pod that names its node to that node.
//!
//! Upstream: `pkg/scheduler/framework/plugins/nodename/node_name.go`, v1.36.

use view::Term;

use super::names;
use crate::framework::cycle_state::CycleState;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{FilterPlugin, Handle, Plugin, Rejection};
use crate::framework::types::{NodeInfo, PodInfo};

const ERR_REASON: &str = "node(s) didn't match the requested node name";

/// The plugin.
pub struct NodeName;

impl Plugin for NodeName {
    fn name(&self) -> &'static str {
        names::NODE_NAME
    }
    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
    fn events_to_register(&self) -> Vec<ClusterEventWithHint> {
        let event = ClusterEvent::new(EventResource::Node, ActionType::ADD);
        vec![ClusterEventWithHint { event, hint: None }]
    }
}

fn wanted(pod: &PodInfo) -> Option<&str> {
    api::pods::node_name(&pod.pod).filter(|it| !it.is_empty())
}

impl FilterPlugin for NodeName {
    fn is_local(&self) -> bool {
        true
    }

    fn concerns(&self, pod: &PodInfo) -> bool {
        wanted(pod).is_some()
    }

    fn filter(
        &self,
        _: &Handle<'_>,
        _: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        match wanted(pod) {
            Some(name) if name != &*node.name => Err(Rejection::unresolvable(ERR_REASON)),
            _ => Ok(()),
        }
    }

    fn explain(&self, _: &Handle<'_>, _: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Vec<Term> {
        let wanted = wanted(pod).unwrap_or_default();
        vec![Term {
            text: format!("nodeName: asks for {wanted}, this is {}", node.name),
            short: format!("not {wanted}"),
            path: Some("spec.nodeName".to_owned()),
        }]
    }
}
