//! The JavaScript API of the engine: the published package.
//!
//! Values cross the border as JSON texts, which a worker can pass on without reading them, but for
//! what commands answer, which is mostly one long text; the TypeScript declarations say what is in
//! them. Times are milliseconds of the run. Nothing here
//! decides anything: it is a skin over `sim`.

#[cfg(target_arch = "wasm32")]
mod allocator;
mod extenders;
mod heap;
mod panic;
mod types;
mod zones;

use serde::Serialize;
use sim::{Kind, Options};
use view::{CommandResult, Diagnostic, Position};
use wasm_bindgen::prelude::*;

use heap::{Heap, SLICE};

/// The most events of one call that names no bound.
const MAX_EVENTS: f64 = 1_000_000.0;

/// Sets up the panic hook when the module starts.
#[wasm_bindgen(start)]
pub fn start() {
    panic::set_hook();
}

/// The text of the panic that stopped the engine, if one did. The instance must not be used for
/// anything else then.
#[wasm_bindgen(js_name = lastPanic)]
#[must_use]
pub fn last_panic() -> Option<String> {
    panic::last()
}

/// The version of the engine. A run is a function of it, the text, the options and the actions.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The time zones that CronJobs of a text name, as a JSON list of names: fetch and add them before
/// the text is run.
#[wasm_bindgen(js_name = zonesOf, unchecked_return_type = "Json<string[]>")]
#[must_use]
pub fn zones_of(text: &str) -> String {
    json(&sim::zones_of(text))
}

/// Adds a time zone from TZif data for all runs that are set up from now on. Returns whether the
/// data could be read.
#[wasm_bindgen(js_name = addZone)]
#[must_use]
pub fn add_zone(name: &str, data: &[u8]) -> bool {
    zones::add(name, data)
}

/// Registers what answers for the extender with a `urlPrefix`, for all runs that are set up from now
/// on: `handler(verb, body)` gets and returns the JSON bodies of the real extender API as objects,
/// and throws where a server would answer with an error. Each answer is kept, so that a run that is
/// played again is the same. Without a handler an extender cannot be reached.
#[wasm_bindgen(js_name = registerExtender)]
pub fn register_extender(
    url_prefix: &str,
    #[wasm_bindgen(unchecked_param_type = "(verb: string, body: any) => unknown")]
    handler: js_sys::Function,
) {
    extenders::register(url_prefix, handler);
}

/// A run: a cluster, its clock and its history. `free()` it when it is no longer needed.
#[wasm_bindgen]
pub struct Simulation {
    inner: sim::Simulation,
    heap: Heap,
}

#[wasm_bindgen]
impl Simulation {
    /// Reads a text and sets up its cluster at time zero. `options` is JSON: `preset`, `seed`,
    /// `start`, `actions`, `files`, `budgets`, each optional.
    ///
    /// # Errors
    /// An `Error` with one line for each error of the text; `Simulation.diagnostics` has the spans.
    #[wasm_bindgen(constructor)]
    pub fn new(text: &str, options: Option<String>) -> Result<Simulation, JsError> {
        let options = parse_options(options.as_deref())?;
        match sim::Simulation::load(text, options) {
            Ok(inner) => Ok(Self { inner, heap: Heap::default() }),
            Err(diagnostics) => Err(JsError::new(&lines(&diagnostics))),
        }
    }

    /// All problems of a text with their places, without running it.
    ///
    /// # Errors
    /// If `options` is not what the constructor takes.
    #[wasm_bindgen(unchecked_return_type = "Json<Diagnostic[]>")]
    pub fn diagnostics(text: &str, options: Option<String>) -> Result<String, JsError> {
        let options = parse_options(options.as_deref())?;
        Ok(json(&sim::Simulation::lint(text, &options)))
    }

    /// The warnings and notes about the text of this run.
    #[wasm_bindgen(unchecked_return_type = "Json<Diagnostic[]>")]
    #[must_use]
    pub fn warnings(&self) -> String {
        json(&self.inner.diagnostics())
    }

