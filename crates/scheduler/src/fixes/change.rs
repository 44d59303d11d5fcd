//! The single changes that are thought of.

use std::collections::BTreeMap;

use api::quantity::{Exact, Format};
use k8s_openapi::api::core::v1::{
    Affinity, Container, Node, PodAffinityTerm, PodSpec, Taint, Toleration,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The taint of a cordoned node.
pub(super) const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// A change to one thing. The order is that of the ranks: what touches least comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// A scheduler that runs.
    Scheduler { name: String },
    /// The pod is let go.
    DropGates,
    /// A node that was set aside takes pods again.
    Uncordon { node: String },
    /// The power of a node is switched on again.
    Recover { node: String },
    /// A label of a node is set, or removed.
    Label { key: String, value: Option<String>, node: String },
    /// The pod puts up with a taint.
    Tolerate { key: String, value: String, effect: String },
    /// A node loses a taint.
    Untaint { key: String, value: String, effect: String, node: String },
    /// A constraint allows more.
    MaxSkew { at: usize, skew: i32 },
    /// A constraint becomes a wish.
    ScheduleAnyway { at: usize },
    /// A label is no longer asked for.
    DropSelector { key: String },
    /// An expression of a term of the node affinity goes.
    DropExpression { term: usize, at: usize },
    /// The required node affinity goes.
    DropNodeAffinity,
    /// A required term towards other pods goes.
    DropPodTerm { anti: bool, at: usize },
    /// A port of the host is no longer asked for.
    DropHostPort { container: usize, port: usize },
    /// A container asks for less: by how much, of what, and what is left.
    Request { less: i64, resource: String, container: usize, amount: i64 },
    /// Another pod, which nothing would make again, goes.
    DeletePod { namespace: String, name: String },
    /// One more node like an existing one.
    AddNode { like: String, name: String },
}

impl Change {
    /// Changes of a kind that do the same in different places; only the first few are told.
    pub(super) fn slot(&self) -> (u8, String, usize) {
        let (kind, most) = match self {
            Self::Scheduler { .. } => (0, 1),
            Self::DropGates => (1, 1),
            Self::Uncordon { .. } => (2, 3),
            Self::Recover { .. } => (3, 3),
            Self::Label { key, .. } => return (4, key.clone(), 2),
            Self::Tolerate { .. } => (5, 3),
            Self::Untaint { key, .. } => return (6, key.clone(), 2),
            Self::MaxSkew { at, .. } => return (7, at.to_string(), 1),
            Self::ScheduleAnyway { .. } => (8, 2),
            Self::DropSelector { .. } => (9, 2),
            Self::DropExpression { .. } => (10, 2),
            Self::DropNodeAffinity => (11, 1),
            Self::DropPodTerm { .. } => (12, 2),
            Self::DropHostPort { .. } => (13, 2),
            Self::Request { resource, container, .. } => {
                return (14, format!("{resource} {container}"), 1);
            }
            Self::DeletePod { .. } => (15, 2),
            Self::AddNode { .. } => (16, 1),
        };
        (kind, String::new(), most)
    }

    /// The node that it changes, where it changes only that.
    pub(super) fn node(&self) -> Option<&str> {
        match self {
            Self::Uncordon { node }
            | Self::Recover { node }
            | Self::Label { node, .. }
            | Self::Untaint { node, .. } => Some(node),
            Self::AddNode { name, .. } => Some(name),
            _ => None,
        }
    }

