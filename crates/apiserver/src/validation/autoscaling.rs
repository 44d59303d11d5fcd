//! Horizontal pod autoscalers.
//!
//! Upstream: `pkg/apis/autoscaling/validation/validation.go`,
//! `pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go`, v1.36.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler,
    MetricSpec, MetricTarget,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::validation::check::{form, label, list_of, str_of};
use crate::validation::{Bad, Errors, Path, meta, resources, text};

/// Upstream: `MaxPeriodSeconds`.
const MAX_PERIOD_SECONDS: i32 = 1800;
/// Upstream: `MaxStabilizationWindowSeconds`.
const MAX_STABILIZATION_SECONDS: i32 = 3600;

/// Which API versions of the objects that it refers to are accepted.
#[derive(Clone, Copy)]
struct Versions {
    any: bool,
    core: bool,
}

pub(crate) fn autoscaler(errors: &mut Errors, new: &HorizontalPodAutoscaler) {
    meta::object_meta(errors, &new.metadata, true, text::dns1123_subdomain);
    spec(errors, new, None);
}

pub(crate) fn autoscaler_update(
    errors: &mut Errors,
    new: &HorizontalPodAutoscaler,
    old: &HorizontalPodAutoscaler,
) {
    meta::object_meta_update(errors, &new.metadata);
    spec(errors, new, Some(old));
}

fn spec(errors: &mut Errors, new: &HorizontalPodAutoscaler, old: Option<&HorizontalPodAutoscaler>) {
    let path = Path::new("spec");
    let spec = &new.spec;
    let before = old.map(|it| &it.spec);
    let (min, max) = (spec.min_replicas, spec.max_replicas);
    let lowest = i32::from(before.is_none_or(|it| it.min_replicas != Some(0)));
    if let Some(min) = min.filter(|it| *it < lowest) {
        let why = format!("must be greater than or equal to {lowest}");
        errors.invalid(&path.child("minReplicas"), min, &why);
    }
    if max == 0 {
        errors.required(&path.child("maxReplicas"), "must be set and greater than 0");
    } else if max < 0 {
        errors.invalid(&path.child("maxReplicas"), max, "must be greater than or equal to 1");
    }
    if min.is_some_and(|it| max < it) {
        let why = "must be greater than or equal to `minReplicas`";
        errors.invalid(&path.child("maxReplicas"), max, why);
    }
    let target = &spec.scale_target_ref;
    let same = before.is_some_and(|it| {
        let before = &it.scale_target_ref;
        before.api_version == target.api_version && before.kind == target.kind
    });
    let versions = Versions { any: same, core: target.kind == "ReplicationController" };
    reference(errors, &path.child("scaleTargetRef"), target, versions);
    let metrics = list_of(&spec.metrics);
    for (n, it) in metrics.iter().enumerate() {
        metric(errors, &path.child("metrics").index(n), it);
    }
    if min == Some(0) && !metrics.iter().any(|it| matches!(&*it.type_, "Object" | "External")) {
        errors.forbidden(
            &path.child("metrics"),
            "must specify at least one Object or External metric to support scaling to zero replicas",
        );
    }
    if let Some(behavior) = &spec.behavior {
        let path = path.child("behavior");
        scaling_rules(errors, &path.child("scaleUp"), behavior.scale_up.as_ref());
        scaling_rules(errors, &path.child("scaleDown"), behavior.scale_down.as_ref());
    }
}

fn reference(
    errors: &mut Errors,
    path: &Path<'_>,
    reference: &CrossVersionObjectReference,
    versions: Versions,
) {
    for (field, value) in [("kind", &reference.kind), ("name", &reference.name)] {
        if value.is_empty() {
            errors.required(&path.child(field), "");
        } else {
            form(errors, &path.child(field), value, text::path_segment_name(value));
        }
    }
    let version = str_of(&reference.api_version);
    let why = match version.matches('/').count() {
        _ if versions.any => return,
        0 | 1 if versions.core => return,
        1 if !version.starts_with('/') => return,
        0 | 1 => "apiVersion must specify API group".to_owned(),
        _ => format!("unexpected GroupVersion string: {version}"),
    };
    errors.invalid(&path.child("apiVersion"), version, &why);
}

fn scaling_rules(errors: &mut Errors, path: &Path<'_>, rules: Option<&HPAScalingRules>) {
    let Some(rules) = rules else { return };
    if let Some(seconds) = rules.stabilization_window_seconds {
        let path = path.child("stabilizationWindowSeconds");
        if seconds < 0 {
            errors.invalid(&path, seconds, "must be greater than or equal to zero");
        }
        if seconds > MAX_STABILIZATION_SECONDS {
            let why = format!("must be less than or equal to {MAX_STABILIZATION_SECONDS}");
            errors.invalid(&path, seconds, &why);
        }
    }
    if let Some(policy) = &rules.select_policy
        && !matches!(policy.as_str(), "Disabled" | "Max" | "Min")
    {
        errors.not_supported(&path.child("selectPolicy"), policy, &["Disabled", "Max", "Min"]);
    }
    let policies = list_of(&rules.policies);
    let path_of_policies = path.child("policies");
    if policies.is_empty() {
        errors.required(&path_of_policies, "must specify at least one Policy");
    }
    for (n, it) in policies.iter().enumerate() {
        scaling_policy(errors, &path_of_policies.index(n), it);
    }
    if let Some(tolerance) = &rules.tolerance
        && api::quantity::milli_value(tolerance) < 0
    {
        let shown = Bad::from(&tolerance.0);
        let why = "must be greater than or equal to 0";
        errors.invalid(&path.child("tolerance"), shown, why);
    }
}

