//! What the reader of a run must know about its pods: what was assumed, and what nobody serves.

use api::k8s_openapi::api::core::v1::Pod;
use api::{ObjectRef, Resource, pods};
use kubelet::{Source, workload_of};
use view::Notice;

use crate::world::Run;

/// The scheduler that pods have which name none.
pub(crate) const DEFAULT_SCHEDULER: &str = "default-scheduler";

/// The notices about a pod that was just created. `root` is its top-most owner or itself.
pub(crate) fn of_pod(pod: &Pod, root: &ObjectRef, run: &Run) -> Vec<Notice> {
    let mut notices = Vec::new();
    notices.extend(assumed_duration(pod, root, run));
    notices.extend(unserved_scheduler(pod, root, run));
    notices
}

fn assumed_duration(pod: &Pod, root: &ObjectRef, run: &Run) -> Option<Notice> {
    let spec = pods::spec(pod)?;
    let workloads = spec
        .containers
        .iter()
        .map(|container| (container, workload_of(pod, container, 0, run.seed, &run.settings)));
    let assumed: Vec<_> = workloads.filter(|(_, it)| it.source == Source::Assumed).collect();
    let (_, first) = assumed.first()?;
    let names: Vec<_> = assumed.iter().map(|(container, _)| container.name.as_str()).collect();
    let what = match first.duration_ms {
        None => "run for ever".to_owned(),
        Some(ms) => format!("run for {} s and end with code {}", ms / 1_000, first.exit_code),
    };
    let message = format!(
        "{root}: nothing says how long its containers run ({}); they are assumed to {what}.",
        names.join(", ")
    );
    Some(Notice { code: "assumed-duration".to_owned(), message, objects: vec![root.to_view()] })
}

fn unserved_scheduler(pod: &Pod, root: &ObjectRef, run: &Run) -> Option<Notice> {
    let spec = pods::spec(pod)?;
    let name = spec.scheduler_name.as_deref().unwrap_or(DEFAULT_SCHEDULER);
    if pods::node_name(pod).is_some() || run.serves(name) {
        return None;
    }
    let message = format!(
        "{root}: its pods ask for the scheduler \"{name}\", which is not there: they wait, and \
         no event says why."
    );
    let objects = vec![root.to_view(), pod.object_ref().to_view()];
    Some(Notice { code: "unserved-scheduler".to_owned(), message, objects })
}

impl Run {
    /// Whether a profile with this scheduler name runs.
    pub(crate) fn serves(&self, name: &str) -> bool {
        let profiles = self.scheduler_configuration.as_ref().and_then(|it| it.get("profiles"));
        let Some(profiles) = profiles.and_then(serde_json::Value::as_array) else {
            return name == DEFAULT_SCHEDULER;
        };
        let mut names = profiles.iter().map(|it| {
            it.get("schedulerName").and_then(serde_json::Value::as_str).unwrap_or(DEFAULT_SCHEDULER)
        });
        profiles.is_empty() && name == DEFAULT_SCHEDULER || names.any(|it| it == name)
    }
}
