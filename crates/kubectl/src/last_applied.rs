//! The annotation in which `kubectl apply` remembers what it was given, and the patch that leads
//! from the live object to what is given now.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/util/apply.go`,
//! `staging/src/k8s.io/apimachinery/pkg/util/strategicpatch/patch.go`, v1.36.
//! Differs from upstream: lists of plain values are replaced as a whole.

use std::collections::BTreeMap;

use api::{Object, yaml};
use serde_json::{Map, Value, json};

/// The annotation.
pub(crate) const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The text of the annotation for a manifest.
pub(crate) fn text(manifest: &Value) -> String {
    let mut value = manifest.clone();
    if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = meta.entry("annotations").or_insert_with(|| json!({}));
        if annotations.is_null() {
            *annotations = json!({});
        }
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.remove(ANNOTATION);
        }
    }
    format!("{}\n", yaml::to_json_string(&value))
}

/// The text of the annotation for an object that was made from flags: its type comes first, as its
/// Go struct has it.
pub(crate) fn generated(object: &Object) -> String {
    let Value::Object(mut rest) = api::sent::object_value(object) else { return String::new() };
    let mut text = String::new();
    for field in ["kind", "apiVersion", "metadata"] {
        let value = rest.remove(field).unwrap_or_default();
        text.push_str(&format!(
            "{}{field:?}:{}",
            if text.is_empty() { "{" } else { "," },
            yaml::to_json_string(&value)
        ));
    }
    for (field, value) in &rest {
        text.push_str(&format!(",{field:?}:{}", yaml::to_json_string(value)));
    }
    text.push_str("}\n");
    text
}

/// Sets the annotation of an object to its manifest.
pub(crate) fn set(object: &mut Object, manifest: &Value) {
    let annotations = object.meta_mut().annotations.get_or_insert_with(BTreeMap::new);
    annotations.insert(ANNOTATION.to_owned(), text(manifest));
}

/// A manifest with the annotation.
pub(crate) fn annotated(manifest: &Value) -> Value {
    let mut value = manifest.clone();
    if !value["metadata"]["annotations"].is_object() {
        value["metadata"]["annotations"] = json!({});
    }
    value["metadata"]["annotations"][ANNOTATION] = text(manifest).into();
    value
}

/// What was applied last, if the object says.
pub(crate) fn get(object: &Object) -> Option<Value> {
    let annotations = object.meta().annotations.as_ref()?;
    serde_json::from_str(annotations.get(ANNOTATION)?).ok()
}

/// The key by which the items of a list are told apart; nothing for lists that are replaced as a
/// whole. Upstream: `patchMergeKey` of the types.
fn merge_key(path: &[&str]) -> Option<&'static str> {
    Some(match *path.last()? {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "resourceClaims"
        | "schedulingGates" => "name",
        "volumeMounts" => "mountPath",
        "volumeDevices" => "devicePath",
        "hostAliases" => "ip",
        "topologySpreadConstraints" => "topologyKey",
        "conditions" => "type",
        "ownerReferences" => "uid",
        "secrets" if path.len() == 1 => "name",
        "ports" if path == ["spec", "ports"] => "port",
        "ports" => "containerPort",
        _ => return None,
    })
}

/// Whether the fields of a map that are not given any more go away, because they exclude each other.
/// Upstream: `patchStrategy: retainKeys` of the types.
fn retains_keys(path: &[&str]) -> bool {
    matches!(path, ["spec", "strategy"] | [.., "spec", "volumes"])
}

