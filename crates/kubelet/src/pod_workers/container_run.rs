//! One container of a pod: its runs, and when the next one comes.
//!
//! Upstream: `doBackOff` and `startContainer` in `pkg/kubelet/kuberuntime`, v1.36.

use api::Timestamp;
use api::k8s_openapi::api::core::v1::Container;
use api::time::after_ms;

use super::restart::{restarts_all, should_restart};
use super::{BACKOFF_MS, Context, Exit, MAX_BACKOFF_MS, OOM_MS, RELIST_MS, Run, SIGKILL};
use crate::events::Recorder;
use crate::eviction;
use crate::image_manager::Pull;
use crate::prober::{Probed, Probes};
use crate::workload::{annotation_for, delay_ms, workload_of};

/// One container.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContainerRun {
    pub(crate) run: Run,
    pub(crate) last: Option<Exit>,
    pub(crate) attempt: u32,
    pub(super) restart_at: Option<Timestamp>,
    pub(super) crash_at: Option<Timestamp>,
    /// Shown as waiting with CrashLoopBackOff.
    pub(crate) crash_loop: bool,
    pub(super) backoff: Option<(i64, Timestamp)>,
    /// It ends to be started anew at once, with other resources.
    pub(crate) resized: bool,
    /// The image that it waits for.
    pub(crate) pull: Option<Box<Pull>>,
    pub(crate) probes: Probes,
}

impl ContainerRun {
    pub(crate) fn running_since(&self) -> Option<Timestamp> {
        match self.run {
            Run::Running { since, .. } => Some(since),
            _ => None,
        }
    }

