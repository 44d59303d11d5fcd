//! Strings as numbers: label keys and values, names and images are compared as integers.
//!
//! Differs from upstream: labels are interned, because a scheduler in a browser tab has to compare
//! them some thousands of times for each pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::template::Templates;

/// A string that was interned. Equal strings have equal symbols; the order is that of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sym(u32);

/// All strings that the scheduler has met. It only grows: by two for each Job, whose pods have
/// labels of their own.
#[derive(Clone, Debug, Default)]
pub struct Interner {
    /// Symbols at the place that the hash of their string says, or behind it; [`FREE`] between
    /// them. At least a quarter of the places is free, and their number is a power of two.
    places: Pieces<u32>,
    names: Pieces<(Arc<str>, Option<i64>)>,
    pub(super) templates: Templates,
}

const FREE: u32 = u32::MAX;

/// The least number of places.
const FEW: usize = 64;

/// How many items a piece has; a power of two.
const PIECE: usize = 512;

/// A list of which copies share what neither has changed since. The scheduler is copied with each
/// checkpoint of a run, and this list is the one thing in it that is as long as the run.
#[derive(Clone, Debug)]
struct Pieces<T> {
    all: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self { all: Vec::new(), len: 0 }
    }
}

impl<T: Clone> Pieces<T> {
    /// So many times the same.
    fn filled(item: &T, len: usize) -> Self {
        let starts = (0..len).step_by(PIECE);
        let piece = |start: usize| Arc::new(vec![item.clone(); PIECE.min(len - start)]);
        Self { all: starts.map(piece).collect(), len }
    }

    fn get(&self, at: usize) -> Option<&T> {
        self.all.get(at / PIECE)?.get(at % PIECE)
    }

    fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        Arc::make_mut(self.all.get_mut(at / PIECE)?).get_mut(at % PIECE)
    }

    fn push(&mut self, item: T) {
        match self.all.last_mut() {
            Some(last) if last.len() < PIECE => Arc::make_mut(last).push(item),
            _ => self.all.push(Arc::new(vec![item])),
        }
        self.len += 1;
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.iter().flat_map(|it| it.iter())
    }
}

impl Interner {
    /// The symbol of a string.
    pub fn intern(&mut self, text: &str) -> Sym {
        if let Some(sym) = self.get(text) {
            return sym;
        }
        let sym = Sym(u32::try_from(self.names.len).unwrap_or(FREE - 1));
        self.names.push((text.into(), text.parse().ok()));
        if self.names.len * 4 > self.places.len * 3 {
            self.spread();
        } else {
            occupy(&mut self.places, text, sym);
        }
        sym
    }

    /// The symbol of a string that was met before.
    #[must_use]
    pub fn get(&self, text: &str) -> Option<Sym> {
        let mask = self.places.len.checked_sub(1)?;
        let mut at = first_place(text, mask);
        loop {
            let sym = self.places.get(at).copied().filter(|it| *it != FREE)?;
            if self.text(Sym(sym)) == text {
                return Some(Sym(sym));
            }
            at = (at + 1) & mask;
        }
    }

    /// Makes twice as many places.
    fn spread(&mut self) {
        let mut places = Pieces::filled(&FREE, (self.places.len * 2).max(FEW));
        for ((text, _), at) in self.names.iter().zip(0..) {
            occupy(&mut places, text, Sym(at));
        }
        self.places = places;
    }

    /// The string behind a symbol.
    #[must_use]
    pub fn text(&self, sym: Sym) -> &str {
        self.names.get(sym.0 as usize).map_or("", |(name, _)| name)
    }

    /// The string read as a decimal integer, as `Gt` and `Lt` do.
    #[must_use]
    pub fn integer(&self, sym: Sym) -> Option<i64> {
        self.names.get(sym.0 as usize)?.1
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the mask takes the low bits anyway")]
fn first_place(text: &str, mask: usize) -> usize {
    crate::schedule_one::hash(0, &[text]) as usize & mask
}

/// Puts a symbol at its place or behind it; there must be a free one.
fn occupy(places: &mut Pieces<u32>, text: &str, sym: Sym) {
    let mask = places.len - 1;
    let mut at = first_place(text, mask);
    while places.get(at).is_some_and(|it| *it != FREE) {
        at = (at + 1) & mask;
    }
    if let Some(place) = places.get_mut(at) {
        *place = sym.0;
    }
}

/// Labels, sorted by the symbol of their key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Box<[(Sym, Sym)]>);

impl Labels {
    /// Interns a map of labels.
    pub fn new(labels: Option<&BTreeMap<String, String>>, interner: &mut Interner) -> Self {
        let pairs = labels.into_iter().flatten();
        let mut pairs: Vec<_> =
            pairs.map(|(key, value)| (interner.intern(key), interner.intern(value))).collect();
        pairs.sort_unstable();
        Self(pairs.into())
    }

    /// The value of a label.
    #[must_use]
    pub fn get(&self, key: Sym) -> Option<Sym> {
        if self.0.len() <= 8 {
            return self.0.iter().find(|(it, _)| *it == key).map(|(_, value)| *value);
        }
        let at = self.0.binary_search_by_key(&key, |(it, _)| *it).ok()?;
        self.0.get(at).map(|(_, value)| *value)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_have_equal_symbols_however_many_there_are() {
        let mut interner = Interner::default();
        assert_eq!(interner.get("a"), None);
        let syms: Vec<Sym> = (0..5_000).map(|it| interner.intern(&format!("name-{it}"))).collect();
        for (at, sym) in syms.iter().enumerate() {
            let text = format!("name-{at}");
            assert_eq!((interner.get(&text), interner.intern(&text)), (Some(*sym), *sym));
            assert_eq!(interner.text(*sym), text);
        }
        assert_eq!(interner.get("name-5000"), None);
        let mut copy = interner.clone();
        let (theirs, ours) = (copy.intern("b"), interner.intern("c"));
        assert_eq!((copy.text(theirs), interner.text(ours)), ("b", "c"));
        assert_eq!((copy.get("c"), interner.get("b")), (None, None));
        let seven = interner.intern("007");
        assert_eq!(interner.integer(seven), Some(7));
    }
}
