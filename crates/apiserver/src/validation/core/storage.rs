//! Persistent volumes and claims.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`ValidatePersistentVolume`,
//! `ValidatePersistentVolumeClaim`), v1.36.

use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, ISCSIPersistentVolumeSource, PersistentVolume,
    PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeSpec, SecretReference,
    VolumeNodeAffinity,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::Value;

use crate::validation::check::{form, label, list_of, not_empty, one_of, str_of, subdomain};
use crate::validation::core::volume::no_backsteps;
use crate::validation::core::{affinity, volume_sources as sources};
use crate::validation::{Bad, Errors, Path, diff, internal, labels, meta, resources, text};

const ACCESS_MODES: &[&str] =
    &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];

fn access_modes(errors: &mut Errors, path: &Path<'_>, modes: &[String]) {
    for mode in modes {
        one_of(errors, path, mode, ACCESS_MODES);
    }
    let is_single = |it: &&String| it.as_str() == "ReadWriteOncePod";
    let others = modes.iter().any(|it| !is_single(&it) && ACCESS_MODES.contains(&it.as_str()));
    if others && modes.iter().any(|it| is_single(&it)) {
        errors.forbidden(path, "may not use ReadWriteOncePod with other access modes");
    }
}

pub(crate) fn volume(errors: &mut Errors, volume: &PersistentVolume) {
    meta::object_meta(errors, &volume.metadata, false, text::dns1123_subdomain);
    let empty = PersistentVolumeSpec::default();
    let spec = volume.spec.as_ref().unwrap_or(&empty);
    let path = Path::new("spec");
    let modes = list_of(&spec.access_modes);
    if modes.is_empty() {
        errors.required(&path.child("accessModes"), "");
    }
    access_modes(errors, &path.child("accessModes"), modes);
    capacity(errors, &path.child("capacity"), spec);
    let policy = str_of(&spec.persistent_volume_reclaim_policy);
    let policy_path = path.child("persistentVolumeReclaimPolicy");
    if !policy.is_empty() {
        one_of(errors, &policy_path, policy, &["Delete", "Recycle", "Retain"]);
    }
    if let Some(it) = &spec.node_affinity {
        let path = path.child("nodeAffinity");
        match &it.required {
            Some(selector) => affinity::node_selector(errors, &path.child("required"), selector),
            None => {
                errors.required(&path.child("required"), "must specify required node constraints");
            }
        }
    }
    source(errors, &path, volume, spec);
    let host_root = spec.host_path.as_ref().is_some_and(|it| is_root(&it.path));
    if host_root && policy == "Recycle" {
        errors.forbidden(&policy_path, "may not be 'recycle' for a hostPath mount of '/'");
    }
    let class = str_of(&spec.storage_class_name);
    if !class.is_empty() {
        subdomain(errors, &path.child("storageClassName"), class);
    }
    if let Some(mode) = &spec.volume_mode {
        one_of(errors, &path.child("volumeMode"), mode, VOLUME_MODES);
    }
    if let Some(class) = &spec.volume_attributes_class_name {
        let class_path = path.child("volumeAttributesClassName");
        if class.is_empty() {
            errors.required(&class_path, "an empty string is disallowed");
        } else {
            subdomain(errors, &class_path, class);
        }
        if spec.csi.is_none() {
            let why = "has to be specified when using volumeAttributesClassName";
            errors.required(&path.child("csi"), why);
        }
    }
    mount_options(errors, volume);
}

/// Mount options in an annotation, for volumes that cannot be mounted with any. Upstream:
/// `pkg/volume/validation/pv_validation.go`.
fn mount_options(errors: &mut Errors, volume: &PersistentVolume) {
    let annotations = volume.metadata.annotations.as_ref();
    if !annotations.is_some_and(|it| it.contains_key(MOUNT_OPTIONS)) {
        return;
    }
    let source = source_of(volume);
    if !MOUNTED_WITH_OPTIONS.iter().any(|it| source.get(it).is_some()) {
        let meta_path = Path::new("metadata");
        let path = meta_path.child("annotations");
        let why = "may not specify mount options for this volume type";
        errors.forbidden(&path.child(MOUNT_OPTIONS), why);
    }
}

