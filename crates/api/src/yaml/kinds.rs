//! What the `apiVersion` and `kind` of a document say that it is.

use super::older;
use crate::fields;
use crate::{Kind, scenario};

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Object(Kind),
    /// `List`, or the list of a kind, whose items may leave their kind out.
    List(Option<Kind>),
    SchedulerConfiguration,
    DeschedulerPolicy,
    Scenario,
    /// The scheduler's policy file of old.
    LegacyPolicy,
    /// A kind written in small letters: kubectl finds it, the server does not.
    LowerCase(Kind),
    Unknown,
}

/// The `apiVersion` of `KubeSchedulerConfiguration`.
const SCHEDULER_CONFIG: &str = "kubescheduler.config.k8s.io/v1";
const DESCHEDULER_CONFIG: &str = "descheduler/v1alpha2";

/// Kinds of Kubernetes that are not kept here, so that the hint can say so.
const NOT_SIMULATED: &[&str] = &[
    "APIService",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ComponentStatus",
    "CustomResourceDefinition",
    "DeviceClass",
    "Endpoints",
    "FlowSchema",
    "Ingress",
    "IngressClass",
    "IPAddress",
    "LocalSubjectAccessReview",
    "MutatingWebhookConfiguration",
    "NetworkPolicy",
    "PodTemplate",
    "PriorityLevelConfiguration",
    "ReplicationController",
    "ResourceClaim",
    "ResourceClaimTemplate",
    "ResourceSlice",
    "Role",
    "RoleBinding",
    "RuntimeClass",
    "ServiceCIDR",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
];

pub(super) fn meaning(api_version: &str, kind: &str) -> Meaning {
    let known = Kind::from_api_version(api_version, kind);
    if let Some(kind) = known.or_else(|| older::meaning(api_version, kind)) {
        return Meaning::Object(kind);
    }
    match (api_version, kind) {
        ("v1", "List") => return Meaning::List(None),
        (SCHEDULER_CONFIG, "KubeSchedulerConfiguration") => {
            return Meaning::SchedulerConfiguration;
        }
        (DESCHEDULER_CONFIG | "descheduler/v1alpha1", "DeschedulerPolicy") => {
            return Meaning::DeschedulerPolicy;
        }
        (scenario::API_VERSION, "Scenario") => return Meaning::Scenario,
        ("v1" | "", "Policy") => return Meaning::LegacyPolicy,
        _ => {}
    }
    if api_version.starts_with("kubescheduler.config.k8s.io/") && kind == "Policy" {
        return Meaning::LegacyPolicy;
    }
    if let Some(kind) =
        kind.strip_suffix("List").and_then(|it| Kind::from_api_version(api_version, it))
    {
        return Meaning::List(Some(kind));
    }
    let lower = Kind::ALL
        .iter()
        .copied()
        .find(|it| it.api_version() == api_version && it.name().to_ascii_lowercase() == kind);
    lower.map_or(Meaning::Unknown, Meaning::LowerCase)
}

/// What to do about a kind that is not known.
pub(super) fn unknown_hint(api_version: &str, kind: &str) -> String {
    if let Some(it) = Kind::ALL.iter().find(|it| it.name() == kind) {
        return format!("{kind} is of apiVersion {}", it.api_version());
    }
    match kind {
        "KubeSchedulerConfiguration" => return format!("use apiVersion {SCHEDULER_CONFIG}"),
        "DeschedulerPolicy" => return format!("use apiVersion {DESCHEDULER_CONFIG}"),
        "Scenario" => return format!("use apiVersion {}", scenario::API_VERSION),
        _ => {}
    }
    if NOT_SIMULATED.contains(&kind) && (api_version == "v1" || api_version.contains('/')) {
        return format!("{kind} is a kind of Kubernetes that is not simulated here");
    }
    let names: Vec<&str> = Kind::ALL.iter().map(|it| it.name()).collect();
    match fields::closest(kind, &names) {
        Some(name) => format!("did you mean {name:?}?"),
        None => "ensure CRDs are installed first".to_owned(),
    }
}
