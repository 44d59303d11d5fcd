//! Rejects nodes with taints that the pod does not tolerate; prefers those with fewer.
//!
//! Upstream: `pkg/scheduler/framework/plugins/tainttoleration/taint_toleration.go`, v1.36.

use std::sync::Arc;

use api::Object;
use api::taints::{self, first_untolerated, tolerated};
use k8s_openapi::api::core::v1::{Node, Toleration};
use view::Term;

use super::names;
use crate::framework::cycle_state::CycleState;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{
    FilterPlugin, Handle, Plugin, PreScore, PreScorePlugin, QueueingHint, Rejection, ScorePlugin,
    default_normalize_score,
};
use crate::framework::types::{NodeId, NodeInfo, PodInfo};

const ERR_REASON: &str = "node(s) had untolerated taint(s)";

/// The plugin.
pub struct TaintToleration;

/// The tolerations that count for scoring.
#[derive(Clone)]
struct PreScoreState(Vec<Toleration>);

impl Plugin for TaintToleration {
    fn name(&self) -> &'static str {
        names::TAINT_TOLERATION
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
        vec![
            ClusterEventWithHint {
                event: ClusterEvent::new(
                    EventResource::Node,
                    ActionType::ADD | ActionType::UPDATE_NODE_TAINT,
                ),
                hint: Some(Arc::new(|_, pod, change| {
                    let untolerated = |it: &Option<Object>| {
                        let node = it.as_ref().and_then(Object::as_kind::<Node>)?;
                        Some(is_untolerated(node, pod))
                    };
                    let was = untolerated(&change.old).unwrap_or(true);
                    let is = untolerated(&change.new).unwrap_or(true);
                    if was && !is { QueueingHint::Queue } else { QueueingHint::Skip }
                })),
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(EventResource::Pod, ActionType::UPDATE_POD_TOLERATION),
                hint: Some(Arc::new(|_, pod, change| match &change.new {
                    Some(Object::Pod(it)) if it.metadata.uid == pod.pod.metadata.uid => {
                        QueueingHint::Queue
                    }
                    _ => QueueingHint::Skip,
                })),
            },
        ]
    }
}

const HARD: [&str; 2] = [taints::effect::NO_SCHEDULE, taints::effect::NO_EXECUTE];

/// Whether a node has a taint that keeps the pod away.
#[must_use]
pub fn is_untolerated(node: &Node, pod: &PodInfo) -> bool {
    first_untolerated(taints::of_node(node), pod.tolerations(), &HARD).is_some()
}

impl FilterPlugin for TaintToleration {
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
        if node.hard_taints.iter().all(|it| tolerated(it, pod.tolerations())) {
            Ok(())
        } else {
            Err(Rejection::unresolvable(ERR_REASON))
        }
    }

    fn explain(&self, _: &Handle<'_>, _: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Vec<Term> {
        let taints = node.hard_taints.iter().filter(|it| !tolerated(it, pod.tolerations()));
        taints
            .map(|it| Term {
                text: format!("taint {} is not tolerated", taints::to_text(it)),
                short: taints::to_text(it),
                path: Some("spec.tolerations".to_owned()),
            })
            .collect()
    }
}

impl PreScorePlugin for TaintToleration {
    fn pre_score(
        &self,
        _: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        _: &[NodeId],
    ) -> Result<PreScore, Rejection> {
        let soft = pod.tolerations().iter().filter(|it| {
            let effect = it.effect.as_deref().unwrap_or_default();
            effect.is_empty() || effect == taints::effect::PREFER_NO_SCHEDULE
        });
        state.write(PreScoreState(soft.cloned().collect()));
        Ok(PreScore::Run)
    }
}

impl ScorePlugin for TaintToleration {
    fn is_local(&self) -> bool {
        true
    }

    fn score(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<Vec<i64>, Rejection> {
        let Some(PreScoreState(tolerations)) = state.read() else {
            return Err(Rejection::error(
                "failed to read \"PreScoreTaintToleration\" from cycleState: not found",
            ));
        };
        let count = |id: &NodeId| {
            let taints = handle.cache.node(*id).soft_taints.iter();
            i64::try_from(taints.filter(|it| !tolerated(it, tolerations)).count()).unwrap_or(0)
        };
        Ok(nodes.iter().map(count).collect())
    }

    fn normalize(&self, _: &Handle<'_>, _: &CycleState, _: &[NodeId], scores: &mut [i64]) {
        default_normalize_score(true, scores);
    }

    fn formula(
        &self,
        _: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &NodeInfo,
    ) -> Option<String> {
        let PreScoreState(tolerations) = state.read()?;
        let taints = node.soft_taints.iter().filter(|it| !tolerated(it, tolerations));
        let names: Vec<String> = taints.map(taints::to_text).collect();
        (!names.is_empty()).then(|| format!("untolerated: {}", names.join(", ")))
    }
}
