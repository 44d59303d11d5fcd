//! Conformance area `controllers`: transcripts of a real control plane, replayed in the engine.
//!
//! The nodes and steps of a transcript are carried out, every change is watched, and what was seen
//! is compared object by object: the values that each field went through with their times, the
//! events, and which objects there were. Choices that Kubernetes makes at random (which of equal
//! nodes) are tried with several seeds.

mod compare;
mod project;
mod replay;
mod transcript;

use std::path::Path;

use crate::conformance::Verdict;

use compare::compare;
use transcript::Transcript;

/// How many seeds are tried before a scenario fails.
const SEEDS: u64 = 6;

/// Runs the transcript in one file.
#[must_use]
pub fn run(path: &Path, text: &str, only: Option<&str>) -> Vec<Verdict> {
    let transcript: Transcript = match serde_json::from_str(text) {
        Ok(transcript) => transcript,
        Err(error) => {
            let name = path.display().to_string();
            return vec![Verdict { name, result: Err(error.to_string()) }];
        }
    };
    let name = format!("{}/{}", transcript.area, transcript.name);
    if only.is_some_and(|it| it != name && it != transcript.name) {
        return vec![];
    }
    let mut first = None;
    let zones = crate::zones::all();
    for seed in 0..SEEDS {
        let problems = match replay::replay(&transcript, seed, &zones) {
            Ok(seen) => compare(&transcript, &seen),
            Err(error) => vec![error],
        };
        if problems.is_empty() {
            return vec![Verdict { name, result: Ok(()) }];
        }
        let fewer = first.as_ref().is_none_or(|it: &Vec<String>| problems.len() < it.len());
        if fewer {
            first = Some(problems);
        }
    }
    let problems = first.unwrap_or_default();
    let shown = if only.is_some() { problems.len() } else { 1 };
    let more = problems.len().saturating_sub(shown);
    let mut text = problems.into_iter().take(shown).collect::<Vec<_>>().join("\n    ");
    if more > 0 {
        text.push_str(&format!(" (and {more} more)"));
    }
    vec![Verdict { name, result: Err(text) }]
}
