//! Objects and their parts as JSON, the way the API server sends them.
//!
//! Kubernetes' types are many and large, and every serializer or deserializer that meets them
//! compiles them all once more. So there is one of each: everything is written as a
//! `serde_json::Value`, by a serializer of our own, and read through the decoder of [`crate::yaml`]. Code that reads or writes
//! Kubernetes types should come here instead of to `serde_json`.

mod writer;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Kind, Object, yaml};

/// An object, or a part of one, as the API server sends it.
#[must_use]
pub fn to_value<T: Serialize>(part: &T) -> Value {
    value_along(part, &[])
}

/// As [`to_value`], but of objects only the keys of a path: `["spec", "nodeName"]`. Lists on the way
/// are whole, each of their items going by the rest of the path.
#[must_use]
pub fn value_along<T: Serialize>(part: &T, path: &[&str]) -> Value {
    part.serialize(writer::Writer::along(path)).unwrap_or_default()
}

/// An object, or a part of one, as JSON text with sorted keys.
#[must_use]
pub fn to_json<T: Serialize>(part: &T) -> String {
    to_value(part).to_string()
}

/// An object of a known kind from JSON. Unknown fields are dropped.
///
/// # Errors
/// What does not fit the kind's type, in Go's words.
pub fn object_from_value(kind: Kind, value: &Value) -> Result<Object, String> {
    yaml::object_from_json(kind, value)
}

/// A part of an object from JSON. Unknown fields are dropped.
///
/// # Errors
/// What does not fit the type, in Go's words.
pub fn from_value<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, String> {
    yaml::from_json(value)
}
