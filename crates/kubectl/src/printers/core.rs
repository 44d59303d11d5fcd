//! Rows of pods, nodes, services, storage and events.
//!
//! Upstream: `pkg/printers/internalversion/printers.go`, v1.36.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use api::Gather;
use api::{Event, Resource, quantity};
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStatus, Node, NodeStatus, PersistentVolume,
    PersistentVolumeClaim, Pod, PodCondition, ResourceQuota, Service,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::storage::v1::{CSIDriver, StorageClass};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{format_labels, or_none};
use crate::cells::Cells;
use crate::human;
use crate::table::Options;

/// Restarts and when the last one was.
#[derive(Clone, Copy, Default)]
struct Restarts<'a> {
    n: i32,
    last: Option<&'a Time>,
}

impl<'a> Restarts<'a> {
    fn add(&mut self, status: &'a ContainerStatus) {
        self.n += status.restart_count;
        let ended = status.last_state.as_ref().and_then(|it| it.terminated.as_ref());
        let ended = ended.and_then(|it| it.finished_at.as_ref());
        if ended > self.last {
            self.last = ended;
        }
    }
}

fn is_sidecar(container: Option<&&Container>) -> bool {
    container.is_some_and(|it| it.restart_policy.as_deref() == Some("Always"))
}

/// Why a container has ended, if it has: its reason, signal or exit code.
fn ended(state: Option<&ContainerState>) -> Option<Cow<'_, str>> {
    let ended = state?.terminated.as_ref()?;
    Some(match (ended.reason.as_deref().unwrap_or_default(), ended.signal.unwrap_or_default()) {
        ("", 0) => Cow::Owned(format!("ExitCode:{}", ended.exit_code)),
        ("", signal) => Cow::Owned(format!("Signal:{signal}")),
        (reason, _) => Cow::Borrowed(reason),
    })
}

/// The Ready, Status and Restarts columns.
struct PodState<'a> {
    ready: usize,
    total: usize,
    reason: Cow<'a, str>,
    restarts: Restarts<'a>,
}

fn condition_is(pod: &Pod, type_: &str) -> bool {
    api::pods::condition(pod, type_).is_some_and(|it| it.status == "True")
}

/// One word for the state of a pod, as the STATUS column shows it.
pub(crate) fn pod_reason(pod: &Pod) -> String {
    pod_state(pod).reason.into_owned()
}

/// A text that is there and not empty.
fn filled(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|it| !it.is_empty())
}

/// A list of a part that may be missing.
fn items<P, T>(part: Option<&P>, list: impl FnOnce(&P) -> Option<&Vec<T>>) -> &[T] {
    part.and_then(list).map(Vec::as_slice).unwrap_or_default()
}

/// Why a container waits, if it does.
fn waits(state: Option<&ContainerState>) -> Option<&str> {
    state?.waiting.as_ref()?.reason.as_deref().filter(|it| !it.is_empty())
}

/// The exit code of a container that has ended.
fn exit_code(state: Option<&ContainerState>) -> Option<i32> {
    Some(state?.terminated.as_ref()?.exit_code)
}

fn pod_state(pod: &Pod) -> PodState<'_> {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let init: BTreeMap<&str, &Container> = items(spec, |it| it.init_containers.as_ref())
        .iter()
        .map(|it| (it.name.as_str(), it))
        .to_map();
    let n_sidecars = init.values().filter(|it| is_sidecar(Some(it))).count();
    let status_reason = filled(status.and_then(|it| it.reason.as_ref()));
    let phase = filled(status.and_then(|it| it.phase.as_ref())).unwrap_or_default();
    let mut state = PodState {
        ready: 0,
        total: items(spec, |it| Some(&it.containers)).len() + n_sidecars,
        reason: Cow::Borrowed(status_reason.unwrap_or(phase)),
        restarts: Restarts::default(),
    };
    // The reason is looked at first: most conditions have none.
    let is_gate = |it: &PodCondition| {
        it.reason.as_deref() == Some("SchedulingGated") && it.type_ == "PodScheduled"
    };
    if items(status, |it| it.conditions.as_ref()).iter().any(is_gate) {
        state.reason = Cow::Borrowed("SchedulingGated");
    }
    let mut sidecar_restarts = Restarts::default();
    let mut initializing = false;
    let statuses = items(status, |it| it.init_container_statuses.as_ref());
    for (n, container) in statuses.iter().enumerate() {
        let sidecar = is_sidecar(init.get(container.name.as_str()));
        state.restarts.add(container);
        if sidecar {
            sidecar_restarts.add(container);
        }
        let now = container.state.as_ref();
        if exit_code(now) == Some(0) {
            continue;
        }
        if sidecar && container.started == Some(true) {
            state.ready += usize::from(container.ready);
            continue;
        }
        let why = ended(now)
            .or_else(|| waits(now).filter(|it| *it != "PodInitializing").map(Cow::Borrowed));
        state.reason = Cow::Owned(match why {
            Some(why) => format!("Init:{why}"),
            None => format!("Init:{n}/{}", init.len()),
        });
        initializing = true;
        break;
    }
    if !initializing || condition_is(pod, "Initialized") {
        state.restarts = sidecar_restarts;
        main_containers(pod, items(status, |it| it.container_statuses.as_ref()), &mut state);
    }
    if pod.metadata.deletion_timestamp.is_some() {
        if status_reason == Some("NodeLost") {
            state.reason = Cow::Borrowed("Unknown");
        } else if !api::pods::is_terminal(pod) {
            state.reason = Cow::Borrowed("Terminating");
        }
    }
    state
}

