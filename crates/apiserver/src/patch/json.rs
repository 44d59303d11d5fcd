//! RFC 6902.

use serde_json::Value;

/// Applies the operations in order.
pub(super) fn apply(mut value: Value, patch: &Value) -> Result<Value, String> {
    let operations = patch.as_array().ok_or("a JSON patch is a list of operations")?;
    for operation in operations {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let path = text("path").ok_or("missing path")?;
        let given = || operation.get("value").cloned().ok_or("missing value");
        match text("op").unwrap_or_default() {
            "add" => add(&mut value, path, given()?)?,
            "remove" => {
                remove(&mut value, path)?;
            }
            "replace" => {
                let new = given()?;
                let place = value.pointer_mut(path);
                *place.ok_or_else(|| missing("replace", path))? = new;
            }
            "move" => {
                let from = text("from").ok_or("missing from")?;
                let moved = remove(&mut value, from)?;
                add(&mut value, path, moved)?;
            }
            "copy" => {
                let from = text("from").ok_or("missing from")?;
                let copied = value.pointer(from).cloned().ok_or_else(|| missing("copy", from))?;
                add(&mut value, path, copied)?;
            }
            "test" => {
                if value.pointer(path) != Some(&given()?) {
                    return Err(format!("testing value {path} failed"));
                }
            }
            other => return Err(format!("Unexpected kind: {other}")),
        }
    }
    Ok(value)
}

fn missing(operation: &str, path: &str) -> String {
    format!("{operation} operation does not apply: doc is missing path: {path}: missing value")
}

fn split(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn add(value: &mut Value, path: &str, new: Value) -> Result<(), String> {
    if path.is_empty() {
        *value = new;
        return Ok(());
    }
    let (parent, last) = split(path).ok_or_else(|| missing("add", path))?;
    match value.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.insert(last, new);
        }
        Some(Value::Array(list)) => {
            let at = if last == "-" { Some(list.len()) } else { last.parse().ok() };
            let at = at.filter(|it| *it <= list.len()).ok_or_else(|| missing("add", path))?;
            list.insert(at, new);
        }
        _ => return Err(missing("add", path)),
    }
    Ok(())
}

fn remove(value: &mut Value, path: &str) -> Result<Value, String> {
    let (parent, last) = split(path).ok_or_else(|| missing("remove", path))?;
    let removed = match value.pointer_mut(parent) {
        Some(Value::Object(map)) => map.remove(&last),
        Some(Value::Array(list)) => {
            last.parse().ok().filter(|it| *it < list.len()).map(|it: usize| list.remove(it))
        }
        _ => None,
    };
    removed.ok_or_else(|| missing("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(value: Value, patch: Value, expected: Result<Value, &str>) {
        assert_eq!(apply(value, &patch), expected.map_err(str::to_owned));
    }

    #[test]
    fn operations_apply_in_order() {
        let patch = json!([
            {"op": "add", "path": "/a/-", "value": 3},
            {"op": "remove", "path": "/a/0"},
            {"op": "replace", "path": "/b", "value": "x"},
            {"op": "copy", "from": "/b", "path": "/c~1d"},
        ]);
        check(json!({"a": [1, 2], "b": 0}), patch, Ok(json!({"a": [2, 3], "b": "x", "c/d": "x"})));
    }

    #[test]
    fn a_path_that_is_missing_is_refused() {
        let patch = json!([{"op": "remove", "path": "/x"}]);
        let text = "remove operation does not apply: doc is missing path: /x: missing value";
        check(json!({}), patch, Err(text));
    }
}
