//! Defaults of the core group's small kinds.
//!
//! Upstream: `pkg/apis/core/v1/defaults.go`, v1.36.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ClientIPConfig, LimitRange, Namespace, Node, ResourceQuota, Secret, Service,
    SessionAffinityConfig,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::defaults::{NAMESPACE_NAME_LABEL, set_text};

/// Upstream: `DefaultClientIPServiceAffinitySeconds`.
const AFFINITY_SECONDS: i32 = 10_800;

/// Upstream: `SetDefaults_Service`.
pub(super) fn set_service(service: &mut Service) {
    let spec = service.spec.get_or_insert_default();
    set_text(&mut spec.session_affinity, "None");
    match spec.session_affinity.as_deref() {
        Some("None") => spec.session_affinity_config = None,
        Some("ClientIP") => {
            let config = spec.session_affinity_config.as_ref();
            let seconds = config.and_then(|it| it.client_ip.as_ref()?.timeout_seconds);
            let seconds = seconds.unwrap_or(AFFINITY_SECONDS);
            spec.session_affinity_config = Some(SessionAffinityConfig {
                client_ip: Some(ClientIPConfig { timeout_seconds: Some(seconds) }),
            });
        }
        _ => {}
    }
    set_text(&mut spec.type_, "ClusterIP");
    for port in spec.ports.iter_mut().flatten() {
        set_text(&mut port.protocol, "TCP");
        let unset = match &port.target_port {
            None => true,
            Some(IntOrString::Int(number)) => *number == 0,
            Some(IntOrString::String(name)) => name.is_empty(),
        };
        if unset {
            port.target_port = Some(IntOrString::Int(port.port));
        }
    }
    let type_ = spec.type_.clone().unwrap_or_default();
    let has_external_ips =
        type_ == "ClusterIP" && spec.external_ips.as_ref().is_some_and(|it| !it.is_empty());
    if matches!(type_.as_str(), "NodePort" | "LoadBalancer") || has_external_ips {
        set_text(&mut spec.external_traffic_policy, "Cluster");
    }
    if matches!(type_.as_str(), "NodePort" | "LoadBalancer" | "ClusterIP") {
        spec.internal_traffic_policy.get_or_insert_with(|| "Cluster".to_owned());
    }
    if type_ == "LoadBalancer" {
        spec.allocate_load_balancer_node_ports.get_or_insert(true);
    }
}

/// Upstream: `SetDefaults_Namespace`.
pub(super) fn set_namespace(namespace: &mut Namespace) {
    let name = namespace.metadata.name.clone().unwrap_or_default();
    if !name.is_empty() {
        let labels = namespace.metadata.labels.get_or_insert_default();
        labels.insert(NAMESPACE_NAME_LABEL.to_owned(), name);
    }
    set_text(&mut namespace.status.get_or_insert_default().phase, "Active");
}

/// Upstream: `SetDefaults_NodeStatus`.
pub(super) fn set_node(node: &mut Node) {
    let spec = node.spec.get_or_insert_default();
    // The older field stands for the first address of the newer one.
    let first = spec.pod_cidrs.iter().flatten().next().cloned();
    match spec.pod_cidr.clone().filter(|it| !it.is_empty()) {
        Some(cidr) if first.as_ref() != Some(&cidr) => spec.pod_cidrs = Some(vec![cidr]),
        Some(_) => {}
        None => spec.pod_cidr = first,
    }
    let status = node.status.get_or_insert_default();
    // Go writes these even if nothing is known.
    status.node_info.get_or_insert_default();
    let endpoints = status.daemon_endpoints.get_or_insert_default();
    endpoints.kubelet_endpoint.get_or_insert_default();
    round_up(&mut status.capacity);
    round_up(&mut status.allocatable);
    if status.allocatable.is_none() && status.capacity.is_some() {
        status.allocatable = status.capacity.clone();
    }
}

/// Upstream: `SetDefaults_Secret` and the conversion, where plain texts become data.
pub(super) fn set_secret(secret: &mut Secret) {
    for (key, text) in secret.string_data.take().into_iter().flatten() {
        let value = k8s_openapi::ByteString(text.into_bytes());
        secret.data.get_or_insert_default().insert(key, value);
    }
    set_text(&mut secret.type_, "Opaque");
}

/// Upstream: `SetDefaults_LimitRangeItem`.
pub(super) fn set_limit_range(range: &mut LimitRange) {
    for item in range.spec.iter_mut().flat_map(|it| &mut it.limits) {
        for list in [
            &mut item.max,
            &mut item.min,
            &mut item.default,
            &mut item.default_request,
            &mut item.max_limit_request_ratio,
        ] {
            round_up(list);
        }
        if item.type_ != "Container" {
            continue;
        }
        let default = item.default.get_or_insert_default();
        fill(default, item.max.as_ref());
        let requests = item.default_request.get_or_insert_default();
        fill(requests, Some(default));
        fill(requests, item.min.as_ref());
    }
}

pub(super) fn set_resource_quota(quota: &mut ResourceQuota) {
    if let Some(spec) = &mut quota.spec {
        round_up(&mut spec.hard);
    }
}

/// Adds what is missing.
pub(super) fn fill(
    target: &mut BTreeMap<String, Quantity>,
    source: Option<&BTreeMap<String, Quantity>>,
) {
    for (key, value) in source.into_iter().flatten() {
        target.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

/// Quantities are written in their canonical form, rounded up to thousandths. Upstream:
/// `SetDefaults_ResourceList` and the conversion to and from JSON.
pub(crate) fn round_up(list: &mut Option<BTreeMap<String, Quantity>>) {
    for quantity in list.iter_mut().flat_map(|it| it.values_mut()) {
        let canonical = api::quantity::canonical(&quantity.0);
        let fine = canonical.ends_with('u') || canonical.ends_with('n');
        quantity.0 = if fine {
            let milli = api::quantity::milli_value(quantity);
            api::quantity::Exact::from_milli(milli).to_quantity().0
        } else {
            canonical
        };
    }
}
