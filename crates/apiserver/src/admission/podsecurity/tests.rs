//! The levels, and what namespaces make of them.

use api::{ApiError, Kind, Object, ObjectRef, Patch, Timestamp};
use serde_json::{Value, json};

use super::{Level, details, policy};
use crate::Store;

/// What the level says of a pod with this spec and these annotations.
fn said(level: Level, minor: Option<u32>, spec: &Value, annotations: &Value) -> String {
    let template = json!({"metadata": {"annotations": annotations}, "spec": spec});
    details(&policy::violations(level, minor, &template))
}

#[test]
fn the_restricted_level_wants_these_four_said_and_then_is_content() {
    let plain = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    assert_eq!(
        said(Level::Restricted, None, &plain, &json!({})),
        "allowPrivilegeEscalation != false (containers \"a\", \"b\" must set \
         securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (containers \
         \"a\", \"b\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true \
         (pod or containers \"a\", \"b\" must set securityContext.runAsNonRoot=true), \
         seccompProfile (pod or containers \"a\", \"b\" must set \
         securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
    );
    let good = json!({
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "a", "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}}],
    });
    assert_eq!(said(Level::Restricted, None, &good, &json!({})), "");
    assert_eq!(said(Level::Baseline, None, &plain, &json!({})), "");
    assert_eq!(said(Level::Privileged, None, &json!({"hostPID": true}), &json!({})), "");
}

/// What the baseline says, for a version (0 for the latest) and a spec.
fn check(rows: &[(u32, Value, &str)]) {
    for (minor, spec, expected) in rows {
        let minor = Some(*minor).filter(|it| *it != 0);
        assert_eq!(said(Level::Baseline, minor, spec, &json!({})), *expected, "{minor:?} {spec}");
    }
}

/// A spec with one container with this security context.
fn context(it: &Value) -> Value {
    json!({"containers": [{"name": "a", "securityContext": it}]})
}

/// A spec with this container.
fn with(it: &Value) -> Value {
    let mut container = it.clone();
    container["name"] = "a".into();
    json!({"containers": [container]})
}

#[test]
fn each_rule_of_the_baseline_has_upstreams_words() {
    check(&[
        (
            0,
            json!({"hostNetwork": true, "hostIPC": true}),
            "host namespaces (hostNetwork=true, hostIPC=true)",
        ),
        (
            0,
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}, {"name": "w"}]}),
            "hostPath volumes (volume \"v\")",
        ),
        (
            0,
            with(&json!({"ports": [{"hostPort": 80}, {"hostPort": 9}, {"hostPort": 0}]})),
            "hostPort (container \"a\" uses hostPorts 80, 9)",
        ),
        (
            0,
            context(&json!({"privileged": true})),
            "privileged (container \"a\" must not set securityContext.privileged=true)",
        ),
        (
            0,
            context(&json!({"capabilities": {"add": ["SYS_ADMIN", "KILL", "NET_RAW"]}})),
            "non-default capabilities (container \"a\" must not include \"NET_RAW\", \
             \"SYS_ADMIN\" in securityContext.capabilities.add)",
        ),
        (
            0,
            context(&json!({"procMount": "Unmasked"})),
            "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
        ),
        (
            0,
            json!({"hostUsers": false, "containers": [
                {"name": "a", "securityContext": {"procMount": "Unmasked"}}]}),
            "",
        ),
        (
            34,
            json!({"hostUsers": false, "containers": [
                {"name": "a", "securityContext": {"procMount": "Unmasked"}}]}),
            "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
        ),
    ]);
}

