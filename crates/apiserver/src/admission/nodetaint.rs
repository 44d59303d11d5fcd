//! New nodes are not ready: they start with the taint that says so.
//!
//! Upstream: `plugin/pkg/admission/nodetaint/admission.go`, v1.36.

use std::sync::Arc;

use api::Object;
use k8s_openapi::api::core::v1::Taint;

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const NO_SCHEDULE: &str = "NoSchedule";

pub(crate) fn admit(object: &mut Object) {
    let Object::Node(node) = object else { return };
    let node = Arc::make_mut(node);
    let taints = node.spec.get_or_insert_default().taints.get_or_insert_default();
    if taints.iter().any(|it| it.key == NOT_READY && it.effect == NO_SCHEDULE) {
        return;
    }
    taints.push(Taint {
        key: NOT_READY.to_owned(),
        effect: NO_SCHEDULE.to_owned(),
        ..Taint::default()
    });
}
