//! Removes pods that nobody else will remove: on nodes that are gone or out of service, and finished
//! ones when there are too many.
//!
//! Upstream: `pkg/controller/podgc/gc_controller.go`, v1.36.
//! Differs from upstream: the pass that comes every 20 seconds is left out while nothing has
//! happened that it could find.

use api::Order;
use std::collections::BTreeMap;

use api::time::after_ms;
use api::{
    Action, Change, Component, ComponentId, DeleteOptions, Kind, Object, ObjectRef, Plan, Resource,
    Timestamp, View, WorkQueue, pods,
};
use k8s_openapi::api::core::v1::{Node, Pod, PodCondition};

use crate::controller_utils::update_status;

/// Upstream: `gcCheckPeriod`.
const PERIOD_MS: i64 = 20_000;
/// Where the passes fall within the period. Upstream it is where the controller happened to start.
const PHASE_MS: i64 = 10_000;
/// Upstream: `quarantineTime`.
const QUARANTINE_MS: i64 = 40_000;
/// Upstream: `--terminated-pod-gc-threshold`.
const TERMINATED_POD_THRESHOLD: usize = 12_500;
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// The pod garbage collector.
#[derive(Clone, Debug, Default)]
pub struct PodGcController {
    /// Nodes that were found missing, and until when they are given time.
    quarantine: BTreeMap<String, Timestamp>,
}

fn pass_key() -> ObjectRef {
    ObjectRef::new(Kind::Pod, "", "")
}

/// The next time, not before `at`, at which a pass is due.
fn next_tick(at: Timestamp) -> Timestamp {
    let ms = at.as_millisecond() - PHASE_MS;
    let ticks = ms.div_euclid(PERIOD_MS) + i64::from(ms.rem_euclid(PERIOD_MS) > 0);
    after_ms(at, ticks * PERIOD_MS - ms)
}

impl Component for PodGcController {
    fn id(&self) -> ComponentId {
        ComponentId::PodGc
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        queue.add_at(pass_key(), next_tick(view.now));
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let interesting = match (&change.old, &change.new) {
            (Some(Object::Node(_)), None) => true,
            (old, Some(Object::Node(new))) => {
                let old = old.as_ref().and_then(|it| it.as_kind::<Node>());
                out_of_service(new)
                    && old.is_none_or(|old| old.spec != new.spec || old.status != new.status)
            }
            (old, Some(Object::Pod(new))) => {
                let old = old.as_ref().and_then(|it| it.as_kind::<Pod>());
                pod_is_interesting(old, new, view)
            }
            _ => false,
        };
        if interesting {
            queue.add_at(pass_key(), next_tick(view.now));
        }
    }

