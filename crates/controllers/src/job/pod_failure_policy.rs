//! What a failed pod means for its Job.
//!
//! Upstream: `pkg/controller/job/pod_failure_policy.go`, v1.36.

use api::Resource;
use k8s_openapi::api::batch::v1::{
    PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};

/// What the first rule that matches a failed pod says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No rule matches, or one that says so: the failure counts.
    Count,
    /// It does not count.
    Ignore,
    /// It counts, and the pod's index has failed.
    FailIndex,
    /// The Job has failed, and why.
    FailJob(String),
}

/// Applies the rules in order; a pod of a Job without a policy counts.
pub(super) fn match_pod_failure_policy(policy: Option<&PodFailurePolicy>, pod: &Pod) -> Verdict {
    let rules = policy.into_iter().flat_map(|it| it.rules.iter().enumerate());
    rules.filter_map(|(index, rule)| apply(index, rule, pod)).next().unwrap_or(Verdict::Count)
}

fn apply(index: usize, rule: &PodFailurePolicyRule, pod: &Pod) -> Option<Verdict> {
    let empty = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&empty);
    let cause = if let Some(requirement) = &rule.on_exit_codes {
        let container = match_on_exit_codes(status, requirement)?;
        let code = exit_code(container).unwrap_or_default();
        format!(
            "Container {} for pod {} failed with exit code {code}",
            container.name,
            pod.object_ref().namespaced_name()
        )
    } else {
        let type_ = match_on_pod_conditions(status, rule.on_pod_conditions.as_deref()?)?;
        format!("Pod {} has condition {type_}", pod.object_ref().namespaced_name())
    };
    match rule.action.as_str() {
        "Ignore" => Some(Verdict::Ignore),
        "FailIndex" => Some(Verdict::FailIndex),
        "Count" => Some(Verdict::Count),
        "FailJob" => {
            Some(Verdict::FailJob(format!("{cause} matching FailJob rule at index {index}")))
        }
        _ => None,
    }
}

fn exit_code(container: &ContainerStatus) -> Option<i32> {
    Some(container.state.as_ref()?.terminated.as_ref()?.exit_code)
}

fn match_on_exit_codes<'a>(
    status: &'a PodStatus,
    requirement: &PodFailurePolicyOnExitCodesRequirement,
) -> Option<&'a ContainerStatus> {
    let containers = status.container_statuses.iter().flatten();
    let init_containers = status.init_container_statuses.iter().flatten();
    containers.chain(init_containers).find(|container| {
        let named = requirement.container_name.as_ref().is_none_or(|it| *it == container.name);
        let matches = |code| match requirement.operator.as_str() {
            "In" => requirement.values.contains(&code),
            "NotIn" => !requirement.values.contains(&code),
            _ => false,
        };
        named && exit_code(container).is_some_and(|code| code != 0 && matches(code))
    })
}

fn match_on_pod_conditions<'a>(
    status: &'a PodStatus,
    patterns: &[PodFailurePolicyOnPodConditionsPattern],
) -> Option<&'a str> {
    let conditions = status.conditions.iter().flatten();
    let matches = |type_: &str, status: &str| {
        patterns
            .iter()
            .any(|it| it.type_ == type_ && it.status.as_deref().unwrap_or("True") == status)
    };
    conditions.map(|it| (&it.type_, &it.status)).find(|(t, s)| matches(t, s)).map(|(t, _)| &**t)
}
