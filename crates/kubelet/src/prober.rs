//! Simulated probe results.
//!
//! What a probe answers is told by the annotations `sim.orrery.dev/{startup,readiness,liveness}`
//! (also with `.<container>`): a list of `pass`, `fail`, `pass-after=<duration>` and
//! `fail-after=<duration>`, counted from the start of the container. A probe that nobody says
//! anything about passes. The thresholds, delays and periods are those of the manifest.
//!
//! A probe ticks from when its pod was first synced, whenever the container starts. The readiness
//! probe is also asked with each sync of a pod that is not ready, which shifts its ticks.
//!
//! Upstream: `pkg/kubelet/prober/{prober,prober_manager,worker}.go`, v1.36.
//! Differs from upstream: the syncs of a pod that come every minute or so do not ask for a probe; from
//! the 26th failure in a row on, one event in five minutes is recorded, which is what client-go's spam
//! filter lets through.

use api::k8s_openapi::api::core::v1::{Container, Pod, Probe};
use api::time::{after_ms, after_secs, ms_between};
use api::{Resource, Timestamp};

use crate::duration::{hash, parse_ms};
use crate::events::Recorder;
use crate::workload::annotation_for;

/// Upstream: the burst of client-go's event spam filter.
const EVENT_BURST: u32 = 25;
/// Upstream: one token of that filter in so many milliseconds.
const EVENT_REFILL_MS: i64 = 300_000;

/// What has to follow from a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The container has to be killed, because this kind of probe failed; with the grace period of
    /// the probe, seconds, where it has its own.
    Kill(&'static str, Option<i64>),
}

/// What a probe answers over the time since the container's start, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Script {
    passes_from: i64,
    fails_from: i64,
}

impl Script {
    fn parse(text: &str) -> Self {
        let mut script = Self { passes_from: 0, fails_from: i64::MAX };
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                Some(("pass-after", it)) => script.passes_from = parse_ms(it).unwrap_or(0),
                Some(("fail-after", it)) => script.fails_from = parse_ms(it).unwrap_or(i64::MAX),
                None if part == "fail" || part == "false" => script.fails_from = 0,
                _ => {}
            }
        }
        script
    }

    fn passes(self, ms: i64) -> bool {
        ms >= self.passes_from && ms < self.fails_from
    }

    /// The next time after `ms` at which the answer changes.
    fn changes_after(self, ms: i64) -> Option<i64> {
        let times = [self.passes_from, self.fails_from];
        times.into_iter().filter(|it| *it > ms && *it < i64::MAX).min()
    }
}

/// What probes one thing of a container, over all its runs. Upstream: `worker`.
#[derive(Clone, Debug, Default)]
struct Worker {
    /// A tick. The others come a period apart, the first is this one or none before it.
    phase: Option<Timestamp>,
    /// Up to when everything has happened.
    done: Option<Timestamp>,
    /// Results in a row: passed if positive, failed if negative. They count over the runs.
    streak: i64,
    told_at: Option<Timestamp>,
    /// Nothing more is probed in this run of the container.
    on_hold: bool,
    /// It has seen this run of the container.
    knows: bool,
    /// It was asked to probe at once while it slept.
    pending: bool,
}

/// The probes of a container and what they have said of its present run.
#[derive(Clone, Debug)]
pub(crate) struct Probes {
    pub(crate) started: bool,
    pub(crate) ready: bool,
    /// The pod is to be synced for this container. Upstream: `handleProbeSync`, and the events of
    /// the PLEG.
    pub(crate) changed: bool,
    started_at: Option<Timestamp>,
    /// By [`Which`]; `None` for a container without probes.
    workers: Option<Box<[Worker; 3]>>,
}

impl Default for Probes {
    fn default() -> Self {
        Self { started: true, ready: true, changed: false, started_at: None, workers: None }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Startup,
    Readiness,
    Liveness,
}

impl Which {
    const ALL: [Which; 3] = [Which::Startup, Which::Readiness, Which::Liveness];

