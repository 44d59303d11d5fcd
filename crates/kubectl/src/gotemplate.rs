//! The part of Go's templates that people use with kubectl: fields, variables, `range`, `if`, a
//! few functions, texts.
//!
//! Upstream: Go's `text/template`; `staging/src/k8s.io/cli-runtime/pkg/printers/template.go`, v1.36.
//! Differs from upstream: `with`, `block`, `template` and formatting functions are refused.

use serde_json::Value;

use crate::failure::Failure;
use crate::output_format::go_text;

#[derive(Debug)]
enum Part {
    Text(String),
    Value(String),
    Range(String, Vec<Part>, Vec<Part>),
    If(String, Vec<Part>, Vec<Part>),
}

/// Prints a value through a template.
pub(crate) fn print(template: &str, value: &Value) -> Result<String, Failure> {
    let told = |failure: Failure| match failure {
        Failure::Text(why) => Failure::Text(format!("error parsing template {template}, {why}")),
        other => other,
    };
    let mut out = String::new();
    let parts = tokens(template).and_then(|tokens| {
        let (parts, end) = parse(&mut tokens.into_iter())?;
        match end {
            Some(word) => Err(fail(&format!("unexpected {{{{{word}}}}}"))),
            None => Ok(parts),
        }
    });
    let mut variables = vec![("$".to_owned(), value.clone())];
    execute(&parts.map_err(told)?, value, &mut variables, &mut out).map_err(told)?;
    Ok(out)
}

fn fail(why: &str) -> Failure {
    Failure::Text(format!("template: output:1: {why}"))
}

enum Token {
    Text(String),
    Action(String),
}

fn tokens(template: &str) -> Result<Vec<Token>, Failure> {
    let mut tokens = vec![];
    let mut rest = template;
    while let Some(at) = rest.find("{{") {
        let (text, after) = rest.split_at(at);
        let end = after.find("}}").ok_or_else(|| fail("unclosed action"))?;
        let action = &after[2..end];
        let trims_left = action.starts_with("- ");
        let text = if trims_left { text.trim_end() } else { text };
        tokens.push(Token::Text(text.to_owned()));
        let inner = action.strip_prefix('-').unwrap_or(action);
        let trims_right = inner.ends_with(" -");
        tokens.push(Token::Action(inner.trim_end_matches('-').trim().to_owned()));
        rest = &after[end + 2..];
        if trims_right {
            rest = rest.trim_start();
        }
    }
    tokens.push(Token::Text(rest.to_owned()));
    Ok(tokens)
}

/// Reads parts up to `end` or `else`, which is returned.
fn parse(tokens: &mut std::vec::IntoIter<Token>) -> Result<(Vec<Part>, Option<String>), Failure> {
    let mut parts = vec![];
    while let Some(token) = tokens.next() {
        let action = match token {
            Token::Text(text) => {
                parts.push(Part::Text(text));
                continue;
            }
            Token::Action(action) => action,
        };
        if action == "end" || action == "else" {
            return Ok((parts, Some(action)));
        }
        let is_range = action.starts_with("range ");
        let subject = action.strip_prefix("range ").or_else(|| action.strip_prefix("if "));
        let Some(subject) = subject.map(|it| it.trim().to_owned()) else {
            parts.push(Part::Value(action));
            continue;
        };
        let (body, end) = parse(tokens)?;
        let (otherwise, end) = match end.as_deref() {
            Some("else") => parse(tokens)?,
            _ => (vec![], end),
        };
        if end.as_deref() != Some("end") {
            return Err(fail("unexpected EOF"));
        }
        parts.push(match is_range {
            true => Part::Range(subject, body, otherwise),
            false => Part::If(subject, body, otherwise),
        });
    }
    Ok((parts, None))
}

/// Variables, the last first.
type Variables = Vec<(String, Value)>;

