//! What the server advises against in pods and templates.
//!
//! Upstream: `pkg/api/pod/warnings.go`, `pkg/api/node/util.go`, v1.36.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, NodeSelectorTerm, PersistentVolumeClaimSpec, PodAffinityTerm,
    PodSpec, Volume, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::strategy;
use crate::validation::check::{list_of, str_of};
use crate::validation::core::security::{SECCOMP_CONTAINER, SECCOMP_POD};
use crate::validation::{resources, text};
use crate::warnings::paths;

/// Labels of nodes that have another name now.
const DEPRECATED_LABELS: [(&str, &str); 8] = [
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    (
        "scheduler.alpha.kubernetes.io/preferAvoidPods",
        "deprecated since v1.22; use Taints and Tolerations instead",
    ),
    ("node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"),
];

pub(super) fn deprecated(label: &str) -> Option<&'static str> {
    DEPRECATED_LABELS.iter().find(|it| it.0 == label).map(|it| it.1)
}

/// What is odd about a pod or template. `path` is empty for a pod, or ends with a dot. Upstream:
/// `warningsForPodSpecAndMeta`.
pub(super) fn pod(
    warnings: &mut Vec<String>,
    path: &str,
    spec: &PodSpec,
    meta: Option<&ObjectMeta>,
) {
    for key in spec.node_selector.iter().flat_map(BTreeMap::keys) {
        if let Some(text) = deprecated(key) {
            warnings.push(format!("{path}spec.nodeSelector[{key}]: {text}"));
        }
    }
    node_affinity(warnings, path, spec);
    let constraints = list_of(&spec.topology_spread_constraints);
    for (index, it) in constraints.iter().enumerate() {
        let path = format!("{path}spec.topologySpreadConstraints[{index}]");
        if let Some(text) = deprecated(&it.topology_key) {
            warnings.push(format!("{path}.topologyKey: {} is {text}", it.topology_key));
        }
        if it.label_selector.is_none() {
            warnings.push(no_selector(&path));
        }
    }
    annotations(warnings, path, meta);
    for (index, it) in list_of(&spec.volumes).iter().enumerate() {
        volume(warnings, &format!("{path}spec.volumes[{index}]"), it);
    }
    for it in list_of(&spec.volumes) {
        paths::of_volume(warnings, it);
    }
    repeated(warnings, path, spec);
    for name in ["memory", "ephemeral-storage"] {
        let quantity = spec.overhead.as_ref().and_then(|it| it.get(name));
        fraction(warnings, &format!("{path}spec.overhead[{name}]"), quantity);
    }
    profiles(warnings, path, spec, meta);
    for (path, container) in containers(path, spec) {
        self::container(warnings, &path, container);
    }
    ports(warnings, path, spec);
    if spec.termination_grace_period_seconds.is_some_and(|it| it < 0) {
        warnings.push(format!(
            "{path}spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid \
             and will be treated as 1"
        ));
    }
    pod_affinity(warnings, path, spec);
    let servers = spec.dns_config.iter().flat_map(|it| list_of(&it.nameservers));
    for (index, it) in servers.enumerate() {
        canonical_ip(warnings, &format!("{path}spec.dnsConfig.nameservers[{index}]"), it);
    }
    for (index, it) in list_of(&spec.host_aliases).iter().enumerate() {
        canonical_ip(warnings, &format!("{path}spec.hostAliases[{index}].ip"), &it.ip);
    }
}

/// An amount of bytes that is no whole number.
pub(super) fn fraction(warnings: &mut Vec<String>, path: &str, quantity: Option<&Quantity>) {
    let Some(quantity) = quantity else { return };
    if resources::exact(quantity).milli_value() % 1000 != 0 {
        warnings.push(format!(
            "{path}: fractional byte value {:?} is invalid, must be an integer",
            resources::shown(quantity)
        ));
    }
}

