//! Services, storage, configuration and policy.

use api::Gather;
use api::Order;
use std::collections::{BTreeMap, BTreeSet};

use api::{Resource, quantity};
use k8s_openapi::api::core::v1::{
    ConfigMap, LimitRange, LimitRangeItem, Namespace, PersistentVolume, PersistentVolumeClaim,
    PersistentVolumeClaimCondition, Pod, ResourceQuota, Secret, Service, ServiceAccount,
    ServicePort,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Cluster, Page, line, rfc1123};
use crate::printers::core::access_modes;
use crate::printers::{format_labels, format_selector, int_or_string, or_none};
use rows::human;

fn head(page: &mut Page, meta: &ObjectMeta) {
    line!(page, 0, "Name:\t{}", meta.name.as_deref().unwrap_or_default());
    if let Some(namespace) = &meta.namespace {
        line!(page, 0, "Namespace:\t{namespace}");
    }
    page.pairs("Labels", meta.labels.as_ref());
    page.annotations("Annotations", meta.annotations.as_ref());
}

pub(super) fn service(page: &mut Page, service: &Service, cluster: &Cluster<'_>) {
    let spec = service.spec.clone().unwrap_or_default();
    head(page, &service.metadata);
    line!(page, 0, "Selector:\t{}", format_labels(spec.selector.as_ref()));
    line!(page, 0, "Type:\t{}", spec.type_.clone().unwrap_or_default());
    if let Some(policy) = &spec.ip_family_policy {
        line!(page, 0, "IP Family Policy:\t{policy}");
    }
    let joined = |it: &Option<Vec<String>>| it.clone().unwrap_or_default().join(",");
    line!(page, 0, "IP Families:\t{}", or_none(joined(&spec.ip_families)));
    line!(page, 0, "IP:\t{}", spec.cluster_ip.clone().unwrap_or_default());
    line!(page, 0, "IPs:\t{}", or_none(joined(&spec.cluster_ips)));
    if spec.external_ips.as_ref().is_some_and(|it| !it.is_empty()) {
        line!(page, 0, "External IPs:\t{}", joined(&spec.external_ips));
    }
    let filled = |it: Option<String>| it.filter(|it| !it.is_empty());
    if let Some(ip) = filled(spec.load_balancer_ip.clone()) {
        line!(page, 0, "Desired LoadBalancer IP:\t{ip}");
    }
    if let Some(name) = filled(spec.external_name.clone()) {
        line!(page, 0, "External Name:\t{name}");
    }
    ingress(page, service);
    let slices: Vec<&EndpointSlice> = cluster
        .listers
        .list_in(service.namespace())
        .filter(|it: &&EndpointSlice| {
            let labels = it.metadata.labels.as_ref();
            labels.and_then(|it| it.get("kubernetes.io/service-name")).map(String::as_str)
                == Some(service.name())
        })
        .collect();
    for port in spec.ports.iter().flatten() {
        service_port(page, port, &slices);
    }
    line!(page, 0, "Session Affinity:\t{}", spec.session_affinity.unwrap_or_default());
    if let Some(policy) = filled(spec.external_traffic_policy) {
        line!(page, 0, "External Traffic Policy:\t{policy}");
    }
    if let Some(policy) = spec.internal_traffic_policy {
        line!(page, 0, "Internal Traffic Policy:\t{policy}");
    }
    if let Some(port) = spec.health_check_node_port.filter(|it| *it != 0) {
        line!(page, 0, "HealthCheck NodePort:\t{port}");
    }
    if let Some(ranges) = spec.load_balancer_source_ranges.filter(|it| !it.is_empty()) {
        line!(page, 0, "LoadBalancer Source Ranges:\t{}", ranges.join(","));
    }
    if let Some(distribution) = spec.traffic_distribution {
        line!(page, 0, "Traffic Distribution:\t{distribution}");
    }
}

