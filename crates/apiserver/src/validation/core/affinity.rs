//! Affinity, node selectors and tolerations.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`validateAffinity`,
//! `ValidateTolerations`), v1.36.

use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
    PodAffinityTerm, Toleration, WeightedPodAffinityTerm,
};

use crate::validation::check::{form, list_of, one_of, qualified_name, str_of};
use crate::validation::{Errors, Path, labels, text};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const WEIGHT: &str = "must be in the range 1-100";

pub(crate) fn affinity(errors: &mut Errors, path: &Path<'_>, affinity: &Affinity) {
    if let Some(it) = &affinity.node_affinity {
        node_affinity(errors, &path.child("nodeAffinity"), it);
    }
    if let Some(it) = &affinity.pod_affinity {
        let required = list_of(&it.required_during_scheduling_ignored_during_execution);
        let preferred = list_of(&it.preferred_during_scheduling_ignored_during_execution);
        pod_terms(errors, &path.child("podAffinity"), required, preferred);
    }
    if let Some(it) = &affinity.pod_anti_affinity {
        let required = list_of(&it.required_during_scheduling_ignored_during_execution);
        let preferred = list_of(&it.preferred_during_scheduling_ignored_during_execution);
        pod_terms(errors, &path.child("podAntiAffinity"), required, preferred);
    }
}

fn node_affinity(errors: &mut Errors, path: &Path<'_>, affinity: &NodeAffinity) {
    if let Some(it) = &affinity.required_during_scheduling_ignored_during_execution {
        node_selector(errors, &path.child(REQUIRED), it);
    }
    let all = path.child(PREFERRED);
    let terms = list_of(&affinity.preferred_during_scheduling_ignored_during_execution);
    for (index, term) in terms.iter().enumerate() {
        let path = all.index(index);
        if !(1..=100).contains(&term.weight) {
            errors.invalid(&path.child("weight"), term.weight, WEIGHT);
        }
        // Values that no label can have are let through here, as upstream does.
        node_term(errors, &path.child("preference"), &term.preference, false);
    }
}

/// Upstream: `ValidateNodeSelector`.
pub(crate) fn node_selector(errors: &mut Errors, path: &Path<'_>, selector: &NodeSelector) {
    let all = path.child("nodeSelectorTerms");
    if selector.node_selector_terms.is_empty() {
        errors.required(&all, "must have at least one node selector term");
    }
    for (index, term) in selector.node_selector_terms.iter().enumerate() {
        node_term(errors, &all.index(index), term, true);
    }
}

fn node_term(errors: &mut Errors, path: &Path<'_>, term: &NodeSelectorTerm, check_values: bool) {
    let all = path.child("matchExpressions");
    for (index, it) in list_of(&term.match_expressions).iter().enumerate() {
        node_expression(errors, &all.index(index), it, check_values);
    }
    let all = path.child("matchFields");
    for (index, it) in list_of(&term.match_fields).iter().enumerate() {
        node_field(errors, &all.index(index), it);
    }
}

fn node_expression(
    errors: &mut Errors,
    path: &Path<'_>,
    expression: &NodeSelectorRequirement,
    check_values: bool,
) {
    let values = list_of(&expression.values);
    let values_path = path.child("values");
    match expression.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            let why = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.required(&values_path, why);
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.forbidden(&values_path, why);
        }
        "Gt" | "Lt" if values.len() != 1 => {
            let why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            errors.required(&values_path, why);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    qualified_name(errors, &path.child("key"), &expression.key);
    if check_values {
        for (index, value) in values.iter().enumerate() {
            form(errors, &values_path.index(index), value, text::label_value(value));
        }
    }
}

