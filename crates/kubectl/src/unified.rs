//! The differences of two texts as `diff -u` prints them.
//!
//! Upstream: GNU diff; changes are shown as far down as they can be moved, as it does.

/// Lines of context around a change.
const CONTEXT: usize = 3;
/// The most pairs of lines that are compared; above, everything between the common ends changes.
const MAX_PAIRS: usize = 4_000_000;

/// The hunks of a unified diff; empty for equal texts.
pub(crate) fn hunks(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let (mut gone, mut come) = changed(&old, &new);
    shift(&old, &mut gone, &mut come);
    shift(&new, &mut come, &mut gone);
    let changes = changes(&gone, &come);
    let mut text = String::new();
    let mut rest = &changes[..];
    while let Some(first) = rest.first() {
        let mut n = 1;
        while rest.get(n).is_some_and(|it| it.old - end_old(&rest[n - 1]) <= 2 * CONTEXT) {
            n += 1;
        }
        let (group, after) = rest.split_at(n);
        hunk(&mut text, &old, &new, first, group);
        rest = after;
    }
    text
}

/// Some lines that go and some that come in their place.
struct Change {
    old: usize,
    n_old: usize,
    new: usize,
    n_new: usize,
}

fn end_old(change: &Change) -> usize {
    change.old + change.n_old
}

/// Which lines of both texts are not in a longest common subsequence.
fn changed(old: &[&str], new: &[&str]) -> (Vec<bool>, Vec<bool>) {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tails = old[head..].iter().rev().zip(new[head..].iter().rev());
    let tail = tails.take_while(|(a, b)| a == b).count();
    let (n, m) = (old.len() - head - tail, new.len() - head - tail);
    let (mut gone, mut come) = (vec![false; old.len()], vec![false; new.len()]);
    gone[head..head + n].fill(true);
    come[head..head + m].fill(true);
    if n.saturating_mul(m) > MAX_PAIRS {
        return (gone, come);
    }
    // The length of the longest common subsequence of what follows each pair of lines.
    let width = m + 1;
    let mut length = vec![0_u32; (n + 1) * width];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            length[i * width + j] = if old[head + i] == new[head + j] {
                length[(i + 1) * width + j + 1] + 1
            } else {
                length[(i + 1) * width + j].max(length[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < n && j < m {
        if old[head + i] == new[head + j] {
            gone[head + i] = false;
            come[head + j] = false;
            (i, j) = (i + 1, j + 1);
        } else if length[(i + 1) * width + j] >= length[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    (gone, come)
}

/// Moves runs of changed lines down while the line after a run is the same as its first. A run that
/// has a counterpart in the other text stays where it is.
fn shift(lines: &[&str], flags: &mut [bool], other: &mut [bool]) {
    let (mut at, mut opposite) = (0, 0);
    while at < lines.len() {
        if !flags[at] {
            // The counterpart of a line that stays is the next one that stays.
            while other.get(opposite) == Some(&true) {
                opposite += 1;
            }
            opposite += 1;
            at += 1;
            continue;
        }
        let mut start = at;
        let mut end = at;
        while end < lines.len() && flags[end] {
            end += 1;
        }
        while other.get(opposite) != Some(&true) && end < lines.len() && lines[start] == lines[end]
        {
            flags[start] = false;
            flags[end] = true;
            (start, end) = (start + 1, end + 1);
            opposite += 1;
            while end < lines.len() && flags[end] {
                end += 1;
            }
        }
        at = end;
    }
}

fn changes(gone: &[bool], come: &[bool]) -> Vec<Change> {
    let mut changes = vec![];
    let (mut i, mut j) = (0, 0);
    while i < gone.len() || j < come.len() {
        let (old, new) = (i, j);
        while gone.get(i) == Some(&true) {
            i += 1;
        }
        while come.get(j) == Some(&true) {
            j += 1;
        }
        if (i, j) != (old, new) {
            changes.push(Change { old, n_old: i - old, new, n_new: j - new });
        }
        (i, j) = (i + 1, j + 1);
    }
    changes
}

fn hunk(text: &mut String, old: &[&str], new: &[&str], first: &Change, group: &[Change]) {
    let Some(last) = group.last() else { return };
    let before = first.old.min(CONTEXT);
    let after = (old.len() - end_old(last)).min(CONTEXT);
    let (from, to) = (first.old - before, end_old(last) + after);
    let (new_from, new_to) = (first.new - before, last.new + last.n_new + after);
    text.push_str(&format!("@@ -{} +{} @@\n", range(from, to), range(new_from, new_to)));
    let mut at = from;
    for change in group {
        let mut push = |mark: char, lines: &[&str]| {
            lines.iter().for_each(|it| text.push_str(&format!("{mark}{it}\n")));
        };
        push(' ', &old[at..change.old]);
        push('-', &old[change.old..end_old(change)]);
        push('+', &new[change.new..change.new + change.n_new]);
        at = end_old(change);
    }
    old[at..to].iter().for_each(|it| text.push_str(&format!(" {it}\n")));
}

/// `6,17`; one line has no length, and no lines begin before their place.
fn range(from: usize, to: usize) -> String {
    match to - from {
        0 => format!("{from},0"),
        1 => format!("{}", from + 1),
        n => format!("{},{n}", from + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &str, new: &str, expected: &str) {
        let text = |it: &str| it.chars().map(|it| format!("{it}\n")).collect::<String>();
        assert_eq!(hunks(&text(old), &text(new)).replace('\n', "|"), expected, "{old} {new}");
    }

    #[test]
    fn hunks_are_those_of_diff() {
        check("abc", "abc", "");
        check("abcdefgh", "abcdxfgh", "@@ -2,7 +2,7 @@| b| c| d|-e|+x| f| g| h|");
        check("", "ab", "@@ -0,0 +1,2 @@|+a|+b|");
        check("a", "b", "@@ -1 +1 @@|-a|+b|");
        check("abc", "ab", "@@ -1,3 +1,2 @@| a| b|-c|");
        check(
            "abcdefghijklmnop",
            "xbcdefghijklmnox",
            "@@ -1,4 +1,4 @@|-a|+x| b| c| d|@@ -13,4 +13,4 @@| m| n| o|-p|+x|",
        );
        check("abcdefg", "xbcdefx", "@@ -1,7 +1,7 @@|-a|+x| b| c| d| e| f|-g|+x|");
    }

    #[test]
    fn a_change_is_shown_as_far_down_as_it_can_be() {
        check("aab", "ab", "@@ -1,3 +1,2 @@| a|-a| b|");
        check("xabab", "xab", "@@ -1,5 +1,3 @@| x| a| b|-a|-b|");
        check("ab", "abab", "@@ -1,2 +1,4 @@| a| b|+a|+b|");
    }

    #[test]
    fn very_long_texts_do_not_take_for_ever() {
        let old: String = (0..3_000).map(|it| format!("a{it}\n")).collect();
        let new: String = (0..3_000).map(|it| format!("b{it}\n")).collect();
        assert_eq!(hunks(&old, &new).lines().count(), 6_001);
    }
}
