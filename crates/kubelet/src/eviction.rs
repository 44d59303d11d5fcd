//! Eviction by the node: what happens when its memory runs out.
//!
//! Memory in use is data. A container uses what the annotation `sim.orrery.dev/memory-usage` of
//! its pod says, or what it requests; the same annotation of the Node is what is used outside of
//! pods. Where nobody says anything, no node is ever short of memory. A container that is said to
//! use more than its own limit is killed by the kernel, without the node being short.
//!
//! Upstream: `pkg/kubelet/eviction/eviction_manager.go` and `helpers.go`, v1.36.
//! Differs from upstream: only the signal `memory.available`; no usage is measured; pods that rank
//! alike are taken in the order of their names.

mod config;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use api::Gather;
use api::k8s_openapi::api::core::v1::{Container, Node, Pod, PodSpec, Taint, Toleration};
use api::time::{after_ms, ms_between};
use api::{ObjectRef, Order, Resource, Timestamp, View, pods, quantity, resources, taints};

use config::{Config, Threshold};

use crate::kubelet_node_status::is_on;
use crate::predicate::Refusal;
use crate::static_pods;
use crate::workload::{PREFIX, annotation_for};

/// Upstream: `Reason`.
pub(crate) const REASON: &str = "Evicted";
/// How long a pod may take that goes at once, seconds. Upstream:
/// `immediateEvictionGracePeriodSeconds`.
const GRACE_SECONDS: i64 = 1;
/// Upstream: `evictionMonitoringPeriod`.
const PERIOD_MS: i64 = 10_000;
/// Upstream: `podCleanupPollFreq`.
const CLEANUP_POLL_MS: i64 = 1_000;
/// Upstream: `podCleanupTimeout`.
const CLEANUP_TIMEOUT_MS: i64 = 30_000;
/// Upstream: `scheduling.SystemCriticalPriority`.
const CRITICAL: i32 = 2_000_000_000;

const KEY: &str = "memory-usage";

/// What the manager remembers of one node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manager {
    /// When the memory was short last.
    observed_at: Option<Timestamp>,
    /// Since when it is, by the soft and by the hard threshold.
    first_at: [Option<Timestamp>; 2],
    /// Whether it has been for long enough, by each of them.
    met: [bool; 2],
    /// The pod that is being evicted, and since when.
    cleaning: Option<(ObjectRef, Timestamp)>,
    /// Somebody tells how much memory is in use: a change of a pod may matter.
    pub(crate) watches: bool,
    /// `MemoryPressure` is reported.
    pub(crate) pressure: bool,
}

/// What to do after a look at a node.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    /// The threshold was met: upstream's event is due.
    pub(crate) is_short: bool,
    /// Whom to evict, with the message and the time that it is given, milliseconds.
    pub(crate) victim: Option<(ObjectRef, String, i64)>,
    /// When to look again.
    pub(crate) next: Option<Timestamp>,
}

/// Whether an object says how much memory is in use.
pub(crate) fn tells_usage<T: Resource>(object: &T) -> bool {
    let key = format!("{PREFIX}{KEY}");
    object.meta().annotations.iter().flatten().any(|(it, _)| it.starts_with(&key))
}

/// What one container uses, bytes.
fn usage_of(pod: &Pod, container: &Container) -> i64 {
    let told = annotation_for(pod, KEY, container).and_then(parse);
    told.unwrap_or_else(|| request_of(container))
}

/// Whether a container is said to use more memory than its limit allows.
pub(crate) fn exceeds_limit(pod: &Pod, container: &Container) -> bool {
    let limits = container.resources.as_ref().and_then(|it| it.limits.as_ref());
    let Some(limit) = limits.and_then(|it| it.get("memory")) else { return false };
    let told = annotation_for(pod, KEY, container).and_then(parse);
    told.is_some_and(|it| it > quantity::value(limit))
}

fn request_of(container: &Container) -> i64 {
    let requests = container.resources.as_ref().and_then(|it| it.requests.as_ref());
    requests.and_then(|it| it.get("memory")).map_or(0, quantity::value)
}

fn parse(text: &str) -> Option<i64> {
    quantity::parse(text).ok().map(|it| quantity::value(&it.to_quantity()))
}

fn running<'a>(pod: &'a Pod, spec: &'a PodSpec) -> impl Iterator<Item = &'a Container> {
    let status = pod.status.as_ref();
    let statuses = status.into_iter().flat_map(|it| {
        let init = it.init_container_statuses.iter().flatten();
        it.container_statuses.iter().flatten().chain(init)
    });
    let names: BTreeSet<&str> = statuses
        .filter(|it| it.state.as_ref().is_some_and(|it| it.running.is_some()))
        .map(|it| it.name.as_str())
        .to_set();
    let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    all.filter(move |it| names.contains(it.name.as_str()))
}

