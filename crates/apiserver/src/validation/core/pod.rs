//! Pods and pod templates.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`ValidatePodSpec`,
//! `ValidatePodTemplateSpec`, `ValidatePodCreate`), v1.36.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, PodDNSConfig, PodResourceClaim, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::validation::check::{
    form, ip, label, list_of, one_of, qualified_name, required_one_of, str_of, subdomain,
};
use crate::validation::core::container::{self, Around};
use crate::validation::core::{affinity, security, spread, volume};
use crate::validation::resources::{self, Scope};
use crate::validation::{Bad, Context, Errors, Path, labels, meta, text};

pub(crate) const MIRROR: &str = "kubernetes.io/config.mirror";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// Upstream: `DeprecatedAppArmorBetaContainerAnnotationKeyPrefix`.
pub(crate) const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Upstream: `ValidatePodCreate`.
pub(crate) fn create(errors: &mut Errors, pod: &Pod, context: &Context<'_>) {
    metadata_and_spec(errors, pod, context);
    let Some(spec) = &pod.spec else { return };
    let path = Path::new("spec");
    if !list_of(&spec.ephemeral_containers).is_empty() {
        errors.forbidden(&path.child("ephemeralContainers"), "cannot be set on create");
    }
    let gated = !list_of(&spec.scheduling_gates).is_empty();
    if !str_of(&spec.node_name).is_empty() && gated {
        let why = "cannot be set until all schedulingGates have been cleared";
        errors.forbidden(&path.child("nodeName"), why);
    }
    security::profiles_agree(errors, &path, spec, pod.metadata.annotations.as_ref());
}

/// Upstream: `validatePodMetadataAndSpec`.
pub(crate) fn metadata_and_spec(errors: &mut Errors, pod: &Pod, context: &Context<'_>) {
    meta::object_meta(errors, &pod.metadata, true, text::dns1123_subdomain);
    let empty = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&empty);
    let meta_path = Path::new("metadata");
    let path = meta_path.child("annotations");
    annotations(errors, &path, pod.metadata.annotations.as_ref(), spec);
    let context = Context { pod_name: str_of(&pod.metadata.name), is_pod: true, ..context.clone() };
    let path = Path::new("spec");
    self::spec(errors, &path, spec, Some(&pod.metadata), &context);
    if str_of(&spec.service_account_name).is_empty() {
        let all = path.child("volumes");
        for (index, volume) in list_of(&spec.volumes).iter().enumerate() {
            let sources = volume.projected.as_ref().map(|it| list_of(&it.sources));
            for (source_index, source) in sources.unwrap_or_default().iter().enumerate() {
                if source.service_account_token.is_some() {
                    let volume_path = all.index(index);
                    let projected = volume_path.child("projected");
                    let sources = projected.child("sources");
                    let path = sources.index(source_index);
                    let why = "must not be specified when serviceAccountName is not set";
                    errors.forbidden(&path.child("serviceAccountToken"), why);
                }
            }
        }
    }
    container::images_of_pod(errors, &path.child("containers"), &spec.containers);
    let init = list_of(&spec.init_containers);
    container::images_of_pod(errors, &path.child("initContainers"), init);
}

/// Upstream: `ValidatePodSpecificAnnotations`.
pub(crate) fn annotations(
    errors: &mut Errors,
    path: &Path<'_>,
    annotations: Option<&BTreeMap<String, String>>,
    spec: &PodSpec,
) {
    let get = |key: &str| annotations.and_then(|it| it.get(key));
    if let Some(value) = get(MIRROR)
        && str_of(&spec.node_name).is_empty()
    {
        let why = "must set spec.nodeName if mirror pod annotation is set";
        errors.invalid(&path.key(MIRROR), value, why);
    }
    if let Some(cost) = get(DELETION_COST) {
        let first_fits =
            cost.starts_with('-') || cost == "0" || cost.starts_with(|it| matches!(it, '1'..='9'));
        if !first_fits || cost.parse::<i32>().is_err() {
            errors.invalid(&path.key(DELETION_COST), cost, "must be a 32bit integer");
        }
    }
    security::annotations(errors, path, annotations);
    for (key, profile) in annotations.into_iter().flatten() {
        let Some(name) = key.strip_prefix(APP_ARMOR) else { continue };
        let mut found = false;
        container::visit(path, spec, &mut |_, it| found |= it.name == name);
        if !found {
            errors.invalid(&path.key(key), name, "container not found");
        }
        let known = matches!(profile.as_str(), "" | "runtime/default" | "unconfined")
            || profile.starts_with("localhost/");
        if !known {
            let why = format!("invalid AppArmor profile name: {profile:?}");
            errors.invalid(&path.key(key), profile, &why);
        }
    }
}

