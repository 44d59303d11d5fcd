//! Go's words for JSON values that do not fit, and what would make them fit.

use super::node::{Data, Node};
use super::scalar::go_float;

/// What Go calls the type of a JSON value.
pub(super) fn json_type(node: &Node) -> &'static str {
    match node.data {
        Data::Null => "null",
        Data::Bool(_) => "bool",
        Data::Int(_) | Data::UInt(_) | Data::Float(_) => "number",
        Data::Str(_) => "string",
        Data::Seq(_) => "array",
        Data::Map(_) => "object",
    }
}

/// A number as JSON has it.
pub(super) fn literal(node: &Node) -> Option<String> {
    match node.data {
        Data::Int(it) => Some(it.to_string()),
        Data::UInt(it) => Some(it.to_string()),
        Data::Float(it) => Some(go_float(it)),
        _ => None,
    }
}

/// The words of Go's base64 for those of Rust's.
pub(super) fn go_words(message: &str, node: &Node) -> String {
    let offset = message.split_once("offset ").map(|(_, rest)| rest.trim_end_matches('.'));
    match offset {
        Some(offset) if message.starts_with("Invalid ") => {
            format!("illegal base64 data at input byte {offset}")
        }
        None if message.starts_with("Invalid ") => {
            // Go names the beginning of the last, incomplete group of four.
            let text = node.as_str().unwrap_or_default();
            let at = if text.ends_with('=') { text.len() } else { text.len() / 4 * 4 };
            format!("illegal base64 data at input byte {at}")
        }
        _ => message.to_owned(),
    }
}

/// What would make the value fit, as a sentence and as a text.
pub(super) fn mend(node: &Node, wanted: &str) -> (Option<String>, Option<String>) {
    let is_number = wanted.starts_with("int") || wanted.starts_with("uint") || wanted == "float64";
    match (&node.data, &node.raw) {
        (Data::Str(text), _) if is_number => match text.parse::<i64>() {
            Ok(_) => (Some("remove the quotes".to_owned()), Some(text.clone())),
            Err(_) => (Some("a whole number is wanted here".to_owned()), None),
        },
        (Data::Str(text), _) if wanted == "bool" => {
            let value = match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => Some("true"),
                "false" | "no" | "off" => Some("false"),
                _ => None,
            };
            let hint = "true or false is wanted here, without quotes".to_owned();
            (Some(hint), value.map(str::to_owned))
        }
        (Data::Bool(it), Some(raw)) if !wanted.starts_with(['[', 'm', 'b', 'i']) => {
            let hint = if raw.len() < 4 || !raw.eq_ignore_ascii_case(&it.to_string()) {
                format!("YAML reads {raw} as {it}: put it in quotes")
            } else {
                "put it in quotes".to_owned()
            };
            (Some(hint), Some(format!("\"{raw}\"")))
        }
        (Data::Int(_) | Data::UInt(_) | Data::Float(_), Some(raw))
            if !is_number && !wanted.starts_with(['[', 'm', 'b']) =>
        {
            (Some("put it in quotes".to_owned()), Some(format!("\"{raw}\"")))
        }
        _ if is_number => (Some("a whole number is wanted here".to_owned()), None),
        (Data::Map(_), _) if wanted.starts_with("[]") => {
            (Some("a list is wanted here: begin each item with `- `".to_owned()), None)
        }
        _ if wanted.starts_with("[]") => (Some("a list is wanted here".to_owned()), None),
        (Data::Seq(_), _) => (Some("a list cannot stand here".to_owned()), None),
        _ => (None, None),
    }
}
