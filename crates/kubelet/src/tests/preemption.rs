//! Critical pods that find no room.

use serde_json::json;

use super::*;

fn with_cpu(name: &str, cpu: &str, priority: i32) -> Object {
    let mut it = spec("Always");
    it["priority"] = priority.into();
    it["containers"][0]["resources"] = json!({"requests": {"cpu": cpu}});
    pod(name, it, &[("stop-delay", "3s")])
}

#[test]
fn a_critical_pod_waits_for_those_that_make_place() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(with_cpu("small", "1", 0));
    bench.put(with_cpu("large", "3", 0));
    bench.run_to(10);
    bench.lines.clear();
    let manifest = r#"[{"metadata": {"name": "etcd", "namespace": "default"}, "spec": {"containers":
        [{"name": "c", "image": "etcd", "resources": {"requests": {"cpu": "2"}}}]}}]"#;
    bench.annotate_node("n1", "static-pods", Some(manifest));
    bench.run_to(30);
    bench.check(
        "10 Preempting: Preempted in order to admit critical pod
         10 Killing: Stopping container c
         10 large Running - c=running
         10 etcd-n1 Pending - c=ContainerCreating
         13 large Failed Preempting - c=Error(143)
         14 etcd-n1 Running ready c=running",
    );
    let large = Listers(&bench.objects).get::<Pod>("default", "large").unwrap();
    let target = pods::condition(large, "DisruptionTarget").unwrap();
    assert_eq!(target.reason.as_deref(), Some("TerminationByKubelet"));
    assert_eq!(
        target.message.as_deref(),
        Some("Pod was preempted by Kubelet to accommodate a critical pod.")
    );
}

/// Rows: the priority of who runs and of who comes; what becomes of the latter.
#[test]
fn only_who_is_less_dear_makes_place() {
    const CRITICAL: i32 = 2_000_000_000;
    let none = "UnexpectedAdmissionError: Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [(res: cpu, q: 3000), ]";
    let short = "OutOfcpu: Node didn't have enough resource: cpu, requested: 4000, used: 3000, capacity: 4000";
    for (runs, comes, expected) in [
        (0, CRITICAL, ""),
        (CRITICAL, CRITICAL + 1, ""),
        (CRITICAL, CRITICAL, none),
        (0, CRITICAL - 1, short),
    ] {
        let mut bench = Bench::new(&["n1"]);
        bench.put(with_cpu("runs", "3", runs));
        bench.run_to(5);
        bench.put(with_cpu("comes", "4", comes));
        bench.run_to(20);
        let refused =
            bench.lines.iter().find(|it| it.contains("5 Unexpected") || it.contains("5 OutOf"));
        let refused = refused.map_or("", |it| &it[2..]);
        assert_eq!(refused, expected, "{runs} {comes}");
    }
}
