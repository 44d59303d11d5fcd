//! What the server says of a strategic merge patch that does not fit its kind. Such a patch reaches
//! the types not through the JSON decoder but through a converter, which has other words.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/runtime/converter.go` (`fromUnstructured`),
//! `staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go` (`applyPatchToObject`), v1.36.
//! Differs from upstream: values that the types read by themselves, such as quantities, are told in
//! the words of the decoder; a number that is too large is refused where Go lets it overflow.

use serde_json::Value;

use super::gotypes;
use crate::Gather;

/// What the converter says where the decoder says `json: cannot unmarshal string into Go struct
/// field X of type int32`; anything else is said by both.
#[must_use]
pub fn converter_words(decoder: &str) -> String {
    let parts = decoder
        .strip_prefix("json: cannot unmarshal ")
        .and_then(|it| it.split_once(" into Go "))
        .and_then(|(from, rest)| Some((from, rest.rsplit_once(" of type ")?.1)));
    let Some((from, to)) = parts else { return decoder.to_owned() };
    let from = match from {
        "object" => "map",
        "array" => "slice",
        it if it.starts_with("number") => match it["number".len()..].contains(['.', 'e', 'E']) {
            true => "float64",
            false => "int64",
        },
        it => it,
    };
    let is_number = matches!(from, "int64" | "float64");
    let is_text = is_text_type(to);
    match to {
        // Go converts whole numbers to texts, and any number to any other, if it is let.
        _ if is_text && from == "int64" => format!("cannot convert {from} to {to}"),
        "string" if is_number => format!("cannot convert {from} to {to}"),
        _ if is_text => "unrecognized type: string".to_owned(),
        "int32" | "int64" | "float64" if is_number => format!("cannot convert {from} to {to}"),
        "int32" | "int64" | "bool" | "float64" => format!("unrecognized type: {to}"),
        "v1.ResourceList" => format!("cannot restore map from {from}"),
        _ if to.starts_with("[]") => format!("cannot restore slice from {from}"),
        _ if to.starts_with("map[") => format!("cannot restore map from {from}"),
        _ if to.contains('.') => format!("cannot restore struct from: {from}"),
        _ => format!("unrecognized type: {to}"),
    }
}

/// Whether a Go type that the decoder names is one of texts.
#[must_use]
pub fn is_text_type(name: &str) -> bool {
    name == "string" || gotypes::is_string(name)
}

/// A value as Go's `%v` shows it.
#[must_use]
pub fn go_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_text).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, it)| format!("{key}:{}", go_text(it))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}

/// A patch without what merging uses up: the lists that an order is given for, their order, and what
/// says which fields stay. The server shows the rest as [`go_text`].
#[must_use]
pub fn merged_patch(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(merged_patch).collect(),
        Value::Object(map) => {
            const ORDER: &str = "$setElementOrder/";
            let is_used = |key: &str| {
                key.starts_with(ORDER)
                    || key == "$retainKeys"
                    || map.contains_key(&format!("{ORDER}{key}"))
            };
            let kept = map.iter().filter(|it| !is_used(it.0));
            kept.map(|(key, it)| (key.clone(), merged_patch(it))).to_object().into()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_of_the_wrong_type_is_told_in_the_words_of_the_converter() {
        let check = |from: &str, to: &str, expected: &str| {
            let why =
                format!("json: cannot unmarshal {from} into Go struct field A.b of type {to}");
            assert_eq!(converter_words(&why), expected);
        };
        check("string", "int32", "unrecognized type: int32");
        check("number 1.5", "int32", "cannot convert float64 to int32");
        check("number", "string", "cannot convert int64 to string");
        check("number", "v1.ServiceAffinity", "cannot convert int64 to v1.ServiceAffinity");
        check("bool", "v1.ServiceType", "unrecognized type: string");
        check("string", "[]v1.Container", "cannot restore slice from string");
        check("bool", "map[string]string", "cannot restore map from bool");
        check("array", "v1.ResourceList", "cannot restore map from slice");
        check("array", "v1.PodSpec", "cannot restore struct from: slice");
    }

    #[test]
    fn what_merging_has_used_up_is_not_shown() {
        let patch = json!({"spec": {"a": "x", "b": [1, null]}});
        assert_eq!(go_text(&merged_patch(&patch)), "map[spec:map[a:x b:[1 <nil>]]]");
        let patch = json!({"spec": {"$setElementOrder/containers": [{"name": "a"}],
            "containers": [{"name": "a", "x": 1}], "$retainKeys": ["y"], "y": {}}});
        assert_eq!(go_text(&merged_patch(&patch)), "map[spec:map[y:map[]]]");
    }
}