    /// Runs the next event. Returns whether there was one.
    pub fn step(&mut self) -> bool {
        self.inner.step()
    }

    /// Runs up to the next event with something to see. Returns whether there was one.
    #[wasm_bindgen(js_name = stepInteresting)]
    pub fn step_interesting(&mut self, max_events: Option<f64>) -> bool {
        self.inner.step_interesting(count(max_events)).reached
    }

    /// Goes back by one event. Returns whether there was one.
    #[wasm_bindgen(js_name = stepBack)]
    pub fn step_back(&mut self) -> bool {
        self.inner.step_back()
    }

    /// Goes back to the last time before now at which there was something to see.
    #[wasm_bindgen(js_name = stepBackInteresting)]
    pub fn step_back_interesting(&mut self) -> bool {
        self.inner.step_back_interesting()
    }

    /// Runs everything that is due up to `ms`, at most `maxEvents` events. Returns whether `ms` was
    /// reached; if not, call again, unless `state()` has a notice with the code `budget`, which it
    /// also has when 5,000,000 events went by on the way to the same `ms`: called again after that,
    /// the run goes on.
    #[wasm_bindgen(js_name = runUntil)]
    pub fn run_until(&mut self, ms: f64, max_events: Option<f64>) -> bool {
        self.go(whole(ms), count(max_events))
    }

    /// Goes to a time, back or forth. Returns whether it was reached.
    pub fn seek(&mut self, ms: f64, max_events: Option<f64>) -> bool {
        let ms = whole(ms);
        self.inner.seek(ms, 0);
        self.go(ms.max(0), count(max_events))
    }

    /// Carries out `kubectl ...`, `fail node NAME`, `recover node NAME`, `stop controller NAME` or
    /// `start controller NAME` now. `input` is the standard input of kubectl. In the past this
    /// discards the future; `forked` of the result says what.
    #[wasm_bindgen(unchecked_return_type = "CommandResult")]
    pub fn command(&mut self, line: &str, input: Option<String>) -> JsValue {
        let yaml = input.unwrap_or_default();
        let command = line.to_owned();
        answer(self.inner.act(view::TimedAction { command, yaml, at_ms: 0 }))
    }

    /// Applies a manifest now, as `kubectl apply -f -`.
    #[wasm_bindgen(unchecked_return_type = "CommandResult")]
    pub fn apply(&mut self, text: &str) -> JsValue {
        answer(self.inner.apply(text))
    }

    /// What may stand at the cursor of a console line, for the Tab key. `cursor` counts UTF-16 code
    /// units, as JavaScript does.
    #[wasm_bindgen(unchecked_return_type = "Json<Completion>")]
    #[must_use]
    pub fn complete(&self, line: &str, cursor: f64) -> String {
        let cursor = usize::try_from(whole(cursor)).unwrap_or_default();
        json(&self.inner.complete(line, cursor))
    }

    /// The state as YAML: for a real cluster, or with `target` `kwok` for one whose nodes KWOK
    /// plays.
    ///
    /// # Errors
    /// If there is no such target.
    pub fn export(&self, target: Option<String>) -> Result<String, JsError> {
        let target = target.unwrap_or_default();
        let target = sim::Export::from_name(&target).ok_or_else(|| {
            JsError::new(&format!("no target `{target}`; there are: cluster, kwok"))
        })?;
        Ok(self.inner.export(target))
    }

    /// Loads what `kubectl explain` tells: the file `explain.txt` of the package.
    #[wasm_bindgen(js_name = setDocumentation)]
    pub fn set_documentation(&mut self, text: &str) {
        self.inner.set_documentation(text);
    }

    /// Gives `kubectl -f` further files: JSON of `{ name, text }[]`.
    ///
    /// # Errors
    /// If it is not that.
    #[wasm_bindgen(js_name = addFiles)]
    pub fn add_files(&mut self, files: &str) -> Result<(), JsError> {
        let files = serde_json::from_str(files);
        self.inner.add_files(files.map_err(|it| JsError::new(&format!("files: {it}")))?);
        Ok(())
    }