    fn probe(self, container: &Container) -> Option<&Probe> {
        match self {
            Which::Startup => container.startup_probe.as_ref(),
            Which::Readiness => container.readiness_probe.as_ref(),
            Which::Liveness => container.liveness_probe.as_ref(),
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Which::Startup => "startup",
            Which::Readiness => "readiness",
            Which::Liveness => "liveness",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Which::Startup => "Startup",
            Which::Readiness => "Readiness",
            Which::Liveness => "Liveness",
        }
    }
}

/// A running container that is probed.
#[derive(Clone, Copy)]
pub(crate) struct Probed<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) container: &'a Container,
    /// When it started.
    pub(crate) since: Timestamp,
}

impl Probed<'_> {
    fn script(&self, which: Which) -> Script {
        Script::parse(annotation_for(self.pod, which.key(), self.container).unwrap_or_default())
    }

    /// When `initialDelaySeconds` are over. They count from the start in whole seconds, which is
    /// what the status says.
    fn probed_from(&self, probe: &Probe) -> Timestamp {
        let since = Timestamp::from_second(self.since.as_second()).unwrap_or(self.since);
        after_secs(since, i64::from(probe.initial_delay_seconds.unwrap_or(0)))
    }
}

impl Probes {
    /// Begins to probe a container of a pod at `now`, by a kubelet that started at `base`: a young
    /// one waits for a random part of the period first. Upstream: `AddPod` and `run`.
    pub(crate) fn add(
        &mut self,
        pod: &Pod,
        container: &Container,
        now: Timestamp,
        base: Timestamp,
        seed: u64,
    ) {
        for (index, which) in Which::ALL.into_iter().enumerate() {
            let Some(probe) = which.probe(container) else { continue };
            let period_ms = period(probe) * 1_000;
            let words = [which.key(), pod.namespace(), pod.name(), &container.name];
            let jitter = i64::try_from(hash(seed, &words) >> 1).unwrap_or_default() % period_ms;
            let young = ms_between(base, now) < period_ms;
            let phase = if young { after_ms(now, jitter) } else { now };
            self.workers.get_or_insert_default()[index].phase = Some(phase);
        }
    }

    /// The container runs anew: not started and not ready where a probe is to say so.
    pub(crate) fn begin_run(&mut self, container: &Container) {
        self.started = container.startup_probe.is_none();
        self.ready = container.readiness_probe.is_none();
        self.started_at = None;
        self.changed = true;
        for worker in self.workers.iter_mut().flat_map(|it| it.iter_mut()) {
            (worker.on_hold, worker.knows) = (false, false);
        }
    }

    /// Goes on with a run that another kubelet has reported.
    pub(crate) fn resume_run(&mut self, container: &Container, started: bool, ready: bool) {
        self.begin_run(container);
        (self.started, self.ready, self.changed) = (started, ready, false);
    }

    /// The pod is being stopped. Upstream: `StopLivenessAndStartup`.
    pub(crate) fn stop_killing(&mut self) {
        if let Some([startup, _, liveness]) = self.workers.as_deref_mut() {
            (startup.on_hold, liveness.on_hold) = (true, true);
        }
    }

