//! What a command prints, and how it ends.

use api::Timestamp;

use crate::Client;
use crate::commands::{Kept, Waiting};

/// Where a piece of text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// The printed text of a command, in order, and its exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    pieces: Vec<(Stream, String)>,
    /// 0 when all went well.
    pub exit_code: i32,
}

impl Output {
    /// Prints to standard output.
    pub fn out(&mut self, text: impl Into<String>) {
        self.pieces.push((Stream::Out, text.into()));
    }

    /// Prints to standard error.
    pub fn err(&mut self, text: impl Into<String>) {
        self.pieces.push((Stream::Err, text.into()));
    }

    /// Standard output.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stream(Stream::Out)
    }

    /// Standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stream(Stream::Err)
    }

    /// Both, in the order in which they were printed.
    #[must_use]
    pub fn both(&self) -> String {
        self.pieces.iter().map(|it| it.1.as_str()).collect()
    }

    /// As [`both`](Self::both), of who needs no more of it; a single piece is not copied.
    #[must_use]
    pub fn into_text(mut self) -> String {
        let filled = self.pieces.iter().filter(|it| !it.1.is_empty()).count();
        match self.pieces.pop() {
            Some((_, text)) if filled == 1 && !text.is_empty() => text,
            last => {
                self.pieces.extend(last);
                self.both()
            }
        }
    }

    fn stream(&self, stream: Stream) -> String {
        self.pieces.iter().filter(|it| it.0 == stream).map(|it| it.1.as_str()).collect()
    }
}

/// What a command came to.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it lives briefly; on 32 bits the lint is silent"
)]
pub enum Outcome {
    /// It has ended.
    Done(Output),
    /// It waits for the cluster.
    Pending(Pending),
}

impl Outcome {
    /// The output, of a command that waits: as far as it has come. For callers that do not let
    /// time go on.
    #[must_use]
    pub fn into_output(self) -> Output {
        match self {
            Self::Done(output) => output,
            Self::Pending(pending) => pending.output,
        }
    }
}

/// A command that waits for the cluster.
#[derive(Clone, Debug)]
pub struct Pending {
    /// What it has printed so far.
    pub output: Output,
    /// When it gives up; ask again then at the latest. `None`: never.
    pub deadline: Option<Timestamp>,
    pub(crate) waiting: Waiting,
    pub(crate) kept: Kept,
}

impl Pending {
    /// Asks whether what the command waits for has come. Call it after each change of the
    /// cluster, and at the deadline.
    #[must_use]
    pub fn poll(self, client: &mut dyn Client) -> Outcome {
        crate::commands::poll(self, client)
    }
}
