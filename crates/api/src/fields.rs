//! Names of fields: the nearest to a misspelt one, and paths such as `spec.containers[0].image`.

/// The name that was probably meant, if one is near enough.
#[must_use]
pub fn closest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let allowed = match name.chars().count() {
        0..=2 => return None,
        3..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    let lower = name.to_lowercase();
    let ranked = candidates.iter().map(|&it| {
        // A plural or a prefix is a nearer miss than its letters say.
        let other = it.to_lowercase();
        let related = other.len() > 3 && (lower.starts_with(&other) || other.starts_with(&lower));
        (distance(&lower, &other).saturating_sub(usize::from(related)), it)
    });
    let (distance, best) = ranked.min()?;
    (distance <= allowed).then_some(best)
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour.
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = vec![];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut cost = (row[j] + usize::from(x != y)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            next.push(cost);
        }
        before = row;
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// `.name` or `[name]`.
    Key(String),
    /// `[0]`; in a map also the key `0`.
    Index(usize),
}

/// Takes a path such as `metadata.annotations[a.b/c]` or `spec.containers[0].image` apart.
#[must_use]
pub fn parse_path(path: &str) -> Vec<PathStep> {
    let mut steps = vec![];
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (inside, after) = after.split_once(']').unwrap_or((after, ""));
            let inside = inside.trim_matches(|c| c == '"' || c == '\'');
            steps.push(match inside.parse() {
                Ok(index) => PathStep::Index(index),
                Err(_) => PathStep::Key(inside.to_owned()),
            });
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end > 0 {
                steps.push(PathStep::Key(rest[..end].to_owned()));
            } else if !rest.starts_with(['.', '[']) {
                break;
            }
            rest = &rest[end..];
        }
    }
    steps
}

/// A text in double quotes as Go's `%q` writes it.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            ' '..='~' => quoted.push(c),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => {
                quoted.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            c if c.is_whitespace() || c.is_control() || c == '\u{feff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_field_finds_its_neighbour() {
        let check = |name: &str, candidates: &[&str], expected: Option<&str>| {
            assert_eq!(closest(name, candidates), expected, "{name}");
        };
        check("request", &["claims", "limits", "requests"], Some("requests"));
        check("imgae", &["image", "name"], Some("image"));
        check("nodeselector", &["nodeName", "nodeSelector"], Some("nodeSelector"));
        check("container", &["containers", "volumes"], Some("containers"));
        check("foo", &["image", "name"], None);
        check("priorityClassName", &["image", "name", "ports"], None);
    }

    #[test]
    fn paths_come_apart() {
        let key = |it: &str| PathStep::Key(it.to_owned());
        assert_eq!(
            parse_path("spec.containers[0].image"),
            [key("spec"), key("containers"), PathStep::Index(0), key("image")]
        );
        assert_eq!(
            parse_path("metadata.annotations[a.b/c]"),
            [key("metadata"), key("annotations"), key("a.b/c")]
        );
        assert_eq!(parse_path(""), []);
        assert_eq!(parse_path("..a.["), [key("a"), key("")]);
    }

    #[test]
    fn quotes_are_those_of_go() {
        assert_eq!(quote("a\"b\\\n\u{0}\u{a0}é"), "\"a\\\"b\\\\\\n\\x00\\u00a0é\"");
    }
}
