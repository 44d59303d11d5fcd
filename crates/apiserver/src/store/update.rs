//! Replacing and patching objects.
//!
//! Upstream: `staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go` (`Update`) and
//! `staging/src/k8s.io/apiserver/pkg/registry/rest/update.go`, v1.36.

use std::sync::Arc;

use api::{ApiError, ApiReason, Object, ObjectRef, Patch, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::store::{Store, Writer, conflict};
use crate::{admission, defaults, managedfields, patch, strategy, validation};

/// Which part of an object a request may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The main resource.
    Main,
    /// The main resource, by way of the scale subresource.
    Scale,
    /// The status subresource.
    Status,
    /// The finalize subresource of namespaces.
    Finalize,
    /// The resize subresource of pods.
    Resize,
}

impl Store {
    /// Replaces an object but for its status. Without a resource version the update is
    /// unconditional. An update that changes nothing writes nothing.
    ///
    /// # Errors
    /// `NotFound`, `Conflict`, `Invalid` and what admission refuses.
    pub fn update(&mut self, object: Object, now: Timestamp) -> Result<Object, ApiError> {
        self.update_part(object, Part::Main, now)
    }

    /// Replaces the status of an object.
    ///
    /// # Errors
    /// As for [`Store::update`].
    pub fn update_status(&mut self, object: Object, now: Timestamp) -> Result<Object, ApiError> {
        self.update_part(object, Part::Status, now)
    }

    /// Changes an object by a patch. `subresource` is empty, `status`, `scale`, `resize` or
    /// `finalize`.
    ///
    /// # Errors
    /// As for [`Store::update`], and `BadRequest` or `Invalid` for a patch that does not fit.
    pub fn patch(
        &mut self,
        key: &ObjectRef,
        subresource: &str,
        patch: &Patch,
        now: Timestamp,
    ) -> Result<Object, ApiError> {
        let part = match subresource {
            "" => Part::Main,
            "status" if strategy::has_status(key.kind) => Part::Status,
            "finalize" => Part::Finalize,
            "resize" if key.kind == api::Kind::Pod => Part::Resize,
            "scale" => return self.patch_scale(key, patch, now),
            other => return Err(no_subresource(key, other)),
        };
        if let Patch::Apply { config, force } = patch {
            return self.server_side_apply(key, config, *force, now);
        }
        let old = self.get(key)?.clone();
        let mut new = patch::apply_to_stored(&old, patch)?;
        check_name(key, &new)?;
        // Components read no warnings.
        if self.writer != Writer::Component {
            self.warnings.extend(patch::unknown_fields(&old, patch, &new));
        }
        // A patch is against the current object unless it names a version itself.
        if new.meta().resource_version.is_none() {
            new.meta_mut().resource_version = old.meta().resource_version.clone();
        }
        self.update_part(new, part, now)
    }

    /// Applies a configuration: what it says is set, and what its manager said before and does not
    /// say any more goes away, unless somebody else says it.
    fn server_side_apply(
        &mut self,
        key: &ObjectRef,
        config: &Value,
        force: bool,
        now: Timestamp,
    ) -> Result<Object, ApiError> {
        let writer = std::mem::replace(&mut self.writer, Writer::Decided);
        let manager = match &writer {
            Writer::Manager(name) => name,
            _ => "unknown",
        };
        let kind = key.kind;
        let config = &api::yaml::upgraded(config.clone());
        let application = managedfields::Application { kind, config, manager, force, now };
        let live = self.objects.get(key).cloned();
        let result = application.apply(live.as_ref()).and_then(|object| match live {
            Some(_) => self.update_part(object, Part::Main, now),
            None => self.create(object, now),
        });
        self.writer = writer;
        result
    }

    /// Fills in who manages which fields after an update.
    fn keep_managers(&self, new: &mut Object, old: &Object, part: Part, now: Timestamp) {
        let before = &old.meta().managed_fields;
        let managed = match &self.writer {
            Writer::Decided => return,
            Writer::Manager(manager) if before.is_some() => {
                let subresource = match part {
                    Part::Main => "",
                    Part::Scale => "scale",
                    Part::Status => "status",
                    Part::Finalize => "finalize",
                    Part::Resize => "resize",
                };
                managedfields::updated(old, new, manager, subresource, now)
            }
            _ => before.clone(),
        };
        if new.meta().managed_fields != managed {
            new.meta_mut().managed_fields = managed;
        }
    }

