//! Keeps as many pods alive as a ReplicaSet asks for.

mod replica_set;

pub use replica_set::ReplicaSetController;
