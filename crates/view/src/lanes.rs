//! The lanes under the time line: what ran when, by workload.

use serde::{Deserialize, Serialize};

use crate::ObjectName;

/// One workload's row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lane {
    /// The top-most owner in the form of [`crate::PodTile::workload`]: the colour.
    pub workload: String,
    /// The object that the row stands for.
    pub object: ObjectName,
    /// Runs in order of their start: jobs in the lane of a CronJob, pods in all others.
    pub spans: Vec<Span>,
    /// Runs before the first of `spans` that are known, but not listed.
    pub n_dropped: u64,
    /// Where the time begins, up to the first of `spans`, in which there may have been runs that
    /// are not listed, milliseconds of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped_from_ms: Option<i64>,
    /// When a CronJob will fire next, milliseconds of the run.
    pub expected_ms: Vec<i64>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It has not.
    #[default]
    Running,
    /// Well.
    Succeeded,
    /// Not well.
    Failed,
    /// It was deleted before its end.
    Deleted,
}

/// One run of a job or a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Span {
    /// The job or pod.
    pub object: ObjectName,
    /// Where it ran, for pods.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// Milliseconds of the run.
    pub start_ms: i64,
    /// `None` while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_ms: Option<i64>,
    /// How it ended.
    pub outcome: Outcome,
}