const MOUNT_OPTIONS: &str = "volume.beta.kubernetes.io/mount-options";

const MOUNTED_WITH_OPTIONS: [&str; 13] = [
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "nfs",
    "rbd",
    "quobyte",
    "iscsi",
    "cinder",
    "cephfs",
    "azureFile",
    "vsphereVolume",
    "azureDisk",
    "photonPersistentDisk",
];

/// Whether a path is `/` once it is cleaned.
fn is_root(path: &str) -> bool {
    path.starts_with('/') && path.split('/').all(|it| matches!(it, "" | "." | ".."))
}

fn capacity(errors: &mut Errors, path: &Path<'_>, spec: &PersistentVolumeSpec) {
    let empty = resources::List::new();
    let capacity = spec.capacity.as_ref().unwrap_or(&empty);
    if capacity.is_empty() {
        errors.required(path, "");
    }
    if !capacity.contains_key("storage") || capacity.len() > 1 {
        let shown = match &spec.capacity {
            None => Bad::raw("null"),
            Some(it) => Bad::json(&resources::canonical(it)),
        };
        errors.not_supported_value(path, shown, &["storage"]);
    }
    for (name, quantity) in capacity {
        let path = path.key(name);
        resources::basic_resource(errors, &path, quantity);
        resources::positive_quantity(errors, &path, quantity);
    }
}

