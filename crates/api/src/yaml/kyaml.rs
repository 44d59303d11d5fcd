//! Objects as `kubectl -o kyaml` prints them: YAML with braces, where nothing depends on blanks and
//! every text is quoted.
//!
//! Upstream: sigs.k8s.io/yaml `kyaml/kyaml.go`.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::go_order;

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
            self.put(value, &go_order::called(key, map), level + 1);
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
        text.push(if line.starts_with(char::is_whitespace) { '\\' } else { ' ' });
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
        _ if is_printable(c) => text.push(c),
        '\u{10000}'.. => put_code(text, 'U', u32::from(c), 8),
        _ => put_code(text, 'u', u32::from(c), 4),
    }
}

fn put_code(text: &mut String, kind: char, code: u32, width: usize) {
    let _ = write!(text, "\\{kind}{code:0width$x}");
}

/// Letters, marks, numbers, punctuation, symbols and the blank, as Go's `unicode.IsPrint`.
fn is_printable(c: char) -> bool {
    // A mark that stands behind a letter is not escaped for its own sake.
    let mut buffer = [b'a'; 5];
    let length = c.len_utf8();
    c.encode_utf8(&mut buffer[1..]);
    let text = std::str::from_utf8(&buffer[..=length]).unwrap_or_default();
    matches!(c, '"' | '\'' | '\\') || text.escape_debug().eq(text.chars())
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
    matches!(lower.as_str(), "t" | "f" | "nan" | "inf" | "infinity")
        || is_date(key)
        || !matches!(scalar::resolve(&lower), Data::Str(_))
        // Numbers may have underscores anywhere.
        || matches!(scalar::resolve(&lower.replace('_', "")), Data::Int(_) | Data::Float(_))
}

/// A day that there is, as `2026-1-2`.
fn is_date(key: &str) -> bool {
    let mut parts = key.splitn(3, '-').map(|it| match it.bytes().all(|it| it.is_ascii_digit()) {
        true => it.parse::<i16>().ok().map(|number| (it.len(), number)),
        false => None,
    });
    let mut next = || parts.next().flatten();
    let (Some((4, year)), Some((1 | 2, month)), Some((1 | 2, day))) = (next(), next(), next())
    else {
        return false;
    };
    let narrow = |it: i16| i8::try_from(it).unwrap_or_default();
    jiff::civil::Date::new(year, narrow(month), narrow(day)).is_ok()
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

    /// As kubectl 1.36.2 printed `a` with the character and `b`, and a second line that begins with
    /// it.
    #[test]
    fn what_cannot_be_seen_is_written_as_its_code() {
        let rows = [
            ('\u{1}', "\\x01", ' '),
            ('\u{7}', "\\a", ' '),
            ('\u{8}', "\\b", ' '),
            ('\t', "\t", '\\'),
            ('\u{b}', "\\v", '\\'),
            ('\u{c}', "\\f", '\\'),
            ('\r', "\\r", '\\'),
            ('\u{1b}', "\\e", ' '),
            ('\u{1f}', "\\x1f", ' '),
            ('\'', "'", ' '),
            ('\u{a0}', "\\_", '\\'),
            ('\u{ad}', "\\u00ad", ' '),
            ('\u{2000}', "\\u2000", '\\'),
            ('\u{2028}', "\\L", '\\'),
            ('\u{2029}', "\\P", '\\'),
            ('\u{200b}', "\\u200b", ' '),
            ('\u{feff}', "\\ufeff", ' '),
            ('\u{fffd}', "\u{fffd}", ' '),
            ('\u{3000}', "\\u3000", '\\'),
            ('\u{e000}', "\\ue000", ' '),
            ('\u{1f600}', "\u{1f600}", ' '),
            ('\u{10fffd}', "\\U0010fffd", ' '),
            ('\u{e9}', "\u{e9}", ' '),
            ('\u{300}', "\u{300}", ' '),
        ];
        for (c, shown, before) in rows {
            let (mut line, mut lines) = (String::new(), String::new());
            put_text(&mut line, &format!("a{c}b"), 1);
            assert_eq!(line, format!("\"a{shown}b\""), "{c:?}");
            put_text(&mut lines, &format!("a\n{c}b\n"), 0);
            assert_eq!(lines, format!("\"\\\n a\\n\\\n{before}{shown}b\\n\\\n\""), "{c:?}");
        }
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
            ("_1", true),
            ("1_000", true),
            ("a_1", false),
            ("_true", false),
            ("_", false),
            ("2026-1-31", true),
            ("2026-02-30", false),
            ("2026-001-01", false),
            ("26-01-01", false),
            ("1-2-3", false),
        ];
        for (key, expected) in rows {
            assert_eq!(needs_quotes(key), expected, "{key}");
        }
    }
}