fn ingress(page: &mut Page, service: &Service) {
    let status = service.status.clone().unwrap_or_default();
    let all = status.load_balancer.and_then(|it| it.ingress).unwrap_or_default();
    let texts: Vec<String> = all
        .into_iter()
        .map(|it| {
            let name = it.ip.or(it.hostname).unwrap_or_default();
            match it.ip_mode {
                Some(mode) => format!("{name} ({mode})"),
                None => name,
            }
        })
        .collect();
    if !texts.is_empty() {
        line!(page, 0, "LoadBalancer Ingress:\t{}", texts.join(", "));
    }
}

fn service_port(page: &mut Page, port: &ServicePort, slices: &[&EndpointSlice]) {
    let name = port.name.as_deref().filter(|it| !it.is_empty()).unwrap_or("<unset>");
    let protocol = port.protocol.as_deref().unwrap_or_default();
    line!(page, 0, "Port:\t{name}\t{}/{protocol}", port.port);
    let target = port.target_port.as_ref().map(int_or_string).unwrap_or_default();
    line!(page, 0, "TargetPort:\t{target}/{protocol}");
    if let Some(app) = &port.app_protocol {
        line!(page, 0, "AppProtocol:\t{app}");
    }
    if let Some(node_port) = port.node_port.filter(|it| *it != 0) {
        line!(page, 0, "NodePort:\t{name}\t{node_port}/{protocol}");
    }
    let mut endpoints = vec![];
    for slice in slices {
        let ports = slice.ports.iter().flatten();
        let same = ports.filter(|it| {
            it.name.as_deref().unwrap_or_default() == port.name.as_deref().unwrap_or_default()
        });
        for it in same {
            for endpoint in slice.endpoints.iter().flatten() {
                let ready = endpoint.conditions.as_ref().and_then(|it| it.ready);
                if ready != Some(false) {
                    let port = it.port.unwrap_or_default();
                    endpoints.extend(endpoint.addresses.iter().map(|ip| format!("{ip}:{port}")));
                }
            }
        }
    }
    let text = match endpoints.len() {
        0..=3 => endpoints.join(","),
        n => format!("{} + {} more...", endpoints[..3].join(","), n - 3),
    };
    line!(page, 0, "Endpoints:\t{}", if slices.is_empty() { "<none>" } else { &text });
}

pub(super) fn endpoint_slice(page: &mut Page, slice: &EndpointSlice) {
    let or_unset = |it: Option<&str>| it.unwrap_or("<unset>").to_owned();
    head(page, &slice.metadata);
    line!(page, 0, "AddressType:\t{}", slice.address_type);
    let ports = slice.ports.as_deref().unwrap_or_default();
    if ports.is_empty() {
        page.line(0, "Ports: <unset>");
    } else {
        page.line(0, "Ports:\n  Name\tPort\tProtocol\n  ----\t----\t--------");
    }
    for port in ports {
        let name = or_unset(port.name.as_deref().filter(|it| !it.is_empty()));
        let number = port.port.map_or_else(|| or_unset(None), |it| it.to_string());
        line!(page, 1, "{name}\t{number}\t{}", port.protocol.as_deref().unwrap_or_default());
    }
    let endpoints = slice.endpoints.as_deref().unwrap_or_default();
    page.line(0, if endpoints.is_empty() { "Endpoints: <none>" } else { "Endpoints:" });
    for it in endpoints {
        line!(page, 1, "- Addresses:\t{}", or_none(it.addresses.join(", ")));
        let ready = it.conditions.as_ref().and_then(|it| it.ready);
        let ready = ready.map_or_else(|| or_unset(None), |it| it.to_string());
        line!(page, 2, "Conditions:\n      Ready:\t{ready}");
        line!(page, 2, "Hostname:\t{}", or_unset(it.hostname.as_deref()));
        if let Some(target) = &it.target_ref {
            let part = |it: &Option<String>| it.clone().unwrap_or_default();
            line!(page, 2, "TargetRef:\t{}/{}", part(&target.kind), part(&target.name));
        }
        line!(page, 2, "NodeName:\t{}", or_unset(it.node_name.as_deref()));
        line!(page, 2, "Zone:\t{}", or_unset(it.zone.as_deref()));
    }
}

