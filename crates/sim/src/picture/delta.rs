//! What changed since the page last asked.

use api::Gather;
use api::k8s_openapi::api::core::v1::{Node, Pod};
use api::{Event, Kind, Listers, Object, ObjectRef, Timestamp, Zones};
use view::{Delta, EventRow, ObjectName};

use super::workload::Clock;
use super::{node, pod, workload};

/// A state of the cluster and what is needed to draw it.
pub(crate) struct Frame<'a> {
    pub(crate) start: Timestamp,
    pub(crate) now: Timestamp,
    pub(crate) zones: &'a Zones,
    pub(crate) listers: Listers<'a>,
}

/// The whole picture.
pub(crate) fn full(frame: &Frame<'_>, revision: u64) -> Delta {
    let mut delta = Delta { revision, full: true, ..Delta::default() };
    for kind in Kind::ALL {
        for object in frame.listers.0.list(*kind) {
            add(frame, object, &mut delta);
        }
    }
    delta.others = others(&frame.listers);
    delta
}

/// The objects behind the changed keys, as they are now.
pub(crate) fn since<'k>(
    frame: &Frame<'_>,
    keys: impl Iterator<Item = &'k ObjectRef>,
    revision: u64,
) -> Delta {
    let mut delta = Delta { revision, ..Delta::default() };
    let mut others_changed = false;
    for key in keys.to_set() {
        others_changed |= is_other(key.kind);
        match frame.listers.object(key) {
            Some(object) => add(frame, object, &mut delta),
            None if key.kind == Kind::Lease => {}
            None => delta.removed.push(key.to_view()),
        }
    }
    if others_changed {
        delta.others = others(&frame.listers);
    }
    delta
}

fn add(frame: &Frame<'_>, object: &Object, delta: &mut Delta) {
    let listers = &frame.listers;
    if let Some(it) = object.as_kind::<Node>() {
        delta.nodes.push(node::node_card(it, listers));
    } else if let Some(it) = object.as_kind::<Pod>() {
        delta.pods.push(pod::pod_tile(object, it, frame.start, listers));
    } else if let Some(it) = object.as_kind::<Event>() {
        delta.events.push(event_row(it, frame.start));
    } else if workload::is_workload(object.kind()) {
        let clock = Clock { start: frame.start, now: frame.now, zones: frame.zones };
        delta.workloads.extend(workload::workload(object, &clock, listers));
    }
}

/// Kinds that only have a line in a list. Leases change without anyone's doing.
fn is_other(kind: Kind) -> bool {
    let drawn = matches!(kind, Kind::Node | Kind::Pod | Kind::Event | Kind::Lease);
    !drawn && !workload::is_workload(kind)
}

fn others(listers: &Listers<'_>) -> Vec<ObjectName> {
    let kinds = Kind::ALL.iter().copied().filter(|it| is_other(*it));
    kinds.flat_map(|kind| listers.0.list(kind)).map(|it| it.object_ref().to_view()).collect()
}

fn event_row(event: &Event, start: Timestamp) -> EventRow {
    let seen = event.last_timestamp().or(event.first_timestamp()).or(event.event_time());
    let at = seen.or(event.created());
    let source = match event.component() {
        "" => event.reporting_component(),
        it => it,
    };
    EventRow {
        key: event.name().to_owned(),
        at_ms: at.map_or(0, |it| api::time::ms_between(start, it)),
        level: event.type_name().to_owned(),
        reason: event.reason().to_owned(),
        object: ObjectName {
            kind: event.about_kind().to_owned(),
            namespace: event.about_namespace().to_owned(),
            name: event.about_name().to_owned(),
        },
        message: event.message().to_owned(),
        source: source.to_owned(),
        count: event.count().max(1),
    }
}
