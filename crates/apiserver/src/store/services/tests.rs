//! Services as they are created and changed.

use serde_json::{Value, json};

use super::ports::{FIRST_PORT, LAST_PORT};
use super::*;

fn object(spec: &Value) -> api::Object {
    let value = json!({"metadata": {"name": "web"}, "spec": spec});
    api::wire::object_from_value(Kind::Service, &value).unwrap()
}

fn merged(base: &Value, over: &Value) -> Value {
    let mut base = base.clone();
    for (key, value) in over.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

/// The spec that is stored, or what is wrong with it.
fn outcome(result: Result<api::Object, ApiError>) -> Result<Value, String> {
    let spec = |it: api::Object| api::wire::to_value(&it)["spec"].clone();
    result.map(spec).map_err(|it| it.message.replace("Service \"web\" is invalid: ", ""))
}

fn now() -> api::Timestamp {
    api::Timestamp::from_second(1_000_000).unwrap()
}

fn store() -> Store {
    let mut store = Store::new(7);
    store.bootstrap(now());
    store
}

fn base() -> Value {
    json!({"selector": {"app": "web"}, "ports": [{"port": 80}]})
}

#[track_caller]
fn check(outcome: &Result<Value, String>, expected: &Result<Value, &str>) {
    match (outcome, expected) {
        (Ok(spec), Ok(expected)) => {
            for (key, value) in expected.as_object().unwrap() {
                assert_eq!(spec.get(key).unwrap_or(&Value::Null), value, "{key}: {spec}");
            }
        }
        (Err(error), Err(expected)) => assert_eq!(error, expected),
        _ => panic!("{outcome:?}, not {expected:?}"),
    }
}

#[test]
fn a_new_service_gets_its_families_and_addresses() {
    let rows = [
        (
            json!({"clusterIP": "None"}),
            Ok(json!({
                "clusterIPs": ["None"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            })),
        ),
        (
            json!({"clusterIP": "None", "selector": null}),
            Ok(json!({
                "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack",
            })),
        ),
        (
            json!({"clusterIP": "None", "selector": null, "ipFamilies": ["IPv6"]}),
            Ok(json!({
                "ipFamilies": ["IPv6", "IPv4"], "ipFamilyPolicy": "RequireDualStack",
            })),
        ),
        (
            json!({"clusterIP": "None", "selector": null, "ipFamilyPolicy": "SingleStack"}),
            Ok(json!({"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"})),
        ),
        (
            json!({"ipFamilyPolicy": "PreferDualStack"}),
            Ok(json!({
                "ipFamilies": ["IPv4"], "ipFamilyPolicy": "PreferDualStack",
            })),
        ),
        (
            json!({
                "type": "ExternalName", "externalName": "a.b",
                "internalTrafficPolicy": "Cluster",
            }),
            Ok(json!({"internalTrafficPolicy": null, "ipFamilies": null})),
        ),
    ];
    for (over, expected) in rows {
        let created = store().create(object(&merged(&base(), &over)), now());
        check(&outcome(created), &expected);
    }
}

#[test]
fn a_cluster_of_one_family_refuses_the_other() {
    let v6 = "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster";
    let rows = [
        (json!({"ipFamilies": ["IPv6"]}), Err(v6)),
        (json!({"clusterIP": "None", "ipFamilies": ["IPv6"]}), Err(v6)),
        (
            json!({"ipFamilyPolicy": "RequireDualStack"}),
            Err("spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not \
                 configured for dual-stack services"),
        ),
        (
            json!({"ipFamilies": ["IPv4", "IPv6"]}),
            Err("spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be \
                 'RequireDualStack' or 'PreferDualStack' when multiple IP families are \
                 specified"),
        ),
        (
            json!({"clusterIP": "fd00::1", "sessionAffinity": "x"}),
            Err("spec.clusterIPs[0]: Invalid value: [\"fd00::1\"]: IPv6 is not configured on \
                 this cluster"),
        ),
        (
            json!({"clusterIPs": ["None"]}),
            Err("spec.clusterIPs: Invalid value: [\"None\"]: must be empty when `clusterIP` is \
                 not specified"),
        ),
        (
            json!({"clusterIP": "10.0.0.1", "ports": []}),
            Err("spec.clusterIPs: Invalid value: [\"10.0.0.1\"]: failed to allocate IP \
                 10.0.0.1: the provided network does not match the current range"),
        ),
        (
            json!({"clusterIP": "10.96.0.9", "type": "ExternalName", "externalName": "a.b"}),
            Err("spec.clusterIPs: Forbidden: may not be set for ExternalName services"),
        ),
    ];
    for (over, expected) in rows {
        let created = store().create(object(&merged(&base(), &over)), now());
        check(&outcome(created), &expected);
    }
}

#[test]
fn ports_are_given_out_once() {
    let local = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"});
    let created = store().create(object(&merged(&base(), &local)), now());
    let spec = outcome(created).unwrap();
    let range = i64::from(FIRST_PORT)..=i64::from(LAST_PORT);
    let (health, node) =
        (spec["healthCheckNodePort"].as_i64().unwrap(), spec["ports"][0]["nodePort"].as_i64());
    assert!(range.contains(&health) && node != Some(health), "{spec}");

    let bad = merged(&local, &json!({"healthCheckNodePort": 80}));
    let created = store().create(object(&merged(&base(), &bad)), now());
    let why = "Internal error occurred: failed to allocate requested HealthCheck NodePort 80: \
               provided port is not in the valid range. The range of valid ports is \
               30000-32767";
    check(&outcome(created), &Err(why));

    let both = json!({"type": "NodePort", "ports": [
        {"name": "tcp", "port": 53},
        {"name": "udp", "port": 53, "protocol": "UDP", "nodePort": 30053},
        {"name": "other", "port": 54, "nodePort": 30053},
    ]});
    let created = store().create(object(&merged(&base(), &both)), now());
    let why = "spec.ports[2].nodePort: Invalid value: 30053: provided port is already allocated";
    check(&outcome(created), &Err(why));
    let mut two = both;
    two["ports"].as_array_mut().unwrap().pop();
    let spec = outcome(store().create(object(&merged(&base(), &two)), now())).unwrap();
    assert_eq!(spec["ports"][0]["nodePort"], 30053, "{spec}");
}

/// Creates `old`, then updates it with some fields of the spec changed.
fn updated(old: &Value, over: &Value) -> Result<Value, String> {
    let mut store = store();
    let stored = store.create(object(&merged(&base(), old)), now()).unwrap();
    let mut value = api::wire::to_value(&stored);
    value["spec"] = merged(&value["spec"], over);
    let new = api::wire::object_from_value(Kind::Service, &value).unwrap();
    outcome(store.update(new, now()))
}

#[test]
fn what_the_new_type_has_no_use_for_goes() {
    let local = json!({
        "type": "LoadBalancer", "externalTrafficPolicy": "Local", "loadBalancerClass": "a/b",
    });
    let to_cluster_ip = updated(&local, &json!({"type": "ClusterIP"}));
    check(
        &to_cluster_ip,
        &Ok(json!({
            "externalTrafficPolicy": null, "healthCheckNodePort": null,
            "loadBalancerClass": null, "allocateLoadBalancerNodePorts": null,
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        })),
    );
    let to_name = updated(&json!({}), &json!({"type": "ExternalName", "externalName": "a.b"}));
    check(
        &to_name,
        &Ok(json!({
            "clusterIP": null, "clusterIPs": null, "ipFamilies": null, "ipFamilyPolicy": null,
            "internalTrafficPolicy": null,
        })),
    );
    let port = json!([{"port": 80, "nodePort": 30001}]);
    check(
        &updated(&json!({"type": "NodePort"}), &json!({"type": "ClusterIP", "ports": port})),
        &Err("spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"),
    );
    let from_name = json!({"type": "ExternalName", "externalName": "a.b"});
    let to_cluster_ip = updated(&from_name, &json!({"type": "ClusterIP"})).unwrap();
    assert!(to_cluster_ip["clusterIP"].is_string(), "{to_cluster_ip}");
    assert_eq!(to_cluster_ip["ipFamilyPolicy"], "SingleStack");
}

#[test]
fn what_an_update_leaves_out_stays() {
    let named = |extra: Value| json!([merged(&json!({"name": "http", "port": 80}), &extra)]);
    let old = json!({"type": "NodePort", "ports": named(json!({"nodePort": 30007}))});
    let over = json!({
        "clusterIP": null, "clusterIPs": null, "ipFamilies": null, "ipFamilyPolicy": null,
        "ports": [{"name": "http", "port": 81}],
    });
    let spec = updated(&old, &over).unwrap();
    assert!(spec["clusterIP"].is_string(), "{spec}");
    assert_eq!(spec["ports"][0]["nodePort"], 30007);
    let dual = json!({"clusterIP": "None", "selector": null});
    check(
        &updated(&dual, &json!({"ipFamilies": ["IPv4"]})),
        &Err("spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": must be 'SingleStack' \
              to release the secondary IP family"),
    );
    check(
        &updated(&dual, &json!({"ipFamilyPolicy": "SingleStack"})),
        &Ok(json!({"ipFamilies": ["IPv4"]})),
    );
}
