//! The documents of a YAML text, found by looking at its lines only: tabs to jump with, also while
//! the text has errors.

/// One document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// `kind`, or empty.
    pub kind: String,
    /// `metadata.name` or `generateName`, or empty.
    pub name: String,
    /// First line is 1.
    pub line: usize,
    /// UTF-16 code units from the start of the text.
    pub offset: u32,
}

/// All documents that name a kind.
#[must_use]
pub fn documents(text: &str) -> Vec<Document> {
    let mut all = Vec::new();
    let mut current = Document { line: 1, ..Document::default() };
    let mut in_metadata = false;
    let mut offset = 0_u32;
    for (index, line) in text.split('\n').enumerate() {
        let bare = line.trim_end();
        if bare == "---" || bare.starts_with("--- ") {
            all.push(std::mem::take(&mut current));
            current.line = index + 2;
            current.offset = offset + utf16(line) + 1;
        } else if let Some(kind) = bare.strip_prefix("kind:") {
            current.kind = value(kind);
        } else if let Some(rest) = bare.strip_prefix("metadata:") {
            in_metadata = true;
            current.name = in_flow(rest).unwrap_or_default();
        } else if !bare.starts_with([' ', '#']) && !bare.is_empty() {
            in_metadata = false;
        } else if in_metadata && current.name.is_empty() {
            let inner = bare.trim_start();
            let name = inner.strip_prefix("name:").or_else(|| inner.strip_prefix("generateName:"));
            current.name = name.map(value).unwrap_or_default();
        }
        offset = offset.saturating_add(utf16(line)).saturating_add(1);
    }
    all.push(current);
    all.retain(|it| !it.kind.is_empty());
    all
}

/// The name in `{labels: {a: b}, name: it}`.
fn in_flow(text: &str) -> Option<String> {
    let mut depth = 0_usize;
    let inner = text.trim().strip_prefix('{')?;
    let entries = inner.split(|c| {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && matches!(c, ',' | '}')
    });
    let mut entries = entries.map(str::trim);
    let name = |it: &str| it.strip_prefix("name:").or(it.strip_prefix("generateName:")).map(value);
    entries.find_map(name)
}

/// Whether two texts are about none of the same objects: the second is another scenario, not the
/// first one edited.
#[must_use]
pub fn is_another(before: &[Document], after: &[Document]) -> bool {
    let known =
        |it: &Document| before.iter().any(|old| (&old.kind, &old.name) == (&it.kind, &it.name));
    !before.is_empty() && !after.is_empty() && !after.iter().any(known)
}

fn utf16(line: &str) -> u32 {
    u32::try_from(line.encode_utf16().count()).unwrap_or(u32::MAX)
}

fn value(text: &str) -> String {
    let text = text.split(" #").next().unwrap_or_default().trim();
    text.trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_has_its_kind_name_and_place() {
        let text = "kind: Pod\nmetadata:\n  name: a # it\n---\napiVersion: v1\nkind: \"Job\"\nmetadata:\n  generateName: b-\nspec:\n  name: no\n";
        let found = documents(text);
        let short: Vec<_> = found
            .iter()
            .map(|it| (it.kind.as_str(), it.name.as_str(), it.line, it.offset))
            .collect();
        assert_eq!(short, [("Pod", "a", 1, 0), ("Job", "b-", 5, 39)]);
    }

    #[test]
    fn names_in_braces_are_found() {
        for (metadata, name) in [
            ("{name: a}", "a"),
            ("{ labels: {name: x, b: c}, name: \"a\", annotations: [] }", "a"),
            ("{generateName: a-} # it", "a-"),
            ("{labels: {name: x}}", ""),
            ("", ""),
        ] {
            let text = format!("kind: Pod\nmetadata: {metadata}\nspec:\n  name: no\n");
            assert_eq!(documents(&text)[0].name, name, "{metadata}");
        }
    }

    #[test]
    fn a_text_is_another_scenario_when_it_has_nothing_in_common_with_the_one_before() {
        let text = |names: &[&str]| {
            let documents: Vec<String> =
                names.iter().map(|it| format!("kind: Pod\nmetadata: {{name: {it}}}\n")).collect();
            documents.join("---\n")
        };
        for (before, after, another) in [
            (&["a"][..], &["b"][..], true),
            (&["a", "b"], &["b", "c"], false),
            (&["a"], &[], false),
            (&[], &["a"], false),
        ] {
            let found = is_another(&documents(&text(before)), &documents(&text(after)));
            assert_eq!(found, another, "{before:?} {after:?}");
        }
    }

    #[test]
    fn text_without_a_kind_has_no_documents() {
        assert!(documents("\t: nonsense\n---\n---").is_empty());
    }
}
