//! The status of a pod as the kubelet reports it.
//!
//! Upstream: `pkg/kubelet/kubelet_pods.go` (`generateAPIPodStatus`) and
//! `pkg/kubelet/status/generate.go`, v1.36.
//! Differs from upstream: container and image ids are made up from names; the resources of
//! containers are shown from the first resize of their pod on; the statuses of users, volume mounts
//! and resource claims are left out.

use api::Order;
use api::k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodSpec, PodStatus,
};
use api::resources::is_sidecar;
use api::time::meta_time;
use api::{Timestamp, pods};

use crate::duration::hash;
use crate::events::format_pod;
use crate::pod_workers::{ContainerRun, Context, Exit, PodWorker, RESTART_ALL, Run, SIGKILL};
use crate::{eviction, preemption};

/// The reason of a container that was killed for its use of memory.
pub(crate) const OOM_KILLED: &str = "OOMKilled";

/// Upstream: `ContainerReasonStatusUnknown`.
const UNKNOWN: &str = "ContainerStatusUnknown";
const LOST: &str = "The container could not be located when the pod was terminated";

/// What the condition of a pod says that made place for a critical one.
const PREEMPTED: &str = "Pod was preempted by Kubelet to accommodate a critical pod.";

/// Upstream: `RestartingAllContainers`.
const RESET: &str = "RestartingAllContainers";
const REMOVED: &str = "The container is removed because RestartAllContainers in place";

/// The status that the pod should have now.
pub(crate) fn generate(
    worker: &PodWorker,
    context: &Context<'_>,
    host_ip: &str,
    now: Timestamp,
) -> PodStatus {
    let (pod, spec) = (context.pod, context.spec);
    let mut status = pod.status.clone().unwrap_or_default();
    status.observed_generation = pod.metadata.generation;
    if let Some((reason, message)) = &worker.rejected {
        return PodStatus {
            phase: Some("Failed".to_owned()),
            reason: Some(reason.clone()),
            message: Some(format!("Pod was rejected: {message}")),
            start_time: Some(meta_time(worker.seen)),
            ..status
        };
    }
    let over = worker.is_over(spec);
    let phase = worker.phase(spec);
    // Failed from outside stays as it was put, with its reason.
    if !pods::is_terminal(pod) {
        status.phase = Some(phase.to_owned());
        let why = worker.stop.as_ref().and_then(|it| it.why.as_ref());
        if let Some((reason, message)) = why.filter(|_| over) {
            status.reason = Some((*reason).to_owned());
            status.message = Some(message.clone());
            let why = match *reason {
                eviction::REASON => Some(message.as_str()),
                preemption::REASON => Some(PREEMPTED),
                _ => None,
            };
            if let Some(message) = why {
                disruption(&mut status, message, pod.metadata.generation, now);
            }
        }
    }
    status.start_time = Some(meta_time(worker.seen));
    status.host_ip = Some(host_ip.to_owned());
    status.host_ips = Some(vec![HostIP { ip: host_ip.to_owned() }]);
    if let Some(ip) = &worker.ip {
        status.pod_ip = Some(ip.clone());
        status.pod_ips = Some(vec![PodIP { ip: ip.clone() }]);
    }
    let creating = if worker.init.is_empty() { "ContainerCreating" } else { "PodInitializing" };
    let render = |run: &ContainerRun, container: &Container, init: bool| {
        let mut status = container_status(run, container, context, init, creating, now);
        let running = run.running_since().is_some();
        let resize = worker.resize.as_ref().and_then(|it| it.shown(&container.name, running));
        if let Some((allocated, actual)) = resize {
            status.allocated_resources.clone_from(&allocated.requests);
            status.resources = Some(actual.clone());
        }
        status
    };
    if !worker.init.is_empty() {
        let inits = worker.init.iter().zip(spec.init_containers.iter().flatten());
        status.init_container_statuses =
            Some(inits.map(|(run, it)| render(run, it, !is_sidecar(it))).collect());
    }
    let mains = worker.main.iter().zip(&spec.containers);
    let mut statuses: Vec<_> = mains.map(|(run, it)| render(run, it, false)).collect();
    statuses.order_by(|a, b| a.name.cmp(&b.name));
    status.container_statuses = Some(statuses);
    let phase = match status.phase.as_deref() {
        _ if worker.ended_pending() => "Pending",
        phase => phase.unwrap_or_default(),
    };
    let phase = phase.to_owned();
    conditions(&mut status, worker, context, &phase, over, now);
    status
}

