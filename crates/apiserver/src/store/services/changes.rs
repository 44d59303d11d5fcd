//! What an update of a service keeps, and what its new type has no use for.
//!
//! Upstream: `pkg/registry/core/service/storage/storage.go` and
//! `pkg/registry/core/service/strategy.go`, v1.36.

use k8s_openapi::api::core::v1::ServiceSpec;

use super::{has_ports, is_type, needs_address, node_ports, same_addresses, same_families};
use crate::validation::check::{list_of, str_of};
use crate::validation::core::service::{externally_accessible, needs_health_check};

/// A request that only knows `clusterIP` means `clusterIPs` too. Upstream: `normalizeClusterIPs`.
pub(super) fn normalize_addresses(spec: &mut ServiceSpec, before: Option<&ServiceSpec>) {
    let now = str_of(&spec.cluster_ip).to_owned();
    let Some(before) = before else {
        if !now.is_empty() && list_of(&spec.cluster_ips).is_empty() {
            spec.cluster_ips = Some(vec![now]);
        }
        return;
    };
    let then = str_of(&before.cluster_ip);
    if now == then {
        if list_of(&spec.cluster_ips).is_empty() {
            spec.cluster_ips = before.cluster_ips.clone();
        }
    } else if same_addresses(spec, before) {
        spec.cluster_ips = if now.is_empty() { None } else { Some(vec![now]) };
    }
}

/// What a request left out stays as it was given. Upstream: `patchAllocatedValues`.
pub(super) fn keep_allocated(spec: &mut ServiceSpec, before: &ServiceSpec) {
    if needs_address(spec) && needs_address(before) {
        if str_of(&spec.cluster_ip).is_empty() {
            spec.cluster_ip = before.cluster_ip.clone();
        }
        if list_of(&spec.cluster_ips).is_empty() {
            spec.cluster_ips = before.cluster_ips.clone();
        }
    }
    let gives = |it: &ServiceSpec| {
        is_type(it, "NodePort")
            || (is_type(it, "LoadBalancer") && it.allocate_load_balancer_node_ports != Some(false))
    };
    if gives(spec) && gives(before) {
        let (now, then) = (node_ports(spec), node_ports(before));
        for port in spec.ports.iter_mut().flatten() {
            if port.node_port.unwrap_or_default() != 0 {
                continue;
            }
            let mut earlier = before.ports.iter().flatten();
            let earlier = earlier.rfind(|it| str_of(&it.name) == str_of(&port.name));
            port.node_port = earlier
                .and_then(|it| it.node_port)
                .filter(|it| *it != 0 && !(now.contains(it) && then.contains(it)));
        }
    }
    if needs_health_check(spec)
        && needs_health_check(before)
        && spec.health_check_node_port.unwrap_or_default() == 0
    {
        spec.health_check_node_port = before.health_check_node_port;
    }
}

/// What the new type has no use for goes, unless the request changed it. Upstream:
/// `dropTypeDependentFields`.
pub(super) fn drop_fields_of_old_type(spec: &mut ServiceSpec, before: &ServiceSpec) {
    if needs_address(before) && !needs_address(spec) {
        if same_addresses(spec, before) && str_of(&spec.cluster_ip) == str_of(&before.cluster_ip) {
            spec.cluster_ip = None;
            spec.cluster_ips = None;
        }
        if same_families(spec, before) {
            spec.ip_families = None;
        }
        if spec.ip_family_policy == before.ip_family_policy {
            spec.ip_family_policy = None;
        }
    }
    if has_ports(before) && !has_ports(spec) && node_ports(before).is_superset(&node_ports(spec)) {
        spec.ports.iter_mut().flatten().for_each(|it| it.node_port = None);
    }
    if needs_health_check(before)
        && !needs_health_check(spec)
        && spec.health_check_node_port == before.health_check_node_port
    {
        spec.health_check_node_port = None;
    }
    if is_type(before, "LoadBalancer") && !is_type(spec, "LoadBalancer") {
        if spec.allocate_load_balancer_node_ports == before.allocate_load_balancer_node_ports {
            spec.allocate_load_balancer_node_ports = None;
        }
        if spec.load_balancer_class == before.load_balancer_class {
            spec.load_balancer_class = None;
        }
    }
    if externally_accessible(before)
        && !externally_accessible(spec)
        && spec.external_traffic_policy == before.external_traffic_policy
    {
        spec.external_traffic_policy = None;
    }
}
