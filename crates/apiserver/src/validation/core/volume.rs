//! Volumes of pods.
//!
//! Upstream: `pkg/apis/core/validation/validation.go` (`ValidateVolumes`), v1.36.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume, VolumeDevice, VolumeMount,
    VolumeProjection,
};

use crate::validation::check::{form, label, list_of, not_empty, one_of, str_of};
use crate::validation::core::volume_sources as sources;
use crate::validation::core::{env, storage};
use crate::validation::{Context, Errors, Path, labels, resources, text};

const FILE_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// The volumes that are sound, by name.
pub(crate) type Volumes<'a> = BTreeMap<&'a str, &'a Volume>;

/// Checks the volumes of a pod.
pub(crate) fn volumes<'a>(
    errors: &mut Errors,
    path: &Path<'_>,
    volumes: &'a [Volume],
    context: &Context<'_>,
) -> Volumes<'a> {
    let pod_name = context.pod_name;
    let mut sound = Volumes::new();
    let made: Vec<String> = volumes
        .iter()
        .filter(|it| it.ephemeral.is_some() && !pod_name.is_empty())
        .map(|it| format!("{pod_name}-{}", it.name))
        .collect();
    for (index, volume) in volumes.iter().enumerate() {
        let path = path.index(index);
        let mut own = Errors::default();
        source(&mut own, &path, volume, context);
        let name_path = path.child("name");
        if volume.name.is_empty() {
            own.required(&name_path, "");
        } else {
            label(&mut own, &name_path, &volume.name);
        }
        if sound.contains_key(volume.name.as_str()) {
            own.duplicate(&name_path, &volume.name);
        }
        if own.is_empty() {
            sound.insert(&volume.name, volume);
        }
        errors.append(own);
        if let Some(claim) = &volume.persistent_volume_claim
            && made.contains(&claim.claim_name)
        {
            let claim_path = path.child("persistentVolumeClaim");
            let why = "must not reference a PVC that gets created for an ephemeral volume";
            errors.invalid(&claim_path.child("claimName"), &claim.claim_name, why);
        }
    }
    sound
}

/// Counts the sources of a volume: a second one is not looked at.
struct Sources<'a, 'p> {
    errors: &'a mut Errors,
    path: &'a Path<'p>,
    n_found: usize,
}

