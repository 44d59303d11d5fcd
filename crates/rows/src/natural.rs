//! The order in which kubectl sorts.

use std::cmp::Ordering;

/// `a2` before `a10`: numbers in texts count as numbers. Upstream: `github.com/fvbommel/sortorder`.
#[must_use]
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a.as_bytes(), b.as_bytes());
    while let (Some(&p), Some(&q)) = (x.first(), y.first()) {
        if p.is_ascii_digit() && q.is_ascii_digit() {
            let (m, after_m) = number(x);
            let (n, after_n) = number(y);
            match m.len().cmp(&n.len()).then_with(|| m.cmp(n)) {
                Ordering::Equal => (x, y) = (after_m, after_n),
                other => return other,
            }
        } else if p == q {
            (x, y) = (&x[1..], &y[1..]);
        } else {
            return p.cmp(&q);
        }
    }
    x.len().cmp(&y.len()).then_with(|| a.cmp(b))
}

/// How a text begins in the natural order: texts whose collations differ sort as these do.
type Collation = [u8; 24];

/// The collation of a text: of each number the digit zero, how many digits it has, and these; so
/// that longer numbers come later and all numbers stand to other characters as digits do.
fn collation(text: &str) -> Collation {
    let mut bytes = Collation::default();
    let (mut rest, mut n) = (text.as_bytes(), 0);
    while let (Some((&first, after)), Some(place)) = (rest.split_first(), bytes.get_mut(n)) {
        n += 1;
        if !first.is_ascii_digit() {
            *place = first;
            rest = after;
            continue;
        }
        *place = b'0';
        let (digits, after) = number(rest);
        let length = u8::try_from(digits.len()).unwrap_or(u8::MAX);
        if let Some(place) = bytes.get_mut(n) {
            *place = length;
        }
        // Of numbers that are too long to count the first digits tell nothing.
        if length == u8::MAX {
            break;
        }
        n += 1;
        for digit in digits {
            let Some(place) = bytes.get_mut(n) else { return bytes };
            *place = *digit;
            n += 1;
        }
        rest = after;
    }
    bytes
}

/// The digits at the start without leading zeros, and the rest.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().take_while(|it| it.is_ascii_digit()).count();
    let zeros = text[..end].iter().take_while(|it| **it == b'0').count();
    (&text[zeros..end], &text[end..])
}

/// Sorts `n` things: their places in order. What is equal or goes round in circles comes out as from
/// a sort by insertion; the library's sort may panic with an order that does.
#[must_use]
pub fn order(n: usize, less: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    merged((0..n).collect(), |a, b| less(*a, *b))
}

/// Texts to be sorted in the natural order. Each is read when it is added, while it is near; of ten
/// thousand that lie all over the memory most are far again when the last was added.
#[derive(Debug, Default)]
pub struct Texts<'a> {
    texts: Vec<&'a str>,
    keys: Vec<Collation>,
}

impl<'a> Texts<'a> {
    /// None yet, with room for so many.
    #[must_use]
    pub fn with_capacity(n: usize) -> Self {
        Self { texts: Vec::with_capacity(n), keys: Vec::with_capacity(n) }
    }

    /// Adds a text.
    pub fn push(&mut self, text: &'a str) {
        self.texts.push(text);
        self.keys.push(collation(text));
    }

    /// The places of the texts in order.
    #[must_use]
    pub fn order(&self) -> Vec<usize> {
        let Self { texts, keys } = self;
        sorted(texts, keys)
    }
}

impl<'a> FromIterator<&'a str> for Texts<'a> {
    fn from_iter<I: IntoIterator<Item = &'a str>>(all: I) -> Self {
        let mut texts = Self::default();
        all.into_iter().for_each(|it| texts.push(it));
        texts
    }
}

fn sorted(texts: &[&str], keys: &[Collation]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    // Names of one workload differ in few bytes. As many of these as a word has are packed into one
    // beside the place of the text, so that sorting walks through the memory; the last bytes first.
    for places in differing(keys).rchunks(size_of::<u64>()) {
        let packed = order.iter().map(|at| {
            let key = &keys[*at];
            (places.iter().fold(0, |word, place| word << 8 | u64::from(key[*place])), *at)
        });
        let packed = by_bytes(packed.collect(), places.len());
        order.iter_mut().zip(packed).for_each(|(to, (_, at))| *to = at);
    }
    for alike in order.chunk_by_mut(|a, b| keys[*a] == keys[*b]) {
        if alike.len() > 1 {
            let less = |a: &usize, b: &usize| natural(texts[*a], texts[*b]).is_lt();
            let sorted = merged(alike.to_vec(), less);
            alike.copy_from_slice(&sorted);
        }
    }
    order
}