pub(super) fn config_map(page: &mut Page, map: &ConfigMap) {
    head(page, &map.metadata);
    page.line(0, "\nData\n====");
    for (key, value) in map.data.iter().flatten() {
        line!(page, 0, "{key}:\n----\n{value}\n");
    }
    page.line(0, "\nBinaryData\n====");
    for (key, value) in map.binary_data.iter().flatten() {
        line!(page, 0, "{key}: {} bytes", value.0.len());
    }
    page.line(0, "");
}

pub(super) fn secret(page: &mut Page, secret: &Secret) {
    head(page, &secret.metadata);
    line!(page, 0, "\nType:\t{}", secret.type_.clone().unwrap_or_default());
    page.line(0, "\nData\n====");
    let is_token = secret.type_.as_deref() == Some("kubernetes.io/service-account-token");
    for (key, value) in secret.data.iter().flatten() {
        if is_token && key == "token" {
            line!(page, 0, "{key}:\t{}", String::from_utf8_lossy(&value.0));
        } else {
            line!(page, 0, "{key}:\t{} bytes", value.0.len());
        }
    }
}

pub(super) fn service_account(page: &mut Page, account: &ServiceAccount) {
    head(page, &account.metadata);
    let secrets: Vec<String> =
        account.image_pull_secrets.iter().flatten().map(|it| it.name.clone()).collect();
    page.list("Image pull secrets", &secrets);
}

pub(super) fn namespace(page: &mut Page, namespace: &Namespace, cluster: &Cluster<'_>) {
    let name = namespace.name();
    head(page, &namespace.metadata);
    let phase = namespace.status.as_ref().and_then(|it| it.phase.clone()).unwrap_or_default();
    line!(page, 0, "Status:\t{phase}");
    let quotas: Vec<&ResourceQuota> = cluster.listers.list_in(name).collect();
    page.line(0, "");
    if quotas.is_empty() {
        page.line(0, "No resource quota.");
    } else {
        page.line(0, "Resource Quotas");
    }
    for quota in quotas {
        line!(page, 1, "Name:\t{}", quota.name());
        page.line(1, "Resource\tUsed\tHard");
        page.line(1, "--------\t---\t---");
        for (name, used, hard) in quota_rows(quota) {
            line!(page, 1, "{name}\t{used}\t{hard}");
        }
    }
    page.line(0, "");
    let limits: Vec<&LimitRange> = cluster.listers.list_in(name).collect();
    if limits.is_empty() {
        page.line(0, "No LimitRange resource.");
        return;
    }
    page.line(0, "Resource Limits");
    limit_head(page, " ");
    for limit in limits {
        limit_rows(page, limit, " ");
    }
}

/// Resource, used, hard.
fn quota_rows(quota: &ResourceQuota) -> Vec<(String, String, String)> {
    let status = quota.status.clone().unwrap_or_default();
    let used = status.used.unwrap_or_default();
    let row = |(name, hard): (String, Quantity)| {
        let used = used.get(&name).map_or_else(|| "0".to_owned(), |it| quantity::canonical(&it.0));
        (name, used, quantity::canonical(&hard.0))
    };
    status.hard.unwrap_or_default().into_iter().map(row).collect()
}

pub(super) fn resource_quota(page: &mut Page, quota: &ResourceQuota) {
    line!(page, 0, "Name:\t{}", quota.name());
    line!(page, 0, "Namespace:\t{}", quota.namespace());
    let mut scopes = quota.spec.clone().unwrap_or_default().scopes.unwrap_or_default();
    scopes.order();
    if !scopes.is_empty() {
        line!(page, 0, "Scopes:\t{}", scopes.join(", "));
        let meanings = scopes.iter().filter_map(|it| scope_meaning(it));
        meanings.for_each(|it| line!(page, 0, " * Matches all pods that {it}"));
    }
    page.line(0, "Resource\tUsed\tHard");
    page.line(0, "--------\t----\t----");
    for (name, used, hard) in quota_rows(quota) {
        line!(page, 0, "{name}\t{used}\t{hard}");
    }
}

