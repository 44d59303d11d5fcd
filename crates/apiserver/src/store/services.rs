//! Addresses and node ports of services.
//!
//! Upstream: `pkg/registry/core/service/storage/alloc.go`, v1.36.
//! Differs from upstream: addresses are handed out from a hash of the service's name instead of at
//! random, because a run must repeat itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use api::{ApiError, ApiReason, Kind};
use k8s_openapi::api::core::v1::{LoadBalancerStatus, Service, ServiceSpec};

use crate::names;
use crate::store::Store;
use crate::validation::check::{list_of, str_of};
use crate::validation::core::service::{self, externally_accessible, needs_health_check};
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

const V4: &str = "IPv4";
const V6: &str = "IPv6";

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
        ips.filter_map(|it| it.parse::<Ipv4Addr>().ok()).map(u32::from).collect()
    }
}

/// The node ports that are taken, and where to look for a free one.
struct Ports {
    seed: u64,
    key: String,
    own: BTreeSet<i32>,
    used: BTreeSet<i32>,
}

impl Ports {
    fn new(store: &Store, namespace: &str, name: &str, before: Option<&ServiceSpec>) -> Self {
        let own = before.map(node_ports).unwrap_or_default();
        let services = store.listers().list::<Service>();
        let used = services.filter_map(|it| it.spec.as_ref()).flat_map(|spec| {
            let health = spec.health_check_node_port.filter(|it| *it != 0);
            node_ports(spec).into_iter().chain(health)
        });
        let used = used.collect();
        Self { seed: store.seed, key: format!("{namespace}/{name}"), own, used }
    }

    fn take(&mut self, port: i32) -> Result<Option<i32>, &'static str> {
        if !(FIRST_PORT..=LAST_PORT).contains(&port) {
            return Err(
                "provided port is not in the valid range. The range of valid ports is 30000-32767",
            );
        }
        if self.used.insert(port) {
            Ok(Some(port))
        } else {
            Err("provided port is already allocated")
        }
    }

    fn next(&mut self, what: &str) -> Option<i32> {
        let key = format!("{}/{what}", self.key);
        let span = u64::try_from(LAST_PORT - FIRST_PORT - PORT_OFFSET + 1).unwrap_or(1);
        let hash = names::hash(self.seed, &["node port", &key]);
        let free = (0..span)
            .filter_map(|it| i32::try_from((hash % span + it) % span).ok())
            .map(|it| FIRST_PORT + PORT_OFFSET + it)
            .find(|it| !self.used.contains(it));
        self.used.extend(free);
        free
    }

    /// One number serves all protocols of a port. Upstream: `initNodePorts`, `updateNodePorts`.
    fn allocate(&mut self, spec: &mut ServiceSpec, errors: &mut Errors) {
        let gives =
            is_type(spec, "NodePort") || spec.allocate_load_balancer_node_ports != Some(false);
        let spec_path = Path::new("spec");
        let path = spec_path.child("ports");
        let wishes: Vec<(i32, i32)> = spec
            .ports
            .iter()
            .flatten()
            .filter_map(|it| Some((it.port, it.node_port.filter(|it| *it != 0)?)))
            .collect();
        let mut given: Vec<(i32, i32)> = Vec::new();
        for (index, port) in spec.ports.iter_mut().flatten().enumerate() {
            let asked = port.node_port.filter(|it| *it != 0);
            if asked.is_none() && !gives {
                continue;
            }
            let of_port =
                |all: &[(i32, i32)]| all.iter().find(|it| it.0 == port.port).map(|it| it.1);
            let earlier = of_port(&given);
            if earlier.is_some() && (asked.is_none() || asked == earlier) {
                port.node_port = earlier;
                continue;
            }
            let number = match asked.or_else(|| of_port(&wishes)) {
                Some(number) if self.own.contains(&number) => Some(number),
                Some(number) => match self.take(number) {
                    Ok(number) => number,
                    Err(why) => {
                        errors.invalid(&path.index(index).child("nodePort"), number, why);
                        return;
                    }
                },
                None => self.next(&index.to_string()),
            };
            port.node_port = number;
            given.extend(number.filter(|_| earlier.is_none()).map(|it| (port.port, it)));
        }
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
    ports.filter_map(|it| it.node_port).filter(|it| *it != 0).collect()
}

fn same_addresses(spec: &ServiceSpec, before: &ServiceSpec) -> bool {
    list_of(&spec.cluster_ips) == list_of(&before.cluster_ips)
}

fn same_families(spec: &ServiceSpec, before: &ServiceSpec) -> bool {
    list_of(&spec.ip_families) == list_of(&before.ip_families)
}