/// Upstream: `ValidatePodTemplateSpec`.
pub(crate) fn template(
    errors: &mut Errors,
    path: &Path<'_>,
    template: &PodTemplateSpec,
    context: &Context<'_>,
) {
    let empty_meta = ObjectMeta::default();
    let meta = template.metadata.as_ref().unwrap_or(&empty_meta);
    let empty = PodSpec::default();
    let spec = template.spec.as_ref().unwrap_or(&empty);
    labels::labels(errors, &path.child("labels"), meta.labels.as_ref());
    let annotations_path = path.child("annotations");
    labels::annotations(errors, &annotations_path, meta.annotations.as_ref());
    annotations(errors, &annotations_path, meta.annotations.as_ref(), spec);
    let spec_path = path.child("spec");
    self::spec(errors, &spec_path, spec, None, context);
    security::profiles_agree(errors, &spec_path, spec, meta.annotations.as_ref());
    if !list_of(&spec.ephemeral_containers).is_empty() {
        let why = "ephemeral containers not allowed in pod template";
        errors.forbidden(&spec_path.child("ephemeralContainers"), why);
    }
}

/// Upstream: `ValidatePodSpec`.
fn spec(
    errors: &mut Errors,
    path: &Path<'_>,
    spec: &PodSpec,
    meta: Option<&ObjectMeta>,
    context: &Context<'_>,
) {
    if spec.termination_grace_period_seconds.is_none() {
        errors.required(&path.child("terminationGracePeriodSeconds"), "");
    }
    let volumes = list_of(&spec.volumes);
    let volumes = volume::volumes(errors, &path.child("volumes"), volumes, context);
    let claims = list_of(&spec.resource_claims);
    resource_claims(errors, &path.child("resourceClaims"), claims, meta);
    let claims = claims.iter().map(|it| it.name.as_str()).filter(|it| !it.is_empty()).collect();
    let around = Around { spec, volumes: &volumes, claims, context };
    container::containers(errors, &path.child("containers"), &around);
    container::init_containers(errors, &path.child("initContainers"), &around);
    container::ephemeral_containers(errors, &path.child("ephemeralContainers"), &around);
    container::pod_resources(errors, path, &around);
    host_network_ports(errors, path, spec, context);
    let policy = str_of(&spec.restart_policy);
    let supported = ["Always", "OnFailure", "Never"];
    required_one_of(errors, &path.child("restartPolicy"), policy, &supported);
    let policy = str_of(&spec.dns_policy);
    let supported = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    required_one_of(errors, &path.child("dnsPolicy"), policy, &supported);
    labels::labels(errors, &path.child("nodeSelector"), spec.node_selector.as_ref());
    if let Some(it) = &spec.security_context {
        security::pod(errors, &path.child("securityContext"), it, spec);
    }
    if let Some(it) = &spec.affinity {
        affinity::affinity(errors, &path.child("affinity"), it);
    }
    dns_config(errors, &path.child("dnsConfig"), spec.dns_config.as_ref(), policy);
    gates(errors, path, spec);
    let constraints = list_of(&spec.topology_spread_constraints);
    spread::constraints(errors, &path.child("topologySpreadConstraints"), constraints);
    security::host_process(errors, path, spec, context);
    host_users(errors, path, spec);
    host_name(errors, path, spec);
    names(errors, path, spec);
    if let Some(overhead) = &spec.overhead {
        let limits = Some(overhead.clone());
        let requirements =
            k8s_openapi::api::core::v1::ResourceRequirements { limits, ..Default::default() };
        let path = path.child("overhead");
        resources::requirements(errors, &path, &requirements, &[], Scope::Container);
    }
    security::os(errors, path, spec);
    file_key_volumes(errors, path, spec);
}

fn gates(errors: &mut Errors, path: &Path<'_>, spec: &PodSpec) {
    let all = path.child("readinessGates");
    for (index, gate) in list_of(&spec.readiness_gates).iter().enumerate() {
        qualified_name(errors, &all.index(index).child("conditionType"), &gate.condition_type);
    }
    let all = path.child("schedulingGates");
    let gates = list_of(&spec.scheduling_gates);
    for (index, gate) in gates.iter().enumerate() {
        qualified_name(errors, &all.index(index), &gate.name);
        if gates[..index].iter().any(|it| it.name == gate.name) {
            errors.duplicate(&all.index(index), &gate.name);
        }
    }
}

