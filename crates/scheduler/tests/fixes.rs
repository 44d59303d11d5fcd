//! The nearest fixes and the room for more of a pod, as tables.
#![expect(clippy::unwrap_used, reason = "tests may stop")]

use std::sync::Arc;

use api::{Kind, Object, Objects, Timestamp};
use scheduler::Scheduler;
use serde_json::{Value, json};

fn object(value: &Value) -> Object {
    let kind = Kind::from_api_version("v1", value["kind"].as_str().unwrap()).unwrap();
    api::wire::object_from_value(kind, value).unwrap()
}

fn node(name: &str, labels: Value, spec: Value) -> Value {
    let mut all = json!({"kubernetes.io/hostname": name});
    for (key, value) in labels.as_object().unwrap() {
        all[key] = value.clone();
    }
    let amounts = json!({"cpu": "4", "memory": "8Gi", "pods": "10"});
    json!({"kind": "Node", "metadata": {"name": name, "labels": all}, "spec": spec,
        "status": {"allocatable": amounts, "capacity": amounts}})
}

fn pod(name: &str, on: &str, labels: Value, spec: Value) -> Value {
    let mut all = json!({"schedulerName": "default-scheduler", "containers": [{"name": "c",
        "image": "i:1", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]});
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
    }
    if !on.is_empty() {
        all["nodeName"] = on.into();
    }
    json!({"kind": "Pod", "metadata": {"name": name, "namespace": "default", "uid": name,
        "labels": labels}, "spec": all})
}

fn cpu(amount: &str) -> Value {
    json!({"containers": [{"name": "c", "image": "i:1", "resources": {"requests": {"cpu": amount}}}]})
}

fn cluster(values: &[Value]) -> Objects {
    let mut objects = Objects::default();
    for it in values {
        objects.put(object(it));
    }
    objects
}

/// The fixes of a pod, each as `text -> node, node`.
fn fixes(cluster_of: &[Value], waiting: &Value) -> (Vec<String>, view::Fixes) {
    let mut objects = cluster(cluster_of);
    let waiting = object(waiting);
    objects.put(waiting.clone());
    let scheduler = Scheduler::from_objects(None, &objects).unwrap();
    let Object::Pod(pod) = &waiting else { return Default::default() };
    let fixes = scheduler.fixes(pod, &objects, Timestamp::UNIX_EPOCH, 0);
    let lines = fixes.fixes.iter().map(|it| format!("{} -> {}", it.text, it.nodes.join(", ")));
    (lines.collect(), fixes)
}

fn check(cluster: &[Value], waiting: &Value, expected: &[&str]) {
    assert_eq!(fixes(cluster, waiting).0, expected);
}

fn zone(name: &str) -> Value {
    json!({"topology.kubernetes.io/zone": name})
}

fn anti(app: &str, key: &str) -> Value {
    json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key}]}}})
}

#[test]
fn a_missing_label_is_set_or_no_longer_asked_for() {
    let nodes = [node("a", json!({}), json!({})), node("b", json!({"disk": "hdd"}), json!({}))];
    check(
        &nodes,
        &pod("web", "", json!({}), json!({"nodeSelector": {"disk": "ssd"}})),
        &[
            "label a disk=ssd -> a",
            "label b disk=ssd -> b",
            "drop disk from its nodeSelector -> a, b",
        ],
    );
    let required = |expressions: Value| {
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{"matchExpressions": expressions}]}}}})
    };
    let spec = required(json!([{"key": "cores", "operator": "Gt", "values": ["3"]},
        {"key": "disk", "operator": "NotIn", "values": ["hdd"]}]));
    check(
        &nodes,
        &pod("web", "", json!({}), spec),
        &[
            "label a cores=4 -> a",
            "drop expression 1 of term 1 of its node affinity -> a",
            "drop its required node affinity -> a, b",
        ],
    );
}

#[test]
fn nobody_is_told_to_relabel_what_a_node_is() {
    let nodes = [node("a", json!({"kubernetes.io/os": "linux"}), json!({}))];
    let spec = json!({"nodeSelector": {"kubernetes.io/os": "windows"}});
    check(
        &nodes,
        &pod("web", "", json!({}), spec),
        &["drop kubernetes.io/os from its nodeSelector -> a"],
    );
}

