//! What the server accepts and yet advises against.
//!
//! Upstream: `WarningsOnCreate` and `WarningsOnUpdate` of the strategies,
//! `pkg/api/{job,service,persistentvolume,persistentvolumeclaim,storage}`, v1.36.
//! Differs from upstream: nobody looks whether a TLS secret's key fits its certificate, because
//! no key is ever used.

use api::Object;
use k8s_openapi::api::batch::v1::JobSpec;
use k8s_openapi::api::core::v1::{
    Node, PersistentVolume, PersistentVolumeClaim, PodTemplateSpec, ResourceQuota, Service,
};
use k8s_openapi::api::storage::v1::{CSIDriver, StorageClass};

use crate::strategy;
use crate::validation::check::{list_of, str_of};
use crate::validation::{resources, text};
use crate::warnings::pod::{canonical_ip, claim_spec};

mod paths;
mod pod;
#[cfg(test)]
mod tests;

/// What is said of a new object before its strategy changes it.
pub(crate) fn before_create(object: &Object) -> Vec<String> {
    match object {
        Object::Pod(it) => it.spec.as_ref().map_or_else(Vec::new, |spec| {
            strategy::pod::app_armor_warnings("", spec, &it.metadata)
        }),
        _ => Vec::new(),
    }
}

/// The warnings for an object that is new, or for an update of an old one.
pub(crate) fn of(object: &Object, old: Option<&Object>) -> Vec<String> {
    let mut warnings = Vec::new();
    let w = &mut warnings;
    if old.is_none() {
        name(object, w);
    }
    // Who did not touch the spec is not told about it again.
    let same_template = old.is_some_and(|it| match (object, it) {
        (Object::DaemonSet(new), Object::DaemonSet(old)) => {
            let template = |it: &k8s_openapi::api::apps::v1::DaemonSet| {
                it.spec.as_ref().map(|it| it.template.clone())
            };
            template(new) == template(old)
        }
        _ => object.meta().generation == it.meta().generation,
    });
    if !same_template {
        templates(w, object, old.is_none());
    }
    match object {
        Object::StatefulSet(it) => {
            let spec = it.spec.as_ref();
            let claims = spec.map(|it| list_of(&it.volume_claim_templates)).unwrap_or_default();
            let field = if old.is_some() { ".Spec" } else { "" };
            for (index, claim) in claims.iter().enumerate() {
                if let Some(spec) = &claim.spec {
                    let path = format!("spec.volumeClaimTemplates[{index}]{field}");
                    claim_spec(w, &path, spec);
                }
            }
            if spec.and_then(|it| it.revision_history_limit).is_some_and(|it| it < 0) {
                let text = "spec.revisionHistoryLimit: a negative value retains all historical \
                            revisions; a value >= 0 is recommended";
                w.push(text.to_owned());
            }
        }
        Object::CronJob(it) if old.is_some() && it.spec.schedule.contains("TZ") => {
            let text = "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see \
                        https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for \
                        more details";
            w.push(text.to_owned());
        }
        Object::Service(it) => service(w, it),
        Object::Node(it) => node(w, it),
        Object::PersistentVolume(it) => volume(w, it),
        Object::PersistentVolumeClaim(it) => claim(w, it),
        Object::StorageClass(it) => class(w, it),
        Object::Secret(it) if it.type_.as_deref() == Some("kubernetes.io/tls") => {
            let is_pem = |key: &str| {
                let text = it.data.as_ref().and_then(|it| it.get(key));
                text.is_some_and(|it| it.0.windows(10).any(|it| it == b"-----BEGIN"))
            };
            let missing = [("tls.crt", "certificate"), ("tls.key", "key")];
            if let Some((_, what)) = missing.iter().find(|it| !is_pem(it.0)) {
                w.push(format!("tls: failed to find any PEM data in {what} input"));
            }
        }
        Object::EndpointSlice(it) if it.address_type == "FQDN" => {
            w.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
        }
        Object::ResourceQuota(it) if old.is_none() => quota(w, it),
        Object::CSIDriver(it) => driver(w, it, old),
        _ => {}
    }
    warnings
}

const TOKEN_IN_SECRETS: &str = "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI \
                                driver, set to true to prevent possible logging of tokens in volume \
                                attributes";

