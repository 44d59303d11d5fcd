//! Rejects nodes in domains that would have too many pods.
//!
//! Upstream: `pkg/scheduler/framework/plugins/podtopologyspread/filtering.go`, v1.36.

use std::sync::Arc;

use view::Term;

use super::common::{Constraint, DO_NOT_SCHEDULE, counted_nodes};
use super::{Constraints, PodTopologySpread};
use crate::backend::cache::Topology;
use crate::framework::cycle_state::CycleState;
use crate::framework::interface::{
    DomainRule, FilterPlugin, Handle, PreFilter, PreFilterPlugin, Rejection,
};
use crate::framework::types::{NodeInfo, PodInfo};

const ERR_REASON: &str = "node(s) didn't match pod topology spread constraints";
const ERR_REASON_LABEL: &str =
    "node(s) didn't match pod topology spread constraints (missing required label)";

/// The two domains with the fewest pods, which is enough to know the minimum after pods of one
/// domain came or went. Upstream: `criticalPaths`.
#[derive(Clone, Copy, Debug)]
struct CriticalPaths([(Option<usize>, i64); 2]);

impl CriticalPaths {
    fn new() -> Self {
        Self([(None, i64::from(i32::MAX)); 2])
    }

    fn update(&mut self, domain: usize, n: i64) {
        let [first, second] = &mut self.0;
        if first.0 == Some(domain) {
            first.1 = n;
        } else if second.0 == Some(domain) {
            second.1 = n;
        } else if n < first.1 {
            *second = std::mem::replace(first, (Some(domain), n));
        } else if n < second.1 {
            *second = (Some(domain), n);
        }
        if first.1 > second.1 {
            std::mem::swap(first, second);
        }
    }

    fn min(&self) -> i64 {
        self.0[0].1
    }
}

/// How many matching pods each domain has.
#[derive(Clone)]
struct Counts {
    topology: usize,
    by_domain: Arc<Vec<i32>>,
    /// Whether a domain counts; without any flag all do.
    counted: Vec<bool>,
    n_domains: i64,
    min: i64,
    /// Found when the first pod comes or goes.
    paths: Option<CriticalPaths>,
}

impl Counts {
    /// Counts where every domain with nodes counts.
    fn of_all(topology: usize, table: &Topology, by_domain: Arc<Vec<i32>>) -> Self {
        let n_domains = table.values.len();
        let counted = match table.n_domains_with_nodes() == n_domains {
            true => Vec::new(),
            false => table.n_nodes.iter().map(|n| *n > 0).collect(),
        };
        Self::new(topology, by_domain, counted)
    }

    fn new(topology: usize, by_domain: Arc<Vec<i32>>, counted: Vec<bool>) -> Self {
        let (n_domains, min) = match counted.is_empty() {
            true => (by_domain.len(), by_domain.iter().min().copied()),
            false => {
                let all = || by_domain.iter().zip(&counted).filter(|(_, is)| **is);
                (all().count(), all().map(|(n, _)| *n).min())
            }
        };
        Self {
            topology,
            by_domain,
            counted,
            n_domains: i64::try_from(n_domains).unwrap_or(i64::MAX),
            min: i64::from(min.unwrap_or(i32::MAX)),
            paths: None,
        }
    }

    fn counts(&self, domain: usize) -> bool {
        self.counted.is_empty() || self.counted.get(domain).copied().unwrap_or(false)
    }

    /// A matching pod came to a domain, or went.
    fn change(&mut self, domain: usize, sign: i32) {
        if self.paths.is_none() {
            let mut paths = CriticalPaths::new();
            for (domain, n) in self.by_domain.iter().enumerate() {
                if self.counts(domain) {
                    paths.update(domain, i64::from(*n));
                }
            }
            self.paths = Some(paths);
        }
        if !self.counts(domain) {
            self.n_domains += 1;
            self.counted.resize(self.counted.len().max(domain + 1), false);
            self.counted[domain] = true;
        }
        let by_domain = Arc::make_mut(&mut self.by_domain);
        by_domain.resize(by_domain.len().max(domain + 1), 0);
        by_domain[domain] += sign;
        let n = self.of(domain);
        if let Some(paths) = &mut self.paths {
            paths.update(domain, n);
            self.min = paths.min();
        }
    }

