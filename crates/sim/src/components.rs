//! The components of a cluster, in the order in which they hear of a change.

use api::Component;
use api::Order;
use kubelet::Kubelet;
use scheduler::Scheduler;

use crate::world::Run;

/// All components, with empty memories.
pub(crate) fn all(run: &Run) -> Vec<Box<dyn Component>> {
    let mut all = controllers::all();
    all.push(Box::new(Kubelet::default()));
    // A configuration with mistakes does not get here: the script reports them.
    if let Ok(it) = Scheduler::with_handlers(run.scheduler_configuration.as_ref(), &run.extenders) {
        all.push(Box::new(it));
    }
    all.order_by_key(|it| it.id());
    all
}
