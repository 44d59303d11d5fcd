//! Creates and deletes the pods of a DaemonSet node by node, and counts them.
//!
//! Upstream: `pkg/controller/daemon/daemon_controller.go`, v1.36.

use api::Gather;
use api::Order;
use std::collections::{BTreeMap, BTreeSet};

use api::time::{after_ms, after_secs, ms_between};
use api::{
    ApiError, Change, Component, ComponentId, Kind, Object, ObjectRef, Plan, Resource, Timestamp,
    View, WorkQueue, pods,
};
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetStatus};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::daemonset_util::{self as util, Placement, Verdict};
use super::update::{self, Roll};
use crate::controller_utils as utils;

/// `source.component` of its events.
const COMPONENT: &str = "daemonset-controller";
/// At most so many pods are created, and as many deleted, at a time. Upstream: `BurstReplicas`.
const BURST_REPLICAS: usize = 250;
/// The first delay before a failed pod of a node is deleted. Upstream: `failedPodsBackoff`.
const BACKOFF_INITIAL_MS: i64 = 1_000;
/// The longest of these delays.
const BACKOFF_MAX_MS: i64 = 15 * 60 * 1_000;

/// The controller.
#[derive(Clone, Debug, Default)]
pub struct DaemonSetsController {
    /// By uid and observed generation of the DaemonSet and by node: when a failed pod was deleted
    /// last, and how long the next one has to wait.
    failed_pods_backoff: BTreeMap<(String, i64, String), Backoff>,
    /// When each DaemonSet is to be looked at again whatever happens until then. Upstream: the
    /// delaying queue, which keeps such times apart from immediate work.
    waiting: BTreeMap<ObjectRef, Timestamp>,
    pace: utils::Pace,
}

#[derive(Clone, Copy, Debug)]
struct Backoff {
    delay_ms: i64,
    last_update: Timestamp,
}

impl Component for DaemonSetsController {
    fn id(&self) -> ComponentId {
        ComponentId::DaemonSet
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        utils::enqueue_all::<DaemonSet>(queue, view);
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let Some(object) = change.object() else { return };
        let mut due = WorkQueue::default();
        match object.kind() {
            Kind::DaemonSet => utils::enqueue(&mut due, view, object.object_ref()),
            Kind::Pod => {
                self.expect_availability(change, view);
                utils::enqueue_owners::<DaemonSet>(change, view, &mut due, selector_of);
            }
            Kind::ControllerRevision => {
                utils::enqueue_owners::<DaemonSet>(change, view, &mut due, selector_of);
            }
            Kind::Node => node_changed(change, view, &mut due),
            _ => {}
        }
        self.pace.pass(due, queue);
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        if self.waiting.get(key).is_some_and(|at| *at <= view.now) {
            self.waiting.remove(key);
        }
        let Some(ds) = view.listers.by_ref::<DaemonSet>(key) else {
            self.waiting.remove(key);
            self.pace.begin(key, 0, view.now);
            let fresh = |it: &Backoff| ms_between(it.last_update, view.now) <= 2 * BACKOFF_MAX_MS;
            self.failed_pods_backoff.retain(|_, it| fresh(it));
            return Plan::default();
        };
        self.pace.begin(key, view.listers.0.count(Kind::Node), view.now);
        let mut plan = self.sync(ds, key, view).unwrap_or_default();
        if let Some(at) = self.waiting.get(key) {
            plan.requeue(*at);
        }
        plan
    }

