//! Resizes of pods in place: which are granted, which wait for room, which are under way.
//!
//! Upstream: `pkg/kubelet/allocation/allocation_manager.go`, the conditions of resizes in
//! `pkg/kubelet/status/status_manager.go` and `pkg/kubelet/events/resize.go`, v1.36.
//! Differs from upstream: containers take a resize at once, and the kubelet sees that with its next
//! look; no resize meets an error; resources of whole pods are granted and not shown.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use api::k8s_openapi::api::core::v1::{
    Container, Pod, PodCondition, PodSpec, ResourceRequirements,
};
use api::resources::{is_sidecar, qos_class, spec_requests};
use api::time::meta_time;
use api::{ObjectRef, Order, Timestamp, View, pods, wire};

use crate::events::Recorder;
use crate::predicate::Refusal;

/// Upstream: `retryDelay`.
pub(crate) const RETRY_MS: i64 = 180_000;

const PROGRESS: &str = "PodResizeInProgress";

/// The pods of a node whose resizes wait, in the order in which they are tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) pods: Vec<ObjectRef>,
    /// Something has changed: they are to be tried now.
    pub(crate) due: bool,
    /// When they were tried last.
    pub(crate) tried_at: Option<Timestamp>,
}

/// What a container that can be resized has.
type Resources = BTreeMap<String, ResourceRequirements>;

/// A pod that has been resized, or is to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resize {
    /// What the node has set aside.
    allocated: Resources,
    pod_level: Option<ResourceRequirements>,
    /// What the containers run with.
    actual: Resources,
    pending: Option<PodCondition>,
    progress: Option<PodCondition>,
    /// When the containers will be seen to run with what is allocated.
    pub(crate) done_at: Option<Timestamp>,
}

fn resizable(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    let sidecars = spec.init_containers.iter().flatten().filter(|it| is_sidecar(it));
    sidecars.chain(&spec.containers)
}

fn resources_of(spec: &PodSpec) -> Resources {
    let one = |it: &Container| (it.name.clone(), it.resources.clone().unwrap_or_default());
    resizable(spec).map(one).collect()
}

/// Whether two versions of a pod ask for different resources. Upstream: `recordResizeOperations`.
pub(crate) fn is_resized(old: &PodSpec, new: &PodSpec) -> bool {
    old.resources != new.resources
        || !resizable(old).map(|it| &it.resources).eq(resizable(new).map(|it| &it.resources))
}

/// Whether a pod gives something back: it has ended, or runs with other resources than before.
pub(crate) fn frees(old: &Pod, new: &Pod) -> bool {
    let in_progress = |pod: &Pod| {
        let mut conditions = pod.status.iter().flat_map(|it| it.conditions.iter().flatten());
        conditions.any(|it| it.type_ == PROGRESS)
    };
    (pods::is_terminal(new) && !pods::is_terminal(old)) || (in_progress(old) && !in_progress(new))
}

/// Who is tried first: who asks for no more than it has, then by priority, by class of service,
/// and who has been waiting for longest. Upstream: `sortPendingResizes`.
pub(crate) fn sort<'a>(
    keys: &mut Vec<ObjectRef>,
    view: &View<'_>,
    resize_of: impl Fn(&ObjectRef) -> Option<&'a Resize>,
) {
    keys.retain(|it| view.listers.by_ref::<Pod>(it).is_some());
    keys.order_by_key(|key| {
        let pod = view.listers.by_ref::<Pod>(key);
        let spec = pod.and_then(|it| it.spec.as_ref());
        let resize = resize_of(key);
        let allocated = pod.and_then(|it| resize?.allocated_pod(it));
        let grows = pod.zip(allocated).is_some_and(|(pod, allocated)| {
            let of = |it: &Pod| it.spec.as_ref().map(spec_requests).unwrap_or_default();
            let (new, old) = (of(pod), of(&allocated));
            ["cpu", "memory"].into_iter().any(|it| new.get(it) > old.get(it))
        });
        let priority = spec.and_then(|it| it.priority).unwrap_or(0);
        let guaranteed = spec.is_some_and(|it| qos_class(it) == "Guaranteed");
        let since = resize.and_then(|it| it.pending.as_ref()?.last_transition_time.clone());
        (grows, Reverse(priority), !guaranteed, since.is_none(), since.map(|it| it.0))
    });
}

impl Resize {
    /// Before the first resize all is as the spec says.
    pub(crate) fn of(spec: &PodSpec) -> Self {
        let allocated = resources_of(spec);
        let actual = allocated.clone();
        Self { allocated, actual, pod_level: spec.resources.clone(), ..Self::default() }
    }

    /// The pod as the node has granted it, if it asks for something else. Upstream:
    /// `UpdatePodFromAllocation`.
    pub(crate) fn allocated_pod(&self, pod: &Pod) -> Option<Pod> {
        let spec = pod.spec.as_ref()?;
        if self.pod_level == spec.resources && self.allocated == resources_of(spec) {
            return None;
        }
        let mut spec = spec.clone();
        spec.resources.clone_from(&self.pod_level);
        let inits = spec.init_containers.iter_mut().flatten();
        for container in inits.chain(&mut spec.containers) {
            if let Some(it) = self.allocated.get(&container.name) {
                container.resources = Some(it.clone());
            }
        }
        let (metadata, status) = (pod.metadata.clone(), pod.status.clone());
        Some(Pod { metadata, spec: Some(spec), status })
    }

