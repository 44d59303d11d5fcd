//! Objects in the words of the transcripts: the interesting fields by path.

use std::collections::BTreeMap;

use api::{Kind, Object, Timestamp};
use serde_json::Value;

/// The kinds that transcripts watch.
pub(super) const KINDS: &[Kind] = &[
    Kind::Pod,
    Kind::Job,
    Kind::CronJob,
    Kind::DaemonSet,
    Kind::ReplicaSet,
    Kind::Deployment,
    Kind::StatefulSet,
    Kind::ControllerRevision,
    Kind::EndpointSlice,
    Kind::PodDisruptionBudget,
    Kind::PersistentVolumeClaim,
    Kind::Node,
];

/// Paths and values.
pub(super) type Fields = BTreeMap<String, String>;

/// The interesting fields of an object. `start` is when the run began.
pub(super) fn project(object: &Object, start: Timestamp) -> Fields {
    let json = serde_json::to_value(object).unwrap_or_default();
    let mut fields = Fields::new();
    let kind = object.kind();
    let text = |value: &Value| scalar(value, start);
    metadata(&mut fields, kind, &json["metadata"], start);
    for path in spec_paths(kind) {
        if let Some(value) = text(&json["spec"][*path]) {
            fields.insert(format!("spec.{path}"), value);
        }
    }
    if let Some(status) = json["status"].as_object().filter(|_| kind != Kind::Node) {
        for (key, value) in status {
            let known = kind != Kind::Pod || key == "phase" || key == "nominatedNodeName";
            if let Some(value) = text(value).filter(|it| known && it != "0" && !it.is_empty()) {
                fields.insert(format!("status.{key}"), value);
            }
        }
    }
    conditions(&mut fields, kind, &json["status"]["conditions"]);
    match kind {
        Kind::Pod => pod(&mut fields, &json),
        Kind::Node => node(&mut fields, &json),
        Kind::Job => uncounted(&mut fields, &json["status"]["uncountedTerminatedPods"]),
        Kind::CronJob => {
            list(&mut fields, "status.active", &json["status"]["active"], name_of);
        }
        Kind::PodDisruptionBudget => {
            let pods = json["status"]["disruptedPods"].as_object();
            let names: Vec<&str> = pods.into_iter().flatten().map(|(name, _)| &**name).collect();
            if !names.is_empty() {
                fields.insert("status.disruptedPods".into(), format!("[{}]", names.join(", ")));
            }
        }
        Kind::ControllerRevision => {
            fields.insert("revision".into(), json["revision"].to_string());
        }
        Kind::EndpointSlice => endpoint_slice(&mut fields, &json),
        _ => {}
    }
    fields
}

fn spec_paths(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::CronJob => &[
            "suspend",
            "schedule",
            "concurrencyPolicy",
            "successfulJobsHistoryLimit",
            "failedJobsHistoryLimit",
            "startingDeadlineSeconds",
            "timeZone",
        ],
        Kind::Job => &[
            "suspend",
            "parallelism",
            "backoffLimit",
            "completionMode",
            "podReplacementPolicy",
            "manualSelector",
            "completions",
            "activeDeadlineSeconds",
            "backoffLimitPerIndex",
            "ttlSecondsAfterFinished",
        ],
        Kind::Pod => &["nodeName", "hostname", "subdomain", "priority", "schedulerName"],
        Kind::Node => &["unschedulable"],
        Kind::Deployment => &["replicas", "paused"],
        Kind::ReplicaSet | Kind::StatefulSet => &["replicas"],
        Kind::PodDisruptionBudget => &["minAvailable", "maxUnavailable"],
        _ => &[],
    }
}

