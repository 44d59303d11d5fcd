//! The order of the fields of objects whose types kubectl knows: that of Go's structs. Objects of
//! which it knows nothing are sorted by key.
//!
//! Upstream: `staging/src/k8s.io/api/*/v1/types.go`, v1.36.
//! Differs from upstream: one order for most types; rare volumes stand behind, by key.

use std::borrow::Cow;

use crate::Order;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// An order that agrees with most of the structs.
const ORDER: &str = "\
    volumes parallelism schedule secrets observedGeneration nominatedNodeName hostIPs \
    podIP podIPs initContainerStatuses containerStatuses qosClass \
    ephemeralContainerStatuses resize resourceClaimStatuses extendedResourceClaimStatus \
    nodeAllocatableResourceClaimStatuses podCIDR capacity loadBalancer \
    lastPhaseTransitionTime allocatedResourceStatuses currentVolumeAttributesClassName \
    modifyVolumeStatus hard limits component fullyLabeledReplicas volumeClaimTemplates \
    serviceName podManagementPolicy persistentVolumeClaimRetentionPolicy ordinals \
    currentRevision updateRevision currentNumberScheduled numberMisscheduled \
    desiredNumberScheduled numberReady updatedNumberScheduled numberAvailable \
    numberUnavailable scaleTargetRef minAvailable matchLabelExpressions drivers \
    attachRequired targetRef zone hints holderIdentity controller blockOwnerDeletion \
    manager emptyDir secret persistentVolumeClaim projected ephemeral command args \
    workingDir envFrom env resizePolicy restartPolicyRules volumeDevices livenessProbe \
    readinessProbe startupProbe lifecycle terminationMessagePath terminationMessagePolicy \
    imagePullPolicy stdin stdinOnce tty targetContainerName ip nameservers conditionType \
    maxSkew podGroupName lastProbeTime lastTransitionTime requestMappings \
    lastHeartbeatTime kubeletEndpoint machineID names targetPort nodePort clientIP ingress \
    server driver required matchLabels apiGroup targetVolumeAttributesClassName \
    lastUpdateTime whenDeleted start rules scaleUp audience serving forZones medium \
    secretName claimName sources volumeClaimTemplate reference prefix exec postStart \
    capabilities requiredDuringSchedulingIgnoredDuringExecution waiting containerName Port \
    recursiveReadOnlyMounts nodeSelectorTerms scopeName partition succeededIndexes \
    describedObject stabilizationWindowSeconds add weight namespaces namespaceSelector \
    mismatchLabelKeys exitCode resourceID averageValue averageUtilization seconds \
    initContainers completions timeZone replicas lastScaleTime disruptedPods podCIDRs \
    scopes used requests minReplicas podInfoOnMount leaseDurationSeconds operation \
    downwardAPI hostnames searches topologyKey systemUUID sizeBytes volumeHandle \
    matchExpressions kind whenScaled scaleDown expirationSeconds forNodes sizeLimit \
    pullPolicy configMapRef httpGet preStop privileged \
    preferredDuringSchedulingIgnoredDuringExecution running resourceName userNamespaces \
    succeededCount selectPolicy drop preference podAffinityTerm signal health \
    startingDeadlineSeconds updatedReplicas currentReplicas disruptionsAllowed providerID \
    scopeSelector claims maxReplicas volumeLifecycleModes acquireTime configMap options \
    whenUnsatisfiable bootID matchFields name secretRef tcpSocket seLinuxOptions \
    terminated requestName policies concurrencyPolicy readyReplicas desiredReplicas \
    currentHealthy unschedulable hostPath metrics storageCapacity renewTime \
    serviceAccountToken kernelVersion generateName apiVersion key resourceClaimName state \
    nodeID items hostPort devicePath request target signerName grpc sleep windowsOptions \
    hostProcess tolerance availableReplicas currentMetrics desiredHealthy taints behavior \
    fsGroupPolicy leaseTransitions clusterTrustBundle osImage namespace metadata fieldPath \
    time operator containers resourceClaimTemplateName lastState topologyKeys defaultMode \
    containerPort metric container labelSelector keyType initialDelaySeconds runAsUser \
    unavailableReplicas expectedPods nfs tokenRequests podCertificate \
    containerRuntimeVersion spec immutable involvedObject provisioner addressType \
    fieldsType value values ephemeralContainers allocatable protocol minDomains optional \
    maxExpirationSeconds timeoutSeconds runAsGroup terminatingReplicas requiresRepublish \
    kubeletVersion uid data reason parameters endpoints fieldsV1 globalDefault effect \
    valueFrom restartPolicy phase hostIP nodeAffinityPolicy path credentialBundlePath \
    periodSeconds runAsNonRoot seLinuxMount kubeProxyVersion resourceVersion binaryData \
    stringData revision message reclaimPolicy subresource description tolerationSeconds \
    timeAdded conditions nodeTaintsPolicy port readOnly fieldRef keyPath successThreshold \
    supplementalGroups readOnlyRootFilesystem nodeAllocatableUpdatePeriodSeconds \
    operatingSystem generation source startedAt startTime addresses collisionCount \
    matchLabelKeys host appProtocol service fsType recursiveReadOnly resourceFieldRef \
    certificateChainPath failureThreshold supplementalGroupsPolicy \
    allowPrivilegeEscalation serviceAccountTokenInSecrets architecture creationTimestamp \
    firstTimestamp finishedAt completionTime daemonEndpoints scheme volumeAttributes \
    mountPath mode configMapKeyRef terminationGracePeriodSeconds fsGroup procMount \
    preventPodSchedulingIfMissing swap deletionTimestamp lastTimestamp active nodeInfo \
    httpHeaders controllerPublishSecretRef subPath secretKeyRef activeDeadlineSeconds \
    sysctls deletionGracePeriodSeconds count succeeded lastScheduleTime images \
    nodeStageSecretRef mountPropagation fileKeyRef dnsPolicy podFailurePolicy \
    fsGroupChangePolicy labels lastObservedTime failed lastSuccessfulTime \
    nodePublishSecretRef subPathExpr nodeSelector successPolicy seccompProfile annotations \
    terminating volumesAttached controllerExpandSecretRef serviceAccountName backoffLimit \
    appArmorProfile ownerReferences completedIndexes nodeExpandSecretRef serviceAccount \
    backoffLimitPerIndex seLinuxChangePolicy finalizers failedIndexes runtimeHandlers \
    automountServiceAccountToken maxFailedIndexes managedFields uncountedTerminatedPods \
    features nodeName ready declaredFeatures hostNetwork restartCount hostPID image \
    hostIPC local imageID shareProcessNamespace containerID securityContext csi started \
    imagePullSecrets accessModes allocatedResources hostname claimRef subdomain ipMode \
    persistentVolumeReclaimPolicy affinity ports schedulerName selector tolerations \
    clusterIP manualSelector maxUnavailable hostAliases clusterIPs template \
    unhealthyPodEvictionPolicy maxSurge priorityClassName strategy ttlSecondsAfterFinished \
    updateStrategy priority preferredHolder completionMode minReadySeconds dnsConfig \
    suspend revisionHistoryLimit readinessGates podReplacementPolicy jobTemplate paused \
    runtimeClassName managedBy successfulJobsHistoryLimit progressDeadlineSeconds \
    enableServiceLinks failedJobsHistoryLimit preemptionPolicy overhead \
    topologySpreadConstraints setHostnameAsFQDN os hostUsers schedulingGates \
    resourceClaims resources hostnameOverride volumeName volumeMounts schedulingGroup \
    storageClassName mountOptions allocatedResourcesStatus role allowVolumeExpansion \
    volumeMode stopSignal type volumeBindingMode nodeAffinity dataSource externalIPs \
    status eventTime address max rollingUpdate object level localhostProfile \
    allowedTopologies podAffinity dataSourceRef sessionAffinity series min pods \
    podAntiAffinity volumeAttributesClassName loadBalancerIP action default resource \
    loadBalancerSourceRanges related exitCodes onExitCodes defaultRequest \
    containerResource divisor externalName reportingComponent onPodConditions \
    maxLimitRequestRatio external externalTrafficPolicy reportingInstance \
    healthCheckNodePort publishNotReadyAddresses sessionAffinityConfig ipFamilies \
    ipFamilyPolicy allocateLoadBalancerNodePorts loadBalancerClass internalTrafficPolicy \
    trafficDistribution";

