//! How a pod is stopped: hooks, turns, the grace period.
//!
//! Upstream: `killContainer` in `pkg/kubelet/kuberuntime/kuberuntime_container.go` and
//! `pkg/kubelet/kuberuntime/kuberuntime_termination_order.go`, v1.36.
//! Differs from upstream: a hook takes as long as its `sleep` or its command says, or no time.

use api::Timestamp;
use api::k8s_openapi::api::core::v1::{Container, PodSpec};
use api::pods;
use api::resources::is_sidecar;
use api::time::{after_ms, ms_between};

use super::{ContainerRun, Context, PodWorker, RELIST_MS, Run, SIGKILL, Stop};
use crate::command;
use crate::events::Recorder;
use crate::workload::delay_ms;

/// What is left of the grace period after a hook or a turn, at least. Upstream:
/// `minimumGracePeriodInSeconds`.
const MINIMUM_GRACE_MS: i64 = 2_000;
/// The exit code of a process that SIGTERM ended.
const SIGTERM: i32 = 143;

impl ContainerRun {
    /// Tells a running container to stop: after its hook and when its turn has come it gets
    /// SIGTERM, and when the grace period is over SIGKILL. Returns when it will have ended.
    /// Upstream: `killContainer`.
    pub(super) fn stop_within(
        &mut self,
        container: &Container,
        context: &Context<'_>,
        at: Timestamp,
        grace_ms: i64,
        turn_ms: i64,
    ) -> Timestamp {
        let waited = pre_stop_ms(container).max(turn_ms).min(grace_ms);
        let left = match waited {
            0 => grace_ms,
            // Whole seconds count.
            _ => (grace_ms - waited / 1_000 * 1_000).max(MINIMUM_GRACE_MS),
        };
        let delay = stop_delay_ms(context);
        let code = if delay <= left { SIGTERM } else { SIGKILL };
        let due = after_ms(at, waited + delay.min(left));
        let Run::Running { stop, .. } = &mut self.run else { return at };
        if stop.is_none_or(|(earlier, _)| due < earlier) {
            *stop = Some((due, code));
        }
        self.ends_at(container, context).map_or(due, |it| it.0.max(at))
    }
}

impl PodWorker {
    /// Tells the containers that must be started anew for their resources to stop. Returns when
    /// the last of them has. Upstream: `computePodResizeAction`.
    pub(crate) fn restart_for_resize(
        &mut self,
        names: &[String],
        now: Timestamp,
        context: &Context<'_>,
        out: &mut Recorder<'_>,
    ) -> Timestamp {
        let mut last = now;
        for (run, container) in self.all_mut(context.spec) {
            if run.running_since().is_some() && names.contains(&container.name) {
                let text = format!("Container {} resize requires restart", container.name);
                out.killing(container, &text);
                run.resized = true;
                let grace_ms = grace_seconds(context.spec) * 1_000;
                last = last.max(run.stop_within(container, context, now, grace_ms, 0));
            }
        }
        last
    }

    /// When a resize is seen to have taken effect, whose containers have stopped by `last`.
    pub(crate) fn sees_resize_at(&self, last: Timestamp, now: Timestamp) -> Timestamp {
        let mut all = self.init.iter().chain(&self.main);
        if all.any(|it| it.running_since().is_some()) { after_ms(last, RELIST_MS) } else { now }
    }

