//! Unified differences of texts, as the server shows them for fields that cannot change.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/util/diff/diff.go` and the package
//! `github.com/pmezard/go-difflib`, itself after Python's `difflib`, v1.36.

use api::Order;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const CONTEXT: usize = 3;

/// What becomes of a range of lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tag {
    Equal,
    Change,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    tag: Tag,
    a: (usize, usize),
    b: (usize, usize),
}

/// The difference of two texts, with three lines around each change; empty when they are equal.
pub(crate) fn unified(a: &str, b: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.split('\n').collect(), b.split('\n').collect());
    let mut text = String::new();
    for group in grouped(&blocks(&a, &b)) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let _ =
            writeln!(text, "@@ -{} +{} @@", range(first.a.0, last.a.1), range(first.b.0, last.b.1));
        for block in &group {
            let (old, new) = (&a[block.a.0..block.a.1], &b[block.b.0..block.b.1]);
            if block.tag == Tag::Equal {
                old.iter().for_each(|line| {
                    let _ = writeln!(text, " {line}");
                });
                continue;
            }
            for line in old {
                let _ = writeln!(text, "-{line}");
            }
            for line in new {
                let _ = writeln!(text, "+{line}");
            }
        }
    }
    text
}

fn range(start: usize, end: usize) -> String {
    match end - start {
        1 => (start + 1).to_string(),
        0 => format!("{start},0"),
        length => format!("{},{length}", start + 1),
    }
}

/// Where each line of the second text is; lines that are very common in a long text do not count.
fn index<'a>(b: &[&'a str]) -> BTreeMap<&'a str, Vec<usize>> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, line) in b.iter().enumerate() {
        places.entry(line).or_default().push(at);
    }
    if b.len() >= 200 {
        let most = b.len() / 100 + 1;
        places.retain(|_, it| it.len() <= most);
    }
    places
}

/// The longest run of equal lines in two ranges: where it starts in both, and how long it is.
fn longest(
    a: &[&str],
    b: &[&str],
    places: &BTreeMap<&str, Vec<usize>>,
    (a_from, a_to, b_from, b_to): (usize, usize, usize, usize),
) -> (usize, usize, usize) {
    let (mut best_a, mut best_b, mut best) = (a_from, b_from, 0);
    let mut runs: BTreeMap<usize, usize> = BTreeMap::new();
    for (i, line) in a.iter().enumerate().take(a_to).skip(a_from) {
        let mut next = BTreeMap::new();
        for &j in places.get(line).into_iter().flatten() {
            if j < b_from {
                continue;
            }
            if j >= b_to {
                break;
            }
            let before = j.checked_sub(1).and_then(|it| runs.get(&it)).copied();
            let length = before.unwrap_or_default() + 1;
            next.insert(j, length);
            if length > best {
                (best_a, best_b, best) = (i + 1 - length, j + 1 - length, length);
            }
        }
        runs = next;
    }
    while best_a > a_from && best_b > b_from && a[best_a - 1] == b[best_b - 1] {
        (best_a, best_b, best) = (best_a - 1, best_b - 1, best + 1);
    }
    while best_a + best < a_to && best_b + best < b_to && a[best_a + best] == b[best_b + best] {
        best += 1;
    }
    (best_a, best_b, best)
}

fn blocks(a: &[&str], b: &[&str]) -> Vec<Block> {
    let places = index(b);
    let mut matches = Vec::new();
    let mut ranges = vec![(0, a.len(), 0, b.len())];
    while let Some(range) = ranges.pop() {
        let (a_from, a_to, b_from, b_to) = range;
        let (i, j, length) = longest(a, b, &places, range);
        if length == 0 {
            continue;
        }
        matches.push((i, j, length));
        if a_from < i && b_from < j {
            ranges.push((a_from, i, b_from, j));
        }
        if i + length < a_to && j + length < b_to {
            ranges.push((i + length, a_to, j + length, b_to));
        }
    }
    matches.order();
    matches.push((a.len(), b.len(), 0));
    let mut blocks: Vec<Block> = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (a_at, b_at, length) in matches {
        if i < a_at || j < b_at {
            blocks.push(Block { tag: Tag::Change, a: (i, a_at), b: (j, b_at) });
        }
        (i, j) = (a_at + length, b_at + length);
        match blocks.last_mut() {
            _ if length == 0 => {}
            // Neighbouring runs are one.
            Some(last) if last.tag == Tag::Equal => {
                last.a.1 = i;
                last.b.1 = j;
            }
            _ => blocks.push(Block { tag: Tag::Equal, a: (a_at, i), b: (b_at, j) }),
        }
    }
    blocks
}

/// Cuts the equal parts down to the context and splits where they are long.
fn grouped(blocks: &[Block]) -> Vec<Vec<Block>> {
    let mut blocks = blocks.to_vec();
    if let Some(first) = blocks.first_mut().filter(|it| it.tag == Tag::Equal) {
        first.a.0 = first.a.0.max(first.a.1.saturating_sub(CONTEXT));
        first.b.0 = first.b.0.max(first.b.1.saturating_sub(CONTEXT));
    }
    if let Some(last) = blocks.last_mut().filter(|it| it.tag == Tag::Equal) {
        last.a.1 = last.a.1.min(last.a.0 + CONTEXT);
        last.b.1 = last.b.1.min(last.b.0 + CONTEXT);
    }
    let mut groups = Vec::new();
    let mut group: Vec<Block> = Vec::new();
    for block in blocks {
        let mut block = block;
        if block.tag == Tag::Equal && block.a.1 - block.a.0 > 2 * CONTEXT {
            let (a, b) = (block.a.0 + CONTEXT, block.b.0 + CONTEXT);
            group.push(Block { tag: Tag::Equal, a: (block.a.0, a), b: (block.b.0, b) });
            groups.push(std::mem::take(&mut group));
            block.a.0 = block.a.0.max(block.a.1 - CONTEXT);
            block.b.0 = block.b.0.max(block.b.1 - CONTEXT);
        }
        group.push(block);
    }
    groups.push(group);
    groups.retain(|it| it.iter().any(|it| it.tag == Tag::Change));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_three_lines_around_it() {
        let a = "1\n2\n3\n4\n5\n6\n7\n8\n9";
        let b = "1\n2\n3\n4\nfive\n6\n7\n8\n9";
        assert_eq!(unified(a, b), "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
        assert_eq!(unified(a, a), "");
    }
}
