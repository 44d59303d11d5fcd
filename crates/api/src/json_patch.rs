//! Patches of the type `json`: RFC 6902 as the library reads it that the API server and kubectl use.
//! It replaces what is not there and counts from the end of a list for negative numbers.
//!
//! Upstream: `vendor/gopkg.in/evanphx/json-patch.v4/patch.go`, v1.36.

use serde_json::Value;

/// What all refusals of a place that is not there end with.
const MISSING: &str = "missing value";

/// Applies the operations of a list in order.
///
/// # Errors
/// Why an operation does not apply, in the library's words.
pub fn apply(mut value: Value, patch: &Value) -> Result<Value, String> {
    for operation in patch.as_array().map(Vec::as_slice).unwrap_or_default() {
        Operation(operation).apply(&mut value)?;
    }
    Ok(value)
}

struct Operation<'a>(&'a Value);

impl Operation<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    fn path(&self, op: &str) -> Result<&str, String> {
        self.text("path").ok_or_else(|| match op {
            "replace" | "test" | "move" => format!(
                "{op} operation failed to decode path: operation missing path field: {MISSING}"
            ),
            _ => format!("{op} operation failed to decode path: {MISSING}"),
        })
    }

    fn from(&self, op: &str) -> Result<&str, String> {
        self.text("from").ok_or_else(|| {
            format!(
                "{op} operation failed to decode from: operation, missing from field: {MISSING}"
            )
        })
    }

    /// One that is not given counts as null.
    fn value(&self) -> Value {
        self.0.get("value").cloned().unwrap_or_default()
    }

    fn apply(&self, value: &mut Value) -> Result<(), String> {
        match self.text("op").unwrap_or("unknown") {
            "add" => {
                let path = self.path("add")?;
                let (holder, key) = place(value, path).ok_or_else(|| {
                    format!(
                        "add operation does not apply: doc is missing path: {path:?}: {MISSING}"
                    )
                })?;
                add(holder, &key, self.value())
                    .map_err(|why| format!("error in add for path: '{path}': {why}"))
            }
            "remove" => {
                let path = self.path("remove")?;
                let (holder, key) = place(value, path).ok_or_else(|| {
                    format!(
                        "remove operation does not apply: doc is missing path: {path:?}: {MISSING}"
                    )
                })?;
                remove(holder, &key)
                    .map_err(|why| format!("error in remove for path: '{path}': {why}"))
            }
            "replace" => self.replace(value),
            "move" => self.relocate(value, "move"),
            "copy" => self.relocate(value, "copy"),
            "test" => self.test(value),
            other => Err(format!("Unexpected kind: {other}")),
        }
    }

    fn replace(&self, value: &mut Value) -> Result<(), String> {
        let path = self.path("replace")?;
        if path.is_empty() {
            let new = self.value();
            if !new.is_object() && !new.is_array() {
                return Err(
                    "replace operation value must be object or array: %!w(<nil>)".to_owned()
                );
            }
            *value = new;
            return Ok(());
        }
        let missing = |what: &str| {
            format!("replace operation does not apply: doc is missing {what}: {path}: {MISSING}")
        };
        let (holder, key) = place(value, path).ok_or_else(|| missing("path"))?;
        match holder {
            Value::Array(list) => {
                let at = index(&key, list.len()).map_err(|_| missing("key"))?;
                list[at] = self.value();
            }
            map => map[&key] = self.value(),
        }
        Ok(())
    }

    /// `move` and `copy`.
    fn relocate(&self, value: &mut Value, op: &str) -> Result<(), String> {
        let from = self.from(op)?;
        let missing = |what: &str, path: &str| {
            format!("{op} operation does not apply: doc is missing {what} path: {path}: {MISSING}")
        };
        let (holder, key) = place(value, from).ok_or_else(|| missing("from", from))?;
        let failed = |why: String| match op {
            "move" => format!("error in move for path: '{key}': {why}"),
            _ => format!("error in copy for from: '{from}': {why}"),
        };
        let taken = get(holder, &key).map_err(failed)?;
        if op == "move" {
            remove(holder, &key).map_err(failed)?;
        }
        let path = self.path(op)?;
        let (holder, key) = place(value, path).ok_or_else(|| missing("destination", path))?;
        add(holder, &key, taken).map_err(|why| match op {
            "move" => format!("error in move for path: '{path}': {why}"),
            _ => format!("error while adding value during copy: {why}"),
        })
    }

    fn test(&self, value: &mut Value) -> Result<(), String> {
        let path = self.path("test")?;
        let found = if path.is_empty() {
            value.clone()
        } else {
            let (holder, key) = place(value, path).ok_or_else(|| {
                format!("test operation does not apply: is missing path: {path}: {MISSING}")
            })?;
            get(holder, &key).map_err(|why| format!("error in test for path: '{path}': {why}"))?
        };
        match found == self.value() {
            true => Ok(()),
            false => Err(format!("testing value {path} failed: test failed")),
        }
    }
}

