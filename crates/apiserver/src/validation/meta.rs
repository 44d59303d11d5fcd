//! Metadata.

use api::Object;

use crate::validation::{Errors, Path};

pub(super) fn validate_create(object: &Object, errors: &mut Errors) {
    if object.name().is_empty() {
        let meta = Path::new("metadata");
        errors.required(&meta.child("name"), "name or generateName is required");
    }
}
