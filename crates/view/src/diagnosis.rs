//! What the scheduler found for one pod in one attempt: the data behind "why pending" and "why here".

use serde::{Deserialize, Serialize};

/// The outcome of one scheduling attempt, every verdict and score in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// `namespace/name` of the pod.
    pub pod: String,
    /// The profile's scheduler name.
    pub profile: String,
    /// When the attempt ran, in milliseconds of the run. Set by the loop.
    pub at_ms: i64,
    /// First attempt is 1.
    pub attempt: u32,
    /// How many nodes the scheduler knew.
    pub n_nodes: usize,
    /// The filter plugins in run order: the columns of the matrix.
    pub filters: Vec<String>,
    /// One row for each examined node.
    pub verdicts: Vec<NodeVerdict>,
    /// Set when a PreFilter or PreEnqueue plugin turned the pod away before any node was examined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_by: Option<NodeVerdict>,
    /// Scores of the feasible nodes, empty where only one node was feasible.
    pub scores: Vec<NodeScores>,
    /// The node that was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// All nodes that shared the highest total, when there was more than one.
    pub ties: Vec<String>,
    /// The text of the `FailedScheduling` event, when nothing was feasible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What preemption did, where it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preemption: Option<PreemptionReport>,
}

/// An attempt in a list of attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it ran, in milliseconds of the run.
    pub at_ms: i64,
    /// First attempt is 1.
    pub attempt: u32,
    /// What came of it: the node, or why there was none.
    pub text: String,
}

/// The code of a plugin's status, named as upstream prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StatusCode {
    /// All filters passed.
    Success,
    /// A fault inside a plugin or extender.
    Error,
    /// No, but preemption might help.
    Unschedulable,
    /// No, and preemption cannot help.
    UnschedulableAndUnresolvable,
    /// The pod must wait before it is bound.
    Wait,
    /// The plugin has nothing to do for this pod.
    Skip,
    /// Not yet: something outside must happen first.
    Pending,
}

/// What the filters said about one node. Real runs stop at the first rejection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeVerdict {
    /// The node's name; empty in `rejected_by`.
    pub node: String,
    /// `Success` when every filter passed.
    pub code: StatusCode,
    /// The plugin that rejected the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// The reasons that the event counts.
    pub reasons: Vec<String>,
    /// The failing terms in detail: which taint, short by how much, whose anti-affinity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<Term>,
}

/// One failing term: what the pod asks and what the node has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Term {
    /// A sentence such as `cpu: asks 2500m, free 1400m of 4000m`.
    pub text: String,
    /// The part of the sentence that matters most, for emphasis, such as `short by 1100m cpu`.
    pub short: String,
    /// The path of the pod's field that asks for it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// The scores of one feasible node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeScores {
    /// The node's name.
    pub node: String,
    /// The sum of all weighted scores.
    pub total: i64,
    /// One entry for each score plugin that ran.
    pub plugins: Vec<PluginScore>,
}

/// One plugin's score of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginScore {
    /// The plugin's name.
    pub plugin: String,
    /// What `Score` returned.
    pub raw: i64,
    /// After `NormalizeScore`, 0 to 100.
    pub normalized: i64,
    /// The weight from the configuration.
    pub weight: i64,
    /// The formula with its numbers, where the plugin has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
}

/// What preemption considered and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreemptionReport {
    /// The node whose pods make room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominated: Option<String>,
    /// `namespace/name` of the pods that were removed.
    pub victims: Vec<String>,
    /// Candidate nodes with their victims and the number of budgets violated.
    pub candidates: Vec<(String, Vec<String>, i64)>,
    /// Why the chosen candidate won.
    pub why: String,
}