/// An address of version 6 that could be written otherwise. Upstream: `GetWarningsForIP`.
pub(super) fn canonical_ip(warnings: &mut Vec<String>, path: &str, value: &str) {
    let Ok(ip) = value.parse::<std::net::Ipv6Addr>() else { return };
    let canonical = ip.to_string();
    if canonical != value {
        warnings.push(format!(
            "{path}: IPv6 address {value:?} should be in RFC 5952 canonical format \
             ({canonical:?})"
        ));
    }
}

/// Annotations of older versions, where the field says nothing.
fn profiles(warnings: &mut Vec<String>, path: &str, spec: &PodSpec, meta: Option<&ObjectMeta>) {
    let Some(meta) = meta else { return };
    let annotations = meta.annotations.as_ref();
    let mut old = |key: &str| {
        if annotations.is_some_and(|it| it.contains_key(key)) {
            warnings.push(format!(
                "{path}metadata.annotations[{key}]: non-functional in v1.27+; use the \
                 \"seccompProfile\" field instead"
            ));
        }
    };
    if spec.security_context.as_ref().is_none_or(|it| it.seccomp_profile.is_none()) {
        old(SECCOMP_POD);
    }
    for (_, it) in containers(path, spec) {
        if it.security_context.as_ref().is_none_or(|it| it.seccomp_profile.is_none()) {
            old(&format!("{SECCOMP_CONTAINER}{}", it.name));
        }
    }
    if !path.is_empty() {
        warnings.extend(strategy::pod::app_armor_warnings(path, spec, meta));
    }
}

fn no_selector(path: &str) -> String {
    format!("{path}.labelSelector: a null labelSelector results in matching no pod")
}

fn containers<'a>(path: &str, spec: &'a PodSpec) -> Vec<(String, &'a Container)> {
    let init = list_of(&spec.init_containers).iter().enumerate();
    let init = init.map(|(index, it)| (format!("{path}spec.initContainers[{index}]"), it));
    let main = spec.containers.iter().enumerate();
    let main = main.map(|(index, it)| (format!("{path}spec.containers[{index}]"), it));
    init.chain(main).collect()
}

fn node_affinity(warnings: &mut Vec<String>, path: &str, spec: &PodSpec) {
    let affinity = spec.affinity.as_ref().and_then(|it| it.node_affinity.as_ref());
    let Some(affinity) = affinity else { return };
    let path = format!("{path}spec.affinity.nodeAffinity");
    if let Some(it) = &affinity.required_during_scheduling_ignored_during_execution {
        for (index, term) in it.node_selector_terms.iter().enumerate() {
            let path = format!(
                "{path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[{index}]"
            );
            node_term(warnings, &path, term, false);
        }
    }
    let preferred = list_of(&affinity.preferred_during_scheduling_ignored_during_execution);
    for (index, term) in preferred.iter().enumerate() {
        let path =
            format!("{path}.preferredDuringSchedulingIgnoredDuringExecution[{index}].preference");
        node_term(warnings, &path, &term.preference, true);
    }
}

pub(super) fn node_term(
    warnings: &mut Vec<String>,
    path: &str,
    term: &NodeSelectorTerm,
    values: bool,
) {
    for (index, it) in list_of(&term.match_expressions).iter().enumerate() {
        let path = format!("{path}.matchExpressions[{index}]");
        if let Some(text) = deprecated(&it.key) {
            warnings.push(format!("{path}.key: {} is {text}", it.key));
        }
        for (index, value) in list_of(&it.values).iter().enumerate().filter(|_| values) {
            for text in text::label_value(value) {
                warnings.push(format!("{path}.values[{index}]: {value} is invalid, {text}"));
            }
        }
    }
}

fn annotations(warnings: &mut Vec<String>, path: &str, meta: Option<&ObjectMeta>) {
    let known = [
        (
            "scheduler.alpha.kubernetes.io/critical-pod",
            "non-functional in v1.16+; use the \"priorityClassName\" field instead",
        ),
        (
            "security.alpha.kubernetes.io/sysctls",
            "non-functional in v1.11+; use the \"sysctls\" field instead",
        ),
        (
            "security.alpha.kubernetes.io/unsafe-sysctls",
            "non-functional in v1.11+; use the \"sysctls\" field instead",
        ),
    ];
    let given = meta.and_then(|it| it.annotations.as_ref());
    for (key, text) in known {
        if given.is_some_and(|it| it.contains_key(key)) {
            warnings.push(format!("{path}metadata.annotations[{key}]: {text}"));
        }
    }
}

