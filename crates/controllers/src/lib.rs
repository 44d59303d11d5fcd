//! The controllers of kube-controller-manager, one module each.
//!
//! Every controller is an [`api::Component`]: it reacts to changes by queueing keys, and decides
//! for one key what to change. None of them knows another.

mod controller_utils;
pub mod cronjob;
pub mod daemon;
pub mod deployment;
pub mod disruption;
pub mod endpointslice;
pub mod ephemeral;
pub mod garbagecollector;
mod history;
pub mod job;
pub mod namespace;
pub mod nodelifecycle;
pub mod persistentvolume;
pub mod podgc;
pub mod replicaset;
pub mod resourcequota;
pub mod statefulset;
pub mod tainteviction;
#[cfg(test)]
mod testing;
pub mod ttl;
pub mod ttlafterfinished;

use api::Component;

/// All controllers, in the order in which they hear of a change.
#[must_use]
pub fn all() -> Vec<Box<dyn Component>> {
    vec![
        Box::new(replicaset::ReplicaSetController::default()),
        Box::new(deployment::DeploymentController),
        Box::new(statefulset::StatefulSetController::default()),
        Box::new(daemon::DaemonSetsController::default()),
        Box::new(endpointslice::EndpointSliceController::default()),
        Box::new(job::JobController::default()),
        Box::new(cronjob::CronJobController::default()),
        Box::new(ttlafterfinished::TtlAfterFinishedController),
        Box::new(garbagecollector::GarbageCollector),
        Box::new(namespace::NamespaceController::default()),
        Box::new(nodelifecycle::NodeLifecycleController::default()),
        Box::new(tainteviction::TaintEvictionController::default()),
        Box::new(podgc::PodGcController::default()),
        Box::new(disruption::DisruptionController::default()),
        Box::new(persistentvolume::PersistentVolumeController::default()),
        Box::new(ephemeral::EphemeralVolumeController),
        Box::new(resourcequota::ResourceQuotaController),
        Box::new(ttl::TtlController::default()),
    ]
}
