//! Rejects nodes in domains that would have too many pods.
//!
//! Upstream: `pkg/scheduler/framework/plugins/podtopologyspread/filtering.go`, v1.36.

use view::Term;

use super::common::{Constraint, DO_NOT_SCHEDULE, counted_nodes};
use super::{Constraints, PodTopologySpread};
use crate::framework::cycle_state::CycleState;
use crate::framework::interface::{FilterPlugin, Handle, PreFilter, PreFilterPlugin, Rejection};
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
    /// `None`: not a domain that counts.
    by_domain: Vec<Option<i64>>,
    n_domains: i64,
    paths: CriticalPaths,
}

impl Counts {
    fn add(&mut self, domain: usize, n: i64) {
        if self.by_domain.len() <= domain {
            self.by_domain.resize(domain + 1, None);
        }
        if let Some(it) = self.by_domain.get_mut(domain) {
            if it.is_none() {
                self.n_domains += 1;
            }
            *it = Some(it.unwrap_or(0) + n);
        }
    }

    fn find_paths(&mut self) {
        self.paths = CriticalPaths::new();
        for (domain, n) in self.by_domain.iter().enumerate() {
            if let Some(n) = n {
                self.paths.update(domain, *n);
            }
        }
    }

    /// Upstream: `minMatchNum`.
    fn min(&self, constraint: &Constraint) -> i64 {
        if self.n_domains < constraint.min_domains { 0 } else { self.paths.min() }
    }

    fn of(&self, domain: usize) -> i64 {
        self.by_domain.get(domain).copied().flatten().unwrap_or(0)
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
        n: i64,
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
                counts.add(domain, n);
                counts.paths.update(domain, counts.of(domain));
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
    let mut all: Vec<Counts> = topologies
        .iter()
        .map(|topology| Counts {
            topology: *topology,
            by_domain: Vec::new(),
            n_domains: 0,
            paths: CriticalPaths::new(),
        })
        .collect();
    if let ([only], [topology], [counts]) =
        (constraints.as_slice(), topologies.as_slice(), all.as_mut_slice())
        && only.counts_all_nodes(pod)
    {
        // All nodes count alike: the sums over the domains are at hand.
        let by_domain = counters
            .first()
            .copied()
            .flatten()
            .map(|counter| handle.cache.counters.aggregate(counter, *topology));
        let table = handle.cache.counters.topology_at(*topology);
        let of = |domain: usize| by_domain.as_ref().and_then(|it| it.get(domain)).copied();
        counts.by_domain = (0..table.values.len())
            .map(|domain| {
                let exists = table.n_nodes.get(domain).is_some_and(|n| *n > 0);
                exists.then(|| i64::from(of(domain).unwrap_or(0)))
            })
            .collect();
        counts.n_domains = i64::try_from(counts.by_domain.iter().flatten().count()).unwrap_or(0);
    } else {
        let cache = &handle.cache;
        counted_nodes(handle, pod, constraints, &topologies, true, |at, node| {
            let table = topologies.get(at).map(|it| cache.counters.topology_at(*it));
            let counter = counters.get(at).copied().flatten();
            let n =
                counter.and_then(|it| cache.counters.pods_at(it).per_node.get(node.at()).copied());
            if let Some(domain) = table.and_then(|it| it.domain(node))
                && let Some(counts) = all.get_mut(at)
            {
                counts.add(domain, i64::from(n.unwrap_or(0)));
            }
        });
    }
    for it in &mut all {
        it.find_paths();
    }
    all
}

impl FilterPlugin for PodTopologySpread {
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
