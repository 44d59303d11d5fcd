//! Conformance runner and scenario suite.

pub mod api;
pub mod conformance;
pub mod controllers;
pub mod cron;
pub mod kubectl;
pub mod scheduler;
pub mod suite;
pub mod zones;
