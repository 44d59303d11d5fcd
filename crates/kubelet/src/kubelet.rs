//! All kubelets of the cluster in one component: one key for each pod and each node.
//!
//! Upstream: `pkg/kubelet/kubelet.go` (`syncPod`, `HandlePodAdditions`, ...), v1.36.
//! Differs from upstream: ConfigMaps and Secrets that are missing do not hold a pod back, because
//! the texts that people paste mostly leave them out; claims do.

mod making_room;
mod resizes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod, PodSpec};
use api::time::ms_between;
use api::{
    Action, Change, Component, ComponentId, EventSpec, Kind, Object, ObjectRef, Plan, Resource,
    View, WorkQueue, pods,
};

use crate::allocation;
use crate::events::Recorder;
use crate::eviction::{self, Decision};
use crate::kubelet_node_status::{NodeState, host_ip, is_on, sync_node};
use crate::pod_workers::{Context, PodWorker};
use crate::predicate::{HostPort, Refusal, admit, host_ports};
use crate::workload::delay_ms;
use crate::{static_pods, status};

/// The node agents.
#[derive(Clone, Debug, Default)]
pub struct Kubelet {
    nodes: BTreeMap<String, NodeState>,
    n_nodes: usize,
    workers: BTreeMap<ObjectRef, Entry>,
    /// Pods that wait for a claim.
    waiting: BTreeSet<ObjectRef>,
    /// A pod has been resized: what others give back may matter.
    resizing: bool,
}

/// A pod with what it takes of its node.
#[derive(Clone, Debug)]
struct Entry {
    worker: PodWorker,
    requests: BTreeMap<String, i64>,
    ports: Vec<HostPort>,
    admitted: bool,
}

