//! Rows of upstream's rules, with the words of its source: what is wrong with an object, or with
//! an update of it.

use api::{Kind, Object, Timestamp};
use serde_json::{Value, json};

use crate::Store;

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn store() -> Store {
    let mut store = Store::new(7);
    store.bootstrap(now());
    store
}

fn object(kind: Kind, value: &Value) -> Object {
    api::wire::object_from_value(kind, value).unwrap()
}

/// Lays `over` onto `base`: maps are merged, everything else is replaced.
fn lay(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                lay(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

fn with(mut base: Value, over: Value) -> Value {
    lay(&mut base, &over);
    base
}

fn causes(result: Result<Object, api::ApiError>) -> Vec<String> {
    let Err(error) = result else { return Vec::new() };
    if error.causes.is_empty() {
        return vec![error.message];
    }
    let mut causes: Vec<String> = Vec::new();
    for it in &error.causes {
        let cause = format!("{}: {}", it.field, it.message);
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    causes
}

#[track_caller]
fn check(kind: Kind, value: Value, expected: &[&str]) {
    assert_eq!(causes(store().create(object(kind, &value), now())), expected, "{value}");
}

/// Creates `old`, then replaces it by `old` with `over` laid onto it.
#[track_caller]
fn check_update(kind: Kind, old: Value, over: Value, expected: &[&str]) {
    let mut store = store();
    let stored = store.import(
        {
            let mut it = object(kind, &old);
            crate::default_object(&mut it);
            it.meta_mut().namespace = kind.namespaced().then(|| "default".to_owned());
            it
        },
        now(),
    );
    let new = with(api::wire::to_value(&stored), over);
    assert_eq!(causes(store.update(object(kind, &new), now())), expected, "{new}");
}

fn pod(spec: Value) -> Value {
    let base = json!({
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    });
    with(base, json!({"spec": spec}))
}

fn volume_pod(source: Value) -> Value {
    pod(json!({"volumes": [with(json!({"name": "v"}), source)]}))
}

fn volume(spec: Value) -> Value {
    let base = json!({
        "metadata": {"name": "pv"},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}},
    });
    with(base, json!({"spec": spec}))
}

const ISCSI_LONG: &str = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 \
    characters if iscsi.initiatorName is specified.";

#[test]
fn volumes_of_pods() {
    let iscsi =
        json!({"targetPortal": "p".repeat(64), "iqn": "iqn.2001-04.com.example:a", "lun": 0});
    check(
        Kind::Pod,
        volume_pod(
            json!({"iscsi": with(iscsi.clone(), json!({"initiatorName": "iqn.2001-04.c:a"}))}),
        ),
        &[&format!("spec.volumes[0].name: Invalid value: \"v\": {ISCSI_LONG}")],
    );
    check(
        Kind::Pod,
        volume_pod(json!({"iscsi": with(iscsi, json!({
            "lun": 256, "chapAuthSession": true, "initiatorName": "x",
            "targetPortal": "p",
        }))})),
        &[
            "spec.volumes[0].iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive",
            "spec.volumes[0].iscsi.secretRef: Required value",
            "spec.volumes[0].iscsi.initiatorname: Invalid value: \"x\": must be valid format \
             starting with iqn, eui, or naa",
        ],
    );
    check(
        Kind::Pod,
        volume_pod(json!({"csi": {"driver": "d", "nodePublishSecretRef": {"name": "A"}}})),
        &["spec.volumes[0].csi.name: Invalid value: \"A\": a lowercase RFC 1123 subdomain must \
           consist of lower case alphanumeric characters, '-' or '.', and must start and end with \
           an alphanumeric character (e.g. 'example.com', regex used for validation is \
           '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"],
    );
    let template = json!({
        "metadata": {"name": "x", "finalizers": ["a/b"], "generation": 0},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1"}}},
    });
    check(
        Kind::Pod,
        volume_pod(json!({"ephemeral": {"volumeClaimTemplate": template}})),
        &[
            "spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set",
            "spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.finalizers: Forbidden: cannot \
             be set",
        ],
    );
    // Behind a feature that is off: the source is dropped, and nothing is left to complain of.
    let bundle = json!({"projected": {"sources": [{"clusterTrustBundle": {"path": ""}}]}});
    check(Kind::Pod, volume_pod(bundle), &[]);
}

#[test]
fn containers_of_pods() {
    let rule = json!([{"action": "Restart", "exitCodes": {"operator": "Bad"}}]);
    let init = json!([{"name": "i", "image": "i", "restartPolicyRules": rule}]);
    check(
        Kind::Pod,
        pod(json!({"initContainers": init})),
        &["spec.initContainers[0].restartPolicy: Required value: must specify restartPolicy when \
           restart rules are used"],
    );
    let unnamed = json!([{"name": "", "image": "i"}, {"name": "", "image": "i"}]);
    check(
        Kind::Pod,
        pod(json!({"initContainers": unnamed})),
        &[
            "spec.initContainers[0].name: Required value",
            "spec.initContainers[1].name: Required value",
        ],
    );
    let from = |name: &str| {
        pod(json!({"containers": [{
            "name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": name}}],
        }]}))
    };
    check(Kind::Pod, from("prefix-"), &[]);
    assert_eq!(causes(store().create(object(Kind::Pod, &from("-")), now())).len(), 1);
    let debug = json!([{
        "name": "d", "image": " i", "ports": [], "resources": {"limits": {"cpu": "1"}},
        "restartPolicy": "Always", "lifecycle": {},
    }]);
    let words = "Forbidden: cannot be set for an Ephemeral Container";
    check(
        Kind::Pod,
        pod(json!({"ephemeralContainers": debug})),
        &[
            "spec.ephemeralContainers[0].image: Invalid value: \" i\": must not have leading or \
             trailing whitespace",
            &format!("spec.ephemeralContainers[0].ports: {words}"),
            &format!("spec.ephemeralContainers[0].resources: {words}"),
            &format!("spec.ephemeralContainers[0].restartPolicy: {words}"),
            &format!("spec.ephemeralContainers[0].lifecycle: {words}"),
            "spec.ephemeralContainers: Forbidden: cannot be set on create",
        ],
    );
    // Signals are behind a feature that is off.
    let stop = json!([{"name": "c", "image": "i", "lifecycle": {"stopSignal": "NONE"}}]);
    check(Kind::Pod, pod(json!({"containers": stop})), &[]);
}

