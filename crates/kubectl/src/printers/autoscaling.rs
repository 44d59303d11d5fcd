//! Rows of autoscalers, and what their descriptions say of metrics.
//!
//! Upstream: `pkg/printers/internalversion/printers.go` (`formatHPAMetrics`), v1.36.

use api::{Resource, wire};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::Value;

/// No more metrics are shown in a table.
const MAX_SHOWN: usize = 2;

pub(super) fn autoscaler(autoscaler: &HorizontalPodAutoscaler, age: String) -> Vec<String> {
    let spec = &autoscaler.spec;
    let status = autoscaler.status.as_ref();
    vec![
        autoscaler.name().to_owned(),
        format!("{}/{}", spec.scale_target_ref.kind, spec.scale_target_ref.name),
        targets(&wire::to_value(autoscaler)),
        spec.min_replicas.map_or_else(|| "<unset>".to_owned(), |it| it.to_string()),
        spec.max_replicas.to_string(),
        status.and_then(|it| it.current_replicas).unwrap_or_default().to_string(),
        age,
    ]
}

/// A metric of an autoscaler: what it asks for and how it is.
pub(crate) struct Metric<'a> {
    pub(crate) type_: &'a str,
    /// What the field of its type says.
    pub(crate) source: &'a Value,
    /// Whether an average value is aimed at.
    pub(crate) is_average: bool,
    pub(crate) current: String,
    pub(crate) target: String,
}

/// The metrics of an autoscaler as JSON. `full` shows a share with its value.
pub(crate) fn metrics(autoscaler: &Value, full: bool) -> Vec<Metric<'_>> {
    let all = autoscaler["spec"]["metrics"].as_array().map_or(&[][..], Vec::as_slice);
    let made = all.iter().enumerate().map(|(n, spec)| {
        let type_ = spec["type"].as_str().unwrap_or_default();
        let mut letters = type_.chars();
        let first = letters.next().map(|it| it.to_ascii_lowercase());
        let field: String = first.into_iter().chain(letters).collect();
        let source = &spec[&field];
        let now = &autoscaler["status"]["currentMetrics"][n][&field];
        let text = |it: &Value, none: &str| it.as_str().unwrap_or(none).to_owned();
        let is_average = field == "pods" || source["target"]["averageValue"].is_string();
        let is_share = !is_average && field.to_lowercase().ends_with("resource");
        let of_average = text(&now["current"]["averageValue"], "<nil>");
        let share = |it: &Value| it["averageUtilization"].as_i64().map(|it| format!("{it}%"));
        let current = match share(&now["current"]) {
            _ if now.is_null() => None,
            Some(share) if is_share && full => Some(format!("{share} ({of_average})")),
            share if is_share => share,
            _ if is_average => Some(of_average),
            _ => Some(text(&now["current"]["value"], "<nil>")),
        };
        let target = match is_share {
            true => share(&source["target"]).unwrap_or_else(|| "<auto>".to_owned()),
            false if is_average => text(&source["target"]["averageValue"], "<nil>"),
            false => text(&source["target"]["value"], "<nil>"),
        };
        let current = current.unwrap_or_else(|| "<unknown>".to_owned());
        Metric { type_, source, is_average, current, target }
    });
    made.collect()
}

/// `cpu: <unknown>/80%`.
fn targets(autoscaler: &Value) -> String {
    let metrics = metrics(autoscaler, false);
    let shown = metrics.iter().take(MAX_SHOWN).map(|it| {
        let pair = format!("{}/{}", it.current, it.target);
        match it.type_ {
            "Resource" | "ContainerResource" => {
                format!("{}: {pair}", it.source["name"].as_str().unwrap_or_default())
            }
            "External" | "Object" if it.is_average => format!("{pair} (avg)"),
            _ => pair,
        }
    });
    let text = shown.collect::<Vec<_>>().join(", ");
    match metrics.len() {
        0 => "<none>".to_owned(),
        n if n > MAX_SHOWN => format!("{text} + {} more...", n - MAX_SHOWN),
        _ => text,
    }
}