#[test]
fn a_taint_is_tolerated_or_removed_and_a_cordon_lifted() {
    let tainted = json!({"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]});
    let cordoned = json!({"unschedulable": true, "taints": [
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]});
    check(
        &[node("a", json!({}), tainted), node("b", json!({}), cordoned)],
        &pod("web", "", json!({}), json!({})),
        &[
            "uncordon b -> b",
            "tolerate taint gpu=yes:NoSchedule -> a",
            "tolerate taint node.kubernetes.io/unschedulable:NoSchedule -> b",
            "remove taint gpu=yes:NoSchedule from a -> a",
            "add a node like b -> b-2",
        ],
    );
}

#[test]
fn the_smallest_cut_of_a_request_is_told_and_one_more_node() {
    let nodes = [node("a", json!({}), json!({})), node("b", json!({}), json!({}))];
    let busy = [pod("x", "a", json!({}), cpu("3")), pod("y", "b", json!({}), cpu("2500m"))];
    check(
        &[&nodes[..], &busy].concat(),
        &pod("web", "", json!({}), cpu("2")),
        &["ask for 1500m cpu -> b", "add a node like a -> a-2"],
    );
    check(&nodes, &pod("web", "", json!({}), cpu("6")), &["ask for 4 cpu -> a, b"]);
}

#[test]
fn a_port_is_freed_by_either_side_and_only_pods_without_an_owner_are_deleted() {
    let ports = json!({"containers": [{"name": "c", "image": "i:1",
        "ports": [{"containerPort": 80, "hostPort": 8080}]}]});
    let nodes = [node("a", json!({}), json!({}))];
    let other = pod("x", "a", json!({}), ports.clone());
    let waiting = pod("web", "", json!({}), ports);
    check(
        &[nodes[0].clone(), other.clone()],
        &waiting,
        &["drop host port 8080 -> a", "delete pod default/x -> a", "add a node like a -> a-2"],
    );
    let mut owned = other;
    owned["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet",
        "name": "rs", "uid": "1", "controller": true}]);
    check(
        &[nodes[0].clone(), owned],
        &waiting,
        &["drop host port 8080 -> a", "add a node like a -> a-2"],
    );
}

#[test]
fn the_least_max_skew_that_helps_is_found() {
    let key = "topology.kubernetes.io/zone";
    let full = json!({"taints": [{"key": "full", "effect": "NoSchedule"}]});
    let nodes = [node("a", zone("z1"), json!({})), node("b", zone("z2"), full)];
    let app = json!({"app": "web"});
    let there: Vec<Value> =
        (0..3).map(|n| pod(&format!("w{n}"), "a", app.clone(), cpu("100m"))).collect();
    let spec = json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": app}}]});
    check(
        &[&nodes[..], &there].concat(),
        &pod("web", "", app, spec),
        &[
            "tolerate taint full:NoSchedule -> b",
            "remove taint full:NoSchedule from b -> b",
            "raise maxSkew over topology.kubernetes.io/zone to 4 -> a",
            "make the spread over topology.kubernetes.io/zone ScheduleAnyway -> a",
        ],
    );
}

#[test]
fn terms_between_pods_can_be_dropped_and_joined() {
    let nodes = [node("a", json!({}), json!({}))];
    let app = json!({"app": "web"});
    let spec = anti("web", "kubernetes.io/hostname");
    check(
        &[nodes[0].clone(), pod("x", "a", app.clone(), json!({}))],
        &pod("web", "", app.clone(), spec.clone()),
        &[
            "drop term 1 of its pod anti-affinity -> a",
            "delete pod default/x -> a",
            "add a node like a -> a-2",
        ],
    );
    // The other pod's term forbids this one.
    check(
        &[nodes[0].clone(), pod("x", "a", json!({}), spec)],
        &pod("web", "", app, json!({})),
        &["delete pod default/x -> a", "add a node like a -> a-2"],
    );
    let near = json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "rack"}]}}});
    check(
        &[
            node("a", json!({}), json!({})),
            node("b", json!({"rack": "r1"}), json!({"unschedulable": true})),
            pod("x", "b", json!({"app": "db"}), json!({})),
        ],
        &pod("web", "", json!({}), near),
        &[
            "uncordon b -> b",
            "label a rack=r1 -> a",
            "tolerate taint node.kubernetes.io/unschedulable:NoSchedule -> b",
            "drop term 1 of its pod affinity -> a",
            "add a node like b -> b-2",
        ],
    );
}