/// Upstream: `pkg/registry/storage/csidriver/strategy.go`.
fn driver(warnings: &mut Vec<String>, driver: &CSIDriver, old: Option<&Object>) {
    let before = match old {
        Some(Object::CSIDriver(it)) => it.spec.token_requests.as_deref(),
        _ => None,
    };
    let requests = driver.spec.token_requests.as_deref().unwrap_or_default();
    let is_new = !requests.is_empty() && before != Some(requests);
    if is_new && driver.spec.service_account_token_in_secrets.is_none() {
        warnings.push(TOKEN_IN_SECRETS.to_owned());
    }
}

/// What is said of the pods that an object is or makes; of pods themselves only at first.
fn templates(warnings: &mut Vec<String>, object: &Object, creating: bool) {
    let path = "spec.template.";
    match object {
        Object::Pod(it) if creating => {
            if let Some(spec) = &it.spec {
                pod::pod(warnings, "", spec, Some(&it.metadata));
            }
        }
        Object::Deployment(it) => {
            template(warnings, path, it.spec.as_ref().map(|it| &it.template));
        }
        Object::ReplicaSet(it) => {
            template(warnings, path, it.spec.as_ref().and_then(|it| it.template.as_ref()));
        }
        Object::DaemonSet(it) => {
            template(warnings, path, it.spec.as_ref().map(|it| &it.template));
        }
        Object::StatefulSet(it) => {
            template(warnings, path, it.spec.as_ref().map(|it| &it.template));
        }
        Object::Job(it) => job(warnings, "spec", it.spec.as_ref()),
        Object::CronJob(it) => {
            job(warnings, "spec.jobTemplate.spec", it.spec.job_template.spec.as_ref());
        }
        _ => {}
    }
}

/// Upstream: `WarningsForJobSpec`.
fn job(warnings: &mut Vec<String>, path: &str, spec: Option<&JobSpec>) {
    let Some(spec) = spec else { return };
    if spec.completion_mode.as_deref() == Some("Indexed")
        && spec.completions.unwrap_or_default() > 100_000
        && spec.parallelism.unwrap_or_default() > 10_000
    {
        warnings.push(format!(
            "{path}: In Indexed Jobs with a number of completions higher than 10^5 and a \
             parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes \
             when a big number of indexes fail"
        ));
    }
    template(warnings, &format!("{path}.template."), Some(&spec.template));
}

fn node(warnings: &mut Vec<String>, node: &Node) {
    let Some(spec) = &node.spec else { return };
    if spec.config_source.is_some() {
        warnings.push("spec.configSource: the feature is removed".to_owned());
    }
    if !str_of(&spec.external_id).is_empty() {
        let text = "spec.externalID: this field is deprecated, and is unused by Kubernetes";
        warnings.push(text.to_owned());
    }
    for (index, it) in list_of(&spec.pod_cidrs).iter().enumerate() {
        canonical_cidr(warnings, &format!("spec.podCIDRs[{index}]"), it);
    }
}

/// A range of version 6 that could be written otherwise. Upstream: `GetWarningsForCIDR`.
fn canonical_cidr(warnings: &mut Vec<String>, path: &str, value: &str) {
    let Some((address, length)) = value.split_once('/') else { return };
    let Ok(ip) = address.parse::<std::net::Ipv6Addr>() else { return };
    let canonical = format!("{ip}/{length}");
    if canonical != value {
        warnings.push(format!(
            "{path}: IPv6 CIDR value {value:?} should be in RFC 5952 canonical format \
             ({canonical:?})"
        ));
    }
}

const BETA_CLASS: (&str, &str) = (
    "volume.beta.kubernetes.io/storage-class",
    "deprecated since v1.8; use \"storageClassName\" attribute instead",
);

const MOUNT_OPTIONS: (&str, &str) = (
    "volume.beta.kubernetes.io/mount-options",
    "deprecated since v1.31; use \"mountOptions\" attribute instead",
);

