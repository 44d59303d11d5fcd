//! How templates are read.
//!
//! Upstream: `staging/src/k8s.io/client-go/util/jsonpath/parser.go`, v1.36.

use serde_json::Value;

use super::{Operand, Part, Step};

/// The end of an action: the brace outside of quotes.
pub(super) fn closing(body: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), c) if q == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}

/// An action may hold several expressions: `{.a .b}`, `{.a}`, `{"\n"}`.
pub(super) fn parse_action(action: &str, parts: &mut Vec<Part>) -> Result<(), String> {
    let mut rest = action.trim();
    while !rest.is_empty() {
        if let Some(quote) = rest.chars().next().filter(|it| matches!(it, '"' | '\'')) {
            let (text, after) = quoted(rest, quote)?;
            parts.push(Part::Text(text));
            rest = after.trim_start();
        } else {
            let end = path_end(rest);
            parts.push(Part::Path(parse_path(&rest[..end])?));
            rest = rest[end..].trim_start();
        }
    }
    Ok(())
}

/// Where a path ends: at a blank outside of brackets and quotes.
fn path_end(text: &str) -> usize {
    let (mut depth, mut quote) = (0_i32, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if depth > 0 => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth -= 1,
            (None, ' ') if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

/// A quoted text with Go's escapes, and what follows it.
fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((out, &text[at + c.len_utf8()..])),
            '\\' => match chars.next().map(|it| it.1) {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(c) => out.push(c),
                None => break,
            },
            c => out.push(c),
        }
    }
    Err("unterminated quoted string".to_owned())
}

pub(super) fn parse_path(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = vec![];
    let mut rest = text.strip_prefix('@').unwrap_or(text);
    if let Some(after) = rest.strip_prefix('$') {
        steps.push(Step::Root);
        rest = after;
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            steps.push(Step::Recursive);
            // `..name` is recursion and then a field.
            let end = field_end(after);
            if end > 0 {
                steps.push(field(&after[..end]));
            }
            rest = &after[end..];
        } else if let Some(after) = rest.strip_prefix('.') {
            let end = field_end(after);
            if end > 0 {
                steps.push(field(&after[..end]));
            }
            rest = &after[end..];
        } else if let Some(after) = rest.strip_prefix('[') {
            let end = bracket_end(after).ok_or("unterminated array")?;
            steps.push(bracket(after[..end].trim())?);
            rest = &after[end + 1..];
        } else {
            let end = field_end(rest);
            let first = rest.chars().next().unwrap_or_default();
            if end == 0 || !first.is_alphanumeric() && first != '_' {
                return Err(unrecognized(first));
            }
            if steps.is_empty() {
                steps.push(Step::Unknown(rest[..end].to_owned()));
                rest = &rest[end..];
                continue;
            }
            steps.push(field(&rest[..end]));
            rest = &rest[end..];
        }
    }
    Ok(steps)
}

/// As Go's `%#U`.
fn unrecognized(c: char) -> String {
    format!("unrecognized character in action: U+{:04X} '{c}'", u32::from(c))
}

fn field(name: &str) -> Step {
    if name == "*" { Step::Wildcard } else { Step::Field(name.replace('\\', "")) }
}

/// Where a field name ends; `\.` is part of it.
fn field_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '.' | '[' | ']' | '(' | ')' | ' ' => return at,
            _ => {}
        }
    }
    text.len()
}

fn bracket_end(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']' | ')') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn bracket(inside: &str) -> Result<Step, String> {
    if let Some(filter) = inside.strip_prefix("?(") {
        let filter = filter.strip_suffix(')').ok_or("unterminated filter")?;
        return parse_filter(filter);
    }
    if inside == "*" {
        return Ok(Step::Wildcard);
    }
    let parts = split_outside(inside, ',');
    if parts.len() > 1 {
        let steps = parts.iter().map(|it| bracket(it.trim())).collect::<Result<Vec<_>, _>>()?;
        return Ok(Step::Union(steps));
    }
    if let Some(quote) = inside.chars().next().filter(|it| matches!(it, '"' | '\'')) {
        return quoted(inside, quote).map(|it| Step::Field(it.0));
    }
    if inside.contains(':') {
        let bounds = inside
            .split(':')
            .map(|it| if it.is_empty() { Ok(None) } else { number(it).map(Some) })
            .collect::<Result<Vec<_>, _>>()?;
        let at = |n: usize| bounds.get(n).copied().flatten();
        return Ok(Step::Slice(at(0), at(1), at(2)));
    }
    number(inside).map(Step::Index)
}

fn number(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| format!("invalid array index {text}"))
}

fn split_outside(text: &str, separator: char) -> Vec<&str> {
    let mut quote = None;
    let mut parts = vec![];
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c == separator => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_filter(text: &str) -> Result<Step, String> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '=' | '!' | '<' | '>') => {
                let rest = &text[at..];
                let end = rest.find(|c| !matches!(c, '=' | '!' | '<' | '>'));
                let (operator, right) = rest.split_at(end.unwrap_or(rest.len()));
                let left = operand(text[..at].trim())?;
                return Ok(Step::Filter(left, operator.to_owned(), operand(right.trim())?));
            }
            _ => {}
        }
    }
    Ok(Step::Filter(operand(text.trim())?, "exists".to_owned(), Operand::Nothing))
}

fn operand(text: &str) -> Result<Operand, String> {
    if text.starts_with(['@', '.', '$']) {
        return parse_path(text).map(Operand::Path);
    }
    if let Some(quote) = text.chars().next().filter(|it| matches!(it, '"' | '\'')) {
        return quoted(text, quote).map(|it| Operand::Value(Value::String(it.0)));
    }
    match serde_json::from_str(text) {
        Ok(value) => Ok(Operand::Value(value)),
        Err(_) => match text.chars().next() {
            Some(c) if c.is_alphanumeric() || c == '_' => {
                Ok(Operand::Path(vec![Step::Unknown(text.to_owned())]))
            }
            Some(c) => Err(unrecognized(c)),
            None => Ok(Operand::Nothing),
        },
    }
}
