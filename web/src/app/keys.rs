//! Shortcuts: what each key means. The host names only keys of this list.

use super::App;
use crate::cluster;
use crate::msg::Share;
use crate::ui::{Pane, Stage, Tab};

const MINUTE_MS: i64 = 60_000;

impl App {
    /// True when the page must be drawn again.
    pub(super) fn key(&mut self, key: &str) -> bool {
        let now = self.state.now_ms;
        let tenth = self.axis() / 10;
        match key {
            " " => self.play(!self.ui.playing),
            "," => self.step_back(),
            "." => self.step(),
            "[" => self.previous_mark(),
            ">" | "]" => self.interesting(),
            "-" => self.ui.speed = self.ui.speed.shifted(false),
            "=" => self.ui.speed = self.ui.speed.shifted(true),
            "s" => self.ui.skip_idle = !self.ui.skip_idle,
            "ArrowLeft" => self.seek(now - MINUTE_MS),
            "ArrowRight" => self.seek(now + MINUTE_MS),
            "Shift+ArrowLeft" => self.seek(now - tenth),
            "Shift+ArrowRight" => self.seek(now + tenth),
            "/" => {
                self.ui.stage = Stage::Cluster;
                self.ui.pane = Pane::Cluster;
                self.host.focus("[data-testid=filter]");
            }
            ":" => {
                self.ui.console = true;
                self.host.focus("[data-testid=console-input]");
            }
            "?" => self.set_help(true),
            "e" => self.ui.tab = Tab::Explain,
            "y" => self.ui.tab = Tab::Yaml,
            "d" => self.ui.tab = Tab::Events,
            "J" => self.select_owner(),
            "Escape" => return self.ui.escape(),
            "Mod+Enter" => self.apply_now(),
            "Mod+s" => self.share(Share::Link),
            "F6" => self.focus_pane(true),
            "Shift+F6" => self.focus_pane(false),
            digit => match digit.parse() {
                Ok(digit) => self.seek_tenth(digit),
                Err(_) => return false,
            },
        }
        true
    }

    fn select_owner(&mut self) {
        let pod = self.ui.selected.as_ref().and_then(|it| self.cluster.pod(it));
        if let Some(owner) = pod.and_then(|it| it.owners.first().cloned()) {
            self.select(Some(owner));
        } else if let Some(pod) = pod.filter(|it| !it.node.is_empty()) {
            let node = cluster::node_object(&pod.node);
            self.select(Some(node));
        }
    }

    /// The next pane gets the focus, on small screens also the space.
    fn focus_pane(&mut self, forward: bool) {
        self.ui.pane = match (self.ui.pane, forward) {
            (Pane::Edit, true) | (Pane::Explain, false) => Pane::Cluster,
            (Pane::Cluster, true) | (Pane::Edit, false) => Pane::Explain,
            (Pane::Explain, true) | (Pane::Cluster, false) => Pane::Edit,
        };
        self.host.focus(match self.ui.pane {
            Pane::Edit => ".cm-content",
            Pane::Cluster => ".pane.stage .tabs button",
            Pane::Explain => ".pane.inspector button",
        });
    }
}
