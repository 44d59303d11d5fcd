//! What upstream's engine refuses while it walks a value.
//!
//! Upstream: `staging/src/k8s.io/client-go/util/jsonpath/jsonpath.go`, v1.36.
//! Differs from upstream: what stands in unions is not looked at.

use serde_json::Value;

use super::{Operand, Part, Step, follow};

/// Why the parts of a template cannot be carried out on a value.
pub(super) fn refusal(parts: &[Part], value: &Value) -> Option<String> {
    // Most templates cannot fail, and a walk over all items is not for nothing.
    if can_fail(parts) { of_parts(parts, value, value) } else { None }
}

fn can_fail(parts: &[Part]) -> bool {
    let step = |it: &Step| {
        matches!(it, Step::Index(_) | Step::Slice(..) | Step::Filter(..) | Step::Unknown(_))
    };
    parts.iter().any(|it| match it {
        Part::Text(_) => false,
        Part::Path(path) => path.iter().any(step),
        Part::Range(path, inner) => path.iter().any(step) || can_fail(inner),
    })
}

fn of_parts(parts: &[Part], root: &Value, current: &Value) -> Option<String> {
    parts.iter().find_map(|part| {
        let (Part::Path(path) | Part::Range(path, _)) = part else { return None };
        let mut values = vec![current];
        for step in path {
            let why = match step {
                Step::Unknown(word) => Some(format!("unrecognized identifier {word}")),
                _ => values.iter().find_map(|it| of_step(step, root, it)),
            };
            if why.is_some() {
                return why;
            }
            values = values.into_iter().flat_map(|it| follow(step, root, it)).collect();
        }
        match part {
            Part::Range(_, inner) => values.iter().find_map(|it| of_parts(inner, root, it)),
            _ => None,
        }
    })
}

fn of_step(step: &Step, root: &Value, value: &Value) -> Option<String> {
    match (step, value) {
        (Step::Index(_) | Step::Slice(..), Value::Null) => None,
        (Step::Index(n), Value::Array(items)) => {
            // The last one is reached by one that is behind it, which counts from the end as well.
            bounds(Some(*n), Some(if *n == -1 { length(items) } else { n + 1 }), None, items)
        }
        (Step::Slice(from, to, by), Value::Array(items)) => bounds(*from, *to, *by, items),
        (Step::Index(_) | Step::Slice(..), other) => {
            let name = match other {
                Value::Bool(_) => "bool",
                Value::String(_) => "string",
                Value::Number(it) if it.is_f64() => "float64",
                Value::Number(_) => "int64",
                _ => "map[string]interface {}",
            };
            Some(format!("{name} is not array or slice"))
        }
        (Step::Filter(left, operator, right), Value::Array(items)) => {
            let first = items.first()?;
            let operand = |it: &Operand| match it {
                Operand::Path(path) => of_parts(&[Part::Path(path.clone())], root, first),
                Operand::Value(_) | Operand::Nothing => None,
            };
            let known = ["exists", "==", "!=", "<", "<=", ">", ">="].contains(&operator.as_str());
            let unknown = || (!known).then(|| format!("unrecognized filter operator {operator}"));
            operand(left).or_else(|| operand(right)).or_else(unknown)
        }
        _ => None,
    }
}

fn length(items: &[Value]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

/// Upstream: `evalArray`.
fn bounds(from: Option<i64>, to: Option<i64>, by: Option<i64>, items: &[Value]) -> Option<String> {
    let len = length(items);
    let from = from.unwrap_or(0);
    let from = if from < 0 { from.saturating_add(len) } else { from };
    let to = to.unwrap_or(len);
    let to = if to < 0 { to.saturating_add(len) } else { to };
    let beyond = |n: i64| Some(format!("array index out of bounds: index {n}, length {len}"));
    if from == to {
        None
    } else if from >= len || from < 0 {
        beyond(from)
    } else if to > len || to < 0 {
        beyond(to - 1)
    } else if from > to {
        Some(format!("starting index {from} is greater than ending index {to}"))
    } else if by.is_some_and(|it| it <= 0) {
        Some("step must be > 0".to_owned())
    } else {
        None
    }
}
