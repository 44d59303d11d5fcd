//! Decides what a Deployment needs: a status, a change of size, or a roll-out.
//!
//! Upstream: `pkg/controller/deployment/deployment_controller.go`, v1.36.
//! Differs from upstream: the annotation by which `extensions/v1beta1` asked for a rollback does
//! nothing, because nothing writes it any more (kubectl patches the template).

use api::{
    ApiError, Change, Component, ComponentId, Kind, Object, ObjectRef, Plan, Resource, View,
    WorkQueue,
};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::deployment_util::{self as util, PROGRESSING};
use super::sync::{Rollout, new_replica_set};
use crate::controller_utils as utils;

/// `source.component` of its events.
pub(super) const COMPONENT: &str = "deployment-controller";

/// The controller. It remembers nothing: whatever it needs is in the store.
#[derive(Clone, Debug)]
pub struct DeploymentController;

impl Component for DeploymentController {
    fn id(&self) -> ComponentId {
        ComponentId::Deployment
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        utils::enqueue_all::<Deployment>(queue, view);
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let Some(object) = change.object() else { return };
        match object.kind() {
            Kind::Deployment => utils::enqueue(queue, view, object.object_ref()),
            Kind::ReplicaSet => {
                utils::enqueue_owners::<Deployment>(change, view, queue, selector_of);
            }
            Kind::Pod if change.new.is_none() => pod_deleted(object, view, queue),
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        view.listers.by_ref::<Deployment>(key).map(|it| sync(it, view)).unwrap_or_default()
    }

    fn applied(
        &mut self,
        key: &ObjectRef,
        results: &[Result<Option<Object>, ApiError>],
        view: &View<'_>,
    ) -> Plan {
        let Some(Err(error)) = results.last() else { return Plan::default() };
        let deployment = view.listers.by_ref::<Deployment>(key);
        deployment.and_then(|it| report_create_error(it, error, view)).unwrap_or_default()
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

fn selector_of(deployment: &Deployment) -> &LabelSelector {
    const EVERYTHING: &LabelSelector =
        &LabelSelector { match_expressions: None, match_labels: None };
    deployment.spec.as_ref().map_or(EVERYTHING, |it| &it.selector)
}

/// The last pod of a Deployment that recreates is gone: it may go on. Upstream: `deletePod`.
fn pod_deleted(pod: &Object, view: &View<'_>, queue: &mut WorkQueue) {
    let owner = |object: &Object| {
        let owner = object.controller()?;
        utils::resolve::<ReplicaSet>(owner, object.namespace(), view)
    };
    let Some(rs) = owner(pod) else { return };
    let Some(owner) = api::controller_of(&rs.metadata) else { return };
    let Some(d) = utils::resolve::<Deployment>(owner, rs.namespace(), view) else { return };
    if d.spec.as_ref().is_none_or(util::is_rolling_update) {
        return;
    }
    let mut sets = utils::owned::<ReplicaSet>(d, view);
    if sets.all(|rs| utils::owned::<Pod>(rs, view).next().is_none()) {
        utils::enqueue(queue, view, d.object_ref());
    }
}

/// Upstream: `syncDeployment`.
fn sync(deployment: &Deployment, view: &View<'_>) -> Plan {
    let Some(spec) = &deployment.spec else { return Plan::default() };
    let mut plan = Plan::default();
    if utils::is_empty(&spec.selector) {
        const TEXT: &str =
            "This deployment is selecting all pods. A non-empty selector is required.";
        plan.record(utils::warning(COMPONENT, deployment, "SelectingAll", TEXT));
        let mut status = deployment.status.clone().unwrap_or_default();
        if status.observed_generation < deployment.metadata.generation {
            status.observed_generation = deployment.metadata.generation;
            let observed = Deployment { status: Some(status), ..deployment.clone() };
            plan.push(utils::update_status(observed));
        }
        return plan;
    }
    let claimed = utils::claim::<ReplicaSet>(&mut plan, deployment, &spec.selector, view, |_| true);
    let mut sets: Vec<ReplicaSet> = claimed.into_iter().cloned().collect();
    util::sort_by_age(&mut sets);
    let mut rollout = Rollout {
        deployment: deployment.clone(),
        spec: spec.clone(),
        plan,
        view: *view,
        sets,
        wrote_status: false,
    };
    // Whether the sync came to its end does not matter: the plan says what to do.
    let _ = roll_out(&mut rollout);
    rollout.plan
}

fn roll_out(rollout: &mut Rollout<'_>) -> Option<()> {
    if rollout.deployment.metadata.deletion_timestamp.is_some() {
        return rollout.sync_status_only();
    }
    rollout.check_paused_conditions();
    if rollout.spec.paused == Some(true) || rollout.is_scaling_event() {
        return rollout.sync();
    }
    if util::is_rolling_update(&rollout.spec) {
        rollout.rollout_rolling()
    } else {
        rollout.rollout_recreate()
    }
}

/// Shows in the condition `Progressing` that the new ReplicaSet was refused. Upstream: the error
/// branch of `getNewReplicaSet`.
fn report_create_error(d: &Deployment, error: &ApiError, view: &View<'_>) -> Option<Plan> {
    let spec = d.spec.as_ref()?;
    let mut status = d.status.clone().unwrap_or_default();
    let wanted = new_replica_set(d, spec, status.collision_count);
    let exists = view.listers.get::<ReplicaSet>(d.namespace(), wanted.name()).is_some();
    if exists || error.kind != Some(Kind::ReplicaSet) || !util::has_progress_deadline(spec) {
        return None;
    }
    let message = format!("Failed to create new replica set \"{}\": {error}", wanted.name());
    let failed =
        util::new_condition(PROGRESSING, "False", "ReplicaSetCreateError", message, view.now);
    util::set_condition(&mut status, failed);
    let mut plan = Plan::default();
    if d.status.as_ref() != Some(&status) {
        plan.push(utils::update_status(Deployment { status: Some(status), ..d.clone() }));
    }
    Some(plan)
}