    pub(super) fn probed<'a>(
        &self,
        container: &'a Container,
        context: &Context<'a>,
    ) -> Option<Probed<'a>> {
        let since = self.running_since()?;
        Some(Probed { pod: context.pod, container, since })
    }

    /// It has ended and will not run again.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.run, Run::Exited(_) | Run::Lost) && self.restart_at.is_none()
    }

    pub(crate) fn never_ran(&self) -> bool {
        matches!(self.run, Run::Waiting | Run::Lost) && self.last.is_none()
    }

    pub(crate) fn backoff_ms(&self) -> i64 {
        self.backoff.map_or(BACKOFF_MS, |(ms, _)| ms)
    }

    pub(super) fn succeeded(&self) -> bool {
        matches!(&self.run, Run::Exited(exit) if exit.code == 0)
    }

    /// When the running container ends if nothing else happens.
    pub(super) fn ends_at(
        &self,
        container: &Container,
        context: &Context<'_>,
    ) -> Option<(Timestamp, i32)> {
        let Run::Running { since, stop } = self.run else { return None };
        let work =
            workload_of(context.pod, container, self.attempt, context.seed, context.settings);
        let own = work.duration_ms.map(|ms| (after_ms(since, ms), work.exit_code));
        let oom = eviction::exceeds_limit(context.pod, container)
            .then(|| (after_ms(since, OOM_MS), SIGKILL));
        // At equal times the kubelet's stop comes before the memory's end, that before its own.
        [stop, oom, own].into_iter().flatten().min_by_key(|it| it.0)
    }

    pub(crate) fn is_started(&self) -> bool {
        self.running_since().is_some() && self.probes.started
    }

    /// When it may be called ready, as far as `ready-after` goes; `None`: never.
    pub(super) fn ready_from(
        &self,
        container: &Container,
        context: &Context<'_>,
    ) -> Option<Timestamp> {
        let since = self.running_since()?;
        if annotation_for(context.pod, "ready", container) == Some("false") {
            return None;
        }
        let after =
            delay_ms(context.pod, "ready-after", &container.name, self.attempt, context.seed);
        Some(after_ms(since, after.unwrap_or(0)))
    }

    pub(crate) fn is_ready(
        &self,
        container: &Container,
        context: &Context<'_>,
        now: Timestamp,
    ) -> bool {
        self.is_started()
            && self.probes.ready
            && self.ready_from(container, context).is_some_and(|it| it <= now)
    }

    /// The next time at which something about this container may change.
    pub(super) fn next(
        &self,
        container: &Container,
        context: &Context<'_>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let ready = self.ready_from(container, context).filter(|it| *it > now);
        let end = self.ends_at(container, context).map(|(at, _)| at);
        let probe = self.probed(container, context).and_then(|it| self.probes.next(&it));
        let pull = self.pull.as_ref().map(|it| it.at);
        [ready, end, probe, pull, self.restart_at, self.crash_at].into_iter().flatten().min()
    }

    /// Starts for the first time, as soon as the image is there.
    pub(super) fn begin(
        &mut self,
        container: &Container,
        context: &Context<'_>,
        at: Timestamp,
        out: &mut Recorder<'_>,
    ) {
        if self.run == Run::Waiting && self.pull.is_none() {
            if self.attempt == 0 {
                self.pull = Pull::begin(context.pod, container, at, out);
            }
            if self.pull.is_none() {
                self.start(container, at, None, out);
            }
        }
    }

    pub(super) fn start(
        &mut self,
        container: &Container,
        at: Timestamp,
        pulled: Option<String>,
        out: &mut Recorder<'_>,
    ) {
        if let Run::Exited(exit) = std::mem::take(&mut self.run) {
            self.last = Some(exit);
            self.attempt += 1;
            let resized = std::mem::take(&mut self.resized);
            // Upstream: `Backoff.Next`, whose entries expire after twice the maximum.
            let expired =
                |at: Timestamp, updated: Timestamp| at > after_ms(updated, 2 * MAX_BACKOFF_MS);
            let ended = self.last.as_ref().map_or(at, |it| it.at);
            let ms = match self.backoff {
                Some((ms, updated)) if !expired(ended, updated) => (2 * ms).min(MAX_BACKOFF_MS),
                _ => BACKOFF_MS,
            };
            if !resized {
                self.backoff = Some((ms, at));
            }
        }
        self.restart_at = None;
        self.crash_at = None;
        self.crash_loop = false;
        self.probes.begin_run(container);
        self.run = Run::Running { since: at, stop: None };
        out.started(container, pulled);
    }

    /// Ends the run, and plans the next one where there is to be one.
    pub(crate) fn exit(&mut self, at: Timestamp, code: i32, restart: bool) {
        let since = self.running_since();
        self.run = Run::Exited(Exit { since, at, code, attempt: self.attempt, oom: false });
        self.restart_at = None;
        self.crash_at = None;
        self.pull = None;
        if !restart {
            return;
        }
        if self.resized {
            self.restart_at = Some(at);
            return;
        }
        let backoff =
            self.backoff.filter(|(_, updated)| at <= after_ms(*updated, 2 * MAX_BACKOFF_MS));
        match backoff {
            Some((ms, _)) => {
                self.restart_at = Some(after_ms(at, ms));
                self.crash_at = Some(after_ms(at, RELIST_MS));
            }
            None => self.restart_at = Some(after_ms(at, RELIST_MS)),
        }
    }

    /// Waits to be restarted after the last of so many crashes.
    pub(crate) fn crash(&mut self, last: Exit, restarts: u32) {
        let ms = BACKOFF_MS.saturating_mul(1 << restarts.saturating_sub(1).min(5));
        let ms = ms.min(MAX_BACKOFF_MS);
        let began = last.since.unwrap_or(last.at);
        self.backoff = Some((ms, began));
        self.crash_loop = true;
        self.restart_at = Some(after_ms(last.at, ms));
        self.run = Run::Exited(Exit { attempt: restarts, ..last });
    }

    /// Ends the run if its time has come.
    pub(super) fn end_if_due(
        &mut self,
        container: &Container,
        context: &Context<'_>,
        at: Timestamp,
        may_restart: bool,
    ) {
        let Some((_, code)) = self.ends_at(container, context).filter(|(end, _)| *end <= at) else {
            return;
        };
        let restart = may_restart && (self.resized || should_restart(context.pod, container, code));
        let resets = restart && restarts_all(container, code);
        let oom = code == SIGKILL && eviction::exceeds_limit(context.pod, container);
        self.exit(at, code, restart);
        if let Run::Exited(exit) = &mut self.run {
            exit.oom = oom;
        }
        if resets {
            // The containers will be new ones, which have not crashed yet.
            (self.restart_at, self.crash_at) = (Some(after_ms(at, RELIST_MS)), None);
        }
    }

    /// Its end restarts all containers of the pod.
    pub(crate) fn resets_pod(&self, container: &Container) -> bool {
        matches!(&self.run, Run::Exited(exit) if restarts_all(container, exit.code))
            && self.restart_at.is_some()
    }

    /// Makes place for a new container, whatever has become of the old one.
    pub(super) fn reset(&mut self, container: &Container, at: Timestamp, out: &mut Recorder<'_>) {
        if self.run == Run::Waiting {
            return;
        }
        if self.running_since().is_some() {
            out.killing(container, "killing");
        }
        let removed = Exit { since: None, at, code: SIGKILL, attempt: self.attempt, oom: false };
        *self = Self {
            last: Some(removed),
            attempt: self.attempt + 1,
            backoff: self.backoff,
            probes: std::mem::take(&mut self.probes),
            ..Self::default()
        };
    }
}
