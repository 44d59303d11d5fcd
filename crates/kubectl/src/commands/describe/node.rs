//! Nodes with what is allocated on them.

use api::Order;
use std::collections::BTreeMap;

use api::quantity::{self, Exact};
use api::resources::{Amounts, Side, pod_amounts, spec_amounts};
use api::{Resource, pods};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::storage::v1::CSINode;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

use super::{Cluster, Page, line, rfc1123};
use crate::printers::core::node_roles;
use rows::human;

/// Upstream: `describeCSINode`.
pub(super) fn csi_node(page: &mut Page, node: &CSINode) {
    line!(page, 0, "Name:\t{}", node.name());
    page.pairs("Labels", node.metadata.labels.as_ref());
    page.annotations("Annotations", node.metadata.annotations.as_ref());
    line!(page, 0, "CreationTimestamp:\t{}", rfc1123(node.metadata.creation_timestamp.as_ref()));
    page.line(0, "Spec:");
    if !node.spec.drivers.is_empty() {
        page.line(1, "Drivers:");
    }
    for driver in &node.spec.drivers {
        line!(page, 2, "{}:", driver.name);
        line!(page, 3, "Node ID:\t{}", driver.node_id);
        if let Some(count) = driver.allocatable.as_ref().and_then(|it| it.count) {
            page.line(3, "Allocatables:");
            line!(page, 4, "Count:\t{count}");
        }
        if let Some(keys) = &driver.topology_keys {
            line!(page, 3, "Topology Keys:\t[{}]", keys.join(" "));
        }
    }
}

pub(super) fn node(page: &mut Page, node: &Node, cluster: &Cluster<'_>) {
    let spec = node.spec.clone().unwrap_or_default();
    let status = node.status.clone().unwrap_or_default();
    line!(page, 0, "Name:\t{}", node.name());
    line!(page, 0, "Roles:\t{}", node_roles(node));
    page.pairs("Labels", node.metadata.labels.as_ref());
    page.annotations("Annotations", node.metadata.annotations.as_ref());
    line!(page, 0, "CreationTimestamp:\t{}", rfc1123(node.metadata.creation_timestamp.as_ref()));
    let mut taints = spec.taints.unwrap_or_default();
    taints.order_by_key(|it| format!("{},{}", it.effect, it.key));
    let taints: Vec<String> = taints
        .iter()
        .map(|it| match it.value.as_deref() {
            Some(value) if !value.is_empty() => format!("{}={value}:{}", it.key, it.effect),
            _ => format!("{}:{}", it.key, it.effect),
        })
        .collect();
    page.list("Taints", &taints);
    line!(page, 0, "Unschedulable:\t{}", spec.unschedulable.unwrap_or_default());
    lease(page, node.name(), cluster);
    let conditions = status.conditions.clone().unwrap_or_default();
    if !conditions.is_empty() {
        page.line(
            0,
            "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage",
        );
        page.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    }
    for it in &conditions {
        line!(
            page,
            1,
            "{} \t{} \t{} \t{} \t{} \t{}",
            it.type_,
            it.status,
            rfc1123(it.last_heartbeat_time.as_ref()),
            rfc1123(it.last_transition_time.as_ref()),
            it.reason.as_deref().unwrap_or_default(),
            it.message.as_deref().unwrap_or_default()
        );
    }
    page.line(0, "Addresses:");
    let addresses = status.addresses.clone().unwrap_or_default();
    addresses.iter().for_each(|it| line!(page, 1, "{}:\t{}", it.type_, it.address));
    for (title, amounts) in [("Capacity", &status.capacity), ("Allocatable", &status.allocatable)] {
        if amounts.as_ref().is_some_and(|it| !it.is_empty()) {
            line!(page, 0, "{title}:");
        }
        for (name, amount) in amounts.iter().flatten() {
            line!(page, 0, "  {name}:\t{}", quantity::canonical(&amount.0));
        }
    }
    system_info(page, node);
    let filled = |it: Option<String>| it.filter(|it| !it.is_empty());
    if let Some(cidr) = filled(spec.pod_cidr) {
        line!(page, 0, "PodCIDR:\t{cidr}");
    }
    if let Some(all) = spec.pod_cidrs.filter(|it| !it.is_empty()) {
        line!(page, 0, "PodCIDRs:\t{}", all.join(","));
    }
    if let Some(id) = filled(spec.provider_id) {
        line!(page, 0, "ProviderID:\t{id}");
    }
    allocated(page, node, cluster);
}

