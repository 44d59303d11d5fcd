//! The rules that an object must keep, in upstream's words.
//!
//! Upstream: `pkg/apis/*/validation/validation.go`, v1.36.
//! Differs from upstream: several errors of one map (labels, quantities) come in the order of its
//! keys, where upstream's order is random.

use api::{ApiError, Object, Zones};

use crate::store::Store;

mod apps;
mod autoscaling;
mod batch;
pub(crate) mod check;
pub(crate) mod core;
mod diff;
mod field;
mod internal;
mod labels;
mod meta;
mod other;
pub(crate) mod resources;
pub(crate) mod text;

#[cfg(test)]
mod tests;

pub use field::{Bad, Errors, Path};

/// What the rules depend on besides the object.
#[derive(Clone, Debug)]
pub(crate) struct Context<'a> {
    /// Whether privileged containers may be. Upstream: `--allow-privileged`.
    pub(crate) allow_privileged: bool,
    /// The time zones that there are; `None` when nobody has said.
    pub(crate) zones: Option<&'a Zones>,
    /// The pod's name, empty for templates.
    pub(crate) pod_name: &'a str,
    /// A pod, and no template.
    pub(crate) is_pod: bool,
}

/// Checks a new object.
pub(crate) fn validate_create(store: &Store, object: &Object) -> Result<(), ApiError> {
    let context = store.context();
    let mut errors = Errors::default();
    let e = &mut errors;
    match object {
        Object::Namespace(it) => core::small::namespace(e, it),
        Object::Node(it) => core::node::create(e, it),
        Object::Pod(it) => core::pod::create(e, it, &context),
        Object::Service(it) => core::service::create(e, it),
        Object::ConfigMap(it) => core::small::config_map(e, it),
        Object::Secret(it) => core::small::secret(e, it),
        Object::ServiceAccount(it) => core::small::service_account(e, it),
        Object::PersistentVolume(it) => core::storage::volume(e, it),
        Object::PersistentVolumeClaim(it) => core::storage::claim(e, it),
        Object::ResourceQuota(it) => core::quota::resource_quota(e, it),
        Object::LimitRange(it) => core::quota::limit_range(e, it),
        Object::Event(it) => {
            meta::object_meta(e, &it.whole().metadata, true, text::dns1123_subdomain)
        }
        Object::Binding(_) => {}
        Object::ReplicaSet(it) => apps::replica_set(e, it, &context),
        Object::Deployment(it) => apps::deployment(e, it, &context),
        Object::StatefulSet(it) => apps::stateful_set(e, it, &context),
        Object::DaemonSet(it) => apps::daemon_set(e, it, &context),
        Object::ControllerRevision(it) => apps::controller_revision(e, it),
        Object::Job(it) => batch::job(e, it, &context),
        Object::CronJob(it) => batch::cron_job(e, it, &context),
        Object::HorizontalPodAutoscaler(it) => autoscaling::autoscaler(e, it),
        Object::EndpointSlice(it) => other::endpoint_slice(e, it),
        Object::Lease(it) => {
            meta::accessor(e, &it.metadata, true, text::dns1123_subdomain);
            other::lease(e, it);
        }
        Object::PodDisruptionBudget(it) => other::disruption_budget(e, it),
        Object::PriorityClass(it) => other::priority_class(e, it),
        Object::StorageClass(it) => other::storage_class(e, it),
        Object::CSINode(it) => other::csi_node(e, it),
        Object::CSIDriver(it) => other::csi_driver(e, it),
    }
    errors.into_result(object.kind(), object.name())
}

