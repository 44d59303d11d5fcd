//! Go's templates: `-o go-template=...`.
//!
//! Upstream: Go's `text/template`; `staging/src/k8s.io/cli-runtime/pkg/printers/template.go`, v1.36.

mod format;
mod functions;
mod lex;
mod parse;
mod pipe;
mod run;
mod value;

use serde_json::Value;

use crate::failure::Failure;
use parse::Kind;
use value::Item;

/// Why a template cannot be read or carried out.
#[derive(Debug)]
struct Mistake(String);

impl Mistake {
    /// At a byte of the template.
    fn at(template: &str, at: usize, why: impl Into<String>) -> Self {
        let (line, _) = place(template, at);
        Self(format!("template: output:{line}: {}", why.into()))
    }

    fn executing(template: &str, name: &str, at: usize, context: &str, why: &str) -> Self {
        let (line, column) = place(template, at);
        let name = api::fields::quote(if name.is_empty() { "output" } else { name });
        Self(format!("template: output:{line}:{column}: executing {name} at <{context}>: {why}"))
    }
}

/// The line, from 1, and the column, from 0, of a byte.
fn place(template: &str, at: usize) -> (usize, usize) {
    let before = template.as_bytes().get(..at).unwrap_or_default();
    let n_lines = before.split(|it| *it == b'\n').count();
    let last = before.rsplit(|it| *it == b'\n').next().map_or(0, <[u8]>::len);
    (n_lines, last)
}

/// A number as Go writes them.
fn number(text: &str) -> Option<Kind> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let lower = digits.to_ascii_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)];
    let of_radix = radix
        .iter()
        .find_map(|(before, radix)| Some((lower.strip_prefix(before)?.to_owned(), *radix)));
    let octal = lower.strip_prefix('0').filter(|it| !it.is_empty());
    let octal = octal.filter(|it| it.bytes().all(|it| matches!(it, b'0'..=b'7')));
    let (digits, radix) = match (of_radix, octal) {
        (Some(it), _) => it,
        (None, Some(digits)) => (digits.to_owned(), 8),
        (None, None) => (lower, 10),
    };
    if let Ok(n) = i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        return Some(Kind::Int(n));
    }
    let is_decimal = radix == 10
        && digits.bytes().all(|it| it.is_ascii_digit() || matches!(it, b'.' | b'e' | b'+' | b'-'));
    let float = format!("{sign}{digits}").parse::<f64>().ok().filter(|it| it.is_finite())?;
    // `1e3` is a whole number where one is wanted, which here nobody does.
    is_decimal.then_some(Kind::Float(float))
}

/// Prints a value through a template.
///
/// # Errors
/// A template that cannot be read, or one that does not fit: then with what was printed before, and
/// with what helps to see why.
pub(crate) fn print(template: &str, value: &Value) -> Result<String, Failure> {
    let templates = lex::items(template).and_then(|items| parse::parse(template, items));
    let templates = templates.map_err(|Mistake(why)| {
        Failure::Text(format!("error parsing template {template}, {why}"))
    })?;
    let mut runner = run::Runner::new(template, &templates);
    let Err(Mistake(why)) = runner.run(value) else { return Ok(runner.out) };
    let shown = format::plain(&Item::Of(value));
    let before = std::mem::take(&mut runner.out);
    let printed = format!(
        "{before}Error executing template: {why}. Printing more information for debugging the \
         template:\n\ttemplate was:\n\t\t{template}\n\traw data was:\n\t\t{value}\n\tobject given to \
         template engine was:\n\t\t{shown}\n\n"
    );
    let quoted = api::fields::quote(template);
    let failure = Failure::Text(format!("error executing template {quoted}: {why}"));
    Err(Failure::After(printed, Box::new(failure)))
}

#[cfg(test)]
mod tests;
