//! Several files as one text, with a way back from its lines to the files.

use std::io::Read as _;
use std::path::PathBuf;

use view::{Diagnostic, LinkFile, Severity};

/// The texts of the command line, joined.
pub(crate) struct Text {
    pub(crate) files: Vec<LinkFile>,
    pub(crate) joined: String,
    /// The line of `joined` at which each file begins, counted from 1.
    first_lines: Vec<u32>,
}

/// What stands between two files.
const SEPARATOR: &str = "---\n";

impl Text {
    /// Reads files; `-` is standard input.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, String> {
        let mut files = Vec::new();
        for path in paths {
            let name = path.display().to_string();
            let text = if name == "-" {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map(|_| text)
            } else {
                std::fs::read_to_string(path)
            };
            let text = text.map_err(|error| format!("{name}: {error}"))?;
            files.push(LinkFile { name, text });
        }
        Ok(Self::join(files))
    }

    /// Joins texts.
    pub(crate) fn join(files: Vec<LinkFile>) -> Self {
        let mut joined = String::new();
        let mut first_lines = Vec::new();
        for file in &files {
            if !joined.is_empty() {
                if !joined.ends_with('\n') {
                    joined.push('\n');
                }
                joined.push_str(SEPARATOR);
            }
            let n_lines = joined.bytes().filter(|it| *it == b'\n').count();
            first_lines.push(u32::try_from(n_lines).unwrap_or(u32::MAX - 1) + 1);
            joined.push_str(&file.text);
        }
        Self { files, joined, first_lines }
    }

    /// `file:line:col: error: message`.
    pub(crate) fn line_of(&self, diagnostic: &Diagnostic) -> String {
        let start = diagnostic.span.start;
        let index = self.first_lines.partition_point(|it| *it <= start.line).saturating_sub(1);
        let name = self.files.get(index).map_or("-", |it| it.name.as_str());
        let first = self.first_lines.get(index).copied().unwrap_or(1);
        let line = start.line.saturating_sub(first) + 1;
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        };
        let hint = diagnostic.hint.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
        format!("{name}:{line}:{}: {severity}: {}{hint}", start.column, diagnostic.message)
    }
}

#[cfg(test)]
mod tests {
    use view::{Diagnostic, LinkFile, Position, Severity, Span};

    use super::Text;

    #[test]
    fn lines_of_the_joined_text_lead_back_to_their_files() {
        let file = |name: &str, text: &str| LinkFile { name: name.into(), text: text.into() };
        let text = Text::join(vec![file("a.yaml", "a: 1\nb: 2"), file("b.yaml", "c: 3\n")]);
        assert_eq!(text.joined, "a: 1\nb: 2\n---\nc: 3\n");
        for (line, place) in [(1, "a.yaml:1:3"), (2, "a.yaml:2:3"), (4, "b.yaml:1:3")] {
            let start = Position { offset: 0, line, column: 3 };
            let diagnostic = Diagnostic {
                severity: Severity::Error,
                code: String::new(),
                path: String::new(),
                span: Span { start, end: start },
                message: "no".to_owned(),
                hint: None,
                replacement: None,
            };
            assert_eq!(text.line_of(&diagnostic), format!("{place}: error: no"));
        }
    }
}
