//! The extension points, and what plugins answer at them.
//!
//! Upstream: `staging/src/k8s.io/kube-scheduler/framework/interface.go`, v1.36.
//! Differs from upstream: one `Status` lets a Filter answer `Wait`, and the framework checks at run
//! time that it did not; here each point has a type that cannot say it. Scores of a plugin are
//! computed for all nodes in one call.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use api::{Change, Listers, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use view::{StatusCode, Term};

use super::cycle_state::CycleState;
use super::events::ClusterEventWithHint;
pub use super::statuses::NodeStatuses;
use super::types::{NodeId, NodeInfo, PodInfo};
use crate::backend::cache::{Cache, NO_DOMAIN};
use crate::backend::queue::Nominator;

/// The highest score after normalization.
pub const MAX_NODE_SCORE: i64 = 100;

/// The reasons of a rejection. One text that is known in advance costs nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reasons {
    /// One.
    One(Cow<'static, str>),
    /// Some, in order.
    Many(Vec<Cow<'static, str>>),
}

impl Reasons {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let all = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(all) => all.as_slice(),
        };
        all.iter().map(AsRef::as_ref)
    }

    /// As upstream's `Status.Message`.
    #[must_use]
    pub fn message(&self) -> String {
        self.iter().collect::<Vec<_>>().join(", ")
    }
}

/// Why a node or a pod was turned away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejection {
    /// `Unschedulable`, `UnschedulableAndUnresolvable`, `Pending` or `Error`.
    pub code: StatusCode,
    /// The plugin that said so; empty for the framework's own verdicts.
    pub plugin: &'static str,
    /// In upstream's words.
    pub reasons: Reasons,
}

impl Rejection {
    /// No, but preemption might help.
    pub fn unschedulable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::Unschedulable, reason)
    }

    /// No, and preemption cannot help.
    pub fn unresolvable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UnschedulableAndUnresolvable, reason)
    }

    /// A fault.
    pub fn error(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::Error, reason)
    }

    /// Any of them.
    pub fn new(code: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, plugin: "", reasons: Reasons::One(reason.into()) }
    }

    /// Names the plugin.
    #[must_use]
    pub fn by(self, plugin: &'static str) -> Self {
        Self { plugin, ..self }
    }

    /// Whether it is about the pod, not about a fault. Upstream: `Status.IsRejected`.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.code != StatusCode::Error
    }
}

/// What plugins reach for besides the pod and the node.
pub struct Handle<'a> {
    /// Nodes, pods and counters.
    pub cache: &'a mut Cache,
    /// Pods that wait for room on a node.
    pub nominator: &'a Nominator,
    /// The store.
    pub listers: Listers<'a>,
    /// Changes of objects that Reserve made and that the store does not have yet.
    pub now: Timestamp,
    /// The seed of the scenario.
    pub seed: u64,
}

/// The answer of PreFilter.
#[derive(Clone, Debug)]
pub enum PreFilter {
    /// Examine all nodes.
    All,
    /// Examine these only.
    Nodes(BTreeSet<Arc<str>>),
    /// The plugin's Filter need not run.
    Skip,
}

/// The answer of PreScore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreScore {
    /// Score the nodes.
    Run,
    /// The plugin has nothing to say about this pod.
    Skip,
}

/// A node's status in a failed attempt.
#[derive(Clone, Debug, Default)]
pub struct NodeToStatus {
    /// By place in the cache.
    pub nodes: NodeStatuses,
    /// What holds for all nodes that are not named.
    pub absent: Option<Rejection>,
}

/// The outcome of PostFilter.
#[derive(Clone, Debug, Default)]
pub struct PostFilterResult {
    /// Success of a kind that makes the pod schedulable soon.
    pub nominated: Option<Nomination>,
    /// What preemption considered.
    pub report: Option<view::PreemptionReport>,
    /// The pods that have to go.
    pub victims: Vec<Arc<PodInfo>>,
}

/// PostFilter made no room: what it says, and what becomes of the nomination all the same.
pub type PostFilterFailure = (PostFilterResult, Rejection);

/// What becomes of `nominatedNodeName`. Upstream: `NominatingInfo` in mode `ModeOverride`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nomination {
    /// It is cleared.
    Clear,
    /// It is set.
    Node(Arc<str>),
}

