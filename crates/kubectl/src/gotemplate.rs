//! The part of Go's templates that people use with kubectl: fields, `range`, `if`, `len`, texts.
//!
//! Upstream: Go's `text/template`.
//! Differs from upstream: pipelines, variables and functions other than `len` are refused, because
//! JSONPath and columns do what they are used for.

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
    let mut tokens = tokens(template)?.into_iter();
    let (parts, end) = parse(&mut tokens)?;
    if let Some(word) = end {
        return Err(fail(&format!("unexpected {{{{{word}}}}}")));
    }
    let mut out = String::new();
    execute(&parts, value, &mut out)?;
    Ok(out)
}

fn fail(why: &str) -> Failure {
    Failure::Text(format!("error parsing template: template: output:1: {why}"))
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

fn execute(parts: &[Part], dot: &Value, out: &mut String) -> Result<(), Failure> {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Value(expression) => {
                let value = evaluate(expression, dot)?;
                out.push_str(&value.map_or_else(|| "<no value>".to_owned(), |it| go_text(&it)));
            }
            Part::Range(subject, body, otherwise) => {
                let items = match evaluate(subject, dot)? {
                    Some(Value::Array(items)) => items,
                    Some(Value::Object(map)) => map.values().cloned().collect(),
                    _ => vec![],
                };
                for item in &items {
                    execute(body, item, out)?;
                }
                if items.is_empty() {
                    execute(otherwise, dot, out)?;
                }
            }
            Part::If(subject, body, otherwise) => {
                let value = evaluate(subject, dot)?;
                let truth = value.is_some_and(|it| match it {
                    Value::Null => false,
                    Value::Bool(it) => it,
                    Value::Number(it) => it.as_f64() != Some(0.0),
                    Value::String(it) => !it.is_empty(),
                    Value::Array(it) => !it.is_empty(),
                    Value::Object(it) => !it.is_empty(),
                });
                execute(if truth { body } else { otherwise }, dot, out)?;
            }
        }
    }
    Ok(())
}

fn evaluate(expression: &str, dot: &Value) -> Result<Option<Value>, Failure> {
    if let Some(inner) = expression.strip_prefix("len ") {
        let n = match evaluate(inner.trim(), dot)? {
            Some(Value::Array(it)) => it.len(),
            Some(Value::Object(it)) => it.len(),
            Some(Value::String(it)) => it.len(),
            _ => 0,
        };
        return Ok(Some(Value::from(n)));
    }
    if expression.starts_with('"') {
        let text: Result<String, _> = serde_json::from_str(expression);
        return text
            .map(|it| Some(Value::String(it)))
            .map_err(|_| fail("unterminated quoted string"));
    }
    let Some(path) = expression.strip_prefix('.') else {
        let word = expression.split(' ').next().unwrap_or_default();
        return Err(fail(&format!("function {word:?} not defined")));
    };
    let keys = path.split('.').filter(|it| !it.is_empty());
    Ok(keys.into_iter().try_fold(dot, |value, key| value.get(key)).cloned())
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
        assert!(print("{{foo .a}}", &value).is_err());
    }
}
