//! The words for texts that are no YAML, as kubectl prints them, with a hint what to mend.
//!
//! Upstream: go-yaml v2 `scannerc.go`, `parserc.go`, `yaml.go` (`parser.fail`).
//! Differs from upstream: another scanner finds the faults, so for rarer ones place and words may
//! differ, because two scanners do not stumble over the same character.

use saphyr_parser::ScanError;

use super::node::MAX_DEPTH;

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// Index of the character, from the start of the document.
    pub(super) index: usize,
    /// What go-yaml says, without the line.
    pub(super) message: String,
    /// The line that go-yaml names, if it names one.
    pub(super) go_line: Option<usize>,
    /// What would mend it.
    pub(super) hint: Option<String>,
    /// A stable word.
    pub(super) code: &'static str,
}

impl SyntaxError {
    pub(super) fn limit(index: usize, message: String) -> Self {
        Self { index, message, go_line: None, hint: None, code: "limit" }
    }

    /// `yaml: line 3: did not find expected key`.
    pub(super) fn go_text(&self) -> String {
        match self.go_line {
            Some(line) if line > 0 => format!("yaml: line {line}: {}", self.message),
            _ => format!("yaml: {}", self.message),
        }
    }
}

const CANNOT_START: &str = "found character that cannot start any token";
const TAB_HINT: &str = "YAML does not allow tabs for indentation: use spaces";

/// What the parser misses: words of its error, go-yaml's words for it, and a hint.
const PARSER: [(&[&str], &str, &str); 4] = [
    (
        &["expected key", "invalid indentation"],
        "did not find expected key",
        "the indentation must be that of the keys above",
    ),
    (
        &["'-' indicator"],
        "did not find expected '-' indicator",
        "the indentation must be that of the items above",
    ),
    (&["',' or '}'"], "did not find expected ',' or '}'", "close the bracket {"),
    (&["',' or ']'"], "did not find expected ',' or ']'", "close the bracket ["),
];

/// What go-yaml's reader refuses before any parsing: the first control character.
pub(super) fn control_character(text: &str) -> Option<SyntaxError> {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
    let index = text.chars().position(|c| !allowed(c))?;
    let c = text.chars().nth(index)?;
    Some(SyntaxError {
        index,
        message: "control characters are not allowed".to_owned(),
        go_line: None,
        hint: Some(format!("remove the character U+{:04X} here", u32::from(c))),
        code: "control-character",
    })
}

/// Translates an error of the scanner.
pub(super) fn translate(error: &ScanError, text: &str) -> SyntaxError {
    let (mut index, line) = (error.marker().index(), error.marker().line());
    let at = text.chars().nth(index);
    let before = index.checked_sub(1).and_then(|it| text.chars().nth(it));
    let after_tab = at != Some('\t') && before == Some('\t');
    if after_tab {
        index -= 1;
    }
    let make = |message: &str, go_line: usize, hint: Option<&str>| SyntaxError {
        index,
        message: message.to_owned(),
        go_line: Some(go_line),
        hint: hint.map(str::to_owned),
        code: "syntax",
    };
    let info = error.info();
    let has = |part: &str| info.contains(part);
    // go-yaml names the line before for what its parser finds, and the right one for what its
    // scanner finds.
    let parser_line = line.saturating_sub(1);
    if has("recursion limit") {
        return SyntaxError::limit(index, format!("exceeded max depth of {MAX_DEPTH}"));
    }
    if has("tab") && (at == Some('\t') || after_tab || has("tabs disallowed") || has("tab cannot"))
    {
        return make(CANNOT_START, line, Some(TAB_HINT));
    }
    if has("unexpected character") {
        return make(CANNOT_START, line, Some("put the value in quotes"));
    }
    let anchor = has("unknown anchor");
    if anchor && is_alias(index, text) {
        return unknown_anchor(index, text);
    }
    if anchor || has("anchor or alias") {
        let hint = "a value that begins with * or & must be in quotes";
        return make("did not find expected alphabetic or numeric character", line, Some(hint));
    }
    if has("mapping values are not allowed") || has("illegal placement of ':'") {
        let hint = "a colon and a space begin a value: put texts that contain them in quotes, and \
                    check the indentation";
        return make("mapping values are not allowed in this context", line, Some(hint));
    }
    if has("simple key") {
        let hint = "write `key: value`, with a colon and a space";
        return make("could not find expected ':'", line, Some(hint));
    }
    if let Some((_, message, hint)) = PARSER.iter().find(|it| it.0.iter().any(|it| has(it))) {
        return make(message, parser_line, Some(hint));
    }
    if has("end of stream") || has("document indicator") {
        let last_line = text.matches('\n').count() + 1;
        return make("found unexpected end of stream", last_line, Some("close the quotes"));
    }
    if has("trailing content") || has("misplaced bracket") {
        let message = missing_between(index, text);
        return make(message, parser_line, Some("something is missing before this"));
    }
    if has("document start>") || has("document-start>") || has("explicit document end") {
        return make("did not find expected <document start>", parser_line, None);
    }
    let plain = match info.split_once(", ") {
        Some((before, after)) if before.starts_with("while ") => after,
        _ => info,
    };
    make(plain, line, None)
}

/// Whether go-yaml takes what follows a `*` for the name of an anchor.
fn is_alias(index: usize, text: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut rest = text.chars().skip(index).skip_while(|&c| c == '*').peekable();
    let mut length = 0;
    while rest.next_if(|&c| is_name(c)).is_some() {
        length += 1;
    }
    let ends = |c: char| c.is_whitespace() || "?:,]}%@`".contains(c);
    length > 0 && rest.next().is_none_or(ends)
}

fn unknown_anchor(index: usize, text: &str) -> SyntaxError {
    let name: String = text.chars().skip(index).skip_while(|&c| c == '*').collect();
    let name = name.split([' ', '\n', '\r', ',', ']', '}']).next().unwrap_or_default();
    let message = format!("unknown anchor '{name}' referenced");
    SyntaxError { code: "syntax", ..SyntaxError::limit(index, message) }
}

/// What go-yaml's parser looks for after a value, where something else follows.
fn missing_between(index: usize, text: &str) -> &'static str {
    let mut open = Vec::new();
    let mut quote = None;
    let mut line = String::new();
    for c in text.chars().take(index) {
        match (quote, c) {
            (Some(mark), _) if mark == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[') => open.push(c),
            (None, '}' | ']') => {
                open.pop();
            }
            _ => {}
        }
        if c == '\n' {
            line.clear();
        } else {
            line.push(c);
        }
    }
    match open.last() {
        Some('{') => "did not find expected ',' or '}'",
        Some(_) => "did not find expected ',' or ']'",
        None if line.trim_start().starts_with("- ") && !line.contains(": ") => {
            "did not find expected '-' indicator"
        }
        None => "did not find expected key",
    }
}
