//! Compares the pods of a ReplicaSet with its spec, and creates, deletes, adopts and releases.
//!
//! Upstream: `pkg/controller/replicaset/replica_set.go` and `replica_set_utils.go`, v1.36.

use std::collections::BTreeMap;

use api::time::{after_secs, meta_time};
use api::{
    ApiError, Change, Component, ComponentId, Kind, Object, ObjectRef, Plan, Resource, View,
    WorkQueue, pods, selector,
};
use k8s_openapi::api::apps::v1::{
    ReplicaSet, ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus,
};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::controller_utils as utils;

/// `source.component` of its events.
const COMPONENT: &str = "replicaset-controller";
/// At most so many pods are created or deleted at a time. Upstream: `BurstReplicas`.
const BURST_REPLICAS: usize = 500;
/// The condition that tells of refused pods. Upstream: `ReplicaSetReplicaFailure`.
const REPLICA_FAILURE: &str = "ReplicaFailure";

/// The controller.
#[derive(Clone, Debug, Default)]
pub struct ReplicaSetController {
    pace: utils::Pace,
}

impl Component for ReplicaSetController {
    fn id(&self) -> ComponentId {
        ComponentId::ReplicaSet
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        utils::enqueue_all::<ReplicaSet>(queue, view);
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let Some(object) = change.object() else { return };
        let mut due = WorkQueue::default();
        match object.kind() {
            Kind::ReplicaSet => utils::enqueue(&mut due, view, object.object_ref()),
            Kind::Pod => utils::enqueue_owners::<ReplicaSet>(change, view, &mut due, selector_of),
            _ => {}
        }
        self.pace.pass(due, queue);
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let Some(rs) = view.listers.by_ref::<ReplicaSet>(key) else {
            self.pace.begin(key, 0, view.now);
            return Plan::default();
        };
        self.pace.begin(key, view.listers.0.owned_by(rs.uid()).count(), view.now);
        sync(rs, view)
    }

    fn applied(
        &mut self,
        key: &ObjectRef,
        results: &[Result<Option<Object>, ApiError>],
        view: &View<'_>,
    ) -> Plan {
        let mut plan = Plan::default();
        if let Some(error) = results.iter().find_map(|it| it.as_ref().err())
            && let Some(rs) = view.listers.by_ref::<ReplicaSet>(key)
            && rs.metadata.deletion_timestamp.is_none()
        {
            let status = calculate_status(rs, &claimed_pods(rs, view), Some(error), view);
            update_status(&mut plan, rs, status);
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

fn selector_of(rs: &ReplicaSet) -> &LabelSelector {
    const EVERYTHING: &LabelSelector =
        &LabelSelector { match_expressions: None, match_labels: None };
    rs.spec.as_ref().map_or(EVERYTHING, |it| &it.selector)
}

/// The pods that count.
struct Claimed<'a> {
    active: Vec<&'a Pod>,
    terminating: usize,
}

/// Upstream: `syncReplicaSet`.
fn sync(rs: &ReplicaSet, view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    let Some(spec) = &rs.spec else { return plan };
    let active = utils::claim::<Pod>(&mut plan, rs, &spec.selector, view, pods::is_active);
    let claimed = Claimed { terminating: count_terminating(rs, spec, view), active };
    if rs.metadata.deletion_timestamp.is_none() {
        manage_replicas(&mut plan, rs, spec, &claimed.active, view);
    }
    let status = calculate_status(rs, &claimed, None, view);
    let min_ready_seconds = spec.min_ready_seconds.unwrap_or(0);
    if min_ready_seconds > 0 && status.ready_replicas != status.available_replicas {
        let active = claimed.active.iter().copied();
        let next = utils::next_availability_check(active, min_ready_seconds, view.now);
        plan.requeue(next.unwrap_or(after_secs(view.now, min_ready_seconds.into())));
    }
    update_status(&mut plan, rs, status);
    plan
}

/// The pods as they are after a plan was carried out.
fn claimed_pods<'a>(rs: &ReplicaSet, view: &View<'a>) -> Claimed<'a> {
    let Some(spec) = &rs.spec else { return Claimed { active: Vec::new(), terminating: 0 } };
    let selects = |pod: &&Pod| selector::matches(&spec.selector, pod.metadata.labels.as_ref());
    let owned = utils::owned::<Pod>(rs, view).filter(|it| pods::is_active(it));
    let active = owned.filter(selects).collect();
    Claimed { active, terminating: count_terminating(rs, spec, view) }
}

