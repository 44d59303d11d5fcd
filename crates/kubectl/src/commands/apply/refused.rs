//! What the server says to the patch of a manifest that does not fit its kind.
//!
//! Upstream: `staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go` (`applyPatchToObject`),
//! v1.36.

use api::yaml::{self, Document};
use api::{ApiError, ApiReason, FieldCause, Object, ObjectRef, sent};
use serde_json::Value;

use crate::last_applied;

/// The refusal of the patch that leads to a document, if its object is there already. `text` is
/// what the server would say to the whole object.
pub(super) fn refusal(
    document: &Document,
    text: &str,
    namespace: &str,
    find: impl FnOnce(&ObjectRef) -> Option<Object>,
) -> Option<ApiError> {
    let key = document.object_ref(namespace)?;
    let live = find(&key)?;
    let mut wanted = document.value();
    if key.kind.namespaced() {
        wanted["metadata"]["namespace"] = (*key.namespace).into();
    }
    let original = last_applied::get(&live);
    let wanted = last_applied::annotated(&wanted);
    let patch = last_applied::three_way(original.as_ref(), &wanted, &sent::object_value(&live));
    Some(error(&patch?, text))
}

fn error(patch: &Value, text: &str) -> ApiError {
    let why = text.split_once(" cannot be handled as a ").map_or(text, |it| it.1);
    let why = why.split_once(": ").map_or(why, |it| it.1);
    let why = yaml::converter_words(why);
    let shown = api::fields::quote(&yaml::go_text(&yaml::merged_patch(patch)));
    let mut error = ApiError::new(ApiReason::Invalid, why.clone());
    error.causes.push(FieldCause {
        kind: "FieldValueInvalid",
        field: "patch".to_owned(),
        message: format!("Invalid value: {shown}: {why}"),
    });
    error
}
