//! The state of a run as YAML for other clusters.
//!
//! A real cluster gets what its users would have written: what the server, the controllers and the
//! kubelets made is left out, because they make it again. A KWOK cluster gets the nodes, too.

use std::collections::BTreeSet;

use api::{Kind, Object, Objects, sent, yaml};
use serde_json::{Map, Value, json};

/// For whom the state is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// `kubectl create -f` on a real cluster.
    Cluster,
    /// `kubectl create -f` on a cluster whose nodes are KWOK's.
    Kwok,
}

impl Export {
    /// `cluster` or `kwok`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "" | "cluster" => Some(Self::Cluster),
            "kwok" => Some(Self::Kwok),
            _ => None,
        }
    }
}

/// Kinds in the order in which they can be created. The others are made by controllers.
const ORDER: [Kind; 21] = [
    Kind::Namespace,
    Kind::PriorityClass,
    Kind::StorageClass,
    Kind::CSIDriver,
    Kind::Node,
    Kind::ResourceQuota,
    Kind::LimitRange,
    Kind::ServiceAccount,
    Kind::ConfigMap,
    Kind::Secret,
    Kind::PersistentVolume,
    Kind::PersistentVolumeClaim,
    Kind::Service,
    Kind::PodDisruptionBudget,
    Kind::DaemonSet,
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::StatefulSet,
    Kind::CronJob,
    Kind::HorizontalPodAutoscaler,
    Kind::Job,
];

/// Annotations that a controller or kubectl writes.
const OWN_ANNOTATIONS: [&str; 5] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
    "node.alpha.kubernetes.io/ttl",
    "volumes.kubernetes.io/controller-managed-attach-detach",
];

const UID_LABELS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];
const TOPOLOGY_LABELS: [&str; 2] = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];
const JOB_LABELS: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];

/// All documents, parted by `---`.
pub(crate) fn export(objects: &Objects, target: Export) -> String {
    let mut text = String::new();
    for kind in ORDER.into_iter().chain([Kind::Pod]) {
        for object in objects.list(kind).filter(|it| is_wanted(it, target)) {
            text.push_str("---\n");
            text.push_str(&yaml::to_string(&cleaned(object, target)));
        }
    }
    text
}

/// Whether an object is the user's own.
fn is_wanted(object: &Object, target: Export) -> bool {
    let meta = object.meta();
    if object.controller().is_some() || meta.deletion_timestamp.is_some() {
        return false;
    }
    let name = object.name();
    let system = ["default", "kube-system", "kube-public", "kube-node-lease"];
    match object.kind() {
        Kind::Node => target == Export::Kwok,
        Kind::Namespace => !system.contains(&name),
        Kind::ServiceAccount => name != "default",
        Kind::ConfigMap => name != "kube-root-ca.crt",
        Kind::Service => (object.namespace(), name) != ("default", "kubernetes"),
        Kind::PriorityClass => !name.starts_with("system-"),
        // Those of a node's own files come back with the node.
        Kind::Pod => {
            !meta.annotations.iter().flatten().any(|it| it.0 == "kubernetes.io/config.mirror")
        }
        _ => true,
    }
}

/// An object without what others than its user write.
fn cleaned(object: &Object, target: Export) -> Value {
    let mut value = sent::object_value(object);
    let kind = object.kind();
    let status = value.as_object_mut().and_then(|it| it.remove("status"));
    meta(&mut value["metadata"], kind);
    let spec = &mut value["spec"];
    match kind {
        Kind::Node => node(&mut value, status.unwrap_or_default()),
        Kind::Pod => pod(spec, target),
        Kind::Job => job(spec),
        Kind::Service if spec["clusterIP"] != "None" => {
            remove(spec, &["clusterIP", "clusterIPs"]);
        }
        Kind::PersistentVolume => remove(&mut spec["claimRef"], &["uid", "resourceVersion"]),
        Kind::Namespace => remove(&mut value, &["spec"]),
        _ => {}
    }
    if target == Export::Kwok {
        kwok_durations(&mut value);
    }
    drop_empty(&mut value);
    value
}

fn remove(value: &mut Value, keys: &[&str]) {
    if let Some(map) = value.as_object_mut() {
        keys.iter().for_each(|it| drop(map.remove(*it)));
    }
}