fn lease(page: &mut Page, name: &str, cluster: &Cluster<'_>) {
    let Some(lease) = cluster.listers.get::<Lease>("kube-node-lease", name) else {
        line!(
            page,
            0,
            "Lease:\tFailed to get lease: leases.coordination.k8s.io {name:?} not found"
        );
        return;
    };
    let spec = lease.spec.clone().unwrap_or_default();
    let time = |it: Option<&MicroTime>| {
        it.map_or_else(|| "<unset>".to_owned(), |it| rfc1123(Some(&Time(it.0))))
    };
    page.line(0, "Lease:");
    let holder = spec.holder_identity.unwrap_or_else(|| "<unset>".to_owned());
    line!(page, 1, "HolderIdentity:\t{holder}");
    line!(page, 1, "AcquireTime:\t{}", time(spec.acquire_time.as_ref()));
    line!(page, 1, "RenewTime:\t{}", time(spec.renew_time.as_ref()));
}

fn system_info(page: &mut Page, node: &Node) {
    let info = node.status.clone().unwrap_or_default().node_info.unwrap_or_default();
    let rows = [
        ("Machine ID", info.machine_id),
        ("System UUID", info.system_uuid),
        ("Boot ID", info.boot_id),
        ("Kernel Version", info.kernel_version),
        ("OS Image", info.os_image),
        ("Operating System", info.operating_system),
        ("Architecture", info.architecture),
        ("Container Runtime Version", info.container_runtime_version),
        ("Kubelet Version", info.kubelet_version),
    ];
    page.line(0, "System Info:");
    rows.iter().for_each(|(name, value)| line!(page, 0, "  {name}:\t{value}"));
}

/// What the pods of a node ask for. Upstream: `describeNodeResource`.
fn allocated(page: &mut Page, node: &Node, cluster: &Cluster<'_>) {
    let status = node.status.clone().unwrap_or_default();
    let has =
        |it: &Option<BTreeMap<String, Quantity>>| it.as_ref().is_some_and(|it| !it.is_empty());
    let available = if has(&status.allocatable) { status.allocatable } else { status.capacity };
    let available = available.unwrap_or_default();
    let mut all: Vec<&Pod> =
        cluster.listers.pods_on(node.name()).filter(|it| !pods::is_terminal(it)).collect();
    all.order_by_key(|it| (it.namespace().to_owned(), it.name().to_owned()));
    line!(page, 0, "Non-terminated Pods:\t({} in total)", all.len());
    page.line(
        1,
        "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge",
    );
    page.line(
        1,
        "---------\t----\t\t------------\t----------\t---------------\t-------------\t---",
    );
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    for pod in all {
        // While the pod is resized, its own line tells what counts, the sum what is asked for.
        let of_pod = [Side::Requests, Side::Limits].map(|side| pod_amounts(pod, side));
        let cell = |n: usize, name: &str| share(&of_pod[n], name, &available);
        line!(
            page,
            1,
            "{}\t{}\t\t{}\t{}\t{}\t{}\t{}",
            pod.namespace(),
            pod.name(),
            cell(0, "cpu"),
            cell(1, "cpu"),
            cell(0, "memory"),
            cell(1, "memory"),
            human::since(pod.metadata.creation_timestamp.as_ref(), cluster.now)
        );
        if let Some(spec) = &pod.spec {
            add(&mut requests, &spec_amounts(spec, Side::Requests));
            add(&mut limits, &spec_amounts(spec, Side::Limits));
        }
    }
    page.line(
        0,
        "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)",
    );
    page.line(1, "Resource\tRequests\tLimits");
    page.line(1, "--------\t--------\t------");
    let mut names = vec!["cpu", "memory", "ephemeral-storage"];
    let is_huge = |it: &&str| it.starts_with("hugepages-");
    let others = available.keys().map(String::as_str);
    let others: Vec<&str> = others.filter(|it| !names.contains(it) && *it != "pods").collect();
    names.extend(others.iter().copied().filter(is_huge));
    for name in names {
        let (of_requests, of_limits) =
            (share(&requests, name, &available), share(&limits, name, &available));
        line!(page, 1, "{name}\t{of_requests}\t{of_limits}");
    }
    for name in others.into_iter().filter(|it| !is_huge(it)) {
        line!(page, 1, "{name}\t{}\t{}", text(&requests, name), text(&limits, name));
    }
}

fn text(amounts: &Amounts, name: &str) -> String {
    amounts.get(name).map_or_else(|| "0".to_owned(), |it| it.to_quantity().0)
}

/// `500m (12%)`.
fn share(amounts: &Amounts, name: &str, available: &BTreeMap<String, Quantity>) -> String {
    let measure = |it: Exact| if name == "cpu" { it.milli_value() } else { it.value() };
    let used = amounts.get(name).map_or(0, |it| measure(*it));
    let whole = available.get(name).and_then(|it| quantity::parse(&it.0).ok()).map_or(0, measure);
    let percent = match whole {
        0 => 0,
        whole => i128::from(used) * 100 / i128::from(whole),
    };
    format!("{} ({percent}%)", text(amounts, name))
}

fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let total = sum.get(name).map_or(*amount, |it| it.plus(*amount));
        sum.insert(name.clone(), total);
    }
}
