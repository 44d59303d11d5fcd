//! Jobs and cron jobs.
//!
//! Upstream: `pkg/apis/batch/validation/validation.go`, v1.36.

mod policies;
mod status;

use k8s_openapi::api::batch::v1::{CronJob, Job, JobSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;

use self::policies::{failure_rule, success_policy};
pub(crate) use self::status::status_update;
use crate::validation::check::{list_of, non_negative_if_set, one_of, required_one_of, str_of};
use crate::validation::core::pod;
use crate::validation::{Bad, Context, Errors, Path, internal, labels, meta, text};
use api::Gather;

/// Upstream: `maxParallelismForIndexedJob` and `maxFailedIndexesForIndexedJob`.
const INDEXED_MAX: i32 = 100_000;
/// Upstream: `completionsSoftLimit`.
const MANY_COMPLETIONS: i32 = 100_000;
/// Upstream: `parallelismLimitForHighCompletions` and `maxFailedIndexesLimitForHighCompletions`.
const MANY_COMPLETIONS_MAX: i32 = 10_000;

pub(crate) fn job(errors: &mut Errors, job: &Job, context: &Context<'_>) {
    meta::object_meta(errors, &job.metadata, true, text::dns1123_subdomain);
    let empty = JobSpec::default();
    let spec = job.spec.as_ref().unwrap_or(&empty);
    generated_selector(errors, job, spec);
    job_spec(errors, spec, context);
    let completions = spec.completions.unwrap_or_default();
    if spec.completion_mode.as_deref() == Some("Indexed") && completions > 0 {
        let name = str_of(&job.metadata.name);
        let host = format!("{name}-{}", completions - 1);
        if !text::dns1123_label(&host).is_empty() {
            let path = Path::new("metadata");
            let why = format!("will not able to create pod with invalid DNS label: {host}");
            errors.invalid(&path.child("name"), name, &why);
        }
    }
}

/// Upstream: `validateGeneratedSelector`.
fn generated_selector(errors: &mut Errors, job: &Job, spec: &JobSpec) {
    if spec.manual_selector == Some(true) {
        return;
    }
    let Some(selector) = &spec.selector else { return };
    let name = str_of(&job.metadata.name);
    let uid = str_of(&job.metadata.uid);
    let expected = [
        ("controller-uid", uid),
        ("job-name", name),
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", name),
    ];
    let spec_path = Path::new("spec");
    let template_path = spec_path.child("template");
    let meta_path = template_path.child("metadata");
    let path = meta_path.child("labels");
    let given = template_labels(&spec.template);
    for (key, value) in expected {
        let why = format!("must be '{value}'");
        match given.and_then(|it| it.get(key)) {
            None => errors.required(&path.key(key), &why),
            Some(it) if it != value => errors.invalid(&path.key(key), Bad::json(&given), &why),
            Some(_) => {}
        }
    }
    let all = expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).to_map();
    if labels::matches(Some(selector), Some(&all)) == Some(false) {
        let shown = internal::selector(selector);
        errors.invalid(&spec_path.child("selector"), shown, "`selector` not auto-generated");
    }
}

fn template_labels(template: &PodTemplateSpec) -> Option<&labels::Map> {
    template.metadata.as_ref().and_then(|it| it.labels.as_ref())
}

/// Upstream: `ValidateJobSpec`.
fn job_spec(errors: &mut Errors, spec: &JobSpec, context: &Context<'_>) {
    let path = Path::new("spec");
    common_spec(errors, &path, spec, context);
    let selector = spec.selector.as_ref();
    if selector.is_none() {
        errors.required(&path.child("selector"), "");
    }
    labels::selector(errors, &path.child("selector"), selector);
    let given = template_labels(&spec.template);
    if labels::matches(selector, given) == Some(false) {
        let template_path = path.child("template");
        let meta_path = template_path.child("metadata");
        let why = "`selector` does not match template `labels`";
        errors.invalid(&meta_path.child("labels"), Bad::json(&given), why);
    }
}

