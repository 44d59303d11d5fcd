//! JSON merge, strategic merge and JSON patches.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/util/{jsonmergepatch,strategicpatch}`,
//! `staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go`, v1.36.

use api::{ApiError, ApiReason, FieldCause, Kind, Object, Patch, go_order, json_patch, sent, yaml};
use serde_json::{Map, Value};

mod strategic;

/// The object with the patch applied.
///
/// # Errors
/// `BadRequest` for a patch that is malformed, `Invalid` for one that leaves something that is no
/// object of the kind, and for a JSON patch whose operations do not apply.
pub fn apply_patch(object: &Object, patch: &Patch) -> Result<Object, ApiError> {
    let mut value = api::wire::to_value(object);
    lay_onto(&mut value, object.kind(), patch)?;
    api::wire::object_from_value(object.kind(), &value).map_err(|why| misfit(object, patch, &why))
}

/// As [`apply_patch`], of an object that is stored: its spec can be emptied, not taken away.
pub(crate) fn apply_to_stored(object: &Object, patch: &Patch) -> Result<Object, ApiError> {
    let mut value = api::wire::to_value(object);
    let had_spec = value.get("spec").is_some();
    lay_onto(&mut value, object.kind(), patch)?;
    if had_spec && value.get("spec").is_none_or(Value::is_null) {
        value["spec"] = Value::Object(Map::new());
    }
    api::wire::object_from_value(object.kind(), &value).map_err(|why| misfit(object, patch, &why))
}

/// The fields of a patched object that its kind does not have, as the server warns of them.
pub(crate) fn unknown_fields(object: &Object, patch: &Patch, new: &Object) -> Vec<String> {
    let mut found = vec![];
    let mut value = api::wire::to_value(object);
    if lay_onto(&mut value, object.kind(), patch).is_ok() {
        // Only a strategic patch has directives such as `$patch`, which are no fields.
        let directives = matches!(patch, Patch::Strategic(_));
        lost("", &value, &api::wire::to_value(new), directives, &mut found);
    }
    found
}

/// The paths in a value that are not in what was read of it.
fn lost(path: &str, value: &Value, read: &Value, directives: bool, found: &mut Vec<String>) {
    match (value, read) {
        (Value::Object(value), Value::Object(read)) => {
            for (key, inner) in value.iter().filter(|it| !directives || !it.0.starts_with('$')) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match read.get(key) {
                    Some(read) => lost(&path, inner, read, directives, found),
                    None if is_empty(inner) => {}
                    None => found.push(format!("unknown field {}", api::fields::quote(&path))),
                }
            }
        }
        (Value::Array(value), Value::Array(read)) => {
            for (n, (inner, read)) in value.iter().zip(read).enumerate() {
                lost(&format!("{path}[{n}]"), inner, read, directives, found);
            }
        }
        _ => {}
    }
}

/// What may be left out when an object is written, although its field is known.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Applies a patch to the JSON of an object.
fn lay_onto(value: &mut Value, kind: Kind, patch: &Patch) -> Result<(), ApiError> {
    match patch {
        Patch::Merge(Value::Null) => {
            return Err(ApiError::new(ApiReason::BadRequest, "Invalid JSON Patch"));
        }
        Patch::Merge(patch) => {
            is_map("error decoding patch: ", patch)?;
            merge(value, patch);
        }
        // It is laid onto an object of a type, which says nothing of itself.
        Patch::Strategic(Value::Null) => {}
        Patch::Strategic(patch) => {
            is_map("", patch)?;
            strategic::merge(value, patch, kind)
                .map_err(|it| ApiError::new(ApiReason::Unknown, it))?;
            value["apiVersion"] = kind.api_version().into();
            value["kind"] = kind.name().into();
        }
        // The store applies configurations.
        Patch::Apply { config, .. } => merge(value, config),
        Patch::Json(patch) => {
            *value = json_patch::apply(value.take(), patch).map_err(|_| {
                // Why is not told: the server's answer has no room for it.
                let text = "the server rejected our request due to an error in our request";
                ApiError::new(ApiReason::Invalid, text)
            })?;
        }
    }
    Ok(())
}

/// Refuses a patch that is no map.
fn is_map(before: &str, patch: &Value) -> Result<(), ApiError> {
    let what = match patch {
        Value::Object(_) | Value::Null => return Ok(()),
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
    };
    let message = format!(
        "{before}json: cannot unmarshal {what} into Go value of type map[string]interface {{}}"
    );
    Err(ApiError::new(ApiReason::BadRequest, message))
}

/// The refusal of a patched object that does not fit its kind. Upstream: `applyPatchToObject` and
/// `applyPatchToCurrentObject`, which show the patch and the object.
fn misfit(object: &Object, patch: &Patch, why: &str) -> ApiError {
    let (shown, why) = match patch {
        Patch::Strategic(patch) => {
            (yaml::go_text(&yaml::merged_patch(patch)), yaml::converter_words(why))
        }
        _ => (patched_text(object, patch), why.to_owned()),
    };
    let message = format!("Invalid value: {}: {why}", api::fields::quote(&shown));
    let mut error = ApiError::new(ApiReason::Invalid, format!("patch: {message}"));
    let kind = "FieldValueInvalid";
    error.causes.push(FieldCause { kind, field: "patch".to_owned(), message });
    error
}

/// The JSON of a patched object as Go's library leaves it: what the patch went through is sorted by
/// key, the rest stands as the server wrote it.
fn patched_text(object: &Object, patch: &Patch) -> String {
    let mut value = sent::object_value(object);
    if let Some(entries) = sent::managed_fields(object) {
        value["metadata"]["managedFields"] = entries;
    }
    let through = match patch {
        Patch::Merge(patch) | Patch::Strategic(patch) | Patch::Apply { config: patch, .. } => {
            patch.clone()
        }
        Patch::Json(operations) => {
            let mut through = Value::Object(Map::new());
            for operation in operations.as_array().into_iter().flatten() {
                let path = operation["path"].as_str().unwrap_or_default();
                let mut at = &mut through;
                for part in path.split('/').skip(1) {
                    at = &mut at[part];
                }
            }
            through
        }
    };
    // It could be applied before.
    let _ = lay_onto(&mut value, object.kind(), patch);
    serde_json::to_string(&go_order::InOrder::patched(&value, &through)).unwrap_or_default()
}

/// RFC 7386.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_that_are_not_known_are_found() {
        let mut found = vec![];
        let value = json!({"spec": {"foo": 1, "a": [{"b": 1, "c": {}}]}});
        lost("", &value, &json!({"spec": {"a": [{}]}}), true, &mut found);
        assert_eq!(found, ["unknown field \"spec.a[0].b\"", "unknown field \"spec.foo\""]);
    }

    #[test]
    fn a_merge_patch_replaces_lists_and_removes_nulls() {
        let mut value = json!({"a": {"b": 1, "c": [1, 2]}, "d": 4});
        merge(&mut value, &json!({"a": {"b": null, "c": [3]}, "e": {"f": null}}));
        assert_eq!(value, json!({"a": {"c": [3]}, "d": 4, "e": {}}));
    }
}