    fn parts<'a>(
        &'a self,
        container: &'a Container,
    ) -> impl Iterator<Item = (Which, &'a Probe, &'a Worker)> {
        let workers = self.workers.iter().flat_map(|it| it.iter());
        let parts = Which::ALL.into_iter().zip(workers);
        parts.filter_map(|(which, worker)| Some((which, which.probe(container)?, worker)))
    }

    /// When the next probe runs that can make a difference.
    pub(crate) fn next(&self, of: &Probed<'_>) -> Option<Timestamp> {
        let parts = self.parts(of.container);
        parts.filter_map(|(which, probe, it)| self.next_of(which, probe, it, of)).min()
    }

    fn next_of(
        &self,
        which: Which,
        probe: &Probe,
        worker: &Worker,
        of: &Probed<'_>,
    ) -> Option<Timestamp> {
        // Other probes wait for the startup probe, and do not come in the same instant.
        if worker.on_hold || (which == Which::Startup) == self.started {
            return None;
        }
        let before = [Some(of.since), self.started_at, worker.done].into_iter().flatten().max()?;
        let from = of.probed_from(probe).max(after_ms(before, 1));
        let tick = worker.tick_from(from, probe, of.since);
        if self.is_open(which, probe, worker) {
            return Some(tick);
        }
        let script = of.script(which);
        if (worker.streak > 0) != script.passes(ms_between(of.since, tick)) {
            return Some(tick);
        }
        // Nothing new until the answer changes, or until a failure may be told again.
        let change = script.changes_after(ms_between(of.since, tick));
        let change = change.map(|ms| after_ms(of.since, ms));
        let failures = u32::try_from(-worker.streak).unwrap_or(0);
        let again = match failures {
            0 => None,
            n if n < EVENT_BURST => Some(tick),
            _ => worker.told_at.map(|it| after_ms(it, EVENT_REFILL_MS)),
        };
        let wanted = [change, again].into_iter().flatten().min()?;
        Some(worker.tick_from(wanted.max(from), probe, of.since))
    }

    /// Whether one more result like the last could make a difference.
    fn is_open(&self, which: Which, probe: &Probe, worker: &Worker) -> bool {
        let said = which != Which::Readiness || self.ready == (worker.streak > 0);
        !worker.knows || !worker.settled(probe) || !said
    }

    /// Probes that could not have changed anything before `now` count as done, so that a changed
    /// annotation does not reach into the past.
    pub(crate) fn forget_before(&mut self, of: &Probed<'_>, now: Timestamp) {
        for (index, which) in Which::ALL.into_iter().enumerate() {
            let Some(probe) = which.probe(of.container) else { continue };
            let Some(worker) = self.workers.as_ref().map(|it| &it[index]) else { continue };
            if !self.is_open(which, probe, worker)
                && let Some(workers) = &mut self.workers
            {
                let before = after_ms(now, -1);
                workers[index].done = workers[index].done.max(Some(before));
            }
        }
    }

    /// Runs the probes that are due.
    pub(crate) fn step(
        &mut self,
        of: &Probed<'_>,
        at: Timestamp,
        out: &mut Recorder<'_>,
    ) -> Option<Verdict> {
        let mut verdict = None;
        for (index, which) in Which::ALL.into_iter().enumerate() {
            let Some(probe) = which.probe(of.container) else { continue };
            let Some(worker) = self.workers.as_ref().map(|it| &it[index]) else { continue };
            if self.next_of(which, probe, worker, of).is_none_or(|it| it > at) {
                continue;
            }
            verdict = self.run(which, probe, of, at, out).or(verdict);
            let pending = self.workers.as_mut().map(|it| std::mem::take(&mut it[index].pending));
            if pending == Some(true) {
                self.run(which, probe, of, at, out);
            }
        }
        verdict
    }

    /// The pod is synced: whoever has yet to be ready is probed at once. Upstream:
    /// `UpdatePodStatus`.
    pub(crate) fn trigger(&mut self, of: &Probed<'_>, at: Timestamp, out: &mut Recorder<'_>) {
        let Some(probe) = of.container.readiness_probe.as_ref() else { return };
        let Some([_, worker, _]) = self.workers.as_deref_mut() else { return };
        if !self.started || self.ready {
            return;
        }
        if worker.phase.is_some_and(|it| it > at) && worker.done.is_none() {
            worker.pending = true;
            return;
        }
        // A tick since the start has shown it this run.
        let tick = worker.tick_from(after_ms(of.since, 1), probe, of.since);
        worker.knows |= tick < at;
        worker.phase = Some(at);
        if of.probed_from(probe) <= at {
            self.run(Which::Readiness, probe, of, at, out);
        }
        if let Some([_, worker, _]) = self.workers.as_deref_mut() {
            (worker.knows, worker.done) = (true, Some(at));
        }
    }

    /// Upstream: `doProbe`.
    fn run(
        &mut self,
        which: Which,
        probe: &Probe,
        of: &Probed<'_>,
        at: Timestamp,
        out: &mut Recorder<'_>,
    ) -> Option<Verdict> {
        let index = Which::ALL.into_iter().position(|it| it == which)?;
        let worker = &mut self.workers.as_deref_mut()?[index];
        let passed = of.script(which).passes(ms_between(of.since, at));
        // The first look at a run is news by itself.
        self.changed |= !std::mem::replace(&mut worker.knows, true) && which == Which::Readiness;
        worker.count(passed, at);
        if !passed && worker.may_tell(at) {
            out.unhealthy(of.container, failure_text(which, probe));
        }
        if !worker.settled(probe) {
            return None;
        }
        match (which, passed) {
            (Which::Readiness, _) => {
                self.changed |= self.ready != passed;
                self.ready = passed;
                return None;
            }
            (Which::Liveness, true) => return None,
            (Which::Startup, true) => (self.started, self.started_at) = (true, Some(at)),
            (Which::Startup | Which::Liveness, false) => {}
        }
        self.changed = true;
        (worker.on_hold, worker.streak) = (true, 0);
        let grace = probe.termination_grace_period_seconds;
        (!passed).then(|| Verdict::Kill(which.key(), grace))
    }
}

