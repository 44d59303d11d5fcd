//! How Go names the types of fields, for the words of decoding errors.
//!
//! The shapes come from the Rust types themselves: a probe asks a type what it would read. Only
//! the named string types of Go, such as `v1.RestartPolicy`, are lost there and listed here.
//!
//! Upstream: `staging/src/k8s.io/api/*/v1/types.go`, v1.36.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Struct, JSON field, Go type of the field or of its items. Sorted.
const NAMED_STRINGS: &[(&str, &str, &str)] = &[
    ("AppArmorProfile", "type", "v1.AppArmorProfileType"),
    ("AttachedVolume", "name", "v1.UniqueVolumeName"),
    ("AzureDiskVolumeSource", "cachingMode", "v1.AzureDataDiskCachingMode"),
    ("AzureDiskVolumeSource", "kind", "v1.AzureDataDiskKind"),
    ("CSIDriverSpec", "fsGroupPolicy", "v1.FSGroupPolicy"),
    ("CSIDriverSpec", "volumeLifecycleModes", "v1.VolumeLifecycleMode"),
    ("Capabilities", "add", "v1.Capability"),
    ("Capabilities", "drop", "v1.Capability"),
    ("ComponentCondition", "status", "v1.ConditionStatus"),
    ("ComponentCondition", "type", "v1.ComponentConditionType"),
    ("Condition", "status", "v1.ConditionStatus"),
    ("ConfigMap", "binaryData", "[]uint8"),
    ("ConfigMapNodeConfigSource", "uid", "types.UID"),
    ("Container", "imagePullPolicy", "v1.PullPolicy"),
    ("Container", "restartPolicy", "v1.ContainerRestartPolicy"),
    ("Container", "terminationMessagePolicy", "v1.TerminationMessagePolicy"),
    ("ContainerPort", "protocol", "v1.Protocol"),
    ("ContainerResizePolicy", "resourceName", "v1.ResourceName"),
    ("ContainerResizePolicy", "restartPolicy", "v1.ResourceResizeRestartPolicy"),
    ("ContainerResourceMetricSource", "name", "v1.ResourceName"),
    ("ContainerResourceMetricStatus", "name", "v1.ResourceName"),
    ("ContainerRestartRule", "action", "v1.ContainerRestartRuleAction"),
    ("ContainerRestartRuleOnExitCodes", "operator", "v1.ContainerRestartRuleOnExitCodesOperator"),
    ("ContainerStatus", "stopSignal", "v1.Signal"),
    ("CronJobSpec", "concurrencyPolicy", "v1.ConcurrencyPolicy"),
    ("DaemonSetCondition", "status", "v1.ConditionStatus"),
    ("DaemonSetCondition", "type", "v1.DaemonSetConditionType"),
    ("DaemonSetUpdateStrategy", "type", "v1.DaemonSetUpdateStrategyType"),
    ("DeleteOptions", "propagationPolicy", "v1.DeletionPropagation"),
    ("DeploymentCondition", "status", "v1.ConditionStatus"),
    ("DeploymentCondition", "type", "v1.DeploymentConditionType"),
    ("DeploymentStrategy", "type", "v1.DeploymentStrategyType"),
    ("EmptyDirVolumeSource", "medium", "v1.StorageMedium"),
    ("EndpointPort", "protocol", "v1.Protocol"),
    ("EndpointSlice", "addressType", "v1.AddressType"),
    ("EphemeralContainer", "imagePullPolicy", "v1.PullPolicy"),
    ("EphemeralContainer", "restartPolicy", "v1.ContainerRestartPolicy"),
    ("EphemeralContainer", "terminationMessagePolicy", "v1.TerminationMessagePolicy"),
    ("EphemeralContainerCommon", "imagePullPolicy", "v1.PullPolicy"),
    ("EphemeralContainerCommon", "restartPolicy", "v1.ContainerRestartPolicy"),
    ("EphemeralContainerCommon", "terminationMessagePolicy", "v1.TerminationMessagePolicy"),
    ("FieldSelectorRequirement", "operator", "v1.FieldSelectorOperator"),
    ("HPAScalingPolicy", "type", "v2.HPAScalingPolicyType"),
    ("HPAScalingRules", "selectPolicy", "v2.ScalingPolicySelect"),
    ("HTTPGetAction", "scheme", "v1.URIScheme"),
    ("HorizontalPodAutoscalerCondition", "status", "v1.ConditionStatus"),
    ("HorizontalPodAutoscalerCondition", "type", "v2.HorizontalPodAutoscalerConditionType"),
    ("HostPathVolumeSource", "type", "v1.HostPathType"),
    ("ImageVolumeSource", "pullPolicy", "v1.PullPolicy"),
    ("JobCondition", "status", "v1.ConditionStatus"),
    ("JobCondition", "type", "v1.JobConditionType"),
    ("JobSpec", "completionMode", "v1.CompletionMode"),
    ("JobSpec", "podReplacementPolicy", "v1.PodReplacementPolicy"),
    ("LabelSelectorRequirement", "operator", "v1.LabelSelectorOperator"),
    ("LeaseSpec", "strategy", "v1.CoordinatedLeaseStrategy"),
    ("Lifecycle", "stopSignal", "v1.Signal"),
    ("LimitRangeItem", "type", "v1.LimitType"),
    ("ListOptions", "resourceVersionMatch", "v1.ResourceVersionMatch"),
    ("LoadBalancerIngress", "ipMode", "v1.LoadBalancerIPMode"),
    ("ManagedFieldsEntry", "operation", "v1.ManagedFieldsOperationType"),
    ("MetricSpec", "type", "v2.MetricSourceType"),
    ("MetricStatus", "type", "v2.MetricSourceType"),
    ("MetricTarget", "type", "v2.MetricTargetType"),
    ("ModifyVolumeStatus", "status", "v1.PersistentVolumeClaimModifyVolumeStatus"),
    ("NamespaceCondition", "status", "v1.ConditionStatus"),
    ("NamespaceCondition", "type", "v1.NamespaceConditionType"),
    ("NamespaceSpec", "finalizers", "v1.FinalizerName"),
    ("NamespaceStatus", "phase", "v1.NamespacePhase"),
    ("NodeAddress", "type", "v1.NodeAddressType"),
    ("NodeCondition", "status", "v1.ConditionStatus"),
    ("NodeCondition", "type", "v1.NodeConditionType"),
    ("NodeSelectorRequirement", "operator", "v1.NodeSelectorOperator"),
    ("NodeStatus", "phase", "v1.NodePhase"),
    ("NodeStatus", "volumesInUse", "v1.UniqueVolumeName"),
    ("ObjectMeta", "uid", "types.UID"),
    ("ObjectReference", "uid", "types.UID"),
    ("OwnerReference", "uid", "types.UID"),
    ("PersistentVolumeClaimCondition", "status", "v1.ConditionStatus"),
    ("PersistentVolumeClaimCondition", "type", "v1.PersistentVolumeClaimConditionType"),
    ("PersistentVolumeClaimSpec", "accessModes", "v1.PersistentVolumeAccessMode"),
    ("PersistentVolumeClaimSpec", "volumeMode", "v1.PersistentVolumeMode"),
    ("PersistentVolumeClaimStatus", "accessModes", "v1.PersistentVolumeAccessMode"),
    ("PersistentVolumeClaimStatus", "phase", "v1.PersistentVolumeClaimPhase"),
    ("PersistentVolumeSpec", "accessModes", "v1.PersistentVolumeAccessMode"),
    ("PersistentVolumeSpec", "persistentVolumeReclaimPolicy", "v1.PersistentVolumeReclaimPolicy"),
    ("PersistentVolumeSpec", "volumeMode", "v1.PersistentVolumeMode"),
    ("PersistentVolumeStatus", "phase", "v1.PersistentVolumePhase"),
    ("PodCondition", "status", "v1.ConditionStatus"),
    ("PodCondition", "type", "v1.PodConditionType"),
    ("PodDisruptionBudgetSpec", "unhealthyPodEvictionPolicy", "v1.UnhealthyPodEvictionPolicyType"),
    (
        "PodFailurePolicyOnExitCodesRequirement",
        "operator",
        "v1.PodFailurePolicyOnExitCodesOperator",
    ),
    ("PodFailurePolicyOnPodConditionsPattern", "status", "v1.ConditionStatus"),
    ("PodFailurePolicyOnPodConditionsPattern", "type", "v1.PodConditionType"),
    ("PodFailurePolicyRule", "action", "v1.PodFailurePolicyAction"),
    ("PodOS", "name", "v1.OSName"),
    ("PodReadinessGate", "conditionType", "v1.PodConditionType"),
    ("PodSecurityContext", "fsGroupChangePolicy", "v1.PodFSGroupChangePolicy"),
    ("PodSecurityContext", "seLinuxChangePolicy", "v1.PodSELinuxChangePolicy"),
    ("PodSecurityContext", "supplementalGroupsPolicy", "v1.SupplementalGroupsPolicy"),
    ("PodSpec", "dnsPolicy", "v1.DNSPolicy"),
    ("PodSpec", "preemptionPolicy", "v1.PreemptionPolicy"),
    ("PodSpec", "restartPolicy", "v1.RestartPolicy"),
    ("PodStatus", "phase", "v1.PodPhase"),
    ("PodStatus", "qosClass", "v1.PodQOSClass"),
    ("PodStatus", "resize", "v1.PodResizeStatus"),
    ("PortStatus", "protocol", "v1.Protocol"),
    ("Preconditions", "uid", "types.UID"),
    ("PriorityClass", "preemptionPolicy", "v1.PreemptionPolicy"),
    ("ReplicaSetCondition", "status", "v1.ConditionStatus"),
    ("ReplicaSetCondition", "type", "v1.ReplicaSetConditionType"),
    ("ReplicationControllerCondition", "status", "v1.ConditionStatus"),
    ("ReplicationControllerCondition", "type", "v1.ReplicationControllerConditionType"),
    ("ResourceHealth", "health", "v1.ResourceHealthStatus"),
    ("ResourceHealth", "resourceID", "v1.ResourceID"),
    ("ResourceMetricSource", "name", "v1.ResourceName"),
    ("ResourceMetricStatus", "name", "v1.ResourceName"),
    ("ResourceQuotaSpec", "scopes", "v1.ResourceQuotaScope"),
    ("ResourceStatus", "name", "v1.ResourceName"),
    ("ScopedResourceSelectorRequirement", "operator", "v1.ScopeSelectorOperator"),
    ("ScopedResourceSelectorRequirement", "scopeName", "v1.ResourceQuotaScope"),
    ("SeccompProfile", "type", "v1.SeccompProfileType"),
    ("Secret", "data", "[]uint8"),
    ("Secret", "type", "v1.SecretType"),
    ("SecurityContext", "procMount", "v1.ProcMountType"),
    ("ServicePort", "protocol", "v1.Protocol"),
    ("ServiceSpec", "externalTrafficPolicy", "v1.ServiceExternalTrafficPolicy"),
    ("ServiceSpec", "internalTrafficPolicy", "v1.ServiceInternalTrafficPolicy"),
    ("ServiceSpec", "ipFamilies", "v1.IPFamily"),
    ("ServiceSpec", "ipFamilyPolicy", "v1.IPFamilyPolicy"),
    ("ServiceSpec", "sessionAffinity", "v1.ServiceAffinity"),
    ("ServiceSpec", "type", "v1.ServiceType"),
    ("StatefulSetCondition", "status", "v1.ConditionStatus"),
    ("StatefulSetCondition", "type", "v1.StatefulSetConditionType"),
    (
        "StatefulSetPersistentVolumeClaimRetentionPolicy",
        "whenDeleted",
        "v1.PersistentVolumeClaimRetentionPolicyType",
    ),
    (
        "StatefulSetPersistentVolumeClaimRetentionPolicy",
        "whenScaled",
        "v1.PersistentVolumeClaimRetentionPolicyType",
    ),
    ("StatefulSetSpec", "podManagementPolicy", "v1.PodManagementPolicyType"),
    ("StatefulSetUpdateStrategy", "type", "v1.StatefulSetUpdateStrategyType"),
    ("Status", "reason", "v1.StatusReason"),
    ("StatusCause", "reason", "v1.CauseType"),
    ("StatusDetails", "uid", "types.UID"),
    ("StorageClass", "reclaimPolicy", "v1.PersistentVolumeReclaimPolicy"),
    ("StorageClass", "volumeBindingMode", "v1.VolumeBindingMode"),
    ("TableOptions", "includeObject", "v1.IncludeObjectPolicy"),
    ("TableRowCondition", "status", "v1.ConditionStatus"),
    ("TableRowCondition", "type", "v1.RowConditionType"),
    ("Taint", "effect", "v1.TaintEffect"),
    ("Toleration", "effect", "v1.TaintEffect"),
    ("Toleration", "operator", "v1.TolerationOperator"),
    ("TopologySpreadConstraint", "nodeAffinityPolicy", "v1.NodeInclusionPolicy"),
    ("TopologySpreadConstraint", "nodeTaintsPolicy", "v1.NodeInclusionPolicy"),
    ("TopologySpreadConstraint", "whenUnsatisfiable", "v1.UnsatisfiableConstraintAction"),
    ("UncountedTerminatedPods", "failed", "types.UID"),
    ("UncountedTerminatedPods", "succeeded", "types.UID"),
    ("VolumeAttachmentSource", "accessModes", "v1.PersistentVolumeAccessMode"),
    ("VolumeAttachmentSource", "persistentVolumeReclaimPolicy", "v1.PersistentVolumeReclaimPolicy"),
    ("VolumeAttachmentSource", "volumeMode", "v1.PersistentVolumeMode"),
    ("VolumeMount", "mountPropagation", "v1.MountPropagationMode"),
    ("VolumeMount", "recursiveReadOnly", "v1.RecursiveReadOnlyMode"),
    ("VolumeMountStatus", "recursiveReadOnly", "v1.RecursiveReadOnlyMode"),
];

