//! The rules of a job's pod failure policy and success policy.
//!
//! Upstream: `pkg/apis/batch/validation/validation.go`, v1.36.

use k8s_openapi::api::batch::v1::{
    JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule, SuccessPolicyRule,
};

use crate::validation::check::{list_of, non_negative, one_of, qualified_name, str_of};
use crate::validation::{Bad, Errors, Path, internal};

pub(super) fn failure_rule(
    errors: &mut Errors,
    path: &Path<'_>,
    rule: &PodFailurePolicyRule,
    spec: &JobSpec,
) {
    let action_path = path.child("action");
    match rule.action.as_str() {
        "" => {
            let why = "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]";
            errors.required(&action_path, why);
        }
        "FailIndex" => {
            if spec.backoff_limit_per_index.is_none() {
                let why = "requires the backoffLimitPerIndex to be set";
                errors.invalid(&action_path, "FailIndex", why);
            }
        }
        action => {
            let supported = ["Count", "FailIndex", "FailJob", "Ignore"];
            one_of(errors, &action_path, action, &supported);
        }
    }
    let conditions = list_of(&rule.on_pod_conditions);
    if let Some(codes) = &rule.on_exit_codes {
        exit_codes(errors, &path.child("onExitCodes"), codes, spec);
    }
    pod_conditions(errors, &path.child("onPodConditions"), conditions);
    match (&rule.on_exit_codes, conditions) {
        (Some(_), [_, ..]) => errors.invalid_unseen(
            path,
            "specifying both OnExitCodes and OnPodConditions is not supported",
        ),
        (None, []) => errors
            .invalid_unseen(path, "specifying one of OnExitCodes and OnPodConditions is required"),
        _ => {}
    }
}

fn pod_conditions(
    errors: &mut Errors,
    path: &Path<'_>,
    conditions: &[PodFailurePolicyOnPodConditionsPattern],
) {
    if conditions.len() > 20 {
        errors.too_many(path, conditions.len(), 20);
    }
    for (index, pattern) in conditions.iter().enumerate() {
        let path = path.index(index);
        qualified_name(errors, &path.child("type"), &pattern.type_);
        let status_path = path.child("status");
        match str_of(&pattern.status) {
            "" => {
                let why = "valid values: [\"False\" \"True\" \"Unknown\"]";
                errors.required(&status_path, why);
            }
            status => one_of(errors, &status_path, status, &["False", "True", "Unknown"]),
        }
    }
}

fn exit_codes(
    errors: &mut Errors,
    path: &Path<'_>,
    codes: &PodFailurePolicyOnExitCodesRequirement,
    spec: &JobSpec,
) {
    let operator_path = path.child("operator");
    if codes.operator.is_empty() {
        errors.required(&operator_path, "valid values: [\"In\" \"NotIn\"]");
    } else {
        one_of(errors, &operator_path, &codes.operator, &["In", "NotIn"]);
    }
    if let Some(name) = &codes.container_name {
        let pod = spec.template.spec.as_ref();
        let mut containers =
            pod.into_iter().flat_map(|it| it.containers.iter().chain(list_of(&it.init_containers)));
        if !containers.any(|it| it.name == *name) {
            let why = "must be one of the container or initContainer names in the pod template";
            errors.invalid(&path.child("containerName"), name, why);
        }
    }
    let all = path.child("values");
    let values = codes.values.as_slice();
    if values.is_empty() {
        errors.invalid(&all, Bad::raw("[]"), "at least one value is required");
    } else if values.len() > 255 {
        errors.too_many(&all, values.len(), 255);
    }
    for (index, value) in values.iter().enumerate() {
        if codes.operator == "In" && *value == 0 {
            errors.invalid(&all.index(index), *value, "must not be 0 for the In operator");
        }
        if values[..index].contains(value) {
            errors.duplicate(&all.index(index), *value);
        }
    }
    if !values.is_sorted() {
        errors.invalid(&all, Bad::json(&values), "must be ordered");
    }
}

pub(super) fn success_policy(errors: &mut Errors, path: &Path<'_>, spec: &JobSpec) {
    let Some(policy) = &spec.success_policy else { return };
    if spec.completion_mode.as_deref() != Some("Indexed") {
        let shown = Bad::raw(internal::dump("SuccessPolicy", policy));
        errors.invalid(path, shown, "requires indexed completion mode");
        return;
    }
    let rules = path.child("rules");
    if policy.rules.is_empty() {
        let why = "at least one rules must be specified when the successPolicy is specified";
        errors.required(&rules, why);
    }
    if policy.rules.len() > 20 {
        errors.too_many(&rules, policy.rules.len(), 20);
    }
    let completions = spec.completions.unwrap_or_default();
    for (index, rule) in policy.rules.iter().enumerate() {
        success_rule(errors, &rules.index(index), rule, completions);
    }
}

fn success_rule(errors: &mut Errors, path: &Path<'_>, rule: &SuccessPolicyRule, completions: i32) {
    if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
        let why = "at least one of succeededCount or succeededIndexes must be specified";
        errors.required(path, why);
    }
    let mut n_indexes = 0;
    if let Some(indexes) = &rule.succeeded_indexes {
        let path = path.child("succeededIndexes");
        if indexes.len() > 64 * 1024 {
            errors.too_long(&path, 64 * 1024);
        }
        match count_indexes(indexes, completions) {
            Ok(count) => n_indexes = count,
            Err(why) => {
                errors.invalid(&path, indexes, &format!("error parsing succeededIndexes: {why}"));
            }
        }
    }
    let Some(count) = rule.succeeded_count else { return };
    let path = path.child("succeededCount");
    non_negative(errors, &path, count);
    if count > completions {
        let why = format!(
            "must be less than or equal to {completions} (the number of specified completions)"
        );
        errors.invalid(&path, count, &why);
    }
    if rule.succeeded_indexes.is_some() && i64::from(count) > n_indexes {
        let why = format!(
            "must be less than or equal to {n_indexes} (the number of indexes in the specified \
             succeededIndexes field)"
        );
        errors.invalid(&path, count, &why);
    }
}

/// How many indexes a list such as `0,2-5` names. Upstream: `validateIndexesFormat`.
pub(super) fn count_indexes(indexes: &str, completions: i32) -> Result<i64, String> {
    if indexes.is_empty() {
        return Ok(0);
    }
    let mut total = 0;
    let mut last: Option<i64> = None;
    for text in indexes.split(',') {
        let (first, end) = interval(text, completions)?;
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(format!("non-increasing order, previous: {last}, current: {first}"));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}

/// The first and the last index of one of its parts. Upstream: `parseIndexInterval`.
pub(super) fn interval(text: &str, completions: i32) -> Result<(i64, i64), String> {
    let number = |text: &str| -> Result<i64, String> {
        let number = text.strip_prefix('+').unwrap_or(text).parse::<i64>();
        let number = number
            .map_err(|_| format!("cannot convert string to integer for index: \"{text}\""))?;
        if number >= i64::from(completions) {
            return Err(format!("too large index: \"{text}\""));
        }
        Ok(number)
    };
    let limits: Vec<&str> = text.split('-').collect();
    match limits.as_slice() {
        [one] => number(one).map(|it| (it, it)),
        [first, end] => {
            let (first, end) = (number(first)?, number(end)?);
            if first >= end {
                return Err(format!("non-increasing order, previous: {first}, current: {end}"));
            }
            Ok((first, end))
        }
        _ => Err(format!(
            "the fragment \"{text}\" violates the requirement that an index interval can have at \
             most two parts separated by '-'"
        )),
    }
}
