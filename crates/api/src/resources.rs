//! What a pod asks for in all.
//!
//! Upstream: `staging/src/k8s.io/component-helpers/resource/helpers.go`, v1.36.

mod resize;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

pub use self::resize::effective;
use crate::Gather;
use crate::quantity::{self, Exact};

/// Resource names to exact amounts.
pub type Amounts = BTreeMap<String, Exact>;
type Quantities = BTreeMap<String, Quantity>;

/// Requests or limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is set aside.
    Requests,
    /// What must not be exceeded.
    Limits,
}

impl Side {
    fn of(self, resources: &ResourceRequirements) -> Option<&Quantities> {
        match self {
            Side::Requests => resources.requests.as_ref(),
            Side::Limits => resources.limits.as_ref(),
        }
    }
}

/// The sum that counts for scheduling and quota: of the spec, or while the pod is resized in place
/// of what its status tells; see [`effective`]. Upstream: `UseStatusResources`.
#[must_use]
pub fn pod_amounts(pod: &Pod, side: Side) -> Amounts {
    effective(pod).spec.as_ref().map(|spec| spec_amounts(spec, side)).unwrap_or_default()
}

/// What a spec asks for in all: containers and sidecars together, or the largest init container
/// with the sidecars before it if that is more; pod-level resources override; overhead comes on top.
#[must_use]
pub fn spec_amounts(spec: &PodSpec, side: Side) -> Amounts {
    let mut total = Amounts::new();
    for container in &spec.containers {
        add(&mut total, side_of(container, side));
    }
    let mut sidecars = Amounts::new();
    let mut init = Amounts::new();
    for container in spec.init_containers.iter().flatten() {
        let mut now = sidecars.clone();
        add(&mut now, side_of(container, side));
        if is_sidecar(container) {
            add(&mut total, side_of(container, side));
            sidecars.clone_from(&now);
        }
        raise(&mut init, &now);
    }
    raise(&mut total, &init);
    let pod_level = spec.resources.as_ref().and_then(|it| side.of(it));
    for (name, it) in pod_level.into_iter().flatten().filter(|(name, _)| is_pod_level(name)) {
        total.insert(name.clone(), quantity::parse(&it.0).unwrap_or_default());
    }
    if let Some(overhead) = &spec.overhead {
        for (name, it) in overhead {
            // Overhead is no limit by itself: it is added only where there is one.
            if side == Side::Requests || total.contains_key(name) {
                add_one(&mut total, name, it);
            }
        }
    }
    total
}

/// What counts of a pod's requests, see [`pod_amounts`], as integers: `cpu` in millicores, everything
/// else in its base unit.
#[must_use]
pub fn pod_requests(pod: &Pod) -> BTreeMap<String, i64> {
    integers(pod_amounts(pod, Side::Requests))
}

/// As [`pod_requests`], of what the spec alone asks for.
#[must_use]
pub fn spec_requests(spec: &PodSpec) -> BTreeMap<String, i64> {
    integers(spec_amounts(spec, Side::Requests))
}

fn integers(amounts: Amounts) -> BTreeMap<String, i64> {
    amounts
        .into_iter()
        .map(|(name, it)| (as_integer(&name, it), name))
        .map(|(v, k)| (k, v))
        .to_map()
}

/// `cpu` in millicores, everything else in its base unit, rounded up.
#[must_use]
pub fn as_integer(name: &str, amount: Exact) -> i64 {
    if name == "cpu" { amount.milli_value() } else { amount.value() }
}

/// An init container that keeps running.
#[must_use]
pub fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn is_pod_level(name: &str) -> bool {
    name == "cpu" || name == "memory" || name.starts_with("hugepages-")
}

fn side_of(container: &Container, side: Side) -> Option<&Quantities> {
    container.resources.as_ref().and_then(|it| side.of(it))
}

fn add(total: &mut Amounts, more: Option<&Quantities>) {
    for (name, it) in more.into_iter().flatten() {
        add_one(total, name, it);
    }
}

fn add_one(total: &mut Amounts, name: &str, more: &Quantity) {
    let more = quantity::parse(&more.0).unwrap_or_default();
    match total.get_mut(name) {
        Some(it) => *it = it.plus(more),
        None => {
            total.insert(name.to_owned(), more);
        }
    }
}

fn raise(total: &mut Amounts, floor: &Amounts) {
    for (name, it) in floor {
        match total.get_mut(name) {
            Some(have) if *have >= *it => {}
            _ => {
                total.insert(name.clone(), *it);
            }
        }
    }
}