    /// The containers that have to be started anew for what they are given now.
    pub(crate) fn restarts(&self, spec: &PodSpec) -> Vec<String> {
        let must = |it: &&Container| {
            let before = self.actual.get(&it.name).cloned().unwrap_or_default();
            let now = it.resources.clone().unwrap_or_default();
            it.resize_policy.iter().flatten().any(|policy| {
                let name = &policy.resource_name;
                let of = |it: &ResourceRequirements| {
                    let requests = it.requests.as_ref().and_then(|it| it.get(name)).cloned();
                    (requests, it.limits.as_ref().and_then(|it| it.get(name)).cloned())
                };
                policy.restart_policy == "RestartContainer" && of(&before) != of(&now)
            })
        };
        resizable(spec).filter(must).map(|it| it.name.clone()).collect()
    }

    /// It asks for what it has. Returns whether anything was pending.
    pub(crate) fn settle(&mut self) -> bool {
        self.pending.take().is_some()
    }

    /// Gives the pod what it asks for.
    pub(crate) fn grant(&mut self, pod: &Pod, now: Timestamp, out: &mut Recorder<'_>) {
        let Some(spec) = &pod.spec else { return };
        self.allocated = resources_of(spec);
        self.pod_level.clone_from(&spec.resources);
        self.pending = None;
        self.progress = Some(condition(PROGRESS, None, None, pod, now));
        out.pod(false, "ResizeStarted", summary("started", pod, pod.metadata.generation, None));
    }

    /// There is no room now. Returns whether this is news. Upstream: `SetPodResizePendingCondition`.
    pub(crate) fn defer(
        &mut self,
        refusal: Refusal,
        pod: &Pod,
        now: Timestamp,
        out: &mut Recorder<'_>,
    ) -> bool {
        let Refusal { reason, message } = refusal;
        let old = self.pending.take();
        let mut new = condition("PodResizePending", Some("Deferred"), Some(&message), pod, now);
        if let Some(old) = &old {
            new.last_transition_time.clone_from(&old.last_transition_time);
        }
        if old.as_ref().map(|it| it.observed_generation) != Some(new.observed_generation) {
            out.pod(
                true,
                "ResizeDeferred",
                summary(&reason, pod, new.observed_generation, Some(&message)),
            );
        }
        let news = old.as_ref().is_none_or(|it| {
            (&it.message, it.observed_generation) != (&new.message, new.observed_generation)
        });
        self.pending = Some(if news { new } else { old.unwrap_or(new) });
        news
    }

    /// The containers run with what is allocated.
    pub(crate) fn complete(&mut self, at: Timestamp, pod: &Pod, out: &mut Recorder<'_>) {
        if self.done_at.take_if(|it| *it <= at).is_none() {
            return;
        }
        self.actual.clone_from(&self.allocated);
        if let Some(it) = self.progress.take() {
            let text = summary("completed", pod, it.observed_generation, None);
            out.pod(false, "ResizeCompleted", text);
        }
    }

    pub(crate) fn conditions(&self) -> impl Iterator<Item = &PodCondition> {
        [&self.pending, &self.progress].into_iter().flatten()
    }

    /// What a container is given and what it has.
    pub(crate) fn shown(
        &self,
        container: &str,
        running: bool,
    ) -> Option<(&ResourceRequirements, &ResourceRequirements)> {
        let allocated = self.allocated.get(container)?;
        let actual = self.actual.get(container).filter(|_| running).unwrap_or(allocated);
        Some((allocated, actual))
    }
}

fn condition(
    type_: &str,
    reason: Option<&str>,
    message: Option<&str>,
    pod: &Pod,
    now: Timestamp,
) -> PodCondition {
    PodCondition {
        type_: type_.to_owned(),
        status: "True".to_owned(),
        reason: reason.map(str::to_owned),
        message: message.map(str::to_owned),
        last_probe_time: Some(meta_time(now)),
        last_transition_time: Some(meta_time(now)),
        observed_generation: pod.metadata.generation,
    }
}

/// What the pod asks for, as events tell it: JSON. Upstream: `podResizeMessage`.
fn summary(word: &str, pod: &Pod, generation: Option<i64>, error: Option<&str>) -> String {
    let list = |containers: &[Container]| {
        let one = |it: &Container| {
            let resources = wire::to_json(&it.resources.clone().unwrap_or_default());
            format!("{{\"name\":{},\"resources\":{resources}}}", wire::to_json(&it.name))
        };
        let all: Vec<String> = containers.iter().map(one).collect();
        all.join(",")
    };
    let mut text = format!("Pod resize {word}: {{");
    if let Some(spec) = &pod.spec {
        if let Some(inits) = spec.init_containers.as_deref().filter(|it| !it.is_empty()) {
            text.push_str(&format!("\"initContainers\":[{}],", list(inits)));
        }
        text.push_str(&format!("\"containers\":[{}],", list(&spec.containers)));
    }
    text.push_str(&format!("\"generation\":{}", generation.unwrap_or_default()));
    if let Some(error) = error {
        text.push_str(&format!(",\"error\":{}", wire::to_json(&error)));
    }
    text + "}"
}
