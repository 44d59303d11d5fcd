//! A sorted map that is cheap to copy: copies share what neither has changed since.
//!
//! The world of a run is copied again and again, for the checkpoints, while nearly all of it stays
//! the same. Entries lie in chunks; a copy shares the chunks, and a write copies one of them.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The most entries of a chunk: what one write copies after a copy was made.
const CHUNK: usize = 32;

/// Some entries, in order; at least one in a map.
#[derive(Clone)]
struct Chunk<K, V> {
    /// Not behind any key of the chunk, and behind those of the chunk before. That of the first
    /// chunk means nothing.
    floor: K,
    entries: Arc<Vec<(K, V)>>,
}

/// A sorted map in chunks.
#[derive(Clone)]
pub struct SharedMap<K, V> {
    chunks: Vec<Chunk<K, V>>,
    len: usize,
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.chunks.iter().flat_map(|it| it.entries.iter());
        f.debug_map().entries(entries.map(|(key, value)| (key, value))).finish()
    }
}

impl<K, V> SharedMap<K, V> {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &(K, V)> + Clone {
        self.chunks.iter().flat_map(|it| it.entries.iter())
    }

    /// The first entry.
    #[must_use]
    pub fn first(&self) -> Option<&(K, V)> {
        self.chunks.first()?.entries.first()
    }

    /// The entries from the first on that does not come `before` what is looked for.
    pub fn from<'a>(
        &'a self,
        before: &dyn Fn(&K) -> bool,
    ) -> impl Iterator<Item = &'a (K, V)> + Clone + use<'a, K, V> {
        let rest = self.chunks.get(1..).unwrap_or_default();
        let at = rest.partition_point(|it| before(&it.floor));
        let entries = self.chunks.get(at).map_or(&[][..], |it| &it.entries);
        let skip = entries.partition_point(|it| before(&it.0));
        let first = entries.get(skip..).unwrap_or_default();
        let rest = rest.get(at..).unwrap_or_default();
        first.iter().chain(rest.iter().flat_map(|it| it.entries.iter()))
    }

    /// The value of the key to which `order` is `Equal`; `order` says how a key compares to it.
    pub fn find(&self, order: impl Fn(&K) -> Ordering) -> Option<&V> {
        let (chunk, place) = self.place(order);
        Some(&self.chunks.get(chunk)?.entries.get(place.ok()?)?.1)
    }

    /// The chunk in which a key is or would be, and its place there.
    fn place(&self, order: impl Fn(&K) -> Ordering) -> (usize, Result<usize, usize>) {
        let rest = self.chunks.get(1..).unwrap_or_default();
        let at = rest.partition_point(|it| order(&it.floor).is_le());
        let entries = self.chunks.get(at).map_or(&[][..], |it| &it.entries);
        (at, entries.binary_search_by(|it| order(&it.0)))
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.find(|it| it.cmp(key))
    }

    /// The value of a key, for change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (chunk, place) = self.place(|it| it.cmp(key));
        let place = place.ok()?;
        Some(&mut self.chunks.get_mut(chunk)?.own().get_mut(place)?.1)
    }

    /// Sets the value of a key and returns the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (at, place) = self.place(|it| it.cmp(&key));
        let Some(chunk) = self.chunks.get_mut(at) else {
            self.chunks.push(Chunk::new(vec![(key.clone(), value)], key));
            self.len += 1;
            return None;
        };
        let place = match place {
            Ok(place) => {
                let entry = chunk.own().get_mut(place)?;
                return Some(std::mem::replace(&mut entry.1, value));
            }
            Err(place) => place,
        };
        self.len += 1;
        if chunk.entries.len() < CHUNK {
            chunk.own().insert(place, (key, value));
        } else if place == CHUNK {
            // Entries mostly come in order; then the chunks are full.
            let new = Chunk::new(vec![(key.clone(), value)], key);
            self.chunks.insert(at + 1, new);
        } else {
            let left = chunk.own();
            let mut right = Vec::with_capacity(CHUNK);
            right.extend(left.drain(CHUNK / 2..));
            let floor = right.first()?.0.clone();
            match place.checked_sub(left.len()) {
                Some(place) if place > 0 => right.insert(place, (key, value)),
                _ => left.insert(place, (key, value)),
            }
            self.chunks.insert(at + 1, Chunk::new(right, floor));
        }
        None
    }

    /// Removes a key and returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (at, place) = self.place(|it| it.cmp(key));
        self.take(at, place.ok()?).map(|it| it.1)
    }

    /// Removes the first entry.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        self.take(0, 0)
    }

    /// Keeps the entries that `keep` accepts.
    pub fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        let gone: Vec<K> =
            self.iter().filter(|it| !keep(&it.0, &it.1)).map(|it| it.0.clone()).collect();
        for key in gone {
            self.remove(&key);
        }
    }

    fn take(&mut self, at: usize, place: usize) -> Option<(K, V)> {
        let chunk = self.chunks.get_mut(at)?;
        if place >= chunk.entries.len() {
            return None;
        }
        self.len -= 1;
        let entry = chunk.own().remove(place);
        match chunk.entries.len() {
            0 => {
                self.chunks.remove(at);
            }
            n if n < CHUNK / 4 => {
                self.join(at);
                if let Some(before) = at.checked_sub(1) {
                    self.join(before);
                }
            }
            _ => {}
        }
        Some(entry)
    }

    /// Puts a chunk and the next one together, if the result leaves room for more.
    fn join(&mut self, at: usize) {
        let size = |at: usize| self.chunks.get(at).map_or(CHUNK, |it| it.entries.len());
        if size(at) + size(at + 1) <= CHUNK * 3 / 4 {
            let next = self.chunks.remove(at + 1);
            if let Some(chunk) = self.chunks.get_mut(at) {
                chunk.own().extend(next.entries.iter().cloned());
            }
        }
    }
}

