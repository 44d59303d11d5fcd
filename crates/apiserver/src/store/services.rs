//! Addresses and node ports of services.
//!
//! Upstream: `pkg/registry/core/service/storage/alloc.go`, v1.36.
//! Differs from upstream: addresses are handed out from a hash of the service's name instead of at
//! random, because a run must repeat itself.

mod changes;
mod families;
mod ports;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use api::Gather;
use api::{ApiError, ApiReason, Kind};
use k8s_openapi::api::core::v1::{LoadBalancerStatus, Service, ServiceSpec};

use self::changes::{drop_fields_of_old_type, keep_allocated, normalize_addresses};
use self::families::init_families;
use self::ports::Ports;
use crate::names;
use crate::store::Store;
use crate::validation::check::{list_of, str_of};
use crate::validation::core::service::needs_health_check;
use crate::validation::{Bad, Errors, Path};

/// 10.96.0.0/12.
const RANGE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 0);
const RANGE_SIZE: u32 = 1 << 20;
/// The low part of the range is kept for addresses that are asked for. Upstream: the allocator's
/// range offset, `min(max(16, size / 16), 256)`.
const OFFSET: u32 = 256;

impl Store {
    /// Gives a service its cluster address and node ports, keeping those of `old`, and clears what
    /// its new type has no use for. Upstream: `beginCreate`, `beginUpdate`, `PrepareForUpdate`.
    pub(crate) fn allocate_for_service(
        &mut self,
        service: &mut Service,
        old: Option<&Service>,
    ) -> Result<(), ApiError> {
        let name = service.metadata.name.clone().unwrap_or_default();
        let namespace = service.metadata.namespace.clone().unwrap_or_default();
        let empty = ServiceSpec::default();
        let before = old.map(|it| it.spec.as_ref().unwrap_or(&empty));
        let spec = service.spec.get_or_insert_default();
        if let Some(before) = before {
            keep_allocated(spec, before);
        }
        normalize_addresses(spec, before);
        init_families(spec, before).into_result(Kind::Service, &name)?;
        let starts = before.is_none_or(|it| !needs_address(it));
        let mut errors = Errors::default();
        let is_headless = list_of(&spec.cluster_ips).first().is_some_and(|it| it == "None");
        if starts && needs_address(spec) && !is_headless {
            self.allocate_address(spec, &namespace, &name, &mut errors);
        }
        errors.into_result(Kind::Service, &name)?;
        let mut ports = Ports::new(self, &namespace, &name, before);
        if has_ports(spec) {
            let mut errors = Errors::default();
            ports.allocate(spec, &mut errors);
            errors.into_result(Kind::Service, &name)?;
        }
        if needs_health_check(spec) && !before.is_some_and(needs_health_check) {
            let wanted = spec.health_check_node_port.filter(|it| *it != 0);
            let port = match wanted {
                Some(it) => ports.take(it),
                None => Ok(ports.next("health check")),
            };
            spec.health_check_node_port = port.map_err(|why| {
                let wanted = wanted.unwrap_or_default();
                let message = format!(
                    "Internal error occurred: failed to allocate requested HealthCheck NodePort \
                     {wanted}: {why}"
                );
                ApiError::new(ApiReason::InternalError, message)
            })?;
        }
        if let Some(before) = before {
            drop_fields_of_old_type(spec, before);
            if !is_type(spec, "LoadBalancer")
                && let Some(status) = &mut service.status
            {
                status.load_balancer = Some(LoadBalancerStatus::default());
            }
        }
        Ok(())
    }

    fn allocate_address(
        &self,
        spec: &mut ServiceSpec,
        namespace: &str,
        name: &str,
        errors: &mut Errors,
    ) {
        if let Some(ip) = list_of(&spec.cluster_ips).first() {
            self.take_address(ip, errors);
            return;
        }
        let spec_path = Path::new("spec");
        let path = spec_path.child("clusterIPs");
        let used = self.used_addresses();
        let hash = names::hash(self.seed, &["service", namespace, name]);
        let span = RANGE_SIZE - OFFSET - 1;
        let start = u32::try_from(hash % u64::from(span)).unwrap_or_default();
        let free = (0..span)
            .map(|it| u32::from(RANGE) + OFFSET + (start + it) % span)
            .find(|it| !used.contains(it));
        let Some(free) = free else {
            let why = "failed to allocate IP: range is full";
            errors.invalid(&path, Bad::raw("[\"\"]"), why);
            return;
        };
        let ip = Ipv4Addr::from(free).to_string();
        // The IPAddress object that would hold it has to say to whom it belongs.
        if name.is_empty() {
            let why = format!(
                "failed to allocate IP: IPAddress.networking.k8s.io \"{ip}\" is invalid: \
                 spec.parentRef.name: Required value"
            );
            errors.invalid(&path, Bad::raw("[\"\"]"), &why);
            return;
        }
        spec.cluster_ips = Some(vec![ip.clone()]);
        spec.cluster_ip = Some(ip);
    }

    /// Checks an address that was asked for.
    fn take_address(&self, ip: &str, errors: &mut Errors) {
        let Ok(address) = ip.parse::<Ipv4Addr>() else { return };
        let spec_path = Path::new("spec");
        let path = spec_path.child("clusterIPs");
        let number = u32::from(address);
        let (first, last) = (u32::from(RANGE), u32::from(RANGE) + RANGE_SIZE - 1);
        let why = if number <= first || number >= last {
            "the provided network does not match the current range"
        } else if self.used_addresses().contains(&number) {
            "provided IP is already allocated"
        } else {
            return;
        };
        let shown = Bad::raw(format!("[\"{ip}\"]"));
        errors.invalid(&path, shown, &format!("failed to allocate IP {ip}: {why}"));
    }

    fn used_addresses(&self) -> BTreeSet<u32> {
        let services = self.listers().list::<Service>();
        let ips = services.filter_map(|it| it.spec.as_ref()?.cluster_ip.as_ref());
        ips.filter_map(|it| it.parse::<Ipv4Addr>().ok()).map(u32::from).to_set()
    }
}

fn is_type(spec: &ServiceSpec, type_: &str) -> bool {
    str_of(&spec.type_) == type_
}

fn needs_address(spec: &ServiceSpec) -> bool {
    !is_type(spec, "ExternalName")
}

fn has_ports(spec: &ServiceSpec) -> bool {
    is_type(spec, "NodePort") || is_type(spec, "LoadBalancer")
}

fn node_ports(spec: &ServiceSpec) -> BTreeSet<i32> {
    let ports = spec.ports.iter().flatten();
    ports.filter_map(|it| it.node_port).filter(|it| *it != 0).to_set()
}

fn same_addresses(spec: &ServiceSpec, before: &ServiceSpec) -> bool {
    list_of(&spec.cluster_ips) == list_of(&before.cluster_ips)
}

fn same_families(spec: &ServiceSpec, before: &ServiceSpec) -> bool {
    list_of(&spec.ip_families) == list_of(&before.ip_families)
}

#[cfg(test)]
mod tests;
