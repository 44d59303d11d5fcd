//! Any patch of a pod is applied or refused without a panic, and what it leaves can be read.
#![no_main]

use api::{Kind, Patch};
use apiserver::apply_patch;
use libfuzzer_sys::fuzz_target;

const POD: &str = r#"{"apiVersion": "v1", "kind": "Pod",
    "metadata": {"name": "p", "labels": {"a": "b"}},
    "spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "E", "value": "1"}]}],
    "tolerations": [{"key": "k", "operator": "Exists"}]}}"#;

fuzz_target!(|input: (u8, &str)| {
    let (which, text) = input;
    let Ok(patch) = serde_json::from_str(text) else { return };
    let Ok(pod) = serde_json::from_str(POD) else { return };
    let Ok(pod) = api::wire::object_from_value(Kind::Pod, &pod) else { return };
    let patch = match which % 3 {
        0 => Patch::Strategic(patch),
        1 => Patch::Merge(patch),
        _ => Patch::Json(patch),
    };
    if let Ok(patched) = apply_patch(&pod, &patch) {
        let value = api::wire::to_value(&patched);
        assert!(api::wire::object_from_value(Kind::Pod, &value).is_ok(), "{value}");
    }
});
