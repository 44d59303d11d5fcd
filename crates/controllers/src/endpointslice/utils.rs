//! What a slice says about one pod, and what it is labelled with.
//!
//! Upstream: `staging/src/k8s.io/endpointslice/utils.go` and `util/controller_utils.go`, v1.36.

use api::Gather;
use api::Order;
use std::collections::BTreeMap;

use api::{Resource, pods};
use k8s_openapi::api::core::v1::{
    Container, Node, ObjectReference, Pod, Service, ServicePort, ServiceSpec,
};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{CONTROLLER_NAME, MANAGED_BY_LABEL, SERVICE_NAME_LABEL};

/// Marks the slices of a Service without an address of its own.
const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// A label's value, empty where there is none.
pub(super) fn label<'a>(meta: &'a ObjectMeta, key: &str) -> &'a str {
    meta.labels.as_ref().and_then(|it| it.get(key)).map_or("", String::as_str)
}

/// Whether a Service selects a pod of its namespace. One without a selector selects nothing.
pub(super) fn selects(service: &Service, pod: &Pod) -> bool {
    let selector = service.spec.as_ref().and_then(|it| it.selector.as_ref());
    let labels = pod.metadata.labels.as_ref();
    selector.is_some_and(|it| {
        it.iter().all(|(key, value)| labels.and_then(|it| it.get(key)) == Some(value))
    })
}

/// The addresses of a pod.
pub(super) fn pod_ips(pod: &Pod) -> Vec<&str> {
    let Some(status) = &pod.status else { return Vec::new() };
    let all: Vec<&str> = status.pod_ips.iter().flatten().map(|it| it.ip.as_str()).collect();
    if all.is_empty() { status.pod_ip.iter().map(String::as_str).collect() } else { all }
}

/// Whether a pod is listed at all: it has an address and has not finished. Upstream:
/// `ShouldPodBeInEndpoints`.
pub(super) fn is_listed(pod: &Pod) -> bool {
    !pods::is_terminal(pod) && !pod_ips(pod).is_empty()
}

/// Whether a Service has no address of its own.
fn is_headless(spec: &ServiceSpec) -> bool {
    matches!(spec.cluster_ip.as_deref(), None | Some("" | "None"))
}

/// `IPv4`, `IPv6` or both. Upstream: `getAddressTypesForService`.
pub(super) fn address_types(spec: &ServiceSpec) -> Vec<&'static str> {
    let families = spec.ip_families.as_deref().unwrap_or_default();
    let has = |family: &str| families.iter().any(|it| it == family);
    let v6_only =
        families.is_empty() && spec.cluster_ip.as_deref().is_some_and(|it| it.contains(':'));
    let mut types = Vec::new();
    if has("IPv4") || (families.is_empty() && !v6_only) {
        types.push("IPv4");
    }
    if has("IPv6") || v6_only {
        types.push("IPv6");
    }
    types
}

/// What a slice says about a pod. Upstream: `podToEndpoint`.
pub(super) fn endpoint(
    pod: &Pod,
    node: Option<&Node>,
    service: &Service,
    address_type: &str,
) -> Endpoint {
    let serving = pods::is_ready(pod);
    let terminating = pods::is_terminating(pod);
    let spec = service.spec.as_ref();
    let publish = spec.is_some_and(|it| it.publish_not_ready_addresses == Some(true));
    let zone = node.and_then(|it| it.metadata.labels.as_ref()?.get("topology.kubernetes.io/zone"));
    let in_domain = pod.spec.as_ref().filter(|it| {
        it.subdomain.as_deref() == Some(service.name()) && pod.namespace() == service.namespace()
    });
    let hostname = in_domain.and_then(|it| it.hostname.clone());
    let addresses = pod_ips(pod).into_iter();
    Endpoint {
        addresses: addresses
            .filter(|ip| ip.contains(':') == (address_type == "IPv6"))
            .map(str::to_owned)
            .collect(),
        conditions: Some(EndpointConditions {
            ready: Some(publish || (serving && !terminating)),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        hostname: hostname.filter(|it| !it.is_empty()),
        node_name: pods::node_name(pod).map(str::to_owned),
        target_ref: Some(ObjectReference {
            kind: Some("Pod".to_owned()),
            namespace: Some(pod.namespace().to_owned()),
            name: Some(pod.name().to_owned()),
            uid: Some(pod.uid().to_owned()),
            ..ObjectReference::default()
        }),
        zone: zone.filter(|it| !it.is_empty()).cloned(),
        ..Endpoint::default()
    }
}

/// The ports of a Service as a pod has them; named ports that it lacks are left out. Upstream:
/// `getEndpointPorts`.
pub(super) fn ports(spec: &ServiceSpec, pod: &Pod) -> Vec<EndpointPort> {
    let ports = spec.ports.iter().flatten();
    let mut found: Vec<EndpointPort> = ports
        .filter_map(|it| {
            Some(EndpointPort {
                name: Some(it.name.clone().unwrap_or_default()),
                port: Some(find_port(it, pod)?),
                protocol: Some(protocol(it.protocol.as_ref()).to_owned()),
                app_protocol: it.app_protocol.clone(),
            })
        })
        .collect();
    found.order_by_key(port_hash);
    found
}

/// What ports are ordered by: FNV-1a with 128 bits of the port as Go prints it. Upstream:
/// `portsInOrder`, `deepHashObjectToString`.
fn port_hash(port: &EndpointPort) -> u128 {
    let (name, number, protocol, _) = port_key(port);
    let app_protocol = port.app_protocol.as_deref().unwrap_or("<nil>");
    let text = format!(
        "(v1.EndpointPort){{Name:(*string){name} Protocol:(*v1.Protocol){protocol} \
         Port:(*int32){number} AppProtocol:(*string){app_protocol}}}"
    );
    text.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
    })
}

