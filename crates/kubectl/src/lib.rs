//! The kubectl command line on any client of the API.
//!
//! [`run`] takes the words of a command line and a [`Client`] and answers with what kubectl
//! prints. Commands that wait (`wait`, `rollout status`, `drain`) answer [`Outcome::Pending`]: the
//! owner of the clock lets time go on and asks again with [`Pending::poll`].

mod args;
mod client;
mod commands;
mod complete;
mod documentation;
mod failure;
mod gotemplate;
mod hash;
mod jsonpath;
mod last_applied;
mod names;
mod output;
mod output_format;
mod printers;
mod resources;
mod shell;
mod sorter;
mod table;
mod unified;

pub use client::{Client, DryRun};
pub use commands::{run, run_line};
pub use complete::{Completion, complete};
pub use output::{Outcome, Output, Pending, Stream};
pub use shell::split;

/// What `kubectl get pods` prints under STATUS, such as `ContainerCreating` or `Completed`.
#[must_use]
pub fn pod_status(pod: &k8s_openapi::api::core::v1::Pod) -> String {
    api::pod_reason(pod)
}
