//! Services.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`validateService`), v1.36.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::validation::check::{
    cidr, ip, label, list_of, one_of, port, qualified_name, required_one_of, str_of, subdomain,
};
use crate::validation::{Bad, Errors, Path, internal, labels, meta, text};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

pub(crate) fn create(errors: &mut Errors, service: &Service) {
    meta::object_meta(errors, &service.metadata, true, text::dns1123_label);
    validate(errors, service);
}

pub(crate) fn update(errors: &mut Errors, new: &Service, old: &Service) {
    meta::object_meta_update(errors, &new.metadata);
    let empty = ServiceSpec::default();
    let (spec, before) = (new.spec.as_ref().unwrap_or(&empty), old.spec.as_ref().unwrap_or(&empty));
    addresses_kept(errors, spec, before);
    if is_type(spec, "LoadBalancer")
        && is_type(before, "LoadBalancer")
        && spec.load_balancer_class != before.load_balancer_class
    {
        let path = Path::new("spec");
        let shown = Bad::json(&spec.load_balancer_class);
        errors.invalid(&path.child("loadBalancerClass"), shown, "may not change once set");
    }
    if needs_health_check(spec)
        && needs_health_check(before)
        && spec.health_check_node_port != before.health_check_node_port
    {
        let path = Path::new("spec");
        errors.forbidden(&path.child("healthCheckNodePort"), "field is immutable");
    }
    validate(errors, new);
}

fn is_type(spec: &ServiceSpec, type_: &str) -> bool {
    str_of(&spec.type_) == type_
}

fn is_headless(spec: &ServiceSpec) -> bool {
    matches!(list_of(&spec.cluster_ips), [one] if one == "None")
}

pub(crate) fn externally_accessible(spec: &ServiceSpec) -> bool {
    is_type(spec, "LoadBalancer")
        || is_type(spec, "NodePort")
        || (is_type(spec, "ClusterIP") && !list_of(&spec.external_ips).is_empty())
}

/// Whether a load balancer asks the nodes where the endpoints are.
pub(crate) fn needs_health_check(spec: &ServiceSpec) -> bool {
    is_type(spec, "LoadBalancer") && str_of(&spec.external_traffic_policy) == "Local"
}

/// Upstream: `validateUpgradeDowngradeClusterIPs` and `validateUpgradeDowngradeIPFamilies`.
fn addresses_kept(errors: &mut Errors, new: &ServiceSpec, old: &ServiceSpec) {
    if is_type(new, "ExternalName") || is_type(old, "ExternalName") {
        return;
    }
    let (now_headless, was_headless) = (is_headless(new), is_headless(old));
    let spec = Path::new("spec");
    let (ips, before) = (list_of(&new.cluster_ips), list_of(&old.cluster_ips));
    let shown = |list: &[String]| if list.is_empty() { Bad::raw("null") } else { Bad::json(&list) };
    let path = spec.child("clusterIPs");
    if !(now_headless && was_headless) {
        if ips.len() == before.len() {
            for (index, _) in ips.iter().zip(before).enumerate().filter(|(_, (a, b))| a != b) {
                errors.invalid(&path.index(index), shown(ips), "may not change once set");
            }
        } else {
            if ips.is_empty() {
                let why = "primary clusterIP can not be unset";
                errors.invalid(&path.index(0), shown(ips), why);
            }
            if let (Some(now), Some(then)) = (ips.first(), before.first())
                && now != then
            {
                errors.invalid(&path.index(0), shown(ips), "may not change once set");
            }
            let single = str_of(&new.ip_family_policy) == "SingleStack";
            if before.len() > ips.len() && ips.len() == 1 && !single {
                let why = "must be set to 'SingleStack' when releasing the secondary clusterIP";
                let shown = Bad::json(&new.ip_family_policy);
                errors.invalid(&spec.child("ipFamilyPolicy"), shown, why);
            }
        }
    }
    if now_headless || was_headless {
        return;
    }
    let (families, before) = (list_of(&new.ip_families), list_of(&old.ip_families));
    if families.len() == before.len() {
        for _ in families.iter().zip(before).filter(|(a, b)| a != b) {
            let path = spec.child("ipFamilies");
            errors.invalid(&path.index(0), shown(families), "may not change once set");
        }
    }
}

