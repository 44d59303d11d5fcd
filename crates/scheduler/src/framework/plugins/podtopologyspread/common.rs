//! Constraints, compiled, and which nodes they count.
//!
//! Upstream: `pkg/scheduler/framework/plugins/podtopologyspread/common.go` and
//! `plugins/helper/spread.go`, v1.36.
//! Differs from upstream: replication controllers give no default selector, because the simulator
//! does not have them.

use std::collections::BTreeMap;

use api::Gather;
use api::taints::tolerated;
use api::{Listers, controller_of};
use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Service, TopologySpreadConstraint};

use super::{Constraints, PodTopologySpread};
use crate::backend::cache::{Matcher, NamespaceMatch};
use crate::framework::interface::{Handle, Rejection};
use crate::framework::intern::{Interner, Sym};
use crate::framework::labels::Selector;
use crate::framework::types::{NodeId, NodeInfo, PodInfo};

pub(super) const DO_NOT_SCHEDULE: &str = "DoNotSchedule";
pub(super) const SCHEDULE_ANYWAY: &str = "ScheduleAnyway";
pub(super) const HOSTNAME: &str = "kubernetes.io/hostname";

/// A constraint, compiled. Upstream: `topologySpreadConstraint`.
#[derive(Clone, Debug)]
pub(super) struct Constraint {
    pub(super) max_skew: i64,
    pub(super) key: Sym,
    pub(super) is_hostname: bool,
    pub(super) selector: Selector,
    pub(super) min_domains: i64,
    pub(super) honor_affinity: bool,
    pub(super) honor_taints: bool,
}

impl Constraint {
    /// Whether nodes are counted without a look at the pod.
    pub(super) fn counts_all_nodes(&self, pod: &PodInfo) -> bool {
        !self.honor_taints && (!self.honor_affinity || pod.node_affinity.is_empty())
    }

    /// Upstream: `matchNodeInclusionPolicies`.
    pub(super) fn includes(&self, pod: &PodInfo, node: &NodeInfo, interner: &Interner) -> bool {
        (!self.honor_affinity || pod.node_affinity.matches(node.facts(), interner))
            && (!self.honor_taints
                || node.hard_taints.iter().all(|it| tolerated(it, pod.tolerations())))
    }

    /// The pods that it counts; none at all when it selects everything, as upstream has it.
    pub(super) fn matcher(&self, pod: &PodInfo) -> Option<Matcher> {
        let namespaces = NamespaceMatch::Names(vec![pod.namespace]);
        (!self.selector.is_everything()).then(|| Matcher {
            all: vec![(namespaces, self.selector.clone())],
            ignore_terminating: true,
        })
    }
}

impl PodTopologySpread {
    /// The pod's own constraints with this action, or the default ones.
    pub(super) fn constraints(
        &self,
        pod: &PodInfo,
        action: &str,
        interner: &mut Interner,
        listers: Listers<'_>,
    ) -> Result<Constraints, Rejection> {
        let own = pod.spec().and_then(|it| it.topology_spread_constraints.as_deref());
        match own.filter(|it| !it.is_empty()) {
            Some(own) => compile(own, pod, action, interner),
            None => self.default_constraints(pod, action, interner, listers),
        }
    }

    /// Upstream: `buildDefaultConstraints`.
    fn default_constraints(
        &self,
        pod: &PodInfo,
        action: &str,
        interner: &mut Interner,
        listers: Listers<'_>,
    ) -> Result<Constraints, Rejection> {
        let mut constraints = compile(&self.default_constraints, pod, action, interner)?;
        if constraints.is_empty() {
            return Ok(constraints);
        }
        let selector = default_selector(pod, interner, listers);
        if selector.is_everything() {
            return Ok(Vec::new());
        }
        for it in &mut constraints {
            it.selector = selector.clone();
        }
        Ok(constraints)
    }
}

