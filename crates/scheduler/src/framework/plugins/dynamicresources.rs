//! Dynamic resource allocation, as far as its presence changes messages and scores.
//!
//! Upstream: `pkg/scheduler/framework/plugins/dynamicresources/dynamicresources.go`, v1.36.
//! Differs from upstream: resource claims and devices are not simulated; a pod that refers to
//! claims waits for them for ever.

use k8s_openapi::api::core::v1::Pod;

use super::names;
use crate::framework::cycle_state::CycleState;
use crate::framework::interface::{
    FilterPlugin, Handle, NodeToStatus, Plugin, PostFilterFailure, PostFilterPlugin,
    PostFilterResult, PreEnqueuePlugin, PreFilter, PreFilterPlugin, Rejection, ScorePlugin,
    default_normalize_score,
};
use crate::framework::runtime::Cycle;
use crate::framework::types::{NodeId, NodeInfo, PodInfo};

/// The plugin.
pub struct DynamicResources;

/// PreFilter was here.
#[derive(Clone)]
struct StateData;

impl Plugin for DynamicResources {
    fn name(&self) -> &'static str {
        names::DYNAMIC_RESOURCES
    }
    fn as_pre_enqueue(&self) -> Option<&dyn PreEnqueuePlugin> {
        Some(self)
    }
    fn as_pre_filter(&self) -> Option<&dyn PreFilterPlugin> {
        Some(self)
    }
    fn as_filter(&self) -> Option<&dyn FilterPlugin> {
        Some(self)
    }
    fn as_post_filter(&self) -> Option<&dyn PostFilterPlugin> {
        Some(self)
    }
    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        Some(self)
    }
}

/// The first claim that the pod refers to: a claim's name, or the name of a template's claim that
/// nobody generated.
fn missing_claim(pod: &Pod) -> Option<String> {
    let claims = pod.spec.as_ref().and_then(|it| it.resource_claims.as_ref())?;
    let first = claims.first()?;
    Some(match (&first.resource_claim_name, &first.resource_claim_template_name) {
        (Some(name), _) => format!("resourceclaim.resource.k8s.io \"{name}\" not found"),
        _ => format!(
            "pod \"{}/{}\": ResourceClaim not created yet",
            pod.metadata.namespace.as_deref().unwrap_or_default(),
            pod.metadata.name.as_deref().unwrap_or_default()
        ),
    })
}

impl PreEnqueuePlugin for DynamicResources {
    fn pre_enqueue(&self, pod: &Pod) -> Result<(), Rejection> {
        missing_claim(pod).map_or(Ok(()), |text| Err(Rejection::unresolvable(text)))
    }
}

impl PreFilterPlugin for DynamicResources {
    fn pre_filter(
        &self,
        _: &mut Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> Result<PreFilter, Rejection> {
        state.write(StateData);
        missing_claim(&pod.pod)
            .map_or(Ok(PreFilter::Skip), |text| Err(Rejection::unresolvable(text)))
    }
}

impl FilterPlugin for DynamicResources {
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

impl PostFilterPlugin for DynamicResources {
    fn post_filter(
        &self,
        cycle: &mut Cycle<'_, '_>,
        _: &PodInfo,
        _: &NodeToStatus,
    ) -> Result<PostFilterResult, Box<PostFilterFailure>> {
        // When an earlier PreFilter turned the pod away, this plugin finds no state of its own:
        // upstream's message then ends with a bare "not found".
        let rejection = match cycle.state.read::<StateData>() {
            None => Rejection::error("not found"),
            Some(StateData) => Rejection::unschedulable("no new claims to deallocate"),
        };
        Err(Box::new((PostFilterResult::default(), rejection)))
    }
}

impl ScorePlugin for DynamicResources {
    fn score(
        &self,
        _: &Handle<'_>,
        _: &CycleState,
        _: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<Vec<i64>, Rejection> {
        Ok(vec![0; nodes.len()])
    }

    fn normalize(&self, _: &Handle<'_>, _: &CycleState, _: &[NodeId], scores: &mut [i64]) {
        default_normalize_score(false, scores);
    }
}
