//! The scheduler's own API: its configuration.

pub mod config;
