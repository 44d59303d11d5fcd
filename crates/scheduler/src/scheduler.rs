//! The component: feeds the cache and the queue, and turns an attempt into a plan.
//!
//! Upstream: `pkg/scheduler/scheduler.go`, v1.36.

mod binding;
mod failure;

use api::Order;
use std::collections::BTreeMap;
use std::sync::Arc;

use api::time::after_ms;
use api::{
    ApiError, Change, Component, ComponentId, EventSpec, Kind, Listers, Object, ObjectRef, Objects,
    Plan, Resource as _, Timestamp, View, WorkQueue,
};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use view::Diagnosis;

use self::binding::expect_on;
use crate::apis::config::{self, Config};
use crate::backend::cache::Cache;
use crate::backend::queue::{Nominator, PopResult, QueuedPodInfo, SchedulingQueue};
use crate::diagnosis;
use crate::extender::{self, Handlers};
use crate::framework::interface::{Handle, Rejection};
use crate::framework::runtime::{Cycle, Framework};
use crate::framework::types::{NodeId, PodInfo};
use crate::schedule_one::{Outcome, Sampling, schedule_pod};

/// The longest event text. Upstream: `NoteLengthLimit`.
const NOTE_LENGTH_LIMIT: usize = 1_024;
/// How long a binding may wait for its volumes. Upstream: `bindTimeoutSeconds`.
const BIND_TIMEOUT_MS: i64 = 600_000;

/// A pod that has its node and waits for its volumes.
#[derive(Clone, Debug)]
struct Binding {
    pod: QueuedPodInfo,
    node: Arc<str>,
    since: Timestamp,
    /// When it learns that its volumes are bound, if they are.
    bound_at: Option<Timestamp>,
}

/// kube-scheduler.
#[derive(Clone)]
pub struct Scheduler {
    pub(crate) profiles: Arc<BTreeMap<String, Arc<Framework>>>,
    /// The configuration that it runs with.
    config: Arc<Config>,
    pub(crate) cache: Cache,
    pub(crate) queue: SchedulingQueue,
    pub(crate) nominator: Nominator,
    sampling: Sampling,
    waiting: BTreeMap<Arc<str>, Binding>,
    /// The pod whose binding the loop is carrying out.
    in_flight: Option<Binding>,
}

impl Scheduler {
    /// Makes a scheduler from a `KubeSchedulerConfiguration`; without one, with the defaults.
    ///
    /// # Errors
    /// Each thing that is wrong with the configuration.
    pub fn new(document: Option<&Value>) -> Result<Self, Vec<String>> {
        Self::with_handlers(document, &Handlers::default())
    }

    /// As [`Scheduler::new`], with what answers for its extenders.
    ///
    /// # Errors
    /// As [`Scheduler::new`].
    pub fn with_handlers(
        document: Option<&Value>,
        handlers: &Handlers,
    ) -> Result<Self, Vec<String>> {
        let mut config = config::load(document)?;
        let extenders = Arc::new(extender::build(&mut config, handlers));
        let mut profiles = BTreeMap::new();
        for profile in &config.profiles {
            let name = &profile.scheduler_name;
            let framework = Framework::new(profile).map_err(|error| {
                vec![format!(
                    "initializing profiles: creating profile for scheduler name {name}: {error}"
                )]
            })?;
            let framework = framework.with_extenders(extenders.clone());
            profiles.insert(name.clone(), Arc::new(framework));
        }
        let (initial, max) = (config.pod_initial_backoff_seconds, config.pod_max_backoff_seconds);
        let sampling = Sampling {
            percentage_of_nodes_to_score: config.percentage_of_nodes_to_score,
            ..Sampling::default()
        };
        Ok(Self {
            profiles: Arc::new(profiles),
            config: Arc::new(config),
            cache: Cache::default(),
            queue: SchedulingQueue::new(initial, max),
            nominator: Nominator::default(),
            sampling,
            waiting: BTreeMap::new(),
            in_flight: None,
        })
    }

