//! A filter and a score that are written in the configuration as expressions over `pod` and `node`.
//!
//! Not an in-tree plugin: it stands for a custom one, and holds no code that could do anything but
//! compute. Enable `sim.orrery.dev/Expression` in a profile and give it arguments:
//!
//! ```yaml
//! plugins:
//!   multiPoint:
//!     enabled: [{name: sim.orrery.dev/Expression, weight: 5}]
//! pluginConfig:
//! - name: sim.orrery.dev/Expression
//!   args:
//!     filter: "'gpu' in node.metadata.labels"      # nodes where it is true pass
//!     reason: node(s) had no GPU                   # what the event counts, optional
//!     score: free.cpu                              # a number that is not negative, or a truth value
//! ```
//!
//! Besides `pod` and `node`, the objects as the API shows them, there is `free`: by resource what the
//! node has left, cpu in millicores, `pods` as a number. The highest score of the nodes becomes 100.
//! The language is described in `api::cel`.

use std::sync::Arc;

use api::Object;
use api::cel::{Expression as Cel, Val};
use serde_json::{Map, Value};
use view::{StatusCode, Term};

use super::names;
use crate::apis::config::ExpressionArgs;
use crate::framework::cycle_state::CycleState;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{
    FilterPlugin, Handle, Plugin, PreFilter, PreFilterPlugin, PreScore, PreScorePlugin, Rejection,
    ScorePlugin, default_normalize_score,
};
use crate::framework::types::{NodeId, NodeInfo, PodInfo};

/// What an expression may look at.
const VARIABLES: [&str; 3] = ["pod", "node", "free"];
const ERR_REASON: &str = "node(s) didn't satisfy the filter expression";

/// Reads one of the expressions; an empty one is none.
///
/// # Errors
/// What is wrong with it, and where.
pub(crate) fn read(text: &str) -> Result<Option<Cel>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    Cel::parse(text, &VARIABLES).map(Some).map_err(|error| error.to_string())
}

/// The plugin.
pub struct Expression {
    filter: Option<Cel>,
    score: Option<Cel>,
    reason: String,
    /// Of a rejection: room may be made where the filter looks at what is free.
    code: StatusCode,
}

impl Expression {
    /// With its arguments.
    ///
    /// # Errors
    /// What is wrong with an expression.
    pub fn new(args: &ExpressionArgs) -> Result<Self, String> {
        let filter = read(&args.filter)?;
        let code = match filter.as_ref().is_some_and(|it| it.uses("free")) {
            true => StatusCode::Unschedulable,
            false => StatusCode::UnschedulableAndUnresolvable,
        };
        let reason = if args.reason.is_empty() { ERR_REASON } else { &args.reason };
        Ok(Self { filter, score: read(&args.score)?, reason: reason.to_owned(), code })
    }
}

/// The pod as the expressions see it.
#[derive(Clone)]
struct PodJson(Arc<Value>);

/// What a node has left.
fn free(handle: &Handle<'_>, node: &NodeInfo) -> Value {
    let (has, used) = (&node.allocatable, &node.requested);
    let mut free = Map::new();
    let mut put = |name: &str, has: i64, used: i64| {
        free.insert(name.to_owned(), has.saturating_sub(used).into());
    };
    put("cpu", has.milli_cpu, used.milli_cpu);
    put("memory", has.memory, used.memory);
    put("ephemeral-storage", has.ephemeral_storage, used.ephemeral_storage);
    put("pods", has.pods, i64::try_from(node.pods.len()).unwrap_or(i64::MAX));
    for (name, amount) in &has.scalars {
        let used = used.scalar(*name).unwrap_or_default();
        put(handle.cache.interner.text(*name), *amount, used);
    }
    Value::Object(free)
}

