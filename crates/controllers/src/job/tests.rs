//! Passes over Jobs: what is there, and what the controller then does.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::{Component, Kind, ObjectRef, Plan};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use serde_json::{Value, json};

use super::JobController;
use super::indexed_job_utils::{OrderedIntervals, pods_with_delayed_deletion};
use super::pod_failure_policy::{Verdict, match_pod_failure_policy};
use crate::testing::{PodSketch, World, deleted, lines, owner, status_of, template, time};

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

/// A pod of an index that was tried so often before: `+` ended well, `x` badly, `.` runs, `~` runs
/// and is going.
fn indexed_pod(name: &str, index: i32, state: char, failures: i32, finished: i64) -> Value {
    let phase = match state {
        '+' => "Succeeded",
        'x' => "Failed",
        _ => "Running",
    };
    let ended = matches!(state, '+' | 'x');
    let terminated = json!({ "exitCode": i32::from(state == 'x'), "finishedAt": time(finished) });
    let container = json!({
        "name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": if ended { json!({ "terminated": terminated }) } else { json!({}) },
    });
    json!({
        "metadata": {
            "name": name, "uid": name, "labels": { "app": "a" },
            "ownerReferences": [owner("Job", "a")],
            "creationTimestamp": time(0), "finalizers": ["batch.kubernetes.io/job-tracking"],
            "deletionTimestamp": (state == '~').then(|| time(0)),
            "annotations": {
                "batch.kubernetes.io/job-completion-index": index.to_string(),
                "batch.kubernetes.io/job-index-failure-count": failures.to_string(),
            },
        },
        "spec": { "nodeName": "n", "containers": [] },
        "status": { "phase": phase, "containerStatuses": [container] },
    })
}

/// Both halves of a pass in which everything works.
fn pass(world: &World) -> Plan {
    let mut controller = JobController::default();
    let mut plan = world.decide::<Job>(&mut controller, "a");
    let results: Vec<_> = plan.actions.iter().map(|_| Ok(None)).collect();
    let key = ObjectRef::new(Kind::Job, "default", "a");
    plan.actions.extend(controller.applied(&key, &results, &world.view()).actions);
    plan
}

