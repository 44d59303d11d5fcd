//! What each kind does with an object before it is stored: which fields a request may set, which
//! the server fills in, and when `metadata.generation` grows.
//!
//! Upstream: `pkg/registry/*/*/strategy.go`, v1.36.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{Object, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::PodTemplateSpec;

mod persistentvolumeclaim;
pub(crate) mod pod;

/// Runs the body for two objects of the same kind, if the kind has a status.
macro_rules! with_status {
    ($a:expr, $b:expr, |$x:ident, $y:ident| $body:block) => {
        match ($a, $b) {
            (Object::Namespace($x), Object::Namespace($y)) => $body,
            (Object::Node($x), Object::Node($y)) => $body,
            (Object::Pod($x), Object::Pod($y)) => $body,
            (Object::Service($x), Object::Service($y)) => $body,
            (Object::PersistentVolume($x), Object::PersistentVolume($y)) => $body,
            (Object::PersistentVolumeClaim($x), Object::PersistentVolumeClaim($y)) => $body,
            (Object::ResourceQuota($x), Object::ResourceQuota($y)) => $body,
            (Object::ReplicaSet($x), Object::ReplicaSet($y)) => $body,
            (Object::Deployment($x), Object::Deployment($y)) => $body,
            (Object::StatefulSet($x), Object::StatefulSet($y)) => $body,
            (Object::DaemonSet($x), Object::DaemonSet($y)) => $body,
            (Object::Job($x), Object::Job($y)) => $body,
            (Object::CronJob($x), Object::CronJob($y)) => $body,
            (Object::HorizontalPodAutoscaler($x), Object::HorizontalPodAutoscaler($y)) => $body,
            (Object::PodDisruptionBudget($x), Object::PodDisruptionBudget($y)) => $body,
            _ => {}
        }
    };
}

/// Runs the body for an object whose kind counts generations.
macro_rules! with_generation {
    ($a:expr, $b:expr, |$x:ident, $y:ident| $body:block) => {
        match ($a, $b) {
            (Object::Pod($x), Object::Pod($y)) => $body,
            (Object::ReplicaSet($x), Object::ReplicaSet($y)) => $body,
            (Object::Deployment($x), Object::Deployment($y)) => $body,
            (Object::StatefulSet($x), Object::StatefulSet($y)) => $body,
            (Object::DaemonSet($x), Object::DaemonSet($y)) => $body,
            (Object::Job($x), Object::Job($y)) => $body,
            (Object::CronJob($x), Object::CronJob($y)) => $body,
            (Object::PodDisruptionBudget($x), Object::PodDisruptionBudget($y)) => $body,
            _ => {}
        }
    };
}

/// Prepares a new object. Its uid must be set. Upstream: `PrepareForCreate`.
pub fn prepare_for_create(object: &mut Object, now: Timestamp) {
    pod::drop_disabled_fields(object, None);
    match object {
        Object::Pod(it) => pod::prepare(Arc::make_mut(it)),
        Object::Job(it) => prepare_job(Arc::make_mut(it)),
        Object::ReplicaSet(it) => {
            let it = Arc::make_mut(it);
            it.metadata.generation = Some(1);
            it.status = Some(Default::default());
        }
        Object::Deployment(it) => {
            let it = Arc::make_mut(it);
            it.metadata.generation = Some(1);
            it.status = Some(Default::default());
        }
        Object::StatefulSet(it) => {
            let it = Arc::make_mut(it);
            it.metadata.generation = Some(1);
            drop_max_unavailable(it, None);
            // `availableReplicas` is written even when it is zero.
            it.status = Some(k8s_openapi::api::apps::v1::StatefulSetStatus {
                available_replicas: Some(0),
                ..Default::default()
            });
        }
        Object::DaemonSet(it) => {
            let it = Arc::make_mut(it);
            it.metadata.generation = Some(1);
            it.status = Some(Default::default());
            let generation = it.metadata.annotations.get_or_insert_default();
            generation.entry(TEMPLATE_GENERATION.to_owned()).or_insert_with(|| "1".to_owned());
        }
        Object::CronJob(it) => {
            let it = Arc::make_mut(it);
            it.metadata.generation = Some(1);
            it.status = Some(Default::default());
        }
        Object::PodDisruptionBudget(it) => {
            let it = Arc::make_mut(it);
            it.metadata.generation = Some(1);
            it.status = Some(k8s_openapi::api::policy::v1::PodDisruptionBudgetStatus {
                current_healthy: Some(0),
                desired_healthy: Some(0),
                disruptions_allowed: Some(0),
                expected_pods: Some(0),
                ..Default::default()
            });
        }
        Object::HorizontalPodAutoscaler(it) => Arc::make_mut(it).status = Some(Default::default()),
        Object::Namespace(it) => prepare_namespace(Arc::make_mut(it)),
        Object::ResourceQuota(it) => Arc::make_mut(it).status = Some(Default::default()),
        Object::Service(it) => {
            Arc::make_mut(it).status = Some(k8s_openapi::api::core::v1::ServiceStatus {
                load_balancer: Some(Default::default()),
                conditions: None,
            });
        }
        Object::EndpointSlice(it) => Arc::make_mut(it).metadata.generation = Some(1),
        Object::PriorityClass(it) => Arc::make_mut(it).metadata.generation = Some(1),
        other => prepare_storage(other, now),
    }
}

