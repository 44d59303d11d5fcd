//! The nearest fixes: the smallest changes that would make a waiting pod fit.
//!
//! Every change that is told was tried: the pod, the node or the set of pods is changed in a copy of
//! the scheduler, and PreEnqueue, PreFilter and the filters run on it. Single changes come first;
//! where none of them helps, pairs against the two obstacles of one node.
//!
//! The rank: fewer changes before more; then what touches least, in the order of [`Change`] (a node
//! put back to work, a label of a node, a toleration, a taint removed, a rule relaxed, a rule
//! dropped, a smaller request, another pod deleted, a node added); then the smaller amount.

mod candidates;
mod change;
mod patch;
mod room;

use std::sync::Arc;

use api::order::Order as _;
use api::{Listers, Objects, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod};
use view::{Fix, Fixes};

use self::candidates::Obstacles;
use self::change::Change;
use crate::Scheduler;
use crate::extender;
use crate::framework::interface::{Handle, NodeToStatus};
use crate::framework::runtime::{Cycle, Framework};
use crate::framework::types::{NodeId, PodInfo};

/// How many nodes filters may look at in all.
const MAX_LOOKS: usize = 300_000;
/// The nodes with the fewest obstacles give the changes.
const MAX_NODES: usize = 60;
/// How many fixes are told.
const MAX_FIXES: usize = 12;
/// How many nodes of a fix are told.
const MAX_NAMES: usize = 5;
/// So far a maxSkew is raised.
const MAX_SKEW: i32 = 1 << 12;

/// A scheduler's copy in which changes are tried.
struct Probe<'a> {
    scheduler: Scheduler,
    objects: &'a Objects,
    pod: &'a Arc<Pod>,
    now: Timestamp,
    seed: u64,
    n_looks: usize,
    n_tried: usize,
}

impl Scheduler {
    /// The smallest changes after which a pod would fit.
    #[must_use]
    pub fn fixes(&self, pod: &Arc<Pod>, objects: &Objects, now: Timestamp, seed: u64) -> Fixes {
        let scheduler = self.clone();
        let mut probe = Probe { scheduler, objects, pod, now, seed, n_looks: 0, n_tried: 0 };
        let found = probe.search();
        let complete = !probe.is_spent();
        let mut fixes = Vec::new();
        for (changes, nodes) in found {
            let Some(steps) = patch::steps(&changes, pod, objects) else { continue };
            let spec = pod.spec.clone().unwrap_or_default();
            let texts: Vec<String> = changes.iter().map(|it| it.text(&spec)).collect();
            let names = nodes.iter().take(MAX_NAMES).map(|it| it.to_string()).collect();
            let text = texts.join(" and ");
            fixes.push(Fix { text, nodes: names, n_nodes: nodes.len(), steps });
        }
        fixes.truncate(MAX_FIXES);
        Fixes { fixes, n_tried: probe.n_tried, complete }
    }
}

/// Changes, and the nodes on which the pod then fits.
type Found = Vec<(Vec<Change>, Vec<Arc<str>>)>;