#[expect(clippy::too_many_lines, reason = "a line or two for each kind of volume, in order")]
fn source(
    errors: &mut Errors,
    path: &Path<'_>,
    volume: &PersistentVolume,
    spec: &PersistentVolumeSpec,
) {
    let mut n_found = 0;
    macro_rules! check {
        ($field:expr, $name:literal, $path:literal, |$errors:ident, $it_path:ident, $it:ident| $body:expr) => {
            if let Some($it) = &$field {
                n_found += 1;
                if n_found > 1 {
                    errors.forbidden(&path.child($name), "may not specify more than 1 volume type");
                } else {
                    let $it_path = &path.child($path);
                    let $errors = &mut *errors;
                    $body;
                }
            }
        };
    }
    check!(spec.host_path, "hostPath", "hostPath", |e, p, it| sources::host_path(e, p, it));
    check!(spec.gce_persistent_disk, "gcePersistentDisk", "persistentDisk", |e, p, it| {
        sources::gce_disk(e, p, it)
    });
    check!(
        spec.aws_elastic_block_store,
        "awsElasticBlockStore",
        "awsElasticBlockStore",
        |e, p, it| sources::aws_disk(e, p, it)
    );
    check!(spec.glusterfs, "glusterfs", "glusterfs", |e, p, it| {
        not_empty(e, &p.child("endpoints"), &it.endpoints);
        not_empty(e, &p.child("path"), &it.path);
        let namespace_path = p.child("endpointsNamespace");
        match it.endpoints_namespace.as_deref() {
            None => {}
            Some("") => {
                let why = "if the endpointnamespace is set, it must be a valid namespace name";
                e.invalid(&namespace_path, "", why);
            }
            Some(name) => label(e, &namespace_path, name),
        }
    });
    check!(spec.flocker, "flocker", "flocker", |e, p, it| sources::flocker(e, p, it));
    check!(spec.nfs, "nfs", "nfs", |e, p, it| sources::nfs(e, p, it));
    check!(spec.rbd, "rbd", "rbd", |e, p, it| sources::rbd(e, p, &it.monitors, &it.image));
    check!(spec.quobyte, "quobyte", "quobyte", |e, p, it| sources::quobyte(e, p, it));
    check!(spec.cephfs, "cephFS", "cephfs", |e, p, it| {
        if it.monitors.is_empty() {
            e.required(&p.child("monitors"), "");
        }
    });
    check!(spec.iscsi, "iscsi", "iscsi", |e, p, it| {
        iscsi(e, p, it, str_of(&volume.metadata.name));
    });
    check!(spec.cinder, "cinder", "cinder", |e, p, it| {
        not_empty(e, &p.child("volumeID"), &it.volume_id);
        if let Some(it) = &it.secret_ref {
            reference(e, &p.child("secretRef"), str_of(&it.name), str_of(&it.namespace));
        }
    });
    check!(spec.fc, "fc", "fc", |e, p, it| sources::fc(e, p, it));
    if let Some(it) = &spec.flex_volume {
        // It may stand beside another kind, upstream does not look.
        n_found += 1;
        sources::flex(errors, &path.child("flexVolume"), &it.driver, it.options.as_ref());
    }
    check!(spec.azure_file, "azureFile", "azureFile", |e, p, it| {
        not_empty(e, &p.child("secretName"), &it.secret_name);
        not_empty(e, &p.child("shareName"), &it.share_name);
        if it.secret_namespace.as_deref() == Some("") {
            e.required(&p.child("secretNamespace"), "");
        }
    });
    check!(spec.vsphere_volume, "vsphereVolume", "vsphereVolume", |e, p, it| {
        not_empty(e, &p.child("volumePath"), &it.volume_path);
    });
    check!(
        spec.photon_persistent_disk,
        "photonPersistentDisk",
        "photonPersistentDisk",
        |e, p, it| not_empty(e, &p.child("pdID"), &it.pd_id)
    );
    check!(spec.portworx_volume, "portworxVolume", "portworxVolume", |e, p, it| {
        not_empty(e, &p.child("volumeID"), &it.volume_id);
    });
    check!(spec.azure_disk, "azureDisk", "azureDisk", |e, p, it| sources::azure_disk(e, p, it));
    check!(spec.scale_io, "scaleIO", "scaleIO", |e, p, it| {
        not_empty(e, &p.child("gateway"), &it.gateway);
        not_empty(e, &p.child("system"), &it.system);
        not_empty(e, &p.child("volumeName"), str_of(&it.volume_name));
    });
    check!(spec.local, "local", "local", |e, p, it| {
        if it.path.is_empty() {
            e.required(&p.child("path"), "");
        } else {
            no_backsteps(e, &p.child("path"), &it.path);
        }
        if spec.node_affinity.is_none() {
            let why = "Local volume requires node affinity";
            e.required(&path.child("nodeAffinity"), why);
        }
    });
    check!(spec.storageos, "storageos", "storageos", |e, p, it| {
        let namespace = str_of(&it.volume_namespace);
        sources::storage_os(e, p, str_of(&it.volume_name), namespace);
        if let Some(it) = &it.secret_ref {
            reference(e, &p.child("secretRef"), str_of(&it.name), str_of(&it.namespace));
        }
    });
    check!(spec.csi, "csi", "csi", |e, p, it| csi(e, p, it));
    if n_found == 0 {
        errors.required(path, "must specify a volume type");
    }
}

/// A secret that is named at all, with its namespace.
fn reference(errors: &mut Errors, path: &Path<'_>, name: &str, namespace: &str) {
    not_empty(errors, &path.child("name"), name);
    not_empty(errors, &path.child("namespace"), namespace);
}

fn iscsi(errors: &mut Errors, path: &Path<'_>, it: &ISCSIPersistentVolumeSource, volume: &str) {
    not_empty(errors, &path.child("targetPortal"), &it.target_portal);
    if sources::iscsi_too_long(volume, &it.target_portal, it.initiator_name.as_ref()) {
        let path = path.child("targetportal");
        errors.invalid(&path, &it.target_portal, sources::ISCSI_TOO_LONG);
    }
    let names = sources::IscsiNames {
        iqn: &it.iqn,
        initiator: it.initiator_name.as_deref(),
        lun: it.lun,
        chap: it.chap_auth_discovery == Some(true) || it.chap_auth_session == Some(true),
        secret: it.secret_ref.as_ref().map(|it| str_of(&it.name)),
        named_secret: true,
    };
    sources::iscsi_names(errors, path, &names, "must be valid format");
}

