//! Where a claim's data comes from: the older field and the newer one say the same.
//!
//! Upstream: `pkg/api/persistentvolumeclaim/util.go`, v1.36.

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaimSpec, TypedLocalObjectReference, TypedObjectReference,
};

/// Prepares the data sources of a new claim, or of an update of an old one. Upstream:
/// `DropDisabledFields`, `EnforceDataSourceBackwardsCompatibility`, `NormalizeDataSources`.
pub(super) fn prepare(
    spec: &mut PersistentVolumeClaimSpec,
    old: Option<&PersistentVolumeClaimSpec>,
) {
    let named = |it: &TypedObjectReference| it.namespace.as_ref().is_some_and(|it| !it.is_empty());
    let had_reference = old.is_some_and(|it| it.data_source_ref.is_some());
    // Sources in other namespaces are behind a feature that is off.
    if spec.data_source_ref.as_ref().is_some_and(named) && !had_reference {
        spec.data_source_ref = None;
    }
    let had_source = had_reference || old.is_some_and(|it| it.data_source.is_some());
    if !had_source && spec.data_source_ref.is_none() {
        spec.data_source = spec.data_source.take().filter(is_claim_or_snapshot);
    }
    match (&spec.data_source, &spec.data_source_ref) {
        (Some(it), None) => {
            spec.data_source_ref = Some(TypedObjectReference {
                api_group: it.api_group.clone(),
                kind: it.kind.clone(),
                name: it.name.clone(),
                namespace: None,
            });
        }
        (None, Some(it)) if !named(it) => {
            spec.data_source = Some(TypedLocalObjectReference {
                api_group: it.api_group.clone(),
                kind: it.kind.clone(),
                name: it.name.clone(),
            });
        }
        _ => {}
    }
}

fn is_claim_or_snapshot(source: &TypedLocalObjectReference) -> bool {
    let group = source.api_group.as_deref().unwrap_or_default();
    matches!(
        (group, source.kind.as_str()),
        ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(given: Value, expected: Value) {
        let mut spec: PersistentVolumeClaimSpec = serde_json::from_value(given).unwrap();
        prepare(&mut spec, None);
        assert_eq!(serde_json::to_value(&spec).unwrap(), expected);
    }

    #[test]
    fn both_fields_name_the_same_source() {
        let claim = json!({"kind": "PersistentVolumeClaim", "name": "a"});
        let both = json!({"dataSource": claim, "dataSourceRef": claim});
        check(json!({"dataSource": claim}), both.clone());
        check(json!({"dataSourceRef": claim}), both);
        // What the older field could never name is forgotten.
        check(json!({"dataSource": {"apiGroup": "x.y", "kind": "Z", "name": "a"}}), json!({}));
        let other = json!({"apiGroup": "x.y", "kind": "Z", "name": "a"});
        check(
            json!({"dataSourceRef": other}),
            json!({"dataSource": other, "dataSourceRef": other}),
        );
        let elsewhere = json!({"kind": "PersistentVolumeClaim", "name": "a", "namespace": "b"});
        check(json!({"dataSourceRef": elsewhere}), json!({}));
    }
}
