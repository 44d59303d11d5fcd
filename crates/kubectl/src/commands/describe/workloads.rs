//! Workloads.

use api::Order;
use api::{Object, Resource};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Cluster, Page, controlled_by, line, pod, pods_status, rfc1123, selector};
use crate::printers::{format_labels, format_selector, int_or_string};
use rows::human;

fn name(page: &mut Page, meta: &ObjectMeta) {
    line!(page, 0, "Name:\t{}", meta.name.as_deref().unwrap_or_default());
    line!(page, 0, "Namespace:\t{}", meta.namespace.as_deref().unwrap_or_default());
}

fn labels(page: &mut Page, meta: &ObjectMeta) {
    page.pairs("Labels", meta.labels.as_ref());
    page.annotations("Annotations", meta.annotations.as_ref());
}

pub(super) fn deployment(page: &mut Page, deployment: &Deployment, cluster: &Cluster<'_>) {
    let meta = &deployment.metadata;
    let spec = deployment.spec.clone().unwrap_or_default();
    let status = deployment.status.clone().unwrap_or_default();
    name(page, meta);
    line!(page, 0, "CreationTimestamp:\t{}", rfc1123(meta.creation_timestamp.as_ref()));
    labels(page, meta);
    line!(page, 0, "Selector:\t{}", selector(&spec.selector));
    let n = |it: Option<i32>| it.unwrap_or_default();
    line!(
        page,
        0,
        "Replicas:\t{} desired | {} updated | {} total | {} available | {} unavailable",
        n(spec.replicas),
        n(status.updated_replicas),
        n(status.replicas),
        n(status.available_replicas),
        n(status.unavailable_replicas)
    );
    let strategy = spec.strategy.clone().unwrap_or_default();
    line!(page, 0, "StrategyType:\t{}", strategy.type_.unwrap_or_default());
    line!(page, 0, "MinReadySeconds:\t{}", n(spec.min_ready_seconds));
    if let Some(rolling) = strategy.rolling_update {
        let bound = |it: Option<&_>| it.map_or_else(|| "<nil>".to_owned(), int_or_string);
        line!(
            page,
            0,
            "RollingUpdateStrategy:\t{} max unavailable, {} max surge",
            bound(rolling.max_unavailable.as_ref()),
            bound(rolling.max_surge.as_ref())
        );
    }
    pod::template(page, &spec.template);
    let conditions = status.conditions.unwrap_or_default();
    if !conditions.is_empty() {
        page.line(0, "Conditions:\n  Type\tStatus\tReason");
        page.line(1, "----\t------\t------");
    }
    for it in conditions {
        line!(page, 1, "{} \t{}\t{}", it.type_, it.status, it.reason.unwrap_or_default());
    }
    replica_sets(page, deployment, cluster);
}

/// Which replica sets are old and which is new.
fn replica_sets(page: &mut Page, deployment: &Deployment, cluster: &Cluster<'_>) {
    let mut all: Vec<&ReplicaSet> = cluster.listers.owned_by(deployment.uid()).collect();
    all.order_by_key(|it| {
        (it.metadata.creation_timestamp.as_ref().map(|it| it.0), it.name().to_owned())
    });
    if all.is_empty() {
        return;
    }
    let wanted = deployment.spec.as_ref().map(|it| it.template.clone());
    let is_new = |rs: &&ReplicaSet| {
        let template = rs.spec.as_ref().and_then(|it| it.template.clone());
        let template = template.map(|mut it| {
            if let Some(labels) = it.metadata.as_mut().and_then(|it| it.labels.as_mut()) {
                labels.remove("pod-template-hash");
            }
            it
        });
        template == wanted
    };
    let new = all.iter().copied().find(is_new);
    let text = |rs: &ReplicaSet| {
        let replicas = rs.status.as_ref().map_or(0, |it| it.replicas);
        let wanted = rs.spec.as_ref().and_then(|it| it.replicas).unwrap_or_default();
        format!("{} ({replicas}/{wanted} replicas created)", rs.name())
    };
    let old: Vec<String> = all
        .iter()
        .filter(|it| new.is_none_or(|new| new.uid() != it.uid()))
        .map(|it| text(it))
        .collect();
    let old = if old.is_empty() { "<none>".to_owned() } else { old.join(", ") };
    line!(page, 0, "OldReplicaSets:\t{old}");
    line!(page, 0, "NewReplicaSet:\t{}", new.map_or_else(|| "<none>".to_owned(), text));
}

