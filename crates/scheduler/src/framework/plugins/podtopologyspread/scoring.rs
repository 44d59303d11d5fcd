//! Prefers nodes in domains with fewer pods.
//!
//! Upstream: `pkg/scheduler/framework/plugins/podtopologyspread/scoring.go`, v1.36.

use std::sync::Arc;

use super::common::{SCHEDULE_ANYWAY, counted_nodes};
use super::{Constraints, PodTopologySpread};
use crate::framework::cycle_state::CycleState;
use crate::framework::interface::{
    Handle, MAX_NODE_SCORE, PreScore, PreScorePlugin, Rejection, ScorePlugin,
};
use crate::framework::types::{NodeId, NodeInfo, PodInfo};

#[derive(Clone)]
struct PreScoreState {
    constraints: Constraints,
    topologies: Vec<usize>,
    /// Nodes without all the labels, sorted.
    ignored: Vec<NodeId>,
    /// Pods in each domain, by constraint; on each node for the hostname.
    counts: Vec<Arc<Vec<i32>>>,
    weights: Vec<f64>,
}

impl PodTopologySpread {
    /// Upstream: `initPreScoreState`; returns the sizes of the topologies.
    fn init(
        handle: &Handle<'_>,
        state: &mut PreScoreState,
        nodes: &[NodeId],
        require_all: bool,
    ) -> Vec<Vec<bool>> {
        let counters = &handle.cache.counters;
        let mut seen: Vec<Vec<bool>> = state
            .topologies
            .iter()
            .map(|it| vec![false; counters.topology_at(*it).values.len()])
            .collect();
        let mut missing = vec![false; state.topologies.len()];
        for id in nodes {
            let domain = |it: &usize| counters.topology_at(*it).domain(*id);
            if require_all && state.topologies.iter().any(|it| domain(it).is_none()) {
                state.ignored.push(*id);
                continue;
            }
            for (at, topology) in state.topologies.iter().enumerate() {
                match domain(topology) {
                    Some(domain) => {
                        if let Some(it) = seen.get_mut(at).and_then(|it| it.get_mut(domain)) {
                            *it = true;
                        }
                    }
                    None => missing[at] = true,
                }
            }
        }
        state.ignored.sort_unstable();
        let sizes = state.constraints.iter().enumerate().map(|(at, it)| {
            if it.is_hostname {
                nodes.len() - state.ignored.len()
            } else {
                let n = seen.get(at).map_or(0, |it| it.iter().filter(|it| **it).count());
                n + usize::from(missing.get(at).copied().unwrap_or_default())
            }
        });
        state.weights = sizes.map(topology_normalizing_weight).collect();
        seen
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of nodes are small")]
fn topology_normalizing_weight(size: usize) -> f64 {
    libm::log((size + 2) as f64)
}

/// Upstream: `scoreForCount`.
fn score_for_count(count: i32, max_skew: i64, weight: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "skews are small")]
    let base = (max_skew - 1) as f64;
    f64::from(count) * weight + base
}