impl Sources<'_, '_> {
    fn check<T>(
        &mut self,
        names: (&str, &str),
        source: Option<&T>,
        check: impl FnOnce(&mut Errors, &Path<'_>, &T),
    ) {
        let Some(source) = source else { return };
        self.n_found += 1;
        if self.n_found > 1 {
            let path = self.path.child(names.0);
            self.errors.forbidden(&path, "may not specify more than 1 volume type");
        } else {
            check(self.errors, &self.path.child(names.1), source);
        }
    }
}

#[expect(clippy::too_many_lines, reason = "one line or two for each kind of volume, in order")]
fn source(errors: &mut Errors, path: &Path<'_>, volume: &Volume, context: &Context<'_>) {
    let pod_name = context.pod_name;
    let mut all = Sources { errors, path, n_found: 0 };
    all.check(("emptyDir", "emptyDir"), volume.empty_dir.as_ref(), |errors, path, it| {
        let negative = it.size_limit.as_ref().is_some_and(|it| resources::exact(it).sign() < 0);
        if negative {
            let why = "SizeLimit field must be a valid resource quantity";
            errors.forbidden(&path.child("sizeLimit"), why);
        }
    });
    all.check(("hostPath", "hostPath"), volume.host_path.as_ref(), sources::host_path);
    all.check(("gitRepo", "gitRepo"), volume.git_repo.as_ref(), |errors, path, it| {
        not_empty(errors, &path.child("repository"), &it.repository);
        descending(errors, &path.child("directory"), str_of(&it.directory));
    });
    let disk = volume.gce_persistent_disk.as_ref();
    all.check(("gcePersistentDisk", "persistentDisk"), disk, sources::gce_disk);
    let disk = volume.aws_elastic_block_store.as_ref();
    all.check(("awsElasticBlockStore", "awsElasticBlockStore"), disk, sources::aws_disk);
    all.check(("secret", "secret"), volume.secret.as_ref(), |errors, path, it| {
        not_empty(errors, &path.child("secretName"), str_of(&it.secret_name));
        file_mode(errors, &path.child("defaultMode"), it.default_mode);
        keys_to_paths(errors, path, list_of(&it.items));
    });
    all.check(("nfs", "nfs"), volume.nfs.as_ref(), sources::nfs);
    all.check(("iscsi", "iscsi"), volume.iscsi.as_ref(), sources::iscsi);
    if let Some(it) = &volume.iscsi
        && sources::iscsi_too_long(&volume.name, &it.target_portal, it.initiator_name.as_ref())
    {
        let why = sources::ISCSI_TOO_LONG;
        all.errors.invalid(&path.child("name"), &volume.name, why);
    }
    all.check(("glusterfs", "glusterfs"), volume.glusterfs.as_ref(), |errors, path, it| {
        not_empty(errors, &path.child("endpoints"), &it.endpoints);
        not_empty(errors, &path.child("path"), &it.path);
    });
    all.check(("flocker", "flocker"), volume.flocker.as_ref(), sources::flocker);
    let claim = volume.persistent_volume_claim.as_ref();
    all.check(("persistentVolumeClaim", "persistentVolumeClaim"), claim, |errors, path, it| {
        not_empty(errors, &path.child("claimName"), &it.claim_name);
    });
    all.check(("rbd", "rbd"), volume.rbd.as_ref(), |errors, path, it| {
        sources::rbd(errors, path, &it.monitors, &it.image);
    });
    all.check(("cinder", "cinder"), volume.cinder.as_ref(), |errors, path, it| {
        not_empty(errors, &path.child("volumeID"), &it.volume_id);
        if let Some(it) = &it.secret_ref {
            not_empty(errors, &path.child("secretRef").child("name"), &it.name);
        }
    });
    all.check(("cephFS", "cephfs"), volume.cephfs.as_ref(), |errors, path, it| {
        if it.monitors.is_empty() {
            errors.required(&path.child("monitors"), "");
        }
    });
    all.check(("quobyte", "quobyte"), volume.quobyte.as_ref(), sources::quobyte);
    // The misspelt name is upstream's.
    let downward = volume.downward_api.as_ref();
    all.check(("downwarAPI", "downwardAPI"), downward, |errors, path, it| {
        file_mode(errors, &path.child("defaultMode"), it.default_mode);
        for file in list_of(&it.items) {
            downward_file(errors, path, file);
        }
    });
    all.check(("fc", "fc"), volume.fc.as_ref(), sources::fc);
    all.check(("flexVolume", "flexVolume"), volume.flex_volume.as_ref(), |errors, path, it| {
        sources::flex(errors, path, &it.driver, it.options.as_ref());
    });
    all.check(("configMap", "configMap"), volume.config_map.as_ref(), |errors, path, it| {
        not_empty(errors, &path.child("name"), &it.name);
        file_mode(errors, &path.child("defaultMode"), it.default_mode);
        keys_to_paths(errors, path, list_of(&it.items));
    });
    all.check(("azureFile", "azureFile"), volume.azure_file.as_ref(), |errors, path, it| {
        not_empty(errors, &path.child("secretName"), &it.secret_name);
        not_empty(errors, &path.child("shareName"), &it.share_name);
    });
    let vsphere = volume.vsphere_volume.as_ref();
    all.check(("vsphereVolume", "vsphereVolume"), vsphere, |errors, path, it| {
        not_empty(errors, &path.child("volumePath"), &it.volume_path);
    });
    let photon = volume.photon_persistent_disk.as_ref();
    all.check(("photonPersistentDisk", "photonPersistentDisk"), photon, |errors, path, it| {
        not_empty(errors, &path.child("pdID"), &it.pd_id);
    });
    let portworx = volume.portworx_volume.as_ref();
    all.check(("portworxVolume", "portworxVolume"), portworx, |errors, path, it| {
        not_empty(errors, &path.child("volumeID"), &it.volume_id);
    });
    all.check(("azureDisk", "azureDisk"), volume.azure_disk.as_ref(), sources::azure_disk);
    all.check(("storageos", "storageos"), volume.storageos.as_ref(), |errors, path, it| {
        let namespace = str_of(&it.volume_namespace);
        sources::storage_os(errors, path, str_of(&it.volume_name), namespace);
        if let Some(it) = &it.secret_ref {
            not_empty(errors, &path.child("secretRef").child("name"), &it.name);
        }
    });
    all.check(("projected", "projected"), volume.projected.as_ref(), projected);
    all.check(("scaleIO", "scaleIO"), volume.scale_io.as_ref(), |errors, path, it| {
        not_empty(errors, &path.child("gateway"), &it.gateway);
        not_empty(errors, &path.child("system"), &it.system);
        not_empty(errors, &path.child("volumeName"), str_of(&it.volume_name));
    });
    all.check(("csi", "csi"), volume.csi.as_ref(), |errors, path, it| {
        sources::driver_name(errors, &path.child("driver"), &it.driver);
        match it.node_publish_secret_ref.as_ref().map(|it| it.name.as_str()) {
            Some("") => {
                errors.required(&path.child("nodePublishSecretRef").child("name"), "");
            }
            Some(name) => {
                form(errors, &path.child("name"), name, text::dns1123_subdomain(name));
            }
            None => {}
        }
    });
    all.check(("ephemeral", "ephemeral"), volume.ephemeral.as_ref(), |errors, path, it| {
        let template_path = path.child("volumeClaimTemplate");
        let Some(template) = &it.volume_claim_template else {
            errors.required(&template_path, "");
            return;
        };
        if let Some(meta) = &template.metadata {
            let path = template_path.child("metadata");
            labels::annotations(errors, &path.child("annotations"), meta.annotations.as_ref());
            labels::labels(errors, &path.child("labels"), meta.labels.as_ref());
            for field in other_meta_fields(meta) {
                errors.forbidden(&path.child(field), "cannot be set");
            }
        }
        storage::claim_spec(errors, &template_path.child("spec"), &template.spec);
        if !pod_name.is_empty() && !volume.name.is_empty() {
            let claim = format!("{pod_name}-{}", volume.name);
            for message in text::dns1123_subdomain(&claim) {
                let why = format!("PVC name \"{claim}\": {message}");
                errors.invalid(&path.child("name"), &volume.name, &why);
            }
        }
    });
    all.check(("image", "image"), volume.image.as_ref(), |errors, path, it| {
        if context.is_pod {
            not_empty(errors, &path.child("reference"), str_of(&it.reference));
        }
        pull_policy(errors, &path.child("pullPolicy"), str_of(&it.pull_policy));
    });
    if all.n_found == 0 {
        errors.required(path, "must specify a volume type");
    }
}

/// What a claim template's metadata may not have.
fn other_meta_fields(
    meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
) -> Vec<&'static str> {
    let set = |it: &Option<String>| !str_of(it).is_empty();
    [
        ("name", set(&meta.name)),
        ("generateName", set(&meta.generate_name)),
        ("namespace", set(&meta.namespace)),
        ("selfLink", set(&meta.self_link)),
        ("uID", set(&meta.uid)),
        ("resourceVersion", set(&meta.resource_version)),
        ("generation", meta.generation.is_some_and(|it| it != 0)),
        ("creationTimestamp", meta.creation_timestamp.is_some()),
        ("deletionTimestamp", meta.deletion_timestamp.is_some()),
        ("deletionGracePeriodSeconds", meta.deletion_grace_period_seconds.is_some()),
        ("ownerReferences", meta.owner_references.is_some()),
        ("finalizers", meta.finalizers.is_some()),
        ("managedFields", meta.managed_fields.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_set)| is_set.then_some(name))
    .collect()
}

