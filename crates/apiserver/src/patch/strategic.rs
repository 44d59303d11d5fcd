//! Strategic merge: lists of objects merge by the key that their type names.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/util/strategicpatch/patch.go` and the
//! `patchStrategy`/`patchMergeKey` tags of `staging/src/k8s.io/api`, v1.36.

use api::Kind;
use api::Order;
use serde_json::{Map, Value};

/// How a list merges.
enum List {
    /// By a field of its elements.
    ByKey(&'static str),
    /// As a set of plain values.
    Set,
    /// Not at all: the patch's list takes the place of the old one.
    Replace,
}

/// The lists that merge, by the name of the field and what its parent field is called (empty for
/// any parent). The names are unambiguous but for those that have a parent here.
const LISTS: &[(&str, &str, &str)] = &[
    ("", "containers", "name"),
    ("", "initContainers", "name"),
    ("", "ephemeralContainers", "name"),
    ("", "env", "name"),
    ("", "volumeMounts", "mountPath"),
    ("", "volumeDevices", "devicePath"),
    ("", "volumes", "name"),
    ("", "imagePullSecrets", "name"),
    ("", "hostAliases", "ip"),
    ("", "topologySpreadConstraints", "topologyKey"),
    ("", "schedulingGates", "name"),
    ("", "resourceClaims", "name"),
    ("", "conditions", "type"),
    ("", "ownerReferences", "uid"),
    ("", "addresses", "type"),
    ("", "podIPs", "ip"),
    ("", "hostIPs", "ip"),
    ("", "finalizers", ""),
    ("", "podCIDRs", ""),
    ("", "secrets", "name"),
    ("", "drivers", "name"),
    ("", "allocatedResourcesStatus", "name"),
    ("", "resourceClaimStatuses", "name"),
];

fn strategy(kind: Kind, field: &str) -> List {
    match (kind, field) {
        // The ports of containers and of services have different keys.
        (Kind::Service, "ports") => return List::ByKey("port"),
        (Kind::EndpointSlice, "ports") | (Kind::ServiceAccount, "imagePullSecrets") => {
            return List::Replace;
        }
        (_, "ports") => return List::ByKey("containerPort"),
        // Jobs, workloads and nodes merge conditions; the rest of the list says so for all.
        _ => {}
    }
    match LISTS.iter().find(|it| it.1 == field) {
        Some((_, _, "")) => List::Set,
        Some((_, _, key)) => List::ByKey(key),
        None => List::Replace,
    }
}

/// Merges `patch` into `target`.
///
/// # Errors
/// Upstream's words for a list element without its merge key.
pub(super) fn merge(target: &mut Value, patch: &Value, kind: Kind) -> Result<(), String> {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return Ok(());
    };
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            let mut new = patch.clone();
            new.remove("$patch");
            *target = Value::Object(new);
            return Ok(());
        }
        Some("delete") => {
            *target = Value::Object(Map::new());
            return Ok(());
        }
        _ => {}
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return Ok(()) };
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(list)), Value::Array(gone)) = (target.get_mut(field), value) {
                list.retain(|it| !gone.contains(it));
                drop_if_emptied(target, field, true);
            }
        } else if let Some(fields) = key.strip_prefix("$retainKeys") {
            if fields.is_empty()
                && let Value::Array(kept) = value
            {
                target.retain(|key, _| kept.iter().any(|it| it == key));
            }
        } else if let Some(field) = key.strip_prefix("$setElementOrder/") {
            // Beside elements it says their order; alone it puts what is there into another one.
            if let (Some(Value::Array(list)), Value::Array(order)) = (target.get_mut(field), value)
                && patch.get(field).is_none()
            {
                match strategy(kind, field) {
                    List::ByKey(key) => put_in_order(list, &list.clone(), order, key),
                    List::Set => put_in_order(list, &list.clone(), order, ""),
                    List::Replace => {}
                }
            }
        } else if key.starts_with('$') {
            // No other directive concerns what is merged.
        } else if value.is_null() {
            target.remove(key);
        } else if value.is_object() && !target.get(key).is_some_and(Value::is_object) {
            match without_directives(value) {
                Some(value) => target.insert(key.clone(), value),
                None => target.remove(key),
            };
        } else if let Value::Array(list) = value {
            let entry = target.entry(key.clone()).or_insert_with(|| Value::Array(vec![]));
            let had_some = entry.as_array().is_some_and(|it| !it.is_empty());
            let order = patch.get(&format!("$setElementOrder/{key}"));
            merge_list(entry, list, order, &strategy(kind, key), kind)?;
            drop_if_emptied(target, key, had_some);
        } else if kind == Kind::PodDisruptionBudget && key == "selector" {
            // A budget's selector is one value: its type says `patchStrategy:"replace"`.
            target.insert(key.clone(), value.clone());
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value, kind)?;
        }
    }
    Ok(())
}

