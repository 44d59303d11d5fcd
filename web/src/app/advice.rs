//! What would let the selected pod run, and how many more of it fit: asked, heard, carried out.

use std::rc::Rc;

use view::TimedAction;

use super::{App, Subject};
use crate::protocol::{Op, Reply};
use crate::shared::Shared;
use crate::ui::Said;

impl App {
    /// Whether the selected object is a pod that waits for a node.
    fn waits(&self) -> bool {
        let pod = self.ui.selected.as_ref().and_then(|it| self.cluster.pod(it));
        pod.is_some_and(|it| it.node.is_empty())
    }

    /// Asks what would help, unless time runs: the search costs more than a frame.
    pub(super) fn ask_fixes(&mut self) {
        if self.ui.playing {
            return;
        }
        let Some(object) = self.ui.selected.clone().filter(|_| self.waits()) else {
            if self.subject.fixes.is_some() {
                let subject = Subject { fixes: None, ..Subject::clone(&self.subject) };
                self.subject = Shared::new(subject);
            }
            return;
        };
        let (namespace, name) = (object.namespace, object.name);
        self.flight.fixes_id = self.ask(Op::Fixes { namespace, name }, false);
    }

    pub(super) fn ask_room(&mut self) {
        let Some(object) = self.ui.selected.clone() else { return };
        let (namespace, name) = (object.namespace, object.name);
        self.flight.room_id = self.ask(Op::Room { namespace, name }, false);
    }

    pub(super) fn advised(&mut self, reply: Reply) {
        let subject = Subject::clone(&self.subject);
        let subject = if reply.id == self.flight.fixes_id {
            Subject { fixes: reply.fixes.map(Rc::new), ..subject }
        } else if reply.id == self.flight.room_id {
            Subject { room: reply.room.map(Rc::new), ..subject }
        } else {
            return;
        };
        self.subject = Shared::new(subject);
    }

    pub(super) fn show_attempt(&mut self, place: Option<u32>) {
        self.ui.attempt = place;
        self.inspect();
    }

    pub(super) fn show_reach(&mut self, shown: bool) {
        self.ui.reach = shown;
        self.inspect();
    }

    /// Carries out a fix; the console tells what was done, as if it had been typed.
    pub(super) fn fix(&mut self, steps: Vec<TimedAction>) {
        let lines: Vec<&str> = steps.iter().map(|it| it.command.as_str()).collect();
        let line = lines.join(" && ");
        let mut said = self.said.to_vec();
        said.push(Said { line, ..Said::default() });
        self.said = Shared::new(said);
        self.ui.attempt = None;
        self.flight.command_id = self.ask(Op::Act { steps }, true);
    }
}