fn validate(errors: &mut Errors, service: &Service) {
    let empty = ServiceSpec::default();
    let spec = service.spec.as_ref().unwrap_or(&empty);
    topology_annotations(errors, service);
    let path = Path::new("spec");
    let ports = list_of(&spec.ports);
    let headless = is_headless(spec);
    if ports.is_empty() && !headless && !is_type(spec, "ExternalName") {
        errors.required(&path.child("ports"), "");
    }
    match str_of(&spec.type_) {
        type_ @ ("LoadBalancer" | "NodePort") if headless => {
            let why = format!("may not be set to 'None' for {type_} services");
            errors.invalid(&path.child("clusterIPs").index(0), "None", &why);
        }
        "ExternalName" => external_name(errors, &path, spec),
        _ => {}
    }
    service_ports(errors, &path.child("ports"), ports);
    labels::labels(errors, &path.child("selector"), spec.selector.as_ref());
    let affinity = str_of(&spec.session_affinity);
    required_one_of(errors, &path.child("sessionAffinity"), affinity, &["ClientIP", "None"]);
    session_affinity(errors, &path.child("sessionAffinityConfig"), spec, affinity);
    if !is_type(spec, "ExternalName") {
        cluster_ips(errors, &path, spec);
    }
    let all = path.child("externalIPs");
    for (index, address) in list_of(&spec.external_ips).iter().enumerate() {
        if ip(errors, &all.index(index), address) {
            endpoint_ip(errors, &all.index(index), address);
        }
    }
    let supported = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    required_one_of(errors, &path.child("type"), str_of(&spec.type_), &supported);
    node_ports(errors, &path.child("ports"), spec);
    same_ports(errors, &path.child("ports"), ports);
    source_ranges(errors, &path, spec, service.metadata.annotations.as_ref());
    let balances = is_type(spec, "LoadBalancer");
    if spec.allocate_load_balancer_node_ports.is_some() && !balances {
        let why = "may only be used when `type` is 'LoadBalancer'";
        errors.forbidden(&path.child("allocateLoadBalancerNodePorts"), why);
    }
    if let Some(class) = &spec.load_balancer_class {
        let path = path.child("loadBalancerClass");
        if balances {
            qualified_name(errors, &path, class);
        } else {
            errors.forbidden(&path, "may only be used when `type` is 'LoadBalancer'");
        }
    }
    traffic(errors, &path, spec);
}

fn external_name(errors: &mut Errors, path: &Path<'_>, spec: &ServiceSpec) {
    let why = "may not be set for ExternalName services";
    for (field, is_set) in [
        ("clusterIPs", !list_of(&spec.cluster_ips).is_empty()),
        ("ipFamilies", !list_of(&spec.ip_families).is_empty()),
        ("ipFamilyPolicy", spec.ip_family_policy.is_some()),
    ] {
        if is_set {
            errors.forbidden(&path.child(field), why);
        }
    }
    let name = str_of(&spec.external_name);
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        errors.required(&path.child("externalName"), "");
    } else {
        subdomain(errors, &path.child("externalName"), name);
    }
}

fn service_ports(errors: &mut Errors, path: &Path<'_>, ports: &[ServicePort]) {
    for (index, it) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = str_of(&it.name);
        if name.is_empty() {
            if ports.len() > 1 {
                errors.required(&path.child("name"), "");
            }
        } else {
            label(errors, &path.child("name"), name);
            if ports[..index].iter().any(|it| str_of(&it.name) == name) {
                errors.duplicate(&path.child("name"), name);
            }
        }
        for why in text::port_number(it.port) {
            errors.invalid(&path.child("port"), it.port, why);
        }
        required_one_of(errors, &path.child("protocol"), str_of(&it.protocol), PROTOCOLS);
        let zero = IntOrString::Int(0);
        port(errors, &path.child("targetPort"), it.target_port.as_ref().unwrap_or(&zero));
        if let Some(protocol) = &it.app_protocol {
            qualified_name(errors, &path.child("appProtocol"), protocol);
        }
    }
}

fn session_affinity(errors: &mut Errors, path: &Path<'_>, spec: &ServiceSpec, affinity: &str) {
    let config = spec.session_affinity_config.as_ref();
    match affinity {
        "ClientIP" => {
            let client = config.and_then(|it| it.client_ip.as_ref());
            let seconds = client.and_then(|it| it.timeout_seconds);
            let why = "when session affinity type is ClientIP";
            let client_path = path.child("clientIP");
            match (config, client, seconds) {
                (None, ..) => errors.required(path, why),
                (_, None, _) => errors.required(&client_path, why),
                (_, _, None) => errors.required(&client_path.child("timeoutSeconds"), why),
                (_, _, Some(seconds)) if seconds <= 0 || seconds > 86_400 => {
                    let why = "must be greater than 0 and less than 86400";
                    errors.invalid(&client_path.child("timeoutSeconds"), seconds, why);
                }
                _ => {}
            }
        }
        "None" if config.is_some() => {
            errors.forbidden(path, "must not be set when session affinity is None");
        }
        _ => {}
    }
}

