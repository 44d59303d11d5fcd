//! Creating objects.
//!
//! Upstream: `staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go` (`Create`) and
//! `staging/src/k8s.io/apiserver/pkg/registry/rest/create.go`, v1.36.

use std::sync::Arc;

use api::{ApiError, Kind, Object, Timestamp};

use crate::store::{Store, Writer};
use crate::{admission, defaults, managedfields, names, strategy, validation};

/// How many names were made from a base at the same instant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Named {
    at: Timestamp,
    /// Hash of kind, namespace and base.
    base: u64,
    next_attempt: u64,
}

impl Store {
    /// Creates an object. An object of a namespaced kind without a namespace goes to `default`.
    ///
    /// # Errors
    /// The API server's refusal: `Invalid`, `Forbidden`, `AlreadyExists`, `NotFound` (namespace).
    pub fn create(&mut self, object: Object, now: Timestamp) -> Result<Object, ApiError> {
        if let Object::Binding(binding) = &object {
            return self.create_binding(binding, now);
        }
        self.create_object(object, now)
    }

    fn create_object(&mut self, mut object: Object, now: Timestamp) -> Result<Object, ApiError> {
        let kind = object.kind();
        {
            let meta = object.meta_mut();
            if !kind.namespaced() {
                meta.namespace = None;
            } else if meta.namespace.as_deref().unwrap_or_default().is_empty() {
                meta.namespace = Some("default".to_owned());
            }
            meta.resource_version = None;
            if self.writer != Writer::Decided {
                meta.managed_fields = None;
            }
            meta.self_link = None;
        }
        let shares_labels = strategy::job_shares_labels(&object);
        defaults::default_object(&mut object);
        if let Writer::Manager(manager) = &self.writer {
            object.meta_mut().managed_fields = managedfields::created(&object, manager, now);
        }
        admission::mutate_create(self, &mut object)?;
        if let Some(named) = self.fill_system_fields(&mut object, now) {
            // Also a refused object had its name: the next one gets another.
            self.named = named;
        }
        if let Object::Service(service) = &mut object {
            self.allocate_for_service(Arc::make_mut(service), None)?;
        }
        if object.controller().is_none() {
            self.warnings.extend(crate::warnings::before_create(&object));
        }
        strategy::prepare_for_create(&mut object, now);
        if shares_labels {
            strategy::share_job_labels(&mut object);
        }
        validation::validate_create(self, &object)?;
        self.warn(&object, None);
        canonicalize(&mut object);
        admission::validate_create(self, &object)?;
        // A quota may refuse what could not be stored either.
        let charged = admission::check_quotas(self, &object, None, false, now)?;
        let key = object.object_ref();
        if let Some(old) = self.objects.get(&key) {
            let mut error = ApiError::already_exists(&key);
            if old.meta().deletion_timestamp.is_some() {
                error.message.insert_str(0, "object is being deleted: ");
            }
            return Err(error);
        }
        admission::charge_quotas(self, charged);
        Ok(self.commit(object))
    }

    /// Upstream: `FillObjectMetaSystemFields` and `generateName`. A generated name is free: unlike
    /// upstream's server ours need not try again.
    fn fill_system_fields(&self, object: &mut Object, now: Timestamp) -> Option<Named> {
        let uid = self.new_uid();
        let kind = object.kind();
        let namespace = object.namespace().to_owned();
        let generated = match object.meta() {
            meta if meta.name.as_deref().unwrap_or_default().is_empty() => {
                meta.generate_name.clone().filter(|it| !it.is_empty())
            }
            _ => None,
        };
        let mut named = None;
        let name = generated.map(|base| {
            // Thousands of pods may be made in one instant: their names are not tried again.
            let hash = names::hash(self.seed, &[kind.name(), &namespace, &base]);
            let same = (self.named.at, self.named.base) == (now, hash);
            let mut attempt = if same { self.named.next_attempt } else { 0 };
            loop {
                let at = format!("{} {attempt}", now.as_nanosecond());
                let random = names::hash(self.seed, &[kind.name(), &namespace, &base, &at]);
                let name = names::generate_name(&base, random);
                let key = api::ObjectRef::new(kind, &namespace, &name);
                // Objects made in the same instant differ in this number alone.
                attempt += 1;
                if self.objects.get(&key).is_none() {
                    named = Some(Named { at: now, base: hash, next_attempt: attempt });
                    return name;
                }
            }
        });
        // A LimitRange may come without a name.
        let name = name.or_else(|| {
            (kind == Kind::LimitRange && object.name().is_empty())
                .then(|| names::uid(self.seed ^ 1, self.revision + 1))
        });
        let meta = object.meta_mut();
        meta.uid = Some(uid);
        meta.creation_timestamp = Some(api::time::meta_time(now));
        meta.deletion_timestamp = None;
        meta.deletion_grace_period_seconds = None;
        if name.is_some() {
            meta.name = name;
        }
        named
    }
}

/// Upstream: `Canonicalize` of the strategies, and what defaulting does when it reads the stored
/// object: a Job without labels gets those of its template, generated ones included.
pub(crate) fn canonicalize(object: &mut Object) {
    if let Object::Service(service) = object {
        // Upstream: `defaultOnReadInternalTrafficPolicy`.
        let spec = service.spec.as_ref();
        if spec.is_some_and(|it| {
            it.type_.as_deref() == Some("ExternalName") && it.internal_traffic_policy.is_some()
        }) {
            let spec = Arc::make_mut(service).spec.get_or_insert_default();
            spec.internal_traffic_policy = None;
        }
        return;
    }
    if let Object::Job(job) = object {
        if job.metadata.labels.as_ref().is_none_or(std::collections::BTreeMap::is_empty) {
            strategy::share_job_labels(object);
        }
        return;
    }
    if let Object::Namespace(namespace) = object {
        let name = namespace.metadata.name.clone().unwrap_or_default();
        let labels = namespace.metadata.labels.as_ref();
        if labels.and_then(|it| it.get(defaults::NAMESPACE_NAME_LABEL)) != Some(&name) {
            let labels = Arc::make_mut(namespace).metadata.labels.get_or_insert_default();
            labels.insert(defaults::NAMESPACE_NAME_LABEL.to_owned(), name);
        }
    }
}