#[test]
fn profiles_and_the_host_are_kept_to_what_is_safe() {
    check(&[
        (
            0,
            json!({"securityContext": {"seLinuxOptions": {"type": "x", "user": "u"}}, "containers": [
                {"name": "a", "securityContext": {"seLinuxOptions": {"role": "r"}}}]}),
            "seLinuxOptions (pod and container \"a\" set forbidden \
             securityContext.seLinuxOptions: type \"x\"; user may not be set; role may not be set)",
        ),
        (0, context(&json!({"seLinuxOptions": {"type": "container_engine_t"}})), ""),
        (
            30,
            context(&json!({"seLinuxOptions": {"type": "container_engine_t"}})),
            "seLinuxOptions (container \"a\" set forbidden securityContext.seLinuxOptions: type \
             \"container_engine_t\")",
        ),
        (
            0,
            context(&json!({"seccompProfile": {"type": "Unconfined"}})),
            "seccompProfile (container \"a\" must not set securityContext.seccompProfile.type to \
             \"Unconfined\")",
        ),
        (
            0,
            context(&json!({"appArmorProfile": {"type": "Unconfined"}})),
            "forbidden AppArmor profile (container \"a\" must not set AppArmor profile type to \
             \"Unconfined\")",
        ),
        (
            0,
            json!({"securityContext": {"sysctls": [
                {"name": "net.ipv4.tcp_rmem"}, {"name": "kernel.msgmax"}]}}),
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            31,
            json!({"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}}),
            "forbidden sysctls (net.ipv4.tcp_rmem)",
        ),
        (
            0,
            json!({"securityContext": {"windowsOptions": {"hostProcess": true}}}),
            "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
        ),
        (
            0,
            with(&json!({"livenessProbe": {"httpGet": {"host": "h"}},
                "lifecycle": {"preStop": {"tcpSocket": {"host": "i"}}}})),
            "probe or lifecycle host (container \"a\" uses probe or lifecycle hosts \"h\", \"i\")",
        ),
        (33, with(&json!({"livenessProbe": {"httpGet": {"host": "h"}}})), ""),
        (
            0,
            json!({"initContainers": [{"name": "i", "securityContext": {"privileged": true}}],
                "ephemeralContainers": [{"name": "d", "securityContext": {"privileged": true}}]}),
            "privileged (containers \"i\", \"d\" must not set securityContext.privileged=true)",
        ),
        (0, context(&json!({"runAsUser": 0})), ""),
        (18, context(&json!({"seccompProfile": {"type": "Unconfined"}})), ""),
        (99, json!({"hostPID": true}), "host namespaces (hostPID=true)"),
    ]);
}

#[test]
fn the_restricted_level_has_rules_of_its_own() {
    let rows: [(u32, Value, &str); 7] = [
        (
            0,
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}},
                {"name": "w", "nfs": {"path": "/"}}, {"name": "x", "emptyDir": {}}]}),
            "restricted volume types (volumes \"v\", \"w\" use restricted volume types \
             \"hostPath\", \"nfs\")",
        ),
        (
            0,
            json!({"securityContext": {"runAsUser": 0, "runAsNonRoot": false}}),
            "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false), \
             runAsUser=0 (pod must not set runAsUser=0)",
        ),
        (0, json!({"hostUsers": false, "securityContext": {"runAsUser": 0}}), ""),
        (22, json!({"securityContext": {"runAsUser": 0}}), ""),
        (
            0,
            json!({"os": {"name": "windows"}, "containers": [
                {"name": "a", "securityContext": {"runAsNonRoot": true}}]}),
            "",
        ),
        (
            21,
            json!({"securityContext": {"seccompProfile": {"type": "Localhost"}}, "containers": [
                {"name": "a", "securityContext": {"runAsNonRoot": true,
                    "allowPrivilegeEscalation": false, "capabilities": {"add": ["SYS_TIME"]}}}]}),
            "non-default capabilities (container \"a\" must not include \"SYS_TIME\" in \
             securityContext.capabilities.add)",
        ),
        (
            22,
            json!({"securityContext": {"seccompProfile": {"type": "Localhost"}}, "containers": [
                {"name": "a", "securityContext": {"runAsNonRoot": true,
                    "allowPrivilegeEscalation": false, "capabilities": {"add": ["SYS_TIME"]}}}]}),
            "unrestricted capabilities (container \"a\" must set \
             securityContext.capabilities.drop=[\"ALL\"]; container \"a\" must not include \
             \"SYS_TIME\" in securityContext.capabilities.add)",
        ),
    ];
    for (minor, spec, expected) in rows {
        let minor = (minor != 0).then_some(minor);
        assert_eq!(said(Level::Restricted, minor, &spec, &json!({})), expected, "{minor:?} {spec}");
    }
}

#[test]
fn old_annotations_choose_profiles_too() {
    let spec = json!({"containers": [{"name": "a"}]});
    let annotations = json!({
        "container.apparmor.security.beta.kubernetes.io/a": "unconfined",
        "container.seccomp.security.alpha.kubernetes.io/a": "unconfined",
    });
    let app_armor = "forbidden AppArmor profile (annotation must not set AppArmor profile type \
                     to \"container.apparmor.security.beta.kubernetes.io/a=\"unconfined\"\")";
    assert_eq!(said(Level::Baseline, None, &spec, &annotations), app_armor);
    assert_eq!(
        said(Level::Baseline, Some(18), &spec, &annotations),
        format!(
            "{app_armor}, seccompProfile (forbidden annotation \
             container.seccomp.security.alpha.kubernetes.io/a=\"unconfined\")"
        )
    );
}

fn at() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn store(labels: &Value) -> Result<Store, ApiError> {
    let mut store = Store::new(1);
    store.bootstrap(at());
    let namespace = json!({"metadata": {"name": "x", "labels": labels}});
    store.create(api::wire::object_from_value(Kind::Namespace, &namespace).unwrap(), at())?;
    Ok(store)
}

fn object(kind: Kind, name: &str, spec: &Value) -> Object {
    let value = json!({"metadata": {"name": name, "namespace": "x"}, "spec": spec});
    api::wire::object_from_value(kind, &value).unwrap()
}

