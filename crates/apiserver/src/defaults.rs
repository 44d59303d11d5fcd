//! The values that the server fills in where a manifest says nothing.
//!
//! Upstream: `pkg/apis/*/v1/{defaults,zz_generated.defaults}.go`, v1.36.

use std::sync::Arc;

use api::Object;

mod apps;
mod autoscaling;
mod batch;
mod core;
mod pod;
mod storage;

/// Every namespace carries its own name as a label.
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Fills in the defaults of an object's kind.
pub fn default_object(object: &mut Object) {
    match object {
        Object::Pod(it) => pod::set_pod(Arc::make_mut(it)),
        Object::ReplicaSet(it) => apps::set_replica_set(Arc::make_mut(it)),
        Object::Deployment(it) => apps::set_deployment(Arc::make_mut(it)),
        Object::StatefulSet(it) => apps::set_stateful_set(Arc::make_mut(it)),
        Object::DaemonSet(it) => apps::set_daemon_set(Arc::make_mut(it)),
        Object::Job(it) => batch::set_job(Arc::make_mut(it)),
        Object::CronJob(it) => batch::set_cron_job(Arc::make_mut(it)),
        Object::HorizontalPodAutoscaler(it) => autoscaling::set_autoscaler(Arc::make_mut(it)),
        Object::Service(it) => core::set_service(Arc::make_mut(it)),
        Object::Namespace(it) => core::set_namespace(Arc::make_mut(it)),
        Object::Node(it) => core::set_node(Arc::make_mut(it)),
        Object::Secret(it) => core::set_secret(Arc::make_mut(it)),
        Object::ConfigMap(_) | Object::ServiceAccount(_) | Object::Binding(_) => {}
        Object::LimitRange(it) => core::set_limit_range(Arc::make_mut(it)),
        Object::ResourceQuota(it) => core::set_resource_quota(Arc::make_mut(it)),
        Object::PersistentVolume(it) => storage::set_volume(Arc::make_mut(it)),
        Object::PersistentVolumeClaim(it) => storage::set_claim(Arc::make_mut(it)),
        Object::StorageClass(it) => storage::set_class(Arc::make_mut(it)),
        Object::CSIDriver(it) => storage::set_driver(Arc::make_mut(it)),
        Object::PriorityClass(it) => {
            Arc::make_mut(it)
                .preemption_policy
                .get_or_insert_with(|| "PreemptLowerPriority".to_owned());
        }
        Object::EndpointSlice(it) => {
            for port in Arc::make_mut(it).ports.iter_mut().flatten() {
                port.name.get_or_insert_default();
                port.protocol.get_or_insert_with(|| "TCP".to_owned());
            }
        }
        Object::PodDisruptionBudget(_)
        | Object::ControllerRevision(_)
        | Object::Lease(_)
        | Object::CSINode(_)
        | Object::Event(_) => {}
    }
}

/// Sets a text that is missing or empty, as Go's zero value is.
pub(crate) fn set_text(field: &mut Option<String>, default: &str) {
    if field.as_deref().unwrap_or_default().is_empty() {
        *field = Some(default.to_owned());
    }
}
