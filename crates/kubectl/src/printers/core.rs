//! Rows of pods, nodes, services, storage and events.
//!
//! Upstream: `pkg/printers/internalversion/printers.go`, v1.36.

use std::collections::{BTreeMap, BTreeSet};

use api::{Resource, Timestamp, quantity};
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStatus, Event, Node, NodeStatus, PersistentVolume,
    PersistentVolumeClaim, Pod, PodSpec, PodStatus, ResourceQuota, Service,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::storage::v1::{CSIDriver, StorageClass};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{format_labels, or_none};
use crate::human;

/// Restarts and when the last one was.
#[derive(Default)]
struct Restarts {
    n: i32,
    last: Option<Time>,
}

impl Restarts {
    fn add(&mut self, status: &ContainerStatus) {
        self.n += status.restart_count;
        let ended = status.last_state.as_ref().and_then(|it| it.terminated.as_ref());
        let ended = ended.and_then(|it| it.finished_at.clone());
        if ended > self.last {
            self.last = ended;
        }
    }
}

fn is_sidecar(container: Option<&&Container>) -> bool {
    container.is_some_and(|it| it.restart_policy.as_deref() == Some("Always"))
}

/// Why a container has ended, if it has: its reason, signal or exit code.
fn ended(state: &ContainerState) -> Option<String> {
    let ended = state.terminated.as_ref()?;
    Some(match (ended.reason.as_deref().unwrap_or_default(), ended.signal.unwrap_or_default()) {
        ("", 0) => format!("ExitCode:{}", ended.exit_code),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    })
}

/// The Ready, Status and Restarts columns.
struct PodState {
    ready: usize,
    total: usize,
    reason: String,
    restarts: Restarts,
}

fn condition_is(pod: &Pod, type_: &str) -> bool {
    api::pods::condition(pod, type_).is_some_and(|it| it.status == "True")
}

/// One word for the state of a pod, as the STATUS column shows it.
pub(crate) fn pod_reason(pod: &Pod) -> String {
    pod_state(pod).reason
}

fn pod_state(pod: &Pod) -> PodState {
    // Ten thousand pods are listed in a few milliseconds: nothing large is copied.
    let (no_spec, no_status) = (PodSpec::default(), PodStatus::default());
    let spec = pod.spec.as_ref().unwrap_or(&no_spec);
    let status = pod.status.as_ref().unwrap_or(&no_status);
    let init: BTreeMap<&str, &Container> =
        spec.init_containers.iter().flatten().map(|it| (it.name.as_str(), it)).collect();
    let n_sidecars = init.values().filter(|it| is_sidecar(Some(it))).count();
    let mut state = PodState {
        ready: 0,
        total: spec.containers.len() + n_sidecars,
        reason: status.phase.clone().unwrap_or_default(),
        restarts: Restarts::default(),
    };
    if let Some(reason) = status.reason.clone().filter(|it| !it.is_empty()) {
        state.reason = reason;
    }
    let gated =
        status.conditions.iter().flatten().any(|it| {
            it.type_ == "PodScheduled" && it.reason.as_deref() == Some("SchedulingGated")
        });
    if gated {
        state.reason = "SchedulingGated".to_owned();
    }
    let mut sidecar_restarts = Restarts::default();
    let mut initializing = false;
    for (n, container) in status.init_container_statuses.iter().flatten().enumerate() {
        let sidecar = is_sidecar(init.get(container.name.as_str()));
        state.restarts.add(container);
        if sidecar {
            sidecar_restarts.add(container);
        }
        let no_state = ContainerState::default();
        let now = container.state.as_ref().unwrap_or(&no_state);
        let waiting = now.waiting.as_ref().and_then(|it| it.reason.as_deref()).unwrap_or_default();
        if now.terminated.as_ref().is_some_and(|it| it.exit_code == 0) {
            continue;
        }
        if sidecar && container.started == Some(true) {
            state.ready += usize::from(container.ready);
            continue;
        }
        state.reason = match ended(now) {
            Some(reason) => format!("Init:{reason}"),
            None if !waiting.is_empty() && waiting != "PodInitializing" => {
                format!("Init:{waiting}")
            }
            None => format!("Init:{n}/{}", init.len()),
        };
        initializing = true;
        break;
    }
    if !initializing || condition_is(pod, "Initialized") {
        state.restarts = sidecar_restarts;
        main_containers(pod, status.container_statuses.as_deref().unwrap_or_default(), &mut state);
    }
    if pod.metadata.deletion_timestamp.is_some() {
        if status.reason.as_deref() == Some("NodeLost") {
            state.reason = "Unknown".to_owned();
        } else if !api::pods::is_terminal(pod) {
            state.reason = "Terminating".to_owned();
        }
    }
    state
}

