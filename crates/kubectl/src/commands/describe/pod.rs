//! Pods, pod templates, containers and volumes.

use api::Order;
use std::collections::BTreeMap;

use api::{Object, Resource, quantity};
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStatus, EnvVar, Pod, PodTemplateSpec, Probe,
    ResourceRequirements, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{Cluster, Page, controlled_by, line, rfc1123};
use crate::printers::int_or_string;
use rows::human;

pub(super) fn pod(page: &mut Page, pod: &Pod, cluster: &Cluster<'_>) {
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    head(page, pod, cluster);
    line!(page, 0, "IP:\t{}", status.pod_ip.clone().unwrap_or_default());
    let ips = status.pod_ips.clone().unwrap_or_default();
    if ips.is_empty() {
        page.line(0, "IPs:\t<none>");
    } else {
        page.line(0, "IPs:");
        ips.iter().for_each(|it| line!(page, 1, "IP:\t{}", it.ip));
    }
    controlled_by(page, &Object::Pod(std::sync::Arc::new(pod.clone())));
    if let Some(node) = status.nominated_node_name.as_ref().filter(|it| !it.is_empty()) {
        line!(page, 0, "NominatedNodeName:\t{node}");
    }
    if let Some(all) = &spec.resources {
        page.line(0, "Resources:");
        resources(page, 1, all);
    }
    let init = spec.init_containers.clone().unwrap_or_default();
    if !init.is_empty() {
        let statuses = status.init_container_statuses.clone().unwrap_or_default();
        containers(page, "Init Containers", &init, &statuses, Some(pod), "");
    }
    let statuses = status.container_statuses.clone().unwrap_or_default();
    containers(page, "Containers", &spec.containers, &statuses, Some(pod), "");
    let gates = spec.readiness_gates.clone().unwrap_or_default();
    if !gates.is_empty() {
        page.line(0, "Readiness Gates:\n  Type\tStatus");
        for gate in gates {
            let condition = api::pods::condition(pod, &gate.condition_type);
            let value = condition.map_or("<none>", |it| it.status.as_str());
            line!(page, 1, "{} \t{value} ", gate.condition_type);
        }
    }
    let conditions = status.conditions.unwrap_or_default();
    if !conditions.is_empty() {
        page.line(0, "Conditions:\n  Type\tStatus");
        conditions.iter().for_each(|it| line!(page, 1, "{} \t{} ", it.type_, it.status));
    }
    volumes(page, spec.volumes.as_deref().unwrap_or_default(), "");
    let qos = status.qos_class.unwrap_or_else(|| "BestEffort".to_owned());
    line!(page, 0, "QoS Class:\t{qos}");
    page.pairs("Node-Selectors", spec.node_selector.as_ref());
    page.tolerations("Tolerations", spec.tolerations.as_deref().unwrap_or_default());
    page.spread("", spec.topology_spread_constraints.as_deref().unwrap_or_default());
}

fn head(page: &mut Page, pod: &Pod, cluster: &Cluster<'_>) {
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    let filled = |it: Option<String>| it.filter(|it| !it.is_empty());
    line!(page, 0, "Name:\t{}", pod.name());
    line!(page, 0, "Namespace:\t{}", pod.namespace());
    if let Some(priority) = spec.priority {
        line!(page, 0, "Priority:\t{priority}");
    }
    if let Some(class) = filled(spec.priority_class_name) {
        line!(page, 0, "Priority Class Name:\t{class}");
    }
    if let Some(class) = filled(spec.runtime_class_name) {
        line!(page, 0, "Runtime Class Name:\t{class}");
    }
    if let Some(account) = filled(spec.service_account_name) {
        line!(page, 0, "Service Account:\t{account}");
    }
    match filled(spec.node_name) {
        Some(node) => line!(page, 0, "Node:\t{node}/{}", status.host_ip.unwrap_or_default()),
        None => page.line(0, "Node:\t<none>"),
    }
    if status.start_time.is_some() {
        line!(page, 0, "Start Time:\t{}", rfc1123(status.start_time.as_ref()));
    }
    page.pairs("Labels", pod.metadata.labels.as_ref());
    page.annotations("Annotations", pod.metadata.annotations.as_ref());
    match &pod.metadata.deletion_timestamp {
        Some(at) if !api::pods::is_terminal(pod) => {
            line!(page, 0, "Status:\tTerminating (lasts {})", human::since(Some(at), cluster.now));
            let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
            line!(page, 0, "Termination Grace Period:\t{grace}s");
        }
        _ => line!(page, 0, "Status:\t{}", api::pods::phase(pod)),
    }
    if let Some(reason) = filled(status.reason) {
        line!(page, 0, "Reason:\t{reason}");
    }
    if let Some(message) = filled(status.message) {
        line!(page, 0, "Message:\t{message}");
    }
    let seccomp = spec.security_context.and_then(|it| it.seccomp_profile);
    if let Some(profile) = seccomp {
        line!(page, 0, "SeccompProfile:\t{}", profile.type_);
        if let Some(it) = profile.localhost_profile {
            line!(page, 0, "LocalhostProfile:\t{it}");
        }
    }
}

