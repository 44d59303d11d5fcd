//! The functions that templates know.
//!
//! Upstream: Go's `text/template/funcs.go`; `exists` and `base64decode` of
//! `staging/src/k8s.io/cli-runtime/pkg/printers/template.go`, v1.36.

use std::cmp::Ordering;

use serde_json::Value;

use super::format;
use super::value::{Form, Item};

/// Their names. `and` and `or` are evaluated by who calls, who stops where the answer is known.
pub(super) const NAMES: [&str; 21] = [
    "and",
    "base64decode",
    "call",
    "eq",
    "exists",
    "ge",
    "gt",
    "html",
    "index",
    "js",
    "le",
    "len",
    "lt",
    "ne",
    "not",
    "or",
    "print",
    "printf",
    "println",
    "slice",
    "urlquery",
];

/// How many arguments a function wants, and whether it takes more.
pub(super) fn wanted(name: &str) -> (usize, bool) {
    match name {
        "len" | "not" | "base64decode" => (1, false),
        "ne" | "lt" | "le" | "gt" | "ge" => (2, false),
        "print" | "println" | "html" | "js" | "urlquery" => (0, true),
        _ => (1, true),
    }
}

type Answer<'a> = Result<Item<'a>, String>;

/// Calls a function with as many arguments as it wants.
pub(super) fn call<'a>(name: &str, all: &[Item<'a>]) -> Answer<'a> {
    let first = all.first().unwrap_or(&Item::Nothing);
    let second = all.get(1).unwrap_or(&Item::Nothing);
    let rest = all.get(1..).unwrap_or_default();
    let truth = |it: bool| Ok(Item::Own(it.into()));
    match name {
        "len" => len(first),
        "not" => truth(!first.is_true()),
        "eq" => truth(is_equal(first, rest)?),
        "ne" => truth(!is_equal(first, rest)?),
        "lt" => truth(is_less(first, second)?),
        "le" => truth(is_less(first, second)? || is_equal(first, rest)?),
        "gt" => truth(!(is_less(first, second)? || is_equal(first, rest)?)),
        "ge" => truth(!is_less(first, second)?),
        "index" => index(first, rest),
        "slice" => slice(first, rest),
        "exists" => {
            let found =
                rest.iter().try_fold(first.clone(), |at, key| step(&at, key).ok().flatten());
            truth(found.is_some())
        }
        "print" => Ok(Item::text(format::print(all))),
        "println" => Ok(Item::text(format::print_line(all))),
        "printf" => match first.form() {
            Form::Text(text) => Ok(Item::text(format::printf(text, rest))),
            _ => Ok(Item::Nothing),
        },
        "html" => Ok(Item::text(html(&format::print(all)))),
        "js" => Ok(Item::text(js(&format::print(all)))),
        "urlquery" => Ok(Item::text(urlquery(&format::print(all)))),
        "base64decode" => base64decode(first),
        _ => Ok(Item::Nothing),
    }
}

fn int(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn len<'a>(item: &Item<'a>) -> Answer<'a> {
    Ok(Item::Int(int(match item.form() {
        Form::Text(it) => it.len(),
        Form::List(it) => it.len(),
        Form::Map(it) => it.len(),
        Form::Nothing => {
            return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
        }
        _ => return Err(format!("len of type {}", item.type_name())),
    })))
}

/// What stands at a key of a map or a place of a list; none if it has no such key.
fn step<'a>(item: &Item<'a>, key: &Item<'a>) -> Result<Option<Item<'a>>, String> {
    let found = match (item.form(), key.form()) {
        (Form::Nothing, _) => return Err("index of nil pointer".to_owned()),
        (Form::List(all), Form::Int(n)) => {
            let at = usize::try_from(n).ok().filter(|it| *it < all.len());
            let at = at.ok_or_else(|| format!("index out of range: {n}"))?;
            item.part(|it| it.get(at))
        }
        (Form::Text(text), Form::Int(n)) => {
            let byte = usize::try_from(n).ok().and_then(|it| text.as_bytes().get(it));
            let byte = byte.ok_or_else(|| format!("index out of range: {n}"))?;
            Item::Int(i64::from(*byte))
        }
        (Form::List(_) | Form::Text(_), Form::Nothing) => {
            return Err("cannot index slice/array with nil".to_owned());
        }
        (Form::List(_) | Form::Text(_), _) => {
            return Err(format!("cannot index slice/array with type {}", key.type_name()));
        }
        (Form::Map(map), Form::Text(name)) => {
            if !map.contains_key(name) {
                return Ok(None);
            }
            item.part(|it| it.get(name))
        }
        (Form::Map(_), Form::Nothing) => {
            return Err("value is nil; should be of type string".to_owned());
        }
        (Form::Map(_), _) => {
            return Err(format!("value has type {}; should be string", key.type_name()));
        }
        _ => return Err(format!("can't index item of type {}", item.type_name())),
    };
    Ok(Some(found))
}

