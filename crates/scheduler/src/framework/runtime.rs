//! A profile's plugins by extension point, and how they are run.
//!
//! Upstream: `pkg/scheduler/framework/runtime/framework.go`, v1.36.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use view::StatusCode;

use super::cycle_state::CycleState;
use super::events::{
    ActionType, ClusterEvent, ClusterEventWithHint, EventResource, with_node_taints,
};
use super::interface::{
    Handle, NodeToStatus, Plugin, PostFilterFailure, PostFilterResult, PreFilter, PreScore,
    Rejection,
};
use super::plugins::registry::new_plugin;
use super::types::{NodeId, NodeInfo, PodInfo};
use crate::apis::config::{Plugin as ConfigPlugin, PluginSet, Profile};
use crate::backend::cache::Class;
use crate::extender::{EXTENDER_NAME, HttpExtender};

type PluginList = Vec<Arc<dyn Plugin>>;

/// The plugins of a profile.
#[derive(Clone)]
pub struct Framework {
    /// `schedulerName`.
    pub profile_name: String,
    /// Overrides the global share of nodes to score.
    pub percentage_of_nodes_to_score: Option<i32>,
    /// By point.
    pub pre_enqueue: PluginList,
    /// By point.
    pub queue_sort: PluginList,
    /// By point.
    pub pre_filter: PluginList,
    /// By point.
    pub filter: PluginList,
    /// By point.
    pub post_filter: PluginList,
    /// By point.
    pub pre_score: PluginList,
    /// By point.
    pub score: PluginList,
    /// By point.
    pub reserve: PluginList,
    /// By point.
    pub permit: PluginList,
    /// By point.
    pub pre_bind: PluginList,
    /// By point.
    pub bind: PluginList,
    /// By point.
    pub post_bind: PluginList,
    /// All of them, by name.
    pub all: BTreeMap<String, Arc<dyn Plugin>>,
    /// Asked besides the plugins, those that may be ignored last.
    pub(crate) extenders: Arc<Vec<HttpExtender>>,
    weights: BTreeMap<String, i64>,
    events: BTreeMap<String, Vec<ClusterEventWithHint>>,
}

/// One plugin's scores of the nodes that passed.
#[derive(Clone, Debug)]
pub struct PluginScores {
    /// The plugin.
    pub plugin: &'static str,
    /// From the configuration.
    pub weight: i64,
    /// What `Score` returned.
    pub raw: Vec<i64>,
    /// 0 to 100.
    pub normalized: Vec<i64>,
}

/// One attempt at a pod.
pub struct Cycle<'a, 'h> {
    /// The profile's plugins.
    pub framework: &'a Framework,
    /// What they reach for.
    pub handle: &'a mut Handle<'h>,
    /// What they keep.
    pub state: CycleState,
    /// Every plugin is asked about every node, and nothing is remembered: for comparison.
    pub plain: bool,
    pub(super) filters: Vec<usize>,
    pub(super) class: Option<Class>,
}

/// Builds the list of one extension point. Upstream: `updatePluginList` and `expandMultiPointPlugins`.
fn expand(
    point: &str,
    set: &PluginSet,
    multi_point: &[ConfigPlugin],
    all: &BTreeMap<String, Arc<dyn Plugin>>,
    implements: impl Fn(&dyn Plugin) -> bool,
) -> Result<PluginList, String> {
    let find = |name: &str| {
        all.get(name).cloned().ok_or_else(|| format!("{point} \"{name}\" does not exist"))
    };
    let mut seen = BTreeSet::new();
    for it in &set.enabled {
        if !implements(find(&it.name)?.as_ref()) {
            return Err(format!("plugin \"{}\" does not extend {point} plugin", it.name));
        }
        if !seen.insert(it.name.as_str()) {
            return Err(format!("plugin \"{}\" already registered as \"{point}\"", it.name));
        }
    }
    let mut rest: Vec<&str> = set.enabled.iter().map(|it| it.name.as_str()).collect();
    let is_disabled = |name: &str| set.disabled.iter().any(|it| it.name == name);
    let mut names: Vec<&str> = Vec::new();
    if !is_disabled("*") {
        let mut from_multi_point = Vec::new();
        let mut overridden = BTreeSet::new();
        for it in multi_point {
            let name = it.name.as_str();
            if !implements(find(name)?.as_ref()) || is_disabled(name) {
                continue;
            }
            if seen.contains(name) {
                overridden.insert(name);
            } else if from_multi_point.contains(&name) {
                return Err(format!("plugin \"{name}\" already registered as \"{point}\""));
            } else {
                from_multi_point.push(name);
            }
        }
        // First what overrides, in its own order; then multiPoint; then what is only here.
        names.extend(rest.iter().filter(|it| overridden.contains(*it)));
        names.extend(from_multi_point);
        rest.retain(|it| !overridden.contains(it));
    }
    names.extend(rest);
    names.into_iter().map(find).collect()
}

