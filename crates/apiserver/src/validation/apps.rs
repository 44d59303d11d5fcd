//! The workloads.
//!
//! Upstream: `pkg/apis/apps/validation/validation.go`, v1.36.

use k8s_openapi::api::apps::v1::{
    ControllerRevision, DaemonSet, DaemonSetSpec, Deployment, DeploymentSpec, DeploymentStrategy,
    ReplicaSet, ReplicaSetSpec, StatefulSet, StatefulSetSpec, StatefulSetStatus,
    StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaimVolumeSource, PodTemplateSpec, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::validation::check::{
    at_most_100_percent, int_or_percent, int_or_percent_value, label, list_of, non_negative,
    non_negative_if_set, one_of, shown, str_of,
};
use crate::validation::core::{pod, storage};
use crate::validation::{Bad, Context, Errors, Path, internal, labels, meta, text};

fn template_labels(template: &PodTemplateSpec) -> Option<&labels::Map> {
    template.metadata.as_ref().and_then(|it| it.labels.as_ref())
}

/// The selector, unless it is missing. The type has no word for that; a selector that is there
/// and empty has an empty map in it (see `api::yaml`).
fn given(selector: &LabelSelector) -> Option<&LabelSelector> {
    let missing = selector.match_labels.is_none() && selector.match_expressions.is_none();
    Some(selector).filter(|_| !missing)
}

/// Reports a template whose labels the selector does not choose.
fn selected(
    errors: &mut Errors,
    path: &Path<'_>,
    template: &PodTemplateSpec,
    selector: Option<&LabelSelector>,
) {
    if labels::matches(selector, template_labels(template)) == Some(false) {
        let path = path.child("metadata");
        let shown = Bad::json(&template_labels(template));
        errors.invalid(&path.child("labels"), shown, "`selector` does not match template `labels`");
    }
}

/// Reports a selector that is missing, malformed or empty.
fn required_selector(
    errors: &mut Errors,
    path: &Path<'_>,
    selector: Option<&LabelSelector>,
    kind: &str,
) {
    let Some(it) = selector else {
        errors.required(path, "");
        return;
    };
    labels::selector(errors, path, selector);
    if labels::is_empty(it) {
        let why = format!("empty selector is invalid for {kind}");
        errors.invalid(path, internal::selector(it), &why);
    }
}

fn immutable_selector(
    errors: &mut Errors,
    new: Option<&LabelSelector>,
    old: Option<&LabelSelector>,
) {
    if new != old {
        let path = Path::new("spec");
        // What is absent is read as an empty one here.
        let new = new.filter(|it| **it != LabelSelector::default());
        let shown = new.map_or_else(|| Bad::raw("null"), internal::selector);
        errors.invalid(&path.child("selector"), shown, text::IMMUTABLE);
    }
}

/// Upstream: `ValidatePodTemplateSpecForReplicaSet`, with the check of the selector before it.
fn replicated(
    errors: &mut Errors,
    path: &Path<'_>,
    template: &PodTemplateSpec,
    selector: Option<&LabelSelector>,
    context: &Context<'_>,
) {
    let is_sound = selector.is_none() || labels::matches(selector, None).is_some();
    let selector_path = path.child("selector");
    if !is_sound {
        let shown = selector.map_or_else(|| Bad::raw("null"), internal::selector);
        errors.invalid(&selector_path, shown, "invalid label selector");
        return;
    }
    let path = path.child("template");
    // A selector that chooses everything is complained of elsewhere.
    if !selector.is_some_and(labels::is_empty) {
        selected(errors, &path, template, selector);
    }
    pod::template(errors, &path, template, context);
    pod::always_restarts(errors, &path, template, "ReplicaSet");
}

pub(crate) fn replica_set(errors: &mut Errors, set: &ReplicaSet, context: &Context<'_>) {
    meta::object_meta(errors, &set.metadata, true, text::dns1123_subdomain);
    replica_set_spec(errors, set, context);
}

fn replica_set_spec(errors: &mut Errors, set: &ReplicaSet, context: &Context<'_>) {
    let empty = ReplicaSetSpec::default();
    let spec = set.spec.as_ref().unwrap_or(&empty);
    let path = Path::new("spec");
    non_negative_if_set(errors, &path.child("replicas"), spec.replicas);
    non_negative_if_set(errors, &path.child("minReadySeconds"), spec.min_ready_seconds);
    let selector = given(&spec.selector);
    // Upstream says "deployment" here too.
    required_selector(errors, &path.child("selector"), selector, "deployment");
    let empty = PodTemplateSpec::default();
    let template = spec.template.as_ref().unwrap_or(&empty);
    replicated(errors, &path, template, selector, context);
}

pub(crate) fn replica_set_update(
    errors: &mut Errors,
    new: &ReplicaSet,
    old: &ReplicaSet,
    context: &Context<'_>,
) {
    meta::object_meta_update(errors, &new.metadata);
    replica_set_spec(errors, new, context);
    immutable_selector(
        errors,
        new.spec.as_ref().map(|it| &it.selector),
        old.spec.as_ref().map(|it| &it.selector),
    );
}

pub(crate) fn deployment(errors: &mut Errors, deployment: &Deployment, context: &Context<'_>) {
    meta::object_meta(errors, &deployment.metadata, true, text::dns1123_subdomain);
    deployment_spec(errors, deployment, context);
}

fn deployment_spec(errors: &mut Errors, deployment: &Deployment, context: &Context<'_>) {
    let empty = DeploymentSpec::default();
    let spec = deployment.spec.as_ref().unwrap_or(&empty);
    let path = Path::new("spec");
    non_negative_if_set(errors, &path.child("replicas"), spec.replicas);
    let selector = given(&spec.selector);
    required_selector(errors, &path.child("selector"), selector, "deployment");
    replicated(errors, &path, &spec.template, selector, context);
    if let Some(strategy) = &spec.strategy {
        deployment_strategy(errors, &path.child("strategy"), strategy);
    }
    let ready_seconds = spec.min_ready_seconds.unwrap_or_default();
    non_negative(errors, &path.child("minReadySeconds"), ready_seconds);
    let limit_path = path.child("revisionHistoryLimit");
    non_negative_if_set(errors, &limit_path, spec.revision_history_limit);
    if let Some(seconds) = spec.progress_deadline_seconds {
        let path = path.child("progressDeadlineSeconds");
        non_negative(errors, &path, seconds);
        if seconds <= ready_seconds {
            errors.invalid(&path, seconds, "must be greater than minReadySeconds");
        }
    }
}

fn deployment_strategy(errors: &mut Errors, path: &Path<'_>, strategy: &DeploymentStrategy) {
    let path_of_rolling = path.child("rollingUpdate");
    match (str_of(&strategy.type_), &strategy.rolling_update) {
        ("Recreate", Some(_)) => {
            let why = "may not be specified when strategy `type` is 'Recreate'";
            errors.forbidden(&path_of_rolling, why);
        }
        ("Recreate", None) => {}
        ("RollingUpdate", None) => {
            errors.required(&path_of_rolling, "this should be defaulted and never be nil");
        }
        ("RollingUpdate", Some(rolling)) => {
            let zero = IntOrString::Int(0);
            let unavailable = rolling.max_unavailable.as_ref().unwrap_or(&zero);
            let surge = rolling.max_surge.as_ref().unwrap_or(&zero);
            let path = path_of_rolling.child("maxUnavailable");
            int_or_percent(errors, &path, unavailable);
            int_or_percent(errors, &path_of_rolling.child("maxSurge"), surge);
            if int_or_percent_value(unavailable) == 0 && int_or_percent_value(surge) == 0 {
                errors.invalid(&path, shown(unavailable), "may not be 0 when `maxSurge` is 0");
            }
            at_most_100_percent(errors, &path, unavailable);
        }
        _ => errors.not_supported_value(
            path,
            Bad::raw(internal::dump("DeploymentStrategy", strategy)),
            &["Recreate", "RollingUpdate"],
        ),
    }
}

pub(crate) fn deployment_update(
    errors: &mut Errors,
    new: &Deployment,
    old: &Deployment,
    context: &Context<'_>,
) {
    meta::object_meta_update(errors, &new.metadata);
    deployment_spec(errors, new, context);
    immutable_selector(
        errors,
        new.spec.as_ref().map(|it| &it.selector),
        old.spec.as_ref().map(|it| &it.selector),
    );
}

pub(crate) fn daemon_set(errors: &mut Errors, set: &DaemonSet, context: &Context<'_>) {
    meta::object_meta(errors, &set.metadata, true, text::dns1123_subdomain);
    daemon_set_spec(errors, set, context);
}

fn daemon_set_spec(errors: &mut Errors, set: &DaemonSet, context: &Context<'_>) {
    let empty = DaemonSetSpec::default();
    let spec = set.spec.as_ref().unwrap_or(&empty);
    let path = Path::new("spec");
    let template_path = path.child("template");
    let selector = given(&spec.selector);
    labels::selector(errors, &path.child("selector"), selector);
    selected(errors, &template_path, &spec.template, selector);
    if let Some(it) = selector.filter(|it| labels::is_empty(it)) {
        let why = "empty selector is invalid for daemonset";
        errors.invalid(&path.child("selector"), internal::selector(it), why);
    }
    pod::template(errors, &template_path, &spec.template, context);
    pod::always_restarts(errors, &template_path, &spec.template, "DaemonSet");
    non_negative_if_set(errors, &path.child("minReadySeconds"), spec.min_ready_seconds);
    if let Some(strategy) = &spec.update_strategy {
        let path = path.child("updateStrategy");
        let rolling_path = path.child("rollingUpdate");
        match (str_of(&strategy.type_), &strategy.rolling_update) {
            ("OnDelete", _) => {}
            ("RollingUpdate", None) => errors.required(&rolling_path, ""),
            ("RollingUpdate", Some(rolling)) => {
                let zero = IntOrString::Int(0);
                let unavailable = rolling.max_unavailable.as_ref().unwrap_or(&zero);
                let surge = rolling.max_surge.as_ref().unwrap_or(&zero);
                rolling_daemon_set(errors, &rolling_path, unavailable, surge);
            }
            _ => errors.not_supported_value(
                &path,
                Bad::raw(internal::dump("DaemonSetUpdateStrategy", strategy)),
                &["RollingUpdate", "OnDelete"],
            ),
        }
    }
    let limit_path = path.child("revisionHistoryLimit");
    non_negative_if_set(errors, &limit_path, spec.revision_history_limit);
}

fn rolling_daemon_set(
    errors: &mut Errors,
    path: &Path<'_>,
    unavailable: &IntOrString,
    surge: &IntOrString,
) {
    let (unavailable_path, surge_path) = (path.child("maxUnavailable"), path.child("maxSurge"));
    int_or_percent(errors, &unavailable_path, unavailable);
    int_or_percent(errors, &surge_path, surge);
    at_most_100_percent(errors, &unavailable_path, unavailable);
    at_most_100_percent(errors, &surge_path, surge);
    match (int_or_percent_value(unavailable) != 0, int_or_percent_value(surge) != 0) {
        (true, true) => {
            let why = "may not be set when maxUnavailable is non-zero";
            errors.invalid(&surge_path, shown(surge), why);
        }
        (false, false) => errors.required(&unavailable_path, "cannot be 0 when maxSurge is 0"),
        _ => {}
    }
}

pub(crate) fn daemon_set_update(
    errors: &mut Errors,
    new: &DaemonSet,
    old: &DaemonSet,
    context: &Context<'_>,
) {
    meta::object_meta_update(errors, &new.metadata);
    immutable_selector(
        errors,
        new.spec.as_ref().map(|it| &it.selector),
        old.spec.as_ref().map(|it| &it.selector),
    );
    daemon_set_spec(errors, new, context);
}

pub(crate) fn stateful_set(errors: &mut Errors, set: &StatefulSet, context: &Context<'_>) {
    meta::object_meta(errors, &set.metadata, true, stateful_set_name);
    stateful_set_spec(errors, set, context, true);
}

/// Upstream: `ValidateStatefulSetStatus`.
pub(crate) fn stateful_set_status(errors: &mut Errors, status: &StatefulSetStatus) {
    let path = Path::new("status");
    let ready = status.ready_replicas.unwrap_or(0);
    let available = status.available_replicas.unwrap_or(0);
    let counts = [
        ("readyReplicas", ready),
        ("currentReplicas", status.current_replicas.unwrap_or(0)),
        ("updatedReplicas", status.updated_replicas.unwrap_or(0)),
        ("availableReplicas", available),
    ];
    non_negative(errors, &path.child("replicas"), status.replicas);
    for (field, count) in counts {
        non_negative(errors, &path.child(field), count);
    }
    non_negative_if_set(errors, &path.child("observedGeneration"), status.observed_generation);
    non_negative_if_set(errors, &path.child("collisionCount"), status.collision_count);
    for (field, count) in counts.into_iter().filter(|it| it.1 > status.replicas) {
        errors.invalid(
            &path.child(field),
            i64::from(count),
            "cannot be greater than status.replicas",
        );
    }
    if available > ready {
        let path = path.child("availableReplicas");
        errors.invalid(&path, i64::from(available), "cannot be greater than status.readyReplicas");
    }
}

/// Upstream: `ValidateStatefulSetName`, which is that of a label: pods get their names from it.
fn stateful_set_name(name: &str) -> text::Messages {
    text::dns1123_label(name)
}

fn stateful_set_spec(
    errors: &mut Errors,
    set: &StatefulSet,
    context: &Context<'_>,
    creating: bool,
) {
    let empty = StatefulSetSpec::default();
    let spec = set.spec.as_ref().unwrap_or(&empty);
    let path = Path::new("spec");
    let policy_path = path.child("podManagementPolicy");
    match str_of(&spec.pod_management_policy) {
        "" => errors.required(&policy_path, ""),
        "OrderedReady" | "Parallel" => {}
        other => errors.invalid(&policy_path, other, "must be 'OrderedReady' or 'Parallel'"),
    }
    if let Some(strategy) = &spec.update_strategy {
        stateful_strategy(errors, &path.child("updateStrategy"), strategy);
    }
    if let Some(policy) = &spec.persistent_volume_claim_retention_policy {
        let path = path.child("persistentVolumeClaimRetentionPolicy");
        for (field, value) in
            [("whenDeleted", &policy.when_deleted), ("whenScaled", &policy.when_scaled)]
        {
            one_of(errors, &path.child(field), str_of(value), &["Retain", "Delete"]);
        }
    }
    let claims = list_of(&spec.volume_claim_templates);
    if creating {
        let all = path.child("volumeClaimTemplates");
        for (index, claim) in claims.iter().enumerate() {
            let claim_spec = claim.spec.clone().unwrap_or_default();
            let path = all.index(index);
            storage::claim_spec(errors, &path.child("spec"), &claim_spec);
        }
    }
    non_negative_if_set(errors, &path.child("replicas"), spec.replicas);
    non_negative_if_set(errors, &path.child("minReadySeconds"), spec.min_ready_seconds);
    if let Some(ordinals) = &spec.ordinals {
        non_negative_if_set(errors, &path.child("ordinals.start"), ordinals.start);
    }
    let service = str_of(&spec.service_name);
    if creating && !service.is_empty() {
        label(errors, &path.child("serviceName"), service);
    }
    let selector = given(&spec.selector);
    required_selector(errors, &path.child("selector"), selector, "statefulset");
    let template_path = path.child("template");
    if selector.is_some() && labels::matches(selector, None).is_none() {
        let shown = selector.map_or_else(|| Bad::raw("null"), internal::selector);
        errors.invalid(&path.child("selector"), shown, "");
    } else {
        if !selector.is_some_and(labels::is_empty) {
            selected(errors, &template_path, &spec.template, selector);
        }
        pod::template(errors, &template_path, &with_claims(spec), context);
    }
    pod::always_restarts(errors, &template_path, &spec.template, "StatefulSet");
}

/// The template as its pods will be: with a volume for each claim, and names of their own.
fn with_claims(spec: &StatefulSetSpec) -> PodTemplateSpec {
    let mut template = spec.template.clone();
    let Some(pod) = &mut template.spec else { return template };
    pod.hostname = None;
    pod.subdomain = None;
    let claims = list_of(&spec.volume_claim_templates);
    if claims.is_empty() {
        return template;
    }
    let name = |it: &k8s_openapi::api::core::v1::PersistentVolumeClaim| {
        it.metadata.name.clone().unwrap_or_default()
    };
    let mut volumes: Vec<Volume> = claims
        .iter()
        .map(|it| Volume {
            name: name(it),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: name(it),
                read_only: None,
            }),
            ..Volume::default()
        })
        .collect();
    let others = pod.volumes.take().unwrap_or_default().into_iter();
    volumes.extend(others.filter(|volume| !claims.iter().any(|it| name(it) == volume.name)));
    pod.volumes = Some(volumes);
    template
}

