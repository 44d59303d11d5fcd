//! What may stand at the cursor of a console line.

use api::{ComponentId, Kind, Object};
use view::Completion;

use super::Simulation;
use crate::client::Reader;

/// Words that begin a line of ours, and what may follow each.
const LINES: [(&str, &[&str]); 8] = [
    ("clear", &[]),
    ("fail", &["node"]),
    ("not-ready", &["node"]),
    ("ready", &["node"]),
    ("recover", &["node"]),
    ("start", &["controller", "scheduler"]),
    ("stop", &["controller", "scheduler"]),
    ("watch", &[]),
];

impl Simulation {
    /// What may stand at the cursor of a console line; both it and the answer's `from` count UTF-16
    /// code units.
    #[must_use]
    pub fn complete(&self, line: &str, cursor: usize) -> Completion {
        let mut n_units = 0;
        let mut at = line.len();
        for (byte, c) in line.char_indices() {
            if n_units >= cursor {
                at = byte;
                break;
            }
            n_units += c.len_utf16();
        }
        let (from, candidates) = self.completed(line, at);
        let from = line.get(..from).unwrap_or_default().encode_utf16().count();
        Completion { from, candidates }
    }

    fn completed(&self, line: &str, at: usize) -> (usize, Vec<String>) {
        let before = line.get(..at).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |it| it + 1);
        let text = before.get(start..).unwrap_or_default();
        let begin = text
            .rfind(char::is_whitespace)
            .map_or(0, |it| it + text[it..].chars().next().map_or(0, char::len_utf8));
        let words: Vec<&str> = text[..begin].split_whitespace().collect();
        let word = &text[begin..];
        let fitting = |all: Vec<&str>| -> Vec<String> {
            all.into_iter().filter(|it| it.starts_with(word)).map(str::to_owned).collect()
        };
        let own = words.first().and_then(|first| LINES.iter().find(|it| it.0 == *first));
        let found = match (own, words.len()) {
            (Some(("watch", _)), _) => {
                let skipped = start + text.find("watch").map_or(0, |it| it + "watch".len());
                let it = self.kubectl_completed(&line[skipped..], at - skipped);
                return (skipped + it.0, it.1);
            }
            (Some((_, next)), 1) => fitting(next.to_vec()),
            (Some((_, ["node"])), 2) => {
                let nodes = self.world.store.objects().list(Kind::Node);
                fitting(nodes.map(Object::name).collect())
            }
            (Some(_), 2) if words[1] == "controller" => {
                fitting(ComponentId::ALL.iter().map(|it| it.name()).collect())
            }
            (Some(_), _) => vec![],
            (None, _) => {
                let mut it = self.kubectl_completed(line, at);
                if words.is_empty() {
                    it.1.extend(fitting(LINES.iter().map(|it| it.0).collect()));
                    it.1.sort_unstable();
                }
                return it;
            }
        };
        (start + begin, found)
    }

    fn kubectl_completed(&self, line: &str, at: usize) -> (usize, Vec<String>) {
        let reader = Reader::new(&self.world, &self.run, "");
        let it = kubectl::complete(line, at, &reader);
        (it.from, it.candidates)
    }
}
