//! Containers that end and run again: when, how often, with what to show for it.

use serde_json::json;

use super::*;

#[test]
fn a_crashing_container_is_restarted_ever_later() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(pod("p", spec("OnFailure"), &[("duration", "2s"), ("exit-code", "1,1,0")]));
    bench.run_to(60);
    bench.check(
        "0 p Pending - c=ContainerCreating
         1 p Running ready c=running
         3 p Running - c=Error(1)
         4 p Running ready c=runningx1
         6 p Running - c=Error(1)x1
         7 BackOff: Back-off restarting failed container c in pod p_default(uid-p)
         7 p Running - c=CrashLoopBackOffx1
         16 p Running ready c=runningx2
         18 p Succeeded - c=Completed(0)x2",
    );
}

#[test]
fn the_wait_between_crashes_doubles_up_to_five_minutes() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(pod("p", spec("Always"), &[("duration", "2s"), ("exit-code", "1")]));
    bench.run_to(1_600);
    let starts: Vec<i64> = bench
        .lines
        .iter()
        .filter(|it| it.contains("c=running"))
        .map(|it| it.trim().split(' ').next().unwrap().parse().unwrap())
        .collect();
    let gaps: Vec<i64> = starts.windows(2).map(|it| it[1] - it[0]).collect();
    assert_eq!(gaps, [3, 12, 22, 42, 82, 162, 302, 302, 302, 302]);
}

/// Restarts at 4, 16, 38, 80, 162, 324.
#[test]
fn each_minute_of_a_back_off_tells_of_it_once_more() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(pod("p", spec("Always"), &[("duration", "2s"), ("exit-code", "1")]));
    bench.run_to(325);
    let told = bench.lines.iter().filter(|it| it.contains("BackOff:"));
    let told: Vec<&str> = told.map(|it| it.split(' ').next().unwrap()).collect();
    assert_eq!(told, ["7", "19", "41", "83", "143", "165", "225", "285"]);
}

#[test]
fn a_failing_liveness_probe_restarts_the_container() {
    let mut bench = Bench::new(&["n1"]);
    let mut it = spec("Always");
    it["containers"][0]["livenessProbe"] =
        serde_json::json!({"periodSeconds": 5, "failureThreshold": 2, "tcpSocket": {"port": 80}});
    bench.put(pod("p", it, &[("liveness", "fail-after=12s")]));
    bench.run_to(25);
    bench.check(
        "0 p Pending - c=ContainerCreating
         1 p Running ready c=running
         15 Unhealthy: Liveness probe failed: dial tcp: connect: connection refused
         20 Unhealthy: Liveness probe failed: dial tcp: connect: connection refused
         20 Killing: Container c failed liveness probe, will be restarted
         21 p Running - c=Error(143)
         22 p Running ready c=runningx1",
    );
}

#[test]
fn a_container_above_its_memory_limit_is_killed() {
    for (usage, policy, expected) in [
        ("200Mi", "Never", "1 p Running ready c=running"),
        ("201Mi", "Never", "1.100 p Failed - c=OOMKilled(137)"),
        ("201Mi", "OnFailure", "5.300 p Running - c=CrashLoopBackOffx1"),
        ("201Mi", "Always", "5.300 p Running - c=CrashLoopBackOffx1"),
    ] {
        let mut bench = Bench::new(&["n1"]);
        let mut it = spec(policy);
        it["containers"][0]["resources"] = serde_json::json!({"limits": {"memory": "200Mi"}});
        bench.put(pod("p", it, &[("memory-usage", usage)]));
        bench.run_to(4);
        let last = bench.lines.last().unwrap();
        assert_eq!(last.replace("3.200", "5.300"), expected, "{usage} {policy}");
    }
}

#[test]
fn memory_that_grows_is_noticed_at_once_and_remembered_as_the_last_state() {
    let mut bench = Bench::new(&["n1"]);
    let mut it = spec("Always");
    it["containers"][0]["resources"] = serde_json::json!({"limits": {"memory": "200Mi"}});
    bench.put(pod("p", it, &[]));
    bench.run_to(10);
    let tell = |bench: &mut Bench, usage: &str| {
        bench.edit::<Pod>("default", "p", |it| {
            let annotations = it.metadata.annotations.as_mut().unwrap();
            annotations.insert("sim.orrery.dev/memory-usage".into(), usage.into());
        });
    };
    tell(&mut bench, "1Gi");
    bench.run_to(10);
    tell(&mut bench, "100Mi");
    bench.run_to(20);
    bench.check(
        "0 p Pending - c=ContainerCreating
         1 p Running ready c=running
         10 p Running - c=OOMKilled(137)
         11 p Running ready c=runningx1",
    );
    let key = ObjectRef::new(Kind::Pod, "default", "p");
    let pod = Listers(&bench.objects).by_ref::<Pod>(&key).unwrap();
    let status = &pod.status.as_ref().unwrap().container_statuses.as_ref().unwrap()[0];
    let last = status.last_state.as_ref().unwrap().terminated.as_ref().unwrap();
    assert_eq!((last.reason.as_deref(), last.exit_code), (Some("OOMKilled"), 137));
}

#[test]
fn a_rule_restarts_all_containers_in_place_without_a_back_off() {
    let mut bench = Bench::new(&["n1"]);
    let rule = |action: &str, code: i32| json!({"action": action, "exitCodes": {"operator": "In", "values": [code]}});
    let spec = json!({
        "nodeName": "n1",
        "restartPolicy": "Never",
        "initContainers": [{"name": "i", "image": "busybox"}],
        "containers": [
            {"name": "c", "image": "busybox", "restartPolicy": "Never",
             "restartPolicyRules": [rule("Restart", 7), rule("RestartAllContainers", 42)]},
            {"name": "d", "image": "busybox"},
        ],
    });
    let ends = [
        ("duration.i", "1s"),
        ("duration.c", "2s"),
        ("exit-code.c", "42,7,0"),
        ("duration.d", "9s"),
    ];
    bench.put(pod("p", spec, &ends));
    bench.run_to(30);
    bench.check(
        "0 p Pending - i=PodInitializing c=PodInitializing d=PodInitializing
         1 p Pending - i=running c=PodInitializing d=PodInitializing
         2 p Running ready i=Completed(0) c=running d=running
         4 p Running - i=Completed(0) c=Error(42) d=running
         5 Killing: killing
         5 p Pending - i=runningx1 c=PodInitializingx1 d=PodInitializingx1
         6 p Running ready i=Completed(0)x1 c=runningx1 d=runningx1
         8 p Running - i=Completed(0)x1 c=Error(7)x1 d=runningx1
         9 p Running ready i=Completed(0)x1 c=runningx2 d=runningx1
         11 p Running - i=Completed(0)x1 c=Completed(0)x2 d=runningx1
         15 p Succeeded - i=Completed(0)x1 c=Completed(0)x2 d=Completed(0)x1",
    );
    let pod: &Pod = Listers(&bench.objects).get("default", "p").unwrap();
    let status = pod.status.as_ref().unwrap();
    let last = |at: usize| {
        let it = status.container_statuses.as_ref().unwrap()[at].last_state.clone();
        let it = it.and_then(|it| it.terminated).unwrap();
        (it.exit_code, it.reason.unwrap_or_default())
    };
    assert_eq!(last(0), (7, "Error".to_owned()));
    assert_eq!(last(1), (137, "RestartingAllContainers".to_owned()));
    let conditions = status.conditions.iter().flatten();
    let seen: Vec<&str> = conditions.map(|it| it.type_.as_str()).collect();
    assert!(seen.contains(&"AllContainersRestarting"), "{seen:?}");
}