/// Upstream: `filterTopologySpreadConstraints`.
fn compile(
    constraints: &[TopologySpreadConstraint],
    pod: &PodInfo,
    action: &str,
    interner: &mut Interner,
) -> Result<Constraints, Rejection> {
    let mut compiled = Vec::new();
    for it in constraints.iter().filter(|it| it.when_unsatisfiable == action) {
        let mut selector =
            Selector::new(it.label_selector.as_ref(), interner).map_err(Rejection::error)?;
        let labels = pod.pod.metadata.labels.as_ref();
        let keys = it.match_label_keys.iter().flatten();
        let same: BTreeMap<String, String> =
            keys.filter_map(|key| Some((key.clone(), labels?.get(key)?.clone()))).to_map();
        if !same.is_empty() {
            selector = Selector::from_set(&same, interner).and(selector);
        }
        let policy =
            |it: &Option<String>, default: bool| it.as_deref().map_or(default, |it| it == "Honor");
        compiled.push(Constraint {
            max_skew: i64::from(it.max_skew),
            key: interner.intern(&it.topology_key),
            is_hostname: it.topology_key == HOSTNAME,
            selector,
            min_domains: i64::from(it.min_domains.unwrap_or(1)),
            honor_affinity: policy(&it.node_affinity_policy, true),
            honor_taints: policy(&it.node_taints_policy, false),
        });
    }
    Ok(compiled)
}

/// What selects the pod's siblings: its services and its controller. Upstream: `DefaultSelector`.
fn default_selector(pod: &PodInfo, interner: &mut Interner, listers: Listers<'_>) -> Selector {
    let namespace = pod.namespace_name();
    let labels = pod.pod.metadata.labels.as_ref();
    let mut set = BTreeMap::new();
    for service in listers.list_in::<Service>(namespace) {
        let Some(selector) = service.spec.as_ref().and_then(|it| it.selector.as_ref()) else {
            continue;
        };
        let has =
            |(key, value): (&String, &String)| labels.and_then(|it| it.get(key)) == Some(value);
        if selector.iter().all(has) {
            set.extend(selector.clone());
        }
    }
    let selector = Selector::from_set(&set, interner);
    let Some(owner) = controller_of(&pod.pod.metadata) else { return selector };
    let theirs = match (owner.api_version.as_str(), owner.kind.as_str()) {
        ("apps/v1", "ReplicaSet") => {
            let it = listers.get::<ReplicaSet>(namespace, &owner.name);
            it.and_then(|it| it.spec.as_ref()).map(|it| &it.selector)
        }
        ("apps/v1", "StatefulSet") => {
            let it = listers.get::<StatefulSet>(namespace, &owner.name);
            it.and_then(|it| it.spec.as_ref()).map(|it| &it.selector)
        }
        _ => None,
    };
    match theirs.map(|it| Selector::new(Some(it), interner)) {
        Some(Ok(theirs)) => selector.and(theirs),
        _ => selector,
    }
}

/// The nodes whose domains a pod's constraints count, with one flag for each constraint.
pub(super) fn counted_nodes(
    handle: &Handle<'_>,
    pod: &PodInfo,
    constraints: &Constraints,
    topologies: &[usize],
    require_all: bool,
    mut count: impl FnMut(usize, NodeId),
) {
    let counters = &handle.cache.counters;
    let trivial = constraints.iter().all(|it| it.counts_all_nodes(pod));
    let tables: Vec<&[u32]> =
        topologies.iter().map(|it| counters.topology_at(*it).domain_of.as_slice()).collect();
    for id in handle.cache.listed() {
        let missing = |table: &&[u32]| {
            table.get(id.at()).is_none_or(|it| *it == crate::backend::cache::NO_DOMAIN)
        };
        if require_all && tables.iter().any(missing) {
            continue;
        }
        for (at, it) in constraints.iter().enumerate() {
            if trivial || it.includes(pod, handle.cache.node(*id), &handle.cache.interner) {
                count(at, *id);
            }
        }
    }
}