/// Upstream: `validatePullPolicy`.
pub(crate) fn pull_policy(errors: &mut Errors, path: &Path<'_>, policy: &str) {
    let supported = ["Always", "IfNotPresent", "Never"];
    crate::validation::check::required_one_of(errors, path, policy, &supported);
}

fn file_mode(errors: &mut Errors, path: &Path<'_>, mode: Option<i32>) {
    if let Some(mode) = mode.filter(|it| !(0..=0o777).contains(it)) {
        errors.invalid(path, mode, FILE_MODE);
    }
}

fn keys_to_paths(errors: &mut Errors, path: &Path<'_>, items: &[KeyToPath]) {
    let all = path.child("items");
    for (index, item) in items.iter().enumerate() {
        key_to_path(errors, &all.index(index), item);
    }
}

fn key_to_path(errors: &mut Errors, path: &Path<'_>, item: &KeyToPath) {
    not_empty(errors, &path.child("key"), &item.key);
    not_empty(errors, &path.child("path"), &item.path);
    local_path(errors, &path.child("path"), &item.path);
    file_mode(errors, &path.child("mode"), item.mode);
}

const VOLUME_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];

fn downward_file(errors: &mut Errors, path: &Path<'_>, file: &DownwardAPIVolumeFile) {
    not_empty(errors, &path.child("path"), &file.path);
    local_path(errors, &path.child("path"), &file.path);
    match (&file.field_ref, &file.resource_field_ref) {
        (Some(field), resource) => {
            env::field_ref(errors, &path.child("fieldRef"), field, VOLUME_FIELDS);
            if resource.is_some() {
                let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.invalid(path, "resource", why);
            }
        }
        (None, Some(resource)) => {
            env::resource_ref(errors, &path.child("resourceFieldRef"), resource, true);
        }
        (None, None) => {
            errors.required(path, "one of fieldRef and resourceFieldRef is required");
        }
    }
    file_mode(errors, &path.child("mode"), file.mode);
}

