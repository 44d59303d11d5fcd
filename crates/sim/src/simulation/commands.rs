//! What the user does during a run: steps, questions, and changes of the past.

use kubectl::{Outcome, Output};
use view::{CommandResult, Fork, TimedAction};

use super::{Horizon, Simulation};
use crate::client::{Reader, StoreClient};
use crate::history::Actor;
use crate::steps::{self, Came, Step};
use crate::world::Logs;

/// How long a command may wait for the cluster.
const MAX_WAIT_MS: i64 = 3_600_000;
/// How many events may pass while a command waits.
const MAX_WAIT_EVENTS: u64 = 200_000;

impl Simulation {
    /// Carries out a command line at the present time: `kubectl ...`, `fail node NAME`,
    /// `recover node NAME`, `stop controller NAME`, `start controller NAME`.
    ///
    /// In the past this discards the future and says so.
    pub fn command(&mut self, line: &str) -> CommandResult {
        self.act(TimedAction { command: line.to_owned(), ..TimedAction::default() })
    }

    /// Applies a manifest at the present time, as `kubectl apply -f -`.
    pub fn apply(&mut self, yaml: &str) -> CommandResult {
        self.act(TimedAction { yaml: yaml.to_owned(), ..TimedAction::default() })
    }

    /// Carries out an action at the present time; its `at_ms` does not count.
    pub fn act(&mut self, action: TimedAction) -> CommandResult {
        let now = self.now_ms();
        if steps::only_reads(&action) {
            return self.read(action);
        }
        // A replay will find this step after everything that is due at its time.
        while self.advance(now) {}
        let forked = self.discard_future();
        let index = self.world.next_step;
        self.steps.insert(index, Step::of_user(TimedAction { at_ms: now, ..action }));
        self.world.next_step = index + 1;
        let step = self.steps.get(index);
        let result = step.and_then(|it| self.world.run_step(index, it, &self.run, &mut self.logs));
        self.moved();
        let result = result.unwrap_or_else(|| self.wait_for(index));
        CommandResult { forked, ..result }
    }

    /// Lets time go on until the command of a step has ended.
    fn wait_for(&mut self, step: usize) -> CommandResult {
        let until = self.now_ms().saturating_add(MAX_WAIT_MS);
        for _ in 0..MAX_WAIT_EVENTS {
            if let Some((_, result)) = self.world.ended.take_if(|it| it.0 == step) {
                return result;
            }
            if !self.advance(until) {
                break;
            }
        }
        let wait = self.world.waits.iter().find(|it| it.step == step);
        wait.map(|it| given_up(&it.pending.output)).unwrap_or_default()
    }

    /// Carries out a command that changes nothing; while it waits, time goes on.
    fn read(&mut self, action: TimedAction) -> CommandResult {
        let mut came = self.try_out(action);
        let until = self.now_ms().saturating_add(MAX_WAIT_MS);
        for _ in 0..MAX_WAIT_EVENTS {
            let pending = match came {
                Came::Done(result) => return result,
                Came::Waits(pending) => pending,
            };
            let n_records = self.world.n_records;
            let deadline = pending.deadline.map_or(i64::MAX, |it| self.run.ms(it));
            if !self.advance(until.min(deadline)) {
                self.run_until(until.min(deadline), 1);
                let output = pending.output.clone();
                let last = pending.poll(&mut self.client());
                return match last {
                    Outcome::Done(output) => steps::result_of(output),
                    Outcome::Pending(_) => given_up(&output),
                };
            }
            came = if self.world.n_records == n_records {
                Came::Waits(pending)
            } else {
                match pending.poll(&mut self.client()) {
                    Outcome::Done(output) => Came::Done(steps::result_of(output)),
                    Outcome::Pending(pending) => Came::Waits(Box::new(pending)),
                }
            };
        }
        match came {
            Came::Done(result) => result,
            Came::Waits(pending) => given_up(&pending.output),
        }
    }

    fn client(&mut self) -> StoreClient<'_> {
        let Self { world, run, logs, .. } = self;
        StoreClient { world, run, logs, by: Actor::User, input: "" }
    }

    /// Carries out a command line that only reads, such as `kubectl get pods`. One that writes
    /// answers as it would, but changes nothing; one that waits does not.
    #[must_use]
    pub fn look(&self, line: &str) -> CommandResult {
        let action = TimedAction { command: line.to_owned(), ..TimedAction::default() };
        match self.try_out(action) {
            Came::Done(result) => result,
            Came::Waits(pending) => steps::result_of(pending.output),
        }
    }

    /// Carries out an action that only reads, or another one on a copy of the world.
    fn try_out(&self, action: TimedAction) -> Came {
        if steps::only_reads(&action) {
            return steps::look(&action, &mut Reader::new(&self.world, &self.run, &action.yaml));
        }
        let mut copy = self.world.clone();
        let step = Step::of_user(TimedAction { at_ms: self.now_ms(), ..action });
        steps::carry_out(&step, &mut copy, &self.run, &mut Logs::default())
    }

    /// Forgets what was simulated after the present and what the user did there.
    fn discard_future(&mut self) -> Option<Fork> {
        let now = self.now_ms();
        let next_step = self.world.next_step;
        let has_actions = self.steps.iter().skip(next_step).any(|it| it.by == Actor::User);
        if self.horizon.n_events <= self.world.n_events && !has_actions {
            self.horizon.ms = now;
            return None;
        }
        let fork = Fork {
            at_ms: now,
            horizon_ms: self.horizon.ms,
            n_events: self.horizon.n_events - self.world.n_events,
            actions: self.actions(),
        };
        let mut index = 0;
        self.steps.retain(|it| {
            index += 1;
            index <= next_step || it.by != Actor::User
        });
        self.logs.history.truncate(self.world.n_records);
        self.logs.moments.truncate(self.world.n_moments);
        self.logs.attempts.truncate(self.world.n_events);
        self.checkpoints.truncate(self.world.n_events);
        self.horizon = Horizon { n_events: self.world.n_events, ms: now };
        self.epoch += 1;
        Some(fork)
    }
}

/// What a command prints that waited as long as one may.
fn given_up(output: &Output) -> CommandResult {
    let result = steps::result_of(output.clone());
    let note = "(given up: an hour of simulated time, or very many events, went by)";
    let stderr = format!("{}{note}\n", result.stderr);
    CommandResult { output: format!("{}{note}\n", result.output), stderr, exit_code: 1, ..result }
}
