//! Rows lie all over the memory, and the processor waits long for each. So some rows are touched
//! before they are put: in a short loop in which no read needs another, it waits for all at once.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::mem;

use api::{Event, Kind, Object, Objects, PodRow};

/// How many rows are brought near at a time: as many as stay near.
pub const BLOCK: usize = 32;

/// An object, and what a table says of it where the store keeps that.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The object.
    pub object: &'a Object,
    /// See [`api::Objects::rows`].
    pub row: Option<&'a PodRow>,
    /// Its name; of what comes from the store it is read where the list is, not in the object.
    pub name: &'a str,
}

impl<'a> Listed<'a> {
    /// Objects that were copied out of the store.
    #[must_use]
    pub fn all(objects: &'a [Object]) -> Vec<Self> {
        objects.iter().map(Self::of).collect()
    }

    /// An object alone.
    #[must_use]
    pub fn of(object: &'a Object) -> Self {
        Self { object, row: None, name: object.name() }
    }
}

/// The objects of a kind, in one namespace or in all.
#[must_use]
pub fn listed<'a>(objects: &'a Objects, kind: Kind, namespace: Option<&str>) -> Vec<Listed<'a>> {
    let mut all = Vec::with_capacity(objects.count(kind));
    let rows = objects.rows(kind, namespace);
    rows.for_each(|(name, object, row)| all.push(Listed { object, row, name }));
    all
}

/// Events, at least all that are about something of this name, in one namespace or in all.
#[must_use]
pub fn listed_about<'a>(
    objects: &'a Objects,
    name: &str,
    namespace: Option<&str>,
) -> Vec<Listed<'a>> {
    let all = objects.events_about(name, namespace);
    all.map(Listed::of).collect()
}

/// Adjacent objects of the same kind.
#[must_use]
pub fn runs_of_kinds<'a, 'b>(listed: &'b [Listed<'a>]) -> Vec<&'b [Listed<'a>]> {
    listed.chunk_by(|a, b| mem::discriminant(a.object) == mem::discriminant(b.object)).collect()
}

/// Brings near what a table says of some objects of one kind.
pub fn rows_near(block: &[Listed<'_>]) {
    match block.first() {
        Some(Listed { object: Object::Event(_), .. }) => events_near(block),
        Some(_) => pods_near(block),
        None => {}
    }
}

fn pods_near(block: &[Listed<'_>]) {
    let mut sum = 0;
    for row in block.iter().filter_map(|it| it.row) {
        sum += row.ready.0 + usize::from(row.plain) + row.name.len() + row.reason.len();
        sum += row.namespace.len() + row.ip.len() + row.node.len() + row.nominated_node.len();
    }
    black_box(sum);
}

/// Brings the labels of some objects near.
pub fn labels_near(block: &[Listed<'_>]) {
    let mut sum = 0;
    for it in block {
        sum += it.object.meta().labels.as_ref().map_or(0, BTreeMap::len);
    }
    let labels = block.iter().filter_map(|it| it.object.meta().labels.as_ref());
    for (key, value) in labels.filter_map(BTreeMap::first_key_value) {
        sum += usize::from(key.starts_with('/')) + usize::from(value.starts_with('/'));
    }
    black_box(sum);
}

/// Brings near what some events are about.
pub fn facts_near(events: &[&Event]) {
    let mut sum = 0;
    for event in events {
        sum += facts_of(event);
    }
    black_box(sum);
}

fn facts_of(event: &Event) -> usize {
    let Some(it) = event.facts() else { return 0 };
    let about = &it.spec.regarding;
    about.namespace.len()
        + about.name.len()
        // What is short stands in the name itself, perhaps behind all that was read so far.
        + about.name.as_bytes().last().map_or(0, |it| usize::from(*it))
        + usize::from(it.count > 1)
}

/// Brings near what tables say of some events.
fn events_near(block: &[Listed<'_>]) {
    let mut sum = 0;
    for it in block {
        if let Object::Event(event) = it.object {
            sum += event.row().map_or(0, |it| it.text().len() + usize::from(it.warning));
        }
    }
    for it in block {
        if let Object::Event(event) = it.object
            && let Some(row) = event.row()
        {
            let text = row.text().as_bytes();
            for at in [0, 64, 128] {
                sum += usize::from(text.get(at).is_some_and(|it| *it == 0));
            }
            sum += usize::from(text.last().is_some_and(|it| *it == 0));
        }
    }
    black_box(sum);
}
