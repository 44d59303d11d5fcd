//! The scheduling framework: extension points, what plugins see, and how profiles run them.

pub mod cycle_state;
pub mod events;
mod examine;
pub mod interface;
pub mod intern;
pub mod labels;
pub mod plugins;
pub mod preemption;
pub mod runtime;
mod statuses;
mod template;
pub mod types;
