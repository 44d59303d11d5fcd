//! Rolls out templates by scaling one ReplicaSet up and the others down.

mod deployment_controller;
mod deployment_util;
mod progress;
mod recreate;
mod rolling;
mod sync;
#[cfg(test)]
mod tests;

pub use deployment_controller::DeploymentController;
