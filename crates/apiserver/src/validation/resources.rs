//! Quantities of resources.
//!
//! Upstream: `pkg/apis/core/validation/validation.go`, `pkg/apis/core/helper/helpers.go`, v1.36.

use api::Gather;
use api::Order;
use std::collections::BTreeMap;

use api::quantity::{self, Exact};
use k8s_openapi::api::core::v1::{ResourceClaim, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::validation::check::{form, label, list_of, str_of};
use crate::validation::{Errors, Path, text};

pub(crate) type List = BTreeMap<String, Quantity>;

const QUOTA_RESOURCES: [&str; 19] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];

/// What is counted, not measured. Upstream: `integerResources`.
const COUNTED: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

pub(crate) fn exact(quantity: &Quantity) -> Exact {
    quantity::parse(&quantity.0).unwrap_or_default()
}

/// The quantity as the server writes it.
pub(crate) fn shown(quantity: &Quantity) -> String {
    quantity::canonical(&quantity.0)
}

/// The quantities as the server writes them.
pub(crate) fn canonical(list: &List) -> BTreeMap<&str, String> {
    list.iter().map(|(name, it)| (name.as_str(), shown(it))).to_map()
}

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn is_quota_huge_page(name: &str) -> bool {
    is_huge_page(name) || name.starts_with("requests.hugepages-")
}

fn is_standard(name: &str) -> bool {
    name == "storage" || is_standard_for_quota(name)
}

pub(crate) fn is_standard_for_quota(name: &str) -> bool {
    QUOTA_RESOURCES.contains(&name) || is_quota_huge_page(name)
}

/// Upstream: `IsNativeResource`.
pub(crate) fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Upstream: `IsExtendedResourceName`.
pub(crate) fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with("requests.")
        && text::label_key(&format!("requests.{name}")).is_empty()
}

