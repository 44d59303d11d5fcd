//! How a namespace goes: it stays, in phase `Terminating`, until its controller has emptied it.
//!
//! Upstream: `pkg/registry/core/namespace/storage/storage.go`, v1.36.

use std::sync::Arc;

use api::{Object, Timestamp};

use crate::store::Store;

impl Store {
    /// Marks a namespace for deletion, or removes it when nothing holds it any more.
    pub(crate) fn delete_namespace(&mut self, old: &Object, now: Timestamp) -> Option<Object> {
        let Object::Namespace(namespace) = old else { return None };
        if namespace.metadata.deletion_timestamp.is_none() {
            let mut new = Arc::clone(namespace);
            let it = Arc::make_mut(&mut new);
            it.metadata.deletion_timestamp = Some(api::time::meta_time(now));
            it.status.get_or_insert_default().phase = Some("Terminating".to_owned());
            return Some(self.commit(Object::Namespace(new)));
        }
        let of_spec = namespace.spec.as_ref().and_then(|it| it.finalizers.as_ref());
        let of_meta = namespace.metadata.finalizers.as_ref();
        let held = of_spec.into_iter().chain(of_meta).any(|it| !it.is_empty());
        if held {
            return Some(old.clone());
        }
        self.remove(&old.object_ref());
        None
    }
}
