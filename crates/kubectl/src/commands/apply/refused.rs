//! What the server says to the patch of a manifest that does not fit its kind.
//!
//! Upstream: `staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go` (`applyPatchToObject`),
//! `staging/src/k8s.io/apimachinery/pkg/runtime/converter.go`, v1.36.
//! Differs from upstream: values that the types read by themselves, such as quantities, are told
//! in the words of the decoder.

use api::Order;
use api::yaml::Document;
use api::{ApiError, ApiReason, FieldCause, Kind, Object, ObjectRef, sent};
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
    let kind = Kind::from_api_version(&document.api_version, &document.kind)?;
    let namespace = match (kind.namespaced(), document.namespace.as_str()) {
        (false, _) => "",
        (true, "") => namespace,
        (true, own) => own,
    };
    let live = find(&ObjectRef::new(kind, namespace, &document.name))?;
    let mut wanted = document.value();
    if kind.namespaced() {
        wanted["metadata"]["namespace"] = namespace.into();
    }
    let original = last_applied::get(&live);
    let wanted = last_applied::annotated(&wanted);
    let patch = last_applied::three_way(original.as_ref(), &wanted, &sent::object_value(&live));
    Some(error(&patch?, text))
}

fn error(patch: &Value, text: &str) -> ApiError {
    let why = text.split_once(" cannot be handled as a ").map_or(text, |it| it.1);
    let why = why.split_once(": ").map_or(why, |it| it.1);
    let why = converter_words(why).unwrap_or_else(|| why.to_owned());
    let shown = api::fields::quote(&go(patch));
    let mut error = ApiError::new(ApiReason::Invalid, why.clone());
    error.causes.push(FieldCause {
        kind: "FieldValueInvalid",
        field: "patch".to_owned(),
        message: format!("Invalid value: {shown}: {why}"),
    });
    error
}

/// A patch reaches the types through a converter, which has other words for a wrong type.
fn converter_words(decoder: &str) -> Option<String> {
    let rest = decoder.strip_prefix("json: cannot unmarshal ")?;
    let found = rest.split(' ').next()?;
    let (_, wanted) = rest.rsplit_once(" of type ")?;
    let source = match found {
        "object" => "map",
        "array" => "slice",
        "number" if rest.split(' ').nth(1).is_some_and(|it| it.contains('.')) => "float64",
        "number" => "int64",
        other => other,
    };
    Some(match wanted {
        "string" if source == "int64" || source == "float64" => {
            format!("cannot convert {source} to string")
        }
        "string" | "bool" | "int32" | "int64" => format!("unrecognized type: {wanted}"),
        _ if wanted.starts_with("[]") => format!("cannot restore slice from {source}"),
        _ if wanted.starts_with("map[") => format!("cannot restore map from {source}"),
        _ => format!("cannot restore struct from: {source}"),
    })
}

/// A value as Go prints it with `%v`.
fn go(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(go).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.order_by_key(|it| it.0);
            let texts: Vec<String> =
                entries.into_iter().map(|(key, it)| format!("{key}:{}", go(it))).collect();
            format!("map[{}]", texts.join(" "))
        }
        other => other.to_string(),
    }
}
