//! A pod learns the zone and region of the node that it is bound to.
//!
//! Upstream: `plugin/pkg/admission/podtopologylabels/admission.go`, v1.36.

use std::collections::BTreeMap;

use api::Listers;

const LABELS: [&str; 2] = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];

/// The labels that a binding to the node gives to the pod.
pub(crate) fn topology_labels(listers: &Listers<'_>, node: &str) -> BTreeMap<String, String> {
    let labels = listers.node(node).and_then(|it| it.metadata.labels.as_ref());
    let Some(labels) = labels else { return BTreeMap::new() };
    LABELS.iter().filter_map(|key| Some(((*key).to_owned(), labels.get(*key)?.clone()))).collect()
}