    /// A scheduler that knows a fixed set of objects, to be asked with [`Scheduler::evaluate`].
    ///
    /// # Errors
    /// As [`Scheduler::new`].
    pub fn from_objects(document: Option<&Value>, objects: &Objects) -> Result<Self, Vec<String>> {
        Self::from_objects_with(document, &Handlers::default(), objects)
    }

    /// As [`Scheduler::from_objects`], with what answers for its extenders.
    ///
    /// # Errors
    /// As [`Scheduler::new`].
    pub fn from_objects_with(
        document: Option<&Value>,
        handlers: &Handlers,
        objects: &Objects,
    ) -> Result<Self, Vec<String>> {
        let mut scheduler = Self::with_handlers(document, handlers)?;
        scheduler.load(Listers(objects), Timestamp::UNIX_EPOCH);
        Ok(scheduler)
    }

    /// The configuration that it runs with, defaults filled in.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The scheduler names that it serves.
    pub fn scheduler_names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The plugins of a profile at each extension point, in order.
    #[must_use]
    pub fn plugins(&self, scheduler_name: &str) -> Option<&Framework> {
        self.profiles.get(scheduler_name).map(AsRef::as_ref)
    }

    /// The name of a node in an [`Outcome`].
    #[must_use]
    pub fn node_name(&self, id: NodeId) -> &str {
        &self.cache.node(id).name
    }

    /// What one attempt at a pod would find now, in full, without any effect: all feasible nodes
    /// scored even when there is only one. `None` when no profile serves the pod.
    #[must_use]
    pub fn evaluate(
        &mut self,
        pod: &Arc<Pod>,
        objects: &Objects,
        now: Timestamp,
        seed: u64,
    ) -> Option<(Outcome, Diagnosis)> {
        let framework = self.framework_for(pod)?.clone();
        let info = PodInfo::new(pod.clone(), &mut self.cache.interner);
        let mut sampling = Sampling { always_score: true, ..self.sampling };
        let mut handle = Handle {
            cache: &mut self.cache,
            nominator: &self.nominator,
            listers: Listers(objects),
            now,
            seed,
        };
        if let Err(rejection) = framework.run_pre_enqueue(pod) {
            let outcome = Outcome {
                profile: framework.profile_name.clone(),
                pre_enqueue: Some(rejection),
                ..Outcome::default()
            };
            let diagnosis = diagnosis::build(&Cycle::new(&framework, &mut handle), &info, &outcome);
            return Some((outcome, diagnosis));
        }
        let (outcome, cycle) = schedule_pod(&framework, &mut handle, &info, &mut sampling);
        let diagnosis = diagnosis::build(&cycle, &info, &outcome);
        Some((outcome, diagnosis))
    }

    /// Schedules a pod and keeps it on its node, without a store. `None` when it found no node.
    pub fn place(
        &mut self,
        pod: &Arc<Pod>,
        objects: &Objects,
        now: Timestamp,
        seed: u64,
    ) -> Option<NodeId> {
        self.place_recorded(pod, objects, now, seed, false).map(|(id, _)| id)
    }

    /// As [`Scheduler::place`], with the record that a run keeps of the attempt, if it is wanted.
    pub fn place_recorded(
        &mut self,
        pod: &Arc<Pod>,
        objects: &Objects,
        now: Timestamp,
        seed: u64,
        with_record: bool,
    ) -> Option<(NodeId, Option<Diagnosis>)> {
        let framework = self.framework_for(pod)?.clone();
        let info = Arc::new(PodInfo::new(pod.clone(), &mut self.cache.interner));
        let mut handle = Handle {
            cache: &mut self.cache,
            nominator: &self.nominator,
            listers: Listers(objects),
            now,
            seed,
        };
        let (outcome, cycle) = schedule_pod(&framework, &mut handle, &info, &mut self.sampling);
        let record = with_record.then(|| diagnosis::build(&cycle, &info, &outcome));
        drop(cycle);
        let chosen = outcome.chosen;
        self.cache.recycle(outcome.into_vectors());
        self.cache.assume_pod(info, chosen?);
        Some((chosen?, record))
    }