/// Upstream: `ValidateServiceClusterIPsRelatedFields`.
pub(crate) fn cluster_ips(errors: &mut Errors, path: &Path<'_>, spec: &ServiceSpec) {
    let (ip_path, family_path) = (path.child("clusterIPs"), path.child("ipFamilies"));
    let (first, all) = (str_of(&spec.cluster_ip), list_of(&spec.cluster_ips));
    match (first.is_empty(), all.first()) {
        (false, None) => errors.required(&ip_path, ""),
        (false, Some(it)) if it != first => {
            errors.invalid(&ip_path, Bad::json(&all), "first value must match `clusterIP`");
        }
        (true, Some(_)) => {
            let why = "must be empty when `clusterIP` is not specified";
            errors.invalid(&ip_path, Bad::json(&all), why);
        }
        _ => {}
    }
    let families = list_of(&spec.ip_families);
    for (index, family) in families.iter().enumerate() {
        one_of(errors, &family_path.index(index), family, &["IPv4", "IPv6"]);
        if families[..index].contains(family) {
            errors.duplicate(&family_path.index(index), family);
        }
    }
    if let Some(policy) = &spec.ip_family_policy {
        let supported = ["PreferDualStack", "RequireDualStack", "SingleStack"];
        one_of(errors, &path.child("ipFamilyPolicy"), policy, &supported);
    }
    let mut sound = true;
    for (index, address) in all.iter().enumerate() {
        if index == 0 && address == "None" {
            if all.len() > 1 {
                sound = false;
                let why = "'None' must be the first and only value";
                errors.invalid(&ip_path, Bad::json(&all), why);
            }
            continue;
        }
        sound &= ip(errors, &ip_path.index(index), address);
    }
    if all.len() > 2 {
        errors.invalid(&ip_path, Bad::json(&all), "may only hold up to 2 values");
    }
    if !sound {
        return;
    }
    let is_v6 = |it: &String| it.contains(':');
    if all.len() > 1 && all.iter().filter(|it| is_v6(it)).count() != 1 {
        let why = "may specify no more than one IP for each IP family";
        errors.invalid(&ip_path, Bad::json(&all), why);
    }
    if is_headless(spec) {
        return;
    }
    for (index, (address, family)) in all.iter().zip(families).enumerate() {
        let wrong = match family.as_str() {
            "IPv4" => is_v6(address),
            "IPv6" => !is_v6(address),
            _ => false,
        };
        if wrong {
            let why = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            errors.invalid(&ip_path.index(index), address, &why);
        }
    }
}

/// Upstream: `ValidateEndpointIP`.
pub(crate) fn endpoint_ip(errors: &mut Errors, path: &Path<'_>, address: &str) {
    let Ok(ip) = address.parse::<std::net::IpAddr>() else { return };
    let (link_local, multicast) = match ip {
        std::net::IpAddr::V4(it) => (it.is_link_local(), it.octets()[..3] == [224, 0, 0]),
        std::net::IpAddr::V6(it) => {
            ((it.segments()[0] & 0xffc0) == 0xfe80, (it.segments()[0] & 0xff0f) == 0xff02)
        }
    };
    if ip.is_unspecified() {
        errors.invalid(path, address, &format!("may not be unspecified ({address})"));
    }
    if ip.is_loopback() {
        let why = "may not be in the loopback range (127.0.0.0/8, ::1/128)";
        errors.invalid(path, address, why);
    }
    if link_local {
        let why = "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
        errors.invalid(path, address, why);
    }
    if multicast {
        let why = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
        errors.invalid(path, address, why);
    }
}

