//! What would let a waiting pod run, and how many more of a pod there is room for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Diagnosis, TimedAction};

/// The smallest changes that would make a pod fit, each tried with the filters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Fixes {
    /// The best first: fewer changes, then what touches least, then the smaller amount.
    pub fixes: Vec<Fix>,
    /// How many changes and pairs were tried.
    pub n_tried: usize,
    /// Whether all that were thought of were tried; in a large cluster the work is bounded.
    pub complete: bool,
}

/// One change, or a pair, after which the pod fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// What to do, such as `label worker-a disktype=ssd`.
    pub text: String,
    /// The first of the nodes on which the pod then fits.
    pub nodes: Vec<String>,
    /// On how many nodes it then fits.
    pub n_nodes: usize,
    /// What to carry out, in order. Most fields of a pod cannot be changed, so the patch goes to
    /// the template of its owner, or the object is replaced.
    pub steps: Vec<TimedAction>,
}

/// How many more of a pod fit, and what stops the next one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Room {
    /// How many were placed, one after another, as the scheduler would.
    pub n: usize,
    /// There may be more: the search stopped at a bound.
    pub more: bool,
    /// Where, in the order of names, and how many.
    pub nodes: Vec<(String, usize)>,
    /// What the attempt at the next one found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Diagnosis>,
}

impl fmt::Display for Fixes {
    /// As the command line tells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fixes.is_empty() {
            return writeln!(f, "no change and no pair of changes was found that makes it fit");
        }
        writeln!(f, "it would fit after one of these ({} changes tried):", self.n_tried)?;
        for (at, fix) in self.fixes.iter().enumerate() {
            let others = match fix.n_nodes.saturating_sub(fix.nodes.len()) {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            writeln!(f, "  {}. {}: fits on {}{others}", at + 1, fix.text, fix.nodes.join(", "))?;
            for step in &fix.steps {
                writeln!(f, "     $ {}", step.command)?;
                for line in step.yaml.lines() {
                    writeln!(f, "       {line}")?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Room {
    /// As the command line tells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<_> = self.nodes.iter().map(|(node, n)| format!("{n} on {node}")).collect();
        let at_least = if self.more { "at least " } else { "" };
        let places = if each.is_empty() { String::new() } else { format!(": {}", each.join(", ")) };
        writeln!(f, "room for {at_least}{} more like it{places}", self.n)?;
        match self.next.as_ref().and_then(|it| it.message.as_ref()) {
            Some(message) => writeln!(f, "  the next one: {message}"),
            None => Ok(()),
        }
    }
}
