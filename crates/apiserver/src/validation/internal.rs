//! Objects as the server's internal types print themselves: with Go's field names, in Go's order,
//! with every field that is unset. Error texts show them.
//!
//! Upstream: `pkg/apis/{core,batch,policy,apps}/types.go`, v1.36, whose fields are listed in
//! `internal_types.txt`: a type, then `Name:kind` for each field or `+Type` for an embedded one.
//! Kinds: `s`tring, `i`nteger, `b`ool, `q`uantity, number or te`x`t, `J`SON as in the API, or a
//! type; before it `*` for a pointer, `[` for a list, `{` for a map.

use api::Order;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::validation::Bad;

static TYPES: &str = include_str!("internal_types.txt");

/// Fields whose name in the API is another one.
const RENAMED: &[(&str, &str)] = &[
    ("EndpointsName", "endpoints"),
    ("CephMonitors", "monitors"),
    ("RBDImage", "image"),
    ("RBDPool", "pool"),
    ("RadosUser", "user"),
    ("DiscoveryCHAPAuth", "chapAuthDiscovery"),
    ("SessionCHAPAuth", "chapAuthSession"),
    ("DataDiskURI", "diskURI"),
    ("MatchLabelExpressions", "matchLabelExpressions"),
];

/// What upstream keeps in the security context of a pod and the API in its spec.
const HOST_FIELDS: [&str; 5] =
    ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"];

/// The order of the fields of the API's own types, where it is not that of the alphabet.
const META_ORDER: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "matchLabels",
    "matchExpressions",
];

/// The elements of lists that cannot be left out.
const REQUIRED: [&str; 3] = ["Container", "PodFailurePolicyRule", "SuccessPolicyRule"];

/// A value as the JSON of the internal type, in one line.
pub(crate) fn dump(type_: &str, value: &impl Serialize) -> String {
    dump_value(type_, &api::wire::to_value(value), None)
}

/// As [`dump`], on many lines with an indent of one space.
pub(crate) fn dump_pretty(type_: &str, value: &impl Serialize) -> String {
    dump_value(type_, &api::wire::to_value(value), Some(0))
}

/// A label selector as an error shows it.
pub(crate) fn selector(selector: &LabelSelector) -> Bad {
    let mut writer = Writer { out: String::new(), indent: None };
    let mut value = api::wire::to_value(selector);
    if let Value::Object(map) = &mut value {
        // Go leaves out a map without entries.
        map.retain(|_, it| it.as_object().is_none_or(|it| !it.is_empty()));
    }
    writer.api_object(&value);
    Bad::raw(writer.out)
}

fn dump_value(type_: &str, value: &Value, indent: Option<usize>) -> String {
    let mut writer = Writer { out: String::new(), indent };
    writer.object(type_, value);
    writer.out
}

struct Writer {
    out: String,
    /// How deep, when there are many lines.
    indent: Option<usize>,
}

