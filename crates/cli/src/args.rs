//! The command line, understood.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;
use sim::Export;

/// What `orrery help` prints.
pub(crate) const HELP: &str = "\
orrery: a clockwork Kubernetes 1.36 without a cluster

Usage:
  orrery run FILE... [options]                  simulate, print what is there at the end
  orrery kubectl FILE... [options] -- ARGS...   a kubectl command in the simulated cluster
  orrery export FILE... [--for kwok]            the state as YAML for a real (or KWOK) cluster
  orrery explain FILE... --pod [NS/]NAME        what the scheduler found for a pod
  orrery check FILE...                          only look for problems
  orrery link FILE... [options]                 print the texts as the fragment of a link
  orrery open LINK                              print the texts of a link

Options:
  --until, --at TIME   simulated time, such as 90s, 10m, 2h, 7d (default: as long as the scenario
                       says, else 10m for run, 0s otherwise)
  --preset NAME        minikube, default, three-zones or empty
  --seed N             the seed of everything random
  --max-events N       stop after so many events (default: 5000000)
  -o, --output FORMAT  of run: table (default), events, yaml, json, history
  -h, --help           this text
  -V, --version        the version

FILE is YAML or JSON, `-` is standard input. Exit codes: 0 well; 1 the text has errors or a
command failed; 2 the command line was not understood.
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Help,
    Version,
    Run { output: Output },
    Kubectl { args: Vec<String> },
    Explain { namespace: String, name: String },
    Check,
    Link,
    Export { target: Export },
    Open { link: String },
}

/// What `run` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Table,
    Events,
    Yaml,
    Json,
    History,
}

/// A whole command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) task: Task,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) until_ms: Option<i64>,
    pub(crate) preset: Option<String>,
    pub(crate) seed: Option<u64>,
    pub(crate) max_events: Option<u64>,
}

/// Reads a command line without the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Args, String> {
    let mut words: Vec<OsString> = args.into_iter().collect();
    // What follows `--` is kubectl's own.
    let tail = words.iter().position(|it| it == "--").map(|at| words.split_off(at));
    let tail: Option<Vec<String>> = tail
        .map(|it| it.into_iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect());
    let mut options = Options::default();
    options.read(words).map_err(|error| error.to_string())?;
    options.finish(tail)
}

#[derive(Default)]
struct Options {
    words: Vec<OsString>,
    until_ms: Option<i64>,
    preset: Option<String>,
    seed: Option<u64>,
    max_events: Option<u64>,
    output: Option<String>,
    pod: Option<String>,
    target: Option<String>,
    help: bool,
    version: bool,
}

impl Options {
    fn read(&mut self, words: Vec<OsString>) -> Result<(), lexopt::Error> {
        let mut parser = lexopt::Parser::from_args(words);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("until" | "at") => {
                    self.until_ms = Some(parser.value()?.parse_with(time)?);
                }
                Long("preset") => self.preset = Some(parser.value()?.string()?),
                Long("seed") => self.seed = Some(parser.value()?.parse()?),
                Long("max-events") => self.max_events = Some(parser.value()?.parse()?),
                Short('o') | Long("output") => self.output = Some(parser.value()?.string()?),
                Long("for") => self.target = Some(parser.value()?.string()?),
                Long("pod") => self.pod = Some(parser.value()?.string()?),
                Short('h') | Long("help") => self.help = true,
                Short('V') | Long("version") => self.version = true,
                Value(word) => self.words.push(word),
                other => return Err(other.unexpected()),
            }
        }
        Ok(())
    }

    fn finish(self, tail: Option<Vec<String>>) -> Result<Args, String> {
        let Self { until_ms, preset, seed, max_events, output, pod, target, .. } = self;
        let mut words = self.words.into_iter();
        let command = words.next().map(|it| it.to_string_lossy().into_owned());
        let files: Vec<PathBuf> = words.map(PathBuf::from).collect();
        let task = match command.as_deref() {
            _ if self.help => Task::Help,
            _ if self.version => Task::Version,
            None | Some("help") => Task::Help,
            Some("version") => Task::Version,
            Some("run") => Task::Run { output: format(output.as_deref())? },
            Some("kubectl") => match tail {
                Some(args) if !args.is_empty() => Task::Kubectl { args },
                _ => return Err("kubectl: the command goes after `--`, as in `-- get pods`".into()),
            },
            Some("explain") => explain(pod)?,
            Some("export") => {
                let name = target.unwrap_or_default();
                let target = Export::from_name(&name)
                    .ok_or_else(|| format!("export: --for is cluster or kwok, not `{name}`"))?;
                Task::Export { target }
            }
            Some("check") => Task::Check,
            Some("link") => Task::Link,
            Some("open") => {
                let [link] = files.as_slice() else {
                    return Err("open: needs one link".to_owned());
                };
                let link = link.to_string_lossy().into_owned();
                return Ok(Args {
                    task: Task::Open { link },
                    files: vec![],
                    until_ms,
                    preset,
                    seed,
                    max_events,
                });
            }
            Some(other) => return Err(format!("unknown command `{other}`")),
        };
        if files.is_empty() && !matches!(task, Task::Help | Task::Version) {
            return Err("no file is named".to_owned());
        }
        Ok(Args { task, files, until_ms, preset, seed, max_events })
    }
}