fn prepare_storage(object: &mut Object, now: Timestamp) {
    match object {
        Object::PersistentVolume(it) => {
            let phase = Some("Pending".to_owned());
            Arc::make_mut(it).status = Some(k8s_openapi::api::core::v1::PersistentVolumeStatus {
                phase,
                last_phase_transition_time: Some(api::time::meta_time(now)),
                ..Default::default()
            });
        }
        Object::PersistentVolumeClaim(it) => {
            let phase = Some("Pending".to_owned());
            let it = Arc::make_mut(it);
            it.status = Some(k8s_openapi::api::core::v1::PersistentVolumeClaimStatus {
                phase,
                ..Default::default()
            });
            persistentvolumeclaim::prepare(it.spec.get_or_insert_default(), None);
        }
        Object::Node(it) => {
            let configured = it.spec.as_ref().is_some_and(|it| it.config_source.is_some())
                || it.status.as_ref().is_some_and(|it| it.config.is_some());
            if configured {
                let it = Arc::make_mut(it);
                it.spec.get_or_insert_default().config_source = None;
                it.status.get_or_insert_default().config = None;
            }
        }
        _ => {}
    }
}

/// How many pods of a stateful set may be down is behind a feature that is off. Upstream:
/// `dropStatefulSetDisabledFields`.
fn drop_max_unavailable(
    set: &mut k8s_openapi::api::apps::v1::StatefulSet,
    old: Option<&k8s_openapi::api::apps::v1::StatefulSet>,
) {
    let uses = |it: &k8s_openapi::api::apps::v1::StatefulSet| {
        let strategy = it.spec.as_ref().and_then(|it| it.update_strategy.as_ref());
        let rolling = strategy.and_then(|it| it.rolling_update.as_ref());
        rolling.is_some_and(|it| it.max_unavailable.is_some())
    };
    if old.is_some_and(uses) || !uses(set) {
        return;
    }
    let strategy = set.spec.as_mut().and_then(|it| it.update_strategy.as_mut());
    if let Some(it) = strategy.and_then(|it| it.rolling_update.as_mut()) {
        it.max_unavailable = None;
    }
}

/// Where `apps/v1` keeps the `spec.templateGeneration` of older versions.
pub const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// The label that ties pods to their Job, and the older form of it.
const CONTROLLER_UID: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];
const JOB_NAME: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];

fn prepare_job(job: &mut Job) {
    generate_selector_if_needed(job);
    job.metadata.generation = Some(1);
    job.status = Some(Default::default());
}

/// Whether defaulting will make the labels of a Job's template its own, too.
pub(crate) fn job_shares_labels(object: &Object) -> bool {
    let Object::Job(job) = object else { return false };
    let template = job.spec.as_ref().and_then(|it| it.template.metadata.as_ref());
    job.metadata.labels.as_ref().is_none_or(BTreeMap::is_empty)
        && template.is_some_and(|it| it.labels.is_some())
}

/// Both are one map upstream: what the strategy adds to the template's labels, the Job has as well.
pub(crate) fn share_job_labels(object: &mut Object) {
    let Object::Job(job) = object else { return };
    let job = Arc::make_mut(job);
    let template = job.spec.as_ref().and_then(|it| it.template.metadata.as_ref());
    job.metadata.labels = template.and_then(|it| it.labels.clone());
}

