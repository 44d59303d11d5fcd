//! The component around a round over a StatefulSet's pods.
//!
//! Upstream: `pkg/controller/statefulset/stateful_set.go`, v1.36.

use api::{
    ApiError, Change, Component, ComponentId, Kind, Object, ObjectRef, Plan, View, WorkQueue,
};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::stateful_pod_control::claims_refused;
use super::stateful_set_control::update_stateful_set;
use super::stateful_set_utils::is_member_of;
use crate::controller_utils as utils;

/// The controller. It remembers nothing: whatever it needs is in the store.
#[derive(Clone, Debug)]
pub struct StatefulSetController;

impl Component for StatefulSetController {
    fn id(&self) -> ComponentId {
        ComponentId::StatefulSet
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        utils::enqueue_all::<StatefulSet>(queue, view);
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let Some(object) = change.object() else { return };
        match object.kind() {
            Kind::StatefulSet => utils::enqueue(queue, view, object.object_ref()),
            Kind::Pod => utils::enqueue_owners::<StatefulSet>(change, view, queue, selector_of),
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let Some(set) = view.listers.by_ref::<StatefulSet>(key) else { return plan };
        let Some(spec) = &set.spec else { return plan };
        let member = |pod: &Pod| is_member_of(set, pod);
        let pods = utils::claim::<Pod>(&mut plan, set, &spec.selector, view, member);
        update_stateful_set(plan, set, spec, &pods, view)
    }

    fn applied(
        &mut self,
        key: &ObjectRef,
        results: &[Result<Option<Object>, ApiError>],
        view: &View<'_>,
    ) -> Plan {
        let mut plan = Plan::default();
        let Some(set) = view.listers.by_ref::<StatefulSet>(key) else { return plan };
        let errors = results.iter().filter_map(|it| it.as_ref().err());
        claims_refused(&mut plan, set, errors, view);
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(self.clone())
    }
}

fn selector_of(set: &StatefulSet) -> &LabelSelector {
    const EVERYTHING: &LabelSelector =
        &LabelSelector { match_expressions: None, match_labels: None };
    set.spec.as_ref().map_or(EVERYTHING, |it| &it.selector)
}