fn names(errors: &mut Errors, path: &Path<'_>, spec: &PodSpec) {
    for (field, name) in
        [("serviceAccountName", &spec.service_account_name), ("nodeName", &spec.node_name)]
    {
        let name = str_of(name);
        if !name.is_empty() {
            subdomain(errors, &path.child(field), name);
        }
    }
    if let Some(seconds) = spec.active_deadline_seconds
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let why = "must be between 1 and 2147483647, inclusive";
        errors.invalid(&path.child("activeDeadlineSeconds"), seconds, why);
    }
    for (field, name) in [("hostname", &spec.hostname), ("subdomain", &spec.subdomain)] {
        let name = str_of(name);
        if !name.is_empty() {
            label(errors, &path.child(field), name);
        }
    }
    affinity::tolerations(errors, &path.child("tolerations"), list_of(&spec.tolerations));
    let all = path.child("hostAliases");
    for (index, alias) in list_of(&spec.host_aliases).iter().enumerate() {
        let path = all.index(index);
        ip(errors, &path.child("ip"), &alias.ip);
        let names = path.child("hostnames");
        for (index, name) in list_of(&alias.hostnames).iter().enumerate() {
            subdomain(errors, &names.index(index), name);
        }
    }
    let class = str_of(&spec.priority_class_name);
    if !class.is_empty() {
        subdomain(errors, &path.child("priorityClassName"), class);
    }
    if let Some(class) = &spec.runtime_class_name {
        subdomain(errors, &path.child("runtimeClassName"), class);
    }
    if let Some(policy) = &spec.preemption_policy {
        let supported = ["PreemptLowerPriority", "Never"];
        required_one_of(errors, &path.child("preemptionPolicy"), policy, &supported);
    }
}

