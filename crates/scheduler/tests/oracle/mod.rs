//! Whether a pod fits a node, computed from the objects alone, slowly and without any count that is
//! kept: what Kubernetes' documentation says about each filter.

use std::collections::{BTreeMap, BTreeSet};

use api::{Listers, Objects, Resource};
use k8s_openapi::api::core::v1::{Node, Pod, PodAffinityTerm, PodSpec, TopologySpreadConstraint};

fn spec(pod: &Pod) -> &PodSpec {
    pod.spec.as_ref().unwrap()
}

fn label<'a>(node: &'a Node, key: &str) -> Option<&'a String> {
    node.metadata.labels.as_ref()?.get(key)
}

/// The pods on nodes that exist, with their nodes.
fn running(objects: &Objects) -> Vec<(&Pod, &Node)> {
    let lists = Listers(objects);
    let pods = lists.list::<Pod>().filter(|it| !api::pods::is_terminal(it));
    pods.filter_map(|it| Some((it, lists.node(api::pods::node_name(it)?)?))).collect()
}

/// The first filter that turns the node away.
pub(crate) fn obstacle(objects: &Objects, pod: &Pod, node: &Node) -> Option<&'static str> {
    let checks: [(&str, bool); 6] = [
        ("taints", !tolerates(pod, node)),
        ("node selector", !selects(pod, node)),
        ("host ports", !ports_are_free(objects, pod, node)),
        ("resources", !has_room(objects, pod, node)),
        ("topology spread", !spreads(objects, pod, node)),
        ("pod affinity", !likes_neighbours(objects, pod, node)),
    ];
    checks.into_iter().find(|(_, fails)| *fails).map(|(name, _)| name)
}

fn tolerates(pod: &Pod, node: &Node) -> bool {
    let tolerations = spec(pod).tolerations.as_deref().unwrap_or_default();
    let node_spec = node.spec.as_ref().unwrap();
    let cordoned = node_spec.unschedulable == Some(true);
    let mut hard = node_spec.taints.iter().flatten().filter(|it| it.effect != "PreferNoSchedule");
    !cordoned && hard.all(|it| tolerations.iter().any(|with| with.key.as_ref() == Some(&it.key)))
}

fn selects(pod: &Pod, node: &Node) -> bool {
    let mut wanted = spec(pod).node_selector.iter().flatten();
    wanted.all(|(key, value)| label(node, key) == Some(value))
}

fn ports(pod: &Pod) -> BTreeSet<i32> {
    let ports = spec(pod).containers.iter().flat_map(|it| it.ports.iter().flatten());
    ports.filter_map(|it| it.host_port).collect()
}

fn ports_are_free(objects: &Objects, pod: &Pod, node: &Node) -> bool {
    let here = running(objects).into_iter().filter(|(_, it)| it.name() == node.name());
    let taken: BTreeSet<i32> = here.flat_map(|(it, _)| ports(it)).collect();
    ports(pod).is_disjoint(&taken)
}

fn cpu(pod: &Pod) -> i64 {
    api::resources::pod_requests(pod).get("cpu").copied().unwrap_or(0)
}

fn has_room(objects: &Objects, pod: &Pod, node: &Node) -> bool {
    let here = running(objects).into_iter().filter(|(_, it)| it.name() == node.name());
    let here: Vec<&Pod> = here.map(|(it, _)| it).collect();
    let capacity = node.status.as_ref().unwrap().allocatable.as_ref().unwrap();
    let used: i64 = here.iter().map(|it| cpu(it)).sum();
    used + cpu(pod) <= api::quantity::milli_value(&capacity["cpu"])
        && here.len() < usize::try_from(api::quantity::value(&capacity["pods"])).unwrap()
}

fn matches(it: &TopologySpreadConstraint, pod: &Pod) -> bool {
    let labels = pod.metadata.labels.as_ref();
    it.label_selector.as_ref().is_some_and(|it| api::selector::matches(it, labels))
}

