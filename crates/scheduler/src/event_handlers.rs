//! What changes of objects mean for the cache and the queue.
//!
//! Upstream: `pkg/scheduler/eventhandlers.go`, v1.36.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{Change, Listers, Object, Timestamp};
use k8s_openapi::api::core::v1::Pod;

use crate::backend::queue::QueuedPodInfo;
use crate::framework::events::{
    ActionType, ClusterEvent, EventResource, node_scheduling_properties_change,
    pod_scheduling_properties_change,
};
use crate::framework::interface::{HintContext, QueueingHint};
use crate::framework::runtime::Framework;
use crate::framework::types::PodInfo;
use crate::scheduler::Scheduler;

fn is_assigned(pod: &Pod) -> bool {
    api::pods::node_name(pod).is_some_and(|it| !it.is_empty())
}

fn nominated(pod: &Pod) -> Option<&str> {
    let status = pod.status.as_ref()?;
    status.nominated_node_name.as_deref().filter(|it| !it.is_empty())
}

impl Scheduler {
    /// Follows a change. Upstream: the handlers of `addAllEventHandlers`.
    pub(crate) fn handle(&mut self, change: &Change, listers: Listers<'_>, now: Timestamp) {
        let event = |resource, action| ClusterEvent::new(resource, action);
        match (&change.old, &change.new) {
            (None, Some(Object::Node(new))) => {
                self.cache.set_node(new);
                let event = event(EventResource::Node, ActionType::ADD);
                self.move_all(event, change, listers, now);
            }
            (Some(Object::Node(old)), Some(Object::Node(new))) => {
                self.cache.set_node(new);
                for event in node_scheduling_properties_change(new, old) {
                    self.move_all(event, change, listers, now);
                }
            }
            (Some(Object::Node(old)), None) => {
                let event = event(EventResource::Node, ActionType::DELETE);
                self.move_all(event, change, listers, now);
                self.cache.remove_node(old.metadata.name.as_deref().unwrap_or_default());
            }
            (None, Some(Object::Pod(new))) => self.add_pod(new, change, listers, now),
            (Some(Object::Pod(old)), Some(Object::Pod(new))) => {
                self.update_pod(old, new, change, listers, now);
            }
            // Upstream's informer has lost a pod from sight when it ended.
            (Some(Object::Pod(old)), None) if api::pods::is_terminal(old) => {}
            (Some(Object::Pod(old)), None) => self.delete_pod(old, change, listers, now),
            (old, new) => {
                let Some(resource) = change.object().and_then(resource_of) else { return };
                let action = match (old, new) {
                    (None, _) => ActionType::ADD,
                    (_, None) => ActionType::DELETE,
                    _ => ActionType::UPDATE,
                };
                self.move_all(event(resource, action), change, listers, now);
            }
        }
    }

    fn add_pod(&mut self, pod: &Arc<Pod>, change: &Change, listers: Listers<'_>, now: Timestamp) {
        if is_assigned(pod) {
            self.add_assigned(pod, change, listers, now);
        } else if self.serves(pod) && !api::pods::is_terminal(pod) {
            self.enqueue(pod, now);
        }
    }

    fn add_assigned(
        &mut self,
        pod: &Arc<Pod>,
        change: &Change,
        listers: Listers<'_>,
        now: Timestamp,
    ) {
        // A pod that ended holds nothing any more. Upstream's informer leaves such pods out.
        if api::pods::is_terminal(pod) {
            return;
        }
        self.cache.add_pod(pod);
        let event = ClusterEvent::new(EventResource::AssignedPod, ActionType::ADD);
        self.move_all(event, change, listers, now);
    }

    fn update_pod(
        &mut self,
        old: &Arc<Pod>,
        new: &Arc<Pod>,
        change: &Change,
        listers: Listers<'_>,
        now: Timestamp,
    ) {
        if old.metadata.uid != new.metadata.uid {
            self.delete_pod(old, change, listers, now);
            return self.add_pod(new, change, listers, now);
        }
        let (was_over, is_over) = (api::pods::is_terminal(old), api::pods::is_terminal(new));
        if is_over {
            if !was_over {
                let gone = Change { old: Some(Object::Pod(old.clone())), new: None };
                self.delete_pod(old, &gone, listers, now);
            }
            return;
        }
        if is_assigned(old) {
            self.cache.add_pod(new);
            for event in pod_scheduling_properties_change(new, old) {
                self.move_all(event, change, listers, now);
            }
        } else if is_assigned(new) {
            let key = key_of(new);
            self.queue.remove(&key);
            self.nominator.delete(&key);
            let added = Change { old: None, new: Some(Object::Pod(new.clone())) };
            self.add_assigned(new, &added, listers, now);
        } else if self.serves(old) {
            self.update_queued(old, new, change, listers, now);
        }
    }

    /// Upstream: `updatePodInSchedulingQueue` and `PriorityQueue.Update`.
    fn update_queued(
        &mut self,
        old: &Arc<Pod>,
        new: &Arc<Pod>,
        change: &Change,
        listers: Listers<'_>,
        now: Timestamp,
    ) {
        let info = Arc::new(PodInfo::new(new.clone(), &mut self.cache.interner));
        if self.cache.is_assumed(&info.key) {
            return;
        }
        self.renominate(&info);
        if !self.queue.update(&info) {
            match self.queue.take_unschedulable(&info.key) {
                None => self.enqueue(new, now),
                Some(mut pod) => {
                    pod.pod = info.clone();
                    self.queue.add_unschedulable(pod);
                    for event in pod_scheduling_properties_change(new, old) {
                        let is_it = |it: &QueuedPodInfo| it.pod.key == info.key;
                        self.move_where(event, change, listers, now, is_it);
                    }
                }
            }
        }
        if nominated(old).is_some() && nominated(old) != nominated(new) {
            self.announce_room(old, listers, now);
        }
    }

