//! Says what is wrong with the arguments of a plugin, in upstream's words.
//!
//! Upstream: `pkg/scheduler/apis/config/validation/validation_pluginargs.go`, v1.36.
//! The arguments of `NodeResourcesFit` are checked when the plugin is made, as upstream does.

use super::types_pluginargs::{
    Args, DefaultPreemptionArgs, ExpressionArgs, NodeAffinityArgs,
    NodeResourcesBalancedAllocationArgs, NodeResourcesFitArgs, PodTopologySpreadArgs, ResourceSpec,
    UtilizationShapePoint, VolumeBindingArgs,
};
use super::validation::invalid;
use crate::framework::intern::Interner;
use crate::framework::labels::{NodeSelector, PreferredTerms};

/// Joins as upstream's aggregate of several errors does.
fn aggregate(errors: Vec<String>, out: &mut Vec<String>) {
    match errors.len() {
        0 => {}
        1 => out.extend(errors),
        _ => out.push(format!("[{}]", errors.join(", "))),
    }
}

/// Checks the arguments under `path`.
pub(super) fn validate_args(path: &str, args: &Args, out: &mut Vec<String>) {
    let mut errors = Vec::new();
    match args {
        Args::DefaultPreemption(args) => default_preemption(path, args, &mut errors),
        Args::InterPodAffinity(args) => {
            let weight = args.hard_pod_affinity_weight;
            if !(0..=100).contains(&weight) {
                let path = format!("{path}.hardPodAffinityWeight");
                errors.push(invalid(&path, weight, "not in valid range [0, 100]"));
            }
        }
        Args::NodeAffinity(args) => node_affinity(path, args, &mut errors),
        Args::NodeResourcesBalancedAllocation(args) => balanced(path, args, &mut errors),
        Args::PodTopologySpread(args) => spread(path, args, &mut errors),
        Args::VolumeBinding(args) => volume_binding(path, args, &mut errors),
        Args::Expression(args) => expression(path, args, out),
        Args::NodeResourcesFit(_) | Args::DynamicResources(_) | Args::Unknown(_) => {}
    }
    aggregate(errors, out);
}

/// Each mistake stands alone, so that it is shown at its place.
fn expression(path: &str, args: &ExpressionArgs, errors: &mut Vec<String>) {
    for (name, text) in [("filter", &args.filter), ("score", &args.score)] {
        if let Err(error) = crate::framework::plugins::expression::read(text) {
            let value = serde_json::Value::from(text.as_str());
            errors.push(invalid(&format!("{path}.{name}"), value, &error));
        }
    }
}

fn default_preemption(path: &str, args: &DefaultPreemptionArgs, errors: &mut Vec<String>) {
    let (percentage, absolute) =
        (args.min_candidate_nodes_percentage, args.min_candidate_nodes_absolute);
    let percentage_path = format!("{path}.minCandidateNodesPercentage");
    let absolute_path = format!("{path}.minCandidateNodesAbsolute");
    if !(0..=100).contains(&percentage) {
        errors.push(invalid(&percentage_path, percentage, "not in valid range [0, 100]"));
    }
    if absolute < 0 {
        errors.push(invalid(&absolute_path, absolute, "not in valid range [0, inf)"));
    }
    if percentage == 0 && absolute == 0 {
        let detail = "cannot be zero at the same time as minCandidateNodesAbsolute";
        errors.push(invalid(&percentage_path, percentage, detail));
        let detail = "cannot be zero at the same time as minCandidateNodesPercentage";
        errors.push(invalid(&absolute_path, absolute, detail));
    }
}

fn node_affinity(path: &str, args: &NodeAffinityArgs, errors: &mut Vec<String>) {
    let Some(affinity) = &args.added_affinity else { return };
    let mut interner = Interner::default();
    if let Some(it) = &affinity.required_during_scheduling_ignored_during_execution
        && let Some(error) = NodeSelector::new(it, &mut interner).error()
    {
        errors.push(format!(
            "{path}.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution: {error}"
        ));
    }
    if let Some(it) = &affinity.preferred_during_scheduling_ignored_during_execution
        && let Err(error) = PreferredTerms::new(it, &mut interner)
    {
        errors.push(format!(
            "{path}.addedAffinity.preferredDuringSchedulingIgnoredDuringExecution: {error}"
        ));
    }
}

fn balanced(path: &str, args: &NodeResourcesBalancedAllocationArgs, errors: &mut Vec<String>) {
    for (at, it) in args.resources.iter().enumerate() {
        let path = format!("{path}.resources[{at}]");
        if args.resources.iter().take(at).any(|other| other.name == it.name) {
            errors.push(format!("{path}.name: Duplicate value: \"{}\"", it.name));
        }
        if it.weight != 1 {
            errors.push(invalid(&format!("{path}.weight"), it.weight, "must be 1"));
        }
    }
}

