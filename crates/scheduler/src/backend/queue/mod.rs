//! The pods that wait: for their turn, for a back-off to end, for something to change.

mod nominator;
mod scheduling_queue;

pub use nominator::Nominator;
pub use scheduling_queue::{PopResult, QueuedPodInfo, SchedulingQueue};