    fn decide(&mut self, _: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        // An object of that key would be an ordinary pod; only passes are queued.
        terminated(view, &mut plan);
        self.orphaned(view, &mut plan);
        if !self.quarantine.is_empty() {
            plan.requeue(next_tick(after_ms(view.now, 1)));
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

fn out_of_service(node: &Node) -> bool {
    api::taints::of_node(node).iter().any(|it| it.key == OUT_OF_SERVICE)
}

fn is_ready(node: &Node) -> bool {
    let mut conditions = node.status.iter().flat_map(|it| it.conditions.iter().flatten());
    conditions.any(|it| it.type_ == "Ready" && it.status == "True")
}

/// Whether a pass may have something to do about the pod.
fn pod_is_interesting(old: Option<&Pod>, new: &Pod, view: &View<'_>) -> bool {
    let newly = |is: fn(&Pod) -> bool| is(new) && !old.is_some_and(is);
    if newly(pods::is_terminal) {
        return view.listers.0.count(Kind::Pod) > TERMINATED_POD_THRESHOLD;
    }
    let bound = pods::node_name(new);
    if newly(pods::is_terminating) {
        let node = bound.and_then(|it| view.listers.node(it));
        return node.is_none_or(out_of_service);
    }
    old.and_then(pods::node_name) != bound
        && bound.is_some_and(|it| view.listers.node(it).is_none())
}

/// Everything but orphans. Upstream: `gcTerminated`, `gcTerminating`, `gcUnscheduledTerminating`.
fn terminated(view: &View<'_>, plan: &mut Plan) {
    if view.listers.0.count(Kind::Pod) > TERMINATED_POD_THRESHOLD {
        let mut finished: Vec<&Pod> =
            view.listers.list::<Pod>().filter(|it| pods::is_terminal(it)).collect();
        let surplus = finished.len().saturating_sub(TERMINATED_POD_THRESHOLD);
        finished.order_by_key(|it| {
            let reason = it.status.as_ref().and_then(|it| it.reason.as_deref());
            let created = it.metadata.creation_timestamp.as_ref().map(|it| it.0);
            (reason != Some("Evicted"), created, it.name())
        });
        for pod in finished.into_iter().take(surplus) {
            mark_failed_and_delete(pod, None, view, plan);
        }
    }
    for pod in view.listers.list::<Pod>().filter(|it| pods::is_terminating(it)) {
        let lost = match pods::node_name(pod) {
            None => true,
            Some(name) => {
                view.listers.node(name).is_some_and(|it| !is_ready(it) && out_of_service(it))
            }
        };
        // One that only a finalizer holds has nothing left to be deleted.
        let held = pod.metadata.deletion_grace_period_seconds == Some(0) && pods::is_terminal(pod);
        if lost && !held {
            mark_failed_and_delete(pod, None, view, plan);
        }
    }
}

impl PodGcController {
    /// Upstream: `gcOrphaned`.
    fn orphaned(&mut self, view: &View<'_>, plan: &mut Plan) {
        let until = after_ms(view.now, QUARANTINE_MS);
        for pod in view.listers.list::<Pod>() {
            let Some(name) = pods::node_name(pod) else { continue };
            if view.listers.node(name).is_some() {
                continue;
            }
            let due = *self.quarantine.entry(name.to_owned()).or_insert(until);
            let held = pods::is_terminating(pod) && pods::is_terminal(pod);
            if due <= view.now && !held {
                mark_failed_and_delete(pod, Some("PodGC: node no longer exists"), view, plan);
            }
        }
        // Upstream's queue keeps a name for its time, also when the node comes back meanwhile.
        self.quarantine.retain(|_, due| *due > view.now);
    }
}

/// Upstream: `markFailedAndDeletePodWithCondition`.
fn mark_failed_and_delete(pod: &Pod, message: Option<&str>, view: &View<'_>, plan: &mut Plan) {
    if !pods::is_terminal(pod) {
        let mut new = pod.clone();
        let status = new.status.get_or_insert_default();
        status.phase = Some("Failed".to_owned());
        status.observed_generation = pod.metadata.generation;
        if let Some(message) = message {
            let condition = PodCondition {
                type_: "DisruptionTarget".to_owned(),
                status: "True".to_owned(),
                reason: Some("DeletionByPodGC".to_owned()),
                message: Some(message.to_owned()),
                observed_generation: pod.metadata.generation,
                ..PodCondition::default()
            };
            pods::set_condition(status, condition, view.now);
        }
        plan.push(update_status(new));
    }
    plan.push(Action::Delete {
        key: pod.object_ref(),
        options: DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() },
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;
    use serde_json::json;

    fn deleted(plan: &Plan) -> Vec<String> {
        let names = plan.actions.iter().filter_map(|it| match it {
            Action::Delete { key, .. } => Some(key.name.to_string()),
            _ => None,
        });
        names.collect()
    }

    #[test]
    fn pods_of_a_missing_node_go_after_the_quarantine() {
        let mut world = World::at_ms(10_000);
        world.put::<Node>(json!({"metadata": {"name": "there"}}));
        for (name, node) in [("a", "there"), ("b", "gone")] {
            world.put::<Pod>(
                json!({"metadata": {"name": name}, "spec": {"nodeName": node, "containers": []}}),
            );
        }
        let mut controller = PodGcController::default();
        for (ms, expected) in [(10_000, vec![]), (30_000, vec![]), (50_000, vec!["b"])] {
            world.now_ms = ms;
            let plan = controller.decide(&pass_key(), &world.view());
            assert_eq!(deleted(&plan), expected, "{ms}");
            assert_eq!(plan.requeue_at.is_some(), expected.is_empty(), "{ms}");
        }
    }

    #[test]
    fn a_node_that_comes_back_in_time_keeps_its_pods() {
        let mut world = World::at_ms(10_000);
        world.put::<Pod>(
            json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": []}}),
        );
        let mut controller = PodGcController::default();
        controller.decide(&pass_key(), &world.view());
        world.put::<Node>(json!({"metadata": {"name": "n"}}));
        world.now_ms = 50_000;
        let plan = controller.decide(&pass_key(), &world.view());
        assert!(plan.is_empty() && plan.requeue_at.is_none());
    }

    #[test]
    fn a_pod_that_only_a_finalizer_holds_is_left_alone() {
        let mut world = World::at_ms(10_000);
        let mut controller = PodGcController::default();
        for (name, phase, deleted) in
            [("runs", "Running", false), ("ended", "Failed", false), ("held", "Failed", true)]
        {
            let at = deleted.then_some("1970-01-01T00:00:00Z");
            world.put::<Pod>(json!({
                "metadata": { "name": name, "deletionTimestamp": at },
                "spec": { "nodeName": "gone", "containers": [] }, "status": { "phase": phase },
            }));
        }
        controller.decide(&pass_key(), &world.view());
        world.now_ms = 50_000;
        let plan = controller.decide(&pass_key(), &world.view());
        assert_eq!(deleted(&plan), ["ended", "runs"]);
        // Only what had not ended is marked as failed.
        let marked = |it: &&Action| matches!(it, Action::UpdateStatus(_));
        assert_eq!(plan.actions.iter().filter(marked).count(), 1);
    }

    #[test]
    fn of_too_many_ended_pods_evicted_ones_go_first_then_the_oldest() {
        let mut world = World::at_ms(10_000);
        let pod = |n: usize, reason: &str, second: usize| {
            json!({
                "metadata": { "name": format!("p{n:05}"),
                    "creationTimestamp": format!("1970-01-01T00:00:{second:02}Z") },
                "spec": { "nodeName": "there", "containers": [] },
                "status": { "phase": "Succeeded", "reason": reason },
            })
        };
        world.put::<Node>(json!({ "metadata": { "name": "there" } }));
        for n in 0..TERMINATED_POD_THRESHOLD {
            world.put::<Pod>(pod(n, "", 30));
        }
        let mut controller = PodGcController::default();
        assert!(controller.decide(&pass_key(), &world.view()).is_empty());
        world.put::<Pod>(pod(90_000, "Evicted", 50));
        world.put::<Pod>(pod(90_001, "", 10));
        world.put::<Pod>(pod(90_002, "", 50));
        let plan = controller.decide(&pass_key(), &world.view());
        assert_eq!(deleted(&plan), ["p90000", "p90001", "p00000"]);
    }

    #[test]
    fn terminating_pods_go_where_nobody_else_ends_them() {
        let mut world = World::at_ms(10_000);
        let node = |ready: &str, key: &str| {
            json!({
                "metadata": {"name": format!("{ready}-{key}")},
                "spec": {"taints": [{"key": key, "effect": "NoExecute"}]},
                "status": {"conditions": [{"type": "Ready", "status": ready}]},
            })
        };
        for (ready, key) in
            [("Unknown", OUT_OF_SERVICE), ("True", OUT_OF_SERVICE), ("Unknown", "x")]
        {
            let node = node(ready, key);
            let name = node["metadata"]["name"].as_str().unwrap().to_owned();
            world.put::<Node>(node);
            let pod = format!("on-{ready}-{}", if key == "x" { "other" } else { "out" });
            world.put::<Pod>(json!({
                "metadata": {"name": pod, "deletionTimestamp": "1970-01-01T00:00:00Z",
                    "deletionGracePeriodSeconds": 30},
                "spec": {"nodeName": name, "containers": []},
            }));
        }
        let plan = PodGcController::default().decide(&pass_key(), &world.view());
        assert_eq!(deleted(&plan), ["on-Unknown-out"]);
    }
}
