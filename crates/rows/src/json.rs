//! Long texts as JSON: what a command prints may be megabytes.

/// Writes a text as a JSON string, as `serde_json` does.
pub fn put_json(to: &mut String, text: &str) {
    to.reserve(text.len() + text.len() / 32 + 2);
    to.push('"');
    let mut rest = text;
    while let Some((plain, byte, after)) = split(rest) {
        to.push_str(plain);
        put_escaped(to, byte);
        rest = after;
    }
    to.push_str(rest);
    to.push('"');
}

/// The text before the first byte that JSON escapes, that byte, and the text after it.
fn split(text: &str) -> Option<(&str, u8, &str)> {
    let (words, _) = text.as_bytes().as_chunks::<8>();
    let start = 8 * words.iter().take_while(|it| !may_have_escaped(it)).count();
    let rest = &text.as_bytes()[start..];
    let at = start + rest.iter().position(|it| is_escaped(*it))?;
    Some((&text[..at], text.as_bytes()[at], &text[at + 1..]))
}

fn is_escaped(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// Whether one of eight bytes must be escaped: never wrong when it says no.
fn may_have_escaped(word: &[u8; 8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_ne_bytes(*word);
    // The highest bit of a byte is set by a borrow if the byte is below what is taken away.
    let below = |word: u64, limit: u8| word.wrapping_sub(EACH * u64::from(limit)) & !word;
    let quote = below(word ^ (EACH * u64::from(b'"')), 1);
    let backslash = below(word ^ (EACH * u64::from(b'\\')), 1);
    (below(word, b' ') | quote | backslash) & (EACH * 0x80) != 0
}

fn put_escaped(to: &mut String, byte: u8) {
    let hex = |it: u8| char::from(b"0123456789abcdef"[usize::from(it & 0xf)]);
    to.push('\\');
    match byte {
        b'\n' => to.push('n'),
        b'\t' => to.push('t'),
        b'\r' => to.push('r'),
        0x08 => to.push('b'),
        0x0c => to.push('f'),
        b'"' | b'\\' => to.push(char::from(byte)),
        _ => {
            to.push_str("u00");
            to.push(hex(byte >> 4));
            to.push(hex(byte));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::put_json;

    fn check(text: &str) {
        let mut json = String::new();
        put_json(&mut json, text);
        assert_eq!(json, serde_json::to_string(text).unwrap());
    }

    #[test]
    fn texts_are_escaped_as_by_serde() {
        for text in ["", "a", "eight by", "a\nb", "\"quoted\" \\ text of more than one word"] {
            check(text);
        }
        check("\u{e9}t\u{e9} \u{1f600}\u{7f} \u{2028} and so on \u{80}\u{9f}");
        // Every byte that is a character, at every place of a word.
        for byte in 0..0x80_u8 {
            for n in 0..10 {
                check(&format!("{}{}{}", "x".repeat(n), char::from(byte), "y".repeat(9)));
            }
        }
    }
}
