//! The workload of the benchmarks, native and in wasm: a cluster, four sorts of pods, one after
//! another, each followed by the assumption of the pod, as in a run.
#![allow(dead_code, reason = "each benchmark uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

use std::sync::Arc;

use api::{Objects, Resource, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod};
use scheduler::Scheduler;
use serde_json::{Value, json};

pub(crate) const N_PODS: usize = 2_000;

/// The sorts of pods, with what kube-scheduler's own code placed per second at 5,000 nodes, in
/// process and without an API server, on two quiet cores.
pub(crate) const KINDS: [(&str, f64); 4] = [
    ("plain", 710.0),
    ("zone spread", 295.0),
    ("hostname anti-affinity", 375.0),
    ("preferred zone affinity", 380.0),
];

/// The same figure at other sizes, where it was measured.
pub(crate) fn go(kind: usize, n_nodes: usize) -> Option<f64> {
    match (kind, n_nodes) {
        (0, 1_000) => Some(980.0),
        (0, 15_000) => Some(456.0),
        (kind, 5_000) => KINDS.get(kind).map(|(_, it)| *it),
        _ => None,
    }
}

/// Whether there are enough nodes: anti-affinity by hostname takes one for each pod.
pub(crate) fn is_possible(kind: usize, n_nodes: usize) -> bool {
    kind != 2 || n_nodes >= N_PODS
}

pub(crate) fn node(at: usize) -> Node {
    let name = format!("node-{at:05}");
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "topology.kubernetes.io/region": "eu",
            "topology.kubernetes.io/zone": format!("zone-{}", at % 3),
        }},
        "spec": {},
        "status": {"allocatable": {"cpu": "32", "memory": "64Gi", "pods": "110"}},
    }))
    .unwrap()
}

pub(crate) fn pod(kind: usize, at: usize) -> Pod {
    let app = format!("app-{}", at % 10);
    let labels = json!({"matchLabels": {"app": app}});
    let all = json!({"matchLabels": {"group": "bench"}});
    let extra: Value = match kind {
        1 => json!({"topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": all,
        }]}),
        2 => json!({"affinity": {"podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": all}
        ]}}}),
        3 => json!({"affinity": {"podAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm":
            {"topologyKey": "topology.kubernetes.io/zone", "labelSelector": labels}
        }]}}}),
        _ => json!({}),
    };
    let mut spec = json!({
        "schedulerName": "default-scheduler",
        "containers": [{"name": "c", "image": "nginx:1",
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}],
    });
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let metadata = json!({"name": format!("pod-{at}"), "namespace": "default",
        "uid": format!("uid-{at}"), "labels": {"app": app, "group": "bench"}});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

/// A cluster of nodes.
pub(crate) fn cluster(n_nodes: usize) -> Objects {
    let mut objects = Objects::default();
    for at in 0..n_nodes {
        objects.put(node(at).into_object());
    }
    objects
}

/// A scheduler that knows a cluster, and the pods that wait.
pub(crate) struct Bench {
    pub(crate) scheduler: Scheduler,
    pub(crate) objects: Arc<Objects>,
    pub(crate) pods: Vec<Arc<Pod>>,
}

impl Bench {
    pub(crate) fn new(objects: Arc<Objects>, kind: usize, n_pods: usize) -> Self {
        let scheduler = Scheduler::from_objects(None, &objects).unwrap();
        let pods = (0..n_pods).map(|at| Arc::new(pod(kind, at))).collect();
        Self { scheduler, objects, pods }
    }

    /// Places all pods, and says how many found a node.
    pub(crate) fn place_all(&mut self, with_record: bool) -> usize {
        let now = Timestamp::UNIX_EPOCH;
        let (scheduler, objects) = (&mut self.scheduler, &self.objects);
        let mut place = |pod| scheduler.place_recorded(pod, objects, now, 1, with_record);
        self.pods.iter().filter_map(&mut place).count()
    }
}
