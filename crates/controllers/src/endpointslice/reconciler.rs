//! Puts the endpoints of a Service into as few writes of slices as it can.
//!
//! Upstream: `staging/src/k8s.io/endpointslice/reconciler.go`, v1.36.
//! Differs from upstream: endpoints fill slices in the order of their addresses, because upstream
//! takes them from a map in random order.

use api::{Gather, Order};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use api::{Action, DeleteOptions, Plan, Resource, Timestamp, View, pods};
use k8s_openapi::api::core::v1::{Node, Pod, Service, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::trafficdist::reconcile_hints;
use super::trigger_time_tracker::annotate;
use super::utils as util;
use crate::controller_utils as utils;

/// Upstream: the flag `--max-endpoints-per-slice`.
const MAX_ENDPOINTS: usize = 100;

/// By what endpoints are told apart: addresses, host name, pod.
type EndpointKey = (Vec<String>, Option<String>, Option<String>);
type EndpointSet = BTreeMap<EndpointKey, Endpoint>;
type PortKey = Vec<(String, i32, String, String)>;
type ByPorts = BTreeMap<PortKey, (Vec<EndpointPort>, EndpointSet)>;

/// The slices to be written.
#[derive(Default)]
struct Writes {
    create: Vec<EndpointSlice>,
    update: Vec<EndpointSlice>,
    delete: Vec<EndpointSlice>,
}

/// Plans the writes, and returns what went wrong. Upstream: `Reconcile`.
pub(super) fn reconcile(
    plan: &mut Plan,
    service: &Service,
    spec: &ServiceSpec,
    pods: &[&Pod],
    slices: &[&EndpointSlice],
    trigger_time: Option<Timestamp>,
    view: &View<'_>,
) -> Vec<String> {
    let mut errors = Vec::new();
    let types = util::address_types(spec);
    for address_type in &types {
        let of_type = slices.iter().filter(|it| it.address_type == *address_type);
        let of_type: Vec<&EndpointSlice> = of_type.copied().collect();
        let one = OneType { service, spec, address_type, slices: &of_type };
        let (writes, mut failed) = one.reconcile(pods, view);
        finalize(plan, service, writes, trigger_time, view);
        errors.append(&mut failed);
    }
    for slice in slices.iter().filter(|it| !types.contains(&it.address_type.as_str())) {
        plan.push(delete(slice));
    }
    errors
}

fn delete(slice: &EndpointSlice) -> Action {
    Action::Delete { key: slice.object_ref(), options: DeleteOptions::default() }
}

/// Turns pairs of a deletion and a creation into updates. Upstream: `finalize`.
fn finalize(
    plan: &mut Plan,
    service: &Service,
    mut writes: Writes,
    trigger_time: Option<Timestamp>,
    view: &View<'_>,
) {
    let mut delete_last = Vec::new();
    for old in writes.delete {
        match writes.create.pop() {
            Some(mut new) if is_owned(&old, service) => {
                new.metadata = renamed(&old, &new);
                writes.update.push(new);
            }
            other => {
                writes.create.extend(other);
                delete_last.push(old);
            }
        }
    }
    for slice in writes.create.iter_mut().chain(&mut writes.update) {
        annotate(&mut slice.metadata, trigger_time);
    }
    let terminating = service.metadata.deletion_timestamp.is_some()
        || utils::namespace_terminating(service.namespace(), view);
    for slice in writes.create.into_iter().filter(|_| !terminating) {
        let object = slice.into_object();
        plan.push(Action::Create { object, created: None, failed: None });
    }
    plan.actions.extend(writes.update.into_iter().map(utils::update));
    plan.actions.extend(delete_last.iter().map(delete));
}

/// The identity of the old slice with the labels of the new one.
fn renamed(old: &EndpointSlice, new: &EndpointSlice) -> ObjectMeta {
    let mut metadata = old.metadata.clone();
    metadata.labels.clone_from(&new.metadata.labels);
    metadata
}

fn is_owned(slice: &EndpointSlice, service: &Service) -> bool {
    slice.metadata.owner_references.iter().flatten().any(|it| it.uid == service.uid())
}

fn key_of(endpoint: &Endpoint) -> EndpointKey {
    let pod = endpoint.target_ref.as_ref().and_then(|it| it.name.clone());
    (endpoint.addresses.clone(), endpoint.hostname.clone(), pod)
}

fn port_key(ports: &[EndpointPort]) -> PortKey {
    let mut keys: PortKey = ports.iter().map(util::port_key).collect();
    keys.order();
    keys
}

/// The slices of a Service with addresses of one type.
struct OneType<'a> {
    service: &'a Service,
    spec: &'a ServiceSpec,
    address_type: &'a str,
    slices: &'a [&'a EndpointSlice],
}

