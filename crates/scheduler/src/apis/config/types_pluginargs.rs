//! The arguments of the plugins, with their defaults.
//!
//! Upstream: `pkg/scheduler/apis/config/types_pluginargs.go` and `v1/defaults.go`, v1.36.

use k8s_openapi::api::core::v1::{NodeAffinity, TopologySpreadConstraint};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::framework::plugins::names;

/// Arguments of a plugin.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the plugins'")]
pub enum Args {
    DefaultPreemption(DefaultPreemptionArgs),
    InterPodAffinity(InterPodAffinityArgs),
    NodeAffinity(NodeAffinityArgs),
    NodeResourcesBalancedAllocation(NodeResourcesBalancedAllocationArgs),
    NodeResourcesFit(NodeResourcesFitArgs),
    PodTopologySpread(PodTopologySpreadArgs),
    VolumeBinding(VolumeBindingArgs),
    DynamicResources(DynamicResourcesArgs),
    Expression(ExpressionArgs),
    /// Of a plugin that is not in-tree.
    Unknown(Value),
}

macro_rules! args {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default, deny_unknown_fields)]
        pub struct $name {
            /// Of the arguments.
            #[serde(skip_serializing)]
            pub kind: String,
            /// Of the arguments.
            #[serde(skip_serializing)]
            pub api_version: String,
            $($(#[$field_doc])* pub $field: $type,)*
        }
        impl Default for $name {
            fn default() -> Self {
                Self { kind: String::new(), api_version: String::new(), $($field: $default,)* }
            }
        }
    };
}

args! {
    /// Of `sim.orrery.dev/Expression`.
    ExpressionArgs {
        /// Nodes where it is true pass; empty: all do.
        filter: String = String::new(),
        /// Nodes where it is higher are better; empty: no scores.
        score: String = String::new(),
        /// What is said of nodes that do not pass.
        reason: String = String::new(),
    }
}

args! {
    /// Of `DefaultPreemption`.
    DefaultPreemptionArgs {
        /// How many of the nodes to look at, at least.
        min_candidate_nodes_percentage: i32 = 10,
        /// How many nodes to look at, at least.
        min_candidate_nodes_absolute: i32 = 100,
    }
}

args! {
    /// Of `InterPodAffinity`.
    InterPodAffinityArgs {
        /// The weight of required affinity of existing pods in scoring.
        hard_pod_affinity_weight: i32 = 1,
        /// Existing pods' preferences count only for pods that have preferences.
        ignore_preferred_terms_of_existing_pods: bool = false,
    }
}

args! {
    /// Of `NodeAffinity`.
    NodeAffinityArgs {
        /// Holds for every pod of the profile.
        added_affinity: Option<NodeAffinity> = None,
    }
}

/// A resource with its weight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ResourceSpec {
    /// `cpu`, `memory`, ...
    pub name: String,
    /// 0 is the default of 1.
    pub weight: i64,
}

/// Upstream: `defaultResourceSpec`.
fn default_resources() -> Vec<ResourceSpec> {
    ["cpu", "memory"].map(|it| ResourceSpec { name: it.to_owned(), weight: 1 }).into()
}

args! {
    /// Of `NodeResourcesBalancedAllocation`.
    NodeResourcesBalancedAllocationArgs {
        /// What is to be balanced.
        resources: Vec<ResourceSpec> = default_resources(),
    }
}

/// A point of a shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct UtilizationShapePoint {
    /// Percent.
    pub utilization: i32,
    /// 0 to 10.
    pub score: i32,
}

/// Of the strategy `RequestedToCapacityRatio`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RequestedToCapacityRatioParam {
    /// The score by utilization.
    pub shape: Vec<UtilizationShapePoint>,
}

/// How nodes with more or less room are scored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ScoringStrategy {
    /// `LeastAllocated`, `MostAllocated` or `RequestedToCapacityRatio`.
    #[serde(rename = "type")]
    pub type_: String,
    /// What counts.
    pub resources: Vec<ResourceSpec>,
    /// Of that strategy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_to_capacity_ratio: Option<RequestedToCapacityRatioParam>,
}

