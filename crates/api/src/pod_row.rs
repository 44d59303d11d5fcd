//! What a table says of a pod, kept beside each pod in the store: a table of ten thousand pods
//! reads ten thousand of these, not the pods themselves, whose parts lie all over the memory.
//!
//! Upstream: `printPod` in `pkg/printers/internalversion/printers.go`, v1.36.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ContainerState, ContainerStatus, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{Gather, SmolStr, Timestamp, pods};

/// A row of a table of pods; ages are counted by who prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodRow {
    /// `metadata.namespace`.
    pub namespace: SmolStr,
    /// `metadata.name`.
    pub name: SmolStr,
    /// The STATUS column: one word for the state of the pod.
    pub reason: SmolStr,
    /// Its first address, empty while it has none.
    pub ip: SmolStr,
    /// `spec.nodeName`, empty while it has none.
    pub node: SmolStr,
    /// `status.nominatedNodeName`, mostly empty.
    pub nominated_node: SmolStr,
    /// How many of its containers are ready, and of how many.
    pub ready: (usize, usize),
    /// How often containers were started again.
    pub restarts: i32,
    /// When a container was started again last.
    pub restarted: Option<Timestamp>,
    /// `metadata.creationTimestamp`.
    pub created: Option<Timestamp>,
    /// How many of its readiness gates are true, and of how many.
    pub gates: (usize, usize),
    /// Every text of the row is printable ASCII: as many columns as bytes.
    pub plain: bool,
}

impl PodRow {
    /// The row of a pod.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
        let text = |it: Option<&String>| it.map(SmolStr::from).unwrap_or_default();
        let ip = status.and_then(|it| it.pod_ips.as_ref()?.first());
        let gates = spec.and_then(|it| it.readiness_gates.as_deref()).unwrap_or_default();
        let n_true = gates.iter().filter(|it| condition_is(pod, &it.condition_type)).count();
        let state = pod_state(pod);
        let mut row = Self {
            namespace: text(pod.metadata.namespace.as_ref()),
            name: text(pod.metadata.name.as_ref()),
            reason: state.reason.as_ref().into(),
            ip: text(ip.map(|it| &it.ip)),
            node: text(spec.and_then(|it| it.node_name.as_ref())),
            nominated_node: text(status.and_then(|it| it.nominated_node_name.as_ref())),
            ready: (state.ready, state.total),
            restarts: state.restarts.n,
            restarted: state.restarts.last.map(|it| it.0),
            created: pod.metadata.creation_timestamp.as_ref().map(|it| it.0),
            gates: (n_true, gates.len()),
            plain: false,
        };
        let all = [&row.namespace, &row.name, &row.reason, &row.ip, &row.node, &row.nominated_node];
        row.plain = all.iter().all(|it| it.bytes().all(|it| matches!(it, b' '..=b'~')));
        row
    }
}

/// One word for the state of a pod, as the STATUS column shows it.
#[must_use]
pub fn pod_reason(pod: &Pod) -> String {
    pod_state(pod).reason.into_owned()
}

/// Restarts and when the last one was.
#[derive(Clone, Copy, Default)]
struct Restarts<'a> {
    n: i32,
    last: Option<&'a Time>,
}

impl<'a> Restarts<'a> {
    fn add(&mut self, status: &'a ContainerStatus) {
        self.n += status.restart_count;
        let ended = status.last_state.as_ref().and_then(|it| it.terminated.as_ref());
        let ended = ended.and_then(|it| it.finished_at.as_ref());
        if ended > self.last {
            self.last = ended;
        }
    }
}

fn is_sidecar(container: Option<&&Container>) -> bool {
    container.is_some_and(|it| it.restart_policy.as_deref() == Some("Always"))
}

/// Why a container has ended, if it has: its reason, signal or exit code.
fn ended(state: Option<&ContainerState>) -> Option<Cow<'_, str>> {
    let ended = state?.terminated.as_ref()?;
    Some(match (ended.reason.as_deref().unwrap_or_default(), ended.signal.unwrap_or_default()) {
        ("", 0) => Cow::Owned(format!("ExitCode:{}", ended.exit_code)),
        ("", signal) => Cow::Owned(format!("Signal:{signal}")),
        (reason, _) => Cow::Borrowed(reason),
    })
}

/// The Ready, Status and Restarts columns.
struct PodState<'a> {
    ready: usize,
    total: usize,
    reason: Cow<'a, str>,
    restarts: Restarts<'a>,
}

