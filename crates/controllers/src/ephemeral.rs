//! Makes the claims of pods' ephemeral volumes.
//!
//! Upstream: `pkg/controller/volume/ephemeral/controller.go`, v1.36.

use api::time::after_ms;
use api::{
    Action, Change, Component, ComponentId, Object, ObjectRef, Plan, Resource, View, WorkQueue,
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimTemplate, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::controller_utils as utils;

const COMPONENT: &str = "ephemeral_volume";

/// The controller of `spec.volumes[].ephemeral`.
#[derive(Clone, Copy, Debug, Default)]
pub struct EphemeralVolumeController;

impl Component for EphemeralVolumeController {
    fn id(&self) -> ComponentId {
        ComponentId::EphemeralVolume
    }

    fn start(&mut self, view: &View<'_>, queue: &mut WorkQueue) {
        utils::enqueue_all::<Pod>(queue, view);
    }

    fn react(&mut self, change: &Change, view: &View<'_>, queue: &mut WorkQueue) {
        let at = after_ms(view.now, view.settings.controller_latency_ms);
        match (&change.old, &change.new) {
            // A pod's volumes never change.
            (None, Some(Object::Pod(pod))) if templates(pod).next().is_some() => {
                queue.add_at(pod.object_ref(), at);
            }
            (Some(Object::PersistentVolumeClaim(claim)), None) => {
                let mut pods = view.listers.list_in::<Pod>(claim.namespace());
                if let Some(pod) = pods.find(|pod| {
                    templates(pod).any(|(volume, _)| claim_name(pod, volume) == claim.name())
                }) {
                    queue.add_at(pod.object_ref(), at);
                }
            }
            _ => {}
        }
    }

    fn decide(&mut self, key: &ObjectRef, view: &View<'_>) -> Plan {
        let mut plan = Plan::default();
        let pod = view.listers.by_ref::<Pod>(key);
        let Some(pod) = pod.filter(|it| it.metadata.deletion_timestamp.is_none()) else {
            return plan;
        };
        for (volume, template) in templates(pod) {
            let name = claim_name(pod, volume);
            let fails = |why: &str| {
                let text = format!("ephemeral volume {volume}: {why}");
                utils::warning(COMPONENT, pod, "FailedBinding", text)
            };
            match view.listers.get::<PersistentVolumeClaim>(pod.namespace(), &name) {
                None => {
                    let failed = fails(&format!("create PVC {name}: {{error}}"));
                    plan.push(Action::Create {
                        object: claim(pod, name, template).into_object(),
                        created: None,
                        failed: Some(Box::new(failed)),
                    });
                }
                Some(it) if api::controller_of(it.meta()).is_some_and(|it| it.uid == pod.uid()) => {
                }
                Some(_) => {
                    let namespace = pod.namespace();
                    plan.record(fails(&format!(
                        "PVC {namespace}/{name} was not created for pod {namespace}/{} (pod is not \
                         owner)",
                        pod.name()
                    )));
                    plan.failed = true;
                    break;
                }
            }
        }
        plan
    }

    fn boxed_clone(&self) -> Box<dyn Component> {
        Box::new(*self)
    }
}

/// The names of a pod's ephemeral volumes, and what their claims are made from.
fn templates(pod: &Pod) -> impl Iterator<Item = (&str, &PersistentVolumeClaimTemplate)> {
    let volumes = pod.spec.iter().flat_map(|it| it.volumes.iter().flatten());
    volumes.filter_map(|it| {
        Some((it.name.as_str(), it.ephemeral.as_ref()?.volume_claim_template.as_ref()?))
    })
}

/// Upstream: `ephemeral.VolumeClaimName`.
fn claim_name(pod: &Pod, volume: &str) -> String {
    format!("{}-{volume}", pod.name())
}

fn claim(
    pod: &Pod,
    name: String,
    template: &PersistentVolumeClaimTemplate,
) -> PersistentVolumeClaim {
    let meta = template.metadata.clone().unwrap_or_default();
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: pod.metadata.namespace.clone(),
            owner_references: Some(vec![pod.controller_ref()]),
            annotations: meta.annotations,
            labels: meta.labels,
            ..ObjectMeta::default()
        },
        spec: Some(template.spec.clone()),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{World, lines};

    fn pod(going: bool) -> Value {
        let at = going.then_some("2026-01-01T00:00:00Z");
        let claim =
            json!({"spec": {"accessModes": ["ReadWriteOnce"]}, "metadata": {"labels": {"a": "b"}}});
        json!({
            "metadata": {"name": "p", "deletionTimestamp": at},
            "spec": {"containers": [], "volumes": [
                {"name": "v", "ephemeral": {"volumeClaimTemplate": claim}},
                {"name": "w", "emptyDir": {}},
            ]},
        })
    }

    /// Rows: whether the pod is going, the owner of the claim that there is, what is done.
    #[test]
    fn a_pod_gets_the_claims_of_its_ephemeral_volumes() {
        let foreign = "event FailedBinding: ephemeral volume v: PVC default/p-v was not created \
                       for pod default/p (pod is not owner)";
        for (going, owner, expected) in [
            (false, None, vec!["create PersistentVolumeClaim p-v"]),
            (true, None, vec![]),
            (false, Some("uid-p"), vec![]),
            (false, Some("x"), vec![foreign]),
        ] {
            let mut world = World::default();
            world.put::<Pod>(pod(going));
            if let Some(uid) = owner {
                let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid, "controller": true});
                world.put::<PersistentVolumeClaim>(json!({
                    "metadata": {"name": "p-v", "ownerReferences": [owner]}, "spec": {},
                }));
            }
            let plan = world.decide::<Pod>(&mut EphemeralVolumeController, "p");
            assert_eq!(lines(&plan), expected, "{going} {owner:?}");
        }
    }
}