args! {
    /// Of `NodeResourcesFit`.
    NodeResourcesFitArgs {
        /// Extended resources that the filter passes over.
        ignored_resources: Vec<String> = Vec::new(),
        /// Groups of extended resources that the filter passes over.
        ignored_resource_groups: Vec<String> = Vec::new(),
        /// How to score.
        scoring_strategy: Option<ScoringStrategy> = Some(ScoringStrategy {
            type_: "LeastAllocated".to_owned(),
            resources: default_resources(),
            requested_to_capacity_ratio: None,
        }),
    }
}

/// Where the default constraints come from.
pub type DefaultingType = String;

args! {
    /// Of `PodTopologySpread`.
    PodTopologySpreadArgs {
        /// For pods without constraints of their own, with `List`.
        default_constraints: Vec<TopologySpreadConstraint> = Vec::new(),
        /// `System` or `List`.
        defaulting_type: DefaultingType = "System".to_owned(),
    }
}

args! {
    /// Of `VolumeBinding`.
    VolumeBindingArgs {
        /// How long a binding may take.
        bind_timeout_seconds: i64 = 600,
        /// Of a feature that is off in 1.36.
        shape: Option<Vec<UtilizationShapePoint>> = None,
    }
}

args! {
    /// Of `DynamicResources`.
    DynamicResourcesArgs {
        /// How long the filter may take.
        filter_timeout: Option<String> = Some("10s".to_owned()),
        /// How long a binding may take.
        binding_timeout: Option<String> = Some("10m0s".to_owned()),
    }
}

impl Args {
    /// Reads and defaults the arguments of a plugin; `Ok(Unknown)` for a plugin without a type.
    ///
    /// # Errors
    /// What the deserializer reports.
    pub fn read(plugin: &str, value: &Value) -> Result<Self, serde_json::Error> {
        let value =
            if value.is_null() { Value::Object(serde_json::Map::new()) } else { value.clone() };
        Ok(match plugin {
            "DefaultPreemption" => Self::DefaultPreemption(serde_json::from_value(value)?),
            "InterPodAffinity" => Self::InterPodAffinity(serde_json::from_value(value)?),
            "NodeAffinity" => Self::NodeAffinity(serde_json::from_value(value)?),
            "NodeResourcesBalancedAllocation" => {
                let mut args: NodeResourcesBalancedAllocationArgs = serde_json::from_value(value)?;
                default_weights(&mut args.resources);
                Self::NodeResourcesBalancedAllocation(args)
            }
            "NodeResourcesFit" => {
                let mut args: NodeResourcesFitArgs = serde_json::from_value(value)?;
                let default = NodeResourcesFitArgs::default().scoring_strategy;
                args.scoring_strategy = args.scoring_strategy.or(default);
                if let Some(it) = &mut args.scoring_strategy {
                    default_weights(&mut it.resources);
                }
                Self::NodeResourcesFit(args)
            }
            "PodTopologySpread" => {
                let mut args: PodTopologySpreadArgs = serde_json::from_value(value)?;
                if args.defaulting_type.is_empty() {
                    "System".clone_into(&mut args.defaulting_type);
                }
                Self::PodTopologySpread(args)
            }
            "VolumeBinding" => Self::VolumeBinding(serde_json::from_value(value)?),
            names::EXPRESSION => Self::Expression(serde_json::from_value(value)?),
            "DynamicResources" => Self::DynamicResources(serde_json::from_value(value)?),
            _ => Self::Unknown(value),
        })
    }

    /// Whether a plugin has arguments of a type of its own.
    #[must_use]
    pub fn is_known(plugin: &str) -> bool {
        !matches!(Self::read(plugin, &Value::Null), Ok(Self::Unknown(_)))
    }
}

fn default_weights(resources: &mut Vec<ResourceSpec>) {
    if resources.is_empty() {
        *resources = default_resources();
    }
    for it in resources.iter_mut().filter(|it| it.weight == 0) {
        it.weight = 1;
    }
}
