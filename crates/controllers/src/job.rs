//! Runs the pods of Jobs to completion.
//!
//! Upstream: `pkg/controller/job`, v1.36. A pass over a Job goes through upstream's steps:
//! evaluate failure and success ([`sync`]), manage pods ([`manage`]), track finalizers and the
//! status ([`tracking`]).

mod backoff_utils;
mod indexed_job_utils;
mod job_controller;
mod manage;
mod pod_failure_policy;
mod success_policy;
mod sync;
#[cfg(test)]
mod tests;
mod tracking;

pub use job_controller::JobController;

use k8s_openapi::api::batch::v1::{Job, JobCondition};

/// The condition that says that a Job has ended, Complete or Failed.
#[must_use]
pub fn finished_condition(job: &Job) -> Option<&JobCondition> {
    let conditions = job.status.as_ref()?.conditions.iter().flatten();
    let is_final = |it: &&JobCondition| it.type_ == "Complete" || it.type_ == "Failed";
    conditions.filter(is_final).find(|it| it.status == "True")
}

/// Whether a Job has ended.
#[must_use]
pub fn is_job_finished(job: &Job) -> bool {
    finished_condition(job).is_some()
}

/// Whether a Job has ended well.
#[must_use]
pub fn is_job_succeeded(job: &Job) -> bool {
    finished_condition(job).is_some_and(|it| it.type_ == "Complete")
}