impl Component for Kubelet {
    fn id(&self) -> ComponentId {
        ComponentId::Kubelet
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        for node in view.listers.list::<Node>() {
            queue.add_at(node.object_ref(), view.now);
        }
        for pod in view.listers.list::<Pod>().filter(|it| pods::node_name(it).is_some()) {
            queue.add_at(pod.object_ref(), view.now);
        }
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        match (&change.old, &change.new) {
            (old, Some(Object::Pod(pod))) => {
                let old = old.as_ref().and_then(|it| it.as_kind::<Pod>());
                self.pod_changed(old, pod, view, queue);
            }
            (Some(Object::Pod(pod)), None) => {
                let key = pod.object_ref();
                self.waiting.remove(&key);
                match static_pods::node_of_mirror(pod) {
                    Some(node) => queue.add_at(node, view.now),
                    None => self.forget(&key),
                }
                if let Some(node) = pods::node_name(pod).filter(|_| self.resizing) {
                    self.retry_resizes(node, view, queue);
                }
            }
            (old, Some(Object::Node(node))) => {
                let old = old.as_ref().and_then(|it| it.as_kind::<Node>());
                self.node_changed(old, node, view, queue);
            }
            (Some(Object::Node(node)), None) => self.node_deleted(node),
            (_, Some(Object::PersistentVolumeClaim(claim))) => {
                let namespace = claim.namespace();
                for key in self.waiting.iter().filter(|it| &*it.namespace == namespace) {
                    queue.add_at(key.clone(), view.now);
                }
            }
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        match key.kind {
            Kind::Node => self.sync_node(key, view),
            Kind::Pod => self.sync_pod(key, view),
            _ => Plan::default(),
        }
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

impl Kubelet {
    fn pod_changed(
        &mut self,
        old: Option<&Pod>,
        pod: &Pod,
        view: &View<'_>,
        queue: &mut WorkQueue,
    ) {
        let Some(node) = pods::node_name(pod) else { return };
        let key = pod.object_ref();
        let bound = old.and_then(pods::node_name) != Some(node);
        let replaced = old.is_some_and(|it| it.uid() != pod.uid());
        if eviction::tells_usage(pod)
            && let Some(state) = self.nodes.get_mut(node)
        {
            state.eviction.watches = true;
        }
        if bound || replaced {
            queue.add_at(key, view.now);
            return;
        }
        if let Some(old) = old {
            if old.metadata.generation != pod.metadata.generation {
                self.push_resize(&key, old, pod, view, queue);
            }
            if self.resizing && allocation::frees(old, pod) {
                self.retry_resizes(node, view, queue);
            }
        }
        let Some(entry) = self.workers.get(&key) else {
            if pods::is_terminating(pod) {
                queue.add_at(key, view.now);
            }
            return;
        };
        if pods::is_terminal(pod)
            && entry.worker.reported.0 == pods::phase(pod)
            && !pods::is_terminating(pod)
        {
            self.forget(&key);
            return;
        }
        if self.nodes.get(node).is_some_and(|it| it.eviction.watches) {
            queue.add_at(ObjectRef::new(Kind::Node, "", node), view.now);
        }
        let told = (pods::phase(pod), pods::is_ready(pod)) != entry.worker.reported;
        let edited = old.is_some_and(|it| {
            it.metadata.deletion_timestamp != pod.metadata.deletion_timestamp
                || it.metadata.deletion_grace_period_seconds
                    != pod.metadata.deletion_grace_period_seconds
                || it.metadata.annotations != pod.metadata.annotations
                || it.metadata.generation != pod.metadata.generation
        });
        let gated = pod.spec.as_ref().is_some_and(|it| it.readiness_gates.is_some());
        let resized = entry.worker.resize.is_some();
        if told || edited || gated || resized || entry.worker.is_being_evicted() {
            queue.add_at(key, view.now);
        }
    }

    fn node_changed(
        &mut self,
        old: Option<&Node>,
        node: &Node,
        view: &View<'_>,
        queue: &mut WorkQueue,
    ) {
        let unschedulable = |it: &Node| it.spec.as_ref().and_then(|it| it.unschedulable);
        let ready = |it: &Node| {
            let all = it.status.iter().flat_map(|it| it.conditions.iter().flatten());
            all.filter(|it| it.type_ == "Ready").map(|it| it.status.clone()).next()
        };
        let changed = old.is_none_or(|old| {
            old.metadata.annotations != node.metadata.annotations
                || old.metadata.uid != node.metadata.uid
                || unschedulable(old) != unschedulable(node)
                || ready(old) != ready(node)
        });
        if !changed {
            return;
        }
        queue.add_at(node.object_ref(), view.now);
        let failed_before = old.is_some_and(|it| is_on(it, "failed"));
        if old.is_none()
            && let Some(state) = self.nodes.get_mut(node.name())
        {
            state.deleted = None;
        }
        if old.is_none() || (failed_before && !is_on(node, "failed")) {
            for key in view.listers.0.pods_on(node.name()) {
                queue.add_at(key.clone(), view.now);
            }
        }
    }

    /// The machine goes on as the kubelet knew it, without an object in the API.
    fn node_deleted(&mut self, node: &Arc<Node>) {
        if let Some(state) = self.nodes.get_mut(node.name()) {
            state.deleted = Some(node.clone());
            state.renewing = false;
        }
    }

    fn forget(&mut self, key: &ObjectRef) {
        self.waiting.remove(key);
        if let Some(mut entry) = self.workers.remove(key) {
            self.release(&mut entry);
        }
    }

    /// Gives back what an ended pod took of its node.
    fn release(&mut self, entry: &mut Entry) {
        let Some(node) = self.nodes.get_mut(&entry.worker.node) else { return };
        if !std::mem::take(&mut entry.admitted) {
            return;
        }
        node.usage.remove(&entry.requests, &entry.ports);
        if let Some(ip) = &entry.worker.ip {
            node.free_ip(ip);
        }
    }

    fn state_of(&mut self, name: &str, view: &View<'_>) -> &mut NodeState {
        let n_nodes = &mut self.n_nodes;
        self.nodes.entry(name.to_owned()).or_insert_with(|| {
            *n_nodes += 1;
            NodeState::new(*n_nodes - 1, view.now)
        })
    }

    fn sync_node(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let Some(node) = view.listers.by_ref::<Node>(key) else { return Plan::default() };
        let state = self.state_of(node.name(), view);
        let decision = match is_on(node, "failed") {
            true => Decision::default(),
            false => state.eviction.synchronize(node, state.lease_base, view),
        };
        let mut plan = sync_node(node, state, view);
        if !state.failed {
            static_pods::sync(node, view, &mut plan);
        }
        self.carry_out(node, decision, view, &mut plan);
        self.try_resizes(node, view, &mut plan);
        plan
    }

    fn sync_pod(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let Some(pod) = view.listers.by_ref::<Pod>(key) else {
            return Plan::default();
        };
        let (Some(name), Some(spec)) = (pods::node_name(pod), pod.spec.as_ref()) else {
            return Plan::default();
        };
        let deleted = self.nodes.get(name).and_then(|it| it.deleted.clone());
        let Some(node) = view.listers.node(name).or(deleted.as_deref()) else {
            return Plan::default();
        };
        // A node that is cut off says nothing; it is asked again when it is back.
        if is_on(node, "failed") {
            return Plan::default();
        }
        if static_pods::mirror_hash(pod).is_some() && pods::is_terminating(pod) {
            return Plan { actions: vec![static_pods::delete_now(pod)], ..Plan::default() };
        }
        let identity = static_pods::mirror_hash(pod).unwrap_or(pod.uid()).to_owned();
        if self.workers.get(key).is_some_and(|it| it.worker.identity != identity) {
            self.forget(key);
        }
        let mut out = Recorder::new(pod, name);
        if !self.workers.contains_key(key) {
            if pods::is_terminal(pod) {
                return finish(pod, Plan::default());
            }
            let mut plan = self.add_pod(key, pod, spec, node, identity, view, &mut out);
            let own = self.advance(key, pod, spec, node, view, out);
            plan.actions.extend(own.actions);
            return Plan { requeue_at: own.requeue_at, ..plan };
        }
        self.advance(key, pod, spec, node, view, out)
    }

    /// A pod that this kubelet has not seen before. Returns what becomes of others that make place.
    /// Upstream: `HandlePodAdditions`.
    #[expect(clippy::too_many_arguments, reason = "they are the pod and its surroundings")]
    fn add_pod(
        &mut self,
        key: &ObjectRef,
        pod: &Pod,
        spec: &PodSpec,
        node: &Node,
        identity: String,
        view: &View<'_>,
        out: &mut Recorder<'_>,
    ) -> Plan {
        let mut plan = Plan::default();
        let requests = api::resources::spec_requests(spec);
        let ports = host_ports(spec);
        let is_static = static_pods::mirror_hash(pod).is_some();
        let state = self.state_of(node.name(), view);
        let mut worker = PodWorker::new(identity, node.name().to_owned(), spec, view.now);
        if worker.resume(pod, spec) {
            state.usage.add(&requests, &ports);
            let entry = Entry { worker, requests, ports, admitted: true };
            self.workers.insert(key.clone(), entry);
            return plan;
        }
        let mut verdict = eviction::admit(pod, spec, node, state.eviction.pressure)
            .and_then(|()| admit(pod, spec, &requests, &ports, node, &state.usage, is_static));
        if verdict.is_err() && eviction::is_critical(pod) {
            let room = self.make_room(pod, spec, &requests, &ports, node, view, &mut plan);
            verdict = room.map(|at| {
                worker.held_ms = at.map_or(0, |at| ms_between(view.now, at));
            });
        }
        let admitted = match verdict {
            Ok(()) => {
                self.state_of(node.name(), view).usage.add(&requests, &ports);
                true
            }
            Err(Refusal { reason, message }) => {
                out.pod(true, &reason, message.clone());
                worker.rejected = Some((reason, message));
                false
            }
        };
        let entry = Entry { worker, requests, ports, admitted };
        self.workers.insert(key.clone(), entry);
        plan
    }

    /// Brings one pod up to now and reports what has become of it.
    fn advance(
        &mut self,
        key: &ObjectRef,
        pod: &Pod,
        spec: &PodSpec,
        node: &Node,
        view: &View<'_>,
        mut out: Recorder<'_>,
    ) -> Plan {
        let Some(mut entry) = self.workers.remove(key) else { return Plan::default() };
        // What a pod asks for and has not got does not count.
        let allocated = entry.worker.resize.as_ref().and_then(|it| it.allocated_pod(pod));
        let asked = &pod.spec;
        let pod = allocated.as_ref().unwrap_or(pod);
        let spec = pod.spec.as_ref().unwrap_or(spec);
        let context = Context { pod, spec, seed: view.seed, settings: view.settings };
        let worker = &mut entry.worker;
        let state = self.state_of(node.name(), view);
        let (index, resumed_at, base) = (state.index, state.resumed_at, state.started);
        let from = if worker.clock < resumed_at { worker.clock } else { view.now };
        // First what was to happen by itself, then what others ask for now.
        worker.advance(&context, from, view.now, &mut out);
        stop_if_asked(worker, &context, view, &mut out);
        if worker.begin_at.is_none() && worker.rejected.is_none() && worker.stop.is_none() {
            match missing_volume(pod, spec, view) {
                None => {
                    let own = delay_ms(pod, "start-delay", "", 0, view.seed);
                    let delay = own.unwrap_or(view.settings.container_start_ms);
                    worker.begin(&context, view.now, base, delay);
                    self.waiting.remove(key);
                }
                Some(message) => {
                    if self.waiting.insert(key.clone()) {
                        out.pod(true, "FailedMount", message);
                    }
                }
            }
        }
        worker.advance(&context, view.now, view.now, &mut out);
        let address = host_ip(node, index);
        if worker.begun && worker.ip.is_none() {
            worker.ip = Some(match spec.host_network {
                Some(true) => address.clone(),
                _ => self.state_of(node.name(), view).take_ip(node),
            });
        }
        let plan = report(&mut entry, asked, &context, &address, view, out.events);
        if entry.worker.is_over(spec) {
            self.release(&mut entry);
        }
        self.workers.insert(key.clone(), entry);
        plan
    }
}

/// A deletion, or an end that somebody else has written into the status.
fn stop_if_asked(
    worker: &mut PodWorker,
    context: &Context<'_>,
    view: &View<'_>,
    out: &mut Recorder<'_>,
) {
    let pod = context.pod;
    if worker.is_over(context.spec) {
        return;
    }
    if pods::is_terminal(pod) {
        worker.begin_stop(view.now, None, None, context, out);
        return;
    }
    if pods::is_terminating(pod) {
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(30).saturating_mul(1_000);
        if worker.stop.is_some() {
            worker.hasten_stop(view.now, grace);
        }
        worker.begin_stop(view.now, Some(grace), None, context, out);
    }
}

fn report(
    entry: &mut Entry,
    asked: &Option<PodSpec>,
    context: &Context<'_>,
    address: &str,
    view: &View<'_>,
    events: Vec<EventSpec>,
) -> Plan {
    let (pod, worker) = (context.pod, &mut entry.worker);
    let mut plan = Plan { requeue_at: worker.next(context, view.now), ..Plan::default() };
    for event in events {
        plan.record(event);
    }
    let status = status::generate(worker, context, address, view.now);
    let ready =
        status.conditions.iter().flatten().any(|it| it.type_ == "Ready" && it.status == "True");
    let phase = match status.phase.as_deref() {
        Some("Running") => "Running",
        Some("Succeeded") => "Succeeded",
        Some("Failed") => "Failed",
        _ => "Pending",
    };
    worker.reported = (phase, ready);
    if !status::same(pod, &status) {
        let (metadata, spec) = (pod.metadata.clone(), asked.clone());
        let new = Pod { metadata, spec, status: Some(status) };
        plan.push(Action::UpdateStatus(new.into_object()));
    }
    if worker.is_over(context.spec) { finish(pod, plan) } else { plan }
}

/// A deleted pod whose containers have ended leaves the API server.
fn finish(pod: &Pod, mut plan: Plan) -> Plan {
    if pods::is_terminating(pod) && pod.metadata.deletion_grace_period_seconds != Some(0) {
        plan.push(static_pods::delete_now(pod));
    }
    plan
}

/// The message about the first claim that is missing or not bound.
fn missing_volume(pod: &Pod, spec: &PodSpec, view: &View<'_>) -> Option<String> {
    for volume in spec.volumes.iter().flatten() {
        let claim = match (&volume.persistent_volume_claim, &volume.ephemeral) {
            (Some(it), _) => it.claim_name.clone(),
            (None, Some(_)) => format!("{}-{}", pod.name(), volume.name),
            _ => continue,
        };
        let found = view.listers.get::<PersistentVolumeClaim>(pod.namespace(), &claim);
        let problem = match found {
            None => format!(
                "failed to fetch PVC from API server: persistentvolumeclaims \"{claim}\" not found"
            ),
            Some(it) => {
                let phase = it.status.as_ref().and_then(|it| it.phase.as_deref());
                if phase == Some("Bound") {
                    continue;
                }
                "PVC is not bound".to_owned()
            }
        };
        let (name, namespace) = (&volume.name, pod.namespace());
        return Some(format!(
            "Unable to attach or mount volumes: unmounted volumes=[{name}], unattached volumes=[], \
             failed to process volumes=[{name}]: error processing PVC {namespace}/{claim}: {problem}"
        ));
    }
    None
}