fn volume(warnings: &mut Vec<String>, path: &str, volume: &Volume) {
    let gone = [
        (
            "photonPersistentDisk",
            volume.photon_persistent_disk.is_some(),
            "deprecated in v1.11, non-functional in v1.16+",
        ),
        (
            "gitRepo",
            volume.git_repo.is_some(),
            "deprecated in v1.11, and disabled by default in v1.33+",
        ),
        ("scaleIO", volume.scale_io.is_some(), "deprecated in v1.16, non-functional in v1.22+"),
        ("flocker", volume.flocker.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("storageOS", volume.storageos.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("quobyte", volume.quobyte.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("glusterfs", volume.glusterfs.is_some(), "deprecated in v1.25, non-functional in v1.26+"),
        ("cephfs", volume.cephfs.is_some(), "deprecated in v1.28, non-functional in v1.31+"),
        ("rbd", volume.rbd.is_some(), "deprecated in v1.28, non-functional in v1.31+"),
    ];
    for (field, _, text) in gone.iter().filter(|it| it.1) {
        warnings.push(format!("{path}.{field}: {text}"));
    }
    let template = volume.ephemeral.as_ref().and_then(|it| it.volume_claim_template.as_ref());
    if let Some(it) = template {
        claim_spec(warnings, &format!("{path}.ephemeral.volumeClaimTemplate.spec"), &it.spec);
    }
}

/// Upstream: `GetWarningsForPersistentVolumeClaimSpec`.
pub(super) fn claim_spec(warnings: &mut Vec<String>, path: &str, spec: &PersistentVolumeClaimSpec) {
    let own = spec.resources.as_ref();
    for (field, list) in [
        ("requests", own.and_then(|it| it.requests.as_ref())),
        ("limits", own.and_then(|it| it.limits.as_ref())),
    ] {
        let quantity = list.and_then(|it| it.get("storage"));
        fraction(warnings, &format!("{path}.resources.{field}[storage]"), quantity);
    }
}

fn repeated(warnings: &mut Vec<String>, path: &str, spec: &PodSpec) {
    let aliases = list_of(&spec.host_aliases);
    for (index, it) in aliases.iter().enumerate() {
        if aliases[..index].iter().any(|other| other.ip == it.ip) {
            let text = format!("duplicate ip {:?}", it.ip);
            warnings.push(format!("{path}spec.hostAliases[{index}].ip: {text}"));
        }
    }
    let secrets = list_of(&spec.image_pull_secrets);
    for (index, it) in secrets.iter().enumerate() {
        if secrets[..index].iter().any(|other| other.name == it.name) {
            let text = format!("duplicate name {:?}", it.name);
            warnings.push(format!("{path}spec.imagePullSecrets[{index}].name: {text}"));
        }
    }
    for (index, _) in secrets.iter().enumerate().filter(|it| it.1.name.is_empty()) {
        let path = format!("{path}spec.imagePullSecrets[{index}].name");
        warnings.push(format!("{path}: invalid empty name \"\""));
    }
}

fn container(warnings: &mut Vec<String>, path: &str, container: &Container) {
    let empty = resources::List::new();
    let own = container.resources.as_ref();
    let limits = own.and_then(|it| it.limits.as_ref()).unwrap_or(&empty);
    let requests = own.and_then(|it| it.requests.as_ref()).unwrap_or(&empty);
    for name in ["memory", "ephemeral-storage"] {
        for (field, list) in [("limits", limits), ("requests", requests)] {
            let path = format!("{path}.resources.{field}[{name}]");
            fraction(warnings, &path, list.get(name));
        }
    }
    let variables = list_of(&container.env);
    for (index, it) in variables.iter().enumerate() {
        if !variables[..index].iter().any(|other| other.name == it.name) {
            continue;
        }
        let reference = format!("$({})", it.name);
        let value = str_of(&it.value);
        if it.value_from.is_some() || value == reference || !value.contains(&reference) {
            warnings.push(format!(
                "{path}.env[{index}]: hides previous definition of {:?}, which may be dropped \
                 when using apply",
                it.name
            ));
        }
    }
}

fn ports(warnings: &mut Vec<String>, path: &str, spec: &PodSpec) {
    let all: Vec<(String, &ContainerPort)> = containers(path, spec)
        .into_iter()
        .flat_map(|(path, container)| {
            let ports = list_of(&container.ports).iter().enumerate();
            ports.map(|(index, it)| (format!("{path}.ports[{index}]"), it)).collect::<Vec<_>>()
        })
        .collect();
    let ip = |it: &ContainerPort| str_of(&it.host_ip).to_owned();
    let host = |it: &ContainerPort| it.host_port.unwrap_or_default();
    for (index, (path, port)) in all.iter().enumerate() {
        if !ip(port).is_empty() && host(port) == 0 {
            warnings.push(format!(
                "{path}: hostIP set without hostPort: {{Name:{} HostPort:0 ContainerPort:{} \
                 Protocol:{} HostIP:{}}}",
                str_of(&port.name),
                port.container_port,
                str_of(&port.protocol),
                ip(port)
            ));
        }
        let same = |it: &&(String, &ContainerPort)| {
            it.1.container_port == port.container_port && it.1.protocol == port.protocol
        };
        for (other_path, other) in all[..index].iter().filter(same) {
            let text = if ip(port) == ip(other) && host(port) == host(other) {
                "duplicate port definition with"
            } else if host(port) == 0 || host(other) == 0 {
                "overlapping port definition with"
            } else if host(port) == host(other) && (ip(port).is_empty() != ip(other).is_empty()) {
                "dangerously ambiguous port definition with"
            } else {
                continue;
            };
            warnings.push(format!("{path}: {text} {other_path}"));
        }
    }
    for (index, (path, port)) in all.iter().enumerate() {
        let name = str_of(&port.name);
        let mut before = all[..index].iter();
        let other = before.find(|it| !name.is_empty() && str_of(&it.1.name) == name);
        if let Some((other, _)) = other {
            warnings.push(format!(
                "{path}: duplicate port name {name:?} with {other}, services and probes that \
                 select ports by name will use {other}"
            ));
        }
    }
}

fn pod_affinity(warnings: &mut Vec<String>, path: &str, spec: &PodSpec) {
    let Some(affinity) = &spec.affinity else { return };
    let mut terms = |name: &str,
                     required: &[PodAffinityTerm],
                     preferred: &[WeightedPodAffinityTerm]| {
        let path = format!("{path}spec.affinity.{name}");
        for (index, _) in required.iter().enumerate().filter(|it| it.1.label_selector.is_none()) {
            let path = format!("{path}.requiredDuringSchedulingIgnoredDuringExecution[{index}]");
            warnings.push(no_selector(&path));
        }
        for (index, it) in preferred.iter().enumerate() {
            if it.pod_affinity_term.label_selector.is_none() {
                let path = format!(
                    "{path}.preferredDuringSchedulingIgnoredDuringExecution[{index}]\
                     .podAffinityTerm"
                );
                warnings.push(no_selector(&path));
            }
        }
    };
    if let Some(it) = &affinity.pod_affinity {
        let required = list_of(&it.required_during_scheduling_ignored_during_execution);
        let preferred = list_of(&it.preferred_during_scheduling_ignored_during_execution);
        terms("podAffinity", required, preferred);
    }
    if let Some(it) = &affinity.pod_anti_affinity {
        let required = list_of(&it.required_during_scheduling_ignored_during_execution);
        let preferred = list_of(&it.preferred_during_scheduling_ignored_during_execution);
        terms("podAntiAffinity", required, preferred);
    }
}