    fn applied(
        &mut self,
        key: &ObjectRef,
        results: &[Result<Option<Object>, ApiError>],
        view: &View<'_>,
    ) -> Plan {
        let mut plan = Plan::default();
        if results.iter().any(Result::is_err)
            && let Some(ds) = view.listers.by_ref::<DaemonSet>(key)
            && let Some(spec) = &ds.spec
        {
            let pods: Vec<&Pod> = utils::owned::<Pod>(ds, view).collect();
            let nodes = Nodes::of(ds, &pods, view);
            let hash = update::construct_history(&mut Plan::default(), ds, spec, &pods, view);
            if let Some(history) = hash {
                self.update_status(&mut plan, ds, spec, &nodes, &history.hash, view);
            }
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

fn selector_of(ds: &DaemonSet) -> &LabelSelector {
    const EVERYTHING: &LabelSelector =
        &LabelSelector { match_expressions: None, match_labels: None };
    ds.spec.as_ref().map_or(EVERYTHING, |it| &it.selector)
}

/// Queues the DaemonSets for which a node begins or ceases to be right. Upstream:
/// `syncNodeUpdate`; a deleted node queues nothing.
fn node_changed(change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
    let Some(node) = change.new.as_ref().and_then(Object::as_kind::<Node>) else { return };
    if let Some(old) = change.old.as_ref().and_then(Object::as_kind::<Node>)
        && old.metadata.labels == node.metadata.labels
        && api::taints::of_node(old) == api::taints::of_node(node)
    {
        return;
    }
    let controllers = view.listers.pods_on(node.name());
    let scheduled: BTreeSet<&str> =
        controllers.filter_map(|it| Some(api::controller_of(&it.metadata)?.uid.as_str())).to_set();
    for ds in view.listers.list::<DaemonSet>() {
        let scheduled = scheduled.contains(ds.uid());
        let misscheduled = ds.status.as_ref().is_some_and(|it| it.number_misscheduled > 0);
        let Verdict { should_run, should_continue_running } = Placement::of(ds).verdict(node);
        let start = should_run && !scheduled;
        let stop = !should_continue_running && scheduled;
        if start || stop || (scheduled && misscheduled) {
            utils::enqueue(queue, view, ds.object_ref());
        }
    }
}

/// The nodes of the cluster with what a DaemonSet wants of them and has on them.
pub(super) struct Nodes<'a> {
    verdicts: BTreeMap<&'a str, Verdict>,
    pods: BTreeMap<&'a str, Vec<&'a Pod>>,
}

impl<'a> Nodes<'a> {
    /// Pods that are gone but for a finalizer do not count. Upstream: `getNodesToDaemonPods`.
    fn of(ds: &DaemonSet, pods: &[&'a Pod], view: &View<'a>) -> Self {
        let mut by_node: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
        for pod in pods.iter().copied() {
            let gone = pods::is_terminal(pod) && pods::is_terminating(pod);
            if let Some(node) = util::target_node_name(pod).filter(|_| !gone) {
                by_node.entry(node).or_default().push(pod);
            }
        }
        for pods in by_node.values_mut() {
            pods.order_by_key(|pod| {
                let created = pod.metadata.creation_timestamp.as_ref().map(|it| it.0);
                (pods::node_name(pod).is_none(), created, pod.name())
            });
        }
        let placement = Placement::of(ds);
        let verdict = |node: &'a Node| (node.name(), placement.verdict(node));
        Self { verdicts: view.listers.list::<Node>().map(verdict).collect(), pods: by_node }
    }

    fn pods_on(&self, node: &str) -> &[&'a Pod] {
        self.pods.get(node).map_or(&[], Vec::as_slice)
    }

    pub(super) fn should_run(&self, node: &str) -> bool {
        self.verdicts.get(node).is_some_and(|it| it.should_run)
    }

    /// On how many nodes a pod should run.
    pub(super) fn n_desired(&self) -> usize {
        self.verdicts.values().filter(|it| it.should_run).count()
    }

    /// The nodes that should run a pod or have one, with their pods, in an order that is random
    /// but the same for the same seed and revision.
    pub(super) fn wanted_or_with_pods(
        &self,
        seed: u64,
        revision: &str,
    ) -> Vec<(&'a str, &[&'a Pod])> {
        let wanted = self.verdicts.iter().filter(|(_, verdict)| verdict.should_run);
        let wanted = wanted.map(|(node, _)| (*node, self.pods_on(node)));
        let others = self.pods.iter().filter(|(node, _)| !self.should_run(node));
        let mut all: Vec<_> =
            wanted.chain(others.map(|(node, pods)| (*node, pods.as_slice()))).collect();
        all.order_by_key(|(node, _)| {
            let parts = [&seed.to_le_bytes(), revision.as_bytes(), node.as_bytes()];
            (utils::hash_of(&parts), *node)
        });
        all
    }
}

/// What is to be done with the pods of a DaemonSet.
#[derive(Default)]
struct Work<'a> {
    create_on: Vec<&'a str>,
    delete: Vec<&'a Pod>,
}

impl DaemonSetsController {
    /// Upstream: `syncDaemonSet`.
    fn sync(&mut self, ds: &DaemonSet, key: &ObjectRef, view: &View<'_>) -> Option<Plan> {
        let mut plan = Plan::default();
        let spec = ds.spec.as_ref()?;
        if utils::is_empty(&spec.selector) {
            const TEXT: &str =
                "This daemon set is selecting all pods. A non-empty selector is required.";
            plan.record(utils::warning(COMPONENT, ds, "SelectingAll", TEXT));
            return Some(plan);
        }
        if ds.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let pods = utils::claim::<Pod>(&mut plan, ds, &spec.selector, view, |_| true);
        let Some(history) = update::construct_history(&mut plan, ds, spec, &pods, view) else {
            plan.requeue(view.now);
            return Some(plan);
        };
        let nodes = Nodes::of(ds, &pods, view);
        let work = self.manage(&mut plan, ds, spec, &nodes, &history.hash, view);
        let idle = work.create_on.is_empty() && work.delete.is_empty();
        sync_nodes(&mut plan, ds, spec, &work, &history.hash, view);
        // Upstream waits until it has seen its own writes before it goes on with an update.
        if idle && util::updates_by_itself(spec) {
            let roll = Roll {
                hash: &history.hash,
                generation: util::template_generation(ds),
                min_ready_seconds: spec.min_ready_seconds.unwrap_or(0),
                view: *view,
            };
            let update = update::rolling_update(spec, &nodes, &roll);
            let work = Work { create_on: update.create_on, delete: update.delete };
            sync_nodes(&mut plan, ds, spec, &work, &history.hash, view);
        }
        update::cleanup_history(&mut plan, spec, &history, &pods);
        if self.update_status(&mut plan, ds, spec, &nodes, &history.hash, view) {
            let min_ready_seconds = spec.min_ready_seconds.unwrap_or(0);
            self.wake(key, after_secs(view.now, min_ready_seconds.into()));
        }
        Some(plan)
    }

