//! Who manages which fields of an object, and applying a configuration by that.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/util/managedfields/internal` and
//! `sigs.k8s.io/structured-merge-diff/v6/merge/update.go`, v1.36.
//! Differs from upstream: only writes of people, that is of kubectl, are followed, because the objects
//! that controllers write at every step would carry several times their own size; an object that
//! was there before has the manager `before-first-apply` from the first configuration on. No bound
//! is set to the number of managers. The fields are kept as text until somebody asks for them.

use api::{ApiError, ApiReason, FieldCause, Kind, Object, Timestamp, sent, wire, yaml};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use serde_json::{Value, json};

mod fieldpath;
mod typed;

use fieldpath::Set;
use typed::Comparison;

const APPLY: &str = "Apply";
const UPDATE: &str = "Update";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An entry with its fields read.
#[derive(Clone)]
struct Manager {
    entry: ManagedFieldsEntry,
    set: Set,
}

impl Manager {
    fn new(name: &str, operation: &str, subresource: &str, kind: Kind) -> Self {
        let entry = ManagedFieldsEntry {
            manager: Some(name.to_owned()),
            operation: Some(operation.to_owned()),
            subresource: (!subresource.is_empty()).then(|| subresource.to_owned()),
            api_version: Some(kind.api_version()),
            fields_type: Some("FieldsV1".to_owned()),
            ..ManagedFieldsEntry::default()
        };
        Self { entry, set: Set::default() }
    }

    fn read(entry: &ManagedFieldsEntry) -> Self {
        Self { entry: entry.clone(), set: Set::from_json(&sent::fields_of(entry)) }
    }

    fn write(mut self) -> ManagedFieldsEntry {
        self.entry.fields_v1 = Some(FieldsV1(Value::String(self.set.to_json().to_string())));
        self.entry
    }

    fn is(&self, other: &Manager) -> bool {
        let (a, b) = (&self.entry, &other.entry);
        a.manager == b.manager && a.operation == b.operation && a.subresource == b.subresource
    }

    /// As conflicts name it.
    fn shown(&self) -> String {
        let mut text =
            api::fields::quote(self.entry.manager.as_deref().unwrap_or_default()).clone();
        if let Some(subresource) = &self.entry.subresource {
            text.push_str(&format!(" with subresource {}", api::fields::quote(subresource)));
        }
        if self.entry.operation.as_deref() == Some(UPDATE) {
            let version = self.entry.api_version.as_deref().unwrap_or_default();
            text.push_str(&format!(" using {version}"));
        }
        text
    }
}

/// Reads the entries of an object; none if they make no sense.
fn managers(object: &Object) -> Vec<Manager> {
    let entries = object.meta().managed_fields.as_deref().unwrap_or_default();
    let known = |it: &ManagedFieldsEntry| matches!(it.operation.as_deref(), Some(APPLY | UPDATE));
    if entries.iter().all(known) { entries.iter().map(Manager::read).collect() } else { vec![] }
}