fn condition_is(pod: &Pod, type_: &str) -> bool {
    pods::condition(pod, type_).is_some_and(|it| it.status == "True")
}

/// A text that is there and not empty.
fn filled(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|it| !it.is_empty())
}

/// A list of a part that may be missing.
fn items<P, T>(part: Option<&P>, list: impl FnOnce(&P) -> Option<&Vec<T>>) -> &[T] {
    part.and_then(list).map(Vec::as_slice).unwrap_or_default()
}

/// Why a container waits, if it does.
fn waits(state: Option<&ContainerState>) -> Option<&str> {
    state?.waiting.as_ref()?.reason.as_deref().filter(|it| !it.is_empty())
}

/// The exit code of a container that has ended.
fn exit_code(state: Option<&ContainerState>) -> Option<i32> {
    Some(state?.terminated.as_ref()?.exit_code)
}

fn pod_state(pod: &Pod) -> PodState<'_> {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let init: BTreeMap<&str, &Container> = items(spec, |it| it.init_containers.as_ref())
        .iter()
        .map(|it| (it.name.as_str(), it))
        .to_map();
    let n_sidecars = init.values().filter(|it| is_sidecar(Some(it))).count();
    let status_reason = filled(status.and_then(|it| it.reason.as_ref()));
    let phase = filled(status.and_then(|it| it.phase.as_ref())).unwrap_or_default();
    let mut state = PodState {
        ready: 0,
        total: items(spec, |it| Some(&it.containers)).len() + n_sidecars,
        reason: Cow::Borrowed(status_reason.unwrap_or(phase)),
        restarts: Restarts::default(),
    };
    // The reason is looked at first: most conditions have none.
    let is_gate = |it: &PodCondition| {
        it.reason.as_deref() == Some("SchedulingGated") && it.type_ == "PodScheduled"
    };
    if items(status, |it| it.conditions.as_ref()).iter().any(is_gate) {
        state.reason = Cow::Borrowed("SchedulingGated");
    }
    let mut sidecar_restarts = Restarts::default();
    let mut initializing = false;
    let statuses = items(status, |it| it.init_container_statuses.as_ref());
    for (n, container) in statuses.iter().enumerate() {
        let sidecar = is_sidecar(init.get(container.name.as_str()));
        state.restarts.add(container);
        if sidecar {
            sidecar_restarts.add(container);
        }
        let now = container.state.as_ref();
        if exit_code(now) == Some(0) {
            continue;
        }
        if sidecar && container.started == Some(true) {
            state.ready += usize::from(container.ready);
            continue;
        }
        let why = ended(now)
            .or_else(|| waits(now).filter(|it| *it != "PodInitializing").map(Cow::Borrowed));
        state.reason = Cow::Owned(match why {
            Some(why) => format!("Init:{why}"),
            None => format!("Init:{n}/{}", init.len()),
        });
        initializing = true;
        break;
    }
    if !initializing || condition_is(pod, "Initialized") {
        state.restarts = sidecar_restarts;
        main_containers(pod, items(status, |it| it.container_statuses.as_ref()), &mut state);
    }
    if pod.metadata.deletion_timestamp.is_some() {
        if status_reason == Some("NodeLost") {
            state.reason = Cow::Borrowed("Unknown");
        } else if !pods::is_terminal(pod) {
            state.reason = Cow::Borrowed("Terminating");
        }
    }
    state
}

/// What the containers proper add to the state.
fn main_containers<'a>(pod: &Pod, statuses: &'a [ContainerStatus], state: &mut PodState<'a>) {
    let mut has_running = false;
    let mut error_reason = None;
    for container in statuses.iter().rev() {
        state.restarts.add(container);
        let now = container.state.as_ref();
        if let Some(why) = waits(now) {
            state.reason = Cow::Borrowed(why);
        } else if let Some(reason) = ended(now) {
            if exit_code(now) != Some(0) {
                error_reason = Some(reason.clone());
            }
            state.reason = reason;
        } else if container.ready && now.is_some_and(|it| it.running.is_some()) {
            has_running = true;
            state.ready += 1;
        }
    }
    if state.reason == "Completed" {
        if has_running && condition_is(pod, "Ready") {
            state.reason = Cow::Borrowed("Running");
        } else if let Some(reason) = error_reason {
            state.reason = reason;
        } else if has_running {
            state.reason = Cow::Borrowed("NotReady");
        }
    }
}