/// Upstream: `validateJobSpec`.
fn common_spec(errors: &mut Errors, path: &Path<'_>, spec: &JobSpec, context: &Context<'_>) {
    for (field, value) in [
        ("parallelism", spec.parallelism.map(i64::from)),
        ("completions", spec.completions.map(i64::from)),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit.map(i64::from)),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished.map(i64::from)),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index.map(i64::from)),
        ("maxFailedIndexes", spec.max_failed_indexes.map(i64::from)),
    ] {
        non_negative_if_set(errors, &path.child(field), value);
    }
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        let why = "when maxFailedIndexes is specified";
        errors.required(&path.child("backoffLimitPerIndex"), why);
    }
    if let Some(manager) = &spec.managed_by {
        let path = path.child("managedBy");
        domain_prefixed_path(errors, &path, manager);
        if manager.len() > 63 {
            errors.too_long(&path, 63);
        }
    }
    completion_mode(errors, path, spec);
    if let Some(policy) = &spec.pod_failure_policy {
        let policy_path = path.child("podFailurePolicy");
        let rules = policy_path.child("rules");
        if policy.rules.len() > 20 {
            errors.too_many(&rules, policy.rules.len(), 20);
        }
        for (index, rule) in policy.rules.iter().enumerate() {
            failure_rule(errors, &rules.index(index), rule, spec);
        }
    }
    success_policy(errors, &path.child("successPolicy"), spec);
    if let Some(policy) = &spec.pod_replacement_policy {
        let supported: &[&str] = match spec.pod_failure_policy {
            Some(_) => &["Failed"],
            None => &["Failed", "TerminatingOrFailed"],
        };
        one_of(errors, &path.child("podReplacementPolicy"), policy, supported);
    }
    let template_path = path.child("template");
    pod::template(errors, &template_path, &spec.template, context);
    let restart = spec.template.spec.as_ref().map_or("", |it| str_of(&it.restart_policy));
    let spec_path = template_path.child("spec");
    let restart_path = spec_path.child("restartPolicy");
    match restart {
        "Always" | "" => {
            errors.required(&restart_path, "valid values: \"OnFailure\", \"Never\"");
        }
        "OnFailure" if spec.pod_failure_policy.is_some() => {
            let why = "only \"Never\" is supported when podFailurePolicy is specified";
            errors.invalid(&restart_path, restart, why);
        }
        "OnFailure" | "Never" => {}
        other => errors.not_supported(&restart_path, other, &["OnFailure", "Never"]),
    }
}

/// Upstream: `IsDomainPrefixedPath`.
fn domain_prefixed_path(errors: &mut Errors, path: &Path<'_>, value: &str) {
    if value.is_empty() {
        errors.required(path, "");
        return;
    }
    let Some((host, rest)) =
        value.split_once('/').filter(|it| !it.0.is_empty() && !it.1.is_empty())
    else {
        let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        errors.invalid(path, value, why);
        return;
    };
    for why in text::dns1123_subdomain(host) {
        errors.invalid(path, host, why);
    }
    let fits = |it: u8| it.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&it);
    if !rest.bytes().all(fits) {
        let why = "Invalid path (regex used for validation is \
                   '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
        errors.invalid(path, rest, why);
    }
}

fn completion_mode(errors: &mut Errors, path: &Path<'_>, spec: &JobSpec) {
    let mode = spec.completion_mode.as_deref();
    if let Some(mode) = mode {
        one_of(errors, &path.child("completionMode"), mode, &["NonIndexed", "Indexed"]);
    }
    let failed_path = path.child("maxFailedIndexes");
    let parallelism_path = path.child("parallelism");
    if mode == Some("Indexed") {
        let failed = spec.max_failed_indexes;
        if spec.completions.is_none() {
            errors.required(&path.child("completions"), "when completion mode is Indexed");
        }
        if let Some(it) = spec.parallelism.filter(|it| *it > INDEXED_MAX) {
            let why = "must be less than or equal to 100000 when completion mode is Indexed";
            errors.invalid(&parallelism_path, it, why);
        }
        if let (Some(failed), Some(completions)) = (failed, spec.completions)
            && failed > completions
        {
            errors.invalid(&failed_path, failed, "must be less than or equal to completions");
        }
        if let Some(failed) = failed.filter(|it| *it > INDEXED_MAX) {
            errors.invalid(&failed_path, failed, "must be less than or equal to 100000");
        }
        let many = spec.completions.is_some_and(|it| it > MANY_COMPLETIONS);
        if many && spec.backoff_limit_per_index.is_some() {
            let why = "must be less than or equal to 10000 when completions are above 100000 and \
                       used with backoff limit per index";
            if failed.is_none() {
                let why = "must be specified when completions is above 100000";
                errors.required(&failed_path, why);
            }
            if let Some(it) = spec.parallelism.filter(|it| *it > MANY_COMPLETIONS_MAX) {
                errors.invalid(&parallelism_path, it, why);
            }
            if let Some(it) = failed.filter(|it| *it > MANY_COMPLETIONS_MAX) {
                errors.invalid(&failed_path, it, why);
            }
        }
    }
    if matches!(mode, None | Some("NonIndexed")) {
        let why = "requires indexed completion mode";
        for (field, value) in [
            ("backoffLimitPerIndex", spec.backoff_limit_per_index),
            ("maxFailedIndexes", spec.max_failed_indexes),
        ] {
            if let Some(value) = value {
                errors.invalid(&path.child(field), value, why);
            }
        }
    }
}

