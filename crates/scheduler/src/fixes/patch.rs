//! A fix as something that can be carried out: command lines, patches, manifests.

use api::{Kind, Listers, Object, ObjectRef, Objects};
use k8s_openapi::api::core::v1::{Node, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};
use view::TimedAction;

use super::change::{Change, UNSCHEDULABLE, is_health};
use std::sync::Arc;

const HOSTNAME: &str = "kubernetes.io/hostname";

/// The steps of a fix. `None` when a change cannot be made, such as one of what a controller adds.
pub(super) fn steps(
    changes: &[Change],
    pod: &Arc<Pod>,
    objects: &Objects,
) -> Option<Vec<TimedAction>> {
    let mut steps: Vec<TimedAction> =
        changes.iter().filter_map(|it| of_cluster(it, objects)).collect();
    let mut spec = pod.spec.clone()?;
    let of_pod: Vec<&Change> = changes.iter().filter(|it| it.change_pod(&mut spec)).collect();
    if !of_pod.is_empty() {
        steps.extend(change_pod(&of_pod, pod, objects)?);
    }
    (!steps.is_empty()).then_some(steps)
}

fn command(line: String) -> TimedAction {
    TimedAction { command: line, ..TimedAction::default() }
}

fn with_input(line: &str, manifest: &Value) -> TimedAction {
    let yaml = api::yaml::to_string(manifest);
    TimedAction { command: line.to_owned(), yaml, at_ms: 0 }
}

/// What is not about the pod itself.
fn of_cluster(change: &Change, objects: &Objects) -> Option<TimedAction> {
    Some(match change {
        Change::Uncordon { node } => command(format!("kubectl uncordon {node}")),
        Change::Recover { node } => command(format!("recover node {node}")),
        Change::Label { key, value: Some(value), node } => {
            command(format!("kubectl label --overwrite node {node} {key}={value}"))
        }
        Change::Label { key, value: None, node } => {
            command(format!("kubectl label node {node} {key}-"))
        }
        Change::Untaint { key, effect, node, .. } => {
            command(format!("kubectl taint node {node} {key}:{effect}-"))
        }
        Change::DeletePod { namespace, name } => {
            command(format!("kubectl delete pod {name} -n {namespace} --wait=false"))
        }
        Change::AddNode { like: name_of, name } => {
            let node = Listers(objects).node(name_of)?;
            let node = Object::Node(Arc::new(like(node, name)));
            with_input("kubectl create -f -", &api::wire::to_value(&node))
        }
        _ => return None,
    })
}

/// A fresh node with the labels, taints and capacity of another.
pub(super) fn like(node: &Node, name: &str) -> Node {
    let mut labels = node.metadata.labels.clone();
    if let Some(it) = labels.as_mut().and_then(|it| it.get_mut(HOSTNAME)) {
        name.clone_into(it);
    }
    let mut spec = node.spec.clone().unwrap_or_default();
    spec.unschedulable = None;
    spec.provider_id = None;
    spec.pod_cidr = None;
    spec.pod_cidrs = None;
    if let Some(it) = &mut spec.taints {
        it.retain(|it| !is_health(it) && it.key != UNSCHEDULABLE);
    }
    let status = node.status.as_ref().map(|it| k8s_openapi::api::core::v1::NodeStatus {
        capacity: it.capacity.clone(),
        allocatable: it.allocatable.clone(),
        ..Default::default()
    });
    let metadata = ObjectMeta { name: Some(name.to_owned()), labels, ..ObjectMeta::default() };
    Node { metadata, spec: Some(spec), status }
}

/// The objects whose template made the pod, the nearest first.
fn owners(pod: &Pod, objects: &Objects) -> Vec<Object> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let mut owners: Vec<Object> = Vec::new();
    let mut reference = api::controller_of(&pod.metadata);
    while let Some(it) = reference {
        let Some(kind) = Kind::from_api_version(&it.api_version, &it.kind) else { break };
        let key = ObjectRef::new(kind, namespace, &it.name);
        let Some(owner) = Listers(objects).object(&key) else { break };
        owners.push(owner.clone());
        if owners.len() > 3 {
            break;
        }
        reference = owner.controller();
    }
    owners
}

