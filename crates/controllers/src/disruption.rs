//! Keeps the status of disruption budgets: how many of their pods may be evicted now.
//!
//! Upstream: `pkg/controller/disruption/disruption.go`, v1.36.
//! Differs from upstream: where a sync has nothing to say, only changes of a pod that can change a
//! budget's numbers cause one.

use std::collections::{BTreeMap, BTreeSet};

use api::time::{after_ms, after_secs, meta_time};
use api::{
    Action, Change, Component, ComponentId, EventSpec, Kind, Object, ObjectRef, Plan, Resource,
    Timestamp, View, WorkQueue, controller_of, pods, selector,
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
/// Upstream: the first delay of `DefaultTypedControllerRateLimiter`.
const RECHECK_MS: i64 = 5;
/// Upstream: `v1.PodReasonTerminationByKubelet`.
const BY_KUBELET: &str = "TerminationByKubelet";

/// The disruption controller.
#[derive(Clone, Debug, Default)]
pub struct DisruptionController {
    /// What is to be said of pods that match several budgets, by the budget that was chosen.
    ambiguous: BTreeMap<ObjectRef, Vec<EventSpec>>,
    /// Budgets whose last sync recorded an event: each change of a pod makes it say so again.
    noisy: BTreeSet<ObjectRef>,
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
                let counts = old.is_none_or(|old| matters(old, new));
                self.queue_budget(new, counts, view, queue);
            }
            (Some(Object::Pod(old)), None) => self.queue_budget(old, true, view, queue),
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
        self.noisy.remove(key);
        if let Some(budget) = view.listers.by_ref::<PodDisruptionBudget>(key) {
            sync(budget, view, &mut plan);
            if plan.actions.iter().any(|it| matches!(it, Action::Record(_))) {
                self.noisy.insert(key.clone());
            }
        }
        let ambiguous = self.ambiguous.remove(key).unwrap_or_default();
        plan.actions.splice(0..0, ambiguous.into_iter().map(Action::Record));
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
    /// Queues the budget of a pod if the change of the pod counts, or if there is something to be
    /// said. Upstream: `getPdbForPod`, which takes the first of several.
    fn queue_budget(&mut self, pod: &Pod, counts: bool, view: &View<'_>, queue: &mut WorkQueue) {
        let mut budgets = view
            .listers
            .list_in::<PodDisruptionBudget>(pod.namespace())
            .filter(|it| selects(it, pod));
        let Some(first) = budgets.next().map(Resource::object_ref) else { return };
        let several = budgets.next().is_some();
        if several {
            let (namespace, name) = (pod.namespace(), pod.name());
            let text = format!(
                "Pod \"{namespace}\"/\"{name}\" matches multiple PodDisruptionBudgets.  Chose \"{}\" arbitrarily.",
                first.name
            );
            let event = warning(COMPONENT, pod, "MultiplePodDisruptionBudgets", text);
            self.ambiguous.entry(first.clone()).or_default().push(event);
        }
        if counts || several || self.noisy.contains(&first) {
            enqueue(queue, view, first);
        }
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
            // The budget is queued with a first back-off when the time is over.
            plan.requeue(after_ms(due, RECHECK_MS));
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
    let same = |uid: &str, owner: &OwnerReference| uid == owner.uid;
    let wanted = |replicas: Option<i32>| replicas.unwrap_or(1);
    match (owner.api_version.as_str(), owner.kind.as_str()) {
        ("apps/v1", "ReplicaSet") => {
            let set = view.listers.get::<ReplicaSet>(namespace, &owner.name);
            let Some(set) = set.filter(|it| same(it.uid(), owner)) else { return Ok(None) };
            let parent = controller_of(&set.metadata).filter(|it| it.kind == "Deployment");
            let deployment = parent.and_then(|parent| {
                let it = view.listers.get::<Deployment>(namespace, &parent.name);
                it.filter(|it| same(it.uid(), parent))
            });
            // A set whose Deployment is gone is still found by its own scale.
            Ok(Some(deployment.map_or_else(
                || (set.uid().to_owned(), wanted(set.spec.as_ref().and_then(|it| it.replicas))),
                |it| (it.uid().to_owned(), wanted(it.spec.as_ref().and_then(|it| it.replicas))),
            )))
        }
        ("apps/v1", "Deployment") => {
            let deployment = view.listers.get::<Deployment>(namespace, &owner.name);
            let deployment = deployment.filter(|it| same(it.uid(), owner));
            Ok(deployment.map(|it| {
                (it.uid().to_owned(), wanted(it.spec.as_ref().and_then(|it| it.replicas)))
            }))
        }
        ("apps/v1", "StatefulSet") => {
            let set = view.listers.get::<StatefulSet>(namespace, &owner.name);
            Ok(set.filter(|it| same(it.uid(), owner)).map(|it| {
                (it.uid().to_owned(), wanted(it.spec.as_ref().and_then(|it| it.replicas)))
            }))
        }
        ("v1", "ReplicationController") => Ok(None),
        (version, kind) => match Kind::from_api_version(version, kind) {
            Some(kind) => Err(format!(
                "{} does not implement the scale subresource",
                kind.qualified_resource()
            )),
            None => Err(format!("no matches for kind \"{kind}\" in version \"{version}\"")),
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
mod tests;
