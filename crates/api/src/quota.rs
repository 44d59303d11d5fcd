//! What an object counts against a `ResourceQuota`.
//!
//! Upstream: `pkg/quota/v1/evaluator/core/{pods,services,persistent_volume_claims}.go`,
//! `staging/src/k8s.io/apiserver/pkg/quota/v1/generic/evaluator.go`, v1.36.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, Pod, PodAffinityTerm, ResourceQuota, ScopedResourceSelectorRequirement,
    Service,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::quantity::{self, Exact, Format};
use crate::resources::{Amounts, Side, pod_amounts, qos_class};
use crate::selector::{Operator, Requirement};
use crate::{Kind, Object, Objects, Timestamp, pods};

/// The part of a name that limits one storage class.
const STORAGE_CLASS: &str = ".storageclass.storage.k8s.io/";

/// What the object uses, by the names that a quota's `hard` may have.
#[must_use]
pub fn usage(object: &Object, now: Timestamp) -> Amounts {
    let mut used = Amounts::new();
    let kind = object.kind();
    let count =
        |n: usize| Exact::from_value(i64::try_from(n).unwrap_or(i64::MAX), Format::DecimalSi);
    used.insert(format!("count/{}", kind.qualified_resource()), count(1));
    match object {
        Object::Pod(pod) => pod_usage(pod, now, &mut used),
        Object::Service(service) => {
            used.insert("services".to_owned(), count(1));
            let (ports, balancers) = node_ports(service);
            used.insert("services.nodeports".to_owned(), count(ports));
            used.insert("services.loadbalancers".to_owned(), count(balancers));
        }
        Object::PersistentVolumeClaim(claim) => claim_usage(claim, &mut used),
        _ => {
            if plain(kind) {
                used.insert(kind.plural().to_owned(), count(1));
            }
        }
    }
    used
}

/// Kinds that a quota also counts by their plain name.
fn plain(kind: Kind) -> bool {
    matches!(kind, Kind::ConfigMap | Kind::Secret | Kind::ResourceQuota)
}

/// Whether a pod still counts: it has not ended, nor has its grace period since it was deleted.
/// Upstream: `QuotaV1Pod`.
#[must_use]
pub fn counts(pod: &Pod, now: Timestamp) -> bool {
    if pods::is_terminal(pod) {
        return false;
    }
    let deleted = pod.metadata.deletion_timestamp.as_ref();
    let grace = pod.metadata.deletion_grace_period_seconds;
    match (deleted, grace) {
        (Some(deleted), Some(grace)) => now <= crate::time::after_secs(deleted.0, grace),
        _ => true,
    }
}

fn pod_usage(pod: &Pod, now: Timestamp, used: &mut Amounts) {
    if !counts(pod, now) {
        return;
    }
    used.insert("pods".to_owned(), Exact::from_value(1, Format::DecimalSi));
    for (name, amount) in pod_amounts(pod, Side::Requests) {
        let native = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage");
        if native || name.starts_with("hugepages-") {
            used.insert(name.clone(), amount);
        }
        used.insert(format!("requests.{name}"), amount);
    }
    for (name, amount) in pod_amounts(pod, Side::Limits) {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            used.insert(format!("limits.{name}"), amount);
        }
    }
}

/// Node ports and load balancers.
fn node_ports(service: &Service) -> (usize, usize) {
    let Some(spec) = &service.spec else { return (0, 0) };
    let ports = spec.ports.as_deref().unwrap_or_default();
    match spec.type_.as_deref() {
        Some("NodePort") => (ports.len(), 0),
        Some("LoadBalancer") if spec.allocate_load_balancer_node_ports == Some(false) => {
            (ports.iter().filter(|it| it.node_port.is_some_and(|it| it != 0)).count(), 1)
        }
        Some("LoadBalancer") => (ports.len(), 1),
        _ => (0, 0),
    }
}

