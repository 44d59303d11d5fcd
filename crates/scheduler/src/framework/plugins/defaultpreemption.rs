//! Makes room by removing pods of lower priority.
//!
//! Upstream: `pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go`, v1.36.
//! Differs from upstream: the victims are deleted within the attempt, not asynchronously, because
//! the simulated API server answers at once.

use std::sync::Arc;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use view::{PreemptionReport, StatusCode};

use super::names;
use crate::apis::config::DefaultPreemptionArgs;
use crate::framework::interface::{
    NodeToStatus, Nomination, Plugin, PostFilterFailure, PostFilterPlugin, PostFilterResult,
    Rejection,
};
use crate::framework::preemption::{Candidate, pick_one, sort_by_importance, split_by_budget};
use crate::framework::runtime::Cycle;
use crate::framework::types::{NodeId, NodeInfo, PodInfo};
use crate::schedule_one::{fit_error, hash};

/// The plugin.
pub struct DefaultPreemption {
    args: DefaultPreemptionArgs,
}

impl DefaultPreemption {
    /// With its arguments.
    #[must_use]
    pub fn new(args: &DefaultPreemptionArgs) -> Self {
        Self { args: args.clone() }
    }

    /// Upstream: `calculateNumCandidates`.
    fn n_candidates(&self, n_nodes: usize) -> usize {
        let percentage = usize::try_from(self.args.min_candidate_nodes_percentage).unwrap_or(0);
        let absolute = usize::try_from(self.args.min_candidate_nodes_absolute).unwrap_or(0);
        (n_nodes * percentage / 100).max(absolute).min(n_nodes)
    }
}

impl Plugin for DefaultPreemption {
    fn name(&self) -> &'static str {
        names::DEFAULT_PREEMPTION
    }
    fn as_post_filter(&self) -> Option<&dyn PostFilterPlugin> {
        Some(self)
    }
}

fn fail(result: PostFilterResult, text: &str) -> Box<PostFilterFailure> {
    Box::new((result, Rejection::unschedulable(format!("preemption: {text}"))))
}

/// Upstream: `PodEligibleToPreemptOthers`.
fn check_eligible(
    cycle: &Cycle<'_, '_>,
    pod: &PodInfo,
    statuses: &NodeToStatus,
) -> Result<(), &'static str> {
    let policy = pod.spec().and_then(|it| it.preemption_policy.as_deref());
    if policy == Some("Never") {
        return Err("not eligible due to preemptionPolicy=Never.");
    }
    let Some(node) = pod.nominated_node().and_then(|it| cycle.handle.cache.node_by_name(it)) else {
        return Ok(());
    };
    let status = statuses.nodes.get(&node.id).or(statuses.absent.as_ref());
    if status.is_none_or(|it| it.code == StatusCode::UnschedulableAndUnresolvable) {
        return Ok(());
    }
    let makes_room = |it: &&Arc<PodInfo>| {
        let condition = api::pods::condition(&it.pod, "DisruptionTarget");
        it.priority < pod.priority
            && it.terminating
            && condition.is_some_and(|it| {
                it.status == "True" && it.reason.as_deref() == Some("PreemptionByScheduler")
            })
    };
    match node.pods.iter().find(makes_room) {
        Some(_) => Err("not eligible due to a terminating pod on the nominated node."),
        None => Ok(()),
    }
}

/// The nodes where preemption might help.
fn potential_nodes(cycle: &Cycle<'_, '_>, statuses: &NodeToStatus) -> Vec<NodeId> {
    let absent = statuses.absent.as_ref().map(|it| it.code);
    let helps = |id: &&NodeId| {
        let code = statuses.nodes.get(id).map(|it| it.code).or(absent);
        code == Some(StatusCode::Unschedulable)
    };
    cycle.handle.cache.listed().iter().filter(helps).copied().collect()
}

