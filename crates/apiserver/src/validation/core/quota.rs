//! Resource quotas and limit ranges.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`ValidateResourceQuota`,
//! `ValidateLimitRange`), v1.36.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    LimitRange, LimitRangeItem, ResourceQuota, ResourceQuotaSpec, ResourceQuotaStatus,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::validation::check::{form, list_of};
use crate::validation::resources::{self, List, exact, shown};
use crate::validation::{Bad, Errors, Path, internal, meta, text};

pub(crate) fn resource_quota(errors: &mut Errors, quota: &ResourceQuota) {
    meta::object_meta(errors, &quota.metadata, true, text::dns1123_subdomain);
    spec(errors, quota);
    if let Some(it) = &quota.status {
        status(errors, it);
    }
}

pub(crate) fn resource_quota_update(errors: &mut Errors, new: &ResourceQuota, old: &ResourceQuota) {
    meta::object_meta_update(errors, &new.metadata);
    spec(errors, new);
    let scopes = |it: &ResourceQuota| -> Vec<String> {
        it.spec.as_ref().map(|it| list_of(&it.scopes).to_vec()).unwrap_or_default()
    };
    let set = |it: &ResourceQuota| -> BTreeSet<String> { scopes(it).into_iter().collect() };
    if set(new) != set(old) {
        let path = Path::new("spec");
        let shown = list_shown(&scopes(new));
        errors.invalid(&path.child("scopes"), shown, text::IMMUTABLE);
    }
}

fn list_shown(list: &[String]) -> Bad {
    if list.is_empty() { Bad::raw("null") } else { Bad::json(&list) }
}

pub(crate) fn status(errors: &mut Errors, status: &ResourceQuotaStatus) {
    let path = Path::new("status");
    for (field, list) in [("hard", &status.hard), ("used", &status.used)] {
        amounts(errors, &path.child(field), list.as_ref());
    }
}

fn amounts(errors: &mut Errors, path: &Path<'_>, list: Option<&List>) {
    for (name, quantity) in list.into_iter().flatten() {
        let path = path.key(name);
        resources::quota_resource_name(errors, &path, name);
        resources::quantity_value(errors, &path, name, quantity);
    }
}

fn spec(errors: &mut Errors, quota: &ResourceQuota) {
    let empty = ResourceQuotaSpec::default();
    let spec = quota.spec.as_ref().unwrap_or(&empty);
    let path = Path::new("spec");
    amounts(errors, &path.child("hard"), spec.hard.as_ref());
    let names: Vec<&str> =
        spec.hard.iter().flatten().map(|it| it.0.as_str()).filter(|it| is_known(it)).collect();
    let scopes = list_of(&spec.scopes);
    let scopes_path = path.child("scopes");
    for scope in scopes {
        if !SCOPES.contains(&scope.as_str()) {
            errors.invalid(&scopes_path, list_shown(scopes), "unsupported scope");
        }
        for _ in names.iter().filter(|it| !fits(scope, it)) {
            errors.invalid(
                &scopes_path,
                list_shown(scopes),
                "unsupported scope applied to resource",
            );
        }
    }
    conflicts(errors, &scopes_path, scopes.iter().map(String::as_str).collect(), scopes);
    let Some(selector) = &spec.scope_selector else { return };
    let selector_path = path.child("scopeSelector");
    let path = selector_path.child("matchExpressions");
    let expressions = list_of(&selector.match_expressions);
    for expression in expressions {
        let scope = expression.scope_name.as_str();
        let (operator, values) = (expression.operator.as_str(), list_of(&expression.values));
        if !SCOPES.contains(&scope) {
            errors.invalid(&path.child("scopeName"), scope, "unsupported scope");
        }
        for _ in names.iter().filter(|it| !fits(scope, it)) {
            let shown = Bad::raw(internal::dump("ScopeSelector", selector));
            errors.invalid(&path, shown, "unsupported scope applied to resource");
        }
        if EXISTS_ONLY.contains(&scope) && operator != "Exists" {
            let why = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
                       ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                       ResourceQuotaScopeNotBestEffort or \
                       ResourceQuotaScopeCrossNamespacePodAffinity";
            errors.invalid(&path.child("operator"), operator, why);
        }
        match operator {
            "In" | "NotIn" if values.is_empty() => {
                let why = "must be at least one value when `operator` is 'In' or 'NotIn' for \
                           scope selector";
                errors.required(&path.child("values"), why);
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for \
                           scope selector";
                errors.invalid(&path.child("values"), Bad::json(&values), why);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                errors.invalid(&path.child("operator"), other, "not a valid selector operator");
            }
        }
    }
    let named = expressions.iter().map(|it| it.scope_name.as_str()).collect();
    conflicts(errors, &path, named, scopes);
}

const EXISTS_ONLY: [&str; 5] =
    ["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"];
const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "VolumeAttributesClass",
    "CrossNamespacePodAffinity",
];

fn is_known(name: &str) -> bool {
    resources::is_standard_for_quota(name)
}

/// Upstream: `IsResourceQuotaScopeValidForResource`.
fn fits(scope: &str, resource: &str) -> bool {
    let computes =
        ["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
    match scope {
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => {
            matches!(resource, "persistentvolumeclaims" | "requests.storage")
        }
        it if SCOPES.contains(&it) => resource == "pods" || computes.contains(&resource),
        _ => true,
    }
}

fn conflicts(errors: &mut Errors, path: &Path<'_>, named: BTreeSet<&str>, scopes: &[String]) {
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|it| named.contains(it)) {
            errors.invalid(path, list_shown(scopes), "conflicting scopes");
        }
    }
}

