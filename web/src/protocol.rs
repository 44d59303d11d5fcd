//! What the page says to the engine's worker and what comes back, as JSON.

use serde::{Deserialize, Serialize};
use view::{
    Attempt, CommandResult, Completion, Delta, Diagnosis, Diagnostic, Fixes, Lane, Mark, Reach,
    Room, RunState, TimedAction,
};

/// One request. Replies carry its `id`.
#[derive(Debug, Serialize)]
pub struct Request {
    /// Counted from 1.
    pub id: u32,
    /// Marks and lanes are wanted too.
    pub extras: bool,
    /// What to do.
    pub body: Op,
}

/// How a scenario is opened.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OpenOptions {
    /// The seed, where the page chose one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The cluster preset, where the page chose one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// What the user did in the run so far.
    pub actions: Vec<TimedAction>,
}

impl Op {
    /// Whether it only asks: time and the cluster stay as they are.
    #[must_use]
    pub fn only_asks(&self) -> bool {
        matches!(
            self,
            Self::Inspect { .. }
                | Self::Diagnostics { .. }
                | Self::Export { .. }
                | Self::Complete { .. }
                | Self::Fixes { .. }
                | Self::Room { .. }
        )
    }
}

/// What the engine can be asked.
#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "camelCase")]
pub enum Op {
    /// A new run of a text, if the text has no errors, up to a time; a quiet one shows nothing
    /// before it is there.
    Open { text: String, options: OpenOptions, at: i64, quiet: bool },
    /// One event.
    Step,
    /// Back by one event.
    StepBack,
    /// Up to the next interesting event.
    Interesting,
    /// Back to the interesting moment before.
    Previous,
    /// Brings a discarded future back, and goes to a time.
    Undo { actions: Vec<TimedAction>, horizon: i64, to: i64 },
    /// Up to a time, at most so many events.
    #[serde(rename_all = "camelCase")]
    Advance { to: i64, max_events: u32 },
    /// To any time, back or forth.
    Seek { to: i64 },
    /// A command line, now.
    Command { line: String, input: String },
    /// What may stand at the cursor of a console line.
    Complete { line: String, cursor: u32 },
    /// A manifest, now.
    Apply { text: String },
    /// The problems of a text, nothing else.
    Diagnostics { text: String, options: OpenOptions },
    /// YAML of an object; for a pod also its scheduling attempts, one of them in full: the last,
    /// or the one at a place, and whom it reaches.
    Inspect { kind: String, namespace: String, name: String, place: Option<u32>, reach: bool },
    /// What would let a pod run.
    Fixes { namespace: String, name: String },
    /// The cluster as YAML for `cluster` or `kwok`.
    Export { target: &'static str },
    /// How many more of a pod fit.
    Room { namespace: String, name: String },
    /// Several command lines with their input, now.
    Act { steps: Vec<TimedAction> },
}

/// What came back: the parts that the request has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reply {
    /// Of the request.
    pub id: u32,
    /// The request's `op`.
    pub op: String,
    /// Why it was not done.
    pub error: Option<String>,
    /// Where the run stands.
    pub state: Option<RunState>,
    /// What changed since the last reply with a delta.
    pub delta: Option<Delta>,
    /// Interesting moments.
    pub marks: Option<Vec<Mark>>,
    /// Rows of the time line.
    pub lanes: Option<Vec<Lane>>,
    /// Problems of the text.
    pub diagnostics: Option<Vec<Diagnostic>>,
    /// What the user did in this run so far.
    pub actions: Option<Vec<TimedAction>>,
    /// What a command printed.
    pub command: Option<CommandResult>,
    /// What may stand at a cursor.
    pub completion: Option<Completion>,
    /// Live YAML of an object.
    pub yaml: Option<String>,
    /// A scheduling attempt of a pod.
    pub diagnosis: Option<Diagnosis>,
    /// All attempts of the pod, in a line each.
    pub attempts: Option<Vec<Attempt>>,
    /// Whom the pod reaches.
    pub reach: Option<Reach>,
    /// What would let the pod run.
    pub fixes: Option<Fixes>,
    /// The cluster as YAML.
    pub export: Option<String>,
    /// How many more of the pod fit.
    pub room: Option<Room>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_form_that_the_worker_reads() {
        let request = Request { id: 3, extras: true, body: Op::Advance { to: 5, max_events: 9 } };
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(json, r#"{"id":3,"extras":true,"body":{"op":"advance","to":5,"maxEvents":9}}"#);
    }

    #[test]
    fn a_reply_may_have_any_part() {
        let reply: Reply =
            serde_json::from_str(r#"{"id":3,"op":"inspect","diagnosis":null,"yaml":"a: b"}"#)
                .unwrap();
        assert!(reply.diagnosis.is_none() && reply.yaml.as_deref() == Some("a: b"));
    }
}
