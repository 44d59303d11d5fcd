//! Less room, more points.
//!
//! Upstream: `pkg/scheduler/framework/plugins/noderesources/most_allocated.go`, v1.36.

use crate::framework::interface::MAX_NODE_SCORE;

/// Upstream: `mostRequestedScore`.
pub(super) fn most_requested_score(requested: i64, capacity: i64) -> i64 {
    if capacity == 0 {
        return 0;
    }
    requested.min(capacity) * MAX_NODE_SCORE / capacity
}
