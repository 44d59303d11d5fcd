//! What the kubelet says about its node: conditions, addresses, amounts, and its lease.
//!
//! Upstream: `pkg/kubelet/kubelet_node_status.go`, `pkg/kubelet/nodestatus/setters.go` and
//! `staging/src/k8s.io/component-helpers/apimachinery/lease/controller.go`, v1.36.
//! Differs from upstream: nothing is written every ten seconds. The lease carries the annotation
//! `sim.orrery.dev/renewing: "true"`, which stands for renewals in that rhythm until further
//! notice, and is written again with the last renewal when the node fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Gather;
use api::k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use api::k8s_openapi::api::core::v1::{
    Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeStatus, NodeSystemInfo,
};
use api::k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use api::k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use api::time::{after_ms, meta_time, micro_time, ms_between};
use api::{Action, EventSpec, Kind, Patch, Plan, Resource, Timestamp, View};

use crate::allocation::Waiting;
use crate::eviction::Manager;
use crate::predicate::Usage;
use crate::workload::PREFIX;

/// Where the leases of nodes live.
pub const LEASE_NAMESPACE: &str = "kube-node-lease";
/// Upstream: a quarter of `nodeLeaseDurationSeconds`.
const RENEW_MS: i64 = 10_000;
/// Upstream: the kubelet's default `nodeLeaseDurationSeconds`.
const LEASE_SECONDS: i32 = 40;

/// What the kubelets remember of one node.
#[derive(Clone, Debug)]
pub(crate) struct NodeState {
    /// The number of the node, by which it gets its addresses.
    pub(crate) index: usize,
    /// When this kubelet started.
    pub(crate) started: Timestamp,
    /// The lease is renewed every ten seconds from here on.
    pub(crate) lease_base: Timestamp,
    pub(crate) renewing: bool,
    pub(crate) failed: bool,
    /// The last that was known of the Node object, once somebody has deleted it. Upstream:
    /// `getNodeAnyWay`, which makes one up.
    pub(crate) deleted: Option<Arc<Node>>,
    /// Since when it has been working without a gap.
    pub(crate) resumed_at: Timestamp,
    pub(crate) usage: Usage,
    ips: BTreeMap<u32, ()>,
    next_ip: u32,
    unschedulable: bool,
    pub(crate) eviction: Manager,
    pub(crate) resizes: Waiting,
}

impl NodeState {
    pub(crate) fn new(index: usize, now: Timestamp) -> Self {
        Self {
            index,
            started: now,
            lease_base: now,
            renewing: false,
            failed: false,
            deleted: None,
            resumed_at: now,
            usage: Usage::default(),
            ips: BTreeMap::new(),
            next_ip: 2,
            unschedulable: false,
            eviction: Manager::default(),
            resizes: Waiting::default(),
        }
    }

    /// The next free address of the node's range, as the host-local plugin hands them out.
    pub(crate) fn take_ip(&mut self, node: &Node) -> String {
        let prefix = self.prefix(node);
        for _ in 0..253 {
            let host = self.next_ip;
            self.next_ip = if host >= 254 { 2 } else { host + 1 };
            if self.ips.insert(host, ()).is_none() {
                return format!("{prefix}.{host}");
            }
        }
        format!("{prefix}.255")
    }

    pub(crate) fn free_ip(&mut self, ip: &str) {
        if let Some(host) = ip.rsplit('.').next().and_then(|it| it.parse().ok()) {
            self.ips.remove(&host);
        }
    }

    /// The first three numbers of the pod addresses of the node.
    fn prefix(&self, node: &Node) -> String {
        let cidr = node.spec.as_ref().and_then(|it| it.pod_cidr.as_deref());
        let own = cidr.and_then(|it| it.strip_suffix("/24")).and_then(|it| it.rsplit_once('.'));
        match own {
            Some((prefix, _)) => prefix.to_owned(),
            None => format!("10.{}.{}", 244 + self.index / 256, self.index % 256),
        }
    }
}

/// The switches that a scenario sets on a node.
pub(crate) fn is_on(node: &Node, key: &str) -> bool {
    let annotations = node.metadata.annotations.as_ref();
    annotations.and_then(|it| it.get(&format!("{PREFIX}{key}"))).is_some_and(|it| it != "false")
}