    /// Upstream: `enqueueDaemonSetAfter`.
    fn wake(&mut self, key: &ObjectRef, at: Timestamp) {
        let entry = self.waiting.entry(key.clone()).or_insert(at);
        *entry = at.min(*entry);
    }

    /// A pod that has become ready will be available later. Upstream: the end of `updatePod`.
    fn expect_availability(&mut self, change: &Change, view: &View<'_>) {
        let old = change.old.as_ref().and_then(Object::as_kind::<Pod>);
        let new = change.new.as_ref().and_then(Object::as_kind::<Pod>);
        let (Some(old), Some(new)) = (old, new) else { return };
        if pods::is_ready(old) || !pods::is_ready(new) {
            return;
        }
        let Some(owner) = api::controller_of(&new.metadata) else { return };
        let Some(ds) = utils::resolve::<DaemonSet>(owner, new.namespace(), view) else { return };
        let min_ready_seconds = ds.spec.as_ref().and_then(|it| it.min_ready_seconds).unwrap_or(0);
        if min_ready_seconds > 0 {
            self.wake(&ds.object_ref(), after_secs(view.now, i64::from(min_ready_seconds) + 1));
        }
    }

    /// Says which nodes need a pod and which pods must go. Upstream: `manage`.
    fn manage<'a>(
        &mut self,
        plan: &mut Plan,
        ds: &DaemonSet,
        spec: &DaemonSetSpec,
        nodes: &Nodes<'a>,
        hash: &str,
        view: &View<'_>,
    ) -> Work<'a> {
        let mut work = Work::default();
        for (node, verdict) in &nodes.verdicts {
            let pods = nodes.pods_on(node);
            if verdict.should_run && pods.is_empty() {
                work.create_on.push(node);
            } else if verdict.should_continue_running {
                let running = self.end_finished(plan, &mut work, ds, node, pods, view);
                if util::allows_surge(spec) {
                    let min_ready_seconds = spec.min_ready_seconds.unwrap_or(0);
                    if running.is_empty() && verdict.should_run {
                        work.create_on.push(node);
                    }
                    prune_surge(&mut work, &running, hash, min_ready_seconds, view);
                } else {
                    work.delete.extend(running.into_iter().skip(1));
                }
            } else {
                work.delete.extend(pods.iter().filter(|it| !pods::is_terminating(it)));
            }
        }
        // Nobody else would ever delete a pod that waits for a node that is gone.
        let gone = nodes.pods.iter().filter(|(node, _)| !nodes.verdicts.contains_key(*node));
        for (_, pods) in gone {
            work.delete.extend(pods.iter().filter(|it| pods::node_name(it).is_none()));
        }
        work
    }

    /// Marks the finished pods of a node for deletion, failed ones after a delay that doubles, and
    /// returns those that run.
    fn end_finished<'a>(
        &mut self,
        plan: &mut Plan,
        work: &mut Work<'a>,
        ds: &DaemonSet,
        node: &str,
        pods: &[&'a Pod],
        view: &View<'_>,
    ) -> Vec<&'a Pod> {
        let mut running = Vec::new();
        for pod in pods.iter().copied().filter(|it| !pods::is_terminating(it)) {
            let what = |found: &str, verb: &str| {
                let (namespace, name) = (pod.namespace(), pod.name());
                format!(
                    "Found {found} daemon pod {namespace}/{name} on node {node}, will try to {verb} it"
                )
            };
            match pods::phase(pod) {
                "Failed" => {
                    if let Err(delay_ms) = self.back_off(ds, node, view.now) {
                        self.wake(&ds.object_ref(), after_ms(view.now, delay_ms));
                        continue;
                    }
                    let message = what("failed", "kill");
                    plan.record(utils::warning(COMPONENT, ds, "FailedDaemonPod", message));
                    work.delete.push(pod);
                }
                "Succeeded" => {
                    let message = what("succeeded", "delete");
                    plan.record(utils::normal(COMPONENT, ds, "SucceededDaemonPod", message));
                    work.delete.push(pod);
                }
                _ => running.push(pod),
            }
        }
        running
    }

    /// Whether a failed pod of a node may be deleted now; if not, how long to wait from now on.
    /// Upstream: `flowcontrol.Backoff`.
    fn back_off(&mut self, ds: &DaemonSet, node: &str, now: Timestamp) -> Result<(), i64> {
        let generation = ds.status.as_ref().and_then(|it| it.observed_generation).unwrap_or(0);
        let key = (ds.uid().to_owned(), generation, node.to_owned());
        let fresh = |it: &&Backoff| ms_between(it.last_update, now) <= 2 * BACKOFF_MAX_MS;
        let delay_ms = match self.failed_pods_backoff.get(&key).filter(fresh) {
            Some(it) if ms_between(it.last_update, now) < it.delay_ms => return Err(it.delay_ms),
            Some(it) => BACKOFF_MAX_MS.min(2 * it.delay_ms),
            None => BACKOFF_INITIAL_MS,
        };
        self.failed_pods_backoff.insert(key, Backoff { delay_ms, last_update: now });
        Ok(())
    }

    /// Counts and writes the status if it has changed. Returns whether some pods are ready but not
    /// yet available. Upstream: `updateDaemonSetStatus`.
    fn update_status(
        &self,
        plan: &mut Plan,
        ds: &DaemonSet,
        spec: &DaemonSetSpec,
        nodes: &Nodes<'_>,
        hash: &str,
        view: &View<'_>,
    ) -> bool {
        let min_ready_seconds = spec.min_ready_seconds.unwrap_or(0);
        let generation = util::template_generation(ds);
        let old = ds.status.clone().unwrap_or_default();
        let mut status = DaemonSetStatus {
            observed_generation: ds.metadata.generation,
            collision_count: old.collision_count,
            conditions: old.conditions.clone(),
            ..DaemonSetStatus::default()
        };
        let (mut available, mut updated) = (0, 0);
        for (node, verdict) in &nodes.verdicts {
            let first = nodes.pods_on(node).first().copied();
            if !verdict.should_run {
                status.number_misscheduled += i32::from(first.is_some());
                continue;
            }
            status.desired_number_scheduled += 1;
            let Some(pod) = first else { continue };
            status.current_number_scheduled += 1;
            status.number_ready += i32::from(pods::is_ready(pod));
            available += i32::from(pods::is_available(pod, min_ready_seconds, view.now));
            updated += i32::from(util::is_pod_updated(pod, hash, generation));
        }
        status.number_available = utils::nonzero(available);
        status.number_unavailable = utils::nonzero(status.desired_number_scheduled - available);
        status.updated_number_scheduled = utils::nonzero(updated);
        let waits = min_ready_seconds > 0 && status.number_ready != available;
        if status != old {
            plan.push(utils::update_status(DaemonSet { status: Some(status), ..ds.clone() }));
        }
        waits
    }
}

