//! Strings as numbers: label keys and values, names and images are compared as integers.
//!
//! Differs from upstream: labels are interned, because a scheduler in a browser tab has to compare
//! them some thousands of times for each pod.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A string that was interned. Equal strings have equal symbols; the order is that of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sym(u32);

/// All strings that the scheduler has met. It only grows.
#[derive(Clone, Debug, Default)]
pub struct Interner {
    ids: Arc<BTreeMap<Arc<str>, Sym>>,
    names: Arc<Vec<(Arc<str>, Option<i64>)>>,
}

impl Interner {
    /// The symbol of a string.
    pub fn intern(&mut self, text: &str) -> Sym {
        if let Some(sym) = self.ids.get(text) {
            return *sym;
        }
        let sym = Sym(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        let name: Arc<str> = text.into();
        Arc::make_mut(&mut self.names).push((name.clone(), text.parse().ok()));
        Arc::make_mut(&mut self.ids).insert(name, sym);
        sym
    }

    /// The symbol of a string that was met before.
    #[must_use]
    pub fn get(&self, text: &str) -> Option<Sym> {
        self.ids.get(text).copied()
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