pub(super) fn replica_set(page: &mut Page, rs: &ReplicaSet, cluster: &Cluster<'_>) {
    let spec = rs.spec.clone().unwrap_or_default();
    let status = rs.status.clone().unwrap_or_default();
    name(page, &rs.metadata);
    line!(page, 0, "Selector:\t{}", format_selector(Some(&spec.selector)));
    labels(page, &rs.metadata);
    controlled_by(page, &Object::ReplicaSet(std::sync::Arc::new(rs.clone())));
    let wanted = spec.replicas.unwrap_or_default();
    line!(page, 0, "Replicas:\t{} current / {wanted} desired", status.replicas);
    line!(page, 0, "Pods Status:\t{}", pods_status(cluster, rs.uid()));
    pod::template(page, &spec.template.unwrap_or_default());
    let conditions = status.conditions.unwrap_or_default();
    if !conditions.is_empty() {
        page.line(0, "Conditions:\n  Type\tStatus\tReason");
        page.line(1, "----\t------\t------");
    }
    for it in conditions {
        line!(page, 1, "{} \t{}\t{}", it.type_, it.status, it.reason.unwrap_or_default());
    }
}

pub(super) fn stateful_set(page: &mut Page, set: &StatefulSet, cluster: &Cluster<'_>) {
    let meta = &set.metadata;
    let spec = set.spec.clone().unwrap_or_default();
    let status = set.status.clone().unwrap_or_default();
    name(page, meta);
    line!(page, 0, "CreationTimestamp:\t{}", rfc1123(meta.creation_timestamp.as_ref()));
    line!(page, 0, "Selector:\t{}", selector(&spec.selector));
    labels(page, meta);
    let wanted = spec.replicas.unwrap_or_default();
    line!(page, 0, "Replicas:\t{wanted} desired | {} total", status.replicas);
    let strategy = spec.update_strategy.unwrap_or_default();
    line!(page, 0, "Update Strategy:\t{}", strategy.type_.unwrap_or_default());
    if let Some(partition) = strategy.rolling_update.and_then(|it| it.partition) {
        line!(page, 1, "Partition:\t{partition}");
    }
    line!(page, 0, "Pods Status:\t{}", pods_status(cluster, set.uid()));
    pod::template(page, &spec.template);
    let claims = spec.volume_claim_templates.unwrap_or_default();
    if claims.is_empty() {
        page.line(0, "Volume Claims:\t<none>");
        return;
    }
    page.line(0, "Volume Claims:");
    for claim in claims {
        let spec = claim.spec.clone().unwrap_or_default();
        line!(page, 1, "Name:\t{}", claim.name());
        line!(page, 1, "StorageClass:\t{}", spec.storage_class_name.clone().unwrap_or_default());
        page.pairs("  Labels", claim.metadata.labels.as_ref());
        page.pairs("  Annotations", claim.metadata.annotations.as_ref());
        let requests = spec.resources.and_then(|it| it.requests).unwrap_or_default();
        let storage = requests.get("storage").map(|it| api::quantity::canonical(&it.0));
        line!(page, 1, "Capacity:\t{}", storage.unwrap_or_else(|| "<default>".to_owned()));
        line!(page, 1, "Access Modes:\t[{}]", spec.access_modes.unwrap_or_default().join(" "));
    }
}

pub(super) fn daemon_set(page: &mut Page, set: &DaemonSet, cluster: &Cluster<'_>) {
    let spec = set.spec.clone().unwrap_or_default();
    let status = set.status.clone().unwrap_or_default();
    name(page, &set.metadata);
    line!(page, 0, "Selector:\t{}", selector(&spec.selector));
    let pod_spec = spec.template.spec.clone().unwrap_or_default();
    line!(page, 0, "Node-Selector:\t{}", format_labels(pod_spec.node_selector.as_ref()));
    labels(page, &set.metadata);
    let n = |it: Option<i32>| it.unwrap_or_default();
    let rows = [
        ("Desired Number of Nodes Scheduled", status.desired_number_scheduled),
        ("Current Number of Nodes Scheduled", status.current_number_scheduled),
        ("Number of Nodes Scheduled with Up-to-date Pods", n(status.updated_number_scheduled)),
        ("Number of Nodes Scheduled with Available Pods", n(status.number_available)),
        ("Number of Nodes Misscheduled", status.number_misscheduled),
    ];
    rows.iter().for_each(|(title, n)| line!(page, 0, "{title}: {n}"));
    line!(page, 0, "Pods Status:\t{}", pods_status(cluster, set.uid()));
    pod::template(page, &spec.template);
}