fn stateful_strategy(errors: &mut Errors, path: &Path<'_>, strategy: &StatefulSetUpdateStrategy) {
    let rolling_path = path.child("rollingUpdate");
    match (str_of(&strategy.type_), &strategy.rolling_update) {
        ("", _) => errors.required(path, ""),
        ("OnDelete", Some(rolling)) => {
            let shown = internal::dump("RollingUpdateStatefulSetStrategy", rolling);
            let why = "only allowed for updateStrategy 'RollingUpdate'";
            errors.invalid(&rolling_path, Bad::raw(shown), why);
        }
        ("RollingUpdate", Some(rolling)) => {
            non_negative_if_set(errors, &rolling_path.child("partition"), rolling.partition);
        }
        ("OnDelete" | "RollingUpdate", None) => {}
        _ => errors.invalid(
            path,
            Bad::raw(internal::dump("StatefulSetUpdateStrategy", strategy)),
            "must be 'RollingUpdate' or 'OnDelete'",
        ),
    }
}

pub(crate) fn stateful_set_update(
    errors: &mut Errors,
    new: &StatefulSet,
    old: &StatefulSet,
    context: &Context<'_>,
) {
    meta::object_meta_update(errors, &new.metadata);
    stateful_set_spec(errors, new, context, false);
    let (Some(now), Some(before)) = (&new.spec, &old.spec) else { return };
    let kept = StatefulSetSpec {
        replicas: before.replicas,
        template: before.template.clone(),
        update_strategy: before.update_strategy.clone(),
        min_ready_seconds: before.min_ready_seconds,
        ordinals: before.ordinals.clone(),
        revision_history_limit: before.revision_history_limit,
        persistent_volume_claim_retention_policy: before
            .persistent_volume_claim_retention_policy
            .clone(),
        ..now.clone()
    };
    if kept != *before {
        let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
                   'template', 'updateStrategy', 'revisionHistoryLimit', \
                   'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        errors.forbidden(&Path::new("spec"), why);
    }
}

pub(crate) fn controller_revision(errors: &mut Errors, revision: &ControllerRevision) {
    meta::object_meta(errors, &revision.metadata, true, text::dns1123_subdomain);
    non_negative(errors, &Path::new("revision"), revision.revision);
    let path = Path::new("data");
    match revision.data.as_ref().map(|it| &it.0) {
        None | Some(serde_json::Value::Null) => errors.required(&path, "data is mandatory"),
        Some(serde_json::Value::Object(_)) => {}
        Some(_) => errors.required(&path, "data must be a valid JSON object"),
    }
}

pub(crate) fn controller_revision_update(
    errors: &mut Errors,
    new: &ControllerRevision,
    old: &ControllerRevision,
) {
    meta::object_meta_update(errors, &new.metadata);
    non_negative(errors, &Path::new("revision"), new.revision);
    if new.data != old.data {
        errors.invalid(&Path::new("data"), Bad::json(&new.data), text::IMMUTABLE);
    }
}
