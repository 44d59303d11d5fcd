//! Affinity and anti-affinity between pods.
//!
//! Upstream: `pkg/scheduler/framework/plugins/interpodaffinity/plugin.go`, v1.36.

mod filtering;
mod scoring;

use std::sync::Arc;

use api::Object;
use k8s_openapi::api::core::v1::{Namespace, Node};

use super::names;
use crate::apis::config::InterPodAffinityArgs;
use crate::backend::cache::NamespaceMatch;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{
    FilterPlugin, Handle, HintContext, Plugin, PreFilterPlugin, PreScorePlugin, QueueingHint,
    ScorePlugin,
};
use crate::framework::intern::{Interner, Labels};
use crate::framework::labels::Selector;
use crate::framework::types::{AffinityTerm, PodInfo};

/// The plugin.
pub struct InterPodAffinity {
    args: InterPodAffinityArgs,
}

impl InterPodAffinity {
    /// With its arguments.
    #[must_use]
    pub fn new(args: &InterPodAffinityArgs) -> Self {
        Self { args: args.clone() }
    }
}

impl Plugin for InterPodAffinity {
    fn name(&self) -> &'static str {
        names::INTER_POD_AFFINITY
    }
    fn as_pre_filter(&self) -> Option<&dyn PreFilterPlugin> {
        Some(self)
    }
    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
    fn as_pre_score(&self) -> Option<&dyn PreScorePlugin> {
        Some(self)
    }
    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        Some(self)
    }
    fn events_to_register(&self) -> Vec<ClusterEventWithHint> {
        vec![
            ClusterEventWithHint {
                event: ClusterEvent::new(
                    EventResource::Pod,
                    ActionType::ADD | ActionType::UPDATE_POD_LABEL | ActionType::DELETE,
                ),
                hint: Some(Arc::new(|context, pod, change| {
                    after_pod_change(context, pod, &change.old, &change.new)
                })),
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(
                    EventResource::Node,
                    ActionType::ADD | ActionType::UPDATE_NODE_LABEL,
                ),
                hint: Some(Arc::new(|context, pod, change| {
                    after_node_change(context, pod, &change.old, &change.new)
                })),
            },
        ]
    }
}

/// The labels of a pod's namespace. Upstream: `GetNamespaceLabelsSnapshot`.
fn namespace_labels(handle: &mut Handle<'_>, pod: &PodInfo) -> Labels {
    let namespace = handle.listers.get::<Namespace>("", pod.namespace_name());
    let labels = namespace.and_then(|it| it.metadata.labels.as_ref());
    Labels::new(labels, &mut handle.cache.interner)
}

/// The namespaces that a term of the incoming pod looks at. Upstream:
/// `mergeAffinityTermNamespacesIfNotEmpty`.
fn namespaces_of(handle: &mut Handle<'_>, term: &AffinityTerm) -> NamespaceMatch {
    match &term.namespace_selector {
        Selector::Nothing => NamespaceMatch::Names(term.namespaces.clone()),
        selector if selector.is_everything() => NamespaceMatch::All,
        selector => {
            let mut names = term.namespaces.clone();
            let interner: &mut Interner = &mut handle.cache.interner;
            for namespace in handle.listers.list::<Namespace>() {
                let labels = Labels::new(namespace.metadata.labels.as_ref(), interner);
                if selector.matches(&labels, interner) {
                    let name = namespace.metadata.name.as_deref().unwrap_or_default();
                    names.push(interner.intern(name));
                }
            }
            names.sort_unstable();
            names.dedup();
            NamespaceMatch::Names(names)
        }
    }
}

/// Upstream: `podMatchesAllAffinityTerms`, where the namespace selector sees no labels.
fn matches_all(terms: &[AffinityTerm], pod: &PodInfo, interner: &Interner) -> bool {
    let none = Labels::default();
    !terms.is_empty() && terms.iter().all(|it| it.matches(pod, &none, interner))
}

/// Upstream: `isSchedulableAfterPodChange`.
fn after_pod_change(
    context: &mut HintContext<'_>,
    pod: &PodInfo,
    old: &Option<Object>,
    new: &Option<Object>,
) -> QueueingHint {
    let interner = &mut *context.interner;
    let as_pod = |it: &Option<Object>| match it {
        Some(Object::Pod(it)) => Some(it.clone()),
        _ => None,
    };
    let (old, new) = (as_pod(old), as_pod(new));
    let is_target = new.as_ref().is_some_and(|it| it.metadata.uid == pod.pod.metadata.uid);
    if is_target && old.is_some() {
        return QueueingHint::Queue;
    }
    if [&old, &new].into_iter().flatten().any(|it| !super::is_on_a_node(it)) {
        return QueueingHint::Skip;
    }
    let old = old.map(|it| PodInfo::new(it, interner));
    let new = new.map(|it| PodInfo::new(it, interner));
    let (terms, anti) = (&pod.required_affinity, &pod.required_anti_affinity);
    let helps = match (&old, &new) {
        (Some(old), Some(new)) => {
            (!matches_all(terms, old, interner) && matches_all(terms, new, interner))
                || (matches_all(anti, old, interner) && !matches_all(anti, new, interner))
        }
        (None, Some(new)) => matches_all(terms, new, interner),
        (Some(old), None) => {
            matches_all(anti, old, interner)
                || matches_all(&old.required_anti_affinity, pod, interner)
        }
        (None, None) => true,
    };
    if helps { QueueingHint::Queue } else { QueueingHint::Skip }
}

/// Upstream: `isSchedulableAfterNodeChange`.
fn after_node_change(
    context: &HintContext<'_>,
    pod: &PodInfo,
    old: &Option<Object>,
    new: &Option<Object>,
) -> QueueingHint {
    let node = |it: &Option<Object>| match it {
        Some(Object::Node(it)) => Some(it.clone()),
        _ => None,
    };
    let (old, new) = (node(old), node(new));
    let value = |it: &Node, term: &AffinityTerm| {
        let key = context.interner.text(term.topology_key);
        it.metadata.labels.as_ref().and_then(|it| it.get(key)).cloned()
    };
    let Some(new) = new else { return QueueingHint::Queue };
    let affinity = pod.required_affinity.iter().any(|term| match &old {
        None => value(&new, term).is_some(),
        Some(old) => value(&new, term).is_some() && value(old, term) != value(&new, term),
    });
    let anti = pod.required_anti_affinity.iter().any(|term| match &old {
        None => true,
        Some(old) => value(old, term).is_some() && value(old, term) != value(&new, term),
    });
    if affinity || anti { QueueingHint::Queue } else { QueueingHint::Skip }
}
