//! Descriptions of autoscalers.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/describe/describe.go`
//! (`describeHorizontalPodAutoscalerV2`), v1.36.

use api::{Resource, wire};
use k8s_openapi::api::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscaler};

use super::{Page, line, rfc1123};
use crate::printers::metrics;

pub(super) fn autoscaler(page: &mut Page, autoscaler: &HorizontalPodAutoscaler) {
    let meta = &autoscaler.metadata;
    let spec = &autoscaler.spec;
    let status = autoscaler.status.clone().unwrap_or_default();
    let target = &spec.scale_target_ref;
    line!(page, 0, "Name:\t{}", autoscaler.name());
    line!(page, 0, "Namespace:\t{}", autoscaler.namespace());
    page.pairs("Labels", meta.labels.as_ref());
    page.annotations("Annotations", meta.annotations.as_ref());
    line!(page, 0, "CreationTimestamp:\t{}", rfc1123(meta.creation_timestamp.as_ref()));
    line!(page, 0, "Reference:\t{}/{}", target.kind, target.name);
    page.line(0, "Metrics:\t( current / target )");
    for it in metrics(&wire::to_value(autoscaler), true) {
        let text = |path: &str| {
            it.source.pointer(path).and_then(|it| it.as_str()).unwrap_or_default().to_owned()
        };
        let metric = api::fields::quote(&text("/metric/name"));
        let average = if it.is_average { "average " } else { "" };
        let what = match it.type_ {
            "External" => format!("{metric} (target {average}value):"),
            "Pods" => format!("{metric} on pods:"),
            "Object" => format!(
                "{metric} on {}/{} (target {average}value):",
                text("/describedObject/kind"),
                text("/describedObject/name")
            ),
            "Resource" | "ContainerResource" => {
                let of = match it.type_ {
                    "Resource" => String::new(),
                    _ => format!(" of container \"{}\"", text("/container")),
                };
                let share = if it.is_average { ":" } else { "  (as a percentage of request):" };
                format!("resource {}{of} on pods{share}", text("/name"))
            }
            other => {
                line!(page, 1, "<unknown metric type {}>", api::fields::quote(other));
                continue;
            }
        };
        line!(page, 1, "{what}\t{} / {}", it.current, it.target);
    }
    let min = spec.min_replicas.map_or_else(|| "<unset>".to_owned(), |it| it.to_string());
    line!(page, 0, "Min replicas:\t{min}");
    line!(page, 0, "Max replicas:\t{}", spec.max_replicas);
    if let Some(behavior) = &spec.behavior {
        page.line(0, "Behavior:");
        direction(page, "Scale Up", behavior.scale_up.as_ref());
        direction(page, "Scale Down", behavior.scale_down.as_ref());
    }
    let current = status.current_replicas.unwrap_or_default();
    line!(
        page,
        0,
        "{} pods:\t{current} current / {} desired",
        target.kind,
        status.desired_replicas
    );
    let conditions = status.conditions.unwrap_or_default();
    if !conditions.is_empty() {
        page.line(0, "Conditions:");
        page.line(1, "Type\tStatus\tReason\tMessage");
        page.line(1, "----\t------\t------\t-------");
    }
    for it in conditions {
        let text = |it: Option<String>| it.unwrap_or_default();
        line!(page, 1, "{}\t{}\t{}\t{}", it.type_, it.status, text(it.reason), text(it.message));
    }
}

fn direction(page: &mut Page, title: &str, rules: Option<&HPAScalingRules>) {
    let Some(rules) = rules else { return };
    line!(page, 1, "{title}:");
    if let Some(seconds) = rules.stabilization_window_seconds {
        line!(page, 2, "Stabilization Window: {seconds} seconds");
    }
    let policies = rules.policies.as_deref().unwrap_or_default();
    if policies.is_empty() {
        return;
    }
    line!(page, 2, "Select Policy: {}", rules.select_policy.as_deref().unwrap_or("Max"));
    page.line(2, "Policies:");
    for it in policies {
        line!(
            page,
            3,
            "- Type: {}\tValue: {}\tPeriod: {} seconds",
            it.type_,
            it.value,
            it.period_seconds
        );
    }
}
