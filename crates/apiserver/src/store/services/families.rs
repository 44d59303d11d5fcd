//! The families of a service's addresses. The cluster has IPv4 only.
//!
//! Upstream: `pkg/registry/core/service/storage/alloc.go`, v1.36.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ServiceSpec;

use super::{needs_address, same_addresses, same_families};
use crate::validation::check::{list_of, str_of};
use crate::validation::core::service;
use crate::validation::{Bad, Errors, Path};

const V4: &str = "IPv4";
const V6: &str = "IPv6";

/// The families of a service's addresses. The cluster has IPv4 only. Upstream:
/// `initIPFamilyFields`.
pub(super) fn init_families(spec: &mut ServiceSpec, before: Option<&ServiceSpec>) -> Errors {
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
