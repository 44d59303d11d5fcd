//! Where a JSON value ends, or why it is none, in Go's words.
//!
//! Upstream: `encoding/json` `scanner.go`, and how `YAMLOrJSONDecoder` shows its errors
//! (`apimachinery/pkg/util/yaml/decoder.go`, v1.36).

/// Why a text is no JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JsonFault {
    UnexpectedEnd,
    /// The number of bytes up to and with the wrong one, and what is wrong with it.
    Character(usize, String),
}

impl JsonFault {
    /// As the decoder says it while the text may still be YAML.
    pub(super) fn text(&self) -> String {
        match self {
            Self::UnexpectedEnd => "unexpected EOF".to_owned(),
            Self::Character(offset, why) => format!("json: offset {offset}: {why}"),
        }
    }

    /// As the decoder says it once the text is JSON for sure.
    pub(super) fn bare_text(&self) -> String {
        match self {
            Self::Character(_, why) => why.clone(),
            Self::UnexpectedEnd => self.text(),
        }
    }
}

enum Inside {
    Key,
    Value,
    Array,
}

#[derive(Clone, Copy)]
enum Wanted {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    AfterValue,
}

/// The end of the value that begins at `start` or after white space; nothing if none begins.
pub(super) fn value_end(text: &str, start: usize) -> Result<Option<usize>, JsonFault> {
    let mut scan = Scan { bytes: text.as_bytes(), at: start };
    let mut stack: Vec<Inside> = Vec::new();
    let mut wanted = Wanted::Value;
    loop {
        while matches!(scan.bytes.get(scan.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            scan.at += 1;
        }
        let Some(&c) = scan.bytes.get(scan.at) else {
            let nothing = stack.is_empty() && matches!(wanted, Wanted::Value);
            return if nothing { Ok(None) } else { Err(JsonFault::UnexpectedEnd) };
        };
        wanted = match (wanted, c, stack.last_mut()) {
            (Wanted::ValueOrEnd, b']', _) | (Wanted::KeyOrEnd, b'}', _) => {
                scan.at += 1;
                stack.pop();
                Wanted::AfterValue
            }
            (Wanted::Value | Wanted::ValueOrEnd, b'{', _) => {
                scan.at += 1;
                stack.push(Inside::Key);
                Wanted::KeyOrEnd
            }
            (Wanted::Value | Wanted::ValueOrEnd, b'[', _) => {
                scan.at += 1;
                stack.push(Inside::Array);
                Wanted::ValueOrEnd
            }
            (Wanted::Value | Wanted::ValueOrEnd, ..) => {
                scan.scalar(c)?;
                Wanted::AfterValue
            }
            (Wanted::Key | Wanted::KeyOrEnd, b'"', _) => {
                scan.string()?;
                Wanted::AfterValue
            }
            (Wanted::Key | Wanted::KeyOrEnd, ..) => {
                return Err(scan.fault("looking for beginning of object key string"));
            }
            (Wanted::AfterValue, _, Some(inside)) => {
                let (next, context) = match (&inside, c) {
                    (Inside::Key, b':') => (Some((Inside::Value, Wanted::Value)), ""),
                    (Inside::Key, _) => (None, "after object key"),
                    (Inside::Value, b',') => (Some((Inside::Key, Wanted::Key)), ""),
                    (Inside::Value, _) => (None, "after object key:value pair"),
                    (Inside::Array, b',') => (Some((Inside::Array, Wanted::Value)), ""),
                    (Inside::Array, _) => (None, "after array element"),
                };
                let ends = matches!((&inside, c), (Inside::Value, b'}') | (Inside::Array, b']'));
                match next {
                    Some((now, wanted)) => {
                        *inside = now;
                        scan.at += 1;
                        wanted
                    }
                    None if ends => {
                        scan.at += 1;
                        stack.pop();
                        Wanted::AfterValue
                    }
                    None => return Err(scan.fault(context)),
                }
            }
            (Wanted::AfterValue, _, None) => return Ok(Some(scan.at)),
        };
        if stack.is_empty() && matches!(wanted, Wanted::AfterValue) {
            return Ok(Some(scan.at));
        }
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn fault(&self, context: &str) -> JsonFault {
        match self.bytes.get(self.at) {
            None => JsonFault::UnexpectedEnd,
            Some(&c) => {
                let why = format!("invalid character {} {context}", quoted(c));
                JsonFault::Character(self.at + 1, why)
            }
        }
    }

    /// Steps over a byte that `is` one of those that may stand here.
    fn step(&mut self, is: impl Fn(u8) -> bool, context: &str) -> Result<(), JsonFault> {
        if !self.bytes.get(self.at).is_some_and(|&c| is(c)) {
            return Err(self.fault(context));
        }
        self.at += 1;
        Ok(())
    }

    fn digits(&mut self, context: &str) -> Result<(), JsonFault> {
        self.step(|c| c.is_ascii_digit(), context)?;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }

    fn scalar(&mut self, first: u8) -> Result<(), JsonFault> {
        match first {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => Err(self.fault("looking for beginning of value")),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), JsonFault> {
        for letter in word.bytes() {
            let context = format!("in literal {word} (expecting {})", quoted(letter));
            self.step(|c| c == letter, &context)?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonFault> {
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    let is_hex = self.bytes.get(self.at) == Some(&b'u');
                    self.step(|c| b"bfnrt\\/\"u".contains(&c), "in string escape code")?;
                    for _ in 0..if is_hex { 4 } else { 0 } {
                        let context = "in \\u hexadecimal character escape";
                        self.step(|c| c.is_ascii_hexdigit(), context)?;
                    }
                }
                Some(b' '..) => self.at += 1,
                _ => return Err(self.fault("in string literal")),
            }
        }
    }
}

/// Upstream: `quoteChar`.
fn quoted(c: u8) -> String {
    match c {
        b'\'' => "'\\''".to_owned(),
        b'\\' => "'\\\\'".to_owned(),
        b'\n' => "'\\n'".to_owned(),
        b'\r' => "'\\r'".to_owned(),
        b'\t' => "'\\t'".to_owned(),
        0x07 => "'\\a'".to_owned(),
        0x08 => "'\\b'".to_owned(),
        0x0b => "'\\v'".to_owned(),
        0x0c => "'\\f'".to_owned(),
        0..=0x1f | 0x7f => format!("'\\x{c:02x}'"),
        0x80..=0xa0 | 0xad => format!("'\\u{c:04x}'"),
        _ => format!("'{}'", char::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words and offsets of Go's `json.Decoder`.
    #[test]
    fn faults_are_told_in_gos_words() {
        let rows = [
            (
                r#"{"a":1,}"#,
                "json: offset 8: invalid character '}' looking for beginning of object key string",
            ),
            (
                r#"{"a":1 "b":2}"#,
                "json: offset 8: invalid character '\"' after object key:value pair",
            ),
            (r#"{"a" 1}"#, "json: offset 6: invalid character '1' after object key"),
            (r#"{"a":[1 2]}"#, "json: offset 9: invalid character '2' after array element"),
            (
                r#"{a:1}"#,
                "json: offset 2: invalid character 'a' looking for beginning of object key string",
            ),
            (
                r#"{"a":'b'}"#,
                "json: offset 6: invalid character '\\'' looking for beginning of value",
            ),
            (
                r#"{"a":tru}"#,
                "json: offset 9: invalid character '}' in literal true (expecting 'e')",
            ),
            (r#"{"a":-x}"#, "json: offset 7: invalid character 'x' in numeric literal"),
            (
                r#"{"a":1.}"#,
                "json: offset 8: invalid character '}' after decimal point in numeric literal",
            ),
            (r#"{"a":1e}"#, "json: offset 8: invalid character '}' in exponent of numeric literal"),
            (r#"{"a":01}"#, "json: offset 7: invalid character '1' after object key:value pair"),
            ("{\"a\":\"\n\"}", "json: offset 7: invalid character '\\n' in string literal"),
            (r#"{"a":"\q"}"#, "json: offset 8: invalid character 'q' in string escape code"),
            (
                r#"{"a":"\u00g0"}"#,
                "json: offset 11: invalid character 'g' in \\u hexadecimal character escape",
            ),
            (r#"{"a":é}"#, "json: offset 6: invalid character 'Ã' looking for beginning of value"),
            (r#"{"a":1"#, "unexpected EOF"),
            (r#"{"a":"b"#, "unexpected EOF"),
        ];
        for (text, expected) in rows {
            assert_eq!(value_end(text, 0).unwrap_err().text(), expected, "{text}");
        }
    }

    #[test]
    fn values_end_where_they_end() {
        let text = " {\"a\": [1, {}, [], \"x\\\"\", true, null, -1.5e+3]}\n{} 5 \n";
        let mut ends = vec![];
        let mut at = 0;
        while let Some(end) = value_end(text, at).unwrap() {
            ends.push(&text[at..end]);
            at = end;
        }
        assert_eq!(ends[1..], ["\n{}", " 5"]);
        assert_eq!(ends[0].len(), text.find('\n').unwrap());
    }
}