/// Upstream: `IsOvercommitAllowed`.
pub(crate) fn may_overcommit(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

/// Upstream: `validateResourceName`.
pub(crate) fn resource_name(errors: &mut Errors, path: &Path<'_>, name: &str) {
    let messages = text::label_key(name);
    if messages.is_empty() && !name.contains('/') && !is_standard(name) {
        let why = "must be a standard resource type or fully qualified";
        errors.invalid(path, name, why);
    }
    form(errors, path, name, messages);
}

/// Upstream: `validateContainerResourceName`.
pub(crate) fn container_resource_name(errors: &mut Errors, path: &Path<'_>, name: &str) {
    resource_name(errors, path, name);
    if !name.contains('/') {
        if !matches!(name, "cpu" | "memory" | "ephemeral-storage") && !is_huge_page(name) {
            errors.invalid(path, name, "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        errors.invalid(path, name, "doesn't follow extended resource name standard");
    }
}

/// Upstream: `ValidateResourceQuotaResourceName`.
pub(crate) fn quota_resource_name(errors: &mut Errors, path: &Path<'_>, name: &str) {
    resource_name(errors, path, name);
    if !name.contains('/') && !is_standard_for_quota(name) {
        errors.invalid(path, name, "must be a standard resource for quota");
    }
}

fn pod_resource_name(errors: &mut Errors, path: &Path<'_>, name: &str) {
    let before = errors.len();
    resource_name(errors, path, name);
    if errors.len() == before && !matches!(name, "cpu" | "memory") && !is_huge_page(name) {
        errors.not_supported(path, name, &["cpu", "hugepages-", "memory"]);
    }
}

/// Upstream: `ValidateResourceQuantityValue`.
pub(crate) fn quantity_value(
    errors: &mut Errors,
    path: &Path<'_>,
    name: &str,
    quantity: &Quantity,
) {
    let value = exact(quantity);
    if value.sign() < 0 {
        errors.invalid(path, &shown(quantity), text::NEGATIVE);
    }
    let whole = value.milli_value() % 1000 == 0;
    if !whole && (COUNTED.contains(&name) || is_extended(name)) {
        errors.invalid(path, &shown(quantity), "must be an integer");
    }
}

/// Upstream: `ValidatePositiveQuantityValue`.
pub(crate) fn positive_quantity(errors: &mut Errors, path: &Path<'_>, quantity: &Quantity) {
    if exact(quantity).sign() <= 0 {
        errors.invalid(path, &shown(quantity), text::NOT_POSITIVE);
    }
}

/// Upstream: `validateBasicResource`.
pub(crate) fn basic_resource(errors: &mut Errors, path: &Path<'_>, quantity: &Quantity) {
    let value = exact(quantity).value();
    if value < 0 {
        errors.invalid(path, value, "must be a valid resource quantity");
    }
}

/// Whose requirements are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Container,
    Pod,
}

/// Upstream: `validateResourceRequirements`.
pub(crate) fn requirements(
    errors: &mut Errors,
    path: &Path<'_>,
    requirements: &ResourceRequirements,
    claim_names: &[&str],
    scope: Scope,
) {
    let check_name = match scope {
        Scope::Container => container_resource_name,
        Scope::Pod => pod_resource_name,
    };
    let empty = List::new();
    let limits = requirements.limits.as_ref().unwrap_or(&empty);
    let requests = requirements.requests.as_ref().unwrap_or(&empty);
    let (limits_path, requests_path) = (path.child("limits"), path.child("requests"));
    for (name, quantity) in limits {
        let path = limits_path.key(name);
        check_name(errors, &path, name);
        quantity_value(errors, &path, name, quantity);
        huge_page_value(errors, &path, name, quantity);
    }
    for (name, quantity) in requests {
        let path = requests_path.key(name);
        check_name(errors, &path, name);
        quantity_value(errors, &path, name, quantity);
        match limits.get(name) {
            Some(limit) => {
                let (have, most) = (exact(quantity), exact(limit));
                let limit = shown(limit);
                if have != most && !may_overcommit(name) {
                    let why = format!("must be equal to {name} limit of {limit}");
                    errors.invalid(&requests_path, &shown(quantity), &why);
                } else if have > most {
                    let why = format!("must be less than or equal to {name} limit of {limit}");
                    errors.invalid(&requests_path, &shown(quantity), &why);
                }
            }
            None if !may_overcommit(name) => {
                errors.required(&limits_path, "Limit must be set for non overcommitable resources");
            }
            None => {}
        }
        huge_page_value(errors, &path, name, quantity);
    }
    let mut names = limits.keys().chain(requests.keys());
    let computes = names.clone().any(|it| it == "cpu" || it == "memory");
    if !computes && names.any(|it| is_huge_page(it)) {
        errors.forbidden(path, "HugePages require cpu or memory");
    }
    claims(errors, &path.child("claims"), list_of(&requirements.claims), claim_names);
}

fn huge_page_value(errors: &mut Errors, path: &Path<'_>, name: &str, quantity: &Quantity) {
    let Some(size) = name.strip_prefix("hugepages-") else { return };
    let size =
        quantity::parse(size).ok().filter(|it| it.sign() > 0 && it.milli_value() % 1000 == 0);
    let fits = size.is_some_and(|it| exact(quantity).value() % it.value() == 0);
    if !fits {
        let amount = shown(quantity);
        let why = format!("{amount} is not positive integer multiple of {name}");
        errors.invalid(path, &amount, &why);
    }
}

fn claims(errors: &mut Errors, path: &Path<'_>, claims: &[ResourceClaim], known: &[&str]) {
    let mut names: Vec<String> = Vec::new();
    for (index, claim) in claims.iter().enumerate() {
        let path = path.index(index);
        let name = &claim.name;
        if name.is_empty() {
            errors.required(&path, "");
            continue;
        }
        if names.contains(name) {
            errors.duplicate(&path, name);
        } else {
            let request = str_of(&claim.request);
            let mut key = name.clone();
            if !request.is_empty() {
                label(errors, &path.child("request"), request);
                key = format!("{name}/{request}");
            }
            if names.contains(&key) {
                errors.duplicate(&path, &key);
            } else if request.is_empty() {
                let prefix = format!("{name}/");
                for _ in names.iter().filter(|it| it.starts_with(&prefix)) {
                    errors.duplicate(&path, name);
                }
            }
            names.push(key);
        }
        if !known.contains(&name.as_str()) {
            let mut why = "must be one of the names in pod.spec.resourceClaims".to_owned();
            if known.is_empty() {
                why.push_str(" which is empty");
            } else {
                let mut known = known.to_vec();
                known.order();
                why = format!("{why}: {}", known.join(", "));
            }
            errors.not_found_because(&path, name, &why);
        }
    }
}
