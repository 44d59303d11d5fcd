//! Whether the indexes that succeeded are enough.
//!
//! Upstream: `pkg/controller/job/success_policy.go`, v1.36.

use k8s_openapi::api::batch::v1::SuccessPolicy;

use super::indexed_job_utils::OrderedIntervals;

/// The message that names the first rule that is met.
pub(super) fn match_success_policy(
    policy: Option<&SuccessPolicy>,
    completions: i32,
    succeeded: &OrderedIntervals,
) -> Option<String> {
    if succeeded.total() == 0 {
        return None;
    }
    let met = policy?.rules.iter().position(|rule| {
        let enough = |n: i32| rule.succeeded_count.is_some_and(|it| n >= it);
        let Some(indexes) = &rule.succeeded_indexes else { return enough(succeeded.total()) };
        let required = OrderedIntervals::parse(indexes, completions);
        let contained = required.overlap(succeeded);
        required.total() > 0 && (contained == required.total() || enough(contained))
    })?;
    Some(format!("Matched rules at index {met}"))
}
