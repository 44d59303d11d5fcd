//! The taints that stand for a node's conditions.
//!
//! Upstream: `doNoScheduleTaintingPass`, `reconcileNodeLabels` in
//! `pkg/controller/nodelifecycle/node_lifecycle_controller.go` and `SwapNodeControllerTaint` in
//! `pkg/controller/util/node/controller_utils.go`, v1.36.

use api::Gather;
use api::taints::{effect, of_node};
use api::time::meta_time;
use api::{Action, ObjectRef, Patch, Plan, Resource, View};
use k8s_openapi::api::core::v1::{Node, Taint};

pub(super) const NOT_READY: &str = "node.kubernetes.io/not-ready";
pub(super) const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Condition, its status, and the taint that goes with it.
const BY_CONDITION: &[(&str, &str, &str)] = &[
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", UNREACHABLE),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
];

/// Labels that repeat others.
const BETA_LABELS: &[(&str, &str)] = &[
    ("kubernetes.io/os", "beta.kubernetes.io/os"),
    ("kubernetes.io/arch", "beta.kubernetes.io/arch"),
];

pub(super) fn has_no_execute(node: &Node, key: &str) -> bool {
    of_node(node).iter().any(|it| it.key == key && it.effect == effect::NO_EXECUTE)
}

/// Adds and removes `NoExecute` taints in one write.
pub(super) fn swap(node: &Node, add: &[&str], remove: &[&str], view: &View<'_>) -> Option<Action> {
    exchange(node, effect::NO_EXECUTE, add, remove, view)
}

fn exchange(
    node: &Node,
    effect: &str,
    add: &[&str],
    remove: &[&str],
    view: &View<'_>,
) -> Option<Action> {
    let is = |it: &Taint, key: &str| it.key == key && it.effect == effect;
    let old = of_node(node);
    let mut new: Vec<Taint> =
        old.iter().filter(|it| !remove.iter().any(|key| is(it, key))).cloned().collect();
    for key in add {
        if !new.iter().any(|it| is(it, key)) {
            new.push(Taint {
                key: (*key).to_owned(),
                effect: effect.to_owned(),
                time_added: Some(meta_time(view.now)),
                value: None,
            });
        }
    }
    if new == old {
        return None;
    }
    let list = if new.is_empty() { serde_json::Value::Null } else { serde_json::json!(new) };
    Some(Action::Patch {
        key: node.object_ref(),
        subresource: "",
        patch: Patch::Merge(serde_json::json!({"spec": {"taints": list}})),
    })
}

/// Makes the `NoSchedule` taints of a node those that its conditions ask for.
pub(super) fn no_schedule_pass(key: &ObjectRef, view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    let Some(node) = view.listers.by_ref::<Node>(key) else { return plan };
    let conditions = || node.status.iter().flat_map(|it| it.conditions.iter().flatten());
    // In the order in which the node reports them.
    let mut wanted: Vec<&str> = conditions()
        .filter_map(|it| {
            let same = |(type_, status): (&str, &str)| it.type_ == type_ && it.status == status;
            let found = BY_CONDITION.iter().find(|(type_, status, _)| same((type_, status)));
            found.map(|it| it.2)
        })
        .collect();
    if node.spec.as_ref().and_then(|it| it.unschedulable) == Some(true) {
        wanted.push(UNSCHEDULABLE);
    }
    let ours = |key: &str| key == UNSCHEDULABLE || BY_CONDITION.iter().any(|it| it.2 == key);
    let there: Vec<&str> = of_node(node)
        .iter()
        .filter(|it| it.effect == effect::NO_SCHEDULE && ours(&it.key))
        .map(|it| it.key.as_str())
        .collect();
    let add: Vec<&str> = wanted.iter().copied().filter(|it| !there.contains(it)).collect();
    let remove: Vec<&str> = there.iter().copied().filter(|it| !wanted.contains(it)).collect();
    if !add.is_empty() || !remove.is_empty() {
        plan.actions.extend(exchange(node, effect::NO_SCHEDULE, &add, &remove, view));
    }
    reconcile_labels(node, &mut plan);
    plan
}

fn reconcile_labels(node: &Node, plan: &mut Plan) {
    let Some(labels) = &node.metadata.labels else { return };
    let missing: serde_json::Map<String, serde_json::Value> = BETA_LABELS
        .iter()
        .filter_map(|(stable, beta)| {
            let value = labels.get(*stable)?;
            (labels.get(*beta) != Some(value)).then(|| ((*beta).to_owned(), value.clone().into()))
        })
        .to_object();
    if !missing.is_empty() {
        plan.push(Action::Patch {
            key: node.object_ref(),
            subresource: "",
            patch: Patch::Merge(serde_json::json!({"metadata": {"labels": missing}})),
        });
    }
}

#[cfg(test)]
mod tests {
    use api::Kind;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::World;

    /// The keys of the taints that a pass leaves; `None` if it writes nothing.
    fn pass(conditions: &[(&str, &str)], cordoned: bool, taints: &[&str]) -> Option<Vec<String>> {
        let mut world = World::at_ms(0);
        let conditions: Vec<Value> =
            conditions.iter().map(|(t, s)| json!({ "type": t, "status": s })).collect();
        let taints: Vec<Value> =
            taints.iter().map(|it| json!({ "key": it, "effect": "NoSchedule" })).collect();
        world.put::<Node>(json!({
            "metadata": { "name": "n" },
            "spec": { "unschedulable": cordoned, "taints": taints },
            "status": { "conditions": conditions },
        }));
        let plan = no_schedule_pass(&ObjectRef::new(Kind::Node, "", "n"), &world.view());
        plan.actions.iter().find_map(|it| match it {
            Action::Patch { patch: Patch::Merge(value), .. } => {
                let taints = value["spec"]["taints"].as_array();
                let keys = taints.into_iter().flatten().map(|it| it["key"].as_str().unwrap());
                Some(keys.map(|it| it.replace("node.kubernetes.io/", "")).collect())
            }
            _ => None,
        })
    }

    #[test]
    fn the_taints_are_those_of_the_conditions() {
        let key = |it: &str| format!("node.kubernetes.io/{it}");
        for (conditions, cordoned, taints, expected) in [
            (vec![("Ready", "True")], false, vec![], None),
            (vec![("Ready", "False")], false, vec![], Some(vec!["not-ready"])),
            (vec![("Ready", "Unknown")], false, vec!["not-ready"], Some(vec!["unreachable"])),
            (vec![("Ready", "True")], true, vec![], Some(vec!["unschedulable"])),
            (
                vec![("Ready", "True"), ("MemoryPressure", "True")],
                false,
                vec![],
                Some(vec!["memory-pressure"]),
            ),
            (vec![("MemoryPressure", "False")], false, vec!["memory-pressure"], Some(vec![])),
            (vec![("DiskPressure", "True")], false, vec!["disk-pressure"], None),
            (vec![("Ready", "False")], false, vec!["own"], Some(vec!["own", "not-ready"])),
        ] {
            let taints: Vec<String> = taints.into_iter().map(key).collect();
            let taints: Vec<&str> = taints.iter().map(String::as_str).collect();
            let got = pass(&conditions, cordoned, &taints);
            let expected =
                expected.map(|it: Vec<&str>| it.into_iter().map(str::to_owned).collect());
            assert_eq!(got, expected, "{conditions:?} {taints:?}");
        }
    }
}
