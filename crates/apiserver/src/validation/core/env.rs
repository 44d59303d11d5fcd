//! Environment variables.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`ValidateEnv`, `ValidateEnvFrom`), v1.36.

use k8s_openapi::api::core::v1::{
    EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector,
};

use crate::validation::check::{form, label, qualified_name, str_of};
use crate::validation::core::volume::no_backsteps;
use crate::validation::meta::mask_trailing_dash;
use crate::validation::resources;
use crate::validation::{Errors, Path, text};

const FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// The fields of a pod that the downward API knows. Upstream: `ConvertDownwardAPIFieldLabel`.
const DOWNWARD: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

pub(crate) fn variables(errors: &mut Errors, path: &Path<'_>, variables: &[EnvVar]) {
    for (index, variable) in variables.iter().enumerate() {
        let path = path.index(index);
        if variable.name.is_empty() {
            errors.required(&path.child("name"), "");
        } else {
            form(errors, &path.child("name"), &variable.name, text::env_name(&variable.name));
        }
        if let Some(source) = &variable.value_from {
            let has_value = !str_of(&variable.value).is_empty();
            value_from(errors, &path.child("valueFrom"), source, has_value);
        }
    }
}

fn value_from(errors: &mut Errors, path: &Path<'_>, source: &EnvVarSource, has_value: bool) {
    let mut n_sources = 0;
    if let Some(it) = &source.field_ref {
        n_sources += 1;
        field_ref(errors, &path.child("fieldRef"), it, FIELDS);
    }
    if let Some(it) = &source.resource_field_ref {
        n_sources += 1;
        resource_ref(errors, &path.child("resourceFieldRef"), it, false);
    }
    if let Some(it) = &source.config_map_key_ref {
        n_sources += 1;
        key_ref(errors, &path.child("configMapKeyRef"), &it.name, &it.key);
    }
    if let Some(it) = &source.secret_key_ref {
        n_sources += 1;
        key_ref(errors, &path.child("secretKeyRef"), &it.name, &it.key);
    }
    if let Some(it) = &source.file_key_ref {
        n_sources += 1;
        let path = path.child("fileKeyRef");
        if it.key.is_empty() {
            errors.required(&path.child("key"), "");
        } else {
            form(errors, &path.child("key"), &it.key, text::env_name(&it.key));
        }
        if it.volume_name.is_empty() {
            errors.required(&path.child("volumeName"), "");
        } else {
            label(errors, &path.child("volumeName"), &it.volume_name);
        }
        if it.path.is_empty() {
            errors.required(&path.child("path"), "");
        } else {
            no_backsteps(errors, &path.child("path"), &it.path);
        }
    }
    let why = match n_sources {
        0 => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, \
             `secretKeyRef` or `fileKeyRef`"
        }
        _ if has_value => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    errors.invalid(path, "", why);
}

fn key_ref(errors: &mut Errors, path: &Path<'_>, name: &str, key: &str) {
    form(errors, &path.child("name"), name, text::dns1123_subdomain(name));
    if key.is_empty() {
        errors.required(&path.child("key"), "");
    } else {
        form(errors, &path.child("key"), key, text::config_key(key));
    }
}

