//! The quality-of-service class of a pod.
//!
//! Upstream: `pkg/apis/core/v1/helper/qos/qos.go`, v1.36.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

type List = BTreeMap<String, Quantity>;

/// `Guaranteed`, `Burstable` or `BestEffort`.
#[must_use]
pub fn qos_class(pod: &Pod) -> &'static str {
    let Some(spec) = &pod.spec else { return "BestEffort" };
    if let Some(resources) = spec.resources.as_ref().filter(|it| is_set(it)) {
        return class_of(std::iter::once(resources));
    }
    let init = spec.init_containers.iter().flatten().map(|it| &it.resources);
    let containers = spec.containers.iter().map(|it| &it.resources);
    let empty = ResourceRequirements::default();
    let all: Vec<&ResourceRequirements> =
        containers.chain(init).map(|it| it.as_ref().unwrap_or(&empty)).collect();
    class_of(all.into_iter())
}

fn is_set(resources: &ResourceRequirements) -> bool {
    !resources.requests.as_ref().is_none_or(List::is_empty)
        || !resources.limits.as_ref().is_none_or(List::is_empty)
}

fn class_of<'a>(containers: impl Iterator<Item = &'a ResourceRequirements>) -> &'static str {
    let mut requests: BTreeMap<&str, i128> = BTreeMap::new();
    let mut limits: BTreeMap<&str, i128> = BTreeMap::new();
    let mut guaranteed = true;
    for container in containers {
        add(&mut requests, container.requests.as_ref());
        let n_limits = add(&mut limits, container.limits.as_ref());
        guaranteed &= n_limits == 2;
    }
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    let equal = requests.iter().all(|(key, value)| limits.get(key) == Some(value));
    if guaranteed && equal && requests.len() == limits.len() { "Guaranteed" } else { "Burstable" }
}

/// Adds cpu and memory that are greater than zero, and says how many of the two there were.
fn add<'a>(sum: &mut BTreeMap<&'a str, i128>, list: Option<&'a List>) -> usize {
    let mut n_found = 0;
    for (name, quantity) in list.into_iter().flatten() {
        let milli = i128::from(api::quantity::milli_value(quantity));
        if (name == "cpu" || name == "memory") && milli > 0 {
            *sum.entry(name).or_default() += milli;
            n_found += 1;
        }
    }
    n_found
}
