//! Room for what the pod requests.
//!
//! Upstream: `pkg/scheduler/framework/plugins/noderesources/fit.go`, v1.36.

use std::borrow::Cow;
use std::sync::Arc;

use api::Object;
use k8s_openapi::api::core::v1::{Node, Pod};
use view::{StatusCode, Term};

use super::least_allocated::least_requested_score;
use super::most_allocated::most_requested_score;
use super::requested_to_capacity_ratio;
use super::resource_allocation::{Kind, Sum, Wanted, allocation, wanted};
use crate::apis::config::{NodeResourcesFitArgs, ScoringStrategy};
use crate::framework::cycle_state::CycleState;
use crate::framework::events::{ActionType, ClusterEvent, ClusterEventWithHint, EventResource};
use crate::framework::interface::{
    FilterPlugin, Handle, Plugin, PreFilter, PreFilterPlugin, PreScore, PreScorePlugin,
    QueueingHint, Reasons, Rejection, ScorePlugin,
};
use crate::framework::intern::Interner;
use crate::framework::plugins::{is_on_a_node, names};
use crate::framework::types::{NodeId, NodeInfo, PodInfo, Resource, is_extended_resource};

/// The plugin.
pub struct Fit {
    args: NodeResourcesFitArgs,
    strategy: ScoringStrategy,
}

#[derive(Clone)]
struct PreScoreState(Vec<Wanted>);

/// A resource that a node has too little of.
struct Insufficient {
    name: Cow<'static, str>,
    reason: Cow<'static, str>,
    requested: i64,
    used: i64,
    capacity: i64,
}

impl Fit {
    /// With its arguments.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(args: &NodeResourcesFitArgs) -> Result<Self, String> {
        if let Some(error) = crate::apis::config::check_node_resources_fit(args) {
            return Err(error);
        }
        let strategy = args.scoring_strategy.clone().unwrap_or_default();
        Ok(Self { args: args.clone(), strategy })
    }

    fn is_ignored(&self, name: &str) -> bool {
        if self.args.ignored_resources.is_empty() && self.args.ignored_resource_groups.is_empty() {
            return false;
        }
        let group = name.split('/').next().unwrap_or_default();
        is_extended_resource(name)
            && (self.args.ignored_resources.iter().any(|it| it == name)
                || self.args.ignored_resource_groups.iter().any(|it| it == group))
    }

    /// Everything that the node has too little of. Upstream: `fitsRequest`.
    fn insufficient(
        &self,
        interner: &Interner,
        wanted: &Resource,
        node: &NodeInfo,
    ) -> Vec<Insufficient> {
        let mut all = Vec::new();
        let n_pods = i64::try_from(node.pods.len()).unwrap_or(i64::MAX);
        if n_pods + 1 > node.allocatable.pods {
            all.push(Insufficient {
                name: "pods".into(),
                reason: "Too many pods".into(),
                requested: 1,
                used: n_pods,
                capacity: node.allocatable.pods,
            });
        }
        let (has, used) = (&node.allocatable, &node.requested);
        let basic = [
            ("cpu", "Insufficient cpu", wanted.milli_cpu, used.milli_cpu, has.milli_cpu),
            ("memory", "Insufficient memory", wanted.memory, used.memory, has.memory),
            (
                "ephemeral-storage",
                "Insufficient ephemeral-storage",
                wanted.ephemeral_storage,
                used.ephemeral_storage,
                has.ephemeral_storage,
            ),
        ];
        for (name, reason, requested, used, capacity) in basic {
            if requested > 0 && requested > capacity - used {
                let (name, reason) = (name.into(), reason.into());
                all.push(Insufficient { name, reason, requested, used, capacity });
            }
        }
        for (name, requested) in wanted.scalars.iter().filter(|(_, it)| *it != 0) {
            let text = interner.text(*name);
            let (capacity, used) =
                (has.scalar(*name).unwrap_or_default(), used.scalar(*name).unwrap_or_default());
            if *requested > capacity - used && !self.is_ignored(text) {
                all.push(Insufficient {
                    name: text.to_owned().into(),
                    reason: format!("Insufficient {text}").into(),
                    requested: *requested,
                    used,
                    capacity,
                });
            }
        }
        all
    }

    fn fits(&self, wanted: &Resource, node: &NodeInfo) -> bool {
        let (has, used) = (&node.allocatable, &node.requested);
        let enough = |wanted: i64, has: i64, used: i64| wanted <= 0 || wanted <= has - used;
        node.pods.len() < usize::try_from(has.pods).unwrap_or_default()
            && enough(wanted.milli_cpu, has.milli_cpu, used.milli_cpu)
            && enough(wanted.memory, has.memory, used.memory)
            && enough(wanted.ephemeral_storage, has.ephemeral_storage, used.ephemeral_storage)
            && wanted.scalars.is_empty()
    }
}

