//! Counts over all nodes that are kept up to date pod by pod.
//!
//! Upstream recomputes them for each pod that is scheduled (`calPreFilterState` of
//! `PodTopologySpread`, `getExistingAntiAffinityCounts` and its kin of `InterPodAffinity`); here each
//! distinct question has a counter, and a pod that comes or goes changes the counters it concerns.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::framework::intern::{Interner, Labels, Sym};
use crate::framework::labels::Selector;
use crate::framework::types::{AffinityTerm, NodeId, PodInfo};

/// The domain of a node that does not have the label.
pub const NO_DOMAIN: u32 = u32::MAX;
/// How many pod counters are kept; the ones used least recently go first.
const MAX_POD_COUNTERS: usize = 1_024;

/// The domains of one topology key.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The label's key.
    pub key: Sym,
    /// The domain of each node.
    pub domain_of: Arc<Vec<u32>>,
    /// The label's value of each domain.
    pub values: Vec<Sym>,
    /// How many nodes each domain has.
    pub n_nodes: Vec<u32>,
    n_domains_with_nodes: usize,
    ids: BTreeMap<Sym, u32>,
}

impl Topology {
    /// How many of the domains have nodes at present.
    #[must_use]
    pub fn n_domains_with_nodes(&self) -> usize {
        self.n_domains_with_nodes
    }

    /// The domain of a node.
    #[must_use]
    pub fn domain(&self, node: NodeId) -> Option<usize> {
        let domain = self.domain_of.get(node.at()).copied().unwrap_or(NO_DOMAIN);
        (domain != NO_DOMAIN).then_some(domain as usize)
    }

    fn set(&mut self, node: NodeId, value: Option<Sym>) {
        let domain = match value {
            None => NO_DOMAIN,
            Some(value) => *self.ids.entry(value).or_insert_with(|| {
                self.values.push(value);
                self.n_nodes.push(0);
                u32::try_from(self.values.len() - 1).unwrap_or(NO_DOMAIN)
            }),
        };
        let domains = Arc::make_mut(&mut self.domain_of);
        if let Some(it) = domains.get_mut(node.at()) {
            let old = std::mem::replace(it, domain);
            if let Some(n) = self.n_nodes.get_mut(old as usize) {
                *n -= 1;
                self.n_domains_with_nodes -= usize::from(*n == 0);
            }
            if let Some(n) = self.n_nodes.get_mut(domain as usize) {
                self.n_domains_with_nodes += usize::from(*n == 0);
                *n += 1;
            }
        }
    }
}

/// How an existing pod means a term of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Required affinity.
    RequiredAffinity,
    /// Required anti-affinity.
    RequiredAntiAffinity,
    /// Preferred affinity, with its weight; negative for anti-affinity.
    Preferred(i64),
}

/// A term that pods on nodes have, and where they are.
#[derive(Clone, Debug)]
pub struct ExistingTerm {
    /// The term.
    pub term: Arc<AffinityTerm>,
    /// How the pods mean it.
    pub role: Role,
    /// The index of its topology.
    pub topology: usize,
    /// How many such pods are in each domain.
    pub by_domain: Arc<Vec<i32>>,
    /// The sum over all domains.
    pub total: i64,
    /// How many pods have it, nodes without the label included.
    n_pods: usize,
}

/// The namespaces that a matcher looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamespaceMatch {
    /// All of them.
    All,
    /// These, sorted.
    Names(Vec<Sym>),
}

/// Which pods a counter counts: those that meet all of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Matcher {
    /// Namespaces and selectors.
    pub all: Vec<(NamespaceMatch, Selector)>,
    /// Pods that are being deleted do not count.
    pub ignore_terminating: bool,
}

impl Matcher {
    /// Whether it counts the pod.
    #[must_use]
    pub fn matches(&self, pod: &PodInfo, interner: &Interner) -> bool {
        !(self.ignore_terminating && pod.terminating)
            && self.all.iter().all(|(namespaces, selector)| {
                let here = match namespaces {
                    NamespaceMatch::All => true,
                    NamespaceMatch::Names(names) => names.binary_search(&pod.namespace).is_ok(),
                };
                here && selector.matches(&pod.labels, interner)
            })
    }
}

