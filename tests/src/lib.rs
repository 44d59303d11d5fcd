//! Conformance runner and scenario suite.

pub mod conformance;
pub mod controllers;
pub mod cron;
pub mod suite;
pub mod zones;