/// The structs that it does not agree with, by the fields that hold them, or by the kind and what of
/// it they are.
const OTHERS: &[(&str, &str)] = &[
    (
        "containers initContainers ephemeralContainers",
        "name image command args workingDir ports envFrom env resources resizePolicy \
         restartPolicy restartPolicyRules volumeMounts volumeDevices livenessProbe \
         readinessProbe startupProbe lifecycle terminationMessagePath \
         terminationMessagePolicy imagePullPolicy securityContext stdin stdinOnce tty \
         targetContainerName",
    ),
    (
        "conditions",
        "type status observedGeneration ready serving terminating lastProbeTime \
         lastHeartbeatTime lastUpdateTime lastTransitionTime reason message",
    ),
    ("ownerReferences", "apiVersion kind name uid controller blockOwnerDeletion"),
    (
        "involvedObject claimRef targetRef secretRef secrets",
        "kind namespace name uid apiVersion resourceVersion fieldPath",
    ),
    ("ports", "name hostPort containerPort protocol appProtocol port targetPort nodePort hostIP"),
    (
        "volumes",
        "name hostPath emptyDir secret nfs persistentVolumeClaim downwardAPI configMap \
         projected csi ephemeral image",
    ),
    ("endpoints", "addresses conditions hostname targetRef nodeName zone hints"),
    (
        "requiredDuringSchedulingIgnoredDuringExecution podAffinityTerm",
        "labelSelector namespaces topologyKey namespaceSelector matchLabelKeys \
         mismatchLabelKeys",
    ),
    ("target policies", "type value averageValue averageUtilization periodSeconds"),
    (
        "resources",
        "limits requests claims name singularName namespaced group version kind verbs shortNames \
         categories",
    ),
    ("APIResourceList", "kind apiVersion groupVersion resources"),
    (
        "clientVersion serverVersion",
        "major minor emulationMajor emulationMinor minCompatibilityMajor minCompatibilityMinor \
         gitVersion gitTreeState buildDate compiler platform",
    ),
    (
        "ServiceAccount",
        "kind apiVersion metadata secrets imagePullSecrets automountServiceAccountToken",
    ),
    (
        "PodStatus",
        "observedGeneration phase conditions message reason nominatedNodeName hostIP \
         hostIPs podIP podIPs startTime initContainerStatuses containerStatuses qosClass \
         ephemeralContainerStatuses resize resourceClaimStatuses allocatedResources \
         resources",
    ),
    ("PersistentVolumeStatus", "phase message reason lastPhaseTransitionTime"),
    (
        "PersistentVolumeClaimStatus",
        "phase accessModes capacity conditions allocatedResources \
         allocatedResourceStatuses currentVolumeAttributesClassName modifyVolumeStatus",
    ),
    ("ReplicaSetSpec", "replicas minReadySeconds selector template"),
    (
        "ReplicaSetStatus",
        "replicas fullyLabeledReplicas readyReplicas availableReplicas \
         terminatingReplicas observedGeneration conditions",
    ),
    (
        "StatefulSetSpec",
        "replicas selector template volumeClaimTemplates serviceName podManagementPolicy \
         updateStrategy revisionHistoryLimit minReadySeconds \
         persistentVolumeClaimRetentionPolicy ordinals",
    ),
    (
        "StatefulSetStatus",
        "observedGeneration replicas readyReplicas currentReplicas updatedReplicas \
         currentRevision updateRevision collisionCount conditions availableReplicas",
    ),
    (
        "DaemonSetStatus",
        "currentNumberScheduled numberMisscheduled desiredNumberScheduled numberReady \
         observedGeneration updatedNumberScheduled numberAvailable numberUnavailable \
         collisionCount conditions",
    ),
];

