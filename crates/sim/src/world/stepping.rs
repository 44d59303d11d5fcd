//! Steps of the scenario and the user, and commands that wait for the cluster.

use kubectl::Outcome;
use view::{CommandResult, Notice};

use super::{Logs, Run, World};
use crate::client::StoreClient;
use crate::history::Actor;
use crate::moments::MomentKind;
use crate::steps::{self, Came, Step, Wait};

impl World {
    /// Asks the commands that wait whether what they wait for has come.
    pub(super) fn poll(&mut self, run: &Run, logs: &mut Logs) {
        for wait in std::mem::take(&mut self.waits) {
            let Wait { step, by, line, pending } = wait;
            let mut client = StoreClient { world: self, run, logs, by, input: "" };
            match pending.poll(&mut client) {
                Outcome::Pending(pending) => self.waits.push(Wait { step, by, line, pending }),
                Outcome::Done(output) => {
                    let result = steps::result_of(&output);
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