fn projected(errors: &mut Errors, path: &Path<'_>, projected: &ProjectedVolumeSource) {
    file_mode(errors, &path.child("defaultMode"), projected.default_mode);
    let mut paths = BTreeSet::new();
    let all = path.child("sources");
    for (index, source) in list_of(&projected.sources).iter().enumerate() {
        projection(errors, path, &all.index(index), source, &mut paths);
    }
}

fn projection<'a>(
    errors: &mut Errors,
    outer: &Path<'_>,
    path: &Path<'_>,
    source: &'a VolumeProjection,
    paths: &mut BTreeSet<&'a str>,
) {
    let mut n_sources = 0;
    let mut unique = |errors: &mut Errors, file: &'a str, shown: &str| {
        if !file.is_empty() && !paths.insert(file) {
            errors.invalid(outer, shown, "conflicting duplicate paths");
        }
    };
    let named = [
        ("secret", source.secret.as_ref().map(|it| (&it.name, list_of(&it.items)))),
        ("configMap", source.config_map.as_ref().map(|it| (&it.name, list_of(&it.items)))),
    ];
    for (field, it) in named {
        let Some((name, items)) = it else { continue };
        n_sources += 1;
        let path = path.child(field);
        not_empty(errors, &path.child("name"), name);
        let all = path.child("items");
        for (index, item) in items.iter().enumerate() {
            key_to_path(errors, &all.index(index), item);
            unique(errors, &item.path, name);
        }
    }
    if let Some(it) = &source.downward_api {
        n_sources += 1;
        for file in list_of(&it.items) {
            downward_file(errors, &path.child("downwardAPI"), file);
            unique(errors, &file.path, &file.path);
        }
    }
    if let Some(it) = &source.service_account_token {
        n_sources += 1;
        let seconds = it.expiration_seconds.unwrap_or(3600);
        let token_path = path.child("serviceAccountToken");
        let seconds_path = token_path.child("expirationSeconds");
        if seconds < 600 {
            let why = "may not specify a duration less than 10 minutes";
            errors.invalid(&seconds_path, seconds, why);
        }
        if seconds > 1 << 32 {
            let why = "may not specify a duration larger than 2^32 seconds";
            errors.invalid(&seconds_path, seconds, why);
        }
        not_empty(errors, &outer.child("path"), &it.path);
        if !it.path.is_empty() {
            local_path(errors, &outer.child("path"), &it.path);
        }
    }
    if n_sources > 1 {
        errors.forbidden(path, "may not specify more than 1 volume type per source");
    }
}

/// Upstream: `validatePathNoBacksteps`.
pub(crate) fn no_backsteps(errors: &mut Errors, path: &Path<'_>, file: &str) {
    if file.split('/').any(|it| it == "..") {
        errors.invalid(path, file, "must not contain '..'");
    }
}

/// Upstream: `validateLocalDescendingPath`.
pub(crate) fn descending(errors: &mut Errors, path: &Path<'_>, file: &str) {
    if file.starts_with('/') {
        errors.invalid(path, file, "must be a relative path");
    }
    no_backsteps(errors, path, file);
}

/// Upstream: `ValidateLocalNonReservedPath`.
fn local_path(errors: &mut Errors, path: &Path<'_>, file: &str) {
    descending(errors, path, file);
    if file.starts_with("..") && !file.starts_with("../") {
        errors.invalid(path, file, "must not start with '..'");
    }
}

