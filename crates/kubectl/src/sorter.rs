//! `--sort-by`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/get/sorter.go`, v1.36.
//! Differs from upstream: equals come out as from a sort by insertion, because that is what Go does
//! with up to twelve objects, where their order is visible; with more Go leaves it open.

use std::borrow::Cow;
use std::cmp::Ordering;

use api::{
    Object,
    quantity::{self, Exact},
};
use serde_json::Value;

use crate::failure::Failure;
use crate::jsonpath::{self, Template};
use crate::resources;

/// Sorts objects by a field; those without it come first. `false` when no object has the field, in
/// which case kubectl shows no table.
pub(crate) fn sort<T: Clone>(
    objects: &mut Vec<T>,
    object: impl Fn(&T) -> &Object,
    path: &str,
) -> Result<bool, Failure> {
    let template = Template::parse(&jsonpath::relaxed(path)?).map_err(Failure::Text)?;
    let plain = template.plain_keys();
    let key = |it| Key::of(&template, plain.as_deref(), object(it));
    let keys: Vec<Key<'_>> = objects.iter().map(key).collect();
    if !objects.is_empty() && keys.iter().all(|it| matches!(it, Key::Absent)) {
        return Ok(false);
    }
    let order = merged((0..keys.len()).collect(), &|a: usize, b: usize| less(&keys[a], &keys[b]));
    *objects = order.into_iter().map(|at| objects[at].clone()).collect();
    Ok(true)
}

/// What an object is sorted by.
enum Key<'a> {
    Absent,
    /// A text, and the quantity that it may be.
    Text(Cow<'a, str>, Option<Exact>),
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

    fn text(text: Cow<'a, str>) -> Self {
        let quantity = quantity::parse(&text).ok();
        Self::Text(text, quantity)
    }
}

/// Sorts by merging, with the results of a sort by insertion. The library's sort is not for this:
/// it may panic where texts and quantities mix, whose order goes round in circles.
fn merged(mut order: Vec<usize>, less: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    if order.len() < 2 {
        return order;
    }
    let right = merged(order.split_off(order.len() / 2), less);
    let left = merged(order, less);
    let mut result = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(&a), Some(&b)) = (left.peek(), right.peek()) {
        result.extend(if less(b, a) { right.next() } else { left.next() });
    }
    result.extend(left.chain(right));
    result
}

/// Whether one comes before another; what is absent comes before everything.
fn less(a: &Key<'_>, b: &Key<'_>) -> bool {
    match (a, b) {
        (Key::Absent, _) => true,
        (_, Key::Absent) => false,
        (Key::Text(_, Some(a)), Key::Text(_, Some(b))) => a < b,
        (Key::Text(a, _), Key::Text(b, _)) => rows::natural(a, b) == Ordering::Less,
        (Key::Other(Value::Number(a)), Key::Other(Value::Number(b))) => {
            match (a.as_i64(), b.as_i64()) {
                (Some(a), Some(b)) => a < b,
                _ => a.as_f64() < b.as_f64(),
            }
        }
        (Key::Other(Value::Bool(a)), Key::Other(Value::Bool(b))) => !a & b,
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
            assert_eq!(merged((0..n).collect(), &less), inserted, "{n}");
        }
    }
}
