//! Sorting for code that runs seldom. Each use of the standard library's sort compiles the whole
//! algorithm once more, 3 to 15 kB of a module that is downloaded; here it is compiled once, for
//! indices. Hot paths and small numbers sort with the standard library.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Stable sorting of slices, small in code.
pub trait Order<T> {
    /// As `sort`.
    fn order(&mut self)
    where
        T: Ord;
    /// As `sort_by`.
    fn order_by(&mut self, compare: impl Fn(&T, &T) -> Ordering);
    /// As `sort_by_cached_key`: the key is made once for each item.
    fn order_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K);
}

impl<T> Order<T> for [T] {
    fn order(&mut self)
    where
        T: Ord,
    {
        self.order_by(T::cmp);
    }

    fn order_by(&mut self, compare: impl Fn(&T, &T) -> Ordering) {
        let order = sorted(self.len(), &|a, b| match (self.get(a), self.get(b)) {
            (Some(a), Some(b)) => compare(a, b),
            _ => Ordering::Equal,
        });
        permute(self, order);
    }

    fn order_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K) {
        let mut keys = Vec::with_capacity(self.len());
        for item in self.iter() {
            keys.push(key(item));
        }
        let order = sorted(self.len(), &|a, b| keys.get(a).cmp(&keys.get(b)));
        permute(self, order);
    }
}

/// A map from entries, the last of equal keys wins; without the sort that `collect` brings.
pub fn map<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    entries.into_iter().to_map()
}

/// As `collect` into a map or a set, without the sort that it brings.
pub trait Gather: Iterator + Sized {
    /// Of equal keys the last wins.
    fn to_map<K: Ord, V>(self) -> BTreeMap<K, V>
    where
        Self: Iterator<Item = (K, V)>,
    {
        let mut map = BTreeMap::new();
        for (key, value) in self {
            map.insert(key, value);
        }
        map
    }

    /// A JSON object; of equal keys the last wins.
    fn to_object(self) -> Map<String, Value>
    where
        Self: Iterator<Item = (String, Value)>,
    {
        let mut map = Map::new();
        for (key, value) in self {
            map.insert(key, value);
        }
        map
    }

    /// Each item once.
    fn to_set(self) -> BTreeSet<Self::Item>
    where
        Self::Item: Ord,
    {
        let mut set = BTreeSet::new();
        for item in self {
            set.insert(item);
        }
        set
    }
}

impl<I: Iterator> Gather for I {}

/// The indices below `n` in the order that `compare` of two indices gives.
#[inline(never)]
fn sorted(n: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| compare(*a, *b));
    order
}

/// Puts the item of index `order[i]` at place `i`, along the cycles of the permutation.
fn permute<T>(items: &mut [T], mut order: Vec<usize>) {
    for start in 0..items.len() {
        let mut at = start;
        while let Some(place) = order.get_mut(at) {
            let next = std::mem::replace(place, at);
            if next == start || next == at {
                break;
            }
            items.swap(at, next);
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, map};

    /// A small generator: the tests need many orders, not good randomness.
    fn numbers(n: usize, seed: u32) -> Vec<u32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 26
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn the_order_is_that_of_the_standard_library_and_stable() {
        for seed in 0..200 {
            let mut wanted: Vec<(u32, usize)> = numbers(usize::try_from(seed % 37).unwrap(), seed)
                .into_iter()
                .enumerate()
                .map(|(at, it)| (it, at))
                .collect();
            let (mut by_key, mut by) = (wanted.clone(), wanted.clone());
            wanted.sort_by_key(|it| it.0);
            by_key.order_by_key(|it| it.0);
            by.order_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(by_key, wanted);
            assert_eq!(by, wanted);
            let mut words: Vec<String> = wanted.iter().rev().map(|it| it.0.to_string()).collect();
            let mut sorted = words.clone();
            sorted.sort();
            words.order();
            assert_eq!(words, sorted);
        }
    }

    #[test]
    fn the_last_of_equal_keys_wins() {
        assert_eq!(
            map([(1, 'a'), (0, 'b'), (1, 'c')]).into_iter().collect::<Vec<_>>(),
            [(0, 'b'), (1, 'c')]
        );
    }
}
