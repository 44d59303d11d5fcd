//! Metadata.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/api/validation/objectmeta.go`, v1.36.

use api::Order;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::validation::check::{form, list_of, non_negative, str_of};
use crate::validation::text::Messages;
use crate::validation::{Bad, Errors, Path, labels, text};

/// The form of a kind's names.
pub(crate) type NameForm = fn(&str) -> Messages;

/// Upstream: `core/validation.ValidateObjectMeta`.
pub(crate) fn object_meta(
    errors: &mut Errors,
    meta: &ObjectMeta,
    namespaced: bool,
    name_form: NameForm,
) {
    accessor(errors, meta, namespaced, name_form);
    kube_finalizers(errors, &Path::new("metadata"), list_of(&meta.finalizers));
}

/// What goes for the metadata of every kind. Upstream: `ValidateObjectMetaAccessor`.
pub(crate) fn accessor(
    errors: &mut Errors,
    meta: &ObjectMeta,
    namespaced: bool,
    name_form: NameForm,
) {
    let path = Path::new("metadata");
    let generated = str_of(&meta.generate_name);
    if !generated.is_empty() {
        let masked = mask_trailing_dash(generated);
        form(errors, &path.child("generateName"), generated, name_form(&masked));
    }
    let name = str_of(&meta.name);
    if name.is_empty() {
        errors.required(&path.child("name"), "name or generateName is required");
    } else {
        form(errors, &path.child("name"), name, name_form(name));
    }
    let namespace = str_of(&meta.namespace);
    if !namespaced && !namespace.is_empty() {
        errors.forbidden(&path.child("namespace"), "not allowed on this type");
    } else if namespaced && namespace.is_empty() {
        errors.required(&path.child("namespace"), "");
    } else if namespaced {
        form(errors, &path.child("namespace"), namespace, text::dns1123_label(namespace));
    }
    non_negative(errors, &path.child("generation"), meta.generation.unwrap_or_default());
    common(errors, &path, meta);
    finalizers(errors, &path, list_of(&meta.finalizers));
}

/// What a kind of the core group, or one that follows it, adds to [`common_update`]. Upstream:
/// `core/validation.ValidateObjectMetaUpdate`.
pub(crate) fn object_meta_update(errors: &mut Errors, new: &ObjectMeta) {
    kube_finalizers(errors, &Path::new("metadata"), list_of(&new.finalizers));
}

/// What goes for an update of every kind. Upstream: `rest.validateCommonFields`. The parts that
/// the store itself keeps (name, uid, resource version, generation) cannot be wrong here.
pub(crate) fn common_update(errors: &mut Errors, new: &ObjectMeta, old: &ObjectMeta) {
    let path = Path::new("metadata");
    // What is stored is in order: only what is new is looked at.
    if new.labels != old.labels
        || new.annotations != old.annotations
        || new.owner_references != old.owner_references
    {
        common(errors, &path, new);
    }
    if new.finalizers != old.finalizers {
        finalizers(errors, &path, list_of(&new.finalizers));
    }
    if old.deletion_timestamp.is_some() {
        let before = list_of(&old.finalizers);
        let mut extra: Vec<&String> =
            list_of(&new.finalizers).iter().filter(|it| !before.contains(it)).collect();
        extra.order();
        extra.dedup();
        if !extra.is_empty() {
            let shown: Vec<String> = extra.iter().map(|it| format!("{it:?}")).collect();
            errors.forbidden(
                &path.child("finalizers"),
                &format!(
                    "no new finalizers can be added if the object is being deleted, found new \
                     finalizers []string{{{}}}",
                    shown.join(", ")
                ),
            );
        }
    }
    if new.creation_timestamp != old.creation_timestamp {
        let path = path.child("creationTimestamp");
        errors.invalid(&path, Bad::json(&new.creation_timestamp), text::IMMUTABLE);
    }
    if new.deletion_timestamp != old.deletion_timestamp {
        let path = path.child("deletionTimestamp");
        errors.invalid(&path, Bad::json(&new.deletion_timestamp), text::IMMUTABLE);
    }
    if new.deletion_grace_period_seconds != old.deletion_grace_period_seconds {
        let path = path.child("deletionGracePeriodSeconds");
        errors.invalid(&path, Bad::json(&new.deletion_grace_period_seconds), text::IMMUTABLE);
    }
}

