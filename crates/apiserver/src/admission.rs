//! The admission plugins that are on by default and that concern these kinds, in upstream's order.
//!
//! Upstream: `pkg/kubeapiserver/options/plugins.go` and `plugin/pkg/admission/*`, v1.36.
//! Differs from upstream: ServiceAccount is off, because no token is ever issued.

use api::{ApiError, Object};

use crate::store::Store;

mod defaulttolerationseconds;
mod lifecycle;
mod limitranger;
mod nodetaint;
mod podresize;
mod podsecurity;
mod podtopologylabels;
mod priority;
mod resourcequota;
mod runtimeclass;
mod storage;

pub(crate) use lifecycle::{admit as in_living_namespace, validate_delete};
pub(crate) use podresize::validate_resize;
pub(crate) use podtopologylabels::topology_labels;
pub(crate) use resourcequota::{charge_quotas, check_quotas};

/// The plugins that may change a new object.
pub(crate) fn mutate_create(store: &Store, object: &mut Object) -> Result<(), ApiError> {
    lifecycle::admit(store, object)?;
    limitranger::mutate(store, object);
    nodetaint::admit(object);
    priority::admit(store, object)?;
    defaulttolerationseconds::admit(object);
    storage::set_default_class(store, object);
    storage::protect(object);
    runtimeclass::admit(object)?;
    podtopologylabels::admit(store, object);
    Ok(())
}

/// The plugins that may refuse a new object.
pub(crate) fn validate_create(store: &mut Store, object: &Object) -> Result<(), ApiError> {
    limitranger::validate(store, object)?;
    let warnings = podsecurity::validate(store, object, None)?;
    store.warn_of(object, warnings);
    priority::validate_class(store, object, true)
}

/// The plugins that may change an update.
#[expect(clippy::unnecessary_wraps, reason = "one shape for all four steps")]
pub(crate) fn mutate_update(
    _store: &Store,
    new: &mut Object,
    old: &Object,
) -> Result<(), ApiError> {
    priority::keep(new, old);
    defaulttolerationseconds::admit(new);
    Ok(())
}

/// The plugins that may refuse an update.
pub(crate) fn validate_update(
    store: &mut Store,
    new: &Object,
    old: &Object,
    scales: bool,
) -> Result<(), ApiError> {
    // A pod's resources cannot change here, a claim's can.
    if new.kind() == api::Kind::PersistentVolumeClaim && old.meta().deletion_timestamp.is_none() {
        limitranger::validate(store, new)?;
    }
    // Of subresources only those of pods are looked at.
    if !scales {
        let warnings = podsecurity::validate(store, new, Some(old))?;
        store.warn_of(new, warnings);
    }
    storage::validate_resize(store, new, old)?;
    priority::validate_class(store, new, false)
}
