//! Pods per second at 1,000, 5,000 and 15,000 nodes: `cargo bench -p scheduler [NODES...]`.
//!
//! Four sorts of pods, 2,000 of each, one after another: plain, zone spread, required hostname
//! anti-affinity, preferred zone affinity over ten apps. Each attempt is followed by the assumption
//! of the pod, as in a run; the store and the record for the page are not part of the measure.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use api::{Objects, Resource, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod};
use scheduler::Scheduler;
use serde_json::{Value, json};

const N_PODS: usize = 2_000;

fn node(at: usize) -> Node {
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

fn pod(kind: &str, at: usize) -> Pod {
    let app = format!("app-{}", at % 10);
    let labels = json!({"matchLabels": {"app": app}});
    let all = json!({"matchLabels": {"group": "bench"}});
    let extra: Value = match kind {
        "zone spread" => json!({"topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": all,
        }]}),
        "hostname anti-affinity" => json!({"affinity": {"podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": all}
        ]}}}),
        "preferred zone affinity" => json!({"affinity": {"podAffinity": {
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

/// Time on the processor, where the system tells, so that other work on the machine does not count.
fn cpu_seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match stat.split(' ').next().and_then(|it| it.parse::<f64>().ok()) {
        Some(ns) => ns / 1e9,
        None => START.get_or_init(Instant::now).elapsed().as_secs_f64(),
    }
}

fn run(kind: &str, n_nodes: usize) -> f64 {
    let mut objects = Objects::default();
    for at in 0..n_nodes {
        objects.put(node(at).into_object());
    }
    let mut scheduler = Scheduler::from_objects(None, &objects).unwrap();
    let pods: Vec<Arc<Pod>> = (0..N_PODS).map(|at| Arc::new(pod(kind, at))).collect();
    let start = cpu_seconds();
    for pod in &pods {
        let placed = scheduler.place(pod, &objects, Timestamp::UNIX_EPOCH, 1);
        assert!(placed.is_some(), "{kind}: a pod found no node");
    }
    N_PODS as f64 / (cpu_seconds() - start)
}

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|it| it.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![100, 1_000, 5_000, 15_000] } else { sizes };
    for n_nodes in sizes {
        for kind in ["plain", "zone spread", "hostname anti-affinity", "preferred zone affinity"] {
            if kind == "hostname anti-affinity" && n_nodes < N_PODS {
                continue;
            }
            println!("{n_nodes:>6} nodes  {kind:<24} {:>8.0} pods/s", run(kind, n_nodes));
        }
    }
}