/// Evaluates with the variables of a node.
fn with<T>(
    handle: &Handle<'_>,
    state: &CycleState,
    node: &NodeInfo,
    cel: &Cel,
    evaluate: impl FnOnce(&[(&str, &Value)]) -> T,
) -> Option<T> {
    let PodJson(pod) = state.read::<PodJson>()?;
    let free = if cel.uses("free") { free(handle, node) } else { Value::Null };
    Some(evaluate(&[("pod", pod), ("node", node.json()), ("free", &free)]))
}

fn remember(state: &mut CycleState, pod: &PodInfo) {
    if state.read::<PodJson>().is_none() {
        let json = api::wire::to_value(&Object::Pod(pod.pod.clone()));
        state.write(PodJson(Arc::new(json)));
    }
}

impl Plugin for Expression {
    fn name(&self) -> &'static str {
        names::EXPRESSION
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
    // As of every plugin that does not say what may help: anything may.
    fn events_to_register(&self) -> Vec<ClusterEventWithHint> {
        let event = ClusterEvent::new(EventResource::WildCard, ActionType::ALL);
        vec![ClusterEventWithHint { event, hint: None }]
    }
}

impl PreFilterPlugin for Expression {
    fn pre_filter(
        &self,
        _: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> Result<PreFilter, Rejection> {
        if self.filter.is_none() {
            return Ok(PreFilter::Skip);
        }
        remember(state, pod);
        Ok(PreFilter::All)
    }
}

impl FilterPlugin for Expression {
    fn filter(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        let Some(cel) = &self.filter else { return Ok(()) };
        match with(handle, state, node, cel, |it| cel.is_true(it)) {
            None | Some(Ok(true)) => Ok(()),
            Some(Ok(false)) => Err(Rejection::new(self.code, self.reason.clone())),
            Some(Err(error)) => {
                Err(Rejection::error(format!("filter on node {}: {error}", node.name)))
            }
        }
    }

    fn explain(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &NodeInfo,
    ) -> Vec<Term> {
        let Some(cel) = &self.filter else { return Vec::new() };
        let term = |it: &str| Term {
            text: format!("{it}: is not true"),
            short: it.to_owned(),
            path: None,
        };
        let terms = with(handle, state, node, cel, |variables| {
            cel.failing(variables).into_iter().map(term).collect()
        });
        terms.unwrap_or_default()
    }
}

impl PreScorePlugin for Expression {
    fn pre_score(
        &self,
        _: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        _: &[NodeId],
    ) -> Result<PreScore, Rejection> {
        if self.score.is_none() {
            return Ok(PreScore::Skip);
        }
        remember(state, pod);
        Ok(PreScore::Run)
    }
}

/// A score as a whole number. Fractions are cut off.
fn score_of(value: &Val<'_>) -> Result<i64, String> {
    let score = match value {
        Val::Bool(it) => i64::from(*it),
        Val::Int(it) => *it,
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as is wanted")]
        Val::Double(it) => *it as i64,
        it => return Err(format!("is {it}, not a number")),
    };
    if score < 0 {
        Err(format!("is {score}, less than 0"))
    } else {
        Ok(score.min(i64::MAX / 1_000))
    }
}

impl ScorePlugin for Expression {
    fn score(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<Vec<i64>, Rejection> {
        let Some(cel) = &self.score else { return Ok(vec![0; nodes.len()]) };
        let score = |id: &NodeId| {
            let node = handle.cache.node(*id);
            let value = with(handle, state, node, cel, |it| {
                let value = cel.evaluate(it).map_err(|error| error.to_string())?;
                score_of(&value)
            });
            value
                .unwrap_or(Ok(0))
                .map_err(|error| Rejection::error(format!("score of node {}: {error}", node.name)))
        };
        nodes.iter().map(score).collect()
    }

    fn normalize(&self, _: &Handle<'_>, _: &CycleState, _: &[NodeId], scores: &mut [i64]) {
        default_normalize_score(false, scores);
    }

    fn formula(&self, _: &Handle<'_>, _: &CycleState, _: &PodInfo, _: &NodeInfo) -> Option<String> {
        let text = self.score.as_ref()?.text();
        Some(format!("{text} (then scaled so that the best node has 100)"))
    }
}