impl Framework {
    /// Makes the plugins of a profile. Upstream: `NewFramework`.
    ///
    /// # Errors
    /// Upstream's text.
    pub fn new(profile: &Profile) -> Result<Self, String> {
        let plugins = &profile.plugins;
        let mut all = BTreeMap::new();
        for set in plugins.sets().values() {
            for it in &set.enabled {
                if all.contains_key(&it.name) {
                    continue;
                }
                match new_plugin(&it.name, profile.args(&it.name)) {
                    None => {}
                    Some(Err(error)) => {
                        return Err(format!("initializing plugin \"{}\": {error}", it.name));
                    }
                    Some(Ok(plugin)) => {
                        all.insert(it.name.clone(), plugin);
                    }
                }
            }
        }
        let multi = &plugins.multi_point.enabled;
        macro_rules! point {
            ($name:literal, $set:ident, $as:ident) => {
                expand($name, &plugins.$set, multi, &all, |it| it.$as().is_some())?
            };
        }
        let framework = Self {
            profile_name: profile.scheduler_name.clone(),
            percentage_of_nodes_to_score: profile.percentage_of_nodes_to_score,
            pre_filter: point!("PreFilterPlugin", pre_filter, as_pre_filter),
            filter: point!("FilterPlugin", filter, as_filter),
            post_filter: point!("PostFilterPlugin", post_filter, as_post_filter),
            reserve: point!("ReservePlugin", reserve, as_reserve),
            pre_score: point!("PreScorePlugin", pre_score, as_pre_score),
            score: point!("ScorePlugin", score, as_score),
            pre_bind: point!("PreBindPlugin", pre_bind, as_pre_bind),
            bind: point!("BindPlugin", bind, as_bind),
            post_bind: point!("PostBindPlugin", post_bind, as_post_bind),
            permit: point!("PermitPlugin", permit, as_permit),
            pre_enqueue: point!("PreEnqueuePlugin", pre_enqueue, as_pre_enqueue),
            queue_sort: point!("QueueSortPlugin", queue_sort, as_queue_sort),
            weights: score_weights(&plugins.score.enabled, multi, &all)?,
            extenders: Arc::default(),
            events: all
                .iter()
                .map(|(name, it)| (name.clone(), with_node_taints(it.events_to_register())))
                .collect(),
            all,
        };
        if framework.queue_sort.len() != 1 {
            return Err(format!(
                "only one queue sort plugin required for profile with scheduler name \"{}\", but got {}",
                profile.scheduler_name,
                framework.queue_sort.len()
            ));
        }
        if framework.bind.is_empty() {
            return Err(format!(
                "at least one bind plugin is needed for profile with scheduler name \"{}\"",
                profile.scheduler_name
            ));
        }
        Ok(framework)
    }

    /// With these extenders. What they turned away is worth another look after any event.
    pub(crate) fn with_extenders(mut self, extenders: Arc<Vec<HttpExtender>>) -> Self {
        self.extenders = extenders;
        let event = ClusterEvent::new(EventResource::WildCard, ActionType::ALL);
        let any = vec![ClusterEventWithHint { event, hint: None }];
        self.events.insert(EXTENDER_NAME.to_owned(), any);
        self
    }

    /// The first PreEnqueue plugin that keeps the pod out.
    ///
    /// # Errors
    /// Its reason.
    pub fn run_pre_enqueue(&self, pod: &Pod) -> Result<(), Rejection> {
        for plugin in &self.pre_enqueue {
            if let Some(it) = plugin.as_pre_enqueue() {
                it.pre_enqueue(pod).map_err(|rejection| rejection.by(plugin.name()))?;
            }
        }
        Ok(())
    }

    /// The events that may help pods that a plugin turned away.
    #[must_use]
    pub fn events_of(&self, plugin: &str) -> &[ClusterEventWithHint] {
        self.events.get(plugin).map(Vec::as_slice).unwrap_or_default()
    }

    /// The weight of a score plugin.
    #[must_use]
    pub fn weight(&self, plugin: &str) -> i64 {
        self.weights.get(plugin).copied().unwrap_or(1)
    }
}

