//! What the server has: `api-resources`, `api-versions`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/apiresources`, v1.36.

use api::{Order, go_order, yaml};
use serde_json::{Value, json};

use super::{Next, Session};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;

pub(super) const API_FLAGS: &[Flag] = &[
    switch("namespaced"),
    value("api-group"),
    value("output").or('o'),
    switch("no-headers"),
    value("verbs"),
    value("sort-by"),
    switch("cached"),
    value("categories"),
];

/// The resources of a 1.36 server, those that the simulation does not keep included: name, short
/// names, API version, whether in namespaces, kind, verbs where they are not all, categories.
const RESOURCES: &str = "\
    bindings||v1|1|Binding|create \
    componentstatuses|cs|v1|0|ComponentStatus|get,list \
    configmaps|cm|v1|1|ConfigMap \
    endpoints|ep|v1|1|Endpoints \
    events|ev|v1|1|Event \
    limitranges|limits|v1|1|LimitRange \
    namespaces|ns|v1|0|Namespace|create,delete,get,list,patch,update,watch \
    nodes|no|v1|0|Node \
    persistentvolumeclaims|pvc|v1|1|PersistentVolumeClaim \
    persistentvolumes|pv|v1|0|PersistentVolume \
    pods|po|v1|1|Pod||all \
    podtemplates||v1|1|PodTemplate \
    replicationcontrollers|rc|v1|1|ReplicationController||all \
    resourcequotas|quota|v1|1|ResourceQuota \
    secrets||v1|1|Secret \
    serviceaccounts|sa|v1|1|ServiceAccount \
    services|svc|v1|1|Service||all \
    mutatingadmissionpolicies||admissionregistration.k8s.io/v1|0|MutatingAdmissionPolicy||api-extensions \
    mutatingadmissionpolicybindings||admissionregistration.k8s.io/v1|0|MutatingAdmissionPolicyBinding||api-extensions \
    mutatingwebhookconfigurations||admissionregistration.k8s.io/v1|0|MutatingWebhookConfiguration||api-extensions \
    validatingadmissionpolicies||admissionregistration.k8s.io/v1|0|ValidatingAdmissionPolicy||api-extensions \
    validatingadmissionpolicybindings||admissionregistration.k8s.io/v1|0|ValidatingAdmissionPolicyBinding||api-extensions \
    validatingwebhookconfigurations||admissionregistration.k8s.io/v1|0|ValidatingWebhookConfiguration||api-extensions \
    customresourcedefinitions|crd,crds|apiextensions.k8s.io/v1|0|CustomResourceDefinition||api-extensions \
    apiservices||apiregistration.k8s.io/v1|0|APIService||api-extensions \
    controllerrevisions||apps/v1|1|ControllerRevision \
    daemonsets|ds|apps/v1|1|DaemonSet||all \
    deployments|deploy|apps/v1|1|Deployment||all \
    replicasets|rs|apps/v1|1|ReplicaSet||all \
    statefulsets|sts|apps/v1|1|StatefulSet||all \
    selfsubjectreviews||authentication.k8s.io/v1|0|SelfSubjectReview|create \
    tokenreviews||authentication.k8s.io/v1|0|TokenReview|create \
    localsubjectaccessreviews||authorization.k8s.io/v1|1|LocalSubjectAccessReview|create \
    selfsubjectaccessreviews||authorization.k8s.io/v1|0|SelfSubjectAccessReview|create \
    selfsubjectrulesreviews||authorization.k8s.io/v1|0|SelfSubjectRulesReview|create \
    subjectaccessreviews||authorization.k8s.io/v1|0|SubjectAccessReview|create \
    horizontalpodautoscalers|hpa|autoscaling/v2|1|HorizontalPodAutoscaler||all \
    cronjobs|cj|batch/v1|1|CronJob||all \
    jobs||batch/v1|1|Job||all \
    certificatesigningrequests|csr|certificates.k8s.io/v1|0|CertificateSigningRequest \
    leases||coordination.k8s.io/v1|1|Lease \
    endpointslices||discovery.k8s.io/v1|1|EndpointSlice \
    events|ev|events.k8s.io/v1|1|Event \
    flowschemas||flowcontrol.apiserver.k8s.io/v1|0|FlowSchema \
    prioritylevelconfigurations||flowcontrol.apiserver.k8s.io/v1|0|PriorityLevelConfiguration \
    ingressclasses||networking.k8s.io/v1|0|IngressClass \
    ingresses|ing|networking.k8s.io/v1|1|Ingress \
    ipaddresses|ip|networking.k8s.io/v1|0|IPAddress \
    networkpolicies|netpol|networking.k8s.io/v1|1|NetworkPolicy \
    servicecidrs||networking.k8s.io/v1|0|ServiceCIDR \
    runtimeclasses||node.k8s.io/v1|0|RuntimeClass \
    poddisruptionbudgets|pdb|policy/v1|1|PodDisruptionBudget \
    clusterrolebindings||rbac.authorization.k8s.io/v1|0|ClusterRoleBinding \
    clusterroles||rbac.authorization.k8s.io/v1|0|ClusterRole \
    rolebindings||rbac.authorization.k8s.io/v1|1|RoleBinding \
    roles||rbac.authorization.k8s.io/v1|1|Role \
    deviceclasses||resource.k8s.io/v1|0|DeviceClass \
    resourceclaims||resource.k8s.io/v1|1|ResourceClaim \
    resourceclaimtemplates||resource.k8s.io/v1|1|ResourceClaimTemplate \
    resourceslices||resource.k8s.io/v1|0|ResourceSlice \
    priorityclasses|pc|scheduling.k8s.io/v1|0|PriorityClass \
    csidrivers||storage.k8s.io/v1|0|CSIDriver \
    csinodes||storage.k8s.io/v1|0|CSINode \
    csistoragecapacities||storage.k8s.io/v1|1|CSIStorageCapacity \
    storageclasses|sc|storage.k8s.io/v1|0|StorageClass \
    volumeattachments||storage.k8s.io/v1|0|VolumeAttachment \
    volumeattributesclasses|vac|storage.k8s.io/v1|0|VolumeAttributesClass";

