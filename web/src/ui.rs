//! What the page remembers about itself: pure state, no DOM, no engine.

use view::{Fork, ObjectName};

use crate::linked::Link;
use crate::play::Speed;
use crate::shared::Shared;

/// Tabs of the stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Nodes and pods.
    #[default]
    Cluster,
    /// Tables of workloads.
    Workloads,
    /// All events.
    Events,
}

/// Tabs of the inspector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// Why: for pods the scheduler's verdicts, for workloads their figures.
    #[default]
    Explain,
    /// The live object.
    Yaml,
    /// Events about it.
    Events,
}

impl Tab {
    /// The word in links.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Explain => "explain",
            Self::Yaml => "yaml",
            Self::Events => "events",
        }
    }

    /// The tab of a link's word; the first one for words of another version.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        match word {
            "yaml" => Self::Yaml,
            "events" => Self::Events,
            _ => Self::Explain,
        }
    }
}

/// What a small screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The editor.
    Edit,
    /// The stage.
    #[default]
    Cluster,
    /// The inspector.
    Explain,
}

impl Pane {
    /// The word in `data-pane`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Cluster => "cluster",
            Self::Explain => "explain",
        }
    }
}

/// The menus of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    /// The gallery.
    Examples,
    /// Links and files.
    Share,
    /// Light and dark.
    Theme,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    Auto,
    /// Ink on paper.
    Light,
    /// Brass on night blue.
    Dark,
}

impl Theme {
    /// The word that is stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// From a stored word.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        match word {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }
}

/// A short message at the bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// A sentence.
    pub text: String,
    /// What Undo brings back.
    pub undo: Option<Fork>,
}

/// What the engine's worker is doing, where that is a problem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Nothing to say.
    #[default]
    Well,
    /// No answer for two seconds.
    Slow,
    /// It ended with this message, and was not started again.
    Crashed(String),
    /// It was started again; the message says why.
    Restarted(String),
}

/// A line of the console.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// What was typed.
    pub line: String,
    /// What came back; `None` until then.
    pub output: Option<String>,
    /// The exit code was not 0.
    pub failed: bool,
    /// The objects that the output names; `None` until somebody looked.
    pub links: Option<Shared<Vec<Link>>>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the page")]
pub struct Ui {
    /// The object that the inspector shows.
    pub selected: Option<ObjectName>,
    /// The inspector's tab.
    pub tab: Tab,
    /// The place of the attempt that is shown, where it is not the last.
    pub attempt: Option<u32>,
    /// Whom the selected pod reaches is shown, also for the pod that is selected next.
    pub reach: bool,
    /// Scores instead of filters in the matrix.
    pub scores: bool,
    /// The clause of the sentence that is lit up: its reason.
    pub reason: Option<String>,
    /// The stage's tab.
    pub stage: Stage,
    /// The cluster as a table.
    pub table: bool,
    /// Greys the pods and nodes without this in their names.
    pub filter: String,
    /// On small screens.
    pub pane: Pane,
    /// The open menu.
    pub menu: Option<Menu>,
    /// Light or dark.
    pub theme: Theme,
    /// Of playing.
    pub speed: Speed,
    /// Jump over gaps while playing.
    pub skip_idle: bool,
    /// Time goes on by itself.
    pub playing: bool,
    /// The sheet of shortcuts is open.
    pub help: bool,
    /// The console shows what was said.
    pub console: bool,
    /// Edits start the run anew.
    pub auto_run: bool,
    /// At the bottom.
    pub toast: Option<Toast>,
    /// Of the engine.
    pub health: Health,
    /// Why the link or command was refused.
    pub refused: Option<String>,
    /// The notices were read and put away, up to this many.
    pub n_notices_read: usize,
    /// For screen readers, after each step.
    pub announcement: String,
}

impl Ui {
    /// How a fresh page begins.
    #[must_use]
    pub fn new(theme: Theme) -> Self {
        Self { theme, skip_idle: true, auto_run: true, ..Self::default() }
    }

    /// Selects an object, or nothing.
    pub fn select(&mut self, object: Option<ObjectName>) {
        if self.selected != object {
            self.reason = None;
            self.attempt = None;
            if self.selected.as_ref().map(|it| &it.kind) != object.as_ref().map(|it| &it.kind) {
                self.tab = Tab::Explain;
            }
        }
        if object.is_none() && self.pane == Pane::Explain {
            self.pane = Pane::Cluster;
        }
        self.selected = object;
    }

    /// What Escape does: closes the top-most open thing. False when there was none.
    pub fn escape(&mut self) -> bool {
        if self.help {
            self.help = false;
        } else if self.menu.is_some() {
            self.menu = None;
        } else if self.toast.is_some() {
            self.toast = None;
        } else if self.console {
            self.console = false;
        } else if self.selected.is_some() {
            self.select(None);
        } else {
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, name: &str) -> ObjectName {
        ObjectName { kind: kind.to_owned(), namespace: "default".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn the_tab_stays_among_objects_of_a_kind() {
        let mut ui = Ui::new(Theme::Auto);
        ui.select(Some(object("Pod", "a")));
        ui.tab = Tab::Yaml;
        ui.reason = Some("Insufficient cpu".to_owned());
        ui.select(Some(object("Pod", "b")));
        assert_eq!((ui.tab, ui.reason.clone()), (Tab::Yaml, None));
        ui.select(Some(object("Job", "b")));
        assert_eq!(ui.tab, Tab::Explain);
    }

    #[test]
    fn escape_closes_one_thing_at_a_time() {
        let mut ui = Ui::new(Theme::Auto);
        ui.select(Some(object("Pod", "a")));
        ui.help = true;
        ui.menu = Some(Menu::Share);
        assert!(ui.escape() && ui.menu.is_some() && !ui.help);
        assert!(ui.escape() && ui.selected.is_some() && ui.menu.is_none());
        assert!(ui.escape() && ui.selected.is_none());
        assert!(!ui.escape());
    }

    #[test]
    fn words_of_links_and_storage_come_back() {
        for tab in [Tab::Explain, Tab::Yaml, Tab::Events] {
            assert_eq!(Tab::of_word(tab.word()), tab);
        }
        for theme in [Theme::Auto, Theme::Light, Theme::Dark] {
            assert_eq!(Theme::of_word(theme.word()), theme);
        }
    }
}
