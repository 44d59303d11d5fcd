//! Objects as the API server sends them: with the fields that Go writes even when they are empty.

mod table;

use serde_json::{Map, Value};

use crate::{Object, wire};
use table::TABLE;

/// An object as the API server sends it: with the fields that Go writes even when they are empty,
/// such as `resources: {}` of a container or `lastProbeTime: null` of a condition.
#[must_use]
pub fn object_value(object: &Object) -> Value {
    let mut value = wire::to_value(object);
    fill(object.kind().name(), &mut value);
    value
}

/// Adds what Go would write to the JSON of a struct, a list of them, or a map of them.
fn fill(name: &str, value: &mut Value) {
    match value {
        Value::Object(map) => fill_struct(name, map),
        Value::Array(items) => items.iter_mut().for_each(|it| fill(name, it)),
        _ => {}
    }
}

fn fill_struct(name: &str, map: &mut Map<String, Value>) {
    let first = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let Ok(at) = TABLE.binary_search_by(|line| first(line).as_str().cmp(name)) else { return };
    let Some(line) = TABLE.get(at) else { return };
    for field in line.split(' ').skip(1) {
        let (field, default) = field.split_once('=').unwrap_or((field, ""));
        let (field, child) = field.split_once(':').unwrap_or((field, ""));
        let empty = match default {
            "o" => Some(Value::Object(Map::new())),
            "n" => Some(Value::Null),
            "s" => Some(Value::String(String::new())),
            "0" => Some(Value::from(0)),
            "f" => Some(Value::Bool(false)),
            _ => None,
        };
        if let Some(empty) = empty
            && !map.contains_key(field)
        {
            map.insert(field.to_owned(), empty);
        }
        if !child.is_empty()
            && let Some(value) = map.get_mut(field)
        {
            fill(child, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Kind;

    #[test]
    fn empty_fields_are_written_where_go_writes_them() {
        let value = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "b"}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        });
        let pod = Object::deserialize_kind(Kind::Pod, value).unwrap();
        let expected = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "b", "resources": {}}]},
            "status": {"conditions": [{
                "type": "Ready", "status": "True", "lastProbeTime": null,
                "lastTransitionTime": null,
            }]},
        });
        assert_eq!(object_value(&pod), expected);
    }

    #[test]
    fn the_table_is_sorted() {
        let names: Vec<&str> = TABLE.iter().filter_map(|it| it.split(' ').next()).collect();
        assert!(names.is_sorted());
    }
}
