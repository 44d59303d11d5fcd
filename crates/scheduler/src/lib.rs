//! kube-scheduler: framework, plugins, queue, preemption.
//!
//! [`Scheduler`] is the component that a simulation runs; [`Scheduler::from_objects`] and
//! [`Scheduler::evaluate`] answer questions about a fixed set of objects with the same code.

pub mod apis;
pub mod backend;
mod diagnosis;
mod event_handlers;
pub mod extender;
mod fixes;
pub mod framework;
pub mod schedule_one;
mod scheduler;

pub use apis::config;
pub use schedule_one::Outcome;
pub use scheduler::Scheduler;