fn claim_usage(claim: &PersistentVolumeClaim, used: &mut Amounts) {
    let one = Exact::from_value(1, Format::DecimalSi);
    used.insert("persistentvolumeclaims".to_owned(), one);
    let spec = claim.spec.as_ref();
    let class = spec.and_then(|it| it.storage_class_name.as_deref()).filter(|it| !it.is_empty());
    if let Some(class) = class {
        used.insert(format!("{class}{STORAGE_CLASS}persistentvolumeclaims"), one);
    }
    let requests = spec.and_then(|it| it.resources.as_ref()?.requests.as_ref());
    let Some(storage) = requests.and_then(|it| it.get("storage")) else { return };
    let mut storage = whole(storage);
    // What a claim was once promised counts while it asks for less.
    let status = claim.status.as_ref().and_then(|it| it.allocated_resources.as_ref());
    if let Some(promised) = status.and_then(|it| it.get("storage")) {
        storage = storage.max(whole(promised));
    }
    used.insert("requests.storage".to_owned(), storage);
    if let Some(class) = class {
        used.insert(format!("{class}{STORAGE_CLASS}requests.storage"), storage);
    }
}

/// An amount of bytes, rounded up to whole ones.
fn whole(quantity: &Quantity) -> Exact {
    let exact = quantity::parse(&quantity.0).unwrap_or_default();
    let value = Exact::from_value(exact.value(), exact.format());
    if value == exact { exact } else { value }
}

/// Whether objects of a kind count against a resource of a quota. Upstream: `MatchingResources`.
#[must_use]
pub fn tracks(kind: Kind, resource: &str) -> bool {
    if resource.strip_prefix("count/").is_some_and(|it| it == kind.qualified_resource()) {
        return true;
    }
    match kind {
        Kind::Pod => {
            let native = matches!(
                resource,
                "pods"
                    | "cpu"
                    | "memory"
                    | "ephemeral-storage"
                    | "requests.cpu"
                    | "requests.memory"
                    | "requests.ephemeral-storage"
                    | "limits.cpu"
                    | "limits.memory"
                    | "limits.ephemeral-storage"
            );
            let pages =
                resource.starts_with("hugepages-") || resource.starts_with("requests.hugepages-");
            let extended = resource.starts_with("requests.") && resource.contains('/');
            native || pages || extended
        }
        Kind::Service => {
            matches!(resource, "services" | "services.nodeports" | "services.loadbalancers")
        }
        Kind::PersistentVolumeClaim => {
            let own = |it: &str| matches!(it, "persistentvolumeclaims" | "requests.storage");
            own(resource) || resource.split_once(STORAGE_CLASS).is_some_and(|(_, it)| own(it))
        }
        _ => plain(kind) && resource == kind.plural(),
    }
}

/// Whether the object falls under the quota: it counts against one of its resources and is within
/// all of its scopes.
#[must_use]
pub fn matches(quota: &ResourceQuota, object: &Object) -> bool {
    let Some(spec) = &quota.spec else { return false };
    let mut resources = spec.hard.iter().flatten().map(|(name, _)| name);
    resources.any(|it| tracks(object.kind(), it)) && in_scopes(quota, object)
}

fn in_scopes(quota: &ResourceQuota, object: &Object) -> bool {
    let Some(spec) = &quota.spec else { return false };
    let plain = spec.scopes.iter().flatten().map(|scope| ScopedResourceSelectorRequirement {
        operator: "Exists".to_owned(),
        scope_name: scope.clone(),
        values: None,
    });
    let selected = spec.scope_selector.iter().flat_map(|it| it.match_expressions.iter().flatten());
    let mut all = plain.chain(selected.cloned());
    match object {
        Object::Pod(pod) => all.all(|it| pod_in_scope(pod, &it)),
        Object::PersistentVolumeClaim(claim) => all.all(|it| claim_in_scope(claim, &it)),
        _ => all.next().is_none(),
    }
}

fn pod_in_scope(pod: &Pod, scope: &ScopedResourceSelectorRequirement) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let ends = spec.active_deadline_seconds.is_some_and(|it| it >= 0);
    match scope.scope_name.as_str() {
        "Terminating" => ends,
        "NotTerminating" => !ends,
        "BestEffort" => qos_class(spec) == "BestEffort",
        "NotBestEffort" => qos_class(spec) != "BestEffort",
        "PriorityClass" => {
            accepts(scope, spec.priority_class_name.as_deref().filter(|it| !it.is_empty()))
        }
        "CrossNamespacePodAffinity" => crosses_namespaces(pod),
        _ => false,
    }
}

