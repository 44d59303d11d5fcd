//! Time: playing, stepping, seeking.

use super::App;
use crate::format;
use crate::play;
use crate::protocol::Op;
use crate::ui::Health;

/// One frame of playing runs at most so many events, so that the picture keeps moving.
const EVENTS_A_FRAME: u32 = 4000;
/// Marks and lanes are fetched on every so many frames while playing.
const FRAMES_A_REFRESH: u32 = 8;

impl App {
    pub(super) fn play(&mut self, playing: bool) {
        if self.ui.playing == playing {
            return;
        }
        self.ui.playing = playing;
        self.flight.last_frame_ms = 0;
        if playing {
            self.host.frame();
        } else {
            self.refresh();
            self.ask_fixes();
        }
    }

    /// A repaint is near: go on, unless the frame before is still being computed.
    pub(super) fn frame(&mut self, now_ms: i64) -> bool {
        if !self.ui.playing {
            return false;
        }
        if self.flight.n_moving > 0 {
            self.host.frame();
            return false;
        }
        let last = std::mem::replace(&mut self.flight.last_frame_ms, now_ms);
        let elapsed_ms = if last > 0 { now_ms - last } else { 16 };
        let state = &self.state;
        let to =
            play::target(state.now_ms, elapsed_ms, self.ui.speed, self.ui.skip_idle, state.next_ms);
        self.flight.frames = (self.flight.frames + 1) % FRAMES_A_REFRESH;
        let extras = self.flight.frames == 0;
        self.ask(Op::Advance { to, max_events: EVENTS_A_FRAME }, extras);
        false
    }

    /// Fetches marks and lanes without moving.
    fn refresh(&mut self) {
        self.ask(Op::Advance { to: self.state.now_ms, max_events: 0 }, true);
    }

    pub(super) fn step(&mut self) {
        self.ui.playing = false;
        self.ask(Op::Step, true);
    }

    pub(super) fn interesting(&mut self) {
        self.ui.playing = false;
        self.ask(Op::Interesting, true);
    }

    pub(super) fn step_back(&mut self) {
        self.ui.playing = false;
        self.ask(Op::StepBack, true);
    }

    pub(super) fn previous_mark(&mut self) {
        self.ui.playing = false;
        self.ask(Op::Previous, true);
    }

    /// Goes to a time; while the engine is busy only the latest wish is kept.
    pub(super) fn seek(&mut self, to: i64) {
        self.ui.playing = false;
        let to = to.max(0);
        self.flight.wish = Some(to);
        if self.flight.n_moving > 0 {
            self.flight.seek_next = Some(to);
        } else {
            self.ask(Op::Seek { to }, true);
        }
    }

    pub(super) fn jump(&mut self, text: &str) {
        match format::parse_time(text) {
            Some(to) => {
                self.ui.refused = None;
                self.seek(to);
            }
            None => {
                self.ui.refused =
                    Some(format!("\"{text}\" is not a time. Use 90s, 15m, 1h30m, 2d or 00:15:00."));
            }
        }
    }

    /// The length of the time line.
    pub(super) fn axis(&self) -> i64 {
        crate::timeline::axis(self.state.now_ms, self.state.horizon_ms, &self.lanes)
    }

    /// A key: a tenth of the axis.
    pub(super) fn seek_tenth(&mut self, tenth: i64) {
        self.seek(self.axis() * tenth / 10);
    }

    /// Ends a simulation that takes too long, where it is; its last picture takes the banner away.
    pub(super) fn stop(&mut self) {
        self.ui.playing = false;
        (self.flight.seek_next, self.flight.wish) = (None, None);
        self.host.stop();
    }

    /// The worker does not hear that it should stop: it is given up. A run that was under way is
    /// repeated up to what was shown last; one that never showed anything is not tried again.
    pub(super) fn give_up(&mut self) {
        self.host.restart();
        let shown = self.flight.shown;
        self.forget_flight();
        let why = "The simulation was stopped.".to_owned();
        if shown {
            self.ui.health = Health::Restarted(why);
            self.come_back();
        } else {
            self.ui.health = Health::Crashed(why);
        }
    }

    pub(super) fn keep_going(&mut self) {
        self.ui.health = Health::Well;
        self.host.patience();
    }

    pub(super) fn restart(&mut self) {
        self.host.restart();
        self.forget_flight();
        self.ui.health = Health::Well;
        self.reopen(0);
    }

    /// The worker is gone with all its requests.
    pub(super) fn forget_flight(&mut self) {
        self.ui.playing = false;
        self.flight = super::Flight { last_id: self.flight.last_id, ..super::Flight::default() };
    }
}
