//! What comes from the host: the engine's answers, the editor, timers, keys.

use std::rc::Rc;

use view::Severity;

use super::{App, Subject};
use crate::cluster::pod_object;
use crate::format;
use crate::protocol::Reply;
use crate::shared::Shared;
use crate::ui::{Health, Pane};

impl App {
    /// True when the page must be drawn again.
    pub(super) fn hear(&mut self, kind: &str, payload: String) -> bool {
        match kind {
            "reply" => return self.hear_reply(&payload),
            "frame" => return self.frame(payload.parse().unwrap_or_default()),
            "text" => self.typed(payload),
            "cursor" => self.cursor_line = payload.parse().unwrap_or(1),
            "key" => return self.key(&payload),
            "outside" => {
                if self.ui.menu.is_none() {
                    return false;
                }
                self.ui.menu = None;
            }
            "editor" => {
                self.host.set_text(&self.text);
                self.show_diagnostics();
            }
            "fragment" => self.open_fragment(&payload),
            "encoded" => self.packed(&payload),
            "decoded" => self.unpacked(&payload),
            "undecodable" => self.refuse_link(&payload),
            "copied" => self.copied(&payload),
            "uncopied" => {
                self.ui.refused = Some(format!("The browser does not allow copying. {payload}"))
            }
            "later" => return self.later(&payload),
            "slow" if self.loaded => self.ui.health = Health::Slow,
            "rerun" => self.reopen(self.state.now_ms),
            "deaf" => self.give_up(),
            "crashed" => self.crashed(payload),
            _ => return false,
        }
        true
    }

    fn later(&mut self, payload: &str) -> bool {
        match payload {
            "link" => self.pack(),
            "toast" if self.ui.toast.as_ref().is_some_and(|it| it.undo.is_none()) => {
                self.ui.toast = None;
                return true;
            }
            _ => {}
        }
        false
    }

    fn hear_reply(&mut self, json: &str) -> bool {
        let mut reply: Reply = match serde_json::from_str(json) {
            Ok(reply) => reply,
            Err(error) => {
                self.ui.refused = Some(format!("The engine's answer could not be read: {error}."));
                self.flight.n_moving = self.flight.n_moving.saturating_sub(1);
                return true;
            }
        };
        self.flight.under_way = reply.op == "progress";
        if self.flight.under_way {
            self.picture(reply);
            return true;
        }
        if self.ui.health == Health::Slow {
            self.ui.health = Health::Well;
        }
        let moving = !matches!(
            reply.op.as_str(),
            "inspect" | "diagnostics" | "fixes" | "room" | "export" | "complete"
        );
        if moving {
            self.flight.n_moving = self.flight.n_moving.saturating_sub(1);
        } else if reply.op == "inspect" && reply.id != self.flight.inspect_id {
            return false;
        }
        if let Some(error) = reply.error.take() {
            match reply.id == self.flight.command_id {
                true => self.say(reply.id, error, true),
                false => self.ui.refused = Some(error),
            }
        }
        if let Some(diagnostics) = reply.diagnostics.take() {
            self.diagnostics = Shared::new(diagnostics);
            self.show_diagnostics();
            self.stale = reply.op == "open" && self.has_errors();
        }
        match reply.op.as_str() {
            "inspect" => self.inspected(reply),
            "fixes" | "room" => self.advised(reply),
            "export" => {
                if let Some(text) = reply.export {
                    self.host.download("cluster.yaml", &text);
                }
            }
            "complete" => self.complete_with(reply),
            _ => self.moved(reply),
        }
        true
    }

    /// Takes over what became of the run.
    fn moved(&mut self, mut reply: Reply) {
        if let Some(actions) = reply.actions.take() {
            self.acted(actions);
        }
        if let Some(result) = reply.command.take() {
            self.answered(reply.id, result);
        }
        self.picture(reply);
        self.link_said();
        if !self.ui.playing {
            self.announce();
        }
        self.go_on();
        self.watch_again();
    }

    fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|it| it.severity == Severity::Error)
    }

    fn show_diagnostics(&self) {
        if let Ok(json) = serde_json::to_string(&*self.diagnostics) {
            self.host.set_diagnostics(&json);
        }
    }

    /// Takes over the new picture.
    fn picture(&mut self, reply: Reply) {
        if let Some(marks) = reply.marks {
            self.marks = Shared::new(marks);
        }
        if let Some(lanes) = reply.lanes {
            self.lanes = Shared::new(lanes);
        }
        if let Some(state) = reply.state {
            self.flight.shown = true;
            self.state = Shared::new(state);
            self.loaded = true;
            let title = self.title();
            self.host.set_title(&format!("{title}: Orrery"));
        }
        let Some(delta) = reply.delta else { return };
        let touched =
            delta.full || self.ui.selected.as_ref().is_some_and(|it| concerns(&delta, it));
        self.cluster = Shared::new(self.cluster.after(delta));
        if std::mem::take(&mut self.select_pending) {
            let first = self.cluster.pending.first().map(|it| pod_object(it));
            self.ui.select(first.or_else(|| self.cluster.main_workload()));
            self.ui.pane = Pane::Cluster;
            self.inspect();
        } else if self.flight.under_way {
            // A long run shows itself on the way: the inspector waits for where it ends.
            self.flight.touched |= touched;
        } else if touched || std::mem::take(&mut self.flight.touched) {
            self.inspect();
        }
    }

    /// What comes after an answer: the seek that waited, or the next frame.
    fn go_on(&mut self) {
        if self.flight.n_moving > 0 {
            return;
        }
        if let Some(to) = self.flight.seek_next.take() {
            self.ask(crate::protocol::Op::Seek { to }, true);
            return;
        }
        self.flight.wish = None;
        if self.ui.playing {
            if self.state.next_ms.is_none() && self.ui.skip_idle {
                self.play(false);
                self.ui.announcement = "Nothing is left to happen.".to_owned();
            }
            self.host.frame();
        }
    }

    fn announce(&mut self) {
        let now = self.state.now_ms;
        let latest = self.marks.iter().rev().find(|it| it.at_ms <= now);
        let what = latest.map(|it| format!(" {}.", it.text)).unwrap_or_default();
        let n_pending = self.cluster.pending.len();
        self.ui.announcement = format!("Time {}.{what} {n_pending} pending.", format::clock(now));
    }

    fn inspected(&mut self, reply: Reply) {
        let object = self.ui.selected.clone();
        let yaml = reply.yaml.unwrap_or_default();
        let same = self.subject.object == object;
        let yaml_before = match same {
            true if self.subject.yaml == yaml => self.subject.yaml_before.clone(),
            true => self.subject.yaml.clone(),
            false => yaml.clone(),
        };
        let diagnosis = reply.diagnosis.map(Rc::new);
        let attempts = reply.attempts.unwrap_or_default();
        // What would help stays until there is a new answer, so that nothing flickers.
        let fixes = self.subject.fixes.clone().filter(|_| same);
        let reach = reply.reach.map(Rc::new);
        let room = None;
        let subject =
            Subject { object, yaml, yaml_before, diagnosis, attempts, reach, fixes, room };
        self.subject = Shared::new(subject);
        self.ask_fixes();
    }

    /// The worker died. The text is safe; once it is tried again at once, then the user decides.
    fn crashed(&mut self, why: String) {
        let first = self.ui.health == Health::Well && self.loaded;
        self.forget_flight();
        if first {
            self.ui.health =
                Health::Restarted(format!("The simulator crashed and was started again: {why}"));
            self.come_back();
        } else {
            self.ui.health = Health::Crashed(why);
        }
    }
}

/// Does the delta touch the object, or an event about it?
fn concerns(delta: &view::Delta, object: &view::ObjectName) -> bool {
    delta.pods.iter().any(|it| it.name == object.name && it.namespace == object.namespace)
        || delta.workloads.iter().any(|it| it.object == *object)
        || delta.nodes.iter().any(|it| object.kind == "Node" && it.name == object.name)
        || delta.events.iter().any(|it| it.object == *object)
        || delta.removed.contains(object)
}
