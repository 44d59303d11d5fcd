//! Deletes Jobs some time after they have ended, if they ask for it.
//!
//! Upstream: `pkg/controller/ttlafterfinished/ttlafterfinished_controller.go`, v1.36.

use api::time::{after_ms, after_secs};
use api::{
    Action, Change, Component, ComponentId, DeleteOptions, Object, ObjectRef, Plan, Propagation,
    Resource, Timestamp, View, WorkQueue,
};
use k8s_openapi::api::batch::v1::Job;

use crate::controller_utils::enqueue_all;
use crate::job::finished_condition;

/// The controller of `spec.ttlSecondsAfterFinished`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TtlAfterFinishedController;

impl Component for TtlAfterFinishedController {
    fn id(&self) -> ComponentId {
        ComponentId::TtlAfterFinished
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        enqueue_all::<Job>(queue, view);
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let job = change.new.as_ref().and_then(Object::as_kind::<Job>);
        let expires = job.filter(|it| it.metadata.deletion_timestamp.is_none()).and_then(expiry);
        if let (Some(job), Some(expires)) = (job, expires) {
            let soon = after_ms(view.now, view.settings.controller_latency_ms);
            queue.add_at(job.object_ref(), expires.max(soon));
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let job = view.listers.by_ref::<Job>(key);
        let Some(job) = job.filter(|it| it.metadata.deletion_timestamp.is_none()) else {
            return plan;
        };
        match expiry(job) {
            Some(expires) if expires > view.now => plan.requeue(expires),
            Some(_) => {
                let options = DeleteOptions {
                    propagation: Some(Propagation::Foreground),
                    uid: Some(job.uid().to_owned()),
                    ..DeleteOptions::default()
                };
                plan.push(Action::Delete { key: key.clone(), options });
            }
            None => {}
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(*self)
    }
}

/// When a Job that has ended may be deleted.
fn expiry(job: &Job) -> Option<Timestamp> {
    let ttl = job.spec.as_ref()?.ttl_seconds_after_finished?;
    let ended = finished_condition(job)?.last_transition_time.as_ref()?;
    Some(after_secs(ended.0, i64::from(ttl)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{World, at_ms, deleted, template, time};

    #[test]
    fn a_job_goes_when_its_time_after_the_end_is_over() {
        // (ttl, ended at, condition, now, deleted, looks again at)
        for (ttl, ended, condition, now, goes, again) in [
            (Some(20), 10, "Complete", 29, false, Some(30)),
            (Some(20), 10, "Complete", 30, true, None),
            (Some(20), 10, "Failed", 31, true, None),
            (Some(0), 10, "Complete", 10, true, None),
            (Some(0), 10, "Suspended", 99, false, None),
            (None, 10, "Complete", 99, false, None),
        ] {
            let mut world = World::at_ms(now * 1_000);
            let condition =
                json!({ "type": condition, "status": "True", "lastTransitionTime": time(ended) });
            world.put::<Job>(json!({
                "metadata": { "name": "a" },
                "spec": { "ttlSecondsAfterFinished": ttl, "template": template("x") },
                "status": { "conditions": [condition] },
            }));
            let plan = world.decide::<Job>(&mut TtlAfterFinishedController, "a");
            assert_eq!(deleted(&plan).len(), usize::from(goes), "{ttl:?} at {now} s");
            for action in &plan.actions {
                let Action::Delete { options, .. } = action else { panic!("{action:?}") };
                assert_eq!(options.propagation, Some(Propagation::Foreground));
                assert_eq!(options.uid.as_deref(), Some("uid-a"));
            }
            assert_eq!(plan.requeue_at, again.map(|it: i64| at_ms(it * 1_000)), "at {now} s");
        }
    }
}
