//! Matches features that pods need with features that nodes declare.
//!
//! Upstream: `pkg/scheduler/framework/plugins/nodedeclaredfeatures/nodedeclaredfeatures.go`, v1.36.
//! Differs from upstream: no pod is found to need a declared feature, because simulated nodes run
//! everything that the simulator accepts.

use super::names;
use crate::framework::cycle_state::CycleState;
use crate::framework::interface::{
    FilterPlugin, Handle, Plugin, PreFilter, PreFilterPlugin, Rejection,
};
use crate::framework::types::{NodeInfo, PodInfo};

/// The plugin.
pub struct NodeDeclaredFeatures;

impl Plugin for NodeDeclaredFeatures {
    fn name(&self) -> &'static str {
        names::NODE_DECLARED_FEATURES
    }
    fn as_pre_filter(&self) -> Option<&dyn PreFilterPlugin> {
        Some(self)
    }
    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
}

impl PreFilterPlugin for NodeDeclaredFeatures {
    fn pre_filter(
        &self,
        _: &mut Handle<'_>,
        _: &mut CycleState,
        _: &PodInfo,
    ) -> Result<PreFilter, Rejection> {
        Ok(PreFilter::Skip)
    }
}

impl FilterPlugin for NodeDeclaredFeatures {
    fn filter(
        &self,
        _: &Handle<'_>,
        _: &CycleState,
        _: &PodInfo,
        _: &NodeInfo,
    ) -> Result<(), Rejection> {
        Ok(())
    }
}
