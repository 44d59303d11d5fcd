//! A pod learns the zone and region of the node that it is bound to.
//!
//! Upstream: `plugin/pkg/admission/podtopologylabels/admission.go`, v1.36.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Gather;
use api::{Listers, Object};

use crate::store::Store;

const LABELS: [&str; 2] = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];

/// A pod that comes with a node gets the labels as if it were bound.
pub(crate) fn admit(store: &Store, object: &mut Object) {
    let Object::Pod(pod) = object else { return };
    let node = pod.spec.as_ref().and_then(|it| it.node_name.as_deref()).unwrap_or_default();
    let labels = topology_labels(&Listers(store.objects()), node);
    if !labels.is_empty() {
        Arc::make_mut(pod).metadata.labels.get_or_insert_default().extend(labels);
    }
}

/// The labels that a binding to the node gives to the pod.
pub(crate) fn topology_labels(listers: &Listers<'_>, node: &str) -> BTreeMap<String, String> {
    let labels = listers.node(node).and_then(|it| it.metadata.labels.as_ref());
    let Some(labels) = labels else { return BTreeMap::new() };
    LABELS.iter().filter_map(|key| Some(((*key).to_owned(), labels.get(*key)?.clone()))).to_map()
}
