//! Tells every node for how long its kubelet may keep secrets and config maps without asking again:
//! the larger the cluster, the longer.
//!
//! Upstream: `pkg/controller/ttl/ttl_controller.go`, v1.36.

use api::{
    Action, Change, Component, ComponentId, Object, ObjectRef, Patch, Plan, Resource, View,
    WorkQueue,
};
use k8s_openapi::api::core::v1::Node;

use crate::controller_utils::enqueue;

/// What kubelets read.
const ANNOTATION: &str = "node.alpha.kubernetes.io/ttl";

/// A range of cluster sizes. The ranges overlap, so that a node that comes and goes does not change
/// all the others each time.
struct Boundary {
    min: usize,
    max: usize,
    seconds: i64,
}

const BOUNDARIES: [Boundary; 5] = [
    Boundary { min: 0, max: 100, seconds: 0 },
    Boundary { min: 90, max: 500, seconds: 15 },
    Boundary { min: 450, max: 1_000, seconds: 30 },
    Boundary { min: 900, max: 2_000, seconds: 60 },
    Boundary { min: 1_800, max: usize::MAX, seconds: 300 },
];

/// The controller of the annotation `node.alpha.kubernetes.io/ttl`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TtlController {
    n_nodes: usize,
    step: usize,
}

impl TtlController {
    fn boundary(&self) -> &'static Boundary {
        BOUNDARIES.get(self.step).unwrap_or(&BOUNDARIES[0])
    }

    fn add(&mut self) {
        self.n_nodes += 1;
        if self.n_nodes > self.boundary().max {
            self.step += 1;
        }
    }

    fn remove(&mut self) {
        self.n_nodes = self.n_nodes.saturating_sub(1);
        if self.n_nodes < self.boundary().min {
            self.step -= 1;
        }
    }
}

impl Component for TtlController {
    fn id(&self) -> ComponentId {
        ComponentId::Ttl
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        *self = Self::default();
        for node in view.listers.list::<Node>() {
            self.add();
            enqueue(queue, view, node.object_ref());
        }
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let is_node = |it: &Option<Object>| matches!(it, Some(Object::Node(_)));
        match (is_node(&change.old), is_node(&change.new)) {
            (false, true) => self.add(),
            (true, false) => return self.remove(),
            (true, true) => {}
            (false, false) => return,
        }
        if let Some(node) = &change.new {
            enqueue(queue, view, node.object_ref());
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let Some(node) = view.listers.by_ref::<Node>(key) else { return plan };
        let seconds = self.boundary().seconds;
        let current = node.metadata.annotations.as_ref().and_then(|it| it.get(ANNOTATION));
        if current.and_then(|it| it.parse::<i64>().ok()) != Some(seconds) {
            let annotations = serde_json::json!({ ANNOTATION: seconds.to_string() });
            plan.push(Action::Patch {
                key: key.clone(),
                subresource: "",
                patch: Patch::Merge(serde_json::json!({"metadata": {"annotations": annotations}})),
            });
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(*self)
    }
}

#[cfg(test)]
mod tests {
    use api::Kind;
    use serde_json::json;

    use super::*;
    use crate::testing::World;

    #[test]
    fn the_time_grows_with_the_cluster_and_shrinks_later() {
        let mut controller = TtlController::default();
        let mut to = |n: usize| {
            while controller.n_nodes < n {
                controller.add();
            }
            while controller.n_nodes > n {
                controller.remove();
            }
            controller.boundary().seconds
        };
        for (n, seconds) in [
            (1, 0),
            (100, 0),
            (101, 15),
            (95, 15),
            (90, 15),
            (89, 0),
            (100, 0),
            (501, 30),
            (450, 30),
            (449, 15),
            (1_001, 60),
            (2_001, 300),
            (1_800, 300),
            (1_799, 60),
            (0, 0),
        ] {
            assert_eq!(to(n), seconds, "{n} nodes");
        }
    }

    #[test]
    fn an_annotation_that_is_right_is_left_alone() {
        for (annotation, expected) in
            [(None, Some("0")), (Some("0"), None), (Some("15"), Some("0")), (Some("x"), Some("0"))]
        {
            let mut world = World::at_ms(0);
            let annotations = annotation.map(|it| json!({ ANNOTATION: it }));
            world.put::<Node>(json!({ "metadata": { "name": "n", "annotations": annotations } }));
            let key = ObjectRef::new(Kind::Node, "", "n");
            let plan = TtlController::default().decide(&key, &world.view());
            let written = plan.actions.first().map(|it| match it {
                Action::Patch { patch: Patch::Merge(it), .. } => {
                    it["metadata"]["annotations"][ANNOTATION].as_str().unwrap_or_default()
                }
                _ => "not a patch",
            });
            assert_eq!(written, expected, "{annotation:?}");
        }
    }
}