/// Gives the Job its selector unless the user wants to choose it. Upstream: `generateSelector`.
pub(crate) fn generate_selector_if_needed(job: &mut Job) {
    let name = job.metadata.name.clone().unwrap_or_default();
    let uid = job.metadata.uid.clone().unwrap_or_default();
    let spec = job.spec.get_or_insert_default();
    if spec.manual_selector == Some(true) {
        return;
    }
    let labels = template_labels(&mut spec.template);
    for key in JOB_NAME {
        labels.entry(key.to_owned()).or_insert_with(|| name.clone());
    }
    for key in CONTROLLER_UID {
        labels.entry(key.to_owned()).or_insert_with(|| uid.clone());
    }
    let selector = spec.selector.get_or_insert_default();
    let labels = selector.match_labels.get_or_insert_default();
    labels.entry(CONTROLLER_UID[0].to_owned()).or_insert(uid);
}

fn template_labels(template: &mut PodTemplateSpec) -> &mut BTreeMap<String, String> {
    template.metadata.get_or_insert_default().labels.get_or_insert_default()
}

fn prepare_namespace(namespace: &mut k8s_openapi::api::core::v1::Namespace) {
    let finalizers = namespace.spec.get_or_insert_default().finalizers.get_or_insert_default();
    if !finalizers.iter().any(|it| it == "kubernetes") {
        finalizers.push("kubernetes".to_owned());
    }
    namespace.status = Some(k8s_openapi::api::core::v1::NamespaceStatus {
        phase: Some("Active".to_owned()),
        conditions: None,
    });
}

/// Prepares an update of the main resource: the status stays, and the generation grows when the
/// spec changed. Upstream: `PrepareForUpdate`.
pub fn prepare_for_update(new: &mut Object, old: &Object) {
    new.meta_mut().generation = old.meta().generation;
    with_status!(&mut *new, old, |new, old| {
        if new.status != old.status {
            Arc::make_mut(new).status = old.status.clone();
        }
    });
    pod::drop_disabled_fields(new, Some(old));
    match (&mut *new, old) {
        (Object::Namespace(new), Object::Namespace(old)) if new.spec != old.spec => {
            Arc::make_mut(new).spec = old.spec.clone();
        }
        (Object::StatefulSet(new), Object::StatefulSet(old)) if new.spec != old.spec => {
            drop_max_unavailable(Arc::make_mut(new), Some(old));
        }
        (Object::PersistentVolumeClaim(new), Object::PersistentVolumeClaim(old))
            if new.spec != old.spec =>
        {
            let spec = Arc::make_mut(new).spec.get_or_insert_default();
            persistentvolumeclaim::prepare(spec, old.spec.as_ref());
        }
        (Object::Node(new), Object::Node(old)) => {
            let source = |it: &k8s_openapi::api::core::v1::Node| {
                it.spec.as_ref().is_some_and(|it| it.config_source.is_some())
            };
            if source(new) && !source(old) {
                Arc::make_mut(new).spec.get_or_insert_default().config_source = None;
            }
        }
        _ => {}
    }
    let mut grows = false;
    with_generation!(&*new, old, |new, old| { grows = new.spec != old.spec });
    if let (Object::Deployment(new), Object::Deployment(old)) = (&*new, old) {
        // Its annotations are copied to the replica sets.
        grows |= new.metadata.annotations != old.metadata.annotations;
    }
    if let (Object::EndpointSlice(new), Object::EndpointSlice(old)) = (&*new, old) {
        grows = new.endpoints != old.endpoints
            || new.ports != old.ports
            || new.metadata.labels != old.metadata.labels;
    }
    if let (Object::DaemonSet(new), Object::DaemonSet(old)) = (&mut *new, old) {
        update_template_generation(new, old);
    }
    if grows {
        let generation = old.meta().generation.unwrap_or_default() + 1;
        new.meta_mut().generation = Some(generation);
    }
}

fn update_template_generation(
    new: &mut Arc<k8s_openapi::api::apps::v1::DaemonSet>,
    old: &k8s_openapi::api::apps::v1::DaemonSet,
) {
    let generation = |it: &k8s_openapi::api::apps::v1::DaemonSet| -> i64 {
        let annotations = it.metadata.annotations.as_ref();
        let text = annotations.and_then(|it| it.get(TEMPLATE_GENERATION));
        text.and_then(|it| it.parse().ok()).unwrap_or_default()
    };
    let template =
        |it: &k8s_openapi::api::apps::v1::DaemonSet| it.spec.as_ref().map(|it| it.template.clone());
    let wanted = generation(old) + i64::from(template(new) != template(old));
    if generation(new) != wanted || wanted != generation(old) {
        let annotations = Arc::make_mut(new).metadata.annotations.get_or_insert_default();
        annotations.insert(TEMPLATE_GENERATION.to_owned(), wanted.to_string());
    }
}

