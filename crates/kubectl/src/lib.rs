//! The kubectl command line on any client of the API.
//!
//! [`run`] takes the words of a command line and a [`Client`] and answers with what kubectl
//! prints. Commands that wait (`wait`, `rollout status`, `drain`) answer [`Outcome::Pending`]: the
//! owner of the clock lets time go on and asks again with [`Pending::poll`].

mod client;
mod commands;
mod output;
mod shell;

pub use client::{Client, DryRun};
pub use commands::{run, run_line};
pub use output::{Outcome, Output, Pending, Stream};
pub use shell::split;
