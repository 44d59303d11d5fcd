//! Rows of workloads. Upstream: `pkg/printers/internalversion/printers.go`, v1.36.

use api::{Resource, Timestamp};
use k8s_openapi::api::apps::v1::{
    ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet,
};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::{container_cells, format_labels, format_selector, int_or_string, selector_text};
use rows::human;

pub(super) fn replica_set(rs: &ReplicaSet, age: String) -> Vec<String> {
    let spec = rs.spec.clone().unwrap_or_default();
    let status = rs.status.clone().unwrap_or_default();
    let pod = spec.template.and_then(|it| it.spec).unwrap_or_default();
    let [names, images] = container_cells(&pod.containers);
    vec![
        rs.name().to_owned(),
        spec.replicas.unwrap_or_default().to_string(),
        status.replicas.to_string(),
        status.ready_replicas.unwrap_or_default().to_string(),
        age,
        names,
        images,
        format_selector(Some(&spec.selector)),
    ]
}

pub(super) fn deployment(deployment: &Deployment, age: String) -> Vec<String> {
    let spec = deployment.spec.clone().unwrap_or_default();
    let status = deployment.status.clone().unwrap_or_default();
    let pod = spec.template.spec.unwrap_or_default();
    let [names, images] = container_cells(&pod.containers);
    let ready = status.ready_replicas.unwrap_or_default();
    vec![
        deployment.name().to_owned(),
        format!("{ready}/{}", spec.replicas.unwrap_or_default()),
        status.updated_replicas.unwrap_or_default().to_string(),
        status.available_replicas.unwrap_or_default().to_string(),
        age,
        names,
        images,
        selector_text(Some(&spec.selector)),
    ]
}

pub(super) fn stateful_set(set: &StatefulSet, age: String) -> Vec<String> {
    let spec = set.spec.clone().unwrap_or_default();
    let ready = set.status.as_ref().and_then(|it| it.ready_replicas).unwrap_or_default();
    let pod = spec.template.spec.unwrap_or_default();
    let [names, images] = container_cells(&pod.containers);
    let ready = format!("{ready}/{}", spec.replicas.unwrap_or_default());
    vec![set.name().to_owned(), ready, age, names, images]
}

pub(super) fn daemon_set(set: &DaemonSet, age: String) -> Vec<String> {
    let spec = set.spec.clone().unwrap_or_default();
    let status = set.status.clone().unwrap_or_default();
    let pod = spec.template.spec.unwrap_or_default();
    let [names, images] = container_cells(&pod.containers);
    vec![
        set.name().to_owned(),
        status.desired_number_scheduled.to_string(),
        status.current_number_scheduled.to_string(),
        status.number_ready.to_string(),
        status.updated_number_scheduled.unwrap_or_default().to_string(),
        status.number_available.unwrap_or_default().to_string(),
        format_labels(pod.node_selector.as_ref()),
        age,
        names,
        images,
        format_selector(Some(&spec.selector)),
    ]
}

pub(super) fn controller_revision(revision: &ControllerRevision, age: String) -> Vec<String> {
    let owners = revision.metadata.owner_references.iter().flatten();
    let owner = owners.into_iter().find(|it| it.controller == Some(true));
    let owner = owner.map_or_else(
        || "<none>".to_owned(),
        |it| {
            let group = it.api_version.split_once('/').map_or("", |it| it.0);
            let kind = it.kind.to_lowercase();
            match group {
                "" => format!("{kind}/{}", it.name),
                group => format!("{kind}.{group}/{}", it.name),
            }
        },
    );
    vec![revision.name().to_owned(), owner, revision.revision.to_string(), age]
}

/// One word for the state of a job. Upstream: `printJob`.
pub(crate) fn job_status(job: &Job) -> &'static str {
    let conditions = || job.status.iter().flat_map(|it| it.conditions.iter().flatten());
    let is = |type_: &str| {
        conditions().find(|it| it.type_ == type_).is_some_and(|it| it.status == "True")
    };
    if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if job.metadata.deletion_timestamp.is_some() {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else if is("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

pub(super) fn job(job: &Job, now: Timestamp, age: String) -> Vec<String> {
    let spec = job.spec.clone().unwrap_or_default();
    let status = job.status.clone().unwrap_or_default();
    let succeeded = status.succeeded.unwrap_or_default();
    let completions = match (spec.completions, spec.parallelism.unwrap_or_default()) {
        (Some(completions), _) => format!("{succeeded}/{completions}"),
        (None, parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    };
    let end = status.completion_time.map_or(now, |it| it.0);
    let duration = status.start_time.map(|it| human::duration(human::seconds_between(it.0, end)));
    let pod = spec.template.spec.unwrap_or_default();
    let [names, images] = container_cells(&pod.containers);
    vec![
        job.name().to_owned(),
        job_status(job).to_owned(),
        completions,
        duration.unwrap_or_default(),
        age,
        names,
        images,
        format_selector(spec.selector.as_ref()),
    ]
}

pub(super) fn cron_job(cron_job: &CronJob, now: Timestamp, age: String) -> Vec<String> {
    let spec = cron_job.spec.clone();
    let status = cron_job.status.clone().unwrap_or_default();
    let job = spec.job_template.spec.unwrap_or_default();
    let last = status.last_schedule_time.as_ref();
    let last = last.map_or_else(|| "<none>".to_owned(), |it| human::since(Some(it), now));
    let pod = job.template.spec.unwrap_or_default();
    let [names, images] = container_cells(&pod.containers);
    let suspend = match spec.suspend {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    vec![
        cron_job.name().to_owned(),
        spec.schedule,
        spec.time_zone.unwrap_or_else(|| "<none>".to_owned()),
        suspend.to_owned(),
        status.active.map_or(0, |it| it.len()).to_string(),
        last,
        age,
        names,
        images,
        format_selector(job.selector.as_ref()),
    ]
}

pub(super) fn pod_disruption_budget(budget: &PodDisruptionBudget, age: String) -> Vec<String> {
    let spec = budget.spec.clone().unwrap_or_default();
    let bound = |it: Option<&_>| it.map_or_else(|| "N/A".to_owned(), int_or_string);
    let allowed = budget.status.as_ref().and_then(|it| it.disruptions_allowed).unwrap_or_default();
    vec![
        budget.name().to_owned(),
        bound(spec.min_available.as_ref()),
        bound(spec.max_unavailable.as_ref()),
        allowed.to_string(),
        age,
    ]
}
