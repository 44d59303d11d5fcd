//! The places of objects: who knows the number finds the object at once.

use std::sync::Arc;

use crate::{Object, ObjectRef, PodRow};

/// So many places a write copies after a copy was made.
const PAGE: usize = 16;

/// An object, and of a pod what tables say of it.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) object: Object,
    pub(super) row: Option<Arc<PodRow>>,
}

impl Stored {
    pub(super) fn new(object: Object) -> Self {
        let row = match &object {
            Object::Pod(pod) => Some(Arc::new(PodRow::of(pod))),
            _ => None,
        };
        Self { object, row }
    }
}

/// Objects in numbered places. A copy shares the pages that neither has changed since.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    pages: Vec<Arc<[Option<Stored>; PAGE]>>,
    free: Vec<u32>,
}

impl Slots {
    /// What is at a place.
    #[inline]
    pub(super) fn get(&self, place: u32) -> Option<&Stored> {
        let place = place as usize;
        self.pages.get(place / PAGE)?.get(place % PAGE)?.as_ref()
    }

    /// The object at a place.
    #[inline]
    pub(super) fn object(&self, place: u32) -> Option<&Object> {
        self.get(place).map(|it| &it.object)
    }

    /// Whether the object at a place has this key.
    #[inline]
    pub(super) fn is_of(&self, place: u32, key: &ObjectRef) -> bool {
        self.object(place).is_some_and(|it| {
            it.kind() == key.kind && it.name() == key.name && it.namespace() == key.namespace
        })
    }

    /// Puts an object at a free place and returns its number.
    pub(super) fn add(&mut self, stored: Stored) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            let number = |place| u32::try_from(place).unwrap_or(u32::MAX);
            let first = self.pages.len() * PAGE;
            self.pages.push(Arc::default());
            self.free.extend((first + 1..first + PAGE).rev().map(number));
            number(first)
        });
        if let Some(it) = self.at(place) {
            *it = Some(stored);
        }
        place
    }

    /// Puts an object in the place of another and returns that.
    pub(super) fn replace(&mut self, place: u32, stored: Stored) -> Option<Object> {
        self.at(place)?.replace(stored).map(|it| it.object)
    }

    /// Takes an object away; its place is free.
    pub(super) fn take(&mut self, place: u32) -> Option<Object> {
        let stored = self.at(place)?.take()?;
        self.free.push(place);
        Some(stored.object)
    }

    /// How many pages there are.
    #[cfg(test)]
    pub(super) fn n_pages(&self) -> usize {
        self.pages.len()
    }

    fn at(&mut self, place: u32) -> Option<&mut Option<Stored>> {
        let place = place as usize;
        Arc::make_mut(self.pages.get_mut(place / PAGE)?).get_mut(place % PAGE)
    }
}
