//! The order of the fields of objects whose types kubectl knows: that of Go's structs. Objects of
//! which it knows nothing are sorted by key.
//!
//! Upstream: `staging/src/k8s.io/api/*/v1/types.go`, v1.36.
//! Differs from upstream: one order for all types, which few break (replicas of a StatefulSet before
//! its `minReadySeconds`); rare volumes and what a status says stand behind, by key.

use api::Order;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// Merged from the structs that kubectl's generators fill in.
const ORDER: &str = "\
    capabilities containerName driver exec hard httpGet ip hostnames kind limits \
    loadBalancer conditions matchLabels matchExpressions maxSkew minAvailable name \
    generateName hostPath emptyDir hostPort containerPort key nameservers namespace \
    parallelism completions partition prefix configMapRef privileged protocol appProtocol \
    hostIP replicas requests requiredDuringSchedulingIgnoredDuringExecution \
    preferredDuringSchedulingIgnoredDuringExecution resourceName scaleTargetRef minReplicas \
    maxReplicas metrics behavior schedule scopeName operator scopes scopeSelector \
    seLinuxOptions searches options secret nfs persistentVolumeClaim downwardAPI configMap \
    secretName items secretRef server path fieldRef port host readOnly fsType mountPath \
    resourceFieldRef configMapKeyRef mode scheme httpHeaders secretKeyRef \
    serviceAccountToken sources defaultMode optional subPath mountPropagation subPathExpr \
    succeededIndexes succeededCount target container targetPort nodePort tcpSocket grpc \
    initialDelaySeconds sleep timeZone startingDeadlineSeconds concurrencyPolicy \
    timeoutSeconds periodSeconds successThreshold failureThreshold topologyKey \
    namespaceSelector uid apiVersion controller blockOwnerDeletion metadata immutable data \
    binaryData resourceVersion fieldPath generation creationTimestamp deletionTimestamp \
    deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields \
    spec stringData values volumes initContainers containers restartPolicy \
    terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector \
    podFailurePolicy serviceAccountName serviceAccount automountServiceAccountToken nodeName \
    hostNetwork hostPID hostIPC shareProcessNamespace successPolicy backoffLimit \
    backoffLimitPerIndex maxFailedIndexes volumeMounts volumeDevices livenessProbe \
    readinessProbe startupProbe lifecycle terminationMessagePath terminationMessagePolicy \
    imagePullPolicy securityContext imagePullSecrets hostname stdin stdinOnce subdomain \
    affinity schedulerName tolerations hostAliases priorityClassName priority dnsConfig \
    readinessGates runtimeClassName enableServiceLinks tty projected csi ephemeral image \
    command args weight podAffinityTerm preference whenUnsatisfiable labelSelector \
    minDomains namespaces nodeAffinityPolicy nodeTaintsPolicy matchLabelKeys \
    mismatchLabelKeys runAsUser runAsGroup runAsNonRoot readOnlyRootFilesystem \
    allowPrivilegeEscalation procMount supplementalGroups supplementalGroupsPolicy fsGroup \
    sysctls fsGroupChangePolicy seccompProfile appArmorProfile seLinuxChangePolicy \
    workingDir ports envFrom env selector clusterIP clusterIPs manualSelector maxUnavailable \
    maxSurge template strategy ttlSecondsAfterFinished completionMode suspend jobTemplate \
    podReplacementPolicy managedBy successfulJobsHistoryLimit failedJobsHistoryLimit type \
    externalIPs localhostProfile resource containerResource divisor rollingUpdate \
    sessionAffinity loadBalancerIP loadBalancerSourceRanges externalName \
    externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses sessionAffinityConfig \
    ipFamilies ipFamilyPolicy allocateLoadBalancerNodePorts loadBalancerClass \
    internalTrafficPolicy status trafficDistribution unhealthyPodEvictionPolicy value \
    averageValue averageUtilization effect globalDefault description preemptionPolicy \
    overhead tolerationSeconds topologySpreadConstraints os hostUsers schedulingGates \
    resources resizePolicy volumeClaimTemplates serviceName podManagementPolicy \
    updateStrategy minReadySeconds persistentVolumeClaimRetentionPolicy ordinals \
    revisionHistoryLimit paused progressDeadlineSeconds";

/// Fields whose keys are the user's.
const MAPS: [&str; 11] = [
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
];

/// The fields of a map that is the value of a field, in order.
pub(crate) fn fields<'a>(map: &'a Map<String, Value>, of: &str) -> Vec<(&'a String, &'a Value)> {
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    // The selector of a Service is a map, that of a Deployment is none.
    if MAPS.contains(&of) || of == "selector" && map.values().all(Value::is_string) {
        return entries;
    }
    let rank = |key: &str| ORDER.split(' ').position(|it| it == key).unwrap_or(usize::MAX);
    entries.order_by_key(|it| (rank(it.0), it.0.as_str()));
    entries
}

/// An object that tells its fields in order.
pub(crate) struct InOrder<'a>(pub(crate) &'a Value, pub(crate) &'a str);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => {
                serializer.collect_seq(items.iter().map(|it| InOrder(it, self.1)))
            }
            Value::Object(map) => {
                let fields = fields(map, self.1).into_iter();
                serializer.collect_map(fields.map(|(key, it)| (key, InOrder(it, key))))
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
        assert_eq!(serde_json::to_string(&InOrder(&value, "")).unwrap(), json);
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