/// A counter of pods on nodes.
#[derive(Clone, Debug)]
pub struct PodCounter {
    /// Which pods.
    pub matcher: Arc<Matcher>,
    /// How many are on each node.
    pub per_node: Arc<Vec<i32>>,
    /// How many are in each domain, for the topologies that were asked for.
    by_topology: BTreeMap<usize, Arc<Vec<i32>>>,
    last_used: u64,
}

impl PodCounter {
    /// How many are in each domain of a topology that was asked for with [`Counters::aggregate`].
    #[must_use]
    pub fn by_domain(&self, topology: usize) -> Option<&Arc<Vec<i32>>> {
        self.by_topology.get(&topology)
    }
}

/// All counters.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    topologies: Vec<Topology>,
    topology_ids: BTreeMap<Sym, usize>,
    existing: Vec<ExistingTerm>,
    existing_ids: BTreeMap<(Role, Arc<AffinityTerm>), usize>,
    pods: Vec<PodCounter>,
    pod_ids: BTreeMap<Arc<Matcher>, usize>,
    n_slots: usize,
    clock: u64,
}

impl Counters {
    /// The topology at an index.
    #[must_use]
    pub fn topology_at(&self, at: usize) -> &Topology {
        &self.topologies[at]
    }

    /// The terms that pods on nodes have.
    #[must_use]
    pub fn existing(&self) -> &[ExistingTerm] {
        &self.existing
    }

    /// The pod counter at an index.
    #[must_use]
    pub fn pods_at(&self, at: usize) -> &PodCounter {
        &self.pods[at]
    }

    pub(super) fn find_topology(&self, key: Sym) -> Option<usize> {
        self.topology_ids.get(&key).copied()
    }

    pub(super) fn grow(&mut self, n_slots: usize) {
        self.n_slots = n_slots;
        for it in &mut self.topologies {
            Arc::make_mut(&mut it.domain_of).resize(n_slots, NO_DOMAIN);
        }
        for it in &mut self.pods {
            Arc::make_mut(&mut it.per_node).resize(n_slots, 0);
        }
    }

    /// Follows the labels of a node that has no counted pods at this moment.
    pub(super) fn set_node(&mut self, node: NodeId, labels: Option<&Labels>) {
        for it in &mut self.topologies {
            it.set(node, labels.and_then(|labels| labels.get(it.key)));
        }
    }

    pub(super) fn topology(
        &mut self,
        key: Sym,
        values: impl FnOnce() -> Vec<Option<Sym>>,
    ) -> usize {
        if let Some(at) = self.topology_ids.get(&key) {
            return *at;
        }
        let mut topology = Topology {
            key,
            domain_of: Arc::new(vec![NO_DOMAIN; self.n_slots]),
            values: Vec::new(),
            n_nodes: Vec::new(),
            n_domains_with_nodes: 0,
            ids: BTreeMap::new(),
        };
        for (at, value) in values().into_iter().enumerate() {
            topology.set(NodeId(u32::try_from(at).unwrap_or(u32::MAX)), value);
        }
        self.topologies.push(topology);
        let at = self.topologies.len() - 1;
        self.topology_ids.insert(key, at);
        at
    }

    /// Counts a pod that came to a node, or left it.
    pub(super) fn count_pod(
        &mut self,
        pod: &PodInfo,
        node: NodeId,
        add: bool,
        interner: &Interner,
    ) {
        for own in &pod.own_terms {
            self.count_term(own, node, add);
        }
        for at in 0..self.pods.len() {
            self.count_in(at, pod, node, add, interner);
        }
    }

