//! JSONPath templates: `{.items[*].metadata.name}`, `{range .items[*]}{.a}{"\n"}{end}`.
//!
//! Upstream: `staging/src/k8s.io/client-go/util/jsonpath`, v1.36.

mod needs;
mod parse;
mod refuse;

use api::{Object, sent};
use serde_json::Value;

use self::parse::{closing, parse_action, parse_path};
use crate::failure::Failure;
use crate::resources;

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Path(Vec<Step>),
    Range(Vec<Step>, Vec<Part>),
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Root,
    Field(String),
    Index(i64),
    Slice(Option<i64>, Option<i64>, Option<i64>),
    Wildcard,
    Recursive,
    Filter(Operand, String, Operand),
    Union(Vec<Step>),
    /// A word that means nothing.
    Unknown(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Path(Vec<Step>),
    Value(Value),
    /// The right side of a filter that only asks whether the path exists.
    Nothing,
}

/// `.a`, `a` and `{.a}` as `{.a}`. Upstream: `RelaxedJSONPathExpression`.
pub(crate) fn relaxed(path: &str) -> Result<String, Failure> {
    let inner = path.strip_prefix('{').map_or(path, |it| it.strip_suffix('}').unwrap_or(it));
    if path.is_empty() {
        return Ok(String::new());
    }
    if inner.is_empty()
        || path.starts_with('{') != path.ends_with('}')
        || inner.contains(['{', '}'])
    {
        return Err(Failure::text(
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' \
             or '{.name1.name2}'",
        ));
    }
    let inner = inner.strip_prefix('.').unwrap_or(inner);
    Ok(format!("{{.{inner}}}"))
}

impl Template {
    /// Reads a template. The error is upstream's sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let fail = |why: &str| format!("error parsing jsonpath {text}, {why}");
        let mut stack: Vec<(Vec<Step>, Vec<Part>)> = vec![];
        let mut parts = vec![];
        let mut rest = text;
        while !rest.is_empty() {
            let Some(at) = rest.find('{') else {
                parts.push(Part::Text(rest.to_owned()));
                break;
            };
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_owned()));
            }
            let body = &rest[at + 1..];
            let end = closing(body).ok_or_else(|| {
                let why = parse_action(body, &mut vec![]).err();
                fail(why.as_deref().unwrap_or("unclosed action"))
            })?;
            let action = body[..end].trim();
            rest = &body[end + 1..];
            if action == "end" {
                let (path, before) =
                    stack.pop().ok_or_else(|| fail("not in range, nothing to end"))?;
                let inner = std::mem::replace(&mut parts, before);
                parts.push(Part::Range(path, inner));
            } else if let Some(path) = action.strip_prefix("range ") {
                let path = parse_path(path.trim()).map_err(|it| fail(&it))?;
                stack.push((path, std::mem::take(&mut parts)));
            } else {
                parse_action(action, &mut parts).map_err(|it| fail(&it))?;
            }
        }
        match stack.is_empty() {
            true => Ok(Self { parts }),
            false => Err(fail("unclosed range")),
        }
    }

    /// The text that the template makes of a value.
    pub(crate) fn print(&self, value: &Value) -> String {
        let mut out = String::new();
        print_parts(&self.parts, value, value, &mut out);
        out
    }

    /// Why upstream's engine refuses a value, if it does.
    pub(crate) fn refusal(&self, value: &Value) -> Option<String> {
        refuse::refusal(&self.parts, value)
    }

    /// The values that the first path finds.
    pub(crate) fn find(&self, value: &Value) -> Vec<Value> {
        let found = self.first_path().map(|it| walk(it, value, value));
        found.unwrap_or_default().into_iter().cloned().collect()
    }

    /// As [`find`](Self::find) in an object, of which no more is written than the path asks for.
    pub(crate) fn find_in(&self, object: &Object) -> Vec<Value> {
        let plain = self.plain_keys().and_then(|keys| resources::plain_field(object, &keys));
        match plain.filter(|it| !it.is_empty()) {
            Some(text) => vec![Value::from(text)],
            None => self.find(&sent::value_along(object, &self.keys())),
        }
    }

    /// The keys of the first path, if it has nothing but keys.
    pub(crate) fn plain_keys(&self) -> Option<Vec<&str>> {
        let keys = self.keys();
        (keys.len() == self.first_path().map_or(0, <[Step]>::len)).then_some(keys)
    }

    fn first_path(&self) -> Option<&[Step]> {
        self.parts.iter().find_map(|it| match it {
            Part::Path(path) => Some(path.as_slice()),
            _ => None,
        })
    }

    /// The keys with which the first path begins, if it only goes down.
    fn keys(&self) -> Vec<&str> {
        let path = self.first_path().unwrap_or_default();
        let plain = |it: &Step| {
            matches!(it, Step::Field(_) | Step::Index(_) | Step::Slice(..) | Step::Wildcard)
        };
        let keys = path.iter().map_while(|it| match it {
            Step::Field(key) => Some(key.as_str()),
            _ => None,
        });
        if path.iter().all(plain) { keys.collect() } else { vec![] }
    }

    /// The values that all paths find.
    pub(crate) fn all_values(&self, value: &Value) -> Vec<Value> {
        let paths = self.parts.iter().filter_map(|it| match it {
            Part::Path(path) => Some(walk(path, value, value)),
            _ => None,
        });
        paths.flatten().cloned().collect()
    }
}

