//! Notices nodes that are lost, and taints nodes according to their conditions.
//!
//! Upstream: `pkg/controller/nodelifecycle/node_lifecycle_controller.go`,
//! `pkg/controller/util/node/controller_utils.go`, v1.36.
//! Differs from upstream: the pass over all nodes runs every five seconds only while a node is not
//! well or something has changed, because between such times it finds nothing; a lease that says
//! `sim.orrery.dev/renewing: "true"` counts as renewed whenever it is looked at.

mod eviction_queue;
mod health;
mod taints;

use std::collections::BTreeMap;

use api::time::{after_ms, ms_between};
use api::{
    Change, Component, ComponentId, EventSpec, Kind, Object, ObjectRef, Plan, Resource, Timestamp,
    View, WorkQueue, pods,
};
use k8s_openapi::api::core::v1::{Node, Pod};

use crate::controller_utils::update_status;
use eviction_queue::{EvictionQueue, ZoneState};
use health::{Health, ready_status};
use taints::{NOT_READY, UNREACHABLE};

const COMPONENT: &str = "node-controller";
/// Upstream: `--node-monitor-period`.
const MONITOR_PERIOD_MS: i64 = 5_000;
/// Where the passes fall within the period. Upstream it is where the controller happened to start.
const MONITOR_PHASE_MS: i64 = 2_500;
/// How long the first change of a new node's taints takes: it conflicts with the kubelet's first
/// report and is repeated after 100 to 200 ms. Upstream: `UpdateTaintBackoff`.
const NEW_NODE_DELAY_MS: i64 = 150;
/// Upstream: `NodeEvictionPeriod`, the rhythm in which `NoExecute` taints are added.
const EVICTION_PERIOD_MS: i64 = 100;

/// The node lifecycle controller.
#[derive(Clone, Debug, Default)]
pub struct NodeLifecycleController {
    known: BTreeMap<String, String>,
    health: BTreeMap<String, Health>,
    zones: BTreeMap<String, EvictionQueue>,
    /// From when on the taints of nodes that have just been added are looked at.
    new_nodes: BTreeMap<String, Timestamp>,
    /// The next pass over all nodes, if one is needed.
    next_pass: Option<Timestamp>,
    /// The first pass has been made.
    started: bool,
}

/// The key of the pass over all nodes.
fn pass_key() -> ObjectRef {
    ObjectRef::new(Kind::Node, "", "")
}

/// The next time, not before `at`, at which a pass is due.
fn next_tick(at: Timestamp) -> Timestamp {
    let ms = at.as_millisecond() - MONITOR_PHASE_MS;
    let ticks = ms.div_euclid(MONITOR_PERIOD_MS) + i64::from(ms.rem_euclid(MONITOR_PERIOD_MS) > 0);
    after_ms(at, ticks * MONITOR_PERIOD_MS - ms)
}

/// The zone of a node. Upstream: `GetZoneKey`.
fn zone_of(node: &Node) -> String {
    let label = |stable: &str, beta: &str| {
        let labels = node.metadata.labels.as_ref();
        let found = labels.and_then(|it| it.get(stable).or_else(|| it.get(beta)));
        found.cloned().unwrap_or_default()
    };
    let region = label("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region");
    let zone = label("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone");
    format!("{region}:{zone}")
}