impl OneType<'_> {
    /// Upstream: `reconcileByAddressType`.
    fn reconcile(&self, pods: &[&Pod], view: &View<'_>) -> (Writes, Vec<String>) {
        let mut writes = Writes::default();
        let mut existing: BTreeMap<PortKey, Vec<&EndpointSlice>> = BTreeMap::new();
        for slice in self.slices {
            if is_owned(slice, self.service) {
                let ports = slice.ports.as_deref().unwrap_or_default();
                existing.entry(port_key(ports)).or_default().push(slice);
            } else {
                writes.delete.push((*slice).clone());
            }
        }
        let (desired, errors) = self.desired(pods, view);
        for (key, (ports, set)) in desired {
            let slices = existing.remove(&key).unwrap_or_default();
            self.reconcile_ports(&mut writes, &slices, set, &ports);
        }
        writes.delete.extend(existing.into_values().flatten().cloned());
        // A Service always has a slice, if only an empty one.
        if writes.delete.len() == self.slices.len() && writes.create.is_empty() {
            let placeholder = util::new_slice(self.service, self.spec, self.address_type, &[]);
            let present = matches!(writes.delete.as_slice(), [only]
                if endpoints(only).is_empty()
                    && only.ports.as_ref().is_none_or(Vec::is_empty)
                    && only.metadata.labels == placeholder.metadata.labels
                    && is_owned(only, self.service));
            if present {
                writes.delete.clear();
            } else {
                writes.create.push(placeholder);
            }
        }
        self.hint(&mut writes);
        (writes, errors)
    }

    fn hint(&self, writes: &mut Writes) {
        let known: BTreeSet<String> =
            writes.update.iter().chain(&writes.delete).map(|it| it.name().to_owned()).to_set();
        let unchanged = self.slices.iter().filter(|it| !known.contains(it.name()));
        // A slice without hints that shall have none needs no copy.
        let hinted = |it: &Endpoint| it.hints.is_some();
        let wants = self.spec.traffic_distribution.is_some();
        let unchanged = unchanged.filter(|it| wants || endpoints(it).iter().any(hinted));
        let unchanged = unchanged.map(|it| (*it).clone());
        let written = writes.create.iter_mut().chain(&mut writes.update);
        let mut changed = reconcile_hints(self.service, self.spec, written, unchanged);
        writes.update.append(&mut changed);
    }

    /// The endpoints that should be, by their ports.
    fn desired(&self, pods: &[&Pod], view: &View<'_>) -> (ByPorts, Vec<String>) {
        let mut desired = ByPorts::new();
        let mut errors = Vec::new();
        for pod in pods.iter().filter(|it| util::is_listed(it)) {
            let ports = util::ports(self.spec, pod);
            let entry = desired.entry(port_key(&ports)).or_default();
            entry.0 = ports;
            let name = pods::node_name(pod).unwrap_or_default();
            let node = view.listers.get::<Node>("", name);
            if node.is_none() && self.spec.publish_not_ready_addresses != Some(true) {
                let (pod, service) = (pod.name(), self.service.object_ref().namespaced_name());
                errors.push(format!(
                    "skipping Pod {pod} for Service {service}: Node {name} Not Found"
                ));
                continue;
            }
            let endpoint = util::endpoint(pod, node, self.service, self.address_type);
            if !endpoint.addresses.is_empty() {
                entry.1.insert(key_of(&endpoint), endpoint);
            }
        }
        (desired, errors)
    }

    /// First drops and updates endpoints where they are, then fills what is written anyway, then
    /// the fullest slice with enough room, then new slices. Upstream: `reconcileByPortMapping`.
    fn reconcile_ports(
        &self,
        writes: &mut Writes,
        existing: &[&EndpointSlice],
        mut desired: EndpointSet,
        ports: &[EndpointPort],
    ) {
        let labels = util::slice_labels(self.service, self.spec);
        let (mut update, mut unchanged) = (Vec::new(), Vec::new());
        for slice in existing {
            let mut new = (*slice).clone();
            let kept = endpoints(slice).iter().filter_map(|it| desired.remove(&key_of(it)));
            new.endpoints = Some(kept.collect());
            new.metadata.labels = Some(labels.clone());
            let pairs = || endpoints(&new).iter().zip(endpoints(slice));
            let changed = endpoints(&new).len() != endpoints(slice).len()
                || pairs().any(|(new, old)| !equal_but_for_hints(new, old));
            if changed && endpoints(&new).is_empty() {
                writes.delete.push((*slice).clone());
            } else if changed || new.metadata.labels != slice.metadata.labels {
                update.push(new);
            } else {
                unchanged.push((*slice).clone());
            }
        }
        update.order_by_key(|it| Reverse(endpoints(it).len()));
        for slice in &mut update {
            fill(slice, &mut desired);
        }
        while !desired.is_empty() {
            match slice_to_fill(&unchanged, desired.len()) {
                Some(at) => {
                    let mut slice = unchanged.remove(at);
                    fill(&mut slice, &mut desired);
                    update.push(slice);
                }
                None => {
                    let mut slice =
                        util::new_slice(self.service, self.spec, self.address_type, ports);
                    fill(&mut slice, &mut desired);
                    writes.create.push(slice);
                }
            }
        }
        writes.update.append(&mut update);
    }
}

