//! The console: what is entered, what comes back, `watch` and Tab.

use super::App;
use crate::console::{self, Completed, Entered};
use crate::linked;
use crate::protocol::{Op, Reply};
use crate::shared::Shared;
use crate::ui::Said;

/// More lines than this are not kept.
const MAX_SAID: usize = 500;

/// Who pastes more commands than this at once has pasted something else.
const MAX_AT_ONCE: usize = 2_000;

/// What the console has to do.
#[derive(Debug, Default)]
pub(super) struct Console {
    /// Commands that wait for the one before.
    queue: std::collections::VecDeque<Entered>,
    /// The command that is repeated after each change, and the state that it has seen.
    watched: Option<(String, String)>,
    /// The line and the cursor of the last Tab.
    tab: (u32, String, u32),
}

impl App {
    /// Takes what was entered or pasted.
    pub(super) fn command(&mut self, text: &str) {
        let commands = console::commands(text);
        if commands.is_empty() {
            return;
        }
        if commands.len() > MAX_AT_ONCE {
            let n = commands.len();
            self.push_said("(pasted)", None);
            return self.answer(
                format!("error: {n} commands at once are too many, {MAX_AT_ONCE} are the most\n"),
                true,
            );
        }
        let mut entered = self.entered.to_vec();
        entered.extend(commands.iter().map(|it| it.line.clone()));
        entered.drain(..entered.len().saturating_sub(MAX_SAID));
        self.entered = Shared::new(entered);
        self.completed = Shared::default();
        self.console.watched = None;
        self.ui.console = true;
        let idle = self.console.queue.is_empty() && !self.is_waiting();
        self.console.queue.extend(commands);
        if idle {
            self.next_command();
        }
    }

    /// Whether a line has no answer yet.
    fn is_waiting(&self) -> bool {
        self.said.last().is_some_and(|it| it.output.is_none())
    }

    /// Carries out what waits, up to the first command that the engine must answer.
    pub(super) fn next_command(&mut self) {
        while let Some(Entered { line, input }) = self.console.queue.pop_front() {
            match line.as_str() {
                "clear" => self.said = Shared::default(),
                "help" | "kubectl help" => {
                    self.push_said(&line, Some(console::HELP.to_owned()));
                    self.flight.command_id = self.ask(Op::Command { line, input }, true);
                    return;
                }
                _ => {
                    self.push_said(&line, None);
                    let watched = line.strip_prefix("watch ").map(|it| it.trim().to_owned());
                    if let Some(inner) = &watched
                        && !console::may_watch(inner)
                    {
                        let text =
                            "error: watch repeats commands that only look, such as kubectl get";
                        self.answer(format!("{text}\n"), true);
                        continue;
                    }
                    if let Some(inner) = &watched {
                        self.console.watched = Some((inner.clone(), self.state.hash.clone()));
                    }
                    let line = watched.unwrap_or(line);
                    self.flight.command_id = self.ask(Op::Command { line, input }, true);
                    return;
                }
            }
        }
    }

    /// A line of the console, with what is known of its answer.
    pub(super) fn push_said(&mut self, line: &str, output: Option<String>) {
        let mut said = self.said.to_vec();
        said.push(Said { line: line.to_owned(), output: output.clone(), ..Said::default() });
        if output.is_some() {
            // The rest of the answer comes behind it.
            said.push(Said { line: "kubectl help".to_owned(), ..Said::default() });
        }
        let n_old = said.len().saturating_sub(MAX_SAID);
        said.drain(..n_old);
        self.said = Shared::new(said);
    }

    /// Answers the last line; a watched one again.
    pub(super) fn answer(&mut self, output: String, failed: bool) {
        let mut said = self.said.to_vec();
        let watched = self.console.watched.is_some();
        match said.last_mut() {
            Some(last) if last.output.is_none() || watched => {
                last.output = Some(output);
                (last.failed, last.links) = (failed, None);
            }
            _ => {
                let line = "kubectl apply -f -".to_owned();
                said.push(Said { line, output: Some(output), failed, links: None });
            }
        }
        self.said = Shared::new(said);
        self.ui.console |= failed;
    }

    /// Finds the objects that new outputs name, once the picture knows them.
    pub(super) fn link_said(&mut self) {
        let is_new = |it: &Said| it.output.is_some() && it.links.is_none();
        if !self.said.iter().any(is_new) {
            return;
        }
        let mut said = self.said.to_vec();
        for it in said.iter_mut().filter(|it| is_new(it)) {
            let output = it.output.as_deref().unwrap_or_default();
            it.links = Some(Shared::new(linked::links(output, &self.cluster)));
        }
        self.said = Shared::new(said);
    }

    /// Repeats the watched command if something has changed since.
    pub(super) fn watch_again(&mut self) {
        let hash = self.state.hash.clone();
        let Some((line, seen)) = &mut self.console.watched else { return };
        if *seen == hash || self.flight.n_moving > 0 {
            return;
        }
        *seen = hash;
        let line = line.clone();
        self.flight.command_id = self.ask(Op::Command { line, input: String::new() }, false);
    }

    /// Asks what may stand at the cursor.
    pub(super) fn complete(&mut self, line: String, cursor: u32) {
        let id = self.ask(Op::Complete { line: line.clone(), cursor }, false);
        self.console.tab = (id, line, cursor);
    }

    /// Puts the answer into the line.
    pub(super) fn complete_with(&mut self, reply: Reply) {
        let (id, line, cursor) = &self.console.tab;
        let Some(completion) = reply.completion.filter(|_| reply.id == *id) else { return };
        let cursor = usize::try_from(*cursor).unwrap_or(usize::MAX);
        let completed: Completed = console::completed(line, cursor, &completion);
        self.ui.console |= !completed.shown.is_empty();
        self.completed = Shared::new(completed);
    }
}