/// A text, a number or a truth value; times as seconds since the start.
pub(super) fn scalar(value: &Value, start: Timestamp) -> Option<String> {
    match value {
        Value::String(text) => Some(time(text, start).unwrap_or_else(|| text.clone())),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// `T+12`, with the offset where it is not UTC.
fn time(text: &str, start: Timestamp) -> Option<String> {
    if text.len() < 20 || text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    let at: Timestamp = text.parse().ok()?;
    let seconds = at.as_second() - start.as_second();
    let offset = if text.ends_with('Z') { "" } else { text.get(text.len() - 6..)? };
    Some(if offset.is_empty() { format!("T+{seconds}") } else { format!("T+{seconds}({offset})") })
}

fn metadata(fields: &mut Fields, kind: Kind, meta: &Value, start: Timestamp) {
    let maps = [("labels", &meta["labels"]), ("annotations", &meta["annotations"])];
    for (name, map) in maps {
        for (key, value) in map.as_object().into_iter().flatten() {
            if is_interesting(kind, name, key) {
                fields.insert(format!("{name}.{key}"), scalar(value, start).unwrap_or_default());
            }
        }
    }
    let owner = |it: &Value| format!("{}/{}", it["kind"].as_str().unwrap_or_default(), name_of(it));
    list(fields, "ownerReferences", &meta["ownerReferences"], owner);
    list(fields, "finalizers", &meta["finalizers"], |it| it.as_str().unwrap_or_default().into());
    if meta["deletionTimestamp"].is_string() {
        let grace = meta["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
        fields.insert("deletionTimestamp".into(), format!("set(grace {grace}s)"));
    }
    let workloads = [Kind::DaemonSet, Kind::Deployment, Kind::ReplicaSet, Kind::StatefulSet];
    if workloads.contains(&kind) {
        fields.insert("metadata.generation".into(), meta["generation"].to_string());
    }
}

fn is_interesting(kind: Kind, map: &str, key: &str) -> bool {
    if map == "labels" {
        let of_pods = [Kind::Pod, Kind::Job, Kind::Node, Kind::ReplicaSet];
        let more = [Kind::ControllerRevision, Kind::EndpointSlice];
        return (of_pods.contains(&kind) || more.contains(&kind))
            && !key.ends_with("controller-uid");
    }
    match kind {
        Kind::Pod | Kind::Job => {
            key.starts_with("sim.orrery.dev/") || key.starts_with("batch.kubernetes.io/")
        }
        Kind::Deployment => key == "deployment.kubernetes.io/revision",
        Kind::ReplicaSet => key.starts_with("deployment.kubernetes.io/"),
        _ => false,
    }
}

fn name_of(value: &Value) -> String {
    value["name"].as_str().unwrap_or_default().to_owned()
}

fn list(fields: &mut Fields, path: &str, value: &Value, item: impl Fn(&Value) -> String) {
    let items: Vec<String> = value.as_array().into_iter().flatten().map(item).collect();
    if !items.is_empty() {
        fields.insert(path.to_owned(), format!("[{}]", items.join(", ")));
    }
}

fn conditions(fields: &mut Fields, kind: Kind, conditions: &Value) {
    for it in conditions.as_array().into_iter().flatten() {
        let text = |key: &str| it[key].as_str().unwrap_or_default();
        let type_ = text("type");
        let of_pods = ["PodScheduled", "Ready", "DisruptionTarget"];
        if kind == Kind::Pod && !of_pods.contains(&type_) {
            continue;
        }
        let short = kind == Kind::Node || (kind == Kind::Pod && type_ == "Ready");
        let (status, reason, message) = (text("status"), text("reason"), text("message"));
        let value = match (reason, message) {
            ("", _) => status.to_owned(),
            (_, "") => format!("{status}({reason})"),
            _ if short => format!("{status}({reason})"),
            _ => format!("{status}({reason}: {message})"),
        };
        fields.insert(format!("conditions.{type_}"), value);
    }
}

fn pod(fields: &mut Fields, json: &Value) {
    for container in json["status"]["containerStatuses"].as_array().into_iter().flatten() {
        let name = name_of(container);
        let state = &container["state"];
        let reason = |it: &Value| it["reason"].as_str().unwrap_or_default().to_owned();
        let state = if let Some(waiting) = state.get("waiting") {
            format!("waiting({})", reason(waiting))
        } else if let Some(ended) = state.get("terminated") {
            format!("terminated({} {})", ended["exitCode"], reason(ended))
        } else if state.get("running").is_some() {
            "running".to_owned()
        } else {
            continue;
        };
        fields.insert(format!("containers.{name}.state"), state);
        let restarts = container["restartCount"].as_i64().unwrap_or(0);
        if restarts > 0 {
            fields.insert(format!("containers.{name}.restartCount"), restarts.to_string());
        }
    }
    list(fields, "spec.schedulingGates", &json["spec"]["schedulingGates"], name_of);
}

fn node(fields: &mut Fields, json: &Value) {
    let taint = |it: &Value| {
        let text = |key: &str| it[key].as_str().unwrap_or_default();
        let value = text("value");
        let equals = if value.is_empty() { "" } else { "=" };
        format!("{}{equals}{value}:{}", text("key"), text("effect"))
    };
    // Transcripts have them in alphabetical order.
    let mut taints = json["spec"]["taints"].clone();
    if let Some(taints) = taints.as_array_mut() {
        taints.sort_by_key(taint);
    }
    list(fields, "spec.taints", &taints, taint);
}

fn uncounted(fields: &mut Fields, uncounted: &Value) {
    for key in ["succeeded", "failed"] {
        let n = uncounted[key].as_array().map_or(0, Vec::len);
        if n > 0 {
            fields.insert(format!("status.uncountedTerminatedPods.{key}"), n.to_string());
        }
    }
}

fn endpoint_slice(fields: &mut Fields, json: &Value) {
    fields.insert("addressType".into(), json["addressType"].as_str().unwrap_or_default().into());
    let port = |it: &Value| {
        let text = |key: &str| it[key].as_str().unwrap_or_default();
        format!("{}:{}/{}", text("name"), it["port"], text("protocol"))
    };
    list(fields, "ports", &json["ports"], port);
    for endpoint in json["endpoints"].as_array().into_iter().flatten() {
        let is = |key: &str| endpoint["conditions"][key].as_bool().unwrap_or(false);
        let pod = name_of(&endpoint["targetRef"]);
        let value = format!(
            "ready={} serving={} terminating={} node={}",
            is("ready"),
            is("serving"),
            is("terminating"),
            endpoint["nodeName"].as_str().unwrap_or_default()
        );
        fields.insert(format!("endpoints.{pod}"), value);
    }
}
