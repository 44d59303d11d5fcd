//! A run that can be turned forwards and backwards.

use std::collections::BTreeMap;

use api::{Kind, Object, ObjectRef, Timestamp};
use kubectl::{Outcome, Output};
use view::{
    CommandResult, Delta, Diagnosis, Diagnostic, Fork, Lane, Mark, ObjectName, RunState,
    TimedAction,
};

use crate::checkpoints::Checkpoints;
use crate::client::StoreClient;
use crate::history::{Actor, Record};
use crate::picture::{self, Frame};
use crate::script::{Options, Script};
use crate::steps::{self, Came, Step};
use crate::world::{Logs, Run, World};

/// The most marks that are handed out.
const MAX_MARKS: usize = 20_000;

/// How long a command may wait for the cluster.
const MAX_WAIT_MS: i64 = 3_600_000;
/// How many events may pass while a command waits.
const MAX_WAIT_EVENTS: u64 = 200_000;

/// What comes next.
enum Next {
    Step(usize),
    Task,
}

/// How far the run has ever come since its past was last changed.
#[derive(Clone, Copy, Debug, Default)]
struct Horizon {
    n_events: u64,
    ms: i64,
}

/// What a bounded piece of a run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many events ran.
    pub n_events: u64,
    /// Whether the goal was reached, rather than the bound or a budget.
    pub reached: bool,
}

/// A run: a cluster, its clock and its history.
///
/// Everything that is shown is a function of the text, the options, the actions and the time.
pub struct Simulation {
    script: Script,
    options: Options,
    run: Run,
    steps: Vec<Step>,
    world: World,
    logs: Logs,
    checkpoints: Checkpoints,
    horizon: Horizon,
    epoch: u64,
}

impl Simulation {
    /// Reads a text and sets up its cluster at time zero.
    ///
    /// # Errors
    /// All diagnostics, if one of them is an error.
    pub fn load(text: &str, options: Options) -> Result<Self, Vec<Diagnostic>> {
        let script = Script::read(text, &options)?;
        let run = script.run(&options);
        let mut logs = Logs::default();
        let (world, script) = script.boot(&run, &mut logs)?;
        let steps = script.steps(&options.actions);
        let checkpoints = Checkpoints::new(world.clone());
        let horizon = Horizon::default();
        Ok(Self { script, options, run, steps, world, logs, checkpoints, horizon, epoch: 1 })
    }

    /// All problems of a text, without running it.
    #[must_use]
    pub fn lint(text: &str, options: &Options) -> Vec<Diagnostic> {
        let script = match Script::read(text, options) {
            Ok(script) => script,
            Err(diagnostics) => return diagnostics,
        };
        let run = script.run(options);
        match script.check(&run) {
            Ok(script) => script.diagnostics,
            Err(diagnostics) => diagnostics,
        }
    }