impl Probe<'_> {
    fn is_spent(&self) -> bool {
        self.n_looks >= MAX_LOOKS
    }

    fn search(&mut self) -> Found {
        let mut found = Found::new();
        let mut singles: Vec<Change> = Vec::new();
        let Some(framework) = self.scheduler.framework_for(self.pod).cloned() else {
            let names = self.scheduler.profiles.keys().cloned();
            singles.extend(names.map(|name| Change::Scheduler { name }));
            self.try_singles(singles, &mut found);
            return found;
        };
        if framework.run_pre_enqueue(self.pod).is_err() {
            singles.push(Change::DropGates);
        }
        let nodes = self.obstacles(&framework);
        for it in &nodes {
            singles.extend(it.all.iter().flatten().cloned());
        }
        singles.extend(self.more_nodes());
        self.try_singles(singles, &mut found);
        if found.is_empty() {
            self.try_pairs(&nodes, &mut found);
        }
        found
    }

    /// What is in the way on the nodes where least is.
    fn obstacles(&mut self, framework: &Framework) -> Vec<Obstacles> {
        let info = PodInfo::new(self.pod.clone(), &mut self.scheduler.cache.interner);
        let order = self.scheduler.cache.order();
        self.n_looks += order.len();
        let mut handle = handle(&mut self.scheduler, self.objects, self.now, self.seed);
        let mut cycle = Cycle::new(framework, &mut handle);
        let mut nodes: Vec<Obstacles> = Vec::new();
        match cycle.run_pre_filter(&info) {
            Ok(_) => {
                let all = order.iter().filter_map(|id| candidates::on_node(&cycle, &info, *id));
                nodes.extend(all.filter(|it| it.all.iter().all(|it| !it.is_empty())));
            }
            // A node affinity that names no node that exists.
            Err(_) => nodes.extend(order.first().map(|id| Obstacles {
                node: *id,
                all: vec![vec![Change::DropNodeAffinity]],
                missing: 0,
            })),
        }
        let cache = &cycle.handle.cache;
        nodes.order_by_key(|it| (it.all.len(), it.missing, cache.node(it.node).name.clone()));
        nodes.truncate(MAX_NODES);
        nodes
    }

    /// One more node of each sort that there is.
    fn more_nodes(&mut self) -> Vec<Change> {
        let mut sorts: Vec<(String, Arc<str>)> = Vec::new();
        let cache = &self.scheduler.cache;
        for info in cache.all().filter(|it| it.node.is_some()) {
            let Some(node) = &info.node else { continue };
            let fresh = patch::like(node, "");
            let sort = api::wire::to_json(&fresh);
            if sorts.iter().all(|(it, _)| *it != sort) {
                sorts.push((sort, info.name.clone()));
            }
            if sorts.len() >= MAX_NODES {
                break;
            }
        }
        let taken = |name: &str| cache.node_by_name(name).is_some();
        let name = |like: &str| {
            let names = (2..).map(|n| format!("{like}-{n}"));
            names.into_iter().find(|it| !taken(it)).unwrap_or_default()
        };
        let all = sorts.into_iter();
        all.map(|(_, like)| Change::AddNode { name: name(&like), like: like.to_string() }).collect()
    }

    fn try_singles(&mut self, mut singles: Vec<Change>, found: &mut Found) {
        singles.order();
        singles.dedup();
        let mut slots: Vec<(u8, String)> = Vec::new();
        for change in singles {
            let (kind, of, most) = change.slot();
            let slot = (kind, of);
            if slots.iter().filter(|it| **it == slot).count() >= most || self.is_spent() {
                continue;
            }
            let fix = match &change {
                Change::MaxSkew { at, skew } => self.raise(*at, *skew),
                _ => self.fits(std::slice::from_ref(&change)).map(|it| (change, it)),
            };
            if let Some((change, nodes)) = fix {
                slots.push(slot);
                found.push((vec![change], nodes));
            }
        }
    }

    /// The smallest maxSkew that is enough.
    fn raise(&mut self, at: usize, skew: i32) -> Option<(Change, Vec<Arc<str>>)> {
        let attempt = |probe: &mut Self, skew: i32| {
            let change = Change::MaxSkew { at, skew };
            probe.fits(std::slice::from_ref(&change)).map(|it| (change, it))
        };
        let (mut low, mut high) = (skew, skew.saturating_add(1));
        let mut best = loop {
            if let Some(it) = attempt(self, high) {
                break it;
            }
            (low, high) = (high, high.saturating_mul(2));
            if high > MAX_SKEW || self.is_spent() {
                return None;
            }
        };
        while high - low > 1 && !self.is_spent() {
            let middle = low + (high - low) / 2;
            match attempt(self, middle) {
                Some(it) => (best, high) = (it, middle),
                None => low = middle,
            }
        }
        Some(best)
    }

    /// Pairs of changes against the two obstacles of one node.
    fn try_pairs(&mut self, nodes: &[Obstacles], found: &mut Found) {
        let mut pairs: Vec<[Change; 2]> = Vec::new();
        let usable = |it: &&Change| !matches!(it, Change::MaxSkew { .. });
        for it in nodes {
            let [first, second] = it.all.as_slice() else { continue };
            for one in first.iter().filter(usable) {
                for other in second.iter().filter(usable).filter(|it| *it != one) {
                    let (first, last) = if one < other { (one, other) } else { (other, one) };
                    pairs.push([first.clone(), last.clone()]);
                }
            }
        }
        pairs.order();
        pairs.dedup();
        let mut slots: Vec<[(u8, String); 2]> = Vec::new();
        for pair in pairs {
            let slot = pair.each_ref().map(|it| it.slot()).map(|(kind, of, _)| (kind, of));
            if slots.contains(&slot) || self.is_spent() {
                continue;
            }
            if let Some(nodes) = self.fits(&pair) {
                slots.push(slot);
                found.push((pair.to_vec(), nodes));
            }
        }
    }

    /// The nodes on which the pod fits after some changes, if there are any.
    fn fits(&mut self, changes: &[Change]) -> Option<Vec<Arc<str>>> {
        self.n_tried += 1;
        let mut pod = Pod::clone(self.pod);
        let mut changes_pod = false;
        for it in changes {
            changes_pod |= it.change_pod(pod.spec.get_or_insert_default());
        }
        let pod = if changes_pod { Arc::new(pod) } else { self.pod.clone() };
        let undo = self.change_cluster(changes);
        // A node that alone is changed is the only one that can come into question.
        let only = match changes {
            [one] => one.node().and_then(|it| self.scheduler.cache.id_of(it)),
            _ => None,
        };
        let nodes = self.passing(&pod, only);
        self.restore(undo);
        (!nodes.is_empty()).then_some(nodes)
    }

    fn passing(&mut self, pod: &Arc<Pod>, only: Option<NodeId>) -> Vec<Arc<str>> {
        let Some(framework) = self.scheduler.framework_for(pod).cloned() else { return vec![] };
        if framework.run_pre_enqueue(pod).is_err() {
            return Vec::new();
        }
        let info = PodInfo::new(pod.clone(), &mut self.scheduler.cache.interner);
        let order = match only {
            Some(id) => Arc::new(vec![id]),
            None => self.scheduler.cache.order(),
        };
        self.n_looks += order.len() + 20;
        let mut handle = handle(&mut self.scheduler, self.objects, self.now, self.seed);
        let mut cycle = Cycle::new(&framework, &mut handle);
        let Ok(allowed) = cycle.run_pre_filter(&info) else { return Vec::new() };
        let passes = |id: &NodeId| {
            let node = cycle.handle.cache.node(*id);
            allowed.nodes.as_ref().is_none_or(|it| it.contains(&node.name))
                && cycle.run_filters_with_nominated_pods(&cycle.state, &info, node).is_ok()
        };
        let nodes = order.iter().copied().filter(passes).collect();
        let nodes = extender::filter(&cycle, &info, nodes, &mut NodeToStatus::default());
        let nodes = nodes.unwrap_or_default().into_iter();
        let mut names: Vec<_> = nodes.map(|id| cycle.handle.cache.node(id).name.clone()).collect();
        names.order();
        names
    }

    fn change_cluster(&mut self, changes: &[Change]) -> Undo {
        let mut undo = Undo::default();
        let cache = &mut self.scheduler.cache;
        for change in changes {
            match change {
                Change::AddNode { like, name } => {
                    let Some(node) = cache.node_by_name(like).and_then(|it| it.node.clone()) else {
                        continue;
                    };
                    let fresh = Arc::new(patch::like(&node, name));
                    let _: NodeId = cache.set_node(&fresh);
                    undo.added.push(name.clone());
                }
                Change::DeletePod { namespace, name } => {
                    let gone = cache.remove_pod(&format!("{namespace}/{name}"));
                    undo.pods.extend(gone.map(|it| it.pod.clone()));
                }
                change => {
                    let Some(node) = change.node().and_then(|it| cache.node_by_name(it)) else {
                        continue;
                    };
                    let Some(before) = node.node.clone() else { continue };
                    let mut after = Node::clone(&before);
                    change.change_node(&mut after);
                    let _: NodeId = cache.set_node(&Arc::new(after));
                    undo.nodes.push(before);
                }
            }
        }
        undo
    }

    fn restore(&mut self, undo: Undo) {
        let cache = &mut self.scheduler.cache;
        for name in &undo.added {
            cache.remove_node(name);
        }
        for node in undo.nodes.iter().rev() {
            let _: NodeId = cache.set_node(node);
        }
        for pod in &undo.pods {
            cache.add_pod(pod);
        }
    }
}

/// What puts the cluster back as it was.
#[derive(Default)]
struct Undo {
    nodes: Vec<Arc<Node>>,
    pods: Vec<Arc<Pod>>,
    added: Vec<String>,
}

fn handle<'a>(
    scheduler: &'a mut Scheduler,
    objects: &'a Objects,
    now: Timestamp,
    seed: u64,
) -> Handle<'a> {
    let Scheduler { cache, nominator, .. } = scheduler;
    Handle { cache, nominator, listers: Listers(objects), now, seed }
}
