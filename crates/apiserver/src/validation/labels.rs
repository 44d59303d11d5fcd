//! Labels, annotations and label selectors.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go`, v1.36.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::validation::check::{form, list_of, qualified_name};
use crate::validation::{Errors, Path, text};

pub(crate) type Map = BTreeMap<String, String>;

/// Upstream: `TotalAnnotationSizeLimitB`.
const ANNOTATIONS_SIZE: usize = 256 * 1024;

/// Upstream: `ValidateLabels`.
pub(crate) fn labels(errors: &mut Errors, path: &Path<'_>, labels: Option<&Map>) {
    for (key, value) in labels.into_iter().flatten() {
        qualified_name(errors, path, key);
        form(errors, path, value, text::label_value(value));
    }
}

/// Upstream: `ValidateAnnotations`.
pub(crate) fn annotations(errors: &mut Errors, path: &Path<'_>, annotations: Option<&Map>) {
    let mut size = 0;
    for (key, value) in annotations.into_iter().flatten() {
        form(errors, path, key, text::label_key(&key.to_lowercase()));
        size += key.len() + value.len();
    }
    if size > ANNOTATIONS_SIZE {
        errors.too_long(path, ANNOTATIONS_SIZE);
    }
}

/// Upstream: `ValidateLabelSelector`.
pub(crate) fn selector(errors: &mut Errors, path: &Path<'_>, selector: Option<&LabelSelector>) {
    let Some(selector) = selector else { return };
    labels(errors, &path.child("matchLabels"), selector.match_labels.as_ref());
    let all = path.child("matchExpressions");
    for (index, requirement) in list_of(&selector.match_expressions).iter().enumerate() {
        let path = all.index(index);
        let values = list_of(&requirement.values);
        match requirement.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => errors.required(
                &path.child("values"),
                "must be specified when `operator` is 'In' or 'NotIn'",
            ),
            "Exists" | "DoesNotExist" if !values.is_empty() => errors.forbidden(
                &path.child("values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                errors.invalid(&path.child("operator"), other, "not a valid selector operator");
            }
        }
        qualified_name(errors, &path.child("key"), &requirement.key);
        for (index, value) in values.iter().enumerate() {
            form(errors, &path.child("values").index(index), value, text::label_value(value));
        }
    }
}

/// Whether a selector can be evaluated, and what it says of some labels; `None` for a selector
/// that upstream's `LabelSelectorAsSelector` refuses.
pub(crate) fn matches(selector: Option<&LabelSelector>, labels: Option<&Map>) -> Option<bool> {
    let Some(selector) = selector else { return Some(false) };
    for requirement in list_of(&selector.match_expressions) {
        let n_values = list_of(&requirement.values).len();
        let fits = match requirement.operator.as_str() {
            "In" | "NotIn" => n_values > 0,
            "Exists" | "DoesNotExist" => n_values == 0,
            _ => false,
        };
        if !fits || !text::label_key(&requirement.key).is_empty() {
            return None;
        }
    }
    // Values that are no label values make the requirement itself invalid.
    let pairs = selector.match_labels.iter().flatten();
    for (key, value) in pairs {
        if !text::label_key(key).is_empty() || !text::label_value(value).is_empty() {
            return None;
        }
    }
    let values = list_of(&selector.match_expressions).iter().flat_map(|it| list_of(&it.values));
    if values.into_iter().any(|it| !text::label_value(it).is_empty()) {
        return None;
    }
    Some(api::selector::matches(selector, labels))
}

/// Whether the selector names nothing at all.
pub(crate) fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
        && list_of(&selector.match_expressions).is_empty()
}