/// The address of the node, from its status where it has one.
pub(crate) fn host_ip(node: &Node, index: usize) -> String {
    let addresses = node.status.iter().flat_map(|it| it.addresses.iter().flatten());
    let mut internal = addresses.filter(|it| it.type_ == "InternalIP");
    let given = internal.next().map(|it| it.address.clone());
    given.unwrap_or_else(|| format!("172.18.{}.{}", (index + 2) / 256, (index + 2) % 256))
}

/// Brings the Node object and its lease up to date.
pub(crate) fn sync_node(node: &Node, state: &mut NodeState, view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    let failed = is_on(node, "failed");
    if failed {
        state.failed = true;
        if std::mem::take(&mut state.renewing) {
            let periods = ms_between(state.lease_base, view.now) / RENEW_MS;
            let last = after_ms(state.lease_base, periods * RENEW_MS);
            sync_lease(node, last, false, view, &mut plan);
        }
        return plan;
    }
    if std::mem::take(&mut state.failed) {
        state.resumed_at = view.now;
    }
    let first = !is_described(node.status.as_ref());
    if first {
        plan.record(event(node, "Starting", "Starting kubelet."));
    }
    sync_status(node, state, view.now, &mut plan);
    sync_labels(node, &mut plan);
    if !state.renewing {
        state.renewing = true;
        state.lease_base = view.now;
        sync_lease(node, view.now, true, view, &mut plan);
    }
    let unschedulable = node.spec.as_ref().and_then(|it| it.unschedulable) == Some(true);
    if unschedulable != state.unschedulable {
        state.unschedulable = unschedulable;
        let word = if unschedulable { "NodeNotSchedulable" } else { "NodeSchedulable" };
        plan.record(event(node, word, &format!("Node {} status is now: {word}", node.name())));
    }
    plan
}

pub(crate) fn event(node: &Node, reason: &str, message: &str) -> EventSpec {
    // Upstream's reference to the node has its name for a uid.
    let event = EventSpec::about("kubelet", node.object_ref(), node.name(), reason, message);
    EventSpec { host: node.name().into(), ..event }
}

fn sync_status(node: &Node, state: &NodeState, now: Timestamp, plan: &mut Plan) {
    let old = node.status.clone().unwrap_or_default();
    let mut new = old.clone();
    defaults(&mut new, node, state.index);
    let mut changed = false;
    let conditions = new.conditions.get_or_insert_default();
    for (type_, status, reason, message) in conditions_of(node, state.eviction.pressure) {
        let existing = conditions.iter_mut().find(|it| it.type_ == type_);
        let same = existing
            .as_ref()
            .is_some_and(|it| it.status == status && it.reason.as_deref() == Some(reason));
        if same {
            continue;
        }
        changed = true;
        let turned = existing.as_ref().is_none_or(|it| it.status != status);
        let since = existing.as_ref().and_then(|it| it.last_transition_time.clone());
        let condition = NodeCondition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_heartbeat_time: Some(meta_time(now)),
            last_transition_time: if turned { Some(meta_time(now)) } else { since },
        };
        if type_ == "Ready" && turned {
            let word = if status == "True" { "NodeReady" } else { "NodeNotReady" };
            plan.record(event(node, word, &format!("Node {} status is now: {word}", node.name())));
        }
        match existing {
            Some(it) => *it = condition,
            None => conditions.push(condition),
        }
    }
    if changed || new != old {
        for condition in new.conditions.iter_mut().flatten() {
            condition.last_heartbeat_time = Some(meta_time(now));
        }
        let mut node = node.clone();
        node.status = Some(new);
        plan.actions.insert(0, Action::UpdateStatus(node.into_object()));
    }
}

type Condition = (&'static str, &'static str, &'static str, &'static str);

