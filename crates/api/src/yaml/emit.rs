//! Objects to YAML and JSON as kubectl prints them.
//!
//! Upstream: sigs.k8s.io/yaml `Marshal` with go-yaml v2 `encode.go`, `sorter.go`, `emitterc.go`;
//! Go's `encoding/json`.

use crate::Order;
use std::cmp::Ordering;

use serde::Serialize;
use serde_json::Value;

use super::node::Data;
use super::scalar;

/// Lines are folded at the first space after this column.
const WIDTH: usize = 80;

/// A value as `kubectl -o yaml` prints it, with a line end.
///
/// What cannot be written as JSON becomes `null`; no API object is so.
#[must_use]
pub fn to_string(value: &impl Serialize) -> String {
    let value = crate::wire::to_value(value);
    let mut emitter = Emitter { out: String::new(), column: 0 };
    match &value {
        Value::Object(map) if !map.is_empty() => emitter.map(map, 0, true),
        Value::Array(items) if !items.is_empty() => emitter.seq(items, 0, true),
        other => emitter.scalar(other, 2),
    }
    emitter.put("\n");
    emitter.out
}

/// A value as Go's `json.Marshal` writes it: sorted keys, no spaces, `<`, `>` and `&` escaped.
#[must_use]
pub fn to_json_string(value: &impl Serialize) -> String {
    escape_html(&serde_json::to_string(&sorted(value)).unwrap_or_default())
}

/// A value as `kubectl -o json` prints it, with a line end.
#[must_use]
pub fn to_json_pretty(value: &impl Serialize) -> String {
    json_pretty(&sorted(value))
}

/// As [`to_json_pretty`], with the keys in the order in which the value tells them.
#[must_use]
pub fn json_pretty(value: &impl Serialize) -> String {
    let mut out = vec![];
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    if value.serialize(&mut serializer).is_err() {
        return String::new();
    }
    let mut text = escape_html(&String::from_utf8(out).unwrap_or_default());
    text.push('\n');
    text
}

fn sorted(value: &impl Serialize) -> Value {
    let mut value = crate::wire::to_value(value);
    value.sort_all_objects();
    value
}

fn escape_html(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            _ => text.push(c),
        }
    }
    text
}

struct Emitter {
    out: String,
    column: usize,
}

impl Emitter {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        match text.rfind('\n') {
            Some(at) => self.column = text[at + 1..].chars().count(),
            None => self.column += text.chars().count(),
        }
    }

    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// `inline`: the first entry goes on where the cursor stands.
    fn map(&mut self, map: &serde_json::Map<String, Value>, indent: usize, inline: bool) {
        let mut entries: Vec<(&String, &Value)> = map.iter().collect();
        entries.order_by(|a, b| key_order(a.0, b.0));
        for (n, (key, value)) in entries.into_iter().enumerate() {
            if n > 0 || !inline {
                self.line(indent);
            }
            self.string(key, indent, true);
            self.put(":");
            match value {
                Value::Object(map) if !map.is_empty() => self.map(map, indent + 2, false),
                // Lists in maps are not indented.
                Value::Array(items) if !items.is_empty() => self.seq(items, indent, false),
                other => {
                    self.put(" ");
                    self.scalar(other, indent + 2);
                }
            }
        }
    }

    fn seq(&mut self, items: &[Value], indent: usize, inline: bool) {
        for (n, item) in items.iter().enumerate() {
            if n > 0 || !inline {
                self.line(indent);
            }
            self.put("- ");
            match item {
                Value::Object(map) if !map.is_empty() => self.map(map, indent + 2, true),
                Value::Array(items) if !items.is_empty() => self.seq(items, indent + 2, true),
                other => self.scalar(other, indent + 2),
            }
        }
    }

    fn scalar(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Null => self.put("null"),
            Value::Bool(it) => self.put(if *it { "true" } else { "false" }),
            Value::Number(it) => {
                let text = match it.as_f64().filter(|_| it.is_f64()) {
                    Some(float) => scalar::go_float(float),
                    None => it.to_string(),
                };
                self.put(&text);
            }
            Value::String(text) => self.string(text, indent, false),
            Value::Array(_) => self.put("[]"),
            Value::Object(_) => self.put("{}"),
        }
    }

    fn string(&mut self, text: &str, indent: usize, is_key: bool) {
        let analysis = Analysis::of(text);
        let plain = matches!(scalar::resolve(text), Data::Str(_))
            && !is_timestamp(text)
            && !is_base60(text);
        if text.contains('\n') && analysis.block && !is_key {
            self.literal(text, indent);
        } else if text.contains('\n') || !plain || !analysis.single {
            self.double(text, indent, !is_key);
        } else if analysis.plain {
            self.folded(text, indent, !is_key, false);
        } else {
            self.put("'");
            self.folded(&text.replace('\'', "''"), indent, !is_key, true);
            self.put("'");
        }
    }

    /// Text with line breaks at spaces where lines grow too long. Texts here have no line ends.
    fn folded(&mut self, text: &str, indent: usize, breaks: bool, quoted: bool) {
        let chars: Vec<char> = text.chars().collect();
        let mut spaces = false;
        for (n, &c) in chars.iter().enumerate() {
            if c == ' ' {
                let inside = !quoted || (n > 0 && n + 1 < chars.len());
                let fold = breaks
                    && !spaces
                    && self.column > WIDTH
                    && inside
                    && chars.get(n + 1) != Some(&' ');
                if fold {
                    self.line(indent)
                } else {
                    self.put(" ")
                }
                spaces = true;
            } else {
                self.put(c.encode_utf8(&mut [0; 4]));
                spaces = false;
            }
        }
    }

    fn double(&mut self, text: &str, indent: usize, breaks: bool) {
        self.put("\"");
        let chars: Vec<char> = text.chars().collect();
        let mut spaces = false;
        for (n, &c) in chars.iter().enumerate() {
            if c == ' ' {
                let inside = n > 0 && n + 1 < chars.len();
                if breaks && !spaces && self.column > WIDTH && inside {
                    self.line(indent);
                    if chars.get(n + 1) == Some(&' ') {
                        self.put("\\");
                    }
                } else {
                    self.put(" ");
                }
                spaces = true;
                continue;
            }
            spaces = false;
            match escape(c) {
                Some(escaped) => self.put(&escaped),
                None => self.put(c.encode_utf8(&mut [0; 4])),
            }
        }
        self.put("\"");
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with([' ', '\n']) {
            self.put("2");
        }
        if !text.ends_with('\n') {
            self.put("-");
        } else if text == "\n" || text.ends_with("\n\n") {
            self.put("+");
        }
        let lines = text.strip_suffix('\n').unwrap_or(text);
        for line in lines.split('\n') {
            if line.is_empty() {
                self.put("\n");
            } else {
                self.line(indent);
                self.put(line);
            }
        }
    }
}

