//! Permanent links: what the fragment of the address means, and what goes into it.

use view::{LINK_PREFIX, LinkState};

/// Versions of the format that this page reads.
const READS: &str = "1";

/// What a fragment asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// Nothing: the page chooses.
    Empty,
    /// An example by its id.
    Example(String),
    /// A packed scenario.
    Packed(String),
    /// A format that this page does not know; the sentence says so.
    Unknown(String),
}

impl Fragment {
    /// Reads a fragment without its `#`.
    #[must_use]
    pub fn parse(fragment: &str) -> Self {
        if fragment.is_empty() {
            return Self::Empty;
        }
        if let Some(id) = fragment.strip_prefix("example/") {
            return Self::Example(id.to_owned());
        }
        if let Some(payload) = fragment.strip_prefix(LINK_PREFIX) {
            return Self::Packed(payload.to_owned());
        }
        match fragment.split_once("z.").map(|(version, _)| version.parse::<u32>()) {
            Some(Ok(version)) => Self::Unknown(format!(
                "This link needs format {version}; this page reads format {READS}."
            )),
            _ => Self::Unknown("This link is not one that Orrery made.".to_owned()),
        }
    }
}

/// The fragment of a packed scenario.
#[must_use]
pub fn packed(payload: &str) -> String {
    format!("{LINK_PREFIX}{payload}")
}

/// The text of a link's buffers as the one text of the editor.
#[must_use]
pub fn text_of(link: &LinkState) -> String {
    let mut text = String::new();
    for file in &link.files {
        if !text.is_empty() {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str("---\n");
        }
        text.push_str(&file.text);
    }
    text
}

#[cfg(test)]
mod tests {
    use view::LinkFile;

    use super::*;

    #[test]
    fn fragments_say_what_they_are() {
        let rows = [
            ("", Fragment::Empty),
            ("example/spread", Fragment::Example("spread".to_owned())),
            ("1z.q1Yq", Fragment::Packed("q1Yq".to_owned())),
            (
                "3z.q1Yq",
                Fragment::Unknown("This link needs format 3; this page reads format 1.".to_owned()),
            ),
            ("foo", Fragment::Unknown("This link is not one that Orrery made.".to_owned())),
        ];
        for (fragment, expected) in rows {
            assert_eq!(Fragment::parse(fragment), expected);
        }
    }

    #[test]
    fn buffers_become_documents_of_one_text() {
        let file = |text: &str| LinkFile { name: String::new(), text: text.to_owned() };
        let link = LinkState { files: vec![file("a: 1"), file("b: 2\n")], ..LinkState::default() };
        assert_eq!(text_of(&link), "a: 1\n---\nb: 2\n");
    }

    #[test]
    fn a_link_of_format_1_stays_readable() {
        let json = r#"{"files":[{"name":"w","text":"kind: Pod"}],"seed":7,"cursorMs":90000,
            "actions":[{"atMs":5,"command":"kubectl get pods"}],
            "selection":{"kind":"Pod","namespace":"default","name":"a"},"panel":"yaml"}"#;
        let link: LinkState = serde_json::from_str(json).unwrap();
        assert_eq!((link.seed, link.cursor_ms, link.actions.len()), (Some(7), 90_000, 1));
        assert_eq!(link.panel.as_deref(), Some("yaml"));
    }
}
