//! The scheduler's memory: the cache of nodes and pods, and the queue.

pub mod cache;
pub mod queue;