/// A plugin names its extension points; this is also what the page lists.
pub trait Plugin: Send + Sync {
    /// Upstream's name.
    fn name(&self) -> &'static str;
    /// PreEnqueue.
    fn as_pre_enqueue(&self) -> Option<&dyn PreEnqueuePlugin> {
        None
    }
    /// QueueSort.
    fn as_queue_sort(&self) -> Option<&dyn QueueSortPlugin> {
        None
    }
    /// PreFilter.
    fn as_pre_filter(&self) -> Option<&dyn PreFilterPlugin> {
        None
    }
    /// Filter.
    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        None
    }
    /// PostFilter.
    fn as_post_filter(&self) -> Option<&dyn PostFilterPlugin> {
        None
    }
    /// PreScore.
    fn as_pre_score(&self) -> Option<&dyn PreScorePlugin> {
        None
    }
    /// Score.
    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        None
    }
    /// Reserve.
    fn as_reserve(&self) -> Option<&dyn ReservePlugin> {
        None
    }
    /// Permit.
    fn as_permit(&self) -> Option<&dyn PermitPlugin> {
        None
    }
    /// PreBind.
    fn as_pre_bind(&self) -> Option<&dyn PreBindPlugin> {
        None
    }
    /// Bind.
    fn as_bind(&self) -> Option<&dyn BindPlugin> {
        None
    }
    /// PostBind.
    fn as_post_bind(&self) -> Option<&dyn PostBindPlugin> {
        None
    }
    /// The events that may make a pod schedulable that this plugin rejected.
    fn events_to_register(&self) -> Vec<ClusterEventWithHint> {
        Vec::new()
    }
}

/// Decides whether a pod may enter the active queue at all.
pub trait PreEnqueuePlugin {
    /// `Err` keeps the pod out.
    ///
    /// # Errors
    /// The reason.
    fn pre_enqueue(&self, pod: &Pod) -> Result<(), Rejection>;
}

/// Orders the active queue.
pub trait QueueSortPlugin {
    /// Whether the first of two pods (priority, time of entry) goes before the second.
    fn less(&self, a: (i32, Timestamp), b: (i32, Timestamp)) -> bool;
}

/// Prepares the filters, or turns the pod away at once.
pub trait PreFilterPlugin {
    /// # Errors
    /// When no node can do.
    fn pre_filter(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> Result<PreFilter, Rejection>;

    /// As if `other` were on the node too.
    fn add_pod(
        &self,
        _handle: &Handle<'_>,
        _state: &mut CycleState,
        _pod: &PodInfo,
        _other: &PodInfo,
        _node: &NodeInfo,
    ) {
    }

    /// As if `other` were not on the node.
    fn remove_pod(
        &self,
        _handle: &Handle<'_>,
        _state: &mut CycleState,
        _pod: &PodInfo,
        _other: &PodInfo,
        _node: &NodeInfo,
    ) {
    }
}

/// A verdict that follows from the domain in which a node is.
#[derive(Clone, Debug)]
pub struct DomainRule {
    /// The domain of each node.
    pub domain_of: Arc<Vec<u32>>,
    /// A number for each domain; 0 for those beyond the end.
    pub counts: Arc<Vec<i32>>,
    /// The numbers that pass.
    pub allowed: RangeInclusive<i64>,
    /// The verdict on nodes in other domains.
    pub rejection: Rejection,
    /// The verdict on nodes in no domain; without one they pass.
    pub missing: Option<Rejection>,
}

impl DomainRule {
    /// Whether the node's domain passes; `None` when it is in none.
    #[must_use]
    pub fn passes(&self, id: NodeId) -> Option<bool> {
        let domain = self.domain_of.get(id.at()).copied().filter(|it| *it != NO_DOMAIN)?;
        let n = self.counts.get(domain as usize).copied().unwrap_or(0);
        Some(self.allowed.contains(&i64::from(n)))
    }
}

/// Turns nodes away.
pub trait FilterPlugin {
    /// Whether the verdict follows from the node and from what the pod demands of a node by itself:
    /// requests, tolerations, node affinity, host ports, node name. Such verdicts are remembered.
    fn is_local(&self) -> bool {
        false
    }

    /// The verdict as rules about domains that are applied in order, if it can be said so.
    fn domain_rules(
        &self,
        _handle: &Handle<'_>,
        _state: &CycleState,
        _pod: &PodInfo,
    ) -> Option<Vec<DomainRule>> {
        None
    }

