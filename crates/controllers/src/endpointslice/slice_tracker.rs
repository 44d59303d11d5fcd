//! Tells the controller's own writes to slices from those of others.
//!
//! Upstream: `staging/src/k8s.io/endpointslice/util/endpointslice_tracker.go` and
//! `onEndpointSlice{Add,Update,Delete}` in
//! `pkg/controller/endpointslice/endpointslice_controller.go`, v1.36.

use std::collections::{BTreeMap, BTreeSet};

use api::{Action, Change, Kind, Object, ObjectRef, Plan};

use super::{CONTROLLER_NAME, MANAGED_BY_LABEL, SERVICE_NAME_LABEL, utils};

/// What the controller has written.
#[derive(Clone, Debug, Default)]
pub(super) struct SliceTracker {
    /// The generations that its writes have led to, by slice.
    generations: BTreeMap<ObjectRef, i64>,
    /// How many slices the last plan makes whose names are not known yet.
    n_creating: usize,
    /// The slices that a label has taken away from their Service.
    missing: BTreeMap<ObjectRef, BTreeSet<ObjectRef>>,
}

impl SliceTracker {
    /// Notes what a plan writes.
    pub(super) fn expect(&mut self, plan: &Plan) {
        self.n_creating = 0;
        for action in &plan.actions {
            match action {
                Action::Create { .. } => self.n_creating += 1,
                Action::Update(slice) => {
                    self.generations.insert(slice.object_ref(), generation(slice) + 1);
                }
                _ => {}
            }
        }
    }

    /// Takes note of a change. Returns the Services that must be looked at because of it.
    pub(super) fn see(&mut self, change: &Change) -> Vec<ObjectRef> {
        let before = change.old.as_ref().and_then(owner);
        let after = change.new.as_ref().and_then(owner);
        let Some(object) = change.object() else { return Vec::new() };
        let slice = object.object_ref();
        if before == after {
            return after.into_iter().filter(|_| self.is_news(&slice, object)).collect();
        }
        if let Some(service) = &after {
            if change.old.is_none() && self.n_creating > 0 {
                self.n_creating -= 1;
                self.generations.insert(slice, generation(object));
                return Vec::new();
            }
            if let Some(missing) = self.missing.get_mut(service) {
                missing.remove(&slice);
            }
        }
        if let Some(service) = &before {
            if change.new.is_none() {
                self.generations.remove(&slice);
            } else if self.generations.contains_key(&slice) {
                self.missing.entry(service.clone()).or_default().insert(slice);
            }
        }
        before.into_iter().chain(after).collect()
    }

    /// Whether somebody else has written the slice.
    fn is_news(&self, slice: &ObjectRef, object: &Object) -> bool {
        self.generations.get(slice).is_none_or(|it| generation(object) > *it)
    }

    /// Whether a slice of the Service bears another label now. Until it is back the controller
    /// takes its list of slices for out of date.
    pub(super) fn lacks_one(&self, service: &ObjectRef) -> bool {
        self.missing.get(service).is_some_and(|it| !it.is_empty())
    }

    /// The Service is gone.
    pub(super) fn forget(&mut self, service: &ObjectRef) {
        self.missing.remove(service);
    }
}

fn generation(slice: &Object) -> i64 {
    slice.meta().generation.unwrap_or_default()
}

/// The Service of a slice that the controller manages.
fn owner(slice: &Object) -> Option<ObjectRef> {
    let ours = utils::label(slice.meta(), MANAGED_BY_LABEL) == CONTROLLER_NAME;
    let service = utils::label(slice.meta(), SERVICE_NAME_LABEL);
    ours.then(|| ObjectRef::new(Kind::Service, slice.namespace(), service))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::discovery::v1::EndpointSlice;
    use serde_json::json;

    use api::Resource;

    use super::*;

    /// A slice in short: who manages it, its Service, its generation.
    fn slice((manager, service, generation): (&str, &str, i64)) -> Object {
        let manager = if manager == "us" { CONTROLLER_NAME } else { manager };
        let slice = json!({
            "metadata": {
                "name": "s", "namespace": "default", "generation": generation,
                "labels": { MANAGED_BY_LABEL: manager, SERVICE_NAME_LABEL: service },
            },
            "addressType": "IPv4", "endpoints": [],
        });
        serde_json::from_value::<EndpointSlice>(slice).unwrap().into_object()
    }

    #[test]
    fn what_others_write_is_looked_at_and_a_slice_taken_away_holds_its_service_up() {
        let mut tracker = SliceTracker::default();
        let create = Action::Create { object: slice(("us", "a", 0)), created: None, failed: None };
        tracker.expect(&Plan { actions: vec![create], ..Plan::default() });
        let mut old = None;
        for (written, new, looked_at, held_up) in [
            (false, Some(("us", "a", 1)), "", ""),
            (true, Some(("us", "a", 2)), "", ""),
            (false, Some(("us", "a", 2)), "", ""),
            (false, Some(("us", "a", 3)), "a", ""),
            (false, Some(("me", "a", 4)), "a", "a"),
            (false, Some(("me", "a", 5)), "", "a"),
            (false, Some(("us", "a", 6)), "a", ""),
            (false, Some(("us", "b", 7)), "a b", "a"),
            (false, None, "b", "a"),
            (false, Some(("us", "b", 1)), "b", "a"),
        ] {
            let new = new.map(slice);
            if written && let Some(old) = &old {
                let action = Action::Update(Object::clone(old));
                tracker.expect(&Plan { actions: vec![action], ..Plan::default() });
            }
            let change = Change { old, new: new.clone() };
            let names = |all: Vec<ObjectRef>| {
                all.iter().map(|it| it.name.to_string()).collect::<Vec<_>>().join(" ")
            };
            assert_eq!(names(tracker.see(&change)), looked_at, "{change:?}");
            let service = |name| ObjectRef::new(Kind::Service, "default", name);
            let lacking = ["a", "b"].map(service).into_iter().filter(|it| tracker.lacks_one(it));
            assert_eq!(names(lacking.collect()), held_up, "{change:?}");
            old = new;
        }
        tracker.forget(&ObjectRef::new(Kind::Service, "default", "a"));
        assert!(!tracker.lacks_one(&ObjectRef::new(Kind::Service, "default", "a")));
    }
}