impl Worker {
    /// The first tick that is not before a time.
    fn tick_from(&self, from: Timestamp, probe: &Probe, since: Timestamp) -> Timestamp {
        let phase = self.phase.unwrap_or(since);
        let period_ms = period(probe) * 1_000;
        let periods = (ms_between(phase, from) + period_ms - 1).div_euclid(period_ms).max(0);
        let tick = after_ms(phase, periods * period_ms);
        // Times may be finer than milliseconds.
        if tick < from { after_ms(tick, period_ms) } else { tick }
    }

    fn count(&mut self, passed: bool, at: Timestamp) {
        self.done = Some(at);
        let sign = if passed { 1 } else { -1 };
        self.streak = if self.streak * sign > 0 { self.streak + sign } else { sign };
    }

    /// Whether enough results in a row agree.
    fn settled(&self, probe: &Probe) -> bool {
        let success = i64::from(probe.success_threshold.unwrap_or(1)).max(1);
        let failure = i64::from(probe.failure_threshold.unwrap_or(3)).max(1);
        self.streak >= success || -self.streak >= failure
    }

    fn may_tell(&mut self, at: Timestamp) -> bool {
        let first = u32::try_from(-self.streak).unwrap_or(0) <= EVENT_BURST;
        let later = self.told_at.is_none_or(|it| ms_between(it, at) >= EVENT_REFILL_MS);
        if first || later {
            self.told_at = Some(at);
        }
        first || later
    }
}

fn period(probe: &Probe) -> i64 {
    i64::from(probe.period_seconds.unwrap_or(10)).max(1)
}

/// Upstream's prober prints what the probe's handler said; these are the commonest answers.
fn failure_text(which: Which, probe: &Probe) -> String {
    let output = if probe.http_get.is_some() {
        "HTTP probe failed with statuscode: 500"
    } else if probe.grpc.is_some() {
        "service unhealthy (responded with \"NOT_SERVING\")"
    } else if probe.tcp_socket.is_some() {
        "dial tcp: connect: connection refused"
    } else {
        ""
    };
    format!("{} probe failed: {output}", which.title())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_pass_unless_told_otherwise() {
        for (text, at, passes) in [
            ("", 0, true),
            ("pass", 5, true),
            ("fail", 0, false),
            ("pass-after=5s", 4_999, false),
            ("pass-after=5s", 5_000, true),
            ("fail-after=30s", 29_999, true),
            ("fail-after=30s", 30_000, false),
            ("pass-after=5s, fail-after=8s", 6_000, true),
            ("pass-after=5s, fail-after=8s", 8_000, false),
        ] {
            assert_eq!(Script::parse(text).passes(at), passes, "{text} at {at}");
        }
    }
}
