//! What the status of a Job may say, and how it may change.
//!
//! Upstream: `validateJobStatus` and `ValidateJobStatusUpdate` in
//! `pkg/apis/batch/validation/validation.go`, with `getStatusValidationOptions` in
//! `pkg/registry/batch/job/strategy.go`, v1.36.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::{Job, JobStatus};
use serde_json::json;

use super::policies::{count_indexes, interval};
use crate::validation::check::{list_of, non_negative, str_of};
use crate::validation::{Bad, Errors, Path, text};

/// Checks an update of the status. Most rules are asked only where what they are about changes.
pub(crate) fn status_update(errors: &mut Errors, new: &Job, old: &Job) {
    let empty = JobStatus::default();
    let change = Change {
        job: new,
        after: new.status.as_ref().unwrap_or(&empty),
        before: old.status.as_ref().unwrap_or(&empty),
    };
    let path = Path::new("status");
    counts(errors, &path, change.after);
    change.ends(errors, &path);
    change.finished(errors, &path);
    change.indexes(errors, &path);
    change.more(errors, &path);
    change.backwards(errors, &path);
}

/// A status that follows another.
struct Change<'a> {
    job: &'a Job,
    after: &'a JobStatus,
    before: &'a JobStatus,
}

fn is_true(status: &JobStatus, type_: &str) -> bool {
    list_of(&status.conditions).iter().any(|it| it.type_ == type_ && it.status == "True")
}

fn counts(errors: &mut Errors, path: &Path<'_>, status: &JobStatus) {
    let counts = [
        ("active", status.active),
        ("succeeded", status.succeeded),
        ("failed", status.failed),
        ("ready", status.ready),
        ("terminating", status.terminating),
    ];
    for (name, count) in counts {
        non_negative(errors, &path.child(name), count.unwrap_or_default());
    }
    let Some(uncounted) = &status.uncounted_terminated_pods else { return };
    let path = path.child("uncountedTerminatedPods");
    let mut seen = BTreeSet::new();
    for (name, uids) in [("succeeded", &uncounted.succeeded), ("failed", &uncounted.failed)] {
        let path = path.child(name);
        for (n, uid) in list_of(uids).iter().enumerate() {
            if uid.is_empty() {
                errors.invalid(&path.index(n), uid, "must not be empty");
            } else if !seen.insert(uid) {
                errors.duplicate(&path.index(n), uid);
            }
        }
    }
}

