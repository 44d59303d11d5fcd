//! Objects and their parts as JSON, the way the API server sends them.
//!
//! Both directions go through one erased copy of each type's code, because these types are many and
//! large: code that reads or writes Kubernetes types should come here instead of to `serde_json`.

use serde::de::DeserializeOwned;
use serde::{Serialize, de::Error as _};
use serde_json::Value;

/// An object, or a part of one, as the API server sends it.
#[must_use]
pub fn to_value<T: Serialize>(part: &T) -> Value {
    erased_serde::serialize(part, serde_json::value::Serializer).unwrap_or_default()
}

/// A part of an object from JSON.
///
/// # Errors
/// What does not fit the type.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    let mut erased = <dyn erased_serde::Deserializer<'_>>::erase(value);
    erased_serde::deserialize(&mut erased).map_err(serde_json::Error::custom)
}

/// An object, or a part of one, as JSON text with the fields in the order of the type.
#[must_use]
pub fn to_json<T: Serialize>(part: &T) -> String {
    let mut out = vec![];
    match erased_serde::serialize(part, &mut serde_json::Serializer::new(&mut out)) {
        Ok(()) => String::from_utf8(out).unwrap_or_default(),
        Err(_) => String::new(),
    }
}
