//! Orders the queue by priority, then by the time of entry.
//!
//! Upstream: `pkg/scheduler/framework/plugins/queuesort/priority_sort.go`, v1.36.

use api::Timestamp;

use super::names;
use crate::framework::interface::{Plugin, QueueSortPlugin};

/// The plugin.
pub struct PrioritySort;

impl Plugin for PrioritySort {
    fn name(&self) -> &'static str {
        names::PRIORITY_SORT
    }
    fn as_queue_sort(&self) -> Option<&dyn QueueSortPlugin> {
        Some(self)
    }
}

impl QueueSortPlugin for PrioritySort {
    fn less(&self, a: (i32, Timestamp), b: (i32, Timestamp)) -> bool {
        a.0 > b.0 || (a.0 == b.0 && a.1 < b.1)
    }
}