/// Changes the pods that an object's template makes.
fn template(object: &mut Object) -> Option<&mut PodSpec> {
    let template = match object {
        Object::ReplicaSet(it) => Arc::make_mut(it).spec.as_mut()?.template.as_mut()?,
        Object::Deployment(it) => &mut Arc::make_mut(it).spec.as_mut()?.template,
        Object::StatefulSet(it) => &mut Arc::make_mut(it).spec.as_mut()?.template,
        Object::DaemonSet(it) => &mut Arc::make_mut(it).spec.as_mut()?.template,
        Object::Job(it) => &mut Arc::make_mut(it).spec.as_mut()?.template,
        Object::CronJob(it) => &mut Arc::make_mut(it).spec.job_template.spec.as_mut()?.template,
        _ => return None,
    };
    template.spec.as_mut()
}

fn patched(changes: &[&Change], object: &Object) -> Option<(Object, Value)> {
    let mut after = object.clone();
    let spec = template(&mut after)?;
    for it in changes {
        it.change_pod(spec);
    }
    let patch = difference(&api::wire::to_value(object), &api::wire::to_value(&after))?;
    Some((after, patch))
}

fn patch(kind: &str, object: &Object, patch: &Value) -> TimedAction {
    let patch = patch.to_string().replace('\'', r"'\''");
    let (namespace, name) = (object.namespace(), object.name());
    command(format!("kubectl patch {kind} {name} -n {namespace} --type=json -p '{patch}'"))
}

/// `kubectl replace --force`, without what the server wrote.
fn replace(object: &Object) -> TimedAction {
    with_input("kubectl replace --force -f -", &as_written(object))
}

/// The object without what the server and its controllers wrote.
fn as_written(object: &Object) -> Value {
    const SERVERS: [&str; 6] = [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "managedFields",
        "deletionTimestamp",
    ];
    const JOBS: [&str; 4] = [
        "controller-uid",
        "batch.kubernetes.io/controller-uid",
        "job-name",
        "batch.kubernetes.io/job-name",
    ];
    let mut value = api::wire::to_value(object);
    let Some(top) = value.as_object_mut() else { return value };
    top.remove("status");
    fn part<'a>(
        map: &'a mut Map<String, Value>,
        path: &[&str],
    ) -> Option<&'a mut Map<String, Value>> {
        path.iter().try_fold(map, |it, key| it.get_mut(*key)?.as_object_mut())
    }
    if let Some(metadata) = part(top, &["metadata"]) {
        metadata.retain(|key, _| !SERVERS.contains(&key.as_str()));
    }
    let own = |key: &String| key != "kubectl.kubernetes.io/last-applied-configuration";
    if let Some(it) = part(top, &["metadata", "annotations"]) {
        it.retain(|key, _| own(key));
    }
    if object.kind() == Kind::Job {
        if let Some(spec) = part(top, &["spec"]) {
            spec.remove("selector");
        }
        for path in [&["metadata", "labels"][..], &["spec", "template", "metadata", "labels"]] {
            if let Some(labels) = part(top, path) {
                labels.retain(|key, _| !JOBS.contains(&key.as_str()));
            }
        }
    }
    value
}

fn change_pod(changes: &[&Change], pod: &Arc<Pod>, objects: &Objects) -> Option<Vec<TimedAction>> {
    let owners = owners(pod, objects);
    let object = Object::Pod(pod.clone());
    let Some(owner) = owners.last() else { return change_bare_pod(changes, pod) };
    let delete = || {
        command(format!(
            "kubectl delete pod {} -n {} --wait=false",
            object.name(),
            object.namespace()
        ))
    };
    let (after, difference) = patched(changes, owner)?;
    Some(match owner {
        Object::Deployment(_) => vec![patch("deployment", owner, &difference)],
        // Their pods of the old template stay where they are, waiting or not.
        Object::DaemonSet(_) => vec![patch("daemonset", owner, &difference), delete()],
        Object::StatefulSet(_) => vec![patch("statefulset", owner, &difference), delete()],
        Object::ReplicaSet(_) => vec![patch("replicaset", owner, &difference), delete()],
        // A job's template is fixed.
        Object::Job(_) => vec![replace(&after)],
        Object::CronJob(_) => {
            let (job, _) = patched(changes, owners.first()?)?;
            vec![patch("cronjob", owner, &difference), replace(&job)]
        }
        _ => return None,
    })
}

