//! `kubectl apply --server-side`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/apply/apply.go` (`applyOneObject`),
//! `staging/src/k8s.io/client-go/util/csaupgrade/upgrade.go`, v1.36.

use api::fields::{PathStep, parse_path};
use api::yaml::{self, Refusal};
use api::{Action, ApiError, ApiReason, Object, ObjectRef, Patch, sent, wire};
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
    if let Some(why) = item.unfit_name() {
        return Err(Failure::Text(why));
    }
    if let Some(error) = misfit(item, &session.namespace) {
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

/// The refusal of what does not fit the kind: all of it that its schema knows of, or the first that
/// the conversion into its type meets. Upstream: `typed.ValidationErrors`, `structuredMergeManager`.
fn misfit(item: &files::Item, namespace: &str) -> Option<ApiError> {
    let document = &item.document;
    let Some(Refusal::BadRequest(_)) = &document.refusal else { return None };
    let faults = document.faults();
    let value = document.value();
    let lines = faults.iter().filter_map(|(path, why)| {
        Some(format!("{}: {}", by_name(path, &value), typed(why, at(&value, path))?))
    });
    let lines: Vec<String> = lines.collect();
    let ObjectRef { kind, namespace, name } = document.object_ref(namespace)?;
    let gvk = format!("{}/{}, Kind={kind}", kind.group(), kind.version());
    let of = format!("({namespace}/{name}; {gvk})");
    let text = match (&lines[..], faults.first()) {
        ([], first) => format!(
            "failed to convert new object {of} to proper version: unable to convert unstructured \
             object to {gvk}: {}",
            yaml::converter_words(&first?.1)
        ),
        ([one], _) => format!("failed to create typed patch object {of}: {one}"),
        (many, _) => {
            format!("failed to create typed patch object {of}: errors:\n  {}", many.join("\n  "))
        }
    };
    Some(ApiError::new(ApiReason::Unknown, text))
}

/// What the schema says of a field of which the decoder says `why`, if it is a matter of the schema.
/// Upstream: `sigs.k8s.io/structured-merge-diff/v6/typed/{helpers,validate}.go`.
fn typed(why: &str, found: &Value) -> Option<String> {
    if why.contains("unknown field ") {
        return Some("field not declared in schema".to_owned());
    }
    let (_, wanted) = why.strip_prefix("json: cannot unmarshal ")?.rsplit_once(" of type ")?;
    Some(match wanted {
        "int32" | "int64" | "float64" => {
            let what = match found {
                Value::Bool(_) => "bool",
                Value::String(_) => "string",
                Value::Array(_) => "[]interface {}",
                Value::Object(_) => "map[string]interface {}",
                // Whether it is whole and small enough is no matter of the schema.
                Value::Number(_) | Value::Null => return None,
            };
            format!("expected numeric (int or float), got {what}")
        }
        "bool" => format!("expected boolean, got &{{{}}}", yaml::go_text(found)),
        _ if wanted.starts_with("[]") && wanted != "[]uint8" => {
            format!("expected list, got &{{{}}}", yaml::go_text(found))
        }
        _ if yaml::is_text_type(wanted) || wanted == "[]uint8" => {
            let shown = match found {
                Value::Array(_) => "[]interface {}{...}".to_owned(),
                Value::Object(_) => "map[string]interface {}{...}".to_owned(),
                other => other.to_string(),
            };
            format!("expected string, got &value.valueUnstructured{{Value:{shown}}}")
        }
        _ if wanted.contains('.') || wanted.starts_with("map[") => {
            format!("expected map, got &{{{}}}", yaml::go_text(found))
        }
        _ => return None,
    })
}

/// The value of a path.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    parse_path(path).into_iter().fold(value, |value, step| match step {
        PathStep::Key(key) => &value[&key],
        PathStep::Index(n) => &value[n],
    })
}

/// `.spec.containers[name="x"].a` for `spec.containers[0].a`: the items of lists that have keys are
/// told apart by them.
fn by_name(path: &str, value: &Value) -> String {
    let mut shown = String::new();
    let mut value = value;
    let mut field = String::new();
    let mut is_container = false;
    for step in parse_path(path) {
        match step {
            PathStep::Key(key) => {
                shown.push_str(&format!(".{key}"));
                value = &value[&key];
                field = key;
            }
            PathStep::Index(n) => {
                value = &value[n];
                let keys = keys_of(&field, is_container);
                is_container = field.to_lowercase().ends_with("containers");
                let pairs = keys.iter().map(|key| match &value[key] {
                    Value::Null if *key == "protocol" => "protocol=\"TCP\"".to_owned(),
                    it => format!("{key}={it}"),
                });
                let pairs: Vec<String> = pairs.collect();
                match keys {
                    [] => shown.push_str(&format!("[{n}]")),
                    _ => shown.push_str(&format!("[{}]", pairs.join(","))),
                }
            }
        }
    }
    shown
}

fn keys_of(field: &str, is_container: bool) -> &'static [&'static str] {
    match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "drivers"
        | "imagePullSecrets"
        | "secrets"
        | "schedulingGates"
        | "resourceClaims" => &["name"],
        "hostAliases" => &["ip"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        "ports" if is_container => &["containerPort", "protocol"],
        "ports" => &["port", "protocol"],
        _ => &[],
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As a real server 1.36.2 tells them.
    #[test]
    fn what_does_not_fit_the_schema_is_told_field_by_field() {
        let check = |spec: &str, expected: &str| {
            let text = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec: {spec}\n");
            let read = files::read(&text, "STDIN", true);
            let message = misfit(&read.items[0], "default").map(|it| it.message);
            let expected = format!(
                "failed to create typed patch object (default/x; /v1, Kind=Pod): {expected}"
            );
            assert_eq!(message.as_deref(), Some(expected.as_str()));
        };
        check("[]", ".spec: expected map, got &{[]}");
        check(
            "{containers: [{name: a, ports: [{containerPort: \"80\"}]}]}",
            ".spec.containers[name=\"a\"].ports[containerPort=\"80\",protocol=\"TCP\"].containerPort: \
             expected numeric (int or float), got string",
        );
        check(
            "{containers: [{name: a, command: sleep 5}]}",
            ".spec.containers[name=\"a\"].command: expected list, got &{sleep 5}",
        );
        check(
            "{containers: [{name: a, env: [{name: A, value: 5}, {name: B, value: true}]}]}",
            "errors:\n  .spec.containers[name=\"a\"].env[name=\"A\"].value: expected string, got \
             &value.valueUnstructured{Value:5}\n  .spec.containers[name=\"a\"].env[name=\"B\"].value: \
             expected string, got &value.valueUnstructured{Value:true}",
        );
        check(
            "{hostNetwork: \"yes\", containers: [{name: a, nope: 1}]}",
            "errors:\n  .spec.containers[name=\"a\"].nope: field not declared in schema\n  .spec.hostNetwork: \
             expected boolean, got &{yes}",
        );
    }
}