/// Upstream: `EndpointsEqualBeyondHash`.
fn equal_but_for_hints(a: &Endpoint, b: &Endpoint) -> bool {
    (&a.node_name, &a.zone, &a.conditions, &a.target_ref)
        == (&b.node_name, &b.zone, &b.conditions, &b.target_ref)
}

fn endpoints(slice: &EndpointSlice) -> &[Endpoint] {
    slice.endpoints.as_deref().unwrap_or_default()
}

fn fill(slice: &mut EndpointSlice, endpoints: &mut EndpointSet) {
    let places = slice.endpoints.get_or_insert_default();
    while places.len() < MAX_ENDPOINTS
        && let Some((_, endpoint)) = endpoints.pop_first()
    {
        places.push(endpoint);
    }
}

/// The slice that so many more endpoints fill best. Upstream: `getSliceToFill`.
fn slice_to_fill(slices: &[EndpointSlice], n: usize) -> Option<usize> {
    if n >= MAX_ENDPOINTS {
        return None;
    }
    let room = |it: &EndpointSlice| MAX_ENDPOINTS.checked_sub(endpoints(it).len() + n);
    let fitting = slices.iter().enumerate().filter_map(|(at, it)| Some((room(it)?, at)));
    fitting.min().map(|(_, at)| at)
}

#[cfg(test)]
mod tests {
    use api::Objects;
    use k8s_openapi::api::core::v1::{PodCondition, PodIP, PodSpec, PodStatus, ServicePort};

    use super::*;

    fn service() -> Service {
        let mut service = Service::default();
        service.metadata.name = Some("web".to_owned());
        service.metadata.namespace = Some("default".to_owned());
        service.metadata.uid = Some("s".to_owned());
        let port = ServicePort { port: 80, ..ServicePort::default() };
        service.spec = Some(ServiceSpec { ports: Some(vec![port]), ..ServiceSpec::default() });
        service
    }

