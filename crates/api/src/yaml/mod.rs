//! YAML and JSON text to documents with spans, and objects back to YAML.
//!
//! [`read`] splits a text into documents as kubectl does, builds a tree of [`Node`]s that know
//! where they stand, and reads objects from it. Every problem of every document is reported at
//! its place; what kubectl and the API server would say is kept in their words.
//!
//! - `position`: places in the text, counted as editors in browsers do;
//! - `scalar`: what a plain scalar means;
//! - `node`: the tree, with aliases and merge keys resolved;
//! - `syntax`: the words for texts that are no YAML;
//! - `decode`, `gotypes`: the tree as a serde deserializer;
//! - `document`, `read`, `kinds`, `older`, `policy`: from trees to objects;
//! - `emit`: objects to YAML.

mod callouts;
mod converter;
mod decode;
mod document;
mod emit;
mod gotypes;
mod json;
mod kinds;
mod kyaml;
mod node;
mod older;
mod path;
mod policy;
mod position;
mod read;
mod scalar;
mod syntax;
mod words;

pub use converter::{converter_words, go_text, is_text_type, merged_patch};
pub use document::{Body, Document, Refusal};
pub(crate) use document::{from_json, object_from_json};
pub use emit::{json_pretty, to_json_pretty, to_json_string, to_string};
pub use kyaml::{Order, to_kyaml};
pub use node::{Data, Entry, MAX_DEPTH, MAX_NODES, Node};
pub use older::upgraded;
pub use read::{MAX_BYTES, MAX_DOCUMENTS, Reading, Stop, read};
pub use scalar::go_float;

#[cfg(test)]
mod tests;
