//! What is known of one node's heartbeats.
//!
//! Upstream: `tryUpdateNodeHealth` in
//! `pkg/controller/nodelifecycle/node_lifecycle_controller.go`, v1.36.

use api::time::meta_time;
use api::{Resource, Timestamp, View};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, NodeCondition};

use super::{elapsed, next_tick};

pub(super) const LEASE_NAMESPACE: &str = "kube-node-lease";
const RENEWING: &str = "sim.orrery.dev/renewing";
/// Upstream: `--node-monitor-grace-period`.
const GRACE_MS: i64 = 50_000;
/// Upstream: `--node-startup-grace-period`.
const STARTUP_GRACE_MS: i64 = 60_000;
/// The conditions that the kubelet reports, in the order in which they are turned.
const CONDITIONS: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// The heartbeats of one node.
#[derive(Clone, Debug)]
pub(super) struct Health {
    /// When a sign of life was last noticed.
    probed: Timestamp,
    /// `status` of the Ready condition after the last pass.
    pub(super) ready: Option<String>,
    /// The lease is not being renewed: time alone will change something.
    pub(super) lost_contact: bool,
    heartbeat: Option<Timestamp>,
}

impl Health {
    pub(super) fn new(node: &Node, now: Timestamp) -> Self {
        let created = node.metadata.creation_timestamp.as_ref().map(|it| it.0);
        let probed = match ready_status(node) {
            Some(_) => now,
            None => created.unwrap_or(now),
        };
        Self { probed, ready: None, lost_contact: false, heartbeat: heartbeat(node) }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.ready.as_deref().is_some_and(|it| it != "True")
    }

    /// All nodes get another grace period when a cluster comes back.
    pub(super) fn forgive(&mut self, now: Timestamp) {
        self.probed = now;
    }

    /// Takes in what there is to see. Returns the node with its conditions Unknown if it has to be
    /// written so.
    pub(super) fn update(&mut self, node: &Node, view: &View<'_>) -> Option<Node> {
        let now = view.now;
        let beat = heartbeat(node);
        if beat != self.heartbeat {
            self.heartbeat = beat;
            // What the controller itself has written keeps the kubelet's time.
            self.probed = now;
        }
        let lease = view.listers.get::<Lease>(LEASE_NAMESPACE, node.name());
        let renewing = lease.is_some_and(|it| {
            let annotations = it.metadata.annotations.as_ref();
            annotations.and_then(|it| it.get(RENEWING)).is_some_and(|it| it == "true")
        });
        let renewed = lease.and_then(|it| it.spec.as_ref()?.renew_time.as_ref()).map(|it| it.0);
        if renewing {
            self.probed = now;
        } else if let Some(renewed) = renewed {
            // The pass that would have seen the last renewal.
            self.probed = self.probed.max(next_tick(renewed).min(now));
        }
        let grace = if ready_status(node).is_some() { GRACE_MS } else { STARTUP_GRACE_MS };
        let over = elapsed(self.probed, now) >= grace;
        let settled = over && ready_status(node) == Some("Unknown");
        self.lost_contact = !renewing && !settled;
        over.then(|| unknown(node, now)).flatten()
    }
}

/// The `status` of the Ready condition.
pub(super) fn ready_status(node: &Node) -> Option<&str> {
    ready(node).map(|it| it.status.as_str())
}

fn ready(node: &Node) -> Option<&NodeCondition> {
    let mut conditions = node.status.as_ref()?.conditions.iter().flatten();
    conditions.find(|it| it.type_ == "Ready")
}

fn heartbeat(node: &Node) -> Option<Timestamp> {
    ready(node)?.last_heartbeat_time.as_ref().map(|it| it.0)
}

/// The node with its conditions Unknown; `None` if Ready is so already.
fn unknown(node: &Node, now: Timestamp) -> Option<Node> {
    if ready_status(node) == Some("Unknown") {
        return None;
    }
    let mut new = node.clone();
    let conditions = new.status.get_or_insert_default().conditions.get_or_insert_default();
    for type_ in CONDITIONS {
        match conditions.iter_mut().find(|it| it.type_ == type_) {
            Some(it) if it.status != "Unknown" => {
                it.status = "Unknown".to_owned();
                it.reason = Some("NodeStatusUnknown".to_owned());
                it.message = Some("Kubelet stopped posting node status.".to_owned());
                it.last_transition_time = Some(meta_time(now));
            }
            Some(_) => {}
            None => conditions.push(NodeCondition {
                type_: type_.to_owned(),
                status: "Unknown".to_owned(),
                reason: Some("NodeStatusNeverUpdated".to_owned()),
                message: Some("Kubelet never posted node status.".to_owned()),
                last_heartbeat_time: node.metadata.creation_timestamp.clone(),
                last_transition_time: Some(meta_time(now)),
            }),
        }
    }
    Some(new)
}
