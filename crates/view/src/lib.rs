//! What the engine shows and the page draws: plain serde types without Kubernetes' own.
//!
//! They are compiled into the engine and into the page, so this crate stays small and knows
//! neither the store nor the DOM. Times are integer milliseconds since the start of the scenario.

mod advice;
mod cluster;
mod diagnosis;
mod diagnostic;
mod lanes;
mod link;
mod reach;
mod run;

pub use advice::{Fix, Fixes, Room};
pub use cluster::{
    Amount, ContainerTile, Delta, EventRow, NodeCard, ObjectName, PodTile, Workload, WorkloadDetail,
};
pub use diagnosis::{
    Attempt, Diagnosis, NodeScores, NodeVerdict, PluginScore, PreemptionReport, StatusCode, Term,
};
pub use diagnostic::{Diagnostic, Position, Severity, Span};
pub use lanes::{Lane, Outcome, Span as LaneSpan};
pub use link::{LINK_MAX_BYTES, LINK_PREFIX, LinkFile, LinkState, TimedAction};
pub use reach::{Reach, Target, Way, WayKind};
pub use run::{CommandResult, Completion, Fork, Mark, MarkKind, Notice, RunState};
