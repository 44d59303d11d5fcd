//! What the status of a pod may say, and how it may change.
//!
//! Upstream: `ValidatePodStatusUpdate` in `pkg/apis/core/validation/validation.go`, v1.36.
//! Differs from upstream: the rules about claims of devices, users and volumes of containers, and that
//! there is one address of each family, are left out: kubelets keep them.

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec, PodStatus};

use crate::validation::check::{ip, list_of, qualified_name, str_of, subdomain};
use crate::validation::{Errors, Path, text};

/// Checks an update of the status.
pub(crate) fn status_update(errors: &mut Errors, new: &Pod, old: &Pod) {
    let (Some(status), before) = (&new.status, old.status.as_ref()) else { return };
    let path = Path::new("status");
    let all = path.child("conditions");
    let earlier = before.map(|it| list_of(&it.conditions)).unwrap_or_default();
    for (index, condition) in list_of(&status.conditions).iter().enumerate() {
        let type_ = condition.type_.as_str();
        // What was there has been looked at.
        let is_known = matches!(type_, "PodScheduled" | "Ready" | "Initialized")
            || earlier.iter().any(|it| it.type_ == type_);
        if !is_known {
            qualified_name(errors, &all.index(index).child("Type"), type_);
        }
    }
    let nominated = str_of(&status.nominated_node_name);
    let was = before.map(|it| str_of(&it.nominated_node_name)).unwrap_or_default();
    if !nominated.is_empty() && nominated != was {
        let path = path.child("nominatedNodeName");
        subdomain(errors, &path, nominated);
        if old.spec.as_ref().is_some_and(|it| !str_of(&it.node_name).is_empty()) {
            let why = "may not be set on pods that are already bound to a node";
            errors.forbidden(&path, why);
        }
    }
    let generation = status.observed_generation.unwrap_or_default();
    if generation < 0 {
        let why = "must be a non-negative integer";
        errors.invalid(&path.child("observedGeneration"), generation, why);
    }
    let class = str_of(&status.qos_class);
    if before.is_some_and(|it| str_of(&it.qos_class) != class) {
        errors.invalid(&path.child("qosClass"), class, text::IMMUTABLE);
    }
    if let Some(before) = before {
        transitions(errors, &path, new, status, before);
    }
    addresses(errors, &path, status, before);
}

/// A container that has ended and must not start again does not. Upstream:
/// `ValidateContainerStateTransition` and its kin.
fn transitions(
    errors: &mut Errors,
    path: &Path<'_>,
    pod: &Pod,
    after: &PodStatus,
    before: &PodStatus,
) {
    let Some(spec) = &pod.spec else { return };
    let init = list_of(&spec.init_containers);
    let lists = [
        (
            "containerStatuses",
            &before.container_statuses,
            &after.container_statuses,
            &spec.containers[..],
        ),
        (
            "initContainerStatuses",
            &before.init_container_statuses,
            &after.init_container_statuses,
            init,
        ),
    ];
    for (name, old, new, containers) in lists {
        for (index, it) in list_of(old).iter().enumerate() {
            let Some(code) = ended(it) else { continue };
            let now = list_of(new).iter().find(|now| now.name == it.name);
            if now.is_none_or(|now| ended(now).is_some()) || any_restarts_all(spec) {
                continue;
            }
            let container = containers.iter().find(|container| container.name == it.name);
            if !container.is_some_and(|container| should_restart(spec, container, code)) {
                let all = path.child(name);
                let why = "may not be transitioned to non-terminated state";
                errors.forbidden(&all.index(index).child("state"), why);
            }
        }
    }
}

/// The exit code of a container that has ended.
fn ended(status: &ContainerStatus) -> Option<i32> {
    Some(status.state.as_ref()?.terminated.as_ref()?.exit_code)
}

/// Upstream: `AllContainersCouldRestart`.
fn any_restarts_all(spec: &PodSpec) -> bool {
    let all = list_of(&spec.init_containers).iter().chain(&spec.containers);
    all.flat_map(|it| list_of(&it.restart_policy_rules))
        .any(|it| it.action == "RestartAllContainers")
}

