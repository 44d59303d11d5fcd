//! Host ports that are free.
//!
//! Upstream: `pkg/scheduler/framework/plugins/nodeports/node_ports.go`, v1.36.

use std::sync::Arc;

use api::Object;
use view::Term;

use super::names;
use crate::framework::cycle_state::CycleState;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{
    FilterPlugin, Handle, Plugin, PreFilter, PreFilterPlugin, QueueingHint, Rejection,
};
use crate::framework::types::{NodeInfo, PodInfo, host_ports};

const ERR_REASON: &str = "node(s) didn't have free ports for the requested pod ports";

/// The plugin.
pub struct NodePorts;

impl Plugin for NodePorts {
    fn name(&self) -> &'static str {
        names::NODE_PORTS
    }
    fn as_pre_filter(&self) -> Option<&dyn PreFilterPlugin> {
        Some(self)
    }
    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
    fn events_to_register(&self) -> Vec<ClusterEventWithHint> {
        vec![
            ClusterEventWithHint {
                event: ClusterEvent::new(EventResource::Pod, ActionType::DELETE),
                hint: Some(Arc::new(|_, pod, change| {
                    let Some(Object::Pod(deleted)) = &change.old else { return QueueingHint::Skip };
                    if !super::is_on_a_node(deleted) {
                        return QueueingHint::Skip;
                    }
                    let freed = host_ports(deleted);
                    let conflict =
                        pod.host_ports.iter().any(|it| freed.iter().any(|port| it.conflicts(port)));
                    if conflict { QueueingHint::Queue } else { QueueingHint::Skip }
                })),
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(EventResource::Node, ActionType::ADD),
                hint: None,
            },
        ]
    }
}

impl PreFilterPlugin for NodePorts {
    fn pre_filter(
        &self,
        _: &mut Handle<'_>,
        _: &mut CycleState,
        pod: &PodInfo,
    ) -> Result<PreFilter, Rejection> {
        Ok(if pod.host_ports.is_empty() { PreFilter::Skip } else { PreFilter::All })
    }
}

impl FilterPlugin for NodePorts {
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
        if pod.host_ports.iter().any(|it| node.port_taken(it).is_some()) {
            Err(Rejection::unschedulable(ERR_REASON))
        } else {
            Ok(())
        }
    }

    fn explain(&self, _: &Handle<'_>, _: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Vec<Term> {
        let taken = pod.host_ports.iter().filter_map(|it| Some((it, node.port_taken(it)?)));
        taken
            .map(|(it, by)| Term {
                text: format!(
                    "host port {}:{}/{} is taken by {}",
                    it.ip, it.port, it.protocol, by.key
                ),
                short: format!("port {}", it.port),
                path: Some("spec.containers".to_owned()),
            })
            .collect()
    }
}
