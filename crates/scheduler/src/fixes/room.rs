//! How many more of a pod fit: copies are placed one after another, as the scheduler would.

use std::sync::Arc;

use api::order::Order as _;
use api::{Objects, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use view::Room;

use crate::Scheduler;

/// So many copies are placed.
const MAX_COPIES: usize = 1_000;
/// So many nodes are looked at in all.
const MAX_LOOKS: usize = 1_000_000;

impl Scheduler {
    /// Places copies of a pod until one finds no node. They have its labels, so that what the pod
    /// says about pods like itself holds among them.
    #[must_use]
    pub fn room(&self, pod: &Arc<Pod>, objects: &Objects, now: Timestamp, seed: u64) -> Room {
        let mut scheduler = self.clone();
        let n_nodes = scheduler.cache.n_nodes().max(1);
        let most = MAX_COPIES.min(MAX_LOOKS / n_nodes).max(1);
        let mut room = Room::default();
        loop {
            let copy = Arc::new(copy_of(pod, room.n));
            if room.n >= most {
                room.more = true;
                break;
            }
            let placed = match scheduler.gate(&copy) {
                Ok(()) => scheduler.place(&copy, objects, now, seed),
                Err(_) => None,
            };
            let Some(id) = placed else {
                let found = scheduler.evaluate(&copy, objects, now, seed);
                room.next = found.map(|(_, diagnosis)| diagnosis);
                break;
            };
            let node = scheduler.node_name(id);
            match room.nodes.iter_mut().find(|(it, _)| it == node) {
                Some((_, n)) => *n += 1,
                None => room.nodes.push((node.to_owned(), 1)),
            }
            room.n += 1;
        }
        room.nodes.order();
        room
    }
}

/// A pod like another that has no node yet.
fn copy_of(pod: &Pod, number: usize) -> Pod {
    let mut copy = pod.clone();
    let name = copy.metadata.name.get_or_insert_default();
    *name = format!("{name}-copy-{}", number + 1);
    copy.metadata.uid = Some(name.clone());
    copy.metadata.deletion_timestamp = None;
    copy.status = None;
    if let Some(spec) = &mut copy.spec {
        spec.node_name = None;
    }
    copy
}