impl PostFilterPlugin for DefaultPreemption {
    fn post_filter(
        &self,
        cycle: &mut Cycle<'_, '_>,
        pod: &PodInfo,
        statuses: &NodeToStatus,
    ) -> Result<PostFilterResult, Box<PostFilterFailure>> {
        if let Err(text) = check_eligible(cycle, pod, statuses) {
            return Err(fail(PostFilterResult::default(), text));
        }
        let (candidates, failures) = self.find_candidates(cycle, pod, statuses);
        let candidates = crate::extender::preempt(cycle, pod, candidates)
            .map_err(|rejection| Box::new((PostFilterResult::default(), rejection)))?;
        let report = |nominated: Option<String>, victims: &[Arc<PodInfo>], why: &str| {
            let keys = |it: &[Arc<PodInfo>]| it.iter().map(|it| it.key.to_string()).collect();
            PreemptionReport {
                nominated,
                victims: keys(victims),
                candidates: candidates
                    .iter()
                    .map(|it| (it.name.to_string(), keys(&it.victims), it.n_pdb_violations))
                    .collect(),
                why: why.to_owned(),
            }
        };
        match pick_one(&candidates, cycle.handle.now) {
            None => {
                let text = fit_error(cycle.handle.cache.n_nodes(), &failures);
                let result = PostFilterResult {
                    nominated: Some(Nomination::Clear),
                    report: Some(report(None, &[], &text)),
                    victims: Vec::new(),
                };
                Err(fail(result, &text))
            }
            Some((best, why)) => Ok(PostFilterResult {
                nominated: Some(Nomination::Node(best.name.clone())),
                report: Some(report(Some(best.name.to_string()), &best.victims, why)),
                victims: best.victims.clone(),
            }),
        }
    }
}

impl DefaultPreemption {
    /// Upstream: `findCandidates` and `DryRunPreemption`.
    fn find_candidates(
        &self,
        cycle: &Cycle<'_, '_>,
        pod: &PodInfo,
        statuses: &NodeToStatus,
    ) -> (Vec<Candidate>, NodeToStatus) {
        let nodes = potential_nodes(cycle, statuses);
        let absent = Rejection::unresolvable("Preemption is not helpful for scheduling");
        let mut failures = NodeToStatus { absent: Some(absent), ..NodeToStatus::default() };
        let (mut clean, mut violating) = (Vec::new(), Vec::new());
        if nodes.is_empty() {
            return (clean, failures);
        }
        let budgets: Vec<&PodDisruptionBudget> = cycle.handle.listers.list().collect();
        let wanted = self.n_candidates(nodes.len());
        let n_nodes = u64::try_from(nodes.len()).unwrap_or(u64::MAX);
        let offset = usize::try_from(hash(cycle.handle.seed, &[&pod.key]) % n_nodes).unwrap_or(0);
        for id in nodes.iter().cycle().skip(offset).take(nodes.len()) {
            match select_victims_on_node(cycle, pod, *id, &budgets) {
                Ok(candidate) if candidate.n_pdb_violations == 0 => clean.push(candidate),
                Ok(candidate) => violating.push(candidate),
                Err(rejection) => {
                    failures.nodes.insert(*id, &rejection);
                }
            }
            if !clean.is_empty() && clean.len() + violating.len() >= wanted {
                break;
            }
        }
        clean.extend(violating);
        (clean, failures)
    }
}

/// The pods that would have to go from one node. Upstream: `SelectVictimsOnNode`.
fn select_victims_on_node(
    cycle: &Cycle<'_, '_>,
    pod: &PodInfo,
    id: NodeId,
    budgets: &[&PodDisruptionBudget],
) -> Result<Candidate, Rejection> {
    let mut node: NodeInfo = (**cycle.handle.cache.node(id)).clone();
    let mut state = cycle.state.clone();
    let lower = node.pods.iter().filter(|it| it.priority < pod.priority);
    let mut potential: Vec<Arc<PodInfo>> = lower.cloned().collect();
    for it in &potential {
        node.remove_pod(&it.key);
        cycle.remove_pod(&mut state, pod, it, &node);
    }
    if potential.is_empty() {
        return Err(Rejection::unresolvable("No preemption victims found for incoming pod"));
    }
    cycle.run_filters_with_nominated_pods(&state, pod, &node)?;
    sort_by_importance(&mut potential);
    let (violating, others) = split_by_budget(&potential, budgets);
    let sort_again = !violating.is_empty() && !others.is_empty();
    let mut victims = Vec::new();
    let mut n_pdb_violations = 0;
    let all =
        violating.into_iter().map(|it| (it, true)).chain(others.into_iter().map(|it| (it, false)));
    for (it, breaks_budget) in all {
        node.add_pod(it.clone());
        cycle.add_pod(&mut state, pod, &it, &node);
        if cycle.run_filters_with_nominated_pods(&state, pod, &node).is_err() {
            node.remove_pod(&it.key);
            cycle.remove_pod(&mut state, pod, &it, &node);
            n_pdb_violations += i64::from(breaks_budget);
            victims.push(it);
        }
    }
    if sort_again {
        sort_by_importance(&mut victims);
    }
    if victims.is_empty() {
        let text = format!("expected at least one victim pod on node \"{}\"", node.name);
        return Err(Rejection::error(text));
    }
    Ok(Candidate { node: id, name: node.name.clone(), victims, n_pdb_violations })
}
