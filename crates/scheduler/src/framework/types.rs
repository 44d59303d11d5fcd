//! What the scheduler keeps of pods and nodes: requests as integers, labels and terms interned.
//!
//! Upstream: `pkg/scheduler/framework/types.go`, v1.36.
//! Differs from upstream: the requests of a pod come from its spec alone, never from an in-place
//! resize in the status, because the simulated kubelet applies a resize at once.

mod node_info;

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use api::quantity::{Exact, Format};
use api::resources::{self, Amounts, Side, is_sidecar, spec_amounts};
use k8s_openapi::api::core::v1::{Container, Pod, PodAffinityTerm, PodSpec};

pub use self::node_info::{NodeId, NodeInfo};
use super::intern::{Interner, Labels, Sym};
use super::labels::{RequiredNodeAffinity, Selector};
use super::template;
use crate::backend::cache::Role;

/// What scoring assumes of a container without a CPU request. Upstream: `DefaultMilliCPURequest`.
const DEFAULT_MILLI_CPU_REQUEST: i64 = 100;
/// What scoring assumes of a container without a memory request. Upstream: `DefaultMemoryRequest`.
const DEFAULT_MEMORY_REQUEST: i64 = 200 * 1024 * 1024;
/// Upstream: `DefaultBindAllHostIP`.
const BIND_ALL: &str = "0.0.0.0";

/// Amounts of resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Millicores.
    pub milli_cpu: i64,
    /// Bytes.
    pub memory: i64,
    /// Bytes.
    pub ephemeral_storage: i64,
    /// How many pods may run.
    pub pods: i64,
    /// Extended resources, huge pages and the like, sorted by symbol.
    pub scalars: Vec<(Sym, i64)>,
}

impl Resource {
    fn of_amounts(amounts: &Amounts, interner: &mut Interner) -> Self {
        let mut resource = Self::default();
        for (name, it) in amounts {
            match name.as_str() {
                "cpu" => resource.milli_cpu = it.milli_value(),
                "memory" => resource.memory = it.value(),
                "ephemeral-storage" => resource.ephemeral_storage = it.value(),
                "pods" => resource.pods = it.value(),
                name if is_scalar_resource(name) => {
                    resource.scalars.push((interner.intern(name), it.value()));
                }
                _ => {}
            }
        }
        resource.scalars.sort_unstable();
        resource
    }

    /// The amount of a scalar resource, if it is there at all.
    #[must_use]
    pub fn scalar(&self, name: Sym) -> Option<i64> {
        self.scalars.iter().find(|(it, _)| *it == name).map(|(_, amount)| *amount)
    }

    fn add(&mut self, other: &Self, sign: i64) {
        self.milli_cpu += sign * other.milli_cpu;
        self.memory += sign * other.memory;
        self.ephemeral_storage += sign * other.ephemeral_storage;
        for (name, amount) in &other.scalars {
            match self.scalars.binary_search_by_key(name, |(it, _)| *it) {
                Ok(at) => {
                    if let Some((_, it)) = self.scalars.get_mut(at) {
                        *it += sign * amount;
                    }
                }
                Err(at) => self.scalars.insert(at, (*name, sign * amount)),
            }
        }
    }
}

/// Whether a resource other than the basic ones counts for scheduling.
/// Upstream: `schedutil.IsScalarResourceName`.
#[must_use]
pub fn is_scalar_resource(name: &str) -> bool {
    is_extended_resource(name)
        || name.starts_with("hugepages-")
        || name.contains("kubernetes.io/")
        || name.starts_with("attachable-volumes-")
}

/// Upstream: `v1helper.IsExtendedResourceName`.
#[must_use]
pub fn is_extended_resource(name: &str) -> bool {
    let native = !name.contains('/') || name.contains("kubernetes.io/");
    !native && !name.starts_with("requests.")
}

/// A term of pod affinity or anti-affinity. Upstream: `fwk.AffinityTerm`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AffinityTerm {
    /// Names of namespaces that it looks at, sorted.
    pub namespaces: Vec<Sym>,
    /// Namespaces that it looks at by their labels.
    pub namespace_selector: Selector,
    /// Which pods.
    pub selector: Selector,
    /// The label that makes a domain.
    pub topology_key: Sym,
}