fn csi(errors: &mut Errors, path: &Path<'_>, it: &CSIPersistentVolumeSource) {
    sources::driver_name(errors, &path.child("driver"), &it.driver);
    not_empty(errors, &path.child("volumeHandle"), &it.volume_handle);
    let secrets: [(&str, &Option<SecretReference>); 4] = [
        ("controllerPublishSecretRef", &it.controller_publish_secret_ref),
        ("controllerExpandSecretRef", &it.controller_expand_secret_ref),
        ("nodePublishSecretRef", &it.node_publish_secret_ref),
        ("nodeExpandSecretRef", &it.node_expand_secret_ref),
    ];
    for (field, secret) in secrets {
        let Some(secret) = secret else { continue };
        let path = path.child(field);
        let (name, namespace) = (str_of(&secret.name), str_of(&secret.namespace));
        not_empty(errors, &path.child("name"), name);
        if !name.is_empty() {
            subdomain(errors, &path.child("name"), name);
        }
        not_empty(errors, &path.child("namespace"), namespace);
        if !namespace.is_empty() {
            label(errors, &path.child("namespace"), namespace);
        }
    }
}

/// The fields of a volume's spec that are no source.
const NO_SOURCE: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeMode",
    "volumeAttributesClassName",
];

fn source_of(volume: &PersistentVolume) -> Value {
    let mut value = api::wire::to_value(&volume.spec);
    if let Value::Object(map) = &mut value {
        map.retain(|key, _| !NO_SOURCE.contains(&key.as_str()));
    }
    value
}

pub(crate) fn volume_update(errors: &mut Errors, new: &PersistentVolume, old: &PersistentVolume) {
    volume(errors, new);
    let (mut now, before) = (source_of(new), source_of(old));
    if before["csi"].get("controllerExpandSecretRef").is_none()
        && let Some(Value::Object(csi)) = now.get_mut("csi").filter(|_| before["csi"].is_object())
    {
        csi.remove("controllerExpandSecretRef");
    }
    if now != before {
        let dump = |it: &Value| internal::dump_pretty("PersistentVolumeSource", it);
        let difference = diff::unified(&dump(&before), &dump(&now));
        let path = Path::new("spec");
        let why = format!("spec.persistentvolumesource is immutable after creation\n{difference}");
        errors.forbidden(&path.child("persistentvolumesource"), &why);
    }
    let mode = |it: &PersistentVolume| it.spec.as_ref().and_then(|it| it.volume_mode.clone());
    if mode(new) != mode(old) {
        errors.invalid(&Path::new("volumeMode"), Bad::json(&mode(new)), text::IMMUTABLE);
    }
    let affinity = |it: &PersistentVolume| it.spec.as_ref().and_then(|it| it.node_affinity.clone());
    let graduated = affinity(old).map(|it| graduated(it, affinity(new).as_ref()));
    if graduated.is_some() && affinity(new) != graduated {
        let shown = affinity(new).map(|it| internal::dump("VolumeNodeAffinity", &it));
        let why = "field is immutable, except for updating from beta label to GA";
        let shown = Bad::raw(shown.unwrap_or_else(|| "null".to_owned()));
        errors.invalid(&Path::new("nodeAffinity"), shown, why);
    }
    let class = |it: &PersistentVolume| {
        it.spec.as_ref().and_then(|it| it.volume_attributes_class_name.clone())
    };
    if class(old).is_some() && class(new).is_none() {
        let path = Path::new("spec");
        let why = "update from non-nil value to nil is forbidden";
        errors.forbidden(&path.child("volumeAttributesClassName"), why);
    }
}