#[test]
fn profiles_of_annotations_and_fields_must_agree() {
    let type_ = "in annotation and field must match";
    let seccomp = "container.seccomp.security.alpha.kubernetes.io/c";
    let armor = "container.apparmor.security.beta.kubernetes.io/c";
    let in_container = "spec.containers[0].securityContext";
    let rows: &[(&str, &str, Value, &[String])] = &[
        (
            "seccomp.security.alpha.kubernetes.io/pod",
            "unconfined",
            json!({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}),
            &[format!("spec.securityContext.seccompProfile.type: Forbidden: seccomp type {type_}")],
        ),
        (seccomp, "docker/default", own("seccompProfile", "RuntimeDefault"), &[]),
        (
            seccomp,
            "localhost/a",
            own("seccompProfile", "Localhost"),
            &[format!(
                "{in_container}.seccompProfile.localhostProfile: Forbidden: seccomp profile \
                       {type_}"
            )],
        ),
        (
            armor,
            "unconfined",
            own("appArmorProfile", "RuntimeDefault"),
            &[format!("{in_container}.appArmorProfile.type: Forbidden: apparmor type {type_}")],
        ),
        (
            armor,
            "localhost/a",
            own("appArmorProfile", "Localhost"),
            &[format!(
                "{in_container}.appArmorProfile.localhostProfile: Forbidden: apparmor \
                       profile {type_}"
            )],
        ),
    ];
    for (key, value, spec, expected) in rows {
        let mut pod = pod(spec.clone());
        pod["metadata"]["annotations"] = json!({*key: value});
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(Kind::Pod, pod, &expected);
    }
}

/// A container with a profile of its own.
fn own(field: &str, type_: &str) -> Value {
    let mut profile = json!({"type": type_});
    if type_ == "Localhost" {
        profile["localhostProfile"] = json!("b");
    }
    json!({"containers": [{"name": "c", "image": "i", "securityContext": {field: profile}}]})
}

#[test]
fn persistent_volumes() {
    let rows: &[(Value, &[&str])] = &[
        (
            json!({"cinder": {"volumeID": "v", "secretRef": {}}}),
            &[
                "spec.cinder.secretRef.name: Required value",
                "spec.cinder.secretRef.namespace: Required value",
            ],
        ),
        (
            json!({"glusterfs": {"endpoints": "e", "path": "p", "endpointsNamespace": ""}}),
            &["spec.glusterfs.endpointsNamespace: Invalid value: \"\": if the endpointnamespace \
               is set, it must be a valid namespace name"],
        ),
        (
            json!({"iscsi": {
                "targetPortal": "p", "iqn": "naa.1", "lun": 0, "secretRef": {"namespace": "n"},
            }}),
            &[
                "spec.iscsi.iqn: Invalid value: \"naa.1\": must be valid format",
                "spec.iscsi.secretRef.name: Required value",
            ],
        ),
        (json!({"nfs": {"server": "s", "path": "/p"}, "flexVolume": {"driver": "d"}}), &[]),
        (
            json!({"nfs": {"server": "s", "path": "/p"}, "hostPath": {"path": "/p"}}),
            &["spec.nfs: Forbidden: may not specify more than 1 volume type"],
        ),
        (
            json!({"hostPath": {"path": "/p"}, "capacity": {"cpu": "0.5"}}),
            &[
                "spec.capacity: Unsupported value: {\"cpu\":\"500m\",\"storage\":\"1Gi\"}: supported \
               values: \"storage\"",
            ],
        ),
    ];
    for (spec, expected) in rows {
        check(Kind::PersistentVolume, volume(spec.clone()), expected);
    }
    let key = "volume.beta.kubernetes.io/mount-options";
    let annotated = json!({"metadata": {"annotations": {key: "ro"}}});
    let host = volume(json!({"hostPath": {"path": "/p"}}));
    check(
        Kind::PersistentVolume,
        with(host, annotated.clone()),
        &["metadata.annotations.volume.beta.kubernetes.io/mount-options: Forbidden: may not \
           specify mount options for this volume type"],
    );
    let nfs = volume(json!({"nfs": {"server": "s", "path": "/p"}}));
    check(Kind::PersistentVolume, with(nfs, annotated), &[]);
}

