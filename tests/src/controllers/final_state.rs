//! What there is at the end of a run, in the words of the transcripts, field by field.

use std::collections::BTreeMap;

use api::{Kind, Object, Timestamp};
use serde_json::{Map, Value, json};

use super::project::scalar;

/// How far apart times in a status may be, seconds.
const TOLERANCE: i64 = 2;

/// The fields of a `spec` that transcripts list.
fn spec_fields(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::CronJob => &[
            "concurrencyPolicy",
            "failedJobsHistoryLimit",
            "schedule",
            "startingDeadlineSeconds",
            "successfulJobsHistoryLimit",
            "suspend",
            "timeZone",
        ],
        Kind::Job => &[
            "activeDeadlineSeconds",
            "backoffLimit",
            "backoffLimitPerIndex",
            "completionMode",
            "completions",
            "manualSelector",
            "parallelism",
            "podReplacementPolicy",
            "suspend",
        ],
        Kind::Pod => {
            &["hostname", "nodeName", "priority", "restartPolicy", "subdomain", "tolerations"]
        }
        Kind::DaemonSet => &["revisionHistoryLimit", "updateStrategy"],
        Kind::Node => &["taints", "unschedulable"],
        Kind::Deployment => &[
            "minReadySeconds",
            "progressDeadlineSeconds",
            "replicas",
            "revisionHistoryLimit",
            "strategy",
        ],
        Kind::ReplicaSet => &["minReadySeconds", "replicas"],
        Kind::PodDisruptionBudget => {
            &["maxUnavailable", "minAvailable", "unhealthyPodEvictionPolicy"]
        }
        Kind::StatefulSet => &["podManagementPolicy", "replicas", "serviceName", "updateStrategy"],
        _ => &[],
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The end of one object. `start` is when the run began.
pub(super) fn project(object: &Object, start: Timestamp) -> Value {
    let kind = object.kind();
    let json = serde_json::to_value(object).unwrap_or_default();
    let mut out = Map::new();
    metadata(&mut out, kind, &json["metadata"], start);
    let spec: Map<String, Value> = spec_fields(kind)
        .iter()
        .filter(|it| !json["spec"][**it].is_null())
        .map(|it| ((*it).to_owned(), json["spec"][*it].clone()))
        .collect();
    let mut spec = Value::Object(spec);
    for taint in spec["taints"].as_array_mut().into_iter().flatten() {
        taint["timeAdded"] = Value::Null;
    }
    out.insert("spec".into(), spec);
    match kind {
        Kind::ControllerRevision => {
            out.insert("revision".into(), json["revision"].clone());
        }
        Kind::EndpointSlice => endpoint_slice(&mut out, &json),
        _ => {
            out.insert("status".into(), status(kind, &json["status"], start));
        }
    }
    prune(Value::Object(out))
}

fn metadata(out: &mut Map<String, Value>, kind: Kind, meta: &Value, start: Timestamp) {
    let of_workloads = [Kind::CronJob, Kind::DaemonSet, Kind::Deployment, Kind::StatefulSet];
    for map in ["labels", "annotations"] {
        let pairs = meta[map].as_object().into_iter().flatten().filter(|(key, _)| {
            let labels = !of_workloads.contains(&kind) && kind != Kind::PodDisruptionBudget;
            match map {
                "labels" => labels && !key.ends_with("controller-uid"),
                _ => is_interesting(kind, key),
            }
        });
        let pairs = pairs.map(|(key, value)| (key.clone(), json!(scalar(value, start))));
        out.insert(map.into(), Value::Object(pairs.collect()));
    }
    let counted = [Kind::Job, Kind::ReplicaSet, Kind::PodDisruptionBudget];
    if counted.contains(&kind) || of_workloads.contains(&kind) {
        out.insert("generation".into(), meta["generation"].clone());
    }
    if meta["deletionTimestamp"].is_string() {
        out.insert("deletionTimestamp".into(), json!("set"));
    }
    out.insert("finalizers".into(), meta["finalizers"].clone());
    let owners = meta["ownerReferences"].as_array().into_iter().flatten();
    let owners = owners.map(|it| format!("{}/{}", text(&it["kind"]), text(&it["name"])));
    out.insert("ownerReferences".into(), json!(owners.collect::<Vec<_>>()));
}

fn is_interesting(kind: Kind, key: &str) -> bool {
    match kind {
        Kind::Pod | Kind::Job => {
            key.starts_with("sim.orrery.dev/") || key.starts_with("batch.kubernetes.io/")
        }
        Kind::Deployment => key == "deployment.kubernetes.io/revision",
        Kind::ReplicaSet => key.starts_with("deployment.kubernetes.io/"),
        Kind::DaemonSet | Kind::ControllerRevision => key.starts_with("deprecated.daemonset."),
        _ => false,
    }
}

fn status(kind: Kind, status: &Value, start: Timestamp) -> Value {
    let mut out = Map::new();
    for (key, value) in status.as_object().into_iter().flatten() {
        let value = match (kind, key.as_str()) {
            (_, "conditions") => conditions(kind, value),
            (Kind::Pod, "containerStatuses") => containers(value),
            (Kind::Pod, "phase" | "nominatedNodeName") => value.clone(),
            (Kind::Pod | Kind::Node, _) => continue,
            (Kind::Job, "startTime" | "completionTime") => json!("set"),
            (Kind::CronJob, "active") => {
                let names = value.as_array().into_iter().flatten().map(|it| it["name"].clone());
                names.collect()
            }
            (Kind::Job, "uncountedTerminatedPods") => continue,
            _ => match scalar(value, start) {
                Some(time) if time.starts_with("T+") => json!(time),
                _ => value.clone(),
            },
        };
        out.insert(key.clone(), value);
    }
    Value::Object(out)
}

fn conditions(kind: Kind, conditions: &Value) -> Value {
    let known = |it: &&Value| {
        let type_ = it["type"].as_str().unwrap_or_default();
        kind != Kind::Pod || ["PodScheduled", "Ready", "DisruptionTarget"].contains(&type_)
    };
    let keys: &[&str] = match kind {
        Kind::Node => &["type", "status", "reason"],
        Kind::PodDisruptionBudget => &["type", "status", "reason", "message", "observedGeneration"],
        _ => &["type", "status", "reason", "message"],
    };
    let short = |it: &Value| {
        let keys = keys.iter().filter(|key| !it[**key].is_null());
        keys.map(|key| ((*key).to_owned(), it[*key].clone())).collect::<Map<_, _>>()
    };
    conditions.as_array().into_iter().flatten().filter(known).map(short).collect()
}

fn containers(statuses: &Value) -> Value {
    let one = |it: &Value| {
        let reason = |of: &Value| text(&of["reason"]);
        let state = &it["state"];
        let state = if let Some(waiting) = state.get("waiting") {
            format!("waiting({})", reason(waiting))
        } else if let Some(ended) = state.get("terminated") {
            format!("terminated({} {})", ended["exitCode"], reason(ended))
        } else {
            "running".to_owned()
        };
        json!({
            "name": it["name"], "ready": it["ready"], "restartCount": it["restartCount"],
            "state": state,
        })
    };
    statuses.as_array().into_iter().flatten().map(one).collect()
}

fn endpoint_slice(out: &mut Map<String, Value>, json: &Value) {
    out.insert("addressType".into(), json["addressType"].clone());
    let ports =
        json["ports"].as_array().into_iter().flatten().map(
            |it| json!({ "name": it["name"], "port": it["port"], "protocol": it["protocol"] }),
        );
    out.insert("ports".into(), ports.collect());
    let endpoints = json["endpoints"].as_array().into_iter().flatten().map(|it| {
        json!({
            "conditions": it["conditions"], "hostname": it["hostname"],
            "nodeName": it["nodeName"], "targetRef": it["targetRef"]["name"],
        })
    });
    out.insert("endpoints".into(), endpoints.collect());
}

/// Without what is null or empty, and lists in an order of their own.
fn prune(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let pairs = map.into_iter().map(|(key, value)| (key, prune(value)));
            Value::Object(pairs.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(prune).collect();
            items.sort_by_cached_key(ToString::to_string);
            Value::Array(items)
        }
        other => other,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(it) => it.is_empty(),
        Value::Array(it) => it.is_empty(),
        Value::Object(it) => it.is_empty(),
        _ => false,
    }
}