fn index<'a>(item: &Item<'a>, keys: &[Item<'a>]) -> Answer<'a> {
    if matches!(item.form(), Form::Nothing) {
        return Err("index of untyped nil".to_owned());
    }
    let mut at = item.clone();
    for key in keys {
        at = step(&at, key)?.unwrap_or(Item::Nothing);
    }
    Ok(at)
}

fn slice<'a>(item: &Item<'a>, places: &[Item<'a>]) -> Answer<'a> {
    let length = match item.form() {
        Form::Nothing => return Err("slice of untyped nil".to_owned()),
        _ if places.len() > 3 => {
            return Err(format!("too many slice indexes: {}", places.len()));
        }
        Form::Text(_) if places.len() == 3 => {
            return Err("cannot 3-index slice a string".to_owned());
        }
        Form::Text(it) => it.len(),
        Form::List(it) => it.len(),
        _ => return Err(format!("can't slice item of type {}", item.type_name())),
    };
    let mut bounds = [0, length, length];
    for (place, bound) in places.iter().zip(&mut bounds) {
        let n = match place.form() {
            Form::Int(it) => it,
            Form::Nothing => return Err("cannot index slice/array with nil".to_owned()),
            _ => {
                let type_name = place.type_name();
                return Err(format!("cannot index slice/array with type {type_name}"));
            }
        };
        let at = usize::try_from(n).ok().filter(|it| *it <= length);
        *bound = at.ok_or_else(|| format!("index out of range: {n}"))?;
    }
    let [from, to, capacity] = bounds;
    for (low, high) in [(from, to), (to, capacity)] {
        if low > high {
            return Err(format!("invalid slice index: {low} > {high}"));
        }
    }
    Ok(match item.form() {
        Form::Text(it) => {
            let bytes = it.as_bytes().get(from..to).unwrap_or_default();
            Item::text(String::from_utf8_lossy(bytes))
        }
        Form::List(it) => Item::Own(Value::Array(it[from..to].to_vec())),
        _ => Item::Nothing,
    })
}

/// What can be compared: the kind of a value, and the value.
#[derive(PartialEq)]
enum Basic<'b> {
    Nothing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'b str),
    Other,
}

fn basic<'b>(item: &'b Item<'_>) -> Basic<'b> {
    match item.form() {
        Form::Nothing => Basic::Nothing,
        Form::Bool(it) => Basic::Bool(it),
        Form::Int(it) => Basic::Int(it),
        Form::Float(it) => Basic::Float(it),
        Form::Text(it) => Basic::Text(it),
        Form::List(_) | Form::Map(_) => Basic::Other,
    }
}

fn incompatible(a: &Item<'_>, b: &Item<'_>) -> String {
    let (a, b) = (a.type_name(), b.type_name());
    format!("incompatible types for comparison: {a} and {b}")
}

fn is_equal(first: &Item<'_>, rest: &[Item<'_>]) -> Result<bool, String> {
    let not_comparable =
        |it: &Item<'_>| format!("non-comparable type {}: {}", format::plain(it), it.type_name());
    let a = basic(first);
    if a == Basic::Other {
        return Err(not_comparable(first));
    }
    if rest.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for item in rest {
        let b = basic(item);
        let is_same_kind = std::mem::discriminant(&a) == std::mem::discriminant(&b);
        if b == Basic::Other && a != Basic::Nothing {
            return Err(incompatible(first, item));
        }
        if is_same_kind && a == b {
            return Ok(true);
        }
        if !is_same_kind && a != Basic::Nothing && b != Basic::Nothing {
            return Err(incompatible(first, item));
        }
    }
    Ok(false)
}

fn is_less(a: &Item<'_>, b: &Item<'_>) -> Result<bool, String> {
    let bad = || Err("invalid type for comparison".to_owned());
    let order = match (basic(a), basic(b)) {
        (Basic::Other | Basic::Nothing, _) | (_, Basic::Other | Basic::Nothing) => return bad(),
        (Basic::Int(a), Basic::Int(b)) => a.cmp(&b),
        (Basic::Text(a), Basic::Text(b)) => a.cmp(b),
        (Basic::Float(a), Basic::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Greater),
        (Basic::Bool(_), Basic::Bool(_)) => return bad(),
        _ => return Err(incompatible(a, b)),
    };
    Ok(order.is_lt())
}

fn html(text: &str) -> String {
    let escaped = |c: char| match c {
        '\0' => "\u{fffd}".to_owned(),
        '"' => "&#34;".to_owned(),
        '\'' => "&#39;".to_owned(),
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        _ => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

fn js(text: &str) -> String {
    let escaped = |c: char| match c {
        '\\' | '\'' | '"' => format!("\\{c}"),
        '<' | '>' | '&' | '=' => format!("\\u{:04X}", u32::from(c)),
        _ if c.is_control() && c.is_ascii() => format!("\\u{:04X}", u32::from(c)),
        _ => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

fn urlquery(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn base64decode<'a>(item: &Item<'a>) -> Answer<'a> {
    let Form::Text(text) = item.form() else { return Ok(Item::text("")) };
    let decoded = serde_json::from_value::<k8s_openapi::ByteString>(text.into());
    match decoded {
        Ok(bytes) => Ok(Item::text(String::from_utf8_lossy(&bytes.0))),
        Err(_) => {
            let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
            // A text that ends too early is wrong from its last group on.
            let at = text.find(|c| !is_part(c)).unwrap_or(text.len() / 4 * 4);
            Err(format!("base64 decode failed: illegal base64 data at input byte {at}"))
        }
    }
}
