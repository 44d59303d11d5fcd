//! Nodes and the pods on them, with counters that follow every change.
//!
//! Upstream: `pkg/scheduler/backend/cache/cache.go` and `snapshot.go`, v1.36.
//! Differs from upstream: there is one thread, so the cache is the snapshot; counts over all nodes
//! are kept up to date instead of being computed for each pod.

mod counters;
mod memo;
mod node_tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod};

pub use counters::{
    Counters, ExistingTerm, Matcher, NO_DOMAIN, NamespaceMatch, PodCounter, Role, Topology,
};
pub use memo::{Class, Memo};
use node_tree::NodeTree;

use crate::framework::intern::{Interner, Sym};
use crate::framework::types::{NodeId, NodeInfo, PodInfo};

/// All nodes and bound pods.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// Symbols of all strings.
    pub interner: Interner,
    nodes: Vec<Arc<NodeInfo>>,
    /// Changes with every change of a node or its pods.
    generations: Vec<u32>,
    /// A hash of each node's name.
    name_hashes: Vec<u64>,
    /// What attempts remember of nodes.
    pub memo: Memo,
    /// Memory to be used again.
    spare: Spare,
    by_name: BTreeMap<Arc<str>, NodeId>,
    tree: NodeTree,
    /// The nodes that exist, in the order in which they are examined.
    order: Arc<Vec<NodeId>>,
    order_is_stale: bool,
    /// The node of each bound or assumed pod, by the pod's key.
    pods: BTreeMap<Arc<str>, NodeId>,
    /// Pods that were given a node but are not bound in the store yet.
    assumed: BTreeMap<Arc<str>, NodeId>,
    /// How many nodes have an image.
    images: BTreeMap<Sym, (i64, usize)>,
    /// How often a claim (`namespace/name`) is used by pods on nodes.
    pvc_uses: BTreeMap<String, usize>,
    /// Counts by domain.
    pub counters: Counters,
}

/// Memory of earlier attempts. A copy has none.
#[derive(Debug, Default)]
struct Spare(Vec<Vec<i64>>);

impl Clone for Spare {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// So many vectors are kept to be used again.
const MAX_SPARE: usize = 32;

impl Cache {
    /// An empty vector, if there is one with room from before.
    pub fn buffer(&mut self) -> Vec<i64> {
        self.spare.0.pop().unwrap_or_default()
    }

    /// Takes vectors back that are not needed any more.
    pub fn recycle(&mut self, vectors: impl IntoIterator<Item = Vec<i64>>) {
        for mut it in vectors {
            if self.spare.0.len() < MAX_SPARE && it.capacity() > 0 {
                it.clear();
                self.spare.0.push(it);
            }
        }
    }

    /// A number for each node that changes whenever the node or its pods do.
    #[must_use]
    pub fn generations(&self) -> &[u32] {
        &self.generations
    }

    /// A hash of the node's name.
    #[must_use]
    pub fn name_hash(&self, id: NodeId) -> u64 {
        self.name_hashes[id.at()]
    }

    /// The node at a place, for change.
    fn node_mut(&mut self, id: NodeId) -> &mut NodeInfo {
        let generation = &mut self.generations[id.at()];
        *generation = generation.wrapping_add(1).max(1);
        Arc::make_mut(&mut self.nodes[id.at()])
    }

    /// The nodes that exist, in the order in which they are examined.
    pub fn order(&mut self) -> Arc<Vec<NodeId>> {
        if self.order_is_stale {
            let names = self.tree.list();
            let ids = names.iter().filter_map(|it| self.by_name.get(it).copied());
            self.order = Arc::new(ids.collect());
            self.order_is_stale = false;
        }
        self.order.clone()
    }

    /// The nodes that exist, in the order of the last [`Cache::order`].
    #[must_use]
    pub fn listed(&self) -> &[NodeId] {
        &self.order
    }

    /// How many nodes exist.
    #[must_use]
    pub fn n_nodes(&self) -> usize {
        self.tree.len()
    }

    /// The node at a place.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Arc<NodeInfo> {
        &self.nodes[id.at()]
    }

