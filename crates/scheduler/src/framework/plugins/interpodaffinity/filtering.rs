//! Rejects nodes by required affinity and anti-affinity, the pod's own and that of pods there.
//!
//! Upstream: `pkg/scheduler/framework/plugins/interpodaffinity/filtering.go`, v1.36.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use view::Term;

use super::{InterPodAffinity, namespace_labels, namespaces_of};
use crate::backend::cache::{Matcher, Role};
use crate::framework::cycle_state::CycleState;
use crate::framework::interface::{
    DomainRule, FilterPlugin, Handle, PreFilter, PreFilterPlugin, Rejection,
};
use crate::framework::intern::Labels;
use crate::framework::types::{AffinityTerm, NodeInfo, PodInfo};

const ERR_EXISTING: &str = "node(s) didn't satisfy existing pods anti-affinity rules";
const ERR_AFFINITY: &str = "node(s) didn't match pod affinity rules";
const ERR_ANTI_AFFINITY: &str = "node(s) didn't match pod anti-affinity rules";

/// Counts by domain: those of the cache, and what preemption changes about them.
#[derive(Clone, Debug, Default)]
struct TopologyCounts {
    /// Topology and counts; several for a topology add up.
    base: Vec<(usize, Arc<Vec<i32>>)>,
    delta: BTreeMap<(usize, usize), i64>,
}

impl TopologyCounts {
    fn get(&self, topology: usize, domain: usize) -> i64 {
        let base = self.base.iter().filter(|(it, _)| *it == topology);
        let base: i64 =
            base.map(|(_, counts)| i64::from(counts.get(domain).copied().unwrap_or(0))).sum();
        match self.delta.is_empty() {
            true => base,
            false => base + self.delta.get(&(topology, domain)).copied().unwrap_or(0),
        }
    }

    fn add(&mut self, topology: usize, domain: Option<usize>, n: i64) {
        if let Some(domain) = domain {
            *self.delta.entry((topology, domain)).or_default() += n;
        }
    }

    /// Whether no domain has any. Upstream deletes counts that fell to 0 and asks for the length.
    fn is_empty(&self) -> bool {
        let base: i64 =
            self.base.iter().flat_map(|(_, it)| it.iter()).map(|it| i64::from(*it)).sum();
        base + self.delta.values().sum::<i64>() == 0
    }
}

#[derive(Clone)]
struct PreFilterState {
    namespace_labels: Labels,
    existing: TopologyCounts,
    affinity: TopologyCounts,
    /// Nothing in the cluster matches all terms of the affinity, but the pod itself does.
    first_of_its_kind: Option<bool>,
    anti_affinity: TopologyCounts,
    /// The pods that all terms of the affinity match; none without terms.
    affinity_matcher: Option<Matcher>,
    /// The pods that each term of the anti-affinity matches.
    anti_affinity_matchers: Vec<Matcher>,
    /// The topologies of the pod's required terms, in order.
    affinity_topologies: Vec<usize>,
    anti_affinity_topologies: Vec<usize>,
    /// Those of the terms of existing pods that concern the pod.
    existing_topologies: Vec<usize>,
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
        let (counters, interner) = (&handle.cache.counters, &handle.cache.interner);
        let domain = |topology: usize| counters.topology_at(topology).domain(node.id);
        for term in &other.required_anti_affinity {
            if term.matches(pod, &self.namespace_labels, interner)
                && let Some(topology) = handle.cache.known_topology(term.topology_key)
            {
                self.existing.add(topology, domain(topology), n);
                if !self.existing_topologies.contains(&topology) {
                    self.existing_topologies.push(topology);
                }
            }
        }
        if self.affinity_matcher.as_ref().is_some_and(|it| it.matches(other, interner)) {
            for topology in &self.affinity_topologies {
                self.affinity.add(*topology, domain(*topology), n);
            }
            self.first_of_its_kind = None;
        }
        for (matcher, topology) in
            self.anti_affinity_matchers.iter().zip(&self.anti_affinity_topologies)
        {
            if matcher.matches(other, interner) {
                self.anti_affinity.add(*topology, domain(*topology), n);
            }
        }
    }

    fn is_first_of_its_kind(&self, handle: &Handle<'_>, pod: &PodInfo) -> bool {
        self.first_of_its_kind.unwrap_or_else(|| {
            let own = self.affinity_matcher.as_ref();
            self.affinity.is_empty()
                && own.is_some_and(|it| it.matches(pod, &handle.cache.interner))
        })
    }
}

