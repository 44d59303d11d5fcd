//! More room, more points.
//!
//! Upstream: `pkg/scheduler/framework/plugins/noderesources/least_allocated.go`, v1.36.

use crate::framework::interface::MAX_NODE_SCORE;

/// Upstream: `leastRequestedScore`.
pub(super) fn least_requested_score(requested: i64, capacity: i64) -> i64 {
    if capacity == 0 || requested > capacity {
        return 0;
    }
    (capacity - requested) * MAX_NODE_SCORE / capacity
}
