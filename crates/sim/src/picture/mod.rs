//! From objects to what the page draws.

mod delta;
mod lanes;
mod node;
mod pod;
mod workload;

pub(crate) use delta::{Frame, full, since};
pub(crate) use lanes::lanes;
pub(crate) use pod::state_word;

use api::k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use api::{Object, Timestamp, time};

/// Milliseconds of the run of a time in an object.
fn ms(start: Timestamp, at: &Time) -> i64 {
    time::ms_between(start, at.0)
}

/// When an object was created, milliseconds of the run.
fn created_ms(start: Timestamp, object: &Object) -> i64 {
    object.meta().creation_timestamp.as_ref().map_or(0, |it| ms(start, it))
}