    fn renominate(&mut self, pod: &Arc<PodInfo>) {
        match pod.nominated_node() {
            Some(node) => self.nominator.add(pod.clone(), node),
            // A nomination of the scheduler's own stays until it is overridden.
            None => {
                if let Some(node) = self.nominator.node_for(&pod.key).cloned() {
                    self.nominator.add(pod.clone(), &node);
                }
            }
        }
    }

    /// A nomination was taken back: pods of at most its priority may use the room.
    fn announce_room(&mut self, pod: &Arc<Pod>, listers: Listers<'_>, now: Timestamp) {
        let priority = pod.spec.as_ref().and_then(|it| it.priority).unwrap_or_default();
        let change = Change { old: Some(Object::Pod(pod.clone())), new: None };
        let event = ClusterEvent::new(EventResource::AssignedPod, ActionType::DELETE);
        self.move_where(event, &change, listers, now, |it| it.pod.priority <= priority);
    }

    fn delete_pod(
        &mut self,
        pod: &Arc<Pod>,
        change: &Change,
        listers: Listers<'_>,
        now: Timestamp,
    ) {
        let key = key_of(pod);
        let was_assumed = self.cache.is_assumed(&key);
        if is_assigned(pod) || was_assumed {
            self.cache.remove_pod(&key);
            self.queue.remove(&key);
            self.nominator.delete(&key);
            let event = ClusterEvent::new(EventResource::AssignedPod, ActionType::DELETE);
            self.move_all(event, change, listers, now);
        } else if self.serves(pod) {
            self.queue.remove(&key);
            self.nominator.delete(&key);
            if nominated(pod).is_some() {
                self.announce_room(pod, listers, now);
            }
        }
    }

    /// Adds a pod to the queue. Upstream: `PriorityQueue.Add`.
    pub(crate) fn enqueue(&mut self, pod: &Arc<Pod>, now: Timestamp) {
        let info = Arc::new(PodInfo::new(pod.clone(), &mut self.cache.interner));
        if let Some(node) = info.nominated_node() {
            self.nominator.add(info.clone(), node);
        }
        let gate = self.gate(pod);
        let queued = self.queue.queued(info, now);
        self.queue.activate(queued, gate);
    }

    /// Moves every pod that an event may help. Upstream: `MoveAllToActiveOrBackoffQueue`.
    pub(crate) fn move_all(
        &mut self,
        event: ClusterEvent,
        change: &Change,
        listers: Listers<'_>,
        now: Timestamp,
    ) {
        self.move_where(event, change, listers, now, |_| true);
    }

    fn move_where(
        &mut self,
        event: ClusterEvent,
        change: &Change,
        listers: Listers<'_>,
        now: Timestamp,
        concerns: impl Fn(&QueuedPodInfo) -> bool,
    ) {
        let (profiles, interner) = (&self.profiles, &mut self.cache.interner);
        let mut context = HintContext { interner, listers };
        let keys: Vec<Arc<str>> = self
            .queue
            .unschedulable()
            .filter(|it| {
                concerns(it) && is_worth_requeuing(profiles, &mut context, it, event, change)
            })
            .map(|it| it.pod.key.clone())
            .collect();
        for key in keys {
            let Some(pod) = self.queue.take_unschedulable(&key) else { continue };
            let gate = self.gate(&pod.pod.pod);
            self.queue.requeue(pod, now, gate);
        }
    }
}

/// Upstream: `isPodWorthRequeuing`.
fn is_worth_requeuing(
    profiles: &BTreeMap<String, Arc<Framework>>,
    context: &mut HintContext<'_>,
    pod: &QueuedPodInfo,
    event: ClusterEvent,
    change: &Change,
) -> bool {
    let gating = pod.gated.as_ref().map(|it| it.plugin);
    if gating.is_none() && pod.unschedulable_plugins.is_empty() {
        return true;
    }
    let name = pod.pod.spec().and_then(|it| it.scheduler_name.as_deref());
    let Some(framework) = profiles.get(name.unwrap_or("default-scheduler")) else { return true };
    let mut names = gating.iter().chain(&pod.unschedulable_plugins);
    names.any(|name| {
        let registered = framework.events_of(name).iter().filter(|it| it.event.covers(event));
        registered.into_iter().any(|it| match &it.hint {
            None => true,
            Some(hint) => hint(context, &pod.pod, change) == QueueingHint::Queue,
        })
    })
}

fn key_of(pod: &Pod) -> String {
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    format!("{}/{}", text(&pod.metadata.namespace), text(&pod.metadata.name))
}

fn resource_of(object: &Object) -> Option<EventResource> {
    Some(match object {
        Object::PersistentVolume(_) => EventResource::PersistentVolume,
        Object::PersistentVolumeClaim(_) => EventResource::PersistentVolumeClaim,
        Object::StorageClass(_) => EventResource::StorageClass,
        Object::CSINode(_) => EventResource::CsiNode,
        Object::CSIDriver(_) => EventResource::CsiDriver,
        _ => return None,
    })
}