/// Fields whose keys are the user's.
const MAPS: [&str; 15] = [
    "labels",
    "annotations",
    "data",
    "stringData",
    "nodeSelector",
    "matchLabels",
    "limits",
    "requests",
    "hard",
    "used",
    "overhead",
    "capacity",
    "allocatable",
    "parameters",
    "volumeAttributes",
];

/// The fields of a map that is the value of a field, in order.
#[must_use]
pub fn fields<'a>(map: &'a Map<String, Value>, of: &str) -> Vec<(&'a String, &'a Value)> {
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    // The selector of a Service is a map, that of a Deployment is none.
    if MAPS.contains(&of) || of == "selector" && map.values().all(Value::is_string) {
        return entries;
    }
    let own = OTHERS.iter().find(|it| it.0.split(' ').any(|it| it == of));
    let order = match own {
        Some(it) => it.1,
        None if of.ends_with("List") => "kind apiVersion metadata items",
        None => ORDER,
    };
    let rank = |key: &str| order.split(' ').position(|it| it == key).unwrap_or(usize::MAX);
    entries.order_by_key(|it| (rank(it.0), it.0.as_str()));
    entries
}

/// What the value of a field is called: the spec and the status of some kinds have their own order.
#[must_use]
pub fn called(key: &str, map: &Map<String, Value>) -> String {
    let suffix = match key {
        "spec" => "Spec",
        "status" => "Status",
        other => return other.to_owned(),
    };
    let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default();
    format!("{kind}{suffix}")
}