    pub(crate) fn update_part(
        &mut self,
        mut new: Object,
        part: Part,
        now: Timestamp,
    ) -> Result<Object, ApiError> {
        let kind = new.kind();
        if kind.namespaced() && new.namespace().is_empty() {
            new.meta_mut().namespace = Some("default".to_owned());
        }
        let key = new.object_ref();
        let old = self.get(&key)?.clone();
        check_preconditions(&key, &new, &old)?;
        keep_system_fields(&mut new, &old);
        drop_empty(new.meta_mut());
        let main = matches!(part, Part::Main | Part::Scale);
        if main || part == Part::Resize {
            defaults::default_object(&mut new);
        }
        self.keep_managers(&mut new, &old, part, now);
        match part {
            Part::Main | Part::Scale => strategy::prepare_for_update(&mut new, &old),
            Part::Status => strategy::prepare_for_status_update(&mut new, &old, now),
            Part::Finalize => strategy::prepare_for_finalize(&mut new, &old),
            Part::Resize => strategy::prepare_for_resize(&mut new, &old),
        }
        // Another status is found sooner than that nothing else has changed.
        let differs = part == Part::Status && strategy::has_another_status(&new, &old);
        if !differs && new == old && !deletes_now(&new, &old) {
            return Ok(old);
        }
        if main {
            admission::mutate_update(self, &mut new, &old)?;
            if let (Object::Service(new), Object::Service(old)) = (&mut new, &old) {
                self.allocate_for_service(Arc::make_mut(new), Some(old))?;
            }
        }
        match part {
            Part::Main | Part::Scale => {
                validation::validate_update(self, &new, &old)?;
                self.warn(&new, Some(&old));
                if let Object::Service(_) = new {
                    super::create::canonicalize(&mut new);
                }
            }
            Part::Status | Part::Finalize => validation::validate_status_update(&new, &old)?,
            Part::Resize => validation::validate_resize(self, &new, &old)?,
        }
        if main || part == Part::Resize {
            let resizes = part == Part::Resize;
            if resizes {
                admission::validate_resize(self, &new, &old)?;
            } else {
                admission::validate_update(self, &new, &old, part == Part::Scale)?;
            }
            let charged = admission::check_quotas(self, &new, Some(&old), resizes, now)?;
            admission::charge_quotas(self, charged);
            if new == old && !deletes_now(&new, &old) {
                return Ok(old);
            }
        }
        if deletes_now(&new, &old) {
            // Nobody sees this update: the object is deleted as it was.
            self.remove(&key);
            return Ok(new);
        }
        Ok(self.commit(new))
    }
}

/// What is empty is not written, so it is no change.
fn drop_empty(meta: &mut ObjectMeta) {
    for map in [&mut meta.labels, &mut meta.annotations] {
        map.take_if(|it| it.is_empty());
    }
    meta.owner_references.take_if(|it| it.is_empty());
    meta.finalizers.take_if(|it| it.is_empty());
}

/// Whether the update removed the last thing that kept a deleted object. Upstream:
/// `ShouldDeleteDuringUpdate`, and the namespace store's own rule.
fn deletes_now(new: &Object, old: &Object) -> bool {
    let (meta, before) = (new.meta(), old.meta());
    if before.deletion_timestamp.is_none()
        || before.deletion_grace_period_seconds.is_some_and(|it| it > 0)
        || !meta.finalizers.as_deref().unwrap_or_default().is_empty()
    {
        return false;
    }
    match new {
        Object::Namespace(it) => {
            let finalizers = it.spec.as_ref().and_then(|it| it.finalizers.as_ref());
            finalizers.is_none_or(Vec::is_empty)
        }
        _ => true,
    }
}

fn check_preconditions(key: &ObjectRef, new: &Object, old: &Object) -> Result<(), ApiError> {
    let uid = new.uid();
    if !uid.is_empty() && uid != old.uid() {
        let plural = match key.kind {
            api::Kind::Node => "minions",
            api::Kind::Service => "services/specs",
            kind => kind.plural(),
        };
        return Err(conflict(
            key,
            &format!(
                "StorageError: invalid object, Code: 4, Key: /registry/{plural}/{}, \
                 ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in \
                 precondition: {uid}, UID in object meta: {}",
                key.namespaced_name(),
                old.uid(),
            ),
        ));
    }
    let version = new.meta().resource_version.as_deref().unwrap_or_default();
    let current = old.meta().resource_version.as_deref().unwrap_or_default();
    // Version 0 is any version, as without one.
    if !["", "0", current].contains(&version) {
        return Err(conflict(
            key,
            "the object has been modified; please apply your changes to the latest version \
             and try again",
        ));
    }
    Ok(())
}

/// A patch cannot name another object. Upstream: `checkName` of
/// `staging/src/k8s.io/apiserver/pkg/endpoints/handlers/rest.go`.
fn check_name(key: &ObjectRef, new: &Object) -> Result<(), ApiError> {
    let refusal = |what: &str, new: &str, place: &str, asked: &str| {
        let message =
            format!("the {what} of the object ({new}) does not match the {place} ({asked})");
        Err(ApiError::new(ApiReason::BadRequest, message))
    };
    if new.name().is_empty() {
        let message = format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            key.name
        );
        return Err(ApiError::new(ApiReason::BadRequest, message));
    }
    if new.name() != &*key.name {
        return refusal("name", new.name(), "name on the URL", &key.name);
    }
    let namespace = if key.kind.namespaced() { new.namespace() } else { "" };
    if !namespace.is_empty() && namespace != &*key.namespace {
        let place = "namespace on the request";
        return refusal("namespace", namespace, place, &key.namespace);
    }
    Ok(())
}

/// What an update cannot change because the server owns it.
fn keep_system_fields(new: &mut Object, old: &Object) {
    let before = old.meta();
    let meta = new.meta_mut();
    meta.uid.clone_from(&before.uid);
    meta.resource_version.clone_from(&before.resource_version);
    meta.self_link = None;
    if before.creation_timestamp.is_some() {
        meta.creation_timestamp.clone_from(&before.creation_timestamp);
    }
    if before.deletion_timestamp.is_some() {
        meta.deletion_timestamp.clone_from(&before.deletion_timestamp);
    }
    if meta.deletion_grace_period_seconds.is_none() {
        meta.deletion_grace_period_seconds = before.deletion_grace_period_seconds;
    }
    if meta.generate_name.is_none() {
        meta.generate_name = before.generate_name.clone();
    }
}

pub(crate) fn no_subresource(key: &ObjectRef, subresource: &str) -> ApiError {
    let message = "the server could not find the requested resource";
    let mut error = ApiError::about(ApiReason::NotFound, key, message);
    error.name = format!("{}/{subresource}", key.name);
    error
}