pub(crate) fn limit_range(errors: &mut Errors, range: &LimitRange) {
    meta::object_meta(errors, &range.metadata, true, text::dns1123_subdomain);
    let spec_path = Path::new("spec");
    let all = spec_path.child("limits");
    let items: Vec<&LimitRangeItem> = range.spec.iter().flat_map(|it| &it.limits).collect();
    for (index, item) in items.iter().enumerate() {
        let path = all.index(index);
        type_name(errors, &path.child("type"), &item.type_);
        if items[..index].iter().any(|it| it.type_ == item.type_) {
            errors.duplicate(&path.child("type"), &item.type_);
        }
        limit_item(errors, &path, item);
    }
}

fn type_name(errors: &mut Errors, path: &Path<'_>, name: &str) {
    let messages = text::label_key(name);
    let standard = matches!(name, "Pod" | "Container" | "PersistentVolumeClaim");
    if messages.is_empty() && !name.contains('/') && !standard {
        errors.invalid(path, name, "must be a standard limit type or fully qualified");
    }
    form(errors, path, name, messages);
}

fn limit_item(errors: &mut Errors, path: &Path<'_>, item: &LimitRangeItem) {
    let of_pod = item.type_ == "Pod";
    let check_name: fn(&mut Errors, &Path<'_>, &str) = match item.type_.as_str() {
        "Pod" | "Container" => resources::container_resource_name,
        _ => resources::resource_name,
    };
    let mut names = BTreeSet::new();
    let empty = List::new();
    let mut list = |errors: &mut Errors, field: &str, list: &Option<List>| -> List {
        let path = path.child(field);
        for name in list.iter().flatten().map(|it| it.0) {
            check_name(errors, &path.key(name), name);
            names.insert(name.clone());
        }
        list.clone().unwrap_or_else(|| empty.clone())
    };
    let max = list(errors, "max", &item.max);
    let min = list(errors, "min", &item.min);
    let (mut default, mut default_request) = (List::new(), List::new());
    if of_pod {
        for (field, list) in [("default", &item.default), ("defaultRequest", &item.default_request)]
        {
            if list.as_ref().is_some_and(|it| !it.is_empty()) {
                let why = "may not be specified when `type` is 'Pod'";
                errors.forbidden(&path.child(field), why);
            }
        }
    } else {
        default = list(errors, "default", &item.default);
        default_request = list(errors, "defaultRequest", &item.default_request);
    }
    let bounded = min.contains_key("storage") || max.contains_key("storage");
    if item.type_ == "PersistentVolumeClaim" && !bounded {
        let why = "either minimum or maximum storage value is required, but neither was provided";
        errors.required(&path.child("limits"), why);
    }
    let ratio = list(errors, "maxLimitRequestRatio", &item.max_limit_request_ratio);
    for name in &names {
        let at = Bounds {
            min: min.get(name),
            max: max.get(name),
            default: default.get(name),
            request: default_request.get(name),
            ratio: ratio.get(name),
        };
        at.check(errors, path, name);
    }
}

/// What a limit range says of one resource.
struct Bounds<'a> {
    min: Option<&'a Quantity>,
    max: Option<&'a Quantity>,
    default: Option<&'a Quantity>,
    request: Option<&'a Quantity>,
    ratio: Option<&'a Quantity>,
}

impl Bounds<'_> {
    fn check(&self, errors: &mut Errors, path: &Path<'_>, name: &str) {
        let mut in_order = |field: &str,
                            bad: Option<&Quantity>,
                            low: (&str, Option<&Quantity>),
                            high: (&str, Option<&Quantity>)| {
            let (Some(bad), Some(a), Some(b)) = (bad, low.1, high.1) else { return };
            if exact(a) > exact(b) {
                let why = format!(
                    "{} value {} is greater than {} value {}",
                    low.0,
                    shown(a),
                    high.0,
                    shown(b)
                );
                errors.invalid(&path.child(field).key(name), &shown(bad), &why);
            }
        };
        let (min, max) = (("min", self.min), ("max", self.max));
        let (default, request) = (("default", self.default), ("default request", self.request));
        let limit = ("default limit", self.default);
        in_order("min", self.min, min, max);
        in_order("defaultRequest", self.request, min, request);
        in_order("defaultRequest", self.request, request, max);
        in_order("defaultRequest", self.request, request, limit);
        in_order("default", self.min, min, default);
        in_order("default", self.max, default, max);
        self.check_ratio(errors, path, name);
        if let (Some(default), Some(request)) = (self.default, self.request)
            && !resources::may_overcommit(name)
            && exact(default) != exact(request)
        {
            let why = format!(
                "default value {} must equal to defaultRequest value {} in {name}",
                shown(default),
                shown(request)
            );
            let path = path.child("defaultRequest");
            errors.invalid(&path.key(name), &shown(request), &why);
        }
    }

    fn check_ratio(&self, errors: &mut Errors, path: &Path<'_>, name: &str) {
        let Some(ratio) = self.ratio else { return };
        let ratio_path = path.child("maxLimitRequestRatio");
        let path = ratio_path.key(name);
        let milli = exact(ratio).milli_value();
        if milli < 1000 {
            let why = format!("ratio {} is less than 1", shown(ratio));
            errors.invalid(&path, &shown(ratio), &why);
        }
        let (Some(min), Some(max)) = (self.min, self.max) else { return };
        let (min, max) = (exact(min).milli_value(), exact(max).milli_value());
        #[expect(clippy::cast_precision_loss, reason = "upstream computes in float64")]
        let (most, wanted) = (max as f64 / min as f64, milli as f64 / 1000.0);
        if wanted > most {
            let why = format!("ratio {} is greater than max/min = {most:.6}", shown(ratio));
            errors.invalid(&path, &shown(ratio), &why);
        }
    }
}
