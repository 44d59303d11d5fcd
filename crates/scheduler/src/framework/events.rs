//! Events of the cluster, as the queue sees them.
//!
//! Upstream: `pkg/scheduler/framework/events.go` and
//! `staging/src/k8s.io/kube-scheduler/framework/types.go`, v1.36.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::BitOr;

use api::Gather;
use api::resources::{Side, effective, pod_amounts};
use k8s_openapi::api::core::v1::{Node, Pod};

use super::interface::QueueingHintFn;

/// What happened to an object, as a set of bits. Upstream: `ActionType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionType(pub u32);

impl ActionType {
    /// It was added.
    pub const ADD: Self = Self(1);
    /// It was deleted.
    pub const DELETE: Self = Self(1 << 1);
    /// A node's allocatable changed.
    pub const UPDATE_NODE_ALLOCATABLE: Self = Self(1 << 2);
    /// A node's labels changed.
    pub const UPDATE_NODE_LABEL: Self = Self(1 << 3);
    /// A node's taints changed, or it was uncordoned.
    pub const UPDATE_NODE_TAINT: Self = Self(1 << 4);
    /// A node's conditions changed.
    pub const UPDATE_NODE_CONDITION: Self = Self(1 << 5);
    /// A node's annotations changed.
    pub const UPDATE_NODE_ANNOTATION: Self = Self(1 << 6);
    /// A pod's labels changed.
    pub const UPDATE_POD_LABEL: Self = Self(1 << 8);
    /// A pod asks for less.
    pub const UPDATE_POD_SCALE_DOWN: Self = Self(1 << 9);
    /// A pod's tolerations changed.
    pub const UPDATE_POD_TOLERATION: Self = Self(1 << 10);
    /// A pod lost its last scheduling gate.
    pub const UPDATE_POD_GATES_ELIMINATED: Self = Self(1 << 11);
    /// Any change. Upstream: `Update`.
    pub const UPDATE: Self = Self((1 << 13) - 4);
    /// Anything. Upstream: `All`.
    pub const ALL: Self = Self((1 << 13) - 1);

    /// Whether the two have a bit in common.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for ActionType {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The sort of object that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are upstream's and speak for themselves")]
pub enum EventResource {
    Pod,
    AssignedPod,
    UnschedulablePod,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    CsiNode,
    CsiDriver,
    WildCard,
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterEvent {
    /// What it is about.
    pub resource: EventResource,
    /// What happened.
    pub action: ActionType,
}

impl ClusterEvent {
    /// Names an event.
    #[must_use]
    pub const fn new(resource: EventResource, action: ActionType) -> Self {
        Self { resource, action }
    }

    /// Whether it is the one that concerns every pod.
    #[must_use]
    pub fn is_wild_card(self) -> bool {
        self.resource == EventResource::WildCard
    }