/// Upstream: `sortEncodedManagedFields`.
fn written(managers: Vec<Manager>) -> Option<Vec<ManagedFieldsEntry>> {
    let kept = managers.into_iter().filter(|it| !it.set.is_empty());
    let mut entries: Vec<ManagedFieldsEntry> = kept.map(Manager::write).collect();
    entries.sort_by(|a, b| {
        let key = |it: &ManagedFieldsEntry| {
            (
                it.operation.clone(),
                it.time.as_ref().map(|it| it.0),
                it.manager.clone(),
                it.subresource.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    (!entries.is_empty()).then_some(entries)
}

/// What is compared of an object: not what the subresource leaves alone.
fn value_for(object: &Object, subresource: &str) -> Value {
    let mut value = sent::object_value(object);
    drop_left_alone(&mut value, subresource);
    value
}

fn drop_left_alone(value: &mut Value, subresource: &str) {
    if let Some(map) = value.as_object_mut() {
        map.remove(if subresource == "status" { "spec" } else { "status" });
    }
}

/// The fields of which nobody is the manager. Upstream: `NewStripMetaManager`.
fn stripped(mut set: Set) -> Set {
    set.children.remove("f:apiVersion");
    set.children.remove("f:kind");
    if let Some(meta) = set.children.get_mut("f:metadata") {
        meta.member = false;
        for field in
            "name namespace creationTimestamp selfLink uid generation managedFields resourceVersion"
                .split(' ')
        {
            meta.children.remove(&format!("f:{field}"));
        }
    }
    set
}

/// An object of a kind before anything is said about it.
fn empty(kind: Kind) -> Value {
    let bare = json!({"apiVersion": kind.api_version(), "kind": kind.name(), "metadata": {}});
    let object = wire::object_from_value(kind, &bare);
    object.map_or(bare, |it| value_for(&it, ""))
}

/// The entries of an object that somebody creates. It has its defaults, and nothing else yet.
pub(crate) fn created(
    object: &Object,
    manager: &str,
    now: Timestamp,
) -> Option<Vec<ManagedFieldsEntry>> {
    let kind = object.kind();
    let mut new = value_for(object, "");
    add_converted(object, &mut new);
    written(update(&empty(kind), &new, vec![], Manager::new(manager, UPDATE, "", kind), Some(now)))
}

/// What objects of two kinds have of their defaults and conversions in Go before they are created,
/// and here only when they are.
fn add_converted(object: &Object, value: &mut Value) {
    let meta = object.meta();
    match object {
        Object::Job(_) if meta.labels.as_ref().is_none_or(|it| it.is_empty()) => {
            let labels = value["spec"]["template"]["metadata"]["labels"].clone();
            if labels.is_object() {
                value["metadata"]["labels"] = labels;
            }
        }
        Object::DaemonSet(_) => {
            value["metadata"]["annotations"][crate::strategy::TEMPLATE_GENERATION] = "0".into();
        }
        _ => {}
    }
}

/// The entries of an object that somebody changes.
pub(crate) fn updated(
    old: &Object,
    new: &Object,
    manager: &str,
    subresource: &str,
    now: Timestamp,
) -> Option<Vec<ManagedFieldsEntry>> {
    // Who sends entries decides about them, unless they make no sense.
    let given = new.meta().managed_fields.as_ref().filter(|_| subresource.is_empty());
    let all = match given {
        Some(entries) if entries.is_empty() => vec![],
        Some(_) => Some(managers(new)).filter(|it| !it.is_empty()).unwrap_or(managers(old)),
        None => managers(old),
    };
    if all.is_empty() {
        return None;
    }
    let (before, after) = (value_for(old, subresource), value_for(new, subresource));
    let own = Manager::new(manager, UPDATE, subresource, old.kind());
    written(update(&before, &after, all, own, Some(now)))
}

/// Gives what changed to its new manager and takes it from the others. Upstream: `Updater.Update`.
fn update(
    old: &Value,
    new: &Value,
    mut all: Vec<Manager>,
    mut own: Manager,
    now: Option<Timestamp>,
) -> Vec<Manager> {
    let comparison = Comparison::of(old, new);
    for it in &mut all {
        it.set = it.set.keep(&comparison.changed, false).keep(&comparison.removed, false);
    }
    own.set = stripped(comparison.changed);
    if own.set.is_empty() {
        return all;
    }
    own.entry.time = now.map(api::time::meta_time);
    if let Some(at) = all.iter().position(|it| it.is(&own)) {
        own.set.add(&all.swap_remove(at).set);
    }
    all.push(own);
    all
}

/// A configuration that somebody applies.
pub(crate) struct Application<'a> {
    pub(crate) kind: Kind,
    pub(crate) config: &'a Value,
    pub(crate) manager: &'a str,
    pub(crate) force: bool,
    pub(crate) now: Timestamp,
}

impl Application<'_> {
    /// The live object with the configuration in it, and its entries.
    ///
    /// # Errors
    /// `Conflict` where others manage what the configuration changes, `BadRequest`.
    pub(crate) fn apply(&self, live: Option<&Object>) -> Result<Object, ApiError> {
        if !self.config["metadata"]["managedFields"].is_null() {
            let why = "metadata.managedFields must be nil";
            return Err(ApiError::new(ApiReason::BadRequest, why));
        }
        let (mut all, value) = match live {
            Some(live) => (managers(live), value_for(live, "")),
            None => (vec![], empty(self.kind)),
        };
        if all.is_empty() && live.is_some() {
            let first = Manager::new("before-first-apply", UPDATE, "", self.kind);
            all = update(&empty(self.kind), &value, all, first, Some(self.now));
        }
        let (mut new, all) = match self.attempt(&value, all.clone(), self.force) {
            Ok(done) => done,
            Err(mut conflicts) => {
                if self.manager == "kubectl"
                    && let Some(allowed) = allowed(&value)
                {
                    for it in &mut conflicts {
                        it.set = it.set.keep(&allowed, false);
                    }
                    conflicts.retain(|it| !it.set.is_empty());
                }
                if !conflicts.is_empty() {
                    return Err(refusal(&conflicts));
                }
                // All of them stem from the client's way to apply.
                self.attempt(&value, all, true).map_err(|it| refusal(&it))?
            }
        };
        if self.manager == "kubectl"
            && let Some(last) = new.pointer_mut("/metadata/annotations")
            && let Some(last) = last.get_mut(LAST_APPLIED)
        {
            let mut config = self.config.clone();
            if let Some(Value::Object(all)) = config.pointer_mut("/metadata/annotations") {
                all.remove(LAST_APPLIED);
            }
            *last = format!("{}\n", yaml::to_json_string(&config)).into();
        }
        if let Some(status) = live.map(|it| sent::object_value(it)["status"].take())
            && !status.is_null()
        {
            new["status"] = status;
        }
        let mut object = wire::object_from_value(self.kind, &new)
            .map_err(|why| ApiError::new(ApiReason::Unknown, why))?;
        object.meta_mut().managed_fields = written(all);
        Ok(object)
    }

    /// Upstream: `Updater.Apply`. The error is what others manage.
    fn attempt(
        &self,
        live: &Value,
        mut all: Vec<Manager>,
        force: bool,
    ) -> Result<(Value, Vec<Manager>), Vec<Manager>> {
        let mut config = self.config.clone();
        drop_left_alone(&mut config, "");
        let mut own = Manager::new(self.manager, APPLY, "", self.kind);
        let before = all.iter().position(|it| it.is(&own)).map(|at| all.swap_remove(at));
        own.set = stripped(typed::field_set(&config));
        let mut new = typed::merge(live, &config);
        if let Some(before) = &before {
            own.entry.time = before.entry.time.clone();
            let mut managed = own.set.clone();
            all.iter().for_each(|it| managed.add(&it.set));
            let mut dropped = before.set.clone().with_parents();
            // In the metadata may stand what a component put there, which nobody manages.
            if let Some(meta) = dropped.children.get_mut("f:metadata") {
                meta.leaves();
            }
            let dropped = dropped.keep(&managed.with_parents(), false);
            typed::remove(&mut new, &dropped, &mut vec![]);
        }
        let comparison = Comparison::of(live, &new);
        let conflicts = all.iter().map(|it| {
            let set = it.set.keep(&comparison.changed, true);
            Manager { entry: it.entry.clone(), set }
        });
        let conflicts: Vec<Manager> = conflicts.filter(|it| !it.set.is_empty()).collect();
        if !force && !conflicts.is_empty() {
            return Err(conflicts);
        }
        for it in &mut all {
            it.set = it.set.keep(&comparison.changed, false).keep(&comparison.removed, false);
        }
        if new != *live || own.entry.time.is_none() {
            own.entry.time = Some(api::time::meta_time(self.now));
        }
        all.push(own);
        Ok((new, all))
    }
}

/// The fields that stand as the client applied them: they may be taken from its manager. Upstream:
/// `allowedConflictsFromLastApplied`.
fn allowed(live: &Value) -> Option<Set> {
    let text = live["metadata"]["annotations"][LAST_APPLIED].as_str()?;
    let last: Value = serde_json::from_str(text).ok()?;
    let comparison = Comparison::of(&last, live);
    let set = typed::field_set(&last);
    Some(set.keep(&comparison.changed, false).keep(&comparison.removed, false))
}

/// Upstream: `NewConflictError`.
fn refusal(conflicts: &[Manager]) -> ApiError {
    let mut managers: Vec<(&Manager, Vec<String>)> =
        conflicts.iter().map(|it| (it, it.set.paths())).collect();
    managers.sort_by_key(|it| it.0.shown());
    let n = managers.iter().map(|it| it.1.len()).sum::<usize>();
    let message = match &managers[..] {
        [(manager, paths)] if n == 1 => {
            format!("Apply failed with 1 conflict: conflict with {}: {}", manager.shown(), paths[0])
        }
        _ => {
            let lines = managers.iter().flat_map(|(manager, paths)| {
                let head = format!("conflicts with {}:", manager.shown());
                std::iter::once(head).chain(paths.iter().map(|it| format!("- {it}")))
            });
            let lines: Vec<String> = lines.collect();
            format!("Apply failed with {n} conflicts: {}", lines.join("\n"))
        }
    };
    let mut error = ApiError::new(ApiReason::Conflict, message);
    for (manager, paths) in managers {
        error.causes.extend(paths.into_iter().map(|field| FieldCause {
            kind: "FieldManagerConflict",
            field,
            message: format!("conflict with {}", manager.shown()),
        }));
    }
    error
}

#[cfg(test)]
mod tests;
