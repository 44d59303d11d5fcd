//! The text: opening it, running it, applying it, and the console.

use view::{Fork, TimedAction};

use super::{App, Opened};
use crate::examples;
use crate::link::Fragment;
use crate::msg::Msg;
use crate::outline;
use crate::protocol::{Op, OpenOptions};
use crate::shared::Shared;
use crate::ui::{Pane, Toast};

/// What a page without link and memory begins with.
const FIRST_EXAMPLE: &str = "stranded";
/// The link is packed so long after the last change.
const LINK_DELAY_MS: u32 = 600;

impl App {
    /// Opens what the address asks for.
    pub(super) fn open_fragment(&mut self, fragment: &str) {
        match Fragment::parse(fragment) {
            Fragment::Empty if !self.options.text.is_empty() => {
                let text = self.options.text.clone();
                self.open_text(Opened { text, ..Opened::default() }, 0);
            }
            Fragment::Empty => self.open_first(),
            Fragment::Example(id) => match examples::find(&id) {
                Some(example) => self.open_example(example.id),
                None => {
                    self.ui.refused = Some(format!("There is no example \"{id}\"."));
                    self.open_first();
                }
            },
            Fragment::Packed(payload) => self.host.decode(&payload),
            Fragment::Unknown(why) => {
                self.ui.refused = Some(why);
                self.open_first();
            }
        }
    }

    pub(super) fn open_first(&mut self) {
        self.open_example(FIRST_EXAMPLE);
    }

    pub(super) fn open_example(&mut self, id: &str) {
        let Some(example) = examples::find(id) else { return };
        self.ui.menu = None;
        self.ui.select(None);
        self.select_pending = true;
        if !self.options.fragment.is_empty() || self.loaded {
            self.host.set_fragment(&format!("example/{id}"));
        }
        let opened = Opened { text: example.text, example: Some(example.id), ..Opened::default() };
        self.open_text(opened, example.at_ms);
    }

    /// Shows a text and runs it up to a time.
    pub(super) fn open_text(&mut self, opened: Opened, at: i64) {
        self.host.set_text(&opened.text);
        self.set_text(opened.text.clone());
        self.opened = opened;
        self.ui.n_notices_read = 0;
        self.reopen(at);
    }

    fn set_text(&mut self, text: String) {
        self.outline = Shared::new(outline::documents(&text));
        self.text = text;
    }

    /// Runs the opened scenario anew.
    pub(super) fn reopen(&mut self, at: i64) {
        self.run_anew(at, false);
    }

    /// Runs the opened scenario up to where it was when its worker was lost; what is shown stands
    /// meanwhile.
    pub(super) fn come_back(&mut self) {
        self.run_anew(self.state.now_ms, true);
    }

    fn run_anew(&mut self, at: i64, quiet: bool) {
        self.ui.playing = false;
        self.flight.shown = false;
        let (text, options) = (self.opened.text.clone(), self.options_of_run());
        self.ask(Op::Open { text, options, at, quiet }, true);
    }

    fn options_of_run(&self) -> OpenOptions {
        let Opened { seed, preset, actions, .. } = self.opened.clone();
        OpenOptions { seed, preset, actions }
    }

    /// The engine says what the user did so far: a replay needs it.
    pub(super) fn acted(&mut self, actions: Vec<TimedAction>) {
        if self.opened.actions != actions {
            self.opened.actions = actions;
            self.opened.example = None;
            self.changed();
        }
    }

    /// Who types and clicks before the pause is over means the text that is there, not the one
    /// that was heard last.
    pub(super) fn take_typed(&mut self, msg: &Msg) {
        if matches!(msg, Msg::Heard(..)) {
            return;
        }
        let Some(text) = self.host.take_typed() else { return };
        if matches!(msg, Msg::RunFromStart | Msg::ApplyNow) {
            self.host.save_draft(&text);
            self.set_text(text);
        } else {
            self.typed(text);
        }
    }

    /// The user typed, and paused.
    pub(super) fn typed(&mut self, text: String) {
        let before = std::mem::take(&mut self.outline);
        self.set_text(text);
        if outline::is_another(&before, &self.outline) {
            self.ui.select(None);
            self.select_pending = true;
        }
        self.host.save_draft(&self.text);
        if self.ui.auto_run {
            self.opened.text.clone_from(&self.text);
            self.opened.example = None;
            self.reopen(self.flight.wish.unwrap_or(self.state.now_ms));
        } else {
            let options = self.options_of_run();
            self.ask(Op::Diagnostics { text: self.text.clone(), options }, false);
        }
        self.changed();
    }

    /// The link no longer says what the page shows.
    pub(super) fn changed(&mut self) {
        self.host.later(LINK_DELAY_MS, "link");
    }

    pub(super) fn run_from_start(&mut self) {
        if self.opened.text != self.text {
            self.opened.text.clone_from(&self.text);
            self.opened.example = None;
            self.ui.select(None);
            self.select_pending = true;
        }
        self.opened.actions.clear();
        (self.flight.seek_next, self.flight.wish) = (None, None);
        self.ui.pane = Pane::Cluster;
        self.reopen(0);
        self.send.emit(Msg::Play(true));
        self.changed();
    }

    pub(super) fn apply_now(&mut self) {
        self.ui.pane = Pane::Cluster;
        self.flight.command_id = self.ask(Op::Apply { text: self.text.clone() }, true);
    }

    /// The engine's answer to a command or an apply.
    pub(super) fn answered(&mut self, id: u32, result: view::CommandResult) {
        if result.forked.is_some() {
            self.ui.toast = Some(Toast {
                text: "The future of the run was discarded.".to_owned(),
                undo: result.forked,
            });
        }
        self.say(id, result.output, result.exit_code != 0);
    }

    /// Prints the answer of the console line that waits for it.
    pub(super) fn say(&mut self, id: u32, output: String, failed: bool) {
        if id != self.flight.command_id {
            return;
        }
        self.answer(output, failed);
        self.next_command();
    }

    pub(super) fn undo(&mut self) {
        let Some(fork) = self.ui.toast.take().and_then(|it| it.undo) else { return };
        let Fork { actions, horizon_ms: horizon, at_ms: to, .. } = fork;
        self.ask(Op::Undo { actions, horizon, to }, true);
    }

    pub(super) fn reveal(&mut self, from: u32, to: u32) {
        self.ui.pane = Pane::Edit;
        self.host.reveal(from, to);
    }
}