/// Go's type of a string field, or of the items of a list of strings.
pub(super) fn string_type(owner: &str, field: &str) -> &'static str {
    match NAMED_STRINGS.binary_search_by(|it| (it.0, it.1).cmp(&(owner, field))) {
        Ok(at) => NAMED_STRINGS.get(at).map_or("string", |it| it.2),
        Err(_) => "string",
    }
}

/// Whether a name is that of a type of texts.
pub(super) fn is_string(name: &str) -> bool {
    name != "[]uint8" && NAMED_STRINGS.iter().any(|it| it.2 == name)
}

/// Go's name of a struct.
pub(super) fn struct_type(name: &str) -> String {
    let of_autoscaling = ["HorizontalPodAutoscaler", "HPA", "Metric", "CrossVersion"]
        .iter()
        .any(|it| name.starts_with(it))
        || ["MetricSource", "MetricStatus"].iter().any(|it| name.ends_with(it));
    format!("v{}.{name}", if of_autoscaling { 2 } else { 1 })
}

/// The struct that Go embeds in `owner` for a field: its name stands in paths, too.
pub(super) fn embedded(owner: &str, field: &str) -> Option<&'static str> {
    match (owner, field) {
        ("Volume", "name") | ("EphemeralContainer", "targetContainerName") => None,
        ("Volume", _) => Some("VolumeSource"),
        ("EphemeralContainer", _) => Some("EphemeralContainerCommon"),
        ("Probe", "exec" | "grpc" | "httpGet" | "tcpSocket") => Some("ProbeHandler"),
        (
            "ConfigMapEnvSource"
            | "ConfigMapKeySelector"
            | "ConfigMapProjection"
            | "ConfigMapVolumeSource"
            | "SecretEnvSource"
            | "SecretKeySelector"
            | "SecretProjection",
            "name",
        ) => Some("LocalObjectReference"),
        (
            "PersistentVolumeSpec",
            "accessModes"
            | "capacity"
            | "claimRef"
            | "mountOptions"
            | "nodeAffinity"
            | "persistentVolumeReclaimPolicy"
            | "storageClassName"
            | "volumeAttributesClassName"
            | "volumeMode",
        ) => None,
        ("PersistentVolumeSpec", _) => Some("PersistentVolumeSource"),
        _ => None,
    }
}