    /// In words; `spec` is the pod's.
    pub(super) fn text(&self, spec: &PodSpec) -> String {
        match self {
            Self::Scheduler { name } => format!("let {name} schedule it"),
            Self::DropGates => "remove its scheduling gates".to_owned(),
            Self::Uncordon { node } => format!("uncordon {node}"),
            Self::Recover { node } => format!("switch {node} on again"),
            Self::Label { key, value: Some(value), node } => format!("label {node} {key}={value}"),
            Self::Label { key, value: None, node } => format!("remove label {key} from {node}"),
            Self::Tolerate { key, value, effect } => {
                format!("tolerate taint {}", taint_text(key, value, effect))
            }
            Self::Untaint { key, value, effect, node } => {
                format!("remove taint {} from {node}", taint_text(key, value, effect))
            }
            Self::MaxSkew { at, skew } => {
                format!("raise maxSkew over {} to {skew}", topology_key(spec, *at))
            }
            Self::ScheduleAnyway { at } => {
                format!("make the spread over {} ScheduleAnyway", topology_key(spec, *at))
            }
            Self::DropSelector { key } => format!("drop {key} from its nodeSelector"),
            Self::DropExpression { term, at } => {
                format!("drop expression {} of term {} of its node affinity", at + 1, term + 1)
            }
            Self::DropNodeAffinity => "drop its required node affinity".to_owned(),
            Self::DropPodTerm { anti, at } => {
                let what = if *anti { "anti-affinity" } else { "affinity" };
                format!("drop term {} of its pod {what}", at + 1)
            }
            Self::DropHostPort { container, port } => {
                let it = spec.containers.get(*container);
                let it = it.and_then(|it| it.ports.as_ref()?.get(*port)?.host_port);
                format!("drop host port {}", it.unwrap_or_default())
            }
            Self::Request { resource, amount, container, .. } => {
                let of = match spec.containers.as_slice() {
                    [_] => String::new(),
                    all => {
                        all.get(*container).map_or(String::new(), |it| format!(" in {}", it.name))
                    }
                };
                format!("ask for {} {resource}{of}", quantity(resource, *amount).0)
            }
            Self::DeletePod { namespace, name } => format!("delete pod {namespace}/{name}"),
            Self::AddNode { like, .. } => format!("add a node like {like}"),
        }
    }

    /// Changes a pod's spec, or its template's. Returns whether it is about pods at all.
    pub(super) fn change_pod(&self, spec: &mut PodSpec) -> bool {
        match self {
            Self::Scheduler { name } => spec.scheduler_name = Some(name.clone()),
            Self::DropGates => spec.scheduling_gates = None,
            Self::Tolerate { key, value, effect } => {
                spec.tolerations.get_or_insert_default().push(toleration(key, value, effect));
            }
            Self::MaxSkew { at, skew } => {
                if let Some(it) = constraint(spec, *at) {
                    it.max_skew = *skew;
                }
            }
            Self::ScheduleAnyway { at } => {
                if let Some(it) = constraint(spec, *at) {
                    it.when_unsatisfiable = "ScheduleAnyway".to_owned();
                    it.min_domains = None;
                }
            }
            Self::DropSelector { key } => {
                if let Some(it) = &mut spec.node_selector {
                    it.remove(key);
                }
            }
            Self::DropExpression { term, at } => drop_expression(spec, *term, *at),
            Self::DropNodeAffinity => {
                if let Some(it) = spec.affinity.as_mut().and_then(|it| it.node_affinity.as_mut()) {
                    it.required_during_scheduling_ignored_during_execution = None;
                }
            }
            Self::DropPodTerm { anti, at } => {
                let terms = spec.affinity.as_mut().and_then(|it| pod_terms(it, *anti));
                if let Some(terms) = terms.filter(|it| *at < it.len()) {
                    terms.remove(*at);
                }
            }
            Self::DropHostPort { container, port } => {
                let ports = spec.containers.get_mut(*container).and_then(|it| it.ports.as_mut());
                if let Some(it) = ports.and_then(|it| it.get_mut(*port)) {
                    it.host_port = None;
                }
            }
            Self::Request { resource, container, amount, .. } => {
                if let Some(it) = spec.containers.get_mut(*container) {
                    set_request(it, resource, *amount);
                }
            }
            _ => return false,
        }
        true
    }

