//! Everything that can happen on the page. Closed on purpose: this is the whole list.

use view::{ObjectName, TimedAction};

use crate::play::Speed;
use crate::ui::{Menu, Pane, Stage, Tab, Theme};

/// What `App::update` takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Msg {
    /// Something from the host: kind and payload, see `js/host.js`.
    Heard(String, String),

    /// Starts or stops playing.
    Play(bool),
    /// One event.
    Step,
    /// Back to the event before.
    StepBack,
    /// To the next interesting event.
    Interesting,
    /// To the mark before now.
    PreviousMark,
    /// To a time of the run, milliseconds.
    Seek(i64),
    /// To a time that was typed.
    Jump(String),
    /// How fast.
    Speed(Speed),
    /// Whether gaps are jumped over.
    SkipIdle(bool),

    /// The text, anew, from the start, and plays.
    RunFromStart,
    /// The text onto the run, now.
    ApplyNow,
    /// Whether edits start the run anew.
    AutoRun(bool),
    /// Opens an example.
    Example(&'static str),
    /// Shows a range of the text, UTF-16 offsets.
    Reveal(u32, u32),
    /// What was entered into the console: one line or several.
    Command(String),
    /// Tab in the console: the line and the cursor in UTF-16.
    Complete(String, u32),

    /// Selects an object, or nothing.
    Select(Option<ObjectName>),
    /// Lights up a reason in the matrix and on the map, or none.
    Reason(Option<String>),
    /// The inspector's tab.
    Tab(Tab),
    /// The attempt at this place of the list, or the last.
    Attempt(Option<u32>),
    /// How many more of the selected pod fit.
    Room,
    /// Whether the inspector shows whom a pod reaches.
    Reach(bool),
    /// Carries out a fix.
    Fix(Vec<TimedAction>),
    /// Scores or filters.
    Scores(bool),
    /// The stage's tab.
    Stage(Stage),
    /// The cluster as a table.
    Table(bool),
    /// What is typed into the filter.
    Filter(String),
    /// On small screens.
    Pane(Pane),
    /// Opens a menu, or closes all.
    Menu(Option<Menu>),
    /// Light or dark.
    Theme(Theme),
    /// The sheet of shortcuts.
    Help(bool),
    /// The console.
    Console(bool),
    /// What to copy or save.
    Share(Share),

    /// Brings the discarded future back.
    Undo,
    /// Puts the toast away.
    DismissToast,
    /// Puts notices and refusals away.
    DismissNotices,
    /// Ends a slow simulation.
    Stop,
    /// Waits on.
    KeepGoing,
    /// Starts the engine again after a crash.
    Restart,
}

/// Ways to share a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// The link.
    Link,
    /// `[title](link)`.
    Markdown,
    /// An iframe of the embed.
    Embed,
    /// The text as a file.
    Yaml,
    /// The cluster as it is now, as a file that a real cluster accepts.
    Cluster,
    /// The cluster as it is now, with its nodes, as a file for KWOK.
    Kwok,
}