/// Upstream: `getValidScoreWeights`; a weight of 0 stands for 1, and the first entry counts.
fn score_weights(
    score: &[ConfigPlugin],
    multi_point: &[ConfigPlugin],
    all: &BTreeMap<String, Arc<dyn Plugin>>,
) -> Result<BTreeMap<String, i64>, String> {
    let mut weights = BTreeMap::new();
    let mut total: i64 = 0;
    for it in score.iter().chain(multi_point) {
        let is_score = all.get(&it.name).is_some_and(|it| it.as_score().is_some());
        if !is_score || weights.contains_key(&it.name) {
            continue;
        }
        let weight = i64::from(it.weight.filter(|it| *it != 0).unwrap_or(1));
        if weight * super::interface::MAX_NODE_SCORE > i64::MAX - total {
            return Err("score plugins: total score of Score plugins could overflow".to_owned());
        }
        total += weight * super::interface::MAX_NODE_SCORE;
        weights.insert(it.name.clone(), weight);
    }
    Ok(weights)
}

/// What PreFilter allows.
#[derive(Clone, Debug, Default)]
pub struct PreFilterResult {
    /// `None`: all nodes.
    pub nodes: Option<BTreeSet<Arc<str>>>,
    /// The plugins that narrowed them, sorted.
    pub plugins: BTreeSet<&'static str>,
}

impl<'a, 'h> Cycle<'a, 'h> {
    /// Starts an attempt.
    pub fn new(framework: &'a Framework, handle: &'a mut Handle<'h>) -> Self {
        let filters = (0..framework.filter.len()).collect();
        let state = CycleState::default();
        Self { framework, handle, state, plain: false, filters, class: None }
    }

    /// Runs PreFilter. Upstream: `RunPreFilterPlugins`.
    ///
    /// # Errors
    /// When a plugin turned the pod away, together with the plugins that narrowed the nodes.
    pub fn run_pre_filter(
        &mut self,
        pod: &PodInfo,
    ) -> Result<PreFilterResult, (Rejection, BTreeSet<&'static str>)> {
        let mut result = PreFilterResult::default();
        let mut rejected = None;
        let framework = self.framework;
        let mut outcome = Ok(());
        for plugin in &framework.pre_filter {
            let (name, Some(it)) = (plugin.name(), plugin.as_pre_filter()) else { continue };
            match it.pre_filter(self.handle, &mut self.state, pod) {
                Ok(PreFilter::Skip) => self.state.skip_filter.push(name),
                Ok(PreFilter::All) => {}
                Ok(PreFilter::Nodes(nodes)) => {
                    result.plugins.insert(name);
                    result.nodes = Some(match result.nodes.take() {
                        None => nodes,
                        Some(it) => it.intersection(&nodes).cloned().collect(),
                    });
                    if result.nodes.as_ref().is_some_and(BTreeSet::is_empty) {
                        let names: Vec<&str> = result.plugins.iter().copied().collect();
                        let text = match names.as_slice() {
                            [one] => format!("node(s) didn't satisfy plugin {one}"),
                            all => format!(
                                "node(s) didn't satisfy plugin(s) [{}] simultaneously",
                                all.join(" ")
                            ),
                        };
                        outcome = Err((Rejection::unresolvable(text), result.plugins.clone()));
                        break;
                    }
                }
                Err(it) if it.code == StatusCode::Unschedulable => rejected = Some(it.by(name)),
                Err(it) if it.code == StatusCode::UnschedulableAndUnresolvable => {
                    outcome = Err((it.by(name), BTreeSet::new()));
                    break;
                }
                Err(it) => {
                    let text =
                        format!("running PreFilter plugin \"{name}\": {}", it.reasons.message());
                    outcome = Err((Rejection::error(text).by(name), BTreeSet::new()));
                    break;
                }
            }
        }
        let skip = &self.state.skip_filter;
        self.filters.retain(|at| {
            let plugin = &framework.filter[*at];
            !skip.contains(&plugin.name()) && plugin.as_filter().is_some_and(|it| it.concerns(pod))
        });
        outcome?;
        match rejected {
            None => Ok(result),
            Some(it) => Err((it, result.plugins)),
        }
    }

    /// Runs the filters on a node until one turns it away.
    ///
    /// # Errors
    /// That one's verdict.
    pub fn run_filters(
        &self,
        state: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        self.filters.iter().try_for_each(|at| self.run_filter(*at, state, pod, node))
    }

