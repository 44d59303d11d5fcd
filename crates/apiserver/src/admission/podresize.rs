//! A pod that is resized must fit its node when that is empty.
//!
//! Upstream: `plugin/pkg/admission/podresize/admission.go`, v1.36.

use api::{ApiError, Kind, Object, pods, quantity, resources};
use k8s_openapi::api::core::v1::{Node, Pod};

use crate::store::{Store, forbidden};

pub(crate) fn validate(store: &Store, new: &Pod, old: &Pod) -> Result<(), ApiError> {
    let Some(name) = pods::node_name(new) else { return Ok(()) };
    if new.metadata.generation == old.metadata.generation {
        return Ok(());
    }
    let pod = new.metadata.name.as_deref().unwrap_or_default();
    let refuse = |why: &str| Err(forbidden(Kind::Pod, pod, why));
    let Some(node) = store.listers().node(name) else {
        return refuse(&format!("node \"{name}\" not found"));
    };
    let os = node.metadata.labels.as_ref().and_then(|it| it.get("kubernetes.io/os"));
    if let Some(os) = os.filter(|it| *it != "linux") {
        let why = "pod resize is only supported on linux nodes, node";
        return refuse(&format!("{why} \"{name}\" is \"{os}\""));
    }
    let wanted = new.spec.as_ref().map(resources::spec_requests).unwrap_or_default();
    let amount = |of: &std::collections::BTreeMap<String, i64>, resource: &str| -> i64 {
        of.get(resource).copied().unwrap_or_default()
    };
    let mut short = Vec::new();
    for resource in ["cpu", "memory"] {
        let (wanted, most) = (amount(&wanted, resource), allocatable(node, resource));
        if wanted > most {
            short.push(format!("{resource}, requested: {wanted}, allocatable: {most}"));
        }
    }
    if !short.is_empty() {
        let short = short.join("; ");
        return refuse(&format!("node didn't have enough allocatable resources: {short}"));
    }
    Ok(())
}

/// In millicores or bytes.
fn allocatable(node: &Node, resource: &str) -> i64 {
    let all = node.status.as_ref().and_then(|it| it.allocatable.as_ref());
    let Some(amount) = all.and_then(|it| it.get(resource)) else { return 0 };
    if resource == "cpu" { quantity::milli_value(amount) } else { quantity::value(amount) }
}

/// The plugins that may refuse a resize.
pub(crate) fn validate_resize(store: &Store, new: &Object, old: &Object) -> Result<(), ApiError> {
    if let (Object::Pod(pod), Object::Pod(old)) = (new, old) {
        if old.metadata.deletion_timestamp.is_none() {
            super::limitranger::validate(store, new)?;
        }
        validate(store, pod, old)?;
    }
    Ok(())
}