/// Asks what the items of a list or the values of a map are, and ends it.
pub(super) struct Probe<'a> {
    /// The name, once known.
    pub(super) found: &'a RefCell<String>,
    /// What a string would be called here.
    pub(super) string: &'static str,
}

impl<'a> Probe<'a> {
    fn inner(&self) -> ItemProbe<'a> {
        ItemProbe { found: self.found, string: self.string }
    }
}

impl<'de> SeqAccess<'de> for Probe<'_> {
    type Error = Stop;
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Stop> {
        // The probe always stops; what it found is in the cell.
        Ok(seed.deserialize(self.inner()).err().and(None))
    }
}

impl<'de> MapAccess<'de> for Probe<'_> {
    type Error = Stop;
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _: K) -> Result<Option<K::Value>, Stop> {
        Ok(None)
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        seed.deserialize(self.inner())
    }
    fn next_entry_seed<K: DeserializeSeed<'de>, V: DeserializeSeed<'de>>(
        &mut self,
        _: K,
        seed: V,
    ) -> Result<Option<(K::Value, V::Value)>, Stop> {
        Ok(seed.deserialize(self.inner()).err().and(None))
    }
}

/// Reads nothing: notes what it was asked for.
struct ItemProbe<'a> {
    found: &'a RefCell<String>,
    string: &'static str,
}

