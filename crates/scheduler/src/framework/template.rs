//! What is compiled of a pod's spec, shared by all pods that were made from the same template.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, Pod, PodAffinityTerm, PodSpec};

use super::types::Compiled;

/// So many templates are remembered.
const MAX_TEMPLATES: usize = 64;

/// A template: a pod that was made from it, and what was compiled of that.
#[derive(Clone, Debug)]
struct Template {
    hash: u64,
    pod: Arc<Pod>,
    compiled: Arc<Compiled>,
}

/// The templates that were met last.
#[derive(Clone, Debug, Default)]
pub(super) struct Templates {
    all: Arc<Vec<Template>>,
    /// The one that is forgotten next.
    oldest: usize,
}

impl Templates {
    /// What was compiled of a pod with the same spec, as far as scheduling looks at it.
    pub(super) fn find(&self, hash: u64, pod: &Pod) -> Option<Arc<Compiled>> {
        let mut all = self.all.iter().filter(|it| it.hash == hash);
        all.find(|it| same_template(&it.pod, pod)).map(|it| it.compiled.clone())
    }

    pub(super) fn insert(&mut self, hash: u64, pod: Arc<Pod>, compiled: Arc<Compiled>) {
        let all = Arc::make_mut(&mut self.all);
        let template = Template { hash, pod, compiled };
        if all.len() < MAX_TEMPLATES {
            all.push(template);
        } else {
            all[self.oldest] = template;
            self.oldest = (self.oldest + 1) % MAX_TEMPLATES;
        }
    }
}

/// A number that pods of one template share, and that tells most templates apart.
pub(super) fn hash_of(pod: &Pod) -> u64 {
    let mut parts: Vec<&str> = vec![pod.metadata.namespace.as_deref().unwrap_or_default()];
    let Some(spec) = &pod.spec else { return 0 };
    for it in &spec.containers {
        parts.extend(it.image.as_deref());
        let requests = it.resources.as_ref().and_then(|it| it.requests.as_ref());
        parts.extend(requests.into_iter().flatten().map(|(_, it)| it.0.as_str()));
    }
    let selector = spec.node_selector.iter().flatten();
    parts.extend(selector.map(|(_, value)| value.as_str()));
    let affinity = spec.affinity.as_ref();
    let add = |it: &PodAffinityTerm| {
        let labels = it.label_selector.as_ref().and_then(|it| it.match_labels.as_ref());
        let labels = labels.into_iter().flatten().map(|(_, value)| value.as_str());
        crate::schedule_one::hash(0, &labels.collect::<Vec<_>>())
    };
    let mut terms = 0_u64;
    if let Some(it) = affinity.and_then(|it| it.pod_affinity.as_ref()) {
        for it in it.required_during_scheduling_ignored_during_execution.iter().flatten() {
            terms = terms.rotate_left(5) ^ add(it);
        }
        for it in it.preferred_during_scheduling_ignored_during_execution.iter().flatten() {
            terms = terms.rotate_left(5) ^ add(&it.pod_affinity_term);
        }
    }
    if let Some(it) = affinity.and_then(|it| it.pod_anti_affinity.as_ref()) {
        for it in it.required_during_scheduling_ignored_during_execution.iter().flatten() {
            terms = terms.rotate_left(5) ^ add(it);
        }
        for it in it.preferred_during_scheduling_ignored_during_execution.iter().flatten() {
            terms = terms.rotate_left(5) ^ add(&it.pod_affinity_term);
        }
    }
    crate::schedule_one::hash(terms, &parts)
}

/// Whether everything is equal that goes into [`Compiled`].
fn same_template(a: &Pod, b: &Pod) -> bool {
    if a.metadata.namespace != b.metadata.namespace {
        return false;
    }
    let (Some(a), Some(b)) = (&a.spec, &b.spec) else {
        return a.spec.is_none() && b.spec.is_none();
    };
    same_containers(&a.containers, &b.containers)
        && same_containers(
            a.init_containers.as_deref().unwrap_or_default(),
            b.init_containers.as_deref().unwrap_or_default(),
        )
        && a.affinity == b.affinity
        && a.node_selector == b.node_selector
        && a.tolerations == b.tolerations
        && a.overhead == b.overhead
        && a.resources == b.resources
        && image_volumes(a).eq(image_volumes(b))
}

fn same_containers(a: &[Container], b: &[Container]) -> bool {
    let same = |(a, b): (&Container, &Container)| {
        a.image == b.image
            && a.resources == b.resources
            && a.ports == b.ports
            && a.restart_policy == b.restart_policy
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}

fn image_volumes(spec: &PodSpec) -> impl Iterator<Item = Option<&str>> {
    let volumes = spec.volumes.iter().flatten().filter_map(|it| it.image.as_ref());
    volumes.map(|it| it.reference.as_deref())
}
