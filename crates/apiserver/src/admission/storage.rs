//! Claims get the default class; claims and volumes are protected while they are used; a claim
//! grows only where its class allows it.
//!
//! Upstream: `plugin/pkg/admission/storage/{storageclass/setdefault,storageobjectinuseprotection,
//! persistentvolume/resize}/admission.go`, v1.36.

use std::sync::Arc;

use api::{ApiError, Kind, Object};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::store::{Store, forbidden};

const IS_DEFAULT: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const PV_PROTECTION: &str = "kubernetes.io/pv-protection";
const PVC_PROTECTION: &str = "kubernetes.io/pvc-protection";

pub(crate) fn set_default_class(store: &Store, object: &mut Object) {
    let Object::PersistentVolumeClaim(claim) = object else { return };
    let named = claim.spec.as_ref().is_some_and(|it| it.storage_class_name.is_some());
    let annotations = claim.metadata.annotations.as_ref();
    if named || annotations.is_some_and(|it| it.contains_key(BETA_CLASS)) {
        return;
    }
    let Some(class) = default_class(store) else { return };
    Arc::make_mut(claim).spec.get_or_insert_default().storage_class_name =
        class.metadata.name.clone();
}

/// The newest class that is marked as default.
fn default_class(store: &Store) -> Option<&StorageClass> {
    let classes = store.listers().list::<StorageClass>().filter(|it| {
        let annotations = it.metadata.annotations.as_ref();
        let marked =
            |key: &&str| annotations.and_then(|it| it.get(*key)).is_some_and(|it| it == "true");
        IS_DEFAULT.iter().any(marked)
    });
    let created = |it: &StorageClass| it.metadata.creation_timestamp.as_ref().map(|it| it.0);
    // They come by name, and of equals the first is wanted.
    classes.reduce(|best, it| if created(it) > created(best) { it } else { best })
}

pub(crate) fn protect(object: &mut Object) {
    match object {
        Object::PersistentVolume(it) => {
            add_finalizer(&mut Arc::make_mut(it).metadata, PV_PROTECTION)
        }
        Object::PersistentVolumeClaim(it) => {
            add_finalizer(&mut Arc::make_mut(it).metadata, PVC_PROTECTION);
        }
        _ => {}
    }
}

fn add_finalizer(meta: &mut ObjectMeta, name: &str) {
    let finalizers = meta.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|it| it == name) {
        finalizers.push(name.to_owned());
    }
}

pub(crate) fn validate_resize(store: &Store, new: &Object, old: &Object) -> Result<(), ApiError> {
    let (Object::PersistentVolumeClaim(new), Object::PersistentVolumeClaim(old)) = (new, old)
    else {
        return Ok(());
    };
    let size = |it: &PersistentVolumeClaim| {
        let resources = it.spec.as_ref().and_then(|it| it.resources.as_ref());
        let requests = resources.and_then(|it| it.requests.as_ref());
        requests.and_then(|it| it.get("storage")).map(api::quantity::value)
    };
    let phase = old.status.as_ref().and_then(|it| it.phase.as_deref());
    if size(new) <= size(old) {
        return Ok(());
    }
    let name = new.metadata.name.as_deref().unwrap_or_default();
    let refuse = |why: &str| Err(forbidden(Kind::PersistentVolumeClaim, name, why));
    if phase != Some("Bound") {
        return refuse("Only bound persistent volume claims can be expanded");
    }
    let class = new.spec.as_ref().and_then(|it| it.storage_class_name.as_deref());
    let class = class.and_then(|it| store.listers().get::<StorageClass>("", it));
    if class.is_none_or(|it| it.allow_volume_expansion != Some(true)) {
        return refuse(
            "only dynamically provisioned pvc can be resized and the storageclass that \
             provisions the pvc must support resize",
        );
    }
    Ok(())
}
