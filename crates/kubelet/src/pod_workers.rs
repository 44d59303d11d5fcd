//! The life of one pod's containers: what runs, what has ended, what starts when.
//!
//! Upstream: `pkg/kubelet/pod_workers.go`, `pkg/kubelet/kuberuntime/kuberuntime_manager.go`
//! (`computePodActions`, `doBackOff`), v1.36.
//! Differs from upstream: nothing runs, so that the times of everything follow from
//! [`crate::workload`], preStop hooks included; a pod whose sync has failed is synced again without
//! jitter.

mod restart;
mod termination;

use api::k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use api::resources::is_sidecar;
use api::time::{after_ms, after_secs};
use api::{Settings, Timestamp};

use crate::allocation::Resize;
use crate::events::Recorder;
use crate::eviction;
use crate::image_manager::Pull;
use crate::prober::{Probed, Probes, Verdict};
use crate::workload::{annotation_for, delay_ms, workload_of};
pub(crate) use restart::{RESTART_ALL, should_restart};
use restart::{restarts_after_probe, restarts_all};
use termination::grace_seconds;

/// The kubelet hears of an ended container with its next look. Upstream: the PLEG's relist period.
const RELIST_MS: i64 = 1_000;
/// A sync that a back-off has ended is repeated after its end, or after this time. Upstream:
/// `resyncInterval`.
const RESYNC_MS: i64 = 60_000;
/// Upstream: `initialBackOffPeriod` of crashing containers.
const BACKOFF_MS: i64 = 10_000;
/// Upstream: `MaxCrashLoopBackOff`.
const MAX_BACKOFF_MS: i64 = 300_000;
/// A container that needs more memory than it may have ends this long after its start.
const OOM_MS: i64 = 100;
/// The exit code of a process that SIGKILL ended.
pub(crate) const SIGKILL: i32 = 137;

/// What the worker may look at while it advances.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) spec: &'a PodSpec,
    pub(crate) seed: u64,
    pub(crate) settings: &'a Settings,
}

/// An ended run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exit {
    /// `None`: it never ran.
    pub(crate) since: Option<Timestamp>,
    pub(crate) at: Timestamp,
    pub(crate) code: i32,
    pub(crate) attempt: u32,
    /// It was killed for its use of memory.
    pub(crate) oom: bool,
}

/// What a container does now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Run {
    #[default]
    Waiting,
    Running {
        since: Timestamp,
        /// It was told to stop, and will have with this code.
        stop: Option<(Timestamp, i32)>,
    },
    Exited(Exit),
    /// The pod has ended, and nobody knows of this container. Upstream: `ContainerStatusUnknown`.
    Lost,
}

