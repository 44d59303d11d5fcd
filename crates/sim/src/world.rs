//! The whole state of a run at one moment, and how one event changes it.
//!
//! A clone is a checkpoint: objects are shared, so it costs what the tables' and queues' entries
//! cost, not what the objects do. Everything that a run does not change is in [`Run`], everything
//! that only looks back at it in [`Logs`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::k8s_openapi::api::core::v1::{Event, Pod};
use api::{
    Action, ApiError, Change, Component, ComponentId, DeleteOptions, Kind, Listers, Object,
    ObjectRef, Plan, Settings, Timestamp, View, WorkQueue, Zones, time,
};
use apiserver::Store;
use kubectl::Outcome;
use serde::Deserialize;
use view::{CommandResult, LinkFile, Notice};

use crate::attempts::Attempts;
use crate::client::StoreClient;
use crate::components;
use crate::expiry::{Expiry, is_over};
use crate::history::{Actor, Fnv, Record};
use crate::log::Log;
use crate::moments::{Moment, MomentKind, moments_of, root_of};
use crate::notices;
use crate::queue::{EventQueue, RateLimiter, Task};
use crate::steps::{self, Came, Step, Wait};
use crate::words;

/// What a run is a function of, together with its steps.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// The instant that the time line calls zero.
    pub(crate) start: Timestamp,
    pub(crate) seed: u64,
    pub(crate) settings: Settings,
    pub(crate) zones: Zones,
    pub(crate) budgets: Budgets,
    /// Texts that `kubectl -f NAME` finds.
    pub(crate) files: Vec<LinkFile>,
    /// The `KubeSchedulerConfiguration` of the text.
    pub(crate) scheduler_configuration: Option<serde_json::Value>,
}

impl Run {
    /// An empty store that knows what there is outside of the cluster.
    pub(crate) fn store(&self) -> Store {
        let mut store = Store::new(self.seed);
        if self.zones.is_complete() {
            store.set_zones(self.zones.clone());
        }
        store
    }

    /// Milliseconds of the run.
    pub(crate) fn ms(&self, at: Timestamp) -> i64 {
        time::ms_between(self.start, at)
    }

    /// The instant of a time of the run.
    pub(crate) fn at(&self, ms: i64) -> Timestamp {
        time::after_ms(self.start, ms)
    }
}

/// Limits that stop a run which would never settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Budgets {
    /// Events at one instant.
    pub events_at_one_instant: u64,
    /// Objects in the store.
    pub objects: usize,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { events_at_one_instant: 50_000, objects: 200_000 }
    }
}

/// What looks back at a run. Replays pass over it without change.
#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) history: Log<Record>,
    pub(crate) moments: Log<Moment>,
    pub(crate) attempts: Attempts,
    /// The keys of changed objects; its end is the revision of the page's picture.
    pub(crate) touched: Log<ObjectRef>,
    /// Every change with its time, if somebody asked for them.
    pub(crate) changes: Option<Vec<(i64, Change)>>,
}

/// How many lines of history are kept at least.
const HISTORY_CAPACITY: usize = 50_000;
/// How many moments are kept at least.
const MOMENTS_CAPACITY: usize = 50_000;
/// After how many changes the page gets the whole picture instead of them.
const TOUCHED_CAPACITY: usize = 20_000;

impl Default for Logs {
    fn default() -> Self {
        Self {
            history: Log::new(HISTORY_CAPACITY),
            moments: Log::new(MOMENTS_CAPACITY),
            attempts: Attempts::default(),
            touched: Log::new(TOUCHED_CAPACITY),
            changes: None,
        }
    }
}

impl Logs {
    pub(crate) fn touch(&mut self, key: ObjectRef) {
        self.touched.put(self.touched.end(), || key);
    }
}

/// Why a world does not go on.
#[derive(Clone, Debug, Default)]
struct Instant {
    at: Timestamp,
    n_events: u64,
    /// How often each task ran lately; counted only when the budget is nearly spent.
    busy: BTreeMap<Task, u32>,
}

/// How many notices a run collects.
const MAX_NOTICES: usize = 100;

/// So many events before the budget ends, the tasks are counted to name the loop.
const LOOP_SAMPLE: u64 = 1_000;

