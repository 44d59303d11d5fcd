//! The revisions that DaemonSets and StatefulSets keep of their templates.
//!
//! Upstream: `pkg/controller/history/controller_history.go` and `getPatch` of both controllers,
//! v1.36.

use api::Order;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use serde_json::{Value, json};

/// The patch that restores a template: what a revision stores. Upstream: `getPatch`.
pub(crate) fn patch_of(template: &PodTemplateSpec) -> Value {
    // Templates are plain data, which always has a JSON form.
    let mut template = api::wire::to_value(template);
    if let Some(template) = template.as_object_mut() {
        template.insert("$patch".to_owned(), json!("replace"));
    }
    json!({ "spec": { "template": template } })
}

/// Whether a revision stores this patch.
pub(crate) fn stores(revision: &ControllerRevision, patch: &Value) -> bool {
    matches!(&revision.data, Some(RawExtension(data)) if data == patch)
}

/// Sorts from the oldest to the newest. Upstream: `SortControllerRevisions`.
pub(crate) fn sort(revisions: &mut [&ControllerRevision]) {
    revisions.order_by(|a, b| {
        let key = |it: &ControllerRevision| {
            (it.revision, it.metadata.creation_timestamp.as_ref().map(|it| it.0))
        };
        key(a).cmp(&key(b)).then_with(|| a.metadata.name.cmp(&b.metadata.name))
    });
}

/// The value of a label of a revision, empty where there is none.
pub(crate) fn label<'a>(revision: &'a ControllerRevision, key: &str) -> &'a str {
    revision.metadata.labels.as_ref().and_then(|it| it.get(key)).map_or("", String::as_str)
}