/// What differs at the end. Both sides have the names of the transcript.
pub(super) fn differences(
    expected: &BTreeMap<String, Value>,
    actual: &BTreeMap<String, Value>,
) -> Vec<String> {
    let with_nodes = expected.keys().any(|it| it.starts_with("Node/"));
    let mut found = vec![];
    for (name, value) in expected {
        match actual.get(name) {
            None => found.push(format!("{name} is missing at the end")),
            Some(got) if is_seen(value) && !is_seen(got) => {
                found.push(format!("in the end {name} has a generation that was not seen: {got}"));
            }
            Some(got) => compare(name, &prune(value.clone()), &prune(got.clone()), &mut found),
        }
    }
    for name in actual.keys().filter(|it| with_nodes || !it.starts_with("Node/")) {
        if !expected.contains_key(name) {
            found.push(format!("{name} is there at the end, not expected"));
        }
    }
    found
}

/// Whether the status is of the newest generation.
fn is_seen(value: &Value) -> bool {
    value["generation"] == value["status"]["observedGeneration"]
}

fn compare(path: &str, expected: &Value, actual: &Value, found: &mut Vec<String>) {
    // How often a ReplicaSet is scaled depends on how many changes one sync sees.
    if path.starts_with("ReplicaSet/") && path.to_lowercase().ends_with("generation") {
        return;
    }
    if let (Value::Object(a), Value::Object(b)) = (expected, actual) {
        for key in a.keys().chain(b.keys().filter(|it| !a.contains_key(*it))) {
            let of = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
            compare(&format!("{path} {key}"), &of(a), &of(b), found);
        }
        return;
    }
    let seconds = |it: &Value| it.as_str()?.strip_prefix("T+")?.parse::<i64>().ok();
    let same = match (seconds(expected), seconds(actual)) {
        (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE,
        _ => expected == actual,
    };
    if !same {
        found.push(format!("in the end {path} is {actual}, expected {expected}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_end_counts() {
        let end = |replicas: i64, at: &str| json!({ "status": { "replicas": replicas, "lastScheduleTime": at, "conditions": [] } });
        let all = |value: Value| BTreeMap::from([("Job/a".to_owned(), value)]);
        for (got, n) in [
            (end(3, "T+10"), 0),
            (end(3, "T+12"), 0),
            (end(3, "T+13"), 1),
            (end(2, "T+10"), 1),
            // A part that is missing as a whole is told once.
            (json!({ "status": {} }), 1),
            (json!({ "status": { "replicas": 3, "lastScheduleTime": "T+10" }, "revision": 1 }), 1),
        ] {
            let found = differences(&all(end(3, "T+10")), &all(got));
            assert_eq!(found.len(), n, "{found:?}");
        }
        assert_eq!(differences(&all(end(3, "")), &BTreeMap::new()).len(), 1);
        assert_eq!(differences(&BTreeMap::new(), &all(end(3, ""))).len(), 1);
    }
}
