//! Tree to value.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use super::parse::{Function, Macro, Node, NodeKind};
use super::{CelError, Variables};
use crate::quantity::{self, Exact};

/// How many parts are looked at in one evaluation.
const MAX_STEPS: u32 = 20_000;

/// A value.
#[derive(Clone, Debug)]
pub enum Val<'a> {
    /// `null`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any number.
    Double(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// A list that the expression made.
    List(Vec<Val<'a>>),
    /// A list or a map of an object.
    Json(&'a Value),
    /// An amount of a resource.
    Quantity(Exact),
}

impl fmt::Display for Val<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(it) => write!(f, "{it}"),
            Self::Int(it) => write!(f, "{it}"),
            Self::Double(it) => write!(f, "{it}"),
            Self::Text(it) => write!(f, "\"{it}\""),
            Self::Json(it) => write!(f, "{it}"),
            Self::Quantity(it) => f.write_str(&it.to_quantity().0),
            Self::List(all) => {
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", all.join(", "))
            }
        }
    }
}

impl<'a> Val<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(it) => Self::Bool(*it),
            Value::Number(it) => match it.as_i64() {
                Some(it) => Self::Int(it),
                None => Self::Double(it.as_f64().unwrap_or_default()),
            },
            Value::String(it) => Self::Text(Cow::Borrowed(it)),
            it => Self::Json(it),
        }
    }

    /// As a number, where it is one.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "numbers are compared as the language does")]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(it) => Some(*it as f64),
            Self::Double(it) => Some(*it),
            _ => None,
        }
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (a, b) => a.number()?.partial_cmp(&b.number()?),
        }
    }

    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Quantity(a), Self::Quantity(b)) => a == b,
            (Self::Json(a), Self::Json(b)) => a == b,
            (Self::List(_) | Self::Json(_), Self::List(_) | Self::Json(_)) => {
                match (self.items(), other.items()) {
                    (Some(a), Some(b)) => {
                        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.equals(b))
                    }
                    _ => false,
                }
            }
            (a, b) => a.compare(b) == Some(Ordering::Equal),
        }
    }

    /// The items of a list, or the keys of a map.
    fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(all) => Some(all.clone()),
            Self::Json(Value::Array(all)) => Some(all.iter().map(Val::of).collect()),
            Self::Json(Value::Object(all)) => {
                Some(all.keys().map(|it| Self::Text(Cow::Borrowed(it))).collect())
            }
            _ => None,
        }
    }
}

type Result<T> = std::result::Result<T, CelError>;

struct Evaluation<'a> {
    variables: Vec<(&'a str, Val<'a>)>,
    n_steps: u32,
}

pub(super) fn evaluate<'a>(root: &'a Node, variables: &Variables<'a>) -> Result<Val<'a>> {
    let variables = variables.iter().map(|(name, value)| (*name, Val::of(value))).collect();
    Evaluation { variables, n_steps: 0 }.value(root)
}

fn fail<T>(at: usize, message: impl Into<String>) -> Result<T> {
    Err(CelError { at, message: message.into() })
}

fn no_overload<T>(at: usize, what: &str, a: &Val<'_>, b: &Val<'_>) -> Result<T> {
    fail(at, format!("{what} does not go with {a} and {b}"))
}