/// A value that takes its place as it is: what is a directive is left out, and with it all that
/// stands beside it. Upstream: `removeDirectives`, `discardNullValuesFromPatch`.
fn without_directives(value: &Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key("$patch") => None,
        Value::Object(map) => {
            let kept = map.iter().filter(|it| !it.1.is_null() && !it.0.starts_with('$'));
            let kept = kept.filter_map(|(key, it)| Some((key.clone(), without_directives(it)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(items.iter().filter_map(without_directives).collect()),
        other => Some(other.clone()),
    }
}

/// Go leaves out an empty list when it writes an object, so a template of which the last element of
/// a list was deleted is what it was before there was a list.
fn drop_if_emptied(target: &mut Map<String, Value>, key: &str, had_some: bool) {
    let is_empty = |it: &Value| it.as_array().is_some_and(Vec::is_empty);
    if had_some && target.get(key).is_some_and(is_empty) {
        target.remove(key);
    }
}

fn merge_list(
    target: &mut Value,
    patch: &[Value],
    order: Option<&Value>,
    strategy: &List,
    kind: Kind,
) -> Result<(), String> {
    let replaces = patch.iter().any(|it| it.get("$patch") == Some(&Value::from("replace")));
    let Value::Array(list) = target else {
        *target = Value::Array(vec![]);
        return merge_list(target, patch, order, strategy, kind);
    };
    let live = list.clone();
    let order = order.and_then(Value::as_array).map_or(patch, Vec::as_slice);
    match strategy {
        List::Replace => {
            *list = patch.iter().filter(|it| it.get("$patch").is_none()).cloned().collect();
        }
        List::Set => {
            for value in patch {
                if !list.contains(value) {
                    list.push(value.clone());
                }
            }
            put_in_order(list, &live, order, "");
        }
        List::ByKey(key) => {
            if replaces {
                *list = patch.iter().filter(|it| it.get("$patch").is_none()).cloned().collect();
                return Ok(());
            }
            merge_by_key(list, patch, key, kind)?;
            put_in_order(list, &live, order, key);
        }
    }
    Ok(())
}

fn merge_by_key(
    list: &mut Vec<Value>,
    patch: &[Value],
    key: &str,
    kind: Kind,
) -> Result<(), String> {
    for element in patch {
        let Some(wanted) = element.get(key) else {
            let element = api::yaml::go_text(element);
            return Err(format!("map: {element} does not contain declared merge key: {key}"));
        };
        let found = list.iter().position(|it| it.get(key) == Some(wanted));
        if element.get("$patch") == Some(&Value::from("delete")) {
            if let Some(found) = found {
                list.remove(found);
            }
        } else if let Some(found) = found {
            merge(&mut list[found], element, kind)?;
        } else {
            let mut new = Value::Null;
            merge(&mut new, element, kind)?;
            list.push(new);
        }
    }
    Ok(())
}

/// Puts the elements that the patch names into its order. What the patch does not name keeps its
/// own, and stands before what it stood before; what is new goes first. Upstream:
/// `normalizeElementOrder`.
fn put_in_order(list: &mut Vec<Value>, live: &[Value], order: &[Value], key: &str) {
    let place = |list: &[Value], value: &Value| match key {
        "" => list.iter().position(|it| it == value),
        _ => list.iter().position(|it| it.get(key) == value.get(key)),
    };
    let (mut named, others): (Vec<_>, Vec<_>) =
        list.drain(..).partition(|it| place(order, it).is_some());
    named.order_by_key(|it| place(order, it));
    let mut named = named.into_iter().peekable();
    for other in others {
        let is_before = |next: &Value| {
            place(live, &other).zip(place(live, next)).is_some_and(|(it, next)| it < next)
        };
        while let Some(next) = named.next_if(|it| !is_before(it)) {
            list.push(next);
        }
        list.push(other);
    }
    list.extend(named);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(mut target: Value, patch: Value, expected: Value) {
        merge(&mut target, &patch, Kind::Pod).unwrap();
        assert_eq!(target, expected);
    }

    #[test]
    fn containers_merge_by_name() {
        check(
            json!({"containers": [{"name": "a", "image": "x"}, {"name": "b"}]}),
            json!({"containers": [{"name": "a", "image": "y"}, {"name": "c"}]}),
            json!({"containers": [{"name": "a", "image": "y"}, {"name": "c"}, {"name": "b"}]}),
        );
    }

    #[test]
    fn new_elements_go_first_and_the_order_that_a_patch_gives_counts() {
        let named = |names: &str| -> Value {
            names.chars().map(|it| json!({"name": it.to_string()})).collect()
        };
        for (live, patch, order, expected) in [
            ("ab", "c", None, "cab"),
            ("ab", "bc", None, "abc"),
            ("ab", "bca", None, "bca"),
            ("ab", "c", Some("abc"), "abc"),
            ("abc", "", Some("cb"), "acb"),
        ] {
            let mut sent = json!({});
            if !patch.is_empty() {
                sent["containers"] = named(patch);
            }
            if let Some(order) = order {
                sent["$setElementOrder/containers"] = named(order);
            }
            check(json!({"containers": named(live)}), sent, json!({"containers": named(expected)}));
        }
    }

    #[test]
    fn the_selector_of_a_budget_and_the_secrets_of_an_account_are_one_value() {
        let rows = [
            (
                Kind::PodDisruptionBudget,
                json!({"spec": {"selector": {"matchLabels": {"a": "b"}}}}),
                json!({"spec": {"selector": {"matchLabels": {"c": "d"}}}}),
            ),
            (
                Kind::ServiceAccount,
                json!({"imagePullSecrets": [{"name": "a"}]}),
                json!({"imagePullSecrets": [{"name": "b"}]}),
            ),
        ];
        for (kind, mut target, patch) in rows {
            merge(&mut target, &patch, kind).unwrap();
            assert_eq!(target, patch);
        }
    }

    #[test]
    fn an_element_is_deleted_by_its_key() {
        check(
            json!({"containers": [{"name": "a"}, {"name": "b"}]}),
            json!({"containers": [{"name": "a", "$patch": "delete"}]}),
            json!({"containers": [{"name": "b"}]}),
        );
    }

    #[test]
    fn a_list_is_gone_with_its_last_element() {
        let with = |env: Value| json!({"containers": [{"name": "a", "env": env}]});
        let env = json!([{"name": "V", "$patch": "delete"}]);
        check(with(json!([{"name": "V"}])), with(env), json!({"containers": [{"name": "a"}]}));
        check(
            json!({"finalizers": ["a"]}),
            json!({"$deleteFromPrimitiveList/finalizers": ["a"]}),
            json!({}),
        );
        // What is no list in its type is for the decoder to refuse.
        check(json!({"image": "x"}), json!({"image": []}), json!({"image": []}));
    }

    #[test]
    fn finalizers_are_a_set_and_tolerations_one_value() {
        check(
            json!({"finalizers": ["a", "b"], "tolerations": [{"key": "x"}]}),
            json!({
                "$deleteFromPrimitiveList/finalizers": ["a"],
                "finalizers": ["c"],
                "tolerations": [{"key": "y"}],
            }),
            json!({"finalizers": ["c", "b"], "tolerations": [{"key": "y"}]}),
        );
    }
}
