//! The store: all objects, their revision, and the log of changes.

use std::sync::Arc;

use api::{
    Action, ApiError, ApiReason, Change, EventSpec, Kind, Listers, Object, ObjectRef, Objects,
    Timestamp, Zones,
};

mod create;
mod delete;
mod events;
mod namespaces;
mod services;
mod subresources;
mod update;

#[cfg(test)]
mod tests;

/// All objects of a cluster and the only way to change them. A clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct Store {
    objects: Objects,
    changes: Vec<Change>,
    warnings: Vec<String>,
    seed: u64,
    revision: u64,
    correlator: Arc<events::Correlator>,
    named: create::Named,
    zones: Option<Arc<Zones>>,
    allow_privileged: bool,
    writer: Writer,
}

/// Whose write it is that the store carries out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Writer {
    /// A component's: nobody asks which fields it manages.
    #[default]
    Component,
    /// That of a person, by way of this field manager.
    Manager(String),
    /// Who manages what is in the object already.
    Decided,
}

impl Store {
    /// An empty store. The seed decides generated names and uids.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Says which time zones there are: a CronJob in another one is refused. Without this any
    /// name that could be one is accepted.
    pub fn set_zones(&mut self, zones: Zones) {
        self.zones = Some(Arc::new(zones));
    }

    /// Whether privileged containers are accepted; at first they are not. Upstream:
    /// `--allow-privileged`, which kubeadm and its kin turn on.
    pub fn set_allow_privileged(&mut self, allow: bool) {
        self.allow_privileged = allow;
    }

    /// Says which field manager the next writes are by: `kubectl-create` and its like. Without one,
    /// they are those of a component, of which no account is kept.
    pub fn set_manager(&mut self, manager: Option<&str>) {
        self.writer = manager.map_or(Writer::Component, |it| Writer::Manager(it.to_owned()));
    }

    pub(crate) fn context(&self) -> crate::validation::Context<'_> {
        crate::validation::Context {
            allow_privileged: self.allow_privileged,
            zones: self.zones.as_deref(),
            pod_name: "",
            is_pod: false,
        }
    }

    /// The data.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// The data, for those who only read.
    #[must_use]
    pub fn listers(&self) -> Listers<'_> {
        Listers(&self.objects)
    }

    /// The resource version of the last write.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The changes since the last call, oldest first.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// The warnings of the requests since the last call, as kubectl prints them after `Warning: `.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// The object with this key.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn get(&self, key: &ObjectRef) -> Result<&Object, ApiError> {
        self.objects.get(key).ok_or_else(|| ApiError::not_found(key))
    }

    /// Carries out what a component asks for.
    ///
    /// # Errors
    /// The API server's refusal.
    pub fn apply_action(
        &mut self,
        action: Action,
        now: Timestamp,
    ) -> Result<Option<Object>, ApiError> {
        match action {
            Action::Create { object, created, failed } => {
                let named = object.name().to_owned();
                let result = self.create(object, now);
                let (event, name, error) = match &result {
                    Ok(object) => (created, object.name(), ""),
                    Err(error) => (failed, named.as_str(), error.message.as_str()),
                };
                if let Some(event) = event {
                    self.record(filled(*event, name, error), now);
                }
                result.map(Some)
            }
            Action::Update(object) => self.update(object, now).map(Some),
            Action::UpdateStatus(object) => self.update_status(object, now).map(Some),
            Action::Patch { key, subresource, patch } => {
                self.patch(&key, subresource, &patch, now).map(Some)
            }
            Action::Delete { key, options } => self.delete(&key, &options, now),
            Action::Bind { pod, node } => self.bind(&pod, &node, now).map(Some),
            Action::Evict { pod, options } => self.evict(&pod, &options, now),
            Action::Record(event) => {
                self.record(event, now);
                Ok(None)
            }
        }
    }

    /// Stores an object as it is, without any check: for scenarios that start from the state of a
    /// real cluster. Fills in what every stored object has.
    pub fn import(&mut self, mut object: Object, now: Timestamp) -> Object {
        let uid = self.new_uid();
        let meta = object.meta_mut();
        meta.uid.get_or_insert(uid);
        meta.creation_timestamp.get_or_insert_with(|| api::time::meta_time(now));
        meta.managed_fields = None;
        self.commit(object)
    }

    /// Keeps what the server advises against, for those who read it. Controllers do not, and of
    /// what they make somebody was told at the template.
    pub(crate) fn warn(&mut self, object: &Object, old: Option<&Object>) {
        if object.controller().is_none() {
            self.warnings.extend(crate::warnings::of(object, old));
        }
    }

    /// As [`Self::warn`], with what admission has to say.
    pub(crate) fn warn_of(&mut self, object: &Object, warnings: Vec<String>) {
        if object.controller().is_none() {
            self.warnings.extend(warnings);
        }
    }

    /// Writes an object under a new revision and logs the change.
    pub(crate) fn commit(&mut self, mut object: Object) -> Object {
        self.revision += 1;
        object.set_version(self.revision);
        let old = self.objects.put(object.clone());
        self.changes.push(Change { old, new: Some(object.clone()) });
        object
    }

    /// Removes an object and logs the change; the revision grows as for a write.
    pub(crate) fn remove(&mut self, key: &ObjectRef) {
        let Some(old) = self.objects.remove(key) else { return };
        self.revision += 1;
        self.changes.push(Change { old: Some(old), new: None });
    }

    fn new_uid(&self) -> String {
        crate::names::uid(self.seed, self.revision + 1)
    }
}

/// The event with the name and the error in their places.
fn filled(event: EventSpec, name: &str, error: &str) -> EventSpec {
    let message = event.message.replace("{name}", name).replace("{error}", error);
    EventSpec { message, ..event }
}

/// `Operation cannot be fulfilled on pods "x": ...`.
pub(crate) fn conflict(key: &ObjectRef, why: &str) -> ApiError {
    let resource = key.kind.qualified_resource();
    let name = api::fields::quote(&key.name);
    let message = format!("Operation cannot be fulfilled on {resource} {name}: {why}");
    ApiError::about(ApiReason::Conflict, key, message)
}

/// `pods "x" is forbidden: ...`.
pub(crate) fn forbidden(kind: Kind, name: &str, why: &str) -> ApiError {
    let key = ObjectRef::new(kind, "", name);
    let resource = kind.qualified_resource();
    let subject = match name.is_empty() {
        true => resource,
        false => format!("{resource} {}", api::fields::quote(name)),
    };
    ApiError::about(ApiReason::Forbidden, &key, format!("{subject} is forbidden: {why}"))
}