    fn count_term(&mut self, own: &(Role, Arc<AffinityTerm>), node: NodeId, add: bool) {
        let (role, term) = own;
        let Some(topology) = self.topology_ids.get(&term.topology_key).copied() else { return };
        let at = match self.existing_ids.get(own) {
            Some(at) => *at,
            None => {
                self.existing.push(ExistingTerm {
                    term: term.clone(),
                    role: *role,
                    topology,
                    by_domain: Arc::new(Vec::new()),
                    total: 0,
                    n_pods: 0,
                });
                self.existing_ids.insert(own.clone(), self.existing.len() - 1);
                self.existing.len() - 1
            }
        };
        let domain = self.topologies[topology].domain(node);
        let n_domains = self.topologies[topology].values.len();
        let it = &mut self.existing[at];
        it.n_pods = if add { it.n_pods + 1 } else { it.n_pods.saturating_sub(1) };
        if let Some(domain) = domain {
            let sign = if add { 1 } else { -1 };
            let counts = Arc::make_mut(&mut it.by_domain);
            counts.resize(counts.len().max(n_domains), 0);
            counts[domain] += sign;
            it.total += i64::from(sign);
        }
        if it.n_pods == 0 {
            self.existing_ids.remove(own);
            self.existing.swap_remove(at);
            if let Some(moved) = self.existing.get(at) {
                self.existing_ids.insert((moved.role, moved.term.clone()), at);
            }
        }
    }

    pub(super) fn find(&mut self, matcher: &Matcher) -> Option<usize> {
        let at = self.pod_ids.get(matcher).copied()?;
        self.clock += 1;
        self.pods[at].last_used = self.clock;
        Some(at)
    }

    pub(super) fn register(&mut self, matcher: Matcher, n_slots: usize) -> usize {
        self.clock += 1;
        let matcher = Arc::new(matcher);
        let counter = PodCounter {
            matcher: matcher.clone(),
            per_node: Arc::new(vec![0; n_slots]),
            by_topology: BTreeMap::new(),
            last_used: self.clock,
        };
        let oldest = (0..self.pods.len()).min_by_key(|at| self.pods[*at].last_used);
        let at = match oldest.filter(|_| self.pods.len() >= MAX_POD_COUNTERS) {
            Some(at) => {
                let old = std::mem::replace(&mut self.pods[at], counter);
                self.pod_ids.remove(&old.matcher);
                at
            }
            None => {
                self.pods.push(counter);
                self.pods.len() - 1
            }
        };
        self.pod_ids.insert(matcher, at);
        at
    }

    pub(super) fn count_in(
        &mut self,
        at: usize,
        pod: &PodInfo,
        node: NodeId,
        add: bool,
        interner: &Interner,
    ) {
        let it = &mut self.pods[at];
        if !it.matcher.matches(pod, interner) {
            return;
        }
        let sign = if add { 1 } else { -1 };
        Arc::make_mut(&mut it.per_node)[node.at()] += sign;
        for (topology, counts) in &mut it.by_topology {
            let topology = &self.topologies[*topology];
            if let Some(domain) = topology.domain(node) {
                let counts = Arc::make_mut(counts);
                counts.resize(counts.len().max(topology.values.len()), 0);
                counts[domain] += sign;
            }
        }
    }

    /// How many pods of a counter are in each domain of a topology.
    pub fn aggregate(&mut self, at: usize, topology: usize) -> Arc<Vec<i32>> {
        let table = &self.topologies[topology];
        let counter = &mut self.pods[at];
        let counts = counter.by_topology.entry(topology).or_insert_with(|| {
            let mut counts = vec![0; table.values.len()];
            for (node, n) in counter.per_node.iter().enumerate().filter(|(_, n)| **n != 0) {
                let domain = table.domain_of.get(node).copied().unwrap_or(NO_DOMAIN);
                if let Some(it) = counts.get_mut(domain as usize) {
                    *it += n;
                }
            }
            Arc::new(counts)
        });
        if counts.len() < table.values.len() {
            Arc::make_mut(counts).resize(table.values.len(), 0);
        }
        counts.clone()
    }
}