/// The end of a probe.
#[derive(Debug)]
pub(super) struct Stop;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("probed")
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl ItemProbe<'_> {
    fn note<T>(&self, name: impl Into<String>) -> Result<T, Stop> {
        *self.found.borrow_mut() = name.into();
        Err(Stop)
    }
}

macro_rules! note {
    ($($method:ident $name:literal)*) => { $(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> { self.note($name) }
    )* };
}

impl<'de> Deserializer<'de> for ItemProbe<'_> {
    type Error = Stop;

    note! {
        deserialize_bool "bool"
        deserialize_i32 "int32"
        deserialize_i64 "int64"
        deserialize_u32 "uint32"
        deserialize_u64 "uint64"
        deserialize_f64 "float64"
    }

    fn deserialize_str<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.note(self.string)
    }
    fn deserialize_string<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.note(self.string)
    }
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.note("interface {}")
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(self)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: V,
    ) -> Result<V::Value, Stop> {
        self.note(newtype_type(name))
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Stop> {
        self.note(struct_type(name))
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let inner = RefCell::new(String::new());
        // The probe ends every list at once, so the answer of the visitor does not matter.
        let _ = visitor.visit_seq(Probe { found: &inner, string: self.string });
        self.note(format!("[]{}", inner.into_inner()))
    }
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let inner = RefCell::new(String::new());
        let _ = visitor.visit_map(Probe { found: &inner, string: self.string });
        self.note(map_type(&inner.into_inner()))
    }

    forward_to_deserialize_any! {
        i8 i16 u8 u16 f32 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier
        ignored_any
    }
}

/// Go's name of a map.
pub(super) fn map_type(values: &str) -> String {
    match values {
        "resource.Quantity" => "v1.ResourceList".to_owned(),
        _ => format!("map[string]{values}"),
    }
}

/// Go's name of what Rust keeps as a newtype.
pub(super) fn newtype_type(name: &str) -> String {
    match name {
        "Quantity" => "resource.Quantity".to_owned(),
        _ => struct_type(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(NAMED_STRINGS.is_sorted());
        assert_eq!(string_type("PodSpec", "restartPolicy"), "v1.RestartPolicy");
        assert_eq!(string_type("Container", "command"), "string");
    }
}
