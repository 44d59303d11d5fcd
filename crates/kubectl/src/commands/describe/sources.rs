//! Where volumes come from, for those that are told by a table.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/describe/describe.go` (`print*VolumeSource`), v1.36.
//! Differs from upstream: the sources of storage systems that hardly anybody has are `<unknown>`,
//! because their words would cost more than they tell.

use serde_json::Value;

use super::{MAX_ANNOTATION, Page, line, shorten};

/// The field, the kind, and what is shown: a label, the field of it and what stands there without.
type Source = (&'static str, &'static str, &'static [(&'static str, &'static str, &'static str)]);

const SOURCES: &[Source] = &[
    (
        "nfs",
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        &[("Server", "server", ""), ("Path", "path", ""), ("ReadOnly", "readOnly", "false")],
    ),
    (
        "local",
        "LocalVolume (a persistent volume backed by local storage on a node)",
        &[("Path", "path", "")],
    ),
    (
        "csi",
        "CSI (a Container Storage Interface (CSI) volume source)",
        &[
            ("Driver", "driver", ""),
            ("FSType", "fsType", ""),
            ("VolumeHandle", "volumeHandle", ABSENT),
            ("ReadOnly", "readOnly", "false"),
        ],
    ),
    (
        "image",
        "Image (a container image or OCI artifact)",
        &[("Reference", "reference", ""), ("PullPolicy", "pullPolicy", "")],
    ),
    (
        "gcePersistentDisk",
        "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
        &[
            ("PDName", "pdName", ""),
            ("FSType", "fsType", ""),
            ("Partition", "partition", "0"),
            ("ReadOnly", "readOnly", "false"),
        ],
    ),
    (
        "awsElasticBlockStore",
        "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
        &[
            ("VolumeID", "volumeID", ""),
            ("FSType", "fsType", ""),
            ("Partition", "partition", "0"),
            ("ReadOnly", "readOnly", "false"),
        ],
    ),
    ("projected", "Projected (a volume that contains injected data from multiple sources)", &[]),
];

/// Stands for no line at all.
const ABSENT: &str = "-";

/// Shows the source of a volume, or of a persistent volume's spec, as JSON.
pub(super) fn source(page: &mut Page, volume: &Value) {
    let Some((key, kind, fields)) = SOURCES.iter().find(|it| !volume[it.0].is_null()) else {
        page.line(1, "<unknown>");
        return;
    };
    let source = &volume[key];
    line!(page, 2, "Type:\t{kind}");
    for (label, field, default) in *fields {
        match &source[field] {
            Value::Null if *default == ABSENT => {}
            Value::Null => line!(page, 2, "{label}:\t{default}"),
            value => line!(page, 2, "{label}:\t{}", crate::jsonpath::text(value)),
        }
    }
    for part in source["sources"].as_array().into_iter().flatten() {
        projection(page, part);
    }
    if *key == "csi" {
        let attributes = source["volumeAttributes"].as_object();
        let mut title = "VolumeAttributes:";
        for (key, value) in attributes.into_iter().flatten() {
            let text = format!("{key}={}", value.as_str().unwrap_or_default());
            line!(page, 2, "{title}\t{}", shorten(&text, MAX_ANNOTATION));
            title = "";
        }
        if !title.is_empty() {
            line!(page, 2, "{title}\t<none>");
        }
    }
}

fn projection(page: &mut Page, part: &Value) {
    for (key, label) in [("secret", "SecretName"), ("configMap", "ConfigMapName")] {
        if let Some(it) = part.get(key) {
            line!(page, 2, "{label}:\t{}", it["name"].as_str().unwrap_or_default());
            line!(page, 2, "Optional:\t{}", it["optional"].as_bool().unwrap_or_default());
        }
    }
    if part.get("downwardAPI").is_some() {
        page.line(2, "DownwardAPI:\ttrue");
    }
    if let Some(it) = part.get("serviceAccountToken") {
        line!(page, 2, "TokenExpirationSeconds:\t{}", it["expirationSeconds"]);
    }
}
