//! The component around a round over a StatefulSet's pods.
//!
//! Upstream: `pkg/controller/statefulset/stateful_set.go`, v1.36.

use std::collections::{BTreeMap, BTreeSet};

use api::{
    ApiError, Change, Component, ComponentId, Kind, Object, ObjectRef, Plan, Resource, View,
    WorkQueue, pods,
};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::stateful_pod_control::{claims_refused, tell_of_lost};
use super::stateful_set_control::update_stateful_set;
use super::stateful_set_utils::{is_member_of, ordinal};
use crate::controller_utils as utils;

/// The controller.
#[derive(Clone, Debug, Default)]
pub struct StatefulSetController {
    /// The numbers of the pods of each set that have failed since the last look at it. The pod garbage collector
    /// removes a pod right after it has marked it as failed; the request to delete it comes in
    /// between and succeeds.
    failed: BTreeMap<ObjectRef, BTreeSet<i32>>,
}

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
            Kind::Pod => {
                self.note_failed(change);
                utils::enqueue_owners::<StatefulSet>(change, view, queue, selector_of);
            }
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let failed = self.failed.remove(key).unwrap_or_default();
        let Some(set) = view.listers.by_ref::<StatefulSet>(key) else { return plan };
        let Some(spec) = &set.spec else { return plan };
        let member = |pod: &Pod| is_member_of(set, pod);
        let pods = utils::claim::<Pod>(&mut plan, set, &spec.selector, view, member);
        tell_of_lost(&mut plan, set, spec, &pods, failed);
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

impl StatefulSetController {
    fn note_failed(&mut self, change: &Change) {
        let (Some(Object::Pod(old)), Some(Object::Pod(new))) = (&change.old, &change.new) else {
            return;
        };
        if pods::phase(new) != "Failed" || pods::phase(old) == "Failed" || pods::is_terminating(new)
        {
            return;
        }
        let owner = api::controller_of(&new.metadata).filter(|it| it.kind == "StatefulSet");
        if let (Some(owner), Some(ordinal)) = (owner, ordinal(new)) {
            let set = ObjectRef::new(Kind::StatefulSet, new.namespace(), &owner.name);
            self.failed.entry(set).or_default().insert(ordinal);
        }
    }
}

fn selector_of(set: &StatefulSet) -> &LabelSelector {
    const EVERYTHING: &LabelSelector =
        &LabelSelector { match_expressions: None, match_labels: None };
    set.spec.as_ref().map_or(EVERYTHING, |it| &it.selector)
}