/// A pod with what it uses; `None` while nothing of it runs.
struct Candidate<'a> {
    pod: &'a Pod,
    usage: Option<i64>,
    request: i64,
}

fn candidates<'a>(node: &Node, view: &View<'a>) -> Vec<Candidate<'a>> {
    let active = view.listers.pods_on(node.name()).filter(|it| !pods::is_terminal(it));
    let candidate = |pod: &'a Pod| {
        let spec = pod.spec.as_ref()?;
        let mut usage = None;
        for container in running(pod, spec) {
            *usage.get_or_insert(0) += usage_of(pod, container);
        }
        let request = resources::spec_requests(spec).get("memory").copied().unwrap_or(0);
        Some(Candidate { pod, usage, request })
    };
    active.filter_map(candidate).collect()
}

/// Upstream: `rankMemoryPressure`.
fn rank(candidates: &mut [Candidate<'_>]) {
    candidates.order_by_key(|it| {
        let priority = it.pod.spec.as_ref().and_then(|it| it.priority).unwrap_or(0);
        let over = it.usage.map_or(0, |usage| usage - it.request);
        let (unknown, exceeds) = (it.usage.is_none(), over > 0);
        let name = (it.pod.namespace().to_owned(), it.pod.name().to_owned());
        (!unknown, !exceeds, priority, Reverse(over), name)
    });
}

/// Upstream: `kubelettypes.IsCriticalPod`.
pub(crate) fn is_critical(pod: &Pod) -> bool {
    let priority = pod.spec.as_ref().and_then(|it| it.priority);
    static_pods::mirror_hash(pod).is_some() || priority.is_some_and(|it| it >= CRITICAL)
}

/// Upstream: `evictionMessage`.
fn message(candidate: &Candidate<'_>, threshold: i64, available: i64) -> String {
    let mut text = format!(
        "The node was low on resource: memory. Threshold quantity: {}, available: {}. ",
        binary(threshold),
        binary(available)
    );
    let Some(spec) = candidate.pod.spec.as_ref() else { return text };
    for container in running(candidate.pod, spec) {
        let (usage, request) = (usage_of(candidate.pod, container), request_of(container));
        if usage > request {
            text.push_str(&format!(
                "Container {} was using {}, request is {}, has larger consumption of memory. ",
                container.name,
                binary(usage),
                binary(request)
            ));
        }
    }
    text
}

/// A number of bytes as Kubernetes prints quantities with binary suffixes.
fn binary(bytes: i64) -> String {
    let (mut left, mut suffixes) = (bytes, ["", "Ki", "Mi", "Gi", "Ti", "Pi"].iter());
    let mut suffix = suffixes.next().copied().unwrap_or_default();
    while left != 0 && left % 1_024 == 0 {
        let Some(next) = suffixes.next() else { break };
        (left, suffix) = (left / 1_024, next);
    }
    format!("{left}{suffix}")
}

impl Manager {
    /// Looks at the memory of a node. Upstream: `synchronize`, and the loop around it.
    ///
    /// `base` is when the node began to work: the rhythm counts from there.
    pub(crate) fn synchronize(
        &mut self,
        node: &Node,
        base: Timestamp,
        view: &View<'_>,
    ) -> Decision {
        let mut candidates = candidates(node, view);
        let simulated = tells_usage(node) || candidates.iter().any(|it| tells_usage(it.pod));
        self.watches = simulated;
        if !simulated && self.observed_at.is_none() {
            return Decision::default();
        }
        let cleaned = match &self.cleaning {
            Some((key, since)) => {
                let there = candidates.iter().any(|it| it.pod.object_ref() == *key);
                if there && ms_between(*since, view.now) < CLEANUP_TIMEOUT_MS {
                    let next = Some(after_ms(view.now, CLEANUP_POLL_MS));
                    return Decision { next, ..Decision::default() };
                }
                true
            }
            None => false,
        };
        let capacity = capacity(node);
        let available = available(node, capacity, &candidates);
        let config = Config::of(node, capacity);
        let short: [bool; 2] = std::array::from_fn(|at| {
            let reclaim = |it: Threshold| if self.met[at] { it.reclaim } else { 0 };
            let threshold = config.thresholds[at].filter(|_| simulated);
            threshold.is_some_and(|it| available < it.value.saturating_add(reclaim(it)))
        });
        let is_short = short.contains(&true);
        let phase = ms_between(base, view.now) % PERIOD_MS;
        if phase != 0 && !cleaned {
            let wanted = is_short || self.observed_at.is_some();
            let next = wanted.then(|| after_ms(view.now, PERIOD_MS - phase));
            return Decision { next, ..Decision::default() };
        }
        self.cleaning = None;
        if is_short {
            self.observed_at = Some(view.now);
        }
        let lasts = |at: &Timestamp| ms_between(*at, view.now) < config.transition_ms;
        self.observed_at = self.observed_at.filter(lasts);
        self.pressure = self.observed_at.is_some();
        let mut decision = Decision::default();
        let mut threshold = None;
        for (at, it) in config.thresholds.into_iter().enumerate() {
            let first = self.first_at[at].unwrap_or(view.now);
            self.first_at[at] = short[at].then_some(first);
            let long = |it: &Threshold| ms_between(first, view.now) >= it.grace_ms;
            let met = it.filter(|it| short[at] && long(it));
            self.met[at] = met.is_some();
            threshold = threshold.or(met);
        }
        if let Some(threshold) = threshold {
            decision.is_short = true;
            rank(&mut candidates);
            let victim = candidates.iter().find(|it| !is_critical(it.pod));
            decision.victim = victim.map(|it| {
                let text = message(it, threshold.value, available);
                (it.pod.object_ref(), text, grace_ms(it.pod, threshold))
            });
        }
        self.cleaning = decision.victim.as_ref().map(|it| (it.0.clone(), view.now));
        decision.next = if self.cleaning.is_some() {
            Some(after_ms(view.now, CLEANUP_POLL_MS))
        } else {
            let phase = ms_between(base, view.now) % PERIOD_MS;
            self.pressure.then(|| after_ms(view.now, PERIOD_MS - phase))
        };
        decision
    }
}

/// How long a pod may take. A longest time of nought means the pod's own.
fn grace_ms(pod: &Pod, threshold: Threshold) -> i64 {
    let own = pod.spec.as_ref().and_then(|it| it.termination_grace_period_seconds).unwrap_or(30);
    let seconds = match threshold.pod_grace {
        None => GRACE_SECONDS,
        Some(0) => own,
        Some(most) => own.min(most),
    };
    seconds.max(1).saturating_mul(1_000)
}

fn capacity(node: &Node) -> i64 {
    let status = node.status.as_ref();
    let capacity = status.and_then(|it| it.capacity.as_ref()).and_then(|it| it.get("memory"));
    capacity.map_or(i64::MAX, quantity::value)
}

/// What the node has left, bytes. Upstream: `memory.available`.
fn available(node: &Node, capacity: i64, candidates: &[Candidate<'_>]) -> i64 {
    let annotations = node.metadata.annotations.as_ref();
    let outside = annotations.and_then(|it| it.get(&format!("{PREFIX}{KEY}")));
    let outside = outside.and_then(|it| parse(it)).unwrap_or(0);
    let used: i64 = candidates.iter().filter_map(|it| it.usage).sum();
    (capacity - outside - used).max(0)
}

/// Why a pod may not start on a node in need: for any need but that of memory nobody may who is not
/// critical. Upstream: `managerImpl.Admit`.
pub(crate) fn admit(
    pod: &Pod,
    spec: &PodSpec,
    node: &Node,
    short_of_memory: bool,
) -> Result<(), Refusal> {
    const TAINT: &str = "node.kubernetes.io/memory-pressure";
    let needs = [
        ("MemoryPressure", short_of_memory || is_on(node, "memory-pressure")),
        ("DiskPressure", is_on(node, "disk-pressure")),
        ("PIDPressure", is_on(node, "pid-pressure")),
    ];
    let needs: Vec<&str> = needs.into_iter().filter(|it| it.1).map(|it| it.0).collect();
    let tolerations = spec.tolerations.iter().flatten();
    let tolerates = |it: &Toleration| {
        let effect = taints::effect::NO_SCHEDULE.to_owned();
        let taint = Taint { key: TAINT.to_owned(), effect, ..Taint::default() };
        taints::tolerates(it, &taint)
    };
    let may_for_memory =
        || resources::qos_class(spec) != "BestEffort" || tolerations.into_iter().any(tolerates);
    if needs.is_empty()
        || is_critical(pod)
        || (matches!(needs[..], ["MemoryPressure"]) && may_for_memory())
    {
        return Ok(());
    }
    let message = format!("The node had condition: [{}]. ", needs.join(" "));
    Err(Refusal { reason: REASON.to_owned(), message })
}