impl AffinityTerm {
    fn new(
        namespace: Sym,
        term: &PodAffinityTerm,
        interner: &mut Interner,
    ) -> Result<Self, String> {
        let names = term.namespaces.as_deref().unwrap_or_default();
        let mut namespaces: Vec<Sym> = if names.is_empty() && term.namespace_selector.is_none() {
            vec![namespace]
        } else {
            names.iter().map(|it| interner.intern(it)).collect()
        };
        namespaces.sort_unstable();
        namespaces.dedup();
        Ok(Self {
            namespaces,
            namespace_selector: Selector::new(term.namespace_selector.as_ref(), interner)?,
            selector: Selector::new(term.label_selector.as_ref(), interner)?,
            topology_key: interner.intern(&term.topology_key),
        })
    }

    /// Whether it is about this pod, whose namespace has these labels.
    #[must_use]
    pub fn matches(&self, pod: &PodInfo, ns_labels: &Labels, interner: &Interner) -> bool {
        (self.namespaces.binary_search(&pod.namespace).is_ok()
            || self.namespace_selector.matches(ns_labels, interner))
            && self.selector.matches(&pod.labels, interner)
    }
}

/// A port of a host that a pod asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// The address, `0.0.0.0` for all.
    pub ip: Arc<str>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Arc<str>,
    /// The number.
    pub port: i32,
}

impl HostPort {
    /// Whether the two cannot be had together. Upstream: `HostPortInfo.CheckConflict`.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || &*self.ip == BIND_ALL || &*other.ip == BIND_ALL)
    }
}

/// The host ports that a pod asks for. Upstream: `GetHostPorts`.
#[must_use]
pub fn host_ports(pod: &Pod) -> Vec<HostPort> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let sidecars = spec.init_containers.iter().flatten().filter(|it| is_sidecar(it));
    let ports = sidecars.chain(&spec.containers).flat_map(|it| it.ports.iter().flatten());
    ports
        .filter_map(|it| {
            let port = it.host_port.filter(|port| *port > 0)?;
            let or = |text: &Option<String>, default: &str| -> Arc<str> {
                text.as_deref().filter(|it| !it.is_empty()).unwrap_or(default).into()
            };
            Some(HostPort {
                ip: or(&it.host_ip, BIND_ALL),
                protocol: or(&it.protocol, "TCP"),
                port,
            })
        })
        .collect()
}

/// What is compiled of a pod's spec. Pods of one template share it.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What it requests.
    pub requests: Resource,
    /// Millicores, with the default for containers that do not say.
    pub non_zero_cpu: i64,
    /// Bytes, with the default for containers that do not say.
    pub non_zero_memory: i64,
    /// Required affinity.
    pub required_affinity: Vec<AffinityTerm>,
    /// Required anti-affinity.
    pub required_anti_affinity: Vec<AffinityTerm>,
    /// Preferred affinity with weights.
    pub preferred_affinity: Vec<(AffinityTerm, i64)>,
    /// Preferred anti-affinity with weights.
    pub preferred_anti_affinity: Vec<(AffinityTerm, i64)>,
    /// All of these terms with what they mean to other pods.
    pub own_terms: Vec<(Role, Arc<AffinityTerm>)>,
    /// What it requires of its node.
    pub node_affinity: RequiredNodeAffinity,
    /// Host ports.
    pub host_ports: Vec<HostPort>,
    /// Normalized image names, one for each container and image volume.
    pub images: Vec<Sym>,
    /// How many containers it has, init containers included.
    pub n_containers: usize,
    /// What is wrong with its affinity terms.
    pub error: Option<String>,
}

impl Compiled {
    fn new(pod: &Pod, namespace: Sym, interner: &mut Interner) -> Self {
        let (requests, non_zero_cpu, non_zero_memory) = pod_resource(pod, interner);
        let mut errors = Vec::new();
        let terms = PodTerms::new(pod, namespace, interner, &mut errors);
        let spec = pod.spec.as_ref();
        Self {
            requests,
            non_zero_cpu,
            non_zero_memory,
            own_terms: terms.with_roles(),
            required_affinity: terms.required_affinity,
            required_anti_affinity: terms.required_anti_affinity,
            preferred_affinity: terms.preferred_affinity,
            preferred_anti_affinity: terms.preferred_anti_affinity,
            node_affinity: RequiredNodeAffinity::of_pod(pod, interner),
            host_ports: host_ports(pod),
            images: images(pod, interner),
            n_containers: spec.map_or(0, |it| {
                it.containers.len() + it.init_containers.as_ref().map_or(0, Vec::len)
            }),
            error: errors.into_iter().next(),
        }
    }
}