/// The quality of service class. Upstream: `pkg/apis/core/v1/helper/qos/qos.go`.
#[must_use]
pub fn qos_class(spec: &PodSpec) -> &'static str {
    let all = || spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let counts = |name: &str| name == "cpu" || name == "memory";
    let set = |resources: Option<&ResourceRequirements>, side: Side| -> Amounts {
        let found = resources.and_then(|it| side.of(it)).into_iter().flatten();
        let found = found.filter(|(name, _)| counts(name));
        let found =
            found.map(|(name, it)| (name.clone(), quantity::parse(&it.0).unwrap_or_default()));
        found.filter(|(_, it)| it.sign() > 0).collect()
    };
    let pod_level = spec.resources.as_ref().filter(|it| {
        !set(Some(it), Side::Requests).is_empty() || !set(Some(it), Side::Limits).is_empty()
    });
    let sources: Vec<Option<&ResourceRequirements>> = match pod_level {
        Some(it) => vec![Some(it)],
        None => all().map(|it| it.resources.as_ref()).collect(),
    };
    let (mut requests, mut limits, mut guaranteed) = (Amounts::new(), Amounts::new(), true);
    for resources in sources {
        let (request, limit) = (set(resources, Side::Requests), set(resources, Side::Limits));
        guaranteed &= limit.len() == 2;
        for (total, more) in [(&mut requests, request), (&mut limits, limit)] {
            for (name, it) in more {
                let sum = total.entry(name).or_default();
                *sum = sum.plus(it);
            }
        }
    }
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    let same = requests.iter().all(|(name, it)| limits.get(name) == Some(it));
    if guaranteed && same && requests.len() == limits.len() { "Guaranteed" } else { "Burstable" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(cpu: &str, restart: &str) -> Container {
        let requests = [("cpu".to_owned(), Quantity(cpu.to_owned()))].into();
        Container {
            resources: Some(ResourceRequirements {
                requests: Some(requests),
                ..Default::default()
            }),
            restart_policy: (!restart.is_empty()).then(|| restart.to_owned()),
            ..Container::default()
        }
    }

    #[test]
    fn a_pod_asks_for_the_larger_of_its_containers_and_its_init_containers() {
        for (containers, init, expected) in [
            (vec!["100m", "200m"], vec![], 300),
            (vec!["100m"], vec![("500m", ""), ("300m", "")], 500),
            (vec!["100m"], vec![("200m", "Always")], 300),
            (vec!["100m"], vec![("200m", "Always"), ("500m", "")], 700),
            (vec!["600m"], vec![("500m", ""), ("200m", "Always")], 800),
        ] {
            let spec = PodSpec {
                containers: containers.iter().map(|cpu| container(cpu, "")).collect(),
                init_containers: Some(init.iter().map(|(cpu, it)| container(cpu, it)).collect()),
                ..PodSpec::default()
            };
            let cpu = spec_amounts(&spec, Side::Requests)["cpu"].milli_value();
            assert_eq!(cpu, expected, "{containers:?} {init:?}");
        }
    }

    #[test]
    fn overhead_comes_on_top() {
        let spec = PodSpec {
            containers: vec![container("100m", "")],
            overhead: Some([("cpu".to_owned(), Quantity("50m".to_owned()))].into()),
            ..PodSpec::default()
        };
        assert_eq!(spec_amounts(&spec, Side::Requests)["cpu"].milli_value(), 150);
    }

    #[test]
    fn the_quality_of_service_follows_from_requests_and_limits() {
        let with = |requests: &[(&str, &str)], limits: &[(&str, &str)]| {
            let map = |it: &[(&str, &str)]| -> Quantities {
                it.iter().map(|(k, v)| ((*k).to_owned(), Quantity((*v).to_owned()))).collect()
            };
            let resources = ResourceRequirements {
                requests: Some(map(requests)),
                limits: Some(map(limits)),
                claims: None,
            };
            let container = Container { resources: Some(resources), ..Container::default() };
            qos_class(&PodSpec { containers: vec![container], ..PodSpec::default() })
        };
        let both = [("cpu", "1"), ("memory", "1Gi")];
        assert_eq!(with(&[], &[]), "BestEffort");
        assert_eq!(with(&both[..1], &[]), "Burstable");
        assert_eq!(with(&both, &both), "Guaranteed");
        assert_eq!(with(&both, &[("cpu", "2"), ("memory", "1Gi")]), "Burstable");
    }
}
