//! The tables that the server makes of objects: one row each, columns by kind.
//!
//! Upstream: `pkg/printers/internalversion/printers.go`, v1.36.

mod autoscaling;
pub(crate) mod core;
mod workloads;

pub(crate) use self::autoscaling::metrics;

use api::Order;
use std::collections::BTreeMap;

use api::{Kind, Object, Timestamp};
use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use rows::human;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Shown only with `-o wide`.
    pub(crate) wide: bool,
    /// The object's name.
    pub(crate) is_name: bool,
}

/// The columns of a kind. Those after `|` are shown only with `-o wide`.
pub(crate) fn columns(kind: Kind) -> Vec<Column> {
    let text = match kind {
        Kind::Pod => "Name,Ready,Status,Restarts,Age|IP,Node,Nominated Node,Readiness Gates",
        Kind::Node => {
            "Name,Status,Roles,Age,Version|Internal-IP,External-IP,OS-Image,Kernel-Version,\
             Container-Runtime"
        }
        Kind::Namespace => "Name,Status,Age",
        Kind::Service => "Name,Type,Cluster-IP,External-IP,Port(s),Age|Selector",
        Kind::ConfigMap => "Name,Data,Age",
        Kind::Secret => "Name,Type,Data,Age",
        Kind::PersistentVolume => {
            "Name,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,\
             VolumeAttributesClass,Reason,Age|VolumeMode"
        }
        Kind::PersistentVolumeClaim => {
            "Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age\
             |VolumeMode"
        }
        Kind::ResourceQuota => "Name,Request,Limit,Age",
        Kind::Event => {
            "Last Seen,Type,Reason,Object|Subobject,Source,!Message|First Seen,Count,Name"
        }
        Kind::ReplicaSet => "Name,Desired,Current,Ready,Age|Containers,Images,Selector",
        Kind::Deployment => "Name,Ready,Up-to-date,Available,Age|Containers,Images,Selector",
        Kind::StatefulSet => "Name,Ready,Age|Containers,Images",
        Kind::DaemonSet => {
            "Name,Desired,Current,Ready,Up-to-date,Available,Node Selector,Age\
             |Containers,Images,Selector"
        }
        Kind::ControllerRevision => "Name,Controller,Revision,Age",
        Kind::Job => "Name,Status,Completions,Duration,Age|Containers,Images,Selector",
        Kind::CronJob => {
            "Name,Schedule,Timezone,Suspend,Active,Last Schedule,Age|Containers,Images,Selector"
        }
        Kind::HorizontalPodAutoscaler => "Name,Reference,Targets,MinPods,MaxPods,Replicas,Age",
        Kind::EndpointSlice => "Name,AddressType,Ports,Endpoints,Age",
        Kind::Lease => "Name,Holder,Age",
        Kind::PodDisruptionBudget => "Name,Min Available,Max Unavailable,Allowed Disruptions,Age",
        Kind::PriorityClass => "Name,Value,Global-Default,Age,PreemptionPolicy",
        Kind::StorageClass => {
            "Name,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion,Age"
        }
        Kind::CSINode => "Name,Drivers,Age",
        Kind::CSIDriver => {
            "Name,AttachRequired,PodInfoOnMount,StorageCapacity,TokenRequests,RequiresRepublish,\
             Modes,Age"
        }
        Kind::ServiceAccount => "Name,Age",
        // The server has no table for these and shows name and creation.
        Kind::LimitRange | Kind::Binding => "Name,Created At",
    };
    let mut columns = vec![];
    for (n, part) in text.split('|').enumerate() {
        for name in part.split(',') {
            let (name, wide) = match name.strip_prefix('!') {
                Some(name) => (name, false),
                None => (name, n > 0),
            };
            columns.push(Column { name: name.to_owned(), wide, is_name: name == "Name" });
        }
    }
    columns
}

