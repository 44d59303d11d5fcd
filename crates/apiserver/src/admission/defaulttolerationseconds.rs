//! Pods stay 300 s on a node that is not ready or cannot be reached, unless they say otherwise.
//!
//! Upstream: `plugin/pkg/admission/defaulttolerationseconds/admission.go`, v1.36.

use std::sync::Arc;

use api::Object;
use k8s_openapi::api::core::v1::Toleration;

const KEYS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const SECONDS: i64 = 300;

pub(crate) fn admit(object: &mut Object) {
    let Object::Pod(pod) = object else { return };
    let tolerations = pod.spec.as_ref().and_then(|it| it.tolerations.as_deref());
    let tolerations = tolerations.unwrap_or_default();
    let missing: Vec<&str> =
        KEYS.into_iter().filter(|key| !tolerations.iter().any(|it| speaks_of(it, key))).collect();
    if missing.is_empty() {
        return;
    }
    let spec = Arc::make_mut(pod).spec.get_or_insert_default();
    let tolerations = spec.tolerations.get_or_insert_default();
    tolerations.extend(missing.into_iter().map(|key| Toleration {
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        effect: Some("NoExecute".to_owned()),
        toleration_seconds: Some(SECONDS),
        value: None,
    }));
}

fn speaks_of(toleration: &Toleration, key: &str) -> bool {
    let own = toleration.key.as_deref().unwrap_or_default();
    let effect = toleration.effect.as_deref().unwrap_or_default();
    (own.is_empty() || own == key) && (effect.is_empty() || effect == "NoExecute")
}
