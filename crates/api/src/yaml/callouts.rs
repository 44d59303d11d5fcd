//! Callout marks of printed listings.
//!
//! Books print marks such as `❶` at the ends of lines. They are no YAML, but they are what one gets
//! when one copies from a book, so a mark at the end of a line is read as a comment, with a warning.
//! Differs from upstream: kubectl takes the mark for a part of the value, because it knows no book.

use std::borrow::Cow;

/// A mark: its index in characters within the text.
pub(super) struct Callout {
    pub(super) index: usize,
    pub(super) mark: char,
}

/// Blanks the marks, so that every other character keeps its place.
pub(super) fn blank(text: &str) -> (Cow<'_, str>, Vec<Callout>) {
    let mut callouts = vec![];
    if !text.chars().any(is_mark) {
        return (Cow::Borrowed(text), callouts);
    }
    let mut blanked = String::with_capacity(text.len());
    // The indentation of the key whose block scalar the lines belong to.
    let mut block: Option<usize> = None;
    let mut n_chars = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let indent = content.len() - content.trim_start().len();
        if block.is_some_and(|parent| !content.is_empty() && indent <= parent) {
            block = None;
        }
        let mark = content.chars().next_back().filter(|it| block.is_none() && is_mark(*it));
        let before = mark.map_or(content, |it| &content[..content.len() - it.len_utf8()]);
        // A mark must stand alone: `1❶` may be a value.
        let mark = mark.filter(|_| before.is_empty() || before.ends_with([' ', '\t']));
        if let Some(mark) = mark {
            callouts.push(Callout { index: n_chars + before.chars().count(), mark });
            blanked.push_str(before);
            blanked.push(' ');
            blanked.push_str(&line[content.len()..]);
        } else {
            blanked.push_str(line);
        }
        if block.is_none() && opens_block(before.trim_end()) {
            block = Some(indent);
        }
        n_chars += line.chars().count();
    }
    (Cow::Owned(blanked), callouts)
}

/// Circled numbers: ①-⑳, ⓫-⓴, ❶-❿, ➀-➓.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{2460}'..='\u{2473}' | '\u{24eb}'..='\u{24f4}' | '\u{2776}'..='\u{2793}')
}

/// Whether a line ends in the header of a block scalar, such as `|` or `>-`.
fn opens_block(line: &str) -> bool {
    let last = line.rsplit([' ', '\t']).next().unwrap_or_default();
    let mut chars = last.chars();
    matches!(chars.next(), Some('|' | '>')) && chars.all(|c| matches!(c, '-' | '+' | '1'..='9'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marks_at_the_ends_of_lines_are_blanked() {
        for (text, expected, n) in [
            ("a: 1 ❶\nb: ❷\n", "a: 1  \nb:  \n", 2),
            ("a: 1❶\n", "a: 1❶\n", 0),
            ("a: ❶ b\n", "a: ❶ b\n", 0),
            ("a: | ❶\n  echo ❷\nb: 2 ③\n", "a: |  \n  echo ❷\nb: 2  \n", 2),
            ("❶\n", " \n", 1),
        ] {
            let (blanked, callouts) = blank(text);
            assert_eq!((&*blanked, callouts.len()), (expected, n), "{text:?}");
            assert_eq!(blanked.chars().count(), text.chars().count(), "{text:?}");
        }
    }
}