/// A strategic merge patch that takes `current` to `modified`, and away what only `original` had.
/// Nothing if there is nothing to do.
pub(crate) fn three_way(
    original: Option<&Value>,
    modified: &Value,
    current: &Value,
) -> Option<Value> {
    let mut patch = maps(original, modified, current, &mut vec![]);
    // A budget's selector is replaced as a whole, and sent even if it is the same, so that such a
    // budget is always "configured". Upstream: `patchStrategy:"replace"`, `handleMapDiff`.
    let selector = &modified["spec"]["selector"];
    if modified["kind"] == "PodDisruptionBudget"
        && selector.is_object()
        && current["spec"]["selector"].is_object()
    {
        let spec = patch.entry("spec").or_insert_with(|| json!({}));
        spec["selector"] = selector.clone();
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

fn maps<'a>(
    original: Option<&'a Value>,
    modified: &'a Value,
    current: &'a Value,
    path: &mut Vec<&'a str>,
) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, wanted) in modified.as_object().into_iter().flatten() {
        path.push(key);
        let before = original.and_then(|it| it.get(key));
        match (wanted, current.get(key)) {
            (_, Some(live)) if live == wanted => {}
            (Value::Null, None) => {}
            (Value::Object(_), Some(live @ Value::Object(_))) => {
                let inner = maps(before, wanted, live, path);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (Value::Array(wanted), Some(Value::Array(live))) => {
                let inner = match merge_key(path) {
                    Some(name) => {
                        let inner = lists(before, wanted, live, name, path);
                        let ids = |items: &'a [Value]| items.iter().map(move |it| it.get(name));
                        if !live.is_empty() && (!inner.is_empty() || ids(wanted).ne(ids(live))) {
                            let order: Vec<Value> =
                                ids(wanted).map(|id| json!({name: id})).collect();
                            patch.insert(format!("$setElementOrder/{key}"), order.into());
                        }
                        inner
                    }
                    None => wanted.clone(),
                };
                if !inner.is_empty() || merge_key(path).is_none() {
                    patch.insert(key.clone(), Value::Array(inner));
                }
            }
            _ => {
                patch.insert(key.clone(), wanted.clone());
            }
        }
        path.pop();
    }
    for (key, _) in original.and_then(Value::as_object).into_iter().flatten() {
        if modified.get(key).is_none() && current.get(key).is_some() {
            patch.insert(key.clone(), Value::Null);
        }
    }
    if retains_keys(path) && !patch.is_empty() {
        let keys: Vec<&String> = modified.as_object().into_iter().flat_map(Map::keys).collect();
        patch.insert("$retainKeys".to_owned(), json!(keys));
    }
    patch
}

fn lists<'a>(
    original: Option<&'a Value>,
    wanted: &'a [Value],
    live: &'a [Value],
    name: &str,
    path: &mut Vec<&'a str>,
) -> Vec<Value> {
    let find = |items: &'a [Value], id: &Value| items.iter().find(|it| it.get(name) == Some(id));
    let before = original.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut patch = vec![];
    for item in wanted {
        let Some(id) = item.get(name) else {
            patch.push(item.clone());
            continue;
        };
        match find(live, id) {
            Some(current) => {
                let mut inner = maps(find(before, id), item, current, path);
                if !inner.is_empty() {
                    inner.insert(name.to_owned(), id.clone());
                    patch.push(Value::Object(inner));
                }
            }
            None => patch.push(item.clone()),
        }
    }
    for item in before {
        let Some(id) = item.get(name) else { continue };
        if find(wanted, id).is_none() && find(live, id).is_some() {
            patch.push(json!({"$patch": "delete", name: id}));
        }
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selector_of_a_budget_is_sent_whole_and_always() {
        let budget = |selector: Value| json!({"kind": "PodDisruptionBudget", "spec": {"selector": selector}});
        let (old, new) = (budget(json!({"a": 1})), budget(json!({"b": 1})));
        let patch = |it: &Value| Some(json!({"spec": {"selector": it["spec"]["selector"]}}));
        assert_eq!(three_way(Some(&old), &old, &old), patch(&old));
        assert_eq!(three_way(Some(&old), &new, &old), patch(&new));
    }

    #[test]
    fn the_patch_adds_changes_and_removes() {
        let check = |original: Value, modified: Value, current: Value, patch: Option<Value>| {
            assert_eq!(three_way(Some(&original), &modified, &current), patch);
        };
        check(json!({"a": 1}), json!({"a": 1}), json!({"a": 1, "s": 2}), None);
        check(
            json!({"a": 1, "b": 2}),
            json!({"a": 3}),
            json!({"a": 1, "b": 2, "s": 4}),
            Some(json!({"a": 3, "b": null})),
        );
        check(
            json!({"spec": {"strategy": {"type": "A", "a": 1}}}),
            json!({"spec": {"strategy": {"type": "B"}}}),
            json!({"spec": {"strategy": {"type": "A", "a": 1, "d": 2}}}),
            Some(json!({"spec": {"strategy":
                {"type": "B", "a": null, "$retainKeys": ["type"]}}})),
        );
        check(
            json!({"containers": [{"name": "x"}, {"name": "y"}]}),
            json!({"containers": [{"name": "x", "image": "i"}]}),
            json!({"containers": [{"name": "x", "d": 1}, {"name": "y"}, {"name": "z"}]}),
            Some(json!({
                "$setElementOrder/containers": [{"name": "x"}],
                "containers": [
                    {"name": "x", "image": "i"},
                    {"$patch": "delete", "name": "y"},
                ],
            })),
        );
    }
}