/// One container.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContainerRun {
    pub(crate) run: Run,
    pub(crate) last: Option<Exit>,
    pub(crate) attempt: u32,
    restart_at: Option<Timestamp>,
    crash_at: Option<Timestamp>,
    /// Shown as waiting with CrashLoopBackOff.
    pub(crate) crash_loop: bool,
    backoff: Option<(i64, Timestamp)>,
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

    fn probed<'a>(&self, container: &'a Container, context: &Context<'a>) -> Option<Probed<'a>> {
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

    fn succeeded(&self) -> bool {
        matches!(&self.run, Run::Exited(exit) if exit.code == 0)
    }

    /// When the running container ends if nothing else happens.
    fn ends_at(&self, container: &Container, context: &Context<'_>) -> Option<(Timestamp, i32)> {
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
    fn ready_from(&self, container: &Container, context: &Context<'_>) -> Option<Timestamp> {
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
    fn next(
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
    fn begin(
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

    fn start(
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
    fn end_if_due(
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
    fn reset(&mut self, container: &Container, at: Timestamp, out: &mut Recorder<'_>) {
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

/// The pod is being stopped as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    due: Timestamp,
    code: i32,
    /// Reason and message of the status, where the kubelet itself ends the pod.
    pub(crate) why: Option<(&'static str, String)>,
    /// The main containers could have been started before.
    initialized: bool,
    /// Not because the pod is called failed already.
    asked: bool,
    pub(crate) done: bool,
}

/// What the kubelet remembers of one pod.
#[derive(Clone, Debug)]
pub(crate) struct PodWorker {
    /// The pod's uid, or the hash of a static pod's manifest.
    pub(crate) identity: String,
    pub(crate) node: String,
    /// `status.startTime`.
    pub(crate) seen: Timestamp,
    /// Up to when everything has happened.
    pub(crate) clock: Timestamp,
    /// When the first container may start; `None` while volumes are missing.
    pub(crate) begin_at: Option<Timestamp>,
    pub(crate) begun: bool,
    pub(crate) ip: Option<String>,
    pub(crate) init: Vec<ContainerRun>,
    pub(crate) main: Vec<ContainerRun>,
    pub(crate) stop: Option<Stop>,
    /// Why the kubelet did not admit it.
    pub(crate) rejected: Option<(String, String)>,
    /// How much later it starts, because others have to make place for it, milliseconds.
    pub(crate) held_ms: i64,
    /// What has become of its resizes, if there were any.
    pub(crate) resize: Option<Box<Resize>>,
    /// Phase and readiness as they were reported last, to tell other writers from ourselves.
    pub(crate) reported: (&'static str, bool),
}

impl PodWorker {
    pub(crate) fn new(identity: String, node: String, spec: &PodSpec, now: Timestamp) -> Self {
        let n_init = spec.init_containers.as_ref().map_or(0, Vec::len);
        Self {
            identity,
            node,
            seen: now,
            clock: now,
            begin_at: None,
            begun: false,
            ip: None,
            init: vec![ContainerRun::default(); n_init],
            main: vec![ContainerRun::default(); spec.containers.len()],
            stop: None,
            rejected: None,
            held_ms: 0,
            resize: None,
            reported: ("Pending", false),
        }
    }

    /// Its first sync at `now`, by a kubelet that started at `base`.
    pub(crate) fn begin(
        &mut self,
        context: &Context<'_>,
        now: Timestamp,
        base: Timestamp,
        delay: i64,
    ) {
        self.begin_at = Some(after_ms(now, delay + self.held_ms));
        for (run, container) in self.all_mut(context.spec) {
            run.probes.add(context.pod, container, now, base, context.seed);
        }
    }

    fn all<'a>(
        &'a self,
        spec: &'a PodSpec,
    ) -> impl Iterator<Item = (&'a ContainerRun, &'a Container)> {
        let init = self.init.iter().zip(spec.init_containers.iter().flatten());
        init.chain(self.main.iter().zip(&spec.containers))
    }

    pub(crate) fn all_mut<'a>(
        &'a mut self,
        spec: &'a PodSpec,
    ) -> impl Iterator<Item = (&'a mut ContainerRun, &'a Container)> {
        let init = self.init.iter_mut().zip(spec.init_containers.iter().flatten());
        init.chain(self.main.iter_mut().zip(&spec.containers))
    }

    /// Every container has ended for good: the phase is final.
    pub(crate) fn is_over(&self, spec: &PodSpec) -> bool {
        let ended = || {
            (self.failed_init(spec) || self.mains_are_final())
                && self.init.iter().all(|it| it.running_since().is_none())
        };
        match &self.stop {
            _ if self.rejected.is_some() => true,
            None => ended(),
            Some(stop) => stop.done || ended() && !self.main.iter().any(|it| it.crash_loop),
        }
    }

    /// It ended before it began: it is called failed at the very end, when its conditions stand.
    pub(crate) fn ended_pending(&self) -> bool {
        self.stop.as_ref().is_some_and(|it| it.done && it.asked)
            && self.main.iter().any(ContainerRun::never_ran)
    }

    /// The node itself puts it out, and has not finished.
    pub(crate) fn is_being_evicted(&self) -> bool {
        self.stop.as_ref().is_some_and(|it| !it.done && it.why.is_some())
    }

    /// When it will have stopped.
    pub(crate) fn stops_at(&self) -> Option<Timestamp> {
        self.stop.as_ref().filter(|it| !it.done).map(|it| it.due)
    }

    fn mains_are_final(&self) -> bool {
        !self.main.is_empty() && self.main.iter().all(ContainerRun::is_final)
    }

    fn failed_init(&self, spec: &PodSpec) -> bool {
        let mut inits = self.init.iter().zip(spec.init_containers.iter().flatten());
        inits.any(|(run, container)| !is_sidecar(container) && run.is_final() && !run.succeeded())
    }

    /// Any of the main containers was started.
    pub(crate) fn is_initialized(&self) -> bool {
        self.main.iter().any(|it| it.run != Run::Waiting)
    }

    /// Upstream: `getPhase`.
    pub(crate) fn phase(&self, spec: &PodSpec) -> &'static str {
        if self.rejected.is_some() {
            "Failed"
        } else if self.is_over(spec) {
            let cut_short = self.stop.as_ref().is_some_and(|it| it.why.is_some());
            let ok = self.main.iter().all(ContainerRun::succeeded) && !self.failed_init(spec);
            let ok = ok && !cut_short;
            if ok { "Succeeded" } else { "Failed" }
        } else if self.main.iter().any(|it| it.run == Run::Waiting) {
            "Pending"
        } else {
            "Running"
        }
    }

    /// When something happens next; `None` when nothing will.
    pub(crate) fn next(&self, context: &Context<'_>, now: Timestamp) -> Option<Timestamp> {
        if self.is_over(context.spec) {
            return None;
        }
        let stop = self.stop.as_ref().map(|it| it.due);
        let deadline = match &self.stop {
            Some(_) => None,
            None => context.spec.active_deadline_seconds.map(|it| after_secs(self.seen, it)),
        };
        let begin = self.begin_at.filter(|_| !self.begun && self.stop.is_none());
        let containers = self.all(context.spec).filter_map(|(run, it)| run.next(it, context, now));
        let resized = self.resize.as_ref().and_then(|it| it.done_at);
        [stop, deadline, begin, resized].into_iter().flatten().chain(containers).min()
    }

    /// Lets everything happen that is due by `now`, in order, but nothing before `from`: what a
    /// changed annotation makes due in the past is due now.
    pub(crate) fn advance(
        &mut self,
        context: &Context<'_>,
        from: Timestamp,
        now: Timestamp,
        out: &mut Recorder<'_>,
    ) {
        for (run, container) in self.all_mut(context.spec) {
            if let Some(it) = run.probed(container, context) {
                run.probes.forget_before(&it, now);
            }
        }
        let mut at = from;
        self.cascade(context, at, out);
        self.sync_probes(context, at, out);
        while let Some(next) = self.next(context, at).filter(|it| *it <= now) {
            at = at.max(next);
            self.step(context, at, out);
            self.sync_probes(context, at, out);
        }
        self.clock = now;
    }

    /// With each sync of the pod, those of its containers are probed that are not ready.
    fn sync_probes(&mut self, context: &Context<'_>, at: Timestamp, out: &mut Recorder<'_>) {
        loop {
            let mut changed = false;
            for run in self.init.iter_mut().chain(&mut self.main) {
                changed |= std::mem::take(&mut run.probes.changed);
            }
            if !changed {
                return;
            }
            for (run, container) in self.all_mut(context.spec) {
                if let Some(it) = run.probed(container, context) {
                    run.probes.trigger(&it, at, out);
                }
            }
        }
    }

    fn step(&mut self, context: &Context<'_>, at: Timestamp, out: &mut Recorder<'_>) {
        if self.stop.as_ref().is_some_and(|it| it.due <= at) {
            for (run, container) in self.all_mut(context.spec) {
                run.end_if_due(container, context, at, false);
            }
            self.finish_stop(at);
            return;
        }
        let deadline = context.spec.active_deadline_seconds.map(|it| after_secs(self.seen, it));
        if self.stop.is_none() && deadline.is_some_and(|it| it <= at) {
            let why = (
                "DeadlineExceeded",
                "Pod was active on the node longer than the specified deadline",
            );
            out.pod(false, why.0, why.1);
            let grace = grace_seconds(context.spec) * 1_000;
            let why = Some((why.0, why.1.to_owned()));
            self.begin_stop(at, Some(grace), why, context, out);
        }
        if let Some(resize) = &mut self.resize {
            resize.complete(at, context.pod, out);
        }
        let may_restart = self.stop.is_none();
        let mut reset = false;
        for (run, container) in self.all_mut(context.spec) {
            reset |= step_container(run, container, context, at, may_restart, out);
        }
        if reset {
            for (run, container) in self.all_mut(context.spec) {
                run.reset(container, at, out);
            }
        }
        self.cascade(context, at, out);
    }

    /// A container has ended that brings all others to an end. Upstream:
    /// `ShouldAllContainersRestart`.
    pub(crate) fn is_resetting(&self, spec: &PodSpec) -> bool {
        self.all(spec).any(|(run, container)| run.resets_pod(container))
    }

    /// Starts what may start now. Upstream: `computePodActions`.
    fn cascade(&mut self, context: &Context<'_>, at: Timestamp, out: &mut Recorder<'_>) {
        if self.stop.is_some() || self.rejected.is_some() {
            return;
        }
        match self.begin_at {
            Some(begin) if begin <= at => self.begun = true,
            _ if !self.begun => return,
            _ => {}
        }
        if self.mains_are_final() || self.failed_init(context.spec) {
            self.stop_sidecars(context, at, out);
            return;
        }
        if self.is_initialized() {
            return;
        }
        let inits = context.spec.init_containers.as_deref().unwrap_or_default();
        for (run, container) in self.init.iter_mut().zip(inits) {
            if run.run == Run::Waiting {
                run.begin(container, context, at, out);
                step_container(run, container, context, at, true, out);
            }
            let done = if is_sidecar(container) { run.is_started() } else { run.succeeded() };
            if !done {
                return;
            }
        }
        for (run, container) in self.main.iter_mut().zip(&context.spec.containers) {
            run.begin(container, context, at, out);
            step_container(run, container, context, at, true, out);
        }
    }
}

/// Everything that is due for one container. Returns whether all containers are to be restarted.
fn step_container(
    run: &mut ContainerRun,
    container: &Container,
    context: &Context<'_>,
    at: Timestamp,
    may_restart: bool,
    out: &mut Recorder<'_>,
) -> bool {
    if let Some(it) = run.probed(container, context) {
        let verdict = run.probes.step(&it, at, out);
        if let Some(Verdict::Kill(probe, grace)) = verdict.filter(|_| may_restart) {
            let again = restarts_after_probe(context.pod, container);
            let again = if again { ", will be restarted" } else { "" };
            let name = &container.name;
            out.killing(container, &format!("Container {name} failed {probe} probe{again}"));
            let grace = grace.unwrap_or_else(|| grace_seconds(context.spec));
            run.stop_within(container, context, at, grace * 1_000, 0);
        }
    }
    run.end_if_due(container, context, at, may_restart);
    if !may_restart {
        (run.restart_at, run.crash_at, run.pull) = (None, None, None);
    }
    if let Some(pull) = run.pull.as_mut().filter(|it| it.at <= at)
        && let Some(pulled) = pull.step(context.pod, container, at, out)
    {
        run.pull = None;
        run.start(container, at, Some(pulled), out);
    }
    if run.crash_at.is_some_and(|it| it <= at) {
        let again = after_ms(at, RESYNC_MS);
        run.crash_at = run.restart_at.filter(|it| again < *it).map(|_| again);
        run.crash_loop = true;
        out.back_off(container);
    }
    if run.restart_at.is_none_or(|it| it > at) {
        return false;
    }
    let resets = run.resets_pod(container);
    if !resets {
        run.start(container, at, None, out);
    }
    resets
}
