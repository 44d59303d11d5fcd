//! `--sort-by`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/get/sorter.go`, v1.36.
//! Differs from upstream: equals come out as from a sort by insertion, because that is what Go does
//! with up to twelve objects, where their order is visible; with more Go leaves it open.

use std::borrow::Cow;

use api::quantity::{self, Exact};
use api::{Object, Timestamp};
use rows::{Listed, Texts};
use serde_json::Value;

use crate::failure::Failure;
use crate::jsonpath::{self, Template};
use crate::resources;

/// What upstream sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The rows of a table that the server made.
    Rows,
    Objects,
}

/// Sorts objects by a field; those without it come first. Refused when no object has the field or
/// it has no order.
pub(crate) fn sort(
    objects: &mut Vec<Listed<'_>>,
    path: &str,
    by: By,
    now: Timestamp,
) -> Result<(), Failure> {
    let relaxed = jsonpath::relaxed(path)?;
    let template = Template::parse(&relaxed).map_err(Failure::Text)?;
    let plain = template.plain_keys();
    if plain.as_deref() == Some(&["metadata", "name"])
        && let Some(names) = names(objects)
    {
        *objects = names.order().into_iter().map(|at| objects[at]).collect();
        return Ok(());
    }
    let seconds = |it: &Listed<'_>| {
        resources::plain_time(it.object, plain.as_deref()?).map(Timestamp::as_second)
    };
    if let Some(times) = objects.iter().map(seconds).collect::<Option<Vec<i64>>>() {
        *objects = rows::order_of_numbers(&times).into_iter().map(|at| objects[at]).collect();
        return Ok(());
    }
    let keys: Vec<Key<'_>> =
        objects.iter().map(|it| Key::of(&template, plain.as_deref(), it.object)).collect();
    if !objects.is_empty() && keys.iter().all(|it| matches!(it, Key::Absent)) {
        return Err(not_found(&relaxed));
    }
    if let Some(other) = keys.iter().find_map(Key::unsortable).filter(|_| keys.len() > 1) {
        let (list, line) = match by {
            By::Rows => ("[][][]reflect.Value", 375),
            By::Objects => ("*unstructured.Unstructured", 329),
        };
        let at = now.strftime("%m%d %H:%M:%S%.6f");
        return Err(Failure::Raw(format!(
            "F{at}       1 sorter.go:{line}] Field {relaxed} in {list} is an unsortable type: \
             interface, err: unsortable type: {other}\n"
        )));
    }
    // By name, or by another field that is a text in all.
    let texts: Option<Texts<'_>> = keys.iter().map(Key::plain_text).collect();
    let order = match texts {
        Some(texts) => texts.order(),
        None => rows::order(keys.len(), &|a: usize, b: usize| less(&keys[a], &keys[b])),
    };
    *objects = order.into_iter().map(|at| objects[at]).collect();
    Ok(())
}

/// No object has the field.
pub(crate) fn not_found(path: &str) -> Failure {
    let path = api::fields::quote(path);
    Failure::Text(format!("couldn't find any field with path {path} in the list of objects"))
}

/// The names of objects, if none looks like a quantity.
fn names<'a>(objects: &[Listed<'a>]) -> Option<Texts<'a>> {
    let mut names = Texts::with_capacity(objects.len());
    for Listed { name, .. } in objects {
        if name.is_empty() || may_be_quantity(name) {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

/// Whether a text begins as a quantity does.
fn may_be_quantity(text: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_digit() || "+-.".contains(it))
}

/// What an object is sorted by.
enum Key<'a> {
    Absent,
    /// A text, and the quantity that it may be.
    Text(Cow<'a, str>, Option<Box<Exact>>),
    Other(Value),
}

impl<'a> Key<'a> {
    /// What a template finds in an object; `plain` are its keys where it has nothing else.
    fn of(template: &Template, plain: Option<&[&str]>, object: &'a Object) -> Self {
        let field = plain.and_then(|keys| resources::plain_field(object, keys));
        match field.filter(|it| !it.is_empty()) {
            Some(text) => Self::text(Cow::Borrowed(text)),
            None => Self::of_value(template.find_in(object).into_iter().next()),
        }
    }

    fn of_value(value: Option<Value>) -> Self {
        match value {
            None => Self::Absent,
            Some(Value::String(text)) => Self::text(Cow::Owned(text)),
            Some(other) => Self::Other(other),
        }
    }

    /// The type in Go of what has no order.
    fn unsortable(&self) -> Option<&'static str> {
        match self {
            Self::Other(Value::Bool(_)) => Some("bool"),
            Self::Other(Value::Array(_)) => Some("[]interface {}"),
            Self::Other(Value::Object(_)) => Some("map[string]interface {}"),
            _ => None,
        }
    }

    fn plain_text(&self) -> Option<&str> {
        match self {
            Self::Text(text, None) => Some(text),
            _ => None,
        }
    }

    fn text(text: Cow<'a, str>) -> Self {
        let quantity = match may_be_quantity(&text) {
            true => quantity::parse(&text).ok().map(Box::new),
            false => None,
        };
        Self::Text(text, quantity)
    }
}

/// Whether one comes before another; what is absent comes before everything.
fn less(a: &Key<'_>, b: &Key<'_>) -> bool {
    match (a, b) {
        (Key::Absent, _) => true,
        (_, Key::Absent) => false,
        (Key::Text(_, Some(a)), Key::Text(_, Some(b))) => a < b,
        (Key::Text(a, _), Key::Text(b, _)) => rows::natural(a, b).is_lt(),
        (Key::Other(Value::Number(a)), Key::Other(Value::Number(b))) => {
            match (a.as_i64(), b.as_i64()) {
                (Some(a), Some(b)) => a < b,
                _ => a.as_f64() < b.as_f64(),
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_leaves_equals_and_what_is_absent_as_insertion_does() {
        let keys: Vec<Key<'_>> = (0..200_u64)
            .map(|it| Key::of_value(Some(it * 7919 % 11).filter(|it| *it != 3).map(Value::from)))
            .collect();
        let less = |a: usize, b: usize| less(&keys[a], &keys[b]);
        for n in 0..keys.len() {
            let mut inserted: Vec<usize> = (0..n).collect();
            for end in 1..n {
                let mut at = end;
                while at > 0 && less(inserted[at], inserted[at - 1]) {
                    inserted.swap(at, at - 1);
                    at -= 1;
                }
            }
            assert_eq!(rows::order(n, &less), inserted, "{n}");
        }
    }
}
