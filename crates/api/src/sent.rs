//! Objects as the API server sends them: with the fields that Go writes even when they are empty,
//! and without those that it leaves out then.

mod table;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use serde_json::{Map, Value};

use crate::{Object, wire};
use table::TABLE;

/// An object as the API server sends it: with the fields that Go writes even when they are empty,
/// such as `resources: {}` of a container or `lastProbeTime: null` of a condition.
#[must_use]
pub fn object_value(object: &Object) -> Value {
    value_along(object, &[])
}

/// As [`object_value`], with everything that lies on a path of keys and perhaps little more: for who
/// asks thousands of objects for one field.
#[must_use]
pub fn value_along(object: &Object, path: &[&str]) -> Value {
    let mut value = wire::value_along(object, path);
    fill(object.kind().name(), &mut value, path);
    if let Some(Value::Object(meta)) = value.get_mut("metadata") {
        meta.remove("managedFields");
    }
    value
}

/// `metadata.managedFields`, which nobody sees who does not ask for it.
#[must_use]
pub fn managed_fields(object: &Object) -> Option<Value> {
    let entries = object.meta().managed_fields.as_ref()?;
    let entry = |it: &ManagedFieldsEntry| {
        let mut value = wire::to_value(it);
        value["fieldsV1"] = fields_of(it);
        value
    };
    Some(entries.iter().map(entry).collect())
}

/// The fields of an entry, which the store keeps as text.
#[must_use]
pub fn fields_of(entry: &ManagedFieldsEntry) -> Value {
    match &entry.fields_v1 {
        Some(FieldsV1(Value::String(text))) => serde_json::from_str(text).unwrap_or_default(),
        Some(FieldsV1(value)) => value.clone(),
        None => Value::Object(Map::new()),
    }
}

/// Adds what Go would write to the JSON of a struct, a list of them, or a map of them, where it lies
/// on the path.
fn fill(name: &str, value: &mut Value, path: &[&str]) {
    match value {
        Value::Object(map) => fill_struct(name, map, path),
        Value::Array(items) => items.iter_mut().for_each(|it| fill(name, it, path)),
        _ => {}
    }
}

fn fill_struct(name: &str, map: &mut Map<String, Value>, path: &[&str]) {
    let found =
        TABLE.binary_search_by_key(&name, |line| line.split(' ').next().unwrap_or_default());
    let Some(line) = found.ok().and_then(|at| TABLE.get(at)) else { return };
    let rest = path.get(1..).unwrap_or_default();
    map.retain(|key, value| !is_empty(name, key, value) || is_required(line, key));
    for field in line.split(' ').skip(1) {
        let (field, default) = field.split_once('=').unwrap_or((field, ""));
        let (field, child) = field.split_once(':').unwrap_or((field, ""));
        if path.first().is_some_and(|it| *it != field) {
            continue;
        }
        let empty = match default {
            "o" => Some(Value::Object(Map::new())),
            "n" => Some(Value::Null),
            "s" => Some(Value::String(String::new())),
            "0" => Some(Value::from(0)),
            "f" => Some(Value::Bool(false)),
            _ => None,
        };
        if let Some(empty) = empty
            && !map.contains_key(field)
        {
            map.insert(field.to_owned(), empty);
        }
        if !child.is_empty()
            && let Some(value) = map.get_mut(field)
        {
            fill(child, value, rest);
        }
    }
}