/// Upstream: `DescribePodTemplate`.
pub(super) fn template(page: &mut Page, template: &PodTemplateSpec) {
    page.line(0, "Pod Template:");
    let meta = template.metadata.clone().unwrap_or_default();
    let spec = template.spec.clone().unwrap_or_default();
    page.pairs("  Labels", meta.labels.as_ref());
    if meta.annotations.as_ref().is_some_and(|it| !it.is_empty()) {
        page.annotations("  Annotations", meta.annotations.as_ref());
    }
    if let Some(account) = spec.service_account_name.filter(|it| !it.is_empty()) {
        line!(page, 1, "Service Account:\t{account}");
    }
    let init = spec.init_containers.unwrap_or_default();
    if !init.is_empty() {
        containers(page, "Init Containers", &init, &[], None, "  ");
    }
    containers(page, "Containers", &spec.containers, &[], None, "  ");
    volumes(page, spec.volumes.as_deref().unwrap_or_default(), "  ");
    page.spread("  ", spec.topology_spread_constraints.as_deref().unwrap_or_default());
    if let Some(class) = spec.priority_class_name.filter(|it| !it.is_empty()) {
        line!(page, 1, "Priority Class Name:\t{class}");
    }
    page.pairs("  Node-Selectors", spec.node_selector.as_ref());
    page.tolerations("  Tolerations", spec.tolerations.as_deref().unwrap_or_default());
}

fn containers(
    page: &mut Page,
    label: &str,
    containers: &[Container],
    statuses: &[ContainerStatus],
    pod: Option<&Pod>,
    space: &str,
) {
    let none = if containers.is_empty() { " <none>" } else { "" };
    line!(page, 0, "{space}{label}:{none}");
    for container in containers {
        let status = statuses.iter().find(|it| it.name == container.name);
        basic_info(page, container, status, space);
        for (title, words) in [("Command", &container.command), ("Args", &container.args)] {
            let words = words.as_deref().unwrap_or_default();
            if !words.is_empty() {
                line!(page, 2, "{title}:");
            }
            let lines = words.iter().flat_map(|it| it.split('\n'));
            lines.for_each(|it| page.line(3, it));
        }
        if let Some(status) = status {
            container_state(page, status);
        }
        resources(page, 2, &container.resources.clone().unwrap_or_default());
        let probes = [
            ("Liveness", &container.liveness_probe),
            ("Readiness", &container.readiness_probe),
            ("Startup", &container.startup_probe),
        ];
        for (title, probe) in probes {
            if let Some(it) = probe {
                line!(page, 2, "{title}:\t{}", describe_probe(it));
            }
        }
        env_from(page, container);
        environment(page, container, pod);
        mounts(page, container);
    }
}

