//! The root: holds all state, takes every message, and is the only one that asks the engine.

mod advice;
mod editing;
mod hearing;
mod keys;
mod running;
mod saying;
mod sharing;
mod view;

use std::rc::Rc;

use ::view::{
    Attempt, Diagnosis, Diagnostic, Fixes, Lane, Mark, ObjectName, Reach, Room, RunState,
    TimedAction,
};
use serde::Deserialize;
use wasm_bindgen::prelude::*;
use yew::prelude::*;

use crate::cluster::Cluster;
use crate::console::Completed;
use crate::host::Host;
use crate::msg::Msg;
use crate::outline::Document;
use crate::protocol::{Op, Request};
use crate::shared::Shared;
use crate::ui::{Said, Theme, Ui};

/// What the page found out before it started: see `js/boot.js`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Options {
    /// Read-only, compact, without storage.
    pub embed: bool,
    /// The address's fragment without `#`.
    pub fragment: String,
    /// The stored theme.
    pub theme: String,
    /// The stored text.
    pub text: String,
    /// Command key instead of Ctrl.
    pub apple: bool,
}

/// Props of the root.
#[derive(Clone, Properties)]
pub struct AppProps {
    /// The JavaScript side.
    pub host: Rc<Host>,
    /// See [`Options`].
    pub options: Options,
}

impl PartialEq for AppProps {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.host, &other.host) && self.options == other.options
    }
}

/// What the inspector shows, as far as the engine has answered.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// Of which object this is.
    pub object: Option<ObjectName>,
    /// Live YAML.
    pub yaml: String,
    /// Live YAML before the last step.
    pub yaml_before: String,
    /// A pod's last scheduling attempt, or the one that was chosen.
    pub diagnosis: Option<Rc<Diagnosis>>,
    /// All its attempts.
    pub attempts: Vec<Attempt>,
    /// Whom it reaches, if that is shown.
    pub reach: Option<Rc<Reach>>,
    /// What would let it run, if it waits.
    pub fixes: Option<Rc<Fixes>>,
    /// How many more of it fit, if somebody asked.
    pub room: Option<Rc<Room>>,
}

/// Requests that are on their way.
#[derive(Debug, Default)]
struct Flight {
    last_id: u32,
    /// Requests that move time and were not yet answered.
    n_moving: u32,
    /// Where to go after the answer; the latest wish wins.
    seek_next: Option<i64>,
    /// The run that was opened last has shown a picture.
    shown: bool,
    /// The picture is one on the way of a long run.
    under_way: bool,
    /// On the way, something happened to the selected object.
    touched: bool,
    /// The time that was last asked for, until the picture shows it: a text that is typed
    /// meanwhile is run up to there.
    wish: Option<i64>,
    /// Only the latest answer about the selected object counts.
    inspect_id: u32,
    /// Likewise for what would help it, and for the room.
    fixes_id: u32,
    room_id: u32,
    /// The console line that waits for its answer.
    command_id: u32,
    /// When the last frame was, for the pace of playing.
    last_frame_ms: i64,
    /// Frames since marks and lanes were asked for.
    frames: u32,
}

/// The scenario as the engine has it, to open it again after a crash.
#[derive(Clone, Debug, Default)]
struct Opened {
    text: String,
    seed: Option<u64>,
    preset: Option<String>,
    actions: Vec<TimedAction>,
    /// The example whose text this is, untouched.
    example: Option<&'static str>,
}

/// The root component.
pub struct App {
    host: Rc<Host>,
    options: Options,
    send: Callback<Msg>,
    _hears: Closure<dyn FnMut(String, String)>,
    editor: NodeRef,
    text: String,
    outline: Shared<Vec<Document>>,
    cursor_line: usize,
    opened: Opened,
    /// The text has errors: the picture is of an older one.
    stale: bool,
    /// The engine has answered once.
    loaded: bool,
    /// After the next picture, select the first pending pod.
    select_pending: bool,
    diagnostics: Shared<Vec<Diagnostic>>,
    cluster: Shared<Cluster>,
    state: Shared<RunState>,
    marks: Shared<Vec<Mark>>,
    lanes: Shared<Vec<Lane>>,
    subject: Shared<Subject>,
    said: Shared<Vec<Said>>,
    /// What was entered into the console.
    entered: Shared<Vec<String>>,
    /// The answer to the last Tab.
    completed: Shared<Completed>,
    console: saying::Console,
    flight: Flight,
    /// Fragment of the link that was packed last.
    fragment: String,
    share_next: Option<crate::msg::Share>,
    ui: Ui,
}

impl Component for App {
    type Message = Msg;
    type Properties = AppProps;

