//! The deterministic loop: event, decide, plan, apply, change, react, event.
//!
//! A [`Simulation`] owns the store, the clock, the queues and all components. A run is a function
//! of the text, the options, the seed, the user's actions and the engine's version; its history
//! has a hash that proves it. Going back is restoring a checkpoint and replaying; changing the
//! past discards the future.

mod annotations;
mod attempts;
mod checkpoints;
mod client;
mod components;
mod expiry;
mod export;
mod history;
mod import;
mod log;
mod moments;
mod notices;
mod picture;
mod queue;
mod script;
mod simulation;
mod steps;
mod words;
mod world;

pub use api::scenario::Preset;
pub use api::{Kind, Zones};
pub use export::Export;
pub use history::{Actor, Record};
pub use scheduler::extender::{Handler, Handlers};
pub use script::{Options, zones_of};
pub use simulation::{Progress, Simulation};
pub use world::Budgets;