impl Plugin for Fit {
    fn name(&self) -> &'static str {
        names::NODE_RESOURCES_FIT
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
                    ActionType::DELETE | ActionType::UPDATE_POD_SCALE_DOWN,
                ),
                hint: Some(Arc::new(|context, pod, change| {
                    let as_pod = |it: &Option<Object>| match it {
                        Some(Object::Pod(it)) => Some(it.clone()),
                        _ => None,
                    };
                    let helps = match (as_pod(&change.old), as_pod(&change.new)) {
                        (Some(old), None) => is_on_a_node(&old),
                        (Some(old), Some(new)) => {
                            is_scaled_down_for(pod, &old, &new, context.interner)
                        }
                        _ => true,
                    };
                    if helps { QueueingHint::Queue } else { QueueingHint::Skip }
                })),
            },
            ClusterEventWithHint {
                event: ClusterEvent::new(
                    EventResource::Node,
                    ActionType::ADD | ActionType::UPDATE_NODE_ALLOCATABLE,
                ),
                hint: Some(Arc::new(|context, pod, change| {
                    let node = |it: &Option<Object>| match it {
                        Some(Object::Node(it)) => Some(it.clone()),
                        _ => None,
                    };
                    let Some(new) = node(&change.new) else { return QueueingHint::Queue };
                    hint_after_node_change(pod, node(&change.old), &new, context.interner)
                })),
            },
        ]
    }
}

/// Upstream: `isSchedulableAfterPodScaleDown`.
fn is_scaled_down_for(
    target: &PodInfo,
    old: &Arc<Pod>,
    new: &Arc<Pod>,
    interner: &mut Interner,
) -> bool {
    if new.metadata.uid == target.pod.metadata.uid {
        return true;
    }
    if api::pods::node_name(new).is_none_or(str::is_empty) {
        return false;
    }
    let before = PodInfo::new(old.clone(), interner);
    let after = PodInfo::new(new.clone(), interner);
    let (before, after) = (&before.requests, &after.requests);
    let wanted = &target.requests;
    let scalar = |it: &Resource, name| it.scalar(name).unwrap_or_default();
    (wanted.milli_cpu != 0 && before.milli_cpu > after.milli_cpu)
        || (wanted.memory != 0 && before.memory > after.memory)
        || (wanted.ephemeral_storage != 0 && before.ephemeral_storage > after.ephemeral_storage)
        || wanted
            .scalars
            .iter()
            .any(|(name, it)| *it != 0 && scalar(before, *name) > scalar(after, *name))
}