    /// Runs the filter at a place in the profile.
    pub(super) fn run_filter(
        &self,
        at: usize,
        state: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        let plugin = &self.framework.filter[at];
        let Some(it) = plugin.as_filter() else { return Ok(()) };
        it.filter(self.handle, state, pod, node).map_err(|rejection| {
            let name = plugin.name();
            if rejection.code != StatusCode::Error {
                return rejection.by(name);
            }
            let text = rejection.reasons.message();
            Rejection::error(format!("running \"{name}\" filter plugin: {text}")).by(name)
        })
    }

    /// Runs the filters with the pods of at least the pod's priority that are nominated to run on
    /// the node, and again without them. Upstream: `RunFilterPluginsWithNominatedPods`.
    ///
    /// # Errors
    /// The verdict of the first plugin that turned the node away.
    pub fn run_filters_with_nominated_pods(
        &self,
        state: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        let nominated = self.handle.nominator.pods_for(&node.name);
        let others: Vec<_> = nominated
            .iter()
            .filter(|it| it.priority >= pod.priority && it.key != pod.key)
            .collect();
        if !others.is_empty() {
            let (mut state, mut node) = (state.clone(), node.clone());
            for other in others {
                node.add_pod(other.clone());
                self.add_pod(&mut state, pod, other, &node);
            }
            self.run_filters(&state, pod, &node)?;
        }
        self.run_filters(state, pod, node)
    }

    /// Tells the plugins that a pod came. Upstream: `RunPreFilterExtensionAddPod`.
    pub fn add_pod(&self, state: &mut CycleState, pod: &PodInfo, other: &PodInfo, node: &NodeInfo) {
        for plugin in &self.framework.pre_filter {
            if let Some(it) =
                plugin.as_pre_filter().filter(|_| !state.skip_filter.contains(&plugin.name()))
            {
                it.add_pod(self.handle, state, pod, other, node);
            }
        }
    }

    /// Tells the plugins that a pod went. Upstream: `RunPreFilterExtensionRemovePod`.
    pub fn remove_pod(
        &self,
        state: &mut CycleState,
        pod: &PodInfo,
        other: &PodInfo,
        node: &NodeInfo,
    ) {
        for plugin in &self.framework.pre_filter {
            if let Some(it) =
                plugin.as_pre_filter().filter(|_| !state.skip_filter.contains(&plugin.name()))
            {
                it.remove_pod(self.handle, state, pod, other, node);
            }
        }
    }

    /// Runs PostFilter. Upstream: `RunPostFilterPlugins`.
    ///
    /// # Errors
    /// When no plugin made room: what they say, and what becomes of the nomination.
    pub fn run_post_filter(
        &mut self,
        pod: &PodInfo,
        statuses: &NodeToStatus,
    ) -> Result<PostFilterResult, Box<PostFilterFailure>> {
        let mut result = PostFilterResult::default();
        let mut reasons = Vec::new();
        let framework = self.framework;
        for plugin in &framework.post_filter {
            let Some(it) = plugin.as_post_filter() else { continue };
            let (partial, rejection) = match it.post_filter(self, pod, statuses) {
                Ok(result) => return Ok(result),
                Err(failure) => *failure,
            };
            match rejection.code {
                StatusCode::UnschedulableAndUnresolvable => {
                    return Err(Box::new((partial, rejection.by(plugin.name()))));
                }
                StatusCode::Error => {
                    let rejection = rejection.by(plugin.name());
                    return Err(Box::new((PostFilterResult::default(), rejection)));
                }
                _ => {
                    if partial.nominated.is_some() || partial.report.is_some() {
                        result = partial;
                    }
                    reasons.extend(rejection.reasons.iter().map(|it| it.to_owned().into()));
                }
            }
        }
        let mut rejection = Rejection::unschedulable("");
        rejection.reasons = super::interface::Reasons::Many(reasons);
        Err(Box::new((result, rejection)))
    }

    /// Runs PreScore and Score. Upstream: `RunPreScorePlugins` and `RunScorePlugins`.
    ///
    /// # Errors
    /// A fault of a plugin.
    pub fn run_score(
        &mut self,
        pod: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<Vec<PluginScores>, Rejection> {
        let framework = self.framework;
        for plugin in &framework.pre_score {
            let (name, Some(it)) = (plugin.name(), plugin.as_pre_score()) else { continue };
            match it.pre_score(self.handle, &mut self.state, pod, nodes) {
                Ok(PreScore::Skip) => self.state.skip_score.push(name),
                Ok(PreScore::Run) => {}
                Err(it) => {
                    let text = it.reasons.message();
                    return Err(Rejection::error(format!(
                        "running PreScore plugin \"{name}\": {text}"
                    )));
                }
            }
        }
        self.score_nodes(pod, nodes)
    }
}
