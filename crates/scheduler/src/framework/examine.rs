//! Filters and scores many nodes with little work for each.
//!
//! Upstream: `findNodesThatPassFilters` of `pkg/scheduler/schedule_one.go` and
//! `RunScorePlugins` of `pkg/scheduler/framework/runtime/framework.go`, v1.36.
//! Differs from upstream: what a node and the pod's demands settle alone is remembered until the
//! node changes, and verdicts on domains are looked up, because upstream's sixteen threads are not
//! to be had in a browser tab. The verdicts are those that each plugin's own Filter gives.

use view::StatusCode;

use super::interface::{DomainRule, Rejection};
use super::runtime::{Cycle, PluginScores};
use super::statuses::NodeStatuses;
use super::types::{NodeId, PodInfo};
use crate::backend::cache::Class;

/// With fewer nodes to examine, remembering costs more than it saves.
const MEMO_MIN_NODES: usize = 8;

/// What is asked of a node after the filters whose verdict is remembered.
enum Step {
    /// A verdict by domain, with the numbers of its two rejections; 0 as long as they have none.
    Rule { rule: DomainRule, code: u32, missing: u32 },
    /// A plugin's own Filter, by its place in the profile.
    Filter(usize),
}

/// What one examination keeps from node to node.
struct Examiner {
    class: Option<Class>,
    n_local: usize,
    steps: Vec<Step>,
    has_nominated: bool,
    /// The numbers of the class's rejections among the statuses; 0 as long as they have none.
    class_codes: Vec<u32>,
}

/// Nodes that passed, in the order of examination, and nodes that did not.
pub(crate) type Examined<'a> = (&'a mut Vec<NodeId>, &'a mut NodeStatuses);

impl Cycle<'_, '_> {
    /// Examines nodes from a place on, around the list, until enough passed.
    ///
    /// # Errors
    /// A fault of a plugin.
    pub(crate) fn examine(
        &mut self,
        pod: &PodInfo,
        nodes: &[NodeId],
        start: usize,
        wanted: usize,
        (feasible, statuses): Examined<'_>,
    ) -> Result<(), Rejection> {
        let mut examiner = self.examiner(pod, nodes.len());
        let n_slots = self.handle.cache.generations().len();
        let (before, after) = nodes.split_at(start.min(nodes.len()));
        let mut result = Ok(());
        for id in after.iter().chain(before) {
            if feasible.len() >= wanted {
                break;
            }
            match examiner.look(self, pod, *id, statuses) {
                Ok(0) => feasible.push(*id),
                Ok(code) => statuses.insert_code(*id, code, n_slots),
                Err(fault) => {
                    result = Err(fault);
                    break;
                }
            }
        }
        if examiner.class.is_some() {
            self.class = examiner.class;
        }
        result
    }

    fn examiner(&mut self, pod: &PodInfo, n_nodes: usize) -> Examiner {
        let framework = self.framework;
        let is_local =
            |at: &&usize| framework.filter[**at].as_filter().is_some_and(|it| it.is_local());
        let n_local = match self.plain || n_nodes < MEMO_MIN_NODES {
            true => 0,
            false => self.filters.iter().take_while(is_local).count(),
        };
        let class = (n_local > 0).then(|| {
            let cache = &mut self.handle.cache;
            let n_slots = cache.generations().len();
            let local = &self.filters[..n_local];
            self.class
                .take()
                .unwrap_or_else(|| cache.memo.take(&framework.profile_name, local, pod, n_slots))
        });
        let mut steps = Vec::new();
        for at in &self.filters[n_local..] {
            let plugin = &framework.filter[*at];
            let rules = plugin.as_filter().filter(|_| !self.plain);
            match rules.and_then(|it| it.domain_rules(self.handle, &self.state, pod)) {
                Some(rules) => steps.extend(rules.into_iter().map(|rule| {
                    let rejection = rule.rejection.by(plugin.name());
                    let missing = rule.missing.map(|it| it.by(plugin.name()));
                    Step::Rule {
                        rule: DomainRule { rejection, missing, ..rule },
                        code: 0,
                        missing: 0,
                    }
                })),
                None => steps.push(Step::Filter(*at)),
            }
        }
        let has_nominated = !self.handle.nominator.is_empty();
        Examiner { class, n_local, steps, has_nominated, class_codes: Vec::new() }
    }

    /// Gives back what is remembered, for the next attempt.
    pub(crate) fn keep_class(&mut self) {
        if let Some(class) = self.class.take() {
            self.handle.cache.memo.put(class);
        }
    }

