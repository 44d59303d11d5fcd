//! Runs one pod of a DaemonSet on every node that should have one.

mod daemon_controller;
mod daemonset_util;
#[cfg(test)]
mod tests;
mod update;

pub use daemon_controller::DaemonSetsController;