impl<'a> Evaluation<'a> {
    fn value(&mut self, node: &'a Node) -> Result<Val<'a>> {
        self.n_steps += 1;
        if self.n_steps > MAX_STEPS {
            return fail(node.at, "the expression costs too much");
        }
        let at = node.at;
        Ok(match &node.kind {
            NodeKind::Null => Val::Null,
            NodeKind::Bool(it) => Val::Bool(*it),
            NodeKind::Int(it) => Val::Int(*it),
            NodeKind::Double(it) => Val::Double(*it),
            NodeKind::Text(it) => Val::Text(Cow::Borrowed(it)),
            NodeKind::List(all) => {
                Val::List(all.iter().map(|it| self.value(it)).collect::<Result<_>>()?)
            }
            NodeKind::Variable(name) => {
                let found = self.variables.iter().rev().find(|(it, _)| it == name);
                match found {
                    Some((_, value)) => value.clone(),
                    None => return fail(at, format!("{name} has no value")),
                }
            }
            NodeKind::Field(of, name) => {
                let of = self.value(of)?;
                match field(&of, name) {
                    Some(it) => it,
                    None => return fail(at, format!("no such key: {name}")),
                }
            }
            NodeKind::Has(of, name) => {
                let of = self.value(of)?;
                Val::Bool(field(&of, name).is_some())
            }
            NodeKind::Index(two) => {
                let (of, index) = (self.value(&two.0)?, self.value(&two.1)?);
                index_of(at, &of, &index)?
            }
            NodeKind::Not(of) => match self.value(of)? {
                Val::Bool(it) => Val::Bool(!it),
                it => return fail(at, format!("! does not go with {it}")),
            },
            NodeKind::Minus(of) => match self.value(of)? {
                Val::Int(it) => match it.checked_neg() {
                    Some(it) => Val::Int(it),
                    None => return fail(at, "the number is too large"),
                },
                Val::Double(it) => Val::Double(-it),
                it => return fail(at, format!("- does not go with {it}")),
            },
            NodeKind::Choice(it) => match self.value(&it.0)? {
                Val::Bool(true) => self.value(&it.1)?,
                Val::Bool(false) => self.value(&it.2)?,
                it => return fail(at, format!("? does not go with {it}")),
            },
            NodeKind::Binary("&&", two) => self.logic(at, two, false)?,
            NodeKind::Binary("||", two) => self.logic(at, two, true)?,
            NodeKind::Binary(operator, two) => {
                let (a, b) = (self.value(&two.0)?, self.value(&two.1)?);
                binary(at, operator, a, b)?
            }
            NodeKind::Macro(which, two, variable) => {
                self.repeat(at, *which, &two.0, variable, &two.1)?
            }
            NodeKind::Call(function, values) => {
                let values = values.iter().map(|it| self.value(it)).collect::<Result<Vec<_>>>()?;
                call(at, *function, &values)?
            }
        })
    }

    /// `&&` and `||`: what one side decides holds even where the other is at fault.
    fn logic(&mut self, at: usize, two: &'a (Node, Node), decides: bool) -> Result<Val<'a>> {
        let first = self.value(&two.0);
        if matches!(first, Ok(Val::Bool(it)) if it == decides) {
            return Ok(Val::Bool(decides));
        }
        let second = self.value(&two.1);
        if matches!(second, Ok(Val::Bool(it)) if it == decides) {
            return Ok(Val::Bool(decides));
        }
        match (first?, second?) {
            (Val::Bool(_), Val::Bool(_)) => Ok(Val::Bool(!decides)),
            (a, b) => no_overload(at, if decides { "||" } else { "&&" }, &a, &b),
        }
    }

    fn repeat(
        &mut self,
        at: usize,
        which: Macro,
        list: &'a Node,
        variable: &'a str,
        body: &'a Node,
    ) -> Result<Val<'a>> {
        let list = self.value(list)?;
        let Some(items) = list.items() else { return fail(at, format!("{list} is no list")) };
        let mut kept = Vec::new();
        for item in items {
            self.variables.push((variable, item.clone()));
            let value = self.value(body);
            self.variables.pop();
            match (which, value?) {
                (Macro::Map, it) => kept.push(it),
                (Macro::Filter, Val::Bool(true)) => kept.push(item),
                (Macro::Exists, Val::Bool(true)) => return Ok(Val::Bool(true)),
                (Macro::All, Val::Bool(false)) => return Ok(Val::Bool(false)),
                (_, Val::Bool(_)) => {}
                (_, it) => return fail(body.at, format!("is {it}, not true or false")),
            }
        }
        Ok(match which {
            Macro::Map | Macro::Filter => Val::List(kept),
            Macro::Exists => Val::Bool(false),
            Macro::All => Val::Bool(true),
        })
    }
}

fn field<'a>(of: &Val<'a>, name: &str) -> Option<Val<'a>> {
    match of {
        Val::Json(Value::Object(it)) => it.get(name).map(Val::of),
        _ => None,
    }
}

fn index_of<'a>(at: usize, of: &Val<'a>, index: &Val<'_>) -> Result<Val<'a>> {
    let found = match (of, index) {
        (Val::Json(Value::Object(_)), Val::Text(key)) => field(of, key),
        (Val::Json(Value::Array(all)), Val::Int(at)) => {
            usize::try_from(*at).ok().and_then(|at| all.get(at)).map(Val::of)
        }
        (Val::List(all), Val::Int(at)) => {
            usize::try_from(*at).ok().and_then(|at| all.get(at)).cloned()
        }
        _ => return no_overload(at, "[]", of, index),
    };
    found.map_or_else(|| fail(at, format!("no such key: {index}")), Ok)
}

fn binary<'a>(at: usize, operator: &str, a: Val<'a>, b: Val<'a>) -> Result<Val<'a>> {
    let ordered = |is: fn(Ordering) -> bool| match a.compare(&b) {
        Some(it) => Ok(Val::Bool(is(it))),
        None => no_overload(at, operator, &a, &b),
    };
    match operator {
        "==" => Ok(Val::Bool(a.equals(&b))),
        "!=" => Ok(Val::Bool(!a.equals(&b))),
        "<" => ordered(Ordering::is_lt),
        "<=" => ordered(Ordering::is_le),
        ">" => ordered(Ordering::is_gt),
        ">=" => ordered(Ordering::is_ge),
        "in" => match b.items() {
            Some(all) => Ok(Val::Bool(all.iter().any(|it| it.equals(&a)))),
            None => no_overload(at, "in", &a, &b),
        },
        _ => arithmetic(at, operator, a, b),
    }
}

