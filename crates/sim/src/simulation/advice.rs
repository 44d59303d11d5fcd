//! Questions to the scheduler about what is not, but could be.

use std::sync::Arc;

use api::k8s_openapi::api::core::v1::Pod;
use api::{Object, Objects, Timestamp};
use scheduler::Scheduler;
use view::{Fixes, Room};

use super::Simulation;

impl Simulation {
    /// The smallest changes that would make a waiting pod fit now, each tried with the filters.
    /// `None` when there is no such pod or it has its node.
    #[must_use]
    pub fn fixes(&self, namespace: &str, name: &str) -> Option<Fixes> {
        let waits = |it: &&Arc<Pod>| {
            api::pods::node_name(it).is_none_or(str::is_empty) && !api::pods::is_terminal(it)
        };
        let pod = self.pod(namespace, name).filter(waits)?;
        self.ask_scheduler(|it, objects, now| it.fixes(pod, objects, now, self.run.seed))
    }

    /// How many more pods like a pod there is room for now, where, and what stops the next one.
    /// `None` when there is no such pod or no scheduler serves it.
    #[must_use]
    pub fn room(&self, namespace: &str, name: &str) -> Option<Room> {
        let pod = self.pod(namespace, name)?;
        let room =
            |it: &Scheduler, objects: &Objects, now| it.room(pod, objects, now, self.run.seed);
        self.ask_scheduler(room).filter(|it| it.n > 0 || it.next.is_some())
    }

    fn pod(&self, namespace: &str, name: &str) -> Option<&Arc<Pod>> {
        match self.object("Pod", namespace, name)? {
            Object::Pod(it) => Some(it),
            _ => None,
        }
    }

    /// A scheduler that knows the cluster as it is now, and may be asked anything.
    fn ask_scheduler<T>(
        &self,
        ask: impl FnOnce(&Scheduler, &Objects, Timestamp) -> T,
    ) -> Option<T> {
        let objects = self.listers().0;
        let configuration = self.run.scheduler_configuration.as_ref();
        let scheduler =
            Scheduler::from_objects_with(configuration, &self.run.extenders, objects).ok()?;
        Some(ask(&scheduler, objects, self.world.now))
    }
}