/// The list or map of a path, and the place in it. What stands before the first slash is passed over.
fn place<'a>(value: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let parts = path.split('/').skip(1).map(|it| it.replace("~1", "/").replace("~0", "~"));
    let mut parts: Vec<String> = parts.collect();
    let last = parts.pop()?;
    let holder = parts.iter().try_fold(value, |inner, part| match inner {
        Value::Object(map) => map.get_mut(part),
        Value::Array(list) => index(part, list.len()).ok().and_then(|at| list.get_mut(at)),
        _ => None,
    })?;
    (holder.is_object() || holder.is_array()).then_some((holder, last))
}

/// The place in a list of `n`; negative numbers count from its end.
fn index(word: &str, n: usize) -> Result<usize, String> {
    let at: isize =
        word.parse().map_err(|_| format!("strconv.Atoi: parsing {word:?}: invalid syntax"))?;
    let place = if at < 0 { n.checked_add_signed(at) } else { Some(at.unsigned_abs()) };
    place
        .filter(|it| *it < n)
        .ok_or_else(|| format!("Unable to access invalid index: {at}: invalid index referenced"))
}

/// A key that a map does not have is null.
fn get(holder: &Value, key: &str) -> Result<Value, String> {
    match holder {
        Value::Array(list) => Ok(list[index(key, list.len())?].clone()),
        map => Ok(map.get(key).cloned().unwrap_or_default()),
    }
}

fn add(holder: &mut Value, key: &str, new: Value) -> Result<(), String> {
    match holder {
        Value::Array(list) if key == "-" => list.push(new),
        Value::Array(list) => {
            // One more place than the list has.
            let at = index(key, list.len() + 1).map_err(|why| match key.parse::<isize>() {
                Ok(_) => why,
                Err(_) => format!("value was not a proper array index: '{key}': {why}"),
            })?;
            list.insert(at, new);
        }
        map => map[key] = new,
    }
    Ok(())
}

fn remove(holder: &mut Value, key: &str) -> Result<(), String> {
    match holder {
        Value::Array(list) => {
            list.remove(index(key, list.len())?);
        }
        other => {
            let removed = other.as_object_mut().and_then(|it| it.remove(key));
            removed.ok_or_else(|| format!("Unable to remove nonexistent key: {key}: {MISSING}"))?;
        }
    }
    Ok(())
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
    fn what_does_not_apply_is_told_in_the_words_of_the_library() {
        let rows = [
            (
                json!({"op": "remove", "path": "/x"}),
                "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value",
            ),
            (
                json!({"op": "add", "path": ""}),
                "add operation does not apply: doc is missing path: \"\": missing value",
            ),
            (json!({"op": "add"}), "add operation failed to decode path: missing value"),
            (
                json!({"op": "add", "path": "/a/x"}),
                "error in add for path: '/a/x': value was not a proper array index: 'x': strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            (
                json!({"op": "add", "path": "/a/9"}),
                "error in add for path: '/a/9': Unable to access invalid index: 9: invalid index referenced",
            ),
            (
                json!({"op": "replace", "path": "/x/y"}),
                "replace operation does not apply: doc is missing path: /x/y: missing value",
            ),
            (
                json!({"op": "replace", "path": "/a/2"}),
                "replace operation does not apply: doc is missing key: /a/2: missing value",
            ),
            (
                json!({"op": "test", "path": "/a/0", "value": 7}),
                "testing value /a/0 failed: test failed",
            ),
            (
                json!({"op": "move", "path": "/x"}),
                "move operation failed to decode from: operation, missing from field: missing value",
            ),
            (
                json!({"op": "copy", "from": "/x/y", "path": "/x"}),
                "copy operation does not apply: doc is missing from path: /x/y: missing value",
            ),
            (json!({"op": "nope", "path": "/x"}), "Unexpected kind: nope"),
            (json!({}), "Unexpected kind: unknown"),
        ];
        for (operation, why) in rows {
            check(json!({"a": [1, 2]}), json!([operation]), Err(why));
        }
    }
}
