//! JSON merge, strategic merge and JSON patches.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/util/{jsonmergepatch,strategicpatch}`,
//! `staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go`, v1.36.

use api::{ApiError, ApiReason, Object, Patch};
use serde_json::{Map, Value};

mod json;
mod strategic;

/// The object with the patch applied.
///
/// # Errors
/// `BadRequest` for a patch that is malformed or leaves something that is no object of the kind,
/// `Invalid` for a JSON patch whose operations do not apply.
pub fn apply_patch(object: &Object, patch: &Patch) -> Result<Object, ApiError> {
    let mut value = api::wire::to_value(object);
    match patch {
        Patch::Merge(patch) => merge(&mut value, patch),
        Patch::Strategic(patch) => {
            strategic::merge(&mut value, patch, object.kind())
                .map_err(|it| ApiError::new(ApiReason::BadRequest, it))?;
        }
        Patch::Json(patch) => {
            value = json::apply(value, patch).map_err(|it| {
                let key = object.object_ref();
                ApiError::about(
                    ApiReason::Invalid,
                    &key,
                    format!("the server rejected our request due to an error in our request: {it}"),
                )
            })?;
        }
    }
    from_value(object, &value)
}

fn from_value(object: &Object, value: &Value) -> Result<Object, ApiError> {
    let kind = object.kind();
    api::wire::object_from_value(kind, value).map_err(|it| {
        let message =
            format!("{kind} in version \"{}\" cannot be handled as a {kind}: {it}", kind.version());
        ApiError::about(ApiReason::BadRequest, &object.object_ref(), message)
    })
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
    fn a_merge_patch_replaces_lists_and_removes_nulls() {
        let mut value = json!({"a": {"b": 1, "c": [1, 2]}, "d": 4});
        merge(&mut value, &json!({"a": {"b": null, "c": [3]}, "e": {"f": null}}));
        assert_eq!(value, json!({"a": {"c": [3]}, "d": 4, "e": {}}));
    }
}