fn execute(
    parts: &[Part],
    dot: &Value,
    variables: &mut Variables,
    out: &mut String,
) -> Result<(), Failure> {
    let n_outside = variables.len();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Value(expression) => {
                if let Some((name, expression)) = assignment(expression) {
                    let value = pipeline(expression, dot, variables)?.unwrap_or_default();
                    variables.push((name.to_owned(), value));
                    continue;
                }
                match pipeline(expression, dot, variables)? {
                    Some(value) => out.push_str(&shown(&value)),
                    None => out.push_str("<no value>"),
                }
            }
            Part::Range(subject, body, otherwise) => {
                let (names, subject) = match subject.split_once(":=") {
                    Some((names, subject)) => (names, subject.trim()),
                    None => ("", subject.as_str()),
                };
                let items: Vec<(Value, Value)> = match pipeline(subject, dot, variables)? {
                    Some(Value::Array(items)) => {
                        items.into_iter().enumerate().map(|(n, it)| (n.into(), it)).collect()
                    }
                    Some(Value::Object(map)) => {
                        map.into_iter().map(|(key, value)| (key.into(), value)).collect()
                    }
                    _ => vec![],
                };
                let names: Vec<&str> =
                    names.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
                for (key, item) in &items {
                    let n_before = variables.len();
                    match names[..] {
                        [value] => variables.push((value.to_owned(), item.clone())),
                        [first, value, ..] => {
                            variables.push((first.to_owned(), key.clone()));
                            variables.push((value.to_owned(), item.clone()));
                        }
                        [] => {}
                    }
                    execute(body, item, variables, out)?;
                    variables.truncate(n_before);
                }
                if items.is_empty() {
                    execute(otherwise, dot, variables, out)?;
                }
            }
            Part::If(subject, body, otherwise) => {
                let truth = pipeline(subject, dot, variables)?.is_some_and(|it| is_true(&it));
                execute(if truth { body } else { otherwise }, dot, variables, out)?;
            }
        }
    }
    variables.truncate(n_outside);
    Ok(())
}

/// `$x := expression`.
fn assignment(expression: &str) -> Option<(&str, &str)> {
    let (name, expression) = expression.split_once(":=")?;
    Some((name.trim(), expression.trim())).filter(|it| it.0.starts_with('$'))
}

/// A value as the template prints it: its numbers are floating point.
fn shown(value: &Value) -> String {
    const FIRST_WITH_EXPONENT: f64 = 1e6;
    match value.as_f64() {
        Some(number) if number.abs() >= FIRST_WITH_EXPONENT => {
            let text = format!("{number:e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{digits}e+{exponent:0>2}")
        }
        _ => go_text(value),
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(it) => *it,
        Value::Number(it) => it.as_f64() != Some(0.0),
        Value::String(it) => !it.is_empty(),
        Value::Array(it) => !it.is_empty(),
        Value::Object(it) => !it.is_empty(),
    }
}

/// The parts of an expression at a letter that stands in no text and no parentheses.
fn split(expression: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quote) = (vec![], 0, 0_usize, None);
    let mut escaped = false;
    for (n, c) in expression.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, c) if c == at && depth == 0 => {
                parts.push(&expression[start..n]);
                start = n + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&expression[start..]);
    parts.into_iter().map(str::trim).filter(|it| !it.is_empty()).collect()
}

/// `a | b`: the value of a command is the last argument of the next.
fn pipeline(
    expression: &str,
    dot: &Value,
    variables: &Variables,
) -> Result<Option<Value>, Failure> {
    let mut value = None;
    for (n, command) in split(expression, '|').into_iter().enumerate() {
        let words = split(command, ' ');
        let Some((first, rest)) = words.split_first() else {
            return Err(fail("missing value for command"));
        };
        let mut arguments = vec![];
        for word in rest {
            arguments.push(operand(word, dot, variables)?);
        }
        if n > 0 {
            arguments.push(value.take());
        }
        value = match first.starts_with(|it: char| it.is_alphabetic()) {
            true if !matches!(*first, "true" | "false" | "nil") => function(first, arguments)?,
            _ => operand(first, dot, variables)?,
        };
    }
    Ok(value)
}