/// Leaves at most one old and one new pod on a node, and the old one only while it is ready and
/// the new one not yet available.
fn prune_surge<'a>(
    work: &mut Work<'a>,
    running: &[&'a Pod],
    hash: &str,
    min_ready_seconds: i32,
    view: &View<'_>,
) {
    if running.len() < 2 {
        return;
    }
    let is_new = |pod: &&&Pod| util::is_pod_updated(pod, hash, None);
    let (new, old): (Vec<&Pod>, Vec<&Pod>) = running.iter().partition(|it| is_new(it));
    work.delete.extend(new.iter().skip(1).chain(old.iter().skip(1)));
    if let (Some(new), Some(old)) = (new.first(), old.first())
        && (!pods::is_ready(old) || pods::is_available(new, min_ready_seconds, view.now))
    {
        work.delete.push(old);
    }
}

/// Upstream: `syncNodes`.
fn sync_nodes(
    plan: &mut Plan,
    ds: &DaemonSet,
    spec: &DaemonSetSpec,
    work: &Work<'_>,
    hash: &str,
    view: &View<'_>,
) {
    if !work.create_on.is_empty() && !utils::namespace_terminating(ds.namespace(), view) {
        let pod = utils::pod_from_template(&util::pod_template(ds, spec, hash), ds);
        let on_node = |node: &&str| {
            let mut pod = pod.clone();
            let spec = pod.spec.get_or_insert_default();
            spec.affinity = Some(util::target_node(spec.affinity.take(), node));
            pod
        };
        let pods = work.create_on.iter().take(BURST_REPLICAS).map(on_node);
        utils::create_pods(plan, COMPONENT, pods, ds);
    }
    for pod in work.delete.iter().take(BURST_REPLICAS) {
        utils::delete_pod(plan, COMPONENT, pod, ds);
    }
}
