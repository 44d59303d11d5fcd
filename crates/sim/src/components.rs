//! The components of a cluster, in the order in which they hear of a change.

use api::Component;

use crate::world::Run;

/// All components, with empty memories.
pub(crate) fn all(_run: &Run) -> Vec<Box<dyn Component>> {
    let mut all = controllers::all();
    all.push(Box::new(kubelet::Kubelet::default()));
    all.sort_by_key(|it| it.id());
    all
}
