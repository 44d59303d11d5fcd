//! Prefers nodes whose resources the pod would use more evenly.
//!
//! Upstream: `pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go`, v1.36.

use super::resource_allocation::{Allocation, Sum, Wanted, allocation, wanted};
use crate::apis::config::NodeResourcesBalancedAllocationArgs;
use crate::framework::cycle_state::CycleState;
use crate::framework::interface::{
    Handle, MAX_NODE_SCORE, Plugin, PreScore, PreScorePlugin, Rejection, ScorePlugin,
};
use crate::framework::plugins::names;
use crate::framework::types::{NodeId, NodeInfo, PodInfo};

/// The plugin.
pub struct BalancedAllocation {
    args: NodeResourcesBalancedAllocationArgs,
}

#[derive(Clone)]
struct PreScoreState(Vec<Wanted>);

impl BalancedAllocation {
    /// With its arguments.
    #[must_use]
    pub fn new(args: &NodeResourcesBalancedAllocationArgs) -> Self {
        Self { args: args.clone() }
    }
}

impl Plugin for BalancedAllocation {
    fn name(&self) -> &'static str {
        names::NODE_RESOURCES_BALANCED_ALLOCATION
    }
    fn as_pre_score(&self) -> Option<&dyn PreScorePlugin> {
        Some(self)
    }
    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        Some(self)
    }
}

impl PreScorePlugin for BalancedAllocation {
    fn pre_score(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        _: &[NodeId],
    ) -> Result<PreScore, Rejection> {
        let wanted = wanted(&self.args.resources, pod, Sum::Requested, &mut handle.cache.interner);
        if wanted.iter().all(|it| it.request == 0) {
            return Ok(PreScore::Skip);
        }
        state.write(PreScoreState(wanted));
        Ok(PreScore::Run)
    }
}

/// 100 when all fractions are the same, less by their standard deviation.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as upstream")]
fn balance(all: &[Allocation], of: fn(&Allocation) -> i64) -> i64 {
    let fraction = |it: &Allocation| (of(it) as f64 / it.allocatable as f64).min(1.0);
    let counted = || all.iter().filter(|it| it.allocatable != 0).map(fraction);
    let mut first = counted();
    let deviation = match (first.next(), first.next(), first.next()) {
        (Some(a), Some(b), None) => ((a - b) / 2.0).abs(),
        (Some(_), Some(_), Some(_)) => {
            let n = counted().count() as f64;
            let mut total = 0.0;
            for it in counted() {
                total += it;
            }
            let mean = total / n;
            let mut sum = 0.0;
            for it in counted() {
                sum += (it - mean) * (it - mean);
            }
            (sum / n).sqrt()
        }
        _ => 0.0,
    };
    ((1.0 - deviation) * MAX_NODE_SCORE as f64) as i64
}

/// How much better or worse the balance gets. Upstream: `balancedResourceScorer`.
fn balanced_resource_score(wanted: &[Wanted], node: &NodeInfo) -> (i64, i64, i64) {
    const NONE: Allocation = Allocation { requested: 0, allocated: 0, allocatable: 0 };
    // Two resources are the rule: no need to allocate memory for each node.
    let mut few = [NONE; 4];
    let many: Vec<Allocation>;
    let all = match few.get_mut(..wanted.len()) {
        Some(few) => {
            for (it, wanted) in few.iter_mut().zip(wanted) {
                *it = allocation(*wanted, node, Sum::Requested);
            }
            &*few
        }
        None => {
            many = wanted.iter().map(|it| allocation(*it, node, Sum::Requested)).collect();
            &many
        }
    };
    let with = balance(all, |it| it.requested);
    let without = balance(all, |it| it.allocated);
    let half = MAX_NODE_SCORE / 2;
    (half + (half + with - without) / 2, with, without)
}

impl ScorePlugin for BalancedAllocation {
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
        let Some(PreScoreState(wanted)) = state.read() else { return Ok(vec![0; nodes.len()]) };
        let score = |id: &NodeId| balanced_resource_score(wanted, handle.cache.node(*id)).0;
        Ok(nodes.iter().map(score).collect())
    }

    fn formula(
        &self,
        _: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &NodeInfo,
    ) -> Option<String> {
        let PreScoreState(wanted) = state.read()?;
        let (score, with, without) = balanced_resource_score(wanted, node);
        Some(format!("50 + (50 + {with} with the pod - {without} without) / 2 = {score}"))
    }
}
