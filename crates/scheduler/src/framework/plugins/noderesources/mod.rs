//! Room for the pod's requests, and scores by how full a node is or would be.

pub mod balanced_allocation;
pub mod fit;
mod least_allocated;
mod most_allocated;
mod requested_to_capacity_ratio;
mod resource_allocation;
