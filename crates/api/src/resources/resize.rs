//! What counts of a pod while it is resized in place: as long as it may still have the old or get
//! the new, the larger of them.
//!
//! Upstream: `determineEffectiveRequests` and `determineEffectiveLimits` in
//! `staging/src/k8s.io/component-helpers/resource/helpers.go`, v1.36.

use std::borrow::Cow;

use k8s_openapi::api::core::v1::{
    Container, ContainerStatus, Pod, PodStatus, ResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{Quantities, is_pod_level, is_sidecar};
use crate::quantity;

/// The pod with what counts of each container, sidecar and of the pod itself in its spec. Nothing
/// is copied of a pod whose status tells of nothing else.
#[must_use]
pub fn effective(pod: &Pod) -> Cow<'_, Pod> {
    let (Some(spec), Some(status)) = (&pod.spec, &pod.status) else { return Cow::Borrowed(pod) };
    let refused = is_infeasible(status);
    let containers = changed(&spec.containers, &status.container_statuses, refused, |_| true);
    let sidecars = spec.init_containers.as_deref().unwrap_or_default();
    let sidecars = changed(sidecars, &status.init_container_statuses, refused, is_sidecar);
    let whole = whole_pod(pod, status, refused);
    if containers.is_none() && sidecars.is_none() && whole.is_none() {
        return Cow::Borrowed(pod);
    }
    let mut pod = pod.clone();
    if let Some(spec) = &mut pod.spec {
        spec.containers = containers.unwrap_or_else(|| std::mem::take(&mut spec.containers));
        spec.init_containers = sidecars.or_else(|| spec.init_containers.take());
        spec.resources = whole.or_else(|| spec.resources.take());
    }
    Cow::Owned(pod)
}

/// The node can never give what is asked for. Upstream: `IsPodResizeInfeasible`.
fn is_infeasible(status: &PodStatus) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    let pending = conditions.find(|it| it.type_ == "PodResizePending");
    pending.is_some_and(|it| it.reason.as_deref() == Some("Infeasible"))
}

/// The containers with what counts of them, if that is not what they ask for.
fn changed(
    containers: &[Container],
    statuses: &Option<Vec<ContainerStatus>>,
    refused: bool,
    counts: impl Fn(&Container) -> bool,
) -> Option<Vec<Container>> {
    let effective = |container: &Container| {
        let mut statuses = statuses.iter().flatten();
        let status = statuses.find(|it| it.name == container.name).filter(|_| counts(container))?;
        let actual = status.resources.as_ref()?;
        let asked = container.resources.as_ref();
        let of = largest(asked, actual, status.allocated_resources.as_ref(), refused);
        (Some(&of) != asked && !(asked.is_none() && is_nothing(&of))).then_some(of)
    };
    let found: Vec<_> = containers.iter().map(effective).collect();
    found.iter().any(Option::is_some).then(|| {
        let with = |(container, of): (&Container, Option<ResourceRequirements>)| match of {
            Some(of) => Container { resources: Some(of), ..container.clone() },
            None => container.clone(),
        };
        containers.iter().zip(found).map(with).collect()
    })
}

/// What counts of what the pod itself asks for; only what it asks for still.
fn whole_pod(pod: &Pod, status: &PodStatus, refused: bool) -> Option<ResourceRequirements> {
    let asked = pod.spec.as_ref()?.resources.as_ref()?;
    let actual = status.resources.as_ref()?;
    let mut of = largest(Some(asked), actual, status.allocated_resources.as_ref(), refused);
    for (of, asked) in [(&mut of.requests, &asked.requests), (&mut of.limits, &asked.limits)] {
        let Some(asked) = asked else {
            *of = None;
            continue;
        };
        let mut kept = asked.clone();
        for (name, amount) in kept.iter_mut().filter(|it| is_pod_level(it.0)) {
            if let Some(it) = of.as_ref().and_then(|of| of.get(name)) {
                amount.clone_from(it);
            }
        }
        *of = Some(kept);
    }
    (of != *asked).then_some(of)
}

/// Of each resource the most; what is `refused` will not be given.
fn largest(
    asked: Option<&ResourceRequirements>,
    actual: &ResourceRequirements,
    allocated: Option<&Quantities>,
    refused: bool,
) -> ResourceRequirements {
    let asked_for = asked.filter(|_| !refused);
    let requests =
        [asked_for.and_then(|it| it.requests.as_ref()), actual.requests.as_ref(), allocated];
    let limits = [asked_for.and_then(|it| it.limits.as_ref()), actual.limits.as_ref()];
    ResourceRequirements {
        claims: asked.and_then(|it| it.claims.clone()),
        requests: most(&requests),
        limits: most(&limits),
    }
}

