//! Simulated probe results.
//!
//! What a probe answers is told by the annotations `sim.orrery.dev/{startup,readiness,liveness}`
//! (also with `.<container>`): a list of `pass`, `fail`, `pass-after=<duration>` and
//! `fail-after=<duration>`, counted from the start of the container. A probe that nobody says
//! anything about passes. The thresholds, delays and periods are those of the manifest.
//!
//! Upstream: `pkg/kubelet/prober/{prober,worker}.go`, v1.36.
//! Differs from upstream: the first probe comes exactly after `initialDelaySeconds`, without the
//! phase of a ticker; from the 26th failure in a row on, one event in five minutes is recorded, which
//! is what client-go's spam filter lets through.

use api::Timestamp;
use api::k8s_openapi::api::core::v1::{Container, Pod, Probe};
use api::time::{after_secs, ms_between};

use crate::duration::parse_ms;
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

/// One probe of one run of a container.
#[derive(Clone, Debug, Default)]
struct Worker {
    last: Option<Timestamp>,
    /// Results in a row: passed if positive, failed if negative.
    streak: i64,
    told_at: Option<Timestamp>,
}

/// The probes of one run of a container.
#[derive(Clone, Debug)]
pub(crate) struct Probes {
    pub(crate) started: bool,
    pub(crate) ready: bool,
    started_at: Option<Timestamp>,
    startup: Worker,
    readiness: Worker,
    liveness: Worker,
    killed: bool,
}

impl Default for Probes {
    fn default() -> Self {
        Self::of(&Container::default())
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

impl Probes {
    /// Before the first probe: not started and not ready where a probe is to say so.
    pub(crate) fn of(container: &Container) -> Self {
        Self {
            started: container.startup_probe.is_none(),
            ready: container.readiness_probe.is_none(),
            started_at: None,
            startup: Worker::default(),
            readiness: Worker::default(),
            liveness: Worker::default(),
            killed: false,
        }
    }

    fn worker(&self, which: Which) -> &Worker {
        match which {
            Which::Startup => &self.startup,
            Which::Readiness => &self.readiness,
            Which::Liveness => &self.liveness,
        }
    }

    fn worker_mut(&mut self, which: Which) -> &mut Worker {
        match which {
            Which::Startup => &mut self.startup,
            Which::Readiness => &mut self.readiness,
            Which::Liveness => &mut self.liveness,
        }
    }

    fn script(pod: &Pod, container: &Container, which: Which) -> Script {
        Script::parse(annotation_for(pod, which.key(), container).unwrap_or_default())
    }

    /// When the next probe runs that can make a difference.
    pub(crate) fn next(
        &self,
        pod: &Pod,
        container: &Container,
        since: Timestamp,
    ) -> Option<Timestamp> {
        Which::ALL.into_iter().filter_map(|it| self.next_of(it, pod, container, since)).min()
    }

    fn next_of(
        &self,
        which: Which,
        pod: &Pod,
        container: &Container,
        since: Timestamp,
    ) -> Option<Timestamp> {
        let probe = which.probe(container)?;
        let startup = which == Which::Startup;
        if self.killed || startup == self.started {
            return None;
        }
        let worker = self.worker(which);
        let from = after_secs(since, i64::from(probe.initial_delay_seconds.unwrap_or(0)));
        let Some(last) = worker.last else {
            return Some(if startup { from } else { from.max(self.started_at.unwrap_or(from)) });
        };
        let script = Self::script(pod, container, which);
        let settled = worker.settled(probe);
        let tick = after_secs(last, period(probe));
        if !settled || (worker.streak > 0) != script.passes(ms_between(since, tick)) {
            return Some(tick);
        }
        // Nothing new until the answer changes, or until a failure may be told again.
        let change = script.changes_after(ms_between(since, last));
        let change = change.map(|ms| api::time::after_ms(since, ms));
        let failures = u32::try_from(-worker.streak).unwrap_or(0);
        let again = match failures {
            0 => None,
            n if n < EVENT_BURST => Some(tick),
            _ => worker.told_at.map(|it| api::time::after_ms(it, EVENT_REFILL_MS)),
        };
        let wanted = [change, again].into_iter().flatten().min()?;
        let periods = ms_between(last, wanted).max(1) - 1;
        Some(after_secs(last, (periods / (period(probe) * 1_000) + 1) * period(probe)))
    }

    /// Probes that could not have changed anything before `now` count as done, so that a changed
    /// annotation does not reach into the past.
    pub(crate) fn forget_before(
        &mut self,
        container: &Container,
        since: Timestamp,
        now: Timestamp,
    ) {
        for which in Which::ALL {
            let Some(probe) = which.probe(container) else { continue };
            let worker = self.worker_mut(which);
            let Some(last) = worker.last.filter(|_| worker.settled(probe)) else { continue };
            let periods = (ms_between(last, now).max(1) - 1) / (period(probe) * 1_000);
            worker.last = Some(after_secs(last, periods * period(probe)).max(since));
        }
    }

    /// Runs the probes that are due.
    pub(crate) fn step(
        &mut self,
        pod: &Pod,
        container: &Container,
        since: Timestamp,
        at: Timestamp,
        out: &mut Recorder<'_>,
    ) -> Option<Verdict> {
        let mut verdict = None;
        for which in Which::ALL {
            let due = self.next_of(which, pod, container, since).is_some_and(|it| it <= at);
            let Some(probe) = which.probe(container).filter(|_| due) else { continue };
            let passed = Self::script(pod, container, which).passes(ms_between(since, at));
            let worker = self.worker_mut(which);
            worker.count(passed, at);
            if !passed && worker.may_tell(at) {
                out.unhealthy(container, failure_text(which, probe));
            }
            if !worker.settled(probe) {
                continue;
            }
            match (which, passed) {
                (Which::Startup, true) => (self.started, self.started_at) = (true, Some(at)),
                (Which::Readiness, _) => self.ready = passed,
                (Which::Liveness, true) => {}
                (Which::Startup | Which::Liveness, false) => {
                    self.killed = true;
                    let grace = probe.termination_grace_period_seconds;
                    verdict = Some(Verdict::Kill(which.key(), grace));
                }
            }
        }
        verdict
    }
}

impl Worker {
    fn count(&mut self, passed: bool, at: Timestamp) {
        self.last = Some(at);
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