/// The fields whose Go type is a pointer: what was set is written even when it is empty. Where
/// several structs have a field of a name, this is about the one that has empty values.
const POINTERS: &str = "\
    activeDeadlineSeconds allocateLoadBalancerNodePorts allowPrivilegeEscalation \
    allowVolumeExpansion apiGroup appProtocol attachRequired automountServiceAccountToken \
    backoffLimit backoffLimitPerIndex blockOwnerDeletion cachingMode capacity collisionCount \
    completionMode completions controller currentVolumeAttributesClassName defaultMode \
    deletionGracePeriodSeconds enableServiceLinks \
    endpointsNamespace errorCode expirationSeconds failedIndexes failedJobsHistoryLimit \
    fsGroup fsGroupChangePolicy fsGroupPolicy gmsaCredentialSpec gmsaCredentialSpecName \
    holderIdentity hostProcess hostUsers hostnameOverride immutable initiatorName \
    internalTrafficPolicy ipFamilyPolicy ipMode leaseDurationSeconds leaseTransitions \
    limitBytes loadBalancerClass localhostProfile lun managedBy manualSelector \
    maxExpirationSeconds maxFailedIndexes maxSurge maxUnavailable minAvailable minDomains \
    mode mountPropagation nodeAffinityPolicy nodeAllocatableUpdatePeriodSeconds \
    nodeTaintsPolicy optional parallelism partition persistentVolumeName podGroupName \
    podInfoOnMount podReplacementPolicy port preemptionPolicy preferredHolder \
    preventPodSchedulingIfMissing priority privileged procMount progressDeadlineSeconds \
    readOnlyRootFilesystem ready reclaimPolicy recursiveReadOnly recursiveReadOnlyMounts \
    replicas requiresRepublish resourceClaimName resourceClaimTemplateName restartPolicy \
    revisionHistoryLimit runAsGroup runAsNonRoot runAsUser runAsUserName runtimeClassName \
    seLinuxChangePolicy seLinuxMount secretNamespace service serviceAccountTokenInSecrets \
    serving setHostnameAsFQDN shareProcessNamespace sinceSeconds stabilizationWindowSeconds started \
    startingDeadlineSeconds stopSignal storageCapacity storageClassName strategy stream \
    succeededCount succeededIndexes successfulJobsHistoryLimit supplementalGroupsPolicy \
    suspend tailLines terminating terminatingReplicas terminationGracePeriodSeconds timeZone \
    timeoutSeconds tolerationSeconds trafficDistribution ttlSecondsAfterFinished type \
    unhealthyPodEvictionPolicy userNamespaces volumeAttributesClassName volumeBindingMode \
    volumeMode zone";

/// Fields with maps; other empty JSON objects are structs, which are written.
const MAPS: &str = "\
    allocatable annotations attributes binaryData capacity data default defaultRequest hard \
    labels limits matchLabels max maxLimitRequestRatio min nodeSelector options overhead \
    parameters requests stringData used volumeAttributes";

/// Whether Go's `omitempty` leaves a value out.
fn is_empty(name: &str, key: &str, value: &Value) -> bool {
    let listed = |list: &str| list.split_ascii_whitespace().any(|it| it == key);
    match value {
        Value::String(text) => text.is_empty() && !listed(POINTERS),
        Value::Number(number) => number.as_i64() == Some(0) && !listed(POINTERS),
        Value::Bool(value) => !value && !listed(POINTERS),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => {
            map.is_empty() && (listed(MAPS) || (name, key) == ("ServiceSpec", "selector"))
        }
        Value::Null => false,
    }
}

/// Whether Go writes the field of a struct's line in any case.
fn is_required(line: &str, key: &str) -> bool {
    line.split(' ')
        .skip(1)
        .any(|field| field.split_once('=').is_some_and(|it| it.0.split(':').next() == Some(key)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Kind;

    #[test]
    fn empty_fields_are_written_where_go_writes_them() {
        let value = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "b"}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        });
        let pod = Object::deserialize_kind(Kind::Pod, value).unwrap();
        let expected = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "b", "resources": {}}]},
            "status": {"conditions": [{
                "type": "Ready", "status": "True", "lastProbeTime": null,
                "lastTransitionTime": null,
            }]},
        });
        assert_eq!(object_value(&pod), expected);
    }

    #[test]
    fn empty_fields_are_left_out_where_go_leaves_them_out() {
        let value = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {}},
            "spec": {
                "hostNetwork": false, "hostname": "", "nodeSelector": {}, "priority": 0,
                "volumes": [{"name": "v", "emptyDir": {}}],
                "containers": [{
                    "name": "b", "command": [], "stdin": false,
                    "env": [{"name": "X", "value": ""}],
                    "securityContext": {"privileged": false},
                }],
            },
            "status": {"containerStatuses": [{
                "name": "b", "containerID": "", "imageID": "", "ready": false, "restartCount": 0,
                "started": false,
            }]},
        });
        let pod = Object::deserialize_kind(Kind::Pod, value).unwrap();
        let value = object_value(&pod);
        let expected = json!({
            "priority": 0, "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [{
                "name": "b", "resources": {}, "env": [{"name": "X"}],
                "securityContext": {"privileged": false},
            }],
        });
        assert_eq!((&value["spec"], &value["metadata"]), (&expected, &json!({"name": "a"})));
        let status = &value["status"]["containerStatuses"][0];
        assert!(status.get("containerID").is_none() && status["imageID"] == "");
        assert_eq!((&status["ready"], &status["started"]), (&json!(false), &json!(false)));
    }

    #[test]
    fn the_table_is_sorted() {
        let names: Vec<&str> = TABLE.iter().filter_map(|it| it.split(' ').next()).collect();
        assert!(names.is_sorted());
    }
}
