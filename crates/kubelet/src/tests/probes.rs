//! When probes run, and what follows from what they say.

use serde_json::{Value, json};

use super::*;

fn probed(probes: &[(&str, Value)]) -> Value {
    let mut it = spec("Always");
    for (kind, probe) in probes {
        it["containers"][0][kind] = probe.clone();
        it["containers"][0][kind]["tcpSocket"] = json!({"port": 80});
    }
    it
}

fn every(seconds: i32) -> Value {
    json!({ "periodSeconds": seconds })
}

/// The first sync of the pod is at 0, its container starts at 1.
#[test]
fn probes_tick_from_the_first_sync_and_readiness_from_the_last_while_it_fails() {
    let unhealthy = "Unhealthy: Liveness probe failed: dial tcp: connect: connection refused";
    let unready = "Unhealthy: Readiness probe failed: dial tcp: connect: connection refused";
    let unstarted = "Unhealthy: Startup probe failed: dial tcp: connect: connection refused";
    let started = "0 p Pending - c=ContainerCreating\n1 p Running - c=running\n";
    let late = |it: i32, seconds: i32| json!({"periodSeconds": it, "initialDelaySeconds": seconds});
    let thrice = json!({"periodSeconds": 5, "successThreshold": 3});
    for (probes, told, expected) in [
        (
            vec![("livenessProbe", every(4))],
            ("liveness", "fail"),
            format!(
                "0 p Pending - c=ContainerCreating\n1 p Running ready c=running\n4 {unhealthy}\n8 {unhealthy}"
            ),
        ),
        // Whole periods, though the delay would be over before.
        (
            vec![("livenessProbe", late(4, 4))],
            ("liveness", "fail"),
            format!(
                "0 p Pending - c=ContainerCreating\n1 p Running ready c=running\n8 {unhealthy}"
            ),
        ),
        // The start and the first result each ask for a look at once.
        (
            vec![("readinessProbe", every(4))],
            ("readiness", "fail"),
            format!(
                "0 p Pending - c=ContainerCreating\n1 {unready}\n1 {unready}\n1 p Running - c=running\n5 {unready}\n9 {unready}"
            ),
        ),
        (
            vec![("readinessProbe", late(4, 2))],
            ("readiness", "pass"),
            format!("{started}5 p Running ready c=running"),
        ),
        (
            vec![("readinessProbe", thrice.clone())],
            ("readiness", "pass"),
            format!("{started}6 p Running ready c=running"),
        ),
        // The others wait for the startup probe: readiness not a moment, liveness for its tick.
        (
            vec![
                ("startupProbe", every(3)),
                ("readinessProbe", every(4)),
                ("livenessProbe", every(3)),
            ],
            ("startup", "pass-after=4s"),
            format!("{started}3 {unstarted}\n6 p Running ready c=running"),
        ),
        (
            vec![("startupProbe", every(3)), ("livenessProbe", every(3))],
            ("liveness", "fail"),
            format!("{started}3 p Running ready c=running\n6 {unhealthy}\n9 {unhealthy}"),
        ),
    ] {
        let mut bench = Bench::new(&["n1"]);
        bench.put(pod("p", probed(&probes), &[told]));
        bench.run_to(10);
        bench.check(&expected);
    }
}

#[test]
fn a_young_kubelet_waits_for_a_part_of_the_period_that_the_seed_draws() {
    let ready_at = |name: &str| {
        let mut bench = Bench::young(&["n1"], -5);
        bench.run_to(0);
        bench.put(pod(name, probed(&[("readinessProbe", every(20))]), &[]));
        bench.run_to(60);
        let line = bench.lines.last().unwrap().clone();
        assert!(line.ends_with("Running ready c=running"), "{line}");
        line.split_once(' ').unwrap().0.parse::<f64>().unwrap()
    };
    let times = ["a", "b", "c", "d"].map(ready_at);
    assert_eq!(times, ["a", "b", "c", "d"].map(ready_at));
    assert!(times.iter().all(|it| (1.0..21.0).contains(it)) && times[0] != times[1], "{times:?}");
}

/// The successes of the run before count.
#[test]
fn a_run_begins_unready_but_its_probe_remembers() {
    let mut bench = Bench::new(&["n1"]);
    let probe = json!({"periodSeconds": 5, "successThreshold": 4});
    let told = [("duration", "20s"), ("exit-code", "1")];
    bench.put(pod("p", probed(&[("readinessProbe", probe)]), &told));
    bench.run_to(25);
    bench.check(
        "0 p Pending - c=ContainerCreating
         1 p Running - c=running
         11 p Running ready c=running
         21 p Running - c=Error(1)
         22 p Running ready c=runningx1",
    );
}

/// The probes of a sidecar go on, and nothing follows from them.
#[test]
fn a_pod_that_stops_is_not_killed_by_its_probes() {
    let mut bench = Bench::new(&["n1"]);
    let probe = json!({"periodSeconds": 4, "failureThreshold": 1, "tcpSocket": {"port": 80}});
    let mut it = probed(&[("livenessProbe", probe.clone())]);
    it["initContainers"] =
        json!([{"name": "s", "restartPolicy": "Always", "livenessProbe": probe}]);
    let fails = "fail-after=10s";
    let told = [("liveness", fails), ("liveness.s", fails), ("stop-delay", "9s")];
    bench.put(pod("p", it, &told));
    bench.run_to(10);
    bench.lines.clear();
    delete(&mut bench, "p", 30);
    bench.run_to(40);
    bench.check(
        "10 Killing: Stopping container s
         10 Killing: Stopping container c
         12 Unhealthy: Liveness probe failed: dial tcp: connect: connection refused
         19 p Running - s=running c=Error(143)
         28 p Failed - s=Error(143) c=Error(143)
         28 Pod default/p deleted",
    );
}