    /// The warnings and notes about the text.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.script.diagnostics
    }

    /// Now, milliseconds of the run.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.run.ms(self.world.now)
    }

    /// How many events have run up to now.
    #[must_use]
    pub fn n_events(&self) -> u64 {
        self.world.n_events
    }

    /// The hash of the history up to now.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.world.hash.value()
    }

    /// The changes since the last call, each with its time in milliseconds of the run, as a watch
    /// would report them. The first call begins the watch.
    pub fn take_changes(&mut self) -> Vec<(i64, api::Change)> {
        self.logs.changes.replace(Vec::new()).unwrap_or_default()
    }

    /// The objects as they are now.
    #[must_use]
    pub fn listers(&self) -> api::Listers<'_> {
        self.world.listers()
    }

    /// When the next event is due, milliseconds of the run.
    #[must_use]
    pub fn next_ms(&self) -> Option<i64> {
        self.next().map(|(at, _)| at)
    }

    /// What is next, and when. Of a task and a step at the same time the task comes first, so that
    /// a step finds the cluster settled at its time, whenever it was added.
    fn next(&self) -> Option<(i64, Next)> {
        let now = self.now_ms();
        let step = self.steps.get(self.world.next_step);
        let step = step.map(|it| (it.at_ms.max(now), Next::Step(self.world.next_step)));
        if self.world.halted.is_some() {
            return step.filter(|(at, _)| *at == now);
        }
        let task = self.world.next_at().map(|at| (self.run.ms(at), Next::Task));
        match (task, step) {
            (Some(task), Some(step)) => Some(if task.0 <= step.0 { task } else { step }),
            (task, step) => task.or(step),
        }
    }

    /// Runs the next event if it is due at `until` or before.
    fn advance(&mut self, until_ms: i64) -> bool {
        let next = self.next().filter(|(at, _)| *at <= until_ms);
        let Some((at, next)) = next else { return false };
        match next {
            Next::Task => self.world.run_task(&self.run, &mut self.logs),
            Next::Step(index) => {
                self.world.now = self.run.at(at);
                self.run_step(index);
            }
        }
        self.moved();
        true
    }

    fn run_step(&mut self, index: usize) -> Option<CommandResult> {
        let step = self.steps.get(index)?;
        self.world.next_step = index + 1;
        self.world.run_step(index, step, &self.run, &mut self.logs)
    }

    fn moved(&mut self) {
        self.checkpoints.offer(&self.world);
        self.horizon.n_events = self.horizon.n_events.max(self.world.n_events);
        self.horizon.ms = self.horizon.ms.max(self.now_ms());
    }

    /// Runs the next event. Returns whether there was one.
    pub fn step(&mut self) -> bool {
        self.advance(i64::MAX)
    }

    /// Runs up to the next event with something to see: a pod, job, node or other object changed
    /// in a way that a reader would notice, or a warning was recorded.
    pub fn step_interesting(&mut self, max_events: u64) -> Progress {
        let n_moments = self.world.n_moments;
        let mut n_events = 0;
        while n_events < max_events && self.advance(i64::MAX) {
            n_events += 1;
            if self.world.n_moments > n_moments {
                return Progress { n_events, reached: true };
            }
        }
        Progress { n_events, reached: false }
    }

    /// Runs everything that is due up to `ms`, at most `max_events` events, and sets the clock.
    pub fn run_until(&mut self, ms: i64, max_events: u64) -> Progress {
        let mut n_events = 0;
        while n_events < max_events {
            if !self.advance(ms) {
                let reached = self.world.halted.is_none();
                if reached {
                    self.world.now = self.world.now.max(self.run.at(ms));
                    self.horizon.ms = self.horizon.ms.max(ms);
                }
                return Progress { n_events, reached };
            }
            n_events += 1;
        }
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

    /// Goes to the moment after event number `n_events`, back or forth.
    pub fn seek_event(&mut self, n_events: u64) {
        if n_events < self.world.n_events {
            self.restore(|it| it.n_events <= n_events);
        }
        while self.world.n_events < n_events && self.advance(i64::MAX) {}
    }

    /// Goes back by one event. Returns whether there was one.
    pub fn step_back(&mut self) -> bool {
        let Some(before) = self.world.n_events.checked_sub(1) else { return false };
        self.seek_event(before);
        true
    }

    /// Goes back to the last time before now at which there was something to see.
    pub fn step_back_interesting(&mut self) -> bool {
        let now = self.now_ms();
        let moments = self.logs.moments.until(self.world.n_moments);
        let before = moments.rev().map(|it| it.at_ms).find(|it| *it < now);
        let ms = before.unwrap_or(0);
        self.seek(ms, u64::MAX);
        ms < now
    }

    /// Puts the latest checkpoint that `is_before` accepts in place of the present.
    fn restore(&mut self, is_before: impl Fn(&World) -> bool) {
        let Some(world) = self.checkpoints.latest(is_before) else { return };
        let gone = std::mem::replace(&mut self.world, world);
        touch_differences(&gone, &self.world, &mut self.logs);
    }

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
        let result = self.run_step(index);
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
                    Outcome::Done(output) => steps::result_of(&output),
                    Outcome::Pending(_) => given_up(&output),
                };
            }
            came = if self.world.n_records == n_records {
                Came::Waits(pending)
            } else {
                match pending.poll(&mut self.client()) {
                    Outcome::Done(output) => Came::Done(steps::result_of(&output)),
                    Outcome::Pending(pending) => Came::Waits(pending),
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
            Came::Waits(pending) => steps::result_of(&pending.output),
        }
    }

    /// Carries out an action on a copy of the world.
    fn try_out(&self, action: TimedAction) -> Came {
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

    /// What the user did during the run, in order.
    #[must_use]
    pub fn actions(&self) -> Vec<TimedAction> {
        let by_user = self.steps.iter().filter(|it| it.by == Actor::User);
        by_user.map(|it| TimedAction { at_ms: it.at_ms, ..it.action.clone() }).collect()
    }

    /// Replaces everything that the user did and goes back to time zero: an undo, or the actions
    /// of a link.
    ///
    /// # Errors
    /// As [`Simulation::load`]; the run stays as it was.
    pub fn set_actions(&mut self, actions: Vec<TimedAction>) -> Result<(), Vec<Diagnostic>> {
        self.options.actions = actions;
        self.rebuild()
    }

    /// Adds a time zone from TZif data. A run that is under way is repeated with it up to the
    /// present. Returns whether the data could be read.
    pub fn set_zone(&mut self, name: &str, data: &[u8]) -> bool {
        let known = self.run.zones.get(name).is_some();
        if !self.options.zones.add_tzif(name, data) {
            return false;
        }
        if !known {
            let now = self.now_ms();
            self.options.actions = self.actions();
            if self.rebuild().is_ok() {
                self.run_until(now, u64::MAX);
            }
        }
        true
    }

    fn rebuild(&mut self) -> Result<(), Vec<Diagnostic>> {
        let fresh = Self::load(&self.script.text, self.options.clone())?;
        let mut touched = std::mem::replace(&mut self.logs, fresh.logs).touched;
        touched.forget();
        self.logs.touched = touched;
        self.script = fresh.script;
        self.run = fresh.run;
        self.steps = fresh.steps;
        self.world = fresh.world;
        self.checkpoints = fresh.checkpoints;
        self.horizon = fresh.horizon;
        self.epoch += 1;
        Ok(())
    }

    /// The zones that the text names and the run does not have.
    #[must_use]
    pub fn missing_zones(&self) -> Vec<String> {
        self.script.missing_zones(&self.run.zones)
    }

    /// Where the run stands.
    #[must_use]
    pub fn state(&self) -> RunState {
        let world = &self.world;
        let mut notices: Vec<_> = world.halted.iter().cloned().collect();
        notices.extend(self.script.notices.iter().cloned());
        notices.extend(world.notices.iter().cloned());
        RunState {
            now_ms: self.now_ms(),
            start_unix_ms: self.run.start.as_millisecond(),
            horizon_ms: self.horizon.ms.max(self.now_ms()),
            next_ms: self.next_ms(),
            n_events: world.n_events,
            seed: self.run.seed,
            hash: world.hash.to_string(),
            revision: self.logs.touched.end(),
            epoch: self.epoch,
            title: self.script.title.clone(),
            notices,
        }
    }

    fn frame(&self) -> Frame<'_> {
        Frame {
            start: self.run.start,
            now: self.world.now,
            zones: &self.run.zones,
            listers: self.world.listers(),
        }
    }

    /// What changed since a revision; everything for revision 0 or one that is too old.
    #[must_use]
    pub fn delta(&self, since: u64) -> Delta {
        let touched = &self.logs.touched;
        let end = touched.end();
        if since == 0 || since < touched.n_dropped() || since > end {
            return picture::full(&self.frame(), end);
        }
        picture::since(&self.frame(), touched.between(since, end), end)
    }

    /// The marks of the time line up to the horizon, the newest if there are very many.
    #[must_use]
    pub fn marks(&self) -> Vec<Mark> {
        let moments = self.logs.moments.until(u64::MAX).rev();
        let marks = moments.filter_map(|moment| {
            let kind = moment.kind.mark()?;
            let object = moment.object.as_ref().map(ObjectRef::to_view).unwrap_or_default();
            Some(Mark { at_ms: moment.at_ms, kind, object, text: moment.text.to_string() })
        });
        let mut marks: Vec<_> = marks.take(MAX_MARKS).collect();
        marks.reverse();
        marks
    }

    /// What ran when, by workload, up to now.
    #[must_use]
    pub fn lanes(&self) -> Vec<Lane> {
        picture::lanes(self.logs.moments.until(self.world.n_moments), &self.frame())
    }

    /// The lines of history that are kept, up to now, and how many older ones are not.
    pub fn history(&self) -> (u64, impl DoubleEndedIterator<Item = &Record>) {
        let log = &self.logs.history;
        (log.n_dropped(), log.until(self.world.n_records))
    }

    /// The newest lines of the history up to now, oldest first; where older ones are no longer
    /// kept, the first line says how many.
    #[must_use]
    pub fn history_text(&self, max_lines: usize) -> String {
        let (n_dropped, records) = self.history();
        let mut newest: Vec<String> =
            records.rev().take(max_lines).map(ToString::to_string).collect();
        if n_dropped > 0 && newest.len() < max_lines {
            newest.push(format!("... {n_dropped} earlier lines are no longer kept"));
        }
        newest.reverse();
        newest.iter().flat_map(|line| [line, "\n"]).collect()
    }

    /// An object.
    #[must_use]
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object> {
        let kind = Kind::ALL.iter().find(|it| it.name() == kind)?;
        let namespace = if kind.namespaced() { namespace } else { "" };
        self.world.listers().object(&ObjectRef::new(*kind, namespace, name))
    }

    /// An object as YAML.
    #[must_use]
    pub fn yaml(&self, kind: &str, namespace: &str, name: &str) -> Option<String> {
        self.object(kind, namespace, name).map(api::yaml::to_string)
    }

    /// What the scheduler found for a pod, attempt by attempt, up to now.
    #[must_use]
    pub fn attempts(&self, namespace: &str, name: &str) -> Vec<Diagnosis> {
        let pod = format!("{namespace}/{name}");
        let attempts = self.logs.attempts.of_pod(&pod, self.world.n_events);
        attempts.iter().map(|it| Diagnosis::clone(it)).collect()
    }

    /// What the scheduler found for a pod the last time it looked.
    #[must_use]
    pub fn diagnosis(&self, namespace: &str, name: &str) -> Option<Diagnosis> {
        self.attempts(namespace, name).pop()
    }

    /// The instant at which the time line is zero.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.run.start
    }

    /// How long the scenario wants to be run, if it says so, milliseconds.
    #[must_use]
    pub fn until_ms(&self) -> Option<i64> {
        self.script.until_ms
    }

    /// How many checkpoints are kept.
    #[must_use]
    pub fn n_checkpoints(&self) -> usize {
        self.checkpoints.len()
    }

    /// The objects of a kind, for tests and printers.
    #[must_use]
    pub fn names(&self, kind: Kind) -> Vec<ObjectName> {
        self.world.listers().0.list(kind).map(|it| it.object_ref().to_view()).collect()
    }
}

