//! Whether a container that has ended runs again, and whether it takes the others with it.
//!
//! Upstream: `ContainerShouldRestart` and `FindMatchingContainerRestartRule` in
//! `pkg/api/v1/pod/util.go`, v1.36.

use api::k8s_openapi::api::core::v1::{Container, Pod};
use api::resources::is_sidecar;

use crate::workload::restart_policy;

pub(super) fn restarts_after_probe(pod: &Pod, container: &Container) -> bool {
    restart_policy(pod, container) != "Never"
}

/// Whether an ended container runs again. Upstream: `podutil.ContainerShouldRestart`.
pub(crate) fn should_restart(pod: &Pod, container: &Container, code: i32) -> bool {
    if rule_of(container, code).is_some() {
        return true;
    }
    match restart_policy(pod, container) {
        "Never" => false,
        "OnFailure" => code != 0,
        // An ordinary init container that succeeded is done, whatever the pod's policy.
        _ => code != 0 || !is_plain_init(pod, container),
    }
}

/// What the first rule says that matches the end of a container. Upstream:
/// `FindMatchingContainerRestartRule`.
fn rule_of(container: &Container, code: i32) -> Option<&str> {
    let rules = container.restart_policy_rules.iter().flatten();
    let mut matching = rules.filter(|rule| {
        rule.exit_codes.as_ref().is_some_and(|codes| {
            let named = codes.values.iter().flatten().any(|it| *it == code);
            named == (codes.operator == "In")
        })
    });
    matching.next().map(|it| it.action.as_str())
}

/// The action of rules that restart the whole pod in place.
pub(crate) const RESTART_ALL: &str = "RestartAllContainers";

pub(super) fn restarts_all(container: &Container, code: i32) -> bool {
    rule_of(container, code) == Some(RESTART_ALL)
}

fn is_plain_init(pod: &Pod, container: &Container) -> bool {
    let inits = pod.spec.as_ref().and_then(|it| it.init_containers.as_deref()).unwrap_or_default();
    !is_sidecar(container) && inits.iter().any(|it| it.name == container.name)
}