fn scope_meaning(scope: &str) -> Option<&'static str> {
    Some(match scope {
        "Terminating" => {
            "have an active deadline. These pods have a limited lifespan on a node before being \
             actively terminated by the system."
        }
        "NotTerminating" => {
            "do not have an active deadline. These pods usually include long running pods whose \
             container command is not expected to terminate."
        }
        "BestEffort" => {
            "do not have resource requirements set. These pods have a best effort quality of \
             service."
        }
        "NotBestEffort" => {
            "have at least one resource requirement set. These pods have a burstable or \
             guaranteed quality of service."
        }
        _ => return None,
    })
}

fn limit_head(page: &mut Page, prefix: &str) {
    line!(
        page,
        0,
        "{prefix}Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio"
    );
    line!(
        page,
        0,
        "{prefix}----\t--------\t---\t---\t---------------\t-------------\t-----------------------"
    );
}

fn limit_rows(page: &mut Page, limit: &LimitRange, prefix: &str) {
    let spec = limit.spec.clone().unwrap_or_default();
    for item in &spec.limits {
        let LimitRangeItem { min, max, default, default_request, max_limit_request_ratio, .. } =
            item;
        let all = [min, max, default_request, default, max_limit_request_ratio];
        let names: BTreeSet<&String> =
            all.iter().flat_map(|it| it.iter().flat_map(BTreeMap::keys)).to_set();
        for name in names {
            let cell = |it: &Option<BTreeMap<String, Quantity>>| {
                let amount = it.as_ref().and_then(|it| it.get(name));
                amount.map_or_else(|| "-".to_owned(), |it| quantity::canonical(&it.0))
            };
            let cells: Vec<String> = all.iter().map(|it| cell(it)).collect();
            line!(page, 0, "{prefix}{}\t{name}\t{}", item.type_, cells.join("\t"));
        }
    }
}

pub(super) fn limit_range(page: &mut Page, limit: &LimitRange) {
    line!(page, 0, "Name:\t{}", limit.name());
    line!(page, 0, "Namespace:\t{}", limit.namespace());
    limit_head(page, "");
    limit_rows(page, limit, "");
}

/// `[a b]`, as Go prints a list.
fn go_list(all: Option<&Vec<String>>) -> String {
    format!("[{}]", all.cloned().unwrap_or_default().join(" "))
}

pub(super) fn persistent_volume(page: &mut Page, volume: &PersistentVolume, cluster: &Cluster<'_>) {
    let spec = volume.spec.clone().unwrap_or_default();
    let status = volume.status.clone().unwrap_or_default();
    let meta = &volume.metadata;
    head(page, meta);
    line!(page, 0, "Finalizers:\t{}", go_list(meta.finalizers.as_ref()));
    line!(page, 0, "StorageClass:\t{}", spec.storage_class_name.clone().unwrap_or_default());
    match &meta.deletion_timestamp {
        Some(at) => {
            line!(page, 0, "Status:\tTerminating (lasts {})", human::since(Some(at), cluster.now));
        }
        None => line!(page, 0, "Status:\t{}", status.phase.unwrap_or_default()),
    }
    let claim = spec.claim_ref.as_ref().map(|it| {
        let part = |it: &Option<String>| it.clone().unwrap_or_default();
        format!("{}/{}", part(&it.namespace), part(&it.name))
    });
    line!(page, 0, "Claim:\t{}", claim.unwrap_or_default());
    let policy = spec.persistent_volume_reclaim_policy.clone().unwrap_or_default();
    line!(page, 0, "Reclaim Policy:\t{policy}");
    line!(page, 0, "Access Modes:\t{}", access_modes(spec.access_modes.as_ref()));
    if let Some(mode) = &spec.volume_mode {
        line!(page, 0, "VolumeMode:\t{mode}");
    }
    let capacity = spec.capacity.as_ref().and_then(|it| it.get("storage"));
    let capacity = capacity.map_or_else(|| "0".to_owned(), |it| quantity::canonical(&it.0));
    line!(page, 0, "Capacity:\t{capacity}");
    node_affinity(page, volume);
    line!(page, 0, "Message:\t{}", status.message.unwrap_or_default());
    page.line(0, "Source:");
    match &spec.host_path {
        Some(it) => {
            page.line(2, "Type:\tHostPath (bare host directory volume)");
            line!(page, 2, "Path:\t{}", it.path);
            let type_ = it.type_.clone().unwrap_or_else(|| "<none>".to_owned());
            line!(page, 2, "HostPathType:\t{type_}");
        }
        None => super::sources::source(page, &api::wire::to_value(&spec)),
    }
}

