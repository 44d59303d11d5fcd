//! One attempt at one pod: filter, post-filter, score, choose.
//!
//! Upstream: `pkg/scheduler/schedule_one.go`, v1.36.
//! Differs from upstream: of nodes with the same score the one is taken that a hash of the scenario's
//! seed and the names puts first; upstream's choice is not specified.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::extender::{self, EXTENDER_NAME, ExtenderScores};
use crate::framework::interface::{Handle, NodeToStatus, Nomination, PostFilterResult, Rejection};
use crate::framework::runtime::{Cycle, Framework, PluginScores, PreFilterResult};
use crate::framework::types::{NodeId, PodInfo};

/// Below so many nodes all are examined. Upstream: `minFeasibleNodesToFind`.
const MIN_FEASIBLE_NODES_TO_FIND: usize = 100;
/// Upstream: `minFeasibleNodesPercentageToFind`.
const MIN_FEASIBLE_NODES_PERCENTAGE: usize = 5;

/// What became of an attempt.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The profile that ran.
    pub profile: String,
    /// How many nodes there were.
    pub n_nodes: usize,
    /// A PreEnqueue plugin keeps the pod out of the queue; nothing else ran.
    pub pre_enqueue: Option<Rejection>,
    /// A PreFilter plugin turned the pod away.
    pub pre_filter: Option<Rejection>,
    /// The nodes that were turned away.
    pub statuses: NodeToStatus,
    /// The nodes that passed, in the order of examination.
    pub feasible: Vec<NodeId>,
    /// Their scores by plugin.
    pub scores: Vec<PluginScores>,
    /// Those of extenders.
    pub extender_scores: Vec<ExtenderScores>,
    /// The sums.
    pub totals: Vec<i64>,
    /// The nodes that share the highest sum.
    pub best: Vec<NodeId>,
    /// The node that was taken.
    pub chosen: Option<NodeId>,
    /// A fault: the attempt ended early.
    pub fault: Option<String>,
    /// The text of the event when there is no node for the pod.
    pub message: Option<String>,
    /// What PostFilter did.
    pub post_filter: PostFilterResult,
    /// The plugins whose events may help, sorted.
    pub unschedulable_plugins: Vec<&'static str>,
}

impl Outcome {
    /// The memory of its scores, to be used again.
    pub(crate) fn into_vectors(self) -> impl Iterator<Item = Vec<i64>> {
        let scores = self.scores.into_iter().flat_map(|it| [it.raw, it.normalized]);
        scores.chain([self.totals])
    }
}

