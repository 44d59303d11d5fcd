//! The component: feeds the cache and the queue, and turns an attempt into a plan.
//!
//! Upstream: `pkg/scheduler/scheduler.go` and the binding cycle of `schedule_one.go`, v1.36.
//! Differs from upstream: attempts and bindings do not overlap; a binding that waits for volumes is
//! remembered and carried out when they are bound.

use api::Order;
use std::collections::BTreeMap;
use std::sync::Arc;

use api::time::{after_ms, ms_between};
use api::{
    Action, ApiError, Change, Component, ComponentId, DeleteOptions, EventSpec, Kind, Listers,
    Object, ObjectRef, Objects, Plan, Resource as _, Timestamp, View, WorkQueue,
};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod, PodCondition};
use serde_json::Value;
use view::Diagnosis;

use crate::apis::config::{self, Config};
use crate::backend::cache::Cache;
use crate::backend::queue::{Nominator, PopResult, QueuedPodInfo, SchedulingQueue};
use crate::diagnosis;
use crate::extender::{self, Handlers};
use crate::framework::interface::{Handle, Nomination, Rejection};
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
        let volumes = self.waiting.values().map(|it| after_ms(it.since, BIND_TIMEOUT_MS));
        let volumes = volumes.chain(self.has_bound_volumes(view.listers).then_some(soon));
        ready.into_iter().chain(self.queue.next_time()).chain(volumes).min().map(|it| it.max(soon))
    }

    fn has_bound_volumes(&self, listers: Listers<'_>) -> bool {
        self.waiting.values().any(|it| are_volumes_bound(&it.pod.pod, listers))
    }

    /// Bindings whose volumes are bound now, or that waited too long.
    fn finish_waiting(&mut self, view: &View<'_>) -> Option<Plan> {
        let due = self.waiting.iter().find_map(|(key, it)| {
            let bound = are_volumes_bound(&it.pod.pod, view.listers);
            let late = ms_between(it.since, view.now) >= BIND_TIMEOUT_MS;
            (bound || late).then(|| (key.clone(), bound))
        });
        let (key, bound) = due?;
        let binding = self.waiting.remove(&key)?;
        Some(if bound {
            let mut plan = Plan::default();
            self.bind(binding, view, &mut plan);
            plan
        } else {
            let text = "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded";
            self.fail_binding(binding, text, view)
        })
    }

    fn bind(&mut self, binding: Binding, view: &View<'_>, plan: &mut Plan) {
        let pod = &binding.pod.pod;
        let Some(framework) = self.framework_for(&pod.pod).cloned() else { return };
        if let Some(Err(error)) = extender::bind(&framework.extenders, pod, &binding.node) {
            plan.actions.extend(self.fail_binding(binding, &error, view).actions);
            return;
        }
        let mut binders = framework.bind.iter().filter_map(|it| it.as_bind());
        let Some(action) = binders.find_map(|it| it.bind(pod, &binding.node)) else { return };
        plan.push(action);
        let object = Object::Pod(pod.pod.clone());
        let text = format!("Successfully assigned {} to {}", pod.key, binding.node);
        plan.record(
            EventSpec::normal(&framework.profile_name, &object, "Scheduled", text)
                .on_control_plane(),
        );
        self.in_flight = Some(binding);
    }

    /// Takes an assumed pod back and queues it again. Upstream: `handleBindingCycleError`.
    fn fail_binding(&mut self, binding: Binding, text: &str, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let mut pod = binding.pod;
        if self.cache.forget_pod(&pod.pod.key) {
            let change = Change { old: Some(Object::Pod(pod.pod.pod.clone())), new: None };
            let event = crate::framework::events::ClusterEvent::new(
                crate::framework::events::EventResource::AssignedPod,
                crate::framework::events::ActionType::DELETE,
            );
            self.move_all(event, &change, view.listers, view.now);
        }
        pod.unschedulable_plugins.clear();
        self.report_failure(pod, text, true, Some(&Nomination::Clear), view, &mut plan);
        plan
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
                let binding = Binding { pod: queued, node, since: view.now };
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

    /// There is no node for the pod now. Upstream: `handleSchedulingFailure`.
    fn handle_failure(
        &mut self,
        queued: QueuedPodInfo,
        outcome: &Outcome,
        view: &View<'_>,
        plan: &mut Plan,
    ) {
        if let Some(Nomination::Node(node)) = &outcome.post_filter.nominated {
            self.preempt(&queued.pod, node, &outcome.post_filter.victims, view, plan);
        }
        let fault = outcome.fault.is_some();
        let text = outcome.fault.as_deref().or(outcome.message.as_deref()).unwrap_or_default();
        let nominated = outcome.post_filter.nominated.as_ref();
        self.report_failure(queued, text, fault, nominated, view, plan);
    }

    /// Deletes the victims. Upstream: `prepareCandidate`.
    fn preempt(
        &mut self,
        pod: &PodInfo,
        node: &str,
        victims: &[Arc<PodInfo>],
        view: &View<'_>,
        plan: &mut Plan,
    ) {
        let profile = pod.spec().and_then(|it| it.scheduler_name.clone()).unwrap_or_default();
        for victim in victims {
            let key = victim.pod.object_ref();
            let Some(Object::Pod(current)) = view.listers.object(&key) else { continue };
            if current.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let mut updated = (**current).clone();
            let status = updated.status.get_or_insert_default();
            let condition = PodCondition {
                type_: "DisruptionTarget".to_owned(),
                status: "True".to_owned(),
                reason: Some("PreemptionByScheduler".to_owned()),
                message: Some(format!(
                    "{profile}: preempting to accommodate a higher priority pod"
                )),
                observed_generation: current.metadata.generation,
                ..PodCondition::default()
            };
            if api::pods::set_condition(status, condition, view.now) {
                plan.push(Action::UpdateStatus(updated.into_object()));
            }
            plan.push(Action::Delete { key, options: DeleteOptions::default() });
            let uid = pod.pod.metadata.uid.as_deref().unwrap_or_default();
            let text = format!("Preempted by pod {uid} on node {node}");
            let object = Object::Pod(current.clone());
            plan.record(EventSpec::normal(&profile, &object, "Preempted", text));
        }
        // Pods of lower priority that were to run there have to look again.
        let lower: Vec<Arc<PodInfo>> = self
            .nominator
            .pods_for(node)
            .iter()
            .filter(|it| it.priority < pod.priority)
            .cloned()
            .collect();
        for other in lower {
            self.nominator.delete(&other.key);
            let Some(Object::Pod(current)) = view.listers.object(&other.pod.object_ref()) else {
                continue;
            };
            let mut updated = (**current).clone();
            let status = updated.status.get_or_insert_default();
            if status.nominated_node_name.take().is_some_and(|it| !it.is_empty()) {
                plan.push(Action::UpdateStatus(updated.into_object()));
            }
        }
    }

    /// Queues the pod again, says why in an event and in its condition.
    fn report_failure(
        &mut self,
        mut queued: QueuedPodInfo,
        text: &str,
        fault: bool,
        nomination: Option<&Nomination>,
        view: &View<'_>,
        plan: &mut Plan,
    ) {
        let key = queued.pod.pod.object_ref();
        let Some(Object::Pod(current)) = view.listers.object(&key) else { return };
        let Some(framework) = self.framework_for(current).cloned() else { return };
        if current.metadata.uid != queued.pod.pod.metadata.uid {
            return;
        }
        queued.pod = Arc::new(PodInfo::new(current.clone(), &mut self.cache.interner));
        let info = queued.pod.clone();
        if queued.unschedulable_plugins.is_empty() {
            queued.errors += 1;
        } else {
            queued.unschedulable_count += 1;
            queued.errors = 0;
        }
        queued.timestamp = view.now;
        if queued.unschedulable_plugins.is_empty() {
            self.queue.requeue(queued, view.now, Ok(()));
        } else {
            self.queue.add_unschedulable(queued);
        }
        match nomination {
            Some(Nomination::Node(node)) => self.nominator.add(info.clone(), node),
            Some(Nomination::Clear) => self.nominator.delete(&info.key),
            None => {}
        }
        let mut note = text.to_owned();
        if note.len() > NOTE_LENGTH_LIMIT {
            let mut end = NOTE_LENGTH_LIMIT - 4;
            while !note.is_char_boundary(end) {
                end -= 1;
            }
            note.truncate(end);
            note.push_str(" ...");
        }
        let object = Object::Pod(current.clone());
        let name = &framework.profile_name;
        plan.record(EventSpec::warning(name, &object, "FailedScheduling", note).on_control_plane());
        let mut updated = (**current).clone();
        let status = updated.status.get_or_insert_default();
        let condition = PodCondition {
            type_: "PodScheduled".to_owned(),
            status: "False".to_owned(),
            reason: Some(if fault { "SchedulerError" } else { "Unschedulable" }.to_owned()),
            message: Some(text.to_owned()),
            observed_generation: current.metadata.generation,
            ..PodCondition::default()
        };
        let mut changed = api::pods::set_condition(status, condition, view.now);
        let wanted = match nomination {
            Some(Nomination::Node(node)) => Some(Some(node.to_string())),
            Some(Nomination::Clear) => Some(None),
            None => None,
        };
        if let Some(wanted) = wanted
            && status.nominated_node_name.as_deref().unwrap_or_default()
                != wanted.as_deref().unwrap_or_default()
        {
            status.nominated_node_name = wanted;
            changed = true;
        }
        if changed {
            plan.push(Action::UpdateStatus(updated.into_object()));
        }
    }
}

/// Tells the world where a pod will be while its volumes are being bound. Upstream: the feature
/// `NominatedNodeNameForExpectation`.
fn expect_on(key: &ObjectRef, node: &str, listers: Listers<'_>) -> Option<Action> {
    let mut pod = listers.by_ref::<Pod>(key)?.clone();
    pod.status.get_or_insert_default().nominated_node_name = Some(node.to_owned());
    Some(Action::UpdateStatus(pod.into_object()))
}

/// Whether all claims of the pod are bound. Upstream: `checkBindings`.
fn are_volumes_bound(pod: &PodInfo, listers: Listers<'_>) -> bool {
    let mut claims = pod.volumes().iter().filter_map(|it| it.persistent_volume_claim.as_ref());
    claims.all(|it| {
        let claim = listers.get::<PersistentVolumeClaim>(pod.namespace_name(), &it.claim_name);
        claim.is_some_and(|claim| {
            let annotations = claim.metadata.annotations.as_ref();
            let volume = claim.spec.as_ref().and_then(|it| it.volume_name.as_deref());
            annotations.is_some_and(|it| it.contains_key("pv.kubernetes.io/bind-completed"))
                && volume.is_some_and(|it| listers.get::<PersistentVolume>("", it).is_some())
        })
    })
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
