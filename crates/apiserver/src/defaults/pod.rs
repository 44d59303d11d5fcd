//! Defaults of pods and pod templates.
//!
//! Upstream: `pkg/apis/core/v1/{defaults,zz_generated.defaults}.go`, v1.36.

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, DownwardAPIVolumeFile, EnvVar, HTTPGetAction, Lifecycle, Pod,
    PodSpec, PodTemplateSpec, Probe, ResourceFieldSelector, ResourceRequirements, Volume,
};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

use crate::defaults::{core, set_text, storage};

/// Modes of files that come out of objects. Upstream: `*VolumeSourceDefaultMode`.
const FILE_MODE: i32 = 0o644;

/// Upstream: `SetObjectDefaults_Pod`.
pub(super) fn set_pod(pod: &mut Pod) {
    let spec = pod.spec.get_or_insert_default();
    set_pod_spec(spec);
    let init = spec.init_containers.iter_mut().flatten();
    for container in spec.containers.iter_mut().chain(init) {
        if let Some(resources) = &mut container.resources {
            requests_from_limits(resources);
        }
    }
    set_pod_level_requests(spec);
    // The conversion does this for pods, not for templates.
    if let Some(seconds) = &mut spec.termination_grace_period_seconds {
        *seconds = if *seconds < 0 { 1 } else { *seconds };
    }
    drop_init_annotations(&mut pod.metadata);
    spec.enable_service_links.get_or_insert(true);
    if spec.host_network == Some(true) {
        let init = spec.init_containers.iter_mut().flatten();
        let containers = spec.containers.iter_mut().chain(init);
        for port in containers.flat_map(|it| it.ports.iter_mut().flatten()) {
            if port.host_port.unwrap_or_default() == 0 {
                port.host_port = Some(port.container_port);
            }
        }
    }
}

/// Where very old clients kept init containers. Upstream: `dropInitContainerAnnotations`.
fn drop_init_annotations(meta: &mut ObjectMeta) {
    const OLD: [&str; 4] = [
        "pod.beta.kubernetes.io/init-containers",
        "pod.alpha.kubernetes.io/init-containers",
        "pod.beta.kubernetes.io/init-container-statuses",
        "pod.alpha.kubernetes.io/init-container-statuses",
    ];
    if let Some(annotations) = &mut meta.annotations {
        annotations.retain(|key, _| !OLD.contains(&key.as_str()));
    }
}

fn requests_from_limits(resources: &mut ResourceRequirements) {
    if let Some(limits) = &resources.limits {
        core::fill(resources.requests.get_or_insert_default(), Some(limits));
    }
}

/// Upstream: `defaultHugePagePodLimits` and `defaultPodRequests`.
fn set_pod_level_requests(spec: &mut PodSpec) {
    use api::resources::{Side, spec_amounts};
    if spec.resources.is_none() {
        return;
    }
    let mut bare = spec.clone();
    bare.resources = None;
    bare.overhead = None;
    let requests = spec_amounts(&bare, Side::Requests);
    let limits = spec_amounts(&bare, Side::Limits);
    let Some(own) = &mut spec.resources else { return };
    let says = |it: &Option<BTreeMap<String, Quantity>>| it.iter().any(|it| !it.is_empty());
    if says(&own.requests) || says(&own.limits) {
        let asked = own.requests.clone().unwrap_or_default();
        let huge = |name: &str| name.starts_with("hugepages-") && !asked.contains_key(name);
        for (name, amount) in limits.iter().filter(|(name, _)| huge(name)) {
            let own = own.limits.get_or_insert_default();
            own.entry(name.clone()).or_insert_with(|| amount.to_quantity());
        }
    }
    let Some(limits) = own.limits.clone().filter(|it| !it.is_empty()) else { return };
    let wanted = own.requests.get_or_insert_default();
    for (name, amount) in requests {
        if matches!(name.as_str(), "cpu" | "memory") {
            wanted.entry(name).or_insert_with(|| amount.to_quantity());
        }
    }
    for (name, limit) in limits {
        if matches!(name.as_str(), "cpu" | "memory") || name.starts_with("hugepages-") {
            wanted.entry(name).or_insert(limit);
        }
    }
}

/// Upstream: the part of `SetObjectDefaults_*` that concerns `spec.template`.
pub(super) fn set_template(template: &mut PodTemplateSpec) {
    // Go writes the metadata of a template even if there is none.
    drop_init_annotations(template.metadata.get_or_insert_default());
    set_pod_spec(template.spec.get_or_insert_default());
}

