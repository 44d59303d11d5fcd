//! The core group.
//!
//! Upstream: `pkg/apis/core/validation/validation.go`, v1.36.

pub(crate) mod affinity;
pub(crate) mod container;
pub(crate) mod env;
pub(crate) mod node;
pub(crate) mod pod;
pub(crate) mod pod_resize;
pub(crate) mod pod_status;
pub(crate) mod pod_update;
pub(crate) mod probe;
pub(crate) mod quota;
pub(crate) mod security;
pub(crate) mod service;
pub(crate) mod small;
pub(crate) mod spread;
pub(crate) mod storage;
pub(crate) mod volume;
pub(crate) mod volume_sources;