fn resource_claims(
    errors: &mut Errors,
    path: &Path<'_>,
    claims: &[PodResourceClaim],
    meta: Option<&ObjectMeta>,
) {
    let annotations = meta.and_then(|it| it.annotations.as_ref());
    let mirror = annotations.is_some_and(|it| it.contains_key(MIRROR));
    for (index, claim) in claims.iter().enumerate() {
        if mirror {
            errors.forbidden(&Path::new(""), "static pods do not support resource claims");
            continue;
        }
        let path = path.index(index);
        let name_path = path.child("name");
        if claim.name.is_empty() {
            errors.required(&name_path, "");
        } else if claims[..index].iter().any(|it| it.name == claim.name) {
            errors.duplicate(&name_path, &claim.name);
        } else {
            label(errors, &name_path, &claim.name);
        }
        let sources = [
            ("resourceClaimName", &claim.resource_claim_name),
            ("resourceClaimTemplateName", &claim.resource_claim_template_name),
        ];
        let shown = || {
            let name =
                |it: &Option<String>| it.as_ref().map_or("null".to_owned(), |it| format!("{it:?}"));
            Bad::raw(format!(
                "{{\"Name\":{:?},\"ResourceClaimName\":{},\"ResourceClaimTemplateName\":{}}}",
                claim.name,
                name(&claim.resource_claim_name),
                name(&claim.resource_claim_template_name),
            ))
        };
        match sources.iter().filter(|it| it.1.is_some()).count() {
            2 => errors.invalid(
                &path,
                shown(),
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be \
                 specified",
            ),
            0 => errors.invalid(
                &path,
                shown(),
                "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            ),
            _ => {}
        }
        for (field, name) in sources {
            if let Some(name) = name {
                subdomain(errors, &path.child(field), name);
            }
        }
    }
}

fn host_network_ports(errors: &mut Errors, path: &Path<'_>, spec: &PodSpec, context: &Context<'_>) {
    if spec.host_network != Some(true) {
        return;
    }
    let all = path.child("containers");
    for (index, container) in spec.containers.iter().enumerate() {
        let element = all.index(index);
        let ports = element.child("ports");
        for (index, port) in list_of(&container.ports).iter().enumerate() {
            let host = port.host_port.unwrap_or_default();
            if (context.is_pod || host != 0) && host != port.container_port {
                let path = ports.index(index);
                let why = "must match `containerPort` when `hostNetwork` is true";
                errors.invalid(&path.child("hostPort"), host, why);
            }
        }
    }
}

fn dns_config(errors: &mut Errors, path: &Path<'_>, config: Option<&PodDNSConfig>, policy: &str) {
    if policy == "None" {
        if config.is_none() {
            errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
            return;
        }
        if config.is_some_and(|it| list_of(&it.nameservers).is_empty()) {
            let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            errors.required(&path.child("nameservers"), why);
            return;
        }
    }
    let Some(config) = config else { return };
    let servers = list_of(&config.nameservers);
    let servers_path = path.child("nameservers");
    if servers.len() > 3 {
        errors.invalid(&servers_path, Bad::json(&servers), "must not have more than 3 nameservers");
    }
    for (index, server) in servers.iter().enumerate() {
        ip(errors, &servers_path.index(index), server);
    }
    let searches = list_of(&config.searches);
    let searches_path = path.child("searches");
    if searches.len() > 32 {
        let why = "must not have more than 32 search paths";
        errors.invalid(&searches_path, Bad::json(&searches), why);
    }
    if searches.join(" ").len() > 2048 {
        let why = "must not have more than 2048 characters (including spaces) in the search list";
        errors.invalid(&searches_path, Bad::json(&searches), why);
    }
    for (index, search) in searches.iter().enumerate().filter(|it| it.1 != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        let messages = text::dns1123_subdomain_with_underscore(search);
        form(errors, &searches_path.index(index), search, messages);
    }
    for (index, option) in list_of(&config.options).iter().enumerate() {
        if str_of(&option.name).is_empty() {
            errors.required(&path.child("options").index(index), "must not be empty");
        }
    }
}

fn host_users(errors: &mut Errors, path: &Path<'_>, spec: &PodSpec) {
    if spec.host_users != Some(false) {
        return;
    }
    let why = "when `hostUsers` is false";
    for (name, value) in
        [("hostNetwork", spec.host_network), ("HostPID", spec.host_pid), ("HostIPC", spec.host_ipc)]
    {
        if value == Some(true) {
            errors.forbidden(&path.child(name), why);
        }
    }
    container::visit(path, spec, &mut |path, container| {
        if !list_of(&container.volume_devices).is_empty() {
            errors.forbidden(&path.child("volumeDevices"), why);
        }
    });
}

fn host_name(errors: &mut Errors, path: &Path<'_>, spec: &PodSpec) {
    let Some(name) = &spec.hostname_override else { return };
    let path = path.child("hostnameOverride");
    if spec.set_hostname_as_fqdn == Some(true) {
        errors.forbidden(&path, "may not be specified when setHostnameAsFQDN is true");
    }
    if spec.host_network == Some(true) {
        errors.forbidden(&path, "may not be specified when hostNetwork is true");
    }
    if name.len() > 64 {
        errors.too_long(&path, 64);
    }
    subdomain(errors, &path, name);
}

fn file_key_volumes(errors: &mut Errors, path: &Path<'_>, spec: &PodSpec) {
    container::visit(path, spec, &mut |path, container| {
        let variables = path.child("env");
        for (index, variable) in list_of(&container.env).iter().enumerate() {
            let source = variable.value_from.as_ref().and_then(|it| it.file_key_ref.as_ref());
            let Some(name) = source.map(|it| it.volume_name.as_str()) else { continue };
            let variable_path = variables.index(index);
            let from = variable_path.child("valueFrom");
            let reference = from.child("fileKeyRef");
            let path = reference.child("volumeName");
            match list_of(&spec.volumes).iter().find(|it| it.name == name) {
                None => errors.not_found(&path, name),
                Some(it) if it.empty_dir.is_none() => {
                    let why = "referenced volume must be of type emptyDir";
                    errors.invalid(&path, name, why);
                }
                Some(_) => {}
            }
        }
    });
}

/// Upstream: the rule of all workloads but jobs.
pub(crate) fn always_restarts(
    errors: &mut Errors,
    path: &Path<'_>,
    template: &PodTemplateSpec,
    kind: &str,
) {
    let Some(spec) = &template.spec else { return };
    let path = path.child("spec");
    let policy = str_of(&spec.restart_policy);
    one_of(errors, &path.child("restartPolicy"), policy, &["Always"]);
    if spec.active_deadline_seconds.is_some() {
        let why = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.forbidden(&path.child("activeDeadlineSeconds"), &why);
    }
}
