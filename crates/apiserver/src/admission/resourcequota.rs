//! Quotas.
//!
//! Upstream: `staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go`, v1.36.

use api::{ApiError, Object};

use crate::store::Store;

pub(crate) fn charge_quota(
    _store: &mut Store,
    _object: &Object,
    _old: Option<&Object>,
) -> Result<(), ApiError> {
    Ok(())
}
