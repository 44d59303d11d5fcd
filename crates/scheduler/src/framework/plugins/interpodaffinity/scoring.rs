//! Prefers nodes by preferred affinity and anti-affinity, the pod's own and that of pods there.
//!
//! Upstream: `pkg/scheduler/framework/plugins/interpodaffinity/scoring.go`, v1.36.

use std::sync::Arc;

use super::{InterPodAffinity, namespace_labels, namespaces_of};
use crate::backend::cache::{Matcher, Role};
use crate::framework::cycle_state::CycleState;
use crate::framework::interface::{
    Handle, MAX_NODE_SCORE, PreScore, PreScorePlugin, Rejection, ScorePlugin,
};
use crate::framework::types::{AffinityTerm, NodeId, NodeInfo, PodInfo};

/// So many points for each pod counted in a node's domain.
#[derive(Clone)]
struct Contribution {
    topology: usize,
    by_domain: Arc<Vec<i32>>,
    weight: i64,
}

#[derive(Clone)]
struct PreScoreState(Vec<Contribution>);

impl Contribution {
    /// Adds its points to those of some nodes.
    fn add_to(&self, points: &mut [i64], handle: &Handle<'_>, nodes: &[NodeId]) {
        let table = handle.cache.counters.topology_at(self.topology);
        for (points, id) in points.iter_mut().zip(nodes) {
            let count = table.domain(*id).and_then(|it| self.by_domain.get(it));
            *points += count.map_or(0, |it| i64::from(*it) * self.weight);
        }
    }
}

impl PreScorePlugin for InterPodAffinity {
    fn pre_score(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        _: &[NodeId],
    ) -> Result<PreScore, Rejection> {
        let has_preferences =
            !pod.preferred_affinity.is_empty() || !pod.preferred_anti_affinity.is_empty();
        if self.args.ignore_preferred_terms_of_existing_pods && !has_preferences {
            return Ok(PreScore::Skip);
        }
        if handle.cache.counters.existing().is_empty() && !has_preferences {
            return Ok(PreScore::Skip);
        }
        let mut contributions = Vec::new();
        for (term, weight) in &pod.preferred_affinity {
            contributions.extend(own(handle, term, *weight));
        }
        for (term, weight) in &pod.preferred_anti_affinity {
            contributions.extend(own(handle, term, -*weight));
        }
        let namespace_labels = namespace_labels(handle, pod);
        let hard = i64::from(self.args.hard_pod_affinity_weight);
        for it in handle.cache.counters.existing() {
            let weight = match it.role {
                Role::RequiredAffinity if hard > 0 => hard,
                Role::Preferred(weight) => weight,
                _ => continue,
            };
            if it.total > 0 && it.term.matches(pod, &namespace_labels, &handle.cache.interner) {
                let (topology, by_domain) = (it.topology, it.by_domain.clone());
                contributions.push(Contribution { topology, by_domain, weight });
            }
        }
        if contributions.is_empty() {
            return Ok(PreScore::Skip);
        }
        state.write(PreScoreState(contributions));
        Ok(PreScore::Run)
    }
}

/// What a preference of the pod itself gives, if any pod matches it.
fn own(handle: &mut Handle<'_>, term: &AffinityTerm, weight: i64) -> Option<Contribution> {
    let all = vec![(namespaces_of(handle, term), term.selector.clone())];
    let counter = handle.cache.pod_counter(Matcher { all, ignore_terminating: false });
    let topology = handle.cache.topology(term.topology_key);
    let by_domain = handle.cache.counters.aggregate(counter, topology);
    let any = by_domain.iter().any(|it| *it > 0);
    any.then_some(Contribution { topology, by_domain, weight })
}

impl ScorePlugin for InterPodAffinity {
    fn score(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<Vec<i64>, Rejection> {
        let Some(state) = state.read::<PreScoreState>() else {
            return Err(Rejection::error(
                "failed to read \"PreScoreInterPodAffinity\" from cycleState: not found",
            ));
        };
        let mut points = vec![0; nodes.len()];
        for it in &state.0 {
            it.add_to(&mut points, handle, nodes);
        }
        Ok(points)
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as upstream")]
    fn normalize(&self, _: &Handle<'_>, _: &CycleState, _: &[NodeId], scores: &mut [i64]) {
        let min = scores.iter().copied().min().unwrap_or_default();
        let difference = scores.iter().copied().max().unwrap_or_default() - min;
        for it in scores {
            *it = match difference {
                0 => 0,
                _ => (MAX_NODE_SCORE as f64 * ((*it - min) as f64 / difference as f64)) as i64,
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
        let part = |it: &Contribution| {
            let table = handle.cache.counters.topology_at(it.topology);
            let n = it.by_domain.get(table.domain(node.id)?).copied().unwrap_or(0);
            let key = handle.cache.interner.text(table.key);
            (n != 0).then(|| format!("{n} pods by {key} × {}", it.weight))
        };
        let parts: Vec<String> = state.0.iter().filter_map(part).collect();
        (!parts.is_empty()).then(|| parts.join(" + "))
    }
}
