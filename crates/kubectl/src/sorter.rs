//! `--sort-by`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/get/sorter.go`, v1.36.
//! Differs from upstream: any number of objects is sorted by insertion, because that is what Go does
//! with up to twelve, and its order of equals is visible.

use std::cmp::Ordering;

use api::{Object, quantity, sent};
use serde_json::Value;

use crate::failure::Failure;
use crate::jsonpath::{self, Template};

/// Sorts objects by a field; those without it come first.
pub(crate) fn sort(objects: &mut [Object], path: &str) -> Result<(), Failure> {
    sort_table(objects, path).map(|_| ())
}

/// As [`sort`]; `false` when no object has the field, in which case kubectl shows no table.
pub(crate) fn sort_table(objects: &mut [Object], path: &str) -> Result<bool, Failure> {
    let template = Template::parse(&jsonpath::relaxed(path)?).map_err(Failure::Text)?;
    let key = |it: &Object| template.find(&sent::object_value(it)).into_iter().next();
    let mut keyed: Vec<(Option<Value>, Object)> =
        objects.iter().map(|it| (key(it), it.clone())).collect();
    if !objects.is_empty() && keyed.iter().all(|it| it.0.is_none()) {
        return Ok(false);
    }
    for n in 1..keyed.len() {
        let mut at = n;
        while at > 0 && less(keyed[at].0.as_ref(), keyed[at - 1].0.as_ref()) {
            keyed.swap(at, at - 1);
            at -= 1;
        }
    }
    for (slot, (_, object)) in objects.iter_mut().zip(keyed) {
        *slot = object;
    }
    Ok(true)
}

/// Whether one value comes before another; what is absent comes before everything.
fn less(a: Option<&Value>, b: Option<&Value>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return a.is_none() };
    match (a, b) {
        (Value::String(a), Value::String(b)) => match (quantity::parse(a), quantity::parse(b)) {
            (Ok(a), Ok(b)) => a < b,
            _ => natural(a, b) == Ordering::Less,
        },
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a < b,
            _ => a.as_f64() < b.as_f64(),
        },
        (Value::Bool(a), Value::Bool(b)) => !a & b,
        _ => false,
    }
}

/// `a2` before `a10`. Upstream: `github.com/fvbommel/sortorder`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a.as_bytes(), b.as_bytes());
    while let (Some(&p), Some(&q)) = (x.first(), y.first()) {
        if p.is_ascii_digit() && q.is_ascii_digit() {
            let (m, after_m) = number(x);
            let (n, after_n) = number(y);
            match m.len().cmp(&n.len()).then_with(|| m.cmp(n)) {
                Ordering::Equal => (x, y) = (after_m, after_n),
                other => return other,
            }
        } else if p == q {
            (x, y) = (&x[1..], &y[1..]);
        } else {
            return p.cmp(&q);
        }
    }
    x.len().cmp(&y.len()).then_with(|| a.cmp(b))
}

/// The digits at the start without leading zeros, and the rest.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().take_while(|it| it.is_ascii_digit()).count();
    let zeros = text[..end].iter().take_while(|it| **it == b'0').count();
    (&text[zeros..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = ["a10", "a2", "b", "a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "a2", "a10", "b"]);
    }
}