/// Upstream: `isSchedulableAfterNodeChange`.
fn hint_after_node_change(
    pod: &PodInfo,
    old: Option<Arc<Node>>,
    new: &Arc<Node>,
    interner: &mut Interner,
) -> QueueingHint {
    let mut info = |node: &Arc<Node>| {
        let mut info = NodeInfo::new(NodeId(0), "", interner);
        info.set_node(node, interner);
        info
    };
    let now = info(new);
    let plugin =
        Fit { args: NodeResourcesFitArgs::default(), strategy: ScoringStrategy::default() };
    let before = old.as_ref().map(info);
    if !plugin.insufficient(interner, &pod.requests, &now).is_empty() {
        return QueueingHint::Skip;
    }
    let Some(before) = before else { return QueueingHint::Queue };
    let (had, has, wanted) = (&before.allocatable, &now.allocatable, &pod.requests);
    let scalar = |it: &Resource, name| it.scalar(name).unwrap_or_default();
    let more = has.pods > had.pods
        || (wanted.milli_cpu > 0 && has.milli_cpu > had.milli_cpu)
        || (wanted.memory > 0 && has.memory > had.memory)
        || (wanted.ephemeral_storage > 0 && has.ephemeral_storage > had.ephemeral_storage)
        || wanted
            .scalars
            .iter()
            .any(|(name, it)| *it != 0 && scalar(has, *name) > scalar(had, *name));
    if more { QueueingHint::Queue } else { QueueingHint::Skip }
}

impl PreFilterPlugin for Fit {
    fn pre_filter(
        &self,
        _: &mut Handle<'_>,
        _: &mut CycleState,
        _: &PodInfo,
    ) -> Result<PreFilter, Rejection> {
        Ok(PreFilter::All)
    }
}

impl FilterPlugin for Fit {
    fn is_local(&self) -> bool {
        true
    }

    fn filter(
        &self,
        handle: &Handle<'_>,
        _: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), Rejection> {
        if self.fits(&pod.requests, node) {
            return Ok(());
        }
        let all = self.insufficient(&handle.cache.interner, &pod.requests, node);
        // Pods are never `Unresolvable`, even where a node allows none at all.
        let hopeless = all.iter().any(|it| it.name != "pods" && it.requested > it.capacity);
        let code = if hopeless {
            StatusCode::UnschedulableAndUnresolvable
        } else {
            StatusCode::Unschedulable
        };
        let mut reasons: Vec<_> = all.into_iter().map(|it| it.reason).collect();
        let reasons = match reasons.len() {
            0 => return Ok(()),
            1 => Reasons::One(reasons.swap_remove(0)),
            _ => Reasons::Many(reasons),
        };
        Err(Rejection { code, plugin: "", reasons })
    }