    fn pod(i: usize, ready: bool) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = Some(format!("p{i}"));
        pod.metadata.namespace = Some("default".to_owned());
        let node_name = Some("n".to_owned());
        pod.spec = Some(PodSpec { node_name, ..PodSpec::default() });
        let ready = PodCondition {
            type_: "Ready".to_owned(),
            status: if ready { "True" } else { "False" }.to_owned(),
            ..PodCondition::default()
        };
        pod.status = Some(PodStatus {
            pod_ips: Some(vec![PodIP { ip: format!("10.0.{}.{}", i / 250, i % 250) }]),
            conditions: Some(vec![ready]),
            ..PodStatus::default()
        });
        pod
    }

    fn writes(pods: &[Pod], slices: &[EndpointSlice]) -> Writes {
        let mut objects = Objects::default();
        let mut node = Node::default();
        node.metadata.name = Some("n".to_owned());
        objects.put(node.into_object());
        let view = View {
            listers: api::Listers(&objects),
            now: Timestamp::UNIX_EPOCH,
            seed: 0,
            settings: &api::Settings::default(),
            zones: &api::Zones::default(),
            recording: true,
        };
        let service = service();
        let slices: Vec<&EndpointSlice> = slices.iter().collect();
        let spec = service.spec.as_ref().unwrap();
        let one = OneType { service: &service, spec, address_type: "IPv4", slices: &slices };
        let (writes, errors) = one.reconcile(&pods.iter().collect::<Vec<_>>(), &view);
        assert_eq!(errors, Vec::<String>::new());
        writes
    }

    fn sizes(slices: &[EndpointSlice]) -> Vec<usize> {
        slices.iter().map(|it| endpoints(it).len()).collect()
    }

    fn stored(mut slices: Vec<EndpointSlice>) -> Vec<EndpointSlice> {
        for (i, slice) in slices.iter_mut().enumerate() {
            slice.metadata.name = Some(format!("web-{i}"));
        }
        slices
    }

    /// What a slice tells of a pod: ready, serving, terminating; `None`: it is not listed.
    #[test]
    fn readiness_is_told_in_three_words() {
        for (ready, phase, going, publish, expected) in [
            (true, "Running", false, false, Some((true, true, false))),
            (false, "Running", false, false, Some((false, false, false))),
            (true, "Running", true, false, Some((false, true, true))),
            (false, "Running", true, false, Some((false, false, true))),
            (false, "Running", false, true, Some((true, false, false))),
            (true, "Running", true, true, Some((true, true, true))),
            (true, "Failed", false, true, None),
            (false, "Succeeded", false, false, None),
        ] {
            let mut pod = pod(0, ready);
            pod.status.as_mut().unwrap().phase = Some(phase.to_owned());
            if going {
                let now = api::time::meta_time(Timestamp::UNIX_EPOCH);
                pod.metadata.deletion_timestamp = Some(now);
            }
            let mut service = service();
            service.spec.as_mut().unwrap().publish_not_ready_addresses = Some(publish);
            let told = util::is_listed(&pod).then(|| {
                let it = util::endpoint(&pod, None, &service, "IPv4").conditions.unwrap();
                (it.ready.unwrap(), it.serving.unwrap(), it.terminating.unwrap())
            });
            assert_eq!(told, expected, "{ready} {phase} {going} {publish}");
        }
    }

    #[test]
    fn a_named_port_is_found_by_name_and_protocol() {
        use api::k8s_openapi::api::core::v1::{Container, ContainerPort};
        use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
        let port = |name: &str, number: i32, protocol: &str| ContainerPort {
            name: Some(name.to_owned()),
            container_port: number,
            protocol: Some(protocol.to_owned()),
            ..ContainerPort::default()
        };
        let mut pod = pod(0, true);
        pod.spec.as_mut().unwrap().containers = vec![Container {
            ports: Some(vec![port("dns", 53, "TCP"), port("dns", 5_353, "UDP")]),
            ..Container::default()
        }];
        for (target, protocol, expected) in [
            (None, "TCP", Some(80)),
            (Some(IntOrString::Int(8_080)), "TCP", Some(8_080)),
            (Some(IntOrString::String("dns".to_owned())), "TCP", Some(53)),
            (Some(IntOrString::String("dns".to_owned())), "UDP", Some(5_353)),
            (Some(IntOrString::String("web".to_owned())), "TCP", None),
        ] {
            let port = ServicePort {
                port: 80,
                protocol: Some(protocol.to_owned()),
                target_port: target.clone(),
                ..ServicePort::default()
            };
            let spec = ServiceSpec { ports: Some(vec![port]), ..ServiceSpec::default() };
            let found = util::ports(&spec, &pod).first().and_then(|it| it.port);
            assert_eq!(found, expected, "{target:?} {protocol}");
        }
    }

    #[test]
    fn a_service_without_pods_has_one_empty_slice() {
        let first = writes(&[], &[]);
        assert_eq!(sizes(&first.create), [0]);
        let again = writes(&[], &stored(first.create));
        assert_eq!((again.create.len(), again.update.len(), again.delete.len()), (0, 0, 0));
    }

    #[test]
    fn a_slice_holds_a_hundred_endpoints_and_a_further_pod_goes_where_there_is_room() {
        let pods: Vec<Pod> = (0..250).map(|i| pod(i, true)).collect();
        let slices = stored(writes(&pods[..230], &[]).create);
        assert_eq!(sizes(&slices), [100, 100, 30]);
        let more = writes(&pods[..231], &slices);
        assert_eq!((sizes(&more.update), more.create.len()), (vec![31], 0));
    }

    #[test]
    fn a_pod_that_becomes_ready_changes_its_slice_only() {
        let mut pods: Vec<Pod> = (0..101).map(|i| pod(i, false)).collect();
        let slices = stored(writes(&pods, &[]).create);
        pods[0] = pod(0, true);
        let changed = writes(&pods, &slices);
        assert_eq!(sizes(&changed.update), [100]);
        assert!(changed.create.is_empty() && changed.delete.is_empty());
    }
}
