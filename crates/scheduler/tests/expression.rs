//! A custom filter and score, written in the configuration.
#![expect(clippy::unwrap_used, reason = "tests may stop")]

use api::{Kind, Object, Objects, Timestamp};
use scheduler::Scheduler;
use serde_json::{Value, json};

fn object(value: &Value) -> Object {
    let kind = Kind::from_api_version("v1", value["kind"].as_str().unwrap()).unwrap();
    api::wire::object_from_value(kind, value).unwrap()
}

fn node(name: &str, disk: &str, cpu: &str) -> Value {
    json!({"kind": "Node", "metadata": {"name": name, "labels": {"disk": disk}},
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "10"}}})
}

fn pod(name: &str, on: &str) -> Value {
    let mut it = json!({"kind": "Pod", "metadata": {"name": name, "namespace": "default",
        "annotations": {"disk": "ssd"}}, "spec": {"schedulerName": "default-scheduler",
        "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}]}});
    if !on.is_empty() {
        it["spec"]["nodeName"] = on.into();
    }
    it
}

fn config(args: Value) -> Value {
    let name = "sim.orrery.dev/Expression";
    json!({"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
        "profiles": [{"plugins": {"multiPoint": {"enabled": [{"name": name, "weight": 50}]}},
            "pluginConfig": [{"name": name, "args": args}]}]})
}

fn evaluate(args: Value) -> view::Diagnosis {
    let mut objects = Objects::default();
    let nodes = [node("a", "hdd", "8"), node("b", "ssd", "4"), node("c", "ssd", "6")];
    for it in nodes.iter().chain([&pod("x", "c")]) {
        objects.put(object(it));
    }
    let Object::Pod(pod) = object(&pod("p", "")) else { unreachable!("a pod") };
    let mut scheduler = Scheduler::from_objects(Some(&config(args)), &objects).unwrap();
    scheduler.evaluate(&pod, &objects, Timestamp::UNIX_EPOCH, 0).unwrap().1
}

#[test]
fn nodes_pass_where_the_filter_is_true() {
    let filter = "node.metadata.labels.disk == pod.metadata.annotations.disk && free.cpu >= 5000";
    let found = evaluate(json!({"filter": filter, "reason": "node(s) were too slow"}));
    assert_eq!(found.chosen.as_deref(), Some("c"));
    let found = evaluate(json!({"filter": format!("{filter} && free.cpu > 5000"),
        "reason": "node(s) were too slow"}));
    let message = found.message.unwrap();
    assert!(message.starts_with("0/3 nodes are available: 3 node(s) were too slow."), "{message}");
    let terms: Vec<&str> = found.verdicts[1].terms.iter().map(|it| it.short.as_str()).collect();
    assert_eq!(terms, ["free.cpu >= 5000", "free.cpu > 5000"]);
}

#[test]
fn the_node_with_the_highest_score_wins() {
    for (score, chosen) in [
        ("free.cpu", "a"),
        ("10000 - free.cpu", "b"),
        ("node.metadata.name == 'c'", "c"),
        ("has(node.metadata.labels.disk) ? double(size(node.metadata.name)) : 0.0", ""),
    ] {
        let found = evaluate(json!({"score": score}));
        if !chosen.is_empty() {
            assert_eq!(found.chosen.as_deref(), Some(chosen), "{score}");
        }
        let own = found.scores[0].plugins.iter().find(|it| it.plugin.contains("Expression"));
        assert_eq!(own.map(|it| (it.normalized, it.weight)), Some((100, 50)), "{score}");
    }
}

#[test]
fn a_fault_of_an_expression_is_told() {
    let message = |args: Value| evaluate(args).message.unwrap_or_default();
    assert_eq!(
        message(json!({"filter": "node.metadata.labels.zone == 'z'"})),
        "running \"sim.orrery.dev/Expression\" filter plugin: filter on node a: at 22: no such key: zone"
    );
    assert_eq!(
        message(json!({"score": "0 - 1"})),
        "running Score plugins: plugin \"sim.orrery.dev/Expression\" failed with: score of node a: \
         is -1, less than 0"
    );
    let errors = Scheduler::new(Some(&config(json!({"filter": "node.", "score": "nope"}))));
    assert_eq!(
        errors.err().unwrap(),
        [
            "profiles[0].pluginConfig[0].args.filter: Invalid value: \"node.\": at 6: a name is missing",
            "profiles[0].pluginConfig[0].args.score: Invalid value: \"nope\": at 1: there is no variable \
             nope; there are pod, node, free",
        ]
    );
}
