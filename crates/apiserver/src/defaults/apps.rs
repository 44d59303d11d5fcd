//! Defaults of the workloads.
//!
//! Upstream: `pkg/apis/apps/v1/defaults.go`, v1.36.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::defaults::{pod, set_text, storage};

fn percent(text: &str) -> IntOrString {
    IntOrString::String(text.to_owned())
}

/// Upstream: `SetDefaults_Deployment`.
pub(super) fn set_deployment(deployment: &mut Deployment) {
    let spec = deployment.spec.get_or_insert_default();
    spec.replicas.get_or_insert(1);
    let strategy = spec.strategy.get_or_insert_default();
    set_text(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert_with(|| percent("25%"));
        rolling.max_surge.get_or_insert_with(|| percent("25%"));
    }
    spec.revision_history_limit.get_or_insert(10);
    spec.progress_deadline_seconds.get_or_insert(600);
    pod::set_template(&mut spec.template);
}

/// Upstream: `SetDefaults_ReplicaSet`.
pub(super) fn set_replica_set(set: &mut ReplicaSet) {
    let spec = set.spec.get_or_insert_default();
    spec.replicas.get_or_insert(1);
    pod::set_template(spec.template.get_or_insert_default());
}

/// Upstream: `SetDefaults_DaemonSet`.
pub(super) fn set_daemon_set(set: &mut DaemonSet) {
    let spec = set.spec.get_or_insert_default();
    let strategy = spec.update_strategy.get_or_insert_default();
    set_text(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
        rolling.max_surge.get_or_insert(IntOrString::Int(0));
    }
    spec.revision_history_limit.get_or_insert(10);
    pod::set_template(&mut spec.template);
}

/// Upstream: `SetDefaults_StatefulSet`.
pub(super) fn set_stateful_set(set: &mut StatefulSet) {
    let spec = set.spec.get_or_insert_default();
    set_text(&mut spec.pod_management_policy, "OrderedReady");
    let strategy = spec.update_strategy.get_or_insert_default();
    if strategy.type_.as_deref().unwrap_or_default().is_empty() {
        strategy.type_ = Some("RollingUpdate".to_owned());
        strategy.rolling_update.get_or_insert_default();
    }
    if strategy.type_.as_deref() == Some("RollingUpdate")
        && let Some(rolling) = &mut strategy.rolling_update
    {
        rolling.partition.get_or_insert(0);
    }
    let policy = spec.persistent_volume_claim_retention_policy.get_or_insert_default();
    set_text(&mut policy.when_deleted, "Retain");
    set_text(&mut policy.when_scaled, "Retain");
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit.get_or_insert(10);
    pod::set_template(&mut spec.template);
    for claim in spec.volume_claim_templates.iter_mut().flatten() {
        storage::set_claim(claim);
    }
}
