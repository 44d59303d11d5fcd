//! Rows lie all over the memory, and the processor waits long for each. So some rows are touched
//! before they are put: in a short loop in which no read needs another, it waits for all at once.

use std::collections::BTreeMap;
use std::hint::black_box;

use api::{Event, PodRow};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// How many rows are brought near at a time: as many as stay near.
pub const BLOCK: usize = 32;

/// Brings the rows of some pods near.
pub fn pods_near<'a>(rows: impl Iterator<Item = &'a PodRow>) {
    let mut sum = 0;
    for row in rows {
        sum += row.ready.0 + usize::from(row.plain) + row.name.len() + row.reason.len();
        sum += row.namespace.len() + row.ip.len() + row.node.len() + row.nominated_node.len();
    }
    black_box(sum);
}

/// Brings the labels of some objects near.
pub fn labels_near<'a>(objects: impl Iterator<Item = &'a ObjectMeta> + Clone) {
    let mut sum = 0;
    for it in objects.clone() {
        sum += it.labels.as_ref().map_or(0, BTreeMap::len);
    }
    for (key, value) in objects.filter_map(|it| it.labels.as_ref()?.first_key_value()) {
        sum += usize::from(key.starts_with('/')) + usize::from(value.starts_with('/'));
    }
    black_box(sum);
}

/// Brings near what some events are about.
pub fn facts_near<'a>(events: impl Iterator<Item = &'a Event>) {
    let mut sum = 0;
    for it in events.filter_map(Event::facts) {
        let about = &it.spec.regarding;
        sum += it.spec.reason.len() + it.spec.message.len() + about.namespace.len();
        sum += about.name.len() + usize::from(it.count > 1);
    }
    black_box(sum);
}

/// Brings some events near, with what they say.
pub fn events_near<'a>(events: impl Iterator<Item = &'a Event> + Clone) {
    facts_near(events.clone());
    let mut sum = 0;
    for it in events.filter_map(Event::facts) {
        let message = it.spec.message.as_bytes();
        sum += usize::from(message.first().is_some_and(|it| *it == 0));
        sum += usize::from(message.last().is_some_and(|it| *it == 0));
    }
    black_box(sum);
}
