//! Whom a pod reaches: the ways to a daemon, and to any other pod.
//!
//! Upstream: `pkg/proxy/topology.go` (`CategorizeEndpoints`) for Services; the DNS specification
//! of Kubernetes for headless ones; the portmap plugin for host ports.
//! Differs from upstream: NetworkPolicies, session affinity, traffic distribution and external
//! addresses are not looked at.

use api::k8s_openapi::api::core::v1::{ContainerPort, Pod, Service, ServiceSpec};
use api::k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use api::{Order, Resource, pods};
use view::{ObjectName, Reach, Target, Way, WayKind};

use super::Simulation;

impl Simulation {
    /// The ways from a pod to the pods of its namespace, now. `None`: there is no such pod.
    #[must_use]
    pub fn reach(&self, namespace: &str, name: &str) -> Option<Reach> {
        let listers = self.listers();
        let client = listers.get::<Pod>(namespace, name)?;
        let node = pods::node_name(client).unwrap_or_default();
        let in_namespace = |it: &&Service| it.namespace() == namespace;
        let services = listers.list::<Service>().filter(in_namespace);
        let mut ways: Vec<Way> = services.flat_map(|it| self.by_service(it, node)).collect();
        let mut ports: Vec<Way> = listers
            .list::<Pod>()
            .filter(|it| it.namespace() == namespace && it.name() != name)
            .flat_map(|it| by_node(it, node))
            .collect();
        ports.order_by_key(|it| (!it.local, it.address.clone()));
        ways.append(&mut ports);
        let client = ObjectName {
            kind: "Pod".to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        Some(Reach { client, node: node.to_owned(), ways })
    }

    /// One way for each port of a Service.
    fn by_service(&self, service: &Service, node: &str) -> Vec<Way> {
        let external = |it: &&ServiceSpec| it.type_.as_deref() == Some("ExternalName");
        let Some(spec) = service.spec.as_ref().filter(|it| !external(it)) else {
            return Vec::new();
        };
        let headless = matches!(spec.cluster_ip.as_deref(), None | Some("" | "None"));
        let only_local = !headless && spec.internal_traffic_policy.as_deref() == Some("Local");
        let is_own = |it: &&EndpointSlice| {
            let labels = it.metadata.labels.as_ref();
            let label = labels.and_then(|it| it.get("kubernetes.io/service-name"));
            it.namespace() == service.namespace()
                && label.map(String::as_str) == Some(service.name())
        };
        let listers = self.listers();
        let slices: Vec<&EndpointSlice> = listers.list::<EndpointSlice>().filter(is_own).collect();
        let way = |name: &str, port: Option<i32>| {
            let targets = targets(&slices, name, headless, only_local, node);
            let any = slices.iter().any(|it| it.endpoints.iter().flatten().next().is_some());
            let why_nobody = match (targets.is_empty(), headless, only_local && any) {
                (false, _, _) => String::new(),
                (_, true, _) => "the name has no address: no pod is ready".to_owned(),
                (_, _, true) => format!(
                    "dropped: no pod on {node} is ready, and internalTrafficPolicy is Local"
                ),
                _ => "refused: the Service has no endpoint that is ready".to_owned(),
            };
            let host = format!("{}.{}.svc", service.name(), service.namespace());
            Way {
                kind: if headless { WayKind::Headless } else { WayKind::Service },
                address: port.map_or(host.clone(), |it| format!("{host}:{it}")),
                service: service.name().to_owned(),
                local: !targets.is_empty() && targets.iter().all(|it| it.node == node),
                only_local,
                targets,
                why_nobody,
            }
        };
        let ports = spec.ports.as_deref().unwrap_or_default();
        if ports.is_empty() {
            return vec![way("", None)];
        }
        let ports = ports.iter();
        ports.map(|it| way(it.name.as_deref().unwrap_or_default(), Some(it.port))).collect()
    }
}

/// The endpoints that a Service leads to. Upstream: `CategorizeEndpoints`.
fn targets(
    slices: &[&EndpointSlice],
    port: &str,
    headless: bool,
    only_local: bool,
    node: &str,
) -> Vec<Target> {
    let is = |it: Option<bool>| it == Some(true);
    let on_node = |it: &Endpoint| it.node_name.as_deref() == Some(node);
    let ready = |it: &Endpoint| it.conditions.as_ref().is_none_or(|it| it.ready != Some(false));
    let ending = |it: &Endpoint| {
        it.conditions.as_ref().is_some_and(|it| is(it.serving) && is(it.terminating))
    };
    let pick = |wanted: &dyn Fn(&Endpoint) -> bool| {
        let mut found = vec![];
        for slice in slices {
            let ports = slice.ports.iter().flatten();
            let mut ports = ports.filter(|it| it.name.as_deref().unwrap_or_default() == port);
            let number = ports.next().and_then(|it| it.port);
            let endpoints = slice.endpoints.iter().flatten();
            for it in endpoints.filter(|it| wanted(it) && (!only_local || on_node(it))) {
                found.push(target(it, number));
            }
        }
        found.order_by_key(|it| it.pod.clone());
        found
    };
    let found = pick(&ready);
    // A proxy falls back on pods that are ending but still answer; a name does not.
    if found.is_empty() && !headless { pick(&ending) } else { found }
}

fn target(endpoint: &Endpoint, port: Option<i32>) -> Target {
    let ip = endpoint.addresses.first().map(String::as_str).unwrap_or_default();
    let pod = endpoint.target_ref.as_ref().and_then(|it| it.name.clone());
    Target {
        pod: pod.unwrap_or_default(),
        node: endpoint.node_name.clone().unwrap_or_default(),
        address: port.map_or(ip.to_owned(), |it| format!("{ip}:{it}")),
    }
}

/// The ports by which a pod is reached at the address of its node.
fn by_node(pod: &Pod, client_node: &str) -> Vec<Way> {
    let (Some(spec), Some(status)) = (pod.spec.as_ref(), pod.status.as_ref()) else {
        return Vec::new();
    };
    let node = pods::node_name(pod).unwrap_or_default();
    let Some(host_ip) = status.host_ip.as_deref().filter(|_| !pods::is_terminal(pod)) else {
        return Vec::new();
    };
    let host_network = spec.host_network == Some(true);
    let containers = spec.containers.iter();
    let ports = containers.flat_map(|it| it.ports.iter().flatten());
    let on_host = |it: &ContainerPort| match it.host_port.filter(|it| *it > 0) {
        None if host_network => Some(it.container_port),
        port => port,
    };
    let way = |it: &ContainerPort| {
        let outside = on_host(it)?;
        let given = it.host_ip.as_deref().filter(|it| !it.is_empty() && *it != "0.0.0.0");
        let ip = status.pod_ip.as_deref().unwrap_or_default();
        Some(Way {
            kind: if host_network { WayKind::HostNetwork } else { WayKind::HostPort },
            address: format!("{}:{outside}", given.unwrap_or(host_ip)),
            local: node == client_node,
            targets: vec![Target {
                pod: pod.name().to_owned(),
                node: node.to_owned(),
                address: format!("{ip}:{}", it.container_port),
            }],
            ..Way::default()
        })
    };
    ports.filter_map(way).collect()
}