    /// Whether every attempt asks every plugin about every node, with nothing remembered between
    /// attempts. The answers are the same; tests compare them.
    pub fn set_plain(&mut self, plain: bool) {
        self.sampling.plain = plain;
    }

    /// What an attempt at a pod of the store would find at this moment. `None` when the pod is not
    /// there or no profile serves it.
    #[must_use]
    pub fn explain(&self, pod: &ObjectRef, view: &View<'_>) -> Option<Diagnosis> {
        let pod: &Pod = view.listers.by_ref(pod)?;
        let (_, diagnosis) =
            self.clone().evaluate(&Arc::new(pod.clone()), view.listers.0, view.now, view.seed)?;
        Some(diagnosis)
    }

    pub(crate) fn framework_for(&self, pod: &Pod) -> Option<&Arc<Framework>> {
        let name = pod.spec.as_ref().and_then(|it| it.scheduler_name.as_deref());
        self.profiles.get(name.filter(|it| !it.is_empty()).unwrap_or("default-scheduler"))
    }

    pub(crate) fn serves(&self, pod: &Pod) -> bool {
        self.framework_for(pod).is_some()
    }

    /// Whether a PreEnqueue plugin keeps the pod out.
    pub(crate) fn gate(&self, pod: &Pod) -> Result<(), Rejection> {
        self.framework_for(pod).map_or(Ok(()), |it| it.run_pre_enqueue(pod))
    }

    /// Reads everything that exists. Upstream: the initial lists of the informers.
    fn load(&mut self, listers: Listers<'_>, now: Timestamp) {
        let nodes = listers.0.list(Kind::Node);
        self.load_all(nodes.chain(listers.0.list(Kind::Pod)), now);
    }

    fn load_all<'a>(&mut self, objects: impl Iterator<Item = &'a Object> + Clone, now: Timestamp) {
        for node in objects.clone() {
            if let Object::Node(node) = node {
                let _: NodeId = self.cache.set_node(node);
            }
        }
        let mut pending = Vec::new();
        for pod in objects {
            let Object::Pod(pod) = pod else { continue };
            if api::pods::is_terminal(pod) {
                continue;
            }
            if api::pods::node_name(pod).is_some_and(|it| !it.is_empty()) {
                self.cache.add_pod(pod);
            } else if self.serves(pod) {
                pending.push(pod.clone());
            }
        }
        pending.order_by_key(|it| it.metadata.creation_timestamp.as_ref().map(|it| it.0));
        for pod in &pending {
            self.enqueue(pod, now);
        }
        let _: Arc<Vec<NodeId>> = self.cache.order();
    }

    fn key() -> ObjectRef {
        ObjectRef::new(Kind::Binding, "", "scheduling-queue")
    }

    /// When the queue wants to be looked at.
    fn next_time(&self, view: &View<'_>) -> Option<Timestamp> {
        let soon = after_ms(view.now, view.settings.scheduling_latency_ms);
        let ready = self.queue.is_ready(view.now).then_some(soon);
        let timeout = |it: &Binding| after_ms(it.since, BIND_TIMEOUT_MS);
        let volumes = self.waiting.values().map(|it| it.bound_at.unwrap_or_else(|| timeout(it)));
        ready.into_iter().chain(self.queue.next_time()).chain(volumes).min().map(|it| it.max(soon))
    }

    /// Schedules the pod that is next.
    fn schedule_one(&mut self, mut queued: QueuedPodInfo, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let key = queued.pod.pod.object_ref();
        let Some(Object::Pod(current)) = view.listers.object(&key) else { return plan };
        let (Some(framework), false) = (
            self.framework_for(current).cloned(),
            current
                .spec
                .as_ref()
                .is_some_and(|it| it.node_name.as_deref().is_some_and(|it| !it.is_empty())),
        ) else {
            return plan;
        };
        if current.metadata.deletion_timestamp.is_some() {
            let text = format!("skip schedule deleting pod: {}", queued.pod.key);
            let object = Object::Pod(current.clone());
            let name = &framework.profile_name;
            plan.record(
                EventSpec::warning(name, &object, "FailedScheduling", text).on_control_plane(),
            );
            return plan;
        }
        if self.cache.is_assumed(&queued.pod.key) {
            return plan;
        }
        let pod = queued.pod.clone();
        let mut sampling = self.sampling;
        let mut handle = Handle {
            cache: &mut self.cache,
            nominator: &self.nominator,
            listers: view.listers,
            now: view.now,
            seed: view.seed,
        };
        let (outcome, cycle) = schedule_pod(&framework, &mut handle, &pod, &mut sampling);
        let mut diagnosis = match view.recording {
            true => diagnosis::build(&cycle, &pod, &outcome),
            false => diagnosis::outline(&cycle, &pod, &outcome),
        };
        diagnosis.attempt = queued.attempts;
        plan.diagnosis = Some(Arc::new(diagnosis));
        let chosen = outcome.chosen.map(|id| (id, cycle.handle.cache.node(id).name.clone()));
        let mut wait = false;
        if let Some((_, node)) = &chosen {
            for it in framework.pre_bind.iter().filter_map(|it| it.as_pre_bind()) {
                let pre_bind = it.pre_bind(cycle.handle, &cycle.state, &pod, node);
                plan.actions.extend(pre_bind.actions);
                wait |= pre_bind.wait_for_volumes;
            }
        }
        drop(cycle);
        self.sampling = sampling;
        match chosen {
            Some((id, node)) => {
                self.nominator.delete(&pod.key);
                self.cache.assume_pod(pod.clone(), id);
                let binding = Binding { pod: queued, node, since: view.now, bound_at: None };
                if wait {
                    plan.actions.splice(0..0, expect_on(&key, &binding.node, view.listers));
                    self.waiting.insert(pod.key.clone(), binding);
                } else {
                    self.bind(binding, view, &mut plan);
                }
            }
            None => {
                queued.unschedulable_plugins.clone_from(&outcome.unschedulable_plugins);
                self.handle_failure(queued, &outcome, view, &mut plan);
            }
        }
        self.cache.recycle(outcome.into_vectors());
        plan
    }
}

