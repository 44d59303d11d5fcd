//! Objects only live in namespaces that exist and are not going.
//!
//! Upstream: `staging/src/k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go`,
//! v1.36.

use api::{ApiError, FieldCause, Kind, Object, ObjectRef};

use crate::store::{Store, forbidden};

/// Upstream: `immortalNamespaces`.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

pub(crate) fn admit(store: &Store, object: &Object) -> Result<(), ApiError> {
    let kind = object.kind();
    if !kind.namespaced() {
        return Ok(());
    }
    let key = ObjectRef::new(Kind::Namespace, "", object.namespace());
    let Object::Namespace(namespace) = store.get(&key)? else { return Ok(()) };
    let phase = namespace.status.as_ref().and_then(|it| it.phase.as_deref());
    if phase != Some("Terminating") {
        return Ok(());
    }
    let name = object.namespace();
    let why =
        format!("unable to create new content in namespace {name} because it is being terminated");
    let mut error = forbidden(kind, name_of(object), &why);
    error.causes.push(FieldCause {
        kind: "NamespaceTerminating",
        field: "metadata.namespace".to_owned(),
        message: format!("namespace {name} is being terminated"),
    });
    Err(error)
}

/// The name as admission errors show it: that of `generateName` where there is no other. Upstream:
/// `admission.extractResourceName`.
pub(super) fn name_of(object: &Object) -> &str {
    match object.name() {
        "" => object.meta().generate_name.as_deref().unwrap_or_default(),
        name => name,
    }
}

pub(crate) fn validate_delete(object: &Object) -> Result<(), ApiError> {
    match object {
        Object::Namespace(_) if IMMORTAL.contains(&object.name()) => {
            Err(forbidden(Kind::Namespace, object.name(), "this namespace may not be deleted"))
        }
        // Upstream: `pkg/registry/scheduling/priorityclass/storage/storage.go`.
        Object::PriorityClass(_) if object.name().starts_with("system-") => {
            let why = "this is a system priority class and cannot be deleted";
            Err(forbidden(Kind::PriorityClass, object.name(), why))
        }
        _ => Ok(()),
    }
}
