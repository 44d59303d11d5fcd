//! `--sort-by`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/get/sorter.go`, v1.36.
//! Differs from upstream: equals come out as from a sort by insertion, because that is what Go does
//! with up to twelve objects, where their order is visible; with more Go leaves it open.

use std::cmp::Ordering;

use api::{
    Object,
    quantity::{self, Exact},
};
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
    let keys: Vec<Key> =
        objects.iter().map(|it| Key::of(template.find_in(it).into_iter().next())).collect();
    if !objects.is_empty() && keys.iter().all(|it| matches!(it, Key::Absent)) {
        return Ok(false);
    }
    let order = merged((0..keys.len()).collect(), &|a: usize, b: usize| less(&keys[a], &keys[b]));
    let before = objects.to_vec();
    for (slot, at) in objects.iter_mut().zip(order) {
        *slot = before[at].clone();
    }
    Ok(true)
}

/// What an object is sorted by.
enum Key {
    Absent,
    /// A text, and the quantity that it may be.
    Text(String, Option<Exact>),
    Other(Value),
}

impl Key {
    fn of(value: Option<Value>) -> Self {
        match value {
            None => Self::Absent,
            Some(Value::String(text)) => {
                let quantity = quantity::parse(&text).ok();
                Self::Text(text, quantity)
            }
            Some(other) => Self::Other(other),
        }
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
fn less(a: &Key, b: &Key) -> bool {
    match (a, b) {
        (Key::Absent, _) => true,
        (_, Key::Absent) => false,
        (Key::Text(_, Some(a)), Key::Text(_, Some(b))) => a < b,
        (Key::Text(a, _), Key::Text(b, _)) => natural(a, b) == Ordering::Less,
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
    fn merging_leaves_equals_and_what_is_absent_as_insertion_does() {
        let keys: Vec<Key> = (0..200_u64)
            .map(|it| Key::of(Some(it * 7919 % 11).filter(|it| *it != 3).map(Value::from)))
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

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = ["a10", "a2", "b", "a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "a2", "a10", "b"]);
    }
}
