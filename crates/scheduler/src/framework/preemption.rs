//! Which pods could make room for another, and which of the choices costs least.
//!
//! Upstream: `pkg/scheduler/framework/preemption/preemption.go`, v1.36.

use std::sync::Arc;

use api::{Resource as _, Timestamp};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::types::{NodeId, PodInfo};

/// A node with the pods that would have to go.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The node.
    pub node: NodeId,
    /// Its name.
    pub name: Arc<str>,
    /// The most important first.
    pub victims: Vec<Arc<PodInfo>>,
    /// How many of them break a disruption budget.
    pub n_pdb_violations: i64,
}

/// When the pod started; a pod that has not is taken to start now. Upstream: `GetPodStartTime`.
fn start_time(pod: &PodInfo) -> Option<Timestamp> {
    Some(pod.pod.status.as_ref()?.start_time.as_ref()?.0)
}

/// Whether `a` is more important than `b`: a higher priority, or an earlier start. Upstream:
/// `MoreImportantPod`; of two pods that have not started, the one that it looks at first.
fn more_important(a: &PodInfo, b: &PodInfo) -> bool {
    if a.priority != b.priority {
        return a.priority > b.priority;
    }
    match (start_time(a), start_time(b)) {
        (Some(a), Some(b)) => a < b,
        (None, Some(_)) => false,
        _ => true,
    }
}

/// Sorts by importance as Go's `sort.Slice` does for few elements: by insertion, so that pods
/// without a start time come out in upstream's order too.
pub fn sort_by_importance(pods: &mut [Arc<PodInfo>]) {
    for i in 1..pods.len() {
        let mut j = i;
        while j > 0 && more_important(&pods[j], &pods[j - 1]) {
            pods.swap(j, j - 1);
            j -= 1;
        }
    }
}

/// Splits pods into those whose eviction breaks a budget and the others, in order. Upstream:
/// `filterPodsWithPDBViolation`.
pub fn split_by_budget(
    pods: &[Arc<PodInfo>],
    budgets: &[&PodDisruptionBudget],
) -> (Vec<Arc<PodInfo>>, Vec<Arc<PodInfo>>) {
    let mut allowed: Vec<i32> = budgets
        .iter()
        .map(|it| it.status.as_ref().and_then(|it| it.disruptions_allowed).unwrap_or(0))
        .collect();
    let mut breaks = |pod: &PodInfo| {
        let labels = pod.pod.metadata.labels.as_ref();
        if labels.is_none_or(std::collections::BTreeMap::is_empty) {
            return false;
        }
        let mut violated = false;
        for (budget, allowed) in budgets.iter().zip(&mut allowed) {
            let selector = budget.spec.as_ref().and_then(|it| it.selector.as_ref());
            let Some(selector) = selector.filter(|_| budget.namespace() == pod.namespace_name())
            else {
                continue;
            };
            let is_empty = selector.match_labels.as_ref().is_none_or(|it| it.is_empty())
                && selector.match_expressions.as_ref().is_none_or(|it| it.is_empty());
            if is_empty || !api::selector::matches(selector, labels) {
                continue;
            }
            let name = pod.pod.metadata.name.as_deref().unwrap_or_default();
            let disrupted = budget.status.as_ref().and_then(|it| it.disrupted_pods.as_ref());
            if disrupted.is_some_and(|it| it.contains_key(name)) {
                continue;
            }
            *allowed -= 1;
            violated |= *allowed < 0;
        }
        violated
    };
    pods.iter().cloned().partition(|it| breaks(it))
}

/// Upstream: `GetEarliestPodStartTime`, of the pods of the highest priority.
fn earliest_start(victims: &[Arc<PodInfo>], now: Timestamp) -> Timestamp {
    let highest = victims.iter().map(|it| it.priority).max();
    let top = victims.iter().filter(|it| Some(it.priority) == highest);
    top.map(|it| start_time(it).unwrap_or(now)).min().unwrap_or(now)
}

/// The rules by which candidates are compared, with the words for the page.
const RULES: [&str; 5] = [
    "fewest broken disruption budgets",
    "lowest highest priority of its victims",
    "lowest sum of priorities",
    "fewest victims",
    "latest start of its most important victims",
];

/// The candidate that costs least, and why. Upstream: `pickOneNodeForPreemption`.
#[must_use]
pub fn pick_one(candidates: &[Candidate], now: Timestamp) -> Option<(&Candidate, &'static str)> {
    let score = |rule: usize, it: &Candidate| -> i128 {
        let priority = |it: &Arc<PodInfo>| i128::from(it.priority);
        match rule {
            0 => -i128::from(it.n_pdb_violations),
            1 => -it.victims.first().map_or(0, priority),
            // Shifted so that pods of negative priority count too.
            2 => -it.victims.iter().map(|it| priority(it) + (1 << 31)).sum::<i128>(),
            3 => -i128::try_from(it.victims.len()).unwrap_or(0),
            _ => earliest_start(&it.victims, now).as_nanosecond(),
        }
    };
    let mut left: Vec<&Candidate> = candidates.iter().collect();
    if let [only] = left.as_slice() {
        return Some((only, "the only candidate"));
    }
    for (rule, words) in RULES.iter().enumerate() {
        let best = left.iter().map(|it| score(rule, it)).max()?;
        left.retain(|it| score(rule, it) == best);
        if let [only] = left.as_slice() {
            return Some((only, words));
        }
    }
    left.first().map(|it| (*it, "a tie by all rules"))
}