#[test]
fn pairs_are_told_where_no_single_change_helps() {
    let tainted = json!({"taints": [{"key": "gpu", "effect": "NoSchedule"}]});
    let spec = json!({"nodeSelector": {"disk": "ssd"}});
    let (lines, found) = fixes(&[node("a", json!({}), tainted)], &pod("web", "", json!({}), spec));
    assert_eq!(
        lines,
        [
            "label a disk=ssd and tolerate taint gpu:NoSchedule -> a",
            "label a disk=ssd and remove taint gpu:NoSchedule from a -> a",
            "tolerate taint gpu:NoSchedule and drop disk from its nodeSelector -> a",
            "remove taint gpu:NoSchedule from a and drop disk from its nodeSelector -> a",
        ]
    );
    assert!(found.complete);
}

#[test]
fn a_pod_at_the_door_is_let_in() {
    let nodes = [node("a", json!({}), json!({}))];
    let gated = json!({"schedulingGates": [{"name": "x.y/z"}]});
    check(&nodes, &pod("web", "", json!({}), gated), &["remove its scheduling gates -> a"]);
    let other = json!({"schedulerName": "mine"});
    check(&nodes, &pod("web", "", json!({}), other), &["let default-scheduler schedule it -> a"]);
}

#[test]
fn a_pod_that_fits_needs_nothing_and_what_nothing_helps_gets_nothing() {
    let claim = json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "gone"}}]});
    let nodes = [node("a", json!({}), json!({}))];
    check(&nodes, &pod("web", "", json!({}), claim), &[]);
}

#[test]
fn steps_are_commands_that_can_be_given() {
    let nodes = [node("a", json!({}), json!({"taints": [{"key": "gpu", "effect": "NoSchedule"}]}))];
    let (_, found) = fixes(&nodes, &pod("web", "", json!({}), json!({})));
    let lines: Vec<&str> = found.fixes.iter().map(|it| it.steps[0].command.as_str()).collect();
    let patch = r#"[{"op":"add","path":"/spec/tolerations","value":[{"effect":"NoSchedule","key":"gpu","operator":"Exists"}]}]"#;
    assert_eq!(
        lines,
        [
            format!("kubectl patch pod web -n default --type=json -p '{patch}'").as_str(),
            "kubectl taint node a gpu:NoSchedule-",
        ]
    );
}

fn room(cluster_of: &[Value], like: &Value) -> (usize, Vec<(String, usize)>, String) {
    let objects = cluster(cluster_of);
    let scheduler = Scheduler::from_objects(None, &objects).unwrap();
    let Object::Pod(pod) = object(like) else { return Default::default() };
    let room = scheduler.room(&Arc::clone(&pod), &objects, Timestamp::UNIX_EPOCH, 0);
    let message = room.next.and_then(|it| it.message).unwrap_or_default();
    (room.n, room.nodes, message.split(" no new").next().unwrap_or_default().to_owned())
}

#[test]
fn the_room_for_more_of_a_pod_ends_with_what_stops_the_next() {
    let nodes = [node("a", zone("z1"), json!({})), node("b", zone("z2"), json!({}))];
    let both = |n| vec![("a".to_owned(), n), ("b".to_owned(), n)];
    let text = |why: &str| format!("0/2 nodes are available: 2 {why}.");
    assert_eq!(
        room(&nodes, &pod("web", "", json!({}), cpu("1500m"))),
        (4, both(2), text("Insufficient cpu"))
    );
    assert_eq!(
        room(&nodes, &pod("web", "", json!({}), cpu("10m"))),
        (20, both(10), text("Too many pods"))
    );
    let app = json!({"app": "web"});
    assert_eq!(
        room(&nodes, &pod("web", "", app, anti("web", "kubernetes.io/hostname"))),
        (2, both(1), text("node(s) didn't match pod anti-affinity rules"))
    );
    // The pod itself takes room already.
    let running = pod("web", "a", json!({}), cpu("3"));
    let (n, nodes, _) = room(&[&nodes[..], std::slice::from_ref(&running)].concat(), &running);
    assert_eq!((n, nodes), (1, vec![("b".to_owned(), 1)]));
}
