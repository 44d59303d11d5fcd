//! Where volumes come from, for those that are told by a table.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/describe/describe.go` (`print*VolumeSource`), v1.36.
//! Differs from upstream: of Glusterfs, ScaleIO and AzureFile the namespaces of a persistent volume's
//! references are not shown.

use serde_json::Value;

use super::{MAX_ANNOTATION, Page, line, shorten};
use api::yaml::go_text;

/// A line each: the field, the kind, and what is shown: a label, the field of it and what stands there
/// without; `-` is for no line at all.
const SOURCES: &str = "\
nfs|NFS (an NFS mount that lasts the lifetime of a pod)|Server=server=,Path=path=,ReadOnly=readOnly=false\n\
local|LocalVolume (a persistent volume backed by local storage on a node)|Path=path=\n\
csi|CSI (a Container Storage Interface (CSI) volume source)|Driver=driver=,FSType=fsType=,VolumeHandle=volumeHandle=-,ReadOnly=readOnly=false\n\
ephemeral|EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)|\n\
image|Image (a container image or OCI artifact)|Reference=reference=,PullPolicy=pullPolicy=\n\
gcePersistentDisk|GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)|PDName=pdName=,FSType=fsType=,Partition=partition=0,ReadOnly=readOnly=false\n\
awsElasticBlockStore|AWSElasticBlockStore (a Persistent Disk resource in AWS)|VolumeID=volumeID=,FSType=fsType=,Partition=partition=0,ReadOnly=readOnly=false\n\
projected|Projected (a volume that contains injected data from multiple sources)|\n\
gitRepo|GitRepo (a volume that is pulled from git when the pod is created)|Repository=repository=,Revision=revision=\n\
iscsi|ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)|TargetPortal=targetPortal=,IQN=iqn=,Lun=lun=0,ISCSIInterface=iscsiInterface=,FSType=fsType=,ReadOnly=readOnly=false,Portals=portals=[],DiscoveryCHAPAuth=chapAuthDiscovery=false,SessionCHAPAuth=chapAuthSession=false,SecretRef=secretRef=nil,InitiatorName=initiatorName=<none>\n\
glusterfs|Glusterfs (a Glusterfs mount on the host that shares a pod's lifetime)|EndpointsName=endpoints=,EndpointsNamespace=endpointsNamespace=-,Path=path=,ReadOnly=readOnly=false\n\
rbd|RBD (a Rados Block Device mount on the host that shares a pod's lifetime)|CephMonitors=monitors=[],RBDImage=image=,FSType=fsType=,RBDPool=pool=,RadosUser=user=,Keyring=keyring=,SecretRef=secretRef=nil,ReadOnly=readOnly=false\n\
cephfs|CephFS (a CephFS mount on the host that shares a pod's lifetime)|Monitors=monitors=[],Path=path=,User=user=,SecretFile=secretFile=,SecretRef=secretRef=nil,ReadOnly=readOnly=false\n\
cinder|Cinder (a Persistent Disk resource in OpenStack)|VolumeID=volumeID=,FSType=fsType=,ReadOnly=readOnly=false,SecretRef=secretRef=nil\n\
fc|FC (a Fibre Channel disk)|TargetWWNs=targetWWNs=,LUN=lun=<none>,FSType=fsType=,ReadOnly=readOnly=false\n\
flexVolume|FlexVolume (a generic volume resource that is provisioned/attached using an exec based plugin)|Driver=driver=,FSType=fsType=,SecretRef=secretRef=nil,ReadOnly=readOnly=false,Options=options=map[]\n\
flocker|Flocker (a Flocker volume mounted by the Flocker agent)|DatasetName=datasetName=,DatasetUUID=datasetUUID=\n\
azureFile|AzureFile (an Azure File Service mount on the host and bind mount to the pod)|SecretName=secretName=,ShareName=shareName=,ReadOnly=readOnly=false\n\
azureDisk|AzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)|DiskName=diskName=,DiskURI=diskURI=,Kind=kind=,FSType=fsType=,CachingMode=cachingMode=,ReadOnly=readOnly=false\n\
vsphereVolume|vSphereVolume (a Persistent Disk resource in vSphere)|VolumePath=volumePath=,FSType=fsType=,StoragePolicyName=storagePolicyName=\n\
portworxVolume|PortworxVolume (a Portworx Volume resource)|VolumeID=volumeID=\n\
scaleIO|ScaleIO (a persistent volume backed by a block device in ScaleIO)|Gateway=gateway=,System=system=,Protection Domain=protectionDomain=,Storage Pool=storagePool=,Storage Mode=storageMode=,VolumeName=volumeName=,FSType=fsType=,ReadOnly=readOnly=false\n\
storageos|StorageOS (a StorageOS Persistent Disk resource)|VolumeName=volumeName=,VolumeNamespace=volumeNamespace=,FSType=fsType=,ReadOnly=readOnly=false\n\
quobyte|Quobyte (a Quobyte mount on the host that shares a pod's lifetime)|Registry=registry=,Volume=volume=,ReadOnly=readOnly=false\n\
photonPersistentDisk|PhotonPersistentDisk (a Persistent Disk resource in photon platform)|PdID=pdID=,FSType=fsType=";

