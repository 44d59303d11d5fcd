//! Splits a line into words as a shell does.

/// A line that cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnclosedQuote;

/// Splits a line into words: blanks separate, `'...'` and `"..."` keep them together, a backslash
/// takes the next character as it is. Nothing is expanded.
///
/// # Errors
/// A quote that is never closed.
pub fn split(line: &str) -> Result<Vec<String>, UnclosedQuote> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(UnclosedQuote)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(UnclosedQuote)? {
                        '"' => break,
                        '\\' => match chars.next().ok_or(UnclosedQuote)? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            '\n' => {}
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(c) => word.get_or_insert_default().push(c),
                None => word.get_or_insert_default().push('\\'),
            },
            // A comment, as scripts have them.
            '#' if word.is_none() => {
                chars.by_ref().find(|&c| c == '\n');
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        let check = |line: &str, words: &[&str]| {
            assert_eq!(split(line).unwrap(), words, "{line}");
        };
        check("get pods -l a=b", &["get", "pods", "-l", "a=b"]);
        check("get pods -l 'a in (b, c)'", &["get", "pods", "-l", "a in (b, c)"]);
        check(r#"patch p -p "{\"a\": 'x'}""#, &["patch", "p", "-p", r#"{"a": 'x'}"#]);
        check("a\\ b ''  # not a word", &["a b", ""]);
        assert_eq!(split("it's"), Err(UnclosedQuote));
    }
}