/// Prepares an update of the status subresource: the spec stays, and so does what the subresource
/// may not touch of the metadata.
pub fn prepare_for_status_update(new: &mut Object, old: &Object, now: Timestamp) {
    with_status!(&mut *new, old, |new, old| {
        if new.spec != old.spec {
            Arc::make_mut(new).spec = old.spec.clone();
        }
    });
    let meta = new.meta_mut();
    meta.generation = old.meta().generation;
    meta.deletion_timestamp = old.meta().deletion_timestamp.clone();
    meta.deletion_grace_period_seconds = old.meta().deletion_grace_period_seconds;
    match (&mut *new, old) {
        (Object::Pod(new), Object::Pod(old)) => pod::prepare_status(Arc::make_mut(new), old),
        (Object::Service(new), Object::Service(_)) => {
            let status = Arc::make_mut(new).status.get_or_insert_default();
            let ingress = status.load_balancer.iter_mut().flat_map(|it| it.ingress.iter_mut());
            for it in ingress.flatten().filter(|it| it.ip.as_ref().is_some_and(|it| !it.is_empty()))
            {
                it.ip_mode.get_or_insert_with(|| "VIP".to_owned());
            }
        }
        (Object::Deployment(new), Object::Deployment(old)) => {
            Arc::make_mut(new).metadata.labels = old.metadata.labels.clone();
        }
        (Object::PersistentVolume(new), Object::PersistentVolume(old)) => {
            let phase = |it: &k8s_openapi::api::core::v1::PersistentVolume| {
                it.status.as_ref().and_then(|it| it.phase.clone())
            };
            let changed = phase(new) != phase(old);
            let before = old.status.as_ref().and_then(|it| it.last_phase_transition_time.clone());
            let status = Arc::make_mut(new).status.get_or_insert_default();
            let given = status.last_phase_transition_time.clone();
            if changed && (given.is_none() || given == before) {
                status.last_phase_transition_time = Some(api::time::meta_time(now));
            } else if !changed && given.is_none() {
                status.last_phase_transition_time = before;
            }
        }
        _ => {}
    }
}

/// Whether two objects of a kind with a status have different ones.
#[must_use]
pub fn has_another_status(new: &Object, old: &Object) -> bool {
    let mut differs = false;
    with_status!(new, old, |new, old| {
        differs = new.status != old.status;
    });
    differs
}

/// Prepares a resize of a pod: nothing but the resources of its containers changes.
pub fn prepare_for_resize(new: &mut Object, old: &Object) {
    let (Object::Pod(new), Object::Pod(old)) = (&mut *new, old) else { return };
    pod::prepare_resize(Arc::make_mut(new), old);
    let grows = new.spec != old.spec;
    let generation = old.metadata.generation.unwrap_or_default() + i64::from(grows);
    Arc::make_mut(new).metadata.generation = Some(generation);
}

/// Prepares an update of a namespace's finalize subresource: only `spec.finalizers` changes.
pub fn prepare_for_finalize(new: &mut Object, old: &Object) {
    let (Object::Namespace(new), Object::Namespace(old)) = (new, old) else { return };
    let spec = new.spec.clone();
    *new = Arc::clone(old);
    Arc::make_mut(new).spec = spec;
}

/// Whether the kind has a status subresource.
#[must_use]
pub fn has_status(kind: api::Kind) -> bool {
    use api::Kind;
    matches!(
        kind,
        Kind::Namespace
            | Kind::Node
            | Kind::Pod
            | Kind::Service
            | Kind::PersistentVolume
            | Kind::PersistentVolumeClaim
            | Kind::ResourceQuota
            | Kind::ReplicaSet
            | Kind::Deployment
            | Kind::StatefulSet
            | Kind::DaemonSet
            | Kind::Job
            | Kind::CronJob
            | Kind::HorizontalPodAutoscaler
            | Kind::PodDisruptionBudget
    )
}

/// Whether an update may leave out the resource version. Upstream: `AllowUnconditionalUpdate`.
#[must_use]
pub fn allows_unconditional_update(kind: api::Kind) -> bool {
    !matches!(
        kind,
        api::Kind::PodDisruptionBudget
            | api::Kind::CSINode
            | api::Kind::CSIDriver
            | api::Kind::Lease
    )
}
