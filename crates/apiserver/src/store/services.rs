//! Addresses and node ports of services.
//!
//! Upstream: `pkg/registry/core/service/storage/alloc.go`, v1.36.
//! Differs from upstream: addresses are handed out from a hash of the service's name instead of at
//! random, because a run must repeat itself.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use api::{ApiError, Kind};
use k8s_openapi::api::core::v1::{Service, ServiceSpec};

use crate::names;
use crate::store::Store;
use crate::validation::{Bad, Errors, Path};

/// 10.96.0.0/12.
const RANGE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 0);
const RANGE_SIZE: u32 = 1 << 20;
/// The low part of the range is kept for addresses that are asked for. Upstream: the allocator's
/// range offset, `min(max(16, size / 16), 256)`.
const OFFSET: u32 = 256;

const FIRST_PORT: i32 = 30_000;
const LAST_PORT: i32 = 32_767;
/// Upstream: `calculateRangeOffset` of the port allocator.
const PORT_OFFSET: i32 = 86;

impl Store {
    /// Gives a service its cluster address and node ports, keeping those of `old`.
    pub(crate) fn allocate_for_service(
        &mut self,
        service: &mut Service,
        old: Option<&Service>,
    ) -> Result<(), ApiError> {
        let mut errors = Errors::default();
        if let Some(old) = old {
            keep_allocated(service, old);
        }
        self.allocate_address(service, old, &mut errors);
        self.allocate_ports(service, old, &mut errors);
        let name = service.metadata.name.clone().unwrap_or_default();
        errors.into_result(Kind::Service, &name)
    }

    fn allocate_address(&self, service: &mut Service, old: Option<&Service>, errors: &mut Errors) {
        let name = service.metadata.name.clone().unwrap_or_default();
        let namespace = service.metadata.namespace.clone().unwrap_or_default();
        let spec = service.spec.get_or_insert_default();
        if spec.type_.as_deref() == Some("ExternalName") {
            return;
        }
        let ip = spec.cluster_ip.clone().unwrap_or_default();
        let before = old.and_then(|it| it.spec.as_ref()?.cluster_ip.clone());
        if ip.is_empty() {
            let spec_path = Path::new("spec");
            let path = spec_path.child("clusterIPs");
            if name.is_empty() {
                errors.invalid(
                    &path,
                    Bad::raw("[\"\"]"),
                    "failed to allocate IP: IPAddress.networking.k8s.io \"10.96.0.10\" is \
                     invalid: spec.parentRef.name: Required value",
                );
                return;
            }
            let used = self.used_addresses();
            let hash = names::hash(self.seed, &["service", &namespace, &name]);
            let span = RANGE_SIZE - OFFSET - 1;
            let start = u32::try_from(hash % u64::from(span)).unwrap_or_default();
            let free = (0..span)
                .map(|it| u32::from(RANGE) + OFFSET + (start + it) % span)
                .find(|it| !used.contains(it));
            match free {
                Some(free) => {
                    let ip = Ipv4Addr::from(free).to_string();
                    spec.cluster_ips = Some(vec![ip.clone()]);
                    spec.cluster_ip = Some(ip);
                }
                None => errors.invalid(
                    &path,
                    Bad::raw("[\"\"]"),
                    "failed to allocate IP: range is full",
                ),
            }
        } else if ip != "None" && before.as_deref() != Some(ip.as_str()) {
            self.take_address(&ip, errors);
        }
        if spec.cluster_ips.is_none() {
            spec.cluster_ips = spec.cluster_ip.clone().map(|it| vec![it]);
        }
        if spec.ip_families.is_none() {
            spec.ip_families = Some(vec!["IPv4".to_owned()]);
        }
        spec.ip_family_policy.get_or_insert_with(|| "SingleStack".to_owned());
    }

    /// Checks an address that was asked for. What is no address at all is left to validation.
    fn take_address(&self, ip: &str, errors: &mut Errors) {
        let Ok(address) = ip.parse::<Ipv4Addr>() else { return };
        let spec_path = Path::new("spec");
        let path = spec_path.child("clusterIPs");
        let shown = Bad::raw(format!("[\"{ip}\"]"));
        let number = u32::from(address);
        let (first, last) = (u32::from(RANGE), u32::from(RANGE) + RANGE_SIZE - 1);
        if number <= first || number >= last {
            errors.invalid(
                &path,
                shown,
                &format!(
                    "failed to allocate IP {ip}: the provided network does not match the \
                     current range"
                ),
            );
        } else if self.used_addresses().contains(&number) {
            errors.invalid(
                &path,
                shown,
                &format!("failed to allocate IP {ip}: provided IP is already allocated"),
            );
        }
    }