impl Change<'_> {
    fn is(&self, type_: &str) -> bool {
        is_true(self.after, type_)
    }

    fn was(&self, type_: &str) -> bool {
        is_true(self.before, type_)
    }

    /// Whether one of the conditions becomes true, or stops to be.
    fn turns(&self, types: &[&str]) -> bool {
        types.iter().any(|it| self.is(it) != self.was(it))
    }

    fn is_finished(&self) -> bool {
        self.is("Complete") || self.is("Failed")
    }

    fn finishes(&self) -> bool {
        self.is_finished() != (self.was("Complete") || self.was("Failed"))
    }

    /// What a complete or failed job must and must not have.
    fn ends(&self, errors: &mut Errors, path: &Path<'_>) {
        let all = path.child("conditions");
        let complete = self.is("Complete");
        for other in ["Failed", "FailureTarget"] {
            if complete && self.is(other) && self.turns(&["Complete", other]) {
                let why = format!("cannot set Complete=True and {other}=true conditions");
                errors.invalid_unseen(&all, &why);
            }
        }
        let (start, done) = (&self.after.start_time, &self.after.completion_time);
        let done_changes = *done != self.before.completion_time;
        let done_path = path.child("completionTime");
        if done_changes || self.turns(&["Complete"]) {
            if done.is_some() && !complete {
                let why = "cannot set completionTime when there is no Complete=True condition";
                errors.invalid(&done_path, Bad::json(done), why);
            } else if done.is_none() && complete {
                errors.required(&done_path, "completionTime is required for Complete jobs");
            }
        }
        if (done_changes || *start != self.before.start_time)
            && let (Some(first), Some(last)) = (start, done)
            && last.0 < first.0
        {
            errors.invalid(&done_path, Bad::json(last), "must be equal to or after `startTime`");
        }
        let indexes_change = self.after.failed_indexes != self.before.failed_indexes;
        if (self.turns(&["Failed"]) || indexes_change)
            && self.is("Failed")
            && !self.is("FailureTarget")
        {
            let why = "cannot set Failed=True condition without the FailureTarget=true condition";
            errors.invalid_unseen(&all, why);
        }
        if self.turns(&["Complete", "SuccessCriteriaMet"])
            && complete
            && !self.is("SuccessCriteriaMet")
        {
            let why =
                "cannot set Complete=True condition without the SuccessCriteriaMet=true condition";
            errors.invalid_unseen(&all, why);
        }
    }

    fn finished(&self, errors: &mut Errors, path: &Path<'_>) {
        if !self.is_finished() {
            return;
        }
        let active = self.after.active.unwrap_or_default();
        if active > 0 && (self.finishes() || self.after.active != self.before.active) {
            errors.invalid(&path.child("active"), active, "active>0 is invalid for finished job");
        }
        let spec = self.job.spec.as_ref();
        let nothing_to_do =
            spec.is_some_and(|it| it.suspend == Some(true) && it.completions == Some(0));
        let start_changes = self.after.start_time != self.before.start_time;
        if self.after.start_time.is_none() && (self.finishes() || start_changes) && !nothing_to_do {
            errors.required(&path.child("startTime"), "startTime is required for finished job");
        }
        let uncounted = &self.after.uncounted_terminated_pods;
        if let Some(pods) = uncounted
            && (self.finishes() || *uncounted != self.before.uncounted_terminated_pods)
            && !(list_of(&pods.succeeded).is_empty() && list_of(&pods.failed).is_empty())
        {
            let shown = json!({"Succeeded": pods.succeeded, "Failed": pods.failed});
            let path = path.child("uncountedTerminatedPods");
            errors.invalid(&path, Bad::json(&shown), "must be empty for finished job");
        }
    }

    fn indexes(&self, errors: &mut Errors, path: &Path<'_>) {
        let Some(spec) = &self.job.spec else { return };
        let completed = str_of(&self.after.completed_indexes);
        let failed = self.after.failed_indexes.as_ref();
        let completed_change = completed != str_of(&self.before.completed_indexes);
        let failed_change = self.after.failed_indexes != self.before.failed_indexes;
        if !completed_change && !failed_change {
            return;
        }
        let (done_path, failed_path) =
            (path.child("completedIndexes"), path.child("failedIndexes"));
        let in_form = |errors: &mut Errors, path: &Path<'_>, name: &str, text: &str| {
            if let Some(Err(why)) = spec.completions.map(|it| count_indexes(text, it)) {
                errors.invalid(path, text, &format!("error parsing {name}: {why}"));
            }
        };
        if completed_change {
            in_form(errors, &done_path, "completedIndexes", completed);
        }
        if let Some(failed) = failed
            && failed_change
            && spec.backoff_limit_per_index.is_some()
        {
            in_form(errors, &failed_path, "failedIndexes", failed);
        }
        let is_indexed = spec.completion_mode.as_deref() == Some("Indexed");
        if completed_change && !completed.is_empty() && !is_indexed {
            let why = "cannot set non-empty completedIndexes when non-indexed completion mode";
            errors.invalid(&done_path, completed, why);
        }
        let Some(failed) = failed else { return };
        if failed_change && spec.backoff_limit_per_index.is_none() {
            let why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
            errors.invalid(&failed_path, failed, why);
        }
        if let Some(at) = spec.completions.and_then(|it| overlap(completed, failed, it)) {
            let why = format!("failedIndexes and completedIndexes overlap at index: {at}");
            errors.invalid(&failed_path, failed, &why);
        }
    }

    fn more(&self, errors: &mut Errors, path: &Path<'_>) {
        let after = self.after;
        if let Some(n) = after.terminating.filter(|it| *it > 0)
            && self.is_finished()
            && (self.finishes() || after.terminating != self.before.terminating)
        {
            let why = "terminating>0 is invalid for finished job";
            errors.invalid(&path.child("terminating"), n, why);
        }
        let ready_changes = after.ready != self.before.ready || after.active != self.before.active;
        if let Some(ready) = after.ready.filter(|it| *it > after.active.unwrap_or_default())
            && ready_changes
        {
            errors.invalid(&path.child("ready"), ready, "cannot set more ready pods than active");
        }
        let met = self.is("SuccessCriteriaMet");
        let all = path.child("conditions");
        for other in ["Failed", "FailureTarget"] {
            if met && self.is(other) {
                let why = format!("cannot set SuccessCriteriaMet=True and {other}=true conditions");
                errors.invalid_unseen(&all, &why);
            }
        }
        let has_policy = self.job.spec.as_ref().is_some_and(|it| it.success_policy.is_some());
        if has_policy && !met && self.is("Complete") {
            let why = "cannot set Complete=True for Job with SuccessPolicy unless \
                       SuccessCriteriaMet=True";
            errors.invalid_unseen(&all, why);
        }
    }

    /// What was reached stays so.
    fn backwards(&self, errors: &mut Errors, path: &Path<'_>) {
        let (after, before) = (self.after, self.before);
        let all = path.child("conditions");
        for type_ in ["Failed", "Complete", "FailureTarget"] {
            if self.was(type_) && !self.is(type_) {
                let why = format!("cannot disable the terminal {type_}=True condition");
                errors.invalid_unseen(&all, &why);
            }
        }
        let spec = self.job.spec.as_ref();
        // These jobs can be scaled down.
        let is_elastic = spec.is_some_and(|it| {
            it.completion_mode.as_deref() == Some("Indexed") && it.completions == it.parallelism
        });
        let falls = |now: Option<i32>, then: Option<i32>| {
            let now = now.unwrap_or_default();
            (now < then.unwrap_or_default()).then_some(now)
        };
        if let Some(n) = falls(after.failed, before.failed) {
            errors.invalid(&path.child("failed"), n, "cannot decrease the failed counter");
        }
        if let Some(n) = falls(after.succeeded, before.succeeded).filter(|_| !is_elastic) {
            errors.invalid(&path.child("succeeded"), n, "cannot decrease the succeeded counter");
        }
        let (now, then) = (&after.completion_time, &before.completion_time);
        if now.is_some() && then.is_some() && now != then {
            errors.invalid(&path.child("completionTime"), Bad::json(now), text::IMMUTABLE);
        }
        let resumes = self.was("Suspended")
            && list_of(&after.conditions)
                .iter()
                .any(|it| it.type_ == "Suspended" && it.status == "False");
        let is_suspended = spec.is_some_and(|it| it.suspend == Some(true));
        let (now, then) = (&after.start_time, &before.start_time);
        if then.is_some() && now != then && !resumes && !is_suspended {
            let why = "field is immutable for unsuspended job once set";
            errors.invalid(&path.child("startTime"), Bad::json(now), why);
        }
        let (met, was_met) = (self.is("SuccessCriteriaMet"), self.was("SuccessCriteriaMet"));
        if was_met && !met {
            let why = "cannot disable the SuccessCriteriaMet=True condition";
            errors.invalid_unseen(&all, why);
        }
        if self.was("Complete") && !was_met && met {
            let why = "cannot set SuccessCriteriaMet=True for Job already has Complete=true \
                       conditions";
            errors.invalid_unseen(&all, why);
        }
    }
}

