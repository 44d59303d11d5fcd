//! Defaults of jobs.
//!
//! Upstream: `pkg/apis/batch/v1/defaults.go`, v1.36.

use k8s_openapi::api::batch::v1::{CronJob, Job, JobSpec};

use crate::defaults::{pod, set_text};

/// Upstream: `SetDefaults_Job`.
pub(super) fn set_job(job: &mut Job) {
    let spec = job.spec.get_or_insert_default();
    if spec.completions.is_none() && spec.parallelism.is_none() {
        spec.completions = Some(1);
    }
    spec.parallelism.get_or_insert(1);
    let limit = if spec.backoff_limit_per_index.is_some() { i32::MAX } else { 6 };
    spec.backoff_limit.get_or_insert(limit);
    let labels = spec.template.metadata.as_ref().and_then(|it| it.labels.clone());
    // A new Job gets the generated labels as well: upstream's two maps are one. See the strategy.
    let is_stored = job.metadata.creation_timestamp.is_some();
    if is_stored && labels.is_some() && job.metadata.labels.as_ref().is_none_or(|it| it.is_empty())
    {
        job.metadata.labels = labels;
    }
    spec.completion_mode.get_or_insert_with(|| "NonIndexed".to_owned());
    spec.suspend.get_or_insert(false);
    let replacement =
        if spec.pod_failure_policy.is_some() { "Failed" } else { "TerminatingOrFailed" };
    spec.pod_replacement_policy.get_or_insert_with(|| replacement.to_owned());
    spec.manual_selector.get_or_insert(false);
    set_job_spec(spec);
}

/// What a job template gets as well.
fn set_job_spec(spec: &mut JobSpec) {
    let rules = spec.pod_failure_policy.iter_mut().flat_map(|it| &mut it.rules);
    for pattern in rules.flat_map(|it| it.on_pod_conditions.iter_mut().flatten()) {
        set_text(&mut pattern.status, "True");
    }
    pod::set_template(&mut spec.template);
}

/// Upstream: `SetDefaults_CronJob`.
pub(super) fn set_cron_job(cron_job: &mut CronJob) {
    let spec = &mut cron_job.spec;
    set_text(&mut spec.concurrency_policy, "Allow");
    spec.suspend.get_or_insert(false);
    spec.successful_jobs_history_limit.get_or_insert(3);
    spec.failed_jobs_history_limit.get_or_insert(1);
    spec.job_template.metadata.get_or_insert_default();
    set_job_spec(spec.job_template.spec.get_or_insert_default());
}