/// Sorts numbers: their places in order. Equals stay as they were.
#[must_use]
pub fn order_of_numbers(numbers: &[i64]) -> Vec<usize> {
    let least = numbers.iter().copied().min().unwrap_or_default();
    let words: Vec<(u64, usize)> =
        numbers.iter().map(|it| it.abs_diff(least)).zip(0..numbers.len()).collect();
    let most = words.iter().map(|it| it.0).max().unwrap_or_default();
    let n_bytes = (u64::BITS - most.leading_zeros()).div_ceil(u8::BITS);
    by_bytes(words, n_bytes as usize).into_iter().map(|it| it.1).collect()
}

/// The bytes in which not all keys are the same.
fn differing(keys: &[Collation]) -> Vec<usize> {
    let mut differ = Collation::default();
    for key in keys {
        let pairs = key.iter().zip(&keys[0]);
        differ.iter_mut().zip(pairs).for_each(|(to, (a, b))| *to |= a ^ b);
    }
    (0..differ.len()).filter(|it| differ[*it] != 0).collect()
}

/// Sorts words by their lowest bytes, from the last up; what is equal stays as it was.
fn by_bytes(mut words: Vec<(u64, usize)>, n_bytes: usize) -> Vec<(u64, usize)> {
    let mut other = words.clone();
    for n in 0..n_bytes {
        let byte = |word: u64| usize::from(word.to_le_bytes()[n]);
        let mut ends = [0; 256];
        words.iter().for_each(|it| ends[byte(it.0)] += 1);
        let mut start = 0;
        for end in &mut ends {
            start += std::mem::replace(end, start);
        }
        for it in &words {
            let to = &mut ends[byte(it.0)];
            other[*to] = *it;
            *to += 1;
        }
        std::mem::swap(&mut words, &mut other);
    }
    words
}

/// Sorts short runs by insertion, then merges runs to twice the length until one is left.
fn merged<T: Copy>(mut things: Vec<T>, less: impl Fn(&T, &T) -> bool) -> Vec<T> {
    const RUN: usize = 8;
    for run in things.chunks_mut(RUN) {
        for end in 1..run.len() {
            let mut at = end;
            while at > 0 && less(&run[at], &run[at - 1]) {
                run.swap(at, at - 1);
                at -= 1;
            }
        }
    }
    let mut other = things.clone();
    let mut width = RUN;
    while width < things.len() {
        for (from, to) in things.chunks(2 * width).zip(other.chunks_mut(2 * width)) {
            let (mut left, mut right) = from.split_at(width.min(from.len()));
            for place in to {
                let from = match (left.first(), right.first()) {
                    (Some(a), Some(b)) if less(b, a) => &mut right,
                    (Some(_), _) => &mut left,
                    (None, _) => &mut right,
                };
                if let Some((first, rest)) = from.split_first() {
                    *place = *first;
                    *from = rest;
                }
            }
        }
        std::mem::swap(&mut things, &mut other);
        width *= 2;
    }
    things
}

#[cfg(test)]
mod tests {
    use super::{Texts, collation, natural, order, order_of_numbers};

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = ["a10", "a2", "b", "a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "a2", "a10", "b"]);
    }

    #[test]
    fn texts_that_differ_in_nothing_that_counts_stay_as_they_were() {
        let texts = ["b", "a10", "a02", "a2", "b", "a10"];
        assert_eq!(Texts::from_iter(texts).order(), [2, 3, 1, 5, 0, 4]);
    }

    #[test]
    fn numbers_are_sorted_and_equals_stay_as_they_were() {
        let mut numbers: Vec<i64> = (0..300).map(|it| it * 7919 % 211 * 300 - 400).collect();
        for n in [0, 1, 2, 20, 300] {
            let mut expected: Vec<usize> = (0..n).collect();
            expected.sort_by_key(|it| numbers[*it]);
            assert_eq!(order_of_numbers(&numbers[..n]), expected);
            numbers.extend([i64::MIN, i64::MAX, i64::MIN]);
            numbers.rotate_right(3);
        }
    }

    #[test]
    fn collations_sort_as_the_texts_unless_they_are_equal() {
        let parts = ["a", "-", "0", "7", "10", "010", "9", "\u{e9}", "zebra", ".", "x12"];
        let long = "9".repeat(300);
        let mut texts = vec![String::new(), long.clone(), format!("{long}1"), format!("1{long}")];
        for a in parts {
            for b in parts {
                texts.extend([format!("{a}{b}"), format!("x{a}{b}9")]);
            }
        }
        for a in &texts {
            for b in &texts {
                let order = collation(a).cmp(&collation(b));
                assert!(order.is_eq() || order == natural(a, b), "{a} {b}");
            }
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let added: Texts<'_> = texts.iter().copied().collect();
        let sorted = order(texts.len(), &|a, b| natural(texts[a], texts[b]).is_lt());
        let named = |order: Vec<usize>| order.into_iter().map(|at| texts[at]).collect::<Vec<_>>();
        assert_eq!(named(added.order()), named(sorted));
    }
}
