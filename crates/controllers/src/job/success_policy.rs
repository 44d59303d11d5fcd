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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_rule_that_is_met_is_named() {
        let indexes = |text: &str| json!({ "succeededIndexes": text });
        let count = |n: i32| json!({ "succeededCount": n });
        let both = |text: &str, n: i32| json!({ "succeededIndexes": text, "succeededCount": n });
        for (rules, succeeded, expected) in [
            (vec![indexes("0,2-4")], "0,2-4", Some(0)),
            (vec![indexes("0,2-4")], "0-9", Some(0)),
            (vec![indexes("0,2-4")], "0-3", None),
            (vec![count(3)], "0,5,9", Some(0)),
            (vec![count(3)], "0,5", None),
            // So many of these, not so many of any.
            (vec![both("0-4", 2)], "3,4,8", Some(0)),
            (vec![both("0-4", 2)], "4-9", None),
            (vec![both("0,1", 9)], "0,1", Some(0)),
            (vec![indexes("7"), count(1)], "0", Some(1)),
            (vec![indexes("0"), count(1)], "0", Some(0)),
            // Beyond the completions there is nothing that could succeed.
            (vec![indexes("10-12")], "0-9", None),
            (vec![count(0)], "", None),
            (vec![], "0-9", None),
        ] {
            let policy = serde_json::from_value(json!({ "rules": rules })).unwrap();
            let succeeded = OrderedIntervals::parse(succeeded, 10);
            let met = match_success_policy(Some(&policy), 10, &succeeded);
            let expected = expected.map(|it: i32| format!("Matched rules at index {it}"));
            assert_eq!(met, expected, "{rules:?} {succeeded}");
        }
        assert_eq!(match_success_policy(None, 10, &OrderedIntervals::parse("0-9", 10)), None);
    }
}
