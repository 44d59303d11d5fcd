//! The run: where the clock stands, what happened when, and what the engine has to say about it.

use serde::{Deserialize, Serialize};

use crate::{ObjectName, TimedAction};

/// Where the run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunState {
    /// Now, milliseconds since the start.
    pub now_ms: i64,
    /// The wall time of the start, milliseconds since 1970.
    pub start_unix_ms: i64,
    /// The furthest time that was simulated: the slider's right end.
    pub horizon_ms: i64,
    /// When the next event is due, if there is one.
    pub next_ms: Option<i64>,
    /// How many events have run up to now.
    pub n_events: u64,
    /// The seed of the run.
    pub seed: u64,
    /// A hash of the history up to now, 16 hexadecimal digits.
    pub hash: String,
    /// Revision of the cluster, for [`crate::Delta`].
    pub revision: u64,
    /// Grows whenever the past was changed or another scenario was loaded.
    pub epoch: u64,
    /// The title from the scenario, if it has one.
    pub title: String,
    /// Messages about the run, such as a budget that was reached.
    pub notices: Vec<Notice>,
}

/// Something about the run that its reader must know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// A stable word, such as `budget`, `assumed-duration`, `step-failed`.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// The objects that it is about.
    pub objects: Vec<ObjectName>,
}

/// The kinds of marks on the time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MarkKind {
    /// The user or the scenario did something.
    Step,
    /// A pod was bound.
    Bound,
    /// A pod could not be placed.
    Unschedulable,
    /// A job finished.
    JobDone,
    /// A job failed.
    JobFailed,
    /// A cron job fired.
    CronFired,
    /// A pod failed, was evicted or crashed.
    PodFailed,
    /// A node joined, left, failed or recovered.
    Node,
}

/// One interesting moment on the time line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// Milliseconds of the run.
    pub at_ms: i64,
    /// What kind of moment.
    pub kind: MarkKind,
    /// What it is about.
    pub object: ObjectName,
    /// A few words.
    pub text: String,
}

/// What a command or a manifest did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CommandResult {
    /// What kubectl prints, standard output and error together, in order.
    pub output: String,
    /// What of it went to standard error.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// What of it went to standard output, where something went to standard error; only the native
    /// program needs it apart.
    #[serde(skip)]
    pub stdout: String,
    /// 0 when all went well.
    pub exit_code: i32,
    /// Set when the command changed the past: the run that was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forked: Option<Fork>,
}

impl CommandResult {
    /// What went to standard output.
    #[must_use]
    pub fn standard_output(&self) -> &str {
        if self.stderr.is_empty() { &self.output } else { &self.stdout }
    }
}

/// What may stand at the cursor of a console line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Completion {
    /// Where the text begins that a candidate replaces, up to the cursor; in UTF-16 code units.
    pub from: usize,
    /// Sorted. One that ends with `=`, `/` or `.` is not the end of its word.
    pub candidates: Vec<String>,
}

/// The future that a change of the past discarded. Handing `actions` back to the engine and
/// seeking to `horizon_ms` restores it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Fork {
    /// Where the change was made, milliseconds of the run.
    pub at_ms: i64,
    /// How far the discarded run had come.
    pub horizon_ms: i64,
    /// How many of its events were discarded.
    pub n_events: u64,
    /// All actions of the run before the change.
    pub actions: Vec<TimedAction>,
}