/// An object that tells its fields in order.
pub struct InOrder<'a> {
    value: &'a Value,
    of: Cow<'a, str>,
    /// A map with the keys of the fields that are sorted by key, as what is beside them.
    touched: Option<&'a Value>,
}

impl<'a> InOrder<'a> {
    /// An object in the order of Go's structs.
    #[must_use]
    pub fn new(value: &'a Value) -> InOrder<'a> {
        InOrder::of(value, value["kind"].as_str().unwrap_or_default())
    }

    /// The value of a field in the order of Go's structs.
    #[must_use]
    pub fn of(value: &'a Value, field: &'a str) -> InOrder<'a> {
        InOrder { value, of: Cow::Borrowed(field), touched: None }
    }

    /// An object that a patch was laid onto: what the patch has maps for was taken apart, and its
    /// fields are sorted by key.
    #[must_use]
    pub fn patched(value: &'a Value, patch: &'a Value) -> InOrder<'a> {
        InOrder { value, of: Cow::Borrowed(""), touched: Some(patch) }
    }
}

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Array(items) => serializer.collect_seq(items.iter().map(|value| InOrder {
                value,
                of: Cow::Borrowed(&self.of),
                touched: None,
            })),
            Value::Object(map) => {
                let patch = self.touched.and_then(Value::as_object);
                let fields = match patch {
                    Some(_) => map.iter().collect(),
                    None => fields(map, &self.of),
                };
                serializer.collect_map(fields.into_iter().map(|(key, value)| {
                    let touched = patch.and_then(|it| it.get(key));
                    (key, InOrder { value, of: called(key, map).into(), touched })
                }))
            }
            other => other.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str) {
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&InOrder::new(&value)).unwrap(), json);
    }

    /// As kubectl 1.36.2 prints them.
    #[test]
    fn fields_stand_as_in_gos_structs_and_maps_are_sorted() {
        check(
            r#"{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"d1","labels":{"app":"d1","kind":"x"}},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"d1"}},"template":{"metadata":{"labels":{"app":"d1"}},"spec":{"containers":[{"name":"nginx","image":"nginx","ports":[{"containerPort":80}],"env":[{"name":"A","value":"b"}],"resources":{"limits":{"cpu":"1"},"requests":{"cpu":"1"}}}]}},"strategy":{}},"status":{}}"#,
        );
        check(
            r#"{"kind":"Service","apiVersion":"v1","metadata":{"name":"s"},"spec":{"ports":[{"name":"80","protocol":"TCP","port":80,"targetPort":8080}],"selector":{"kind":"b","name":"a"},"type":"ClusterIP"},"status":{"loadBalancer":{}}}"#,
        );
        check(
            r#"{"kind":"CronJob","apiVersion":"batch/v1","metadata":{"name":"c"},"spec":{"schedule":"* * * * *","jobTemplate":{"metadata":{"name":"c"},"spec":{"template":{"metadata":{},"spec":{"containers":[{"name":"c","image":"i","command":["date"],"resources":{}}],"restartPolicy":"OnFailure"}}}}},"status":{}}"#,
        );
    }
}