fn set_pod_spec(spec: &mut PodSpec) {
    set_text(&mut spec.dns_policy, "ClusterFirst");
    set_text(&mut spec.restart_policy, "Always");
    spec.security_context.get_or_insert_default();
    spec.termination_grace_period_seconds.get_or_insert(30);
    set_text(&mut spec.scheduler_name, "default-scheduler");
    // The deprecated name of the field follows the current one.
    let given = |it: &Option<String>| it.as_ref().is_some_and(|it| !it.is_empty());
    if given(&spec.service_account_name) {
        spec.service_account.clone_from(&spec.service_account_name);
    } else if given(&spec.service_account) {
        spec.service_account_name.clone_from(&spec.service_account);
    }
    for volume in spec.volumes.iter_mut().flatten() {
        set_volume(volume);
    }
    let init = spec.init_containers.iter_mut().flatten();
    for container in spec.containers.iter_mut().chain(init) {
        set_container(container);
    }
    for container in spec.ephemeral_containers.iter_mut().flatten() {
        set_image_policy(&mut container.image_pull_policy, container.image.as_deref());
        set_text(&mut container.termination_message_path, "/dev/termination-log");
        set_text(&mut container.termination_message_policy, "File");
    }
    core::round_up(&mut spec.overhead);
    if let Some(resources) = &mut spec.resources {
        core::round_up(&mut resources.requests);
        core::round_up(&mut resources.limits);
    }
}

fn set_container(container: &mut Container) {
    for port in container.ports.iter_mut().flatten() {
        set_port(port);
    }
    for variable in container.env.iter_mut().flatten() {
        set_variable(variable);
    }
    let resources = container.resources.get_or_insert_default();
    core::round_up(&mut resources.requests);
    core::round_up(&mut resources.limits);
    for probe in [
        &mut container.liveness_probe,
        &mut container.readiness_probe,
        &mut container.startup_probe,
    ]
    .into_iter()
    .flatten()
    {
        set_probe(probe);
    }
    if let Some(lifecycle) = &mut container.lifecycle {
        set_lifecycle(lifecycle);
    }
    set_image_policy(&mut container.image_pull_policy, container.image.as_deref());
    set_text(&mut container.termination_message_path, "/dev/termination-log");
    set_text(&mut container.termination_message_policy, "File");
}

fn set_port(port: &mut ContainerPort) {
    set_text(&mut port.protocol, "TCP");
}

fn set_variable(variable: &mut EnvVar) {
    let Some(source) = &mut variable.value_from else { return };
    if let Some(field) = &mut source.field_ref {
        set_text(&mut field.api_version, "v1");
    }
    if let Some(resource) = &mut source.resource_field_ref {
        set_divisor(resource);
    }
}

/// A divisor is always written, `0` standing for none.
fn set_divisor(resource: &mut ResourceFieldSelector) {
    let divisor = resource.divisor.get_or_insert_with(|| Quantity("0".to_owned()));
    divisor.0 = api::quantity::canonical(&divisor.0);
}

fn set_file(file: &mut DownwardAPIVolumeFile) {
    if let Some(field) = &mut file.field_ref {
        set_text(&mut field.api_version, "v1");
    }
    if let Some(resource) = &mut file.resource_field_ref {
        set_divisor(resource);
    }
}

/// Upstream: `SetDefaults_Probe`.
fn set_probe(probe: &mut Probe) {
    let set = |field: &mut Option<i32>, default: i32| {
        if field.unwrap_or_default() == 0 {
            *field = Some(default);
        }
    };
    set(&mut probe.timeout_seconds, 1);
    set(&mut probe.period_seconds, 10);
    set(&mut probe.success_threshold, 1);
    set(&mut probe.failure_threshold, 3);
    if let Some(get) = &mut probe.http_get {
        set_get(get);
    }
    if let Some(grpc) = &mut probe.grpc {
        grpc.service.get_or_insert_default();
    }
}

fn set_get(get: &mut HTTPGetAction) {
    set_text(&mut get.path, "/");
    set_text(&mut get.scheme, "HTTP");
}

fn set_lifecycle(lifecycle: &mut Lifecycle) {
    let handlers = [&mut lifecycle.post_start, &mut lifecycle.pre_stop];
    for handler in handlers.into_iter().flatten() {
        if let Some(get) = &mut handler.http_get {
            set_get(get);
        }
    }
}