#[test]
fn the_node_affinity_of_a_volume_may_only_graduate() {
    let affinity = |key: &str| {
        let expression = json!({"key": key, "operator": "In", "values": ["z"]});
        json!({"nodeAffinity": {"required": {"nodeSelectorTerms": [
            {"matchExpressions": [expression]},
        ]}}})
    };
    let old = volume(with(
        json!({"hostPath": {"path": "/p"}}),
        affinity("failure-domain.beta.kubernetes.io/zone"),
    ));
    let to = |key: &str| json!({"spec": affinity(key)});
    check_update(Kind::PersistentVolume, old.clone(), to("topology.kubernetes.io/zone"), &[]);
    check_update(
        Kind::PersistentVolume,
        old,
        to("zone"),
        &["nodeAffinity: Invalid value: {\"Required\":{\"NodeSelectorTerms\":[{\
           \"MatchExpressions\":[{\"Key\":\"zone\",\"Operator\":\"In\",\"Values\":[\"z\"]}],\
           \"MatchFields\":null}]}}: field is immutable, except for updating from beta label to GA"],
    );
}

#[test]
fn claims_keep_what_they_were_given() {
    let claim = json!({
        "metadata": {
            "name": "c", "annotations": {"volume.beta.kubernetes.io/storage-class": "a"},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}},
            "volumeAttributesClassName": "gold",
        },
        "status": {
            "phase": "Bound", "capacity": {"storage": "1Gi"},
            "currentVolumeAttributesClassName": "gold",
        },
    });
    let key = "volume.beta.kubernetes.io/storage-class";
    let words = "is forbidden when status.currentVolumeAttributesClassName is not nil";
    let rows: &[(Value, &[String])] = &[
        (json!({"spec": {"storageClassName": "a"}}), &[]),
        (
            json!({"metadata": {"annotations": {key: "b"}}}),
            &[format!("metadata.annotations.{key}: Invalid value: \"b\": field is immutable")],
        ),
        (
            json!({"spec": {"volumeAttributesClassName": null}}),
            &[format!("spec.volumeAttributesClassName: Forbidden: update to nil {words}")],
        ),
        (
            json!({"spec": {"volumeAttributesClassName": ""}}),
            &[format!("spec.volumeAttributesClassName: Forbidden: update to empty string {words}")],
        ),
        (
            json!({"spec": {"resources": {"requests": {"storage": "1Gi"}}}}),
            &["spec.resources.requests.storage: Forbidden: field can not be less than \
               status.capacity"
                .to_owned()],
        ),
        (json!({"spec": {"resources": {"requests": {"storage": "1500Mi"}}}}), &[]),
    ];
    for (over, expected) in rows {
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check_update(Kind::PersistentVolumeClaim, claim.clone(), over.clone(), &expected);
    }
}

#[test]
fn services() {
    let service = |meta: Value, spec: Value| {
        let base = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
        with(base, json!({"metadata": {"annotations": meta}, "spec": spec}))
    };
    let ranges = "service.beta.kubernetes.io/load-balancer-source-ranges";
    let cidr = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    let (hints, mode) =
        ("service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode");
    let rows: &[(Value, Value, &[String])] = &[
        (
            json!({ranges: "10.0.0.0/8"}),
            json!({}),
            &[format!(
                "metadata.annotations[{ranges}]: Forbidden: may only be used when `type` is \
                       'LoadBalancer'"
            )],
        ),
        (
            json!({ranges: "10.0.0.0/8, x"}),
            json!({"type": "LoadBalancer"}),
            &[format!("metadata.annotations[{ranges}]: Invalid value: \"x\": {cidr}")],
        ),
        (json!({ranges: " "}), json!({"type": "LoadBalancer"}), &[]),
        (
            json!({hints: "Auto", mode: "Disabled"}),
            json!({}),
            &[format!(
                "metadata.annotations[{mode}]: Invalid value: \"Disabled\": must match \
                       annotations[{hints}] when both are specified"
            )],
        ),
    ];
    for (meta, spec, expected) in rows {
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(Kind::Service, service(meta.clone(), spec.clone()), &expected);
    }
}