/// A hash of the seed and some names: FNV-1a, mixed.
#[must_use]
pub fn hash(seed: u64, names: &[&str]) -> u64 {
    let mut it = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for name in names {
        for byte in name.bytes().chain([0xff]) {
            it = (it ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    mix(it)
}

/// Spreads what differs in a few bits over all of them.
fn mix(mut it: u64) -> u64 {
    it ^= it >> 32;
    it = it.wrapping_mul(0xd6e8_feb8_6659_fd93);
    it ^ (it >> 32)
}

/// Which nodes are examined, and how many are enough.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sampling {
    /// From the configuration; 0 is adaptive.
    pub percentage_of_nodes_to_score: i32,
    /// Where the next attempt starts. Upstream: `nextStartNodeIndex`.
    pub next_start_node_index: usize,
    /// Score even when only one node passed, which a scheduler does not.
    pub always_score: bool,
    /// Ask every plugin about every node and remember nothing, to compare with.
    pub plain: bool,
}

impl Sampling {
    /// Upstream: `numFeasibleNodesToFind`.
    fn n_feasible_to_find(&self, framework: &Framework, n_nodes: usize) -> usize {
        if n_nodes < MIN_FEASIBLE_NODES_TO_FIND {
            return n_nodes;
        }
        let configured =
            framework.percentage_of_nodes_to_score.unwrap_or(self.percentage_of_nodes_to_score);
        let percentage = match usize::try_from(configured).unwrap_or(0) {
            0 => 50_usize.saturating_sub(n_nodes / 125).max(MIN_FEASIBLE_NODES_PERCENTAGE),
            it => it,
        };
        (n_nodes * percentage / 100).max(MIN_FEASIBLE_NODES_TO_FIND)
    }
}

/// Runs one attempt. Upstream: `schedulingAlgorithm` and `schedulePod`.
///
/// The cycle's state comes back for Reserve and PreBind.
pub fn schedule_pod<'a, 'h>(
    framework: &'a Framework,
    handle: &'a mut Handle<'h>,
    pod: &PodInfo,
    sampling: &mut Sampling,
) -> (Outcome, Cycle<'a, 'h>) {
    let mut cycle = Cycle::new(framework, handle);
    cycle.plain = sampling.plain;
    let outcome = attempt(&mut cycle, pod, sampling);
    cycle.keep_class();
    (outcome, cycle)
}

fn attempt(cycle: &mut Cycle<'_, '_>, pod: &PodInfo, sampling: &mut Sampling) -> Outcome {
    let order = cycle.handle.cache.order();
    let mut outcome = Outcome {
        profile: cycle.framework.profile_name.clone(),
        n_nodes: order.len(),
        ..Outcome::default()
    };
    if order.is_empty() {
        outcome.message = Some("no nodes available to schedule pods".to_owned());
        outcome.post_filter.nominated = Some(Nomination::Clear);
        return outcome;
    }
    if let Err(rejection) = find_nodes_that_fit(cycle, pod, &order, sampling, &mut outcome) {
        outcome.fault = Some(rejection.reasons.message());
        outcome.post_filter.nominated = Some(Nomination::Clear);
        return outcome;
    }
    if outcome.feasible.is_empty() {
        fail(cycle, pod, &mut outcome);
    } else if let Err(rejection) = choose(cycle, pod, sampling.always_score, &mut outcome) {
        outcome.fault = Some(rejection.reasons.message());
        outcome.post_filter.nominated = Some(Nomination::Clear);
    }
    outcome
}

/// Runs PreFilter and Filter. Upstream: `findNodesThatFitPod`.
fn find_nodes_that_fit(
    cycle: &mut Cycle<'_, '_>,
    pod: &PodInfo,
    order: &Arc<Vec<NodeId>>,
    sampling: &mut Sampling,
    outcome: &mut Outcome,
) -> Result<(), Rejection> {
    let allowed = match cycle.run_pre_filter(pod) {
        Ok(it) => it,
        Err((rejection, _)) if !rejection.is_rejected() => return Err(rejection),
        Err((rejection, plugins)) => {
            outcome.unschedulable_plugins = plugins.into_iter().collect();
            note_plugin(outcome, rejection.plugin);
            outcome.statuses.absent = Some(rejection.clone());
            outcome.pre_filter = Some(rejection);
            return Ok(());
        }
    };
    outcome.unschedulable_plugins = allowed.plugins.iter().copied().collect();
    if let Some(id) = pod.nominated_node().and_then(|it| cycle.handle.cache.id_of(it)) {
        find_nodes_that_pass(cycle, pod, &[id], sampling, outcome)?;
        ask_extenders(cycle, pod, outcome)?;
        if !outcome.feasible.is_empty() {
            return Ok(());
        }
    }
    let nodes = match narrowed(cycle, &allowed, outcome) {
        None => order.clone(),
        Some(nodes) => Arc::new(nodes),
    };
    find_nodes_that_pass(cycle, pod, &nodes, sampling, outcome)?;
    let processed = outcome.feasible.len() + outcome.statuses.nodes.len();
    sampling.next_start_node_index =
        (sampling.next_start_node_index + processed) % order.len().max(1);
    ask_extenders(cycle, pod, outcome)
}

/// Leaves out the nodes that extenders turn away.
fn ask_extenders(
    cycle: &Cycle<'_, '_>,
    pod: &PodInfo,
    outcome: &mut Outcome,
) -> Result<(), Rejection> {
    if cycle.framework.extenders.is_empty() {
        return Ok(());
    }
    let nodes = std::mem::take(&mut outcome.feasible);
    let n_nodes = nodes.len();
    outcome.feasible = extender::filter(cycle, pod, nodes, &mut outcome.statuses)?;
    if outcome.feasible.len() != n_nodes {
        note_plugin(outcome, EXTENDER_NAME);
    }
    Ok(())
}

/// The nodes that PreFilter left, if it left out any.
fn narrowed(
    cycle: &Cycle<'_, '_>,
    allowed: &PreFilterResult,
    outcome: &mut Outcome,
) -> Option<Vec<NodeId>> {
    let names = allowed.nodes.as_ref()?;
    let plugins: Vec<&str> = allowed.plugins.iter().copied().collect();
    let text = format!("node(s) didn't satisfy plugin(s) [{}]", plugins.join(" "));
    outcome.statuses.absent = Some(Rejection::unresolvable(text));
    Some(names.iter().filter_map(|it| cycle.handle.cache.id_of(it)).collect())
}

/// Runs the filters until enough nodes passed. Upstream: `findNodesThatPassFilters`.
fn find_nodes_that_pass(
    cycle: &mut Cycle<'_, '_>,
    pod: &PodInfo,
    nodes: &[NodeId],
    sampling: &Sampling,
    outcome: &mut Outcome,
) -> Result<(), Rejection> {
    let framework = cycle.framework;
    let mut wanted = sampling.n_feasible_to_find(framework, nodes.len());
    let asked = framework.extenders.iter().any(|it| it.filters() || it.scores());
    if framework.score.is_empty() && !sampling.always_score && !asked {
        wanted = wanted.min(1);
    }
    let start = sampling.next_start_node_index % nodes.len().max(1);
    let found = (&mut outcome.feasible, &mut outcome.statuses.nodes);
    cycle.examine(pod, nodes, start, wanted, found)?;
    let plugins: Vec<_> = outcome.statuses.nodes.distinct().iter().map(|it| it.plugin).collect();
    for plugin in plugins {
        note_plugin(outcome, plugin);
    }
    Ok(())
}

fn note_plugin(outcome: &mut Outcome, plugin: &'static str) {
    let plugins = &mut outcome.unschedulable_plugins;
    if !plugin.is_empty() && !plugins.contains(&plugin) {
        plugins.push(plugin);
    }
}

/// No node passed: PostFilter, and the message.
fn fail(cycle: &mut Cycle<'_, '_>, pod: &PodInfo, outcome: &mut Outcome) {
    let mut text = String::new();
    if cycle.framework.post_filter.is_empty() {
        outcome.post_filter.nominated = Some(Nomination::Clear);
    } else {
        match cycle.run_post_filter(pod, &outcome.statuses) {
            Ok(result) => outcome.post_filter = result,
            Err(failure) => {
                let (result, rejection) = *failure;
                text = rejection.reasons.message();
                outcome.post_filter = result;
            }
        }
    }
    let message = match &outcome.pre_filter {
        Some(rejection) => {
            let message = rejection.reasons.message();
            format!("0/{} nodes are available: {message}.", outcome.n_nodes)
        }
        None => fit_error(outcome.n_nodes, &outcome.statuses),
    };
    outcome.message = Some(if text.is_empty() { message } else { format!("{message} {text}") });
}

/// `0/3 nodes are available: 1 ..., 2 ... .` Upstream: `FitError.Error`.
#[must_use]
pub fn fit_error(n_nodes: usize, statuses: &NodeToStatus) -> String {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (rejection, n_nodes) in statuses.nodes.counted() {
        for reason in rejection.reasons.iter() {
            *reasons.entry(reason).or_default() += n_nodes;
        }
    }
    let n_absent = n_nodes.saturating_sub(statuses.nodes.len());
    if n_absent > 0 {
        for reason in statuses.absent.iter().flat_map(|it| it.reasons.iter()) {
            *reasons.entry(reason).or_default() += n_absent;
        }
    }
    let mut all: Vec<String> = reasons.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    all.sort_unstable();
    let start = format!("0/{n_nodes} nodes are available:");
    if all.is_empty() { start } else { format!("{start} {}.", all.join(", ")) }
}

/// Scores the nodes that passed and takes one of the best. Upstream: `prioritizeNodes`, `selectHost`.
fn choose(
    cycle: &mut Cycle<'_, '_>,
    pod: &PodInfo,
    always_score: bool,
    outcome: &mut Outcome,
) -> Result<(), Rejection> {
    let nodes = &outcome.feasible;
    if let ([only], false) = (nodes.as_slice(), always_score) {
        outcome.chosen = Some(*only);
        outcome.best = vec![*only];
        return Ok(());
    }
    if cycle.framework.score.is_empty() && cycle.framework.extenders.is_empty() {
        outcome.totals = vec![1; nodes.len()];
    } else {
        outcome.scores = cycle.run_score(pod, nodes)?;
        let mut totals = cycle.handle.cache.buffer();
        totals.resize(nodes.len(), 0);
        for plugin in &outcome.scores {
            for (total, score) in totals.iter_mut().zip(&plugin.normalized) {
                *total += score * plugin.weight;
            }
        }
        outcome.extender_scores = extender::prioritize(cycle, pod, nodes);
        for it in &outcome.extender_scores {
            for (total, score) in totals.iter_mut().zip(it.scaled()) {
                *total = total.saturating_add(score.saturating_mul(it.weight));
            }
        }
        outcome.totals = totals;
    }
    let highest = outcome.totals.iter().max().copied().unwrap_or_default();
    let scored = nodes.iter().zip(&outcome.totals);
    outcome.best = scored.filter(|(_, it)| **it == highest).map(|(id, _)| *id).collect();
    let handle = &cycle.handle;
    let start = hash(handle.seed, &[&pod.key]);
    let rank = |id: &&NodeId| mix(start ^ handle.cache.name_hash(**id));
    outcome.chosen = match outcome.best.as_slice() {
        [only] => Some(*only),
        best => best.iter().max_by_key(rank).copied(),
    };
    Ok(())
}
