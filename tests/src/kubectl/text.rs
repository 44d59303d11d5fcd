//! Whether a text is the recorded one.

use super::pattern::fits;

/// The lines in their order.
pub(super) fn same(ours: &str, want: &str) -> Result<(), String> {
    let ours = lines(ours);
    let mut want = lines(want);
    for (n, line) in ours.iter().enumerate() {
        let fits_here = |at: &usize| {
            fits(want[*at], line)
                || block_may_stretch(&want, *at) && fits(&squeezed(want[*at]), &squeezed(line))
        };
        let found = (n..want.len()).take(1 + n_random(&want[n.min(want.len())..])).find(fits_here);
        let Some(at) = found else { return Err(format!("unexpected line {line:?}")) };
        want[n..=at].rotate_right(1);
    }
    match want.get(ours.len()) {
        Some(missing) => Err(format!("missing line {missing:?}")),
        None => Ok(()),
    }
}

/// The lines, or the items of a list within a line, in whatever order.
pub(super) fn in_any_order(ours: &str, want: &str) -> Result<(), String> {
    let want = lines(want);
    let mut left: Vec<usize> = (0..want.len()).collect();
    for line in lines(ours) {
        let same = |&n: &usize| {
            fits(want[n], line)
                || block_may_stretch(&want, n) && fits(&squeezed(want[n]), &squeezed(line))
                || sorted_words(want[n]) == sorted_words(line)
        };
        match left.iter().position(same) {
            Some(at) => drop(left.remove(at)),
            None => return Err(format!("unexpected line {line:?}")),
        }
    }
    left.first().map_or(Ok(()), |n| Err(format!("missing line {:?}", want[*n])))
}

/// How many of the first lines are in the order of their random names: there any order is right.
fn n_random(lines: &[&str]) -> usize {
    let is_random = |it: &&&str| it.contains("-xxxxx") || it.contains("hhhhhhhh");
    lines.iter().take_while(is_random).count().saturating_sub(1)
}

/// With what stands after the last line end: nothing, where the text ends with one.
fn lines(text: &str) -> Vec<&str> {
    text.split('\n').collect()
}

/// Whether the lines around a line, up to blank ones, have a value whose width may differ.
fn block_may_stretch(lines: &[&str], n: usize) -> bool {
    let is_blank = |line: &&str| line.trim().is_empty();
    let before = lines[..n].iter().rev().take_while(|it| !is_blank(it));
    let after = lines[n..].iter().take_while(|it| !is_blank(it));
    before.chain(after).any(|it| STRETCHING.iter().any(|constant| it.contains(constant)))
}

/// The constants that stand for texts of different lengths.
const STRETCHING: [&str; 5] = ["<age>", "<ip>", "10.244.0.xx", "hhhhhhhh", "<port>"];

/// Runs of blanks inside a line become two; a single blank stays one.
fn squeezed(line: &str) -> String {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let mut text = line[..indent].to_owned();
    let mut n_blanks = 0;
    for c in line[indent..].chars() {
        n_blanks = if c == ' ' { n_blanks + 1 } else { 0 };
        if n_blanks < 3 {
            text.push(c);
        }
    }
    text
}

fn sorted_words(line: &str) -> Vec<&str> {
    let mut words: Vec<&str> = line.split([' ', ',']).collect();
    words.sort_unstable();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_count_unless_a_value_of_the_table_has_another_width() {
        let check = |ours: &str, want: &str, expected: bool| {
            assert_eq!(same(ours, want).is_ok(), expected, "{ours:?}");
        };
        check("A   B\n", "A   B\n", true);
        check("A  B\n", "A   B\n", false);
        check("A   B\n\n", "A   B\n", false);
        check("A   B", "A   B\n", false);
        check("AGE   B\n15s   x\n", "AGE   B\n<age>    x\n", true);
        check("AGE   B\n15s x\n", "AGE   B\n<age>    x\n", false);
        check("A  B\n\nAGE\n", "A   B\n\n<age>\n", false);
    }

    #[test]
    fn lines_may_be_in_the_order_of_their_random_names() {
        let want = "NAME\na-xxxxx 1\na-xxxxx 2\nb\n";
        assert!(same("NAME\na-2b3c4 2\na-5d6f7 1\nb\n", want).is_ok());
        assert!(same("NAME\na-2b3c4 2\nb\na-5d6f7 1\n", want).is_err());
        assert!(same("NAME\na-2b3c4 2\na-5d6f7 2\nb\n", want).is_err());
    }

    #[test]
    fn an_unordered_text_has_the_same_lines() {
        assert!(in_any_order("b a\nc\n", "c\na b\n").is_ok());
        assert!(in_any_order("a\n", "a\nb\n").is_err());
    }
}