const ALL_VERBS: &str = "create,delete,deletecollection,get,list,patch,update,watch";

/// A resource of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resource {
    pub(crate) plural: &'static str,
    pub(crate) short_names: &'static str,
    api_version: &'static str,
    pub(crate) namespaced: bool,
    pub(crate) kind: &'static str,
    verbs: &'static str,
    categories: &'static str,
}

impl Resource {
    pub(super) fn group(&self) -> &'static str {
        self.api_version.split_once('/').map_or("", |it| it.0)
    }

    /// `pods`, `ingresses.networking.k8s.io`.
    pub(crate) fn qualified(&self) -> String {
        match self.group() {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// Whether a word of a command line names it.
    pub(crate) fn is_named(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let (name, group) = word.split_once('.').unwrap_or((&word, ""));
        let group = match group.split_once('.') {
            Some((version, group)) if version.starts_with('v') => group,
            _ => group,
        };
        !name.is_empty()
            && (group.is_empty() || group == self.group())
            && (name == self.plural
                || name == self.kind.to_lowercase()
                || self.short_names.split(',').any(|it| it == name))
    }
}

/// The resource of a kind in one of the group versions that a real server has.
pub(crate) fn of_kind(kind: &str, api_version: &str) -> Option<Resource> {
    resources().find(|it| it.kind == kind && it.api_version == api_version)
}

/// All resources of the server, by group and name.
pub(crate) fn resources() -> impl Iterator<Item = Resource> {
    RESOURCES.split_ascii_whitespace().map(|line| {
        let mut parts = line.split('|');
        let mut next = || parts.next().unwrap_or_default();
        let (plural, short_names, api_version) = (next(), next(), next());
        let (namespaced, kind, verbs, categories) = (next() == "1", next(), next(), next());
        let verbs = if verbs.is_empty() { ALL_VERBS } else { verbs };
        Resource { plural, short_names, api_version, namespaced, kind, verbs, categories }
    })
}

fn has_all(list: &str, wanted: &[String]) -> bool {
    wanted.iter().all(|it| list.split(',').any(|other| other == it))
}

pub(super) fn api_resources(session: &mut Session<'_>) -> Result<Next, Failure> {
    let args = &session.args;
    if !args.positional.is_empty() {
        let words = args.positional.join(" ");
        return Err(Failure::Usage(format!("unexpected arguments: [{words}]")));
    }
    let output = args.get("output").unwrap_or_default().to_owned();
    if !matches!(&*output, "" | "wide" | "name" | "json" | "yaml") {
        return Err(Failure::Text(format!("--output {output} is not available")));
    }
    let mut all: Vec<Resource> = resources().collect();
    if args.has("namespaced") {
        let wanted = args.is_on("namespaced");
        all.retain(|it| it.namespaced == wanted);
    }
    if let Some(group) = args.get("api-group") {
        all.retain(|it| it.group() == group);
    }
    let (verbs, categories) = (args.list("verbs"), args.list("categories"));
    all.retain(|it| has_all(it.verbs, &verbs) && has_all(it.categories, &categories));
    match args.get("sort-by") {
        None | Some("") => {}
        Some("name") => all.order_by_key(|it| it.plural),
        Some("kind") => all.order_by_key(|it| it.kind),
        Some(_) => return Err(Failure::text("--sort-by accepts only name or kind")),
    }
    let text = match &*output {
        "json" => yaml::json_pretty(&go_order::InOrder::new(&resource_list(&all))),
        "yaml" => yaml::to_string(&resource_list(&all)),
        "name" => all.iter().map(|it| format!("{}\n", it.qualified())).collect(),
        _ => resource_table(&all, output == "wide", args.is_on("no-headers")),
    };
    session.output.out(text);
    Ok(Next::Done)
}

/// Upstream: `metav1.APIResourceList`.
fn resource_list(all: &[Resource]) -> Value {
    let words = |list: &str| -> Vec<String> {
        list.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect()
    };
    let resource = |it: &Resource| {
        let (group, version) = it.api_version.split_once('/').unwrap_or(("", it.api_version));
        let mut value = json!({
            "name": it.plural, "singularName": it.kind.to_lowercase(),
            "namespaced": it.namespaced, "version": version, "kind": it.kind,
            "verbs": words(it.verbs),
        });
        if !group.is_empty() {
            value["group"] = group.into();
        }
        for (key, list) in [("shortNames", it.short_names), ("categories", it.categories)] {
            if !list.is_empty() {
                value[key] = words(list).into();
            }
        }
        value
    };
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "",
        "resources": all.iter().map(resource).collect::<Vec<_>>(),
    })
}