impl Component for NodeLifecycleController {
    fn id(&self) -> ComponentId {
        ComponentId::NodeLifecycle
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        for node in view.listers.list::<Node>() {
            queue.add_at(node.object_ref(), view.now);
        }
        self.ask_for_pass(view, queue);
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        match (&change.old, &change.new) {
            (old, Some(Object::Node(new))) => {
                let old = old.as_ref().and_then(|it| it.as_kind::<Node>());
                self.new_nodes.retain(|_, at| *at > view.now);
                if old.is_none() {
                    let at = after_ms(view.now, NEW_NODE_DELAY_MS);
                    self.new_nodes.insert(new.name().to_owned(), at);
                }
                if old.is_none_or(|old| matters(old, new)) {
                    let at = after_ms(view.now, view.settings.controller_latency_ms);
                    let not_before = self.new_nodes.get(new.name()).copied();
                    queue.add_at(new.object_ref(), not_before.map_or(at, |it| it.max(at)));
                    self.ask_for_pass(view, queue);
                }
            }
            (Some(Object::Node(_)), None) => self.ask_for_pass(view, queue),
            (_, Some(Object::Lease(lease))) if lease.namespace() == health::LEASE_NAMESPACE => {
                self.ask_for_pass(view, queue);
            }
            (old, Some(Object::Pod(pod))) => {
                let old = old.as_ref().and_then(|it| it.as_kind::<Pod>());
                let Some(node) = pods::node_name(pod) else { return };
                if old.and_then(pods::node_name) != Some(node)
                    && self.health.get(node).is_some_and(Health::is_lost)
                {
                    queue.add_at(pod.object_ref(), view.now);
                }
            }
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        match (key.kind, &*key.name) {
            (Kind::Node, "") => self.pass(view),
            (Kind::Node, _) => taints::no_schedule_pass(key, view),
            (Kind::Pod, _) => process_pod(key, view),
            _ => Plan::default(),
        }
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

/// Whether a change of a node is one that this controller looks at.
fn matters(old: &Node, new: &Node) -> bool {
    let told = |it: &Node| -> Vec<(String, String)> {
        let conditions = it.status.iter().flat_map(|it| it.conditions.iter().flatten());
        conditions.map(|it| (it.type_.clone(), it.status.clone())).collect()
    };
    old.metadata.labels != new.metadata.labels
        || old.metadata.uid != new.metadata.uid
        || old.spec != new.spec
        || told(old) != told(new)
}

/// A pod that was bound to a node that is not ready. Upstream: `processPod`.
fn process_pod(key: &ObjectRef, view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    let Some(pod) = view.listers.by_ref::<Pod>(key) else { return plan };
    let node = pods::node_name(pod).and_then(|it| view.listers.node(it));
    if node.and_then(ready_status).is_some_and(|it| it != "True") {
        mark_not_ready(pod, view, &mut plan);
    }
    plan
}

/// Upstream: `MarkPodsNotReady`.
fn mark_not_ready(pod: &Pod, view: &View<'_>, plan: &mut Plan) {
    let Some(ready) = pods::condition(pod, "Ready").filter(|it| it.status != "False") else {
        return;
    };
    let mut ready = ready.clone();
    ready.status = "False".to_owned();
    let mut new = pod.clone();
    pods::set_condition(new.status.get_or_insert_default(), ready, view.now);
    plan.push(update_status(new));
    let object = pod.clone().into_object();
    plan.record(EventSpec::warning(COMPONENT, &object, "NodeNotReady", "Node is not ready"));
}

fn node_event(name: &str, uid: &str, reason: &str, message: String) -> EventSpec {
    EventSpec::about(COMPONENT, ObjectRef::new(Kind::Node, "", name), uid, reason, message)
}

/// What one pass has found and is going to write.
#[derive(Default)]
struct Pass {
    plan: Plan,
    /// Ready and not ready nodes by zone.
    counts: BTreeMap<String, (usize, usize)>,
    /// Whether the next pass would find something without anything happening in between.
    unsettled: bool,
}

impl NodeLifecycleController {
    fn ask_for_pass(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        // The first pass comes at once.
        let soon = after_ms(view.now, view.settings.controller_latency_ms);
        let at = if self.started { next_tick(view.now) } else { soon };
        let at = self.next_pass.map_or(at, |it| it.min(at).max(view.now));
        self.next_pass = Some(at);
        queue.add_at(pass_key(), at);
    }

    /// Upstream: `monitorNodeHealth` and `doNoExecuteTaintingPass`.
    fn pass(&mut self, view: &View<'_>) -> Plan {
        let mut pass = Pass::default();
        let due = self.next_pass.is_some_and(|it| it <= view.now);
        if due {
            self.next_pass = None;
            self.started = true;
            self.monitor(view, &mut pass);
        } else {
            self.taint(view, &mut pass);
        }
        if pass.unsettled {
            self.next_pass = Some(next_tick(after_ms(view.now, 1)));
        }
        let mut plan = pass.plan;
        if let Some(at) = self.next_pass {
            plan.requeue(at);
        }
        for zone in self.zones.values() {
            if let Some(at) = zone.next() {
                plan.requeue(at.max(after_ms(view.now, EVICTION_PERIOD_MS)));
            }
        }
        plan
    }

    fn monitor(&mut self, view: &View<'_>, pass: &mut Pass) {
        self.classify(view, pass);
        for node in view.listers.list::<Node>() {
            self.monitor_node(node, view, pass);
        }
        self.handle_disruption(view, pass);
    }

    /// Upstream: `markNodeAsReachable`.
    fn mark_reachable(&mut self, node: &Node, view: &View<'_>, pass: &mut Pass) {
        if let Some(zone) = self.zones.get_mut(&zone_of(node)) {
            zone.remove(node.name());
        }
        pass.plan.actions.extend(taints::swap(node, &[], &[NOT_READY, UNREACHABLE], view));
    }

    /// Nodes that came and went. Upstream: `classifyNodes`.
    fn classify(&mut self, view: &View<'_>, pass: &mut Pass) {
        for node in view.listers.list::<Node>() {
            let name = node.name();
            let zone = zone_of(node);
            let queue = self.zones.entry(zone).or_insert_with(|| EvictionQueue::new(view.now));
            if queue.state == ZoneState::Unseen {
                *queue = EvictionQueue::new(view.now);
            }
            if !self.known.contains_key(name) {
                self.known.insert(name.to_owned(), node.uid().to_owned());
                let text = format!("Node {name} event: Registered Node {name} in Controller");
                pass.plan.record(node_event(name, node.uid(), "RegisteredNode", text));
                self.mark_reachable(node, view, pass);
            }
        }
        self.known.retain(|name, uid| {
            let stays = view.listers.node(name).is_some();
            if !stays {
                let text = format!("Node {name} event: Removing Node {name} from Controller");
                pass.plan.record(node_event(name, uid, "RemovingNode", text));
            }
            stays
        });
        let known = &self.known;
        self.health.retain(|name, _| known.contains_key(name));
    }

    fn monitor_node(&mut self, node: &Node, view: &View<'_>, pass: &mut Pass) {
        let name = node.name();
        let observed = ready_status(node).unwrap_or("Unknown").to_owned();
        let health =
            self.health.entry(name.to_owned()).or_insert_with(|| Health::new(node, view.now));
        let updated = health.update(node, view);
        let lost_contact = health.lost_contact;
        let now_status = updated.as_ref().map_or_else(|| ready_status(node), ready_status);
        let current = now_status.map(str::to_owned);
        health.ready = current.clone();
        if let Some(new) = updated {
            pass.plan.push(update_status(new));
        }
        let excluded = node.metadata.labels.as_ref();
        if !excluded.is_some_and(|it| it.contains_key("node.kubernetes.io/exclude-disruption")) {
            let counts = pass.counts.entry(zone_of(node)).or_default();
            if current.as_deref() == Some("True") { counts.0 += 1 } else { counts.1 += 1 }
        }
        pass.unsettled |= lost_contact;
        let Some(current) = current else { return };
        self.eviction_taints(node, &current, view, pass);
        if current != "True" && observed == "True" {
            let text = format!("Node {name} status is now: NodeNotReady");
            pass.plan.record(node_event(name, node.uid(), "NodeNotReady", text));
            for pod in view.listers.pods_on(name) {
                mark_not_ready(pod, view, &mut pass.plan);
            }
        }
    }

    /// Upstream: `processTaintBaseEviction`.
    fn eviction_taints(&mut self, node: &Node, ready: &str, view: &View<'_>, pass: &mut Pass) {
        let (wanted, opposite) = match ready {
            "False" => (NOT_READY, UNREACHABLE),
            "Unknown" => (UNREACHABLE, NOT_READY),
            _ => {
                self.mark_reachable(node, view, pass);
                return;
            }
        };
        if taints::has_no_execute(node, opposite) {
            pass.plan.actions.extend(taints::swap(node, &[wanted], &[opposite], view));
        } else if !taints::has_no_execute(node, wanted)
            && let Some(zone) = self.zones.get_mut(&zone_of(node))
        {
            zone.add(node.name());
        }
    }

    /// Upstream: `handleDisruption`.
    fn handle_disruption(&mut self, view: &View<'_>, pass: &mut Pass) {
        let counts = std::mem::take(&mut pass.counts);
        let new_state =
            |zone: &str| counts.get(zone).map(|(ready, lost)| ZoneState::of(*ready, *lost));
        let full = ZoneState::FullDisruption;
        let all_are = counts.keys().all(|it| new_state(it) == Some(full));
        for (_, zone) in self.zones.iter_mut().filter(|(name, _)| !counts.contains_key(*name)) {
            zone.state = ZoneState::Unseen;
            // The next pass gives it a new bucket.
            pass.unsettled |= zone.next().is_some();
        }
        let mut counted = self.zones.values().filter(|it| it.state != ZoneState::Unseen);
        let all_were = counted.all(|it| it.state == full);
        if all_are && all_were {
            return;
        }
        if all_are {
            for node in view.listers.list::<Node>() {
                self.mark_reachable(node, view, pass);
            }
            for zone in self.zones.values_mut().filter(|it| it.state != ZoneState::Unseen) {
                zone.swap_limiter(None, view.now);
                zone.state = full;
            }
            return;
        }
        if all_were {
            for health in self.health.values_mut() {
                health.forgive(view.now);
            }
        }
        for (name, zone) in &mut self.zones {
            let Some(state) = new_state(name).filter(|it| *it != zone.state) else { continue };
            let n_nodes = counts.get(name).map_or(0, |(ready, lost)| ready + lost);
            zone.swap_limiter(state.token_ms(n_nodes), view.now);
            zone.state = state;
        }
    }

    /// Taints the nodes for which there are tokens. Upstream: `doNoExecuteTaintingPass`.
    fn taint(&mut self, view: &View<'_>, pass: &mut Pass) {
        for zone in self.zones.values_mut() {
            while let Some(name) = zone.take(view.now) {
                let Some(node) = view.listers.node(&name) else { continue };
                let (wanted, opposite) = match ready_status(node) {
                    Some("False") => (NOT_READY, UNREACHABLE),
                    Some("Unknown") => (UNREACHABLE, NOT_READY),
                    _ => continue,
                };
                pass.plan.actions.extend(taints::swap(node, &[wanted], &[opposite], view));
            }
        }
    }
}

/// Milliseconds from `from` to `to`, never less than none.
fn elapsed(from: Timestamp, to: Timestamp) -> i64 {
    ms_between(from, to).max(0)
}

#[cfg(test)]
mod tests;