fn spread(path: &str, args: &PodTopologySpreadArgs, errors: &mut Vec<String>) {
    let type_ = args.defaulting_type.as_str();
    let type_path = format!("{path}.defaultingType");
    if type_ != "System" && type_ != "List" {
        errors.push(format!(
            "{type_path}: Unsupported value: \"{type_}\": supported values: \"System\", \"List\""
        ));
    } else if type_ == "System" && !args.default_constraints.is_empty() {
        let value = format!("\"{type_}\"");
        errors.push(invalid(&type_path, value, "when .defaultConstraints are not empty"));
    }
    for (at, it) in args.default_constraints.iter().enumerate() {
        let path = format!("{path}.defaultConstraints[{at}]");
        if it.max_skew <= 0 {
            let path = format!("{path}.maxSkew");
            errors.push(invalid(&path, it.max_skew, "not in valid range (0, inf)"));
        }
        if it.topology_key.is_empty() {
            errors.push(format!("{path}.topologyKey: Required value: can not be empty"));
        }
        match it.when_unsatisfiable.as_str() {
            "DoNotSchedule" | "ScheduleAnyway" => {}
            "" => {
                errors.push(format!("{path}.whenUnsatisfiable: Required value: can not be empty"))
            }
            other => errors.push(format!(
                "{path}.whenUnsatisfiable: Unsupported value: \"{other}\": supported values: \
                 \"DoNotSchedule\", \"ScheduleAnyway\""
            )),
        }
        if it.label_selector.is_some() {
            errors.push(format!(
                "{path}.labelSelector: Forbidden: constraint must not define a selector, as they \
                 deduced for each pod"
            ));
        }
        let same = |other: &&_| {
            let other: &k8s_openapi::api::core::v1::TopologySpreadConstraint = other;
            other.topology_key == it.topology_key
                && other.when_unsatisfiable == it.when_unsatisfiable
        };
        if args.default_constraints.iter().take(at).any(|other| same(&other)) {
            errors.push(format!(
                "{path}: Duplicate value: \"{{{}, {}}}\"",
                it.topology_key, it.when_unsatisfiable
            ));
        }
    }
}

fn volume_binding(path: &str, args: &VolumeBindingArgs, errors: &mut Vec<String>) {
    if args.bind_timeout_seconds < 0 {
        errors.push(invalid(
            &format!("{path}.bindTimeoutSeconds"),
            args.bind_timeout_seconds,
            "invalid BindTimeoutSeconds, should not be a negative value",
        ));
    }
    if let Some(shape) = &args.shape {
        errors.push(invalid(
            &format!("{path}.shape"),
            serde_json::to_string(shape).unwrap_or_default(),
            "unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring",
        ));
    }
}

/// Upstream: `ValidateNodeResourcesFitArgs`, called by the plugin without a path.
pub(crate) fn node_resources_fit(args: &NodeResourcesFitArgs) -> Option<String> {
    let mut errors = Vec::new();
    for (at, group) in args.ignored_resource_groups.iter().enumerate() {
        if group.contains('/') {
            let path = format!("ignoredResourceGroups[{at}]");
            let value = format!("\"{group}\"");
            errors.push(invalid(&path, value, "resource group name can't contain '/'"));
        }
    }
    let Some(strategy) = &args.scoring_strategy else {
        return Some(
            "scoringStrategy: Required value: ScoringStrategy field is required".to_owned(),
        );
    };
    let type_ = strategy.type_.as_str();
    let ratio = strategy.requested_to_capacity_ratio.as_ref();
    if !["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"].contains(&type_) {
        errors.push(format!(
            "scoringStrategy.type: Unsupported value: \"{type_}\": supported values: \
             \"LeastAllocated\", \"MostAllocated\", \"RequestedToCapacityRatio\""
        ));
    }
    resources(&strategy.resources, &mut errors);
    match (type_ == "RequestedToCapacityRatio", ratio) {
        (true, None) => errors.push(
            "scoringStrategy.requestedToCapacityRatio: Required value: must be specified when type \
             is RequestedToCapacityRatio"
                .to_owned(),
        ),
        (true, Some(ratio)) => shape(&ratio.shape, &mut errors),
        (false, Some(_)) => errors.push(
            "scoringStrategy.requestedToCapacityRatio: Forbidden: must be nil when type is not \
             RequestedToCapacityRatio"
                .to_owned(),
        ),
        (false, None) => {}
    }
    let mut out = Vec::new();
    aggregate(errors, &mut out);
    out.pop()
}

fn resources(resources: &[ResourceSpec], errors: &mut Vec<String>) {
    for (at, it) in resources.iter().enumerate() {
        if it.weight <= 0 || it.weight > 100 {
            let detail = format!("resource weight of {} not in valid range (0, 100]", it.name);
            let path = format!("scoringStrategy.resources[{at}].weight");
            errors.push(invalid(&path, it.weight, &detail));
        }
    }
}

/// Upstream: `validateFunctionShape`.
fn shape(shape: &[UtilizationShapePoint], errors: &mut Vec<String>) {
    let path = "scoringStrategy.requestedToCapacityRatio.shape";
    if shape.is_empty() {
        errors.push(format!("{path}: Required value: at least one point must be specified"));
        return;
    }
    let unsorted = shape.windows(2).position(|it| match it {
        [a, b] => a.utilization >= b.utilization,
        _ => false,
    });
    if let Some((at, it)) = unsorted.and_then(|at| Some((at + 1, shape.get(at + 1)?))) {
        let path = format!("{path}[{at}].utilization");
        errors.push(invalid(&path, it.utilization, "values must be sorted in increasing order"));
    }
    for (at, it) in shape.iter().enumerate() {
        if !(0..=100).contains(&it.utilization) {
            let path = format!("{path}[{at}].utilization");
            errors.push(invalid(&path, it.utilization, "not in valid range [0, 100]"));
        }
        if !(0..=10).contains(&it.score) {
            let path = format!("{path}[{at}].score");
            errors.push(invalid(&path, it.score, "not in valid range [0, 10]"));
        }
    }
}