/// Upstream: `validateObjectFieldSelector`.
pub(crate) fn field_ref(
    errors: &mut Errors,
    path: &Path<'_>,
    selector: &ObjectFieldSelector,
    known: &[&str],
) {
    let field = selector.field_path.as_str();
    if str_of(&selector.api_version).is_empty() {
        errors.required(&path.child("apiVersion"), "");
        return;
    }
    if field.is_empty() {
        errors.required(&path.child("fieldPath"), "");
        return;
    }
    let subscripted = field.strip_suffix("']").and_then(|it| it.split_once("['"));
    let version = str_of(&selector.api_version);
    let base = subscripted.map_or(field, |it| it.0);
    // `spec.host` is the old name of the node.
    let base = if base == "spec.host" { "spec.nodeName" } else { base };
    let converts = match subscripted {
        Some((base, _)) => matches!(base, "metadata.annotations" | "metadata.labels"),
        None => DOWNWARD.contains(&base),
    };
    let path_of_field = path.child("fieldPath");
    if version != "v1" {
        let why = format!("error converting fieldPath: unsupported pod version: {version}");
        errors.invalid(&path_of_field, field, &why);
    } else if subscripted.is_some() && !converts {
        let why =
            format!("error converting fieldPath: field label does not support subscript: {field}");
        errors.invalid(&path_of_field, field, &why);
    } else if !converts {
        let why = format!("error converting fieldPath: field label not supported: {field}");
        errors.invalid(&path_of_field, field, &why);
    } else if let Some((base, key)) = subscripted {
        let lower = key.to_lowercase();
        qualified_name(errors, path, if base == "metadata.annotations" { &lower } else { key });
    } else if !known.contains(&base) {
        errors.not_supported(&path_of_field, base, known);
    }
}

/// Upstream: `validateContainerResourceFieldSelector`.
pub(crate) fn resource_ref(
    errors: &mut Errors,
    path: &Path<'_>,
    selector: &ResourceFieldSelector,
    in_volume: bool,
) {
    let resource = selector.resource.as_str();
    let huge =
        resource.starts_with("requests.hugepages-") || resource.starts_with("limits.hugepages-");
    if in_volume && str_of(&selector.container_name).is_empty() {
        errors.required(&path.child("containerName"), "");
    } else if resource.is_empty() {
        errors.required(&path.child("resource"), "");
    } else if !RESOURCES.contains(&resource) && !huge {
        errors.not_supported(&path.child("resource"), resource, RESOURCES);
    }
    let Some(divisor) = selector.divisor.as_ref().filter(|it| !resources::exact(it).is_zero())
    else {
        return;
    };
    let divisor = resources::shown(divisor);
    let bytes = matches!(
        divisor.as_str(),
        "1" | "1k"
            | "1M"
            | "1G"
            | "1T"
            | "1P"
            | "1E"
            | "1Ki"
            | "1Mi"
            | "1Gi"
            | "1Ti"
            | "1Pi"
            | "1Ei"
    );
    let what = match resource {
        "limits.cpu" | "requests.cpu" => {
            if !matches!(divisor.as_str(), "1m" | "1") {
                let why = "only divisor's values 1m and 1 are supported with the cpu resource";
                errors.invalid(&path.child("divisor"), resource, why);
            }
            return;
        }
        "limits.memory" | "requests.memory" => "memory",
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => "local ephemeral storage",
        _ if huge => "hugepages",
        _ => return,
    };
    if !bytes {
        let why = format!(
            "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are \
             supported with the {what} resource"
        );
        errors.invalid(&path.child("divisor"), resource, &why);
    }
}

pub(crate) fn sources(errors: &mut Errors, path: &Path<'_>, sources: &[EnvFromSource]) {
    for (index, source) in sources.iter().enumerate() {
        let element = path.index(index);
        let prefix = str_of(&source.prefix);
        if !prefix.is_empty() {
            form(errors, &element.child("prefix"), prefix, text::env_name(prefix));
        }
        let references = [
            ("configMapRef", source.config_map_ref.as_ref().map(|it| &it.name)),
            ("secretRef", source.secret_ref.as_ref().map(|it| &it.name)),
        ];
        let mut n_sources = 0;
        for (field, name) in references {
            let Some(name) = name else { continue };
            n_sources += 1;
            let path = element.child(field);
            if name.is_empty() {
                errors.required(&path.child("name"), "");
            } else {
                let masked = mask_trailing_dash(name);
                form(errors, &path.child("name"), name, text::dns1123_subdomain(&masked));
            }
        }
        match n_sources {
            0 => errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => errors.invalid(path, "", "may not have more than one field specified at a time"),
        }
    }
}