/// A toleration can be added and gates can be removed; for all else the pod is made anew.
fn change_bare_pod(changes: &[&Change], pod: &Arc<Pod>) -> Option<Vec<TimedAction>> {
    let mut after = Pod::clone(pod);
    for it in changes {
        it.change_pod(after.spec.as_mut()?);
    }
    let (before, after) = (Object::Pod(pod.clone()), Object::Pod(Arc::new(after)));
    let allowed = |it: &&Change| matches!(it, Change::Tolerate { .. } | Change::DropGates);
    if changes.iter().all(allowed) {
        let difference = difference(&api::wire::to_value(&before), &api::wire::to_value(&after))?;
        return Some(vec![patch("pod", &before, &difference)]);
    }
    Some(vec![replace(&after)])
}

/// What makes one value of another, as a JSON patch. `None` when they are the same.
fn difference(before: &Value, after: &Value) -> Option<Value> {
    let mut patch = Vec::new();
    collect(before, after, &mut String::new(), &mut patch);
    (!patch.is_empty()).then_some(Value::Array(patch))
}

fn collect(before: &Value, after: &Value, path: &mut String, patch: &mut Vec<Value>) {
    if before == after {
        return;
    }
    let length = path.len();
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                path.push('/');
                path.push_str(&key.replace('~', "~0").replace('/', "~1"));
                match after.get(key) {
                    Some(after) => collect(value, after, path, patch),
                    None => patch.push(json!({"op": "remove", "path": &*path})),
                }
                path.truncate(length);
            }
            for (key, value) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
                let key = key.replace('~', "~0").replace('/', "~1");
                patch.push(json!({"op": "add", "path": format!("{path}/{key}"), "value": value}));
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (at, (before, after)) in before.iter().zip(after).enumerate() {
                path.push_str(&format!("/{at}"));
                collect(before, after, path, patch);
                path.truncate(length);
            }
        }
        (Value::Array(before), Value::Array(after))
            if after.len() == before.len() + 1 && after.starts_with(before) =>
        {
            let last = after.last();
            patch.push(json!({"op": "add", "path": format!("{path}/-"), "value": last}));
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() + 1 => {
            let same = before.iter().zip(after).take_while(|(a, b)| a == b).count();
            match before.get(same + 1..) == after.get(same..) {
                true => patch.push(json!({"op": "remove", "path": format!("{path}/{same}")})),
                false => patch.push(json!({"op": "replace", "path": &*path, "value": after})),
            }
        }
        _ => patch.push(json!({"op": "replace", "path": &*path, "value": after})),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::difference;

    fn check(before: Value, after: Value, patch: Value) {
        assert_eq!(difference(&before, &after).unwrap_or_default(), patch, "{before} {after}");
    }

    #[test]
    fn a_difference_is_the_shortest_patch() {
        let patch = json!([{"op": "replace", "path": "/a/b~1c", "value": 2}]);
        check(json!({"a": {"b/c": 1}}), json!({"a": {"b/c": 2}}), patch);
        let patch = json!([{"op": "add", "path": "/a/-", "value": 3}]);
        check(json!({"a": [1, 2]}), json!({"a": [1, 2, 3]}), patch);
        let patch = json!([{"op": "remove", "path": "/a/1"}]);
        check(json!({"a": [1, 2, 3]}), json!({"a": [1, 3]}), patch);
        let patch =
            json!([{"op": "remove", "path": "/a"}, {"op": "add", "path": "/b", "value": 1}]);
        check(json!({"a": 1}), json!({"b": 1}), patch);
        check(json!({"a": [1]}), json!({"a": [1]}), Value::Null);
    }
}