pub(crate) fn job_update(errors: &mut Errors, new: &Job, old: &Job, context: &Context<'_>) {
    job(errors, new, context);
    meta::object_meta_update(errors, &new.metadata);
    let (Some(spec), Some(before)) = (&new.spec, &old.spec) else { return };
    let path = Path::new("spec");
    completions(errors, &path.child("completions"), spec, before);
    if spec.selector != before.selector {
        let shown = spec.selector.as_ref().map_or_else(|| Bad::raw("null"), internal::selector);
        errors.invalid(&path.child("selector"), shown, text::IMMUTABLE);
    }
    template_update(errors, &path, spec, before, old);
    let null = || "null".to_owned();
    let failure = spec.pod_failure_policy.as_ref();
    let success = spec.success_policy.as_ref();
    let fields = [
        (
            "completionMode",
            spec.completion_mode != before.completion_mode,
            Bad::json(&spec.completion_mode),
        ),
        (
            "podFailurePolicy",
            spec.pod_failure_policy != before.pod_failure_policy,
            Bad::raw(failure.map_or_else(null, |it| internal::dump("PodFailurePolicy", it))),
        ),
        (
            "backoffLimitPerIndex",
            spec.backoff_limit_per_index != before.backoff_limit_per_index,
            Bad::json(&spec.backoff_limit_per_index),
        ),
        ("managedBy", spec.managed_by != before.managed_by, Bad::json(&spec.managed_by)),
        (
            "successPolicy",
            spec.success_policy != before.success_policy,
            Bad::raw(success.map_or_else(null, |it| internal::dump("SuccessPolicy", it))),
        ),
    ];
    for (field, changed, shown) in fields {
        if changed {
            errors.invalid(&path.child(field), shown, text::IMMUTABLE);
        }
    }
}

fn completions(errors: &mut Errors, path: &Path<'_>, new: &JobSpec, old: &JobSpec) {
    if new.completions == old.completions {
        return;
    }
    if new.completion_mode.as_deref() != Some("Indexed") {
        errors.invalid(path, Bad::json(&new.completions), text::IMMUTABLE);
        return;
    }
    if new.completions.is_some() && new.completions != new.parallelism {
        let why = "can only be modified in tandem with spec.parallelism";
        errors.invalid(path, Bad::json(&new.completions), why);
    }
}

/// Upstream: `validatePodTemplateUpdate`, with the options that `validationOptionsForJob` finds.
fn template_update(
    errors: &mut Errors,
    path: &Path<'_>,
    new: &JobSpec,
    old: &JobSpec,
    old_job: &Job,
) {
    let mut before = old.template.clone();
    let suspended = old.suspend == Some(true);
    if suspended && is_idle(old_job) {
        let meta = before.metadata.get_or_insert_default();
        let now = new.template.metadata.clone().unwrap_or_default();
        meta.annotations = now.annotations;
        meta.labels = now.labels;
        if let (Some(before), Some(now)) = (&mut before.spec, &new.template.spec) {
            let mut affinity = before.affinity.clone().unwrap_or_default();
            affinity.node_affinity = now.affinity.as_ref().and_then(|it| it.node_affinity.clone());
            let is_nothing = affinity == k8s_openapi::api::core::v1::Affinity::default();
            before.affinity = Some(affinity).filter(|_| !is_nothing || now.affinity.is_some());
            before.node_selector.clone_from(&now.node_selector);
            before.tolerations.clone_from(&now.tolerations);
            before.scheduling_gates.clone_from(&now.scheduling_gates);
            let init = before.init_containers.iter_mut().flatten();
            let now_init = list_of(&now.init_containers).iter();
            let pairs = before.containers.iter_mut().zip(&now.containers).chain(init.zip(now_init));
            for (container, now) in pairs.filter(|(a, b)| a.name == b.name) {
                container.resources.clone_from(&now.resources);
            }
        }
        let same_spec = before.spec == new.template.spec;
        if !same_spec {
            let empty = Default::default();
            let spec = new.template.spec.as_ref().unwrap_or(&empty);
            let shown = Bad::raw(internal::dump("PodSpec", spec));
            errors.invalid(&path.child("template.spec"), shown, text::IMMUTABLE);
        }
        return;
    }
    let same_meta = before.metadata.clone().unwrap_or_default()
        == new.template.metadata.clone().unwrap_or_default();
    if !same_meta || before.spec != new.template.spec {
        let shown = Bad::raw(internal::dump("PodTemplateSpec", &new.template));
        errors.invalid(&path.child("template"), shown, text::IMMUTABLE);
    }
}

