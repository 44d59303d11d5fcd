//! The cluster as the page draws it: nodes, pods, workloads, events.

use serde::{Deserialize, Serialize};

/// Names an object: kind, namespace (empty when the kind has none) and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectName {
    /// Kubernetes' kind, such as `Pod`.
    pub kind: String,
    /// Empty for kinds without a namespace.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// A resource of a node: requested by its pods, allocatable. CPU in millicores, others in their
/// base unit (bytes, pieces).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Amount {
    /// `cpu`, `memory`, `ephemeral-storage`, `nvidia.com/gpu`, ...
    pub resource: String,
    /// The sum of the requests of the pods on the node.
    pub requested: i64,
    /// What the node offers.
    pub allocatable: i64,
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeCard {
    /// `metadata.name`.
    pub name: String,
    /// Label `topology.kubernetes.io/zone`, or empty.
    pub zone: String,
    /// Condition Ready is True.
    pub ready: bool,
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// Is a control-plane node, by its role label.
    pub control_plane: bool,
    /// Each as `key=value:Effect`.
    pub taints: Vec<String>,
    /// Labels, as `key=value`.
    pub labels: Vec<String>,
    /// cpu and memory first, then the others in alphabetical order.
    pub amounts: Vec<Amount>,
    /// Pods that count, and how many the node may have.
    pub n_pods: usize,
    /// Allocatable `pods`.
    pub max_pods: usize,
}

/// One container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerTile {
    /// The container's name.
    pub name: String,
    /// `waiting`, `running` or `terminated`.
    pub state: String,
    /// The reason of the state, such as `CrashLoopBackOff`; may be empty.
    pub reason: String,
    /// How often it was restarted.
    pub restarts: i32,
}

/// One pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodTile {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `spec.nodeName`, empty while unbound.
    pub node: String,
    /// `status.phase`.
    pub phase: String,
    /// What kubectl prints under STATUS, such as `ContainerCreating` or `Completed`.
    pub status: String,
    /// Condition Ready is True.
    pub ready: bool,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// The top-most owner (`CronJob/report`, `Deployment/web`), or `Pod/<name>` without one: the
    /// pod's colour.
    pub workload: String,
    /// Direct owner first, top-most last.
    pub owners: Vec<ObjectName>,
    /// Requested millicores.
    pub cpu: i64,
    /// Requested bytes.
    pub memory: i64,
    /// The scheduler's message while pending, else empty.
    pub message: String,
    /// A pod whose manifest lies on its node.
    pub is_static: bool,
    /// Containers with their states.
    pub containers: Vec<ContainerTile>,
    /// `spec.priority`.
    pub priority: i32,
    /// When it was created, milliseconds of the run.
    pub created_ms: i64,
    /// When its first container started, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<i64>,
    /// When its last container ended for good, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_ms: Option<i64>,
}

/// One workload object (Deployment, Job, CronJob, DaemonSet, ...).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Which object.
    pub object: ObjectName,
    /// The top-most owner in the form of [`PodTile::workload`]: the workload's colour.
    pub workload: String,
    /// A word such as `Complete`, `Running`, `Suspended`, `Progressing`.
    pub status: String,
    /// Milliseconds of the run.
    pub created_ms: i64,
    /// Figures by kind.
    pub detail: WorkloadDetail,
}

/// The figures of a workload by its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum WorkloadDetail {
    /// Deployment, ReplicaSet, StatefulSet.
    #[serde(rename_all = "camelCase")]
    Replicas {
        /// Asked.
        desired: i32,
        /// There.
        current: i32,
        /// Ready.
        ready: i32,
        /// Of the newest template.
        updated: i32,
    },
    /// Job.
    #[serde(rename_all = "camelCase")]
    Job {
        /// `None` for a work queue.
        completions: Option<i32>,
        /// At most so many at a time.
        parallelism: i32,
        /// Running or pending now.
        active: i32,
        /// Succeeded so far.
        succeeded: i32,
        /// Failed so far.
        failed: i32,
        /// `0-2,4` for an Indexed job.
        completed_indexes: String,
        /// Milliseconds of the run.
        finished_ms: Option<i64>,
    },
    /// CronJob.
    #[serde(rename_all = "camelCase")]
    CronJob {
        /// `spec.schedule`.
        schedule: String,
        /// `spec.timeZone`, empty for UTC.
        time_zone: String,
        /// `spec.suspend`.
        suspended: bool,
        /// Jobs running now.
        active: i32,
        /// Last run, milliseconds of the run.
        last_ms: Option<i64>,
        /// The next runs, milliseconds of the run; at most five.
        next_ms: Vec<i64>,
    },
    /// DaemonSet.
    #[serde(rename_all = "camelCase")]
    DaemonSet {
        /// Nodes that should run it.
        desired: i32,
        /// Nodes that run at least one.
        current: i32,
        /// Ready.
        ready: i32,
        /// Of the newest template.
        updated: i32,
        /// Nodes that run it but should not.
        misscheduled: i32,
    },
}

/// One Kubernetes Event, as `kubectl get events` would show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRow {
    /// `metadata.name` of the Event: the row's key.
    pub key: String,
    /// Last seen, milliseconds of the run.
    pub at_ms: i64,
    /// `Normal` or `Warning`.
    pub level: String,
    /// Such as `FailedScheduling`.
    pub reason: String,
    /// What it is about.
    pub object: ObjectName,
    /// The sentence.
    pub message: String,
    /// Who said it.
    pub source: String,
    /// How often.
    pub count: i32,
}

/// What changed since a revision. With `full` set, everything that was known before is void.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Delta {
    /// Ask for changes since this the next time.
    pub revision: u64,
    /// Forget what you had: this is the whole state.
    pub full: bool,
    /// Added or modified.
    pub nodes: Vec<NodeCard>,
    /// Added or modified.
    pub pods: Vec<PodTile>,
    /// Added or modified.
    pub workloads: Vec<Workload>,
    /// Added or modified.
    pub events: Vec<EventRow>,
    /// Objects of other kinds that exist now; only when they changed.
    pub others: Vec<ObjectName>,
    /// Deleted objects of any kind.
    pub removed: Vec<ObjectName>,
}
