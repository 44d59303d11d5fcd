//! Evictions for want of memory.

use api::k8s_openapi::api::core::v1::Pod;
use api::{Kind, Listers, Object, ObjectRef, pods};

use super::{Bench, pod, spec};

/// A pod on `n1` that requests and uses memory.
fn eater(name: &str, request: &str, usage: &str, priority: i32) -> Object {
    let mut it = spec("Always");
    it["priority"] = priority.into();
    it["containers"][0]["resources"] = serde_json::json!({"requests": {"memory": request}});
    pod(name, it, &[("memory-usage", usage)])
}

fn evictions(bench: &Bench) -> Vec<String> {
    let lines = bench.lines.iter().filter(|it| it.contains(" Evicted"));
    lines.map(|it| it.split(" low on").next().unwrap_or_default().to_owned()).collect()
}

fn pressure(bench: &Bench) -> bool {
    let node = Listers(&bench.objects).node("n1").unwrap();
    let mut conditions = node.status.iter().flat_map(|it| it.conditions.iter().flatten());
    conditions.any(|it| it.type_ == "MemoryPressure" && it.status == "True")
}

#[test]
fn a_node_without_memory_evicts_the_pod_that_exceeds_its_request_most() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(eater("modest", "2Gi", "2Gi", 0));
    bench.put(eater("greedy", "1Gi", "3Gi", 0));
    bench.put(eater("dear", "1Gi", "3100Mi", 100));
    bench.run_to(12);
    bench.check(
        "0 dear Pending - c=ContainerCreating
         0 greedy Pending - c=ContainerCreating
         0 modest Pending - c=ContainerCreating
         1 dear Running ready c=running
         1 greedy Running ready c=running
         1 modest Running ready c=running
         10 Evicted: The node was low on resource: memory. Threshold quantity: 100Mi, available: 0. Container c was using 3Gi, request is 1Gi, has larger consumption of memory. 
         10 Killing: Stopping container c
         10 greedy Running - c=running
         11 greedy Failed Evicted - c=Error(143)",
    );
    assert!(pressure(&bench));
    let key = ObjectRef::new(Kind::Pod, "default", "greedy");
    let evicted = Listers(&bench.objects).by_ref::<Pod>(&key).unwrap();
    let condition = pods::condition(evicted, "DisruptionTarget").unwrap();
    assert_eq!(condition.reason.as_deref(), Some("TerminationByKubelet"));
    // The node reports the pressure for five minutes longer.
    bench.run_to(309);
    assert!(pressure(&bench));
    bench.run_to(330);
    assert!(!pressure(&bench));
    assert_eq!(evictions(&bench).len(), 2, "one event and one status");
}

#[test]
fn victims_are_ranked_by_excess_then_priority_then_amount() {
    for (pods, first) in [
        // (name, request, usage, priority)
        (vec![("a", "4Gi", "4Gi", 0), ("b", "100Mi", "4090Mi", 1000)], "b"),
        (vec![("a", "1Gi", "4Gi", 10), ("b", "1Gi", "4090Mi", 0)], "b"),
        (vec![("a", "1Gi", "3Gi", 0), ("b", "1Gi", "5Gi", 0)], "b"),
        (vec![("a", "1Gi", "5Gi", 0), ("b", "4Gi", "5Gi", 0)], "a"),
        (vec![("a", "0", "5Gi", 2_000_000_000), ("b", "3Gi", "3Gi", 5)], "b"),
    ] {
        let mut bench = Bench::new(&["n1"]);
        for (name, request, usage, priority) in &pods {
            bench.put(eater(name, request, usage, *priority));
        }
        bench.run_to(11);
        let failed = bench.lines.iter().find(|it| it.contains(" Failed Evicted")).unwrap();
        assert!(failed.starts_with(&format!("11 {first} ")), "{failed}: {pods:?}");
    }
}

#[test]
fn under_memory_pressure_pods_without_requests_are_not_admitted() {
    let mut bench = Bench::new(&["n1"]);
    bench.annotate_node("n1", "memory-usage", Some("8Gi"));
    bench.run_to(15);
    bench.put(pod("best-effort", spec("Always"), &[]));
    let mut tolerant = spec("Always");
    tolerant["tolerations"] = serde_json::json!([{"key": "node.kubernetes.io/memory-pressure"}]);
    tolerant["tolerations"][0]["operator"] = "Exists".into();
    bench.put(pod("tolerant", tolerant, &[]));
    bench.run_to(16);
    bench.check(
        "15 Evicted: The node had condition: [MemoryPressure].
         15 best-effort Failed Evicted -
         15 tolerant Pending - c=ContainerCreating
         16 tolerant Running ready c=running",
    );
}

