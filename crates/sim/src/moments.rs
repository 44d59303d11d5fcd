//! What in a change is worth a look: the stops of "next interesting event", the marks of the time
//! line and the ends of the spans in the lanes.

use api::k8s_openapi::api::batch::v1::Job;
use api::k8s_openapi::api::core::v1::{ContainerStatus, Node, Pod};
use api::{Change, Event, Kind, Listers, Object, ObjectRef, Resource, controller_of, pods};
use view::MarkKind;

use crate::picture::state_word;

/// The kinds of moments. Some are marks, some begin or end a span, all are worth a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MomentKind {
    /// The user or the scenario did something.
    Step,
    /// An object of a kind without a closer word came, went or got another spec.
    Object,
    /// A pod exists now.
    PodCreated,
    /// A pod was bound.
    Bound,
    /// A pod could not be placed.
    Unschedulable,
    /// A pod's containers run: a span begins.
    PodRunning,
    /// A pod's readiness or one of its containers changed.
    PodChanged,
    /// A container failed and will be started again.
    Crashed,
    /// A pod ended well.
    PodSucceeded,
    /// A pod ended badly or was evicted.
    PodFailed,
    /// A pod is gone.
    PodGone,
    /// A job exists now: a span begins.
    JobCreated,
    /// A CronJob made a job.
    CronFired,
    /// A job is complete.
    JobDone,
    /// A job has failed.
    JobFailed,
    /// A job is gone.
    JobGone,
    /// A node joined, left, failed, recovered or was changed.
    Node,
    /// A warning was recorded.
    Warning,
}

impl MomentKind {
    /// The mark on the time line, for the kinds that have one.
    #[must_use]
    pub(crate) const fn mark(self) -> Option<MarkKind> {
        match self {
            Self::Step => Some(MarkKind::Step),
            Self::Bound => Some(MarkKind::Bound),
            Self::Unschedulable => Some(MarkKind::Unschedulable),
            Self::JobDone => Some(MarkKind::JobDone),
            Self::JobFailed => Some(MarkKind::JobFailed),
            Self::CronFired => Some(MarkKind::CronFired),
            Self::PodFailed | Self::Crashed => Some(MarkKind::PodFailed),
            Self::Node => Some(MarkKind::Node),
            _ => None,
        }
    }
}

/// Something that a reader of the run would want to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Milliseconds of the run.
    pub at_ms: i64,
    /// What kind.
    pub kind: MomentKind,
    /// What it is about; a step of the scenario names nothing.
    pub object: Option<ObjectRef>,
    /// The top-most owner of a pod or job, where that is not the object itself.
    pub root: Option<ObjectRef>,
    /// A few words; may be empty.
    pub text: Box<str>,
}

/// The moments of one change, in order.
pub(crate) fn moments_of(change: &Change) -> Vec<(MomentKind, String)> {
    match change.object().map(Object::kind) {
        Some(Kind::Pod) => pod_moments(pair(change)),
        Some(Kind::Job) => job_moments(pair(change)),
        Some(Kind::Node) => node_moments(pair(change)),
        Some(Kind::Event) => event_moments(pair(change)),
        Some(Kind::Lease | Kind::EndpointSlice | Kind::ControllerRevision | Kind::Binding) => {
            vec![]
        }
        Some(_) => spec_moments(change),
        None => vec![],
    }
}

/// Both sides of a change as a known type.
fn pair<T: Resource>(change: &Change) -> (Option<&T>, Option<&T>) {
    (change.old.as_ref().and_then(Object::as_kind), change.new.as_ref().and_then(Object::as_kind))
}

fn spec_moments(change: &Change) -> Vec<(MomentKind, String)> {
    let words = match (&change.old, &change.new) {
        (None, Some(_)) => "created",
        (Some(_), None) => "deleted",
        (Some(old), Some(new)) if old.meta().generation != new.meta().generation => "changed",
        _ => return vec![],
    };
    vec![(MomentKind::Object, words.to_owned())]
}