    fn used_addresses(&self) -> BTreeSet<u32> {
        let services = self.listers().list::<Service>();
        let ips = services.filter_map(|it| it.spec.as_ref()?.cluster_ip.as_ref());
        ips.filter_map(|it| it.parse::<Ipv4Addr>().ok()).map(u32::from).collect()
    }

    fn allocate_ports(&self, service: &mut Service, old: Option<&Service>, errors: &mut Errors) {
        let name = service.metadata.name.clone().unwrap_or_default();
        let namespace = service.metadata.namespace.clone().unwrap_or_default();
        let spec = service.spec.get_or_insert_default();
        let needs = spec.type_.as_deref() == Some("NodePort")
            || (spec.type_.as_deref() == Some("LoadBalancer")
                && spec.allocate_load_balancer_node_ports != Some(false));
        let own: BTreeSet<i32> = old.map(node_ports).unwrap_or_default();
        let mut used: BTreeSet<i32> =
            self.listers().list::<Service>().flat_map(node_ports).collect();
        used.retain(|it| !own.contains(it));
        for (index, port) in spec.ports.iter_mut().flatten().enumerate() {
            let wanted = port.node_port.unwrap_or_default();
            let spec_path = Path::new("spec");
            let ports_path = spec_path.child("ports");
            let port_path = ports_path.index(index);
            let path = port_path.child("nodePort");
            if wanted != 0 {
                if !needs || own.contains(&wanted) {
                    continue;
                }
                if !(FIRST_PORT..=LAST_PORT).contains(&wanted) {
                    errors.invalid(
                        &path,
                        wanted,
                        "provided port is not in the valid range. The range of valid ports is \
                         30000-32767",
                    );
                } else if !used.insert(wanted) {
                    errors.invalid(&path, wanted, "provided port is already allocated");
                }
            } else if needs {
                let key = format!("{namespace}/{name}/{index}");
                let span = u64::try_from(LAST_PORT - FIRST_PORT - PORT_OFFSET + 1);
                let span = span.unwrap_or(1);
                let hash = names::hash(self.seed, &["node port", &key]);
                let free = (0..span)
                    .filter_map(|it| i32::try_from((hash % span + it) % span).ok())
                    .map(|it| FIRST_PORT + PORT_OFFSET + it)
                    .find(|it| !used.contains(it));
                port.node_port = free;
                used.extend(free);
            }
        }
    }
}

fn node_ports(service: &Service) -> BTreeSet<i32> {
    let ports = service.spec.iter().flat_map(|it| it.ports.iter().flatten());
    ports.filter_map(|it| it.node_port).filter(|it| *it != 0).collect()
}

/// A request that only knows `clusterIP` means `clusterIPs` too. Upstream: `NormalizeClusterIPs`.
fn normalize_addresses(spec: &mut ServiceSpec, before: &ServiceSpec) {
    if spec.cluster_ips != before.cluster_ips {
        return;
    }
    let (now, then) = (spec.cluster_ip.clone(), before.cluster_ip.clone());
    let is_set = |it: &Option<String>| it.as_ref().is_some_and(|it| !it.is_empty());
    if is_set(&then) && !is_set(&now) {
        spec.cluster_ips = None;
    } else if now != then {
        spec.cluster_ips = now.map(|it| vec![it]);
    }
}

/// Upstream: `patchAllocatedValues`.
fn keep_allocated(service: &mut Service, old: &Service) {
    let (Some(spec), Some(before)) = (&mut service.spec, &old.spec) else { return };
    normalize_addresses(spec, before);
    let has_address = |type_: Option<&str>| type_ != Some("ExternalName");
    if has_address(spec.type_.as_deref())
        && has_address(before.type_.as_deref())
        && spec.cluster_ip.as_deref().unwrap_or_default().is_empty()
    {
        spec.cluster_ip = before.cluster_ip.clone();
        if spec.cluster_ips.as_ref().is_none_or(Vec::is_empty) {
            spec.cluster_ips = before.cluster_ips.clone();
        }
    }
    if spec.ip_families.is_none() {
        spec.ip_families = before.ip_families.clone();
    }
    if spec.ip_family_policy.is_none() {
        spec.ip_family_policy = before.ip_family_policy.clone();
    }
    let has_ports = |type_: Option<&str>| matches!(type_, Some("NodePort" | "LoadBalancer"));
    if !has_ports(spec.type_.as_deref()) || !has_ports(before.type_.as_deref()) {
        return;
    }
    let taken: Vec<i32> = spec.ports.iter().flatten().filter_map(|it| it.node_port).collect();
    for port in spec.ports.iter_mut().flatten() {
        if port.node_port.unwrap_or_default() != 0 {
            continue;
        }
        let mut earlier = before.ports.iter().flatten();
        let earlier = earlier.find(|it| it.port == port.port && it.protocol == port.protocol);
        port.node_port = earlier.and_then(|it| it.node_port).filter(|it| !taken.contains(it));
    }
}
