//! Namespaces, config maps, secrets, service accounts, events.
//!
//! Upstream: `pkg/apis/core/validation/validation.go`, v1.36.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};

use crate::validation::check::{form, list_of, str_of};
use crate::validation::{Bad, Errors, Path, meta, text};

/// Upstream: `MaxSecretSize`.
const MAX_SIZE: usize = 1024 * 1024;

pub(crate) fn namespace(errors: &mut Errors, namespace: &Namespace) {
    meta::object_meta(errors, &namespace.metadata, false, text::dns1123_label);
    let spec_path = Path::new("spec");
    let path = spec_path.child("finalizers");
    let finalizers = namespace.spec.as_ref().map(|it| list_of(&it.finalizers));
    for finalizer in finalizers.unwrap_or_default() {
        form(errors, &path, finalizer, text::label_key(finalizer));
        meta::kube_finalizer(errors, &path, finalizer);
    }
}

pub(crate) fn service_account(errors: &mut Errors, account: &ServiceAccount) {
    meta::object_meta(errors, &account.metadata, true, text::dns1123_subdomain);
}

pub(crate) fn config_map(errors: &mut Errors, map: &ConfigMap) {
    meta::object_meta(errors, &map.metadata, true, text::dns1123_subdomain);
    let (data_path, binary_path) = (Path::new("data"), Path::new("binaryData"));
    let binary = map.binary_data.as_ref();
    let mut size = 0;
    for (key, value) in map.data.iter().flatten() {
        let path = data_path.key(key);
        form(errors, &path, key, text::config_key(key));
        if binary.is_some_and(|it| it.contains_key(key)) {
            errors.invalid(&path, key, "duplicate of key present in binaryData");
        }
        size += value.len();
    }
    for (key, value) in binary.into_iter().flatten() {
        form(errors, &binary_path.key(key), key, text::config_key(key));
        size += value.0.len();
    }
    if size > MAX_SIZE {
        errors.too_long(&Path::new(""), MAX_SIZE);
    }
}

const IMMUTABLE: &str = "field is immutable when `immutable` is set";

pub(crate) fn config_map_update(errors: &mut Errors, new: &ConfigMap, old: &ConfigMap) {
    meta::object_meta_update(errors, &new.metadata);
    if old.immutable == Some(true) {
        if new.immutable != Some(true) {
            errors.forbidden(&Path::new("immutable"), IMMUTABLE);
        }
        if new.data.clone().unwrap_or_default() != old.data.clone().unwrap_or_default() {
            errors.forbidden(&Path::new("data"), IMMUTABLE);
        }
        let binary = |it: &ConfigMap| it.binary_data.clone().unwrap_or_default();
        if binary(new) != binary(old) {
            errors.forbidden(&Path::new("binaryData"), IMMUTABLE);
        }
    }
    config_map(errors, new);
}

pub(crate) fn secret(errors: &mut Errors, secret: &Secret) {
    meta::object_meta(errors, &secret.metadata, true, text::dns1123_subdomain);
    let path = Path::new("data");
    let empty = std::collections::BTreeMap::new();
    let data = secret.data.as_ref().unwrap_or(&empty);
    for key in data.keys() {
        form(errors, &path.key(key), key, text::config_key(key));
    }
    if data.values().map(|it| it.0.len()).sum::<usize>() > MAX_SIZE {
        errors.too_long(&path, MAX_SIZE);
    }
    let has = |key: &str| data.contains_key(key);
    match str_of(&secret.type_) {
        "kubernetes.io/service-account-token" => {
            let key = "kubernetes.io/service-account.name";
            let annotations = secret.metadata.annotations.as_ref();
            if annotations.and_then(|it| it.get(key)).is_none_or(String::is_empty) {
                let meta_path = Path::new("metadata");
                errors.required(&meta_path.child("annotations").key(key), "");
            }
        }
        "kubernetes.io/dockercfg" => json(errors, &path, data, ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => json(errors, &path, data, ".dockerconfigjson"),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            errors.required(&path.key("username"), "");
            errors.required(&path.key("password"), "");
        }
        "kubernetes.io/ssh-auth" if data.get("ssh-privatekey").is_none_or(|it| it.0.is_empty()) => {
            errors.required(&path.key("ssh-privatekey"), "");
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"].into_iter().filter(|it| !has(it)) {
                errors.required(&path.key(key), "");
            }
        }
        _ => {}
    }
}

fn json(
    errors: &mut Errors,
    path: &Path<'_>,
    data: &std::collections::BTreeMap<String, k8s_openapi::ByteString>,
    key: &str,
) {
    let path = path.key(key);
    let Some(value) = data.get(key) else {
        errors.required(&path, "");
        return;
    };
    // Upstream reads it into a map: null will do, a list will not.
    let why = match serde_json::from_slice::<serde_json::Value>(&value.0) {
        Ok(serde_json::Value::Object(_) | serde_json::Value::Null) => return,
        Ok(other) => {
            let what = match other {
                serde_json::Value::Array(_) => "array",
                serde_json::Value::String(_) => "string",
                serde_json::Value::Bool(_) => "bool",
                _ => "number",
            };
            format!("json: cannot unmarshal {what} into Go value of type map[string]interface {{}}")
        }
        Err(error) if error.is_eof() => "unexpected end of JSON input".to_owned(),
        Err(error) => {
            let at = error.column().saturating_sub(1);
            let line = value.0.split(|it| *it == b'\n').nth(error.line().saturating_sub(1));
            let letter = line.and_then(|it| it.get(at)).copied().unwrap_or_default();
            let letter = char::from(letter);
            format!("invalid character {letter:?} looking for beginning of value")
        }
    };
    errors.invalid(&path, "<secret contents redacted>", &why);
}

pub(crate) fn secret_update(errors: &mut Errors, new: &Secret, old: &Secret) {
    meta::object_meta_update(errors, &new.metadata);
    if new.type_ != old.type_ {
        errors.invalid(&Path::new("type"), Bad::json(&new.type_), text::IMMUTABLE);
    }
    if old.immutable == Some(true) {
        if new.immutable != Some(true) {
            errors.forbidden(&Path::new("immutable"), IMMUTABLE);
        }
        if new.data.clone().unwrap_or_default() != old.data.clone().unwrap_or_default() {
            errors.forbidden(&Path::new("data"), IMMUTABLE);
        }
    }
    secret(errors, new);
}
