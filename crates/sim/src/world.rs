//! The whole state of a run at one moment, and how one event changes it.
//!
//! A clone is a checkpoint: objects are shared, so it costs what the tables' and queues' entries
//! cost, not what the objects do. Everything that a run does not change is in [`Run`], everything
//! that only looks back at it in [`Logs`].

mod budget;
mod run;
mod stepping;

use std::collections::BTreeSet;
use std::sync::Arc;

use api::k8s_openapi::api::core::v1::Pod;
use api::{
    Action, ApiError, Attempt, Change, Component, ComponentId, Event, Kind, Listers, Object,
    ObjectRef, Plan, Timestamp, View, WorkQueue, time,
};
use apiserver::Store;
use view::{CommandResult, Notice};

use self::budget::Instant;
pub use self::run::Budgets;
pub(crate) use self::run::{Logs, Run};
use crate::components;
use crate::expiry::{Expiry, is_over};
use crate::history::{Actor, Fnv, Record};
use crate::moments::{Moment, MomentKind, moments_of, root_of};
use crate::notices;
use crate::queue::{EventQueue, RateLimiter, Task};
use crate::steps::Wait;
use crate::words;

/// How many notices a run collects.
const MAX_NOTICES: usize = 100;

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
    /// That of kubectl's context.
    pub(crate) namespace: String,
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
            namespace: self.namespace.clone(),
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
            namespace: "default".to_owned(),
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
        let recording = logs.attempts.wants(self.n_events);
        let view = View { recording, ..view_of(&self.store, self.now, run) };
        let plan = self.components[index].decide(key, &view);
        if let Some(diagnosis) = &plan.diagnosis {
            logs.attempts.put(self.n_events, run.ms(self.now), diagnosis, recording);
        }
        let actor = Actor::Component(*id);
        let (requeue_at, failed) = (plan.requeue_at, plan.failed);
        if plan.actions.is_empty() && !failed {
            self.limiter.forget(task);
            self.requeue(task, requeue_at);
            return;
        }
        let results = self.carry_out(plan.actions, &plan.attempts, actor, run, logs);
        let view = view_of(&self.store, self.now, run);
        let Plan { actions, attempts, requeue_at: follow_up_at, .. } =
            self.components[index].applied(key, &results, &view);
        self.carry_out(actions, &attempts, actor, run, logs);
        if failed || results.iter().any(Result::is_err) {
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
                self.store.expire_event(&key);
                logs.touch(key);
            }
        }
    }

    fn requeue(&mut self, task: &Task, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.queue.add(task.clone(), whole_ms(at).max(self.now));
        }
    }

    /// Carries out actions in order up to the first that fails, and after that what does not
    /// depend on it.
    fn carry_out(
        &mut self,
        actions: Vec<Action>,
        attempts: &[Attempt],
        actor: Actor,
        run: &Run,
        logs: &mut Logs,
    ) -> Vec<Result<Option<Object>, ApiError>> {
        let mut results = Vec::with_capacity(actions.len());
        let mut attempts = attempts.iter().peekable();
        let mut failed_batch = None;
        let mut failed_at = None;
        for (index, action) in actions.into_iter().enumerate() {
            while attempts.next_if(|it| it.actions.end <= index).is_some() {}
            let attempt = attempts.peek().filter(|it| it.actions.start <= index);
            let batch = attempt.map(|it| it.batch);
            if attempt.is_some_and(|it| failed_at >= Some(it.needs))
                || failed_batch.is_some_and(|failed| batch.is_none_or(|it| it > failed))
            {
                continue;
            }
            let result = self.write(action, actor, run, logs);
            let failed = result.is_err();
            results.push(result);
            if failed {
                if attempt.is_none() {
                    break;
                }
                failed_at = Some(index);
                failed_batch = failed_batch.or(batch);
            }
        }
        // Components do not read warnings; what the next command hears must be about itself.
        self.store.take_warnings();
        results
    }

    /// Carries out one action and tells everyone.
    pub(crate) fn write(
        &mut self,
        action: Action,
        actor: Actor,
        run: &Run,
        logs: &mut Logs,
    ) -> Result<Option<Object>, ApiError> {
        let verb = words::verb(&action);
        let target = words::target(&action);
        let result = self.store.apply_action(action, self.now);
        if let Err(error) = &result {
            let detail = format!("{verb}: {error}");
            self.record(actor, "refused", Some(target), detail, run, logs);
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
        let moments = moments_of(change);
        let line = words::of_change(change, &key, verb, &moments);
        self.record(actor, line.verb, Some(line.object), line.detail, run, logs);
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
        // Events are for people: no component waits for one.
        let heard = key.kind != Kind::Event || change.new.is_none();
        logs.touch(key);
        if heard {
            self.react(change, run);
        }
        self.check_objects(change, run);
    }

    /// Lets every component hear of a change.
    fn react(&mut self, change: &Change, run: &Run) {
        let mut queue = WorkQueue::default();
        let view = view_of(&self.store, self.now, run);
        for component in &mut self.components {
            let id = component.id();
            if self.stopped.contains(&id) {
                continue;
            }
            component.react(change, &view, &mut queue);
            if queue.entries.is_empty() {
                continue;
            }
            for (key, at) in queue.entries.drain(..) {
                self.queue.add((id, key), whole_ms(at).max(self.now));
            }
        }
    }

    /// Stops the run when there are too many objects. Kubernetes Events expire by themselves; what
    /// piles up for good is what counts.
    fn check_objects(&mut self, change: &Change, run: &Run) {
        let objects = self.store.objects();
        let n_objects = objects.len() - objects.count(Kind::Event);
        if n_objects > run.budgets.objects && self.halted.is_none() {
            self.halted = Some(Notice {
                code: "budget".to_owned(),
                message: format!(
                    "The run stopped: it has more than {} objects besides Events.",
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
        detail: impl Into<Box<str>>,
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
}

/// What components may look at.
fn view_of<'a>(store: &'a Store, now: Timestamp, run: &'a Run) -> View<'a> {
    View {
        listers: store.listers(),
        now,
        seed: run.seed,
        settings: &run.settings,
        zones: &run.zones,
        recording: false,
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
