//! Extenders: the bodies that they get, what their answers do, and what happens without them.
#![expect(clippy::unwrap_used, reason = "tests may stop")]

use std::sync::{Arc, Mutex};

use api::{Kind, Object, Objects, Timestamp};
use scheduler::extender::Handlers;
use scheduler::{Outcome, Scheduler};
use serde_json::{Value, json};

const PREFIX: &str = "http://127.0.0.1:8888/x";

fn object(value: &Value) -> Object {
    let kind = Kind::from_api_version("v1", value["kind"].as_str().unwrap()).unwrap();
    api::wire::object_from_value(kind, value).unwrap()
}

fn node(name: &str) -> Value {
    json!({"kind": "Node", "metadata": {"name": name},
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"}}})
}

fn pod(name: &str, on: &str, priority: i32, requests: Value) -> Value {
    let mut it = json!({"kind": "Pod", "metadata": {"name": name, "namespace": "default",
        "uid": format!("uid-{name}")}, "spec": {"schedulerName": "default-scheduler",
        "priority": priority,
        "containers": [{"name": "c", "image": "i", "resources": {"requests": requests}}]}});
    if !on.is_empty() {
        it["spec"]["nodeName"] = on.into();
    }
    it
}

fn config(extra: Value) -> Value {
    let mut extender = json!({"urlPrefix": PREFIX});
    for (key, value) in extra.as_object().unwrap() {
        extender[key] = value.clone();
    }
    json!({"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
        "extenders": [extender]})
}

type Calls = Arc<Mutex<Vec<(String, Value)>>>;

/// Evaluates the last pod with a handler that answers each verb with a fixed body.
fn evaluate(
    config: &Value,
    objects: &[Value],
    answers: Value,
) -> (Outcome, view::Diagnosis, Calls) {
    let calls = Calls::default();
    let mut handlers = Handlers::default();
    if !answers.is_null() {
        let log = calls.clone();
        handlers.insert(
            PREFIX,
            Arc::new(move |verb, body| {
                log.lock().unwrap().push((verb.to_owned(), body.clone()));
                answers.get(verb).cloned().ok_or_else(|| "no such verb".to_owned())
            }),
        );
    }
    let mut all = Objects::default();
    for it in objects {
        all.put(object(it));
    }
    let Object::Pod(pod) = object(objects.last().unwrap()) else { unreachable!("a pod") };
    let mut scheduler = Scheduler::from_objects_with(Some(config), &handlers, &all).unwrap();
    let found = scheduler.evaluate(&pod, &all, Timestamp::UNIX_EPOCH, 0).unwrap();
    (found.0, found.1, calls)
}

fn cpu(amount: &str) -> Value {
    json!({"cpu": amount})
}

#[test]
fn a_filter_gets_nodes_and_leaves_some_of_them() {
    let objects = [node("a"), node("b"), node("c"), pod("p", "", 0, cpu("1"))];
    let answer = json!({"filter": {"Nodes": {"items": [{"metadata": {"name": "b"}}]},
        "FailedNodes": {"a": "too far"}, "FailedAndUnresolvableNodes": {"c": "no licence"}}});
    let (_, found, calls) = evaluate(&config(json!({"filterVerb": "filter"})), &objects, answer);
    assert_eq!(found.chosen.as_deref(), Some("b"));
    let rows: Vec<String> = found
        .verdicts
        .iter()
        .map(|it| format!("{} {:?} {:?} {:?}", it.node, it.code, it.plugin, it.reasons))
        .collect();
    assert_eq!(
        rows,
        [
            r#"a Unschedulable Some("Extender") ["too far"]"#,
            r#"b Success None []"#,
            r#"c UnschedulableAndUnresolvable Some("Extender") ["no licence"]"#,
        ]
    );
    let calls = calls.lock().unwrap();
    let body = &calls[0].1;
    assert_eq!(body["NodeNames"], Value::Null);
    assert_eq!(body["Nodes"]["items"][2]["metadata"]["name"], "c");
    assert_eq!(body["Nodes"]["items"][2]["kind"], Value::Null, "as Go writes it");
    assert_eq!(body["Pod"]["metadata"]["uid"], "uid-p");
}

#[test]
fn with_a_cache_of_its_own_it_gets_names_and_any_case_is_read() {
    let objects = [node("a"), node("b"), pod("p", "", 0, cpu("1"))];
    let config = config(json!({"filterVerb": "filter", "nodeCacheCapable": true}));
    let (_, found, calls) = evaluate(&config, &objects, json!({"filter": {"nodenames": ["b"]}}));
    assert_eq!(found.chosen.as_deref(), Some("b"));
    assert_eq!(calls.lock().unwrap()[0].1["NodeNames"], json!(["a", "b"]));
    let (outcome, ..) = evaluate(&config, &objects, json!({"filter": {"NodeNames": ["z"]}}));
    let text = "extender \"http://127.0.0.1:8888/x\" claims a filtered node \"z\" which is not \
                found in the input node list";
    assert_eq!(outcome.fault.as_deref(), Some(text));
}

#[test]
fn what_nobody_answers_is_a_fault_unless_it_may_be_ignored() {
    let objects = [node("a"), node("b"), pod("p", "", 0, cpu("1"))];
    let fault = |extra: Value, answers: Value| evaluate(&config(extra), &objects, answers).0.fault;
    let refused = "Post \"http://127.0.0.1:8888/x/filter\": dial tcp 127.0.0.1:8888: connect: \
                   connection refused";
    assert_eq!(fault(json!({"filterVerb": "filter"}), Value::Null).as_deref(), Some(refused));
    assert_eq!(fault(json!({"filterVerb": "filter", "ignorable": true}), Value::Null), None);
    let failed = "failed filter with extender at URL http://127.0.0.1:8888/x/filter, code 500";
    assert_eq!(fault(json!({"filterVerb": "filter"}), json!({})).as_deref(), Some(failed));
    let error =
        fault(json!({"filterVerb": "filter"}), json!({"filter": {"Error": "out of order"}}));
    assert_eq!(error.as_deref(), Some("out of order"));
    let odd = fault(json!({"filterVerb": "filter"}), json!({"filter": [1]}));
    let text = "json: cannot unmarshal array into Go value of type v1.ExtenderFilterResult";
    assert_eq!(odd.as_deref(), Some(text));
    // Scores that do not come are passed over.
    assert_eq!(fault(json!({"prioritizeVerb": "score", "weight": 1}), Value::Null), None);
}

#[test]
fn scores_are_weighted_and_scaled_and_shown() {
    let objects = [node("a"), node("b"), pod("p", "", 0, cpu("1"))];
    let config = config(json!({"prioritizeVerb": "score", "weight": 5}));
    let answer = json!({"score": [{"Host": "a", "Score": 1}, {"Host": "b", "Score": 7}]});
    let (outcome, found, _) = evaluate(&config, &objects, answer);
    assert_eq!(found.chosen.as_deref(), Some("b"));
    assert_eq!(outcome.totals[1] - outcome.totals[0], 6 * 5 * 10);
    let last = found.scores[0].plugins.last().unwrap();
    assert_eq!((last.plugin.as_str(), last.raw, last.normalized, last.weight), (PREFIX, 7, 70, 5));
}

#[test]
fn only_pods_that_ask_for_its_resources_concern_it() {
    let managed = json!([{"name": "example.com/foo", "ignoredByScheduler": true}]);
    let config = config(json!({"filterVerb": "filter", "nodeCacheCapable": true,
        "managedResources": managed}));
    let answer = json!({"filter": {"NodeNames": ["b"]}});
    let objects = [node("a"), node("b"), pod("p", "", 0, cpu("1"))];
    let (_, _, calls) = evaluate(&config, &objects, answer.clone());
    assert_eq!(calls.lock().unwrap().len(), 0);
    // No node has any of it, but the scheduler itself does not look.
    let objects = [node("a"), node("b"), pod("p", "", 0, json!({"example.com/foo": "1"}))];
    let (_, found, calls) = evaluate(&config, &objects, answer);
    assert_eq!((found.chosen.as_deref(), calls.lock().unwrap().len()), (Some("b"), 1));
}

#[test]
fn a_candidate_for_preemption_can_be_struck_out() {
    let objects = [
        node("a"),
        node("b"),
        pod("x", "a", 0, cpu("4")),
        pod("y", "b", 0, cpu("4")),
        pod("p", "", 9, cpu("2")),
    ];
    let config = config(json!({"preemptVerb": "preempt", "nodeCacheCapable": true}));
    let victims =
        |uid: &str| json!({"preempt": {"NodeNameToMetaVictims": {"b": {"Pods": [{"UID": uid}]}}}});
    let (_, found, calls) = evaluate(&config, &objects, victims("uid-y"));
    let report = found.preemption.unwrap();
    assert_eq!(
        (report.nominated.as_deref(), report.victims.as_slice()),
        (Some("b"), ["default/y".to_owned()].as_slice())
    );
    let body = &calls.lock().unwrap()[0].1;
    assert_eq!(body["NodeNameToVictims"], Value::Null);
    assert_eq!(
        body["NodeNameToMetaVictims"]["a"],
        json!({"Pods": [{"UID": "uid-x"}], "NumPDBViolations": 0})
    );
    let (outcome, ..) = evaluate(&config, &objects, victims("uid-z"));
    assert!(outcome.message.unwrap().contains("but the pod is not found on that node"));
}
