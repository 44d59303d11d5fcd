//! The kubelet's own look at a pod before it runs it: the second gate after the scheduler, and the
//! only one for pods that name their node.
//!
//! Upstream: `pkg/kubelet/lifecycle/predicate.go` and `pkg/scheduler/eventhandlers.go`
//! (`AdmissionCheck`), v1.36.
//! Differs from upstream: the amounts in use are kept as sums and not added up anew for each pod.

use std::collections::BTreeMap;

use api::k8s_openapi::api::core::v1::{Node, Pod, PodSpec};
use api::{quantity, selector, taints};

/// Why a pod is not admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// `(protocol, address, port)` on the node.
pub(crate) type HostPort = (String, String, i32);

/// What the admitted pods of a node use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) n_pods: i64,
    pub(crate) amounts: BTreeMap<String, i64>,
    pub(crate) ports: Vec<HostPort>,
}

impl Usage {
    pub(crate) fn add(&mut self, requests: &BTreeMap<String, i64>, ports: &[HostPort]) {
        self.n_pods += 1;
        for (name, amount) in requests {
            *self.amounts.entry(name.clone()).or_default() += amount;
        }
        self.ports.extend_from_slice(ports);
    }

    pub(crate) fn remove(&mut self, requests: &BTreeMap<String, i64>, ports: &[HostPort]) {
        self.n_pods -= 1;
        for (name, amount) in requests {
            *self.amounts.entry(name.clone()).or_default() -= amount;
        }
        for port in ports {
            if let Some(at) = self.ports.iter().position(|it| it == port) {
                self.ports.swap_remove(at);
            }
        }
    }
}

/// The host ports that a pod asks for.
pub(crate) fn host_ports(spec: &PodSpec) -> Vec<HostPort> {
    let sidecars =
        spec.init_containers.iter().flatten().filter(|it| api::resources::is_sidecar(it));
    let containers = spec.containers.iter().chain(sidecars);
    let ports = containers.flat_map(|it| it.ports.iter().flatten());
    let text = |it: &Option<String>, or: &str| it.clone().unwrap_or_else(|| or.to_owned());
    ports
        .filter_map(|it| {
            let port = it.host_port.filter(|it| *it > 0)?;
            Some((text(&it.protocol, "TCP"), text(&it.host_ip, "0.0.0.0"), port))
        })
        .collect()
}

/// Upstream: `predicateAdmitHandler.Admit`.
pub(crate) fn admit(
    pod: &Pod,
    spec: &PodSpec,
    requests: &BTreeMap<String, i64>,
    ports: &[HostPort],
    node: &Node,
    usage: &Usage,
    is_static: bool,
) -> Result<(), Refusal> {
    let os_label = pod.metadata.labels.as_ref().and_then(|it| it.get("kubernetes.io/os"));
    if os_label.is_some_and(|it| it != "linux") {
        return refuse(
            "PodOSSelectorNodeLabelDoesNotMatch",
            "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
        );
    }
    if spec.os.as_ref().is_some_and(|it| it.name != "linux") {
        return refuse(
            "PodOSNotSupported",
            "Failed to admit pod as the OS field doesn't match node OS",
        );
    }
    fits_resources(requests, node, usage)?;
    admit_elsewise(spec, ports, node, usage, is_static)
}

/// What no room helps against.
pub(crate) fn admit_elsewise(
    spec: &PodSpec,
    ports: &[HostPort],
    node: &Node,
    usage: &Usage,
    is_static: bool,
) -> Result<(), Refusal> {
    if !matches_affinity(spec, node) {
        return fails("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
    }
    if ports.iter().any(|it| usage.ports.iter().any(|used| conflict(it, used))) {
        let text = "node(s) didn't have free ports for the requested pod ports";
        return fails("NodePorts", text);
    }
    let tolerations = spec.tolerations.as_deref().unwrap_or_default();
    let untolerated = taints::first_untolerated(
        taints::of_node(node),
        tolerations,
        &[taints::effect::NO_EXECUTE],
    );
    if untolerated.is_some() && !is_static {
        return fails("TaintToleration", "node(s) had taints that the pod didn't tolerate");
    }
    Ok(())
}

fn refuse(reason: &str, message: &str) -> Result<(), Refusal> {
    Err(Refusal { reason: reason.to_owned(), message: message.to_owned() })
}

fn fails(predicate: &str, text: &str) -> Result<(), Refusal> {
    refuse(predicate, &format!("Predicate {predicate} failed: {text}"))
}

/// Upstream: `noderesources.Fits`, of which the kubelet tells the first shortage.
fn fits_resources(
    requests: &BTreeMap<String, i64>,
    node: &Node,
    usage: &Usage,
) -> Result<(), Refusal> {
    let Some(it) = shortages(requests, node, usage).into_iter().next() else { return Ok(()) };
    let Shortage { name, requested, used, capacity } = it;
    let message = format!(
        "Node didn't have enough resource: {name}, requested: {requested}, used: {used}, \
         capacity: {capacity}"
    );
    Err(Refusal { reason: format!("OutOf{name}"), message })
}

/// Upstream: `InsufficientResourceError`.
#[derive(Debug)]
pub(crate) struct Shortage<'a> {
    pub(crate) name: &'a str,
    requested: i64,
    used: i64,
    capacity: i64,
}

impl Shortage<'_> {
    /// Upstream: `GetInsufficientAmount`.
    pub(crate) fn missing(&self) -> i64 {
        self.requested - (self.capacity - self.used)
    }
}

