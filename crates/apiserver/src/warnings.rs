//! What the server accepts and yet advises against.
//!
//! Upstream: `pkg/api/{pod,job,service,node}/warnings.go` and `WarningsOnCreate` of the strategies,
//! v1.36.
//! Differs from upstream: overlapping paths of projected volumes are not looked for.

use std::collections::BTreeMap;

use api::Object;
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, NodeSelectorTerm, PodAffinityTerm, PodSpec, PodTemplateSpec, Service,
    Volume, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::validation::check::{list_of, str_of};
use crate::validation::{resources, text};

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

fn deprecated(label: &str) -> Option<&'static str> {
    DEPRECATED_LABELS.iter().find(|it| it.0 == label).map(|it| it.1)
}

/// The warnings for an object; `creating` adds those about its name.
pub(crate) fn of(object: &Object, creating: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if creating {
        name(object, &mut warnings);
    }
    let template_path = "spec.template.";
    match object {
        Object::Pod(it) => {
            if let Some(spec) = &it.spec {
                pod(&mut warnings, "", spec, Some(&it.metadata));
            }
        }
        Object::Deployment(it) => {
            let it = it.spec.as_ref().map(|it| &it.template);
            template(&mut warnings, template_path, it);
        }
        Object::ReplicaSet(it) => {
            let it = it.spec.as_ref().and_then(|it| it.template.as_ref());
            template(&mut warnings, template_path, it);
        }
        Object::DaemonSet(it) => {
            let it = it.spec.as_ref().map(|it| &it.template);
            template(&mut warnings, template_path, it);
        }
        Object::StatefulSet(it) => {
            template(&mut warnings, template_path, it.spec.as_ref().map(|it| &it.template));
            let limit = it.spec.as_ref().and_then(|it| it.revision_history_limit);
            if limit.is_some_and(|it| it < 0) {
                let text = "spec.revisionHistoryLimit: a negative value retains all historical \
                            revisions; a value >= 0 is recommended";
                warnings.push(text.to_owned());
            }
        }
        Object::Job(it) => {
            let it = it.spec.as_ref().map(|it| &it.template);
            template(&mut warnings, template_path, it);
        }
        Object::CronJob(it) => {
            let it = it.spec.job_template.spec.as_ref().map(|it| &it.template);
            template(&mut warnings, "spec.jobTemplate.spec.template.", it);
        }
        Object::Service(it) => service(&mut warnings, it),
        _ => {}
    }
    warnings
}

fn name(object: &Object, warnings: &mut Vec<String>) {
    let what = match object {
        Object::Pod(_) => "the Pod's hostname",
        Object::Deployment(_) | Object::ReplicaSet(_) | Object::Job(_) | Object::CronJob(_) => {
            "Pod names and hostnames"
        }
        _ => return,
    };
    let messages = text::dns1123_label(object.name());
    if !messages.is_empty() {
        warnings.push(format!(
            "metadata.name: this is used in {what}, which can result in surprising behavior; a \
             DNS label is recommended: [{}]",
            messages.join(" ")
        ));
    }
}

fn template(warnings: &mut Vec<String>, path: &str, template: Option<&PodTemplateSpec>) {
    let Some(template) = template else { return };
    if let Some(spec) = &template.spec {
        pod(warnings, path, spec, template.metadata.as_ref());
    }
}

/// `path` is empty for a pod, or ends with a dot.
fn pod(warnings: &mut Vec<String>, path: &str, spec: &PodSpec, meta: Option<&ObjectMeta>) {
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
    repeated(warnings, path, spec);
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

fn node_term(warnings: &mut Vec<String>, path: &str, term: &NodeSelectorTerm, values: bool) {
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
            let Some(quantity) = list.get(name) else { continue };
            if resources::exact(quantity).milli_value() % 1000 != 0 {
                warnings.push(format!(
                    "{path}.resources.{field}[{name}]: fractional byte value {:?} is invalid, \
                     must be an integer",
                    resources::shown(quantity)
                ));
            }
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

fn service(warnings: &mut Vec<String>, service: &Service) {
    let Some(spec) = &service.spec else { return };
    let headless = matches!(list_of(&spec.cluster_ips), [one] if one == "None");
    let external_ips = !list_of(&spec.external_ips).is_empty();
    let by_name = str_of(&spec.type_) == "ExternalName";
    let texts = [
        (
            headless && !str_of(&spec.load_balancer_ip).is_empty(),
            "spec.loadBalancerIP is ignored for headless services",
        ),
        (headless && external_ips, "spec.externalIPs is ignored for headless services"),
        (
            headless && str_of(&spec.session_affinity) != "None",
            "spec.SessionAffinity is ignored for headless services",
        ),
        (
            external_ips && !headless && !by_name,
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
        ),
        (by_name && external_ips, "spec.externalIPs is ignored when spec.type is \"ExternalName\""),
        (
            !by_name && !str_of(&spec.external_name).is_empty(),
            "spec.externalName is ignored when spec.type is not \"ExternalName\"",
        ),
        (
            str_of(&spec.traffic_distribution) == "PreferClose",
            "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"",
        ),
    ];
    warnings.extend(texts.iter().filter(|it| it.0).map(|it| it.1.to_owned()));
}
