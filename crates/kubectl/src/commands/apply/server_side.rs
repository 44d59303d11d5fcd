//! `kubectl apply --server-side`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/apply/apply.go` (`applyOneObject`),
//! `staging/src/k8s.io/client-go/util/csaupgrade/upgrade.go`, v1.36.

use api::yaml::Refusal;
use api::{Action, ApiError, ApiReason, Kind, Object, ObjectRef, Patch, sent, wire};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use serde_json::{Map, Value, json};

use crate::commands::{Session, files};
use crate::failure::Failure;
use crate::last_applied;

/// The manager of nothing but the annotation, so that it outlives the client's way to apply.
const LAST_APPLIED_MANAGER: &str = "kubectl-last-applied";

/// Where a set of fields has the annotation.
const ANNOTATION: &str =
    "/f:metadata/f:annotations/f:kubectl.kubernetes.io~1last-applied-configuration";

pub(super) fn apply(session: &mut Session<'_>, item: &files::Item) -> Result<(), Failure> {
    if let Some(error) = undeclared(item, &session.namespace) {
        return Err(error.into());
    }
    let read = item.object(session, "serverside-apply")?;
    let key = read.object.object_ref();
    let action = configuration(session, &key, &read.value);
    let mut object = send(session, &action)?.unwrap_or(read.object);
    if session.dry_run()?.is_none() {
        save_annotation(session, &object)?;
        if let Some(entries) = upgraded(session.client.objects().get(&key), &session.manager()) {
            let patch = Patch::Merge(json!({"metadata": {"managedFields": entries}}));
            session.write(&Action::Patch { key, subresource: "", patch })?;
            object = send(session, &action)?.unwrap_or(object);
        }
    }
    super::warn_if_deleting(session, &object);
    session.print(&object, "serverside-applied")
}

/// The refusal of fields that the kind does not have. Upstream: `typed.ValidationErrors`.
fn undeclared(item: &files::Item, namespace: &str) -> Option<ApiError> {
    let document = &item.document;
    let Some(Refusal::BadRequest(text)) = &document.refusal else { return None };
    let (_, fields) = text.split_once("strict decoding error: ")?;
    let value = document.value();
    let lines = fields.split(", ").map(|it| {
        let path = it.strip_prefix("unknown field \"")?.strip_suffix('"')?;
        Some(format!("{}: field not declared in schema", by_name(path, &value)))
    });
    let lines: Vec<String> = lines.collect::<Option<_>>()?;
    let why = match &lines[..] {
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    };
    let kind = Kind::from_api_version(&document.api_version, &document.kind)?;
    let namespace = match (kind.namespaced(), document.namespace.as_str()) {
        (false, _) => "",
        (true, "") => namespace,
        (true, own) => own,
    };
    let text = format!(
        "failed to create typed patch object ({namespace}/{}; {}/{}, Kind={kind}): {why}",
        document.name,
        kind.group(),
        kind.version(),
    );
    Some(ApiError::new(ApiReason::Unknown, text))
}

/// `.spec.containers[name="x"].a` for `spec.containers[0].a`: where items have names, they are told
/// apart by them.
fn by_name(path: &str, value: &Value) -> String {
    let mut shown = String::new();
    let mut at = value;
    for part in path.split('.') {
        let (field, index) = match part.strip_suffix(']').and_then(|it| it.split_once('[')) {
            Some((field, index)) => (field, index.parse::<usize>().ok()),
            None => (part, None),
        };
        at = &at[field];
        shown.push_str(&format!(".{field}"));
        if let Some(index) = index {
            at = &at[index];
            let named = matches!(field, "containers" | "initContainers" | "env" | "volumes");
            match at["name"].as_str().filter(|_| named) {
                Some(name) => shown.push_str(&format!("[name={}]", api::fields::quote(name))),
                None => shown.push_str(&format!("[{index}]")),
            }
        }
    }
    shown
}

