//! Node selectors and node affinity of the pod, and those that the profile adds.
//!
//! Upstream: `pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go`, v1.36.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::Object;
use k8s_openapi::api::core::v1::{Node, NodeAffinity as ApiNodeAffinity, NodeSelectorTerm};
use view::Term;

use super::names;
use crate::apis::config::NodeAffinityArgs;
use crate::framework::cycle_state::CycleState;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{
    FilterPlugin, Handle, MAX_NODE_SCORE, Plugin, PreFilter, PreFilterPlugin, PreScore,
    PreScorePlugin, QueueingHint, Rejection, ScorePlugin, default_normalize_score,
};
use crate::framework::intern::Interner;
use crate::framework::labels::{NodeSelector, PreferredTerms, pod_matches_node};
use crate::framework::types::{NodeId, NodeInfo, PodInfo};

const ERR_REASON_POD: &str = "node(s) didn't match Pod's node affinity/selector";
const ERR_REASON_ENFORCED: &str = "node(s) didn't match scheduler-enforced node affinity";
const ERR_REASON_CONFLICT: &str = "pod affinity terms conflict";

/// The plugin.
#[derive(Default)]
pub struct NodeAffinity {
    added: Option<ApiNodeAffinity>,
}

/// The terms that the profile adds, compiled for this attempt.
#[derive(Clone)]
struct Added(Option<NodeSelector>);

#[derive(Clone)]
struct PreScoreState {
    preferred: PreferredTerms,
    added: PreferredTerms,
}

impl NodeAffinity {
    /// With what the profile adds.
    #[must_use]
    pub fn new(args: &NodeAffinityArgs) -> Self {
        Self { added: args.added_affinity.clone() }
    }

    fn added_required(&self, interner: &mut Interner) -> Option<NodeSelector> {
        let required = self.added.as_ref()?;
        let required = required.required_during_scheduling_ignored_during_execution.as_ref()?;
        Some(NodeSelector::new(required, interner))
    }
}

impl Plugin for NodeAffinity {
    fn name(&self) -> &'static str {
        names::NODE_AFFINITY
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
        let added = self.added.clone();
        vec![ClusterEventWithHint {
            event: ClusterEvent::new(
                EventResource::Node,
                ActionType::ADD | ActionType::UPDATE_NODE_LABEL,
            ),
            hint: Some(Arc::new(move |context, pod, change| {
                let node = |it: &Option<Object>| match it {
                    Some(Object::Node(it)) => Some(it.clone()),
                    _ => None,
                };
                let Some(new) = node(&change.new) else { return QueueingHint::Queue };
                let plugin = NodeAffinity { added: added.clone() };
                if let Some(required) = plugin.added_required(context.interner)
                    && !matches(&required, &new, context.interner)
                {
                    return QueueingHint::Skip;
                }
                let fits = pod_matches_node(&pod.pod, &new, context.interner);
                let fitted = node(&change.old)
                    .is_some_and(|old| pod_matches_node(&pod.pod, &old, context.interner));
                if fits && !fitted { QueueingHint::Queue } else { QueueingHint::Skip }
            })),
        }]
    }
}

fn matches(selector: &NodeSelector, node: &Node, interner: &mut Interner) -> bool {
    let labels = crate::framework::intern::Labels::new(node.metadata.labels.as_ref(), interner);
    let name = node.metadata.name.as_deref().map(|it| interner.intern(it));
    let facts = crate::framework::labels::NodeFacts { labels: &labels, name };
    selector.matches(facts, interner)
}

fn required_terms(pod: &PodInfo) -> Option<&[NodeSelectorTerm]> {
    let affinity = pod.spec()?.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    Some(&required.node_selector_terms)
}

/// The nodes that a term names with `metadata.name In`; `None` when it names none.
fn named_nodes(term: &NodeSelectorTerm) -> Option<BTreeSet<Arc<str>>> {
    let mut names: Option<BTreeSet<Arc<str>>> = None;
    for it in term.match_fields.iter().flatten() {
        if it.key == "metadata.name" && it.operator == "In" {
            let set = it.values.iter().flatten().map(|it| it.as_str().into()).collect();
            names = Some(match names {
                None => set,
                Some(names) => names.intersection(&set).cloned().collect(),
            });
        }
    }
    names
}

impl PreFilterPlugin for NodeAffinity {
    fn pre_filter(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> Result<PreFilter, Rejection> {
        let terms = required_terms(pod);
        let has_selector = pod.spec().is_some_and(|it| it.node_selector.is_some());
        let added = self.added_required(&mut handle.cache.interner);
        if terms.is_none() && added.is_none() && !has_selector {
            return Ok(PreFilter::Skip);
        }
        state.write(Added(added));
        let Some(terms) = terms.filter(|it| !it.is_empty()) else { return Ok(PreFilter::All) };
        let mut names = BTreeSet::new();
        for term in terms {
            match named_nodes(term) {
                None => return Ok(PreFilter::All),
                Some(more) => names.extend(more),
            }
        }
        if names.is_empty() {
            return Err(Rejection::unresolvable(ERR_REASON_CONFLICT));
        }
        Ok(PreFilter::Nodes(names))
    }
}

impl FilterPlugin for NodeAffinity {
    fn is_local(&self) -> bool {
        true
    }

