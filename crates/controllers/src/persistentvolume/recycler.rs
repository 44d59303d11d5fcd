//! Empties released volumes by pods.
//!
//! Upstream: `recycleVolumeOperation` in `pkg/controller/volume/persistentvolume/pv_controller.go`,
//! `pkg/volume/util/recyclerclient/recycler_client.go`,
//! `NewPersistentVolumeRecyclerPodTemplate` in `pkg/volume/plugins.go`, v1.36.
//! Differs from upstream: what the pod's events tell is passed on when the pod changes, because
//! nobody hears of events.

use std::collections::BTreeMap;

use super::sync_volume::{fail, unbind};
use super::{claim_ref, claims_of, next_resync, record};
use api::k8s_openapi::api::core::v1::{PersistentVolume, Pod};
use api::time::after_ms;
use api::{Action, DeleteOptions, Event, Plan, Resource, View, pods, quantity};

/// Where the pods run.
const NAMESPACE: &str = "default";
const PREFIX: &str = "recycler-for-";
const REASON: &str = "VolumeFailedRecycle";

/// The volumes whose pods are waited for, and how many events of each have been passed on.
pub(super) type Recycling = BTreeMap<String, usize>;

/// The name of the volume that a pod empties.
pub(super) fn volume_of(pod: &Pod) -> Option<&str> {
    pod.name().strip_prefix(PREFIX).filter(|_| pod.namespace() == NAMESPACE)
}

/// Starts a pod, waits for it, and makes the volume available again.
pub(super) fn recycle(
    volume: &PersistentVolume,
    recycling: &mut Recycling,
    view: &View<'_>,
    plan: &mut Plan,
) {
    let name = format!("{PREFIX}{}", volume.name());
    let pod = view.listers.get::<Pod>(NAMESPACE, &name);
    let Some(told) = recycling.get_mut(volume.name()) else {
        start(volume, &name, pod, recycling, view, plan);
        return;
    };
    let events = view.listers.list_in::<Event>(NAMESPACE);
    let events = events
        .filter(|it| it.about_name() == name && pod.is_some_and(|pod| it.about_uid() == pod.uid()));
    for event in events.skip(*told) {
        *told += 1;
        let text = format!("Recycler pod: {}", event.message());
        let warning = event.type_name() == "Warning";
        record(plan, volume.clone().into_object(), warning, "RecyclerPod", &text);
    }
    let why = match pod {
        None => "recycler pod was deleted",
        Some(pod) if !pods::is_terminal(pod) => return,
        Some(pod) => {
            plan.push(Action::Delete { key: pod.object_ref(), options: DeleteOptions::default() });
            if pods::phase(pod) == "Succeeded" {
                recycling.remove(volume.name());
                let object = volume.clone().into_object();
                record(plan, object, false, "VolumeRecycled", "Volume recycled");
                unbind(volume, plan);
                return;
            }
            let message = pod.status.as_ref().and_then(|it| it.message.as_deref());
            message.unwrap_or("pod failed, pod.Status.Message unknown")
        }
    };
    recycling.remove(volume.name());
    let text = format!("Recycle failed: failed to recycle volume: {why}");
    fail(volume, REASON, &text, plan);
    plan.requeue(next_resync(after_ms(view.now, 1)));
}

fn start(
    volume: &PersistentVolume,
    name: &str,
    pod: Option<&Pod>,
    recycling: &mut Recycling,
    view: &View<'_>,
    plan: &mut Plan,
) {
    plan.requeue(next_resync(after_ms(view.now, 1)));
    if let Some(claim) = claim_ref(volume).filter(|it| view.listers.object(it).is_none()) {
        let users = view.listers.list_in::<Pod>(&claim.namespace);
        let users = users.filter(|pod| {
            !pods::is_terminal(pod) && claims_of(pod).any(|it| it.as_str() == claim.name)
        });
        let users: Vec<String> = users.map(|it| it.object_ref().namespaced_name()).collect();
        if !users.is_empty() {
            let text = format!("Volume is used by pods: {}", users.join(","));
            record(plan, volume.clone().into_object(), false, REASON, &text);
            return;
        }
    }
    let Some(new) = pod_for(volume, name) else {
        fail(volume, REASON, "No recycler plugin found for the volume!", plan);
        return;
    };
    match pod {
        Some(old) => {
            plan.push(Action::Delete { key: old.object_ref(), options: DeleteOptions::default() });
            let text = "Recycle failed: old recycler pod found, will retry later";
            fail(volume, REASON, text, plan);
        }
        None => {
            recycling.insert(volume.name().to_owned(), 0);
            plan.push(Action::Create { object: new.into_object(), created: None, failed: None });
        }
    }
}

/// Upstream: `NewPersistentVolumeRecyclerPodTemplate`.
const POD: &str = r#"{"metadata":{"namespace":"default"},"spec":{"restartPolicy":"Never","volumes":[
{"name":"vol"}],"containers":[{"name":"pv-recycler","image":
"registry.k8s.io/build-image/debian-base:bookworm-v1.0.6","command":["/bin/sh"],"args":["-c",
"test -e /scrub && find /scrub -mindepth 1 -delete && test -z \"$(ls -A /scrub)\" || exit 1"],
"volumeMounts":[{"name":"vol","mountPath":"/scrub"}]}]}}"#;

/// The pod that empties a volume: those of hosts and NFS can be.
fn pod_for(volume: &PersistentVolume, name: &str) -> Option<Pod> {
    let of = volume.spec.as_ref()?;
    let mut pod: Pod = api::wire::from_value(&serde_json::from_str(POD).ok()?).ok()?;
    pod.metadata.name = Some(name.to_owned());
    let spec = pod.spec.as_mut()?;
    let source = spec.volumes.as_mut()?.first_mut()?;
    source.host_path.clone_from(&of.host_path);
    source.nfs.clone_from(&of.nfs);
    let least_seconds = match (&mut source.host_path, &of.nfs) {
        (Some(host_path), _) => {
            host_path.type_ = None;
            60
        }
        (None, Some(_)) => 300,
        (None, None) => return None,
    };
    let bytes = of.capacity.as_ref().and_then(|it| it.get("storage")).map_or(0, quantity::value);
    spec.active_deadline_seconds = Some(((bytes >> 30) * 30).max(least_seconds));
    Some(pod)
}
