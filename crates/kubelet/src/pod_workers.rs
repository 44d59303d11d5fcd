//! The life of one pod's containers: what runs, what has ended, what starts when.
//!
//! Upstream: `pkg/kubelet/pod_workers.go`, `pkg/kubelet/kuberuntime/kuberuntime_manager.go`
//! (`computePodActions`, `doBackOff`), v1.36.
//! Differs from upstream: nothing runs, so that the times of everything follow from
//! [`crate::workload`], preStop hooks included; a pod whose sync has failed is synced again without
//! jitter.

mod container_run;
mod restart;
mod termination;

use api::k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use api::resources::is_sidecar;
use api::time::{after_ms, after_secs};
use api::{Settings, Timestamp};

use crate::allocation::Resize;
use crate::events::Recorder;
use crate::prober::Verdict;
pub(crate) use container_run::ContainerRun;
use restart::restarts_after_probe;
pub(crate) use restart::{RESTART_ALL, should_restart};
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
            Some(stop) => {
                let mut all = self.init.iter().chain(&self.main);
                stop.done || ended() && !all.any(|it| it.crash_loop)
            }
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
