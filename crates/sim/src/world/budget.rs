//! When a run goes round in circles, it stops and names the objects of the loop.

use std::collections::{BTreeMap, BTreeSet};

use api::Gather;
use api::Timestamp;
use view::Notice;

use super::{Run, World};
use crate::queue::Task;

/// How busy the present instant was.
#[derive(Clone, Debug, Default)]
pub(super) struct Instant {
    pub(super) at: Timestamp,
    n_events: u64,
    /// How often each task ran lately; counted only when the budget is nearly spent.
    busy: BTreeMap<Task, u32>,
}

/// So many events before the budget ends, the tasks are counted to name the loop.
const LOOP_SAMPLE: u64 = 1_000;

impl World {
    /// Counts an event at this instant and stops the run if there were too many.
    pub(super) fn spend(&mut self, task: &Task, run: &Run) {
        let budget = run.budgets.events_at_one_instant;
        if self.instant.at != self.now {
            self.instant = Instant { at: self.now, ..Instant::default() };
        }
        self.instant.n_events += 1;
        if self.instant.n_events.saturating_add(LOOP_SAMPLE) > budget {
            *self.instant.busy.entry(task.clone()).or_default() += 1;
        }
        if self.instant.n_events >= budget {
            let mut busy: Vec<_> = self.instant.busy.iter().filter(|(_, n)| **n > 1).collect();
            busy.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
            let objects = busy.iter().take(10).map(|((_, key), _)| key.to_view()).collect();
            let names: BTreeSet<_> = busy.iter().map(|((id, _), _)| id.name()).to_set();
            let names: Vec<_> = names.into_iter().collect();
            let message = format!(
                "The run stopped: {budget} events at the same instant. It goes round between: {}.",
                names.join(", ")
            );
            self.halted = Some(Notice { code: "budget".to_owned(), message, objects });
        }
    }
}