/// The old affinity with the new one's names of labels where they replace a beta name.
fn graduated(mut old: VolumeNodeAffinity, new: Option<&VolumeNodeAffinity>) -> VolumeNodeAffinity {
    let terms = |it: &VolumeNodeAffinity| {
        it.required.as_ref().map(|it| it.node_selector_terms.clone()).unwrap_or_default()
    };
    let new = new.map(terms).unwrap_or_default();
    let old_terms = old.required.iter_mut().flat_map(|it| &mut it.node_selector_terms);
    for (old, new) in old_terms.zip(&new) {
        let expressions = old.match_expressions.iter_mut().flatten();
        for (old, new) in expressions.zip(list_of(&new.match_expressions)) {
            if GRADUATED.contains(&(old.key.as_str(), new.key.as_str())) {
                old.key.clone_from(&new.key);
            }
        }
    }
    old
}

/// Upstream: `betaToGALabel`.
const GRADUATED: [(&str, &str); 5] = [
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("beta.kubernetes.io/os", "kubernetes.io/os"),
    ("beta.kubernetes.io/arch", "kubernetes.io/arch"),
    ("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"),
];

pub(crate) fn claim(errors: &mut Errors, claim: &PersistentVolumeClaim) {
    meta::object_meta(errors, &claim.metadata, true, text::dns1123_subdomain);
    let empty = PersistentVolumeClaimSpec::default();
    claim_spec(errors, &Path::new("spec"), claim.spec.as_ref().unwrap_or(&empty));
}

/// Upstream: `ValidatePersistentVolumeClaimSpec`.
pub(crate) fn claim_spec(errors: &mut Errors, path: &Path<'_>, spec: &PersistentVolumeClaimSpec) {
    let modes = list_of(&spec.access_modes);
    let modes_path = path.child("accessModes");
    if modes.is_empty() {
        errors.required(&modes_path, "at least 1 access mode is required");
    }
    labels::selector(errors, &path.child("selector"), spec.selector.as_ref());
    access_modes(errors, &modes_path, modes);
    let requests = spec.resources.as_ref().and_then(|it| it.requests.as_ref());
    let size_path = path.child("resources");
    let size_path = size_path.key("storage");
    match requests.and_then(|it| it.get("storage")) {
        None => errors.required(&size_path, ""),
        Some(size) => resources::positive_quantity(errors, &size_path, size),
    }
    let class = str_of(&spec.storage_class_name);
    if !class.is_empty() {
        subdomain(errors, &path.child("storageClassName"), class);
    }
    if let Some(mode) = &spec.volume_mode {
        one_of(errors, &path.child("volumeMode"), mode, VOLUME_MODES);
    }
    if let Some(it) = &spec.data_source {
        data_source(errors, &path.child("dataSource"), &it.name, &it.kind, str_of(&it.api_group));
    }
    if let Some(it) = &spec.data_source_ref {
        let path = path.child("dataSourceRef");
        data_source(errors, &path, &it.name, &it.kind, str_of(&it.api_group));
        let namespace = str_of(&it.namespace);
        if !namespace.is_empty() {
            form(errors, &path.child("namespace"), namespace, text::dns1123_label(namespace));
        }
    }
    if let (Some(source), Some(reference)) = (&spec.data_source, &spec.data_source_ref) {
        let same = source.api_group == reference.api_group
            && source.kind == reference.kind
            && source.name == reference.name;
        // Upstream shows the path where the value should be, and a path shows nothing.
        if !str_of(&reference.namespace).is_empty() {
            let why = "may not be specified when dataSourceRef.namespace is specified";
            errors.invalid(path, Bad::raw("{}"), why);
        } else if !same {
            errors.invalid(path, Bad::raw("{}"), "must match dataSourceRef");
        }
    }
    let class = str_of(&spec.volume_attributes_class_name);
    if !class.is_empty() {
        subdomain(errors, &path.child("volumeAttributesClassName"), class);
    }
}

fn data_source(errors: &mut Errors, path: &Path<'_>, name: &str, kind: &str, group: &str) {
    not_empty(errors, &path.child("name"), name);
    not_empty(errors, &path.child("kind"), kind);
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        let why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        errors.invalid(path, kind, why);
    }
    if !group.is_empty() {
        subdomain(errors, &path.child("apiGroup"), group);
    }
}

const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