    /// What the user did during the run, for a link.
    #[wasm_bindgen(unchecked_return_type = "Json<TimedAction[]>")]
    #[must_use]
    pub fn actions(&self) -> String {
        json(&self.inner.actions())
    }

    /// Replaces everything that the user did and goes back to time zero: undoes a fork.
    ///
    /// # Errors
    /// If `actions` is no JSON list of actions.
    #[wasm_bindgen(js_name = setActions)]
    pub fn set_actions(&mut self, actions: &str) -> Result<(), JsError> {
        let actions = serde_json::from_str(actions)?;
        self.inner.set_actions(actions).map_err(|it| JsError::new(&lines(&it)))
    }

    /// Where the run stands.
    #[wasm_bindgen(unchecked_return_type = "Json<RunState>")]
    #[must_use]
    pub fn state(&self) -> String {
        json(&self.inner.state())
    }

    /// What changed since a revision of `state()`; everything for 0.
    #[wasm_bindgen(unchecked_return_type = "Json<Delta>")]
    #[must_use]
    pub fn delta(&self, since: f64) -> String {
        json(&self.inner.delta(count(Some(since))))
    }

    /// The marks of the time line.
    #[wasm_bindgen(unchecked_return_type = "Json<Mark[]>")]
    #[must_use]
    pub fn marks(&self) -> String {
        json(&self.inner.marks())
    }

    /// What ran when, by workload, with the coming runs of CronJobs.
    #[wasm_bindgen(unchecked_return_type = "Json<Lane[]>")]
    #[must_use]
    pub fn lanes(&self) -> String {
        json(&self.inner.lanes())
    }

    /// An object as YAML. `namespace` is empty for kinds without one.
    #[must_use]
    pub fn yaml(&self, kind: &str, namespace: &str, name: &str) -> Option<String> {
        self.inner.yaml(kind, namespace, name)
    }

    /// What the scheduler found for a pod the last time it looked, or at another place of
    /// `attemptList`.
    #[wasm_bindgen(unchecked_return_type = "Json<Diagnosis> | undefined")]
    #[must_use]
    pub fn diagnosis(&self, namespace: &str, name: &str, place: Option<u32>) -> Option<String> {
        let place = place.and_then(|it| usize::try_from(it).ok());
        self.inner.diagnosis(namespace, name, place).as_ref().map(json)
    }

    /// The attempts at a pod in a line each, oldest first.
    #[wasm_bindgen(js_name = attemptList, unchecked_return_type = "Json<Attempt[]>")]
    #[must_use]
    pub fn attempt_list(&self, namespace: &str, name: &str) -> String {
        json(&self.inner.attempt_list(namespace, name))
    }

    /// What the scheduler found for a pod, attempt by attempt.
    #[wasm_bindgen(unchecked_return_type = "Json<Diagnosis[]>")]
    #[must_use]
    pub fn attempts(&self, namespace: &str, name: &str) -> String {
        json(&self.inner.attempts(namespace, name))
    }

    /// The smallest changes that would make a waiting pod fit now, each tried with the filters.
    #[wasm_bindgen(unchecked_return_type = "Json<Fixes> | undefined")]
    #[must_use]
    pub fn fixes(&self, namespace: &str, name: &str) -> Option<String> {
        self.inner.fixes(namespace, name).as_ref().map(json)
    }

    /// How many more pods like a pod there is room for now, where, and what stops the next one.
    #[wasm_bindgen(unchecked_return_type = "Json<Room> | undefined")]
    #[must_use]
    pub fn room(&self, namespace: &str, name: &str) -> Option<String> {
        self.inner.room(namespace, name).as_ref().map(json)
    }

    /// The ways from a pod to the pods of its namespace, now: Services, ports of nodes.
    #[wasm_bindgen(unchecked_return_type = "Json<Reach> | undefined")]
    #[must_use]
    pub fn reach(&self, namespace: &str, name: &str) -> Option<String> {
        self.inner.reach(namespace, name).as_ref().map(json)
    }

