//! Runtime classes, of which a cluster here has none.
//!
//! Upstream: `plugin/pkg/admission/runtimeclass/admission.go`, v1.36.

use api::{ApiError, Kind, Object};

use crate::admission::lifecycle::name_of;
use crate::store::forbidden;

pub(crate) fn admit(object: &Object) -> Result<(), ApiError> {
    let Object::Pod(pod) = object else { return Ok(()) };
    let Some(spec) = &pod.spec else { return Ok(()) };
    let refuse = |why: &str| Err(forbidden(Kind::Pod, name_of(object), why));
    if let Some(class) = &spec.runtime_class_name {
        return refuse(&format!("pod rejected: RuntimeClass {class:?} not found"));
    }
    if spec.overhead.as_ref().is_some_and(|it| !it.is_empty()) {
        return refuse(
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        );
    }
    Ok(())
}