fn node_field(errors: &mut Errors, path: &Path<'_>, field: &NodeSelectorRequirement) {
    let values = list_of(&field.values);
    match field.operator.as_str() {
        "In" | "NotIn" => {
            if values.len() != 1 {
                let why = "must be only one value when `operator` is 'In' or 'NotIn' for node \
                           field selector";
                errors.required(&path.child("values"), why);
            }
        }
        other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    if field.key != "metadata.name" {
        errors.invalid(&path.child("key"), &field.key, "not a valid field selector key");
        return;
    }
    for (index, value) in values.iter().enumerate() {
        form(errors, &path.child("values").index(index), value, text::dns1123_subdomain(value));
    }
}

fn pod_terms(
    errors: &mut Errors,
    path: &Path<'_>,
    required: &[PodAffinityTerm],
    preferred: &[WeightedPodAffinityTerm],
) {
    let all = path.child(REQUIRED);
    for (index, term) in required.iter().enumerate() {
        pod_term(errors, &all.index(index), term);
    }
    let all = path.child(PREFERRED);
    for (index, term) in preferred.iter().enumerate() {
        let path = all.index(index);
        if !(1..=100).contains(&term.weight) {
            errors.invalid(&path.child("weight"), term.weight, WEIGHT);
        }
        pod_term(errors, &path.child("podAffinityTerm"), &term.pod_affinity_term);
    }
}

fn pod_term(errors: &mut Errors, path: &Path<'_>, term: &PodAffinityTerm) {
    labels::selector(errors, &path.child("labelSelector"), term.label_selector.as_ref());
    labels::selector(errors, &path.child("namespaceSelector"), term.namespace_selector.as_ref());
    for name in list_of(&term.namespaces) {
        form(errors, &path.child("namespace"), name, text::dns1123_label(name));
    }
    let keys = list_of(&term.match_label_keys);
    let other_keys = list_of(&term.mismatch_label_keys);
    label_keys(errors, path, keys, other_keys, term.label_selector.as_ref());
    if term.topology_key.is_empty() {
        errors.required(&path.child("topologyKey"), "can not be empty");
    }
    qualified_name(errors, &path.child("topologyKey"), &term.topology_key);
}

/// Upstream: `ValidateMatchLabelKeysAndMismatchLabelKeys`.
pub(crate) fn label_keys(
    errors: &mut Errors,
    path: &Path<'_>,
    keys: &[String],
    other_keys: &[String],
    selector: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector>,
) {
    for (name, keys) in [("matchLabelKeys", keys), ("mismatchLabelKeys", other_keys)] {
        let path = path.child(name);
        if !keys.is_empty() && selector.is_none() {
            errors.forbidden(&path, "must not be specified when labelSelector is not set");
            continue;
        }
        for (index, key) in keys.iter().enumerate() {
            qualified_name(errors, &path.index(index), key);
        }
    }
    if let Some(selector) = selector {
        // The server adds an expression for each key; one more is one too many.
        let mut seen: Vec<&str> =
            selector.match_labels.iter().flatten().map(|it| it.0.as_str()).collect();
        for expression in list_of(&selector.match_expressions) {
            let key = expression.key.as_str();
            if let Some(index) = keys.iter().rposition(|it| it == key)
                && seen.contains(&key)
            {
                let why = "exists in both matchLabelKeys and labelSelector";
                errors.invalid(&path.index(index), key, why);
            }
            seen.push(key);
        }
    }
    for (index, key) in keys.iter().enumerate() {
        if other_keys.contains(key) {
            let why = "exists in both matchLabelKeys and mismatchLabelKeys";
            errors.invalid(&path.child("matchLabelKeys").index(index), key, why);
        }
    }
}

/// Upstream: `ValidateTolerations`.
pub(crate) fn tolerations(errors: &mut Errors, path: &Path<'_>, tolerations: &[Toleration]) {
    for (index, toleration) in tolerations.iter().enumerate() {
        let path = path.index(index);
        let operator_path = path.child("operator");
        let key = str_of(&toleration.key);
        let (operator, value) = (str_of(&toleration.operator), str_of(&toleration.value));
        let effect = str_of(&toleration.effect);
        if !key.is_empty() {
            qualified_name(errors, &path.child("key"), key);
        } else if operator != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all \
                       values and all keys\"";
            errors.invalid(&operator_path, operator, why);
        }
        if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.invalid(&path.child("effect"), effect, why);
        }
        match operator {
            "Equal" | "" => {
                let messages = text::label_value(value);
                if !messages.is_empty() {
                    errors.invalid(&operator_path, value, &messages.join(";"));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    let why = "value must be empty when `operator` is 'Exists'";
                    errors.invalid(&operator_path, value, why);
                }
            }
            // The feature is off, although the words name the operators.
            "Lt" | "Gt" => {
                errors.not_supported(&operator_path, operator, &["Equal", "Exists", "Lt", "Gt"]);
            }
            other => errors.not_supported(&operator_path, other, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            one_of(errors, &path.child("effect"), effect, EFFECTS);
        }
    }
}

/// The effects of taints.
pub(crate) const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