/// The state of a run at one moment.
pub(crate) struct World {
    pub(crate) store: Store,
    components: Vec<Box<dyn Component>>,
    stopped: BTreeSet<ComponentId>,
    queue: EventQueue,
    limiter: RateLimiter,
    pub(crate) now: Timestamp,
    /// The steps before this one have been carried out.
    pub(crate) next_step: usize,
    pub(crate) n_events: u64,
    pub(crate) n_records: u64,
    pub(crate) n_moments: u64,
    pub(crate) hash: Fnv,
    instant: Instant,
    pub(crate) halted: Option<Notice>,
    pub(crate) notices: Arc<Vec<Notice>>,
    /// The workloads whose pods have been looked at for notices.
    noticed: Arc<BTreeSet<ObjectRef>>,
    expiry: Expiry,
    pub(crate) dry_run_warnings: Vec<String>,
    /// Commands that wait for the cluster.
    pub(crate) waits: Vec<Wait>,
    /// What the last of them to end had printed, with the number of its step.
    pub(crate) ended: Option<(usize, CommandResult)>,
}

impl Clone for World {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            components: self.components.iter().map(|it| it.boxed_clone()).collect(),
            stopped: self.stopped.clone(),
            queue: self.queue.clone(),
            limiter: self.limiter.clone(),
            instant: self.instant.clone(),
            halted: self.halted.clone(),
            notices: self.notices.clone(),
            noticed: self.noticed.clone(),
            expiry: self.expiry.clone(),
            dry_run_warnings: self.dry_run_warnings.clone(),
            waits: self.waits.clone(),
            ended: self.ended.clone(),
            ..*self
        }
    }
}

impl World {
    /// A new cluster without nodes, all of whose components are about to start.
    pub(crate) fn new(run: &Run, now: Timestamp) -> Self {
        let mut world = Self {
            store: run.store(),
            components: components::all(run),
            stopped: BTreeSet::new(),
            queue: EventQueue::default(),
            limiter: RateLimiter::default(),
            now,
            next_step: 0,
            n_events: 0,
            n_records: 0,
            n_moments: 0,
            hash: Fnv::default(),
            instant: Instant::default(),
            halted: None,
            notices: Arc::default(),
            noticed: Arc::default(),
            expiry: Expiry::default(),
            dry_run_warnings: Vec::new(),
            waits: Vec::new(),
            ended: None,
        };
        world.store.bootstrap(now);
        world.store.take_changes();
        for index in 0..world.components.len() {
            world.start(index, run);
        }
        world
    }

    /// Forgets how the cluster came to be: here the run begins.
    pub(crate) fn begin(&mut self, run: &Run) {
        self.now = run.start;
        self.n_events = 0;
        self.n_records = 0;
        self.n_moments = 0;
        self.hash = Fnv::default();
        self.instant = Instant::default();
        self.notices = Arc::default();
    }

