//! Prefers nodes that have the pod's images already.
//!
//! Upstream: `pkg/scheduler/framework/plugins/imagelocality/image_locality.go`, v1.36.

use super::names;
use crate::framework::cycle_state::CycleState;
use crate::framework::interface::{Handle, MAX_NODE_SCORE, Plugin, Rejection, ScorePlugin};
use crate::framework::types::{NodeId, NodeInfo, PodInfo};

const MB: i64 = 1024 * 1024;
const MIN_THRESHOLD: i64 = 23 * MB;
const MAX_CONTAINER_THRESHOLD: i64 = 1000 * MB;

/// The plugin.
pub struct ImageLocality;

impl Plugin for ImageLocality {
    fn name(&self) -> &'static str {
        names::IMAGE_LOCALITY
    }
    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        Some(self)
    }
}

/// Upstream: `sumImageScores`.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as upstream")]
fn sum_image_scores(handle: &Handle<'_>, pod: &PodInfo, node: &NodeInfo) -> i64 {
    let total = handle.cache.n_nodes() as f64;
    let scaled = |image| {
        node.images.binary_search_by_key(image, |(it, _)| *it).ok()?;
        // The size is the one of the node that brought the image first, as upstream's cache has it.
        let (size, n_nodes) = handle.cache.image(*image)?;
        Some((size as f64 * (n_nodes as f64 / total)) as i64)
    };
    pod.images.iter().filter_map(scaled).sum()
}

/// Upstream: `calculatePriority`.
fn calculate_priority(sum: i64, n_containers: usize) -> i64 {
    let n_containers = i64::try_from(n_containers).unwrap_or(i64::MAX);
    let max_threshold = MAX_CONTAINER_THRESHOLD.saturating_mul(n_containers);
    let sum = sum.min(max_threshold).max(MIN_THRESHOLD);
    MAX_NODE_SCORE * (sum - MIN_THRESHOLD) / (max_threshold - MIN_THRESHOLD).max(1)
}

impl ScorePlugin for ImageLocality {
    fn score(
        &self,
        handle: &Handle<'_>,
        _: &CycleState,
        pod: &PodInfo,
        nodes: &[NodeId],
    ) -> Result<Vec<i64>, Rejection> {
        if pod.images.iter().all(|it| handle.cache.image(*it).is_none()) {
            return Ok(vec![calculate_priority(0, pod.n_containers); nodes.len()]);
        }
        let score = |id: &NodeId| {
            let sum = sum_image_scores(handle, pod, handle.cache.node(*id));
            calculate_priority(sum, pod.n_containers)
        };
        Ok(nodes.iter().map(score).collect())
    }

    fn formula(
        &self,
        handle: &Handle<'_>,
        _: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Option<String> {
        let sum = sum_image_scores(handle, pod, node);
        (sum > 0).then(|| format!("images on the node, scaled by their spread: {} MiB", sum / MB))
    }
}
