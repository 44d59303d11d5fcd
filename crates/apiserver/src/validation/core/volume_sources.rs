//! The kinds of storage that volumes of pods and persistent volumes share.
//!
//! Upstream: `pkg/apis/core/validation/validation.go`, v1.36.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    AWSElasticBlockStoreVolumeSource, AzureDiskVolumeSource, FCVolumeSource, FlockerVolumeSource,
    GCEPersistentDiskVolumeSource, HostPathVolumeSource, ISCSIVolumeSource, NFSVolumeSource,
    QuobyteVolumeSource,
};

use crate::validation::check::{form, label, list_of, not_empty, one_of, str_of};
use crate::validation::core::volume::no_backsteps;
use crate::validation::{Bad, Errors, Path, text};

const HOST_PATH_TYPES: &[&str] = &[
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];

pub(crate) fn host_path(errors: &mut Errors, path: &Path<'_>, it: &HostPathVolumeSource) {
    if it.path.is_empty() {
        errors.required(&path.child("path"), "");
        return;
    }
    no_backsteps(errors, &path.child("path"), &it.path);
    if let Some(type_) = &it.type_ {
        one_of(errors, &path.child("type"), type_, HOST_PATH_TYPES);
    }
}

fn partition(errors: &mut Errors, path: &Path<'_>, partition: Option<i32>) {
    let partition = partition.unwrap_or_default();
    if !(0..=255).contains(&partition) {
        errors.invalid(&path.child("partition"), partition, "must be between 1 and 255, inclusive");
    }
}

pub(crate) fn gce_disk(errors: &mut Errors, path: &Path<'_>, it: &GCEPersistentDiskVolumeSource) {
    not_empty(errors, &path.child("pdName"), &it.pd_name);
    partition(errors, path, it.partition);
}

pub(crate) fn aws_disk(
    errors: &mut Errors,
    path: &Path<'_>,
    it: &AWSElasticBlockStoreVolumeSource,
) {
    not_empty(errors, &path.child("volumeID"), &it.volume_id);
    partition(errors, path, it.partition);
}

pub(crate) fn nfs(errors: &mut Errors, path: &Path<'_>, it: &NFSVolumeSource) {
    not_empty(errors, &path.child("server"), &it.server);
    not_empty(errors, &path.child("path"), &it.path);
    if !it.path.starts_with('/') {
        errors.invalid(&path.child("path"), &it.path, "must be an absolute path");
    }
}

pub(crate) fn iscsi(errors: &mut Errors, path: &Path<'_>, it: &ISCSIVolumeSource) {
    let unknown = "must be valid format starting with iqn, eui, or naa";
    not_empty(errors, &path.child("targetPortal"), &it.target_portal);
    let names = IscsiNames {
        iqn: &it.iqn,
        initiator: it.initiator_name.as_deref(),
        lun: it.lun,
        chap: it.chap_auth_discovery == Some(true) || it.chap_auth_session == Some(true),
        secret: it.secret_ref.as_ref().map(|it| it.name.as_str()),
        named_secret: false,
    };
    iscsi_names(errors, path, &names, unknown);
}

/// What the two kinds of iSCSI volumes have in common.
pub(crate) struct IscsiNames<'a> {
    pub(crate) iqn: &'a str,
    pub(crate) initiator: Option<&'a str>,
    pub(crate) lun: i32,
    pub(crate) chap: bool,
    pub(crate) secret: Option<&'a str>,
    /// Whether the secret must have a name.
    pub(crate) named_secret: bool,
}

/// Upstream: the end of `validateISCSIVolumeSource` and of its like for persistent volumes.
pub(crate) fn iscsi_names(
    errors: &mut Errors,
    path: &Path<'_>,
    names: &IscsiNames<'_>,
    unknown: &str,
) {
    let (iqn, lun) = (names.iqn, names.lun);
    let why = |name: &str| match name.get(..3) {
        Some("iqn") => (!is_iqn(name)).then_some("must be valid format"),
        Some("eui") => (!is_fixed(name, 16)).then_some("must be valid format"),
        Some("naa") => (!is_fixed(name, 32)).then_some("must be valid format"),
        _ => Some(unknown),
    };
    if iqn.is_empty() {
        errors.required(&path.child("iqn"), "");
    } else if let Some(why) = why(iqn) {
        errors.invalid(&path.child("iqn"), iqn, why);
    }
    if !(0..=255).contains(&lun) {
        errors.invalid(&path.child("lun"), lun, "must be between 0 and 255, inclusive");
    }
    if names.chap && names.secret.is_none() {
        errors.required(&path.child("secretRef"), "");
    }
    if names.named_secret && names.secret == Some("") {
        errors.required(&path.child("secretRef").child("name"), "");
    }
    if let Some(initiator) = names.initiator
        && let Some(why) = why(initiator)
    {
        errors.invalid(&path.child("initiatorname"), initiator, why);
    }
}

/// `iqn.2001-04.com.example:anything`.
fn is_iqn(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("iqn.") else { return false };
    let date: Vec<u8> = rest.bytes().take(8).collect();
    let dated = date.len() == 8
        && date.iter().enumerate().all(|(index, it)| match index {
            4 => *it == b'-',
            7 => *it == b'.',
            _ => it.is_ascii_digit(),
        });
    let Some((domain, tail)) = rest.get(8..).and_then(|it| it.split_once(':')) else {
        return false;
    };
    dated
        && !domain.is_empty()
        && domain.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'.')
        && !tail.is_empty()
        && !tail.contains([',', ';', '*', '&', '$', '|'])
        && !tail.contains(char::is_whitespace)
}