fn scaling_policy(errors: &mut Errors, path: &Path<'_>, policy: &HPAScalingPolicy) {
    if !matches!(policy.type_.as_str(), "Pods" | "Percent") {
        errors.not_supported(&path.child("type"), &policy.type_, &["Percent", "Pods"]);
    }
    let period = policy.period_seconds;
    for (field, value) in [("value", policy.value), ("periodSeconds", period)] {
        if value <= 0 {
            errors.invalid(&path.child(field), value, "must be greater than zero");
        }
    }
    if period > MAX_PERIOD_SECONDS {
        let why = format!("must be less than or equal to {MAX_PERIOD_SECONDS}");
        errors.invalid(&path.child("periodSeconds"), period, &why);
    }
}

/// The types of metrics, the fields that go with them, in the order in which they are looked at.
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];

fn metric(errors: &mut Errors, path: &Path<'_>, spec: &MetricSpec) {
    let supported = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    let known = SOURCES.iter().find(|it| it.0 == spec.type_);
    if spec.type_.is_empty() {
        errors.required(&path.child("type"), "must specify a metric source type");
    }
    if known.is_none() {
        errors.not_supported(&path.child("type"), &spec.type_, &supported);
    }
    let present = [
        spec.object.is_some(),
        spec.external.is_some(),
        spec.pods.is_some(),
        spec.resource.is_some(),
        spec.container_resource.is_some(),
    ];
    let fields = || SOURCES.iter().map(|it| it.1).zip(present).filter(|it| it.1).map(|it| it.0);
    // Only the first is looked into.
    if let Some(field) = fields().next() {
        source(errors, &path.child(field), spec, field);
    }
    match known {
        Some((_, field)) if !fields().any(|it| it == *field) => {
            errors.required(
                &path.child(field),
                "must populate information for the given metric source",
            );
        }
        Some(_) => {}
        None => errors.not_supported(&path.child("type"), &spec.type_, &supported),
    }
    if fields().count() != 1 {
        for field in fields().filter(|it| known.is_none_or(|known| known.1 != *it)) {
            errors.forbidden(&path.child(field), "must populate the given metric source only");
        }
    }
}

fn source(errors: &mut Errors, path: &Path<'_>, spec: &MetricSpec, field: &str) {
    let target_path = path.child("target");
    let name_of_metric = |errors: &mut Errors, name: &str| {
        let path = path.child("metric");
        let path = path.child("name");
        if name.is_empty() {
            errors.required(&path, "must specify a metric name");
        } else {
            form(errors, &path, name, text::path_segment_name(name));
        }
    };
    let needs = |errors: &mut Errors, ok: bool, field: &str, why: &str| {
        if !ok {
            errors.required(&target_path.child(field), why);
        }
    };
    if let Some(it) = &spec.object {
        let versions = Versions { any: false, core: true };
        reference(errors, &path.child("describedObject"), &it.described_object, versions);
        name_of_metric(errors, &it.metric.name);
        target(errors, &target_path, &it.target);
        let ok = it.target.value.is_some() || it.target.average_value.is_some();
        needs(errors, ok, "averageValue", "must set either a target value or averageValue");
    } else if let Some(it) = &spec.external {
        name_of_metric(errors, &it.metric.name);
        target(errors, &target_path, &it.target);
        let (value, average) = (it.target.value.is_some(), it.target.average_value.is_some());
        let why = "must set either a target value for metric or a per-pod target";
        needs(errors, value || average, "averageValue", why);
        if value && average {
            let why = "may not set both a target value for metric and a per-pod target";
            errors.forbidden(&target_path.child("value"), why);
        }
    } else if let Some(it) = &spec.pods {
        name_of_metric(errors, &it.metric.name);
        target(errors, &target_path, &it.target);
        let ok = it.target.average_value.is_some();
        needs(errors, ok, "averageValue", "must specify a positive target averageValue");
    } else {
        let container = spec.container_resource.as_ref();
        let pair = spec.resource.as_ref().map(|it| (&it.name, &it.target));
        let Some((name, aim)) = pair.or(container.map(|it| (&it.name, &it.target))) else { return };
        if name.is_empty() {
            errors.required(&path.child("name"), "must specify a resource name");
        } else if field == "containerResource" {
            resources::container_resource_name(errors, &path.child("name"), name);
        }
        if let Some(it) = container.filter(|_| field == "containerResource") {
            if it.container.is_empty() {
                errors.required(&path.child("container"), "must specify a container");
            } else {
                label(errors, &path.child("container"), &it.container);
            }
        }
        target(errors, &target_path, aim);
        let (share, value) = (aim.average_utilization.is_some(), aim.average_value.is_some());
        let why = "must set either a target raw value or a target utilization";
        needs(errors, share || value, "averageUtilization", why);
        if share && value {
            let why = "may not set both a target raw value and a target utilization";
            errors.forbidden(&target_path.child("averageValue"), why);
        }
    }
}

fn target(errors: &mut Errors, path: &Path<'_>, target: &MetricTarget) {
    if target.type_.is_empty() {
        errors.required(&path.child("type"), "must specify a metric target type");
    }
    if !matches!(target.type_.as_str(), "Utilization" | "Value" | "AverageValue") {
        let why = "must be either Utilization, Value, or AverageValue";
        errors.invalid(&path.child("type"), &target.type_, why);
    }
    let quantities = [("value", &target.value), ("averageValue", &target.average_value)];
    for (field, quantity) in quantities {
        if let Some(Quantity(shown)) =
            quantity.as_ref().filter(|it| api::quantity::milli_value(it) <= 0)
        {
            errors.invalid(&path.child(field), shown, "must be positive");
        }
    }
    if let Some(share) = target.average_utilization.filter(|it| *it < 1) {
        errors.invalid(&path.child("averageUtilization"), share, "must be greater than 0");
    }
}
