//! Runs every scenario file of `tests/suite` and compares what it says with what happens.
#![expect(clippy::print_stdout, reason = "this is the test runner itself")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sim::{Options, Preset, Simulation};
use tests::suite::{Piece, Suite, attribute, commands};
use view::{Diagnostic, LinkFile, Severity};

/// No scenario needs more events than this to reach its last block.
const MAX_EVENTS: u64 = 1_000_000;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let only = std::env::args().skip(1).find(|it| !it.starts_with('-'));
    let mut paths = vec![];
    collect(&folder.join("suite"), &mut paths);
    paths.sort();
    let files = manifests(&folder.join("manifests"));
    let (mut passed, mut failed) = (0, 0);
    for path in paths {
        let name = path.strip_prefix(folder.join("suite")).unwrap_or(&path).display().to_string();
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let expected = Suite::parse(&text);
        let actual = Stage::new(&files).play(&expected).to_text();
        if actual == text {
            passed += 1;
            println!("ok      {name}");
        } else if update {
            passed += 1;
            println!("updated {name}");
            if let Err(error) = std::fs::write(&path, actual) {
                println!("cannot write {name}: {error}");
            }
        } else {
            failed += 1;
            println!("FAILED  {name}\n{}", first_difference(&text, &actual));
        }
    }
    println!(
        "test result: {}. {passed} passed; {failed} failed",
        if failed == 0 { "ok" } else { "FAILED" }
    );
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|it| it == "md") {
            paths.push(path);
        }
    }
}

/// The book's files by their path below `tests/manifests`, for `file=` and for `kubectl -f`.
fn manifests(folder: &Path) -> Vec<LinkFile> {
    let mut files = vec![];
    for chapter in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        for entry in std::fs::read_dir(chapter.path()).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            files.push(LinkFile { name, text });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// The line where two texts part, with what stands before it.
fn first_difference(expected: &str, actual: &str) -> String {
    let (mut before, mut n) = (vec![], 0);
    let (mut a, mut b) = (expected.lines(), actual.lines());
    loop {
        n += 1;
        match (a.next(), b.next()) {
            (Some(x), Some(y)) if x == y => before.push(x),
            (None, None) => return "the files differ in their last line break".to_owned(),
            (x, y) => {
                let context: String = before[before.len().saturating_sub(4)..]
                    .iter()
                    .map(|it| format!("   {it}\n"))
                    .collect();
                let end = "(the end)";
                let more: String = b.take(6).map(|it| format!(" + {it}\n")).collect();
                return format!(
                    " line {n}:\n{context} - {}\n + {}\n{more}",
                    x.unwrap_or(end),
                    y.unwrap_or(end)
                );
            }
        }
    }
}

/// Where a scenario file is played.
struct Stage<'a> {
    files: &'a [LinkFile],
    text: String,
    options: Options,
    simulation: Option<Result<Simulation, Vec<Diagnostic>>>,
}

impl<'a> Stage<'a> {
    fn new(files: &'a [LinkFile]) -> Self {
        // `-f` finds a file by its path and by its bare name.
        let bare = files.iter().filter_map(|it| {
            let name = it.name.rsplit('/').next()?.to_owned();
            Some(LinkFile { name, text: it.text.clone() })
        });
        let all = files.iter().cloned().chain(bare).collect();
        let options = Options { files: all, ..Options::default() };
        Self { files, text: String::new(), options, simulation: None }
    }

    /// The suite as it would be written if everything that happens were expected.
    fn play(mut self, suite: &Suite) -> Suite {
        let pieces = suite.pieces.iter().map(|piece| match piece {
            Piece::Text(_) => piece.clone(),
            Piece::Block { kind, attributes, body } => {
                let new = match kind.as_str() {
                    "yaml" => self.load(attributes, body),
                    "console" => self.console(attributes, body),
                    "problems" => self.problems(),
                    "explain" => self.explain(attributes),
                    _ => self.timeline(attributes),
                };
                Piece::Block { kind: kind.clone(), attributes: attributes.clone(), body: new }
            }
        });
        Suite { pieces: pieces.collect() }
    }

    fn load(&mut self, attributes: &[(String, String)], body: &str) -> String {
        let text = match attribute(attributes, "file") {
            None => body,
            Some(name) => match self.files.iter().find(|it| it.name == name) {
                Some(file) => &file.text,
                None => return format!("there is no tests/manifests/{name}\n"),
            },
        };
        if !self.text.is_empty() {
            self.text.push_str("---\n");
        }
        self.text.push_str(text);
        if let Some(preset) = attribute(attributes, "preset") {
            self.options.preset = Preset::ALL.into_iter().find(|it| it.name() == preset);
        }
        if let Some(seed) = attribute(attributes, "seed") {
            self.options.seed = seed.parse().ok();
        }
        body.to_owned()
    }

    fn simulation(&mut self) -> &mut Result<Simulation, Vec<Diagnostic>> {
        let (text, options) = (&self.text, &self.options);
        self.simulation.get_or_insert_with(|| Simulation::load(text, options.clone()))
    }

    fn console(&mut self, attributes: &[(String, String)], body: &str) -> String {
        let ms = attribute(attributes, "at").and_then(|it| api::duration::parse(it).ok());
        let ms = ms.map(api::duration::Duration::as_millis);
        let lines: Vec<&str> = commands(body).collect();
        let simulation = match self.simulation() {
            Ok(simulation) => simulation,
            Err(diagnostics) => return problem_lines(diagnostics),
        };
        let mut output = String::new();
        if let Some(ms) = ms
            && !simulation.seek(ms, MAX_EVENTS).reached
        {
            output.push_str("the run stopped before this time\n");
        }
        for line in lines {
            let result = simulation.command(line);
            output.push_str(&format!("$ {line}\n{}", result.output));
            if !result.output.is_empty() && !result.output.ends_with('\n') {
                output.push('\n');
            }
            if result.exit_code != 0 {
                output.push_str(&format!("(exit code {})\n", result.exit_code));
            }
        }
        output
    }

    fn problems(&mut self) -> String {
        match self.simulation() {
            Ok(simulation) => problem_lines(simulation.diagnostics()),
            Err(diagnostics) => problem_lines(diagnostics),
        }
    }

    fn explain(&mut self, attributes: &[(String, String)]) -> String {
        let pod = attribute(attributes, "pod").unwrap_or_default();
        let simulation = match self.simulation() {
            Ok(simulation) => simulation,
            Err(diagnostics) => return problem_lines(diagnostics),
        };
        let fixes = simulation.fixes("default", pod).map(|it| it.to_string());
        let room = simulation.room("default", pod).map(|it| it.to_string());
        fixes.into_iter().chain(room).collect()
    }

    fn timeline(&mut self, attributes: &[(String, String)]) -> String {
        let words: Vec<&str> =
            attribute(attributes, "only").map(|it| it.split(',').collect()).unwrap_or_default();
        let text = match self.simulation() {
            Ok(simulation) => simulation.history_text(usize::MAX),
            Err(diagnostics) => return problem_lines(diagnostics),
        };
        let wanted = |line: &&str| words.is_empty() || words.iter().any(|it| line.contains(it));
        text.lines().filter(wanted).flat_map(|line| [line, "\n"]).collect()
    }
}

fn problem_lines(diagnostics: &[Diagnostic]) -> String {
    let line = |it: &Diagnostic| {
        let severity = match it.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let hint = it.hint.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
        let start = it.span.start;
        format!("{}:{} {severity}: {}{hint}\n", start.line, start.column, it.message)
    };
    diagnostics.iter().map(line).collect()
}
