//! Pods that are nominated to run on a node and wait for room there.
//!
//! Upstream: `pkg/scheduler/backend/queue/nominator.go`, v1.36.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::framework::types::PodInfo;

/// Nominated pods by node.
#[derive(Clone, Debug, Default)]
pub struct Nominator {
    by_node: BTreeMap<Arc<str>, Vec<Arc<PodInfo>>>,
    node_of: BTreeMap<Arc<str>, Arc<str>>,
}

impl Nominator {
    /// Whether no pod is nominated anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_node.is_empty()
    }

    /// The pods that are nominated to run on a node, in the order of nomination.
    #[must_use]
    pub fn pods_for(&self, node: &str) -> &[Arc<PodInfo>] {
        if self.by_node.is_empty() {
            return &[];
        }
        self.by_node.get(node).map(Vec::as_slice).unwrap_or_default()
    }

    /// The node that a pod (`namespace/name`) is nominated to run on.
    #[must_use]
    pub fn node_for(&self, pod: &str) -> Option<&Arc<str>> {
        self.node_of.get(pod)
    }

    /// Nominates a pod, and takes back an earlier nomination of it.
    pub fn add(&mut self, pod: Arc<PodInfo>, node: &str) {
        self.delete(&pod.key);
        let node: Arc<str> = node.into();
        self.node_of.insert(pod.key.clone(), node.clone());
        self.by_node.entry(node).or_default().push(pod);
    }

    /// Takes back a nomination.
    pub fn delete(&mut self, pod: &str) {
        let Some(node) = self.node_of.remove(pod) else { return };
        if let Some(pods) = self.by_node.get_mut(&node) {
            pods.retain(|it| &*it.key != pod);
            if pods.is_empty() {
                self.by_node.remove(&node);
            }
        }
    }
}