    /// Whether an event that was registered for covers one that came in. Upstream: `MatchClusterEvents`.
    #[must_use]
    pub fn covers(self, incoming: Self) -> bool {
        use EventResource::{AssignedPod, Pod, UnschedulablePod, WildCard};
        let resource = match self.resource {
            WildCard => true,
            Pod => matches!(incoming.resource, Pod | AssignedPod | UnschedulablePod),
            it => it == incoming.resource,
        };
        // A general update is only for those who registered for at least as much.
        resource && self.action.meets(incoming.action) && incoming.action.0 <= self.action.0
    }
}

/// A registration: the event, and a closer look at it.
#[derive(Clone)]
pub struct ClusterEventWithHint {
    /// The event.
    pub event: ClusterEvent,
    /// `None`: every such event may help.
    pub hint: Option<QueueingHintFn>,
}

/// Whoever waits for new nodes hears of changed taints too, and then always looks again. Upstream:
/// `buildQueueingHintMap`, where it makes up for additions of nodes that were passed over.
#[must_use]
pub fn with_node_taints(mut events: Vec<ClusterEventWithHint>) -> Vec<ClusterEventWithHint> {
    let registers = |action| {
        let mut of_nodes = events.iter().filter(|it| it.event.resource == EventResource::Node);
        of_nodes.any(|it| it.event.action.meets(action))
    };
    if registers(ActionType::ADD) && !registers(ActionType::UPDATE_NODE_TAINT) {
        let event = ClusterEvent::new(EventResource::Node, ActionType::UPDATE_NODE_TAINT);
        events.push(ClusterEventWithHint { event, hint: None });
    }
    events
}

/// What changed about a pod that matters for scheduling. Upstream: `PodSchedulingPropertiesChange`.
#[must_use]
pub fn pod_scheduling_properties_change(new: &Pod, old: &Pod) -> Vec<ClusterEvent> {
    let unassigned = api::pods::node_name(new).is_none_or(str::is_empty);
    let resource =
        if unassigned { EventResource::UnschedulablePod } else { EventResource::AssignedPod };
    let mut actions = Vec::new();
    let empty = BTreeMap::new();
    if new.metadata.labels.as_ref().unwrap_or(&empty)
        != old.metadata.labels.as_ref().unwrap_or(&empty)
    {
        actions.push(ActionType::UPDATE_POD_LABEL);
    }
    if is_scaled_down(new, old) {
        actions.push(ActionType::UPDATE_POD_SCALE_DOWN);
    }
    let gates =
        |it: &Pod| it.spec.as_ref().and_then(|it| it.scheduling_gates.as_ref()).map_or(0, Vec::len);
    if gates(new) == 0 && gates(old) != 0 {
        actions.push(ActionType::UPDATE_POD_GATES_ELIMINATED);
    }
    let tolerations =
        |it: &Pod| it.spec.as_ref().and_then(|it| it.tolerations.as_ref()).map_or(0, Vec::len);
    if tolerations(new) != tolerations(old) {
        actions.push(ActionType::UPDATE_POD_TOLERATION);
    }
    if actions.is_empty() {
        actions.push(ActionType::UPDATE);
    }
    actions.into_iter().map(|it| ClusterEvent::new(resource, it)).collect()
}

/// Upstream: `extractPodScaleDown`.
fn is_scaled_down(new: &Pod, old: &Pod) -> bool {
    // Most changes are of the status, and it mostly tells the same of the requests.
    let by_spec = |it: &Pod| matches!(effective(it), Cow::Borrowed(_));
    if new.spec == old.spec && by_spec(new) && by_spec(old) {
        return false;
    }
    let (new, old) = (pod_amounts(new, Side::Requests), pod_amounts(old, Side::Requests));
    old.iter().any(|(name, amount)| new.get(name).is_none_or(|it| amount > it))
}

/// What changed about a node that matters for scheduling. Upstream: `NodeSchedulingPropertiesChange`.
#[must_use]
pub fn node_scheduling_properties_change(new: &Node, old: &Node) -> Vec<ClusterEvent> {
    let mut actions = Vec::new();
    let cordoned = |it: &Node| it.spec.as_ref().and_then(|it| it.unschedulable).unwrap_or_default();
    if cordoned(old) && !cordoned(new) {
        actions.push(ActionType::UPDATE_NODE_TAINT);
    }
    let allocatable = |it: &Node| it.status.as_ref().and_then(|it| it.allocatable.clone());
    if allocatable(new) != allocatable(old) {
        actions.push(ActionType::UPDATE_NODE_ALLOCATABLE);
    }
    let empty = BTreeMap::new();
    if new.metadata.labels.as_ref().unwrap_or(&empty)
        != old.metadata.labels.as_ref().unwrap_or(&empty)
    {
        actions.push(ActionType::UPDATE_NODE_LABEL);
    }
    if api::taints::of_node(new) != api::taints::of_node(old) {
        actions.push(ActionType::UPDATE_NODE_TAINT);
    }
    let conditions = |it: &Node| -> BTreeMap<String, String> {
        let all = it.status.iter().flat_map(|it| it.conditions.iter().flatten());
        all.map(|it| (it.type_.clone(), it.status.clone())).to_map()
    };
    if conditions(new) != conditions(old) {
        actions.push(ActionType::UPDATE_NODE_CONDITION);
    }
    if new.metadata.annotations.as_ref().unwrap_or(&empty)
        != old.metadata.annotations.as_ref().unwrap_or(&empty)
    {
        actions.push(ActionType::UPDATE_NODE_ANNOTATION);
    }
    actions.into_iter().map(|it| ClusterEvent::new(EventResource::Node, it)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::framework::intern::Interner;
    use crate::framework::types::PodInfo;

    #[test]
    fn whoever_waits_for_nodes_hears_of_taints() {
        let node = |action| ClusterEvent::new(EventResource::Node, action);
        let (add, taint) = (ActionType::ADD, ActionType::UPDATE_NODE_TAINT);
        for (event, n) in [
            (node(add), 2),
            (node(add | ActionType::UPDATE_NODE_LABEL), 2),
            (node(add | taint), 1),
            (node(ActionType::UPDATE_NODE_LABEL), 1),
            (ClusterEvent::new(EventResource::Pod, add), 1),
        ] {
            let all = with_node_taints(vec![ClusterEventWithHint { event, hint: None }]);
            assert_eq!(all.len(), n, "{event:?}");
            let hears = all.iter().any(|it| it.event.covers(node(taint)));
            assert_eq!(hears, event.resource == EventResource::Node && event.action.meets(add));
        }
    }

    /// A pod on a node that asks for so much CPU, has so much and was granted so much.
    fn resized(asks: &str, has: &str, granted: &str) -> Arc<Pod> {
        let requests = |it: &str| json!({"requests": {"cpu": it}});
        let status = json!({
            "name": "c", "resources": requests(has), "allocatedResources": {"cpu": granted},
        });
        let pod = json!({
            "metadata": {"name": "a", "namespace": "default"},
            "spec": {"nodeName": "n", "containers": [{"name": "c", "resources": requests(asks)}]},
            "status": {"containerStatuses": [status]},
        });
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn a_pod_is_scaled_down_once_it_has_less() {
        let down = ActionType::UPDATE_POD_SCALE_DOWN;
        for (old, new, expected) in [
            (("2", "2", "2"), ("1", "2", "2"), ActionType::UPDATE),
            (("1", "2", "2"), ("1", "2", "1"), ActionType::UPDATE),
            (("1", "2", "1"), ("1", "1", "1"), down),
            (("1", "1", "1"), ("2", "1", "1"), ActionType::UPDATE),
        ] {
            let of = |(asks, has, granted)| resized(asks, has, granted);
            let events = pod_scheduling_properties_change(&of(new), &of(old));
            let event = ClusterEvent::new(EventResource::AssignedPod, expected);
            assert_eq!(events, [event], "{old:?} {new:?}");
        }
    }

    #[test]
    fn what_was_compiled_of_a_template_is_not_that_of_a_resized_pod() {
        let mut interner = Interner::default();
        for (pod, milli_cpu) in [
            (resized("1", "1", "1"), 1_000),
            (resized("1", "2", "1"), 2_000),
            (resized("1", "1", "3"), 3_000),
            (resized("1", "1", "1"), 1_000),
        ] {
            let info = PodInfo::new(pod, &mut interner);
            assert_eq!((info.requests.milli_cpu, info.non_zero_cpu), (milli_cpu, milli_cpu));
        }
    }
}