fn volume(warnings: &mut Vec<String>, volume: &PersistentVolume) {
    let annotations = volume.metadata.annotations.as_ref();
    for (key, text) in [BETA_CLASS, MOUNT_OPTIONS] {
        if annotations.is_some_and(|it| it.contains_key(key)) {
            warnings.push(format!("metadata.annotations[{key}]: {text}"));
        }
    }
    let Some(spec) = &volume.spec else { return };
    if str_of(&spec.persistent_volume_reclaim_policy) == "Recycle" {
        let text = "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. \
                    Instead, the recommended approach is to use dynamic provisioning.";
        warnings.push(text.to_owned());
    }
    let required = spec.node_affinity.as_ref().and_then(|it| it.required.as_ref());
    let terms = required.map(|it| it.node_selector_terms.as_slice()).unwrap_or_default();
    for (index, term) in terms.iter().enumerate() {
        let path = format!("spec.nodeAffinity.required.nodeSelectorTerms[{index}]");
        pod::node_term(warnings, &path, term, false);
    }
    let gone = [
        ("cephfs", spec.cephfs.is_some(), "v1.28, non-functional in v1.31+"),
        (
            "photonPersistentDisk",
            spec.photon_persistent_disk.is_some(),
            "v1.11, non-functional in v1.16+",
        ),
        ("scaleIO", spec.scale_io.is_some(), "v1.16, non-functional in v1.22+"),
        ("storageOS", spec.storageos.is_some(), "v1.22, non-functional in v1.25+"),
        ("glusterfs", spec.glusterfs.is_some(), "v1.25, non-functional in v1.26+"),
        ("rbd", spec.rbd.is_some(), "v1.28, non-functional in v1.31+"),
    ];
    for (field, _, since) in gone.iter().filter(|it| it.1) {
        warnings.push(format!("spec.{field}: deprecated in {since}"));
    }
}

fn claim(warnings: &mut Vec<String>, claim: &PersistentVolumeClaim) {
    let (key, text) = BETA_CLASS;
    if claim.metadata.annotations.as_ref().is_some_and(|it| it.contains_key(key)) {
        warnings.push(format!("metadata.annotations[{key}]: {text}"));
    }
    if let Some(spec) = &claim.spec {
        claim_spec(warnings, "spec", spec);
    }
}

fn class(warnings: &mut Vec<String>, class: &StorageClass) {
    for (index, term) in list_of(&class.allowed_topologies).iter().enumerate() {
        let expressions = list_of(&term.match_label_expressions).iter().enumerate();
        for (at, expression) in expressions {
            if let Some(text) = pod::deprecated(&expression.key) {
                warnings.push(format!(
                    "allowedTopologies[{index}].matchLabelExpressions[{at}].key: {text}"
                ));
            }
        }
    }
}

/// More may be asked for than may be used.
fn quota(warnings: &mut Vec<String>, quota: &ResourceQuota) {
    let Some(hard) = quota.spec.as_ref().and_then(|it| it.hard.as_ref()) else { return };
    for name in ["cpu", "memory", "storage", "ephemeral-storage"] {
        let (limit, mut request) = (format!("limits.{name}"), format!("requests.{name}"));
        let bare = matches!(name, "cpu" | "memory") && !hard.contains_key(&request);
        if bare {
            name.clone_into(&mut request);
        }
        if let (Some(asked), Some(most)) = (hard.get(&request), hard.get(&limit))
            && resources::exact(asked) > resources::exact(most)
        {
            warnings.push(format!(
                "ResourceQuota {request} ({}) should be less than {limit} ({})",
                resources::shown(asked),
                resources::shown(most)
            ));
        }
    }
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
        pod::pod(warnings, path, spec, template.metadata.as_ref());
    }
}

fn service(warnings: &mut Vec<String>, service: &Service) {
    let Some(spec) = &service.spec else { return };
    let hints = "service.kubernetes.io/topology-aware-hints";
    if service.metadata.annotations.as_ref().is_some_and(|it| it.contains_key(hints)) {
        warnings.push(format!(
            "annotation {hints} is deprecated, please use service.kubernetes.io/topology-mode \
             instead"
        ));
    }
    for (index, it) in list_of(&spec.cluster_ips).iter().enumerate() {
        canonical_ip(warnings, &format!("spec.clusterIPs[{index}]"), it);
    }
    let headless = str_of(&spec.type_) == "ClusterIP" && str_of(&spec.cluster_ip) == "None";
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
    ];
    warnings.extend(texts.iter().filter(|it| it.0).map(|it| it.1.to_owned()));
    for (index, it) in list_of(&spec.external_ips).iter().enumerate() {
        canonical_ip(warnings, &format!("spec.externalIPs[{index}]"), it);
    }
    if external_ips && !headless && !by_name {
        let text = "spec.externalIPs is deprecated and may no longer be implemented in some \
                    clusters";
        warnings.push(text.to_owned());
    }
    canonical_ip(warnings, "spec.loadBalancerIP", str_of(&spec.load_balancer_ip));
    for (index, it) in list_of(&spec.load_balancer_source_ranges).iter().enumerate() {
        canonical_cidr(warnings, &format!("spec.loadBalancerSourceRanges[{index}]"), it);
    }
    let texts = [
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