/// Whether a scope's expression is true of a name.
fn accepts(scope: &ScopedResourceSelectorRequirement, name: Option<&str>) -> bool {
    let Some(operator) = Operator::parse(&scope.operator) else { return false };
    let requirement = Requirement {
        key: scope.scope_name.clone(),
        operator,
        values: scope.values.clone().unwrap_or_default(),
    };
    requirement.accepts(name)
}

/// By the attributes classes that the claim has, had, or is about to have.
fn claim_in_scope(
    claim: &PersistentVolumeClaim,
    scope: &ScopedResourceSelectorRequirement,
) -> bool {
    if scope.scope_name != "VolumeAttributesClass" {
        return false;
    }
    let status = claim.status.as_ref();
    let change = status.and_then(|it| it.modify_volume_status.as_ref());
    let names = [
        claim.spec.as_ref().and_then(|it| it.volume_attributes_class_name.as_deref()),
        status.and_then(|it| it.current_volume_attributes_class_name.as_deref()),
        change.and_then(|it| it.target_volume_attributes_class_name.as_deref()),
    ];
    let mut names = names.into_iter().flatten().filter(|it| !it.is_empty()).peekable();
    if names.peek().is_none() {
        return accepts(scope, None);
    }
    names.any(|it| accepts(scope, Some(it)))
}

fn crosses_namespaces(pod: &Pod) -> bool {
    let crosses = |it: &PodAffinityTerm| {
        it.namespaces.as_ref().is_some_and(|it| !it.is_empty()) || it.namespace_selector.is_some()
    };
    let affinity = pod.spec.as_ref().and_then(|it| it.affinity.as_ref());
    let near = affinity.and_then(|it| it.pod_affinity.as_ref());
    let far = affinity.and_then(|it| it.pod_anti_affinity.as_ref());
    let required = [
        near.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref()),
        far.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref()),
    ];
    let preferred = [
        near.and_then(|it| it.preferred_during_scheduling_ignored_during_execution.as_ref()),
        far.and_then(|it| it.preferred_during_scheduling_ignored_during_execution.as_ref()),
    ];
    required.into_iter().flatten().flatten().any(crosses)
        || preferred.into_iter().flatten().flatten().any(|it| crosses(&it.pod_affinity_term))
}

/// The limits of a quota: those that its controller has taken over, or else those of its spec.
#[must_use]
pub fn hard(quota: &ResourceQuota) -> Option<&BTreeMap<String, Quantity>> {
    let taken_over = quota.status.as_ref().and_then(|it| it.hard.as_ref());
    taken_over.or_else(|| quota.spec.as_ref().and_then(|it| it.hard.as_ref()))
}

/// What all objects of the quota's namespace use of its limits.
#[must_use]
pub fn used(quota: &ResourceQuota, objects: &Objects, now: Timestamp) -> Amounts {
    let namespace = quota.metadata.namespace.as_deref().unwrap_or_default();
    let names = hard(quota).into_iter().flat_map(BTreeMap::keys);
    let mut used: Amounts = names.map(|it| (it.clone(), Exact::default())).collect();
    for kind in Kind::ALL.iter().copied().filter(|it| it.namespaced()) {
        if !used.keys().any(|it| tracks(kind, it)) {
            continue;
        }
        for object in objects.list_in(kind, namespace).filter(|it| matches(quota, it)) {
            for (name, amount) in usage(object, now) {
                if let Some(sum) = used.get_mut(&name) {
                    *sum = sum.plus(amount);
                }
            }
        }
    }
    used
}

/// The resources that every container must ask for, if a quota limits them.
const ENFORCED: [(&str, Side, &str); 6] = [
    ("cpu", Side::Requests, "cpu"),
    ("limits.cpu", Side::Limits, "cpu"),
    ("limits.memory", Side::Limits, "memory"),
    ("memory", Side::Requests, "memory"),
    ("requests.cpu", Side::Requests, "cpu"),
    ("requests.memory", Side::Requests, "memory"),
];

