//! The order in which kubectl sorts texts: numbers in them count as numbers.

use std::cmp::Ordering;

/// `a2` before `a10`. Upstream: `github.com/fvbommel/sortorder`.
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

/// The digits at the start without leading zeros, and the rest.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().take_while(|it| it.is_ascii_digit()).count();
    let zeros = text[..end].iter().take_while(|it| **it == b'0').count();
    (&text[zeros..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = ["a10", "a2", "b", "a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "a2", "a10", "b"]);
    }
}
