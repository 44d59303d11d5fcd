//! The commands, one module each, and what they share.

use crate::{Client, Outcome, Output, Pending, shell};

/// What a command waits for.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {}

/// Runs a command line given as one text, with or without the word `kubectl`.
pub fn run_line(line: &str, client: &mut dyn Client) -> Outcome {
    match shell::split(line) {
        Ok(words) => run(&words, client),
        Err(shell::UnclosedQuote) => {
            let mut output = Output::default();
            output.err("error: a quote is not closed\n");
            output.exit_code = 1;
            Outcome::Done(output)
        }
    }
}

/// Runs a command given as words, with or without the word `kubectl` in front.
pub fn run(words: &[String], client: &mut dyn Client) -> Outcome {
    let words = match words.first().map(String::as_str) {
        Some("kubectl" | "k") => &words[1..],
        _ => words,
    };
    let _ = client;
    let mut output = Output::default();
    let word = words.first().map(String::as_str).unwrap_or_default();
    output.err(format!("error: unknown command {word:?} for \"kubectl\"\n"));
    output.exit_code = 1;
    Outcome::Done(output)
}

pub(crate) fn poll(pending: Pending, _: &mut dyn Client) -> Outcome {
    match pending.waiting {}
}