    /// The newest lines of the history up to now, oldest first.
    #[must_use]
    pub fn history(&self, max_lines: Option<f64>) -> String {
        let n_lines = usize::try_from(count(max_lines)).unwrap_or(usize::MAX);
        self.inner.history_text(n_lines)
    }

    /// The hash of the history up to now, 16 hexadecimal digits: equal runs have equal hashes, here
    /// and in the native engine.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn hash(&self) -> String {
        format!("{:016x}", self.inner.hash())
    }

    /// The time zones that the text names and the run does not have, as a JSON list of names.
    #[wasm_bindgen(js_name = missingZones, unchecked_return_type = "Json<string[]>")]
    #[must_use]
    pub fn missing_zones(&self) -> String {
        json(&self.inner.missing_zones())
    }

    /// Adds a time zone from TZif data; a run under way is repeated with it up to now. Returns
    /// whether the data could be read.
    #[wasm_bindgen(js_name = setZone)]
    pub fn set_zone(&mut self, name: &str, data: &[u8]) -> bool {
        self.inner.set_zone(name, data)
    }

    /// The kinds of objects that the cluster keeps, as a JSON list of names.
    #[wasm_bindgen(unchecked_return_type = "Json<string[]>")]
    #[must_use]
    pub fn kinds() -> String {
        json(&Kind::ALL.iter().map(|it| it.name()).collect::<Vec<_>>())
    }
}

fn parse_options(text: Option<&str>) -> Result<Options, JsError> {
    let options = match text {
        None | Some("") => Options::default(),
        Some(text) => {
            serde_json::from_str(text).map_err(|it| JsError::new(&format!("options: {it}")))?
        }
    };
    Ok(Options { zones: zones::all(), extenders: extenders::all(), ..options })
}

/// A value as JSON. The types of `view` have no value that JSON cannot hold.
fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// What a command did, as an object: what it prints may be megabytes, which as JSON would be copied
/// once more here and read once more by who asked.
fn answer(mut result: CommandResult) -> JsValue {
    let output = text_of(&std::mem::take(&mut result.output));
    let object = js_sys::JSON::parse(&json(&result)).unwrap_or_default();
    // A plain object takes any property.
    let _ = js_sys::Reflect::set(&object, &JsValue::from_str("output"), &output);
    object
}

/// A text of JavaScript. A long one is made of pieces: browsers get new memory for all that they
/// decode at once, and to fill pages of it for the first time takes longer than to join the pieces.
fn text_of(mut text: &str) -> JsValue {
    const PIECE: usize = 1 << 16;
    let mut whole = js_sys::JsString::from("");
    while text.len() > PIECE {
        let end = (1..=PIECE).rev().find(|it| text.is_char_boundary(*it)).unwrap_or(PIECE);
        let (piece, rest) = text.split_at(end);
        whole = whole.concat(&JsValue::from_str(piece));
        text = rest;
    }
    whole.concat(&JsValue::from_str(text)).into()
}

/// One line for each diagnostic: `12:7: ...`.
fn lines(diagnostics: &[Diagnostic]) -> String {
    let line = |it: &Diagnostic| {
        let Position { line, column, .. } = it.span.start;
        format!("{line}:{column}: {}", it.message)
    };
    diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A number of JavaScript as whole milliseconds; what is no number is zero.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as is wanted")]
fn whole(number: f64) -> i64 {
    number as i64
}

/// A number of JavaScript as a count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, as is wanted"
)]
fn count(number: Option<f64>) -> u64 {
    number.unwrap_or(MAX_EVENTS) as u64
}

impl Simulation {
    /// Runs up to `ms`, at most `max_events` events, with room for what they keep.
    fn go(&mut self, ms: i64, max_events: u64) -> bool {
        let mut left = max_events;
        loop {
            self.heap.make_room();
            let progress = self.inner.run_until(ms, left.min(SLICE));
            left -= progress.n_events.min(left);
            if progress.reached || left == 0 || self.inner.stopped().is_some() {
                return progress.reached;
            }
        }
    }
}
