//! Deleting objects: grace periods, finalizers, what becomes of dependents.
//!
//! Upstream: `staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go` (`Delete`) and
//! `staging/src/k8s.io/apiserver/pkg/registry/rest/delete.go`, v1.36.

use api::{ApiError, DeleteOptions, Kind, Object, ObjectRef, Propagation, Timestamp};

use crate::admission;
use crate::store::{Store, conflict};

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// What a deletion does to the object itself.
enum Verdict {
    /// It is being deleted already, and nothing changes.
    Pending,
    /// It gets, or keeps, a deletion timestamp and so many seconds.
    Graceful(i64),
    /// The kind knows no grace.
    Now,
}

impl Store {
    /// Deletes an object, or marks it for deletion. Answers with the object that is left, or
    /// `None` when nothing is left.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for another uid, `Forbidden` for what must stay.
    pub fn delete(
        &mut self,
        key: &ObjectRef,
        options: &DeleteOptions,
        now: Timestamp,
    ) -> Result<Option<Object>, ApiError> {
        let old = self.get(key)?.clone();
        admission::validate_delete(&old)?;
        if let Some(uid) = options.uid.as_deref().filter(|it| *it != old.uid()) {
            return Err(conflict(
                key,
                &format!(
                    "the UID in the precondition ({uid}) does not match the UID in record ({}). \
                     The object might have been deleted and then recreated",
                    old.uid()
                ),
            ));
        }
        if key.kind == Kind::Namespace {
            return Ok(self.delete_namespace(&old, now));
        }
        let mut new = old.clone();
        let verdict = before_delete(&mut new, options, now);
        if matches!(verdict, Verdict::Pending) {
            return Ok(Some(self.finish_pending(old)));
        }
        let finalizers = new_finalizers(&new, options.propagation);
        if let Some(finalizers) = &finalizers {
            new.meta_mut().finalizers = Some(finalizers.clone()).filter(|it| !it.is_empty());
        }
        let kept = new.meta().finalizers.as_ref().is_some_and(|it| !it.is_empty());
        match verdict {
            Verdict::Now if kept => {
                mark_as_deleting(&mut new, now);
                Ok(Some(self.commit_changed(new, &old)))
            }
            Verdict::Graceful(seconds) => {
                let stored = self.commit_changed(new, &old);
                if kept || seconds > 0 {
                    return Ok(Some(stored));
                }
                self.remove(key);
                Ok(None)
            }
            Verdict::Now | Verdict::Pending => {
                self.remove(key);
                Ok(None)
            }
        }
    }

    /// Deletes all objects of a kind in a namespace (all namespaces when it is empty) that the
    /// filter accepts. Answers with the keys.
    ///
    /// # Errors
    /// Of the first deletion that fails.
    pub fn delete_collection(
        &mut self,
        kind: Kind,
        namespace: &str,
        filter: impl Fn(&Object) -> bool,
        options: &DeleteOptions,
        now: Timestamp,
    ) -> Result<Vec<ObjectRef>, ApiError> {
        let all = self.objects().list(kind);
        let all = all.filter(|it| namespace.is_empty() || it.namespace() == namespace);
        let keys: Vec<ObjectRef> = all.filter(|it| filter(it)).map(Object::object_ref).collect();
        for key in &keys {
            self.delete(key, options, now)?;
        }
        Ok(keys)
    }

    fn commit_changed(&mut self, new: Object, old: &Object) -> Object {
        if new == *old { new } else { self.commit(new) }
    }

    /// An object that is being deleted goes when nothing holds it.
    fn finish_pending(&mut self, old: Object) -> Object {
        let meta = old.meta();
        let held = meta.finalizers.as_ref().is_some_and(|it| !it.is_empty())
            || meta.deletion_grace_period_seconds.is_some_and(|it| it > 0);
        if !held {
            self.remove(&old.object_ref());
        }
        old
    }
}

/// Upstream: `rest.BeforeDelete`.
fn before_delete(object: &mut Object, options: &DeleteOptions, now: Timestamp) -> Verdict {
    let Object::Pod(pod) = &*object else { return Verdict::Now };
    let own = pod.spec.as_ref().and_then(|it| it.termination_grace_period_seconds);
    let unbound = api::pods::node_name(pod).is_none();
    let terminal = api::pods::is_terminal(pod);
    let meta = object.meta_mut();
    if let Some(at) = &meta.deletion_timestamp {
        let Some(period) = meta.deletion_grace_period_seconds else { return Verdict::Now };
        let Some(wanted) = options.grace_period_seconds else { return Verdict::Pending };
        if wanted >= period {
            return Verdict::Pending;
        }
        let wanted = wanted.max(0);
        let at = api::time::after_secs(at.0, wanted - period);
        meta.deletion_timestamp = Some(api::time::meta_time(at));
        meta.deletion_grace_period_seconds = Some(wanted);
        return Verdict::Graceful(wanted);
    }
    let mut seconds = options.grace_period_seconds.or(own).unwrap_or_default();
    if unbound || terminal {
        seconds = 0;
    }
    if seconds < 0 {
        seconds = 1;
    }
    meta.deletion_timestamp = Some(api::time::meta_time(api::time::after_secs(now, seconds)));
    meta.deletion_grace_period_seconds = Some(seconds);
    meta.generation = meta.generation.map(|it| it + 1);
    Verdict::Graceful(seconds)
}

/// Upstream: `markAsDeleting`.
pub(crate) fn mark_as_deleting(object: &mut Object, now: Timestamp) {
    let now = api::time::meta_time(now);
    let meta = object.meta_mut();
    if meta.deletion_grace_period_seconds.is_none() {
        meta.generation = meta.generation.map(|it| it + 1);
    }
    if meta.deletion_timestamp.as_ref().is_none_or(|it| it.0 > now.0) {
        meta.deletion_timestamp = Some(now);
    }
    meta.deletion_grace_period_seconds = Some(0);
}

/// The finalizers that the wish for the dependents asks for, if they differ from what is there.
/// Upstream: `deletionFinalizersForGarbageCollection`.
fn new_finalizers(object: &Object, propagation: Option<Propagation>) -> Option<Vec<String>> {
    let old = object.meta().finalizers.as_deref().unwrap_or_default();
    let has = |name: &str| old.iter().any(|it| it == name);
    let (orphan, foreground) = match propagation {
        Some(Propagation::Orphan) => (true, false),
        Some(Propagation::Foreground) => (false, true),
        Some(Propagation::Background) => (false, false),
        None => (has(ORPHAN), has(FOREGROUND)),
    };
    if orphan == has(ORPHAN) && foreground == has(FOREGROUND) {
        return None;
    }
    let mut new: Vec<String> =
        old.iter().filter(|it| *it != ORPHAN && *it != FOREGROUND).cloned().collect();
    if orphan {
        new.push(ORPHAN.to_owned());
    }
    if foreground {
        new.push(FOREGROUND.to_owned());
    }
    Some(new)
}
