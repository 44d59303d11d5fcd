//! The cluster that the page keeps: what it was told by the engine's deltas, as an ordinary
//! watcher keeps what it watches.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use view::{Delta, EventRow, NodeCard, ObjectName, PodTile, Workload};

use crate::shared::Shared;

/// How many colours there are for workloads; static pods have one more.
const N_COLORS: usize = 7;
/// The page shows the latest events only; all are in the engine.
const MAX_EVENTS: usize = 500;

/// All that is drawn. Cloning shares everything.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// By name.
    pub nodes: BTreeMap<String, Shared<NodeCard>>,
    /// By namespace and name.
    pub pods: BTreeMap<(String, String), Rc<PodTile>>,
    /// The pods of each node, in the order of their creation.
    pub by_node: BTreeMap<String, Shared<Vec<Rc<PodTile>>>>,
    /// Pods without a node that still want one, oldest first.
    pub pending: Shared<Vec<Rc<PodTile>>>,
    /// By object.
    pub workloads: BTreeMap<ObjectName, Rc<Workload>>,
    /// By key.
    pub events: BTreeMap<String, Rc<EventRow>>,
    /// Objects of other kinds.
    pub others: Vec<ObjectName>,
    /// The colour of each workload, by [`PodTile::workload`].
    pub colors: Shared<BTreeMap<String, usize>>,
}

impl Cluster {
    /// The cluster after a delta.
    #[must_use]
    pub fn after(&self, delta: Delta) -> Self {
        let mut next = if delta.full {
            // Colours outlive the run: an edit must not repaint the picture.
            Self { colors: self.colors.clone(), ..Self::default() }
        } else {
            self.clone()
        };
        let mut touched = BTreeSet::new();
        for node in delta.nodes {
            next.nodes.insert(node.name.clone(), Shared::new(node));
        }
        for pod in delta.pods {
            touched.insert(pod.node.clone());
            let key = (pod.namespace.clone(), pod.name.clone());
            if let Some(before) = next.pods.insert(key, Rc::new(pod)) {
                touched.insert(before.node.clone());
            }
        }
        for workload in delta.workloads {
            next.workloads.insert(workload.object.clone(), Rc::new(workload));
        }
        for event in delta.events {
            next.events.insert(event.key.clone(), Rc::new(event));
        }
        for object in &delta.removed {
            next.remove(object, &mut touched);
        }
        if delta.full || !delta.others.is_empty() {
            next.others = delta.others;
        }
        next.drop_old_events();
        next.group(&touched);
        next.paint();
        next
    }

    fn remove(&mut self, object: &ObjectName, touched: &mut BTreeSet<String>) {
        match object.kind.as_str() {
            "Node" => {
                self.nodes.remove(&object.name);
            }
            "Pod" => {
                let key = (object.namespace.clone(), object.name.clone());
                if let Some(pod) = self.pods.remove(&key) {
                    touched.insert(pod.node.clone());
                }
            }
            "Event" => {
                self.events.remove(&object.name);
            }
            _ => {
                self.workloads.remove(object);
                self.others.retain(|it| it != object);
            }
        }
    }

    fn drop_old_events(&mut self) {
        let surplus = self.events.len().saturating_sub(MAX_EVENTS * 2);
        if surplus == 0 {
            return;
        }
        let mut ages: Vec<_> = self.events.values().map(|it| (it.at_ms, it.key.clone())).collect();
        ages.sort();
        for (_, key) in ages.into_iter().take(surplus + MAX_EVENTS) {
            self.events.remove(&key);
        }
    }

    /// Makes the lists of the touched nodes anew; the others keep their identity, and their cards
    /// are not drawn again.
    fn group(&mut self, touched: &BTreeSet<String>) {
        if touched.is_empty() {
            return;
        }
        let mut lists: BTreeMap<&String, Vec<Rc<PodTile>>> =
            touched.iter().map(|it| (it, Vec::new())).collect();
        for pod in self.pods.values() {
            if let Some(list) = lists.get_mut(&pod.node) {
                list.push(Rc::clone(pod));
            }
        }
        for (node, mut list) in lists {
            list.sort_by_key(|it| it.created_ms);
            if node.is_empty() {
                list.retain(|it| it.phase == "Pending");
                self.pending = Shared::new(list);
            } else if list.is_empty() {
                self.by_node.remove(node);
            } else {
                self.by_node.insert(node.clone(), Shared::new(list));
            }
        }
    }

    /// Gives every new workload the next colour, in the order in which they appeared.
    fn paint(&mut self) {
        let mut new: Vec<(i64, &String)> = self
            .workloads
            .values()
            .map(|it| (it.created_ms, &it.workload))
            .chain(
                self.pods
                    .values()
                    .filter(|it| !it.is_static)
                    .map(|it| (it.created_ms, &it.workload)),
            )
            .filter(|(_, workload)| !self.colors.contains_key(*workload))
            .collect();
        if new.is_empty() {
            return;
        }
        new.sort();
        let mut colors = (*self.colors).clone();
        for (_, workload) in new {
            let next = colors.len() % N_COLORS;
            colors.entry(workload.clone()).or_insert(next);
        }
        self.colors = Shared::new(colors);
    }

    /// The colour of a workload: the number in `--w0` to `--w7`.
    #[must_use]
    pub fn color(&self, workload: &str) -> usize {
        self.colors.get(workload).copied().unwrap_or(N_COLORS)
    }

