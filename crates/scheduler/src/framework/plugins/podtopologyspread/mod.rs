//! Spreads pods evenly over domains.
//!
//! Upstream: `pkg/scheduler/framework/plugins/podtopologyspread/plugin.go`, v1.36.

mod common;
mod filtering;
mod scoring;

use std::sync::Arc;

use api::Object;
use k8s_openapi::api::core::v1::{Node, Pod, TopologySpreadConstraint};

use self::common::{Constraint, DO_NOT_SCHEDULE};
use super::names;
use crate::apis::config::PodTopologySpreadArgs;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{
    FilterPlugin, HintContext, Plugin, PreFilterPlugin, PreScorePlugin, QueueingHint, ScorePlugin,
};
use crate::framework::intern::Labels;
use crate::framework::types::PodInfo;

/// The plugin.
#[derive(Clone)]
pub struct PodTopologySpread {
    system_defaulted: bool,
    default_constraints: Arc<Vec<TopologySpreadConstraint>>,
}

impl PodTopologySpread {
    /// With its arguments.
    #[must_use]
    pub fn new(args: &PodTopologySpreadArgs) -> Self {
        let system_defaulted = args.defaulting_type == "System";
        let default_constraints =
            if system_defaulted { system_defaults() } else { args.default_constraints.clone() };
        Self { system_defaulted, default_constraints: Arc::new(default_constraints) }
    }
}

/// Upstream: `systemDefaultConstraints`.
fn system_defaults() -> Vec<TopologySpreadConstraint> {
    [("kubernetes.io/hostname", 3), ("topology.kubernetes.io/zone", 5)]
        .map(|(key, max_skew)| TopologySpreadConstraint {
            topology_key: key.to_owned(),
            when_unsatisfiable: common::SCHEDULE_ANYWAY.to_owned(),
            max_skew,
            ..TopologySpreadConstraint::default()
        })
        .into()
}

impl Plugin for PodTopologySpread {
    fn name(&self) -> &'static str {
        names::POD_TOPOLOGY_SPREAD
    }
    fn as_pre_filter(&self) -> Option<&dyn PreFilterPlugin> {
        Some(self)
    }
    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
    fn as_pre_score(&self) -> Option<&dyn PreScorePlugin> {
        Some(self)
    }
    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        Some(self)
    }
    fn events_to_register(&self) -> Vec<ClusterEventWithHint> {
        let (for_pods, for_nodes) = (self.clone(), self.clone());
        vec![
            ClusterEventWithHint {
                event: ClusterEvent::new(
                    EventResource::Pod,
                    ActionType::ADD
                        | ActionType::UPDATE_POD_LABEL
                        | ActionType::UPDATE_POD_TOLERATION
                        | ActionType::DELETE,
                ),
                hint: Some(Arc::new(move |context, pod, change| {
                    for_pods.after_pod_change(context, pod, &change.old, &change.new)
                })),
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(
                    EventResource::Node,
                    ActionType::ADD
                        | ActionType::DELETE
                        | ActionType::UPDATE_NODE_LABEL
                        | ActionType::UPDATE_NODE_TAINT,
                ),
                hint: Some(Arc::new(move |context, pod, change| {
                    for_nodes.after_node_change(context, pod, &change.old, &change.new)
                })),
            },
        ]
    }
}

/// Upstream: `involvedInTopologySpreading`.
fn is_involved(incoming: &Pod, spreading: &PodInfo) -> bool {
    incoming.metadata.uid == spreading.pod.metadata.uid
        || (super::is_on_a_node(incoming)
            && incoming.metadata.namespace == spreading.pod.metadata.namespace)
}

impl PodTopologySpread {
    fn after_pod_change(
        &self,
        context: &mut HintContext<'_>,
        pod: &PodInfo,
        old: &Option<Object>,
        new: &Option<Object>,
    ) -> QueueingHint {
        let as_pod = |it: &Option<Object>| match it {
            Some(Object::Pod(it)) => Some(it.clone()),
            _ => None,
        };
        let (old, new) = (as_pod(old), as_pod(new));
        if [&old, &new].into_iter().flatten().any(|it| !is_involved(it, pod)) {
            return QueueingHint::Skip;
        }
        let interner = &mut *context.interner;
        let Ok(constraints) = self.constraints(pod, DO_NOT_SCHEDULE, interner, context.listers)
        else {
            return QueueingHint::Queue;
        };
        let mut matches = |it: &Pod| -> Vec<bool> {
            let labels = Labels::new(it.metadata.labels.as_ref(), interner);
            constraints.iter().map(|it| it.selector.matches(&labels, interner)).collect()
        };
        let helps = match (&old, &new) {
            (Some(old), Some(new)) => {
                let tolerations = |it: &Pod| it.spec.as_ref().and_then(|it| it.tolerations.clone());
                (pod.pod.metadata.uid == new.metadata.uid
                    && tolerations(old) != tolerations(new)
                    && constraints.iter().any(|it| it.honor_taints))
                    || (old.metadata.labels != new.metadata.labels && matches(old) != matches(new))
            }
            (Some(it), None) | (None, Some(it)) => matches(it).contains(&true),
            (None, None) => true,
        };
        if helps { QueueingHint::Queue } else { QueueingHint::Skip }
    }

    fn after_node_change(
        &self,
        context: &mut HintContext<'_>,
        pod: &PodInfo,
        old: &Option<Object>,
        new: &Option<Object>,
    ) -> QueueingHint {
        let interner = &mut *context.interner;
        let Ok(constraints) = self.constraints(pod, DO_NOT_SCHEDULE, interner, context.listers)
        else {
            return QueueingHint::Queue;
        };
        let keys: Vec<&str> = constraints.iter().map(|it| interner.text(it.key)).collect();
        let node = |it: &Option<Object>| match it {
            Some(Object::Node(it)) => Some(it.clone()),
            _ => None,
        };
        let label =
            |it: &Node, key: &str| it.metadata.labels.as_ref().and_then(|it| it.get(key).cloned());
        let has_all = |it: &Node| keys.iter().all(|key| label(it, key).is_some());
        let helps = match (node(old), node(new)) {
            (Some(old), Some(new)) => {
                has_all(&old) != has_all(&new)
                    || (has_all(&new)
                        && (keys.iter().any(|key| label(&old, key) != label(&new, key))
                            || api::taints::of_node(&old) != api::taints::of_node(&new)))
            }
            (Some(it), None) | (None, Some(it)) => has_all(&it),
            (None, None) => true,
        };
        if helps { QueueingHint::Queue } else { QueueingHint::Skip }
    }
}

/// The constraints of one attempt.
type Constraints = Vec<Constraint>;