pub(crate) fn claim_update(
    errors: &mut Errors,
    new: &PersistentVolumeClaim,
    old: &PersistentVolumeClaim,
) {
    meta::object_meta_update(errors, &new.metadata);
    claim(errors, new);
    let mut now = new.spec.clone().unwrap_or_default();
    let mut before = old.spec.clone().unwrap_or_default();
    if str_of(&before.volume_name).is_empty() {
        before.volume_name.clone_from(&now.volume_name);
    }
    let class = |it: &PersistentVolumeClaim| {
        it.metadata.annotations.as_ref().and_then(|it| it.get(BETA_CLASS)).cloned()
    };
    let (class, old_class) = (class(new), class(old));
    let from_nil = before.storage_class_name.is_none() && now.storage_class_name.is_some();
    let from_annotation =
        from_nil && now.storage_class_name == old_class && (class.is_none() || class == old_class);
    if !from_annotation
        && class.clone().unwrap_or_default() != old_class.clone().unwrap_or_default()
    {
        let meta_path = Path::new("metadata");
        let path = meta_path.child("annotations");
        errors.invalid(&path.child(BETA_CLASS), str_of(&class), text::IMMUTABLE);
    }
    if from_nil && (old_class.is_none() || old_class == now.storage_class_name) {
        now.storage_class_name = None;
    }
    let size = |it: &PersistentVolumeClaimSpec| {
        let requests = it.resources.as_ref().and_then(|it| it.requests.as_ref());
        requests.and_then(|it| it.get("storage")).cloned()
    };
    let (new_size, old_size) = (size(&now), size(&before));
    let status = new.status.as_ref();
    if status.and_then(|it| it.phase.as_deref()) == Some("Bound") {
        if let Some(resources) = &mut now.resources
            && let (Some(requests), Some(size)) = (&mut resources.requests, &old_size)
        {
            requests.insert("storage".to_owned(), size.clone());
        }
        now.volume_attributes_class_name.clone_from(&before.volume_attributes_class_name);
    }
    let path = Path::new("spec");
    let dump =
        |it: &PersistentVolumeClaimSpec| internal::dump_pretty("PersistentVolumeClaimSpec", it);
    let difference = diff::unified(&dump(&before), &dump(&now));
    if !difference.is_empty() {
        let why = format!(
            "spec is immutable after creation except resources.requests and \
             volumeAttributesClassName for bound claims\n{difference}"
        );
        errors.forbidden(&path, &why);
    }
    let capacity = old.status.as_ref().and_then(|it| it.capacity.as_ref());
    let capacity = capacity.and_then(|it| it.get("storage")).cloned();
    let exact = |it: Option<Quantity>| it.as_ref().map(resources::exact).unwrap_or_default();
    let new_size = exact(new_size);
    if new_size < exact(old_size) && new_size <= exact(capacity) {
        let path = path.child("resources");
        let path = path.child("requests");
        let why = "field can not be less than status.capacity";
        errors.forbidden(&path.child("storage"), why);
    }
    let mode = |it: &PersistentVolumeClaim| it.spec.as_ref().and_then(|it| it.volume_mode.clone());
    if mode(new) != mode(old) {
        errors.invalid(&Path::new("volumeMode"), Bad::json(&mode(new)), text::IMMUTABLE);
    }
    attributes_class_kept(errors, &path, new, old);
}

/// A class of attributes that was applied once cannot be taken away.
fn attributes_class_kept(
    errors: &mut Errors,
    path: &Path<'_>,
    new: &PersistentVolumeClaim,
    old: &PersistentVolumeClaim,
) {
    let class = |it: &PersistentVolumeClaim| {
        it.spec.as_ref().and_then(|it| it.volume_attributes_class_name.clone())
    };
    let status = old.status.as_ref();
    let applied = status.and_then(|it| it.current_volume_attributes_class_name.as_ref());
    if class(new) == class(old) || applied.is_none() {
        return;
    }
    let what = match class(new).as_deref() {
        None => "nil",
        Some("") => "empty string",
        Some(_) => return,
    };
    let why = format!(
        "update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil"
    );
    errors.forbidden(&path.child("volumeAttributesClassName"), &why);
}
