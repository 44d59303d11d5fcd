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
pub type Collation = [u64; 3];

/// The collation of a text: of each number the digit zero, how many digits it has, and these; so
/// that longer numbers come later and all numbers stand to other characters as digits do.
#[must_use]
pub fn collation(text: &str) -> Collation {
    let mut bytes = [0; 24];
    let mut places = bytes.iter_mut();
    let mut put = |byte: u8| places.next().map(|it| *it = byte).is_some();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let goes_on = if first.is_ascii_digit() {
            let (digits, after) = number(rest);
            rest = after;
            let n = u8::try_from(digits.len()).unwrap_or(u8::MAX);
            // Of numbers that are too long to count the first digits tell nothing.
            put(b'0') && put(n) && n < u8::MAX && digits.iter().all(|it| put(*it))
        } else {
            rest = after;
            put(first)
        };
        if !goes_on {
            break;
        }
    }
    let (words, _) = bytes.as_chunks::<8>();
    [0, 1, 2].map(|at| u64::from_be_bytes(words[at]))
}

/// The digits at the start without leading zeros, and the rest.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().take_while(|it| it.is_ascii_digit()).count();
    let zeros = text[..end].iter().take_while(|it| **it == b'0').count();
    (&text[zeros..end], &text[end..])
}

/// Sorts `n` things by merging, with the results of a sort by insertion: the places in order. The
/// library's sort is not for this: it may panic where texts and quantities mix, whose order goes
/// round in circles.
#[must_use]
pub fn order(n: usize, less: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    merged((0..n).collect(), less)
}

fn merged(mut order: Vec<usize>, less: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    if order.len() < 2 {
        return order;
    }
    let right = merged(order.split_off(order.len() / 2), less);
    let left = merged(order, less);
    let mut result = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(&a), Some(&b)) = (left.peek(), right.peek()) {
        result.extend(if less(b, a) { right.next() } else { left.next() });
    }
    result.extend(left.chain(right));
    result
}

#[cfg(test)]
mod tests {
    use super::{collation, natural};

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = ["a10", "a2", "b", "a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "a2", "a10", "b"]);
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
    }
}