fn meta(meta: &mut Value, kind: Kind) {
    remove(
        meta,
        &[
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "managedFields",
            "selfLink",
            "ownerReferences",
        ],
    );
    remove(&mut meta["annotations"], &OWN_ANNOTATIONS);
    if let Some(annotations) = meta["annotations"].as_object_mut() {
        annotations.retain(|key, _| !key.starts_with("pv.kubernetes.io/"));
    }
    remove(&mut meta["labels"], &["kubernetes.io/metadata.name"]);
    if kind == Kind::Job {
        remove(&mut meta["labels"], &UID_LABELS);
        remove(&mut meta["labels"], &JOB_LABELS);
    }
    if kind == Kind::Pod {
        // A pod learns them from its node.
        remove(&mut meta["labels"], &TOPOLOGY_LABELS);
    }
    if let Some(finalizers) = meta["finalizers"].as_array_mut() {
        let own = ["kubernetes.io/", "batch.kubernetes.io/", "foregroundDeletion", "orphan"];
        finalizers
            .retain(|it| !own.iter().any(|own| it.as_str().is_some_and(|it| it.starts_with(own))));
    }
}

/// The server fills in the priority of the class again and refuses one that is given.
fn pod(spec: &mut Value, target: Export) {
    remove(spec, &["priority", "preemptionPolicy"]);
    if target == Export::Cluster {
        // Its nodes have other names.
        remove(spec, &["nodeName"]);
    }
}

/// The server makes selector and labels of a Job from its new uid.
fn job(spec: &mut Value) {
    if spec["manualSelector"] == true {
        return;
    }
    remove(spec, &["selector"]);
    let labels = &mut spec["template"]["metadata"]["labels"];
    remove(labels, &UID_LABELS);
    remove(labels, &JOB_LABELS);
}

/// A node that KWOK plays. The taint that its own examples have is left out: it is for clusters
/// with real nodes beside, and pods would have to tolerate it.
fn node(value: &mut Value, status: Value) {
    let meta = &mut value["metadata"];
    for (place, key, text) in [
        ("annotations", "kwok.x-k8s.io/node", "fake"),
        ("annotations", "node.alpha.kubernetes.io/ttl", "0"),
        ("labels", "type", "kwok"),
    ] {
        if !meta[place].is_object() {
            meta[place] = json!({});
        }
        if meta[place].get(key).is_none() {
            meta[place][key] = json!(text);
        }
    }
    let mut kept = Map::new();
    for key in ["allocatable", "capacity", "nodeInfo"] {
        kept.insert(key.to_owned(), status[key].clone());
    }
    value["status"] = Value::Object(kept);
    // Taints that say how a node is doing are set by its controller.
    if let Some(taints) = value["spec"]["taints"].as_array_mut() {
        taints.retain(|it| {
            it["key"].as_str().is_none_or(|it| {
                !it.starts_with("node.kubernetes.io/") || it.ends_with("out-of-service")
            })
        });
    }
}

/// Tells KWOK how long containers run, where the run is told by an annotation.
fn kwok_durations(value: &mut Value) {
    let Value::Object(map) = value else {
        if let Value::Array(items) = value {
            items.iter_mut().for_each(kwok_durations);
        }
        return;
    };
    map.values_mut().for_each(kwok_durations);
    let Some(annotations) = map.get_mut("annotations").and_then(Value::as_object_mut) else {
        return;
    };
    let Some(duration) = annotations.get("sim.orrery.dev/duration").and_then(Value::as_str) else {
        return;
    };
    if duration == "infinity" || duration == "forever" {
        return;
    }
    let (low, high) = duration.split_once("..").unwrap_or((duration, duration));
    let (low, high) = (low.trim().to_owned(), high.trim().to_owned());
    let key = |it: &str| format!("pod-complete.stage.kwok.x-k8s.io/{it}");
    if low != high {
        annotations.entry(key("jitter-delay")).or_insert(json!(high));
    }
    annotations.entry(key("delay")).or_insert(json!(low));
}

/// Removes the maps and lists of the metadata that have become empty, and an absent `spec`.
fn drop_empty(value: &mut Value) {
    let is_empty = |it: &Value| {
        it.is_null()
            || it.as_object().is_some_and(Map::is_empty)
            || it.as_array().is_some_and(Vec::is_empty)
    };
    for path in ["/metadata", "/spec/template/metadata"] {
        if let Some(meta) = value.pointer_mut(path).and_then(Value::as_object_mut) {
            meta.retain(|_, it| !is_empty(it));
        }
    }
    let mut gone: BTreeSet<&str> = BTreeSet::new();
    for key in ["spec", "status"] {
        if value.get(key).is_some_and(Value::is_null) {
            gone.insert(key);
        }
    }
    for key in ["taints", "claimRef"] {
        if value["spec"].get(key).is_some_and(is_empty) {
            remove(&mut value["spec"], &[key]);
        }
    }
    if value["spec"].is_null() {
        gone.insert("spec");
    }
    remove(value, &gone.into_iter().collect::<Vec<_>>());
}