fn node_affinity(page: &mut Page, volume: &PersistentVolume) {
    let affinity = volume.spec.as_ref().and_then(|it| it.node_affinity.as_ref());
    let Some(required) = affinity.and_then(|it| it.required.as_ref()) else {
        page.line(0, "Node Affinity:\t<none>");
        return;
    };
    page.line(0, "Node Affinity:\t");
    page.line(1, "Required Terms:\t");
    for (n, term) in required.node_selector_terms.iter().enumerate() {
        let texts: Vec<String> = term
            .match_expressions
            .iter()
            .flatten()
            .map(|it| {
                let values = it.values.clone().unwrap_or_default();
                let operator = it.operator.to_lowercase();
                match values.is_empty() {
                    true => format!("{} {operator}", it.key),
                    false => format!("{} {operator} [{}]", it.key, values.join(", ")),
                }
            })
            .collect();
        page.list(&format!("    Term {n}"), &texts);
    }
}

pub(super) fn persistent_volume_claim(
    page: &mut Page,
    claim: &PersistentVolumeClaim,
    cluster: &Cluster<'_>,
) {
    let spec = claim.spec.clone().unwrap_or_default();
    let status = claim.status.clone().unwrap_or_default();
    let meta = &claim.metadata;
    line!(page, 0, "Name:\t{}", claim.name());
    line!(page, 0, "Namespace:\t{}", claim.namespace());
    line!(page, 0, "StorageClass:\t{}", spec.storage_class_name.clone().unwrap_or_default());
    match &meta.deletion_timestamp {
        Some(at) => {
            line!(page, 0, "Status:\tTerminating (lasts {})", human::since(Some(at), cluster.now));
        }
        None => line!(page, 0, "Status:\t{}", status.phase.clone().unwrap_or_default()),
    }
    let volume = spec.volume_name.clone().unwrap_or_default();
    line!(page, 0, "Volume:\t{volume}");
    page.pairs("Labels", meta.labels.as_ref());
    page.annotations("Annotations", meta.annotations.as_ref());
    line!(page, 0, "Finalizers:\t{}", go_list(meta.finalizers.as_ref()));
    let (mut capacity, mut modes) = (String::new(), String::new());
    if !volume.is_empty() {
        modes = access_modes(status.access_modes.as_ref());
        let amount = status.capacity.as_ref().and_then(|it| it.get("storage"));
        capacity = amount.map_or_else(|| "0".to_owned(), |it| quantity::canonical(&it.0));
    }
    line!(page, 0, "Capacity:\t{capacity}");
    line!(page, 0, "Access Modes:\t{modes}");
    if let Some(mode) = &spec.volume_mode {
        line!(page, 0, "VolumeMode:\t{mode}");
    }
    if let Some(source) = &spec.data_source {
        page.line(0, "DataSource:");
        if let Some(group) = &source.api_group {
            line!(page, 1, "APIGroup:\t{group}");
        }
        line!(page, 1, "Kind:\t{}", source.kind);
        line!(page, 1, "Name:\t{}", source.name);
    }
    let uses = |pod: &&Pod| {
        let volumes = pod.spec.iter().flat_map(|it| it.volumes.iter().flatten());
        let mut claims = volumes.filter_map(|it| it.persistent_volume_claim.as_ref());
        claims.any(|it| it.claim_name == claim.name())
    };
    let users: Vec<String> = cluster
        .listers
        .list_in::<Pod>(claim.namespace())
        .filter(uses)
        .map(|it| it.name().to_owned())
        .collect();
    page.list("Used By", &users);
    claim_conditions(page, &status.conditions.unwrap_or_default());
}

