//! Going to a time, within a budget: one wish for a time far away must not run without end.

use api::duration::Duration;
use view::Notice;

use super::{Progress, Simulation};
use crate::attempts::Recording;

/// A wish that takes more events than these is a long run: who watches every attempt of the
/// scheduler does not go so far at once.
const LONG: u64 = 1_000;

/// How far one wish for a time has come. Calls for the same time belong together.
#[derive(Clone, Debug, Default)]
pub(super) struct Going {
    until_ms: i64,
    n_events: u64,
    /// Says that the budget is spent, until the run goes on.
    pub(super) pause: Option<Notice>,
}

impl Simulation {
    /// Runs everything that is due up to `ms`, at most `max_events` events, and sets the clock.
    ///
    /// When the events on the way to `ms` have used up [`crate::Budgets::events_in_one_go`],
    /// perhaps over several calls, the run pauses and a notice says so; the next call goes on with
    /// a fresh budget.
    pub fn run_until(&mut self, ms: i64, max_events: u64) -> Progress {
        if self.going.until_ms != ms || self.going.pause.is_some() {
            self.going = Going { until_ms: ms, ..Going::default() };
        }
        let budget = self.run.budgets.events_in_one_go;
        let mut n_events = 0;
        while n_events < max_events {
            self.logs.attempts.recording = match self.going.n_events < LONG {
                true => Recording::Full,
                false => Recording::Outlines,
            };
            if !self.advance(ms) {
                let reached = self.world.halted.is_none();
                if reached {
                    self.world.now = self.world.now.max(self.run.at(ms));
                    self.horizon.ms = self.horizon.ms.max(ms);
                    self.going = Going::default();
                }
                self.logs.attempts.recording = Recording::Full;
                return Progress { n_events, reached };
            }
            n_events += 1;
            self.going.n_events += 1;
            if self.going.n_events >= budget {
                self.going.pause = Some(pause(self.now_ms(), ms, budget));
                break;
            }
        }
        self.logs.attempts.recording = Recording::Full;
        Progress { n_events, reached: false }
    }

    /// Goes to a time, back or forth, running at most `max_events` events.
    pub fn seek(&mut self, ms: i64, max_events: u64) -> Progress {
        let ms = ms.max(0);
        if ms < self.now_ms() {
            let at = self.run.at(ms);
            self.restore(|it| it.now <= at);
        }
        self.run_until(ms, max_events)
    }

    /// Why the run stands still short of the time that it was last told to reach: a budget is
    /// spent. One that would never settle needs a change; one that was merely told to go very far
    /// goes on when it is told again.
    #[must_use]
    pub fn stopped(&self) -> Option<&Notice> {
        self.world.halted.as_ref().or(self.going.pause.as_ref())
    }

    /// Whether the run only pauses, because it was told to go very far.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.world.halted.is_none() && self.going.pause.is_some()
    }
}

/// The notice of a spent budget.
fn pause(now_ms: i64, until_ms: i64, budget: u64) -> Notice {
    let whole = |ms: i64| Duration::from_millis(ms.div_euclid(1_000) * 1_000);
    let message = format!(
        "The run stopped at {}, short of {}: {budget} events went by, as many as may in one go. \
         Asked for that time again, it goes on from here.",
        whole(now_ms),
        Duration::from_millis(until_ms)
    );
    Notice { code: "budget".to_owned(), message, objects: vec![] }
}
