//! When the change came about that a slice shows: of a pod's readiness, or of the Service.
//!
//! Upstream: `staging/src/k8s.io/endpointslice/util/trigger_time_tracker.go` and
//! `addTriggerTimeAnnotation`, v1.36.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{ObjectRef, Resource, Timestamp, pods};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The annotation with that time. Upstream: `EndpointsLastChangeTriggerTime`.
const ANNOTATION: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// What the last sync of each Service saw.
#[derive(Clone, Debug, Default)]
pub(super) struct TriggerTimeTracker {
    services: BTreeMap<ObjectRef, Arc<ServiceState>>,
}

/// The trigger times of a Service and of its pods by name.
#[derive(Debug)]
struct ServiceState {
    service: Option<Timestamp>,
    pods: BTreeMap<String, Timestamp>,
}

impl TriggerTimeTracker {
    /// The earliest of the times that are new since the last sync; for a Service that was not
    /// known, its creation. Upstream: `ComputeEndpointLastChangeTriggerTime`.
    pub(super) fn compute(&mut self, service: &Service, pods: &[&Pod]) -> Option<Timestamp> {
        let created = service.metadata.creation_timestamp.as_ref().map(|it| it.0);
        let time = |pod: &&Pod| Some((pod.name().to_owned(), ready_changed(pod)?));
        let pods = pods.iter().filter_map(time).collect();
        let state = Arc::new(ServiceState { service: created, pods });
        let before = self.services.insert(service.object_ref(), state.clone());
        let Some(before) = before else { return created };
        let pods = state.pods.iter().filter(|(name, at)| before.pods.get(*name) < Some(*at));
        let pods = pods.map(|(_, at)| *at);
        pods.chain(created.filter(|it| before.service < Some(*it))).min()
    }

    /// Forgets a Service.
    pub(super) fn delete(&mut self, service: &ObjectRef) {
        self.services.remove(service);
    }
}

/// When a pod became ready, or ceased to be.
fn ready_changed(pod: &Pod) -> Option<Timestamp> {
    Some(pods::condition(pod, "Ready")?.last_transition_time.as_ref()?.0)
}

/// Notes the time on a slice; without one the annotation goes.
pub(super) fn annotate(meta: &mut ObjectMeta, trigger_time: Option<Timestamp>) {
    let mut annotations = meta.annotations.take().unwrap_or_default();
    match trigger_time {
        Some(at) => annotations.insert(ANNOTATION.to_owned(), at.to_string()),
        None => annotations.remove(ANNOTATION),
    };
    meta.annotations = Some(annotations).filter(|it| !it.is_empty());
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{PodCondition, PodStatus};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pod(name: &str, ready_since: i64) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = Some(name.to_owned());
        let last_transition_time = Some(Time(at(ready_since)));
        let type_ = "Ready".to_owned();
        let ready = PodCondition { type_, last_transition_time, ..PodCondition::default() };
        pod.status = Some(PodStatus { conditions: Some(vec![ready]), ..PodStatus::default() });
        pod
    }

    fn service(created: i64) -> Service {
        let mut service = Service::default();
        service.metadata.name = Some("web".to_owned());
        service.metadata.creation_timestamp = Some(Time(at(created)));
        service
    }

    /// Syncs one after the other: when the Service was created, since when its pods have been
    /// ready or not, and the time that follows.
    #[test]
    fn the_earliest_new_time_counts_and_for_a_new_service_its_creation() {
        type Sync = (i64, &'static [(&'static str, i64)], Option<i64>);
        let tables: [&[Sync]; 5] = [
            &[(5, &[], Some(5)), (5, &[], None), (5, &[("a", 9)], Some(9)), (5, &[("a", 9)], None)],
            &[(5, &[("a", 9)], Some(5)), (5, &[("a", 9), ("b", 7), ("c", 8)], Some(7))],
            &[(5, &[("a", 9)], Some(5)), (5, &[("a", 12)], Some(12)), (5, &[("a", 11)], None)],
            &[(5, &[("a", 9)], Some(5)), (5, &[], None), (5, &[("a", 9)], Some(9))],
            &[(5, &[], Some(5)), (20, &[("a", 30)], Some(20)), (20, &[("a", 30)], None)],
        ];
        for table in tables {
            let mut tracker = TriggerTimeTracker::default();
            for (created, pods, expected) in table {
                let pods: Vec<Pod> = pods.iter().map(|(name, since)| pod(name, *since)).collect();
                let pods: Vec<&Pod> = pods.iter().collect();
                let time = tracker.compute(&service(*created), &pods);
                assert_eq!(time, expected.map(at), "{table:?}");
            }
            tracker.delete(&service(0).object_ref());
            assert_eq!(tracker.compute(&service(3), &[]), Some(at(3)));
        }
    }

    #[test]
    fn a_slice_shows_the_time_or_nothing() {
        let mut meta = ObjectMeta::default();
        annotate(&mut meta, None);
        assert_eq!(meta.annotations, None);
        annotate(&mut meta, Some(at(90)));
        let text = meta.annotations.as_ref().and_then(|it| it.get(ANNOTATION));
        assert_eq!(text.map(String::as_str), Some("1970-01-01T00:01:30Z"));
        annotate(&mut meta, None);
        assert_eq!(meta.annotations, None);
    }
}
