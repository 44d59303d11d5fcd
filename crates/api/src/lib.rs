//! Kubernetes objects and the words in which the components speak of them.
//!
//! Components meet only through objects: they read [`Listers`], are handed the time, and answer
//! with a [`Plan`]. The store (crate `apiserver`) is the only writer, the loop (crate `sim`) the
//! only one who calls. This crate knows neither.

mod component;
mod event;
mod kind;
mod listers;
mod name;
mod object;
mod objects;
mod plan;
mod pod_row;
mod shared_map;
mod shared_table;

pub mod cel;
pub mod cron;
pub mod duration;
pub mod fields;
pub mod go_order;
pub mod json_patch;
pub mod order;
pub mod pods;
pub mod quantity;
pub mod quota;
pub mod resources;
pub mod scenario;
pub mod selector;
pub mod sent;
pub mod taints;
pub mod time;
pub mod wire;
pub mod yaml;
pub mod zones;

pub use component::{Change, Component, ComponentId, Ending, Settings, View, WorkQueue};
pub use event::{Event, EventRow, Recorded};
pub use kind::Kind;
pub use listers::Listers;
pub use name::{ObjectRef, SmolStr, uuid_text};
pub use object::{Object, Resource, controller_of};
pub use objects::Objects;
pub use order::{Gather, Order};
pub use plan::{
    Action, ApiError, ApiReason, Attempt, DeleteOptions, EventSpec, FieldCause, Patch, Plan,
    Propagation, slow_start_batch,
};
pub use pod_row::{PodRow, pod_reason};
pub use shared_map::SharedMap;
pub use shared_table::{SharedTable, hash_bytes};
pub use time::Timestamp;
pub use zones::Zones;

pub use k8s_openapi;
pub use view;
