//! The scheduler's sentence, cut into its clauses, so that each can be a link to what it counts.

/// A piece of the sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text without a count of nodes.
    Text(String),
    /// `3 Insufficient cpu`: how many nodes, and the reason that their verdicts carry.
    Clause {
        /// The clause as it stands.
        text: String,
        /// The reason without the count.
        reason: String,
    },
}

/// Cuts `0/4 nodes are available: 1 node(s) had ..., 3 Insufficient cpu. preemption: ...`. Clauses
/// of the part on preemption stay text: they do not count filter verdicts.
#[must_use]
pub fn pieces(message: &str) -> Vec<Piece> {
    let text = |it: &str| Piece::Text(it.to_owned());
    let Some((head, rest)) = message.split_once(" nodes are available: ") else {
        return vec![text(message)];
    };
    let (clauses, tail) = match rest.find(". ") {
        Some(at) => rest.split_at(at),
        None => {
            (rest.strip_suffix('.').unwrap_or(rest), if rest.ends_with('.') { "." } else { "" })
        }
    };
    let mut pieces = vec![Piece::Text(format!("{head} nodes are available: "))];
    for (index, clause) in split_clauses(clauses).into_iter().enumerate() {
        if index > 0 {
            pieces.push(text(", "));
        }
        match clause.split_once(' ') {
            Some((count, reason)) if count.parse::<usize>().is_ok() => {
                pieces.push(Piece::Clause { text: clause.to_owned(), reason: reason.to_owned() })
            }
            _ => pieces.push(text(clause)),
        }
    }
    if !tail.is_empty() {
        pieces.push(text(tail));
    }
    pieces
}

/// A comma ends a clause only where a count follows: reasons may hold commas themselves.
fn split_clauses(text: &str) -> Vec<&str> {
    let mut clauses = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = rest.get(from..).and_then(|it| it.find(", ")).map(|it| it + from) {
        let follows = rest.get(at + 2..).unwrap_or_default();
        if follows.starts_with(|it: char| it.is_ascii_digit()) {
            clauses.push(rest.get(..at).unwrap_or_default());
            rest = follows;
            from = 0;
        } else {
            from = at + 2;
        }
    }
    clauses.push(rest);
    clauses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clause(text: &str, reason: &str) -> Piece {
        Piece::Clause { text: text.to_owned(), reason: reason.to_owned() }
    }

    #[test]
    fn each_count_becomes_a_clause() {
        let message = "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 Insufficient cpu. preemption: 0/4 nodes are available: 4 Preemption is not helpful.";
        assert_eq!(
            pieces(message),
            [
                Piece::Text("0/4 nodes are available: ".to_owned()),
                clause("1 node(s) had untolerated taint(s)", "node(s) had untolerated taint(s)"),
                Piece::Text(", ".to_owned()),
                clause("3 Insufficient cpu", "Insufficient cpu"),
                Piece::Text(
                    ". preemption: 0/4 nodes are available: 4 Preemption is not helpful."
                        .to_owned()
                ),
            ]
        );
    }

    #[test]
    fn a_comma_inside_a_reason_does_not_cut_it() {
        let found = pieces("0/1 nodes are available: 1 this, that.");
        assert_eq!(found[1], clause("1 this, that", "this, that"));
    }

    #[test]
    fn other_sentences_stay_whole() {
        assert_eq!(pieces("hello"), [Piece::Text("hello".to_owned())]);
    }
}