fn function(name: &str, arguments: Vec<Option<Value>>) -> Result<Option<Value>, Failure> {
    let mut all = arguments.into_iter().map(Option::unwrap_or_default);
    let first = all.next().unwrap_or_default();
    let number = |it: &Value| it.as_f64().unwrap_or_default();
    Ok(Some(match name {
        "len" => Value::from(match &first {
            Value::Array(it) => it.len(),
            Value::Object(it) => it.len(),
            Value::String(it) => it.len(),
            _ => 0,
        }),
        "not" => (!is_true(&first)).into(),
        "and" => all.fold(first, |it, next| if is_true(&it) { next } else { it }),
        "or" => all.fold(first, |it, next| if is_true(&it) { it } else { next }),
        "eq" => all.any(|it| it == first).into(),
        "ne" => all.next().is_some_and(|it| it != first).into(),
        "lt" => all.next().is_some_and(|it| number(&first) < number(&it)).into(),
        "le" => all.next().is_some_and(|it| number(&first) <= number(&it)).into(),
        "gt" => all.next().is_some_and(|it| number(&first) > number(&it)).into(),
        "ge" => all.next().is_some_and(|it| number(&first) >= number(&it)).into(),
        "index" => {
            let step = |it: Value, key: Value| match (&key, key.as_u64()) {
                (Value::String(key), _) => it.get(key).cloned(),
                (_, Some(n)) => it.get(usize::try_from(n).ok()?).cloned(),
                _ => None,
            };
            let mut found = Some(first);
            for key in all {
                found = found.and_then(|it| step(it, key));
            }
            return Ok(found);
        }
        "exists" => {
            let mut at = Some(&first);
            let keys: Vec<Value> = all.collect();
            for key in &keys {
                at = at.and_then(|it| it.get(key.as_str()?));
            }
            at.is_some().into()
        }
        "print" => {
            std::iter::once(first).chain(all).map(|it| shown(&it)).collect::<String>().into()
        }
        "base64decode" => {
            let text = first.as_str().unwrap_or_default();
            let decoded = serde_json::from_value::<k8s_openapi::ByteString>(text.into());
            let bytes = decoded.map(|it| it.0).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned().into()
        }
        other => return Err(fail(&format!("function {other:?} not defined"))),
    }))
}

fn operand(word: &str, dot: &Value, variables: &Variables) -> Result<Option<Value>, Failure> {
    if let Some((inner, path)) = word.strip_prefix('(').and_then(|it| it.rsplit_once(')')) {
        let value = pipeline(inner, dot, variables)?;
        let mut keys = path.split('.').filter(|it| !it.is_empty());
        return Ok(value.and_then(|it| keys.try_fold(&it, |value, key| value.get(key)).cloned()));
    }
    if let Some(text) = word.strip_prefix('`').and_then(|it| it.strip_suffix('`')) {
        return Ok(Some(text.into()));
    }
    if word.starts_with('"') {
        let text: Result<String, _> = serde_json::from_str(word);
        return text
            .map(|it| Some(Value::String(it)))
            .map_err(|_| fail("unterminated quoted string"));
    }
    let (root, path) = match word.split_once('.') {
        Some((variable, path)) if variable.starts_with('$') => (variable, path),
        None if word.starts_with('$') => (word, ""),
        Some(("", path)) => ("", path),
        _ => {
            return match serde_json::from_str::<Value>(word) {
                Ok(it) => Ok(Some(it)),
                Err(_) if word == "nil" => Err(fail("nil is not a command")),
                Err(_) => Err(fail(&format!("function {word:?} not defined"))),
            };
        }
    };
    let base = match root {
        "" => dot,
        root => match variables.iter().rev().find(|it| it.0 == root) {
            Some((_, value)) => value,
            None => return Err(fail(&format!("undefined variable {root:?}"))),
        },
    };
    let mut keys = path.split('.').filter(|it| !it.is_empty());
    Ok(keys.try_fold(base, |value, key| value.get(key)).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_ranges_and_conditions_work() {
        let value = json!({"items": [{"n": "a", "l": []}, {"n": "b", "l": [1]}]});
        let check = |template: &str, expected: &str| {
            assert_eq!(print(template, &value).unwrap(), expected);
        };
        check("{{range .items}}{{.n}}{{\"\\n\"}}{{end}}", "a\nb\n");
        check("{{range .items}}{{if .l}}x{{else}}y{{end}}{{end}}", "yx");
        check("{{len .items}} {{.nope}}", "2 <no value>");
        check("{{range $n, $it := .items}}{{$n}}{{$it.n}}{{len $.items}} {{end}}", "0a2 1b2 ");
        check("{{$x := index .items 1}}{{if eq $x.n \"b\"}}yes{{end}}", "yes");
        check("{{(index .items 0).n}}{{.items | len}}{{print 1000000 20}}", "a21e+0620");
        check("{{range $k, $v := index .items 0}}{{$k}}={{$v}};{{end}}", "l=[];n=a;");
        let refused = |template: &str, why: &str| {
            let text = format!("error parsing template {template}, template: output:1: {why}");
            assert_eq!(print(template, &value).unwrap_err(), Failure::Text(text));
        };
        refused("{{foo .a}}", "function \"foo\" not defined");
        refused("{{.a", "unclosed action");
        refused("{{$y}}", "undefined variable \"$y\"");
        refused("{{end}}", "unexpected {{end}}");
    }
}
