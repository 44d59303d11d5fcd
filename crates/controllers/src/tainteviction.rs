//! Deletes pods from nodes with `NoExecute` taints that they do not tolerate, or not any longer.
//!
//! Upstream: `pkg/controller/tainteviction/{taint_eviction,timed_workers}.go`, v1.36.

use std::collections::BTreeMap;

use api::taints::{effect, of_node, tolerates};
use api::time::{after_ms, after_secs};
use api::{
    Action, Change, Component, ComponentId, DeleteOptions, EventSpec, Object, ObjectRef, Plan,
    Resource, Timestamp, View, WorkQueue, pods,
};
use k8s_openapi::api::core::v1::{Node, Pod, PodCondition, Taint, Toleration};

use crate::controller_utils::update_status;

const COMPONENT: &str = "taint-eviction-controller";

/// A deletion that has been decided on.
#[derive(Clone, Copy, Debug)]
struct Work {
    created: Timestamp,
    fires: Timestamp,
}

/// The taint eviction controller.
#[derive(Clone, Debug, Default)]
pub struct TaintEvictionController {
    work: BTreeMap<ObjectRef, Work>,
    /// Pods that an event made worth a look, apart from their timers.
    dirty: BTreeMap<ObjectRef, ()>,
}

impl Component for TaintEvictionController {
    fn id(&self) -> ComponentId {
        ComponentId::TaintEviction
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        for node in view.listers.list::<Node>() {
            if no_execute(node).next().is_some() {
                self.queue_pods(node, view, queue);
            }
        }
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        match (&change.old, &change.new) {
            (old, Some(Object::Node(new))) => {
                let before: Vec<&Taint> = old
                    .as_ref()
                    .and_then(|it| it.as_kind())
                    .map(no_execute)
                    .into_iter()
                    .flatten()
                    .collect();
                if !before.iter().copied().eq(no_execute(new)) {
                    self.queue_pods(new, view, queue);
                }
            }
            (Some(Object::Pod(pod)), None) => {
                let key = pod.object_ref();
                if self.work.contains_key(&key) {
                    self.look_at(key, view, queue);
                }
            }
            (old, Some(Object::Pod(new))) => {
                let Some(name) = pods::node_name(new) else { return };
                let old = old.as_ref().and_then(|it| it.as_kind::<Pod>());
                let same = old.is_some_and(|old| {
                    pods::node_name(old) == Some(name) && tolerations(old) == tolerations(new)
                });
                let node = if same { None } else { view.listers.node(name) };
                if node.is_some_and(|it| no_execute(it).next().is_some()) {
                    self.look_at(new.object_ref(), view, queue);
                }
            }
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let Some(pod) = view.listers.by_ref::<Pod>(key) else {
            self.dirty.remove(key);
            self.cancel(key, &mut plan);
            return plan;
        };
        if self.dirty.remove(key).is_some() {
            self.process(key, pod, view, &mut plan);
        }
        match self.work.get(key).map(|it| it.fires) {
            Some(fires) if fires <= view.now => {
                self.work.remove(key);
                evict(pod, view, &mut plan);
            }
            Some(fires) => plan.requeue(fires),
            None => {}
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

fn no_execute(node: &Node) -> impl Iterator<Item = &Taint> {
    of_node(node).iter().filter(|it| it.effect == effect::NO_EXECUTE)
}

fn tolerations(pod: &Pod) -> &[Toleration] {
    pod.spec.as_ref().and_then(|it| it.tolerations.as_deref()).unwrap_or_default()
}

/// How long a pod may stay under some taints: `None` for ever. Upstream:
/// `GetMatchingTolerations` and `getMinTolerationTime`.
fn toleration_seconds(taints: &[&Taint], tolerations: &[Toleration]) -> Option<i64> {
    let mut least = None;
    for taint in taints {
        let Some(used) = tolerations.iter().find(|it| tolerates(it, taint)) else {
            return Some(0);
        };
        if let Some(seconds) = used.toleration_seconds {
            least = Some(least.unwrap_or(i64::MAX).min(seconds.max(0)));
        }
    }
    least
}

impl TaintEvictionController {
    fn queue_pods(&mut self, node: &Node, view: &View<'_>, queue: &mut WorkQueue) {
        for key in view.listers.0.pods_on(node.name()) {
            self.look_at(key.clone(), view, queue);
        }
    }

    fn look_at(&mut self, key: ObjectRef, view: &View<'_>, queue: &mut WorkQueue) {
        self.dirty.insert(key.clone(), ());
        queue.add_at(key, after_ms(view.now, view.settings.controller_latency_ms));
    }

    /// Upstream: `processPodOnNode`.
    fn process(&mut self, key: &ObjectRef, pod: &Pod, view: &View<'_>, plan: &mut Plan) {
        let node = pods::node_name(pod).and_then(|it| view.listers.node(it));
        let Some(node) = node else { return };
        let taints: Vec<&Taint> = no_execute(node).collect();
        let Some(seconds) = toleration_seconds(&taints, tolerations(pod)) else {
            self.cancel(key, plan);
            return;
        };
        let untolerated =
            taints.iter().any(|taint| !tolerations(pod).iter().any(|it| tolerates(it, taint)));
        let mut created = view.now;
        let fires = after_secs(created, seconds);
        if untolerated {
            self.cancel(key, plan);
        } else if let Some(work) = self.work.get(key) {
            created = work.created;
            if after_secs(created, seconds) < fires {
                return;
            }
            self.cancel(key, plan);
        }
        self.work.insert(key.clone(), Work { created, fires });
    }

    fn cancel(&mut self, key: &ObjectRef, plan: &mut Plan) {
        if self.work.remove(key).is_some() {
            plan.record(event(key, "Cancelling deletion of"));
        }
    }
}

/// Upstream's reference to the pod has no uid.
fn event(pod: &ObjectRef, what: &str) -> EventSpec {
    let message = format!("{what} Pod {}", pod.namespaced_name());
    EventSpec::about(COMPONENT, pod.clone(), "", "TaintManagerEviction", message)
}

/// Upstream: `deletePodHandler`.
fn evict(pod: &Pod, view: &View<'_>, plan: &mut Plan) {
    let key = pod.object_ref();
    plan.record(event(&key, "Marking for deletion"));
    let condition = PodCondition {
        type_: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
        reason: Some("DeletionByTaintManager".to_owned()),
        message: Some("Taint manager: deleting due to NoExecute taint".to_owned()),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    };
    let mut new = pod.clone();
    if pods::set_condition(new.status.get_or_insert_default(), condition, view.now) {
        plan.push(update_status(new));
    }
    plan.push(Action::Delete { key, options: DeleteOptions::default() });
}

#[cfg(test)]
mod tests {
    use super::*;

    use api::Objects;
    use serde_json::{Value, json};

    use crate::testing::{World, at_ms, lines};

    fn node(taints: &[&str]) -> Value {
        let taints: Vec<Value> =
            taints.iter().map(|it| json!({ "key": it, "effect": "NoExecute" })).collect();
        json!({ "metadata": { "name": "n" }, "spec": { "taints": taints } })
    }

    /// A node whose taints change over time and one pod that tolerates `a` for 30 s, `b` for 5 s and
    /// `c` for ever: what is said, and when the pod is deleted, seconds.
    fn story(changes: &[(i64, Option<&[&str]>)], to: i64) -> Vec<String> {
        let mut world = World::at_ms(0);
        let mut controller = TaintEvictionController::default();
        let tolerations = json!([
            { "key": "a", "operator": "Exists", "tolerationSeconds": 30 },
            { "key": "b", "operator": "Exists", "tolerationSeconds": 5 },
            { "key": "c", "operator": "Exists" },
        ]);
        let pod = json!({ "metadata": { "name": "p" },
            "spec": { "nodeName": "n", "containers": [], "tolerations": tolerations } });
        world.put::<Node>(node(&[]));
        world.put::<Pod>(pod);
        let key = ObjectRef::new(api::Kind::Pod, "default", "p");
        let mut told = vec![];
        for second in 0..=to {
            world.now_ms = second * 1_000;
            let before: Objects = world.objects.clone();
            for (_, taints) in changes.iter().filter(|(at, _)| *at == second) {
                let (old, new) = match taints {
                    Some(taints) => {
                        let old =
                            world.objects.get(&ObjectRef::new(api::Kind::Node, "", "n")).cloned();
                        world.put::<Node>(node(taints));
                        let key = ObjectRef::new(api::Kind::Node, "", "n");
                        (old, world.objects.get(&key).cloned())
                    }
                    None => {
                        world.objects.remove(&key);
                        (before.get(&key).cloned(), None)
                    }
                };
                let change = Change { old, new };
                let mut queue = WorkQueue::default();
                controller.react(&change, &world.view(), &mut queue);
                assert!(!queue.entries.is_empty(), "nobody looks at the pod at {second} s");
            }
            let plan = controller.decide(&key, &world.view());
            told.extend(lines(&plan).into_iter().filter(|it| !it.contains("update")).map(|it| {
                let it = it.replace("event TaintManagerEviction: ", "");
                format!("{second} {it}")
            }));
            if plan.actions.iter().any(|it| matches!(it, Action::Delete { .. })) {
                break;
            }
            let due = controller.work.get(&key).map(|it| it.fires);
            assert_eq!(plan.requeue_at, due.filter(|it| *it > at_ms(second * 1_000)));
        }
        told
    }

    #[test]
    fn a_pod_goes_when_its_toleration_is_over_and_stays_when_the_taint_goes() {
        let marked = |at: i64| {
            vec![format!("{at} Marking for deletion Pod default/p"), format!("{at} delete Pod p")]
        };
        let cancelled = |at: i64| format!("{at} Cancelling deletion of Pod default/p");
        let (a, b, c, own): (&[&str], &[&str], &[&str], &[&str]) =
            (&["a"], &["b"], &["c"], &["own"]);
        for (changes, expected) in [
            (vec![(0, Some(a))], marked(30)),
            (vec![(2, Some(b))], marked(7)),
            (vec![(0, Some(c))], vec![]),
            (vec![(4, Some(own))], marked(4)),
            (vec![(0, Some(a)), (10, Some(&[]))], vec![cancelled(10)]),
            (vec![(0, Some(a)), (10, Some(c))], vec![cancelled(10)]),
            // A pod that must go at once is told so after the cancelling.
            (vec![(0, Some(a)), (10, Some(own))], [vec![cancelled(10)], marked(10)].concat()),
            // What was promised holds, whatever else it would tolerate for how long.
            (vec![(0, Some(a)), (10, Some(&["a", "c"]))], marked(30)),
            (vec![(0, Some(a)), (10, Some(b))], marked(30)),
            (vec![(0, Some(a)), (10, None)], vec![cancelled(10)]),
            (vec![(0, Some(a)), (10, Some(&[])), (20, Some(a))], {
                [vec![cancelled(10)], marked(50)].concat()
            }),
        ] {
            assert_eq!(story(&changes, 60), expected, "{changes:?}");
        }
    }

    #[test]
    fn the_shortest_toleration_counts_and_a_missing_one_most_of_all() {
        let taint = |key: &str| Taint {
            key: key.into(),
            effect: effect::NO_EXECUTE.into(),
            ..Taint::default()
        };
        let toleration = |key: &str, seconds: Option<i64>| Toleration {
            key: Some(key.into()),
            operator: Some("Exists".into()),
            toleration_seconds: seconds,
            ..Toleration::default()
        };
        let (a, b) = (taint("a"), taint("b"));
        for (tolerations, seconds) in [
            (vec![], Some(0)),
            (vec![toleration("a", None)], Some(0)),
            (vec![toleration("a", None), toleration("b", None)], None),
            (vec![toleration("a", Some(30)), toleration("b", None)], Some(30)),
            (vec![toleration("a", Some(30)), toleration("b", Some(5))], Some(5)),
            (vec![toleration("a", Some(-1)), toleration("b", None)], Some(0)),
        ] {
            assert_eq!(toleration_seconds(&[&a, &b], &tolerations), seconds, "{tolerations:?}");
        }
        assert_eq!(toleration_seconds(&[], &[]), None);
    }
}
