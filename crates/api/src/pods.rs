//! Questions about pods that several components ask.
//!
//! Upstream: `pkg/api/v1/pod/util.go` and `pkg/controller/controller_utils.go`, v1.36.

use k8s_openapi::api::core::v1::{Pod, PodCondition, PodSpec, PodStatus};

use crate::Timestamp;
use crate::time::meta_time;

/// The spec; pods in the store always have one.
#[must_use]
pub fn spec(pod: &Pod) -> Option<&PodSpec> {
    pod.spec.as_ref()
}

/// `status.phase`, `Pending` while there is none.
#[must_use]
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|it| it.phase.as_deref()).unwrap_or("Pending")
}

/// Phase Succeeded or Failed: no container of it will run again.
#[must_use]
pub fn is_terminal(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// `metadata.deletionTimestamp` is set.
#[must_use]
pub fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Neither finished nor being deleted. Upstream: `IsPodActive`.
#[must_use]
pub fn is_active(pod: &Pod) -> bool {
    !is_terminal(pod) && !is_terminating(pod)
}

/// `spec.nodeName`, if the pod is bound.
#[must_use]
pub fn node_name(pod: &Pod) -> Option<&str> {
    spec(pod)?.node_name.as_deref().filter(|it| !it.is_empty())
}

/// The condition of a type.
#[must_use]
pub fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.iter().flatten().find(|it| it.type_ == type_)
}

/// Condition Ready is True.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|it| it.status == "True")
}

/// Ready for at least so many seconds. Upstream: `IsPodAvailable`.
#[must_use]
pub fn is_available(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> bool {
    let Some(ready) = condition(pod, "Ready").filter(|it| it.status == "True") else {
        return false;
    };
    if min_ready_seconds == 0 {
        return true;
    }
    let since = ready.last_transition_time.as_ref();
    since.is_some_and(|it| now.as_second() - it.0.as_second() >= i64::from(min_ready_seconds))
}

/// Sets a condition; the transition time moves only when the status changes. Returns whether
/// anything changed. Upstream: `UpdatePodCondition`.
pub fn set_condition(status: &mut PodStatus, mut new: PodCondition, now: Timestamp) -> bool {
    let conditions = status.conditions.get_or_insert_default();
    match conditions.iter_mut().find(|it| it.type_ == new.type_) {
        Some(old) => {
            new.last_transition_time = if old.status == new.status {
                old.last_transition_time.clone()
            } else {
                Some(meta_time(now))
            };
            let changed = *old != new;
            *old = new;
            changed
        }
        None => {
            new.last_transition_time = Some(meta_time(now));
            conditions.push(new);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_time_moves_only_with_the_status() {
        let mut status = PodStatus::default();
        let ready = |value: &str, reason: &str| PodCondition {
            type_: "Ready".into(),
            status: value.into(),
            reason: Some(reason.into()),
            ..PodCondition::default()
        };
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let since = |status: &PodStatus| {
            status.conditions.as_ref().unwrap()[0].last_transition_time.as_ref().unwrap().0
        };
        assert!(set_condition(&mut status, ready("False", "a"), at(1)));
        assert!(set_condition(&mut status, ready("False", "b"), at(2)));
        assert_eq!(since(&status), at(1));
        assert!(!set_condition(&mut status, ready("False", "b"), at(3)));
        assert!(set_condition(&mut status, ready("True", "b"), at(4)));
        assert_eq!(since(&status), at(4));
    }

    #[test]
    fn a_pod_is_available_once_it_was_ready_long_enough() {
        let mut pod = Pod::default();
        let mut status = PodStatus::default();
        let ready = PodCondition {
            type_: "Ready".into(),
            status: "True".into(),
            ..PodCondition::default()
        };
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        set_condition(&mut status, ready, at(10));
        pod.status = Some(status);
        assert!(is_available(&pod, 0, at(10)));
        assert!(!is_available(&pod, 5, at(14)));
        assert!(is_available(&pod, 5, at(15)));
    }
}