/// What the containers proper add to the state.
fn main_containers(pod: &Pod, statuses: &[ContainerStatus], state: &mut PodState) {
    let mut has_running = false;
    let mut error_reason = None;
    for container in statuses.iter().rev() {
        state.restarts.add(container);
        let no_state = ContainerState::default();
        let now = container.state.as_ref().unwrap_or(&no_state);
        let waiting = now.waiting.as_ref().and_then(|it| it.reason.as_deref()).unwrap_or_default();
        if !waiting.is_empty() {
            waiting.clone_into(&mut state.reason);
        } else if let Some(reason) = ended(now) {
            if now.terminated.as_ref().is_some_and(|it| it.exit_code != 0) {
                error_reason = Some(reason.clone());
            }
            state.reason = reason;
        } else if container.ready && now.running.is_some() {
            has_running = true;
            state.ready += 1;
        }
    }
    if state.reason == "Completed" {
        if has_running && condition_is(pod, "Ready") {
            state.reason = "Running".to_owned();
        } else if let Some(reason) = error_reason {
            state.reason = reason;
        } else if has_running {
            state.reason = "NotReady".to_owned();
        }
    }
}

pub(super) fn pod(pod: &Pod, now: Timestamp) -> Vec<String> {
    let state = pod_state(pod);
    let restarts = match (state.restarts.n, &state.restarts.last) {
        (n, Some(last)) if n != 0 => format!("{n} ({} ago)", human::since(Some(last), now)),
        (n, _) => n.to_string(),
    };
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let ip = status.and_then(|it| it.pod_ips.as_ref()?.first()).map(|it| it.ip.clone());
    let gates = spec.and_then(|it| it.readiness_gates.as_deref()).unwrap_or_default();
    let node = spec.and_then(|it| it.node_name.clone());
    let nominated = status.and_then(|it| it.nominated_node_name.clone());
    let gates = if gates.is_empty() {
        "<none>".to_owned()
    } else {
        let n_true = gates.iter().filter(|it| condition_is(pod, &it.condition_type)).count();
        format!("{n_true}/{}", gates.len())
    };
    vec![
        pod.name().to_owned(),
        format!("{}/{}", state.ready, state.total),
        state.reason,
        restarts,
        human::since(pod.metadata.creation_timestamp.as_ref(), now),
        or_none(ip.unwrap_or_default()),
        or_none(node.unwrap_or_default()),
        or_none(nominated.unwrap_or_default()),
        gates,
    ]
}

/// The roles of a node from its labels, sorted. Upstream: `findNodeRoles`.
pub(crate) fn node_roles(node: &Node) -> String {
    let labels = node.metadata.labels.iter().flatten();
    let roles: BTreeSet<&str> = labels
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None => (key == "kubernetes.io/role").then_some(value.as_str()),
        })
        .filter(|it| !it.is_empty())
        .collect();
    or_none(roles.into_iter().collect::<Vec<_>>().join(","))
}

