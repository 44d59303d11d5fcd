//! Whom a node puts out so that a critical pod has room.
//!
//! Upstream: `pkg/kubelet/preemption/preemption.go`, v1.36.
//! Differs from upstream: the kubelet goes on with other pods while those that go are stopping.

use std::collections::BTreeMap;

use api::k8s_openapi::api::core::v1::Pod;
use api::{ObjectRef, resources};

use crate::eviction::is_critical;

/// Upstream: `events.PreemptContainer`.
pub(crate) const REASON: &str = "Preempting";
/// Upstream: `message`.
pub(crate) const MESSAGE: &str = "Preempted in order to admit critical pod";

/// A running pod with what it requests.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) key: ObjectRef,
    pub(crate) requests: &'a BTreeMap<String, i64>,
    /// Best effort, burstable, guaranteed.
    class: usize,
}

impl Candidate<'_> {
    fn request(&self, resource: &str) -> i64 {
        match resource {
            "pods" => 1,
            _ => self.requests.get(resource).copied().unwrap_or(0),
        }
    }

    /// Upstream: `smallerResourceRequest`.
    fn is_smaller(&self, other: &Self) -> bool {
        let of = |it: &Self| ["memory", "cpu"].map(|resource| it.request(resource));
        of(self) <= of(other)
    }
}

/// What is missing: resources and amounts.
pub(crate) type Requirements = Vec<(String, i64)>;

/// `None` if the pod is as dear as the one that wants its place. Upstream: `Preemptable`.
pub(crate) fn candidate<'a>(
    preemptor: &Pod,
    key: &ObjectRef,
    pod: &Pod,
    requests: &'a BTreeMap<String, i64>,
) -> Option<Candidate<'a>> {
    let priority = |it: &Pod| it.spec.as_ref().and_then(|it| it.priority);
    let higher = priority(preemptor).zip(priority(pod)).is_some_and(|(a, b)| a > b);
    if is_critical(pod) && !higher {
        return None;
    }
    let class = match resources::qos_class(pod.spec.as_ref()?) {
        "BestEffort" => 0,
        "Burstable" => 1,
        _ => 2,
    };
    Some(Candidate { key: key.clone(), requests, class })
}

fn subtract<'a>(
    requirements: &Requirements,
    pods: impl Iterator<Item = &'a Candidate<'a>> + Clone,
) -> Requirements {
    let left = |(resource, amount): &(String, i64)| {
        let freed: i64 = pods.clone().map(|it| it.request(resource)).sum();
        (resource.clone(), amount - freed)
    };
    requirements.iter().map(left).filter(|it| it.1 > 0).collect()
}

/// Whom to put out, or why that is of no use. Upstream: `getPodsToPreempt`.
pub(crate) fn choose(
    requirements: &Requirements,
    candidates: &[Candidate<'_>],
) -> Result<Vec<ObjectRef>, String> {
    let of = |class: usize| candidates.iter().filter(move |it| it.class == class);
    let short = subtract(requirements, candidates.iter());
    if !short.is_empty() {
        return Err(none_left(&short));
    }
    // Each class gives what the others cannot, the dearest as little as can be.
    let guaranteed = nearest(subtract(requirements, of(0).chain(of(1))), of(2).collect())?;
    let burstable =
        nearest(subtract(requirements, of(0).chain(guaranteed.iter().copied())), of(1).collect())?;
    let rest = burstable.iter().chain(&guaranteed).copied();
    let best_effort = nearest(subtract(requirements, rest), of(0).collect())?;
    let all = best_effort.into_iter().chain(burstable).chain(guaranteed);
    Ok(all.map(|it| it.key.clone()).collect())
}

fn none_left(short: &Requirements) -> String {
    let parts: String = short.iter().map(|it| format!("(res: {}, q: {}), ", it.0, it.1)).collect();
    format!("no set of running pods found to reclaim resources: [{parts}]")
}

/// The pods that come nearest to what is missing, one after the other. Upstream:
/// `getPodsToPreemptByDistance`.
fn nearest<'a>(
    mut requirements: Requirements,
    mut pods: Vec<&'a Candidate<'a>>,
) -> Result<Vec<&'a Candidate<'a>>, String> {
    let mut chosen = Vec::new();
    while !requirements.is_empty() {
        let mut best: Option<(f64, usize)> = None;
        for (at, pod) in pods.iter().enumerate() {
            let distance = distance(&requirements, pod);
            let better = best.is_none_or(|(least, index)| {
                distance < least || (distance == least && pod.is_smaller(pods[index]))
            });
            if better {
                best = Some((distance, at));
            }
        }
        let Some((_, at)) = best else { return Err(none_left(&requirements)) };
        let pod = pods.swap_remove(at);
        requirements = subtract(&requirements, std::iter::once(pod));
        chosen.push(pod);
    }
    Ok(chosen)
}

#[expect(clippy::cast_precision_loss, reason = "upstream compares these fractions")]
fn distance(requirements: &Requirements, pod: &Candidate<'_>) -> f64 {
    let part = |(resource, amount): &(String, i64)| {
        let left = (amount - pod.request(resource)).max(0) as f64 / *amount as f64;
        left * left
    };
    requirements.iter().map(part).sum()
}

#[cfg(test)]
mod tests {
    use api::Kind;

    use super::*;

    /// Rows: candidates as class, name, cpu and memory; what is missing; who goes.
    #[test]
    fn as_few_and_as_cheap_pods_go_as_will_do() {
        let all = "0a 0 0, 0b 0 0, 1small 200 100, 1mid 400 200, 1large 900 900, 2dear 2000 2000";
        for (candidates, missing, expected) in [
            (all, vec![("pods", 1)], "b"),
            (all, vec![("cpu", 300)], "mid"),
            (all, vec![("cpu", 200), ("memory", 150)], "mid"),
            (all, vec![("cpu", 1_000)], "large small"),
            // With the dear one all is there.
            (all, vec![("cpu", 1_600)], "dear"),
            (
                all,
                vec![("cpu", 9_000)],
                "no set of running pods found to reclaim resources: [(res: cpu, q: 5500), ]",
            ),
            ("1a 300 200, 1b 300 100", vec![("cpu", 300)], "b"),
        ] {
            let parsed: Vec<(usize, &str, BTreeMap<String, i64>)> = candidates
                .split(", ")
                .map(|it| {
                    let mut words = it.split(' ');
                    let (class, name) = words.next().unwrap().split_at(1);
                    let amounts = ["cpu", "memory"].map(str::to_owned).into_iter();
                    let amounts = amounts.zip(words.map(|it| it.parse().unwrap())).collect();
                    (class.parse().unwrap(), name, amounts)
                })
                .collect();
            let candidates: Vec<Candidate<'_>> = parsed
                .iter()
                .map(|(class, name, requests)| Candidate {
                    key: ObjectRef::new(Kind::Pod, "default", name),
                    requests,
                    class: *class,
                })
                .collect();
            let missing = missing.into_iter().map(|(name, it)| (name.to_owned(), it)).collect();
            let found = choose(&missing, &candidates).map_or_else(
                |it| it,
                |it| it.iter().map(|it| &*it.name).collect::<Vec<_>>().join(" "),
            );
            assert_eq!(found, expected, "{missing:?}");
        }
    }
}
