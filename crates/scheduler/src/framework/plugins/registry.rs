//! Makes the in-tree plugins.
//!
//! Upstream: `pkg/scheduler/framework/plugins/registry.go`, v1.36.

use std::sync::Arc;

use super::interpodaffinity::InterPodAffinity;
use super::noderesources::{balanced_allocation::BalancedAllocation, fit::Fit};
use super::podtopologyspread::PodTopologySpread;
use super::{
    defaultbinder, defaultpreemption, dynamicresources, expression, imagelocality, names,
    nodeaffinity, nodedeclaredfeatures, nodename, nodeports, nodeunschedulable, nodevolumelimits,
    queuesort, schedulinggates, tainttoleration, volumebinding, volumerestrictions, volumezone,
};
use crate::apis::config::{
    Args, DefaultPreemptionArgs, ExpressionArgs, InterPodAffinityArgs, NodeAffinityArgs,
    NodeResourcesBalancedAllocationArgs, NodeResourcesFitArgs, PodTopologySpreadArgs,
};
use crate::framework::interface::Plugin;

/// Makes a plugin with its arguments; `None` when there is no such plugin.
pub fn new_plugin(name: &str, args: Option<&Args>) -> Option<Result<Arc<dyn Plugin>, String>> {
    macro_rules! args {
        ($variant:ident, $type:ty) => {
            match args {
                Some(Args::$variant(args)) => args.clone(),
                _ => <$type>::default(),
            }
        };
    }
    let plugin: Arc<dyn Plugin> = match name {
        names::SCHEDULING_GATES => Arc::new(schedulinggates::SchedulingGates),
        names::PRIORITY_SORT => Arc::new(queuesort::PrioritySort),
        names::NODE_UNSCHEDULABLE => Arc::new(nodeunschedulable::NodeUnschedulable),
        names::NODE_NAME => Arc::new(nodename::NodeName),
        names::TAINT_TOLERATION => Arc::new(tainttoleration::TaintToleration),
        names::NODE_AFFINITY => {
            Arc::new(nodeaffinity::NodeAffinity::new(&args!(NodeAffinity, NodeAffinityArgs)))
        }
        names::NODE_PORTS => Arc::new(nodeports::NodePorts),
        names::NODE_RESOURCES_FIT => {
            match Fit::new(&args!(NodeResourcesFit, NodeResourcesFitArgs)) {
                Ok(plugin) => Arc::new(plugin),
                Err(error) => return Some(Err(error)),
            }
        }
        names::VOLUME_RESTRICTIONS => Arc::new(volumerestrictions::VolumeRestrictions),
        names::NODE_VOLUME_LIMITS => Arc::new(nodevolumelimits::CsiLimits),
        names::VOLUME_BINDING => Arc::new(volumebinding::VolumeBinding),
        names::VOLUME_ZONE => Arc::new(volumezone::VolumeZone),
        names::POD_TOPOLOGY_SPREAD => {
            Arc::new(PodTopologySpread::new(&args!(PodTopologySpread, PodTopologySpreadArgs)))
        }
        names::INTER_POD_AFFINITY => {
            Arc::new(InterPodAffinity::new(&args!(InterPodAffinity, InterPodAffinityArgs)))
        }
        names::DYNAMIC_RESOURCES => Arc::new(dynamicresources::DynamicResources),
        names::DEFAULT_PREEMPTION => Arc::new(defaultpreemption::DefaultPreemption::new(&args!(
            DefaultPreemption,
            DefaultPreemptionArgs
        ))),
        names::NODE_RESOURCES_BALANCED_ALLOCATION => Arc::new(BalancedAllocation::new(&args!(
            NodeResourcesBalancedAllocation,
            NodeResourcesBalancedAllocationArgs
        ))),
        names::IMAGE_LOCALITY => Arc::new(imagelocality::ImageLocality),
        names::DEFAULT_BINDER => Arc::new(defaultbinder::DefaultBinder),
        names::EXPRESSION => {
            match expression::Expression::new(&args!(Expression, ExpressionArgs)) {
                Ok(plugin) => Arc::new(plugin),
                Err(error) => return Some(Err(error)),
            }
        }
        names::NODE_DECLARED_FEATURES => Arc::new(nodedeclaredfeatures::NodeDeclaredFeatures),
        _ => return None,
    };
    Some(Ok(plugin))
}