    /// Upstream: `minMatchNum`.
    fn min(&self, constraint: &Constraint) -> i64 {
        if self.n_domains < constraint.min_domains { 0 } else { self.min }
    }

    fn of(&self, domain: usize) -> i64 {
        i64::from(self.by_domain.get(domain).copied().unwrap_or(0))
    }
}

#[derive(Clone)]
struct PreFilterState {
    constraints: Constraints,
    counts: Vec<Counts>,
    /// Whether the pod itself counts, by constraint.
    self_match: Vec<bool>,
}

impl PreFilterState {
    /// Upstream: `updateWithPod`.
    fn update(
        &mut self,
        handle: &Handle<'_>,
        pod: &PodInfo,
        other: &PodInfo,
        node: &NodeInfo,
        sign: i32,
    ) {
        let counters = &handle.cache.counters;
        let domain = |it: &Counts| counters.topology_at(it.topology).domain(node.id);
        if other.namespace != pod.namespace || self.counts.iter().any(|it| domain(it).is_none()) {
            return;
        }
        let interner = &handle.cache.interner;
        for (constraint, counts) in self.constraints.iter().zip(&mut self.counts) {
            if let Some(domain) = domain(counts)
                && constraint.selector.matches(&other.labels, interner)
                && constraint.includes(pod, node, interner)
            {
                counts.change(domain, sign);
            }
        }
    }

    /// Pods in the node's domain with the new one, and the fewest of any domain.
    fn skew(&self, handle: &Handle<'_>, at: usize, node: &NodeInfo) -> Option<(i64, i64)> {
        let (constraint, counts) = (self.constraints.get(at)?, self.counts.get(at)?);
        let domain = handle.cache.counters.topology_at(counts.topology).domain(node.id)?;
        let own = i64::from(self.self_match.get(at).copied().unwrap_or_default());
        Some((counts.of(domain) + own, counts.min(constraint)))
    }
}

