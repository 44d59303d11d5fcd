//! What stands in a pod's way on a node, and the changes that might remove each obstacle.

use api::order::Order as _;
use api::quantity;
use k8s_openapi::api::core::v1::{Node, NodeSelectorTerm, PodSpec, Taint};
use view::Term;

use super::change::{Change, UNSCHEDULABLE, is_health};
use crate::backend::cache::Cache;
use crate::framework::plugins::names;
use crate::framework::runtime::Cycle;
use crate::framework::types::{NodeId, NodeInfo, PodInfo};

/// The simulated power switch of a node.
const FAILED: &str = "sim.orrery.dev/failed";
/// So many values of a label are tried.
const MAX_VALUES: usize = 5;

/// One thing in the way: each of the changes might be enough against it.
pub(super) type Obstacle = Vec<Change>;

/// What stands in a pod's way on one node.
pub(super) struct Obstacles {
    pub(super) node: NodeId,
    pub(super) all: Vec<Obstacle>,
    /// How much is missing of the resources, in thousandths of what the pod asks.
    pub(super) missing: i64,
}

/// Asks every filter about a node, not only those up to the first rejection. `None` when the node
/// is turned away by something that no change here is about.
pub(super) fn on_node(cycle: &Cycle<'_, '_>, pod: &PodInfo, id: NodeId) -> Option<Obstacles> {
    let node = cycle.handle.cache.node(id);
    let mut found = Obstacles { node: id, all: Vec::new(), missing: 0 };
    for plugin in &cycle.framework.filter {
        let (name, Some(filter)) = (plugin.name(), plugin.as_filter()) else { continue };
        if cycle.state.skip_filter.contains(&name)
            || !filter.concerns(pod)
            || filter.filter(cycle.handle, &cycle.state, pod, node).is_ok()
        {
            continue;
        }
        let terms = filter.explain(cycle.handle, &cycle.state, pod, node);
        let obstacles = of_plugin(name, cycle.handle.cache, pod, node, &terms)?;
        if name == names::NODE_RESOURCES_FIT {
            found.missing =
                missing(cycle.handle.cache, pod, node).iter().map(|it| it.share()).sum();
        }
        for it in obstacles {
            if !found.all.contains(&it) {
                found.all.push(it);
            }
        }
    }
    Some(found)
}

fn of_plugin(
    plugin: &str,
    cache: &Cache,
    pod: &PodInfo,
    node: &NodeInfo,
    terms: &[Term],
) -> Option<Vec<Obstacle>> {
    let (object, spec) = (node.node.as_deref()?, pod.spec()?);
    Some(match plugin {
        names::NODE_UNSCHEDULABLE => vec![uncordon(node)],
        names::TAINT_TOLERATION => {
            let hard = node.hard_taints.iter();
            let hard = hard.filter(|it| !api::taints::tolerated(it, pod.tolerations()));
            hard.map(|it| against_taint(it, node, object)).collect()
        }
        names::NODE_AFFINITY => node_affinity(spec, object)?,
        names::NODE_PORTS => ports(spec, pod, node),
        names::NODE_RESOURCES_FIT => resources(cache, spec, pod, node)?,
        names::POD_TOPOLOGY_SPREAD => spread(cache, spec, object, terms),
        names::INTER_POD_AFFINITY => between_pods(cache, spec, object, terms),
        _ => return None,
    })
}

fn uncordon(node: &NodeInfo) -> Obstacle {
    let taint = Taint {
        key: UNSCHEDULABLE.to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    };
    vec![Change::Uncordon { node: node.name.to_string() }, tolerate(&taint)]
}

fn tolerate(it: &Taint) -> Change {
    let (key, effect) = (it.key.clone(), it.effect.clone());
    Change::Tolerate { key, value: it.value.clone().unwrap_or_default(), effect }
}

fn against_taint(it: &Taint, node: &NodeInfo, object: &Node) -> Obstacle {
    if it.key == UNSCHEDULABLE {
        return uncordon(node);
    }
    let name = node.name.to_string();
    let remedy = if is_health(it) {
        let annotations = object.metadata.annotations.as_ref();
        let failed = annotations.and_then(|it| it.get(FAILED)).is_some_and(|it| it == "true");
        failed.then_some(Change::Recover { node: name })
    } else {
        let (key, effect) = (it.key.clone(), it.effect.clone());
        let value = it.value.clone().unwrap_or_default();
        Some(Change::Untaint { key, value, effect, node: name })
    };
    remedy.into_iter().chain([tolerate(it)]).collect()
}

/// A label on a node, unless it is one that says what the node is.
fn label(object: &Node, key: &str, value: Option<String>) -> Option<Change> {
    let there = object.metadata.labels.as_ref().is_some_and(|it| it.contains_key(key));
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let well_known = domain == "kubernetes.io" || domain.ends_with(".kubernetes.io");
    let node = object.metadata.name.clone().unwrap_or_default();
    (!there || !well_known).then(|| Change::Label { key: key.to_owned(), value, node })
}