fn conditions_of(node: &Node, short_of_memory: bool) -> [Condition; 4] {
    let is_bad = |key: &str| is_on(node, key) || (short_of_memory && key == "memory-pressure");
    let pick = |key: &str, bad: Condition, good: Condition| if is_bad(key) { bad } else { good };
    [
        pick(
            "memory-pressure",
            (
                "MemoryPressure",
                "True",
                "KubeletHasInsufficientMemory",
                "kubelet has insufficient memory available",
            ),
            (
                "MemoryPressure",
                "False",
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
        ),
        pick(
            "disk-pressure",
            ("DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure"),
            ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ),
        pick(
            "pid-pressure",
            (
                "PIDPressure",
                "True",
                "KubeletHasInsufficientPID",
                "kubelet has insufficient PID available",
            ),
            (
                "PIDPressure",
                "False",
                "KubeletHasSufficientPID",
                "kubelet has sufficient PID available",
            ),
        ),
        pick(
            "not-ready",
            ("Ready", "False", "KubeletNotReady", "container runtime is down"),
            ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ),
    ]
}

/// What a manifest of a Node mostly leaves out.
fn defaults(status: &mut NodeStatus, node: &Node, index: usize) {
    let quantity = |text: &str| Quantity(text.to_owned());
    if status.capacity.is_none() {
        let usual = || {
            let usual =
                [("cpu", "4"), ("memory", "8Gi"), ("ephemeral-storage", "100Gi"), ("pods", "110")];
            usual.into_iter().map(|(name, it)| (name.to_owned(), quantity(it))).to_map()
        };
        status.capacity = Some(status.allocatable.clone().unwrap_or_else(usual));
    }
    if status.allocatable.is_none() {
        status.allocatable = status.capacity.clone();
    }
    for amounts in [&mut status.capacity, &mut status.allocatable] {
        let amounts = amounts.get_or_insert_default();
        amounts.entry("pods".to_owned()).or_insert_with(|| quantity("110"));
    }
    if status.addresses.is_none() {
        let address =
            |type_: &str, address: String| NodeAddress { type_: type_.to_owned(), address };
        status.addresses = Some(vec![
            address("InternalIP", host_ip(node, index)),
            address("Hostname", node.name().to_owned()),
        ]);
    }
    if !is_described(Some(status)) {
        let id = format!("{:032x}", crate::duration::hash(0, &["machine", node.name()]));
        status.node_info = Some(NodeSystemInfo {
            architecture: label(node, "kubernetes.io/arch").unwrap_or("amd64").to_owned(),
            operating_system: label(node, "kubernetes.io/os").unwrap_or("linux").to_owned(),
            boot_id: id.clone(),
            machine_id: id.clone(),
            system_uuid: id,
            container_runtime_version: "containerd://2.2.0".to_owned(),
            kernel_version: "6.12.0".to_owned(),
            kubelet_version: "v1.36.2".to_owned(),
            os_image: "Orrery (simulated)".to_owned(),
            ..NodeSystemInfo::default()
        });
        status.daemon_endpoints.get_or_insert_with(NodeDaemonEndpoints::default);
    }
}

/// Whether somebody has told what the machine is. The server fills in an empty description.
fn is_described(status: Option<&NodeStatus>) -> bool {
    let info = status.and_then(|it| it.node_info.as_ref());
    info.is_some_and(|it| !it.kubelet_version.is_empty())
}

fn label<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// The labels that every kubelet gives its node. Upstream: `updateDefaultLabels`.
fn sync_labels(node: &Node, plan: &mut Plan) {
    let labels = [
        ("kubernetes.io/hostname", node.name()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "amd64"),
    ];
    let missing: serde_json::Map<String, serde_json::Value> = labels
        .into_iter()
        .filter(|(key, _)| label(node, key).is_none())
        .map(|(key, value)| (key.to_owned(), value.into()))
        .to_object();
    if !missing.is_empty() {
        plan.push(Action::Patch {
            key: node.object_ref(),
            subresource: "",
            patch: Patch::Merge(serde_json::json!({"metadata": {"labels": missing}})),
        });
    }
}

fn sync_lease(node: &Node, renewed: Timestamp, renewing: bool, view: &View<'_>, plan: &mut Plan) {
    let old = view.listers.get::<Lease>(LEASE_NAMESPACE, node.name());
    let mut lease = old.cloned().unwrap_or_default();
    lease.metadata.name = Some(node.name().to_owned());
    lease.metadata.namespace = Some(LEASE_NAMESPACE.to_owned());
    lease.metadata.owner_references = Some(vec![OwnerReference {
        api_version: Kind::Node.api_version(),
        kind: Kind::Node.name().to_owned(),
        name: node.name().to_owned(),
        uid: node.uid().to_owned(),
        ..OwnerReference::default()
    }]);
    let annotations = lease.metadata.annotations.get_or_insert_default();
    annotations.insert(format!("{PREFIX}renewing"), renewing.to_string());
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(node.name().to_owned()),
        lease_duration_seconds: Some(LEASE_SECONDS),
        renew_time: Some(micro_time(renewed)),
        ..LeaseSpec::default()
    });
    let object = lease.into_object();
    plan.push(match old {
        Some(_) => Action::Update(object),
        None => Action::Create { object, created: None, failed: None },
    });
}
