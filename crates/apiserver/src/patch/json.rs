//! Patches of the type `json`: RFC 6902 as the API server's library reads it, which replaces what
//! is not there and counts from the end of a list for negative numbers.
//!
//! Upstream: `vendor/gopkg.in/evanphx/json-patch.v4/patch.go`, v1.36.

use serde_json::Value;

/// Applies the operations in order.
pub(super) fn apply(mut value: Value, patch: &Value) -> Result<Value, String> {
    let operations = patch.as_array().ok_or("a JSON patch is a list of operations")?;
    for operation in operations {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let path = text("path").ok_or("missing path")?;
        let from = || text("from").ok_or("missing from");
        // One that is not given counts as null.
        let given = || operation.get("value").cloned().unwrap_or_default();
        match text("op").unwrap_or_default() {
            "add" => add(&mut value, path, given())?,
            "remove" => {
                remove(&mut value, path)?;
            }
            "replace" => replace(&mut value, path, given())?,
            "move" => {
                let moved = remove(&mut value, from()?)?;
                add(&mut value, path, moved)?;
            }
            "copy" => {
                let copied = get(&mut value, from()?)?;
                add(&mut value, path, copied)?;
            }
            "test" => {
                let found = if path.is_empty() { value.clone() } else { get(&mut value, path)? };
                if found != given() {
                    return Err(format!("testing value {path} failed"));
                }
            }
            other => return Err(format!("Unexpected kind: {other}")),
        }
    }
    Ok(value)
}

fn missing(path: &str) -> String {
    format!("the operation does not apply: doc is missing path: {path}: missing value")
}

/// The list or map of a path, and the place in it. What stands before the first slash is passed over.
fn place<'a>(value: &'a mut Value, path: &str) -> Result<(&'a mut Value, String), String> {
    let parts = path.split('/').skip(1).map(|it| it.replace("~1", "/").replace("~0", "~"));
    let mut parts: Vec<String> = parts.collect();
    let last = parts.pop().ok_or_else(|| missing(path))?;
    let parent = parts.iter().try_fold(value, |inner, part| match inner {
        Value::Object(map) => map.get_mut(part),
        Value::Array(list) => index(part, list.len()).and_then(|at| list.get_mut(at)),
        _ => None,
    });
    match parent {
        Some(parent @ (Value::Object(_) | Value::Array(_))) => Ok((parent, last)),
        _ => Err(missing(path)),
    }
}

/// The place in a list of `n`; negative numbers count from its end.
fn index(word: &str, n: usize) -> Option<usize> {
    let at: isize = word.parse().ok()?;
    let at = if at < 0 { n.checked_add_signed(at)? } else { at.unsigned_abs() };
    (at < n).then_some(at)
}

/// A key that a map does not have is null.
fn get(value: &mut Value, path: &str) -> Result<Value, String> {
    let (parent, last) = place(value, path)?;
    match parent {
        Value::Array(list) => {
            index(&last, list.len()).map(|at| list[at].clone()).ok_or_else(|| missing(path))
        }
        map => Ok(map.get(&last).cloned().unwrap_or_default()),
    }
}

fn replace(value: &mut Value, path: &str, new: Value) -> Result<(), String> {
    if path.is_empty() {
        *value = new;
        return Ok(());
    }
    let (parent, last) = place(value, path)?;
    match parent {
        Value::Array(list) => {
            let at = index(&last, list.len()).ok_or_else(|| missing(path))?;
            list[at] = new;
        }
        map => map[&last] = new,
    }
    Ok(())
}

fn add(value: &mut Value, path: &str, new: Value) -> Result<(), String> {
    let (parent, last) = place(value, path)?;
    match parent {
        Value::Array(list) => {
            // One more place than the list has.
            let n = list.len();
            let at = if last == "-" { Some(n) } else { index(&last, n + 1) };
            list.insert(at.ok_or_else(|| missing(path))?, new);
        }
        map => map[&last] = new,
    }
    Ok(())
}

fn remove(value: &mut Value, path: &str) -> Result<Value, String> {
    let (parent, last) = place(value, path)?;
    let removed = match parent {
        Value::Object(map) => map.remove(&last),
        Value::Array(list) => index(&last, list.len()).map(|at| list.remove(at)),
        _ => None,
    };
    removed.ok_or_else(|| missing(path))
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
    fn what_is_not_there_can_be_replaced_and_lists_count_from_their_end() {
        let patch = json!([
            {"op": "replace", "path": "/b", "value": "x"},
            {"op": "replace", "path": "/a/-1", "value": 9},
            {"op": "add", "path": "/a/-1", "value": 5},
            {"op": "test", "path": "/nope"},
            {"op": "add", "path": "c/d", "value": true},
        ]);
        check(json!({"a": [1, 2]}), patch, Ok(json!({"a": [1, 9, 5], "b": "x", "d": true})));
    }

    #[test]
    fn a_path_that_is_missing_is_refused() {
        let rows = [
            json!({"op": "remove", "path": "/x"}),
            json!({"op": "add", "path": ""}),
            json!({"op": "replace", "path": "/x/y"}),
            json!({"op": "replace", "path": "/a/2"}),
            json!({"op": "add", "path": "/a/x"}),
        ];
        for row in rows {
            let path = row["path"].clone();
            let came = apply(json!({"a": [1, 2]}), &json!([row]));
            assert_eq!(came, Err(missing(path.as_str().unwrap())));
        }
    }
}