    /// The node with a name, if it exists.
    #[must_use]
    pub fn node_by_name(&self, name: &str) -> Option<&Arc<NodeInfo>> {
        let id = self.by_name.get(name)?;
        self.nodes.get(id.at()).filter(|it| it.node.is_some())
    }

    /// The place of a node that exists.
    #[must_use]
    pub fn id_of(&self, name: &str) -> Option<NodeId> {
        self.node_by_name(name).map(|it| it.id)
    }

    /// How many nodes have an image, and its size where it was met first.
    #[must_use]
    pub fn image(&self, image: Sym) -> Option<(i64, usize)> {
        self.images.get(&image).copied()
    }

    /// Whether any pod on a node uses the claim (`namespace/name`).
    #[must_use]
    pub fn is_pvc_used(&self, claim: &str) -> bool {
        self.pvc_uses.contains_key(claim)
    }

    /// Whether the pod (`namespace/name`) was given a node and is not bound in the store yet.
    #[must_use]
    pub fn is_assumed(&self, key: &str) -> bool {
        self.assumed.contains_key(key)
    }

    fn id_for(&mut self, name: &str) -> NodeId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let info = NodeInfo::new(id, name, &mut self.interner);
        self.by_name.insert(info.name.clone(), id);
        self.name_hashes.push(info.name_hash);
        self.generations.push(1);
        self.nodes.push(Arc::new(info));
        self.counters.grow(self.nodes.len());
        id
    }

    /// Adds a node, or takes over its new state.
    pub fn set_node(&mut self, node: &Arc<Node>) -> NodeId {
        let id = self.id_for(node.metadata.name.as_deref().unwrap_or_default());
        let before = self.nodes[id.at()].clone();
        let zone_changed =
            self.tree.update(&before.name, before.node.as_deref(), Some(node.as_ref()));
        self.order_is_stale |= zone_changed;
        let recount = before.node.is_none()
            || before.node.as_ref().is_some_and(|it| it.metadata.labels != node.metadata.labels);
        if recount {
            self.count_pods_of(id, false);
        }
        self.count_images(id, false);
        let generation = &mut self.generations[id.at()];
        *generation = generation.wrapping_add(1).max(1);
        Arc::make_mut(&mut self.nodes[id.at()]).set_node(node, &mut self.interner);
        self.count_images(id, true);
        if recount {
            let info = self.nodes[id.at()].clone();
            self.counters.set_node(id, Some(&info.labels));
            self.count_pods_of(id, true);
        }
        id
    }

    /// Removes a node. Its pods are remembered until they are removed.
    pub fn remove_node(&mut self, name: &str) {
        let Some(id) = self.id_of(name) else { return };
        let before = self.nodes[id.at()].clone();
        self.order_is_stale |= self.tree.update(name, before.node.as_deref(), None);
        self.count_pods_of(id, false);
        self.count_images(id, false);
        self.node_mut(id).remove_node();
        self.counters.set_node(id, None);
        self.count_pods_of(id, true);
    }

    fn count_images(&mut self, id: NodeId, add: bool) {
        let info = self.nodes[id.at()].clone();
        for (image, size) in &info.images {
            let (_, n_nodes) = self.images.entry(*image).or_insert((*size, 0));
            if add {
                *n_nodes += 1;
            } else {
                *n_nodes = n_nodes.saturating_sub(1);
            }
            if *n_nodes == 0 {
                self.images.remove(image);
            }
        }
    }

    fn count_pods_of(&mut self, id: NodeId, add: bool) {
        let info = self.nodes[id.at()].clone();
        for pod in &info.pods {
            self.counters.count_pod(pod, id, add, &self.interner);
        }
    }

    /// Compiles a pod.
    pub fn pod_info(&mut self, pod: &Arc<Pod>) -> PodInfo {
        PodInfo::new(pod.clone(), &mut self.interner)
    }

    /// Adds a pod to its node, or takes over its new state. An assumed pod is confirmed by it.
    pub fn add_pod(&mut self, pod: &Arc<Pod>) {
        let Some(node) = api::pods::node_name(pod).filter(|it| !it.is_empty()) else { return };
        let info = Arc::new(PodInfo::new(pod.clone(), &mut self.interner));
        let id = self.id_for(node);
        if self.pods.get(&info.key) == Some(&id) && self.replace(&info, id) {
            self.assumed.remove(&info.key);
            return;
        }
        self.remove_pod(&info.key.clone());
        self.put(info, id);
    }

    /// Takes over a pod's new state when nothing changed that is counted, which most updates of a
    /// status are; says whether it could.
    fn replace(&mut self, pod: &Arc<PodInfo>, id: NodeId) -> bool {
        let pods = &self.nodes[id.at()].pods;
        let Some(at) = pods.iter().position(|it| it.key == pod.key) else { return false };
        if !pods[at].counts_as(pod) {
            return false;
        }
        let pods = &mut Arc::make_mut(&mut self.nodes[id.at()]).pods;
        // To the end, as if it had left and come back.
        pods.swap_remove(at);
        pods.push(pod.clone());
        true
    }

    /// Puts a pod on a node before the store knows. Upstream: `AssumePod`.
    pub fn assume_pod(&mut self, pod: Arc<PodInfo>, id: NodeId) {
        self.remove_pod(&pod.key.clone());
        self.assumed.insert(pod.key.clone(), id);
        self.put(pod, id);
    }

    /// Takes an assumed pod off its node. Upstream: `ForgetPod`.
    pub fn forget_pod(&mut self, key: &str) -> bool {
        let was_assumed = self.assumed.contains_key(key);
        if was_assumed {
            self.remove_pod(key);
        }
        was_assumed
    }

    fn put(&mut self, pod: Arc<PodInfo>, id: NodeId) {
        self.count_claims(&pod, true);
        self.know_topologies_of(&pod);
        self.counters.count_pod(&pod, id, true, &self.interner);
        self.pods.insert(pod.key.clone(), id);
        self.node_mut(id).add_pod(pod);
    }

    fn know_topologies_of(&mut self, pod: &PodInfo) {
        for (_, term) in &pod.own_terms {
            self.topology(term.topology_key);
        }
    }

    /// Removes a pod from its node.
    pub fn remove_pod(&mut self, key: &str) -> Option<Arc<PodInfo>> {
        self.assumed.remove(key);
        let id = self.pods.remove(key)?;
        let pod = self.node_mut(id).remove_pod(key)?;
        self.counters.count_pod(&pod, id, false, &self.interner);
        self.count_claims(&pod, false);
        Some(pod)
    }

    fn count_claims(&mut self, pod: &PodInfo, add: bool) {
        for claim in pod.volumes().iter().filter_map(|it| it.persistent_volume_claim.as_ref()) {
            let key = format!("{}/{}", pod.namespace_name(), claim.claim_name);
            let uses = self.pvc_uses.entry(key.clone()).or_default();
            *uses = if add { *uses + 1 } else { uses.saturating_sub(1) };
            if *uses == 0 {
                self.pvc_uses.remove(&key);
            }
        }
    }

    /// The counter of the pods that a matcher matches, made on first use.
    pub fn pod_counter(&mut self, matcher: Matcher) -> usize {
        if let Some(at) = self.counters.find(&matcher) {
            return at;
        }
        let at = self.counters.register(matcher, self.nodes.len());
        for info in self.nodes.clone() {
            for pod in &info.pods {
                self.counters.count_in(at, pod, info.id, true, &self.interner);
            }
        }
        at
    }

    /// The table of a topology key, made on first use.
    pub fn topology(&mut self, key: Sym) -> usize {
        let nodes = &self.nodes;
        self.counters.topology(key, || {
            nodes.iter().map(|it| it.node.is_some().then(|| it.labels.get(key)).flatten()).collect()
        })
    }

    /// The table of a topology key, if it was made.
    #[must_use]
    pub fn known_topology(&self, key: Sym) -> Option<usize> {
        self.counters.find_topology(key)
    }

    /// All nodes and placeholders.
    pub fn all(&self) -> impl Iterator<Item = &Arc<NodeInfo>> {
        self.nodes.iter()
    }
}
