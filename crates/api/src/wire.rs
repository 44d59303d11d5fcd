//! Objects as JSON, the way the API server sends them.

use serde_json::Value;

use crate::Object;

/// An object as the API server sends it.
#[must_use]
pub fn to_value(object: &Object) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}