pub(super) fn node(node: &Node, age: String) -> Vec<String> {
    let no_status = NodeStatus::default();
    let status = node.status.as_ref().unwrap_or(&no_status);
    let ready = status.conditions.iter().flatten().rfind(|it| it.type_ == "Ready");
    let mut text = match ready {
        Some(it) if it.status == "True" => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if node.spec.as_ref().is_some_and(|it| it.unschedulable == Some(true)) {
        text.push_str(",SchedulingDisabled");
    }
    let address = |type_: &str| {
        let found = status.addresses.iter().flatten().find(|it| it.type_ == type_);
        found.map_or_else(|| "<none>".to_owned(), |it| it.address.clone())
    };
    let info = status.node_info.clone().unwrap_or_default();
    let known = |text: String| if text.is_empty() { "<unknown>".to_owned() } else { text };
    let mut kernel = known(info.kernel_version);
    if !info.architecture.is_empty() {
        kernel = format!("{kernel} ({})", info.architecture);
    }
    vec![
        node.name().to_owned(),
        text,
        node_roles(node),
        age,
        info.kubelet_version,
        address("InternalIP"),
        address("ExternalIP"),
        known(info.os_image),
        kernel,
        known(info.container_runtime_version),
    ]
}

/// Upstream: `getServiceExternalIP`.
fn external_ip(service: &Service) -> String {
    let spec = service.spec.clone().unwrap_or_default();
    let external = spec.external_ips.unwrap_or_default();
    match spec.type_.as_deref() {
        Some("ClusterIP" | "NodePort") => or_none(external.join(",")),
        Some("LoadBalancer") => {
            let status = service.status.clone().unwrap_or_default();
            let ingress = status.load_balancer.and_then(|it| it.ingress).unwrap_or_default();
            let ips: BTreeSet<String> =
                ingress.into_iter().filter_map(|it| it.ip.or(it.hostname)).collect();
            let all: Vec<String> = ips.into_iter().chain(external).collect();
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        Some("ExternalName") => spec.external_name.unwrap_or_default(),
        _ => "<unknown>".to_owned(),
    }
}

pub(super) fn service(service: &Service, age: String) -> Vec<String> {
    let spec = service.spec.clone().unwrap_or_default();
    let ports: Vec<String> = spec
        .ports
        .iter()
        .flatten()
        .map(|it| {
            let protocol = it.protocol.as_deref().unwrap_or_default();
            match it.node_port {
                Some(node_port) if node_port > 0 => format!("{}:{node_port}/{protocol}", it.port),
                _ => format!("{}/{protocol}", it.port),
            }
        })
        .collect();
    let ip = spec.cluster_ips.iter().flatten().next().cloned();
    vec![
        service.name().to_owned(),
        spec.type_.clone().unwrap_or_default(),
        ip.unwrap_or_else(|| "<none>".to_owned()),
        external_ip(service),
        or_none(ports.join(",")),
        age,
        format_labels(spec.selector.as_ref()),
    ]
}

/// `RWO,ROX`. Upstream: `GetAccessModesAsString`.
pub(crate) fn access_modes(modes: Option<&Vec<String>>) -> String {
    const MODES: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |name: &str| modes.is_some_and(|it| it.iter().any(|it| it == name));
    let short: Vec<&str> = MODES.iter().filter(|it| has(it.0)).map(|it| it.1).collect();
    short.join(",")
}

/// The `storage` of a list of quantities, `0` without one.
fn storage(amounts: Option<&BTreeMap<String, Quantity>>) -> String {
    let amount = amounts.and_then(|it| it.get("storage"));
    amount.map_or_else(|| "0".to_owned(), |it| quantity::canonical(&it.0))
}

const UNSET: &str = "<unset>";

pub(super) fn persistent_volume(volume: &PersistentVolume, age: String) -> Vec<String> {
    let spec = volume.spec.clone().unwrap_or_default();
    let status = volume.status.clone().unwrap_or_default();
    let claim = spec
        .claim_ref
        .map(|it| format!("{}/{}", it.namespace.unwrap_or_default(), it.name.unwrap_or_default()));
    let mut phase = status.phase.unwrap_or_default();
    if volume.metadata.deletion_timestamp.is_some() {
        phase = "Terminating".to_owned();
    }
    vec![
        volume.name().to_owned(),
        storage(spec.capacity.as_ref()),
        access_modes(spec.access_modes.as_ref()),
        spec.persistent_volume_reclaim_policy.unwrap_or_default(),
        phase,
        claim.unwrap_or_default(),
        spec.storage_class_name.unwrap_or_default(),
        spec.volume_attributes_class_name.unwrap_or_else(|| UNSET.to_owned()),
        status.reason.unwrap_or_default(),
        age,
        spec.volume_mode.unwrap_or_else(|| UNSET.to_owned()),
    ]
}

pub(super) fn persistent_volume_claim(claim: &PersistentVolumeClaim, age: String) -> Vec<String> {
    let spec = claim.spec.clone().unwrap_or_default();
    let status = claim.status.clone().unwrap_or_default();
    let mut phase = status.phase.unwrap_or_default();
    if claim.metadata.deletion_timestamp.is_some() {
        phase = "Terminating".to_owned();
    }
    let volume = spec.volume_name.unwrap_or_default();
    let (capacity, modes) = if volume.is_empty() {
        (String::new(), String::new())
    } else {
        (storage(status.capacity.as_ref()), access_modes(status.access_modes.as_ref()))
    };
    vec![
        claim.name().to_owned(),
        phase,
        volume,
        capacity,
        modes,
        spec.storage_class_name.unwrap_or_default(),
        spec.volume_attributes_class_name.unwrap_or_else(|| UNSET.to_owned()),
        age,
        spec.volume_mode.unwrap_or_else(|| UNSET.to_owned()),
    ]
}

pub(super) fn resource_quota(quota: &ResourceQuota, age: String) -> Vec<String> {
    let status = quota.status.clone().unwrap_or_default();
    let used = status.used.unwrap_or_default();
    let (mut requests, mut limits) = (vec![], vec![]);
    for (name, hard) in status.hard.iter().flatten() {
        let used = used.get(name).map_or_else(|| "0".to_owned(), |it| quantity::canonical(&it.0));
        let text = format!("{name}: {used}/{}", quantity::canonical(&hard.0));
        if name.starts_with("limits.") { limits.push(text) } else { requests.push(text) }
    }
    vec![quota.name().to_owned(), requests.join(", "), limits.join(", "), age]
}

pub(super) fn event(event: &Event, now: Timestamp) -> Vec<String> {
    let first = event.first_timestamp.as_ref().map(|it| it.0);
    let first = human::since_timestamp(first.or(event.event_time.as_ref().map(|it| it.0)), now);
    let mut last = match &event.last_timestamp {
        Some(last) => human::since(Some(last), now),
        None => first.clone(),
    };
    let mut count = event.count.unwrap_or_default().max(1);
    if let Some(series) = &event.series {
        last = human::since_timestamp(series.last_observed_time.as_ref().map(|it| it.0), now);
        count = series.count.unwrap_or_default();
    }
    let kind = event.involved_object.kind.as_deref().unwrap_or_default().to_lowercase();
    let target = match event.involved_object.name.as_deref() {
        Some(name) if !name.is_empty() => format!("{kind}/{name}"),
        _ => kind,
    };
    let filled = |it: Option<&String>| it.filter(|it| !it.is_empty()).cloned();
    let source = event.source.clone().unwrap_or_default();
    let component = filled(source.component.as_ref());
    let component = component.or_else(|| filled(event.reporting_component.as_ref()));
    let host = filled(source.host.as_ref());
    let host = host.or_else(|| filled(event.reporting_instance.as_ref()));
    let component = component.unwrap_or_default();
    let source = host.map_or_else(|| component.clone(), |host| format!("{component}, {host}"));
    vec![
        last,
        event.type_.clone().unwrap_or_default(),
        event.reason.clone().unwrap_or_default(),
        target,
        event.involved_object.field_path.clone().unwrap_or_default(),
        source,
        event.message.as_deref().unwrap_or_default().trim().to_owned(),
        first,
        count.to_string(),
        event.name().to_owned(),
    ]
}

/// At most three of a list. Upstream: `listWithMoreString`.
fn at_most_three(all: &[String]) -> String {
    match all.len() {
        0 => UNSET.to_owned(),
        1..=3 => all.join(","),
        n => format!("{} + {} more...", all[..3].join(","), n - 3),
    }
}

pub(super) fn endpoint_slice(slice: &EndpointSlice, age: String) -> Vec<String> {
    let ports: Vec<String> = slice
        .ports
        .iter()
        .flatten()
        .map(|it| match (it.port, &it.name) {
            (Some(port), _) => port.to_string(),
            (None, Some(name)) => name.clone(),
            (None, None) => "*".to_owned(),
        })
        .collect();
    let addresses: Vec<String> =
        slice.endpoints.iter().flatten().flat_map(|it| it.addresses.iter().cloned()).collect();
    vec![
        slice.name().to_owned(),
        slice.address_type.clone(),
        at_most_three(&ports),
        at_most_three(&addresses),
        age,
    ]
}

pub(super) fn storage_class(class: &StorageClass, age: String) -> Vec<String> {
    let is_default = class.metadata.annotations.iter().flatten().any(|(key, value)| {
        key.ends_with("storageclass.kubernetes.io/is-default-class") && value == "true"
    });
    let or = |it: &Option<String>, other: &str| it.clone().unwrap_or_else(|| other.to_owned());
    vec![
        format!("{}{}", class.name(), if is_default { " (default)" } else { "" }),
        class.provisioner.clone(),
        or(&class.reclaim_policy, "Delete"),
        or(&class.volume_binding_mode, "Immediate"),
        class.allow_volume_expansion.unwrap_or_default().to_string(),
        age,
    ]
}

pub(super) fn csi_driver(driver: &CSIDriver, age: String) -> Vec<String> {
    let spec = &driver.spec;
    let tokens = spec.token_requests.as_ref().map(|all| {
        let audiences: Vec<&str> = all.iter().map(|it| it.audience.as_str()).collect();
        audiences.join(",")
    });
    vec![
        driver.name().to_owned(),
        spec.attach_required.unwrap_or(true).to_string(),
        spec.pod_info_on_mount.unwrap_or_default().to_string(),
        spec.storage_capacity.unwrap_or_default().to_string(),
        tokens.unwrap_or_else(|| UNSET.to_owned()),
        spec.requires_republish.unwrap_or_default().to_string(),
        or_none(spec.volume_lifecycle_modes.clone().unwrap_or_default().join(",")),
        age,
    ]
}
