//! Passes over Jobs: what is there, and what the controller then does.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::JobController;
use super::pod_failure_policy::{Verdict, match_pod_failure_policy};
use crate::testing::{PodSketch, World, deleted, lines, owner, template, time};

/// A Job of four completions, two at a time, that began at the beginning.
fn job(spec: &Value, status: &Value) -> Value {
    let mut job = json!({
        "metadata": { "name": "a", "creationTimestamp": time(0) },
        "spec": {
            "parallelism": 2, "completions": 4, "backoffLimit": 6, "suspend": false,
            "completionMode": "NonIndexed", "podReplacementPolicy": "TerminatingOrFailed",
            "selector": { "matchLabels": { "app": "a" } }, "template": template("x"),
        },
        "status": { "startTime": time(0) },
    });
    for (part, with) in [("spec", spec), ("status", status)] {
        for (key, value) in with.as_object().into_iter().flatten() {
            job[part][key] = value.clone();
        }
    }
    job
}

/// How many pods are created and deleted with so many active, ten seconds after the start.
fn check(spec: Value, status: Value, n_active: usize, expected: (usize, usize)) {
    let mut world = World::at_ms(10_000);
    world.put::<Job>(job(&spec, &status));
    for i in 0..n_active {
        world.put_pod(&owner("Job", "a"), &format!("a-{i}"), PodSketch::default());
    }
    let plan = world.decide::<Job>(&mut JobController::default(), "a");
    let lines = lines(&plan);
    let n = |verb: &str| lines.iter().filter(|it| it.starts_with(verb)).count();
    let got = (n("create Pod"), n("delete Pod"));
    assert_eq!(got, expected, "{spec} {status} {n_active} active: {lines:?}");
}

#[test]
fn as_many_pods_run_as_parallelism_and_completions_ask_for() {
    let none = || json!({});
    check(none(), none(), 0, (2, 0));
    check(none(), none(), 1, (1, 0));
    check(none(), none(), 2, (0, 0));
    check(none(), json!({ "succeeded": 3 }), 0, (1, 0));
    check(none(), json!({ "succeeded": 3 }), 1, (0, 0));
    check(none(), json!({ "succeeded": 4 }), 0, (0, 0));
    check(json!({ "parallelism": 0 }), none(), 2, (0, 2));
    check(json!({ "parallelism": 1 }), none(), 3, (0, 2));
    check(json!({ "suspend": true }), none(), 2, (0, 2));
}

#[test]
fn a_work_queue_starts_nothing_after_its_first_success() {
    let queue = json!({ "completions": null, "parallelism": 3 });
    check(queue.clone(), json!({}), 0, (3, 0));
    check(queue.clone(), json!({ "succeeded": 1 }), 1, (0, 0));
    check(queue, json!({ "succeeded": 1 }), 0, (0, 0));
}

#[test]
fn a_job_that_fails_stops_its_pods() {
    check(json!({ "backoffLimit": 0 }), json!({ "failed": 1 }), 2, (0, 2));
    check(json!({ "backoffLimit": 1 }), json!({ "failed": 1 }), 2, (0, 0));
    check(json!({ "activeDeadlineSeconds": 5 }), json!({}), 2, (0, 2));
    check(json!({ "activeDeadlineSeconds": 10 }), json!({}), 2, (0, 2));
    check(json!({ "activeDeadlineSeconds": 11 }), json!({}), 2, (0, 0));
}

#[test]
fn a_job_of_another_manager_is_left_alone() {
    check(json!({ "managedBy": "example.com/other" }), json!({}), 0, (0, 0));
    check(json!({ "managedBy": "kubernetes.io/job-controller" }), json!({}), 0, (2, 0));
}

#[test]
fn a_pod_that_is_going_is_replaced_at_once_or_when_it_has_gone() {
    for (policy, creates) in [("TerminatingOrFailed", 1), ("Failed", 0)] {
        let mut world = World::at_ms(10_000);
        world.put::<Job>(job(&json!({ "podReplacementPolicy": policy }), &json!({})));
        world.put_pod(&owner("Job", "a"), "stays", PodSketch::default());
        let going = PodSketch { deleted: true, ..PodSketch::default() };
        world.put_pod(&owner("Job", "a"), "goes", going);
        let lines = lines(&world.decide::<Job>(&mut JobController::default(), "a"));
        let n = lines.iter().filter(|it| it.starts_with("create Pod")).count();
        assert_eq!(n, creates, "{policy}: {lines:?}");
    }
}

#[test]
fn pods_of_an_index_too_many_go_and_one_of_each_index_stays() {
    let mut world = World::at_ms(10_000);
    let indexed = json!({ "completionMode": "Indexed", "parallelism": 4 });
    world.put::<Job>(job(&indexed, &json!({})));
    for (name, index) in [("a", "0"), ("b", "1"), ("late", "1"), ("last", "3"), ("beyond", "4")] {
        world.put::<Pod>(json!({
            "metadata": {
                "name": name, "labels": { "app": "a" }, "ownerReferences": [owner("Job", "a")],
                "creationTimestamp": time(i64::from(name == "late")),
                "annotations": { "batch.kubernetes.io/job-completion-index": index },
            },
            "spec": { "nodeName": "n", "containers": [] },
            "status": { "phase": "Running" },
        }));
    }
    let mut gone = deleted(&world.decide::<Job>(&mut JobController::default(), "a"));
    gone.sort();
    assert_eq!(gone, ["beyond", "late"]);
}

#[test]
fn the_first_rule_that_matches_a_failed_pod_decides() {
    let exit = |operator: &str, values: &[i32], action: &str| json!({ "action": action, "onExitCodes": { "operator": operator, "values": values } });
    let disrupted = |action: &str| {
        let pattern = json!({ "type": "DisruptionTarget", "status": "True" });
        json!({ "action": action, "onPodConditions": [pattern] })
    };
    let fail = |text: &str| Verdict::FailJob(format!("{text} matching FailJob rule at index 0"));
    for (rules, code, condition, verdict) in [
        (vec![], 1, "", Verdict::Count),
        (vec![exit("In", &[42], "FailJob")], 1, "", Verdict::Count),
        (
            vec![exit("In", &[42], "FailJob")],
            42,
            "",
            fail("Container c for pod default/p failed with exit code 42"),
        ),
        (vec![exit("NotIn", &[42], "FailIndex")], 1, "", Verdict::FailIndex),
        (vec![exit("NotIn", &[42], "FailIndex")], 42, "", Verdict::Count),
        (vec![exit("In", &[1], "Count"), exit("In", &[1], "FailIndex")], 1, "", Verdict::Count),
        (vec![disrupted("Ignore")], 1, "DisruptionTarget", Verdict::Ignore),
        (vec![disrupted("Ignore")], 1, "Other", Verdict::Count),
        (
            vec![disrupted("FailJob")],
            1,
            "DisruptionTarget",
            fail("Pod default/p has condition DisruptionTarget"),
        ),
    ] {
        let policy = serde_json::from_value(json!({ "rules": rules })).unwrap();
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": "p", "namespace": "default" },
            "status": {
                "conditions": [{ "type": condition, "status": "True" }],
                "containerStatuses": [{
                    "name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                    "state": { "terminated": { "exitCode": code } },
                }],
            },
        }))
        .unwrap();
        assert_eq!(match_pod_failure_policy(Some(&policy), &pod), verdict, "{rules:?} {code}");
    }
}
