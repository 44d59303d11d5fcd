//! Steps of the scenario and the user, and commands that wait for the cluster.

use kubectl::Outcome;
use view::{CommandResult, Notice};

use super::{Logs, Run, World};
use crate::client::StoreClient;
use crate::history::Actor;
use crate::moments::MomentKind;
use crate::steps::{self, Came, Step, Wait};

/// What comes next.
#[derive(Clone, Copy)]
pub(crate) enum Next {
    Step(usize),
    Task,
}

impl World {
    /// What is next, and when, in milliseconds of the run. Of a task and a step at the same time
    /// the task comes first, so that a step finds the cluster settled at its time, whenever it was
    /// added.
    pub(crate) fn next(&self, run: &Run, steps: &[Step]) -> Option<(i64, Next)> {
        let now = run.ms(self.now);
        let step = steps.get(self.next_step);
        let step = step.map(|it| (it.at_ms.max(now), Next::Step(self.next_step)));
        if self.halted.is_some() {
            return step.filter(|(at, _)| *at == now);
        }
        let task = self.next_at().map(|at| (run.ms(at), Next::Task));
        match (task, step) {
            (Some(task), Some(step)) => Some(if task.0 <= step.0 { task } else { step }),
            (task, step) => task.or(step),
        }
    }

    /// Runs the next event if it is due at `until_ms` or before, and returns whether it was.
    pub(crate) fn advance(
        &mut self,
        run: &Run,
        steps: &[Step],
        logs: &mut Logs,
        until_ms: i64,
    ) -> bool {
        let next = self.next(run, steps).filter(|(at, _)| *at <= until_ms);
        match next {
            None => return false,
            Some((_, Next::Task)) => self.run_task(run, logs),
            Some((at, Next::Step(index))) => {
                self.now = run.at(at);
                if let Some(step) = steps.get(index) {
                    self.next_step = index + 1;
                    self.run_step(index, step, run, logs);
                }
            }
        }
        true
    }

    /// Asks the commands that wait whether what they wait for has come.
    pub(super) fn poll(&mut self, run: &Run, logs: &mut Logs) {
        for wait in std::mem::take(&mut self.waits) {
            let Wait { step, by, line, pending } = wait;
            let mut client = StoreClient { world: self, run, logs, by, input: "" };
            match pending.poll(&mut client) {
                Outcome::Pending(pending) => self.waits.push(Wait { step, by, line, pending }),
                Outcome::Done(output) => {
                    let result = steps::result_of(output);
                    self.record(by, "ended", None, line.as_str(), run, logs);
                    self.note(MomentKind::Step, None, None, format!("{line} ended"), run, logs);
                    self.notice_failure(by, &line, &result);
                    self.ended = Some((step, result));
                }
            }
        }
    }

    /// Carries out a step. Nothing comes back from one that goes on waiting.
    pub(crate) fn run_step(
        &mut self,
        number: usize,
        step: &Step,
        run: &Run,
        logs: &mut Logs,
    ) -> Option<CommandResult> {
        let line = steps::words(step);
        self.n_events += 1;
        self.halted = None;
        self.record(step.by, "step", None, line.as_str(), run, logs);
        self.note(MomentKind::Step, None, None, line.clone(), run, logs);
        match steps::carry_out(step, self, run, logs) {
            Came::Done(result) => {
                self.notice_failure(step.by, &line, &result);
                Some(result)
            }
            Came::Waits(pending) => {
                self.waits.push(Wait { step: number, by: step.by, line, pending: *pending });
                None
            }
        }
    }

    /// A step of the scenario that fails is told; the user sees the output at once.
    fn notice_failure(&mut self, by: Actor, line: &str, result: &CommandResult) {
        if result.exit_code != 0 && by == Actor::Scenario {
            let output = result.output.trim_end();
            self.notice(Notice {
                code: "step-failed".to_owned(),
                message: format!("The step \"{line}\" failed: {output}"),
                objects: vec![],
            });
        }
    }
}
