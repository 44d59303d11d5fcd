//! The one shape that every component of the cluster has.
//!
//! A change makes a component queue keys ([`Component::react`], upstream's event handlers); the
//! loop hands each key back when its time has come ([`Component::decide`], upstream's `sync`), and
//! the component answers with a [`Plan`]. It may keep private memory between calls (a scheduling
//! queue, back-off records), but it never writes an object.

use std::fmt;

use crate::{ApiError, Listers, Object, ObjectRef, Plan, Timestamp, Zones};

/// The components of the cluster. Closed on purpose: this is the whole list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are upstream's and speak for themselves")]
pub enum ComponentId {
    Scheduler,
    Kubelet,
    ReplicaSet,
    Deployment,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    TtlAfterFinished,
    GarbageCollector,
    Namespace,
    NodeLifecycle,
    TaintEviction,
    PodGc,
    Disruption,
    PersistentVolume,
    EndpointSlice,
    ResourceQuota,
    Ttl,
    EphemeralVolume,
}

impl ComponentId {
    /// All components, in the order in which they hear of a change.
    pub const ALL: &'static [ComponentId] = &[
        Self::Scheduler,
        Self::Kubelet,
        Self::ReplicaSet,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::CronJob,
        Self::TtlAfterFinished,
        Self::GarbageCollector,
        Self::Namespace,
        Self::NodeLifecycle,
        Self::TaintEviction,
        Self::PodGc,
        Self::Disruption,
        Self::PersistentVolume,
        Self::EndpointSlice,
        Self::ResourceQuota,
        Self::Ttl,
        Self::EphemeralVolume,
    ];

    /// The name by which a scenario's `stop controller NAME` and the history call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Kubelet => "kubelet",
            Self::ReplicaSet => "replicaset",
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
            Self::Job => "job",
            Self::CronJob => "cronjob",
            Self::TtlAfterFinished => "ttl-after-finished",
            Self::GarbageCollector => "garbage-collector",
            Self::Namespace => "namespace",
            Self::NodeLifecycle => "node-lifecycle",
            Self::TaintEviction => "taint-eviction",
            Self::PodGc => "pod-gc",
            Self::Disruption => "disruption",
            Self::PersistentVolume => "persistentvolume-binder",
            Self::EndpointSlice => "endpointslice",
            Self::ResourceQuota => "resourcequota",
            Self::Ttl => "ttl",
            Self::EphemeralVolume => "ephemeral-volume",
        }
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The delays that Kubernetes does not fix: scenario data, with small constant defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From a pod's arrival in the active queue to its binding.
    pub scheduling_latency_ms: i64,
    /// From a change to the reconcile that it causes.
    pub controller_latency_ms: i64,
    /// From binding to running containers: image pull and start together (init containers take
    /// this long each besides what they run).
    pub container_start_ms: i64,
    /// From `deletionTimestamp` to the end of containers that stop by themselves.
    pub stop_delay_ms: i64,
    /// How long containers run that do not say so, where the restart policy lets them end.
    pub default_duration_ms: i64,
    /// How containers end, whatever they say themselves: `None`, as they say.
    pub ending: Option<Ending>,
}

/// How the containers of a whole run end. Recordings of real clusters were made with kubelets
/// that do only this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// They run until they are stopped.
    Never,
    /// Those of a Job end at once with this code, the others never.
    JobsAtOnce(i32),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scheduling_latency_ms: 5,
            controller_latency_ms: 5,
            container_start_ms: 1_000,
            stop_delay_ms: 1_000,
            default_duration_ms: 10_000,
            ending: None,
        }
    }
}

/// What a component may look at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The store.
    pub listers: Listers<'a>,
    /// Simulated time.
    pub now: Timestamp,
    /// The scenario's seed. Random choices are a function of it and of names, never of history.
    pub seed: u64,
    /// Delays.
    pub settings: &'a Settings,
    /// Time zones.
    pub zones: &'a Zones,
    /// Whether the record of a scheduling attempt is wanted in full, with every verdict and score,
    /// or only its outcome. It must not change what is decided.
    pub recording: bool,
}

/// One write, as a watcher sees it.
#[derive(Clone, Debug)]
pub struct Change {
    /// Before; `None` when the object was added.
    pub old: Option<Object>,
    /// After; `None` when it was deleted.
    pub new: Option<Object>,
}

impl Change {
    /// The object after the write, or as it was before it was deleted.
    #[must_use]
    pub fn object(&self) -> Option<&Object> {
        self.new.as_ref().or(self.old.as_ref())
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> Option<ObjectRef> {
        self.object().map(Object::object_ref)
    }
}

/// What a component wants to look at, and when. The loop keeps one pending entry for each key of a
/// component; of two times the earlier wins.
#[derive(Clone, Debug, Default)]
pub struct WorkQueue {
    /// Keys with the time from which they are due.
    pub entries: Vec<(ObjectRef, Timestamp)>,
}

impl WorkQueue {
    /// Look at `key` at `at`.
    pub fn add_at(&mut self, key: ObjectRef, at: Timestamp) {
        self.entries.push((key, at));
    }
}

/// A component of the cluster.
pub trait Component {
    /// Which one.
    fn id(&self) -> ComponentId;

    /// Called once at the start of a run, and again when a stopped component is started: queue
    /// whatever exists. Upstream: the initial list of the informers.
    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue);

    /// Queues the keys that a change concerns. Called after each write, for every component.
    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue);

    /// Looks at one key and says what to do. The object may be gone by now.
    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan;

    /// Hears what became of the plan for `key`: one result for each action that was tried, in
    /// order. There may be errors among the last: the one that ended the plan, and those of attempts
    /// of its batch. What it returns is carried out at once, and is not reported again.
    fn applied(
        &mut self,
        _key: &ObjectRef,
        _results: &[Result<Option<Object>, ApiError>],
        _view: &View<'_>,
    ) -> Plan {
        Plan::default()
    }

    /// A copy with its private memory, for checkpoints.
    fn boxed_clone(&self) -> Box<dyn Component>;
}
