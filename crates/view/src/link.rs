//! What a permanent link holds.
//!
//! A link is `#1z.` followed by base64url without padding of raw deflate of the JSON of
//! [`LinkState`]. The first character is the version of the format; links of every version that was
//! ever published stay readable, so fields are only ever added, each with a default.

use serde::{Deserialize, Serialize};

use crate::ObjectName;

/// What stands before the payload: format 1, raw deflate.
pub const LINK_PREFIX: &str = "1z.";

/// The most that a link's JSON may unpack to, in bytes: links come from strangers.
pub const LINK_MAX_BYTES: usize = 1 << 20;

/// Everything that a link restores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LinkState {
    /// The editor's buffers, in order.
    pub files: Vec<LinkFile>,
    /// The cluster preset, where the page chose one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// The seed, where the page chose one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What the user did during the run, in order of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<TimedAction>,
    /// Where the clock stands, milliseconds of the run.
    #[serde(skip_serializing_if = "is_zero")]
    pub cursor_ms: i64,
    /// What is selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<ObjectName>,
    /// The inspector's open tab or another pane, in the page's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panel: Option<String>,
}

/// One editor buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LinkFile {
    /// The tab's title.
    pub name: String,
    /// The YAML.
    pub text: String,
}

/// Something that the user does at a time of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimedAction {
    /// When, milliseconds of the run.
    pub at_ms: i64,
    /// A command line: `kubectl ...`, `fail node n1`, `recover node n1`, `stop controller job`,
    /// `start controller job`. Empty where `yaml` is applied.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// A manifest to apply, or the standard input of `command`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub yaml: String,
}

fn is_zero(it: &i64) -> bool {
    *it == 0
}