fn node_affinity(spec: &PodSpec, node: &Node) -> Option<Vec<Obstacle>> {
    let labels = node.metadata.labels.as_ref();
    let mut all = Vec::new();
    for (key, value) in spec.node_selector.iter().flatten() {
        if labels.and_then(|it| it.get(key)) != Some(value) {
            let set = label(node, key, Some(value.clone()));
            all.push(set.into_iter().chain([Change::DropSelector { key: key.clone() }]).collect());
        }
    }
    let required = spec.affinity.as_ref().and_then(|it| it.node_affinity.as_ref());
    let required =
        required.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref());
    let terms = required.map(|it| it.node_selector_terms.as_slice()).unwrap_or_default();
    if terms.is_empty() || terms.iter().any(|it| api::selector::node_term_matches(it, node)) {
        // What is left is the profile's addedAffinity, which only the configuration can change.
        return (!all.is_empty()).then_some(all);
    }
    let ways = terms.iter().enumerate().filter_map(|(at, it)| term(node, at, it));
    match ways.min_by_key(Vec::len) {
        Some(way) => all.extend(way),
        None => all.push(vec![Change::DropNodeAffinity]),
    }
    Some(all)
}

/// What it takes to satisfy one term. `None` when it cannot be: a field, or nothing in it.
fn term(node: &Node, term: usize, it: &NodeSelectorTerm) -> Option<Vec<Obstacle>> {
    let expressions = it.match_expressions.as_deref().unwrap_or_default();
    let fields = it.match_fields.as_deref().unwrap_or_default();
    if expressions.is_empty()
        || !fields.iter().all(|it| api::selector::node_field_matches(it, node))
    {
        return None;
    }
    let others = expressions.len() + fields.len() > 1;
    let failing = expressions.iter().enumerate();
    let failing = failing.filter(|(_, it)| !api::selector::node_expression_matches(it, node));
    let remedies = failing.map(|(at, it)| {
        let first = it.values.iter().flatten().next();
        let number = || first?.parse::<i64>().ok();
        let value = match it.operator.as_str() {
            "In" => first.cloned().map(Some),
            "Exists" => Some(Some("true".to_owned())),
            "NotIn" | "DoesNotExist" => Some(None),
            "Gt" => number().map(|it| Some(it.saturating_add(1).to_string())),
            "Lt" => number().map(|it| Some(it.saturating_sub(1).to_string())),
            _ => None,
        };
        let set = value.and_then(|value| label(node, &it.key, value));
        let drop = others.then_some(Change::DropExpression { term, at });
        set.into_iter().chain(drop).chain([Change::DropNodeAffinity]).collect()
    });
    Some(remedies.collect())
}

fn delete(cache: &Cache, key: &str, node: &NodeInfo) -> Option<Change> {
    let on = |it: &NodeInfo| it.pods.iter().find(|it| &*it.key == key).cloned();
    let pod = on(node).or_else(|| cache.all().find_map(|it| on(it)))?;
    // Another would come in the place of one that has an owner.
    let owned = pod.pod.metadata.owner_references.as_ref().is_some_and(|it| !it.is_empty());
    let (namespace, name) = key.split_once('/')?;
    let change = Change::DeletePod { namespace: namespace.to_owned(), name: name.to_owned() };
    (!owned).then_some(change)
}

fn ports(spec: &PodSpec, pod: &PodInfo, node: &NodeInfo) -> Vec<Obstacle> {
    let mut all = Vec::new();
    for wanted in &pod.host_ports {
        let Some(by) = node.port_taken(wanted) else { continue };
        let mut obstacle: Obstacle = Vec::new();
        for (container, it) in spec.containers.iter().enumerate() {
            let ports = it.ports.iter().flatten().enumerate();
            let same = ports.filter(|(_, it)| it.host_port == Some(wanted.port));
            obstacle.extend(same.map(|(port, _)| Change::DropHostPort { container, port }));
        }
        if by.pod.metadata.owner_references.as_ref().is_none_or(Vec::is_empty)
            && let Some((namespace, name)) = by.key.split_once('/')
        {
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            obstacle.push(Change::DeletePod { namespace, name });
        }
        all.push(obstacle);
    }
    all
}

/// A resource that a node has too little of.
struct Missing {
    resource: String,
    asked: i64,
    by: i64,
}

impl Missing {
    fn share(&self) -> i64 {
        self.by.saturating_mul(1_000) / self.asked.max(1)
    }
}

fn missing(cache: &Cache, pod: &PodInfo, node: &NodeInfo) -> Vec<Missing> {
    let (has, used, asks) = (&node.allocatable, &node.requested, &pod.requests);
    let basic = [
        ("cpu", asks.milli_cpu, has.milli_cpu - used.milli_cpu),
        ("memory", asks.memory, has.memory - used.memory),
        (
            "ephemeral-storage",
            asks.ephemeral_storage,
            has.ephemeral_storage - used.ephemeral_storage,
        ),
    ];
    let basic = basic.map(|(name, asked, free)| (name.to_owned(), asked, free));
    let scalars = asks.scalars.iter().map(|(name, asked)| {
        let of = |it: &crate::framework::types::Resource| it.scalar(*name).unwrap_or_default();
        (cache.interner.text(*name).to_owned(), *asked, of(has) - of(used))
    });
    let all = basic.into_iter().chain(scalars);
    all.filter(|(_, asked, free)| *asked > 0 && asked > free)
        .map(|(resource, asked, free)| Missing { resource, asked, by: asked - free })
        .collect()
}

