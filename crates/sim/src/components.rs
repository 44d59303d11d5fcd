//! The components of a cluster, in the order in which they hear of a change.

use api::Component;
use scheduler::Scheduler;

use crate::world::Run;

/// All components, with empty memories.
pub(crate) fn all(run: &Run) -> Vec<Box<dyn Component>> {
    let mut all = controllers::all();
    all.push(Box::new(kubelet::Kubelet::default()));
    // A configuration with errors was refused when the text was read; the defaults always load.
    let configured = Scheduler::new(run.scheduler_configurations.first());
    if let Ok(scheduler) = configured.or_else(|_| Scheduler::new(None)) {
        all.push(Box::new(scheduler));
    }
    all.sort_by_key(|it| it.id());
    all
}