    /// Whether the pod asks for anything that the filter looks at; if not, it is not run.
    fn concerns(&self, _pod: &PodInfo) -> bool {
        true
    }

    /// # Errors
    /// When the node cannot do.
    fn filter(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection>;

    /// What exactly fails on a node that `filter` turned away.
    fn explain(
        &self,
        _handle: &Handle<'_>,
        _state: &CycleState,
        _pod: &PodInfo,
        _node: &NodeInfo,
    ) -> Vec<Term> {
        Vec::new()
    }
}

/// Tries to make room when no node did.
pub trait PostFilterPlugin {
    /// # Errors
    /// When it could not; what comes with it may still change the nomination.
    fn post_filter(
        &self,
        cycle: &mut super::runtime::Cycle<'_, '_>,
        pod: &PodInfo,
        statuses: &NodeToStatus,
    ) -> Result<PostFilterResult, Box<PostFilterFailure>>;
}

/// Prepares scoring.
pub trait PreScorePlugin {
    /// # Errors
    /// A fault.
    fn pre_score(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<PreScore, Rejection>;
}

/// Scores the nodes that passed.
pub trait ScorePlugin {
    /// Whether the score of a node and whether PreScore skips follow from the node and from what the
    /// pod demands of a node by itself, as with [`FilterPlugin::is_local`].
    fn is_local(&self) -> bool {
        false
    }

    /// One score for each node, in order.
    ///
    /// # Errors
    /// A fault.
    fn score(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        pod: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<Vec<i64>, Rejection>;

    /// Brings the scores to 0 to 100.
    fn normalize(
        &self,
        _handle: &Handle<'_>,
        _state: &CycleState,
        _nodes: &[NodeId],
        _: &mut [i64],
    ) {
    }

    /// How the raw score of a node came about, in figures.
    fn formula(
        &self,
        _handle: &Handle<'_>,
        _state: &CycleState,
        _pod: &PodInfo,
        _node: &NodeInfo,
    ) -> Option<String> {
        None
    }
}

/// Holds things for the pod on its node.
pub trait ReservePlugin {
    /// # Errors
    /// When they cannot be had.
    fn reserve(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection>;
}

/// Lets a pod through to binding, or makes it wait.
pub trait PermitPlugin {
    /// # Errors
    /// When it may not be bound.
    fn permit(&self, state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Result<(), Rejection>;
}

/// Does what has to be done before binding.
pub trait PreBindPlugin {
    /// What to write first; `wait` says that binding comes later, when the writes took effect.
    fn pre_bind(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        pod: &PodInfo,
        node: &str,
    ) -> PreBind;
}

/// What PreBind asks for.
#[derive(Clone, Debug, Default)]
pub struct PreBind {
    /// Written before the pod is bound.
    pub actions: Vec<api::Action>,
    /// The pod must not be bound before this came true.
    pub wait_for_volumes: bool,
}

/// Binds.
pub trait BindPlugin {
    /// The write that binds the pod; `None` leaves it to the next plugin.
    fn bind(&self, pod: &PodInfo, node: &str) -> Option<api::Action>;
}

/// Hears of a binding.
pub trait PostBindPlugin {
    /// The pod was bound.
    fn post_bind(&self, pod: &PodInfo, node: &str);
}

/// What an event may mean for a pod. Upstream: `QueueingHint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueingHint {
    /// It changes nothing for the pod.
    Skip,
    /// It may make the pod schedulable.
    Queue,
}

/// Looks at an event on behalf of a pod that waits.
pub type QueueingHintFn =
    Arc<dyn Fn(&mut HintContext<'_>, &PodInfo, &Change) -> QueueingHint + Send + Sync>;

/// What hints reach for.
pub struct HintContext<'a> {
    /// Symbols.
    pub interner: &'a mut super::intern::Interner,
    /// The store.
    pub listers: Listers<'a>,
}

/// Upstream: `helper.DefaultNormalizeScore`.
pub fn default_normalize_score(reverse: bool, scores: &mut [i64]) {
    let max = scores.iter().copied().max().unwrap_or_default().max(0);
    if max == 0 {
        if reverse {
            scores.fill(MAX_NODE_SCORE);
        }
        return;
    }
    for it in scores {
        *it = MAX_NODE_SCORE * *it / max;
        if reverse {
            *it = MAX_NODE_SCORE - *it;
        }
    }
}