/// What a command prints that waited as long as one may.
fn given_up(output: &Output) -> CommandResult {
    let result = steps::result_of(output);
    let note = "(given up: an hour of simulated time, or very many events, went by)";
    CommandResult { output: format!("{}{note}\n", result.output), exit_code: 1, ..result }
}

/// Tells the page about every object that is not the same in two worlds.
fn touch_differences(old: &World, new: &World, logs: &mut Logs) {
    for kind in Kind::ALL {
        let all = |world: &World| -> BTreeMap<ObjectRef, Object> {
            let objects = world.store.objects().list(*kind);
            objects.map(|it| (it.object_ref(), it.clone())).collect()
        };
        let (before, mut after) = (all(old), all(new));
        for (key, object) in before {
            match after.remove(&key) {
                Some(it) if it.same(&object) => {}
                other => {
                    for it in [Some(&object), other.as_ref()].into_iter().flatten() {
                        touch(key.clone(), it, logs);
                    }
                }
            }
        }
        for (key, object) in after {
            touch(key, &object, logs);
        }
    }
}

/// An object, and the node whose card counts it.
fn touch(key: ObjectRef, object: &Object, logs: &mut Logs) {
    if let Some(node) = crate::words::node_of(object) {
        logs.touch(ObjectRef::new(Kind::Node, "", node));
    }
    logs.touch(key);
}