    fn filter(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        let interner = &handle.cache.interner;
        if let Some(Added(Some(added))) = state.read::<Added>()
            && !added.matches(node.facts(), interner)
        {
            return Err(Rejection::unresolvable(ERR_REASON_ENFORCED));
        }
        if pod.node_affinity.matches(node.facts(), interner) {
            Ok(())
        } else {
            Err(Rejection::unresolvable(ERR_REASON_POD))
        }
    }

    fn explain(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Vec<Term> {
        if let Some(Added(Some(added))) = state.read::<Added>()
            && !added.matches(node.facts(), &handle.cache.interner)
        {
            return vec![Term {
                text: "the profile's addedAffinity does not match".to_owned(),
                short: "addedAffinity".to_owned(),
                path: None,
            }];
        }
        node.node.as_ref().map(|it| failing_terms(pod, it)).unwrap_or_default()
    }
}

/// The labels that `nodeSelector` misses and, of each term of the affinity, the expressions that fail.
fn failing_terms(pod: &PodInfo, node: &Node) -> Vec<Term> {
    let mut terms = Vec::new();
    let labels = node.metadata.labels.as_ref();
    let has = |key: &str| {
        labels
            .and_then(|it| it.get(key))
            .map_or_else(|| "no such label".to_owned(), |it| format!("{key}={it}"))
    };
    let selector = pod.spec().and_then(|it| it.node_selector.as_ref());
    for (key, value) in selector.into_iter().flatten() {
        if labels.and_then(|it| it.get(key)) != Some(value) {
            terms.push(Term {
                text: format!("nodeSelector {key}={value}: the node has {}", has(key)),
                short: format!("{key}={value}"),
                path: Some("spec.nodeSelector".to_owned()),
            });
        }
    }
    let path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution";
    for (at, term) in required_terms(pod).into_iter().flatten().enumerate() {
        let expressions = term.match_expressions.iter().flatten().enumerate();
        for (it_at, it) in expressions {
            if !api::selector::node_expression_matches(it, node) {
                let values = it.values.as_deref().unwrap_or_default().join(", ");
                terms.push(Term {
                    text: format!(
                        "term {}: {} {} [{values}]: the node has {}",
                        at + 1,
                        it.key,
                        it.operator,
                        has(&it.key)
                    ),
                    short: format!("{} {} [{values}]", it.key, it.operator),
                    path: Some(format!("{path}.nodeSelectorTerms[{at}].matchExpressions[{it_at}]")),
                });
            }
        }
        for (it_at, it) in term.match_fields.iter().flatten().enumerate() {
            if !api::selector::node_field_matches(it, node) {
                let values = it.values.as_deref().unwrap_or_default().join(", ");
                terms.push(Term {
                    text: format!("term {}: field {} {} [{values}]", at + 1, it.key, it.operator),
                    short: format!("{} {} [{values}]", it.key, it.operator),
                    path: Some(format!("{path}.nodeSelectorTerms[{at}].matchFields[{it_at}]")),
                });
            }
        }
    }
    terms
}

impl PreScorePlugin for NodeAffinity {
    fn pre_score(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        _: &[NodeId],
    ) -> Result<PreScore, Rejection> {
        fn terms(
            it: Option<&ApiNodeAffinity>,
        ) -> Option<&[k8s_openapi::api::core::v1::PreferredSchedulingTerm]> {
            it?.preferred_during_scheduling_ignored_during_execution.as_deref()
        }
        let own =
            pod.spec().and_then(|it| it.affinity.as_ref()).and_then(|it| it.node_affinity.as_ref());
        let own = terms(own);
        let added = terms(self.added.as_ref()).filter(|it| !it.is_empty());
        if own.is_none() && added.is_none() {
            return Ok(PreScore::Skip);
        }
        let interner = &mut handle.cache.interner;
        let mut compile = |terms: Option<&[_]>| {
            PreferredTerms::new(terms.unwrap_or_default(), interner).map_err(Rejection::error)
        };
        let compiled = PreScoreState { preferred: compile(own)?, added: compile(added)? };
        state.write(compiled);
        Ok(PreScore::Run)
    }
}

impl ScorePlugin for NodeAffinity {
    fn is_local(&self) -> bool {
        true
    }

    fn score(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<Vec<i64>, Rejection> {
        let interner = &handle.cache.interner;
        let compiled = match state.read::<PreScoreState>() {
            Some(it) => it.clone(),
            None => PreScoreState {
                preferred: PreferredTerms::default(),
                added: PreferredTerms::default(),
            },
        };
        let score = |id: &NodeId| {
            let facts = handle.cache.node(*id).facts();
            compiled.added.score(facts, interner) + compiled.preferred.score(facts, interner)
        };
        Ok(nodes.iter().map(score).collect())
    }

    fn normalize(&self, _: &Handle<'_>, _: &CycleState, _: &[NodeId], scores: &mut [i64]) {
        default_normalize_score(false, scores);
    }

    fn formula(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &NodeInfo,
    ) -> Option<String> {
        let compiled = state.read::<PreScoreState>()?;
        let weight = compiled.preferred.score(node.facts(), &handle.cache.interner);
        Some(format!(
            "sum of the weights of the preferred terms that match: {weight} (then scaled so that the best node has {MAX_NODE_SCORE})"
        ))
    }
}