/// The refusal, if there is one, and the warnings of creating these one after the other.
fn created(labels: &Value, objects: &[Object]) -> (String, Vec<String>) {
    let mut store = match store(labels) {
        Ok(store) => store,
        Err(error) => return (error.message, Vec::new()),
    };
    let results = objects.iter().map(|it| store.create(it.clone(), at()));
    let errors: Vec<String> = results.filter_map(|it| Some(it.err()?.message)).collect();
    (errors.join("\n"), store.take_warnings())
}

#[test]
fn namespaces_refuse_pods_and_only_warn_of_what_makes_them() {
    let host = json!({"hostPID": true, "containers": [{"name": "a", "image": "i"}]});
    let pod = object(Kind::Pod, "p", &host);
    let deployment = object(
        Kind::Deployment,
        "d",
        &json!({"selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": host}}),
    );
    let would = |standard: &str| {
        vec![format!("would violate PodSecurity \"{standard}\": host namespaces (hostPID=true)")]
    };
    let refused = |standard: &str| {
        format!(
            "pods \"p\" is forbidden: violates PodSecurity \"{standard}\": host namespaces \
             (hostPID=true)"
        )
    };
    let label =
        |mode: &str, value: &str| json!({format!("pod-security.kubernetes.io/{mode}"): value});
    let baseline = label("enforce", "baseline");
    let rows = [
        (json!({}), &pod, String::new(), vec![]),
        (baseline.clone(), &pod, refused("baseline:latest"), vec![]),
        (baseline, &deployment, String::new(), would("baseline:latest")),
        (label("warn", "baseline"), &pod, String::new(), would("baseline:latest")),
        (label("audit", "baseline"), &pod, String::new(), vec![]),
        (
            json!({"pod-security.kubernetes.io/enforce": "baseline",
                "pod-security.kubernetes.io/enforce-version": "v1.30"}),
            &deployment,
            String::new(),
            would("baseline:v1.30"),
        ),
        (
            json!({"pod-security.kubernetes.io/enforce": "baseline",
                "pod-security.kubernetes.io/warn": "privileged"}),
            &deployment,
            String::new(),
            vec![],
        ),
        (
            json!({"pod-security.kubernetes.io/enforce": "strict",
                "pod-security.kubernetes.io/warn-version": "v1.030"}),
            &pod,
            "Namespace \"x\" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: \
             Invalid value: \"strict\": must be one of privileged, baseline, restricted, \
             metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: \
             \"v1.030\": must be \"latest\" or \"v1.x\"]"
                .to_owned(),
            vec![],
        ),
    ];
    for (labels, object, error, warnings) in rows {
        let found = created(&labels, std::slice::from_ref(object));
        assert_eq!(found, (error, warnings), "{labels} {}", object.kind());
    }
}

#[test]
fn labelling_a_namespace_tells_of_the_pods_that_are_there() {
    let mut store = store(&json!({})).unwrap();
    let host = json!({"hostPID": true, "containers": [{"name": "a", "image": "i"}]});
    let plain = json!({"containers": [{"name": "a", "image": "i"}]});
    for (name, spec) in [("a", &host), ("b", &plain), ("c", &host), ("d", &host)] {
        store.create(object(Kind::Pod, name, spec), at()).unwrap();
    }
    let key = ObjectRef::new(Kind::Namespace, "", "x");
    let mut label = |level: &str| {
        let labels = json!({"pod-security.kubernetes.io/enforce": level});
        let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
        let error = store.patch(&key, "", &patch, at()).err().map(|it| it.message);
        (error, store.take_warnings())
    };
    let existing = "existing pods in namespace \"x\" violate the new PodSecurity enforce level";
    assert_eq!(
        label("baseline"),
        (
            None,
            vec![
                format!("{existing} \"baseline:latest\""),
                "a (and 2 other pods): host namespaces".to_owned(),
            ]
        )
    );
    let four = "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != \
                true, seccompProfile";
    assert_eq!(
        label("restricted").1,
        vec![
            format!("{existing} \"restricted:latest\""),
            format!("a (and 2 other pods): host namespaces, {four}"),
            format!("b: {four}"),
        ]
    );
    // To be laxer is nothing to warn of.
    assert_eq!(label("baseline"), (None, vec![]));
    assert!(label("nothing").0.unwrap().contains("must be one of"));
    // A pod stays as it is; a new image is looked at.
    let pod = ObjectRef::new(Kind::Pod, "x", "a");
    let patch = Patch::Merge(json!({"metadata": {"labels": {"k": "v"}}}));
    store.patch(&pod, "", &patch, at()).unwrap();
    let patch = Patch::Strategic(json!({"spec": {"containers": [{"name": "a", "image": "j"}]}}));
    let error = store.patch(&pod, "", &patch, at()).unwrap_err();
    assert_eq!(
        error.message,
        "pods \"a\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces \
         (hostPID=true)"
    );
}