    /// Begins to stop the pod, once. Upstream: the pod worker's terminating state.
    pub(crate) fn begin_stop(
        &mut self,
        now: Timestamp,
        grace_ms: Option<i64>,
        why: Option<(&'static str, String)>,
        context: &Context<'_>,
        out: &mut Recorder<'_>,
    ) {
        if self.stop.is_some() {
            return;
        }
        let mut runs = false;
        for (run, container) in self.all(context.spec) {
            if run.running_since().is_some() {
                runs = true;
                out.killing(container, &format!("Stopping container {}", container.name));
            }
        }
        let initialized = self.has_initialized(context.spec);
        for run in &mut self.main {
            run.probes.stop_killing();
            run.probes.changed = true;
        }
        let deleted = pods::is_terminating(context.pod);
        for (run, _) in self.all_mut(context.spec) {
            (run.restart_at, run.crash_at) = (None, None);
            // A deleted pod does not say why something could not be started.
            if deleted {
                (run.pull, run.crash_loop) = (None, false);
            }
        }
        let (mut due, code) = match grace_ms {
            // It is dead already, as far as the API is concerned.
            None => (now, SIGKILL),
            Some(grace) => {
                let delay = stop_delay_ms(context);
                let code = if delay <= grace { SIGTERM } else { SIGKILL };
                (after_ms(now, delay.min(grace)), code)
            }
        };
        if let Some(grace) = grace_ms {
            due = due.max(self.stop_in_order(now, grace, context));
        }
        self.stop =
            Some(Stop { due, code, why, initialized, asked: grace_ms.is_some(), done: false });
        if !runs {
            self.finish_stop(now);
        }
    }

    /// Tells each running container to stop: sidecars wait for the main containers, and each for
    /// those after it. Returns when the last has stopped. Upstream: `newTerminationOrdering`.
    fn stop_in_order(&mut self, now: Timestamp, grace_ms: i64, context: &Context<'_>) -> Timestamp {
        let inits = context.spec.init_containers.as_deref().unwrap_or_default();
        let mut last = now;
        let mains = self.main.iter_mut().zip(&context.spec.containers);
        for (run, container) in mains {
            last = last.max(run.stop_within(container, context, now, grace_ms, 0));
        }
        let mut turn = last;
        for (run, container) in self.init.iter_mut().zip(inits).rev() {
            let sidecar = is_sidecar(container);
            let wait_ms = if sidecar { ms_between(now, turn) } else { 0 };
            let end = run.stop_within(container, context, now, grace_ms, wait_ms);
            if sidecar {
                turn = turn.max(end);
            }
            last = last.max(end);
        }
        last
    }

    /// A shorter grace period than before takes effect.
    pub(crate) fn hasten_stop(&mut self, now: Timestamp, grace_ms: i64) {
        if let Some(stop) = self.stop.as_mut().filter(|it| !it.done) {
            let due = after_ms(now, grace_ms);
            if due < stop.due {
                (stop.due, stop.code) = (due, SIGKILL);
            }
            for run in self.init.iter_mut().chain(&mut self.main) {
                if let Run::Running { stop: Some(stop), .. } = &mut run.run
                    && due < stop.0
                {
                    *stop = (due, SIGKILL);
                }
            }
        }
    }

    /// Whether a container of the pod proper has ever been started, or could have been. Upstream:
    /// `hasPodInitialized`.
    fn has_initialized(&self, spec: &PodSpec) -> bool {
        let tried = |it: &ContainerRun| it.run != Run::Waiting || it.last.is_some();
        let Some(last) = self.init.last() else { return true };
        let sidecar = spec.init_containers.iter().flatten().last().is_some_and(is_sidecar);
        let done = if sidecar { last.is_started() } else { last.succeeded() };
        done || self.main.iter().any(tried)
    }

    /// Everything ends now. What should have run and does not is taken for failed. Upstream:
    /// `TerminatePod` in `pkg/kubelet/status/status_manager.go`.
    pub(super) fn finish_stop(&mut self, at: Timestamp) {
        let Some(stop) = &mut self.stop else { return };
        stop.done = true;
        let (code, initialized) = (stop.code, stop.initialized);
        // Of the init containers, those that have been tried, and the first in any case.
        let tried = |it: &ContainerRun| it.run != Run::Waiting || it.last.is_some();
        let n_inits = self.init.iter().rposition(tried).unwrap_or(0) + 1;
        let inits = self.init.iter_mut().take(n_inits);
        let mains = self.main.iter_mut().filter(|it| initialized || it.run != Run::Waiting);
        for run in inits.chain(mains) {
            match &run.run {
                Run::Exited(exit) if run.crash_loop => {
                    run.last = Some(exit.clone());
                    run.run = Run::Lost;
                }
                Run::Exited(_) | Run::Lost => {}
                Run::Waiting => run.run = Run::Lost,
                Run::Running { .. } => run.exit(at, code, false),
            }
            (run.restart_at, run.crash_at, run.crash_loop, run.pull) = (None, None, false, None);
        }
    }

    /// Sidecars end after the main containers, the last one first.
    pub(super) fn stop_sidecars(
        &mut self,
        context: &Context<'_>,
        at: Timestamp,
        out: &mut Recorder<'_>,
    ) {
        let inits = context.spec.init_containers.as_deref().unwrap_or_default();
        for (run, container) in self.init.iter_mut().zip(inits).rev() {
            run.restart_at = None;
            run.crash_at = None;
            if let Run::Running { stop, .. } = &run.run {
                if stop.is_none() {
                    out.killing(container, &format!("Stopping container {}", container.name));
                    let grace_ms = grace_seconds(context.spec) * 1_000;
                    run.stop_within(container, context, at, grace_ms, 0);
                }
                return;
            }
        }
    }
}

pub(super) fn grace_seconds(spec: &PodSpec) -> i64 {
    spec.termination_grace_period_seconds.unwrap_or(30)
}

/// How long the preStop hook of a container takes, where that can be read.
fn pre_stop_ms(container: &Container) -> i64 {
    let hook = container.lifecycle.as_ref().and_then(|it| it.pre_stop.as_ref());
    let Some(hook) = hook else { return 0 };
    if let Some(sleep) = &hook.sleep {
        return sleep.seconds.saturating_mul(1_000);
    }
    let words: Vec<&str> =
        hook.exec.iter().flat_map(|it| it.command.iter().flatten()).map(String::as_str).collect();
    // A hook that never ends takes all the time that there is.
    command::read(&words).map_or(0, |it| it.duration_ms.unwrap_or(i64::MAX))
}

/// From being told to stop to having stopped.
fn stop_delay_ms(context: &Context<'_>) -> i64 {
    delay_ms(context.pod, "stop-delay", "", 0, context.seed)
        .unwrap_or(context.settings.stop_delay_ms)
}