fn node_ports(errors: &mut Errors, path: &Path<'_>, spec: &ServiceSpec) {
    let ports = list_of(&spec.ports);
    let number = |it: &ServicePort| it.node_port.unwrap_or_default();
    if is_type(spec, "ClusterIP") {
        for (index, _) in ports.iter().enumerate().filter(|it| number(it.1) != 0) {
            let path = path.index(index);
            errors.forbidden(&path.child("nodePort"), "may not be used when `type` is 'ClusterIP'");
        }
    }
    for (index, it) in ports.iter().enumerate().filter(|it| number(it.1) != 0) {
        let same =
            |other: &&ServicePort| other.protocol == it.protocol && other.node_port == it.node_port;
        if ports[..index].iter().any(|other| same(&other)) {
            let path = path.index(index);
            errors.duplicate(&path.child("nodePort"), number(it));
        }
    }
}

fn same_ports(errors: &mut Errors, path: &Path<'_>, ports: &[ServicePort]) {
    for (index, it) in ports.iter().enumerate() {
        let same = |other: &&ServicePort| other.protocol == it.protocol && other.port == it.port;
        if ports[..index].iter().any(|other| same(&other)) {
            let key = ServicePort {
                protocol: it.protocol.clone(),
                port: it.port,
                target_port: Some(IntOrString::Int(0)),
                ..ServicePort::default()
            };
            errors.duplicate(&path.index(index), Bad::raw(internal::dump("ServicePort", &key)));
        }
    }
}

/// Two names of one annotation must say the same.
fn topology_annotations(errors: &mut Errors, service: &Service) {
    const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
    const MODE: &str = "service.kubernetes.io/topology-mode";
    let get = |key: &str| service.metadata.annotations.as_ref().and_then(|it| it.get(key));
    if let (Some(hints), Some(mode)) = (get(HINTS), get(MODE))
        && hints != mode
    {
        let meta_path = Path::new("metadata");
        let path = meta_path.child("annotations");
        let why = format!("must match annotations[{HINTS}] when both are specified");
        errors.invalid(&path.key(MODE), mode, &why);
    }
}

const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

fn source_ranges(
    errors: &mut Errors,
    path: &Path<'_>,
    spec: &ServiceSpec,
    annotations: Option<&labels::Map>,
) {
    let why = "may only be used when `type` is 'LoadBalancer'";
    let balances = is_type(spec, "LoadBalancer");
    let ranges = list_of(&spec.load_balancer_source_ranges);
    let path = path.child("LoadBalancerSourceRanges");
    if ranges.is_empty() {
        let Some(text) = annotations.and_then(|it| it.get(SOURCE_RANGES)) else { return };
        let meta_path = Path::new("metadata");
        let path = meta_path.child("annotations");
        let path = path.key(SOURCE_RANGES);
        if !balances {
            errors.forbidden(&path, why);
        }
        for range in text.trim().split(',').filter(|_| !text.trim().is_empty()) {
            cidr(errors, &path, range.trim());
        }
        return;
    }
    if !balances {
        errors.forbidden(&path, why);
    }
    for (index, range) in ranges.iter().enumerate() {
        cidr(errors, &path.index(index), range.trim());
    }
}

fn traffic(errors: &mut Errors, path: &Path<'_>, spec: &ServiceSpec) {
    let policy = str_of(&spec.external_traffic_policy);
    let policy_path = path.child("externalTrafficPolicy");
    if externally_accessible(spec) {
        required_one_of(errors, &policy_path, policy, &["Cluster", "Local"]);
    } else if !policy.is_empty() {
        let why = "may only be set for externally-accessible services";
        errors.invalid(&policy_path, policy, why);
    }
    let health = spec.health_check_node_port.unwrap_or_default();
    let health_path = path.child("healthCheckNodePort");
    if !needs_health_check(spec) {
        if health != 0 {
            let why = "may only be set when `type` is 'LoadBalancer' and \
                       `externalTrafficPolicy` is 'Local'";
            errors.invalid(&health_path, health, why);
        }
    } else if health == 0 {
        errors.required(&health_path, "");
    } else {
        for why in text::port_number(health) {
            errors.invalid(&health_path, health, why);
        }
    }
    let internal_path = path.child("internalTrafficPolicy");
    match spec.internal_traffic_policy.as_deref() {
        None if matches!(str_of(&spec.type_), "NodePort" | "LoadBalancer" | "ClusterIP") => {
            errors.required(&internal_path, "");
        }
        None => {}
        Some(policy) => one_of(errors, &internal_path, policy, &["Cluster", "Local"]),
    }
    if let Some(distribution) = &spec.traffic_distribution {
        let supported = ["PreferClose", "PreferSameZone", "PreferSameNode"];
        one_of(errors, &path.child("trafficDistribution"), distribution, &supported);
    }
}