/// The escape of a character inside double quotes, if it needs one.
fn escape(c: char) -> Option<String> {
    let short = match c {
        '\0' => "\\0",
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\t' => "\\t",
        '\n' => "\\n",
        '\u{b}' => "\\v",
        '\u{c}' => "\\f",
        '\r' => "\\r",
        '\u{1b}' => "\\e",
        '"' => "\\\"",
        '\\' => "\\\\",
        '\u{85}' => "\\N",
        '\u{a0}' => "\\_",
        '\u{2028}' => "\\L",
        '\u{2029}' => "\\P",
        c if is_printable(c) => return None,
        _ => {
            let code = u32::from(c);
            return Some(match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            });
        }
    };
    Some(short.to_owned())
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Which styles can show a text. Upstream: `yaml_emitter_analyze_scalar`.
struct Analysis {
    plain: bool,
    single: bool,
    block: bool,
}

impl Analysis {
    fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let at = |n: usize| chars.get(n).copied();
        let is_blank = |c: Option<char>| matches!(c, None | Some(' ' | '\t'));
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let mut special = false;
        let (mut breaks, mut break_space, mut space_break) = (false, false, false);
        let mut previous = None;
        for (n, &c) in chars.iter().enumerate() {
            let before = n.checked_sub(1).and_then(at);
            let blank_after = is_blank(at(n + 1));
            indicators |= match c {
                '#' => n == 0 || is_blank(before) || before.is_some_and(is_break),
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`' => n == 0,
                '?' | '-' => n == 0 && blank_after,
                ':' => blank_after,
                _ => false,
            };
            special |= !is_printable(c);
            if c == ' ' {
                break_space |= previous == Some('\n');
                previous = Some(' ');
            } else if is_break(c) {
                breaks = true;
                space_break |= previous == Some(' ');
                previous = Some('\n');
            } else {
                previous = None;
            }
        }
        let edge = |c: Option<&char>| c.is_some_and(|&c| c == ' ' || is_break(c));
        let on_edge = edge(chars.first()) || edge(chars.last());
        let bad = space_break || special;
        Self {
            plain: !(on_edge || break_space || bad || breaks || indicators),
            single: !(break_space || bad),
            block: !(bad || chars.last() == Some(&' ') || chars.is_empty()),
        }
    }
}

/// Whether go-yaml takes a text for a time. Upstream: `parseTimestamp`.
fn is_timestamp(text: &str) -> bool {
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if n_digits != 4 || text.as_bytes().get(4) != Some(&b'-') {
        return false;
    }
    let split = text.find(['T', 't', ' ']);
    let (date, time) = match split {
        Some(at) => (&text[..at], Some((&text[at..=at], &text[at + 1..]))),
        None => (text, None),
    };
    let number = |it: &str| {
        ((1..=2).contains(&it.len()) && it.bytes().all(|b| b.is_ascii_digit()))
            .then(|| it.parse::<u32>().ok())
            .flatten()
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [_, month, day] = parts[..] else { return false };
    let date_fits = number(month).is_some_and(|it| (1..=12).contains(&it))
        && number(day).is_some_and(|it| (1..=31).contains(&it));
    let Some((separator, time)) = time else { return date_fits };
    let zone = time.find(['Z', '+', '-']);
    let (clock, zoned) = (&time[..zone.unwrap_or(time.len())], zone.is_some());
    // A zone is written after `T`, and none after a space.
    if !date_fits || (separator == " ") == zoned {
        return false;
    }
    let clock: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = clock[..] else { return false };
    let second = second.split('.').next().unwrap_or_default();
    number(hour).is_some_and(|it| it < 24)
        && number(minute).is_some_and(|it| it < 60)
        && number(second).is_some_and(|it| it < 60)
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`, which YAML 1.1 reads as a number of base 60.
fn is_base60(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.contains(':') {
        return false;
    }
    let (text, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let sixty = |it: &str| {
        let digits = it.bytes().all(|b| b.is_ascii_digit());
        digits && matches!(it.len(), 1 | 2) && (it.len() == 1 || it.as_bytes()[0] < b'6')
    };
    first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && parts.all(sixty)
}

/// The order of keys: letters after other characters, numbers by their value. Upstream:
/// `keyList.Less`.
fn key_order(a: &str, b: &str) -> Ordering {
    let (x, y): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(n) = x.iter().zip(&y).position(|(p, q)| p != q) else {
        return x.len().cmp(&y.len());
    };
    let (p, q) = (x[n], y[n]);
    match (p.is_alphabetic(), q.is_alphabetic()) {
        (true, true) => return p.cmp(&q),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let mut start = 0_u64;
    if p == '0' || q == '0' {
        let digits = x[..n].iter().rev().take_while(|it| it.is_ascii_digit());
        start = u64::from(digits.into_iter().any(|&it| it != '0'));
    }
    let number = |chars: &[char]| {
        let digits = chars[n..].iter().map_while(|it| it.to_digit(10));
        digits.fold((start, 0), |(value, len), digit| {
            (value.wrapping_mul(10).wrapping_add(u64::from(digit)), len + 1)
        })
    };
    number(&x).cmp(&number(&y)).then(p.cmp(&q))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_print_as_kubectl_prints_them() {
        let check = |value: Value, expected: &str| assert_eq!(to_string(&value), expected);
        check(json!({}), "{}\n");
        check(
            json!({"b": 1, "a": {"x": [], "y": {}, "z": null}, "l": [1, [2, 3], {"k": "v", "j": 1}]}),
            "a:\n  x: []\n  \"y\": {}\n  z: null\nb: 1\nl:\n- 1\n- - 2\n  - 3\n- j: 1\n  k: v\n",
        );
        let strings = json!([
            "plain",
            "",
            "true",
            "1",
            "1.5",
            "a: b",
            "a:b",
            "- a",
            "-a",
            "a #b",
            "a#b",
            "it's",
            "2026-01-01T00:00:00Z",
            "2026-01-01",
            "22:30",
            "a\nb\n",
            "a\nb",
            "\ta",
            " a",
            "*",
            "@x",
            "n",
            "~",
            "<nil>",
            "caf\u{e9}",
            "a\n\n"
        ]);
        let expected = "- plain\n- \"\"\n- \"true\"\n- \"1\"\n- \"1.5\"\n- 'a: b'\n- a:b\n- '- a'\n\
            - -a\n- 'a #b'\n- a#b\n- it's\n- \"2026-01-01T00:00:00Z\"\n- \"2026-01-01\"\n\
            - \"22:30\"\n- |\n  a\n  b\n- |-\n  a\n  b\n- \"\\ta\"\n- ' a'\n- '*'\n- '@x'\n- \"n\"\n\
            - \"~\"\n- <nil>\n- caf\u{e9}\n- |+\n  a\n\n";
        assert_eq!(to_string(&strings), expected);
    }

    #[test]
    fn long_texts_are_folded() {
        let message = "0/3 nodes are available: 3 node(s) didn't match Pod's node \
            affinity/selector. no new claims to deallocate, preemption: 0/3 nodes are available: \
            3 Preemption is not helpful for scheduling.";
        let value = json!({"status": {"conditions": [{"message": message}]}});
        assert_eq!(
            to_string(&value),
            "status:\n  conditions:\n  - message: '0/3 nodes are available: 3 node(s) didn''t match \
             Pod''s node affinity/selector.\n      no new claims to deallocate, preemption: 0/3 \
             nodes are available: 3 Preemption\n      is not helpful for scheduling.'\n"
        );
    }

    #[test]
    fn keys_sort_as_in_go() {
        let check = |before: &str, after: &str| {
            assert_eq!(key_order(before, after), Ordering::Less, "{before} {after}");
        };
        check("a", "b");
        check("a2", "a10");
        check("a", "ab");
        check("a.b", "ab");
        check("B", "a");
        check("a-1", "a-b");
    }

    #[test]
    fn json_is_that_of_go() {
        assert_eq!(
            to_json_string(&json!({"b": "<a>&", "a": [1]})),
            r#"{"a":[1],"b":"\u003ca\u003e\u0026"}"#
        );
        assert_eq!(
            to_json_pretty(&json!({"a": {}, "b": [1]})),
            "{\n    \"a\": {},\n    \"b\": [\n        1\n    ]\n}\n"
        );
    }
}