impl PreFilterPlugin for PodTopologySpread {
    fn pre_filter(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> Result<PreFilter, Rejection> {
        let listers = handle.listers;
        let constraints =
            self.constraints(pod, DO_NOT_SCHEDULE, &mut handle.cache.interner, listers)?;
        if constraints.is_empty() {
            return Ok(PreFilter::Skip);
        }
        let counts = count(handle, pod, &constraints);
        let interner = &handle.cache.interner;
        let self_match = constraints.iter().map(|it| it.selector.matches(&pod.labels, interner));
        let self_match = self_match.collect();
        state.write(PreFilterState { constraints, counts, self_match });
        Ok(PreFilter::All)
    }

    fn add_pod(
        &self,
        handle: &Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        other: &PodInfo,
        node: &NodeInfo,
    ) {
        if let Some(it) = state.read_mut::<PreFilterState>() {
            it.update(handle, pod, other, node, 1);
        }
    }

    fn remove_pod(
        &self,
        handle: &Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        other: &PodInfo,
        node: &NodeInfo,
    ) {
        if let Some(it) = state.read_mut::<PreFilterState>() {
            it.update(handle, pod, other, node, -1);
        }
    }
}

/// Upstream: `calPreFilterState`.
fn count(handle: &mut Handle<'_>, pod: &PodInfo, constraints: &Constraints) -> Vec<Counts> {
    let topologies: Vec<usize> =
        constraints.iter().map(|it| handle.cache.topology(it.key)).collect();
    let counters: Vec<Option<usize>> = constraints
        .iter()
        .map(|it| it.matcher(pod).map(|matcher| handle.cache.pod_counter(matcher)))
        .collect();
    if let ([only], [topology], [counter]) =
        (constraints.as_slice(), topologies.as_slice(), counters.as_slice())
        && only.counts_all_nodes(pod)
    {
        // All nodes count alike: the sums over the domains are at hand.
        let counters = &mut handle.cache.counters;
        let by_domain = match counter {
            Some(counter) => counters.aggregate(*counter, *topology),
            None => Arc::new(vec![0; counters.topology_at(*topology).values.len()]),
        };
        return vec![Counts::of_all(*topology, counters.topology_at(*topology), by_domain)];
    }
    let cache = &handle.cache;
    let n_domains = |it: &usize| cache.counters.topology_at(*it).values.len();
    let mut all: Vec<(Vec<i32>, Vec<bool>)> =
        topologies.iter().map(|it| (vec![0; n_domains(it)], vec![false; n_domains(it)])).collect();
    counted_nodes(handle, pod, constraints, &topologies, true, |at, node| {
        let table = topologies.get(at).map(|it| cache.counters.topology_at(*it));
        let counter = counters.get(at).copied().flatten();
        let n = counter.and_then(|it| cache.counters.pods_at(it).per_node.get(node.at()).copied());
        if let Some(domain) = table.and_then(|it| it.domain(node))
            && let Some((sums, counted)) = all.get_mut(at)
        {
            sums[domain] += n.unwrap_or(0);
            counted[domain] = true;
        }
    });
    let counts = all.into_iter().zip(&topologies);
    counts.map(|((sums, counted), it)| Counts::new(*it, Arc::new(sums), counted)).collect()
}

impl FilterPlugin for PodTopologySpread {
    fn domain_rules(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
    ) -> Option<Vec<DomainRule>> {
        let state = state.read::<PreFilterState>()?;
        let all = state.constraints.iter().zip(&state.counts).zip(&state.self_match);
        let rule = |((constraint, counts), own): ((&Constraint, &Counts), &bool)| {
            let table = handle.cache.counters.topology_at(counts.topology);
            let most = constraint.max_skew + counts.min(constraint) - i64::from(*own);
            DomainRule {
                domain_of: table.domain_of.clone(),
                counts: counts.by_domain.clone(),
                allowed: i64::MIN..=most,
                rejection: Rejection::unschedulable(ERR_REASON),
                missing: Some(Rejection::unresolvable(ERR_REASON_LABEL)),
            }
        };
        Some(all.map(rule).collect())
    }

    fn filter(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        let Some(state) = state.read::<PreFilterState>() else { return Ok(()) };
        for (at, constraint) in state.constraints.iter().enumerate() {
            match state.skew(handle, at, node) {
                None => return Err(Rejection::unresolvable(ERR_REASON_LABEL)),
                Some((n, min)) if n - min > constraint.max_skew => {
                    return Err(Rejection::unschedulable(ERR_REASON));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn explain(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Vec<Term> {
        let Some(state) = state.read::<PreFilterState>() else { return Vec::new() };
        let interner = &handle.cache.interner;
        // The places of the pod's own hard constraints; it has none where the defaults apply.
        let own = pod.spec().and_then(|it| it.topology_spread_constraints.as_deref());
        let own = own.unwrap_or_default().iter().enumerate();
        let own = own.filter(|(_, it)| it.when_unsatisfiable == DO_NOT_SCHEDULE);
        let places: Vec<usize> = own.map(|(at, _)| at).collect();
        let explain = |(at, it): (usize, &Constraint)| {
            let key = interner.text(it.key);
            let place = places.get(at);
            let path = place.map(|at| format!("spec.topologySpreadConstraints[{at}]"));
            match state.skew(handle, at, node) {
                None => Some(Term {
                    text: format!("the node has no label {key}"),
                    short: format!("no label {key}"),
                    path,
                }),
                Some((n, min)) if n - min > it.max_skew => {
                    let domain = node.labels.get(it.key).map(|it| interner.text(it));
                    Some(Term {
                        text: format!(
                            "{key}={}: {n} with this pod - {min} in the emptiest domain = skew {}, \
                             more than maxSkew {}",
                            domain.unwrap_or_default(),
                            n - min,
                            it.max_skew
                        ),
                        short: format!("skew {} > {}", n - min, it.max_skew),
                        path,
                    })
                }
                Some(_) => None,
            }
        };
        state.constraints.iter().enumerate().filter_map(explain).collect()
    }
}
