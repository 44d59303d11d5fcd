//! Documents of an older version of a kind, read as the one that is kept.
//!
//! Upstream: `pkg/apis/autoscaling/v1/conversion.go`, v1.36.
//! Differs from upstream: the annotations in which `autoscaling/v1` carries what it has no fields
//! for stay annotations, because nobody writes them by hand.

use serde_json::Value;

use super::decode::{Fault, Problem};
use super::node::{Data, Entry, Node};
use crate::Kind;

const PERCENTAGE: &str = "targetCPUUtilizationPercentage";

/// The kind of a version that is not kept.
pub(super) fn meaning(api_version: &str, kind: &str) -> Option<Kind> {
    let known = Kind::HorizontalPodAutoscaler;
    (api_version == "autoscaling/v1" && kind == known.name()).then_some(known)
}

/// A document in the version that is kept, as [`super::read()`] understands it.
#[must_use]
pub fn upgraded(value: Value) -> Value {
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    match meaning(text("apiVersion"), text("kind")) {
        Some(_) => upgrade(&Node::from_json(&value)).0.to_json(),
        None => value,
    }
}

/// The tree in the version that is kept, and what the older version does not know.
pub(super) fn upgrade(node: &Node) -> (Node, Vec<Problem>) {
    let (mut node, mut unknown) = (node.clone(), vec![]);
    if let Some(entry) = entry_mut(&mut node, "apiVersion") {
        entry.value.data = Data::Str(Kind::HorizontalPodAutoscaler.api_version());
    }
    if let Some(Entry { value: Node { data: Data::Map(status), .. }, .. }) =
        entry_mut(&mut node, "status")
    {
        status.retain(|it| it.key != "currentCPUUtilizationPercentage");
    }
    if let Some(Entry { value: Node { data: Data::Map(spec), .. }, .. }) =
        entry_mut(&mut node, "spec")
    {
        spec.retain(|it| {
            let is_newer = matches!(it.key.as_str(), "metrics" | "behavior");
            if is_newer {
                unknown.push(newer_field(it));
            }
            !is_newer && (it.key != PERCENTAGE || it.value.data != Data::Null)
        });
        for entry in spec.iter_mut().filter(|it| it.key == PERCENTAGE) {
            *entry = metrics(entry);
        }
    }
    (node, unknown)
}

/// The problems of an upgraded tree in the words of the older version.
pub(super) fn in_older_words(problems: &mut [Problem]) {
    for it in problems {
        if it.path.ends_with("averageUtilization") {
            let field = "MetricTarget.spec.metrics.resource.target.averageUtilization";
            let older = format!("HorizontalPodAutoscalerSpec.spec.{PERCENTAGE}");
            it.message = it.message.replace(field, &older);
            it.path = format!("spec.{PERCENTAGE}");
        }
    }
}

fn entry_mut<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Entry> {
    match &mut node.data {
        Data::Map(entries) => entries.iter_mut().find(|it| it.key == key),
        _ => None,
    }
}

/// The share of the processor as a metric, every part of it at the place of the old field.
fn metrics(old: &Entry) -> Entry {
    let entry =
        |key: &str, value: Node| Entry { key: key.to_owned(), key_span: old.key_span, value };
    let node = |data: Data| Node { span: old.value.span, data, raw: None };
    let text = |text: &str| node(Data::Str(text.to_owned()));
    let target =
        vec![entry("type", text("Utilization")), entry("averageUtilization", old.value.clone())];
    let resource = vec![entry("name", text("cpu")), entry("target", node(Data::Map(target)))];
    let metric =
        vec![entry("type", text("Resource")), entry("resource", node(Data::Map(resource)))];
    entry("metrics", node(Data::Seq(vec![node(Data::Map(metric))])))
}

fn newer_field(entry: &Entry) -> Problem {
    let path = format!("spec.{}", entry.key);
    Problem {
        fault: Fault::UnknownField,
        code: "unknown-field",
        message: format!("unknown field {}", crate::fields::quote(&path)),
        path,
        span: entry.key_span,
        hint: Some("autoscaling/v2 has it".to_owned()),
        replacement: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_share_of_the_processor_becomes_a_metric() {
        let meta = json!({"name": "a"});
        let older = json!({
            "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": meta,
            "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50},
            "status": {"currentCPUUtilizationPercentage": 5, "currentReplicas": 1},
        });
        let target = json!({"type": "Utilization", "averageUtilization": 50});
        let resource = json!({"name": "cpu", "target": target});
        let newer = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta,
            "spec": {"maxReplicas": 3, "metrics": [{"type": "Resource", "resource": resource}]},
            "status": {"currentReplicas": 1},
        });
        assert_eq!(upgraded(older), newer);
        assert_eq!(upgraded(newer.clone()), newer);
    }

    #[test]
    fn problems_are_told_in_the_words_of_the_older_version() {
        let text = "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n\
                    spec:\n  maxReplicas: 3\n  scaleTargetRef: {kind: Deployment, name: d}\n";
        let check = |more: &str, expected: &str| {
            let reading = super::super::read(&format!("{text}  {more}\n"));
            let refusal = format!("{:?}", reading.documents[0].refusal);
            assert!(refusal.contains(expected), "{more}: {refusal}");
        };
        let of = "HorizontalPodAutoscaler in version \\\"v1\\\" cannot be handled as a \
                  HorizontalPodAutoscaler:";
        check("targetCPUUtilizationPercentage: 50", "None");
        check("targetCPUUtilizationPercentage:", "None");
        let field = "HorizontalPodAutoscalerSpec.spec.targetCPUUtilizationPercentage";
        check(
            "targetCPUUtilizationPercentage: \"5\"",
            &format!(
                "{of} json: cannot unmarshal string into Go struct field {field} of type int32"
            ),
        );
        check(
            "metrics: []",
            &format!("{of} strict decoding error: unknown field \\\"spec.metrics\\\""),
        );
    }
}
