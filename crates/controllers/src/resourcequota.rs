//! Keeps the status of quotas: what is allowed and what is used.
//!
//! Upstream: `pkg/controller/resourcequota/{resource_quota_controller,resource_quota_monitor}.go`,
//! v1.36.
//! Differs from upstream: it also looks when something is created, and not every five minutes.

use std::collections::BTreeMap;

use api::Gather;
use api::quantity::{self, Exact};
use api::{
    Change, Component, ComponentId, Kind, Object, ObjectRef, Plan, Resource, View, WorkQueue, pods,
    quota,
};
use k8s_openapi::api::core::v1::{Pod, ResourceQuota, ResourceQuotaStatus};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::controller_utils::{enqueue, update_status};

/// The quota controller.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceQuotaController;

impl Component for ResourceQuotaController {
    fn id(&self) -> ComponentId {
        ComponentId::ResourceQuota
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        for quota in view.listers.list::<ResourceQuota>() {
            enqueue(queue, view, quota.object_ref());
        }
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let Some(object) = change.object() else { return };
        if object.namespace().is_empty() || matches!(object.kind(), Kind::Event | Kind::Lease) {
            return;
        }
        if let (old, Some(Object::ResourceQuota(new))) = (&change.old, &change.new) {
            let old = old.as_ref().and_then(|it| it.as_kind::<ResourceQuota>());
            if old.is_none_or(|old| old.spec != new.spec) {
                enqueue(queue, view, new.object_ref());
            }
        }
        if !changes_usage(change, view) {
            return;
        }
        for quota in view.listers.list_in::<ResourceQuota>(object.namespace()) {
            if quota::matches(quota, object) {
                enqueue(queue, view, quota.object_ref());
            }
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        if let Some(quota) = view.listers.by_ref::<ResourceQuota>(key) {
            sync(quota, view, &mut plan);
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(*self)
    }
}

fn changes_usage(change: &Change, view: &View<'_>) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return true };
    match (old.as_kind::<Pod>(), new.as_kind::<Pod>()) {
        (Some(old), Some(new)) => {
            pods::is_terminal(old) != pods::is_terminal(new)
                || quota::counts(old, view.now) != quota::counts(new, view.now)
                || old.metadata.generation != new.metadata.generation
        }
        _ => old.meta().generation != new.meta().generation || old.kind() == Kind::Service,
    }
}

/// Upstream: `syncResourceQuota`.
fn sync(quota: &ResourceQuota, view: &View<'_>, plan: &mut Plan) {
    let hard = quota.spec.as_ref().and_then(|it| it.hard.clone()).unwrap_or_default();
    // What nobody counts has no usage, unless somebody wrote one.
    let counted = |name: &&String| {
        Kind::ALL.iter().any(|kind| kind.namespaced() && quota::tracks(*kind, name))
    };
    let mut used: BTreeMap<&str, Exact> =
        hard.keys().filter(counted).map(|name| (name.as_str(), Exact::default())).to_map();
    for kind in Kind::ALL.iter().filter(|it| it.namespaced()) {
        if !hard.keys().any(|it| quota::tracks(*kind, it)) {
            continue;
        }
        for object in view.listers.0.list_in(*kind, quota.namespace()) {
            if !quota::matches(quota, object) {
                continue;
            }
            for (name, amount) in quota::usage(object, view.now) {
                if let Some(sum) = used.get_mut(name.as_str()) {
                    *sum = sum.plus(amount);
                }
            }
        }
    }
    let old = quota.status.clone().unwrap_or_default();
    let kept = old.used.iter().flatten().filter(|(name, _)| hard.contains_key(*name));
    let mut new_used: BTreeMap<String, Quantity> =
        kept.map(|(name, amount)| (name.clone(), amount.clone())).to_map();
    new_used.extend(used.into_iter().map(|(name, it)| (name.to_owned(), it.to_quantity())));
    let used = new_used;
    let same = |a: &Option<BTreeMap<String, Quantity>>, b: &BTreeMap<String, Quantity>| {
        let amounts = |it: &BTreeMap<String, Quantity>| -> Vec<(String, i64)> {
            it.iter().map(|(name, it)| (name.clone(), quantity::milli_value(it))).collect()
        };
        a.as_ref().is_some_and(|a| amounts(a) == amounts(b))
    };
    if !same(&old.hard, &hard) || !same(&old.used, &used) {
        let mut new = quota.clone();
        new.status = Some(ResourceQuotaStatus { hard: Some(hard), used: Some(used) });
        plan.push(update_status(new));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{World, status_of, time};

    fn used(quota: Value, pods: &[Value]) -> Option<Value> {
        let mut world = World::at_ms(100_000);
        world.put::<ResourceQuota>(quota);
        for pod in pods {
            world.put::<Pod>(pod.clone());
        }
        let plan = world.decide::<ResourceQuota>(&mut ResourceQuotaController, "q");
        status_of::<ResourceQuota>(&plan).map(|it| json!(it.status.unwrap_or_default().used))
    }

    #[test]
    fn a_scope_leaves_out_what_it_does_not_mean() {
        let pod = |name: &str, deadline: Option<i64>, cpu: Option<&str>| {
            let requests = cpu.map(|it| json!({ "requests": { "cpu": it } }));
            let containers = json!([{ "name": "c", "image": "x", "resources": requests }]);
            json!({
                "metadata": { "name": name, "creationTimestamp": time(0) },
                "spec": { "containers": containers, "activeDeadlineSeconds": deadline },
                "status": { "phase": "Running" },
            })
        };
        let pods = [
            pod("a", None, Some("1")),
            pod("b", Some(60), Some("1")),
            pod("c", None, None),
            pod("d", Some(60), None),
            pod("e", None, None),
        ];
        for (scope, n) in [
            ("NotTerminating", "3"),
            ("Terminating", "2"),
            ("BestEffort", "3"),
            ("NotBestEffort", "2"),
        ] {
            let quota = json!({ "metadata": { "name": "q" },
                "spec": { "hard": { "pods": "9" }, "scopes": [scope] } });
            assert_eq!(used(quota, &pods), Some(json!({ "pods": n })), "{scope}");
        }
    }

    #[test]
    fn what_pods_ask_for_is_used_until_they_have_ended() {
        let quota = |status: Value| {
            let hard = json!({ "pods": "5", "requests.cpu": "2" });
            json!({ "metadata": { "name": "q" }, "spec": { "hard": hard }, "status": status })
        };
        let pod = |name: &str, phase: &str| {
            let resources = json!({ "requests": { "cpu": "300m" } });
            let containers = json!([{ "name": "c", "image": "x", "resources": resources }]);
            json!({
                "metadata": { "name": name, "creationTimestamp": time(0) },
                "spec": { "containers": containers }, "status": { "phase": phase },
            })
        };
        let uses = |pods: &str, cpu: &str| Some(json!({ "pods": pods, "requests.cpu": cpu }));
        let none = || json!({});
        assert_eq!(used(quota(none()), &[]), uses("0", "0"));
        let two = [pod("a", "Running"), pod("b", "Pending")];
        assert_eq!(used(quota(none()), &two), uses("2", "600m"));
        let ended = [pod("a", "Running"), pod("b", "Succeeded"), pod("c", "Failed")];
        assert_eq!(used(quota(none()), &ended), uses("1", "300m"));
        let elsewhere = {
            let mut pod = pod("a", "Running");
            pod["metadata"]["namespace"] = json!("other");
            pod
        };
        assert_eq!(used(quota(none()), &[elsewhere]), uses("0", "0"));
        // What is true already is not written again.
        let status = json!({
            "hard": { "pods": "5", "requests.cpu": "2" },
            "used": { "pods": "2", "requests.cpu": "0.6" },
        });
        assert_eq!(used(quota(status.clone()), &two), None);
        // Another limit is.
        let mut other = status;
        other["hard"]["pods"] = json!("4");
        assert_eq!(used(quota(other), &two), uses("2", "600m"));
    }
    #[test]
    fn what_nobody_counts_keeps_the_usage_that_somebody_wrote() {
        let quota = |status: Value| {
            json!({ "metadata": { "name": "q" }, "status": status,
                "spec": { "hard": { "pods": "5", "count/widgets.example.com": "2" } } })
        };
        assert_eq!(used(quota(json!({})), &[]), Some(json!({ "pods": "0" })));
        let written = json!({ "used": { "count/widgets.example.com": "1", "secrets": "7" } });
        let expected = json!({ "pods": "0", "count/widgets.example.com": "1" });
        assert_eq!(used(quota(written), &[]), Some(expected));
    }
}
