//! The components of a cluster, in the order in which they hear of a change.

use api::Component;

/// All components, with empty memories.
pub(crate) fn all() -> Vec<Box<dyn Component>> {
    let mut all: Vec<Box<dyn Component>> = Vec::new();
    all.sort_by_key(|it| it.id());
    all
}
