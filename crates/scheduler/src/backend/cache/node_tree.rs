//! The order in which nodes are examined: one of each zone in turn.
//!
//! Upstream: `pkg/scheduler/backend/cache/node_tree.go`, v1.36.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;

/// Node names by zone; zones and nodes in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeTree {
    zones: Vec<(String, Arc<Vec<Arc<str>>>)>,
    zone_of: BTreeMap<Arc<str>, String>,
}

impl NodeTree {
    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.zone_of.len()
    }

    /// Follows a change of a node; says whether the order changed.
    pub(super) fn update(&mut self, name: &str, old: Option<&Node>, new: Option<&Node>) -> bool {
        let zone = new.map(zone_key);
        if old.is_some() && zone.as_ref() == self.zone_of.get(name) {
            return false;
        }
        if let Some(zone) = self.zone_of.remove(name) {
            let at = self.zones.iter().position(|(it, _)| *it == zone);
            if let Some((at, (_, names))) = at.and_then(|at| Some((at, self.zones.get_mut(at)?))) {
                Arc::make_mut(names).retain(|it| &**it != name);
                if names.is_empty() {
                    self.zones.remove(at);
                }
            }
        }
        if let Some(zone) = zone {
            let name: Arc<str> = name.into();
            self.zone_of.insert(name.clone(), zone.clone());
            match self.zones.iter_mut().find(|(it, _)| *it == zone) {
                Some((_, names)) => Arc::make_mut(names).push(name),
                None => self.zones.push((zone, Arc::new(vec![name]))),
            }
        }
        true
    }

    /// All names, one of each zone in turn.
    pub(super) fn list(&self) -> Vec<Arc<str>> {
        let mut all = Vec::with_capacity(self.len());
        let rows = self.zones.iter().map(|(_, names)| names.len()).max().unwrap_or_default();
        for row in 0..rows {
            all.extend(self.zones.iter().filter_map(|(_, names)| names.get(row).cloned()));
        }
        all
    }
}

/// Upstream: `utilnode.GetZoneKey`.
fn zone_key(node: &Node) -> String {
    let labels = node.metadata.labels.as_ref();
    let get = |keys: [&str; 2]| {
        let found = keys.iter().find_map(|it| labels?.get(*it));
        found.map(String::as_str).unwrap_or_default()
    };
    let zone = get(["failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"]);
    let region = get(["failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"]);
    if zone.is_empty() && region.is_empty() { String::new() } else { format!("{region}:\0:{zone}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_listed_one_of_each_zone_in_turn() {
        let node = |zone: &str| {
            let mut node = Node::default();
            let label = ("topology.kubernetes.io/zone".to_owned(), zone.to_owned());
            node.metadata.labels = Some([label].into());
            node
        };
        let mut tree = NodeTree::default();
        for (name, zone) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a"), ("c1", "c")] {
            assert!(tree.update(name, None, Some(&node(zone))));
        }
        let list = |tree: &NodeTree| tree.list().join(" ");
        assert_eq!(list(&tree), "a1 b1 c1 a2 a3");
        assert!(!tree.update("a2", Some(&node("a")), Some(&node("a"))), "nothing moved");
        assert!(tree.update("a2", Some(&node("a")), Some(&node("b"))));
        assert_eq!(list(&tree), "a1 b1 c1 a3 a2");
        assert!(tree.update("b1", Some(&node("b")), None));
        assert_eq!((list(&tree).as_str(), tree.len()), ("a1 a2 c1 a3", 4));
    }
}