/// A pod with what scheduling needs of it; see also [`Compiled`].
#[derive(Clone, Debug)]
pub struct PodInfo {
    /// The object.
    pub pod: Arc<Pod>,
    /// `namespace/name`.
    pub key: Arc<str>,
    /// Its namespace.
    pub namespace: Sym,
    /// Its labels.
    pub labels: Labels,
    /// What its spec says.
    pub compiled: Arc<Compiled>,
    /// `spec.priority`.
    pub priority: i32,
    /// Is being deleted.
    pub terminating: bool,
}

impl Deref for PodInfo {
    type Target = Compiled;

    fn deref(&self) -> &Compiled {
        &self.compiled
    }
}

impl PodInfo {
    /// Compiles a pod.
    pub fn new(pod: Arc<Pod>, interner: &mut Interner) -> Self {
        let meta = &pod.metadata;
        let namespace_name = meta.namespace.as_deref().unwrap_or_default();
        let namespace = interner.intern(namespace_name);
        let resized = match resources::effective(&pod) {
            Cow::Owned(it) => Some(Arc::new(it)),
            Cow::Borrowed(_) => None,
        };
        let counted = resized.as_ref().unwrap_or(&pod);
        let hash = template::hash_of(counted);
        let compiled = match interner.templates.find(hash, counted) {
            Some(it) => it,
            None => {
                let compiled = Arc::new(Compiled::new(counted, namespace, interner));
                interner.templates.insert(hash, counted.clone(), compiled.clone());
                compiled
            }
        };
        let name = meta.name.as_deref().unwrap_or_default();
        Self {
            key: [namespace_name, name].join("/").into(),
            namespace,
            labels: Labels::new(meta.labels.as_ref(), interner),
            compiled,
            priority: pod.spec.as_ref().and_then(|it| it.priority).unwrap_or_default(),
            terminating: meta.deletion_timestamp.is_some(),
            pod,
        }
    }

    /// The spec, which every stored pod has.
    #[must_use]
    pub fn spec(&self) -> Option<&PodSpec> {
        self.pod.spec.as_ref()
    }

    /// Whether another state of the same pod takes the same room and is counted in the same places.
    #[must_use]
    pub fn counts_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.compiled, &other.compiled)
            && self.labels == other.labels
            && self.terminating == other.terminating
            && self.volumes() == other.volumes()
    }

    /// The namespace's name.
    #[must_use]
    pub fn namespace_name(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Whether it has terms towards other pods of any sort. Upstream: `podWithAffinity`.
    #[must_use]
    pub fn has_affinity(&self) -> bool {
        let affinity = self.spec().and_then(|it| it.affinity.as_ref());
        affinity.is_some_and(|it| it.pod_affinity.is_some() || it.pod_anti_affinity.is_some())
    }

    /// The volumes of the pod.
    pub fn volumes(&self) -> &[k8s_openapi::api::core::v1::Volume] {
        self.spec().and_then(|it| it.volumes.as_deref()).unwrap_or_default()
    }

    /// The tolerations of the pod.
    #[must_use]
    pub fn tolerations(&self) -> &[k8s_openapi::api::core::v1::Toleration] {
        self.spec().and_then(|it| it.tolerations.as_deref()).unwrap_or_default()
    }

    /// `status.nominatedNodeName`, if it is set.
    #[must_use]
    pub fn nominated_node(&self) -> Option<&str> {
        let status = self.pod.status.as_ref()?;
        status.nominated_node_name.as_deref().filter(|it| !it.is_empty())
    }
}

#[derive(Default)]
struct PodTerms {
    required_affinity: Vec<AffinityTerm>,
    required_anti_affinity: Vec<AffinityTerm>,
    preferred_affinity: Vec<(AffinityTerm, i64)>,
    preferred_anti_affinity: Vec<(AffinityTerm, i64)>,
}

impl PodTerms {
    fn with_roles(&self) -> Vec<(Role, Arc<AffinityTerm>)> {
        let required = self.required_affinity.iter().map(|it| (Role::RequiredAffinity, it));
        let anti = self.required_anti_affinity.iter().map(|it| (Role::RequiredAntiAffinity, it));
        let preferred = self.preferred_affinity.iter().map(|(it, w)| (Role::Preferred(*w), it));
        let away = self.preferred_anti_affinity.iter().map(|(it, w)| (Role::Preferred(-*w), it));
        let all = required.chain(anti).chain(preferred).chain(away);
        all.map(|(role, term)| (role, Arc::new(term.clone()))).collect()
    }