/// By what ports are told apart.
pub(super) fn port_key(port: &EndpointPort) -> (String, i32, String, String) {
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    (text(&port.name), port.port.unwrap_or(0), text(&port.protocol), text(&port.app_protocol))
}

fn protocol(protocol: Option<&String>) -> &str {
    protocol.map_or("TCP", String::as_str)
}

/// Upstream: `FindPort`.
fn find_port(port: &ServicePort, pod: &Pod) -> Option<i32> {
    let name = match &port.target_port {
        None => return Some(port.port),
        Some(IntOrString::Int(it)) => return Some(*it),
        Some(IntOrString::String(it)) => it,
    };
    let spec = pod.spec.as_ref()?;
    let init = spec.init_containers.iter().flatten();
    let sidecars = init.filter(|it| it.restart_policy.as_deref() == Some("Always"));
    let mut ports =
        spec.containers.iter().chain(sidecars).flat_map(|it: &Container| it.ports.iter().flatten());
    let wanted = protocol(port.protocol.as_ref());
    let found =
        ports.find(|it| it.name.as_ref() == Some(name) && protocol(it.protocol.as_ref()) == wanted);
    found.map(|it| it.container_port)
}

/// The labels of a slice: those of the Service and the reserved ones. Upstream:
/// `setEndpointSliceLabels`.
pub(super) fn slice_labels(service: &Service, spec: &ServiceSpec) -> BTreeMap<String, String> {
    const RESERVED: [&str; 3] = [SERVICE_NAME_LABEL, MANAGED_BY_LABEL, HEADLESS_LABEL];
    let own = service.metadata.labels.iter().flatten();
    let own = own.filter(|(key, _)| !RESERVED.contains(&key.as_str()));
    let mut labels: BTreeMap<String, String> =
        own.map(|(key, value)| (key.clone(), value.clone())).to_map();
    if is_headless(spec) {
        labels.insert(HEADLESS_LABEL.to_owned(), String::new());
    }
    labels.insert(SERVICE_NAME_LABEL.to_owned(), service.name().to_owned());
    labels.insert(MANAGED_BY_LABEL.to_owned(), CONTROLLER_NAME.to_owned());
    labels
}

/// A slice without endpoints. Upstream: `newEndpointSlice`.
pub(super) fn new_slice(
    service: &Service,
    spec: &ServiceSpec,
    address_type: &str,
    ports: &[EndpointPort],
) -> EndpointSlice {
    let mut slice = EndpointSlice {
        address_type: address_type.to_owned(),
        endpoints: Some(Vec::new()),
        ports: (!ports.is_empty()).then(|| ports.to_vec()),
        ..EndpointSlice::default()
    };
    slice.metadata.generate_name = Some(format!("{}-", service.name()));
    slice.metadata.namespace = Some(service.namespace().to_owned());
    slice.metadata.labels = Some(slice_labels(service, spec));
    slice.metadata.owner_references = Some(vec![service.controller_ref()]);
    slice
}

/// Several errors in one. Upstream: `utilerrors.NewAggregate`.
pub(super) fn aggregate(errors: &[String]) -> String {
    match errors {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_ordered_by_what_go_would_hash() {
        for (app_protocol, hash) in [
            (None, 0x0e87_4d56_7709_0ee5_c32a_fa85_f637_c347),
            (Some("x"), 0xf1ec_44be_11ea_b397_e8c0_c950_2608_3332),
        ] {
            let port = EndpointPort {
                name: Some("http".to_owned()),
                port: Some(8_080),
                protocol: Some("TCP".to_owned()),
                app_protocol: app_protocol.map(str::to_owned),
            };
            assert_eq!(port_hash(&port), hash, "{app_protocol:?}");
        }
        let port = |name: &str, port: i32, protocol: &str| ServicePort {
            name: Some(name.to_owned()),
            port,
            protocol: Some(protocol.to_owned()),
            ..ServicePort::default()
        };
        let both = vec![port("dns", 5_353, "UDP"), port("http", 8_080, "TCP")];
        let spec = ServiceSpec { ports: Some(both), ..ServiceSpec::default() };
        let names = ports(&spec, &Pod::default()).into_iter().filter_map(|it| it.name);
        assert_eq!(names.collect::<Vec<_>>(), ["http", "dns"]);
    }
}
