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
            // These come from the conversion to JSON, not from go-yaml.
            _ if self.code == "no-json" => self.message.clone(),
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

/// The first characters of the lines that have a tab among the blanks before them.
pub(super) fn tabbed(text: &str) -> Vec<usize> {
    let mut starts = vec![];
    if !text.contains('\t') {
        return starts;
    }
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let blanks = line.chars().take_while(|&c| matches!(c, ' ' | '\t')).count();
        if line.chars().take(blanks).any(|c| c == '\t') {
            starts.push(at + blanks);
        }
        at += line.chars().count();
    }
    starts
}

/// A tab where go-yaml reads the indentation, although the scanner here takes it.
pub(super) fn tab(index: usize, line: usize) -> SyntaxError {
    SyntaxError {
        index,
        message: CANNOT_START.to_owned(),
        go_line: Some(if line == 1 { 0 } else { line }),
        hint: Some(TAB_HINT.to_owned()),
        code: "syntax",
    }
}

/// Translates an error of the scanner.
pub(super) fn translate(error: &ScanError, text: &str) -> SyntaxError {
    let (mut index, line) = (error.marker().index(), error.marker().line());
    let at = text.chars().nth(index);
    let before = index.checked_sub(1).and_then(|it| text.chars().nth(it));
    let after_tab = at != Some('\t') && before == Some('\t');
    index -= usize::from(after_tab);
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
    // Neither names the first line.
    let line = if line == 1 { 0 } else { line };
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
    if has("unknown anchor") && is_alias(index, text) {
        return unknown_anchor(index, text);
    }
    if has("unknown anchor") || has("anchor or alias") {
        let hint = "a value that begins with * or & must be in quotes";
        return make("did not find expected alphabetic or numeric character", line, Some(hint));
    }
    if let Some(message) = directive(text) {
        return make(message, 0, None);
    }
    let misplaced = has("mapping values are not allowed") || has("illegal placement of ':'");
    if let Some((open, fault_line)) = unclosed(index, text)
        && (misplaced || has("only valid inside a block"))
    {
        let line = fault_line.unwrap_or(line).saturating_sub(1);
        return make(missing_in(open), line, Some("close the bracket, or put a comma before this"));
    }
    if misplaced {
        let hint = "a colon and a space begin a value: put texts that contain them in quotes, and \
                    check the indentation";
        return make("mapping values are not allowed in this context", line, Some(hint));
    }
    if has("simple key") {
        let hint = "write `key: value`, with a colon and a space";
        return make("could not find expected ':'", line, Some(hint));
    }
    if let Some((_, message, hint)) = PARSER.iter().find(|it| it.0.iter().any(|it| has(it))) {
        let fault_line = unclosed(index, text).and_then(|it| it.1).map(|it| it - 1);
        return make(message, fault_line.unwrap_or(parser_line), Some(hint));
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
    let (message, line, hint) = plain(info, line, parser_line);
    make(&message, line, hint)
}

/// The scanner's own words, where they are nearly those of go-yaml.
fn plain(info: &str, line: usize, parser_line: usize) -> (String, usize, Option<&'static str>) {
    let words = match info.split_once(", ") {
        Some((before, after)) if before.starts_with("while ") => after,
        _ => info,
    };
    if words.starts_with("found a tab") {
        let words = "found a tab character that violates indentation";
        return (words.to_owned(), line.max(1) + 1, Some(TAB_HINT));
    }
    let line = if words == "did not find expected node content" { parser_line } else { line };
    // The misspelling is go-yaml's.
    (words.replace("hexadecimal", "hexdecimal"), line, None)
}

/// What is wrong with a directive in the first line.
fn directive(text: &str) -> Option<&'static str> {
    let mut words = text.lines().next()?.strip_prefix('%')?.split_whitespace();
    match (words.next(), words.next()) {
        (Some("YAML"), Some("1.1")) | (Some("TAG"), _) => None,
        (Some("YAML"), _) => Some("found incompatible YAML document"),
        _ => Some("found unknown directive name"),
    }
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
    let message = format!("unknown anchor '{}' referenced", anchor_name(index, text));
    SyntaxError { code: "syntax", ..SyntaxError::limit(index, message) }
}

/// The name that follows a `*`.
pub(super) fn anchor_name(index: usize, text: &str) -> String {
    let name = text.chars().skip(index).skip_while(|&c| c == '*');
    name.take_while(|&c| c.is_ascii_alphanumeric() || c == '_' || c == '-').collect()
}

/// What go-yaml's parser looks for after a value in brackets.
fn missing_in(open: char) -> &'static str {
    if open == '{' {
        "did not find expected ',' or '}'"
    } else {
        "did not find expected ',' or ']'"
    }
}

/// The bracket that is still open at a place, and the line after it where the text goes on as if
/// it were not: with a key, and without a comma before.
fn unclosed(index: usize, text: &str) -> Option<(char, Option<usize>)> {
    let (mut open, mut quote) = (Vec::new(), None);
    let (mut line, mut before) = (1, '\n');
    let mut in_comment = false;
    for c in text.chars().take(index) {
        match (quote, c) {
            _ if in_comment => {}
            (Some(mark), _) if mark == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if " [{,:\n".contains(before) => quote = Some(c),
            (None, '#') if before.is_whitespace() => in_comment = true,
            (None, '{' | '[') if !open.is_empty() || before.is_whitespace() => open.push((c, line)),
            (None, '}' | ']') => {
                open.pop();
            }
            _ => {}
        }
        if c == '\n' {
            line += 1;
            in_comment = false;
        }
        before = c;
    }
    let (bracket, opened) = open.pop()?;
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let goes_on = |at: &usize| {
        let is_key = lines.get(*at).is_some_and(|it| it.contains(": ") || it.ends_with(':'));
        let closed = lines.get(*at - 1).is_none_or(|it| it.ends_with([',', '{', '[']));
        is_key && !closed
    };
    Some((bracket, (opened..lines.len()).find(goes_on).map(|at| at + 1)))
}

/// What go-yaml's parser looks for after a value, where something else follows.
fn missing_between(index: usize, text: &str) -> &'static str {
    if let Some((open, _)) = unclosed(index, text) {
        return missing_in(open);
    }
    let before: String = text.chars().take(index).collect();
    let line = before.rsplit('\n').next().unwrap_or_default().trim();
    let closes = matches!(text.chars().nth(index), Some('}' | ']'));
    match line {
        _ if closes && (line.is_empty() || line.ends_with([':', '-'])) => {
            "did not find expected node content"
        }
        _ if line.starts_with("- ") && !line.contains(": ") => {
            "did not find expected '-' indicator"
        }
        _ => "did not find expected key",
    }
}