/// Upstream: `ValidateVolumeMounts`.
pub(crate) fn mounts(
    errors: &mut Errors,
    path: &Path<'_>,
    mounts: &[VolumeMount],
    devices: &[VolumeDevice],
    volumes: &Volumes<'_>,
    privileged: bool,
) {
    let mut places = BTreeSet::new();
    for (index, mount) in mounts.iter().enumerate() {
        let element = path.index(index);
        let (name_path, place_path) = (element.child("name"), element.child("mountPath"));
        not_empty(errors, &name_path, &mount.name);
        if !volumes.contains_key(mount.name.as_str()) {
            errors.not_found(&name_path, &mount.name);
        }
        not_empty(errors, &place_path, &mount.mount_path);
        if !places.insert(mount.mount_path.as_str()) {
            errors.invalid(&place_path, &mount.mount_path, "must be unique");
        }
        if devices.iter().any(|it| it.name == mount.name) {
            errors.invalid(&name_path, &mount.name, "must not already exist in volumeDevices");
        }
        if devices.iter().any(|it| it.device_path == mount.mount_path) {
            let why = "must not already exist as a path in volumeDevices";
            errors.invalid(&place_path, &mount.mount_path, why);
        }
        let sub_path = str_of(&mount.sub_path);
        if !sub_path.is_empty() {
            descending(errors, &path.child("subPath"), sub_path);
        }
        let expression = str_of(&mount.sub_path_expr);
        if !expression.is_empty() {
            if !sub_path.is_empty() {
                let why = "subPathExpr and subPath are mutually exclusive";
                errors.invalid(&element.child("subPathExpr"), expression, why);
            }
            descending(errors, &path.child("subPathExpr"), expression);
        }
        if let Some(propagation) = mount.mount_propagation.as_deref() {
            let path = path.child("mountPropagation");
            one_of(errors, &path, propagation, &["Bidirectional", "HostToContainer", "None"]);
            if propagation == "Bidirectional" && !privileged {
                let why = "Bidirectional mount propagation is available only to privileged \
                           containers";
                errors.forbidden(&path, why);
            }
        }
        recursive_read_only(errors, &path.child("recursiveReadOnly"), mount);
    }
}

fn recursive_read_only(errors: &mut Errors, path: &Path<'_>, mount: &VolumeMount) {
    match mount.recursive_read_only.as_deref() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if mount.read_only != Some(true) {
                errors.forbidden(path, "may only be specified when readOnly is true");
            }
            if mount.mount_propagation.as_deref().is_some_and(|it| it != "None") {
                let why = "may only be specified when mountPropagation is None or not specified";
                errors.forbidden(path, why);
            }
        }
        Some(other) => errors.not_supported(path, other, &["Disabled", "Enabled", "IfPossible"]),
    }
}

/// Upstream: `ValidateVolumeDevices`.
pub(crate) fn devices(
    errors: &mut Errors,
    path: &Path<'_>,
    devices: &[VolumeDevice],
    mounts: &[VolumeMount],
    volumes: &Volumes<'_>,
) {
    let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
    for (index, device) in devices.iter().enumerate() {
        let element = path.index(index);
        let (name_path, place_path) = (element.child("name"), element.child("devicePath"));
        let (name, place) = (device.name.as_str(), device.device_path.as_str());
        let volume = volumes.get(name);
        not_empty(errors, &name_path, name);
        if names.contains(name) {
            errors.invalid(&name_path, name, "must be unique");
        }
        match volume {
            Some(it) if it.persistent_volume_claim.is_none() && it.ephemeral.is_none() => {
                let why = "can only use volume source type of PersistentVolumeClaim or Ephemeral \
                           for block mode";
                errors.invalid(&name_path, name, why);
            }
            Some(_) => {}
            None => errors.not_found(&name_path, name),
        }
        not_empty(errors, &place_path, place);
        if places.contains(place) {
            errors.invalid(&place_path, place, "must be unique");
        }
        if place.split('/').any(|it| it == "..") {
            errors.invalid(&place_path, place, "can not contain backsteps ('..')");
        } else {
            places.insert(place);
        }
        if mounts.iter().any(|it| it.name == name) {
            errors.invalid(&name_path, name, "must not already exist in volumeMounts");
        }
        if mounts.iter().any(|it| it.mount_path == place) {
            let why = "must not already exist as a path in volumeMounts";
            errors.invalid(&place_path, place, why);
        }
        if !name.is_empty() {
            names.insert(name);
        }
    }
}
