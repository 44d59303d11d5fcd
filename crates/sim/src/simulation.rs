//! A run that can be turned forwards and backwards.

mod advice;
mod attempts;
mod commands;
mod completing;
mod going;
mod reach;
mod shown;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Gather;
use api::{Kind, Object, ObjectRef};
use view::{Diagnostic, LinkFile, TimedAction};

use self::going::Going;
use crate::checkpoints::Checkpoints;
use crate::history::Actor;
use crate::script::{Options, Script};
use crate::steps::Step;
use crate::world::{Logs, Run, World};

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
    going: Going,
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
        let going = Going::default();
        Ok(Self { script, options, run, steps, world, logs, checkpoints, horizon, epoch: 1, going })
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
        self.world.next(&self.run, &self.steps).map(|(at, _)| at)
    }

    /// Runs the next event if it is due at `until` or before.
    fn advance(&mut self, until_ms: i64) -> bool {
        let ran = self.world.advance(&self.run, &self.steps, &mut self.logs, until_ms);
        if ran {
            self.moved();
        }
        ran
    }

    fn moved(&mut self) {
        self.going.pause = None;
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
        self.going.pause = None;
        let Some(world) = self.checkpoints.latest(is_before) else { return };
        let gone = std::mem::replace(&mut self.world, world);
        touch_differences(&gone, &self.world, &mut self.logs);
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
                while !self.run_until(now, u64::MAX).reached && self.is_paused() {}
            }
        }
        true
    }

    /// Loads what `kubectl explain` tells. The run does not depend on it.
    pub fn set_documentation(&mut self, text: &str) {
        let text: Arc<str> = text.into();
        self.options.documentation = Some(Arc::clone(&text));
        self.run.documentation = Some(text);
    }

    /// Gives `kubectl -f` further files; of two with the same name the first counts. Steps that were
    /// carried out already are not carried out again.
    pub fn add_files(&mut self, files: Vec<LinkFile>) {
        for file in files {
            if self.run.files.iter().all(|it| it.name != file.name) {
                self.options.files.push(file.clone());
                self.run.files.push(file);
            }
        }
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
        self.going = fresh.going;
        self.epoch += 1;
        Ok(())
    }

    /// The zones that the text names and the run does not have.
    #[must_use]
    pub fn missing_zones(&self) -> Vec<String> {
        self.script.missing_zones(&self.run.zones)
    }
}

/// Tells the page about every object that is not the same in two worlds.
fn touch_differences(old: &World, new: &World, logs: &mut Logs) {
    for kind in Kind::ALL {
        let all = |world: &World| -> BTreeMap<ObjectRef, Object> {
            let objects = world.store.objects().list(*kind);
            objects.map(|it| (it.object_ref(), it.clone())).to_map()
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