fn print_parts(parts: &[Part], root: &Value, current: &Value, out: &mut String) {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Path(path) => {
                let texts: Vec<String> = walk(path, root, current).into_iter().map(text).collect();
                out.push_str(&texts.join(" "));
            }
            Part::Range(path, inner) => {
                for value in walk(path, root, current) {
                    print_parts(inner, root, value, out);
                }
            }
        }
    }
}

/// A value as templates print it: texts bare, everything else as JSON.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => api::yaml::to_json_string(other),
    }
}

/// What a path finds: places in the values, of which none is copied. A list may have thousands of
/// objects.
fn walk<'v>(path: &[Step], root: &'v Value, current: &'v Value) -> Vec<&'v Value> {
    let mut values = vec![current];
    for step in path {
        values = values.into_iter().flat_map(|it| follow(step, root, it)).collect();
    }
    values
}

fn follow<'v>(step: &Step, root: &'v Value, value: &'v Value) -> Vec<&'v Value> {
    match (step, value) {
        (Step::Root, _) => vec![root],
        (Step::Field(name), _) => value.get(name).into_iter().collect(),
        (Step::Wildcard, Value::Array(items)) => items.iter().collect(),
        (Step::Wildcard, Value::Object(map)) => map.values().collect(),
        (Step::Index(n), Value::Array(items)) => {
            position(*n, items.len()).map(|it| &items[it]).into_iter().collect()
        }
        (Step::Slice(from, to, by), Value::Array(items)) => slice(items, *from, *to, *by),
        (Step::Recursive, _) => {
            let mut all = vec![];
            descend(value, &mut all);
            all
        }
        (Step::Filter(left, operator, right), Value::Array(items)) => {
            items.iter().filter(|it| accepts(left, operator, right, root, it)).collect()
        }
        (Step::Union(steps), _) => steps.iter().flat_map(|it| follow(it, root, value)).collect(),
        (
            Step::Wildcard | Step::Index(_) | Step::Slice(..) | Step::Filter(..) | Step::Unknown(_),
            _,
        ) => vec![],
    }
}

/// A value as Go's `%#v` shows it.
pub(crate) fn go_syntax(value: &Value, out: &mut String) {
    let list = |out: &mut String, items: &mut dyn Iterator<Item = (Option<&String>, &Value)>| {
        for (n, (key, item)) in items.enumerate() {
            out.push_str(if n > 0 { ", " } else { "" });
            if let Some(key) = key {
                out.push_str(&api::fields::quote(key));
                out.push(':');
            }
            go_syntax(item, out);
        }
        out.push('}');
    };
    match value {
        Value::Null => out.push_str("interface {}(nil)"),
        Value::String(text) => out.push_str(&api::fields::quote(text)),
        Value::Array(items) => {
            out.push_str("[]interface {}{");
            list(out, &mut items.iter().map(|it| (None, it)));
        }
        Value::Object(map) => {
            out.push_str("map[string]interface {}{");
            list(out, &mut map.iter().map(|(key, it)| (Some(key), it)));
        }
        other => out.push_str(&other.to_string()),
    }
}

/// Negative indexes count from the end.
fn position(index: i64, len: usize) -> Option<usize> {
    let len = i64::try_from(len).ok()?;
    let at = if index < 0 { index + len } else { index };
    usize::try_from(at).ok().filter(|_| at < len)
}

fn slice(items: &[Value], from: Option<i64>, to: Option<i64>, by: Option<i64>) -> Vec<&Value> {
    let len = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let bound = |it: i64| if it < 0 { it + len } else { it }.clamp(0, len);
    let (from, to) = (bound(from.unwrap_or(0)), bound(to.unwrap_or(len)));
    let by = usize::try_from(by.unwrap_or(1)).unwrap_or(1).max(1);
    let at = |n: i64| usize::try_from(n).unwrap_or_default();
    if from >= to {
        return vec![];
    }
    items[at(from)..at(to)].iter().step_by(by).collect()
}

fn descend<'v>(value: &'v Value, all: &mut Vec<&'v Value>) {
    all.push(value);
    match value {
        Value::Array(items) => items.iter().for_each(|it| descend(it, all)),
        Value::Object(map) => map.values().for_each(|it| descend(it, all)),
        _ => {}
    }
}

