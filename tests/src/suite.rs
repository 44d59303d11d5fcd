//! Scenario files that read as prose: Markdown with manifests, commands and what they print.
//!
//! - `yaml` blocks are the text that is loaded. `file=PATH` takes it from `tests/manifests`,
//!   `preset=NAME` and `seed=N` choose the cluster and the seed.
//! - `console at=TIME` blocks hold commands after `$ `, given at that time, and what they print.
//! - `problems` blocks hold what the reader and the API server say of the text, one line each.
//! - `timeline` blocks hold the history up to the time of the block before; `only=a,b` keeps the
//!   lines that contain one of the words.
//! - `explain pod=NAME` blocks hold the nearest fixes of a pod that waits and the room for more of
//!   it, at the time of the block before.
//!
//! `UPDATE_EXPECT=1` rewrites what is expected in place.

/// A scenario file, cut into the blocks that mean something and the text between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suite {
    /// In order of the file.
    pub pieces: Vec<Piece>,
}

/// A piece of a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Prose and blocks of other languages, as they stand.
    Text(String),
    /// A fenced block that means something.
    Block {
        /// `yaml`, `console`, `problems`, `timeline` or `explain`.
        kind: String,
        /// The `key=value` words behind the kind.
        attributes: Vec<(String, String)>,
        /// The lines between the fences.
        body: String,
    },
}

const KINDS: [&str; 5] = ["yaml", "console", "problems", "timeline", "explain"];

impl Suite {
    /// Reads a file's text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut suite = Self::default();
        let mut prose = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some((kind, attributes)) = opening(line) else {
                prose.push_str(line);
                prose.push('\n');
                continue;
            };
            suite.pieces.push(Piece::Text(std::mem::take(&mut prose)));
            let body = lines.by_ref().take_while(|line| *line != "```");
            let body = body.flat_map(|line| [line, "\n"]).collect();
            suite.pieces.push(Piece::Block { kind, attributes, body });
        }
        suite.pieces.push(Piece::Text(prose));
        suite
    }

    /// Writes it back; `parse` of this gives the same.
    #[must_use]
    pub fn to_text(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Block { kind, attributes, body } => {
                let attributes: String =
                    attributes.iter().map(|(key, value)| format!(" {key}={value}")).collect();
                format!("```{kind}{attributes}\n{body}```\n")
            }
        };
        self.pieces.iter().map(piece).collect()
    }
}

fn opening(line: &str) -> Option<(String, Vec<(String, String)>)> {
    let mut words = line.strip_prefix("```")?.split_whitespace();
    let kind = words.next().filter(|it| KINDS.contains(it))?;
    let pair = |word: &str| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        (key.to_owned(), value.to_owned())
    };
    Some((kind.to_owned(), words.map(pair).collect()))
}

/// The value of an attribute.
#[must_use]
pub fn attribute<'a>(attributes: &'a [(String, String)], key: &str) -> Option<&'a str> {
    attributes.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
}

/// The commands of a console block, each without its `$ `.
pub fn commands(body: &str) -> impl Iterator<Item = &str> {
    body.lines().filter_map(|line| line.strip_prefix("$ "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A title\n\nProse.\n\n```yaml preset=minikube seed=7\nkind: Pod\n```\n\n\
        ```console at=5s\n$ kubectl get pods\nNo resources\n$ true\n```\n\n```sh\nnot ours\n```\n";

    #[test]
    fn a_file_is_cut_into_blocks_and_written_back_unchanged() {
        let suite = Suite::parse(TEXT);
        assert_eq!(suite.to_text(), TEXT);
        let Piece::Block { kind, attributes, body } = &suite.pieces[1] else { panic!("no block") };
        assert_eq!((kind.as_str(), body.as_str()), ("yaml", "kind: Pod\n"));
        assert_eq!(attribute(attributes, "seed"), Some("7"));
        let Piece::Block { body, .. } = &suite.pieces[3] else { panic!("no block") };
        assert_eq!(commands(body).collect::<Vec<_>>(), ["kubectl get pods", "true"]);
    }
}