/// Shows the source of a volume, or of a persistent volume's spec, as JSON.
pub(super) fn source(page: &mut Page, volume: &Value) {
    let rows = SOURCES.lines().map(|it| it.split('|').collect::<Vec<_>>());
    let mut known = rows.filter(|it| it.len() == 3 && !volume[it[0]].is_null());
    let Some([key, kind, fields]) = known.next().and_then(|it| <[&str; 3]>::try_from(it).ok())
    else {
        page.line(1, "<unknown>");
        return;
    };
    let source = &volume[key];
    line!(page, 2, "Type:\t{kind}");
    for field in fields.split(',').filter(|it| !it.is_empty()) {
        let mut parts = field.splitn(3, '=');
        let mut part = || parts.next().unwrap_or_default();
        let (label, value, default) = (part(), &source[part()], part());
        // Upstream's forgotten colon.
        let colon = if label == "ISCSIInterface" { "" } else { ":" };
        match value {
            Value::Null if default == "-" => {}
            Value::Null => line!(page, 2, "{label}{colon}\t{default}"),
            value => line!(page, 2, "{label}{colon}\t{}", shown(label, value)),
        }
    }
    if key == "ephemeral" {
        claim(page, &source["volumeClaimTemplate"]);
    }
    for part in source["sources"].as_array().into_iter().flatten() {
        projection(page, part);
    }
    if key == "csi" {
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

/// A value as Go prints it.
fn shown(label: &str, value: &Value) -> String {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    match value {
        Value::Array(items) if label == "TargetWWNs" => {
            items.iter().map(text).collect::<Vec<_>>().join(", ")
        }
        Value::Object(it) if label == "SecretRef" => match it.get("namespace") {
            Some(space) => {
                format!(
                    "&SecretReference{{Name:{},Namespace:{},}}",
                    text(&value["name"]),
                    text(space)
                )
            }
            None => format!("&LocalObjectReference{{Name:{},}}", text(&value["name"])),
        },
        other => go_text(other),
    }
}

/// The claim that a volume makes. Upstream: `printPersistentVolumeClaim`, not in full.
fn claim(page: &mut Page, template: &Value) {
    let spec = &template["spec"];
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let pairs = |name: &str, sign: &str| {
        let pairs = template["metadata"][name].as_object().into_iter().flatten();
        pairs.map(|(key, it)| format!("{key}{sign}{}", text(it))).collect::<Vec<_>>()
    };
    line!(page, 2, "StorageClass:\t{}", text(&spec["storageClassName"]));
    line!(page, 2, "Volume:\t{}", text(&spec["volumeName"]));
    for (title, lines) in
        [("Labels:", pairs("labels", "=")), ("Annotations:", pairs("annotations", ": "))]
    {
        let first = lines.first().map_or("<none>", String::as_str);
        line!(page, 2, "{title}\t{first}");
        lines.iter().skip(1).for_each(|it| line!(page, 2, "\t{it}"));
    }
    page.line(2, "Capacity:\t\n    Access Modes:\t");
    if let Some(mode) = spec["volumeMode"].as_str() {
        line!(page, 2, "VolumeMode:\t{mode}");
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