fn count_terminating(rs: &ReplicaSet, spec: &ReplicaSetSpec, view: &View<'_>) -> usize {
    utils::owned::<Pod>(rs, view)
        .filter(|it| pods::is_terminating(it) && !pods::is_terminal(it))
        .filter(|it| selector::matches(&spec.selector, it.metadata.labels.as_ref()))
        .count()
}

/// Creates what is missing and deletes what is too much. Upstream: `manageReplicas`.
fn manage_replicas(
    plan: &mut Plan,
    rs: &ReplicaSet,
    spec: &ReplicaSetSpec,
    active: &[&Pod],
    view: &View<'_>,
) {
    let replicas = wanted_replicas(spec);
    let missing = replicas.saturating_sub(active.len()).min(BURST_REPLICAS);
    if missing > 0 && !utils::namespace_terminating(rs.namespace(), view) {
        let template = spec.template.clone().unwrap_or_default();
        let pod = utils::pod_from_template(&template, rs);
        utils::create_pods(plan, COMPONENT, std::iter::repeat_n(pod, missing), rs);
    }
    let surplus = active.len().saturating_sub(replicas).min(BURST_REPLICAS);
    if surplus > 0 {
        for pod in pods_to_delete(rs, active, surplus, view) {
            utils::delete_pod(plan, COMPONENT, pod, rs);
        }
    }
}

fn wanted_replicas(spec: &ReplicaSetSpec) -> usize {
    utils::size(spec.replicas.unwrap_or(1))
}

/// The pods that go when there are too many. Pods of sibling ReplicaSets (those of the same
/// Deployment) on the same node make a pod go earlier. Upstream: `getPodsToDelete`.
fn pods_to_delete<'a>(
    rs: &ReplicaSet,
    active: &[&'a Pod],
    surplus: usize,
    view: &View<'_>,
) -> Vec<&'a Pod> {
    let mut pods = active.to_vec();
    if surplus < pods.len() {
        let on_node = related_pods_by_node(rs, view);
        let rank = |pod: &Pod| pods::node_name(pod).and_then(|it| on_node.get(it)).copied();
        utils::sort_for_deletion(&mut pods, view.now, |pod| rank(pod).unwrap_or(0));
    }
    pods.truncate(surplus);
    pods
}

/// Upstream: `getIndirectlyRelatedPods`.
fn related_pods_by_node<'a>(rs: &ReplicaSet, view: &View<'a>) -> BTreeMap<&'a str, usize> {
    let mut on_node = BTreeMap::new();
    let Some(owner) = api::controller_of(&rs.metadata) else { return on_node };
    for sibling in view.listers.owned_by::<ReplicaSet>(&owner.uid) {
        for pod in utils::owned::<Pod>(sibling, view).filter(|it| pods::is_active(it)) {
            if let Some(node) = pods::node_name(pod) {
                *on_node.entry(node).or_default() += 1;
            }
        }
    }
    on_node
}

/// Upstream: `calculateStatus`.
fn calculate_status(
    rs: &ReplicaSet,
    claimed: &Claimed<'_>,
    failure: Option<&ApiError>,
    view: &View<'_>,
) -> ReplicaSetStatus {
    let mut status = rs.status.clone().unwrap_or_default();
    let Some(spec) = &rs.spec else { return status };
    let template_labels =
        spec.template.as_ref().and_then(|it| it.metadata.as_ref()?.labels.as_ref());
    let template_labels =
        LabelSelector { match_labels: template_labels.cloned(), match_expressions: None };
    let min_ready_seconds = spec.min_ready_seconds.unwrap_or(0);
    let n = |question: &dyn Fn(&Pod) -> bool| {
        utils::count(claimed.active.iter().filter(|pod| question(pod)).count())
    };
    let fully_labeled = n(&|pod| selector::matches(&template_labels, pod.metadata.labels.as_ref()));
    let available = n(&|pod| pods::is_available(pod, min_ready_seconds, view.now));

    status.replicas = utils::count(claimed.active.len());
    status.fully_labeled_replicas = utils::nonzero(fully_labeled);
    status.ready_replicas = utils::nonzero(n(&pods::is_ready));
    status.available_replicas = utils::nonzero(available);
    status.terminating_replicas = Some(utils::count(claimed.terminating));
    status.observed_generation = rs.metadata.generation;
    set_failure(&mut status, wanted_replicas(spec), claimed.active.len(), failure, view);
    status
}