fn pod_moments((old, new): (Option<&Pod>, Option<&Pod>)) -> Vec<(MomentKind, String)> {
    let Some(new) = new else { return vec![(MomentKind::PodGone, "deleted".to_owned())] };
    let mut moments = Vec::new();
    if old.is_none() {
        moments.push((MomentKind::PodCreated, "created".to_owned()));
    }
    let node = |pod: &Pod| pod.spec.as_ref().and_then(|it| it.node_name.clone());
    if let Some(node) = node(new).filter(|it| !it.is_empty() && old.and_then(node).is_none()) {
        moments.push((MomentKind::Bound, format!("on {node}")));
    }
    let phase = |pod: &Pod| pod.status.as_ref().and_then(|it| it.phase.clone()).unwrap_or_default();
    let now = phase(new);
    if old.map(phase).as_deref() != Some(&now) {
        let reason = new.status.as_ref().and_then(|it| it.reason.clone()).unwrap_or_default();
        match now.as_str() {
            "Running" => moments.push((MomentKind::PodRunning, "running".to_owned())),
            "Succeeded" => moments.push((MomentKind::PodSucceeded, "succeeded".to_owned())),
            "Failed" if reason.is_empty() => {
                moments.push((MomentKind::PodFailed, "failed".to_owned()));
            }
            "Failed" => moments.push((MomentKind::PodFailed, format!("failed: {reason}"))),
            _ => {}
        }
    }
    let message = |pod: &Pod| unschedulable(pod).map(str::to_owned);
    if let Some(text) = message(new)
        && old.and_then(message).as_ref() != Some(&text)
    {
        moments.push((MomentKind::Unschedulable, text));
    }
    if let Some(old) = old {
        moments.extend(container_moments(old, new));
    }
    moments
}

/// The scheduler's message while it cannot place the pod.
pub(crate) fn unschedulable(pod: &Pod) -> Option<&str> {
    let condition = pods::condition(pod, "PodScheduled")?;
    let is_pending = condition.status == "False";
    is_pending.then(|| condition.message.as_deref().unwrap_or_default())
}

fn container_moments(old: &Pod, new: &Pod) -> Vec<(MomentKind, String)> {
    fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
        let status = pod.status.iter();
        status.flat_map(|it| {
            let init = it.init_container_statuses.iter().flatten();
            init.chain(it.container_statuses.iter().flatten())
        })
    }
    let mut moments = Vec::new();
    for status in statuses(new) {
        let before = statuses(old).find(|it| it.name == status.name);
        if before.map(state_word) == Some(state_word(status)) {
            continue;
        }
        match state_word(status) {
            (_, "CrashLoopBackOff" | "Error" | "OOMKilled") => {
                let text = format!("{}: {}", status.name, state_word(status).1);
                moments.push((MomentKind::Crashed, text));
            }
            (state, reason) => {
                let text = format!("{} {state} {reason}", status.name).trim_end().to_owned();
                moments.push((MomentKind::PodChanged, text));
            }
        }
    }
    if pods::is_ready(old) != pods::is_ready(new) {
        let text = if pods::is_ready(new) { "ready" } else { "not ready" };
        moments.push((MomentKind::PodChanged, text.to_owned()));
    }
    if !pods::is_terminating(old) && pods::is_terminating(new) {
        moments.push((MomentKind::PodChanged, "terminating".to_owned()));
    }
    moments
}