fn explain(pod: Option<String>) -> Result<Task, String> {
    let pod = pod.ok_or("explain: which pod? --pod [NAMESPACE/]NAME")?;
    let (namespace, name) = pod.split_once('/').unwrap_or(("default", &pod));
    Ok(Task::Explain { namespace: namespace.to_owned(), name: name.to_owned() })
}

fn format(name: Option<&str>) -> Result<Output, String> {
    Ok(match name {
        None | Some("table") => Output::Table,
        Some("events") => Output::Events,
        Some("yaml") => Output::Yaml,
        Some("json") => Output::Json,
        Some("history") => Output::History,
        Some(other) => {
            let known = "table, events, yaml, json or history";
            return Err(format!("unknown output format `{other}`, expected {known}"));
        }
    })
}

/// `90s`, `10m`, `1h30m`, `7d`, `2d12h`, or plain seconds, as milliseconds. Go's durations have no
/// days; who types a time has.
fn time(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(i64::from(seconds) * 1_000);
    }
    let split =
        text.split_once('d').and_then(|(days, rest)| Some((days.parse::<u16>().ok()?, rest)));
    let (days, rest) = split.unwrap_or((0, text));
    let days_ms = i64::from(days) * 86_400_000;
    if split.is_some() && rest.is_empty() {
        return Ok(days_ms);
    }
    let duration: api::duration::Duration =
        rest.parse().map_err(|error| format!("not a time: {error}"))?;
    Ok(days_ms.saturating_add(duration.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::{Args, Output, Task, parse};

    fn check(line: &str) -> Result<Args, String> {
        parse(line.split_whitespace().map(Into::into))
    }

    #[test]
    fn what_follows_the_dashes_is_kubectl_s() {
        let args = check("kubectl a.yaml --at 90s -- get pods -o wide").unwrap();
        let words = ["get", "pods", "-o", "wide"].map(str::to_owned).to_vec();
        assert_eq!(args.task, Task::Kubectl { args: words });
        assert_eq!((args.until_ms, args.files.len()), (Some(90_000), 1));
    }

    #[test]
    fn times_are_days_go_durations_or_seconds() {
        for (text, ms) in [
            ("90", 90_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("7d", 604_800_000),
            ("2d12h", 216_000_000),
        ] {
            let args = check(&format!("run a.yaml --until {text} -o history")).unwrap();
            assert_eq!(args.until_ms, Some(ms), "{text}");
            assert_eq!(args.task, Task::Run { output: Output::History });
        }
        for text in ["soon", "d", "7days", "1h2d", "-1d"] {
            let error = check(&format!("run a.yaml --until {text}")).unwrap_err();
            assert!(error.contains("not a time"), "{text}: {error}");
        }
    }

    #[test]
    fn a_command_line_that_is_not_understood_says_why() {
        for (line, why) in [
            ("run", "no file is named"),
            ("fly a.yaml", "unknown command `fly`"),
            ("run a.yaml -o pretty", "unknown output format `pretty`"),
            ("kubectl a.yaml", "after `--`"),
            ("explain a.yaml", "which pod?"),
            ("run a.yaml --speed 3", "invalid option '--speed'"),
        ] {
            let error = check(line).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