fn most(of: &[Option<&Quantities>]) -> Option<Quantities> {
    let mut all: Option<Quantities> = None;
    for it in of.iter().copied().flatten() {
        let all = all.get_or_insert_default();
        for (name, amount) in it {
            let exact = |it: &Quantity| quantity::parse(&it.0).unwrap_or_default();
            match all.get(name) {
                Some(have) if exact(have) >= exact(amount) => {}
                _ => {
                    all.insert(name.clone(), amount.clone());
                }
            }
        }
    }
    all
}

fn is_nothing(it: &ResourceRequirements) -> bool {
    let none = |it: &Option<Quantities>| it.as_ref().is_none_or(Quantities::is_empty);
    none(&it.requests) && none(&it.limits)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::resources::{Side, pod_amounts};

    fn check(spec: Value, status: Value, side: Side, expected: &[(&str, i64)]) {
        let value = json!({"spec": spec, "status": status});
        let pod: Pod = serde_json::from_value(value.clone()).unwrap();
        let amounts = pod_amounts(&pod, side);
        let found: Vec<_> = amounts.iter().map(|(k, v)| (k.as_str(), v.milli_value())).collect();
        assert_eq!(found, expected, "{value} {side:?}");
    }

    fn cpu(amount: &str) -> Value {
        json!({"requests": {"cpu": amount}, "limits": {"cpu": amount}})
    }

    #[test]
    fn while_a_container_is_resized_the_larger_counts() {
        let spec = |asked: &str| json!({"containers": [{"name": "c", "resources": cpu(asked)}]});
        let status = |has: &str, allocated: &str, reason: &str| {
            let container = json!({
                "name": "c", "resources": cpu(has), "allocatedResources": {"cpu": allocated},
            });
            let pending = json!([{"type": "PodResizePending", "status": "True", "reason": reason}]);
            json!({"containerStatuses": [container], "conditions": pending})
        };
        for (asked, has, allocated, reason, requests, limits) in [
            ("1", "1", "1", "", 1_000, 1_000),
            ("1", "2", "1", "", 2_000, 2_000),
            ("1", "1", "2", "", 2_000, 1_000),
            ("3", "1", "2", "Deferred", 3_000, 3_000),
            ("3", "1", "2", "Infeasible", 2_000, 1_000),
        ] {
            let status = status(has, allocated, reason);
            check(spec(asked), status.clone(), Side::Requests, &[("cpu", requests)]);
            check(spec(asked), status, Side::Limits, &[("cpu", limits)]);
        }
    }

    #[test]
    fn sidecars_count_by_their_status_and_other_init_containers_do_not() {
        let container = |name: &str, policy: &str| {
            let mut it = json!({"name": name, "resources": cpu("1")});
            if !policy.is_empty() {
                it["restartPolicy"] = policy.into();
            }
            it
        };
        let status = |name: &str, has: &str| json!({"name": name, "resources": cpu(has)});
        for (policy, expected) in [("", 5_000), ("Always", 6_000)] {
            let spec = json!({
                "initContainers": [container("i", policy)], "containers": [container("c", "")],
            });
            let status = json!({
                "initContainerStatuses": [status("i", "2")],
                "containerStatuses": [status("c", if policy.is_empty() { "5" } else { "4" })],
            });
            check(spec, status, Side::Requests, &[("cpu", expected)]);
        }
    }

    #[test]
    fn what_the_pod_itself_asks_for_counts_by_its_status() {
        let asked = json!({"requests": {"cpu": "1", "memory": "1Ki"}});
        let spec = json!({"containers": [{"name": "c"}], "resources": asked});
        let status = json!({
            "resources": {"requests": {"cpu": "2"}}, "allocatedResources": {"cpu": "3", "x": "9"},
        });
        check(spec.clone(), status, Side::Requests, &[("cpu", 3_000), ("memory", 1_024_000)]);
        // Without resources in the status nothing is known of them.
        let status = json!({"allocatedResources": {"cpu": "3"}});
        check(spec, status, Side::Requests, &[("cpu", 1_000), ("memory", 1_024_000)]);
    }

    #[test]
    fn a_pod_whose_status_tells_nothing_else_is_not_copied() {
        for resources in [json!(null), json!({}), cpu("1")] {
            let container = json!({"name": "c", "resources": resources});
            let value = json!({
                "spec": {"containers": [container]}, "status": {"containerStatuses": [container]},
            });
            let pod: Pod = serde_json::from_value(value).unwrap();
            assert!(matches!(effective(&pod), Cow::Borrowed(_)), "{resources}");
        }
    }
}