/// `Always` for the tag `latest`, which an image without tag and digest has; else `IfNotPresent`.
fn set_image_policy(policy: &mut Option<String>, image: Option<&str>) {
    let latest = is_latest(image.unwrap_or_default());
    set_text(policy, if latest { "Always" } else { "IfNotPresent" });
}

/// Upstream: `parsers.ParseImageName`, as far as the tag goes.
fn is_latest(image: &str) -> bool {
    // What cannot be parsed has no tag at all.
    if !is_reference(image) {
        return false;
    }
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let tag = name.rsplit_once(':').map(|(_, tag)| tag).filter(|it| !it.contains('/'));
    match (tag, digest) {
        (Some(tag), _) => tag == "latest",
        (None, digest) => digest.is_none(),
    }
}

/// Whether the text is an image reference at all: path components in lower case, a tag of word
/// letters.
fn is_reference(image: &str) -> bool {
    let name = image.split('@').next().unwrap_or_default();
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (name, None),
    };
    let tag_fits = |tag: &str| {
        let word = |it: char| it.is_ascii_alphanumeric() || it == '_';
        tag.starts_with(word)
            && tag.len() <= 128
            && tag.chars().all(|it| word(it) || it == '.' || it == '-')
    };
    let mut parts = path.split('/').peekable();
    let first = parts.peek().copied().unwrap_or_default();
    // A first component with a dot, a colon or capital letters is a host.
    if path.contains('/') && (first.contains(['.', ':']) || first == "localhost") {
        parts.next();
    }
    let component_fits = |part: &str| {
        let alphanumeric = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
        part.starts_with(alphanumeric)
            && part.ends_with(alphanumeric)
            && part.chars().all(|it| alphanumeric(it) || matches!(it, '.' | '_' | '-'))
    };
    parts.all(component_fits) && tag.is_none_or(tag_fits)
}

fn set_volume(volume: &mut Volume) {
    if let Some(it) = &mut volume.secret {
        it.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(it) = &mut volume.config_map {
        it.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(it) = &mut volume.downward_api {
        it.default_mode.get_or_insert(FILE_MODE);
        it.items.iter_mut().flatten().for_each(set_file);
    }
    if let Some(it) = &mut volume.projected {
        it.default_mode.get_or_insert(FILE_MODE);
        for source in it.sources.iter_mut().flatten() {
            if let Some(token) = &mut source.service_account_token {
                token.expiration_seconds.get_or_insert(3600);
            }
            let items = source.downward_api.iter_mut().flat_map(|it| it.items.iter_mut());
            items.flatten().for_each(set_file);
        }
    }
    if let Some(it) = &mut volume.host_path {
        it.type_.get_or_insert_default();
    }
    if let Some(it) = &mut volume.iscsi {
        set_text(&mut it.iscsi_interface, "default");
    }
    if let Some(it) = &mut volume.rbd {
        set_text(&mut it.pool, "rbd");
        set_text(&mut it.user, "admin");
        set_text(&mut it.keyring, "/etc/ceph/keyring");
    }
    if let Some(it) = &mut volume.azure_disk {
        storage::set_azure_disk(it);
    }
    if let Some(it) = &mut volume.scale_io {
        set_text(&mut it.storage_mode, "ThinProvisioned");
        set_text(&mut it.fs_type, "xfs");
    }
    if let Some(it) = &mut volume.image {
        set_image_policy(&mut it.pull_policy, it.reference.as_deref());
    }
    if let Some(it) = &mut volume.ephemeral
        && let Some(template) = &mut it.volume_claim_template
    {
        storage::set_claim_spec(&mut template.spec);
    }
    let bare = Volume { name: volume.name.clone(), ..Volume::default() };
    if *volume == bare {
        volume.empty_dir = Some(k8s_openapi::api::core::v1::EmptyDirVolumeSource::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pull_policy_follows_the_tag() {
        for (image, latest) in [
            ("nginx", true),
            ("nginx:latest", true),
            ("nginx:1.27", false),
            ("registry.example:5000/team/app", true),
            ("registry.example:5000/team/app:1", false),
            ("nginx@sha256:abc", false),
            ("NGINX", false),
        ] {
            assert_eq!(is_latest(image), latest, "{image}");
        }
    }
}