/// A request that only knows `clusterIP` means `clusterIPs` too. Upstream: `normalizeClusterIPs`.
fn normalize_addresses(spec: &mut ServiceSpec, before: Option<&ServiceSpec>) {
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
fn keep_allocated(spec: &mut ServiceSpec, before: &ServiceSpec) {
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

/// The families of a service's addresses. The cluster has IPv4 only. Upstream:
/// `initIPFamilyFields`.
fn init_families(spec: &mut ServiceSpec, before: Option<&ServiceSpec>) -> Errors {
    let mut errors = Errors::default();
    if !needs_address(spec) || before.is_some_and(|it| prefers_the_same(spec, it)) {
        return errors;
    }
    let free =
        str_of(&spec.cluster_ip) == "None" && spec.selector.as_ref().is_none_or(BTreeMap::is_empty);
    let policy = spec.ip_family_policy.clone();
    let policy = policy
        .or_else(|| before?.ip_family_policy.clone())
        .unwrap_or_else(|| if free { "RequireDualStack" } else { "SingleStack" }.to_owned());
    spec.ip_family_policy = Some(policy.clone());
    let path = Path::new("spec");
    service::cluster_ips(&mut errors, &path, spec);
    if !errors.is_empty() {
        return errors;
    }
    let single = policy == "SingleStack";
    let policy_path = path.child("ipFamilyPolicy");
    if let Some(before) = before.filter(|it| single && same_families(spec, it)) {
        spec.ip_families = before.ip_families.clone();
        spec.ip_families.iter_mut().for_each(|it| it.truncate(1));
    }
    policy_fits(&mut errors, &policy, spec, before);
    let mut families = list_of(&spec.ip_families).to_vec();
    let addresses = list_of(&spec.cluster_ips);
    for (index, ip) in addresses.iter().enumerate().skip_while(|it| it.1 == "None") {
        if index < families.len() {
            continue;
        }
        if ip.contains(':') {
            let path = path.child("clusterIPs");
            let why = "IPv6 is not configured on this cluster";
            errors.invalid(&path.index(index), Bad::json(&addresses), why);
        } else {
            families.push(V4.to_owned());
        }
    }
    if !errors.is_empty() {
        return errors;
    }
    if free {
        if families.is_empty() {
            families.push(V4.to_owned());
        }
        if families.len() < 2 && !single {
            let other = if families[0] == V4 { V6 } else { V4 };
            families.push(other.to_owned());
        }
    } else {
        if policy == "RequireDualStack" {
            let why = "this cluster is not configured for dual-stack services";
            errors.invalid(&policy_path, policy.as_str(), why);
        }
        let path = path.child("ipFamilies");
        for (index, family) in families.iter().enumerate().filter(|it| it.1 != V4) {
            errors.invalid(&path.index(index), family, "not configured on this cluster");
        }
        if families.is_empty() {
            families.push(V4.to_owned());
        }
    }
    spec.ip_families = Some(families);
    errors
}

/// The policy may not say one family where there are two, nor two where one of them goes.
fn policy_fits(
    errors: &mut Errors,
    policy: &str,
    spec: &ServiceSpec,
    before: Option<&ServiceSpec>,
) {
    let spec_path = Path::new("spec");
    let path = spec_path.child("ipFamilyPolicy");
    let lists = |it: &ServiceSpec| [it.cluster_ips.clone(), it.ip_families.clone()];
    let now = lists(spec).map(|it| list_of(&it).len());
    if policy == "SingleStack" {
        for (_, what) in now.iter().zip(["cluster IPs", "IP families"]).filter(|it| *it.0 == 2) {
            let why = format!(
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            );
            errors.invalid(&path, policy, &why);
        }
        return;
    }
    let Some(before) = before else { return };
    let then = lists(before).map(|it| list_of(&it).len());
    let reduced = now.iter().zip(then).map(|(now, then)| *now > 0 && *now < then);
    for (_, what) in reduced.zip(["cluster IP", "IP family"]).filter(|it| it.0) {
        let why = format!("must be 'SingleStack' to release the secondary {what}");
        errors.invalid(&path, policy, &why);
    }
}

/// Upstream: `isMatchingPreferDualStackClusterIPFields`.
fn prefers_the_same(spec: &ServiceSpec, before: &ServiceSpec) -> bool {
    str_of(&spec.ip_family_policy) == "PreferDualStack"
        && before.ip_family_policy.as_deref().is_none_or(|it| it == "PreferDualStack")
        && spec.type_ == before.type_
        && matches!(str_of(&spec.type_), "ClusterIP" | "NodePort" | "LoadBalancer")
        && same_addresses(spec, before)
        && same_families(spec, before)
}

/// What the new type has no use for goes, unless the request changed it. Upstream:
/// `dropTypeDependentFields`.
fn drop_fields_of_old_type(spec: &mut ServiceSpec, before: &ServiceSpec) {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(spec: &Value) -> api::Object {
        let value = json!({"metadata": {"name": "web"}, "spec": spec});
        api::wire::object_from_value(Kind::Service, &value).unwrap()
    }

    fn merged(base: &Value, over: &Value) -> Value {
        let mut base = base.clone();
        for (key, value) in over.as_object().unwrap() {
            base[key] = value.clone();
        }
        base
    }

    /// The spec that is stored, or what is wrong with it.
    fn outcome(result: Result<api::Object, ApiError>) -> Result<Value, String> {
        let spec = |it: api::Object| api::wire::to_value(&it)["spec"].clone();
        result.map(spec).map_err(|it| it.message.replace("Service \"web\" is invalid: ", ""))
    }

    fn now() -> api::Timestamp {
        api::Timestamp::from_second(1_000_000).unwrap()
    }

    fn store() -> Store {
        let mut store = Store::new(7);
        store.bootstrap(now());
        store
    }

    fn base() -> Value {
        json!({"selector": {"app": "web"}, "ports": [{"port": 80}]})
    }

    #[track_caller]
    fn check(outcome: &Result<Value, String>, expected: &Result<Value, &str>) {
        match (outcome, expected) {
            (Ok(spec), Ok(expected)) => {
                for (key, value) in expected.as_object().unwrap() {
                    assert_eq!(spec.get(key).unwrap_or(&Value::Null), value, "{key}: {spec}");
                }
            }
            (Err(error), Err(expected)) => assert_eq!(error, expected),
            _ => panic!("{outcome:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_new_service_gets_its_families_and_addresses() {
        let rows = [
            (
                json!({"clusterIP": "None"}),
                Ok(json!({
                    "clusterIPs": ["None"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                })),
            ),
            (
                json!({"clusterIP": "None", "selector": null}),
                Ok(json!({
                    "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack",
                })),
            ),
            (
                json!({"clusterIP": "None", "selector": null, "ipFamilies": ["IPv6"]}),
                Ok(json!({
                    "ipFamilies": ["IPv6", "IPv4"], "ipFamilyPolicy": "RequireDualStack",
                })),
            ),
            (
                json!({"clusterIP": "None", "selector": null, "ipFamilyPolicy": "SingleStack"}),
                Ok(json!({"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"})),
            ),
            (
                json!({"ipFamilyPolicy": "PreferDualStack"}),
                Ok(json!({
                    "ipFamilies": ["IPv4"], "ipFamilyPolicy": "PreferDualStack",
                })),
            ),
            (
                json!({
                    "type": "ExternalName", "externalName": "a.b",
                    "internalTrafficPolicy": "Cluster",
                }),
                Ok(json!({"internalTrafficPolicy": null, "ipFamilies": null})),
            ),
        ];
        for (over, expected) in rows {
            let created = store().create(object(&merged(&base(), &over)), now());
            check(&outcome(created), &expected);
        }
    }

    #[test]
    fn a_cluster_of_one_family_refuses_the_other() {
        let v6 = "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster";
        let rows = [
            (json!({"ipFamilies": ["IPv6"]}), Err(v6)),
            (json!({"clusterIP": "None", "ipFamilies": ["IPv6"]}), Err(v6)),
            (
                json!({"ipFamilyPolicy": "RequireDualStack"}),
                Err(
                    "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not \
                     configured for dual-stack services",
                ),
            ),
            (
                json!({"ipFamilies": ["IPv4", "IPv6"]}),
                Err("spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be \
                     'RequireDualStack' or 'PreferDualStack' when multiple IP families are \
                     specified"),
            ),
            (
                json!({"clusterIP": "fd00::1", "sessionAffinity": "x"}),
                Err("spec.clusterIPs[0]: Invalid value: [\"fd00::1\"]: IPv6 is not configured on \
                     this cluster"),
            ),
            (
                json!({"clusterIPs": ["None"]}),
                Err(
                    "spec.clusterIPs: Invalid value: [\"None\"]: must be empty when `clusterIP` is \
                     not specified",
                ),
            ),
            (
                json!({"clusterIP": "10.0.0.1", "ports": []}),
                Err("spec.clusterIPs: Invalid value: [\"10.0.0.1\"]: failed to allocate IP \
                     10.0.0.1: the provided network does not match the current range"),
            ),
            (
                json!({"clusterIP": "10.96.0.9", "type": "ExternalName", "externalName": "a.b"}),
                Err("spec.clusterIPs: Forbidden: may not be set for ExternalName services"),
            ),
        ];
        for (over, expected) in rows {
            let created = store().create(object(&merged(&base(), &over)), now());
            check(&outcome(created), &expected);
        }
    }

    #[test]
    fn ports_are_given_out_once() {
        let local = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"});
        let created = store().create(object(&merged(&base(), &local)), now());
        let spec = outcome(created).unwrap();
        let range = i64::from(FIRST_PORT)..=i64::from(LAST_PORT);
        let (health, node) =
            (spec["healthCheckNodePort"].as_i64().unwrap(), spec["ports"][0]["nodePort"].as_i64());
        assert!(range.contains(&health) && node != Some(health), "{spec}");

        let bad = merged(&local, &json!({"healthCheckNodePort": 80}));
        let created = store().create(object(&merged(&base(), &bad)), now());
        let why = "Internal error occurred: failed to allocate requested HealthCheck NodePort 80: \
                   provided port is not in the valid range. The range of valid ports is \
                   30000-32767";
        check(&outcome(created), &Err(why));

        let both = json!({"type": "NodePort", "ports": [
            {"name": "tcp", "port": 53},
            {"name": "udp", "port": 53, "protocol": "UDP", "nodePort": 30053},
            {"name": "other", "port": 54, "nodePort": 30053},
        ]});
        let created = store().create(object(&merged(&base(), &both)), now());
        let why =
            "spec.ports[2].nodePort: Invalid value: 30053: provided port is already allocated";
        check(&outcome(created), &Err(why));
        let mut two = both;
        two["ports"].as_array_mut().unwrap().pop();
        let spec = outcome(store().create(object(&merged(&base(), &two)), now())).unwrap();
        assert_eq!(spec["ports"][0]["nodePort"], 30053, "{spec}");
    }

    /// Creates `old`, then updates it with some fields of the spec changed.
    fn updated(old: &Value, over: &Value) -> Result<Value, String> {
        let mut store = store();
        let stored = store.create(object(&merged(&base(), old)), now()).unwrap();
        let mut value = api::wire::to_value(&stored);
        value["spec"] = merged(&value["spec"], over);
        let new = api::wire::object_from_value(Kind::Service, &value).unwrap();
        outcome(store.update(new, now()))
    }

    #[test]
    fn what_the_new_type_has_no_use_for_goes() {
        let local = json!({
            "type": "LoadBalancer", "externalTrafficPolicy": "Local", "loadBalancerClass": "a/b",
        });
        let to_cluster_ip = updated(&local, &json!({"type": "ClusterIP"}));
        check(
            &to_cluster_ip,
            &Ok(json!({
                "externalTrafficPolicy": null, "healthCheckNodePort": null,
                "loadBalancerClass": null, "allocateLoadBalancerNodePorts": null,
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
            })),
        );
        let to_name = updated(&json!({}), &json!({"type": "ExternalName", "externalName": "a.b"}));
        check(
            &to_name,
            &Ok(json!({
                "clusterIP": null, "clusterIPs": null, "ipFamilies": null, "ipFamilyPolicy": null,
                "internalTrafficPolicy": null,
            })),
        );
        let port = json!([{"port": 80, "nodePort": 30001}]);
        check(
            &updated(&json!({"type": "NodePort"}), &json!({"type": "ClusterIP", "ports": port})),
            &Err("spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"),
        );
        let from_name = json!({"type": "ExternalName", "externalName": "a.b"});
        let to_cluster_ip = updated(&from_name, &json!({"type": "ClusterIP"})).unwrap();
        assert!(to_cluster_ip["clusterIP"].is_string(), "{to_cluster_ip}");
        assert_eq!(to_cluster_ip["ipFamilyPolicy"], "SingleStack");
    }

    #[test]
    fn what_an_update_leaves_out_stays() {
        let named = |extra: Value| json!([merged(&json!({"name": "http", "port": 80}), &extra)]);
        let old = json!({"type": "NodePort", "ports": named(json!({"nodePort": 30007}))});
        let over = json!({
            "clusterIP": null, "clusterIPs": null, "ipFamilies": null, "ipFamilyPolicy": null,
            "ports": [{"name": "http", "port": 81}],
        });
        let spec = updated(&old, &over).unwrap();
        assert!(spec["clusterIP"].is_string(), "{spec}");
        assert_eq!(spec["ports"][0]["nodePort"], 30007);
        let dual = json!({"clusterIP": "None", "selector": null});
        check(
            &updated(&dual, &json!({"ipFamilies": ["IPv4"]})),
            &Err(
                "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": must be 'SingleStack' \
                  to release the secondary IP family",
            ),
        );
        check(
            &updated(&dual, &json!({"ipFamilyPolicy": "SingleStack"})),
            &Ok(json!({"ipFamilies": ["IPv4"]})),
        );
    }
}