fn accepts(left: &Operand, operator: &str, right: &Operand, root: &Value, item: &Value) -> bool {
    fn value<'v>(operand: &'v Operand, root: &'v Value, item: &'v Value) -> Option<&'v Value> {
        match operand {
            Operand::Path(path) => walk(path, root, item).into_iter().next(),
            Operand::Value(value) => Some(value),
            Operand::Nothing => None,
        }
    }
    let Some(a) = value(left, root, item) else { return false };
    if operator == "exists" {
        return true;
    }
    let Some(b) = value(right, root, item) else { return false };
    let order = match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    };
    match operator {
        "==" => a == b || order.is_some_and(std::cmp::Ordering::is_eq),
        "!=" => a != b,
        "<" => order.is_some_and(std::cmp::Ordering::is_lt),
        "<=" => order.is_some_and(std::cmp::Ordering::is_le),
        ">" => order.is_some_and(std::cmp::Ordering::is_gt),
        _ => order.is_some_and(std::cmp::Ordering::is_ge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_print_what_kubectl_prints() {
        let value = json!({"items": [
            {"n": "a", "l": {"x.y/z": 1}, "c": [{"i": "p"}, {"i": "q"}]},
            {"n": "b", "c": [{"i": "r"}]},
        ]});
        let check = |template: &str, expected: &str| {
            assert_eq!(Template::parse(template).unwrap().print(&value), expected, "{template}");
        };
        check("{.items[*].n}", "a b");
        check("{.items[0].n}-{.items[-1].n}", "a-b");
        check("{.items[0:1].n}", "a");
        check("{.items[?(@.n==\"b\")].c[*].i}", "r");
        check("{range .items[*]}{.n}{\"\\t\"}{.c[*].i}{\"\\n\"}{end}", "a\tp q\nb\tr\n");
        check("{.items[0].l}", "{\"x.y/z\":1}");
        check("{.items[0].l.x\\.y/z}", "1");
        check("{.items[0].l['x.y/z']}", "1");
        check("{..i}", "p q r");
        check("{.nope}", "");
        let error = Template::parse("{.spec").unwrap_err();
        assert_eq!(error, "error parsing jsonpath {.spec, unclosed action");
        let refused = |template: &str, why: &str| match Template::parse(template) {
            Ok(it) => assert_eq!(it.refusal(&value).as_deref(), Some(why), "{template}"),
            Err(it) => assert_eq!(it, format!("error parsing jsonpath {template}, {why}")),
        };
        refused("{.items[", "unterminated array");
        refused("{.items[2].n}", "array index out of bounds: index 2, length 2");
        refused("{.items[-3].n}", "array index out of bounds: index -1, length 2");
        refused("{.items[0:9].n}", "array index out of bounds: index 8, length 2");
        refused("{.items[2:1].n}", "array index out of bounds: index 2, length 2");
        refused("{.items[0:2:0].n}", "step must be > 0");
        refused("{.items[0].l[0]}", "map[string]interface {} is not array or slice");
        refused("{items}", "unrecognized identifier items");
        refused("{.items[?(@.n==b)].n}", "unrecognized identifier b");
        refused("{.items[?(@.n=~\"b\")].n}", "unrecognized character in action: U+007E '~'");
        refused("{.items[?(@.n=\"b\")].n}", "unrecognized filter operator =");
        refused("{\\n}", "unrecognized character in action: U+005C '\\'");
    }

    #[test]
    fn a_path_finds_in_an_object_what_it_finds_in_all_of_it() {
        let pod = json!({
            "metadata": {"name": "a", "labels": {"app.io/x": "y"}},
            "spec": {"nodeName": "n", "containers": [
                {"name": "c", "image": "i"}, {"name": "d", "image": "j", "ports": [{"containerPort": 80}]},
            ]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        });
        let pod = api::wire::object_from_value(api::Kind::Pod, &pod).unwrap();
        let whole = sent::object_value(&pod);
        for (path, n_found) in [
            ("{.metadata.name}", 1),
            ("{.metadata}", 1),
            ("{.metadata.labels.app\\.io/x}", 1),
            ("{.metadata.labels.other}", 0),
            ("{.spec.nodeName}", 1),
            ("{.spec.containers[*].image}", 2),
            ("{.spec.containers[1].ports[0].containerPort}", 1),
            ("{.spec.containers[0].resources}", 1),
            ("{.spec.containers[?(@.name==\"d\")].image}", 1),
            ("{.spec.containers[?(@.name!=$.metadata.name)].image}", 2),
            ("{.status.conditions[0].lastProbeTime}", 1),
            ("{.status['phase','podIP']}", 1),
            ("{.kind}", 1),
            ("{..name}", 3),
            ("{.spec.*}", 2),
        ] {
            let template = Template::parse(path).unwrap();
            let found = template.find_in(&pod);
            assert_eq!(found, template.find(&whole), "{path}");
            assert_eq!(found.len(), n_found, "{path}: {found:?}");
        }
    }
}