    /// Changes a node.
    pub(super) fn change_node(&self, node: &mut Node) {
        let spec = node.spec.get_or_insert_default();
        let taints = spec.taints.get_or_insert_default();
        match self {
            Self::Uncordon { .. } => {
                taints.retain(|it| it.key != UNSCHEDULABLE);
                spec.unschedulable = None;
            }
            Self::Recover { .. } => taints.retain(|it| !is_health(it)),
            Self::Untaint { key, effect, .. } => {
                taints.retain(|it| it.key != *key || it.effect != *effect);
            }
            Self::Label { key, value, .. } => {
                let labels: &mut BTreeMap<_, _> = node.metadata.labels.get_or_insert_default();
                match value {
                    Some(value) => drop(labels.insert(key.clone(), value.clone())),
                    None => drop(labels.remove(key)),
                }
            }
            _ => {}
        }
    }
}

fn taint_text(key: &str, value: &str, effect: &str) -> String {
    let (value, effect) = (value.to_owned(), effect.to_owned());
    api::taints::to_text(&Taint {
        key: key.to_owned(),
        value: Some(value).filter(|it| !it.is_empty()),
        effect,
        ..Taint::default()
    })
}

fn toleration(key: &str, value: &str, effect: &str) -> Toleration {
    let operator = if value.is_empty() { "Exists" } else { "Equal" };
    Toleration {
        key: Some(key.to_owned()),
        operator: Some(operator.to_owned()),
        value: Some(value.to_owned()).filter(|it| !it.is_empty()),
        effect: Some(effect.to_owned()),
        ..Toleration::default()
    }
}

/// Whether the node lifecycle controller sets and removes the taint.
pub(super) fn is_health(taint: &Taint) -> bool {
    matches!(taint.key.as_str(), "node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable")
}

type Constraint = k8s_openapi::api::core::v1::TopologySpreadConstraint;

fn constraint(spec: &mut PodSpec, at: usize) -> Option<&mut Constraint> {
    spec.topology_spread_constraints.as_mut()?.get_mut(at)
}

fn topology_key(spec: &PodSpec, at: usize) -> &str {
    let all = spec.topology_spread_constraints.as_deref().unwrap_or_default();
    all.get(at).map_or("", |it| &it.topology_key)
}

fn pod_terms(affinity: &mut Affinity, anti: bool) -> Option<&mut Vec<PodAffinityTerm>> {
    if anti {
        let it = affinity.pod_anti_affinity.as_mut()?;
        it.required_during_scheduling_ignored_during_execution.as_mut()
    } else {
        let it = affinity.pod_affinity.as_mut()?;
        it.required_during_scheduling_ignored_during_execution.as_mut()
    }
}

fn drop_expression(spec: &mut PodSpec, term: usize, at: usize) {
    let required = spec
        .affinity
        .as_mut()
        .and_then(|it| it.node_affinity.as_mut())
        .and_then(|it| it.required_during_scheduling_ignored_during_execution.as_mut());
    let term = required.and_then(|it| it.node_selector_terms.get_mut(term));
    let expressions = term.and_then(|it| it.match_expressions.as_mut());
    if let Some(it) = expressions.filter(|it| at < it.len()) {
        it.remove(at);
    }
}

/// An amount as it is written: `1400m`, `1433Mi`, `2`.
fn quantity(resource: &str, amount: i64) -> Quantity {
    match resource {
        "cpu" => Exact::from_milli(amount).to_quantity(),
        "memory" | "ephemeral-storage" => Exact::from_value(amount, Format::BinarySi).to_quantity(),
        _ => Exact::from_value(amount, Format::DecimalSi).to_quantity(),
    }
}

fn set_request(container: &mut Container, resource: &str, amount: i64) {
    let quantity = quantity(resource, amount);
    let resources = container.resources.get_or_insert_default();
    // Of extended resources request and limit are one.
    if resource.contains('/')
        && let Some(limit) = resources.limits.as_mut().and_then(|it| it.get_mut(resource))
    {
        *limit = quantity.clone();
    }
    resources.requests.get_or_insert_default().insert(resource.to_owned(), quantity);
}