/// The cells of an object, wide ones included. Pods and events, of which there are many, put theirs
/// into the table directly.
pub(crate) fn cells(object: &Object, now: Timestamp) -> Vec<String> {
    let age = human::since(object.meta().creation_timestamp.as_ref(), now);
    let name = object.name().to_owned();
    match object {
        Object::Node(it) => core::node(it, age),
        Object::Namespace(it) => {
            let phase = it.status.as_ref().and_then(|it| it.phase.clone());
            vec![name, phase.unwrap_or_default(), age]
        }
        Object::Service(it) => core::service(it, age),
        Object::ConfigMap(it) => {
            let n = it.data.as_ref().map_or(0, BTreeMap::len)
                + it.binary_data.as_ref().map_or(0, BTreeMap::len);
            vec![name, n.to_string(), age]
        }
        Object::Secret(it) => {
            let n = it.data.as_ref().map_or(0, BTreeMap::len);
            vec![name, it.type_.clone().unwrap_or_default(), n.to_string(), age]
        }
        Object::PersistentVolume(it) => core::persistent_volume(it, age),
        Object::PersistentVolumeClaim(it) => core::persistent_volume_claim(it, age),
        Object::ResourceQuota(it) => core::resource_quota(it, age),
        Object::ReplicaSet(it) => workloads::replica_set(it, age),
        Object::Deployment(it) => workloads::deployment(it, age),
        Object::StatefulSet(it) => workloads::stateful_set(it, age),
        Object::DaemonSet(it) => workloads::daemon_set(it, age),
        Object::ControllerRevision(it) => workloads::controller_revision(it, age),
        Object::Job(it) => workloads::job(it, now, age),
        Object::CronJob(it) => workloads::cron_job(it, now, age),
        Object::EndpointSlice(it) => core::endpoint_slice(it, age),
        Object::Lease(it) => {
            let holder = it.spec.as_ref().and_then(|it| it.holder_identity.clone());
            vec![name, holder.unwrap_or_default(), age]
        }
        Object::HorizontalPodAutoscaler(it) => autoscaling::autoscaler(it, age),
        Object::PodDisruptionBudget(it) => workloads::pod_disruption_budget(it, age),
        Object::PriorityClass(it) => {
            let policy = it.preemption_policy.clone().unwrap_or_default();
            let global = it.global_default.unwrap_or_default().to_string();
            vec![name, it.value.unwrap_or_default().to_string(), global, age, policy]
        }
        Object::StorageClass(it) => core::storage_class(it, age),
        Object::CSINode(it) => vec![name, it.spec.drivers.len().to_string(), age],
        Object::CSIDriver(it) => core::csi_driver(it, age),
        Object::ServiceAccount(_) => vec![name, age],
        Object::Pod(_) | Object::Event(_) | Object::LimitRange(_) | Object::Binding(_) => {
            let created = object.meta().creation_timestamp.as_ref();
            vec![name, created.map_or_else(|| "<unknown>".to_owned(), |it| it.0.to_string())]
        }
    }
}

/// Names and images of containers. Upstream: `layoutContainerCells`.
fn container_cells(containers: &[Container]) -> [String; 2] {
    let names: Vec<&str> = containers.iter().map(|it| it.name.as_str()).collect();
    let images: Vec<&str> =
        containers.iter().map(|it| it.image.as_deref().unwrap_or_default()).collect();
    [names.join(","), images.join(",")]
}

/// `a=b,c in (d,e)`; empty for a selector that selects everything. Upstream: `Selector.String`.
pub(crate) fn selector_text(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else { return String::new() };
    let mut parts: Vec<(String, String)> = vec![];
    for (key, value) in selector.match_labels.iter().flatten() {
        parts.push((key.clone(), format!("{key}={value}")));
    }
    for it in selector.match_expressions.iter().flatten() {
        let mut values = it.values.clone().unwrap_or_default();
        values.order();
        let (key, values) = (&it.key, values.join(","));
        let text = match it.operator.as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.clone(),
        };
        parts.push((key.clone(), text));
    }
    parts.order_by(|a, b| a.0.cmp(&b.0));
    let texts: Vec<String> = parts.into_iter().map(|it| it.1).collect();
    texts.join(",")
}

/// As [`selector_text`], `<none>` instead of nothing. Upstream: `metav1.FormatLabelSelector`.
pub(crate) fn format_selector(selector: Option<&LabelSelector>) -> String {
    or_none(selector_text(selector))
}

/// `a=b,c=d`, or `<none>`. Upstream: `labels.FormatLabels`.
pub(crate) fn format_labels(labels: Option<&BTreeMap<String, String>>) -> String {
    let pairs: Vec<String> =
        labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    or_none(pairs.join(","))
}

/// `<none>` for nothing.
pub(crate) fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
}

/// `5` or `50%`.
pub(crate) fn int_or_string(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(n) => n.to_string(),
        IntOrString::String(text) => text.clone(),
    }
}
