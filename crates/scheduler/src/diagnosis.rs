//! What an attempt found, in the form that the page draws.

use api::Order;
use view::{Diagnosis, NodeScores, NodeVerdict, PluginScore, StatusCode};

use crate::extender::{EXTENDER_NAME, HttpExtender};
use crate::framework::interface::Rejection;
use crate::framework::runtime::Cycle;
use crate::framework::types::{NodeId, PodInfo};
use crate::schedule_one::Outcome;

/// Up to so many nodes every row is recorded, with the failing terms; beyond, the first rows of each
/// kind and the best scores.
const FULL_ROWS: usize = 200;
/// Rows of each kind in a large cluster.
const SAMPLE_ROWS: usize = 5;
/// So many of the best nodes get formulas.
const FORMULAS: usize = 3;

fn verdict(node: &str, rejection: &Rejection) -> NodeVerdict {
    NodeVerdict {
        node: node.to_owned(),
        code: rejection.code,
        plugin: (!rejection.plugin.is_empty()).then(|| rejection.plugin.to_owned()),
        reasons: rejection.reasons.iter().map(str::to_owned).collect(),
        terms: Vec::new(),
    }
}

/// Builds the record of an attempt.
pub(crate) fn build(cycle: &Cycle<'_, '_>, pod: &PodInfo, outcome: &Outcome) -> Diagnosis {
    let cache = &cycle.handle.cache;
    let rejected_by = outcome.pre_enqueue.as_ref().or(outcome.pre_filter.as_ref());
    Diagnosis {
        filters: filters(cycle),
        verdicts: verdicts(cycle, pod, outcome),
        rejected_by: rejected_by.map(|it| verdict("", it)),
        scores: scores(cycle, pod, outcome),
        ties: match outcome.best.as_slice() {
            [] | [_] => Vec::new(),
            all => all.iter().take(FULL_ROWS).map(|id| cache.node(*id).name.to_string()).collect(),
        },
        ..outline(cycle, pod, outcome)
    }
}

/// The outcome of an attempt alone: what costs nothing to tell.
pub(crate) fn outline(cycle: &Cycle<'_, '_>, pod: &PodInfo, outcome: &Outcome) -> Diagnosis {
    let cache = &cycle.handle.cache;
    Diagnosis {
        pod: pod.key.to_string(),
        profile: outcome.profile.clone(),
        n_nodes: outcome.n_nodes,
        chosen: outcome.chosen.map(|id| cache.node(id).name.to_string()),
        message: outcome.message.clone().or_else(|| outcome.fault.clone()),
        preemption: outcome.post_filter.report.clone(),
        ..Diagnosis::default()
    }
}

/// The filters in the order in which they run; extenders come after the plugins.
fn filters(cycle: &Cycle<'_, '_>) -> Vec<String> {
    let plugins = cycle.framework.filter.iter().map(|it| it.name());
    let extenders = cycle.framework.extenders.iter().any(HttpExtender::filters);
    plugins.chain(extenders.then_some(EXTENDER_NAME)).map(str::to_owned).collect()
}

fn verdicts(cycle: &Cycle<'_, '_>, pod: &PodInfo, outcome: &Outcome) -> Vec<NodeVerdict> {
    if outcome.pre_enqueue.is_some() || outcome.pre_filter.is_some() {
        return Vec::new();
    }
    let cache = &cycle.handle.cache;
    let limit = if outcome.n_nodes <= FULL_ROWS { usize::MAX } else { SAMPLE_ROWS };
    let passed = outcome.feasible.iter().take(limit).map(|id| NodeVerdict {
        node: cache.node(*id).name.to_string(),
        code: StatusCode::Success,
        plugin: None,
        reasons: Vec::new(),
        terms: Vec::new(),
    });
    let mut rows: Vec<NodeVerdict> = passed.collect();
    let mut seen: Vec<(&Rejection, usize)> = Vec::new();
    for (id, rejection) in outcome.statuses.nodes.iter() {
        let n = match seen.iter_mut().find(|(it, _)| *it == rejection) {
            Some((_, n)) => {
                *n += 1;
                *n
            }
            None if limit != usize::MAX => {
                seen.push((rejection, 1));
                1
            }
            None => 1,
        };
        if n > limit {
            continue;
        }
        let node = cache.node(id);
        let mut row = verdict(&node.name, rejection);
        // The framework's own verdicts are about nodes that are absent; this one came later.
        row.plugin.get_or_insert_with(|| EXTENDER_NAME.to_owned());
        let plugin = cycle.framework.all.get(rejection.plugin);
        if let Some(it) = plugin.and_then(|it| it.as_filter()) {
            row.terms = it.explain(cycle.handle, &cycle.state, pod, node);
        }
        rows.push(row);
    }
    if let Some(absent) = &outcome.statuses.absent {
        let examined = |id: &&NodeId| {
            !outcome.statuses.nodes.contains_key(id) && !outcome.feasible.contains(*id)
        };
        let others = cache.listed().iter().filter(examined).take(limit);
        rows.extend(others.map(|id| verdict(&cache.node(*id).name, absent)));
    }
    rows.order_by(|a, b| a.node.cmp(&b.node));
    rows
}

fn scores(cycle: &Cycle<'_, '_>, pod: &PodInfo, outcome: &Outcome) -> Vec<NodeScores> {
    let cache = &cycle.handle.cache;
    let mut order: Vec<usize> = (0..outcome.totals.len()).collect();
    if outcome.scores.is_empty() && outcome.extender_scores.is_empty() {
        return Vec::new();
    }
    order.order_by_key(|at| std::cmp::Reverse(outcome.totals.get(*at).copied()));
    let limit = if outcome.n_nodes <= FULL_ROWS { usize::MAX } else { SAMPLE_ROWS };
    let row = |(rank, at): (usize, usize)| {
        let node = cache.node(*outcome.feasible.get(at)?);
        let plugins = outcome.scores.iter().filter_map(|it| {
            let plugin = cycle.framework.all.get(it.plugin).and_then(|it| it.as_score());
            Some(PluginScore {
                plugin: it.plugin.to_owned(),
                raw: *it.raw.get(at)?,
                normalized: *it.normalized.get(at)?,
                weight: it.weight,
                formula: plugin
                    .filter(|_| rank < FORMULAS)
                    .and_then(|it| it.formula(cycle.handle, &cycle.state, pod, node)),
            })
        });
        let extenders = outcome.extender_scores.iter().filter_map(|it| {
            Some(PluginScore {
                plugin: it.name.clone(),
                raw: *it.raw.get(at)?,
                normalized: it.scaled().nth(at)?,
                weight: it.weight,
                formula: None,
            })
        });
        Some(NodeScores {
            node: node.name.to_string(),
            total: *outcome.totals.get(at)?,
            plugins: plugins.chain(extenders).collect(),
        })
    };
    order.into_iter().take(limit).enumerate().filter_map(row).collect()
}
