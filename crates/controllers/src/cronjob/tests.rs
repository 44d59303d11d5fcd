//! Passes over CronJobs: what is there at a time, and what the controller then does.

use api::{Action, ApiError, ApiReason, Change, Component, Kind, ObjectRef, Plan, WorkQueue};
use k8s_openapi::api::batch::v1::{CronJob, CronJobStatus, Job};
use serde_json::{Value, json};

use super::CronJobController;
use crate::testing::{World, at_ms, lines, owner, status_of, template, time};

/// What is done for a CronJob every five minutes that was made at the beginning. `running` is a
/// Job of it that has not ended.
fn check(seconds: i64, spec: Value, last: Option<i64>, running: bool, expected: &[&str]) {
    let mut world = World::at_ms(seconds * 1_000);
    let mut cron_job = json!({
        "metadata": { "name": "a", "creationTimestamp": time(0) },
        "spec": {
            "schedule": "*/5 * * * *", "concurrencyPolicy": "Allow", "suspend": false,
            "jobTemplate": { "spec": { "template": template("x") } },
        },
        "status": { "lastScheduleTime": last.map(time) },
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        cron_job["spec"][key] = value.clone();
    }
    if running {
        let reference = json!({ "name": "old", "namespace": "default", "uid": "uid-old" });
        cron_job["status"]["active"] = json!([reference]);
        let mut meta = json!({ "name": "old" });
        let mut owner = owner("CronJob", "a");
        owner["apiVersion"] = json!("batch/v1");
        meta["ownerReferences"] = json!([owner]);
        world.put::<Job>(json!({ "metadata": meta, "spec": { "template": template("x") } }));
    }
    world.put::<CronJob>(cron_job);
    let plan = world.decide::<CronJob>(&mut CronJobController::default(), "a");
    assert_eq!(lines(&plan), expected, "at {seconds} s: {spec}, last {last:?}");
}

#[test]
fn a_job_is_made_when_it_is_due_and_once() {
    let none = || json!({});
    check(299, none(), None, false, &[]);
    check(300, none(), None, false, &["create Job a-5"]);
    check(310, none(), None, false, &["create Job a-5"]);
    check(310, none(), Some(300), false, &[]);
    check(600, none(), Some(300), false, &["create Job a-10"]);
    // Of several that were missed only the last is made.
    check(930, none(), Some(300), false, &["create Job a-15"]);
    check(300, json!({ "suspend": true }), None, false, &[]);
    check(300, json!({ "schedule": "0 * * * *" }), None, false, &[]);
}

#[test]
fn a_start_that_is_too_late_is_no_start() {
    check(309, json!({ "startingDeadlineSeconds": 10 }), None, false, &["create Job a-5"]);
    check(320, json!({ "startingDeadlineSeconds": 10 }), None, false, &[]);
}

#[test]
fn the_policy_says_what_becomes_of_a_job_that_still_runs() {
    for (policy, expected) in [
        ("Allow", &["create Job a-5"][..]),
        (
            "Forbid",
            &["event JobAlreadyActive: Not starting job because prior execution is running and \
               concurrency policy is Forbid"],
        ),
        (
            "Replace",
            &["delete Job old", "event SuccessfulDelete: Deleted job old", "create Job a-5"],
        ),
    ] {
        check(300, json!({ "concurrencyPolicy": policy }), None, true, expected);
    }
}

#[test]
fn a_schedule_that_cannot_be_read_is_told() {
    check(
        300,
        json!({ "timeZone": "Nowhere/City" }),
        None,
        false,
        &[
            "event UnknownTimeZone: invalid timeZone: \"Nowhere/City\": unknown time zone Nowhere/City",
        ],
    );
}

/// A CronJob every five minutes that was made at the beginning, with more in its spec and status.
fn cron_job(spec: &Value, status: &Value) -> Value {
    let mut cron_job = json!({
        "metadata": { "name": "a", "creationTimestamp": time(0) },
        "spec": {
            "schedule": "*/5 * * * *", "concurrencyPolicy": "Allow", "suspend": false,
            "jobTemplate": { "spec": { "template": template("x") } },
        },
        "status": status,
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        cron_job["spec"][key] = value.clone();
    }
    cron_job
}

/// A Job of the CronJob: when it started and when it ended, `+` well or `-` badly.
fn job(name: &str, start: Option<i64>, ended: Option<(char, i64)>) -> Value {
    let mut owner = owner("CronJob", "a");
    owner["apiVersion"] = json!("batch/v1");
    let mut status = json!({ "startTime": start.map(time) });
    if let Some((how, at)) = ended {
        let type_ = if how == '+' { "Complete" } else { "Failed" };
        status["conditions"] = json!([{ "type": type_, "status": "True" }]);
        status["completionTime"] = if how == '+' { time(at) } else { Value::Null };
    }
    json!({
        "metadata": { "name": name, "ownerReferences": [owner] },
        "spec": { "template": template("x") }, "status": status,
    })
}

fn active(names: &[&str]) -> Value {
    let reference =
        |name: &&str| json!({ "name": name, "namespace": "default", "uid": format!("uid-{name}") });
    json!({ "active": names.iter().map(reference).collect::<Vec<_>>() })
}

/// A pass at a second, the creation of the Job included.
fn pass(seconds: i64, cron_job: Value, jobs: &[Value]) -> (Plan, Option<CronJobStatus>) {
    let mut world = World::at_ms(seconds * 1_000);
    world.put::<CronJob>(cron_job);
    for job in jobs {
        world.put::<Job>(job.clone());
    }
    let mut controller = CronJobController::default();
    let mut plan = world.decide::<CronJob>(&mut controller, "a");
    if !plan.actions.is_empty() {
        let result = |action: &Action| match action {
            Action::Create { object, .. } => Ok(Some(object.clone())),
            _ => Ok(None),
        };
        let results: Vec<_> = plan.actions.iter().map(result).collect();
        let key = ObjectRef::new(Kind::CronJob, "default", "a");
        let more = controller.applied(&key, &results, &world.view());
        plan.requeue_at = plan.requeue_at.or(more.requeue_at);
        plan.actions.extend(more.actions);
    }
    let status = status_of::<CronJob>(&plan).map(|it| it.status.unwrap_or_default());
    (plan, status)
}

fn names_of(status: &CronJobStatus) -> Vec<&str> {
    status.active.iter().flatten().filter_map(|it| it.name.as_deref()).collect()
}

#[test]
fn a_started_job_is_active_and_its_time_is_the_last() {
    let (plan, status) = pass(310, cron_job(&json!({}), &active(&["b"])), &[job("b", None, None)]);
    let status = status.unwrap();
    assert_eq!(names_of(&status), ["b", "a-5"]);
    assert_eq!(json!(status.last_schedule_time), time(300));
    // A tenth of a second after the next time.
    assert_eq!(plan.requeue_at, Some(at_ms(600_100)));
}

#[test]
fn it_is_looked_at_again_a_tenth_of_a_second_after_its_next_time() {
    for (seconds, spec, status, again) in [
        (299, json!({}), json!({}), Some(300_100)),
        (301, json!({}), json!({ "lastScheduleTime": time(300) }), Some(600_100)),
        (310, json!({ "concurrencyPolicy": "Forbid" }), active(&["b"]), Some(600_100)),
        (320, json!({ "startingDeadlineSeconds": 10 }), json!({}), Some(600_100)),
        (310, json!({ "suspend": true }), json!({}), None),
        (310, json!({ "timeZone": "Nowhere/City" }), json!({}), None),
        (310, json!({ "schedule": "never" }), json!({}), None),
    ] {
        let (plan, _) = pass(seconds, cron_job(&spec, &status), &[job("b", None, None)]);
        assert_eq!(plan.requeue_at, again.map(at_ms), "{seconds} {spec}");
    }
}

#[test]
fn of_many_missed_starts_the_last_is_made_with_a_warning_above_a_hundred() {
    const MANY: &str = "event TooManyMissedTimes: too many missed start times. Set or decrease \
                        .spec.startingDeadlineSeconds or check clock skew";
    let every_minute = json!({ "schedule": "* * * * *" });
    let deadline = |seconds: i64| json!({ "startingDeadlineSeconds": seconds });
    for (seconds, spec, last, expected) in [
        (6_000, &every_minute, None, vec!["create Job a-100"]),
        (6_060, &every_minute, None, vec![MANY, "create Job a-101"]),
        (6_060, &every_minute, Some(3_000), vec!["create Job a-101"]),
        (309, &deadline(10), None, vec!["create Job a-5"]),
        (310, &deadline(10), None, vec![]),
        (309, &deadline(600), None, vec!["create Job a-5"]),
    ] {
        let status = json!({ "lastScheduleTime": last.map(time) });
        let (plan, _) = pass(seconds, cron_job(spec, &status), &[]);
        assert_eq!(lines(&plan), expected, "{seconds} {spec}");
    }
}

#[test]
fn each_history_has_its_limit_and_the_oldest_go() {
    let jobs = [
        job("s1", Some(10), Some(('+', 20))),
        job("f1", Some(11), Some(('-', 20))),
        job("s3", Some(30), Some(('+', 40))),
        job("f3", Some(31), Some(('-', 40))),
        job("s2", Some(20), Some(('+', 90))),
        job("f2", Some(21), Some(('-', 90))),
        job("s0", None, Some(('+', 5))),
        job("runs", Some(1), None),
    ];
    for (success, failed, expected) in [
        (Some(3), Some(1), vec!["s1", "f1", "f2"]),
        (Some(1), Some(3), vec!["s1", "s2", "s3"]),
        (Some(0), Some(0), vec!["s1", "s2", "s3", "s0", "f1", "f2", "f3"]),
        (None, Some(2), vec!["f1"]),
        (Some(9), None, vec![]),
    ] {
        let spec = json!({
            "successfulJobsHistoryLimit": success, "failedJobsHistoryLimit": failed,
        });
        let mut status = active(&["runs"]);
        status["lastSuccessfulTime"] = time(90);
        let (plan, written) = pass(200, cron_job(&spec, &status), &jobs);
        let expected: Vec<String> = expected
            .into_iter()
            .flat_map(|it| {
                [format!("delete Job {it}"), format!("event SuccessfulDelete: Deleted job {it}")]
            })
            .collect();
        assert_eq!(lines(&plan), expected, "{success:?} {failed:?}");
        assert_eq!(written.is_some(), !expected.is_empty(), "{success:?} {failed:?}");
    }
}

/// Rows: the active Jobs and the last success; the Jobs; what is told, who is active then, and the
/// last success.
#[test]
fn ended_and_missing_jobs_leave_the_list() {
    type Row<'a> = (&'a [&'a str], Option<i64>, Vec<Value>, Vec<&'a str>, Option<&'a [&'a str]>);
    let seen = "event SawCompletedJob: Saw completed job: b, condition: Complete";
    let failed = "event SawCompletedJob: Saw completed job: b, condition: Failed";
    let strange = "event UnexpectedJob: Saw a job that the controller did not create or forgot: b";
    let (well, badly) = (Some(('+', 50)), Some(('-', 50)));
    let rows: [Row<'_>; 7] = [
        (
            &["b", "c"],
            None,
            vec![job("b", None, well), job("c", None, None)],
            vec![seen],
            Some(&["c"]),
        ),
        (&["b"], Some(9), vec![job("b", None, badly)], vec![failed], Some(&[])),
        (&["b"], None, vec![], vec!["event MissingJob: Active job went missing: b"], Some(&[])),
        (&["b"], None, vec![job("b", None, None)], vec![], None),
        (&[], None, vec![job("b", None, None)], vec![strange], None),
        (&[], None, vec![job("b", None, well)], vec![], Some(&[])),
        (&[], Some(50), vec![job("b", None, well)], vec![], None),
    ];
    for (names, last, jobs, expected, left) in rows {
        let mut status = active(names);
        status["lastSuccessfulTime"] = json!(last.map(time));
        let (plan, written) = pass(200, cron_job(&json!({}), &status), &jobs);
        assert_eq!(lines(&plan), expected, "{names:?} {jobs:?}");
        assert_eq!(written.as_ref().map(names_of), left.map(<[_]>::to_vec), "{names:?} {jobs:?}");
    }
}

#[test]
fn the_last_success_is_the_latest_completion() {
    for (last, completions, expected) in [
        (None, vec![40, 60, 50], Some(60)),
        (Some(55), vec![40, 60], Some(60)),
        (Some(60), vec![40, 60], None),
        (None, vec![], None),
    ] {
        let status = json!({ "lastSuccessfulTime": last.map(time) });
        let jobs: Vec<Value> =
            completions.iter().map(|at| job(&format!("j{at}"), None, Some(('+', *at)))).collect();
        let (_, written) = pass(200, cron_job(&json!({}), &status), &jobs);
        let written = written.and_then(|it| it.last_successful_time);
        assert_eq!(written.map(|it| json!(it)), expected.map(time), "{last:?} {completions:?}");
    }
}

#[test]
fn replace_deletes_all_active_jobs_and_forbid_waits_for_any() {
    let jobs = [job("b", None, None), job("c", None, None)];
    let replace = json!({ "concurrencyPolicy": "Replace" });
    let (plan, status) = pass(300, cron_job(&replace, &active(&["b", "c"])), &jobs);
    let told = [
        "delete Job b",
        "event SuccessfulDelete: Deleted job b",
        "delete Job c",
        "event SuccessfulDelete: Deleted job c",
        "create Job a-5",
    ];
    assert_eq!(lines(&plan), told);
    assert_eq!(names_of(&status.unwrap()), ["a-5"]);
    let forbid = json!({ "concurrencyPolicy": "Forbid" });
    // An ended one does not count.
    let ended = [job("b", None, Some(('-', 10)))];
    let (plan, status) = pass(300, cron_job(&forbid, &active(&["b"])), &ended);
    let told = ["event SawCompletedJob: Saw completed job: b, condition: Failed", "create Job a-5"];
    assert_eq!(lines(&plan), told);
    assert_eq!(names_of(&status.unwrap()), ["a-5"]);
}

#[test]
fn a_job_of_the_same_name_is_taken_up_if_it_is_ours() {
    let ours = job("a-5", None, None);
    let mut other = ours.clone();
    other["metadata"]["ownerReferences"] = Value::Null;
    for (existing, names) in [(ours, Some(vec!["a-5"])), (other, None)] {
        let (plan, status) = pass(300, cron_job(&json!({}), &json!({})), &[existing]);
        assert!(!lines(&plan).iter().any(|it| it.starts_with("create")), "{:?}", lines(&plan));
        assert_eq!(status.as_ref().map(names_of), names);
        assert_eq!(plan.requeue_at.is_some(), names.is_some());
    }
}

#[test]
fn a_refused_job_leaves_the_schedule_as_it_was() {
    for (active_before, ended, written) in
        [(vec![], None, false), (vec!["b"], Some(('+', 9)), true)]
    {
        let mut world = World::at_ms(300_000);
        world.put::<CronJob>(cron_job(&json!({}), &active(&active_before)));
        if !active_before.is_empty() {
            world.put::<Job>(job("b", None, ended));
        }
        let mut controller = CronJobController::default();
        let plan = world.decide::<CronJob>(&mut controller, "a");
        let failed = plan.actions.iter().find_map(|it| match it {
            Action::Create { failed, .. } => failed.as_ref(),
            _ => None,
        });
        assert_eq!(failed.unwrap().message, "Error creating job: {error}");
        let refused = Err(ApiError::new(ApiReason::Forbidden, "no room"));
        let key = ObjectRef::new(Kind::CronJob, "default", "a");
        let more = controller.applied(&key, &[refused], &world.view());
        let status = status_of::<CronJob>(&more).map(|it| it.status.unwrap());
        assert_eq!(status.is_some(), written);
        assert!(status.is_none_or(|it| it.last_schedule_time.is_none() && it.active.is_none()));
        assert_eq!(more.requeue_at, None);
    }
}

#[test]
fn a_changed_schedule_waits_for_its_next_time_and_other_changes_do_not() {
    let put = |spec: &Value| {
        let mut world = World::at_ms(310_000);
        world.put::<CronJob>(cron_job(spec, &json!({ "lastScheduleTime": time(300) })));
        let object = world.objects.list(Kind::CronJob).next().unwrap().clone();
        (world, object)
    };
    for (spec, at) in [
        (json!({}), 310_005),
        (json!({ "suspend": true }), 310_005),
        (json!({ "schedule": "*/7 * * * *" }), 420_100),
        (json!({ "timeZone": "Etc/UTC" }), 600_100),
    ] {
        let (_, old) = put(&json!({}));
        let (world, new) = put(&spec);
        let key = new.object_ref();
        let mut queue = WorkQueue::default();
        let change = Change { old: Some(old), new: Some(new) };
        CronJobController::default().react(&change, &world.view(), &mut queue);
        assert_eq!(queue.entries, [(key, at_ms(at))], "{spec}");
    }
}

#[test]
fn nothing_starts_where_everything_is_being_deleted() {
    let mut cron_job = cron_job(&json!({}), &json!({}));
    let mut world = World::at_ms(300_000);
    world.put::<k8s_openapi::api::core::v1::Namespace>(
        json!({ "metadata": { "name": "default", "deletionTimestamp": time(0) } }),
    );
    world.put::<CronJob>(cron_job.clone());
    let plan = world.decide::<CronJob>(&mut CronJobController::default(), "a");
    assert_eq!(lines(&plan), Vec::<String>::new());
    cron_job["metadata"]["deletionTimestamp"] = time(0);
    assert_eq!(lines(&pass(300, cron_job, &[]).0), Vec::<String>::new());
}