/// What the node has too little of.
pub(crate) fn shortages<'a>(
    requests: &'a BTreeMap<String, i64>,
    node: &Node,
    usage: &Usage,
) -> Vec<Shortage<'a>> {
    const FIRST: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
    let status = node.status.as_ref();
    let allocatable = status.and_then(|it| it.allocatable.as_ref().or(it.capacity.as_ref()));
    let capacity = |name: &str| {
        let amount = allocatable.and_then(|it| it.get(name))?;
        Some(if name == "cpu" { quantity::milli_value(amount) } else { quantity::value(amount) })
    };
    let mut found = Vec::new();
    let pods = capacity("pods").unwrap_or(0);
    if usage.n_pods + 1 > pods {
        found.push(Shortage { name: "pods", requested: 1, used: usage.n_pods, capacity: pods });
    }
    let others = requests.keys().map(String::as_str).filter(|it| !FIRST.contains(it));
    for name in FIRST.into_iter().chain(others) {
        let requested = requests.get(name).copied().unwrap_or(0);
        let used = usage.amounts.get(name).copied().unwrap_or(0);
        let capacity = match capacity(name) {
            Some(capacity) => capacity,
            // Resources that the node has never heard of belong to the cluster.
            None if name.contains('/') => continue,
            None => 0,
        };
        if requested > 0 && requested > capacity - used {
            found.push(Shortage { name, requested, used, capacity });
        }
    }
    found
}

fn matches_affinity(spec: &PodSpec, node: &Node) -> bool {
    let labels = node.metadata.labels.as_ref();
    let selected = spec
        .node_selector
        .iter()
        .flatten()
        .all(|(key, value)| labels.and_then(|it| it.get(key)) == Some(value));
    let affinity = spec.affinity.as_ref().and_then(|it| it.node_affinity.as_ref());
    let required =
        affinity.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref());
    selected && required.is_none_or(|it| selector::node_selector_matches(it, node))
}

fn conflict(a: &HostPort, b: &HostPort) -> bool {
    const ANY: &str = "0.0.0.0";
    a.0 == b.0 && a.2 == b.2 && (a.1 == b.1 || a.1 == ANY || b.1 == ANY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::k8s_openapi::api::core::v1::{NodeSpec, NodeStatus, Taint};
    use api::k8s_openapi::apimachinery::pkg::api::resource::Quantity;

    fn node() -> Node {
        let amounts = [("cpu", "2"), ("memory", "4Gi"), ("pods", "3")];
        let allocatable =
            amounts.iter().map(|(k, v)| ((*k).to_owned(), Quantity((*v).to_owned()))).collect();
        let mut node = Node {
            status: Some(NodeStatus { allocatable: Some(allocatable), ..NodeStatus::default() }),
            ..Node::default()
        };
        node.metadata.labels = Some([("disk".to_owned(), "ssd".to_owned())].into());
        node
    }

    fn check(
        edit: impl Fn(&mut PodSpec, &mut Node, &mut Usage),
        cpu: i64,
        expected: Option<(&str, &str)>,
    ) {
        let (mut spec, mut node, mut usage) = (PodSpec::default(), node(), Usage::default());
        edit(&mut spec, &mut node, &mut usage);
        let requests = [("cpu".to_owned(), cpu), ("example.com/gpu".to_owned(), 1)].into();
        let ports = host_ports(&spec);
        let answer = admit(&Pod::default(), &spec, &requests, &ports, &node, &usage, false);
        let answer = answer.err().map(|it| (it.reason, it.message));
        let expected = expected.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(answer, expected);
    }

    #[test]
    fn pods_that_do_not_fit_are_refused_in_upstreams_words() {
        check(|_, _, _| {}, 2_000, None);
        check(
            |_, _, usage| usage.add(&[("cpu".to_owned(), 500)].into(), &[]),
            1_600,
            Some((
                "OutOfcpu",
                "Node didn't have enough resource: cpu, requested: 1600, used: 500, capacity: 2000",
            )),
        );
        check(
            |_, _, usage| usage.n_pods = 3,
            0,
            Some((
                "OutOfpods",
                "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
            )),
        );
        check(
            |spec, _, _| spec.node_selector = Some([("disk".to_owned(), "hdd".to_owned())].into()),
            0,
            Some((
                "NodeAffinity",
                "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
            )),
        );
    }

    #[test]
    fn only_no_execute_taints_count() {
        let taint = |effect: &'static str| {
            move |_: &mut PodSpec, node: &mut Node, _: &mut Usage| {
                let taint = Taint { key: "k".into(), effect: effect.into(), ..Taint::default() };
                node.spec = Some(NodeSpec { taints: Some(vec![taint]), ..NodeSpec::default() });
            }
        };
        check(taint("NoSchedule"), 0, None);
        check(
            taint("NoExecute"),
            0,
            Some((
                "TaintToleration",
                "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
            )),
        );
    }

    #[test]
    fn what_a_pod_used_is_free_again_after_it() {
        let mut usage = Usage::default();
        let requests: BTreeMap<String, i64> = [("cpu".to_owned(), 500)].into();
        let port: HostPort = ("TCP".into(), "0.0.0.0".into(), 80);
        usage.add(&requests, std::slice::from_ref(&port));
        usage.remove(&requests, &[port]);
        assert_eq!((usage.n_pods, usage.amounts["cpu"], usage.ports.len()), (0, 0, 0));
    }
}