    fn new(pod: &Pod, ns: Sym, interner: &mut Interner, errors: &mut Vec<String>) -> Self {
        let mut terms = Self::default();
        let Some(affinity) = pod.spec.as_ref().and_then(|it| it.affinity.as_ref()) else {
            return terms;
        };
        let mut compile = |it: &PodAffinityTerm| {
            AffinityTerm::new(ns, it, interner).map_err(|error| errors.push(error)).ok()
        };
        if let Some(it) = &affinity.pod_affinity {
            let required = it.required_during_scheduling_ignored_during_execution.iter().flatten();
            terms.required_affinity = required.filter_map(&mut compile).collect();
            for it in it.preferred_during_scheduling_ignored_during_execution.iter().flatten() {
                let term = compile(&it.pod_affinity_term);
                terms.preferred_affinity.extend(term.map(|term| (term, i64::from(it.weight))));
            }
        }
        if let Some(it) = &affinity.pod_anti_affinity {
            let required = it.required_during_scheduling_ignored_during_execution.iter().flatten();
            terms.required_anti_affinity = required.filter_map(&mut compile).collect();
            for it in it.preferred_during_scheduling_ignored_during_execution.iter().flatten() {
                let term = compile(&it.pod_affinity_term);
                terms.preferred_anti_affinity.extend(term.map(|term| (term, i64::from(it.weight))));
            }
        }
        terms
    }
}

/// Upstream: `normalizedImageName`.
#[must_use]
pub fn normalized_image_name(name: &str) -> String {
    if name.rfind(':') <= name.rfind('/') { format!("{name}:latest") } else { name.to_owned() }
}

fn images(pod: &Pod, interner: &mut Interner) -> Vec<Sym> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let init = spec.init_containers.iter().flatten();
    let containers = init.chain(&spec.containers).map(|it| it.image.as_deref().unwrap_or_default());
    let volumes = spec.volumes.iter().flatten().filter_map(|it| it.image.as_ref());
    let volumes = volumes.map(|it| it.reference.as_deref().unwrap_or_default());
    containers.chain(volumes).map(|it| interner.intern(&normalized_image_name(it))).collect()
}

/// Requests, and the CPU and memory that scoring counts. Upstream: `PodInfo.CalculateResource`.
fn pod_resource(pod: &Pod, interner: &mut Interner) -> (Resource, i64, i64) {
    let Some(spec) = &pod.spec else { return (Resource::default(), 0, 0) };
    let amounts = spec_amounts(spec, Side::Requests);
    let requests = Resource::of_amounts(&amounts, interner);
    let filled = non_missing_amounts(spec, &amounts);
    let of = |name: &str| filled.get(name).copied().unwrap_or_default();
    (requests, of("cpu").milli_value(), of("memory").value())
}

/// The requests where containers that do not say get a default. Upstream:
/// `getNonMissingContainerRequests` and `PodRequests` with it.
fn non_missing_amounts(spec: &PodSpec, amounts: &Amounts) -> Amounts {
    let pod_level = spec.resources.as_ref().and_then(|it| it.requests.as_ref());
    let pod_level = pod_level.is_some_and(|it| {
        it.keys().any(|it| it == "cpu" || it == "memory" || it.starts_with("hugepages-"))
    });
    let missing = |name: &str| !pod_level || !amounts.contains_key(name);
    let mut defaults: Vec<(&str, Exact)> = Vec::new();
    if missing("cpu") {
        defaults.push(("cpu", Exact::from_milli(DEFAULT_MILLI_CPU_REQUEST)));
    }
    if missing("memory") {
        defaults.push(("memory", Exact::from_value(DEFAULT_MEMORY_REQUEST, Format::BinarySi)));
    }
    let requested = |it: &Container, name: &str| {
        let requests = it.resources.as_ref().and_then(|it| it.requests.as_ref());
        requests.is_some_and(|it| it.contains_key(name))
    };
    let mut containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let complete = containers.all(|it| defaults.iter().all(|(name, _)| requested(it, name)));
    if complete {
        return amounts.clone();
    }
    let fill = |it: &Container| {
        let mut resources = it.resources.clone().unwrap_or_default();
        let requests = resources.requests.get_or_insert_default();
        for (name, amount) in &defaults {
            requests.entry((*name).to_owned()).or_insert_with(|| amount.to_quantity());
        }
        Container {
            resources: Some(resources),
            restart_policy: it.restart_policy.clone(),
            ..Container::default()
        }
    };
    let filled = PodSpec {
        containers: spec.containers.iter().map(fill).collect(),
        init_containers: spec.init_containers.as_ref().map(|it| it.iter().map(fill).collect()),
        resources: spec.resources.clone(),
        overhead: spec.overhead.clone(),
        ..PodSpec::default()
    };
    spec_amounts(&filled, Side::Requests)
}