impl PreFilterPlugin for InterPodAffinity {
    fn pre_filter(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> Result<PreFilter, Rejection> {
        if let Some(error) = &pod.error {
            return Err(Rejection::unresolvable(format!("parsing pod: {error}")));
        }
        let has_terms = !pod.required_affinity.is_empty() || !pod.required_anti_affinity.is_empty();
        if handle.cache.counters.existing().is_empty() && !has_terms {
            return Ok(PreFilter::Skip);
        }
        let namespace_labels = namespace_labels(handle, pod);
        let existing = existing_anti_affinity(handle, pod, &namespace_labels);
        if existing.base.is_empty() && !has_terms {
            return Ok(PreFilter::Skip);
        }
        let affinity_matcher = matcher(handle, &pod.required_affinity);
        let (affinity, affinity_topologies) =
            own_affinity(handle, affinity_matcher.as_ref(), &pod.required_affinity);
        let mut anti_affinity_matchers = Vec::new();
        let mut anti_affinity = TopologyCounts::default();
        let mut anti_affinity_topologies = Vec::new();
        for term in &pod.required_anti_affinity {
            let term = std::slice::from_ref(term);
            let matcher = matcher(handle, term);
            let (counts, topologies) = own_affinity(handle, matcher.as_ref(), term);
            anti_affinity_matchers.extend(matcher);
            anti_affinity.base.extend(counts.base);
            anti_affinity_topologies.extend(topologies);
        }
        let existing_topologies = existing.base.iter().map(|(it, _)| *it).collect();
        let mut prepared = PreFilterState {
            namespace_labels,
            existing,
            affinity,
            first_of_its_kind: None,
            anti_affinity,
            affinity_matcher,
            anti_affinity_matchers,
            affinity_topologies,
            anti_affinity_topologies,
            existing_topologies,
        };
        if !pod.required_affinity.is_empty() {
            prepared.first_of_its_kind = Some(prepared.is_first_of_its_kind(handle, pod));
        }
        state.write(prepared);
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

/// Upstream: `getExistingAntiAffinityCounts`.
fn existing_anti_affinity(
    handle: &Handle<'_>,
    pod: &PodInfo,
    namespace_labels: &Labels,
) -> TopologyCounts {
    let interner = &handle.cache.interner;
    let terms = handle.cache.counters.existing().iter().filter(|it| {
        it.role == Role::RequiredAntiAffinity
            && it.total > 0
            && it.term.matches(pod, namespace_labels, interner)
    });
    let base = terms.map(|it| (it.topology, it.by_domain.clone())).collect();
    TopologyCounts { base, delta: BTreeMap::new() }
}

/// The pods that all the terms match; `None` without terms.
fn matcher(handle: &mut Handle<'_>, terms: &[AffinityTerm]) -> Option<Matcher> {
    let all: Vec<_> =
        terms.iter().map(|it| (namespaces_of(handle, it), it.selector.clone())).collect();
    (!all.is_empty()).then_some(Matcher { all, ignore_terminating: false })
}

/// How many pods match all the terms, by the domains of each term. Upstream:
/// `getIncomingAffinityAntiAffinityCounts`.
fn own_affinity(
    handle: &mut Handle<'_>,
    matcher: Option<&Matcher>,
    terms: &[AffinityTerm],
) -> (TopologyCounts, Vec<usize>) {
    let Some(matcher) = matcher else { return (TopologyCounts::default(), Vec::new()) };
    let counter = handle.cache.pod_counter(matcher.clone());
    let topologies: Vec<usize> =
        terms.iter().map(|it| handle.cache.topology(it.topology_key)).collect();
    let base =
        topologies.iter().map(|it| (*it, handle.cache.counters.aggregate(counter, *it))).collect();
    (TopologyCounts { base, delta: BTreeMap::new() }, topologies)
}

impl InterPodAffinity {
    fn satisfies_affinity(
        handle: &Handle<'_>,
        state: &PreFilterState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> bool {
        let mut pods_exist = true;
        for topology in &state.affinity_topologies {
            match handle.cache.counters.topology_at(*topology).domain(node.id) {
                None => return false,
                Some(domain) => pods_exist &= state.affinity.get(*topology, domain) > 0,
            }
        }
        pods_exist || state.is_first_of_its_kind(handle, pod)
    }

    fn meets_any(
        handle: &Handle<'_>,
        counts: &TopologyCounts,
        topologies: &[usize],
        node: &NodeInfo,
    ) -> bool {
        topologies.iter().any(|topology| {
            let domain = handle.cache.counters.topology_at(*topology).domain(node.id);
            domain.is_some_and(|domain| counts.get(*topology, domain) > 0)
        })
    }
}

/// Rules that forbid or demand that a domain of these topologies has any of these pods.
fn rules(
    handle: &Handle<'_>,
    counts: &TopologyCounts,
    allowed: &RangeInclusive<i64>,
    rejection: &Rejection,
    missing: Option<&Rejection>,
) -> Vec<DomainRule> {
    let rule = |(topology, counts): &(usize, Arc<Vec<i32>>)| DomainRule {
        domain_of: handle.cache.counters.topology_at(*topology).domain_of.clone(),
        counts: counts.clone(),
        allowed: allowed.clone(),
        rejection: rejection.clone(),
        missing: missing.cloned(),
    };
    counts.base.iter().map(rule).collect()
}

impl FilterPlugin for InterPodAffinity {
    fn domain_rules(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        pod: &PodInfo,
    ) -> Option<Vec<DomainRule>> {
        let state = state.read::<PreFilterState>()?;
        if [&state.affinity, &state.anti_affinity, &state.existing]
            .iter()
            .any(|it| !it.delta.is_empty())
        {
            return None;
        }
        let none = i64::MIN..=0;
        let mut all = Vec::new();
        if !state.affinity_topologies.is_empty() {
            let is_first = state.is_first_of_its_kind(handle, pod);
            let some = if is_first { i64::MIN..=i64::MAX } else { 1..=i64::MAX };
            let rejection = Rejection::unresolvable(ERR_AFFINITY);
            all = rules(handle, &state.affinity, &some, &rejection, Some(&rejection));
        }
        let rejection = Rejection::unschedulable(ERR_ANTI_AFFINITY);
        all.extend(rules(handle, &state.anti_affinity, &none, &rejection, None));
        let rejection = Rejection::unschedulable(ERR_EXISTING);
        all.extend(rules(handle, &state.existing, &none, &rejection, None));
        Some(all)
    }

    fn filter(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        let Some(state) = state.read::<PreFilterState>() else { return Ok(()) };
        if !Self::satisfies_affinity(handle, state, pod, node) {
            return Err(Rejection::unresolvable(ERR_AFFINITY));
        }
        let anti = &state.anti_affinity_topologies;
        if Self::meets_any(handle, &state.anti_affinity, anti, node) {
            return Err(Rejection::unschedulable(ERR_ANTI_AFFINITY));
        }
        if Self::meets_any(handle, &state.existing, &state.existing_topologies, node) {
            return Err(Rejection::unschedulable(ERR_EXISTING));
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
        if !Self::satisfies_affinity(handle, state, pod, node) {
            return explain_affinity(handle, state, pod, node);
        }
        let mut terms = explain_anti_affinity(handle, state, pod, node);
        if terms.is_empty() {
            terms = explain_existing(handle, state, pod, node);
        }
        terms
    }
}

fn domain_text(handle: &Handle<'_>, term: &AffinityTerm, node: &NodeInfo) -> Option<String> {
    let interner = &handle.cache.interner;
    let value = node.labels.get(term.topology_key)?;
    Some(format!("{}={}", interner.text(term.topology_key), interner.text(value)))
}

/// The first pod in the node's domain of a term for which `is` holds.
fn pod_in_domain(
    handle: &Handle<'_>,
    term: &AffinityTerm,
    node: &NodeInfo,
    is: impl Fn(&PodInfo) -> bool,
) -> Option<String> {
    let value = node.labels.get(term.topology_key)?;
    let cache = &handle.cache;
    let table = cache.known_topology(term.topology_key).map(|it| cache.counters.topology_at(it));
    let domain = table.and_then(|it| it.n_nodes.get(it.domain(node.id)?));
    let own = [node.id];
    // Where the node is alone in its domain, as with the hostname, no other need be looked at.
    let ids = if domain == Some(&1) { own.as_slice() } else { cache.listed() };
    let nodes = ids.iter().map(|id| handle.cache.node(*id));
    let mut nodes = nodes.filter(|it| it.labels.get(term.topology_key) == Some(value));
    nodes.find_map(|it| {
        let pod = it.pods.iter().find(|pod| is(pod))?;
        Some(format!("{} on {}", pod.key, it.name))
    })
}

fn explain_affinity(
    handle: &Handle<'_>,
    state: &PreFilterState,
    pod: &PodInfo,
    node: &NodeInfo,
) -> Vec<Term> {
    let path = "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution";
    let mut terms = Vec::new();
    for (at, (term, topology)) in
        pod.required_affinity.iter().zip(&state.affinity_topologies).enumerate()
    {
        let path = Some(format!("{path}[{at}]"));
        let key = handle.cache.interner.text(term.topology_key);
        match handle.cache.counters.topology_at(*topology).domain(node.id) {
            None => terms.push(Term {
                text: format!("term {}: the node has no label {key}", at + 1),
                short: format!("no label {key}"),
                path,
            }),
            Some(domain) if state.affinity.get(*topology, domain) <= 0 => {
                let domain = domain_text(handle, term, node).unwrap_or_default();
                terms.push(Term {
                    text: format!("term {}: no pod that matches runs in {domain}", at + 1),
                    short: format!("no match in {domain}"),
                    path,
                });
            }
            Some(_) => {}
        }
    }
    terms
}

fn explain_anti_affinity(
    handle: &Handle<'_>,
    state: &PreFilterState,
    pod: &PodInfo,
    node: &NodeInfo,
) -> Vec<Term> {
    let path = "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution";
    let explain = |(at, term): (usize, &AffinityTerm)| {
        let matcher = state.anti_affinity_matchers.get(at)?;
        let matching = |it: &PodInfo| matcher.matches(it, &handle.cache.interner);
        let other = pod_in_domain(handle, term, node, matching)?;
        let domain = domain_text(handle, term, node)?;
        Some(Term {
            text: format!("term {}: {other} matches, in {domain}", at + 1),
            short: other,
            path: Some(format!("{path}[{at}]")),
        })
    };
    pod.required_anti_affinity.iter().enumerate().filter_map(explain).collect()
}

fn explain_existing(
    handle: &Handle<'_>,
    state: &PreFilterState,
    pod: &PodInfo,
    node: &NodeInfo,
) -> Vec<Term> {
    let interner = &handle.cache.interner;
    let terms = handle.cache.counters.existing().iter().filter(|it| {
        it.role == Role::RequiredAntiAffinity
            && it.term.matches(pod, &state.namespace_labels, interner)
    });
    terms
        .filter_map(|it| {
            let has = |pod: &PodInfo| pod.required_anti_affinity.contains(&*it.term);
            let other = pod_in_domain(handle, &it.term, node, has)?;
            let domain = domain_text(handle, &it.term, node)?;
            Some(Term {
                text: format!("the anti-affinity of {other} forbids this pod in {domain}"),
                short: other,
                path: Some("metadata.labels".to_owned()),
            })
        })
        .collect()
}