fn resource_table(all: &[Resource], wide: bool, no_headers: bool) -> String {
    let mut text = String::new();
    let mut line = |first: [&str; 5], more: [&str; 2]| {
        text.push_str(&first.join("\t"));
        if wide {
            text.push_str(&format!("\t{}", more.join("\t")));
        }
        text.push('\n');
    };
    if !no_headers {
        line(["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"], ["VERBS", "CATEGORIES"]);
    }
    for it in all {
        let namespaced = if it.namespaced { "true" } else { "false" };
        let first = [it.plural, it.short_names, it.api_version, namespaced, it.kind];
        line(first, [it.verbs, it.categories]);
    }
    rows::align(&text, 6, 3)
}

pub(super) fn api_versions(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = &session.args.positional;
    if !words.is_empty() {
        return Err(Failure::Usage(format!("unexpected arguments: [{}]", words.join(" "))));
    }
    let mut versions: Vec<&str> = resources().map(|it| it.api_version).collect();
    // A version of a group of which the newer one is preferred.
    versions.push("autoscaling/v1");
    versions.order();
    versions.dedup();
    let lines: String = versions.iter().map(|it| format!("{it}\n")).collect();
    session.output.out(lines);
    Ok(Next::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::Kind;

    #[test]
    fn every_kind_of_the_store_is_a_resource_of_the_server() {
        for kind in Kind::ALL {
            let found = resources().find(|it| it.kind == kind.name() && it.group() == kind.group());
            let it = found.unwrap();
            assert_eq!(it.plural, kind.plural());
            assert_eq!(it.namespaced, kind.namespaced());
            assert_eq!(it.short_names, kind.short_names().join(","));
        }
    }

    #[test]
    fn resources_are_named_as_kubectl_lets_one_name_them() {
        let check = |word: &str, plural: Option<&str>| {
            assert_eq!(
                resources().find(|it| it.is_named(word)).map(|it| it.plural),
                plural,
                "{word}"
            );
        };
        check("hpa", Some("horizontalpodautoscalers"));
        check("Ingress", Some("ingresses"));
        check("ingresses.networking.k8s.io", Some("ingresses"));
        check("ingresses.v1.networking.k8s.io", Some("ingresses"));
        check("ingresses.apps", None);
        check("foo", None);
    }
}
