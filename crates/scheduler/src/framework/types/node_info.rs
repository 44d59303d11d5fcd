//! A node with the pods on it and the sums over them.
//!
//! Upstream: `NodeInfo` of `pkg/scheduler/framework/types.go`, v1.36.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use api::Object;
use api::quantity;
use api::resources::Amounts;
use k8s_openapi::api::core::v1::{Node, Taint};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::Value;

use super::super::intern::{Interner, Labels, Sym};
use super::super::labels::NodeFacts;
use super::{HostPort, PodInfo, Resource};

/// The place of a node in the cache. It stays while the node is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    /// As an index.
    #[must_use]
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

/// A node with the pods on it and the sums over them.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Its place in the cache.
    pub id: NodeId,
    /// Its name.
    pub name: Arc<str>,
    /// The name, interned.
    pub name_sym: Sym,
    /// A hash of the name, for ties.
    pub name_hash: u64,
    /// The object; `None` while only pods know the node.
    pub node: Option<Arc<Node>>,
    /// Its labels.
    pub labels: Labels,
    /// Its taints with an effect that keeps new pods away.
    pub hard_taints: Vec<Taint>,
    /// Its taints that new pods avoid where they can.
    pub soft_taints: Vec<Taint>,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// What it offers.
    pub allocatable: Resource,
    /// The sum of the requests of its pods.
    pub requested: Resource,
    /// The sum that scoring counts: millicores and bytes.
    pub non_zero: (i64, i64),
    /// Images on it with their sizes in bytes, sorted.
    pub images: Vec<(Sym, i64)>,
    /// Its pods.
    pub pods: Vec<Arc<PodInfo>>,
    /// How many of its pods have host ports.
    pub n_pods_with_ports: usize,
    /// The object as JSON, made for the first expression that looks at it.
    json: OnceLock<Arc<Value>>,
}

impl NodeInfo {
    /// A node that nothing but its name is known of.
    pub fn new(id: NodeId, name: &str, interner: &mut Interner) -> Self {
        Self {
            id,
            name: name.into(),
            name_sym: interner.intern(name),
            name_hash: crate::schedule_one::hash(0, &[name]),
            node: None,
            labels: Labels::default(),
            hard_taints: Vec::new(),
            soft_taints: Vec::new(),
            unschedulable: false,
            allocatable: Resource::default(),
            requested: Resource::default(),
            non_zero: (0, 0),
            images: Vec::new(),
            pods: Vec::new(),
            n_pods_with_ports: 0,
            json: OnceLock::new(),
        }
    }

    /// The object as JSON; null while only pods know the node.
    #[must_use]
    pub fn json(&self) -> &Value {
        let make = || {
            let node = self.node.clone().map(Object::Node);
            Arc::new(node.map_or(Value::Null, |it| api::wire::to_value(&it)))
        };
        self.json.get_or_init(make)
    }

    /// Takes over the object.
    pub fn set_node(&mut self, node: &Arc<Node>, interner: &mut Interner) {
        self.labels = Labels::new(node.metadata.labels.as_ref(), interner);
        let taints = api::taints::of_node(node).iter();
        let (soft, hard): (Vec<_>, Vec<_>) = taints
            .filter(|it| {
                matches!(it.effect.as_str(), "NoSchedule" | "NoExecute" | "PreferNoSchedule")
            })
            .cloned()
            .partition(|it| it.effect == "PreferNoSchedule");
        self.hard_taints = hard;
        self.soft_taints = soft;
        self.unschedulable = node.spec.as_ref().and_then(|it| it.unschedulable).unwrap_or_default();
        let allocatable = node.status.as_ref().and_then(|it| it.allocatable.as_ref());
        self.allocatable = Resource::of_amounts(&exact(allocatable), interner);
        let images = node.status.iter().flat_map(|it| it.images.iter().flatten());
        self.images = images
            .flat_map(|it| {
                let size = it.size_bytes.unwrap_or_default();
                it.names.iter().flatten().map(move |name| (name, size))
            })
            .map(|(name, size)| (interner.intern(name), size))
            .collect();
        self.images.sort_unstable();
        self.images.dedup_by_key(|(name, _)| *name);
        self.node = Some(node.clone());
        self.json = OnceLock::new();
    }

    /// Forgets the object; the pods stay.
    pub fn remove_node(&mut self) {
        *self = Self {
            requested: std::mem::take(&mut self.requested),
            pods: std::mem::take(&mut self.pods),
            name: self.name.clone(),
            labels: Labels::default(),
            hard_taints: Vec::new(),
            soft_taints: Vec::new(),
            unschedulable: false,
            allocatable: Resource::default(),
            images: Vec::new(),
            node: None,
            json: OnceLock::new(),
            ..*self
        };
    }

    /// What selectors look at.
    #[must_use]
    pub fn facts(&self) -> NodeFacts<'_> {
        NodeFacts { labels: &self.labels, name: Some(self.name_sym) }
    }

    /// Puts a pod on it.
    pub fn add_pod(&mut self, pod: Arc<PodInfo>) {
        self.count(&pod, 1);
        self.pods.push(pod);
    }

    /// Takes a pod off it. The last pod takes its place, as upstream's slices do.
    pub fn remove_pod(&mut self, key: &str) -> Option<Arc<PodInfo>> {
        let at = self.pods.iter().position(|it| &*it.key == key)?;
        let pod = self.pods.swap_remove(at);
        self.count(&pod, -1);
        Some(pod)
    }

    fn count(&mut self, pod: &PodInfo, sign: i64) {
        self.requested.add(&pod.requests, sign);
        self.non_zero.0 += sign * pod.non_zero_cpu;
        self.non_zero.1 += sign * pod.non_zero_memory;
        if !pod.host_ports.is_empty() {
            let n = self.n_pods_with_ports;
            self.n_pods_with_ports = if sign > 0 { n + 1 } else { n.saturating_sub(1) };
        }
    }

    /// Whether a host port is taken in a way that conflicts.
    #[must_use]
    pub fn port_taken(&self, wanted: &HostPort) -> Option<&Arc<PodInfo>> {
        if self.n_pods_with_ports == 0 {
            return None;
        }
        self.pods.iter().find(|pod| pod.host_ports.iter().any(|it| wanted.conflicts(it)))
    }
}

fn exact(quantities: Option<&BTreeMap<String, Quantity>>) -> Amounts {
    let all = quantities.into_iter().flatten();
    all.map(|(name, it)| (name.clone(), quantity::parse(&it.0).unwrap_or_default())).collect()
}
