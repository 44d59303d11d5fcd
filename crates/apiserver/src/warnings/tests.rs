//! Rows of upstream's warnings: an object, and what is said of it.

use api::{Kind, Timestamp};
use serde_json::{Value, json};

use crate::Store;

#[track_caller]
fn check(kind: Kind, value: &Value, expected: &[&str]) {
    let now = Timestamp::from_second(1_000_000).unwrap();
    let mut store = Store::new(7);
    store.bootstrap(now);
    store.create(api::wire::object_from_value(kind, value).unwrap(), now).unwrap();
    assert_eq!(store.take_warnings(), expected, "{value}");
}

fn of(spec: &Value) -> Value {
    json!({"metadata": {"name": "a"}, "spec": spec})
}

#[track_caller]
fn check_pod(fields: &Value, expected: &[&str]) {
    let mut spec = json!({"containers": [{"name": "c", "image": "i"}]});
    for (key, value) in fields.as_object().unwrap() {
        spec[key] = value.clone();
    }
    check(Kind::Pod, &of(&spec), expected);
}

#[track_caller]
fn check_container(fields: &Value, expected: &[&str]) {
    let mut container = json!({"name": "c", "image": "i"});
    for (key, value) in fields.as_object().unwrap() {
        container[key] = value.clone();
    }
    check_pod(&json!({"containers": [container]}), expected);
}

#[test]
fn of_pods() {
    let rows = [
        (
            json!({"nodeSelector": {"beta.kubernetes.io/os": "linux"}}),
            "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \
             \"kubernetes.io/os\" instead",
        ),
        (
            json!({"hostAliases": [{"ip": "1.2.3.4"}, {"ip": "1.2.3.4"}]}),
            "spec.hostAliases[1].ip: duplicate ip \"1.2.3.4\"",
        ),
        (
            json!({"imagePullSecrets": [{"name": "x"}, {"name": "x"}]}),
            "spec.imagePullSecrets[1].name: duplicate name \"x\"",
        ),
        (
            json!({"imagePullSecrets": [{"name": ""}]}),
            "spec.imagePullSecrets[0].name: invalid empty name \"\"",
        ),
        (
            json!({"volumes": [{"name": "v", "gitRepo": {"repository": "r"}}]}),
            "spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+",
        ),
        (
            json!({"volumes": [{"name": "v", "cephfs": {"monitors": ["m"]}}]}),
            "spec.volumes[0].cephfs: deprecated in v1.28, non-functional in v1.31+",
        ),
        (
            json!({"volumes": [{"name": "v", "projected": {"sources": [{}]}}]}),
            "volume \"v\" (Projected) has no sources provided",
        ),
        (
            json!({"volumes": [{"name": "v", "configMap": {"name": "m", "items": [
                {"key": "a", "path": "x"}, {"key": "b", "path": "x/y"},
            ]}}]}),
            "volume \"v\" (ConfigMap \"m\"): overlapping paths: \"x/y\" with \"x\"",
        ),
        (
            json!({"topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
            ]}),
            "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in \
             matching no pod",
        ),
        (
            json!({"affinity": {"podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}],
            }}}),
            "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].\
             labelSelector: a null labelSelector results in matching no pod",
        ),
        (
            json!({"dnsConfig": {"nameservers": ["FD00::1"]}}),
            "spec.dnsConfig.nameservers[0]: IPv6 address \"FD00::1\" should be in RFC 5952 \
             canonical format (\"fd00::1\")",
        ),
    ];
    for (fields, expected) in rows {
        check_pod(&fields, &[expected]);
    }
}