    fn create(ctx: &Context<Self>) -> Self {
        let AppProps { host, options } = ctx.props().clone();
        let heard = ctx.link().callback(|(kind, payload)| Msg::Heard(kind, payload));
        let hears = Closure::new(move |kind, payload| heard.emit((kind, payload)));
        host.listen(&hears);
        let theme = Theme::of_word(&options.theme);
        host.set_theme(theme.word());
        let mut app = Self {
            host,
            send: ctx.link().callback(|msg| msg),
            _hears: hears,
            editor: NodeRef::default(),
            text: String::new(),
            outline: Shared::default(),
            cursor_line: 1,
            opened: Opened::default(),
            stale: false,
            loaded: false,
            select_pending: false,
            diagnostics: Shared::default(),
            cluster: Shared::default(),
            state: Shared::default(),
            marks: Shared::default(),
            lanes: Shared::default(),
            subject: Shared::default(),
            said: Shared::default(),
            entered: Shared::default(),
            completed: Shared::default(),
            console: saying::Console::default(),
            flight: Flight::default(),
            fragment: String::new(),
            share_next: None,
            ui: Ui::new(theme),
            options,
        };
        let fragment = app.options.fragment.clone();
        app.open_fragment(&fragment);
        app
    }

    fn update(&mut self, _: &Context<Self>, msg: Msg) -> bool {
        self.take_typed(&msg);
        match msg {
            Msg::Heard(kind, payload) => return self.hear(&kind, payload),
            Msg::Play(playing) => self.play(playing),
            Msg::Step => self.step(),
            Msg::StepBack => self.step_back(),
            Msg::Interesting => self.interesting(),
            Msg::PreviousMark => self.previous_mark(),
            Msg::Seek(to) => self.seek(to),
            Msg::Jump(text) => self.jump(&text),
            Msg::Speed(speed) => self.ui.speed = speed,
            Msg::SkipIdle(skip) => self.ui.skip_idle = skip,
            Msg::RunFromStart => self.run_from_start(),
            Msg::ApplyNow => self.apply_now(),
            Msg::AutoRun(auto) => self.ui.auto_run = auto,
            Msg::Example(id) => self.open_example(id),
            Msg::Reveal(from, to) => self.reveal(from, to),
            Msg::Command(text) => self.command(&text),
            Msg::Complete(line, cursor) => {
                self.complete(line, cursor);
                return false;
            }
            Msg::Select(object) => self.select(object),
            Msg::Reason(reason) => self.ui.reason = reason,
            Msg::Tab(tab) => self.ui.tab = tab,
            Msg::Attempt(place) => self.show_attempt(place),
            Msg::Room => self.ask_room(),
            Msg::Reach(shown) => self.show_reach(shown),
            Msg::Fix(steps) => self.fix(steps),
            Msg::Scores(scores) => self.ui.scores = scores,
            Msg::Stage(stage) => self.ui.stage = stage,
            Msg::Table(table) => self.ui.table = table,
            Msg::Filter(filter) => self.ui.filter = filter,
            Msg::Pane(pane) => self.ui.pane = pane,
            Msg::Menu(menu) => self.ui.menu = menu,
            Msg::Theme(theme) => self.set_theme(theme),
            Msg::Help(open) => self.set_help(open),
            Msg::Console(open) => self.ui.console = open,
            Msg::Share(share) => self.share(share),
            Msg::Undo => self.undo(),
            Msg::DismissToast => self.ui.toast = None,
            Msg::DismissNotices => self.dismiss_notices(),
            Msg::Stop => self.stop(),
            Msg::KeepGoing => self.keep_going(),
            Msg::Restart => self.restart(),
        }
        true
    }

    fn view(&self, _: &Context<Self>) -> Html {
        if self.options.embed { self.view_embed() } else { self.view_page() }
    }

    fn rendered(&mut self, _: &Context<Self>, first_render: bool) {
        if first_render && let Some(element) = self.editor.cast::<web_sys::Element>() {
            self.host.mount_editor(&element, &self.text);
        }
    }
}

impl App {
    /// Sends a request; the answer comes back as [`Msg::Heard`].
    fn ask(&mut self, body: Op, extras: bool) -> u32 {
        self.flight.last_id += 1;
        let id = self.flight.last_id;
        if !body.only_asks() {
            self.flight.n_moving += 1;
        }
        if let Ok(json) = serde_json::to_string(&Request { id, extras, body }) {
            self.host.ask(&json);
        }
        id
    }

    fn select(&mut self, object: Option<ObjectName>) {
        self.ui.select(object);
        self.inspect();
    }

    /// Asks for what the inspector shows.
    fn inspect(&mut self) {
        let Some(object) = self.ui.selected.clone() else {
            self.subject = Shared::default();
            return;
        };
        let ObjectName { kind, namespace, name } = object;
        let (place, reach) = (self.ui.attempt, self.ui.reach);
        let ask = Op::Inspect { kind, namespace, name, place, reach };
        self.flight.inspect_id = self.ask(ask, false);
    }

    fn set_theme(&mut self, theme: Theme) {
        self.ui.theme = theme;
        self.ui.menu = None;
        self.host.set_theme(theme.word());
        self.host.store("theme", theme.word());
    }

    fn set_help(&mut self, open: bool) {
        self.ui.help = open;
        self.ui.menu = None;
        self.host.focus(if open { ".sheet button" } else { "[data-testid=help]" });
    }

    fn dismiss_notices(&mut self) {
        self.ui.n_notices_read = self.state.notices.len();
        self.ui.refused = None;
        if matches!(self.ui.health, crate::ui::Health::Restarted(_)) {
            self.ui.health = crate::ui::Health::Well;
        }
    }
}