/// The containers that do not say what a quota of these resources wants to know: each such resource
/// with their names. Upstream: `podEvaluator.Constraints`.
#[must_use]
pub fn unsaid(pod: &Pod, names: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut unsaid: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let Some(spec) = &pod.spec else { return unsaid };
    let given = |it: &Option<BTreeMap<String, Quantity>>| it.iter().any(|it| !it.is_empty());
    if spec.resources.as_ref().is_some_and(|it| given(&it.requests) || given(&it.limits)) {
        return unsaid;
    }
    for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
        for (name, side, resource) in ENFORCED.iter().filter(|it| names.contains(&it.0)) {
            let given = container.resources.as_ref().and_then(|it| match side {
                Side::Requests => it.requests.as_ref(),
                Side::Limits => it.limits.as_ref(),
            });
            if given.is_some_and(|it| it.contains_key(*resource)) {
                continue;
            }
            let containers = unsaid.entry((*name).to_owned()).or_default();
            if let Err(at) = containers.binary_search(&container.name) {
                containers.insert(at, container.name.clone());
            }
        }
    }
    unsaid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resource;
    use serde_json::json;

    fn pod(phase: &str, spec: serde_json::Value) -> Object {
        let pod: Pod =
            serde_json::from_value(json!({"spec": spec, "status": {"phase": phase}})).unwrap();
        pod.into_object()
    }

    fn resources() -> serde_json::Value {
        json!({"containers": [{"name": "c", "resources": {
            "requests": {"cpu": "500m", "example.com/gpu": "2"}, "limits": {"cpu": "1"}}}]})
    }

    fn check(object: &Object, expected: &[(&str, &str)]) {
        let used = usage(object, Timestamp::UNIX_EPOCH);
        let used: Vec<(String, String)> =
            used.into_iter().map(|(name, amount)| (name, amount.to_quantity().0)).collect();
        let expected: Vec<(String, String)> =
            expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(used, expected);
    }

    #[test]
    fn a_pod_counts_until_it_has_ended() {
        check(
            &pod("Running", resources()),
            &[
                ("count/pods", "1"),
                ("cpu", "500m"),
                ("limits.cpu", "1"),
                ("pods", "1"),
                ("requests.cpu", "500m"),
                ("requests.example.com/gpu", "2"),
            ],
        );
        check(&pod("Succeeded", resources()), &[("count/pods", "1")]);
    }

    #[test]
    fn a_claim_counts_whole_bytes_and_what_it_was_promised() {
        for (asked, promised, counted) in [
            ("1Gi", None, "1Gi"),
            ("1500m", None, "2"),
            ("1Gi", Some("2Gi"), "2Gi"),
            ("2Gi", Some("1Gi"), "2Gi"),
        ] {
            let promised = promised.map(|it| json!({"storage": it}));
            let claim: PersistentVolumeClaim = serde_json::from_value(json!({
                "spec": {"resources": {"requests": {"storage": asked}}},
                "status": {"allocatedResources": promised},
            }))
            .unwrap();
            check(
                &claim.into_object(),
                &[
                    ("count/persistentvolumeclaims", "1"),
                    ("persistentvolumeclaims", "1"),
                    ("requests.storage", counted),
                ],
            );
        }
    }

    #[test]
    fn scopes_choose_pods() {
        let quota = |spec: serde_json::Value| -> ResourceQuota {
            serde_json::from_value(json!({"spec": spec})).unwrap()
        };
        let hard = json!({"pods": "1"});
        let best_effort = pod("Running", json!({"containers": [{"name": "c"}]}));
        let burstable = pod("Running", resources());
        for (spec, best, burst) in [
            (json!({"hard": hard}), true, true),
            (json!({"hard": {"services": "1"}}), false, false),
            (json!({"hard": hard, "scopes": ["BestEffort"]}), true, false),
            (json!({"hard": hard, "scopes": ["NotBestEffort", "NotTerminating"]}), false, true),
            (
                json!({"hard": hard, "scopeSelector": {"matchExpressions": [
                    {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}}),
                false,
                false,
            ),
        ] {
            let quota = quota(spec.clone());
            assert_eq!(matches(&quota, &best_effort), best, "{spec}");
            assert_eq!(matches(&quota, &burstable), burst, "{spec}");
        }
    }
}
