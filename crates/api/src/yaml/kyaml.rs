//! Objects as `kubectl -o kyaml` prints them: YAML with braces, where nothing depends on blanks and
//! every text is quoted.
//!
//! Upstream: sigs.k8s.io/yaml `kyaml/kyaml.go`.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::node::Data;
use super::scalar;

/// The fields of a map that is the value of a field, in the order in which they are printed.
pub type Order = dyn for<'a> Fn(&'a Map<String, Value>, &str) -> Vec<(&'a String, &'a Value)>;

/// A value with the line before it that begins a document, and a line end.
#[must_use]
pub fn to_kyaml(value: &Value, order: &Order) -> String {
    let mut writer = Writer { text: "---\n".to_owned(), order };
    writer.put(value, "", 0);
    writer.text.push('\n');
    writer.text
}

struct Writer<'a> {
    text: String,
    order: &'a Order,
}

impl Writer<'_> {
    /// `of`: the field of which it is the value.
    fn put(&mut self, value: &Value, of: &str, level: usize) {
        match value {
            Value::String(it) => put_text(&mut self.text, it, level + 1),
            Value::Array(items) if !items.is_empty() => self.list(items, of, level),
            Value::Object(map) if !map.is_empty() => self.map(map, of, level),
            other => self.text.push_str(&other.to_string()),
        }
    }

    fn map(&mut self, map: &Map<String, Value>, of: &str, level: usize) {
        self.text.push_str("{\n");
        for (key, value) in (self.order)(map, of) {
            indent(&mut self.text, level + 1);
            match needs_quotes(key) {
                true => put_line(&mut self.text, key),
                false => self.text.push_str(key),
            }
            self.text.push_str(": ");
            self.put(value, key, level + 1);
            self.text.push_str(",\n");
        }
        indent(&mut self.text, level);
        self.text.push('}');
    }

    /// The brackets of a list of maps or lists stand beside those of its items.
    fn list(&mut self, items: &[Value], of: &str, level: usize) {
        self.text.push('[');
        if items.iter().all(|it| it.is_array() || it.is_object()) {
            for (n, item) in items.iter().enumerate() {
                self.text.push_str(if n > 0 { ", " } else { "" });
                self.put(item, of, level);
            }
        } else {
            self.text.push('\n');
            for item in items {
                indent(&mut self.text, level + 1);
                self.put(item, of, level + 1);
                self.text.push_str(",\n");
            }
            indent(&mut self.text, level);
        }
        self.text.push(']');
    }
}

fn indent(text: &mut String, level: usize) {
    text.extend(std::iter::repeat_n("  ", level));
}

/// A text of several lines is folded: one line for each of its own.
fn put_text(text: &mut String, value: &str, level: usize) {
    if !value.contains('\n') {
        put_line(text, value);
        return;
    }
    text.push_str("\"\\\n");
    for line in value.split_inclusive('\n') {
        indent(text, level);
        // A blank in front would be lost.
        text.push(if line.starts_with([' ', '\t', '\r']) { '\\' } else { ' ' });
        line.chars().for_each(|c| put_char(text, c));
        text.push_str("\\\n");
    }
    indent(text, level);
    text.push('"');
}

fn put_line(text: &mut String, value: &str) {
    text.push('"');
    value.chars().for_each(|c| put_char(text, c));
    text.push('"');
}

fn put_char(text: &mut String, c: char) {
    match c {
        '"' | '\\' => text.extend(['\\', c]),
        '\n' => text.push_str("\\n"),
        '\t' => text.push(c),
        '\r' => text.push_str("\\r"),
        '\0' => text.push_str("\\0"),
        '\u{7}' => text.push_str("\\a"),
        '\u{8}' => text.push_str("\\b"),
        '\u{b}' => text.push_str("\\v"),
        '\u{c}' => text.push_str("\\f"),
        '\u{1b}' => text.push_str("\\e"),
        '\u{85}' => text.push_str("\\N"),
        '\u{a0}' => text.push_str("\\_"),
        '\u{2028}' => text.push_str("\\L"),
        '\u{2029}' => text.push_str("\\P"),
        '\0'..='\x1f' | '\x7f' => put_code(text, 'x', u32::from(c), 2),
        _ if c.is_control() || c.is_whitespace() && c != ' ' => {
            put_code(text, 'u', u32::from(c), 4)
        }
        _ => text.push(c),
    }
}

fn put_code(text: &mut String, kind: char, code: u32, width: usize) {
    let _ = write!(text, "\\{kind}{code:0width$x}");
}

/// Whether a key could be read as anything but the text that it is.
fn needs_quotes(key: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let inner = key.trim_matches(['-', '.', '/']);
    inner.len() != key.len()
        || key.is_empty()
        || !key.chars().all(|c| is_word(c) || matches!(c, '-' | '.' | '/'))
        || is_ambiguous(key)
}

fn is_ambiguous(key: &str) -> bool {
    let lower = key.to_lowercase();
    let is_date = {
        let parts: Vec<&str> = key.split('-').collect();
        parts.len() == 3
            && parts[0].len() == 4
            && parts.iter().all(|it| !it.is_empty() && it.bytes().all(|c| c.is_ascii_digit()))
    };
    is_date
        || matches!(lower.as_str(), "t" | "f" | "nan" | "inf" | "infinity")
        || !matches!(scalar::resolve(&lower), Data::Str(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As kubectl 1.36.2 printed it.
    #[test]
    fn lists_of_maps_are_cuddled_and_texts_are_folded() {
        let value = json!({
            "args": ["-c", "a\tb"],
            "data": {"multi": "x\n y\n", "n": "5", "q": "\"x\"", "a.b/c": true, "2026-01-01": null},
            "no": [],
            "ports": [{"port": 80}, {"port": 81}],
            "status": {},
        });
        let expected = r#"---
{
  args: [
    "-c",
    "a	b",
  ],
  data: {
    "2026-01-01": null,
    a.b/c: true,
    multi: "\
       x\n\
      \ y\n\
      ",
    "n": "5",
    q: "\"x\"",
  },
  "no": [],
  ports: [{
    port: 80,
  }, {
    port: 81,
  }],
  status: {},
}
"#;
        assert_eq!(to_kyaml(&value, &|map, _| map.iter().collect()), expected);
    }

    #[test]
    fn keys_are_quoted_where_they_could_be_something_else() {
        let rows = [
            ("app", false),
            ("a_b-c.d/e", false),
            ("-a", true),
            ("", true),
            ("a b", true),
            ("yEs", true),
            ("t", true),
            ("0x1f", true),
            ("1e3", true),
            ("v1", false),
            ("Inf", true),
        ];
        for (key, expected) in rows {
            assert_eq!(needs_quotes(key), expected, "{key}");
        }
    }
}