#[test]
fn small_kinds() {
    let docker = |text: &str| {
        json!({
            "metadata": {"name": "s"}, "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": text},
        })
    };
    let redacted = "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\"";
    check(Kind::Secret, docker("{}"), &[]);
    check(Kind::Secret, docker("null"), &[]);
    check(
        Kind::Secret,
        docker("[]"),
        &[&format!(
            "{redacted}: json: cannot unmarshal array into Go value of type \
                    map[string]interface {{}}"
        )],
    );
    check(Kind::Secret, docker("{"), &[&format!("{redacted}: unexpected end of JSON input")]);
    // No rule of this kind looks at finalizers.
    let budget = json!({"metadata": {"name": "b", "finalizers": ["plain"]}});
    check(Kind::PodDisruptionBudget, budget, &[]);
    let class = json!({
        "metadata": {"name": "c"}, "provisioner": "p",
        "allowedTopologies": [{"matchLabelExpressions": []}],
    });
    check(
        Kind::StorageClass,
        class,
        &["allowedTopologies[0].matchLabelExpressions: Duplicate value: \"\""],
    );
    let node = json!({
        "metadata": {"name": "n"},
        "status": {
            "declaredFeatures": ["B", "A", "A", "low"],
            "nodeInfo": {"swap": {"capacity": 0}},
        },
    });
    let sorted = "list must be sorted alphabetically";
    check(
        Kind::Node,
        node,
        &[
            "metadata.nodeSwapStatus.capacity: Invalid value: 0: must be greater than zero",
            &format!("status.declaredFeatures[1]: Invalid value: \"A\": {sorted}"),
            "status.declaredFeatures[2]: Duplicate value: \"A\"",
            "status.declaredFeatures[3]: Invalid value: \"low\": invalid feature name \"low\": \
             must start with an UpperCamelCase segment, with subsequent segments separated by '/' \
             (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters \
             and slashes",
        ],
    );
}

#[test]
fn an_update_is_checked_as_every_object_is() {
    let map = json!({"metadata": {"name": "m"}});
    check_update(
        Kind::ConfigMap,
        map.clone(),
        json!({"metadata": {"finalizers": ["a b"]}}),
        &[
            "metadata.finalizers: Invalid value: \"a b\": name part must consist of alphanumeric \
             characters, '-', '_' or '.', and must start and end with an alphanumeric character \
             (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
             '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
            "metadata.finalizers[0]: Invalid value: \"a b\": name is neither a standard finalizer \
             name nor is it fully qualified",
        ],
    );
    // When it was created is not for the user to say, and no reason to refuse.
    let created =
        json!({"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z"}, "data": {"a": "b"}});
    check_update(Kind::ConfigMap, map, created, &[]);
}

#[test]
fn a_stateful_set_cannot_have_fewer_pods_than_none_nor_more_ready_ones_than_it_has() {
    let mut store = store();
    let set = object(
        Kind::StatefulSet,
        &json!({
            "metadata": {"name": "s", "namespace": "default"},
            "spec": {
                "replicas": 1, "serviceName": "s", "selector": {"matchLabels": {"a": "b"}},
                "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"containers": [{"name": "c", "image": "i"}]},
                },
            },
        }),
    );
    let stored = store.create(set, now()).unwrap();
    let few = "Invalid value: -1: must be greater than or equal to 0";
    let many = "cannot be greater than status.replicas";
    for (status, expected) in [
        (json!({"replicas": 2, "readyReplicas": 2, "availableReplicas": 1}), vec![]),
        (
            json!({"replicas": 1, "currentReplicas": -1}),
            vec![format!("status.currentReplicas: {few}")],
        ),
        (
            json!({"replicas": 1, "updatedReplicas": 2}),
            vec![format!("status.updatedReplicas: Invalid value: 2: {many}")],
        ),
        (
            json!({"replicas": 1, "availableReplicas": 1}),
            vec![
                "status.availableReplicas: Invalid value: 1: cannot be greater than \
                 status.readyReplicas"
                    .to_owned(),
            ],
        ),
    ] {
        let mut new = api::wire::to_value(&stored);
        new["status"] = status;
        new["metadata"]["resourceVersion"] = Value::Null;
        let result = store.update_status(object(Kind::StatefulSet, &new), now());
        assert_eq!(causes(result), expected, "{}", new["status"]);
    }
}
