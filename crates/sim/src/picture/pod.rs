//! Pods as tiles.

use std::collections::BTreeMap;

use api::Gather;
use api::k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use api::k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use api::{Listers, Object, Resource, Timestamp, pods, resources};
use view::{ContainerTile, PodTile};

use super::{created_ms, ms};
use crate::moments::{owners_of, unschedulable, workload_name};

/// The annotation of pods that mirror a manifest on their node.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// A pod as the page draws it.
pub(super) fn pod_tile(
    object: &Object,
    pod: &Pod,
    start: Timestamp,
    listers: &Listers<'_>,
) -> PodTile {
    let owners = owners_of(object, listers);
    let root = owners.last().cloned().unwrap_or_else(|| pod.object_ref());
    let requests = resources::pod_requests(pod);
    let amount = |resource: &str| requests.get(resource).copied().unwrap_or_default();
    let statuses = pod.status.as_ref().and_then(|it| it.container_statuses.as_ref());
    let started = statuses.into_iter().flatten().filter_map(started_at).min();
    let finished = statuses.into_iter().flatten().filter_map(finished_at).max();
    PodTile {
        namespace: pod.namespace().to_owned(),
        name: pod.name().to_owned(),
        node: pods::node_name(pod).unwrap_or_default().to_owned(),
        phase: pods::phase(pod).to_owned(),
        status: kubectl::pod_status(pod),
        ready: pods::is_ready(pod),
        terminating: pods::is_terminating(pod),
        workload: workload_name(&root),
        owners: owners.iter().map(api::ObjectRef::to_view).collect(),
        cpu: amount("cpu"),
        memory: amount("memory"),
        message: unschedulable(pod).unwrap_or_default().to_owned(),
        is_static: pod.metadata.annotations.as_ref().is_some_and(|it| it.contains_key(MIRROR)),
        containers: container_tiles(pod),
        priority: pod.spec.as_ref().and_then(|it| it.priority).unwrap_or_default(),
        created_ms: created_ms(start, object),
        started_ms: started.map(|it| ms(start, &it)),
        finished_ms: finished.filter(|_| pods::is_terminal(pod)).map(|it| ms(start, &it)),
    }
}

fn states(status: &ContainerStatus) -> impl Iterator<Item = &ContainerState> {
    status.last_state.iter().chain(&status.state)
}

fn started_at(status: &ContainerStatus) -> Option<Time> {
    states(status)
        .filter_map(|state| {
            let running = state.running.as_ref().and_then(|it| it.started_at.clone());
            running.or_else(|| state.terminated.as_ref().and_then(|it| it.started_at.clone()))
        })
        .min()
}

fn finished_at(status: &ContainerStatus) -> Option<Time> {
    status.state.as_ref()?.terminated.as_ref()?.finished_at.clone()
}

/// All containers in the order of the spec, init containers first.
fn container_tiles(pod: &Pod) -> Vec<ContainerTile> {
    let status = pod.status.as_ref();
    let init = status.and_then(|it| it.init_container_statuses.as_ref()).into_iter().flatten();
    let main = status.and_then(|it| it.container_statuses.as_ref()).into_iter().flatten();
    let statuses: BTreeMap<_, _> = init.chain(main).map(|it| (it.name.as_str(), it)).to_map();
    let spec = pods::spec(pod);
    let init = spec.and_then(|it| it.init_containers.as_ref()).into_iter().flatten();
    let main = spec.map(|it| it.containers.as_slice()).unwrap_or_default();
    init.chain(main)
        .map(|container| {
            let status = statuses.get(container.name.as_str());
            let (state, reason) = status.map_or(("waiting", ""), |it| state_word(it));
            ContainerTile {
                name: container.name.clone(),
                state: state.to_owned(),
                reason: reason.to_owned(),
                restarts: status.map_or(0, |it| it.restart_count),
            }
        })
        .collect()
}

/// `waiting`, `running` or `terminated`, and why.
pub(crate) fn state_word(status: &ContainerStatus) -> (&'static str, &str) {
    let Some(state) = &status.state else { return ("waiting", "") };
    if let Some(it) = &state.waiting {
        ("waiting", it.reason.as_deref().unwrap_or_default())
    } else if let Some(it) = &state.terminated {
        ("terminated", it.reason.as_deref().unwrap_or_default())
    } else if state.running.is_some() {
        ("running", "")
    } else {
        ("waiting", "")
    }
}