fn basic_info(
    page: &mut Page,
    container: &Container,
    status: Option<&ContainerStatus>,
    space: &str,
) {
    let indent = if space.is_empty() { "" } else { " " };
    line!(page, 1, "{indent}{}:", container.name);
    if let Some(status) = status {
        line!(page, 2, "Container ID:\t{}", status.container_id.clone().unwrap_or_default());
    }
    line!(page, 2, "Image:\t{}", container.image.clone().unwrap_or_default());
    if let Some(status) = status {
        line!(page, 2, "Image ID:\t{}", status.image_id);
    }
    let all = container.ports.clone().unwrap_or_default();
    let protocol = |it: &Option<String>| it.clone().unwrap_or_default();
    let ports: Vec<String> = all
        .iter()
        .map(|it| {
            let port = format!("{}/{}", it.container_port, protocol(&it.protocol));
            match &it.name {
                Some(name) if !name.is_empty() => format!("{port} ({name})"),
                _ => port,
            }
        })
        .collect();
    let host_ports: Vec<String> = all
        .iter()
        .map(|it| {
            let port = format!("{}/{}", it.host_port.unwrap_or_default(), protocol(&it.protocol));
            match &it.name {
                Some(name) if !name.is_empty() => format!("{port} ({name})"),
                _ => port,
            }
        })
        .collect();
    for (title, ports) in [("Port", ports), ("Host Port", host_ports)] {
        match ports.len() {
            0 => line!(page, 2, "{title}:\t<none>"),
            1 => line!(page, 2, "{title}:\t{}", ports[0]),
            _ => line!(page, 2, "{title}s:\t{}", ports.join(", ")),
        }
    }
    let seccomp = container.security_context.as_ref().and_then(|it| it.seccomp_profile.as_ref());
    if let Some(profile) = seccomp {
        line!(page, 2, "SeccompProfile:\t{}", profile.type_);
        if let Some(it) = &profile.localhost_profile {
            line!(page, 3, "LocalhostProfile:\t{it}");
        }
    }
}

fn container_state(page: &mut Page, status: &ContainerStatus) {
    state(page, "State", &status.state.clone().unwrap_or_default());
    if let Some(last) = status.last_state.as_ref().filter(|it| it.terminated.is_some()) {
        state(page, "Last State", last);
    }
    line!(page, 2, "Ready:\t{}", if status.ready { "True" } else { "False" });
    line!(page, 2, "Restart Count:\t{}", status.restart_count);
}

fn state(page: &mut Page, title: &str, state: &ContainerState) {
    let filled = |it: &Option<String>| it.clone().filter(|it| !it.is_empty());
    if let Some(running) = &state.running {
        line!(page, 2, "{title}:\tRunning");
        line!(page, 3, "Started:\t{}", rfc1123(running.started_at.as_ref()));
    } else if let Some(ended) = state.terminated.as_ref().filter(|_| state.waiting.is_none()) {
        line!(page, 2, "{title}:\tTerminated");
        if let Some(reason) = filled(&ended.reason) {
            line!(page, 3, "Reason:\t{reason}");
        }
        if let Some(message) = filled(&ended.message) {
            line!(page, 3, "Message:\t{message}");
        }
        line!(page, 3, "Exit Code:\t{}", ended.exit_code);
        if let Some(signal) = ended.signal.filter(|it| *it > 0) {
            line!(page, 3, "Signal:\t{signal}");
        }
        line!(page, 3, "Started:\t{}", rfc1123(ended.started_at.as_ref()));
        line!(page, 3, "Finished:\t{}", rfc1123(ended.finished_at.as_ref()));
    } else {
        line!(page, 2, "{title}:\tWaiting");
        if let Some(reason) = state.waiting.as_ref().and_then(|it| filled(&it.reason)) {
            line!(page, 3, "Reason:\t{reason}");
        }
    }
}

fn resources(page: &mut Page, level: usize, all: &ResourceRequirements) {
    let mut list = |title: &str, amounts: &Option<BTreeMap<String, Quantity>>| {
        if amounts.as_ref().is_some_and(|it| !it.is_empty()) {
            line!(page, level, "{title}:");
        }
        for (name, amount) in amounts.iter().flatten() {
            line!(page, level + 1, "{name}:\t{}", quantity::canonical(&amount.0));
        }
    };
    list("Limits", &all.limits);
    list("Requests", &all.requests);
}