impl Writer {
    fn break_line(&mut self) {
        if let Some(depth) = self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', depth));
        }
    }

    /// Writes elements between brackets.
    fn list<T>(
        &mut self,
        brackets: (char, char),
        elements: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.out.push(brackets.0);
        self.indent = self.indent.map(|it| it + 1);
        let mut is_empty = true;
        for element in elements {
            if !is_empty {
                self.out.push(',');
            }
            is_empty = false;
            self.break_line();
            write(self, element);
        }
        self.indent = self.indent.map(|it| it - 1);
        if !is_empty {
            self.break_line();
        }
        self.out.push(brackets.1);
    }

    fn key(&mut self, key: &str) {
        self.text(key);
        self.out.push_str(if self.indent.is_some() { ": " } else { ":" });
    }

    fn text(&mut self, text: &str) {
        let quoted = serde_json::to_string(text).unwrap_or_default();
        for letter in quoted.chars() {
            match letter {
                '&' => self.out.push_str("\\u0026"),
                '<' => self.out.push_str("\\u003c"),
                '>' => self.out.push_str("\\u003e"),
                it => self.out.push(it),
            }
        }
    }

    fn object(&mut self, type_: &str, value: &Value) {
        let empty = Map::new();
        let map = value.as_object().unwrap_or(&empty);
        let mut fields = Vec::new();
        collect(type_, map, &mut fields);
        self.list(('{', '}'), fields.into_iter(), |it, (name, kind, value)| {
            it.key(&name);
            it.value(kind, value.as_ref());
        });
    }

    fn value(&mut self, kind: &str, value: Option<&Value>) {
        let value = value.filter(|it| !it.is_null());
        let (mark, inner) = match kind.split_at_checked(1) {
            Some((mark @ ("*" | "[" | "{"), inner)) => (mark, inner),
            _ => ("", kind),
        };
        match (mark, value) {
            ("*" | "[" | "{", None) => self.out.push_str("null"),
            // A list that has to be there is empty here when it was not given at all.
            ("[", Some(Value::Array(list))) if list.is_empty() && REQUIRED.contains(&inner) => {
                self.out.push_str("null");
            }
            ("*", Some(_)) => self.value(inner, value),
            ("[", Some(Value::Array(list))) => {
                self.list(('[', ']'), list.iter(), |it, element| it.value(inner, Some(element)));
            }
            ("{", Some(Value::Object(map))) => {
                self.list(('{', '}'), map.iter(), |it, (key, element)| {
                    it.key(key);
                    it.value(inner, Some(element));
                });
            }
            _ => self.scalar(kind, value),
        }
    }

    fn scalar(&mut self, kind: &str, value: Option<&Value>) {
        match (kind, value) {
            ("s", value) => self.text(value.and_then(Value::as_str).unwrap_or_default()),
            ("i" | "x", None) => self.out.push('0'),
            ("b", None) => self.out.push_str("false"),
            ("q", value) => {
                let text = value.and_then(Value::as_str).unwrap_or("0");
                self.text(&api::quantity::canonical(text));
            }
            ("J", value) => self.api_object(value.unwrap_or(&Value::Null)),
            ("i" | "b" | "x", Some(value)) => self.plain(value),
            (type_, value) => self.object(type_, value.unwrap_or(&Value::Null)),
        }
    }

    /// A value of one of the API's own types.
    fn api_object(&mut self, value: &Value) {
        let Value::Object(map) = value else {
            self.plain(value);
            return;
        };
        self.list(('{', '}'), in_order(map).into_iter(), |it, (key, value)| {
            it.key(key);
            it.plain(value);
        });
    }

    fn plain(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(list) => self.list(('[', ']'), list.iter(), Self::plain),
            Value::Object(map) => self.list(('{', '}'), map.iter(), |it, (key, value)| {
                it.key(key);
                it.plain(value);
            }),
            other => self.out.push_str(&other.to_string()),
        }
    }
}

fn in_order(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let rank = |key: &str| META_ORDER.iter().position(|it| *it == key).unwrap_or(META_ORDER.len());
    let mut entries: Vec<_> = map.iter().collect();
    entries.order_by_key(|(key, _)| (rank(key), key.as_str()));
    entries
}

/// The fields of a type with their values, those of embedded types among them.
fn collect(
    type_: &str,
    map: &Map<String, Value>,
    fields: &mut Vec<(String, &'static str, Option<Value>)>,
) {
    let mut lines = TYPES.lines().filter_map(|it| it.split_once(' '));
    let Some((_, list)) = lines.find(|(name, _)| *name == type_) else { return };
    for field in list.split(' ') {
        if let Some(embedded) = field.strip_prefix('+') {
            if embedded == "J" {
                // Metadata is embedded in templates, under its own names.
                let meta = map.get("metadata").and_then(Value::as_object);
                for (key, value) in meta.map(in_order).unwrap_or_default() {
                    fields.push((key.clone(), "J", Some(value.clone())));
                }
            } else {
                collect(embedded, map, fields);
            }
            continue;
        }
        let Some((name, kind)) = field.split_once(':') else { continue };
        let renamed = RENAMED.iter().find(|it| it.0 == name).map_or(name, |it| it.1);
        let mut found = map.iter().find(|(key, _)| key.eq_ignore_ascii_case(renamed));
        let mut value = found.take().map(|it| it.1.clone());
        if type_ == "PodSpec" && name == "SecurityContext" {
            value = Some(with_host_fields(value, map));
        }
        fields.push((name.to_owned(), kind, value));
    }
}

fn with_host_fields(security: Option<Value>, spec: &Map<String, Value>) -> Value {
    let mut security = match security {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    for field in HOST_FIELDS {
        if let Some(value) = spec.get(field) {
            security.insert(field.to_owned(), value.clone());
        }
    }
    Value::Object(security)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unset_fields_are_shown_as_go_shows_them() {
        let budget = json!({"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}});
        assert_eq!(
            dump("PodDisruptionBudgetSpec", &budget),
            r#"{"MinAvailable":2,"Selector":{"matchLabels":{"app":"web"}},"MaxUnavailable":null,"UnhealthyPodEvictionPolicy":null}"#
        );
    }
}
