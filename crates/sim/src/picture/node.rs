//! Nodes as cards.

use api::Order;
use std::collections::BTreeMap;

use api::k8s_openapi::api::core::v1::Node;
use api::{Listers, Resource, pods, quantity, resources, taints};
use view::{Amount, NodeCard};

const ZONE: &str = "topology.kubernetes.io/zone";
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// A node with what its pods ask for.
pub(super) fn node_card(node: &Node, listers: &Listers<'_>) -> NodeCard {
    let labels = node.metadata.labels.clone().unwrap_or_default();
    let status = node.status.as_ref();
    let conditions = status.and_then(|it| it.conditions.as_ref()).into_iter().flatten();
    let mut ready = conditions.filter(|it| it.type_ == "Ready");
    let allocatable = status.and_then(|it| it.allocatable.as_ref());
    let max_pods = allocatable.and_then(|it| it.get("pods")).map_or(0, quantity::value);
    let (requested, n_pods) = requested(node.name(), listers);
    NodeCard {
        name: node.name().to_owned(),
        zone: labels.get(ZONE).cloned().unwrap_or_default(),
        ready: ready.any(|it| it.status == "True"),
        cordoned: node.spec.as_ref().and_then(|it| it.unschedulable) == Some(true),
        control_plane: labels.contains_key(CONTROL_PLANE),
        taints: taints::of_node(node).iter().map(taints::to_text).collect(),
        labels: labels.iter().map(|(key, value)| format!("{key}={value}")).collect(),
        amounts: amounts(node, &requested),
        n_pods,
        max_pods: usize::try_from(max_pods).unwrap_or_default(),
    }
}

/// What the pods of a node that are not finished ask for, and how many they are.
fn requested(node: &str, listers: &Listers<'_>) -> (BTreeMap<String, i64>, usize) {
    let mut requested = BTreeMap::new();
    let mut n_pods = 0;
    for pod in listers.pods_on(node).filter(|it| !pods::is_terminal(it)) {
        n_pods += 1;
        for (resource, amount) in resources::pod_requests(pod) {
            *requested.entry(resource).or_default() += amount;
        }
    }
    (requested, n_pods)
}

fn amounts(node: &Node, requested: &BTreeMap<String, i64>) -> Vec<Amount> {
    let allocatable = node.status.as_ref().and_then(|it| it.allocatable.as_ref());
    let mut amounts: Vec<Amount> = allocatable
        .into_iter()
        .flatten()
        .filter(|(resource, _)| *resource != "pods")
        .map(|(resource, quantity)| Amount {
            resource: resource.clone(),
            requested: requested.get(resource).copied().unwrap_or_default(),
            allocatable: match resource.as_str() {
                "cpu" => quantity::milli_value(quantity),
                _ => quantity::value(quantity),
            },
        })
        .collect();
    amounts.order_by_key(|it| match it.resource.as_str() {
        "cpu" => (0, String::new()),
        "memory" => (1, String::new()),
        _ => (2, it.resource.clone()),
    });
    amounts
}
