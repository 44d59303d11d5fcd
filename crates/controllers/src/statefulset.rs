//! Keeps pods with numbers, names and claims of their own, started and stopped in order.

mod stateful_pod_control;
mod stateful_set;
mod stateful_set_control;
mod stateful_set_utils;
#[cfg(test)]
mod tests;

pub use stateful_set::StatefulSetController;