impl<K, V> Chunk<K, V> {
    fn new(entries: Vec<(K, V)>, floor: K) -> Self {
        Self { floor, entries: Arc::new(entries) }
    }
}

impl<K: Clone, V: Clone> Chunk<K, V> {
    /// The entries for change: copied if they are shared, with room for all that may come.
    fn own(&mut self) -> &mut Vec<(K, V)> {
        if Arc::get_mut(&mut self.entries).is_none() {
            let mut copy = Vec::with_capacity(CHUNK);
            copy.extend(self.entries.iter().cloned());
            self.entries = Arc::new(copy);
        }
        Arc::make_mut(&mut self.entries)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{CHUNK, SharedMap};

    #[test]
    fn it_does_what_a_tree_map_does_and_copies_stay_as_they_were() {
        for (seed, range) in [(1_u64, 40), (2, 400), (3, 4_000), (4, 100_000)] {
            let mut random = seed;
            let mut next = |below: u64| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 33) % below
            };
            let mut map = SharedMap::default();
            let mut model = BTreeMap::new();
            let mut copies = Vec::new();
            for step in 0..6_000 {
                let key = next(range);
                match next(8) {
                    0..4 => assert_eq!(map.insert(key, step), model.insert(key, step)),
                    4 | 5 => assert_eq!(map.remove(&key), model.remove(&key)),
                    6 => assert_eq!(map.get_mut(&key).copied(), model.get_mut(&key).copied()),
                    _ => assert_eq!(map.pop_first(), model.pop_first()),
                }
                assert_eq!((map.len(), map.get(&key)), (model.len(), model.get(&key)));
                if step % 500 == 0 {
                    copies.push((map.clone(), model.clone()));
                }
            }
            copies.push((map, model));
            for (map, model) in copies {
                let entries: Vec<_> = map.iter().copied().collect();
                assert_eq!(entries, model.clone().into_iter().collect::<Vec<_>>());
                assert_eq!(map.first().map(|it| it.0), model.keys().next().copied());
                let middle = range / 2;
                let from: Vec<_> = map.from(&|it| *it < middle).copied().collect();
                assert_eq!(
                    from,
                    model.range(middle..).map(|it| (*it.0, *it.1)).collect::<Vec<_>>()
                );
                let sizes = map.chunks.iter().map(|it| it.entries.len());
                assert!(sizes.into_iter().all(|it| (1..=CHUNK).contains(&it)));
            }
        }
    }

    #[test]
    fn entries_in_order_fill_the_chunks() {
        let mut map = SharedMap::default();
        (0..10 * CHUNK).for_each(|it| assert_eq!(map.insert(it, ()), None));
        assert_eq!(map.chunks.len(), 10);
        map.retain(|it, ()| it % 16 == 0);
        assert!(map.len() == 20 && map.chunks.len() < 5);
    }
}
