//! Conformance area `scheduler`: one pod and a cluster, what kube-scheduler decides.
//!
//! All fields of `expect` are compared. Three orders are upstream's accident (it walks a Go map) and
//! are not compared: of the resources within one `NodeResourcesFit` verdict, of the nodes, of victims.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use api::{Kind, Object, Objects, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use scheduler::framework::interface::{Nomination, Rejection};
use scheduler::{Outcome, Scheduler};
use serde_json::{Map, Value, json};

use crate::conformance::Verdict;

/// Runs the cases of one file.
#[must_use]
pub fn run(_path: &Path, text: &str, only: Option<&str>) -> Vec<Verdict> {
    let mut verdicts = vec![];
    for line in text.lines().filter(|it| !it.trim().is_empty()) {
        let case: Value = match serde_json::from_str(line) {
            Ok(case) => case,
            Err(error) => {
                verdicts.push(Verdict { name: "?".to_owned(), result: Err(error.to_string()) });
                continue;
            }
        };
        let name = case["name"].as_str().unwrap_or_default().to_owned();
        if only.is_none_or(|it| it == name) {
            let result = answer(&case).and_then(|it| compare(&case["expect"], &it));
            verdicts.push(Verdict { name, result });
        }
    }
    verdicts
}

/// The first field that differs; a field that one side lacks differs too.
fn compare(expected: &Value, actual: &Value) -> Result<(), String> {
    let (expected, actual) = (normalized(expected), normalized(actual));
    let keys = |it: &Value| it.as_object().map(|it| it.keys().cloned().collect::<Vec<_>>());
    let mut all = keys(&expected).unwrap_or_default();
    all.extend(keys(&actual).unwrap_or_default());
    all.sort_unstable();
    all.dedup();
    // The plainest difference first.
    let rank = ["error", "profile", "preEnqueue", "preFilter", "absent", "rejected", "feasible"];
    all.sort_by_key(|key| rank.iter().position(|it| it == key).unwrap_or(rank.len()));
    for key in all {
        if expected[&key] != actual[&key] {
            let (expected, actual) = first_difference(&expected[&key], &actual[&key]);
            return Err(format!("{key}: expected {expected}, got {actual}"));
        }
    }
    Ok(())
}

/// Within a map, the first entry that differs.
fn first_difference(expected: &Value, actual: &Value) -> (String, String) {
    if let (Some(a), Some(b)) = (expected.as_object(), actual.as_object()) {
        for key in a.keys().chain(b.keys()) {
            let (a, b) = (a.get(key), b.get(key));
            if a != b {
                let show = |it: Option<&Value>| match it {
                    Some(it) => format!("{key}: {it}"),
                    None => format!("no {key}"),
                };
                return (show(a), show(b));
            }
        }
    }
    (expected.to_string(), actual.to_string())
}

/// Sorts what has no order.
fn normalized(expect: &Value) -> Value {
    let mut expect = expect.clone();
    for key in ["feasible", "best", "victims"] {
        if let Some(list) = expect.get_mut(key).and_then(Value::as_array_mut) {
            list.sort_by_key(ToString::to_string);
        }
    }
    for (_, status) in
        expect.get_mut("rejected").and_then(Value::as_object_mut).into_iter().flatten()
    {
        if status["plugin"] == "NodeResourcesFit"
            && let Some(reasons) = status.get_mut("reasons").and_then(Value::as_array_mut)
        {
            reasons.sort_by_key(ToString::to_string);
        }
    }
    expect
}

fn answer(case: &Value) -> Result<Value, String> {
    let mut objects = Objects::default();
    for value in case["objects"].as_array().into_iter().flatten() {
        objects.put(read(value)?);
    }
    let config = case.get("config");
    let mut scheduler = match Scheduler::from_objects(config, &objects) {
        Ok(it) => it,
        Err(errors) => {
            let text = match errors.as_slice() {
                [one] => one.clone(),
                all => format!("[{}]", all.join(", ")),
            };
            return Ok(json!({ "error": text }));
        }
    };
    let key = case["pod"].as_str().unwrap_or_default();
    let (namespace, name) = key.split_once('/').unwrap_or(("", key));
    let object = objects.get(&api::ObjectRef::new(Kind::Pod, namespace, name));
    let Some(Object::Pod(pod)) = object else { return Err(format!("no pod {key}")) };
    let pod: Arc<Pod> = pod.clone();
    let now = Timestamp::from_second(1_800_000_000).unwrap_or_default();
    match scheduler.evaluate(&pod, &objects, now, 0) {
        None => Ok(json!({ "error": format!("no profile serves {key}") })),
        Some((outcome, _)) => Ok(expect(&scheduler, &outcome)),
    }
}

fn read(value: &Value) -> Result<Object, String> {
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    let kind = Kind::from_api_version(text("apiVersion"), text("kind"))
        .ok_or_else(|| format!("unknown kind {}", text("kind")))?;
    let mut object = api::wire::object_from_value(kind, value)?;
    apiserver::default_object(&mut object);
    Ok(object)
}

fn status(rejection: &Rejection) -> Value {
    let mut status = json!({ "code": format!("{:?}", rejection.code) });
    let reasons: Vec<&str> = rejection.reasons.iter().collect();
    status["reasons"] = json!(reasons);
    if !rejection.plugin.is_empty() {
        status["plugin"] = json!(rejection.plugin);
    }
    status
}

/// The outcome in the form of the data.
fn expect(scheduler: &Scheduler, outcome: &Outcome) -> Value {
    let mut expect = Map::new();
    let mut put = |key: &str, value: Value| expect.insert(key.to_owned(), value);
    put("profile", json!(outcome.profile));
    if let Some(it) = &outcome.pre_enqueue {
        put("preEnqueue", status(it));
        return Value::Object(expect);
    }
    if let Some(fault) = &outcome.fault {
        put("fault", json!(fault));
    }
    let name = |id| scheduler.node_name(id);
    let names = |ids: &[_]| ids.iter().map(|id| json!(name(*id))).collect::<Vec<_>>();
    put("feasible", json!(names(&outcome.feasible)));
    if !outcome.statuses.nodes.is_empty() {
        let nodes = outcome.statuses.nodes.iter();
        let rejected: BTreeMap<&str, Value> =
            nodes.map(|(id, it)| (name(id), status(it))).collect();
        put("rejected", json!(rejected));
    }
    if let Some(it) = &outcome.pre_filter {
        put("preFilter", status(it));
    }
    if outcome.feasible.is_empty() {
        if let Some(it) = &outcome.statuses.absent {
            put("absent", status(it));
        }
        put("message", json!(outcome.message));
        if let Some(Nomination::Node(node)) = &outcome.post_filter.nominated {
            let victims = outcome.post_filter.victims.iter();
            put("nominated", json!(node.to_string()));
            put("victims", json!(victims.map(|it| it.key.to_string()).collect::<Vec<_>>()));
        }
        return Value::Object(expect);
    }
    let mut scores = Map::new();
    for (at, (id, total)) in outcome.feasible.iter().zip(&outcome.totals).enumerate() {
        let plugins = outcome.scores.iter();
        let plugins: BTreeMap<&str, i64> =
            plugins.map(|it| (it.plugin, it.normalized[at] * it.weight)).collect();
        scores.insert(name(*id).to_owned(), json!({ "total": total, "plugins": plugins }));
    }
    put("scores", Value::Object(scores));
    put("best", json!(names(&outcome.best)));
    Value::Object(expect)
}
