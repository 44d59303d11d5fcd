//! Rows of pods, nodes, services, storage and events.
//!
//! Upstream: `pkg/printers/internalversion/printers.go`, v1.36.

use std::collections::{BTreeMap, BTreeSet};

use api::Gather;
use api::{Resource, quantity};
use k8s_openapi::api::core::v1::{
    Node, NodeStatus, PersistentVolume, PersistentVolumeClaim, ResourceQuota, Service,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::storage::v1::{CSIDriver, StorageClass};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{format_labels, or_none};

/// The roles of a node from its labels, sorted. Upstream: `findNodeRoles`.
pub(crate) fn node_roles(node: &Node) -> String {
    let labels = node.metadata.labels.iter().flatten();
    let roles: BTreeSet<&str> = labels
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None => (key == "kubernetes.io/role").then_some(value.as_str()),
        })
        .filter(|it| !it.is_empty())
        .to_set();
    or_none(roles.into_iter().collect::<Vec<_>>().join(","))
}

pub(super) fn node(node: &Node, age: String) -> Vec<String> {
    let no_status = NodeStatus::default();
    let status = node.status.as_ref().unwrap_or(&no_status);
    let ready = status.conditions.iter().flatten().rfind(|it| it.type_ == "Ready");
    let mut text = match ready {
        Some(it) if it.status == "True" => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if node.spec.as_ref().is_some_and(|it| it.unschedulable == Some(true)) {
        text.push_str(",SchedulingDisabled");
    }
    let address = |type_: &str| {
        let found = status.addresses.iter().flatten().find(|it| it.type_ == type_);
        found.map_or_else(|| "<none>".to_owned(), |it| it.address.clone())
    };
    let info = status.node_info.clone().unwrap_or_default();
    let known = |text: String| if text.is_empty() { "<unknown>".to_owned() } else { text };
    let mut kernel = known(info.kernel_version);
    if !info.architecture.is_empty() {
        kernel = format!("{kernel} ({})", info.architecture);
    }
    vec![
        node.name().to_owned(),
        text,
        node_roles(node),
        age,
        info.kubelet_version,
        address("InternalIP"),
        address("ExternalIP"),
        known(info.os_image),
        kernel,
        known(info.container_runtime_version),
    ]
}

/// Upstream: `getServiceExternalIP`.
fn external_ip(service: &Service) -> String {
    let spec = service.spec.clone().unwrap_or_default();
    let external = spec.external_ips.unwrap_or_default();
    match spec.type_.as_deref() {
        Some("ClusterIP" | "NodePort") => or_none(external.join(",")),
        Some("LoadBalancer") => {
            let status = service.status.clone().unwrap_or_default();
            let ingress = status.load_balancer.and_then(|it| it.ingress).unwrap_or_default();
            let ips: BTreeSet<String> =
                ingress.into_iter().filter_map(|it| it.ip.or(it.hostname)).to_set();
            let all: Vec<String> = ips.into_iter().chain(external).collect();
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        Some("ExternalName") => spec.external_name.unwrap_or_default(),
        _ => "<unknown>".to_owned(),
    }
}

pub(super) fn service(service: &Service, age: String) -> Vec<String> {
    let spec = service.spec.clone().unwrap_or_default();
    let ports: Vec<String> = spec
        .ports
        .iter()
        .flatten()
        .map(|it| {
            let protocol = it.protocol.as_deref().unwrap_or_default();
            match it.node_port {
                Some(node_port) if node_port > 0 => format!("{}:{node_port}/{protocol}", it.port),
                _ => format!("{}/{protocol}", it.port),
            }
        })
        .collect();
    let ip = spec.cluster_ips.iter().flatten().next().cloned();
    vec![
        service.name().to_owned(),
        spec.type_.clone().unwrap_or_default(),
        ip.unwrap_or_else(|| "<none>".to_owned()),
        external_ip(service),
        or_none(ports.join(",")),
        age,
        format_labels(spec.selector.as_ref()),
    ]
}

/// `RWO,ROX`. Upstream: `GetAccessModesAsString`.
pub(crate) fn access_modes(modes: Option<&Vec<String>>) -> String {
    const MODES: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |name: &str| modes.is_some_and(|it| it.iter().any(|it| it == name));
    let short: Vec<&str> = MODES.iter().filter(|it| has(it.0)).map(|it| it.1).collect();
    short.join(",")
}

/// The `storage` of a list of quantities, `0` without one.
fn storage(amounts: Option<&BTreeMap<String, Quantity>>) -> String {
    let amount = amounts.and_then(|it| it.get("storage"));
    amount.map_or_else(|| "0".to_owned(), |it| quantity::canonical(&it.0))
}

const UNSET: &str = "<unset>";

pub(super) fn persistent_volume(volume: &PersistentVolume, age: String) -> Vec<String> {
    let spec = volume.spec.clone().unwrap_or_default();
    let status = volume.status.clone().unwrap_or_default();
    let claim = spec
        .claim_ref
        .map(|it| format!("{}/{}", it.namespace.unwrap_or_default(), it.name.unwrap_or_default()));
    let mut phase = status.phase.unwrap_or_default();
    if volume.metadata.deletion_timestamp.is_some() {
        phase = "Terminating".to_owned();
    }
    vec![
        volume.name().to_owned(),
        storage(spec.capacity.as_ref()),
        access_modes(spec.access_modes.as_ref()),
        spec.persistent_volume_reclaim_policy.unwrap_or_default(),
        phase,
        claim.unwrap_or_default(),
        spec.storage_class_name.unwrap_or_default(),
        spec.volume_attributes_class_name.unwrap_or_else(|| UNSET.to_owned()),
        status.reason.unwrap_or_default(),
        age,
        spec.volume_mode.unwrap_or_else(|| UNSET.to_owned()),
    ]
}

pub(super) fn persistent_volume_claim(claim: &PersistentVolumeClaim, age: String) -> Vec<String> {
    let spec = claim.spec.clone().unwrap_or_default();
    let status = claim.status.clone().unwrap_or_default();
    let mut phase = status.phase.unwrap_or_default();
    if claim.metadata.deletion_timestamp.is_some() {
        phase = "Terminating".to_owned();
    }
    let volume = spec.volume_name.unwrap_or_default();
    let (capacity, modes) = if volume.is_empty() {
        (String::new(), String::new())
    } else {
        (storage(status.capacity.as_ref()), access_modes(status.access_modes.as_ref()))
    };
    vec![
        claim.name().to_owned(),
        phase,
        volume,
        capacity,
        modes,
        spec.storage_class_name.unwrap_or_default(),
        spec.volume_attributes_class_name.unwrap_or_else(|| UNSET.to_owned()),
        age,
        spec.volume_mode.unwrap_or_else(|| UNSET.to_owned()),
    ]
}

pub(super) fn resource_quota(quota: &ResourceQuota, age: String) -> Vec<String> {
    let status = quota.status.clone().unwrap_or_default();
    let used = status.used.unwrap_or_default();
    let (mut requests, mut limits) = (vec![], vec![]);
    for (name, hard) in status.hard.iter().flatten() {
        let used = used.get(name).map_or_else(|| "0".to_owned(), |it| quantity::canonical(&it.0));
        let text = format!("{name}: {used}/{}", quantity::canonical(&hard.0));
        if name.starts_with("limits.") { limits.push(text) } else { requests.push(text) }
    }
    vec![quota.name().to_owned(), requests.join(", "), limits.join(", "), age]
}

/// At most three of a list. Upstream: `listWithMoreString`.
fn at_most_three(all: &[String]) -> String {
    match all.len() {
        0 => UNSET.to_owned(),
        1..=3 => all.join(","),
        n => format!("{} + {} more...", all[..3].join(","), n - 3),
    }
}

pub(super) fn endpoint_slice(slice: &EndpointSlice, age: String) -> Vec<String> {
    let ports: Vec<String> = slice
        .ports
        .iter()
        .flatten()
        .map(|it| match (it.port, &it.name) {
            (Some(port), _) => port.to_string(),
            (None, Some(name)) => name.clone(),
            (None, None) => "*".to_owned(),
        })
        .collect();
    let addresses: Vec<String> =
        slice.endpoints.iter().flatten().flat_map(|it| it.addresses.iter().cloned()).collect();
    vec![
        slice.name().to_owned(),
        slice.address_type.clone(),
        at_most_three(&ports),
        at_most_three(&addresses),
        age,
    ]
}

pub(super) fn storage_class(class: &StorageClass, age: String) -> Vec<String> {
    let is_default = class.metadata.annotations.iter().flatten().any(|(key, value)| {
        key.ends_with("storageclass.kubernetes.io/is-default-class") && value == "true"
    });
    let or = |it: &Option<String>, other: &str| it.clone().unwrap_or_else(|| other.to_owned());
    vec![
        format!("{}{}", class.name(), if is_default { " (default)" } else { "" }),
        class.provisioner.clone(),
        or(&class.reclaim_policy, "Delete"),
        or(&class.volume_binding_mode, "Immediate"),
        class.allow_volume_expansion.unwrap_or_default().to_string(),
        age,
    ]
}

pub(super) fn csi_driver(driver: &CSIDriver, age: String) -> Vec<String> {
    let spec = &driver.spec;
    let tokens = spec.token_requests.as_ref().map(|all| {
        let audiences: Vec<&str> = all.iter().map(|it| it.audience.as_str()).collect();
        audiences.join(",")
    });
    vec![
        driver.name().to_owned(),
        spec.attach_required.unwrap_or(true).to_string(),
        spec.pod_info_on_mount.unwrap_or_default().to_string(),
        spec.storage_capacity.unwrap_or_default().to_string(),
        tokens.unwrap_or_else(|| UNSET.to_owned()),
        spec.requires_republish.unwrap_or_default().to_string(),
        or_none(spec.volume_lifecycle_modes.clone().unwrap_or_default().join(",")),
        age,
    ]
}