/// Sets or clears the condition that pods could not be created or deleted. The first error stays
/// until one round has gone without.
fn set_failure(
    status: &mut ReplicaSetStatus,
    wanted: usize,
    have: usize,
    failure: Option<&ApiError>,
    view: &View<'_>,
) {
    let present = status.conditions.iter().flatten().any(|it| it.type_ == REPLICA_FAILURE);
    match failure {
        Some(error) if !present && wanted != have => {
            let reason = if have < wanted { "FailedCreate" } else { "FailedDelete" };
            status.conditions.get_or_insert_default().push(ReplicaSetCondition {
                type_: REPLICA_FAILURE.to_owned(),
                status: "True".to_owned(),
                last_transition_time: Some(meta_time(view.now)),
                reason: Some(reason.to_owned()),
                message: Some(error.message.clone()),
            });
        }
        None if present => {
            let conditions = status.conditions.take().unwrap_or_default();
            let rest: Vec<_> =
                conditions.into_iter().filter(|it| it.type_ != REPLICA_FAILURE).collect();
            status.conditions = (!rest.is_empty()).then_some(rest);
        }
        _ => {}
    }
}

fn update_status(plan: &mut Plan, rs: &ReplicaSet, status: ReplicaSetStatus) {
    if rs.status.as_ref() != Some(&status) {
        plan.push(utils::update_status(ReplicaSet { status: Some(status), ..rs.clone() }));
    }
}

#[cfg(test)]
mod tests {
    use api::ApiReason;
    use k8s_openapi::api::core::v1::Namespace;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{PodSketch, World, deleted, lines, owner, status_of, template, time};

