//! Whom a client reaches, by which address.

use serde::{Deserialize, Serialize};

use crate::ObjectName;

/// Every way from one pod to the pods of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reach {
    /// The client.
    pub client: ObjectName,
    /// The node that it runs on; empty while it waits for one.
    pub node: String,
    /// The ways: Services by name, then the ports of nodes by address.
    pub ways: Vec<Way>,
}

/// How an address leads to a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WayKind {
    /// A Service with an address of its own: any of the targets, at random.
    #[default]
    Service,
    /// A Service whose name stands for the addresses of its pods.
    Headless,
    /// A port of the node that leads to one pod.
    HostPort,
    /// A port of a pod that is in the node's own network.
    HostNetwork,
}

/// One address, and who answers there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Way {
    /// How.
    pub kind: WayKind,
    /// What the client calls, such as `logger.default.svc:80` or `172.18.0.2:8080`.
    pub address: String,
    /// The Service; empty for ports of nodes.
    pub service: String,
    /// On the client's own node.
    pub local: bool,
    /// Only pods on the client's node answer: `internalTrafficPolicy: Local`.
    pub only_local: bool,
    /// Who may answer.
    pub targets: Vec<Target>,
    /// Why nobody answers; empty where somebody does.
    pub why_nobody: String,
}

/// A pod that answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Target {
    /// Its name.
    pub pod: String,
    /// Its node.
    pub node: String,
    /// Its own address with the port.
    pub address: String,
}
