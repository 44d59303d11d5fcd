//! Conformance area `controllers`: transcripts of a real control plane, replayed in the engine.
//!
//! The nodes and steps of a transcript are carried out, every change is watched, and what was seen
//! is compared object by object: the values that each field went through with their times, the
//! events, and which objects there were. Choices that Kubernetes makes at random (which of equal
//! nodes) are tried with several seeds.

mod compare;
mod events;
mod final_state;
mod project;
mod replay;
mod transcript;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::conformance::Verdict;

use compare::compare;
use transcript::Transcript;

/// How many seeds are tried before a scenario with several nodes fails.
const SEEDS: u64 = 12;
/// How many ways to give equal nodes their parts are tried: all of five nodes.
const ORDERS: usize = 120;
/// No more of them are written down.
const MAX_ORDERS: usize = 720;
/// With how many of them each other seed is tried.
const ORDERS_OF_A_SEED: usize = 6;

/// Runs the transcript in one file.
#[must_use]
pub fn run(path: &Path, text: &str, only: Option<&str>) -> Vec<Verdict> {
    let transcript: Transcript = match serde_json::from_str(&replay::strike_refused(text)) {
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
    if transcript.timeline.is_empty() {
        // Such a file is for `story`; a comparison with nothing would always succeed.
        return vec![Verdict { name, result: Err("there is nothing to compare with".to_owned()) }];
    }
    let mut first: Option<Vec<String>> = None;
    let zones = crate::zones::all();
    for (seed, nodes) in variants(&transcript) {
        let problems = match replay::replay(&transcript, seed, nodes, &zones) {
            Ok(seen) => compare(&transcript, &seen),
            Err(error) => vec![error],
        };
        if problems.is_empty() {
            return vec![Verdict { name, result: Ok(()) }];
        }
        if first.as_ref().is_none_or(|it| problems.len() < it.len()) {
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

/// What the engine does in the scenario of one file, in the words of the transcripts: one line for
/// each write and each event, in the order in which they came.
///
/// # Errors
/// What is wrong with the file, or which step came out otherwise than it says.
pub fn story(text: &str) -> Result<String, String> {
    let transcript: Transcript = serde_json::from_str(text).map_err(|it| it.to_string())?;
    let zones = crate::zones::all();
    let seen = replay::replay(&transcript, 0, BTreeMap::new(), &zones)?;
    let changes = seen.changes.iter().map(|it| (it.t, format!("{} {}", it.object, it.words)));
    let events = seen.events.iter().map(|it| {
        let text = format!(
            "    {} {} {}: {} ({} x{})",
            it.object, it.type_, it.reason, it.message, it.source, it.count
        );
        (it.t, text)
    });
    let mut lines: Vec<(f64, String)> = changes.chain(events).collect();
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut text = String::new();
    for (t, line) in lines {
        text.push_str(&format!("{t:7.2} {line}\n"));
    }
    for (name, value) in &seen.ends {
        text.push_str(&format!("end     {name} {value}\n"));
    }
    Ok(text)
}

/// The runs to try: seeds, and which of equal nodes plays which part.
fn variants(transcript: &Transcript) -> Vec<(u64, BTreeMap<String, String>)> {
    let kind = |node: &Value| {
        let mut node = node.clone();
        let name = std::mem::take(&mut node["metadata"]["name"]);
        node["metadata"]["labels"]["kubernetes.io/hostname"] = Value::Null;
        (node.to_string(), name.as_str().unwrap_or_default().to_owned())
    };
    let nodes: Vec<(String, String)> = transcript.nodes.iter().map(kind).collect();
    let mut orders = vec![BTreeMap::new()];
    for (like, name) in &nodes {
        let mut longer = vec![];
        for order in &orders {
            let used: Vec<&String> = order.values().collect();
            let parts = nodes.iter().filter(|(it, part)| it == like && !used.contains(&part));
            longer.extend(parts.map(|(_, part)| {
                let mut order = order.clone();
                order.insert(name.clone(), part.clone());
                order
            }));
        }
        orders = longer;
        orders.truncate(MAX_ORDERS);
    }
    orders.truncate(ORDERS);
    let seeds = if nodes.len() > 1 { SEEDS } else { 1 };
    let variant = |seed: u64, n: usize| {
        orders.iter().take(n).map(move |it| (seed, it.clone())).collect::<Vec<_>>()
    };
    (0..seeds)
        .flat_map(|seed| variant(seed, if seed == 0 { ORDERS } else { ORDERS_OF_A_SEED }))
        .collect()
}
