//! The API server without HTTP: the one writer of objects.
//!
//! A write passes, in upstream's order, through defaulting ([`defaults`]), mutating admission
//! ([`admission`]), the kind's strategy ([`strategy`]), validation ([`validation`]) and validating
//! admission; only then does the [`Store`] give it a resource version and report a `Change`.

pub mod admission;
pub mod defaults;
pub mod strategy;
pub mod validation;

mod bootstrap;
mod managedfields;
mod names;
mod patch;
mod store;
mod warnings;

pub use defaults::default_object;
pub use patch::apply_patch;
pub use store::Store;