fn describe_probe(probe: &Probe) -> String {
    let n = |it: Option<i32>| it.unwrap_or_default();
    let numbers = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        n(probe.initial_delay_seconds),
        n(probe.timeout_seconds),
        n(probe.period_seconds),
        n(probe.success_threshold),
        n(probe.failure_threshold)
    );
    if let Some(exec) = &probe.exec {
        return format!("exec [{}] {numbers}", exec.command.clone().unwrap_or_default().join(" "));
    }
    if let Some(get) = &probe.http_get {
        let scheme = get.scheme.as_deref().unwrap_or_default().to_lowercase();
        let (host, path) =
            (get.host.clone().unwrap_or_default(), get.path.clone().unwrap_or_default());
        return format!("http-get {scheme}://{host}:{}{path} {numbers}", int_or_string(&get.port));
    }
    if let Some(socket) = &probe.tcp_socket {
        let host = socket.host.clone().unwrap_or_default();
        return format!("tcp-socket {host}:{} {numbers}", int_or_string(&socket.port));
    }
    if let Some(grpc) = &probe.grpc {
        let service = grpc.service.clone().unwrap_or_default();
        return format!("grpc <pod>:{} {service} {numbers}", grpc.port);
    }
    format!("unknown {numbers}")
}

fn env_from(page: &mut Page, container: &Container) {
    let sources = container.env_from.clone().unwrap_or_default();
    if sources.is_empty() {
        return;
    }
    page.line(2, "Environment Variables from:");
    for source in sources {
        let (name, kind, optional) = match (source.config_map_ref, source.secret_ref) {
            (Some(it), _) => (it.name, "ConfigMap", it.optional),
            (None, Some(it)) => (it.name, "Secret", it.optional),
            (None, None) => continue,
        };
        let prefix = source.prefix.filter(|it| !it.is_empty());
        let prefix = prefix.map_or_else(String::new, |it| format!(" with prefix '{it}'"));
        let optional = optional.unwrap_or_default();
        line!(page, 3, "{name}\t{kind}{prefix}\tOptional: {optional}");
    }
}

fn environment(page: &mut Page, container: &Container, pod: Option<&Pod>) {
    let all = container.env.clone().unwrap_or_default();
    page.line(2, if all.is_empty() { "Environment:\t<none>" } else { "Environment:" });
    for variable in all {
        let name = &variable.name;
        let Some(source) = &variable.value_from else {
            let value = variable.value.clone().unwrap_or_default();
            for (n, part) in value.split('\n').enumerate() {
                match n {
                    0 => line!(page, 3, "{name}:\t{part}"),
                    _ => line!(page, 3, "\t{part}"),
                }
            }
            continue;
        };
        if let Some(field) = &source.field_ref {
            let value = pod.map_or_else(String::new, |it| field_value(it, &variable));
            let version = field.api_version.clone().unwrap_or_default();
            line!(page, 3, "{name}:\t{value} ({version}:{})", field.field_path);
        } else if let Some(field) = &source.resource_field_ref {
            let value = resource_value(container, &field.resource);
            line!(page, 3, "{name}:\t{value} ({})", field.resource);
        } else if let Some(it) = &source.secret_key_ref {
            let optional = it.optional.unwrap_or_default();
            let text = format!("<set to the key '{}' in secret '{}'>", it.key, it.name);
            line!(page, 3, "{name}:\t{text}\tOptional: {optional}");
        } else if let Some(it) = &source.config_map_key_ref {
            let optional = it.optional.unwrap_or_default();
            let text = format!("<set to the key '{}' of config map '{}'>", it.key, it.name);
            line!(page, 3, "{name}:\t{text}\tOptional: {optional}");
        }
    }
}

/// What a field reference to the metadata gives. Upstream: `ExtractFieldPathAsString`.
fn field_value(pod: &Pod, variable: &EnvVar) -> String {
    let source = variable.value_from.as_ref().and_then(|it| it.field_ref.as_ref());
    let path = source.map_or("", |it| it.field_path.as_str());
    let entry = |pairs: &Option<BTreeMap<String, String>>, prefix: &str| {
        let key = path.strip_prefix(prefix)?.strip_suffix("']")?;
        pairs.as_ref()?.get(key).cloned()
    };
    let meta = &pod.metadata;
    match path {
        "metadata.name" => pod.name().to_owned(),
        "metadata.namespace" => pod.namespace().to_owned(),
        "metadata.uid" => pod.uid().to_owned(),
        _ => entry(&meta.labels, "metadata.labels['")
            .or_else(|| entry(&meta.annotations, "metadata.annotations['"))
            .unwrap_or_default(),
    }
}