    pub(crate) fn listers(&self) -> Listers<'_> {
        self.store.listers()
    }

    /// When the earliest task is due.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        let deadline = self.waits.iter().filter_map(|it| it.pending.deadline).min();
        let times = [self.queue.next_at(), self.expiry.next_at(), deadline.map(whole_ms)];
        times.into_iter().flatten().min().map(|it| it.max(self.now))
    }

    /// Runs the earliest task, and asks waiting commands whether their time has come.
    pub(crate) fn run_task(&mut self, run: &Run, logs: &mut Logs) {
        let n_records = self.n_records;
        let deadline = self.waits.iter().filter_map(|it| it.pending.deadline).min().map(whole_ms);
        match deadline.filter(|_| self.next_at() == deadline.map(|it| it.max(self.now))) {
            Some(at) => {
                self.now = self.now.max(at);
                self.n_events += 1;
                self.poll(run, logs);
            }
            None => {
                self.run_earliest(run, logs);
                if !self.waits.is_empty() && self.n_records > n_records {
                    self.poll(run, logs);
                }
            }
        }
    }

    fn poll(&mut self, run: &Run, logs: &mut Logs) {
        for wait in std::mem::take(&mut self.waits) {
            let Wait { step, by, line, pending } = wait;
            let mut client = StoreClient { world: self, run, logs, by, input: "" };
            match pending.poll(&mut client) {
                Outcome::Pending(pending) => self.waits.push(Wait { step, by, line, pending }),
                Outcome::Done(output) => {
                    let result = steps::result_of(&output);
                    self.record(by, "ended", None, &line, run, logs);
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
        self.record(step.by, "step", None, &line, run, logs);
        self.note(MomentKind::Step, None, None, line.clone(), run, logs);
        match steps::carry_out(step, self, run, logs) {
            Came::Done(result) => {
                self.notice_failure(step.by, &line, &result);
                Some(result)
            }
            Came::Waits(pending) => {
                self.waits.push(Wait { step: number, by: step.by, line, pending });
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

    fn run_earliest(&mut self, run: &Run, logs: &mut Logs) {
        if let Some(at) = self.expiry.next_at()
            && self.queue.next_at().is_none_or(|it| at < it)
        {
            self.now = self.now.max(at);
            self.n_events += 1;
            self.expire(logs);
            return;
        }
        let Some((at, task)) = self.queue.pop() else { return };
        self.now = self.now.max(at);
        self.n_events += 1;
        self.spend(&task, run);
        self.reconcile(&task, run, logs);
    }

    fn reconcile(&mut self, task: &Task, run: &Run, logs: &mut Logs) {
        let (id, key) = task;
        let Some(index) = self.components.iter().position(|it| it.id() == *id) else { return };
        let view = view_of(&self.store, self.now, run);
        let plan = self.components[index].decide(key, &view);
        if let Some(diagnosis) = plan.diagnosis {
            logs.attempts.put(self.n_events, run.ms(self.now), &diagnosis);
        }
        let actor = Actor::Component(*id);
        let requeue_at = plan.requeue_at;
        if plan.actions.is_empty() {
            self.limiter.forget(task);
            self.requeue(task, requeue_at);
            return;
        }
        let results = self.carry_out(plan.actions, actor, run, logs);
        let view = view_of(&self.store, self.now, run);
        let Plan { actions, requeue_at: follow_up_at, .. } =
            self.components[index].applied(key, &results, &view);
        self.carry_out(actions, actor, run, logs);
        if results.last().is_some_and(Result::is_err) {
            let delay_ms = self.limiter.failed(task);
            self.requeue(task, Some(time::after_ms(self.now, delay_ms)));
        } else {
            self.limiter.forget(task);
            self.requeue(task, requeue_at);
        }
        self.requeue(task, follow_up_at);
    }

    /// Removes the events whose hour is over. Nobody reacts to that, and the history does not
    /// tell it.
    fn expire(&mut self, logs: &mut Logs) {
        for key in self.expiry.take(self.now) {
            let event = self.store.listers().by_ref::<Event>(&key);
            if event.is_some_and(|it| is_over(it, self.now)) {
                // Events have no finalizers, so nothing can keep one.
                let _ = self.store.delete(&key, &DeleteOptions::default(), self.now);
                logs.touch(key);
            }
        }
        self.store.take_changes();
    }

    fn requeue(&mut self, task: &Task, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.queue.add(task.clone(), whole_ms(at).max(self.now));
        }
    }

    /// Carries out actions in order up to the first that fails.
    pub(crate) fn carry_out(
        &mut self,
        actions: Vec<Action>,
        actor: Actor,
        run: &Run,
        logs: &mut Logs,
    ) -> Vec<Result<Option<Object>, ApiError>> {
        let mut results = Vec::with_capacity(actions.len());
        for action in actions {
            let result = self.write(&action, actor, run, logs);
            let failed = result.is_err();
            results.push(result);
            if failed {
                break;
            }
        }
        results
    }

    /// Carries out one action and tells everyone.
    pub(crate) fn write(
        &mut self,
        action: &Action,
        actor: Actor,
        run: &Run,
        logs: &mut Logs,
    ) -> Result<Option<Object>, ApiError> {
        let verb = words::verb(action);
        let target = words::target(action);
        let result = self.store.apply_action(action, self.now);
        if let Err(error) = &result {
            let detail = format!("{verb}: {error}");
            self.record(actor, "refused", Some(target), &detail, run, logs);
        }
        self.publish_changes(verb, actor, run, logs);
        result
    }

    /// Tells everyone what the store has written since the last call.
    pub(crate) fn publish_changes(
        &mut self,
        verb: &'static str,
        actor: Actor,
        run: &Run,
        logs: &mut Logs,
    ) {
        for change in self.store.take_changes() {
            self.publish(&change, verb, actor, run, logs);
        }
    }

    /// Records a change and lets every component hear of it.
    fn publish(
        &mut self,
        change: &Change,
        verb: &'static str,
        actor: Actor,
        run: &Run,
        logs: &mut Logs,
    ) {
        let Some(object) = change.object() else { return };
        if let Some(changes) = &mut logs.changes {
            changes.push((run.ms(self.now), change.clone()));
        }
        let key = object.object_ref();
        let moments = moments_of(change, &self.store.listers());
        let line = words::of_change(change, verb, &moments);
        self.record(actor, line.verb, Some(line.object), &line.detail, run, logs);
        if key.kind == Kind::Event && change.new.is_some() {
            self.expiry.written(key.clone(), self.now);
        }
        if !moments.is_empty() {
            let root = root_of(object, &self.store.listers());
            if change.old.is_none()
                && let Some(pod) = object.as_kind::<Pod>()
            {
                self.look_at_pod(pod, root.as_ref().unwrap_or(&key), run);
            }
            for (kind, text) in moments {
                self.note(kind, Some(key.clone()), root.clone(), text, run, logs);
            }
        }
        for it in [&change.old, &change.new].into_iter().flatten() {
            if let Some(node) = words::node_of(it) {
                logs.touch(ObjectRef::new(Kind::Node, "", node));
            }
        }
        logs.touch(key);
        let mut queue = WorkQueue::default();
        let view = view_of(&self.store, self.now, run);
        for component in &mut self.components {
            let id = component.id();
            if self.stopped.contains(&id) {
                continue;
            }
            component.react(change, &view, &mut queue);
            for (key, at) in queue.entries.drain(..) {
                self.queue.add((id, key), whole_ms(at).max(self.now));
            }
        }
        if self.store.objects().len() > run.budgets.objects && self.halted.is_none() {
            self.halted = Some(Notice {
                code: "budget".to_owned(),
                message: format!(
                    "The run stopped: it has more than {} objects.",
                    run.budgets.objects
                ),
                objects: change.key().map(|it| it.to_view()).into_iter().collect(),
            });
        }
    }

    /// Adds a line to the history.
    pub(crate) fn record(
        &mut self,
        actor: Actor,
        verb: &'static str,
        object: Option<ObjectRef>,
        detail: &str,
        run: &Run,
        logs: &mut Logs,
    ) {
        let record = Record { at_ms: run.ms(self.now), actor, verb, object, detail: detail.into() };
        self.hash.add_record(&record);
        logs.history.put(self.n_records, || record);
        self.n_records += 1;
    }

    /// Adds a moment.
    pub(crate) fn note(
        &mut self,
        kind: MomentKind,
        object: Option<ObjectRef>,
        root: Option<ObjectRef>,
        text: String,
        run: &Run,
        logs: &mut Logs,
    ) {
        let at_ms = run.ms(self.now);
        logs.moments.put(self.n_moments, || Moment {
            at_ms,
            kind,
            object,
            root,
            text: text.into(),
        });
        self.n_moments += 1;
    }

    /// Tells the reader of the run something, once.
    pub(crate) fn notice(&mut self, notice: Notice) {
        if !self.notices.contains(&notice) {
            Arc::make_mut(&mut self.notices).push(notice);
        }
    }

    /// Looks once at the pods of each workload for what their reader must know.
    fn look_at_pod(&mut self, pod: &Pod, root: &ObjectRef, run: &Run) {
        if self.notices.len() >= MAX_NOTICES || self.noticed.contains(root) {
            return;
        }
        Arc::make_mut(&mut self.noticed).insert(root.clone());
        for notice in notices::of_pod(pod, root, run) {
            self.notice(notice);
        }
    }

    /// Stops a component: it hears and does nothing more. Returns whether it ran.
    pub(crate) fn stop(&mut self, id: ComponentId) -> bool {
        self.queue.drop_component(id);
        self.components.iter().any(|it| it.id() == id) && self.stopped.insert(id)
    }

    /// Starts a stopped component with an empty memory, as a new process. Returns whether it stood.
    pub(crate) fn restart(&mut self, id: ComponentId, run: &Run) -> bool {
        if !self.stopped.remove(&id) {
            return false;
        }
        for (index, fresh) in components::all(run).into_iter().enumerate() {
            if fresh.id() == id {
                self.components[index] = fresh;
                self.start(index, run);
            }
        }
        true
    }

    fn start(&mut self, index: usize, run: &Run) {
        let mut queue = WorkQueue::default();
        let view = view_of(&self.store, self.now, run);
        let Some(component) = self.components.get_mut(index) else { return };
        component.start(&view, &mut queue);
        let id = component.id();
        for (key, at) in queue.entries {
            self.queue.add((id, key), whole_ms(at).max(self.now));
        }
    }

    /// Counts an event at this instant and stops the run if there were too many.
    fn spend(&mut self, task: &Task, run: &Run) {
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
            let names: BTreeSet<_> = busy.iter().map(|((id, _), _)| id.name()).collect();
            let names: Vec<_> = names.into_iter().collect();
            let message = format!(
                "The run stopped: {budget} events at the same instant. It goes round between: {}.",
                names.join(", ")
            );
            self.halted = Some(Notice { code: "budget".to_owned(), message, objects });
        }
    }
}

/// What components may look at.
fn view_of<'a>(store: &'a Store, now: Timestamp, run: &'a Run) -> View<'a> {
    View {
        listers: store.listers(),
        now,
        seed: run.seed,
        settings: &run.settings,
        zones: &run.zones,
    }
}

/// Rounds up: the loop's clock counts milliseconds.
fn whole_ms(at: Timestamp) -> Timestamp {
    let ms = at.as_millisecond();
    match Timestamp::from_millisecond(ms) {
        Ok(it) if it >= at => it,
        Ok(it) => time::after_ms(it, 1),
        Err(_) => at,
    }
}
