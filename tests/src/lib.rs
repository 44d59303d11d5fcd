//! Conformance runner and scenario suite.

pub mod suite;
