//! Keeps the status of disruption budgets: how many of their pods may be evicted now.
//!
//! Upstream: `pkg/controller/disruption/disruption.go`, v1.36.
//! Differs from upstream: only changes of a pod that can change a budget's numbers cause a sync, so
//! that repeated events have lower counts.

use std::collections::{BTreeMap, BTreeSet};

use api::time::{after_secs, meta_time};
use api::{
    Change, Component, ComponentId, Kind, Object, ObjectRef, Plan, Resource, Timestamp, View,
    WorkQueue, controller_of, pods, selector,
};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, PodCondition};
use k8s_openapi::api::policy::v1::{
    PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    Condition, LabelSelector, OwnerReference, Time,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::controller_utils::{count, enqueue, normal, scaled_value, update_status, warning};

const COMPONENT: &str = "controllermanager";
/// Upstream: `DeletionTimeout` and `stalePodDisruptionTimeout`.
const TIMEOUT_SECONDS: i64 = 120;
/// Upstream: `v1.PodReasonTerminationByKubelet`.
const BY_KUBELET: &str = "TerminationByKubelet";

/// The disruption controller.
#[derive(Clone, Debug, Default)]
pub struct DisruptionController {
    /// Pods that were seen to match several budgets, with the budget that was chosen.
    ambiguous: BTreeMap<ObjectRef, BTreeSet<ObjectRef>>,
}

impl Component for DisruptionController {
    fn id(&self) -> ComponentId {
        ComponentId::Disruption
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        for budget in view.listers.list::<PodDisruptionBudget>() {
            enqueue(queue, view, budget.object_ref());
        }
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        match (&change.old, &change.new) {
            (_, Some(Object::PodDisruptionBudget(it))) => enqueue(queue, view, it.object_ref()),
            (old, Some(Object::Pod(new))) => {
                let old = old.as_ref().and_then(|it| it.as_kind::<Pod>());
                if let Some(at) = stale_at(new).filter(|_| old.and_then(stale_at).is_none()) {
                    queue.add_at(new.object_ref(), at);
                }
                if old.is_none_or(|old| matters(old, new)) {
                    self.queue_budget(new, view, queue);
                }
            }
            (Some(Object::Pod(old)), None) => self.queue_budget(old, view, queue),
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        if key.kind == Kind::Pod {
            if let Some(pod) = view.listers.by_ref::<Pod>(key) {
                clear_stale(pod, view, &mut plan);
            }
            return plan;
        }
        for pod in self.ambiguous.remove(key).into_iter().flatten() {
            if let Some(pod) = view.listers.by_ref::<Pod>(&pod) {
                let text = format!(
                    "Pod \"{}\"/\"{}\" matches multiple PodDisruptionBudgets.  Chose \"{}\" arbitrarily.",
                    pod.namespace(),
                    pod.name(),
                    key.name
                );
                plan.record(warning(COMPONENT, pod, "MultiplePodDisruptionBudgets", text));
            }
        }
        if let Some(budget) = view.listers.by_ref::<PodDisruptionBudget>(key) {
            sync(budget, view, &mut plan);
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

/// Whether a change of a pod can change the numbers of a budget.
fn matters(old: &Pod, new: &Pod) -> bool {
    pods::is_ready(old) != pods::is_ready(new)
        || pods::is_terminating(old) != pods::is_terminating(new)
        || old.metadata.labels != new.metadata.labels
        || old.metadata.owner_references != new.metadata.owner_references
}

fn selects(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    let wanted = budget.spec.as_ref().and_then(|it| it.selector.as_ref());
    wanted.is_some_and(|it| selector::matches(it, pod.metadata.labels.as_ref()))
}

impl DisruptionController {
    /// Upstream: `getPdbForPod`, which takes the first of several.
    fn queue_budget(&mut self, pod: &Pod, view: &View<'_>, queue: &mut WorkQueue) {
        let mut budgets = view
            .listers
            .list_in::<PodDisruptionBudget>(pod.namespace())
            .filter(|it| selects(it, pod));
        let Some(first) = budgets.next().map(Resource::object_ref) else { return };
        if budgets.next().is_some() {
            self.ambiguous.entry(first.clone()).or_default().insert(pod.object_ref());
        }
        enqueue(queue, view, first);
    }
}

/// When the condition DisruptionTarget of a pod that was not deleted after all is stale.
fn stale_at(pod: &Pod) -> Option<Timestamp> {
    let target = pods::condition(pod, "DisruptionTarget")?;
    let counts = target.status == "True"
        && target.reason.as_deref() != Some(BY_KUBELET)
        && pods::is_active(pod);
    let since = target.last_transition_time.as_ref()?.0;
    counts.then(|| after_secs(since, TIMEOUT_SECONDS))
}

/// Upstream: `syncStalePodDisruption`.
fn clear_stale(pod: &Pod, view: &View<'_>, plan: &mut Plan) {
    let Some(at) = stale_at(pod) else { return };
    if at > view.now {
        plan.requeue(at);
        return;
    }
    let mut new = pod.clone();
    let condition = PodCondition {
        type_: "DisruptionTarget".to_owned(),
        status: "False".to_owned(),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    };
    pods::set_condition(new.status.get_or_insert_default(), condition, view.now);
    plan.push(update_status(new));
}

/// Upstream: `trySync`.
fn sync(budget: &PodDisruptionBudget, view: &View<'_>, plan: &mut Plan) {
    let spec = budget.spec.clone().unwrap_or_default();
    let chosen: Vec<&Pod> =
        view.listers.list_in::<Pod>(budget.namespace()).filter(|it| selects(budget, it)).collect();
    if chosen.is_empty() {
        plan.record(normal(COMPONENT, budget, "NoPods", "No matching pods found"));
    }
    let expected = match Expected::of(&spec, &chosen, view) {
        Ok(expected) => expected,
        Err(why) => {
            let text = format!("Failed to calculate the number of expected pods: {why}");
            plan.record(warning(COMPONENT, budget, "CalculateExpectedPodCountFailed", text));
            fail_safe(budget, &why, view, plan);
            return;
        }
    };
    if expected.has_unmanaged {
        let text = format!(
            "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. \
             As a result, the status of the PDB cannot be calculated correctly, which may result \
             in undefined behavior. To account for these pods please set \".spec.minAvailable\" \
             field of the PDB to an integer value.",
            go_selector(spec.selector.as_ref())
        );
        plan.record(warning(COMPONENT, budget, "UnmanagedPods", text));
    }
    let disrupted = disrupted_pods(budget, &chosen, view, plan);
    let healthy = chosen.iter().filter(|pod| {
        !pods::is_terminating(pod) && !disrupted.contains_key(pod.name()) && pods::is_ready(pod)
    });
    let healthy = count(healthy.count());
    update(budget, &expected, healthy, disrupted, view, plan);
}

/// The pods that were let go and are not being deleted yet. Upstream: `buildDisruptedPodMap`.
fn disrupted_pods(
    budget: &PodDisruptionBudget,
    chosen: &[&Pod],
    view: &View<'_>,
    plan: &mut Plan,
) -> BTreeMap<String, Time> {
    let mut rest = BTreeMap::new();
    let known = budget.status.as_ref().and_then(|it| it.disrupted_pods.as_ref());
    let Some(known) = known else { return rest };
    for pod in chosen.iter().filter(|it| !pods::is_terminating(it)) {
        let Some(since) = known.get(pod.name()) else { continue };
        let due = after_secs(since.0, TIMEOUT_SECONDS);
        if due < view.now {
            // Upstream names the namespace twice.
            let namespace = budget.namespace();
            let text = format!(
                "Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't"
            );
            plan.record(warning(COMPONENT, *pod, "NotDeleted", text));
        } else {
            plan.requeue(due);
            rest.insert(pod.name().to_owned(), since.clone());
        }
    }
    rest
}

/// What the budget asks for.
struct Expected {
    pods: i32,
    healthy: i32,
    has_unmanaged: bool,
}

impl Expected {
    /// Upstream: `getExpectedPodCount`.
    fn of(
        spec: &PodDisruptionBudgetSpec,
        chosen: &[&Pod],
        view: &View<'_>,
    ) -> Result<Self, String> {
        let scaled = |value: &IntOrString, total: i32| {
            scaled_value(value, total, true).ok_or_else(|| {
                "invalid value for IntOrString: invalid type: string is not a percentage".to_owned()
            })
        };
        if let Some(value) = &spec.max_unavailable {
            let (pods, has_unmanaged) = expected_scale(chosen, view)?;
            let healthy = (pods - scaled(value, pods)?).max(0);
            return Ok(Self { pods, healthy, has_unmanaged });
        }
        match &spec.min_available {
            Some(IntOrString::Int(healthy)) => {
                Ok(Self { pods: count(chosen.len()), healthy: *healthy, has_unmanaged: false })
            }
            Some(value) => {
                let (pods, has_unmanaged) = expected_scale(chosen, view)?;
                Ok(Self { pods, healthy: scaled(value, pods)?, has_unmanaged })
            }
            None => Ok(Self { pods: 0, healthy: 0, has_unmanaged: false }),
        }
    }
}

/// The sum of what the controllers of the pods ask for. Upstream: `getExpectedScale`.
fn expected_scale(chosen: &[&Pod], view: &View<'_>) -> Result<(i32, bool), String> {
    let mut scales: BTreeMap<String, i32> = BTreeMap::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut has_unmanaged = false;
    for pod in chosen {
        let Some(owner) = controller_of(&pod.metadata) else {
            has_unmanaged = true;
            continue;
        };
        if !seen.insert(&owner.uid) {
            continue;
        }
        let Some((uid, scale)) = scale_of(owner, pod.namespace(), view)? else {
            return Err(format!("found no controllers for pod \"{}\"", pod.name()));
        };
        scales.insert(uid, scale);
    }
    Ok((scales.values().sum(), has_unmanaged))
}

/// The controller that decides on the number of replicas, and the number. Upstream: `finders`.
fn scale_of(
    owner: &OwnerReference,
    namespace: &str,
    view: &View<'_>,
) -> Result<Option<(String, i32)>, String> {
    let same = |uid: &str, wanted: &OwnerReference| uid == wanted.uid;
    match (owner.api_version.as_str(), owner.kind.as_str()) {
        ("apps/v1", "ReplicaSet") => {
            let set = view.listers.get::<ReplicaSet>(namespace, &owner.name);
            let Some(set) = set.filter(|it| same(it.uid(), owner)) else { return Ok(None) };
            let parent = controller_of(&set.metadata).filter(|it| it.kind == "Deployment");
            let Some(parent) = parent else {
                let replicas = set.spec.as_ref().and_then(|it| it.replicas).unwrap_or(1);
                return Ok(Some((set.uid().to_owned(), replicas)));
            };
            let deployment = view.listers.get::<Deployment>(namespace, &parent.name);
            let deployment = deployment.filter(|it| same(it.uid(), parent));
            Ok(deployment.map(|it| {
                let replicas = it.spec.as_ref().and_then(|it| it.replicas).unwrap_or(1);
                (it.uid().to_owned(), replicas)
            }))
        }
        ("apps/v1", "StatefulSet") => {
            let set = view.listers.get::<StatefulSet>(namespace, &owner.name);
            Ok(set.filter(|it| same(it.uid(), owner)).map(|it| {
                let replicas = it.spec.as_ref().and_then(|it| it.replicas).unwrap_or(1);
                (it.uid().to_owned(), replicas)
            }))
        }
        (version, kind) => match Kind::from_api_version(version, kind) {
            Some(kind) => Err(format!(
                "{} does not implement the scale subresource",
                kind.qualified_resource()
            )),
            None => Ok(None),
        },
    }
}

fn set_condition(
    status: &mut PodDisruptionBudgetStatus,
    allowed: bool,
    reason: &str,
    message: &str,
    now: Timestamp,
) {
    const TYPE: &str = "DisruptionAllowed";
    let value = if allowed { "True" } else { "False" };
    let conditions = status.conditions.get_or_insert_default();
    let old = conditions.iter().position(|it| it.type_ == TYPE).map(|it| conditions.remove(it));
    let since = old.filter(|it| it.status == value).map(|it| it.last_transition_time);
    conditions.push(Condition {
        type_: TYPE.to_owned(),
        status: value.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: status.observed_generation,
        last_transition_time: since.unwrap_or_else(|| meta_time(now)),
    });
}

/// No evictions while the numbers cannot be told.
fn fail_safe(budget: &PodDisruptionBudget, why: &str, view: &View<'_>, plan: &mut Plan) {
    let mut new = budget.clone();
    let status = new.status.get_or_insert_default();
    status.disruptions_allowed = Some(0);
    set_condition(status, false, "SyncFailed", why, view.now);
    if new.status != budget.status {
        plan.push(update_status(new));
    }
}

/// Upstream: `updatePdbStatus`.
fn update(
    budget: &PodDisruptionBudget,
    expected: &Expected,
    healthy: i32,
    disrupted: BTreeMap<String, Time>,
    view: &View<'_>,
    plan: &mut Plan,
) {
    let spare = healthy - expected.healthy;
    let allowed = if expected.pods <= 0 || spare <= 0 { 0 } else { spare };
    let mut status = PodDisruptionBudgetStatus {
        current_healthy: Some(healthy),
        desired_healthy: Some(expected.healthy),
        expected_pods: Some(expected.pods),
        disruptions_allowed: Some(allowed),
        disrupted_pods: (!disrupted.is_empty()).then_some(disrupted),
        observed_generation: budget.metadata.generation,
        conditions: budget.status.as_ref().and_then(|it| it.conditions.clone()),
    };
    let reason = if allowed > 0 { "SufficientPods" } else { "InsufficientPods" };
    set_condition(&mut status, allowed > 0, reason, "", view.now);
    if budget.status.as_ref() != Some(&status) {
        let mut new = budget.clone();
        new.status = Some(status);
        plan.push(update_status(new));
    }
}

/// A selector as Go's `%v` prints it.
fn go_selector(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else { return "nil".to_owned() };
    let labels: Vec<String> = selector
        .match_labels
        .iter()
        .flatten()
        .map(|(key, value)| format!("{key}: {value},"))
        .collect();
    let expressions: Vec<String> = selector
        .match_expressions
        .iter()
        .flatten()
        .map(|it| {
            let values = it.values.clone().unwrap_or_default().join(" ");
            format!(
                "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{values}],}},",
                it.key, it.operator
            )
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{}}},MatchExpressions:\
         []LabelSelectorRequirement{{{}}},}}",
        labels.join(" "),
        expressions.join("")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::{Listers, Objects, Settings, Zones};
    use serde_json::json;

    /// `min` or `max` is the budget's field; the pods are controlled by a ReplicaSet of `replicas`.
    fn check(
        spec: serde_json::Value,
        replicas: i32,
        ready: &[bool],
        expected: (i32, i32, i32, i32),
    ) {
        let mut store = Objects::default();
        let set: ReplicaSet = serde_json::from_value(json!({
            "metadata": {"name": "rs", "namespace": "d", "uid": "rs"},
            "spec": {"replicas": replicas, "selector": {}},
        }))
        .unwrap();
        store.put(set.into_object());
        for (n, ready) in ready.iter().enumerate() {
            let status = if *ready { "True" } else { "False" };
            let pod: Pod = serde_json::from_value(json!({
                "metadata": {"name": format!("p{n}"), "namespace": "d", "labels": {"a": "b"},
                    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet",
                        "name": "rs", "uid": "rs", "controller": true}]},
                "status": {"conditions": [{"type": "Ready", "status": status}]},
            }))
            .unwrap();
            store.put(pod.into_object());
        }
        let mut budget: PodDisruptionBudget = serde_json::from_value(json!({
            "metadata": {"name": "x", "namespace": "d"}, "spec": spec,
        }))
        .unwrap();
        let wanted = json!({"matchLabels": {"a": "b"}});
        budget.spec.as_mut().unwrap().selector = Some(serde_json::from_value(wanted).unwrap());
        let (settings, zones) = (Settings::default(), Zones::default());
        let view = View {
            listers: Listers(&store),
            now: Timestamp::UNIX_EPOCH,
            seed: 0,
            settings: &settings,
            zones: &zones,
        };
        let mut plan = Plan::default();
        sync(&budget, &view, &mut plan);
        let written = plan.actions.iter().find_map(|it| match it {
            api::Action::UpdateStatus(Object::PodDisruptionBudget(it)) => it.status.clone(),
            _ => None,
        });
        let it = written.unwrap();
        let told =
            (it.expected_pods, it.desired_healthy, it.current_healthy, it.disruptions_allowed);
        let (a, b, c, d) = expected;
        assert_eq!(told, (Some(a), Some(b), Some(c), Some(d)), "{spec}");
    }

    #[test]
    fn budgets_count_their_pods() {
        check(json!({"minAvailable": 2}), 3, &[true, true, true], (3, 2, 3, 1));
        check(json!({"minAvailable": 3}), 3, &[true, true, false], (3, 3, 2, 0));
        check(json!({"minAvailable": "50%"}), 3, &[true, true, true], (3, 2, 3, 1));
        check(json!({"maxUnavailable": 1}), 4, &[true, true, true, false], (4, 3, 3, 0));
        check(json!({"maxUnavailable": "30%"}), 4, &[true, true, true, true], (4, 2, 4, 2));
        check(json!({"minAvailable": 0}), 0, &[], (0, 0, 0, 0));
    }
}
