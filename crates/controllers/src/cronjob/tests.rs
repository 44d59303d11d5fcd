//! Passes over CronJobs: what is there at a time, and what the controller then does.

use k8s_openapi::api::batch::v1::{CronJob, Job};
use serde_json::{Value, json};

use super::CronJobController;
use crate::testing::{World, lines, owner, template, time};

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