impl Component for Scheduler {
    fn id(&self) -> ComponentId {
        ComponentId::Scheduler
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        let (initial, max) =
            (self.config.pod_initial_backoff_seconds, self.config.pod_max_backoff_seconds);
        self.cache = Cache::default();
        self.queue = SchedulingQueue::new(initial, max);
        self.nominator = Nominator::default();
        self.waiting = BTreeMap::new();
        self.in_flight = None;
        self.load(view.listers, view.now);
        if let Some(at) = self.next_time(view) {
            queue.add_at(Self::key(), at);
        }
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        self.handle(change, view.listers, view.now);
        self.look_at_waiting(view);
        if let Some(at) = self.next_time(view) {
            queue.add_at(Self::key(), at);
        }
    }

    fn decide(&mut self, _: &ObjectRef, view: &View<'_>) -> Plan {
        for pod in self.queue.take_left_over(view.now) {
            let gate = self.gate(&pod.pod.pod);
            self.queue.requeue(pod, view.now, gate);
        }
        let mut plan = match self.finish_waiting(view) {
            Some(plan) => plan,
            None => match self.queue.pop(view.now) {
                PopResult::Pod(pod) => self.schedule_one(pod, view),
                PopResult::Wait(_) => Plan::default(),
            },
        };
        if let Some(at) = self.next_time(view) {
            plan.requeue(at);
        }
        plan
    }

    fn applied(
        &mut self,
        _: &ObjectRef,
        results: &[Result<Option<Object>, ApiError>],
        view: &View<'_>,
    ) -> Plan {
        let Some(binding) = self.in_flight.take() else { return Plan::default() };
        match results.last() {
            Some(Err(error)) => {
                let text = format!("running Bind plugin \"DefaultBinder\": {error}");
                self.fail_binding(binding, &text, view)
            }
            _ => Plan::default(),
        }
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}