    /// Runs Score of all plugins that do not skip, on nodes that passed.
    pub(super) fn score_nodes(
        &mut self,
        pod: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<Vec<PluginScores>, Rejection> {
        let framework = self.framework;
        let skip = &self.state.skip_score;
        let active: Vec<usize> = (0..framework.score.len())
            .filter(|at| !skip.contains(&framework.score[*at].name()))
            .collect();
        let is_local = |at: &usize| framework.score[*at].as_score().is_some_and(|it| it.is_local());
        let local: Vec<usize> = active.iter().copied().filter(is_local).collect();
        let mut class = self.class.take();
        if let Some(class) = &mut class {
            self.learn_points(class, &local, pod, nodes)?;
        }
        let mut all = Vec::with_capacity(active.len());
        for at in active {
            let plugin = &framework.score[at];
            let Some(it) = plugin.as_score() else { continue };
            let known = class.as_ref().zip(local.iter().position(|it| *it == at));
            let raw = match known {
                Some((class, at)) => {
                    let points = class.points(at);
                    let mut raw = self.handle.cache.buffer();
                    raw.extend(nodes.iter().map(|id| points[id.at()]));
                    raw
                }
                None => self.raw_points(at, pod, nodes)?,
            };
            let mut normalized = self.handle.cache.buffer();
            normalized.extend_from_slice(&raw);
            it.normalize(self.handle, &self.state, nodes, &mut normalized);
            let weight = framework.weight(plugin.name());
            all.push(PluginScores { plugin: plugin.name(), weight, raw, normalized });
        }
        self.class = class;
        Ok(all)
    }

    /// Scores the nodes that changed since they were scored for a pod like this one.
    fn learn_points(
        &self,
        class: &mut Class,
        scorers: &[usize],
        pod: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<(), Rejection> {
        let generations = self.handle.cache.generations();
        let stale = class.unscored(scorers, nodes, generations);
        if stale.is_empty() {
            return Ok(());
        }
        for (place, at) in scorers.iter().enumerate() {
            let points = self.raw_points(*at, pod, &stale)?;
            class.learn_points(place, &stale, &points);
        }
        class.mark_scored(&stale, generations);
        Ok(())
    }

    fn raw_points(
        &self,
        at: usize,
        pod: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<Vec<i64>, Rejection> {
        let plugin = &self.framework.score[at];
        let Some(it) = plugin.as_score() else { return Ok(vec![0; nodes.len()]) };
        it.score(self.handle, &self.state, pod, nodes).map_err(|it| {
            let (name, text) = (plugin.name(), it.reasons.message());
            Rejection::error(format!(
                "running Score plugins: plugin \"{name}\" failed with: {text}"
            ))
        })
    }
}

impl Examiner {
    /// 0 when the node passed, or else the number of its verdict among the statuses.
    fn look(
        &mut self,
        cycle: &Cycle<'_, '_>,
        pod: &PodInfo,
        id: NodeId,
        statuses: &mut NodeStatuses,
    ) -> Result<u32, Rejection> {
        let cache = &cycle.handle.cache;
        if self.has_nominated {
            let node = cache.node(id);
            if !cycle.handle.nominator.pods_for(&node.name).is_empty() {
                let verdict = cycle.run_filters_with_nominated_pods(&cycle.state, pod, node);
                return number(verdict, statuses);
            }
        }
        let code = self.look_locally(cycle, pod, id, statuses)?;
        if code != 0 {
            return Ok(code);
        }
        for step in &mut self.steps {
            let code = match step {
                Step::Rule { rule, code, missing } => rule.look(id, code, missing, statuses),
                Step::Filter(at) => {
                    let verdict = cycle.run_filter(*at, &cycle.state, pod, cache.node(id));
                    number(verdict, statuses)?
                }
            };
            if code != 0 {
                return Ok(code);
            }
        }
        Ok(0)
    }

    /// The verdict of the filters that look at nothing but the node, as it is remembered.
    fn look_locally(
        &mut self,
        cycle: &Cycle<'_, '_>,
        pod: &PodInfo,
        id: NodeId,
        statuses: &mut NodeStatuses,
    ) -> Result<u32, Rejection> {
        let Some(class) = &mut self.class else { return Ok(0) };
        let cache = &cycle.handle.cache;
        let generation = cache.generations()[id.at()];
        let code = match class.code(id, generation) {
            Some(code) => code,
            None => {
                let filters = &cycle.filters[..self.n_local];
                let node = cache.node(id);
                let mut filters = filters.iter();
                let verdict =
                    filters.try_for_each(|at| cycle.run_filter(*at, &cycle.state, pod, node));
                match verdict {
                    Err(it) if it.code == StatusCode::Error => return Err(it),
                    verdict => class.learn(id, generation, verdict),
                }
            }
        };
        let Some(rejection) = class.rejection(code) else { return Ok(0) };
        let at = code as usize;
        if self.class_codes.len() <= at {
            self.class_codes.resize(at + 1, 0);
        }
        let known = &mut self.class_codes[at];
        if *known == 0 {
            *known = statuses.code_of(rejection);
        }
        Ok(*known)
    }
}

fn number(verdict: Result<(), Rejection>, statuses: &mut NodeStatuses) -> Result<u32, Rejection> {
    match verdict {
        Ok(()) => Ok(0),
        Err(it) if it.code == StatusCode::Error => Err(it),
        Err(it) => Ok(statuses.code_of(&it)),
    }
}

impl DomainRule {
    fn look(
        &self,
        id: NodeId,
        code: &mut u32,
        missing: &mut u32,
        statuses: &mut NodeStatuses,
    ) -> u32 {
        let (rejection, code) = match self.passes(id) {
            Some(true) => return 0,
            Some(false) => (Some(&self.rejection), code),
            None => (self.missing.as_ref(), missing),
        };
        let Some(rejection) = rejection else { return 0 };
        if *code == 0 {
            *code = statuses.code_of(rejection);
        }
        *code
    }
}