fn spreads(objects: &Objects, pod: &Pod, node: &Node) -> bool {
    let all = spec(pod).topology_spread_constraints.as_deref().unwrap_or_default();
    let hard: Vec<_> = all.iter().filter(|it| it.when_unsatisfiable == "DoNotSchedule").collect();
    let keys: Vec<&str> = hard.iter().map(|it| it.topology_key.as_str()).collect();
    hard.iter().all(|it| {
        let honors_taints = it.node_taints_policy.as_deref() == Some("Honor");
        // Taints that keep the pod away make a node not count; being cordoned alone does not.
        let untainted = |node: &Node| {
            let mut node = node.clone();
            node.spec.as_mut().unwrap().unschedulable = None;
            tolerates(pod, &node)
        };
        let counts = |node: &Node| {
            keys.iter().all(|key| label(node, key).is_some())
                && selects(pod, node)
                && (!honors_taints || untainted(node))
        };
        let nodes = Listers(objects).list::<Node>().filter(|it| counts(it));
        let domains = nodes.map(|node| (label(node, &it.topology_key).unwrap().clone(), 0));
        let mut domains: BTreeMap<String, i32> = domains.collect();
        for (other, on) in running(objects) {
            let same = other.namespace() == pod.namespace() && matches(it, other);
            if same && counts(on) && other.metadata.deletion_timestamp.is_none() {
                *domains.get_mut(label(on, &it.topology_key).unwrap()).unwrap() += 1;
            }
        }
        let min = match domains.len() < usize::try_from(it.min_domains.unwrap_or(1)).unwrap() {
            true => 0,
            false => domains.values().min().copied().unwrap_or(i32::MAX),
        };
        label(node, &it.topology_key).is_some_and(|domain| {
            let n = domains.get(domain).copied().unwrap_or(0) + i32::from(matches(it, pod));
            i64::from(n) - i64::from(min) <= i64::from(it.max_skew)
        })
    })
}

/// Whether a term of `owner` is about `other`.
fn concerns(term: &PodAffinityTerm, owner: &Pod, other: &Pod) -> bool {
    let named = term.namespaces.as_deref().unwrap_or_default();
    let here = match named.is_empty() {
        true => owner.namespace() == other.namespace(),
        false => named.iter().any(|it| it == other.namespace()),
    };
    let labels = other.metadata.labels.as_ref();
    here && term.label_selector.as_ref().is_some_and(|it| api::selector::matches(it, labels))
}

fn required(pod: &Pod) -> (Vec<&PodAffinityTerm>, Vec<&PodAffinityTerm>) {
    let Some(affinity) = &spec(pod).affinity else { return (vec![], vec![]) };
    let wanted = affinity.pod_affinity.iter();
    let wanted =
        wanted.flat_map(|it| it.required_during_scheduling_ignored_during_execution.iter());
    let unwanted = affinity.pod_anti_affinity.iter();
    let unwanted =
        unwanted.flat_map(|it| it.required_during_scheduling_ignored_during_execution.iter());
    (wanted.flatten().collect(), unwanted.flatten().collect())
}

fn same_domain(key: &str, a: &Node, b: &Node) -> bool {
    label(a, key).is_some() && label(a, key) == label(b, key)
}

fn likes_neighbours(objects: &Objects, pod: &Pod, node: &Node) -> bool {
    let all = running(objects);
    let (wanted, unwanted) = required(pod);
    // A neighbour counts for one term only if it is meant by all of them.
    let meant = |other: &Pod| wanted.iter().all(|it| concerns(it, pod, other));
    let has_labels = wanted.iter().all(|it| label(node, &it.topology_key).is_some());
    let found = wanted.iter().all(|term| {
        all.iter().any(|(other, on)| meant(other) && same_domain(&term.topology_key, node, on))
    });
    let somewhere = all.iter().any(|(other, on)| {
        meant(other) && wanted.iter().any(|it| label(on, &it.topology_key).is_some())
    });
    let first_of_its_kind = !somewhere && meant(pod);
    let avoided = |owner: &Pod, terms: &[&PodAffinityTerm], other: &Pod, on: &Node| {
        terms.iter().any(|it| concerns(it, owner, other) && same_domain(&it.topology_key, node, on))
    };
    let hates = all.iter().any(|(other, on)| avoided(pod, &unwanted, other, on));
    let is_hated = all.iter().any(|(other, on)| avoided(other, &required(other).1, pod, on));
    has_labels && (found || first_of_its_kind) && !hates && !is_hated
}
