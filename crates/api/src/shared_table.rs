//! A hash table that is cheap to copy: copies share what neither has changed since.
//!
//! What [`SharedMap`](crate::SharedMap) is for what must be in order, this is for what is only
//! looked up. Nobody sees an order of its entries, so that a run does not depend on the hash.

use std::sync::Arc;

/// How many entries a bucket has on average before there are twice as many buckets.
const LOAD: usize = 6;

/// Entries with their hashes, in buckets by the lowest bits of these.
#[derive(Clone, Debug)]
pub struct SharedTable<T> {
    /// A power of two, or none.
    buckets: Vec<Arc<Vec<(u64, T)>>>,
    len: usize,
}

impl<T> Default for SharedTable<T> {
    fn default() -> Self {
        Self { buckets: Vec::new(), len: 0 }
    }
}

impl<T> SharedTable<T> {
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

    /// The entry with this hash that `is` accepts.
    #[inline]
    pub fn find(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<&T> {
        let bucket = self.buckets.get(self.place(hash))?;
        bucket.iter().find(|it| it.0 == hash && is(&it.1)).map(|it| &it.1)
    }

    /// The bucket of a hash.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits count")]
    fn place(&self, hash: u64) -> usize {
        hash as usize & self.buckets.len().wrapping_sub(1)
    }
}

impl<T: Clone> SharedTable<T> {
    /// The entry with this hash that `is` accepts, for change.
    pub fn find_mut(&mut self, hash: u64, is: impl Fn(&T) -> bool) -> Option<&mut T> {
        let place = self.place(hash);
        let bucket = self.buckets.get_mut(place)?;
        let at = bucket.iter().position(|it| it.0 == hash && is(&it.1))?;
        Some(&mut own(bucket).get_mut(at)?.1)
    }

    /// Adds an entry. It is the caller who knows that it is not there.
    pub fn insert(&mut self, hash: u64, entry: T) {
        if self.len >= self.buckets.len() * LOAD {
            self.grow();
        }
        let place = self.place(hash);
        if let Some(bucket) = self.buckets.get_mut(place) {
            own(bucket).push((hash, entry));
            self.len += 1;
        }
    }

    /// Removes the entry with this hash that `is` accepts.
    pub fn remove(&mut self, hash: u64, is: impl Fn(&T) -> bool) -> Option<T> {
        let place = self.place(hash);
        let bucket = self.buckets.get_mut(place)?;
        let at = bucket.iter().position(|it| it.0 == hash && is(&it.1))?;
        self.len -= 1;
        Some(own(bucket).swap_remove(at).1)
    }

    /// Doubles the buckets.
    fn grow(&mut self) {
        let n = (self.buckets.len() * 2).max(4);
        let before = std::mem::take(&mut self.buckets);
        self.buckets.resize_with(n, || Arc::new(Vec::new()));
        for bucket in before {
            for (hash, entry) in Arc::unwrap_or_clone(bucket) {
                let place = self.place(hash);
                if let Some(bucket) = self.buckets.get_mut(place) {
                    own(bucket).push((hash, entry));
                }
            }
        }
    }
}

/// The entries of a bucket for change: copied if they are shared, with room for one more.
fn own<T: Clone>(bucket: &mut Arc<Vec<T>>) -> &mut Vec<T> {
    if Arc::get_mut(bucket).is_none() {
        let mut copy = Vec::with_capacity(bucket.len() + 1);
        copy.extend(bucket.iter().cloned());
        *bucket = Arc::new(copy);
    }
    Arc::make_mut(bucket)
}

/// A 64-bit hash of some bytes, going on from another.
#[must_use]
#[inline]
pub fn hash_bytes(mut state: u64, bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        state = mixed(state ^ word.try_into().map_or(0, u64::from_le_bytes));
    }
    let mut last = [0; 8];
    let rest = words.remainder();
    if let Some(place) = last.get_mut(..rest.len()) {
        place.copy_from_slice(rest);
    }
    // The length tells apart what ends with zeros and what was set together otherwise.
    mixed(mixed(state ^ u64::from_le_bytes(last)) ^ (bytes.len() as u64))
}

/// Spreads each bit of a word over the higher ones, and these over the lower ones.
#[inline]
fn mixed(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word ^ (word >> 29)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{SharedTable, hash_bytes};

    #[test]
    fn it_does_what_a_map_does_and_copies_stay_as_they_were() {
        for (seed, range, hashes) in [(1_u64, 40, 64), (2, 4_000, u64::MAX), (3, 300, 7)] {
            let mut random = seed;
            let mut next = |below: u64| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 33) % below
            };
            let mut table = SharedTable::default();
            let mut model = BTreeMap::new();
            let mut copies = Vec::new();
            for step in 0..6_000 {
                let key = next(range);
                // Few hashes: entries must be told apart by more than these.
                let hash = hash_bytes(0, &key.to_le_bytes()) % hashes;
                let is = |it: &(u64, u64)| it.0 == key;
                match next(6) {
                    0..3 => match table.find_mut(hash, is) {
                        Some(it) => {
                            let before = std::mem::replace(&mut it.1, step);
                            assert_eq!(Some(before), model.insert(key, step));
                        }
                        None => {
                            assert_eq!(model.insert(key, step), None);
                            table.insert(hash, (key, step));
                        }
                    },
                    3 => assert_eq!(table.remove(hash, is).map(|it| it.1), model.remove(&key)),
                    _ => assert_eq!(table.find(hash, is).map(|it| &it.1), model.get(&key)),
                }
                assert_eq!((table.len(), table.is_empty()), (model.len(), model.is_empty()));
                if step % 500 == 0 {
                    copies.push((table.clone(), model.clone()));
                }
            }
            for (table, model) in copies {
                for key in 0..range {
                    let hash = hash_bytes(0, &key.to_le_bytes()) % hashes;
                    let found = table.find(hash, |it| it.0 == key).map(|it| &it.1);
                    assert_eq!(found, model.get(&key));
                }
            }
        }
    }

    #[test]
    fn texts_that_differ_a_little_have_different_hashes() {
        let texts = ["", "\0", "a", "a\0", "abcdefgh", "abcdefgh\0", "abcdefghi", "abcdefgi"];
        let hashes: BTreeSet<_> = texts.iter().map(|it| hash_bytes(1, it.as_bytes())).collect();
        assert_eq!(hashes.len(), texts.len());
        let numbers = (0_u64..10_000).map(|it| hash_bytes(0, &it.to_le_bytes()) & 0xfff_ffff);
        assert!(numbers.collect::<BTreeSet<_>>().len() > 9_990);
    }
}
