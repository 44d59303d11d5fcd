//! Conformance area `kubectl`: commands with what kubectl printed, run against the engine.
//!
//! The text is compared line by line. What differs from run to run stands in the data as a constant
//! such as `<age>` and fits anything of its form; runs of blanks count as one, because the width of
//! columns depends on such values. The simulation joins both output streams, so the lines must be
//! those of the two recorded streams in some interleaving.

mod pattern;

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use sim::{Options, Simulation};
use view::{CommandResult, TimedAction};

use crate::conformance::Verdict;
use pattern::fits;

/// Enough for every case.
const MAX_EVENTS: u64 = 100_000;

/// How long the controllers settle after a change, milliseconds.
const SETTLE_MS: i64 = 1_500;

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
        let came = cluster.kubectl(&command.args, &command.stdin);
        let name = format!("{}#{n} `{}`", case.name, command.args.join(" "));
        verdicts.push(Verdict { name, result: compare(command, &came) });
    }
    verdicts
}

struct Cluster(Simulation);

impl Cluster {
    fn new(case: &Case) -> Result<Self, String> {
        let start = "2026-11-21T19:49:00Z".parse().ok();
        let options = Options { preset: Some(sim::Preset::Empty), start, ..Options::default() };
        let simulation = Simulation::load("", options).map_err(|it| format!("{it:?}"))?;
        let mut cluster = Self(simulation);
        if case.kubelet == Value::Bool(false) {
            cluster.0.command("stop controller kubelet");
        }
        cluster.settle(SETTLE_MS);
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
                self.kubectl(&words(&format!("{} -f -", step.op)), &step.manifest)
            }
            "kubectl" => self.kubectl(&step.args, ""),
            _ => {
                let mut args = words("patch --subresource=status --type=strategic");
                args.extend([step.resource.clone(), step.name.clone()]);
                args.extend(["-p".to_owned(), step.patch.clone()]);
                if let Some(namespace) = &step.namespace {
                    args.extend(["-n".to_owned(), namespace.clone()]);
                }
                self.kubectl(&args, "")
            }
        };
        match came.exit_code {
            0 => Ok(()),
            _ => Err(format!("setup: {}", came.output)),
        }
    }

    fn kubectl(&mut self, args: &[String], stdin: &str) -> CommandResult {
        let words: Vec<String> = args.iter().map(|it| quoted(it)).collect();
        let command = format!("kubectl {}", words.join(" "));
        let action = TimedAction { command, yaml: stdin.to_owned(), ..TimedAction::default() };
        let before = self.0.n_events();
        let came = self.0.act(action);
        if self.0.n_events() != before {
            self.settle(SETTLE_MS);
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
    if came.exit_code != command.exit_code {
        return Err(format!(
            "exit code {} instead of {}\n  got: {:?}\n  want: {:?}{:?}",
            came.exit_code, command.exit_code, came.output, command.stdout, command.stderr
        ));
    }
    let lines = |text: &str| text.lines().map(collapsed).collect::<Vec<_>>();
    let (ours, out, err) = (lines(&came.output), lines(&command.stdout), lines(&command.stderr));
    let result = match command.unordered {
        true => in_any_order(&ours, &[out, err].concat()),
        false => interleaved(&ours, &out, &err),
    };
    result.map_err(|why| {
        format!("{why}\n{}", indented(&came.output, &command.stdout, &command.stderr))
    })
}

/// Whether the lines are the same, in whatever order.
fn in_any_order(ours: &[String], want: &[String]) -> Result<(), String> {
    let mut left: Vec<&String> = want.iter().filter(|it| !it.is_empty()).collect();
    for line in ours.iter().filter(|it| !it.is_empty()) {
        match left.iter().position(|it| fits(it, line)) {
            Some(at) => drop(left.remove(at)),
            None => return Err(format!("unexpected line {line:?}")),
        }
    }
    match left.len() {
        0 => Ok(()),
        n => Err(format!("{n} lines are missing")),
    }
}

fn indented(ours: &str, out: &str, err: &str) -> String {
    let indent = |text: &str| text.lines().map(|it| format!("    |{it}\n")).collect::<String>();
    format!("  got:\n{}  want:\n{}{}", indent(ours), indent(out), indent(err))
}

/// Runs of blanks count as one; those at the end do not count.
fn collapsed(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let words: Vec<&str> = line.split_whitespace().collect();
    format!("{}{}", &line[..indent], words.join(" "))
}

/// Whether the lines are those of two texts, each in its order.
fn interleaved(ours: &[String], out: &[String], err: &[String]) -> Result<(), String> {
    // Blank lines end messages to standard error and do not count.
    let keep = |all: &[String]| -> Vec<String> {
        all.iter().filter(|it| !it.is_empty()).cloned().collect()
    };
    let (ours, out, err) = (keep(ours), keep(out), keep(err));
    // How many lines of the first text may have been used up, at each line of ours.
    let mut states = vec![0_usize];
    for (n, line) in ours.iter().enumerate() {
        let mut next = vec![];
        for used in states {
            if out.get(used).is_some_and(|it| fits(it, line)) {
                next.push(used + 1);
            }
            if err.get(n - used).is_some_and(|it| fits(it, line)) {
                next.push(used);
            }
        }
        next.dedup();
        if next.is_empty() {
            return Err(format!("unexpected line {line:?}"));
        }
        states = next;
    }
    if ours.len() < out.len() + err.len() {
        return Err(format!("{} lines are missing", out.len() + err.len() - ours.len()));
    }
    Ok(())
}