/// The node put the pod out. Upstream: the condition that the eviction manager gives.
fn disruption(status: &mut PodStatus, message: &str, generation: Option<i64>, now: Timestamp) {
    let conditions = status.conditions.get_or_insert_default();
    conditions.retain(|it| it.type_ != "DisruptionTarget");
    conditions.push(PodCondition {
        type_: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
        reason: Some("TerminationByKubelet".to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: None,
        last_transition_time: Some(meta_time(now)),
        observed_generation: generation,
    });
}

fn container_status(
    run: &ContainerRun,
    container: &Container,
    context: &Context<'_>,
    plain_init: bool,
    creating: &str,
    now: Timestamp,
) -> ContainerStatus {
    let id = |attempt: u32| container_id(context, container, attempt);
    let image = container.image.clone().unwrap_or_default();
    let ran = match &run.run {
        Run::Waiting => false,
        Run::Lost => run.last.as_ref().is_some_and(|it| it.since.is_some()),
        Run::Running { .. } | Run::Exited(_) => true,
    };
    let succeeded = matches!(&run.run, Run::Exited(exit) if exit.code == 0);
    let waiting = |reason: &str, message: Option<String>| ContainerState {
        waiting: Some(ContainerStateWaiting { reason: Some(reason.to_owned()), message }),
        ..ContainerState::default()
    };
    let (state, last) = match &run.run {
        Run::Waiting => match run.pull.as_ref().and_then(|it| it.why(container)) {
            Some((reason, message)) => (waiting(reason, Some(message)), None),
            None => (waiting(creating, None), run.last.clone()),
        },
        Run::Running { since, .. } => {
            let started_at = Some(meta_time(*since));
            let running = Some(ContainerStateRunning { started_at });
            (ContainerState { running, ..ContainerState::default() }, run.last.clone())
        }
        Run::Exited(exit) if run.crash_loop => {
            let message = format!(
                "back-off {} restarting failed container={} pod={}",
                go_duration(run.backoff_ms()),
                container.name,
                format_pod(context.pod)
            );
            (waiting("CrashLoopBackOff", Some(message)), Some(exit.clone()))
        }
        Run::Exited(exit) => (terminated(exit, id(exit.attempt)), run.last.clone()),
        Run::Lost => (unknown(UNKNOWN, LOST), run.last.clone()),
    };
    ContainerStatus {
        name: container.name.clone(),
        image_id: if ran { image.clone() } else { String::new() },
        image,
        container_id: ran.then(|| id(run.attempt)),
        ready: if plain_init { succeeded } else { run.is_ready(container, context, now) },
        started: Some(run.is_started()),
        restart_count: i32::try_from(run.attempt).unwrap_or(i32::MAX),
        state: Some(state),
        last_state: last.map(|it| match it.since {
            None => unknown(RESET, REMOVED),
            Some(_) => {
                let id = id(it.attempt);
                terminated(&it, id)
            }
        }),
        ..ContainerStatus::default()
    }
}

fn terminated(exit: &Exit, id: String) -> ContainerState {
    let reason = match exit.code {
        _ if exit.oom => OOM_KILLED,
        0 => "Completed",
        _ => "Error",
    };
    let terminated = ContainerStateTerminated {
        exit_code: exit.code,
        reason: Some(reason.to_owned()),
        started_at: exit.since.map(meta_time),
        finished_at: Some(meta_time(exit.at)),
        container_id: exit.since.map(|_| id),
        ..ContainerStateTerminated::default()
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

/// The end of a container that nobody has seen.
fn unknown(reason: &str, message: &str) -> ContainerState {
    let terminated = ContainerStateTerminated {
        exit_code: SIGKILL,
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        ..ContainerStateTerminated::default()
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

/// 64 hexadecimal digits, as containerd's ids have.
fn container_id(context: &Context<'_>, container: &Container, attempt: u32) -> String {
    let pod = format_pod(context.pod);
    let attempt = attempt.to_string();
    let mut id = String::with_capacity(77);
    id.push_str("containerd://");
    for part in ["a", "b", "c", "d"] {
        let number = hash(0, &[part, &pod, &container.name, &attempt]);
        for at in (0..16).rev() {
            let digit = usize::try_from(number >> (4 * at) & 0xf).unwrap_or_default();
            id.push(char::from(b"0123456789abcdef"[digit]));
        }
    }
    id
}

/// Whole seconds as Go prints a duration: `10s`, `1m20s`, `5m0s`.
fn go_duration(ms: i64) -> String {
    let seconds = ms / 1_000;
    match seconds / 60 {
        0 => format!("{seconds}s"),
        minutes => format!("{minutes}m{}s", seconds % 60),
    }
}

fn conditions(
    status: &mut PodStatus,
    worker: &PodWorker,
    context: &Context<'_>,
    phase: &str,
    over: bool,
    now: Timestamp,
) {
    let sandbox = worker.begun && !over;
    let was = status.conditions.iter().flatten().find(|it| it.type_ == "Initialized");
    // Who restarts in place stays initialized.
    let again = was.is_some_and(|it| it.status == "True") && phase != "Succeeded";
    let initialized = if again { Verdict::TRUE } else { initialized(worker, context.spec, phase) };
    let containers_ready = containers_ready(status, worker, context.spec, phase);
    let ready = ready(status, context.spec, &containers_ready);
    let sandbox =
        if sandbox { Verdict::TRUE } else { Verdict { status: "False", ..Verdict::TRUE } };
    let ours = [
        Some(("PodReadyToStartContainers", sandbox)),
        Some(("Initialized", initialized)),
        Some(("Ready", ready)),
        Some(("ContainersReady", containers_ready)),
        resetting(worker, context.spec, phase).map(|it| ("AllContainersRestarting", it)),
    ];
    let generation = context.pod.metadata.generation;
    let mut old = status.conditions.take().unwrap_or_default();
    let mut new = Vec::with_capacity(ours.len() + old.len());
    if let Some(resize) = &worker.resize {
        old.retain(|it| !it.type_.starts_with("PodResize"));
        new.extend(resize.conditions().filter(|_| !over).cloned());
    }
    for (type_, verdict) in ours.into_iter().flatten() {
        let before = old.iter().position(|it| it.type_ == type_).map(|at| old.remove(at));
        let since = before.as_ref().filter(|it| it.status == verdict.status);
        let since = since.and_then(|it| it.last_transition_time.clone());
        new.push(PodCondition {
            type_: type_.to_owned(),
            status: verdict.status.to_owned(),
            reason: verdict.reason.map(str::to_owned),
            message: verdict.message,
            last_probe_time: None,
            last_transition_time: since.or(Some(meta_time(now))),
            observed_generation: generation,
        });
    }
    new.append(&mut old);
    status.conditions = Some(new);
}

#[derive(Clone, Debug)]
struct Verdict {
    status: &'static str,
    reason: Option<&'static str>,
    message: Option<String>,
}

impl Verdict {
    const TRUE: Self = Self { status: "True", reason: None, message: None };

    fn no(reason: &'static str, message: Option<String>) -> Self {
        Self { status: "False", reason: Some(reason), message }
    }
}

fn initialized(worker: &PodWorker, spec: &PodSpec, phase: &str) -> Verdict {
    if phase == "Succeeded" {
        return Verdict { reason: Some("PodCompleted"), ..Verdict::TRUE };
    }
    if worker.is_initialized() {
        return Verdict::TRUE;
    }
    let inits = worker.init.iter().zip(spec.init_containers.iter().flatten());
    let incomplete: Vec<&str> = inits
        .filter(|(run, it)| {
            let done = match &run.run {
                _ if is_sidecar(it) => run.is_started(),
                Run::Exited(exit) => exit.code == 0,
                _ => false,
            };
            !done
        })
        .map(|(_, it)| it.name.as_str())
        .collect();
    if incomplete.is_empty() {
        return Verdict::TRUE;
    }
    let message = format!("containers with incomplete status: [{}]", incomplete.join(" "));
    Verdict::no("ContainersNotInitialized", Some(message))
}

/// Upstream: `GenerateAllContainersRestartingCondition`; `None` if no rule may lead to that.
fn resetting(worker: &PodWorker, spec: &PodSpec, phase: &str) -> Option<Verdict> {
    let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let mut rules = all.flat_map(|it| it.restart_policy_rules.iter().flatten());
    rules.any(|it| it.action == RESTART_ALL).then(|| match phase {
        "Succeeded" => Verdict::no("PodCompleted", None),
        "Failed" => Verdict::no("PodFailed", None),
        _ if worker.is_resetting(spec) => Verdict {
            status: "True",
            reason: Some("RestartAllContainersStarted"),
            message: Some("container exited with restart policy rule".to_owned()),
        },
        _ => Verdict { status: "False", ..Verdict::TRUE },
    })
}

fn containers_ready(
    status: &PodStatus,
    worker: &PodWorker,
    spec: &PodSpec,
    phase: &str,
) -> Verdict {
    let ending = worker.stop.as_ref().is_some_and(|it| it.why.is_some());
    if phase == "Failed" || ending {
        return Verdict::no("PodFailed", None);
    }
    if phase == "Succeeded" {
        return Verdict::no("PodCompleted", None);
    }
    let is_ready = |name: &str| {
        let mains = status.container_statuses.iter().flatten();
        let mut all = mains.chain(status.init_container_statuses.iter().flatten());
        all.find(|it| it.name == name).is_some_and(|it| it.ready)
    };
    let sidecars = spec.init_containers.iter().flatten().filter(|it| is_sidecar(it));
    let names = sidecars.chain(&spec.containers).map(|it| it.name.as_str());
    let unready: Vec<&str> = names.filter(|it| !is_ready(it)).collect();
    if unready.is_empty() {
        return Verdict::TRUE;
    }
    let message = format!("containers with unready status: [{}]", unready.join(" "));
    Verdict::no("ContainersNotReady", Some(message))
}

fn ready(status: &PodStatus, spec: &PodSpec, containers_ready: &Verdict) -> Verdict {
    if containers_ready.status != "True" {
        return containers_ready.clone();
    }
    let mut messages = Vec::new();
    for gate in spec.readiness_gates.iter().flatten() {
        let type_ = &gate.condition_type;
        match status.conditions.iter().flatten().find(|it| it.type_ == *type_) {
            None => messages.push(format!(
                "corresponding condition of pod readiness gate \"{type_}\" does not exist."
            )),
            Some(it) if it.status != "True" => messages.push(format!(
                "the status of pod readiness gate \"{type_}\" is not \"True\", but {}",
                it.status
            )),
            Some(_) => {}
        }
    }
    if messages.is_empty() {
        Verdict::TRUE
    } else {
        Verdict::no("ReadinessGatesNotReady", Some(messages.join(", ")))
    }
}

/// Whether two statuses say the same.
pub(crate) fn same(pod: &Pod, new: &PodStatus) -> bool {
    pod.status.as_ref() == Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_in_go() {
        for (ms, text) in
            [(10_000, "10s"), (80_000, "1m20s"), (160_000, "2m40s"), (300_000, "5m0s")]
        {
            assert_eq!(go_duration(ms), text);
        }
    }
}
