//! `KubeSchedulerConfiguration`, `kubescheduler.config.k8s.io/v1`: types, defaults, validation.

mod default_plugins;
mod defaults;
mod load;
mod types;
mod types_pluginargs;
mod validation;
mod validation_pluginargs;

pub(crate) use validation_pluginargs::node_resources_fit as check_node_resources_fit;

pub use load::load;
pub use types::{
    Config, Extender, KubeSchedulerConfiguration, Plugin, PluginSet, Plugins, Profile,
};
pub use types_pluginargs::{
    Args, DefaultPreemptionArgs, DefaultingType, ExpressionArgs, InterPodAffinityArgs,
    NodeAffinityArgs, NodeResourcesBalancedAllocationArgs, NodeResourcesFitArgs,
    PodTopologySpreadArgs, ResourceSpec, ScoringStrategy, UtilizationShapePoint, VolumeBindingArgs,
};