/// What the containers proper add to the state.
fn main_containers<'a>(pod: &Pod, statuses: &'a [ContainerStatus], state: &mut PodState<'a>) {
    let mut has_running = false;
    let mut error_reason = None;
    for container in statuses.iter().rev() {
        state.restarts.add(container);
        let now = container.state.as_ref();
        if let Some(why) = waits(now) {
            state.reason = Cow::Borrowed(why);
        } else if let Some(reason) = ended(now) {
            if exit_code(now) != Some(0) {
                error_reason = Some(reason.clone());
            }
            state.reason = reason;
        } else if container.ready && now.is_some_and(|it| it.running.is_some()) {
            has_running = true;
            state.ready += 1;
        }
    }
    if state.reason == "Completed" {
        if has_running && condition_is(pod, "Ready") {
            state.reason = Cow::Borrowed("Running");
        } else if let Some(reason) = error_reason {
            state.reason = reason;
        } else if has_running {
            state.reason = Cow::Borrowed("NotReady");
        }
    }
}

/// The cells of a pod.
pub(crate) fn pod<'a>(pod: &'a Pod, options: &Options, to: &mut Cells<'a>) {
    let state = pod_state(pod);
    if options.with_kind {
        to.format(format_args!("pod/{}", pod.name()));
    } else {
        to.put(pod.name());
    }
    match (state.ready, state.total) {
        // Most pods have one container.
        (0, 1) => to.put("0/1"),
        (1, 1) => to.put("1/1"),
        (ready, total) => to.format(format_args!("{ready}/{total}")),
    }
    match state.reason {
        Cow::Borrowed(reason) => to.put(reason),
        Cow::Owned(reason) => to.make(|it| it.push_str(&reason)),
    }
    match (state.restarts.n, state.restarts.last) {
        (0, _) => to.put("0"),
        (n, Some(last)) => {
            let ago = human::since(Some(last), to.now());
            to.format(format_args!("{n} ({ago} ago)"));
        }
        (n, None) => to.format(format_args!("{n}")),
    }
    to.age(pod.metadata.creation_timestamp.as_ref());
    if !options.wide {
        return;
    }
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let ip = status.and_then(|it| it.pod_ips.as_ref()?.first());
    to.put_or_none(ip.map(|it| it.ip.as_str()));
    to.put_or_none(spec.and_then(|it| it.node_name.as_deref()));
    to.put_or_none(status.and_then(|it| it.nominated_node_name.as_deref()));
    match spec.and_then(|it| it.readiness_gates.as_deref()).unwrap_or_default() {
        [] => to.put("<none>"),
        gates => {
            let n_true = gates.iter().filter(|it| condition_is(pod, &it.condition_type)).count();
            to.format(format_args!("{n_true}/{}", gates.len()));
        }
    }
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
        .to_set();
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
                ingress.into_iter().filter_map(|it| it.ip.or(it.hostname)).to_set();
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

/// The cells of an event.
pub(crate) fn event<'a>(event: &'a Event, options: &Options, to: &mut Cells<'a>) {
    let first = event.first_timestamp().or(event.event_time());
    let mut last = event.last_timestamp().or(first);
    let mut count = event.count().max(1);
    if let Some(series) = event.series() {
        last = series.last_observed_time.as_ref().map(|it| it.0);
        count = series.count.unwrap_or_default();
    }
    to.age_of(last);
    to.put(event.type_name());
    to.put(event.reason());
    to.make(|it| {
        it.extend(event.about_kind().chars().map(|it| it.to_ascii_lowercase()));
        let name = event.about_name();
        if !name.is_empty() {
            it.push('/');
            it.push_str(name);
        }
    });
    let message = event.message().trim();
    if !options.wide {
        return to.put(message);
    }
    to.put(event.field_path());
    let or = |it: &'a str, other: &'a str| if it.is_empty() { other } else { it };
    let component = or(event.component(), event.reporting_component());
    match or(event.host(), event.reporting_instance()) {
        "" => to.put(component),
        host => to.format(format_args!("{component}, {host}")),
    }
    to.put(message);
    to.age_of(first);
    to.format(format_args!("{count}"));
    if options.with_kind {
        to.format(format_args!("event/{}", event.name()));
    } else {
        to.put(event.name());
    }
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
