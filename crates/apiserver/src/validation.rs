//! The rules that an object must keep, in upstream's words.
//!
//! Upstream: `pkg/apis/*/validation/validation.go`, v1.36.

use api::{ApiError, Object};

use crate::store::Store;

mod field;
mod meta;

pub use field::{Bad, Errors, Path};

/// Checks a new object.
pub(crate) fn validate_create(_store: &Store, object: &Object) -> Result<(), ApiError> {
    let mut errors = Errors::default();
    meta::validate_create(object, &mut errors);
    errors.into_result(object.kind(), object.name())
}

/// Checks an update of the main resource.
pub(crate) fn validate_update(
    _store: &Store,
    _new: &Object,
    _old: &Object,
) -> Result<(), ApiError> {
    Ok(())
}

/// Checks an update of the status.
#[expect(clippy::unnecessary_wraps, reason = "one shape for all three checks")]
pub(crate) fn validate_status_update(_new: &Object, _old: &Object) -> Result<(), ApiError> {
    Ok(())
}