    /// A pod by its object name.
    #[must_use]
    pub fn pod(&self, object: &ObjectName) -> Option<&Rc<PodTile>> {
        self.pods.get(&(object.namespace.clone(), object.name.clone()))
    }

    /// Is the object there?
    #[must_use]
    pub fn has(&self, object: &ObjectName) -> bool {
        match object.kind.as_str() {
            "Pod" => self.pod(object).is_some(),
            "Node" => self.nodes.contains_key(&object.name),
            _ => self.workloads.contains_key(object) || self.others.contains(object),
        }
    }

    /// The workload that a scenario without pending pods is about: the first that nothing owns.
    #[must_use]
    pub fn main_workload(&self) -> Option<ObjectName> {
        const KINDS: [&str; 4] = ["CronJob", "Job", "DaemonSet", "Deployment"];
        let of_kind = |kind: &&str| {
            let mut all = self.workloads.values().filter(|it| it.object.kind == **kind);
            all.find(|it| it.workload == format!("{kind}/{}", it.object.name))
        };
        KINDS.iter().find_map(of_kind).map(|it| it.object.clone())
    }

    /// The pods whose owners include the object, or that sit on it where it is a node.
    #[must_use]
    pub fn pods_of(&self, object: &ObjectName) -> Vec<Rc<PodTile>> {
        if object.kind == "Node" {
            return self.by_node.get(&object.name).map(|it| it.to_vec()).unwrap_or_default();
        }
        let mut pods: Vec<_> =
            self.pods.values().filter(|it| it.owners.contains(object)).cloned().collect();
        pods.sort_by_key(|it| it.created_ms);
        pods
    }

    /// Events about an object, or all of them, latest first.
    #[must_use]
    pub fn events_of(&self, object: Option<&ObjectName>) -> Vec<Rc<EventRow>> {
        let about = |it: &&Rc<EventRow>| object.is_none_or(|object| it.object == *object);
        let mut events: Vec<_> = self.events.values().filter(about).cloned().collect();
        events.sort_by(|a, b| b.at_ms.cmp(&a.at_ms).then_with(|| b.key.cmp(&a.key)));
        events.truncate(MAX_EVENTS);
        events
    }

    /// Requested and allocatable of a resource over all nodes.
    #[must_use]
    pub fn total(&self, resource: &str) -> (i64, i64) {
        self.nodes
            .values()
            .flat_map(|it| it.amounts.iter())
            .filter(|it| it.resource == resource)
            .fold((0, 0), |sum, it| (sum.0 + it.requested, sum.1 + it.allocatable))
    }
}

/// The object name of a pod.
#[must_use]
pub fn pod_object(pod: &PodTile) -> ObjectName {
    ObjectName { kind: "Pod".to_owned(), namespace: pod.namespace.clone(), name: pod.name.clone() }
}

/// The object name of a node.
#[must_use]
pub fn node_object(name: &str) -> ObjectName {
    ObjectName { kind: "Node".to_owned(), namespace: String::new(), name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, node: &str, workload: &str, created_ms: i64) -> PodTile {
        PodTile {
            namespace: "default".to_owned(),
            name: name.to_owned(),
            node: node.to_owned(),
            phase: if node.is_empty() { "Pending" } else { "Running" }.to_owned(),
            workload: workload.to_owned(),
            created_ms,
            ..PodTile::default()
        }
    }

    fn delta(pods: Vec<PodTile>) -> Delta {
        Delta { pods, ..Delta::default() }
    }

    #[test]
    fn a_bound_pod_moves_from_the_tray_to_its_node() {
        let waiting = Cluster::default().after(delta(vec![pod("a", "", "Job/x", 1)]));
        assert_eq!(waiting.pending.len(), 1);
        let bound = waiting.after(delta(vec![pod("a", "n1", "Job/x", 1)]));
        assert!(bound.pending.is_empty());
        assert_eq!(bound.by_node["n1"].len(), 1);
    }

    #[test]
    fn untouched_nodes_keep_the_identity_of_their_list() {
        let before = Cluster::default()
            .after(delta(vec![pod("a", "n1", "Job/x", 1), pod("b", "n2", "Job/x", 2)]));
        let after = before.after(delta(vec![pod("c", "n2", "Job/x", 3)]));
        assert_eq!(before.by_node["n1"], after.by_node["n1"]);
        assert_ne!(before.by_node["n2"], after.by_node["n2"]);
    }

    #[test]
    fn a_removed_pod_leaves_no_trace_on_its_node() {
        let before = Cluster::default().after(delta(vec![pod("a", "n1", "Job/x", 1)]));
        let removed = vec![pod_object(&pod("a", "n1", "Job/x", 1))];
        let after = before.after(Delta { removed, ..Delta::default() });
        assert!(after.pods.is_empty() && after.by_node.is_empty());
    }

    #[test]
    fn colours_come_in_order_of_creation_and_survive_a_new_run() {
        let first = Cluster::default()
            .after(delta(vec![pod("b", "n1", "Deployment/web", 5), pod("a", "n1", "Job/x", 9)]));
        assert_eq!((first.color("Deployment/web"), first.color("Job/x")), (0, 1));
        let full = Delta { full: true, ..delta(vec![pod("a", "n1", "Job/x", 2)]) };
        let second = first.after(full);
        assert_eq!(second.color("Job/x"), 1);
        assert_eq!(second.pods.len(), 1);
        assert_eq!(second.color("static"), N_COLORS);
    }
}