fn common(errors: &mut Errors, path: &Path<'_>, meta: &ObjectMeta) {
    labels::labels(errors, &path.child("labels"), meta.labels.as_ref());
    labels::annotations(errors, &path.child("annotations"), meta.annotations.as_ref());
    owner_references(errors, &path.child("ownerReferences"), list_of(&meta.owner_references));
}

fn owner_references(errors: &mut Errors, path: &Path<'_>, references: &[OwnerReference]) {
    let mut controller: Option<String> = None;
    for reference in references {
        let version = reference.api_version.rsplit('/').next().unwrap_or_default();
        if version.is_empty() {
            let path = path.child("apiVersion");
            errors.invalid(&path, &reference.api_version, "version must not be empty");
        }
        for (name, value) in
            [("kind", &reference.kind), ("name", &reference.name), ("uid", &reference.uid)]
        {
            if value.is_empty() {
                errors.invalid(&path.child(name), value, "must not be empty");
            }
        }
        if reference.api_version == "v1" && reference.kind == "Event" {
            let why = "/v1, Kind=Event is disallowed from being an owner";
            errors.invalid(path, Bad::json(reference), why);
        }
        if reference.controller == Some(true) {
            let current = format!("{}/{}", reference.kind, reference.name);
            match &controller {
                Some(first) => {
                    let why = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in \
                         references for {first} and {current}"
                    );
                    errors.invalid(path, shown(references), &why);
                }
                None => controller = Some(current),
            }
        }
    }
}

/// Owner references in the order of Go's fields.
fn shown(references: &[OwnerReference]) -> Bad {
    let texts: Vec<String> = references
        .iter()
        .map(|it| {
            let text = |it: &str| serde_json::to_string(it).unwrap_or_default();
            let flag = |name: &str, it: Option<bool>| {
                it.map(|it| format!(",\"{name}\":{it}")).unwrap_or_default()
            };
            format!(
                "{{\"apiVersion\":{},\"kind\":{},\"name\":{},\"uid\":{}{}{}}}",
                text(&it.api_version),
                text(&it.kind),
                text(&it.name),
                text(&it.uid),
                flag("controller", it.controller),
                flag("blockOwnerDeletion", it.block_owner_deletion),
            )
        })
        .collect();
    Bad::raw(format!("[{}]", texts.join(",")))
}

fn finalizers(errors: &mut Errors, path: &Path<'_>, finalizers: &[String]) {
    let path = path.child("finalizers");
    for finalizer in finalizers {
        form(errors, &path, finalizer, text::label_key(finalizer));
    }
    let has = |name: &str| finalizers.iter().any(|it| it == name);
    if has("orphan") && has("foregroundDeletion") {
        let why = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.invalid(&path, Bad::json(&finalizers), why);
    }
}

fn kube_finalizers(errors: &mut Errors, path: &Path<'_>, finalizers: &[String]) {
    let all = path.child("finalizers");
    for (index, finalizer) in finalizers.iter().enumerate() {
        kube_finalizer(errors, &all.index(index), finalizer);
    }
}

/// Upstream: `validateKubeFinalizerName`.
pub(crate) fn kube_finalizer(errors: &mut Errors, path: &Path<'_>, finalizer: &str) {
    let standard = ["kubernetes", "orphan", "foregroundDeletion"];
    if !finalizer.contains('/') && !standard.contains(&finalizer) {
        let why = "name is neither a standard finalizer name nor is it fully qualified";
        errors.invalid(path, finalizer, why);
    }
}

/// A prefix of names may end with a dash.
pub(crate) fn mask_trailing_dash(name: &str) -> String {
    match name.len() {
        length if length > 1 && name.ends_with('-') => {
            let kept = name.get(..length - 2).unwrap_or_default();
            format!("{kept}a")
        }
        _ => name.to_owned(),
    }
}