/// Checks an update of the main resource.
pub(crate) fn validate_update(store: &Store, new: &Object, old: &Object) -> Result<(), ApiError> {
    let context = store.context();
    let mut errors = Errors::default();
    let e = &mut errors;
    meta::common_update(e, new.meta(), old.meta());
    match (new, old) {
        (Object::Namespace(new), Object::Namespace(_)) => core::small::namespace(e, new),
        (Object::Node(new), Object::Node(old)) => core::node::update(e, new, old),
        (Object::Pod(new), Object::Pod(old)) => core::pod_update::update(e, new, old, &context),
        (Object::Service(new), Object::Service(old)) => core::service::update(e, new, old),
        (Object::ConfigMap(new), Object::ConfigMap(old)) => {
            core::small::config_map_update(e, new, old);
        }
        (Object::Secret(new), Object::Secret(old)) => core::small::secret_update(e, new, old),
        (Object::PersistentVolume(new), Object::PersistentVolume(old)) => {
            core::storage::volume_update(e, new, old);
        }
        (Object::PersistentVolumeClaim(new), Object::PersistentVolumeClaim(old)) => {
            core::storage::claim_update(e, new, old);
        }
        (Object::ResourceQuota(new), Object::ResourceQuota(old)) => {
            core::quota::resource_quota_update(e, new, old);
        }
        (Object::LimitRange(new), Object::LimitRange(_)) => core::quota::limit_range(e, new),
        (Object::ReplicaSet(new), Object::ReplicaSet(old)) => {
            apps::replica_set_update(e, new, old, &context);
        }
        (Object::Deployment(new), Object::Deployment(old)) => {
            apps::deployment_update(e, new, old, &context);
        }
        (Object::StatefulSet(new), Object::StatefulSet(old)) => {
            apps::stateful_set_update(e, new, old, &context);
        }
        (Object::DaemonSet(new), Object::DaemonSet(old)) => {
            apps::daemon_set_update(e, new, old, &context);
        }
        (Object::ControllerRevision(new), Object::ControllerRevision(old)) => {
            apps::controller_revision_update(e, new, old);
        }
        (Object::Job(new), Object::Job(old)) => batch::job_update(e, new, old, &context),
        (Object::CronJob(new), Object::CronJob(old)) => {
            batch::cron_job_update(e, new, old, &context);
        }
        (Object::HorizontalPodAutoscaler(new), Object::HorizontalPodAutoscaler(old)) => {
            autoscaling::autoscaler_update(e, new, old);
        }
        (Object::EndpointSlice(new), Object::EndpointSlice(old)) => {
            other::endpoint_slice_update(e, new, old);
        }
        (Object::PodDisruptionBudget(new), Object::PodDisruptionBudget(_)) => {
            other::budget_spec(e, new);
        }
        (Object::PriorityClass(new), Object::PriorityClass(old)) => {
            other::priority_class_update(e, new, old);
        }
        (Object::StorageClass(new), Object::StorageClass(old)) => {
            other::storage_class_update(e, new, old);
        }
        (Object::CSINode(new), Object::CSINode(old)) => other::csi_node_update(e, new, old),
        (Object::CSIDriver(new), Object::CSIDriver(old)) => other::csi_driver_update(e, new, old),
        (Object::Lease(new), Object::Lease(_)) => other::lease(e, new),
        (Object::ServiceAccount(new), Object::ServiceAccount(_)) => {
            core::small::service_account(e, new);
        }
        _ => {
            meta::object_meta_update(e, new.meta());
        }
    }
    errors.into_result(new.kind(), new.name())
}

/// Checks a resize of a pod.
pub(crate) fn validate_resize(store: &Store, new: &Object, old: &Object) -> Result<(), ApiError> {
    let context = store.context();
    let mut errors = Errors::default();
    meta::common_update(&mut errors, new.meta(), old.meta());
    if let (Object::Pod(new), Object::Pod(old)) = (new, old) {
        core::pod_resize::resize(&mut errors, new, old, &context);
    }
    errors.into_result(new.kind(), new.name())
}

/// Checks an update of the status. Upstream's rules for a status concern those who write it by
/// hand; those that keep a cluster sane are here.
pub(crate) fn validate_status_update(new: &Object, old: &Object) -> Result<(), ApiError> {
    let mut errors = Errors::default();
    meta::common_update(&mut errors, new.meta(), old.meta());
    if let (Object::Node(new), Object::Node(old)) = (new, old) {
        core::node::status_update(&mut errors, new, old);
    } else {
        meta::object_meta_update(&mut errors, new.meta());
    }
    if let (Object::Job(new), Object::Job(old)) = (new, old) {
        batch::status_update(&mut errors, new, old);
    }
    if let Object::ResourceQuota(it) = new
        && let Some(status) = &it.status
    {
        core::quota::status(&mut errors, status);
    }
    if let Object::StatefulSet(it) = new
        && let Some(status) = &it.status
    {
        apps::stateful_set_status(&mut errors, status);
    }
    if let (Object::Pod(new), Object::Pod(old)) = (new, old) {
        core::pod_status::status_update(&mut errors, new, old);
    }
    errors.into_result(new.kind(), new.name())
}