    fn explain(
        &self,
        handle: &Handle<'_>,
        _: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Vec<Term> {
        let all = self.insufficient(&handle.cache.interner, &pod.requests, node);
        all.iter().map(explain_insufficient).collect()
    }
}

fn explain_insufficient(it: &Insufficient) -> Term {
    if it.name == "pods" {
        return Term {
            text: format!("pods: {} of {} run already", it.used, it.capacity),
            short: "no room for one more pod".to_owned(),
            path: None,
        };
    }
    let show = |amount: i64| show_amount(&it.name, amount);
    let free = it.capacity - it.used;
    Term {
        text: format!(
            "{}: asks {}, free {} of {}",
            it.name,
            show(it.requested),
            show(free),
            show(it.capacity)
        ),
        short: format!("short by {} {}", show(it.requested - free), it.name),
        path: Some("spec.containers".to_owned()),
    }
}

/// `1400m` for cpu, `1.5Gi` or bytes for what is measured in bytes, else a number.
#[must_use]
pub fn show_amount(resource: &str, amount: i64) -> String {
    let bytes = resource == "memory"
        || resource == "ephemeral-storage"
        || resource.starts_with("hugepages-");
    if resource == "cpu" {
        return format!("{amount}m");
    }
    let units = [("Gi", 1_i64 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    match units.iter().find(|(_, unit)| bytes && amount.abs() >= *unit) {
        Some((suffix, unit)) => {
            let tenths = amount * 10 / unit;
            match tenths % 10 {
                0 => format!("{}{suffix}", tenths / 10),
                tenth => format!("{}.{}{suffix}", tenths / 10, tenth.abs()),
            }
        }
        None => amount.to_string(),
    }
}

impl PreScorePlugin for Fit {
    fn pre_score(
        &self,
        handle: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        _: &[NodeId],
    ) -> Result<PreScore, Rejection> {
        let interner = &mut handle.cache.interner;
        state.write(PreScoreState(wanted(&self.strategy.resources, pod, Sum::NonZero, interner)));
        Ok(PreScore::Run)
    }
}

/// The strategy's points for one resource.
type Points<'a> = &'a dyn Fn(i64, i64) -> i64;

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as upstream")]
fn node_score(wanted: &[Wanted], node: &NodeInfo, points: Points<'_>, is_ratio: bool) -> i64 {
    let (mut score, mut weights) = (0, 0);
    for it in wanted {
        let allocation = allocation(*it, node, Sum::NonZero);
        if allocation.allocatable == 0 {
            continue;
        }
        let points = points(allocation.requested, allocation.allocatable);
        // The ratio leaves resources without points out of the mean.
        if !is_ratio || points > 0 {
            score += points * it.weight;
            weights += it.weight;
        }
    }
    match weights {
        0 => 0,
        _ if is_ratio => (score as f64 / weights as f64).round() as i64,
        _ => score / weights,
    }
}

impl ScorePlugin for Fit {
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
        let Some(PreScoreState(wanted)) = state.read() else {
            return Err(Rejection::error("resources not found"));
        };
        let ratio = self.strategy.requested_to_capacity_ratio.as_ref();
        let shape = ratio.map(|it| it.shape.as_slice()).unwrap_or_default();
        let by_shape =
            |requested, capacity| requested_to_capacity_ratio::score(shape, requested, capacity);
        let (points, is_ratio): (Points<'_>, bool) = match self.strategy.type_.as_str() {
            "MostAllocated" => (&most_requested_score, false),
            "RequestedToCapacityRatio" => (&by_shape, true),
            _ => (&least_requested_score, false),
        };
        let score = |id: &NodeId| node_score(wanted, handle.cache.node(*id), points, is_ratio);
        Ok(nodes.iter().map(score).collect())
    }

    fn formula(
        &self,
        handle: &Handle<'_>,
        state: &CycleState,
        _: &PodInfo,
        node: &NodeInfo,
    ) -> Option<String> {
        let PreScoreState(wanted) = state.read()?;
        let parts: Vec<String> = wanted
            .iter()
            .filter_map(|it| {
                let name = match it.kind {
                    Kind::Cpu => "cpu",
                    Kind::Memory => "memory",
                    Kind::EphemeralStorage => "ephemeral-storage",
                    Kind::Scalar(name) => handle.cache.interner.text(name),
                    Kind::Other => return None,
                };
                let of = allocation(*it, node, Sum::NonZero);
                (of.allocatable != 0).then(|| {
                    let show = |amount| show_amount(name, amount);
                    format!(
                        "{name} {} of {} (weight {})",
                        show(of.requested),
                        show(of.allocatable),
                        it.weight
                    )
                })
            })
            .collect();
        Some(format!("{}: {}", self.strategy.type_, parts.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_in_units_that_people_use() {
        for (resource, amount, expected) in [
            ("cpu", 2_500, "2500m"),
            ("memory", 1_610_612_736, "1.5Gi"),
            ("memory", 134_217_728, "128Mi"),
            ("memory", 1_000, "1000"),
            ("nvidia.com/gpu", 2, "2"),
            ("ephemeral-storage", 2_048, "2Ki"),
        ] {
            assert_eq!(show_amount(resource, amount), expected);
        }
    }

    #[test]
    fn a_lack_says_what_is_asked_and_what_is_free() {
        let term = explain_insufficient(&Insufficient {
            name: "cpu".into(),
            reason: "Insufficient cpu".into(),
            requested: 2_500,
            used: 2_600,
            capacity: 4_000,
        });
        assert_eq!(term.text, "cpu: asks 2500m, free 1400m of 4000m");
        assert_eq!(term.short, "short by 1100m cpu");
    }
}
