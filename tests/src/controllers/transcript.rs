//! The file format of transcripts, and the words in which their changes are written.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Deserialize;
use serde_json::Value;

/// One scenario.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transcript {
    pub(super) name: String,
    pub(super) area: String,
    pub(super) namespace: String,
    pub(super) seconds: f64,
    pub(super) start_clock: Option<String>,
    pub(super) nodes: Vec<Value>,
    pub(super) steps: Vec<Step>,
    #[serde(default)]
    pub(super) timeline: Vec<Entry>,
    #[serde(default)]
    pub(super) events: Vec<EventEntry>,
    #[serde(default)]
    pub(super) repeat: Repeat,
    #[serde(rename = "final", default)]
    pub(super) end: BTreeMap<String, Value>,
}

/// How a second run compared with the first.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Repeat {
    pub(super) same_final: bool,
}

/// What was done.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Step {
    #[serde(rename = "atSeconds")]
    pub(super) at_seconds: f64,
    pub(super) apply: Option<String>,
    pub(super) error: Option<Value>,
    pub(super) kubectl: Option<String>,
    pub(super) stdin: Option<String>,
    pub(super) output: Option<String>,
    #[serde(rename = "exitCode")]
    pub(super) exit_code: Option<i32>,
    pub(super) node_fail: Option<String>,
    pub(super) node_recover: Option<String>,
    pub(super) node_notready: Option<String>,
}

/// One write.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) t: f64,
    pub(super) object: String,
    pub(super) change: String,
    #[serde(default)]
    pub(super) varies: bool,
    #[serde(default)]
    pub(super) shift: f64,
}

/// One event.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct EventEntry {
    pub(super) t: f64,
    pub(super) object: String,
    #[serde(rename = "type")]
    pub(super) type_: String,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) source: String,
    pub(super) count: i64,
    #[serde(default)]
    pub(super) varies: bool,
    #[serde(default)]
    pub(super) shift: f64,
}

/// A change, taken apart. Values are in the transcript's words.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Words {
    Created(Vec<(String, String)>),
    Changed(Vec<(String, String)>),
    Deleted,
}

impl Display for Words {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (word, fields) = match self {
            Self::Created(fields) => ("created", fields.as_slice()),
            Self::Changed(fields) => ("", fields.as_slice()),
            Self::Deleted => ("deleted", [].as_slice()),
        };
        f.write_str(word)?;
        fields.iter().try_for_each(|(path, value)| write!(f, "; {path}={value}"))
    }
}

/// What the values of absent fields are called.
pub(super) const NONE: &str = "<none>";

/// Takes a change apart.
pub(super) fn words(change: &str) -> Words {
    if change == "deleted" {
        return Words::Deleted;
    }
    if change == "created" {
        return Words::Created(vec![]);
    }
    if let Some(rest) = change.strip_prefix("created; ") {
        let pairs = parts(rest).into_iter().filter_map(|it| it.split_once('='));
        return Words::Created(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
    }
    let pairs = parts(change).into_iter().filter_map(|part| {
        let (path, values) = part.split_once(' ')?;
        // The new value is what follows the last arrow that is not part of a message.
        let at = arrow(values)?;
        Some((path.to_owned(), values[at + 2..].to_owned()))
    });
    Words::Changed(pairs.collect())
}

/// Where the arrow between the values is: outside of brackets.
fn arrow(values: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in values.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '-' if depth <= 0 && values[at..].starts_with("->") => return Some(at),
            _ => {}
        }
    }
    None
}

/// Cuts at `; `, but only where a path follows and all brackets are closed.
fn parts(text: &str) -> Vec<&str> {
    let mut result = vec![];
    let (mut from, mut depth) = (0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ';' if depth <= 0 && text[at..].starts_with("; ") => {
                result.push(&text[from..at]);
                from = at + 2;
            }
            _ => {}
        }
    }
    result.push(&text[from..]);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_taken_apart_outside_of_messages() {
        let change =
            "status.ready 2->0; conditions.Failed <none>->True(A: b; c->d); finalizers [x]-><none>";
        let pairs = [
            ("status.ready", "0"),
            ("conditions.Failed", "True(A: b; c->d)"),
            ("finalizers", NONE),
        ];
        let pairs = pairs.map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(words(change), Words::Changed(pairs.to_vec()));
    }
}
