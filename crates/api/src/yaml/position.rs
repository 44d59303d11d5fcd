//! Places in a text: characters, as the parser counts, to UTF-16 code units, as browsers count.

use view::{Position, Span};

/// Where each line of a text begins.
pub(super) struct LineIndex<'t> {
    text: &'t str,
    lines: Vec<Line>,
    n_chars: usize,
}

/// The start of a line, counted three ways.
#[derive(Clone, Copy, Debug)]
struct Line {
    chars: usize,
    bytes: usize,
    units: usize,
}

impl<'t> LineIndex<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let mut lines = vec![Line { chars: 0, bytes: 0, units: 0 }];
        let (mut chars, mut units) = (0, 0);
        for (bytes, c) in text.char_indices() {
            chars += 1;
            units += c.len_utf16();
            // A lone carriage return ends a line too, for the parser as for editors.
            let next = text.as_bytes().get(bytes + 1);
            if c == '\n' || (c == '\r' && next != Some(&b'\n')) {
                lines.push(Line { chars, bytes: bytes + c.len_utf8(), units });
            }
        }
        Self { text, lines, n_chars: chars }
    }

    /// The place of the character with this index, or the end of the text.
    pub(super) fn position(&self, index: usize) -> Position {
        let index = index.min(self.n_chars);
        let n = self.lines.partition_point(|it| it.chars <= index).saturating_sub(1);
        let Some(line) = self.lines.get(n) else { return Position::default() };
        let rest = self.text.get(line.bytes..).unwrap_or_default();
        let column: usize = rest.chars().take(index - line.chars).map(char::len_utf16).sum();
        Position {
            offset: narrow(line.units + column),
            line: narrow(n + 1),
            column: narrow(column + 1),
        }
    }

    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        Span { start: self.position(start), end: self.position(end.max(start)) }
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// The place of the whole text.
    pub(super) fn whole(&self) -> Span {
        self.span(0, self.n_chars)
    }

    /// The index of the character at a byte.
    pub(super) fn char_at_byte(&self, byte: usize) -> usize {
        let n = self.lines.partition_point(|it| it.bytes <= byte).saturating_sub(1);
        let Some(line) = self.lines.get(n) else { return 0 };
        let within = self.text.get(line.bytes..byte).unwrap_or_default();
        line.chars + within.chars().count()
    }
}

/// Texts are far smaller than 4 GiB.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_utf16_units() {
        let check = |text: &str, index: usize, expected: (u32, u32, u32)| {
            let at = LineIndex::new(text).position(index);
            assert_eq!((at.offset, at.line, at.column), expected, "{text:?} {index}");
        };
        check("a: b\nc: d", 5, (5, 2, 1));
        check("a: b\r\nc: d", 6, (6, 2, 1));
        check("ä: 🦀x\ny", 4, (5, 1, 6));
        check("ä: 🦀x\ny", 6, (7, 2, 1));
        check("ab", 99, (2, 1, 3));
        check("", 0, (0, 1, 1));
    }
}
