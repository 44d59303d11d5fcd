//! Lines with constants for what differs from run to run.

/// What a constant stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `5m30s`, `<unknown>`.
    Age,
    /// A point in time, in any form.
    Time,
    /// Letters, digits and dashes.
    Word,
    /// An address.
    Address,
    /// So many letters and digits, or fewer.
    Suffix(usize),
}

const CONSTANTS: &[(&str, Form)] = &[
    ("<age>", Form::Age),
    ("<time>", Form::Time),
    // The machine on which the scheduler of the recordings ran.
    ("default-scheduler-vm", Form::Word),
    ("<uid>", Form::Word),
    ("<rv>", Form::Word),
    ("<n>", Form::Word),
    ("<port>", Form::Word),
    ("<ip>", Form::Address),
    ("10.244.0.xx", Form::Address),
    ("eeeeeeeeeeeeeeee", Form::Suffix(16)),
    ("hhhhhhhhhh", Form::Suffix(10)),
    ("hhhhhhhhh", Form::Suffix(10)),
    ("hhhhhhhh", Form::Suffix(10)),
    ("xxxxx", Form::Suffix(5)),
];

/// Whether a line fits a pattern.
pub(super) fn fits(pattern: &str, line: &str) -> bool {
    let first = CONSTANTS.iter().filter_map(|it| Some((pattern.find(it.0)?, it))).min_by_key(
        // Of constants at the same place the longer one counts.
        |(at, it)| (*at, usize::MAX - it.0.len()),
    );
    let Some((at, (constant, form))) = first else { return pattern == line };
    let Some(rest) = line.strip_prefix(&pattern[..at]) else { return false };
    let after = &pattern[at + constant.len()..];
    let ends = rest.char_indices().map(|it| it.0).chain([rest.len()]);
    ends.take_while(|&end| end == 0 || form.accepts(&rest[..end]) || form.may_go_on(&rest[..end]))
        .any(|end| end > 0 && form.accepts(&rest[..end]) && fits(after, &rest[end..]))
}

impl Form {
    fn accepts(self, text: &str) -> bool {
        match self {
            Self::Age => {
                matches!(text, "<unknown>" | "<invalid>")
                    || text.ends_with(['s', 'm', 'h', 'd', 'y'])
                        && text.chars().all(|c| c.is_ascii_digit() || "smhdy".contains(c))
            }
            Self::Time => text.chars().any(|c| c.is_ascii_digit()) && text.len() >= 10,
            Self::Word => text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            Self::Address => text.chars().all(|c| c.is_ascii_hexdigit() || ".:".contains(c)),
            Self::Suffix(n) => text.len() <= n && text.chars().all(|c| c.is_ascii_alphanumeric()),
        }
    }

    /// Whether a longer text may be accepted although this one is not.
    fn may_go_on(self, text: &str) -> bool {
        match self {
            Self::Age => text.len() < 12,
            Self::Time => text.len() < 40,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_fit_what_they_stand_for() {
        let check = |pattern: &str, line: &str, expected: bool| {
            assert_eq!(fits(pattern, line), expected, "{pattern} {line}");
        };
        check("web 1/1 <age>", "web 1/1 2m5s", true);
        check("web 1/1 <age>", "web 1/1 later", false);
        check("a (<age> ago) <age>", "a (324d ago) 0s", true);
        check("pod/shop-hhhhhhhhhh-xxxxx", "pod/shop-6ffd9766c8-lrpf6", true);
        check("pod/shop-hhhhhhhhhh-xxxxx", "pod/shop-6ffd9766c8", false);
        check("Start Time: <time>", "Start Time: Sat, 21 Nov 2026 19:49:39 +0000", true);
    }
}