/// Rows: what the node is in need of; whether a plain pod, one with requests, one that tolerates
/// want of memory, and a critical one are admitted, or why not.
#[test]
fn a_node_in_need_admits_by_its_need() {
    let memory = "The node had condition: [MemoryPressure]. ";
    let disk = "The node had condition: [DiskPressure]. ";
    let both = "The node had condition: [MemoryPressure PIDPressure]. ";
    for (needs, expected) in [
        (vec![], ["", "", "", ""]),
        (vec!["memory-pressure"], [memory, "", "", ""]),
        (vec!["disk-pressure"], [disk, disk, disk, ""]),
        (vec!["pid-pressure", "memory-pressure"], [both, both, both, ""]),
    ] {
        let mut bench = Bench::new(&["n1"]);
        for need in &needs {
            bench.annotate_node("n1", need, Some("true"));
        }
        let toleration =
            serde_json::json!({"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"});
        let mut all = [spec("Always"), spec("Always"), spec("Always"), spec("Always")];
        all[1]["containers"][0]["resources"] = serde_json::json!({"requests": {"cpu": "1m"}});
        all[2]["tolerations"] = serde_json::json!([toleration]);
        all[3]["priority"] = 2_000_000_000.into();
        for (at, spec) in all.into_iter().enumerate() {
            bench.put(pod(&format!("p{at}"), spec, &[]));
        }
        bench.run_to(1);
        let found = ["p0", "p1", "p2", "p3"].map(|name| {
            let pod = Listers(&bench.objects).get::<Pod>("default", name).unwrap();
            let message = pod.status.as_ref().unwrap().message.clone().unwrap_or_default();
            message.strip_prefix("Pod was rejected: ").unwrap_or_default().to_owned()
        });
        assert_eq!(found, expected, "{needs:?}");
    }
}

#[test]
fn nobody_is_evicted_where_no_usage_is_told() {
    let mut bench = Bench::new(&["n1"]);
    let mut it = spec("Always");
    it["containers"][0]["resources"] = serde_json::json!({"requests": {"memory": "8Gi"}});
    bench.put(pod("full", it, &[]));
    bench.run_to(101);
    assert!(evictions(&bench).is_empty() && !pressure(&bench));
    // Outside of pods something grows, and shrinks before the kubelet looks.
    bench.annotate_node("n1", "memory-usage", Some("1Gi"));
    bench.run_to(105);
    bench.annotate_node("n1", "memory-usage", None);
    bench.run_to(130);
    assert!(evictions(&bench).is_empty() && !pressure(&bench));
}

/// The node has 8 GiB. Rows: its configuration beyond the hard threshold; when pods are told to go,
/// and when the last has gone.
#[test]
fn soft_thresholds_wait_and_ask_and_what_comes_free_must_be_enough() {
    let soft = |more: &str| {
        format!(
            r#"{{"evictionSoft": {{"memory.available": "1Gi"}}, "evictionPressureTransitionPeriod": "30s",
            "evictionSoftGracePeriod": {{"memory.available": "25s"}}{more}}}"#
        )
    };
    let reclaim = r#", "evictionMinimumReclaim": {"memory.available": "3Gi"}"#;
    for (configuration, told, gone) in [
        // The first look is at 10, and at 20 the node is not short for 25 seconds yet.
        (soft(""), vec!["40"], "60"),
        (soft(r#", "evictionMaxPodGracePeriod": 5"#), vec!["40"], "45"),
        // 3264 MiB are free with one pod less, and 4 GiB are wanted.
        (soft(&format!(r#", "evictionMaxPodGracePeriod": 5{reclaim}"#)), vec!["40", "46"], "51"),
    ] {
        let mut bench = Bench::new(&["n1"]);
        bench.annotate_node("n1", "kubelet-configuration", Some(&configuration));
        for name in ["a", "b", "c"] {
            let Object::Pod(it) = eater(name, "1Gi", "2464Mi", 0) else { panic!() };
            let mut it = (*it).clone();
            let spec = it.spec.as_mut().unwrap();
            spec.termination_grace_period_seconds = Some(20);
            let annotations = it.metadata.annotations.as_mut().unwrap();
            annotations.insert("sim.orrery.dev/stop-delay".to_owned(), "60s".to_owned());
            bench.put(api::Resource::into_object(it));
        }
        bench.run_to(15);
        assert!(pressure(&bench), "the condition does not wait");
        bench.run_to(100);
        let second = |it: &String| it.split(' ').next().unwrap().to_owned();
        let evicted: Vec<String> =
            bench.lines.iter().filter(|it| it.contains(" Evicted:")).map(second).collect();
        assert_eq!(evicted, told, "{configuration}");
        let last = bench.lines.iter().rfind(|it| it.contains("Failed Evicted")).unwrap();
        assert_eq!(second(last), gone, "{last}");
        assert!(!pressure(&bench));
    }
}
