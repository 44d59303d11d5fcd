//! Pods that ran before this kubelet saw them: their status says what their containers do.
//!
//! Upstream: a restarted kubelet asks the container runtime (`pkg/kubelet/pleg`, v1.36).
//! Differs from upstream: there is no runtime, so the status that an earlier kubelet reported is
//! believed; a container that waits for its image gets it.

use api::Timestamp;
use api::k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodSpec,
};
use api::pods;
use api::time::after_ms;

use crate::pod_workers::{ContainerRun, Exit, PodWorker, Run, should_restart};
use crate::status::OOM_KILLED;

impl PodWorker {
    /// Goes on where the status of the pod stands, if an earlier kubelet has reported one. Returns
    /// whether it has.
    pub(crate) fn resume(&mut self, pod: &Pod, spec: &PodSpec) -> bool {
        let Some(status) = pod.status.as_ref() else { return false };
        let Some(started) = status.start_time.as_ref().map(|it| it.0) else { return false };
        let init = status.init_container_statuses.iter().flatten();
        let statuses: Vec<&ContainerStatus> =
            init.chain(status.container_statuses.iter().flatten()).collect();
        for (run, container) in self.all_mut(spec) {
            run.probes.add(pod, container, started, Timestamp::MIN, 0);
            if let Some(status) = statuses.iter().find(|it| it.name == container.name) {
                take_over(run, pod, container, status, started);
            }
        }
        let ran = |it: &ContainerRun| it.run != Run::Waiting;
        self.seen = started;
        self.ip = status.pod_ip.clone();
        self.begun = self.ip.is_some() || self.init.iter().chain(&self.main).any(ran);
        self.begin_at = self.begun.then_some(started);
        let phases = ["Pending", "Running", "Succeeded", "Failed"];
        let phase = phases.into_iter().find(|it| *it == pods::phase(pod));
        self.reported = (phase.unwrap_or("Unknown"), pods::is_ready(pod));
        true
    }
}

fn take_over(
    run: &mut ContainerRun,
    pod: &Pod,
    container: &Container,
    status: &ContainerStatus,
    started: Timestamp,
) {
    let restarts = u32::try_from(status.restart_count).unwrap_or_default();
    let state = status.state.clone().unwrap_or_default();
    let last = status.last_state.as_ref().and_then(|it| it.terminated.as_ref());
    run.attempt = restarts;
    run.last = last.map(|it| exit(it, restarts.saturating_sub(1), started));
    match state {
        ContainerState { running: Some(running), .. } => {
            let since = running.started_at.map_or(started, |it| it.0);
            run.run = Run::Running { since, stop: None };
            run.probes.resume_run(container, status.started.unwrap_or(true), status.ready);
        }
        ContainerState { terminated: Some(terminated), .. } => {
            let exit = exit(&terminated, restarts, started);
            run.run = Run::Running { since: exit.since.unwrap_or(started), stop: None };
            run.exit(exit.at, exit.code, should_restart(pod, container, exit.code));
        }
        ContainerState { waiting: Some(waiting), .. }
            if waiting.reason.as_deref() == Some("CrashLoopBackOff") =>
        {
            let Some(last) = run.last.take() else { return };
            run.crash(last, restarts);
        }
        _ => {}
    }
}

fn exit(terminated: &ContainerStateTerminated, attempt: u32, started: Timestamp) -> Exit {
    let since = terminated.started_at.as_ref().map(|it| it.0);
    let at = terminated.finished_at.as_ref().map(|it| it.0);
    let at = at.or(since).unwrap_or_else(|| after_ms(started, 0));
    let oom = terminated.reason.as_deref() == Some(OOM_KILLED);
    Exit { since, at, code: terminated.exit_code, attempt, oom }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::k8s_openapi::api::core::v1::PodStatus;
    use serde_json::json;

    fn worker(status: serde_json::Value) -> Option<PodWorker> {
        let spec = json!({"containers": [{"name": "c"}], "restartPolicy": "Always"});
        let status: PodStatus = api::wire::from_value(&status).unwrap();
        let spec: PodSpec = api::wire::from_value(&spec).unwrap();
        let pod = Pod { spec: Some(spec.clone()), status: Some(status), ..Pod::default() };
        let now = "2026-01-02T00:00:00Z".parse().unwrap();
        let mut worker = PodWorker::new("uid".to_owned(), "n".to_owned(), &spec, now);
        worker.resume(&pod, &spec).then_some(worker)
    }

    fn status(state: serde_json::Value, last: serde_json::Value) -> serde_json::Value {
        json!({
            "phase": "Running", "startTime": "2026-01-01T00:00:00Z", "podIP": "10.0.0.7",
            "containerStatuses": [{
                "name": "c", "image": "", "imageID": "", "ready": true, "restartCount": 2,
                "state": state, "lastState": last,
            }],
        })
    }

    #[test]
    fn a_pod_that_nobody_has_reported_begins_anew() {
        assert!(worker(json!({"phase": "Pending"})).is_none());
    }

    #[test]
    fn a_running_container_goes_on() {
        let state = json!({"running": {"startedAt": "2026-01-01T00:00:05Z"}});
        let worker = worker(status(state, json!({}))).unwrap();
        let run = &worker.main[0];
        assert_eq!(run.running_since(), "2026-01-01T00:00:05Z".parse().ok());
        assert_eq!((run.attempt, run.probes.ready, worker.begun), (2, true, true));
        assert_eq!(worker.ip.as_deref(), Some("10.0.0.7"));
    }

    #[test]
    fn a_crashing_container_goes_on_to_wait() {
        let last = json!({"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T23:59:50Z"}});
        let state = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        let worker = worker(status(state, last)).unwrap();
        let run = &worker.main[0];
        assert!(run.crash_loop && !run.is_final());
        assert!(matches!(&run.run, Run::Exited(exit) if exit.code == 1 && exit.attempt == 2));
    }
}