pub(super) fn job(page: &mut Page, job: &Job) {
    let spec = job.spec.clone().unwrap_or_default();
    let status = job.status.clone().unwrap_or_default();
    name(page, &job.metadata);
    line!(page, 0, "Selector:\t{}", selector(&spec.selector.clone().unwrap_or_default()));
    labels(page, &job.metadata);
    controlled_by(page, &Object::Job(std::sync::Arc::new(job.clone())));
    let mut row = |title: &str, value: Option<String>| {
        if let Some(value) = value {
            line!(page, 0, "{title}:\t{value}");
        }
    };
    let indexed = spec.completion_mode.as_deref() == Some("Indexed");
    row("Parallelism", spec.parallelism.map(|it| it.to_string()));
    let completions = spec.completions.map(|it| it.to_string());
    row("Completions", Some(completions.unwrap_or_else(|| "<unset>".to_owned())));
    row("Completion Mode", spec.completion_mode.clone());
    row("Suspend", spec.suspend.map(|it| it.to_string()));
    row("Backoff Limit", spec.backoff_limit.map(|it| it.to_string()));
    row("TTL Seconds After Finished", spec.ttl_seconds_after_finished.map(|it| it.to_string()));
    row("Start Time", status.start_time.as_ref().map(|it| rfc1123(Some(it))));
    row("Completed At", status.completion_time.as_ref().map(|it| rfc1123(Some(it))));
    if let (Some(start), Some(end)) = (&status.start_time, &status.completion_time) {
        row("Duration", Some(human::duration(human::seconds_between(start.0, end.0))));
    }
    row("Active Deadline Seconds", spec.active_deadline_seconds.map(|it| format!("{it}s")));
    let n = |it: Option<i32>| it.unwrap_or_default();
    let ready = status.ready.map_or_else(String::new, |it| format!(" ({it} Ready)"));
    line!(
        page,
        0,
        "Pods Statuses:\t{} Active{ready} / {} Succeeded / {} Failed",
        n(status.active),
        n(status.succeeded),
        n(status.failed)
    );
    if indexed {
        let indexes = status.completed_indexes.unwrap_or_default();
        line!(page, 0, "Completed Indexes:\t{}", at_most(&indexes, 50));
    }
    pod::template(page, &spec.template);
}

/// Indexes up to a length, cut at a comma. Upstream: `capIndexesListOrNone`.
fn at_most(indexes: &str, max: usize) -> String {
    if indexes.is_empty() {
        return "<none>".to_owned();
    }
    if indexes.len() <= max {
        return indexes.to_owned();
    }
    let mut end = max;
    while !indexes[..end].ends_with(',') && end > 1 {
        end -= 1;
    }
    format!("{},...", indexes[..end].trim_end_matches(','))
}

pub(super) fn cron_job(page: &mut Page, cron_job: &CronJob) {
    let spec = cron_job.spec.clone();
    let status = cron_job.status.clone().unwrap_or_default();
    name(page, &cron_job.metadata);
    labels(page, &cron_job.metadata);
    let unset = || "<unset>".to_owned();
    let number = |it: Option<i32>| it.map_or_else(unset, |it| it.to_string());
    let suspend = match spec.suspend {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    line!(page, 0, "Schedule:\t{}", spec.schedule);
    line!(page, 0, "Concurrency Policy:\t{}", spec.concurrency_policy.unwrap_or_default());
    line!(page, 0, "Suspend:\t{suspend}");
    line!(page, 0, "Time Zone:\t{}", spec.time_zone.unwrap_or_else(unset));
    line!(page, 0, "Successful Job History Limit:\t{}", number(spec.successful_jobs_history_limit));
    line!(page, 0, "Failed Job History Limit:\t{}", number(spec.failed_jobs_history_limit));
    let deadline = spec.starting_deadline_seconds.map_or_else(unset, |it| format!("{it}s"));
    line!(page, 0, "Starting Deadline Seconds:\t{deadline}");
    let job = spec.job_template.spec.unwrap_or_default();
    line!(page, 0, "Selector:\t{}", job.selector.as_ref().map_or_else(unset, selector));
    line!(page, 0, "Parallelism:\t{}", number(job.parallelism));
    line!(page, 0, "Completions:\t{}", number(job.completions));
    if let Some(seconds) = job.active_deadline_seconds {
        line!(page, 0, "Active Deadline Seconds:\t{seconds}s");
    }
    pod::template(page, &job.template);
    let last = status.last_schedule_time.as_ref();
    line!(page, 0, "Last Schedule Time:\t{}", last.map_or_else(unset, |it| rfc1123(Some(it))));
    let active: Vec<String> =
        status.active.into_iter().flatten().map(|it| it.name.unwrap_or_default()).collect();
    let active = if active.is_empty() { "<none>".to_owned() } else { active.join(", ") };
    line!(page, 0, "Active Jobs:\t{active}");
}