/// Whether a suspended Job has nothing running. Upstream: `shouldAllowMutablePodTemplate`.
fn is_idle(job: &Job) -> bool {
    let Some(status) = &job.status else { return true };
    let suspended =
        list_of(&status.conditions).iter().any(|it| it.type_ == "Suspended" && it.status == "True");
    (status.start_time.is_none() || suspended) && status.active.unwrap_or_default() == 0
}

pub(crate) fn cron_job(errors: &mut Errors, cron_job: &CronJob, context: &Context<'_>) {
    meta::object_meta(errors, &cron_job.metadata, true, text::dns1123_subdomain);
    cron_job_spec(errors, cron_job, None, context);
    let name = str_of(&cron_job.metadata.name);
    if let Some(why) = api::cron::validate_cron_job_name(name) {
        let path = Path::new("metadata");
        errors.invalid(&path.child("name"), name, &why);
    }
}

pub(crate) fn cron_job_update(
    errors: &mut Errors,
    new: &CronJob,
    old: &CronJob,
    context: &Context<'_>,
) {
    meta::object_meta_update(errors, &new.metadata);
    cron_job_spec(errors, new, Some(old), context);
}

fn cron_job_spec(
    errors: &mut Errors,
    cron_job: &CronJob,
    old: Option<&CronJob>,
    context: &Context<'_>,
) {
    let spec = &cron_job.spec;
    let path = Path::new("spec");
    let schedule = spec.schedule.as_str();
    let zone = spec.time_zone.as_deref();
    let mut known = context.zones.cloned().unwrap_or_default();
    if context.zones.is_none() {
        // Nobody has said which zones there are, so that any name will do.
        for name in zone.into_iter().chain(zone_of(schedule)) {
            known.add(name, jiff::tz::TimeZone::UTC);
        }
    }
    let schedule_path = path.child("schedule");
    if schedule.is_empty() {
        errors.required(&schedule_path, "");
    } else {
        let before = old.map(|it| it.spec.schedule.as_str());
        for why in api::cron::validate_schedule(schedule, before, zone, &known) {
            errors.invalid(&schedule_path, schedule, &why);
        }
    }
    let deadline_path = path.child("startingDeadlineSeconds");
    non_negative_if_set(errors, &deadline_path, spec.starting_deadline_seconds);
    let changed = old.is_none_or(|it| it.spec.time_zone != spec.time_zone);
    if let Some(zone) = zone.filter(|_| changed) {
        for why in api::cron::validate_time_zone(zone, &known) {
            // It is a pointer upstream, and so shown as JSON.
            errors.invalid(&path.child("timeZone"), Bad::json(&zone), &why);
        }
    }
    let policy = str_of(&spec.concurrency_policy);
    let supported = ["Allow", "Forbid", "Replace"];
    required_one_of(errors, &path.child("concurrencyPolicy"), policy, &supported);
    let empty = JobSpec::default();
    let job = spec.job_template.spec.as_ref().unwrap_or(&empty);
    let template_path = path.child("jobTemplate");
    let job_path = template_path.child("spec");
    common_spec(errors, &job_path, job, context);
    if let Some(selector) = &job.selector {
        let shown = internal::selector(selector);
        errors.invalid(&job_path.child("selector"), shown, "`selector` will be auto-generated");
    }
    if job.manual_selector == Some(true) {
        let path = job_path.child("manualSelector");
        errors.not_supported_value(&path, Bad::from(true), &["nil", "false"]);
    }
    for (field, limit) in [
        ("successfulJobsHistoryLimit", spec.successful_jobs_history_limit),
        ("failedJobsHistoryLimit", spec.failed_jobs_history_limit),
    ] {
        non_negative_if_set(errors, &path.child(field), limit);
    }
}

/// The zone that a schedule names itself.
fn zone_of(schedule: &str) -> Option<&str> {
    let rest = schedule.strip_prefix("TZ=").or_else(|| schedule.strip_prefix("CRON_TZ="))?;
    rest.split(' ').next()
}