/// The first index that both lists name. What is no interval is passed over: it was told.
fn overlap(completed: &str, failed: &str, completions: i32) -> Option<i64> {
    if completed.is_empty() || failed.is_empty() {
        return None;
    }
    let intervals = |text: &str| -> Vec<(i64, i64)> {
        text.split(',').filter_map(|it| interval(it, completions).ok()).collect()
    };
    let (completed, failed) = (intervals(completed), intervals(failed));
    let (mut a, mut b) = (completed.iter().peekable(), failed.iter().peekable());
    while let (Some((first, last)), Some((start, end))) = (a.peek(), b.peek()) {
        if first <= end && start <= last {
            return Some(*first.max(start));
        }
        if first <= start {
            a.next();
        } else {
            b.next();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(status: &str, indexed: bool) -> Job {
        let text = format!(
            "{{\"spec\": {{\"completions\": 5, \"parallelism\": 2, \"template\": {{}}, {}}}, \
             \"status\": {status}}}",
            match indexed {
                true => "\"completionMode\": \"Indexed\", \"backoffLimitPerIndex\": 1",
                false => "\"completionMode\": \"NonIndexed\"",
            }
        );
        serde_json::from_str(&text).unwrap()
    }

    #[track_caller]
    fn check(before: &str, after: &str, indexed: bool, expected: &[&str]) {
        let mut errors = Errors::default();
        status_update(&mut errors, &job(after, indexed), &job(before, indexed));
        let all: Vec<String> =
            errors.causes().iter().map(|it| format!("{}: {}", it.field, it.message)).collect();
        assert_eq!(all, expected);
    }

    const DONE: &str = r#"{"startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T01:00:00Z",
        "conditions": [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}]}"#;

    #[test]
    fn a_job_ends_with_all_that_belongs_to_it() {
        check("{}", DONE, false, &[]);
        let bare = r#"{"conditions": [{"type": "Complete", "status": "True"}], "active": 1}"#;
        check(
            "{}",
            bare,
            false,
            &[
                "status.completionTime: Required value: completionTime is required for Complete jobs",
                "status.conditions: Invalid value: cannot set Complete=True condition without the \
             SuccessCriteriaMet=true condition",
                "status.active: Invalid value: 1: active>0 is invalid for finished job",
                "status.startTime: Required value: startTime is required for finished job",
            ],
        );
        let failed = r#"{"conditions": [{"type": "Failed", "status": "True"}], "startTime": "2026-01-01T00:00:00Z"}"#;
        check(
            "{}",
            failed,
            false,
            &["status.conditions: Invalid value: cannot set Failed=True condition without the \
             FailureTarget=true condition"],
        );
    }

    #[test]
    fn what_was_reached_stays() {
        check(
            DONE,
            "{}",
            false,
            &[
                "status.conditions: Invalid value: cannot disable the terminal Complete=True condition",
                "status.startTime: Invalid value: null: field is immutable for unsuspended job once set",
                "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
            ],
        );
        let counted = r#"{"failed": 2, "succeeded": 2}"#;
        check(
            counted,
            "{}",
            true,
            &[
                "status.failed: Invalid value: 0: cannot decrease the failed counter",
                "status.succeeded: Invalid value: 0: cannot decrease the succeeded counter",
            ],
        );
    }

    #[test]
    fn pods_that_are_not_counted_yet_are_named_once() {
        let twice = r#"{"uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}}"#;
        check(
            "{}",
            twice,
            false,
            &[
                "status.uncountedTerminatedPods.succeeded[1]: Invalid value: \"\": must not be empty",
                "status.uncountedTerminatedPods.failed[0]: Duplicate value: \"a\"",
            ],
        );
        let left = DONE.replacen('{', r#"{"uncountedTerminatedPods": {"failed": ["a"]}, "#, 1);
        check(
            "{}",
            &left,
            false,
            &["status.uncountedTerminatedPods: Invalid value: \
             {\"Failed\":[\"a\"],\"Succeeded\":null}: must be empty for finished job"],
        );
        check("{}", &left.replace(r#""a""#, ""), false, &[]);
    }

    #[test]
    fn a_job_that_was_suspended_starts_anew() {
        let suspended = r#"{"startTime": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Suspended", "status": "True"}]}"#;
        let resumed = r#"{"startTime": "2026-01-01T01:00:00Z",
            "conditions": [{"type": "Suspended", "status": "False"}]}"#;
        check(suspended, resumed, false, &[]);
        let why = "status.startTime: Invalid value: \"2026-01-01T01:00:00Z\": field is immutable for \
                   unsuspended job once set";
        check(r#"{"startTime": "2026-01-01T00:00:00Z"}"#, resumed, false, &[why]);
    }

    #[test]
    fn indexes_are_lists_of_those_that_there_are() {
        check(
            "{}",
            r#"{"failedIndexes": "9"}"#,
            true,
            &[
                "status.failedIndexes: Invalid value: \"9\": error parsing failedIndexes: too large \
             index: \"9\"",
            ],
        );
        let both = r#"{"completedIndexes": "0,2-3", "failedIndexes": "1,3-4"}"#;
        check(
            "{}",
            both,
            true,
            &[
                "status.failedIndexes: Invalid value: \"1,3-4\": failedIndexes and completedIndexes \
             overlap at index: 3",
            ],
        );
        check(
            "{}",
            r#"{"completedIndexes": "7"}"#,
            true,
            &[
                "status.completedIndexes: Invalid value: \"7\": error parsing completedIndexes: too large \
             index: \"7\"",
            ],
        );
        check(
            "{}",
            r#"{"completedIndexes": "1"}"#,
            false,
            &[
                "status.completedIndexes: Invalid value: \"1\": cannot set non-empty completedIndexes \
             when non-indexed completion mode",
            ],
        );
        check(
            "{}",
            r#"{"active": 1, "ready": 2, "terminating": -1}"#,
            false,
            &[
                "status.terminating: Invalid value: -1: must be greater than or equal to 0",
                "status.ready: Invalid value: 2: cannot set more ready pods than active",
            ],
        );
    }
}