/// Rows: how many indexes may fail; the pods as index, state and earlier failures; the new
/// conditions with the reason, the failed indexes, and the pods that are let go.
#[test]
fn the_indexes_decide_how_a_job_ends() {
    type Row<'a> =
        (Option<i32>, &'a [(i32, char, i32)], &'a [&'a str], &'a str, &'a str, &'a [&'a str]);
    let rows: [Row<'_>; 7] = [
        (
            None,
            &[(0, '+', 0), (1, '+', 0)],
            &["SuccessCriteriaMet", "Complete"],
            "CompletionsReached",
            "",
            &["p0", "p1"],
        ),
        (
            None,
            &[(0, '+', 0), (1, 'x', 1)],
            &["FailureTarget", "Failed"],
            "FailedIndexes",
            "1",
            &["p0", "p1"],
        ),
        (None, &[(0, '.', 0), (1, 'x', 1)], &[], "", "1", &["p1"]),
        // The next pod of the index takes over the count: until then this one is kept.
        (None, &[(0, '.', 0), (1, 'x', 0)], &[], "", "", &[]),
        (
            Some(0),
            &[(0, 'x', 1), (1, 'x', 0)],
            &["FailureTarget", "Failed"],
            "MaxFailedIndexesExceeded",
            "0",
            &["p0", "p1"],
        ),
        (Some(1), &[(0, 'x', 1), (1, '.', 0)], &[], "", "0", &["p0"]),
        // A pod that is still going holds the end up.
        (
            None,
            &[(0, '+', 0), (1, '+', 0), (1, '~', 0)],
            &["SuccessCriteriaMet"],
            "CompletionsReached",
            "",
            &["p0", "p1", "p2"],
        ),
    ];
    for (max_failed, pods, types, reason, failed, released) in rows {
        let mut world = World::at_ms(10_000);
        let spec = json!({
            "completionMode": "Indexed", "completions": 2, "backoffLimitPerIndex": 1,
            "backoffLimit": i32::MAX, "maxFailedIndexes": max_failed,
        });
        world.put::<Job>(job(&spec, &json!({})));
        for (at, (index, state, failures)) in pods.iter().enumerate() {
            world.put::<Pod>(indexed_pod(&format!("p{at}"), *index, *state, *failures, 9));
        }
        let plan = pass(&world);
        let status = status_of::<Job>(&plan).unwrap().status.unwrap();
        let conditions = status.conditions.unwrap_or_default();
        let told: Vec<&str> = conditions.iter().map(|it| it.type_.as_str()).collect();
        assert_eq!(told, types, "{pods:?}");
        for condition in &conditions {
            assert_eq!(condition.reason.as_deref(), Some(reason), "{pods:?}");
        }
        assert_eq!(status.failed_indexes.as_deref(), Some(failed), "{pods:?}");
        let lines = lines(&plan);
        let let_go: Vec<_> = lines.iter().filter_map(|it| it.strip_prefix("update Pod ")).collect();
        assert_eq!(let_go, released, "{pods:?}: {lines:?}");
    }
}

#[test]
fn of_the_failed_pods_of_an_index_the_one_that_failed_last_hands_on_its_count() {
    let job: Job = serde_json::from_value(job(
        &json!({ "completionMode": "Indexed", "backoffLimitPerIndex": 5 }),
        &json!({}),
    ))
    .unwrap();
    // Pods as earlier failures and time of the end.
    for (pods, last) in [
        ([(0, 5), (1, 9)], "p1"),
        ([(0, 5), (0, 9)], "p1"),
        ([(0, 9), (0, 5)], "p0"),
        ([(1, 5), (0, 9)], "p0"),
    ] {
        let pod = |(at, (failures, end)): (usize, (i32, i64))| {
            let pod = indexed_pod(&format!("p{at}"), 1, 'x', failures, end);
            Arc::new(serde_json::from_value::<Pod>(pod).unwrap())
        };
        let all: Vec<Arc<Pod>> = pods.into_iter().enumerate().map(pod).collect();
        let none = OrderedIntervals::default();
        let kept = pods_with_delayed_deletion(&job, &all, &BTreeSet::new(), &none, &none);
        let kept: Vec<_> = kept.values().filter_map(|it| it.metadata.name.as_deref()).collect();
        assert_eq!(kept, [last], "{pods:?}");
    }
}

#[test]
fn no_pod_is_tried_where_everything_is_being_deleted() {
    let mut world = World::at_ms(10_000);
    world.put::<Namespace>(
        json!({ "metadata": { "name": "default", "deletionTimestamp": time(0) } }),
    );
    world.put::<Job>(job(&json!({}), &json!({})));
    assert!(!lines(&pass(&world)).iter().any(|it| it.starts_with("create")));
}

/// After the pods of which some are refused: how many are active.
#[test]
fn a_refused_pod_is_not_active() {
    for (refused, active) in [(vec![], 4), (vec![1], 3), (vec![0], 3), (vec![1, 2], 2)] {
        let mut world = World::at_ms(10_000);
        world.put::<Job>(job(&json!({ "parallelism": 4 }), &json!({})));
        let mut controller = JobController::default();
        let plan = world.decide::<Job>(&mut controller, "a");
        assert_eq!(plan.attempts.iter().map(|it| it.batch).collect::<Vec<_>>(), [0, 1, 1, 2]);
        let result = |at| match refused.contains(&at) {
            true => Err(api::ApiError::new(api::ApiReason::Forbidden, "no room")),
            false => Ok(None),
        };
        let results: Vec<_> = (0..4).map(result).collect();
        let key = ObjectRef::new(Kind::Job, "default", "a");
        let more = controller.applied(&key, &results, &world.view());
        let status = status_of::<Job>(&more).unwrap().status.unwrap();
        assert_eq!(status.active, Some(active), "{refused:?}");
    }
}
