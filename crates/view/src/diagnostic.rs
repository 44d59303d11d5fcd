//! A message about a place in the user's text.

use serde::{Deserialize, Serialize};

/// How bad it is. Warnings never stop a text from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The document is not used.
    Error,
    /// The document is used, but not as its author may think.
    Warning,
    /// Worth knowing: an assumption that was made, a field without effect.
    Info,
}

/// A place in a text. `offset` is in UTF-16 code units from the start, as editors in browsers
/// count; `line` and `column` (UTF-16 code units too) start at 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// UTF-16 code units from the start of the text.
    pub offset: u32,
    /// First line is 1.
    pub line: u32,
    /// First column is 1.
    pub column: u32,
}

/// From `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// Where it begins.
    pub start: Position,
    /// Where it has ended.
    pub end: Position,
}

/// One problem of a text, at its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Error, warning or information.
    pub severity: Severity,
    /// A stable word for the kind of problem, such as `unknown-field`.
    pub code: String,
    /// The path inside the document, such as `spec.template.spec.containers[0].image`; empty for
    /// the document itself.
    pub path: String,
    /// The place in the text.
    pub span: Span,
    /// A sentence in the words of the API server or kubectl where they have some.
    pub message: String,
    /// What would mend it, such as `did you mean "requests"?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// A replacement for the text of `span` that would mend it, for a quick fix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
}
