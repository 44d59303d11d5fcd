//! How pods stop: grace periods, hooks, whose turn it is.

use super::*;

#[test]
fn a_deleted_pod_stops_and_leaves() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(pod("p", spec("Always"), &[("stop-delay", "5s")]));
    bench.put(pod("q", spec("Always"), &[("stop-delay", "50s")]));
    bench.run_to(10);
    bench.lines.clear();
    delete(&mut bench, "p", 30);
    delete(&mut bench, "q", 30);
    bench.run_to(60);
    bench.check(
        "10 Killing: Stopping container c
         10 Killing: Stopping container c
         15 p Failed - c=Error(143)
         15 Pod default/p deleted
         40 q Failed - c=Error(137)
         40 Pod default/q deleted",
    );
}

#[test]
fn init_containers_run_one_after_another_and_sidecars_stop_last() {
    let mut bench = Bench::new(&["n1"]);
    let mut it = spec("Never");
    it["initContainers"] = serde_json::json!([
        {"name": "i"}, {"name": "s", "restartPolicy": "Always"}, {"name": "j"},
    ]);
    bench.put(pod("p", it, &[("duration", "3s"), ("duration.j", "2s")]));
    bench.run_to(60);
    bench.check(
        "0 p Pending - i=PodInitializing s=PodInitializing j=PodInitializing c=PodInitializing
         1 p Pending - i=running s=PodInitializing j=PodInitializing c=PodInitializing
         2 p Pending - i=Completed(0) s=running j=running c=PodInitializing
         4 p Running ready i=Completed(0) s=running j=Completed(0) c=running
         7 Killing: Stopping container s
         7 p Running - i=Completed(0) s=running j=Completed(0) c=Completed(0)
         8 p Succeeded - i=Completed(0) s=Error(143) j=Completed(0) c=Completed(0)",
    );
}

#[test]
fn a_probe_may_have_a_grace_period_of_its_own() {
    for (grace, ended) in [(3, "23 p Running - c=Error(137)"), (60, "30 p Running - c=Error(143)")]
    {
        let mut bench = Bench::new(&["n1"]);
        let mut it = spec("Always");
        it["containers"][0]["livenessProbe"] = serde_json::json!({
            "periodSeconds": 5, "failureThreshold": 2, "tcpSocket": {"port": 80},
            "terminationGracePeriodSeconds": grace,
        });
        bench.put(pod("p", it, &[("liveness", "fail-after=12s"), ("stop-delay", "10s")]));
        bench.run_to(40);
        assert!(bench.lines.iter().any(|it| it == ended), "{grace}: {:#?}", bench.lines);
    }
}

#[test]
fn a_hook_runs_before_the_stop_and_within_the_grace_period() {
    for (hook, grace, expected) in [
        (serde_json::json!({"sleep": {"seconds": 5}}), 30, "16 p Failed - c=Error(143)"),
        (
            serde_json::json!({"exec": {"command": ["sleep", "7"]}}),
            30,
            "18 p Failed - c=Error(143)",
        ),
        (serde_json::json!({"httpGet": {"port": 80}}), 30, "11 p Failed - c=Error(143)"),
        // The hook takes all there is; then the container still has two seconds.
        (serde_json::json!({"sleep": {"seconds": 60}}), 4, "15 p Failed - c=Error(143)"),
        (
            serde_json::json!({"exec": {"command": ["sleep", "infinity"]}}),
            4,
            "15 p Failed - c=Error(143)",
        ),
    ] {
        let mut bench = Bench::new(&["n1"]);
        let mut it = spec("Always");
        it["containers"][0]["lifecycle"] = serde_json::json!({"preStop": hook});
        bench.put(pod("p", it, &[]));
        bench.run_to(10);
        delete(&mut bench, "p", grace);
        bench.run_to(100);
        assert!(bench.lines.iter().any(|it| it == expected), "{hook} {grace}: {:#?}", bench.lines);
    }
}

