//! Static pods: a node's kubelet runs them from manifests of its own, and shows them to the API
//! server as mirror pods.
//!
//! The manifests of a node stand in its annotation `sim.orrery.dev/static-pods`, as a JSON list
//! of pods. Deleting a mirror pod does not touch the containers: the mirror comes back.
//!
//! Upstream: `pkg/kubelet/pod/mirror_client.go`, `pkg/kubelet/config/common.go`
//! (`applyDefaults`), v1.36.

use api::k8s_openapi::api::core::v1::{Node, Pod, Toleration};
use api::k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use api::{Action, DeleteOptions, Kind, ObjectRef, Plan, Resource, View};

use crate::duration::hash;
use crate::workload::PREFIX;

/// Upstream: `v1.MirrorPodAnnotationKey`.
pub(crate) const MIRROR: &str = "kubernetes.io/config.mirror";

/// The hash of the manifest that a mirror pod stands for.
pub(crate) fn mirror_hash(pod: &Pod) -> Option<&str> {
    pod.metadata.annotations.as_ref()?.get(MIRROR).map(String::as_str)
}

/// The mirror pods that the node should have.
fn wanted(node: &Node) -> Vec<Pod> {
    let annotations = node.metadata.annotations.as_ref();
    let text = annotations.and_then(|it| it.get(&format!("{PREFIX}static-pods")));
    let value = text.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
    let manifests: Vec<Pod> = api::wire::from_value(&value).unwrap_or_default();
    manifests.into_iter().filter_map(|pod| mirror(pod, node)).collect()
}

fn mirror(mut pod: Pod, node: &Node) -> Option<Pod> {
    let text = api::wire::to_json(&pod);
    let name = pod.metadata.name.take()?;
    let hash = format!("{:016x}{:016x}", hash(0, &[&text]), hash(1, &[&text]));
    pod.metadata.name = Some(format!("{name}-{}", node.name()));
    pod.metadata.namespace.get_or_insert_with(|| "default".to_owned());
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert("kubernetes.io/config.hash".to_owned(), hash.clone());
    annotations.insert("kubernetes.io/config.source".to_owned(), "file".to_owned());
    annotations.insert(MIRROR.to_owned(), hash);
    pod.metadata.owner_references = Some(vec![OwnerReference {
        api_version: Kind::Node.api_version(),
        kind: Kind::Node.name().to_owned(),
        name: node.name().to_owned(),
        uid: node.uid().to_owned(),
        controller: Some(true),
        block_owner_deletion: None,
    }]);
    let spec = pod.spec.as_mut()?;
    spec.node_name = Some(node.name().to_owned());
    spec.tolerations.get_or_insert_default().push(Toleration {
        operator: Some("Exists".to_owned()),
        effect: Some("NoExecute".to_owned()),
        ..Toleration::default()
    });
    pod.status = None;
    Some(pod)
}

/// Creates the mirror pods that are missing and deletes those without a manifest.
pub(crate) fn sync(node: &Node, view: &View<'_>, plan: &mut Plan) {
    let wanted = wanted(node);
    for pod in view.listers.pods_on(node.name()) {
        let Some(hash) = mirror_hash(pod) else { continue };
        let known = wanted.iter().any(|it| {
            it.name() == pod.name()
                && it.namespace() == pod.namespace()
                && mirror_hash(it) == Some(hash)
        });
        if !known || api::pods::is_terminating(pod) {
            plan.push(delete_now(pod));
        }
    }
    for pod in wanted {
        let key = pod.object_ref();
        let there = view.listers.by_ref::<Pod>(&key);
        // One that is being deleted is gone by the time that this is carried out.
        let stays = there.is_some_and(|it| {
            mirror_hash(it) == mirror_hash(&pod) && !api::pods::is_terminating(it)
        });
        if !stays && there.is_none_or(|it| mirror_hash(it).is_some()) {
            plan.push(Action::Create { object: pod.into_object(), created: None, failed: None });
        }
    }
}

/// The node of a mirror pod, whose manifests have to be looked at again.
pub(crate) fn node_of_mirror(pod: &Pod) -> Option<ObjectRef> {
    mirror_hash(pod)?;
    api::pods::node_name(pod).map(|it| ObjectRef::new(Kind::Node, "", it))
}

/// Removes a pod from the API server at once.
pub(crate) fn delete_now(pod: &Pod) -> Action {
    Action::Delete {
        key: pod.object_ref(),
        options: DeleteOptions {
            grace_period_seconds: Some(0),
            uid: Some(pod.uid().to_owned()),
            ..DeleteOptions::default()
        },
    }
}
