//! What a node's resources would look like with the pod on it.
//!
//! Upstream: `pkg/scheduler/framework/plugins/noderesources/resource_allocation.go`, v1.36.

use crate::apis::config::ResourceSpec;
use crate::framework::intern::{Interner, Sym};
use crate::framework::types::{NodeInfo, PodInfo, is_scalar_resource};

/// A resource that is scored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Cpu,
    Memory,
    EphemeralStorage,
    Scalar(Sym),
    /// Neither the node nor the pod can have it.
    Other,
}

/// A resource that is scored, with what the pod asks of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) kind: Kind,
    pub(super) request: i64,
    pub(super) weight: i64,
}

/// One resource of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allocation {
    /// With the pod.
    pub(super) requested: i64,
    /// Without the pod.
    pub(super) allocated: i64,
    /// In all; 0 means that the resource does not count on this node.
    pub(super) allocatable: i64,
}

/// Which of the two sums of a node is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sum {
    /// Requests as they are.
    Requested,
    /// With the default for containers that do not say.
    NonZero,
}

/// Upstream: `calculatePodResourceRequestList`.
pub(super) fn wanted(
    resources: &[ResourceSpec],
    pod: &PodInfo,
    sum: Sum,
    interner: &mut Interner,
) -> Vec<Wanted> {
    let of = |spec: &ResourceSpec| {
        let (kind, request) = match spec.name.as_str() {
            "cpu" if sum == Sum::NonZero => (Kind::Cpu, pod.non_zero_cpu),
            "cpu" => (Kind::Cpu, pod.requests.milli_cpu),
            "memory" if sum == Sum::NonZero => (Kind::Memory, pod.non_zero_memory),
            "memory" => (Kind::Memory, pod.requests.memory),
            "ephemeral-storage" => (Kind::EphemeralStorage, pod.requests.ephemeral_storage),
            name if is_scalar_resource(name) => {
                let name = interner.intern(name);
                (Kind::Scalar(name), pod.requests.scalar(name).unwrap_or_default())
            }
            _ => (Kind::Other, 0),
        };
        Wanted { kind, request, weight: spec.weight }
    };
    resources.iter().map(of).collect()
}

/// Upstream: `calculateNodeAllocatableRequest` for one resource.
pub(super) fn allocation(wanted: Wanted, node: &NodeInfo, sum: Sum) -> Allocation {
    let (allocatable, allocated) = match wanted.kind {
        Kind::Cpu if sum == Sum::NonZero => (node.allocatable.milli_cpu, node.non_zero.0),
        Kind::Cpu => (node.allocatable.milli_cpu, node.requested.milli_cpu),
        Kind::Memory if sum == Sum::NonZero => (node.allocatable.memory, node.non_zero.1),
        Kind::Memory => (node.allocatable.memory, node.requested.memory),
        Kind::EphemeralStorage => {
            (node.allocatable.ephemeral_storage, node.requested.ephemeral_storage)
        }
        // A resource that the pod does not ask for does not count.
        Kind::Scalar(_) if wanted.request == 0 => (0, 0),
        Kind::Scalar(name) => {
            let allocated = node.requested.scalar(name).unwrap_or_default();
            (node.allocatable.scalar(name).unwrap_or_default(), allocated)
        }
        Kind::Other => (0, 0),
    };
    if allocatable == 0 {
        return Allocation { requested: 0, allocated: 0, allocatable: 0 };
    }
    Allocation { requested: allocated + wanted.request, allocated, allocatable }
}
