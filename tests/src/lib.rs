//! Conformance runner and scenario suite.