#[test]
fn sidecars_of_a_deleted_pod_stop_after_the_others_the_last_one_first() {
    let mut bench = Bench::new(&["n1"]);
    let mut it = spec("Always");
    it["initContainers"] = serde_json::json!([
        {"name": "a", "restartPolicy": "Always"}, {"name": "b", "restartPolicy": "Always"},
    ]);
    for (now, name, delay, grace, expected) in [
        (
            10,
            "p",
            "3s",
            30,
            "13 p Running - a=running b=running c=Error(143)
             16 p Running - a=running b=Error(143) c=Error(143)
             19 p Failed - a=Error(143) b=Error(143) c=Error(143)
             19 Pod default/p deleted",
        ),
        // All share one grace period: who has had no time yet gets two seconds.
        (
            70,
            "q",
            "10s",
            12,
            "80 q Running - a=running b=running c=Error(143)
             82 q Running - a=running b=Error(137) c=Error(143)
             84 q Failed - a=Error(137) b=Error(137) c=Error(143)
             84 Pod default/q deleted",
        ),
    ] {
        bench.put(pod(name, it.clone(), &[("stop-delay", delay)]));
        bench.run_to(now);
        bench.lines.clear();
        delete(&mut bench, name, grace);
        bench.run_to(now + 50);
        let killing = ["a", "b", "c"].map(|it| format!("{now} Killing: Stopping container {it}\n"));
        bench.check(&(killing.concat() + expected));
    }
}

/// Rows: the containers of the pod, what is told of them, when it is deleted; what is seen then.
#[test]
fn what_was_never_started_ends_unknown_and_at_once() {
    let inits = serde_json::json!([{"name": "i"}, {"name": "j"}]);
    let sidecar = serde_json::json!([{"name": "s", "restartPolicy": "Always"}]);
    let none = serde_json::json!([]);
    for (init, annotations, now, expected) in [
        (
            &none,
            vec![("image-pull", "60s")],
            10,
            "10 p Failed - c=ContainerStatusUnknown(137)
             10 Pod default/p deleted",
        ),
        // A failing pull is no longer told of.
        (
            &none,
            vec![("image-pull", "fail")],
            15,
            "15 p Failed - c=ContainerStatusUnknown(137)
             15 Pod default/p deleted",
        ),
        // Not even the first init container was started: it is the one that failed.
        (
            &inits,
            vec![("start-delay", "60s")],
            10,
            "10 p Failed - i=ContainerStatusUnknown(137) j=PodInitializing c=PodInitializing
             10 Pod default/p deleted",
        ),
        (
            &inits,
            vec![("duration.j", "60s")],
            10,
            "10 Killing: Stopping container j
             11 p Failed - i=Completed(0) j=Error(143) c=PodInitializing
             11 Pod default/p deleted",
        ),
        // The pod is initialized, though its container waits for an image.
        (
            &inits,
            vec![("image-pull", "60s")],
            10,
            "10 p Failed - i=Completed(0) j=Completed(0) c=ContainerStatusUnknown(137)
             10 Pod default/p deleted",
        ),
        (
            &sidecar,
            vec![("image-pull", "60s")],
            10,
            "10 Killing: Stopping container s
             11 p Failed - s=Error(143) c=ContainerStatusUnknown(137)
             11 Pod default/p deleted",
        ),
        // A crashed container has ended, whatever it waited for.
        (
            &none,
            vec![("duration", "1s"), ("exit-code", "1")],
            9,
            "9 p Failed - c=Error(1)x1
             9 Pod default/p deleted",
        ),
    ] {
        let mut bench = Bench::new(&["n1"]);
        let mut it = spec("Always");
        it["initContainers"] = init.clone();
        bench.put(pod("p", it, &annotations));
        bench.run_to(now);
        bench.lines.clear();
        delete(&mut bench, "p", 30);
        bench.run_to(now + 60);
        bench.check(expected);
    }
}

/// A pod that ends for another reason than its deletion still waits for what it waited for.
#[test]
fn a_container_in_a_crash_loop_is_lost_with_its_pod() {
    let mut bench = Bench::new(&["n1"]);
    let mut it = spec("Always");
    it["activeDeadlineSeconds"] = 9.into();
    bench.put(pod("p", it, &[("duration", "1s"), ("exit-code", "1")]));
    bench.run_to(60);
    let last = bench.lines.last().unwrap();
    assert_eq!(last, "9 p Failed DeadlineExceeded - c=ContainerStatusUnknown(137)x1");
    let pod = Listers(&bench.objects).get::<Pod>("default", "p").unwrap();
    let status = &pod.status.as_ref().unwrap().container_statuses.as_ref().unwrap()[0];
    let last = status.last_state.as_ref().unwrap().terminated.as_ref().unwrap();
    assert_eq!((last.exit_code, last.reason.as_deref()), (1, Some("Error")));
}