/// What a reference to the container's resources gives.
fn resource_value(container: &Container, resource: &str) -> String {
    let all = container.resources.clone().unwrap_or_default();
    let (amounts, name) = match resource.split_once('.') {
        Some(("limits", name)) => (all.limits, name),
        Some(("requests", name)) => (all.requests, name),
        _ => return String::new(),
    };
    match amounts.unwrap_or_default().get(name) {
        // Processor time counts in whole cores, rounded up.
        Some(amount) => quantity::value(amount).to_string(),
        None if matches!(resource, "limits.cpu" | "limits.memory") => "node allocatable".to_owned(),
        None => "0".to_owned(),
    }
}

fn mounts(page: &mut Page, container: &Container) {
    let mut all = container.volume_mounts.clone().unwrap_or_default();
    let none = if all.is_empty() { "\t<none>" } else { "" };
    line!(page, 2, "Mounts:{none}");
    all.order_by(|a, b| a.mount_path.cmp(&b.mount_path));
    for mount in all {
        let mut flags = vec![if mount.read_only == Some(true) { "ro" } else { "rw" }.to_owned()];
        if let Some(path) = mount.sub_path.filter(|it| !it.is_empty()) {
            flags.push(format!("path={}", api::fields::quote(&path)));
        }
        line!(page, 3, "{} from {} ({})", mount.mount_path, mount.name, flags.join(","));
    }
    for (n, device) in container.volume_devices.iter().flatten().enumerate() {
        if n == 0 {
            line!(page, 2, "Devices:{none}");
        }
        line!(page, 3, "{} from {}", device.device_path, device.name);
    }
}

pub(super) fn volumes(page: &mut Page, volumes: &[Volume], space: &str) {
    if volumes.is_empty() {
        line!(page, 0, "{space}Volumes:\t<none>");
        return;
    }
    line!(page, 0, "{space}Volumes:");
    let indent = if space.is_empty() { "" } else { " " };
    for volume in volumes {
        line!(page, 1, "{indent}{}:", volume.name);
        volume_source(page, volume);
    }
}

fn volume_source(page: &mut Page, volume: &Volume) {
    let mut rows = |kind: &str, fields: &[(&str, String)]| {
        line!(page, 2, "Type:\t{kind}");
        fields.iter().for_each(|(name, value)| line!(page, 2, "{name}:\t{value}"));
    };
    if let Some(it) = &volume.host_path {
        let type_ = it.type_.clone().unwrap_or_else(|| "<none>".to_owned());
        let fields = [("Path", it.path.clone()), ("HostPathType", type_)];
        rows("HostPath (bare host directory volume)", &fields);
    } else if let Some(it) = &volume.empty_dir {
        let limit = it.size_limit.as_ref().filter(|it| quantity::value(it) > 0);
        let limit = limit.map_or_else(|| "<unset>".to_owned(), |it| quantity::canonical(&it.0));
        let fields = [("Medium", it.medium.clone().unwrap_or_default()), ("SizeLimit", limit)];
        rows("EmptyDir (a temporary directory that shares a pod's lifetime)", &fields);
    } else if let Some(it) = &volume.secret {
        let name = it.secret_name.clone().unwrap_or_default();
        let optional = it.optional.unwrap_or_default().to_string();
        let fields = [("SecretName", name), ("Optional", optional)];
        rows("Secret (a volume populated by a Secret)", &fields);
    } else if let Some(it) = &volume.config_map {
        let optional = it.optional.unwrap_or_default().to_string();
        let fields = [("Name", it.name.clone()), ("Optional", optional)];
        rows("ConfigMap (a volume populated by a ConfigMap)", &fields);
    } else if let Some(it) = &volume.persistent_volume_claim {
        let read_only = it.read_only.unwrap_or_default().to_string();
        let fields = [("ClaimName", it.claim_name.clone()), ("ReadOnly", read_only)];
        let kind =
            "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)";
        rows(kind, &fields);
    } else if let Some(it) = &volume.downward_api {
        rows("DownwardAPI (a volume populated by information about the pod)", &[]);
        page.line(2, "Items:");
        for item in it.items.iter().flatten() {
            if let Some(field) = &item.field_ref {
                line!(page, 3, "{} -> {}", field.field_path, item.path);
            }
            if let Some(field) = &item.resource_field_ref {
                line!(page, 3, "{} -> {}", field.resource, item.path);
            }
        }
    } else {
        super::sources::source(page, &api::wire::to_value(volume));
    }
}