impl PreScorePlugin for PodTopologySpread {
    fn pre_score(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<PreScore, Rejection> {
        let listers = handle.listers;
        let constraints =
            self.constraints(pod, SCHEDULE_ANYWAY, &mut handle.cache.interner, listers)?;
        if constraints.is_empty() {
            return Ok(PreScore::Skip);
        }
        let own = pod.spec().and_then(|it| it.topology_spread_constraints.as_ref());
        let require_all = own.is_some_and(|it| !it.is_empty()) || !self.system_defaulted;
        let topologies: Vec<usize> =
            constraints.iter().map(|it| handle.cache.topology(it.key)).collect();
        let counters: Vec<Option<usize>> = constraints
            .iter()
            .map(|it| it.matcher(pod).map(|matcher| handle.cache.pod_counter(matcher)))
            .collect();
        let mut prepared = PreScoreState {
            constraints,
            topologies,
            ignored: Vec::new(),
            counts: Vec::new(),
            weights: Vec::new(),
        };
        Self::init(handle, &mut prepared, nodes, require_all);
        prepared.counts = count(handle, pod, &prepared, &counters, require_all);
        state.write(prepared);
        Ok(PreScore::Run)
    }
}

/// Upstream: `processAllNode` in `PreScore`.
fn count(
    handle: &mut Handle<'_>,
    pod: &PodInfo,
    state: &PreScoreState,
    counters: &[Option<usize>],
    require_all: bool,
) -> Vec<Arc<Vec<i32>>> {
    let trivial = (!require_all || state.constraints.len() == 1)
        && state.constraints.iter().all(|it| it.counts_all_nodes(pod));
    let mut all: Vec<Arc<Vec<i32>>> = Vec::new();
    for (at, constraint) in state.constraints.iter().enumerate() {
        let counter = counters.get(at).copied().flatten();
        let topology = state.topologies.get(at).copied().unwrap_or_default();
        all.push(match counter {
            None => Arc::default(),
            Some(it) if constraint.is_hostname => {
                handle.cache.counters.pods_at(it).per_node.clone()
            }
            Some(it) if trivial => handle.cache.counters.aggregate(it, topology),
            Some(_) => Arc::new(vec![0; handle.cache.counters.topology_at(topology).values.len()]),
        });
    }
    if trivial || state.constraints.iter().all(|it| it.is_hostname) {
        return all;
    }
    let cache = &handle.cache;
    counted_nodes(handle, pod, &state.constraints, &state.topologies, require_all, |at, node| {
        let constraint = state.constraints.get(at);
        let (Some(counter), Some(topology)) =
            (counters.get(at).copied().flatten(), state.topologies.get(at))
        else {
            return;
        };
        if constraint.is_some_and(|it| it.is_hostname) {
            return;
        }
        let n = cache.counters.pods_at(counter).per_node.get(node.at()).copied().unwrap_or(0);
        if let Some(domain) = cache.counters.topology_at(*topology).domain(node)
            && let Some(it) = all.get_mut(at).and_then(|it| Arc::make_mut(it).get_mut(domain))
        {
            *it += n;
        }
    });
    all
}

impl PreScoreState {
    fn pods_in_domain(&self, handle: &Handle<'_>, at: usize, node: NodeId) -> Option<i32> {
        let topology = self.topologies.get(at)?;
        let domain = handle.cache.counters.topology_at(*topology).domain(node)?;
        let is_hostname = self.constraints.get(at)?.is_hostname;
        let index = if is_hostname { node.at() } else { domain };
        Some(self.counts.get(at)?.get(index).copied().unwrap_or(0))
    }
}

impl ScorePlugin for PodTopologySpread {
    #[expect(clippy::cast_possible_truncation, reason = "as upstream")]
    fn score(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<Vec<i64>, Rejection> {
        let Some(state) = state.read::<PreScoreState>() else {
            return Err(Rejection::error(
                "error reading \"PreScorePodTopologySpread\" from cycleState: not found",
            ));
        };
        let score = |id: &NodeId| {
            if state.ignored.binary_search(id).is_ok() {
                return 0;
            }
            let mut score = 0.0;
            for (at, constraint) in state.constraints.iter().enumerate() {
                if let Some(n) = state.pods_in_domain(handle, at, *id) {
                    let weight = state.weights.get(at).copied().unwrap_or_default();
                    score += score_for_count(n, constraint.max_skew, weight);
                }
            }
            score.round() as i64
        };
        Ok(nodes.iter().map(score).collect())
    }

    fn normalize(&self, _: &Handle<'_>, state: &CycleState, nodes: &[NodeId], scores: &mut [i64]) {
        let Some(state) = state.read::<PreScoreState>() else { return };
        let ignored = |id: &NodeId| state.ignored.binary_search(id).is_ok();
        let counted = || nodes.iter().zip(&*scores).filter(|(id, _)| !ignored(id));
        let min = counted().map(|(_, it)| *it).min().unwrap_or(i64::MAX);
        let max = counted().map(|(_, it)| *it).max().unwrap_or(0).max(0);
        for (id, it) in nodes.iter().zip(scores) {
            *it = match (ignored(id), max) {
                (true, _) => 0,
                (_, 0) => MAX_NODE_SCORE,
                _ => MAX_NODE_SCORE * (max + min - *it) / max,
            };
        }
    }

    fn formula(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &NodeInfo,
    ) -> Option<String> {
        let state = state.read::<PreScoreState>()?;
        let part = |(at, it): (usize, &super::Constraint)| {
            let n = state.pods_in_domain(handle, at, node.id)?;
            let weight = state.weights.get(at)?;
            let key = handle.cache.interner.text(it.key);
            Some(format!("{key}: {n} pods × {weight:.3} + {}", it.max_skew - 1))
        };
        let parts: Vec<String> = state.constraints.iter().enumerate().filter_map(part).collect();
        Some(parts.join("; "))
    }
}