/// Upstream: `ContainerShouldRestart`.
fn should_restart(spec: &PodSpec, container: &Container, code: i32) -> bool {
    let by_rule = list_of(&container.restart_policy_rules).iter().any(|rule| {
        rule.exit_codes
            .as_ref()
            .is_some_and(|codes| list_of(&codes.values).contains(&code) == (codes.operator == "In"))
    });
    match container.restart_policy.as_ref().or(spec.restart_policy.as_ref()).map(String::as_str) {
        _ if by_rule => true,
        Some("Never") => false,
        Some("OnFailure") => code != 0,
        _ => true,
    }
}

/// Upstream: `validatePodIPs` and `validateHostIPs`. What was there has been looked at.
fn addresses(errors: &mut Errors, path: &Path<'_>, after: &PodStatus, before: Option<&PodStatus>) {
    let pods = |it: &PodStatus| -> Vec<String> {
        list_of(&it.pod_ips).iter().map(|it| it.ip.clone()).collect()
    };
    let hosts = |it: &PodStatus| -> Vec<String> {
        list_of(&it.host_ips).iter().map(|it| it.ip.clone()).collect()
    };
    if let [first, ..] = &hosts(after)[..]
        && first != str_of(&after.host_ip)
    {
        let all = path.child("hostIPs");
        errors.invalid(&all.index(0).child("ip"), first, "must be equal to `hostIP`");
    }
    let lists =
        [("podIPs", pods(after), before.map(pods)), ("hostIPs", hosts(after), before.map(hosts))];
    for (name, now, then) in lists {
        let (all, then) = (path.child(name), then.unwrap_or_default());
        for (index, it) in now.iter().enumerate().filter(|it| !then.contains(it.1)) {
            ip(errors, &all.index(index), it);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(policy: &str, before: &str, after: &str, expected: &[&str]) {
        let pod = |status: &str| -> Pod {
            let status: serde_json::Value = serde_json::from_str(status).unwrap();
            let spec = json!({"restartPolicy": policy, "containers": [{"name": "app"}]});
            serde_json::from_value(json!({"spec": spec, "status": status})).unwrap()
        };
        let mut errors = Errors::default();
        status_update(&mut errors, &pod(after), &pod(before));
        let all: Vec<String> =
            errors.causes().iter().map(|it| format!("{}: {}", it.field, it.message)).collect();
        assert_eq!(all, expected);
    }

    fn state(state: &str) -> String {
        format!(
            "{{\"containerStatuses\": [{{\"name\": \"app\", \"image\": \"\", \"imageID\": \"\", \
             \"ready\": false, \"restartCount\": 0, \"state\": {{{state}}}}}]}}"
        )
    }

    #[test]
    fn a_container_that_must_not_restart_stays_ended() {
        let failed = state(r#""terminated": {"exitCode": 1}"#);
        let done = state(r#""terminated": {"exitCode": 0}"#);
        let running = state(r#""running": {}"#);
        let refused = "status.containerStatuses[0].state: Forbidden: may not be transitioned to \
                       non-terminated state";
        check("Never", &failed, &running, &[refused]);
        check("OnFailure", &failed, &running, &[]);
        check("OnFailure", &done, &running, &[refused]);
        check("Always", &done, &running, &[]);
        check("Never", &failed, &done, &[]);
        check("Never", &running, &failed, &[]);
    }

    #[test]
    fn new_addresses_are_addresses() {
        let bad = r#"{"podIPs": [{"ip": "x"}]}"#;
        let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        let text = format!("status.podIPs[0]: Invalid value: \"x\": {why}");
        check("Always", "{}", bad, &[&text]);
        check("Always", bad, bad, &[]);
        check(
            "Always",
            "{}",
            r#"{"hostIP": "1.1.1.1", "hostIPs": [{"ip": "1.1.1.2"}]}"#,
            &["status.hostIPs[0].ip: Invalid value: \"1.1.1.2\": must be equal to `hostIP`"],
        );
    }
}