fn claim_conditions(page: &mut Page, conditions: &[PersistentVolumeClaimCondition]) {
    if conditions.is_empty() {
        return;
    }
    page.line(0, "Conditions:");
    page.line(1, "Type\tStatus\tLastProbeTime\tLastTransitionTime\tReason\tMessage");
    page.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    for it in conditions {
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        let (probed, changed) = (&it.last_probe_time, &it.last_transition_time);
        let times = [probed, changed].map(|it| rfc1123(it.as_ref()));
        line!(
            page,
            1,
            "{} \t{} \t{} \t{} \t{} \t{}",
            it.type_,
            it.status,
            times[0],
            times[1],
            text(&it.reason),
            text(&it.message)
        );
    }
}

pub(super) fn storage_class(page: &mut Page, class: &StorageClass) {
    let annotations = class.metadata.annotations.clone().unwrap_or_default();
    let is_default = annotations.iter().any(|(key, value)| {
        key.ends_with("storageclass.kubernetes.io/is-default-class") && value == "true"
    });
    line!(page, 0, "Name:\t{}", class.name());
    line!(page, 0, "IsDefaultClass:\t{}", if is_default { "Yes" } else { "No" });
    line!(page, 0, "Annotations:\t{}", format_labels(class.metadata.annotations.as_ref()));
    line!(page, 0, "Provisioner:\t{}", class.provisioner);
    line!(page, 0, "Parameters:\t{}", format_labels(class.parameters.as_ref()));
    let expansion = match class.allow_volume_expansion {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    line!(page, 0, "AllowVolumeExpansion:\t{expansion}");
    let options = class.mount_options.clone().unwrap_or_default();
    if options.is_empty() {
        page.line(0, "MountOptions:\t<none>");
    } else {
        page.line(0, "MountOptions:");
        options.iter().for_each(|it| page.line(1, it));
    }
    if let Some(policy) = &class.reclaim_policy {
        line!(page, 0, "ReclaimPolicy:\t{policy}");
    }
    if let Some(mode) = &class.volume_binding_mode {
        line!(page, 0, "VolumeBindingMode:\t{mode}");
    }
    let terms = class.allowed_topologies.iter().flatten().enumerate();
    for (n, term) in terms {
        if n == 0 {
            page.line(0, "AllowedTopologies:\t");
        }
        let requirements = term.match_label_expressions.iter().flatten();
        let texts: Vec<String> =
            requirements.map(|it| format!("{} in [{}]", it.key, it.values.join(", "))).collect();
        page.list(&format!("  Term {n}"), &texts);
    }
}

pub(super) fn priority_class(page: &mut Page, class: &PriorityClass) {
    line!(page, 0, "Name:\t{}", class.name());
    line!(page, 0, "Value:\t{}", class.value.unwrap_or_default());
    line!(page, 0, "GlobalDefault:\t{}", class.global_default.unwrap_or_default());
    let policy = class.preemption_policy.clone().unwrap_or_default();
    line!(page, 0, "PreemptionPolicy:\t{policy}");
    line!(page, 0, "Description:\t{}", class.description.clone().unwrap_or_default());
    line!(page, 0, "Annotations:\t{}", format_labels(class.metadata.annotations.as_ref()));
}

pub(super) fn pod_disruption_budget(page: &mut Page, budget: &PodDisruptionBudget) {
    let spec = budget.spec.clone().unwrap_or_default();
    let status = budget.status.clone().unwrap_or_default();
    line!(page, 0, "Name:\t{}", budget.name());
    line!(page, 0, "Namespace:\t{}", budget.namespace());
    match (&spec.min_available, &spec.max_unavailable) {
        (Some(it), _) => line!(page, 0, "Min available:\t{}", int_or_string(it)),
        (None, Some(it)) => line!(page, 0, "Max unavailable:\t{}", int_or_string(it)),
        (None, None) => {}
    }
    match &spec.selector {
        Some(it) => line!(page, 0, "Selector:\t{}", format_selector(Some(it))),
        None => page.line(0, "Selector:\t<unset>"),
    }
    let n = |it: Option<i32>| it.unwrap_or_default();
    page.line(0, "Status:");
    line!(page, 2, "Allowed disruptions:\t{}", n(status.disruptions_allowed));
    line!(page, 2, "Current:\t{}", n(status.current_healthy));
    line!(page, 2, "Desired:\t{}", n(status.desired_healthy));
    line!(page, 2, "Total:\t{}", n(status.expected_pods));
}