fn job_moments((old, new): (Option<&Job>, Option<&Job>)) -> Vec<(MomentKind, String)> {
    let Some(new) = new else { return vec![(MomentKind::JobGone, "deleted".to_owned())] };
    let mut moments = Vec::new();
    let Some(old) = old else {
        moments.push((MomentKind::JobCreated, "created".to_owned()));
        if controller_of(&new.metadata).is_some_and(|it| it.kind == Kind::CronJob.name()) {
            moments.push((MomentKind::CronFired, format!("started {}", new.name())));
        }
        return moments;
    };
    for (condition, kind) in [("Complete", MomentKind::JobDone), ("Failed", MomentKind::JobFailed)]
    {
        let met = |job: &Job| {
            let conditions = job.status.as_ref().and_then(|it| it.conditions.as_ref());
            let it = conditions.into_iter().flatten().find(|it| it.type_ == condition);
            it.filter(|it| it.status == "True").map(|it| it.reason.clone().unwrap_or_default())
        };
        if let Some(reason) = met(new)
            && met(old).is_none()
        {
            moments.push((kind, reason));
        }
    }
    if old.metadata.generation != new.metadata.generation {
        moments.push((MomentKind::Object, "changed".to_owned()));
    }
    moments
}

fn node_moments((old, new): (Option<&Node>, Option<&Node>)) -> Vec<(MomentKind, String)> {
    let words = match (old, new) {
        (None, _) => vec!["joined".to_owned()],
        (_, None) => vec!["left".to_owned()],
        (Some(old), Some(new)) => node_differences(old, new),
    };
    words.into_iter().map(|it| (MomentKind::Node, it)).collect()
}

fn node_differences(old: &Node, new: &Node) -> Vec<String> {
    let mut words = Vec::new();
    let ready = |node: &Node| {
        let conditions = node.status.as_ref().and_then(|it| it.conditions.as_ref());
        let it = conditions.into_iter().flatten().find(|it| it.type_ == "Ready");
        it.map(|it| it.status.clone()).unwrap_or_default()
    };
    if ready(old) != ready(new) {
        words.push(if ready(new) == "True" { "ready" } else { "not ready" }.to_owned());
    }
    let cordoned = |node: &Node| node.spec.as_ref().and_then(|it| it.unschedulable) == Some(true);
    if cordoned(old) != cordoned(new) {
        words.push(if cordoned(new) { "cordoned" } else { "uncordoned" }.to_owned());
    }
    let taints = |node: &Node| {
        let taints = node.spec.as_ref().and_then(|it| it.taints.clone()).unwrap_or_default();
        taints.into_iter().map(|it| (it.key, it.value, it.effect)).collect::<Vec<_>>()
    };
    if taints(old) != taints(new) {
        words.push("taints changed".to_owned());
    }
    if old.metadata.labels != new.metadata.labels {
        words.push("labels changed".to_owned());
    }
    if old.metadata.annotations != new.metadata.annotations {
        words.push("annotations changed".to_owned());
    }
    let room = |node: &Node| node.status.as_ref().and_then(|it| it.allocatable.clone());
    if room(old) != room(new) {
        words.push("allocatable changed".to_owned());
    }
    words
}

fn event_moments((_, new): (Option<&Event>, Option<&Event>)) -> Vec<(MomentKind, String)> {
    let Some(event) = new.filter(|it| it.type_name() == "Warning") else {
        return vec![];
    };
    vec![(MomentKind::Warning, event.reason().to_owned())]
}

/// The top-most controlling owner, if the object has one. Where an owner is gone, its reference
/// still names it.
pub(crate) fn root_of(object: &Object, listers: &Listers<'_>) -> Option<ObjectRef> {
    owners_of(object, listers).pop()
}

/// The controlling owners, the direct one first.
pub(crate) fn owners_of(object: &Object, listers: &Listers<'_>) -> Vec<ObjectRef> {
    let mut owners = Vec::new();
    let mut next = object.controller().and_then(|it| ObjectRef::of_owner(it, object.namespace()));
    while let Some(owner) = next.take() {
        if owners.contains(&owner) {
            break;
        }
        let object = listers.object(&owner);
        next = object.and_then(|object| {
            object.controller().and_then(|it| ObjectRef::of_owner(it, object.namespace()))
        });
        owners.push(owner);
    }
    owners
}

/// `CronJob/report`: the name of a colour.
pub(crate) fn workload_name(object: &ObjectRef) -> String {
    format!("{}/{}", object.kind, object.name)
}