fn is_fixed(name: &str, length: usize) -> bool {
    let rest = name.get(4..).unwrap_or_default();
    rest.len() == length && rest.bytes().all(|it| it.is_ascii_alphanumeric())
}

/// Upstream: the limit of what an initiator's name is made of.
pub(crate) fn iscsi_too_long(name: &str, portal: &str, initiator: Option<&String>) -> bool {
    initiator.is_some() && name.len() + 1 + portal.len() > 64
}

pub(crate) const ISCSI_TOO_LONG: &str = "Total length of <volume name>:<iscsi.targetPortal> must \
    be under 64 characters if iscsi.initiatorName is specified.";

pub(crate) fn flocker(errors: &mut Errors, path: &Path<'_>, it: &FlockerVolumeSource) {
    let (name, uuid) = (str_of(&it.dataset_name), str_of(&it.dataset_uuid));
    if name.is_empty() && uuid.is_empty() {
        errors.required(path, "one of datasetName and datasetUUID is required");
    }
    if !name.is_empty() && !uuid.is_empty() {
        let why = "datasetName and datasetUUID can not be specified simultaneously";
        errors.invalid(path, "resource", why);
    }
    if name.contains('/') {
        errors.invalid(&path.child("datasetName"), name, "must not contain '/'");
    }
}

pub(crate) fn rbd(errors: &mut Errors, path: &Path<'_>, monitors: &[String], image: &str) {
    if monitors.is_empty() {
        errors.required(&path.child("monitors"), "");
    }
    not_empty(errors, &path.child("image"), image);
}

pub(crate) fn quobyte(errors: &mut Errors, path: &Path<'_>, it: &QuobyteVolumeSource) {
    let pair = "must be a host:port pair or multiple pairs separated by commas";
    if it.registry.is_empty() {
        errors.required(&path.child("registry"), pair);
    } else if str_of(&it.tenant).len() >= 65 {
        let why = "must be a UUID and may not exceed a length of 64 characters";
        errors.required(&path.child("tenant"), why);
    } else {
        for _ in it.registry.split(',').filter(|it| it.matches(':').count() != 1) {
            errors.invalid(&path.child("registry"), &it.registry, pair);
        }
    }
    not_empty(errors, &path.child("volume"), &it.volume);
}

pub(crate) fn fc(errors: &mut Errors, path: &Path<'_>, it: &FCVolumeSource) {
    let (targets, ids) = (list_of(&it.target_wwns), list_of(&it.wwids));
    let target_path = path.child("targetWWNs");
    if targets.is_empty() && ids.is_empty() {
        errors.required(&target_path, "must specify either targetWWNs or wwids, but not both");
    }
    if !targets.is_empty() && !ids.is_empty() {
        let why = "targetWWNs and wwids can not be specified simultaneously";
        errors.invalid(&target_path, Bad::json(&targets), why);
    }
    if targets.is_empty() {
        return;
    }
    match it.lun {
        None => {
            errors.required(&path.child("lun"), "lun is required if targetWWNs is specified");
        }
        Some(lun) if !(0..=255).contains(&lun) => {
            errors.invalid(&path.child("lun"), lun, "must be between 0 and 255, inclusive");
        }
        Some(_) => {}
    }
}

pub(crate) fn flex(
    errors: &mut Errors,
    path: &Path<'_>,
    driver: &str,
    options: Option<&BTreeMap<String, String>>,
) {
    not_empty(errors, &path.child("driver"), driver);
    for key in options.into_iter().flat_map(BTreeMap::keys) {
        let namespace = key.split_once('/').map_or(key.as_str(), |it| it.0);
        let normal = format!(".{}", namespace.to_lowercase());
        if normal.ends_with(".kubernetes.io") || normal.ends_with(".k8s.io") {
            let why = "kubernetes.io and k8s.io namespaces are reserved";
            errors.invalid(&path.child("options").key(key), key, why);
        }
    }
}

pub(crate) fn azure_disk(errors: &mut Errors, path: &Path<'_>, it: &AzureDiskVolumeSource) {
    not_empty(errors, &path.child("diskName"), &it.disk_name);
    not_empty(errors, &path.child("diskURI"), &it.disk_uri);
    if let Some(mode) = &it.caching_mode {
        one_of(errors, &path.child("cachingMode"), mode, &["None", "ReadOnly", "ReadWrite"]);
    }
    let Some(kind) = it.kind.as_deref() else { return };
    one_of(errors, &path.child("kind"), kind, &["Dedicated", "Managed", "Shared"]);
    let managed = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/\
                   microsoft.compute/disks/{disk-id}";
    let blob = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";
    if kind == "Managed" && !it.disk_uri.starts_with("/subscriptions/") {
        errors.not_supported(&path.child("diskURI"), &it.disk_uri, &[managed]);
    }
    if kind != "Managed" && !it.disk_uri.starts_with("https://") {
        errors.not_supported(&path.child("diskURI"), &it.disk_uri, &[blob]);
    }
}

pub(crate) fn storage_os(errors: &mut Errors, path: &Path<'_>, name: &str, namespace: &str) {
    if name.is_empty() {
        errors.required(&path.child("volumeName"), "");
    } else {
        label(errors, &path.child("volumeName"), name);
    }
    if !namespace.is_empty() {
        label(errors, &path.child("volumeNamespace"), namespace);
    }
}

/// Upstream: `ValidateCSIDriverName`.
pub(crate) fn driver_name(errors: &mut Errors, path: &Path<'_>, name: &str) {
    if name.is_empty() {
        errors.required(path, "");
        return;
    }
    if name.len() > 63 {
        errors.too_long(path, 63);
    }
    form(errors, path, name, text::dns1123_subdomain(&name.to_lowercase()));
}