#[test]
fn of_containers() {
    let rows = [
        (
            json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
            "spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped \
             when using apply",
        ),
        (
            json!({"ports": [{"containerPort": 80}, {"containerPort": 80}]}),
            "spec.containers[0].ports[1]: duplicate port definition with \
             spec.containers[0].ports[0]",
        ),
        (
            json!({"ports": [
                {"containerPort": 80, "hostPort": 8080},
                {"containerPort": 80, "hostPort": 8080, "hostIP": "10.0.0.1"},
            ]}),
            "spec.containers[0].ports[1]: dangerously ambiguous port definition with \
             spec.containers[0].ports[0]",
        ),
        (
            json!({"resources": {"limits": {"memory": "100m"}}}),
            "spec.containers[0].resources.limits[memory]: fractional byte value \"100m\" is \
             invalid, must be an integer",
        ),
    ];
    for (fields, expected) in rows {
        // A limit is a request as well, and both are told.
        let mut expected = vec![expected.to_owned()];
        if expected[0].contains("limits") {
            expected.push(expected[0].replace("limits", "requests"));
        }
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check_container(&fields, &expected);
    }
    // What refers to the earlier value hides nothing.
    let env = json!([{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}]);
    check_container(&json!({"env": env}), &[]);
}

#[test]
fn of_services() {
    let headless = "spec.SessionAffinity is ignored for headless services";
    let rows = [
        (json!({"clusterIP": "None", "sessionAffinity": "ClientIP"}), headless),
        (
            json!({"clusterIP": "None", "externalIPs": ["1.2.3.4"]}),
            "spec.externalIPs is ignored for headless services",
        ),
        (
            json!({"externalIPs": ["1.2.3.4"]}),
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
        ),
        (
            json!({"externalName": "a.b"}),
            "spec.externalName is ignored when spec.type is not \"ExternalName\"",
        ),
        (
            json!({"trafficDistribution": "PreferClose"}),
            "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"",
        ),
    ];
    for (fields, expected) in rows {
        let mut spec = json!({"ports": [{"port": 80}]});
        for (key, value) in fields.as_object().unwrap() {
            spec[key] = value.clone();
        }
        check(Kind::Service, &of(&spec), &[expected]);
    }
}

#[test]
fn of_storage_and_quotas() {
    let volume = of(&json!({
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/x"}, "persistentVolumeReclaimPolicy": "Recycle",
    }));
    check(
        Kind::PersistentVolume,
        &volume,
        &[
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, \
           the recommended approach is to use dynamic provisioning.",
        ],
    );
    let claim = of(&json!({
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1500m"}},
    }));
    check(
        Kind::PersistentVolumeClaim,
        &claim,
        &["spec.resources.requests[storage]: fractional byte value \"1500m\" is invalid, must be \
           an integer"],
    );
    let class = json!({"metadata": {"name": "c"}, "provisioner": "p", "allowedTopologies": [
        {"matchLabelExpressions": [
            {"key": "failure-domain.beta.kubernetes.io/zone", "values": ["a"]},
        ]},
    ]});
    check(
        Kind::StorageClass,
        &class,
        &["allowedTopologies[0].matchLabelExpressions[0].key: deprecated since v1.17; use \
           \"topology.kubernetes.io/zone\" instead"],
    );
    check(
        Kind::ResourceQuota,
        &of(&json!({"hard": {"requests.cpu": "2", "limits.cpu": "1"}})),
        &["ResourceQuota requests.cpu (2) should be less than limits.cpu (1)"],
    );
}

#[test]
fn of_workloads() {
    let name = "metadata.name: this is used in Pod names and hostnames, which can result in \
                surprising behavior; a DNS label is recommended: [must not contain dots]";
    let template = json!({
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "i", "env": [
            {"name": "A", "value": "1"}, {"name": "A", "value": "2"},
        ]}]},
    });
    let mut deployment =
        of(&json!({"selector": {"matchLabels": {"a": "b"}}, "template": template}));
    deployment["metadata"]["name"] = json!("a.b");
    check(
        Kind::Deployment,
        &deployment,
        &[
            name,
            "spec.template.spec.containers[0].env[1]: hides previous definition of \"A\", which may \
             be dropped when using apply",
        ],
    );
    let mut sets = of(&json!({
        "selector": {"matchLabels": {"a": "b"}}, "template": template, "revisionHistoryLimit": -1,
    }));
    let pod = &mut sets["spec"]["template"]["spec"];
    pod["containers"][0]["env"] = json!([]);
    pod["terminationGracePeriodSeconds"] = json!(-5);
    check(
        Kind::StatefulSet,
        &sets,
        &[
            "spec.template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are \
           invalid and will be treated as 1",
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value \
           >= 0 is recommended",
        ],
    );
}
