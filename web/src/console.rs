//! The console's own rules: what a pasted text says, and what Tab does.

use view::Completion;

/// One command of the console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entered {
    /// The command line.
    pub line: String,
    /// Its standard input, from `<<EOF`.
    pub input: String,
}

/// The commands of a text as it is pasted from documentation: one to a line, a backslash at the
/// end goes on, a leading `$` is a prompt, `#` begins a comment, `<<EOF` is an input.
#[must_use]
pub fn commands(text: &str) -> Vec<Entered> {
    let mut all = vec![];
    let mut lines = text.lines();
    while let Some(first) = lines.next() {
        let mut line = first.trim().trim_start_matches("$ ").trim().to_owned();
        while line.ends_with('\\') && !line.ends_with("\\\\") {
            line.pop();
            let Some(next) = lines.next() else { break };
            line = format!("{} {}", line.trim_end(), next.trim());
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut entered = Entered::default();
        match line.split_once("<<") {
            Some((command, mark)) if !command.contains(['\'', '"']) => {
                let mark = mark.trim_start_matches('-').trim().trim_matches(['\'', '"']);
                let body = lines.by_ref().take_while(|it| it.trim() != mark);
                entered.input = body.map(|it| format!("{it}\n")).collect();
                entered.line = command.trim().to_owned();
            }
            _ => entered.line = line,
        }
        all.push(entered);
    }
    all
}

/// A line after Tab: the text, where the cursor is (UTF-16), and the candidates to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completed {
    pub line: String,
    pub cursor: usize,
    pub shown: Vec<String>,
}

/// Puts in what all candidates begin with, and a blank behind a word that is complete.
#[must_use]
pub fn completed(line: &str, cursor: usize, completion: &Completion) -> Completed {
    let units: Vec<u16> = line.encode_utf16().collect();
    let cursor = cursor.min(units.len());
    let from = completion.from.min(cursor);
    let text = |units: &[u16]| String::from_utf16_lossy(units);
    let (before, word, after) =
        (text(&units[..from]), text(&units[from..cursor]), text(&units[cursor..]));
    let mut common = shared(&completion.candidates).unwrap_or_else(|| word.clone());
    if let [one] = &completion.candidates[..]
        && !one.ends_with(['=', '/', '.'])
        && !after.starts_with(' ')
    {
        common.push(' ');
    }
    let cursor = before.encode_utf16().count() + common.encode_utf16().count();
    let shown = match completion.candidates.len() {
        0 | 1 => vec![],
        _ => completion.candidates.clone(),
    };
    Completed { line: format!("{before}{common}{after}"), cursor, shown }
}

/// The longest text that all begin with.
fn shared(all: &[String]) -> Option<String> {
    let (first, rest) = all.split_first()?;
    let mut n = first.len();
    for it in rest {
        let same = first.char_indices().zip(it.chars()).take_while(|((_, a), b)| a == b);
        n = n.min(same.last().map_or(0, |((at, c), _)| at + c.len_utf8()));
    }
    Some(first[..n].to_owned())
}

/// Whether a command may be repeated by `watch`: it changes nothing.
#[must_use]
pub fn may_watch(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|it| matches!(*it, "kubectl" | "k"));
    matches!(words.next(), Some("get" | "describe" | "events" | "top" | "logs"))
}

/// What `help` says before kubectl's own help.
pub const HELP: &str = "\
Commands of the console:
  kubectl ...                  the word kubectl may be left out
  watch COMMAND                prints a command again after each change
  clear                        empties the console
  kubectl create -f FILE       FILE of the gallery, of the book, or https://k8spatterns.com/...
  fail node NAME               cuts a node off; recover node NAME brings it back
  stop controller NAME         stops a controller; start controller NAME starts it

Tab completes; arrows go through what was entered; several lines can be pasted. A name in an
answer selects its object.

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_text_is_cut_into_commands() {
        let text = "$ kubectl get pods \\\n    -o wide\n\n# a comment\nkubectl apply -f - <<EOF\nkind: \
                    Pod\nEOF\nget nodes";
        let entered = |line: &str, input: &str| Entered { line: line.into(), input: input.into() };
        assert_eq!(
            commands(text),
            [
                entered("kubectl get pods -o wide", ""),
                entered("kubectl apply -f -", "kind: Pod\n"),
                entered("get nodes", ""),
            ]
        );
        assert_eq!(commands(" \n$\n\\\n").len(), 1);
        assert!(commands(&"x\n".repeat(500_000)).len() == 500_000);
    }

    #[test]
    fn tab_puts_in_what_is_certain() {
        let check = |line: &str, from: usize, all: &[&str], expected: &str, n_shown: usize| {
            let candidates = all.iter().map(|it| (*it).to_owned()).collect();
            let it = completed(line, line.encode_utf16().count(), &Completion { from, candidates });
            assert_eq!((it.line.as_str(), it.shown.len()), (expected, n_shown), "{line}");
            assert_eq!(it.cursor, expected.encode_utf16().count());
        };
        check("get po", 4, &["pods"], "get pods ", 0);
        check("get pods we", 9, &["web-1", "web-2"], "get pods web-", 2);
        check("get x", 4, &[], "get x", 0);
        check("get pods --out", 9, &["--output="], "get pods --output=", 0);
        check("\u{1f600} a", 3, &["ab"], "\u{1f600} ab ", 0);
    }

    #[test]
    fn only_commands_that_look_are_watched() {
        assert!(may_watch("kubectl get pods") && may_watch("get pods"));
        assert!(!may_watch("kubectl delete pod a") && !may_watch(""));
    }
}