fn arithmetic<'a>(at: usize, operator: &str, a: Val<'a>, b: Val<'a>) -> Result<Val<'a>> {
    match (a, b) {
        (Val::Int(_), Val::Int(0)) if matches!(operator, "/" | "%") => fail(at, "division by zero"),
        (Val::Int(a), Val::Int(b)) => {
            let result = match operator {
                "+" => a.checked_add(b),
                "-" => a.checked_sub(b),
                "*" => a.checked_mul(b),
                "/" => a.checked_div(b),
                _ => a.checked_rem(b),
            };
            result.map_or_else(|| fail(at, "the number is too large"), |it| Ok(Val::Int(it)))
        }
        (Val::Double(a), Val::Double(b)) if operator != "%" => Ok(Val::Double(match operator {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            _ => a / b,
        })),
        (Val::Text(a), Val::Text(b)) if operator == "+" => {
            Ok(Val::Text(Cow::Owned(format!("{a}{b}"))))
        }
        (a @ (Val::List(_) | Val::Json(_)), b @ (Val::List(_) | Val::Json(_)))
            if operator == "+" =>
        {
            match (a.items(), b.items()) {
                (Some(mut all), Some(more)) => {
                    all.extend(more);
                    Ok(Val::List(all))
                }
                _ => no_overload(at, operator, &a, &b),
            }
        }
        (a, b) => no_overload(at, operator, &a, &b),
    }
}

fn call<'a>(at: usize, function: Function, values: &[Val<'a>]) -> Result<Val<'a>> {
    use Function as F;
    let first = values.first().unwrap_or(&Val::Null);
    let second = values.get(1).unwrap_or(&Val::Null);
    let count = |n: usize| Ok(Val::Int(i64::try_from(n).unwrap_or(i64::MAX)));
    match (function, first, second) {
        (F::Size | F::SizeOf, Val::Text(it), _) => count(it.chars().count()),
        (F::Size | F::SizeOf, it @ (Val::List(_) | Val::Json(_)), _) => {
            count(it.items().map_or(0, |it| it.len()))
        }
        (F::StartsWith, Val::Text(a), Val::Text(b)) => Ok(Val::Bool(a.starts_with(&**b))),
        (F::EndsWith, Val::Text(a), Val::Text(b)) => Ok(Val::Bool(a.ends_with(&**b))),
        (F::Contains, Val::Text(a), Val::Text(b)) => Ok(Val::Bool(a.contains(&**b))),
        (F::Text, it @ Val::Text(_), _) => Ok(it.clone()),
        (F::Text, Val::Quantity(it), _) => Ok(Val::Text(Cow::Owned(it.to_quantity().0))),
        (F::Text, it @ (Val::Int(_) | Val::Double(_) | Val::Bool(_)), _) => {
            Ok(Val::Text(Cow::Owned(it.to_string())))
        }
        (F::Int, it @ Val::Int(_), _) => Ok(it.clone()),
        #[expect(clippy::cast_possible_truncation, reason = "the bounds were looked at")]
        (F::Int, Val::Double(it), _) if it.abs() < 9.2e18 => Ok(Val::Int(*it as i64)),
        (F::Int, Val::Text(it), _) => match it.parse() {
            Ok(it) => Ok(Val::Int(it)),
            Err(_) => fail(at, format!("\"{it}\" is no whole number")),
        },
        (F::Double, Val::Text(it), _) => match it.parse() {
            Ok(it) => Ok(Val::Double(it)),
            Err(_) => fail(at, format!("\"{it}\" is no number")),
        },
        (F::Double, it, _) if it.number().is_some() => {
            Ok(Val::Double(it.number().unwrap_or_default()))
        }
        (F::Quantity, Val::Text(it), _) => match quantity::parse(it) {
            Ok(it) => Ok(Val::Quantity(it)),
            Err(_) => fail(at, format!("\"{it}\" is no quantity")),
        },
        (F::IsLessThan, Val::Quantity(a), Val::Quantity(b)) => Ok(Val::Bool(a < b)),
        (F::IsGreaterThan, Val::Quantity(a), Val::Quantity(b)) => Ok(Val::Bool(a > b)),
        (F::CompareTo, Val::Quantity(a), Val::Quantity(b)) => Ok(Val::Int(a.cmp(b) as i64)),
        (F::Add, Val::Quantity(a), Val::Quantity(b)) => Ok(Val::Quantity(a.plus(*b))),
        (F::Sub, Val::Quantity(a), Val::Quantity(b)) => Ok(Val::Quantity(a.minus(*b))),
        (F::AsInteger, Val::Quantity(it), _) => Ok(Val::Int(it.value())),
        #[expect(clippy::cast_precision_loss, reason = "it says that it is approximate")]
        (F::AsApproximateFloat, Val::Quantity(it), _) => {
            Ok(Val::Double(it.milli_value() as f64 / 1_000.0))
        }
        (_, a, Val::Null) => fail(at, format!("the function does not go with {a}")),
        (_, a, b) => no_overload(at, "the function", a, b),
    }
}