/// The request that applies a manifest.
pub(in crate::commands) fn configuration(
    session: &Session<'_>,
    key: &ObjectRef,
    manifest: &Value,
) -> Action {
    let force = session.args.is_on("force-conflicts");
    let patch = Patch::Apply { config: manifest.clone(), force };
    Action::Patch { key: key.clone(), subresource: "", patch }
}

fn send(session: &mut Session<'_>, action: &Action) -> Result<Option<Object>, Failure> {
    session.write(action).map_err(|failure| match failure {
        Failure::Api(_, error) => explained(error),
        other => other,
    })
}

/// What can be done about a conflict.
fn explained(error: ApiError) -> Failure {
    if error.reason != ApiReason::Conflict {
        return error.into();
    }
    Failure::Text(format!(
        "{}\nPlease review the fields above--they currently have other managers. Here\nare the ways \
         you can resolve this warning:\n* If you intend to manage all of these fields, please re-run \
         the apply\n  command with the `--force-conflicts` flag.\n* If you do not intend to manage \
         all of the fields, please edit your\n  manifest to remove references to the fields that \
         should keep their\n  current managers.\n* You may co-own fields by updating your manifest to \
         match the existing\n  value; in this case, you'll become the manager if the other \
         manager(s)\n  stop managing the field (remove it from their configuration).\nSee \
         https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts",
        error.message
    ))
}

fn owns_annotation(entry: &ManagedFieldsEntry, operation: &str) -> bool {
    entry.operation.as_deref() == Some(operation)
        && sent::fields_of(entry).pointer(ANNOTATION).is_some()
}

/// Upstream: `saveLastApplyAnnotationIfNecessary`.
fn save_annotation(session: &mut Session<'_>, object: &Object) -> Result<(), Failure> {
    let annotations = object.meta().annotations.as_ref();
    let annotation = annotations.and_then(|it| it.get(last_applied::ANNOTATION));
    let entries = object.meta().managed_fields.as_deref().unwrap_or_default();
    let Some(annotation) = annotation.filter(|_| {
        session.manager() == "kubectl" && !entries.iter().any(|it| owns_annotation(it, "Apply"))
    }) else {
        return Ok(());
    };
    let config = json!({
        "apiVersion": object.kind().api_version(), "kind": object.kind().name(),
        "metadata": {"name": object.name(), "annotations": {last_applied::ANNOTATION: annotation}},
    });
    let patch = Patch::Apply { config, force: false };
    let action = Action::Patch { key: object.object_ref(), subresource: "", patch };
    session.write_as(LAST_APPLIED_MANAGER, &action)?;
    Ok(())
}

/// The entries with those of the client's way to apply in that of the server's, if there are any.
/// Upstream: `UpgradeManagedFields`.
fn upgraded(live: Option<&Object>, manager: &str) -> Option<Value> {
    let mut entries = live?.meta().managed_fields.clone()?;
    let is_old =
        |it: &ManagedFieldsEntry| it.subresource.is_none() && owns_annotation(it, "Update");
    let old: Vec<ManagedFieldsEntry> = entries.iter().filter(|it| is_old(it)).cloned().collect();
    if old.is_empty() {
        return None;
    }
    entries.retain(|it| !is_old(it));
    let own = entries.iter_mut().find(|it| {
        it.manager.as_deref() == Some(manager)
            && it.operation.as_deref() == Some("Apply")
            && it.subresource.is_none()
    })?;
    let mut fields = sent::fields_of(own);
    for it in &old {
        join(&mut fields, &sent::fields_of(it));
    }
    own.fields_v1 = Some(FieldsV1(Value::String(fields.to_string())));
    Some(wire::to_value(&entries))
}

/// The union of two sets of fields. One that has nothing below it is in the set itself.
fn join(into: &mut Value, from: &Value) {
    let (Value::Object(into), Value::Object(from)) = (into, from) else { return };
    for (edge, part) in from {
        let Some(own) = into.get_mut(edge) else {
            into.insert(edge.clone(), part.clone());
            continue;
        };
        let is_leaf = |it: &Value| it.as_object().is_none_or(Map::is_empty);
        if is_leaf(own) != is_leaf(part) {
            own["."] = json!({});
        }
        join(own, part);
    }
}
