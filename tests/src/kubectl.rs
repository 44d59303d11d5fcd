//! Conformance area `kubectl`: commands with what kubectl printed, run against the engine.
//!
//! Exit code and both streams are compared byte for byte. What differs from run to run stands in
//! the data as a constant such as `<age>` and fits anything of its form. Only where such a value is
//! wider or narrower than the recorded one may the blanks around the columns of its table differ.
//! Commands that the data calls unstable are run, but not compared.

mod pattern;
mod text;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::Value;
use sim::{Options, Simulation};
use view::{CommandResult, TimedAction};

use api::{Ending, Settings};

use crate::conformance::Verdict;
use crate::zones;

/// Enough for every case.
const MAX_EVENTS: u64 = 100_000;

/// How long the controllers settle after a change, milliseconds.
const SETTLE_MS: i64 = 1_000;

/// How long they settle between the steps of the setup: in the recordings that was so short that
/// the node lifecycle controller, which looks every five seconds, had mostly not looked.
const SETUP_MS: i64 = 300;

/// As the stand-in kubelet of the recordings: within 0.2 seconds pods run, or are gone.
const KUBELET_MS: i64 = 100;

#[derive(Deserialize)]
struct Case {
    name: String,
    /// `false`, `true`, `"complete"` or `"fail"`.
    kubelet: Value,
    setup: Vec<Setup>,
    commands: Vec<Command>,
}

#[derive(Deserialize)]
struct Setup {
    op: String,
    #[serde(default)]
    manifest: String,
    #[serde(default)]
    patch: String,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    seconds: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Command {
    args: Vec<String>,
    #[serde(default)]
    stdin: String,
    exit_code: i32,
    stdout: String,
    stderr: String,
    #[serde(default)]
    unordered: bool,
    #[serde(default)]
    unstable: bool,
}

/// Runs the cases of one file.
#[must_use]
pub fn run(_: &Path, text: &str, only: Option<&str>) -> Vec<Verdict> {
    let mut verdicts = vec![];
    for line in text.lines().filter(|it| !it.trim().is_empty()) {
        let case: Case = match serde_json::from_str(line) {
            Ok(case) => case,
            Err(error) => {
                verdicts.push(Verdict { name: "?".to_owned(), result: Err(error.to_string()) });
                continue;
            }
        };
        if only.is_none_or(|it| it == case.name) {
            verdicts.extend(run_case(&case));
        }
    }
    verdicts
}

/// Each command counts; a command after a failed one may fail because of it.
fn run_case(case: &Case) -> Vec<Verdict> {
    let mut cluster = match Cluster::new(case) {
        Ok(cluster) => cluster,
        Err(why) => return vec![Verdict { name: case.name.clone(), result: Err(why) }],
    };
    let mut verdicts = vec![];
    for (n, command) in case.commands.iter().enumerate() {
        let came = cluster.kubectl(&command.args, &command.stdin, SETTLE_MS);
        let name = format!("{}#{n} `{}`", case.name, command.args.join(" "));
        verdicts.push(Verdict { name, result: compare(command, &came) });
    }
    verdicts
}

/// What `kubectl explain` tells, read once.
fn documentation() -> Option<Arc<str>> {
    static TEXT: OnceLock<Option<Arc<str>>> = OnceLock::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    TEXT.get_or_init(|| schema::document(here).ok().map(Into::into)).clone()
}

struct Cluster(Simulation);

impl Cluster {
    fn new(case: &Case) -> Result<Self, String> {
        // Just after the node lifecycle controller has looked.
        let start = "2026-11-21T19:49:02.6Z".parse().ok();
        let ending = match case.kubelet.as_str() {
            Some("complete") => Ending::JobsAtOnce(0),
            Some("fail") => Ending::JobsAtOnce(1),
            _ => Ending::Never,
        };
        let settings = Settings {
            container_start_ms: KUBELET_MS,
            stop_delay_ms: KUBELET_MS,
            ending: Some(ending),
            ..Settings::default()
        };
        let options = Options {
            preset: Some(sim::Preset::Empty),
            start,
            zones: zones::all(),
            documentation: documentation(),
            settings: Some(settings),
            ..Options::default()
        };
        let simulation = Simulation::load("", options).map_err(|it| format!("{it:?}"))?;
        let mut cluster = Self(simulation);
        if case.kubelet == Value::Bool(false) {
            cluster.0.command("stop controller kubelet");
        }
        for step in &case.setup {
            cluster.set_up(step)?;
        }
        cluster.settle(SETTLE_MS);
        Ok(cluster)
    }

    fn settle(&mut self, ms: i64) {
        let until = self.0.now_ms() + ms;
        self.0.run_until(until, MAX_EVENTS);
    }

    fn set_up(&mut self, step: &Setup) -> Result<(), String> {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let came = match step.op.as_str() {
            "wait" => {
                #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
                self.settle((step.seconds * 1_000.0) as i64);
                return Ok(());
            }
            "create" | "apply" => {
                self.kubectl(&words(&format!("{} -f -", step.op)), &step.manifest, SETUP_MS)
            }
            "kubectl" => self.kubectl(&step.args, "", SETUP_MS),
            _ => {
                let mut args = words("patch --subresource=status --type=strategic");
                args.extend([step.resource.clone(), step.name.clone()]);
                args.extend(["-p".to_owned(), step.patch.clone()]);
                if let Some(namespace) = &step.namespace {
                    args.extend(["-n".to_owned(), namespace.clone()]);
                }
                self.kubectl(&args, "", SETUP_MS)
            }
        };
        match came.exit_code {
            0 => Ok(()),
            _ => Err(format!("setup: {}", came.output)),
        }
    }

    fn kubectl(&mut self, args: &[String], stdin: &str, settle_ms: i64) -> CommandResult {
        let words: Vec<String> = args.iter().map(|it| quoted(it)).collect();
        let command = format!("kubectl {}", words.join(" "));
        let action = TimedAction { command, yaml: stdin.to_owned(), ..TimedAction::default() };
        let before = self.0.n_events();
        let came = self.0.act(action);
        if self.0.n_events() != before {
            self.settle(settle_ms);
        }
        came
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn compare(command: &Command, came: &CommandResult) -> Result<(), String> {
    if command.unstable {
        return Ok(());
    }
    let streams = [
        ("standard output", came.standard_output(), command.stdout.as_str()),
        ("standard error", came.stderr.as_str(), command.stderr.as_str()),
    ];
    let mut wrong = vec![];
    if came.exit_code != command.exit_code {
        wrong.push(format!("exit code {} instead of {}", came.exit_code, command.exit_code));
    }
    for (name, ours, want) in streams {
        let result = match command.unordered {
            true => text::in_any_order(ours, want),
            false => text::same(ours, want),
        };
        wrong.extend(result.err().map(|why| format!("{name}: {why}")));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let texts = indented(came.standard_output(), &came.stderr, command);
    Err(format!("{}\n{texts}", wrong.join("; ")))
}

fn indented(out: &str, err: &str, command: &Command) -> String {
    let indent = |text: &str| text.lines().map(|it| format!("    |{it}\n")).collect::<String>();
    let (got, want) = (indent(out), indent(&command.stdout));
    let (got_err, want_err) = (indent(err), indent(&command.stderr));
    format!("  got:\n{got}  -- err\n{got_err}  want:\n{want}  -- err\n{want_err}")
}