    fn replica_set(name: &str, replicas: usize) -> Value {
        json!({
            "metadata": { "name": name, "generation": 1 },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": { "app": "a" } },
                "template": template("x"),
            },
        })
    }

    fn decide(world: &World) -> Plan {
        world.decide::<ReplicaSet>(&mut ReplicaSetController::default(), "rs")
    }

    #[test]
    fn the_difference_is_created_or_deleted() {
        for (want, have, creates, deletes) in
            [(3, 0, 3, 0), (3, 3, 0, 0), (1, 3, 0, 2), (600, 0, 500, 0), (0, 600, 0, 500)]
        {
            let mut world = World::default();
            world.put::<ReplicaSet>(replica_set("rs", want));
            for i in 0..have {
                let pod = PodSketch::default();
                world.put_pod(&owner("ReplicaSet", "rs"), &format!("rs-{i}"), pod);
            }
            let lines = lines(&decide(&world));
            let n = |verb: &str| lines.iter().filter(|it| it.starts_with(verb)).count();
            assert_eq!((n("create"), n("delete")), (creates, deletes), "want {want}, have {have}");
        }
    }

    #[test]
    fn the_pod_that_is_missed_least_goes_first() {
        let keep = PodSketch { ready: Some(0), created: 0, ..PodSketch::default() };
        for lost in [
            PodSketch { node: "", ..keep },
            PodSketch { phase: "Pending", ..keep },
            PodSketch { ready: None, ..keep },
            PodSketch { cost: "-1", ..keep },
            PodSketch { ready: Some(80), ..keep },
            PodSketch { created: 80, ..keep },
        ] {
            let mut world = World::at_ms(100_000);
            world.put::<ReplicaSet>(replica_set("rs", 1));
            world.put_pod(&owner("ReplicaSet", "rs"), "keep", keep);
            world.put_pod(&owner("ReplicaSet", "rs"), "lost", lost);
            assert_eq!(deleted(&decide(&world)), ["lost"]);
        }
    }

    #[test]
    fn ready_ages_in_the_same_power_of_two_are_the_same_and_uids_decide() {
        let mut world = World::at_ms(100_000);
        world.put::<ReplicaSet>(replica_set("rs", 1));
        for (name, ready) in [("a", 1), ("b", 25)] {
            let pod = PodSketch { ready: Some(ready), ..PodSketch::default() };
            world.put_pod(&owner("ReplicaSet", "rs"), name, pod);
        }
        assert_eq!(deleted(&decide(&world)), ["a"]);
    }

    #[test]
    fn only_the_replica_set_of_a_deployment_leaves_crowded_nodes() {
        for (of_deployment, lost) in [(true, "z"), (false, "a")] {
            let mut world = World::at_ms(100_000);
            for (name, replicas) in [("rs", 1), ("sibling", 1)] {
                let mut rs = replica_set(name, replicas);
                if of_deployment {
                    rs["metadata"]["ownerReferences"] = json!([owner("Deployment", "d")]);
                }
                world.put::<ReplicaSet>(rs);
            }
            let pod = |node| PodSketch { node, ready: Some(10), ..PodSketch::default() };
            world.put_pod(&owner("ReplicaSet", "rs"), "a", pod("roomy"));
            world.put_pod(&owner("ReplicaSet", "rs"), "z", pod("crowded"));
            world.put_pod(&owner("ReplicaSet", "sibling"), "other", pod("crowded"));
            assert_eq!(deleted(&decide(&world)), [lost]);
        }
    }

    #[test]
    fn orphans_are_adopted_and_strangers_released() {
        let mut world = World::default();
        world.put::<ReplicaSet>(replica_set("rs", 1));
        world.put_pod(&Value::Null, "orphan", PodSketch::default());
        let stranger = PodSketch { labels: &[("app", "b")], ..PodSketch::default() };
        world.put_pod(&owner("ReplicaSet", "rs"), "stranger", stranger);
        assert_eq!(lines(&decide(&world)), ["patch Pod stranger", "patch Pod orphan"]);
    }

    #[test]
    fn pods_that_are_going_are_counted_until_they_have_ended() {
        let mut world = World::default();
        world.put::<ReplicaSet>(replica_set("rs", 1));
        for (name, deleted, phase) in [
            ("stays", false, "Running"),
            ("goes", true, "Running"),
            ("waits", true, "Pending"),
            ("ended", true, "Failed"),
        ] {
            let pod = PodSketch { deleted, phase, ..PodSketch::default() };
            world.put_pod(&owner("ReplicaSet", "rs"), name, pod);
        }
        let status = status_of::<ReplicaSet>(&decide(&world)).unwrap().status.unwrap();
        assert_eq!((status.replicas, status.terminating_replicas), (1, Some(2)));
    }

    #[test]
    fn nothing_is_created_where_everything_is_being_deleted() {
        let mut world = World::default();
        let mut rs = replica_set("rs", 1);
        world.put::<ReplicaSet>(rs.clone());
        world.put::<Namespace>(
            json!({ "metadata": { "name": "default", "deletionTimestamp": time(0) } }),
        );
        assert_eq!(lines(&decide(&world)), Vec::<String>::new());

        let mut world = World::default();
        rs["metadata"]["deletionTimestamp"] = time(0);
        world.put::<ReplicaSet>(rs);
        assert_eq!(lines(&decide(&world)), Vec::<String>::new());
    }

    #[test]
    fn a_refused_pod_shows_in_a_condition_until_a_round_goes_without() {
        let mut world = World::default();
        world.put::<ReplicaSet>(replica_set("rs", 1));
        let key = ObjectRef::new(Kind::ReplicaSet, "default", "rs");
        let refused = Err(ApiError::new(ApiReason::Forbidden, "no room"));
        let plan = ReplicaSetController::default().applied(&key, &[refused], &world.view());
        let conditions = |plan: &Plan| {
            let status = status_of::<ReplicaSet>(plan).unwrap().status.unwrap();
            status.conditions.unwrap_or_default()
        };
        let condition = conditions(&plan).remove(0);
        // A second refusal adds nothing.
        let mut again = World::default();
        again.put::<ReplicaSet>(replica_set("rs", 1));
        again.apply(&plan);
        let other = Err(ApiError::new(ApiReason::Forbidden, "still no room"));
        let second = ReplicaSetController::default().applied(&key, &[other], &again.view());
        assert!(second.is_empty(), "{second:?}");
        assert_eq!(condition.reason.as_deref(), Some("FailedCreate"));
        assert_eq!(condition.message.as_deref(), Some("no room"));
        world.apply(&plan);
        world.put_pod(&owner("ReplicaSet", "rs"), "p", PodSketch::default());
        assert_eq!(conditions(&decide(&world)), []);
    }

    #[test]
    fn a_ready_pod_is_looked_at_again_when_it_becomes_available() {
        let mut world = World::at_ms(12_345);
        let mut rs = replica_set("rs", 1);
        rs["spec"]["minReadySeconds"] = json!(10);
        world.put::<ReplicaSet>(rs);
        let pod = PodSketch { ready: Some(12), ..PodSketch::default() };
        world.put_pod(&owner("ReplicaSet", "rs"), "p", pod);
        let plan = decide(&world);
        assert_eq!(plan.requeue_at, Some(crate::testing::at_ms(22_000)));
        let status = status_of::<ReplicaSet>(&plan).unwrap().status.unwrap();
        assert_eq!((status.ready_replicas, status.available_replicas), (Some(1), None));
    }
}