/// Which container could ask for how much less. `None` when the node is full of pods.
fn resources(
    cache: &Cache,
    spec: &PodSpec,
    pod: &PodInfo,
    node: &NodeInfo,
) -> Option<Vec<Obstacle>> {
    let n_pods = i64::try_from(node.pods.len()).unwrap_or(i64::MAX);
    if n_pods >= node.allocatable.pods {
        return None;
    }
    let obstacle = |it: Missing| -> Obstacle {
        let asked = spec.containers.iter().enumerate().filter_map(|(container, spec)| {
            let amount = spec.resources.as_ref()?.requests.as_ref()?.get(&it.resource)?;
            let amount = match it.resource.as_str() {
                "cpu" => quantity::milli_value(amount),
                _ => quantity::value(amount),
            };
            Some((amount, container))
        });
        let Some((most, container)) = asked.max() else { return Vec::new() };
        // Round figures are easier to read: whole Mi of bytes, 10m of cpu where that leaves some.
        let unit = match it.resource.as_str() {
            "memory" | "ephemeral-storage" => 1 << 20,
            "cpu" if most - it.by >= 100 => 10,
            _ => 1,
        };
        let amount = (most - it.by) / unit * unit;
        if amount <= 0 {
            return Vec::new();
        }
        let less = it.share().max(1);
        vec![Change::Request { less, resource: it.resource, container, amount }]
    };
    Some(missing(cache, pod, node).into_iter().map(obstacle).collect())
}

/// The place in a list at the end of a path.
fn place(path: &str) -> Option<usize> {
    path.rsplit_once('[')?.1.strip_suffix(']')?.parse().ok()
}

/// A node's label that would put it into a domain, with the values that other nodes have.
fn join_domain(cache: &Cache, node: &Node, key: &str) -> Vec<Change> {
    let values = cache.all().filter_map(|it| it.node.as_ref()?.metadata.labels.as_ref()?.get(key));
    let mut values: Vec<&String> = values.collect();
    values.order();
    values.dedup();
    let values = values.into_iter().take(MAX_VALUES);
    let mut all: Vec<Change> =
        values.filter_map(|value| label(node, key, Some(value.clone()))).collect();
    if all.is_empty() {
        let name = node.metadata.name.clone();
        all.extend(label(node, key, name));
    }
    all
}

fn spread(cache: &Cache, spec: &PodSpec, node: &Node, terms: &[Term]) -> Vec<Obstacle> {
    let constraints = spec.topology_spread_constraints.as_deref().unwrap_or_default();
    let obstacle = |it: &Term| -> Obstacle {
        let at = it.path.as_deref().and_then(place);
        let Some((at, constraint)) = at.and_then(|at| Some((at, constraints.get(at)?))) else {
            return Vec::new();
        };
        let key = &constraint.topology_key;
        let has = node.metadata.labels.as_ref().is_some_and(|it| it.contains_key(key));
        let first = if has {
            vec![Change::MaxSkew { at, skew: constraint.max_skew }]
        } else {
            join_domain(cache, node, key)
        };
        first.into_iter().chain([Change::ScheduleAnyway { at }]).collect()
    };
    terms.iter().map(obstacle).collect()
}

fn between_pods(cache: &Cache, spec: &PodSpec, node: &Node, terms: &[Term]) -> Vec<Obstacle> {
    let affinity = spec.affinity.as_ref().and_then(|it| it.pod_affinity.as_ref());
    let affinity =
        affinity.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_deref());
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let info = cache.node_by_name(name);
    // The term names the pod as `namespace/name on node`.
    let gone = |it: &str| {
        let key = it.split_once(" on ").map_or(it, |(key, _)| key);
        info.and_then(|it| delete(cache, key, it))
    };
    let obstacle = |it: &Term| -> Obstacle {
        let path = it.path.as_deref().unwrap_or_default();
        let at = place(path);
        match at {
            Some(at) if path.contains("podAffinity") => {
                let term = affinity.and_then(|it| it.get(at));
                let joins = term.map(|it| join_domain(cache, node, &it.topology_key));
                let drop = Change::DropPodTerm { anti: false, at };
                joins.into_iter().flatten().chain([drop]).collect()
            }
            Some(at) => {
                let drop = Change::DropPodTerm { anti: true, at };
                gone(&it.short).into_iter().chain([drop]).collect()
            }
            None => gone(&it.short).into_iter().collect(),
        }
    };
    terms.iter().map(obstacle).collect()
}
