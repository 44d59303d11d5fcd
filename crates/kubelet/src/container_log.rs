//! What `kubectl logs` shows of a container that does not really run: when it started and ended, and
//! what the `echo` and `printf` of its command would have printed by then.
//!
//! Upstream has no counterpart. Lines that no program would print are marked with `[simulated]`.

use api::Timestamp;
use api::k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodStatus,
};
use api::time::{after_ms, ms_between};

use crate::command::{self, Step};

/// Of a log only so many lines are told.
const MAX_LINES: usize = 1_000;
/// A command is walked through by so many steps at most.
const MAX_STEPS: usize = 20_000;
/// What loops put into a body for their variables is at most so long, bytes.
const MAX_BODY: usize = 1 << 16;
/// Shells and loops inside each other deeper than this are not followed, as when a duration is read.
const MAX_DEPTH: usize = 8;

/// The log of a container's present run, or of the one before. `None` if there was no such run.
/// `now` is the time up to which a running container has printed.
#[must_use]
pub fn container_log(
    pod: &Pod,
    container: &str,
    previous: bool,
    now: Timestamp,
) -> Option<Vec<(Timestamp, String)>> {
    let spec = pod.spec.as_ref()?;
    let all = spec.init_containers.iter().flatten().chain(&spec.containers);
    let spec = all.into_iter().find(|it| it.name == container)?;
    let status = statuses(pod.status.as_ref()?).find(|it| it.name == container)?;
    let (state, last) = (status.state.as_ref(), status.last_state.as_ref());
    let ended = |it: Option<&ContainerState>| it.and_then(|it| it.terminated.clone());
    if previous {
        return Some(run(spec, Run::ended(&ended(last)?)?));
    }
    let running = state.and_then(|it| it.running.as_ref());
    if let Some(started) = running.and_then(|it| it.started_at.as_ref()) {
        return Some(run(spec, Run { started: started.0, until: now, exit_code: None }));
    }
    // Between two runs the log is still that of the last one.
    let last = ended(state).or_else(|| ended(last))?;
    Some(run(spec, Run::ended(&last)?))
}

fn statuses(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let inits = status.init_container_statuses.iter().flatten();
    inits.chain(status.container_statuses.iter().flatten())
}

/// One run of a container.
struct Run {
    started: Timestamp,
    until: Timestamp,
    exit_code: Option<i32>,
}

impl Run {
    fn ended(it: &ContainerStateTerminated) -> Option<Self> {
        let (started, until) = (it.started_at.as_ref()?.0, it.finished_at.as_ref()?.0);
        Some(Self { started, until, exit_code: Some(it.exit_code) })
    }
}

fn run(container: &Container, run: Run) -> Vec<(Timestamp, String)> {
    let mut lines = vec![(run.started, format!("[simulated] started at {}", seconds(run.started)))];
    let words = container.command.iter().flatten().chain(container.args.iter().flatten());
    let words: Vec<&str> = words.map(String::as_str).collect();
    let mut printed = Printed { until: ms_between(run.started, run.until), ..Printed::default() };
    printed.argv(&words, false);
    if printed.lines.is_empty() {
        let unknown =
            "[simulated] no container really runs: what its program would print is not known";
        lines.push((run.started, unknown.to_owned()));
    }
    lines.extend(printed.lines.into_iter().map(|(ms, line)| (after_ms(run.started, ms), line)));
    if let Some(code) = run.exit_code {
        let at = seconds(run.until);
        lines.push((run.until, format!("[simulated] ended with exit code {code} at {at}")));
    }
    lines
}

fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What has been printed while a command was walked through.
#[derive(Default)]
struct Printed {
    lines: Vec<(i64, String)>,
    /// Milliseconds since the start, and how many there are.
    at: i64,
    until: i64,
    /// How many commands were walked through.
    n_steps: usize,
    /// How many shells and loops are around the present command.
    depth: usize,
    /// A program that is not known, the end of time, or a bound.
    stopped: bool,
}

impl Printed {
    fn argv(&mut self, mut words: &[&str], to_file: bool) {
        let (name, args) = loop {
            let Some((program, args)) = words.split_first() else { return };
            match program.rsplit('/').next().unwrap_or(program) {
                "exec" => words = args,
                name => break (name, args),
            }
        };
        if matches!(name, "sh" | "bash" | "ash" | "dash" | "zsh") {
            let at = args.iter().position(|it| it.starts_with('-') && it.ends_with('c'));
            let script = at.and_then(|at| args.get(at + 1)).and_then(|it| command::split(it));
            return match script {
                Some(steps) => self.steps(&steps),
                None => self.stopped = true,
            };
        }
        if !to_file && matches!(name, "echo" | "printf") {
            self.say(name, args);
        }
        match command::read(words) {
            Some(reading) => match reading.duration_ms {
                Some(ms) => self.at = self.at.saturating_add(ms),
                None => self.stopped = true,
            },
            // It takes the rest of the time, as far as is known.
            None => self.stopped = true,
        }
        self.stopped |= self.at > self.until || self.lines.len() >= MAX_LINES;
    }

    fn say(&mut self, name: &str, args: &[&str]) {
        let options = |it: &&&str| matches!(**it, "-n" | "-e" | "-E" | "-ne" | "-en");
        let text = match (name, args) {
            ("printf", [format, rest @ ..]) => {
                let rest =
                    rest.iter().fold((*format).to_owned(), |it, arg| it.replacen("%s", arg, 1));
                rest.replace("\\n", "\n")
            }
            _ => args.iter().skip_while(options).copied().collect::<Vec<_>>().join(" "),
        };
        let lines = text.trim_end_matches('\n').split('\n');
        self.lines.extend(lines.map(|it| (self.at, it.to_owned())));
    }

    fn steps(&mut self, steps: &[Step]) {
        self.depth += 1;
        self.stopped |= self.depth > MAX_DEPTH;
        let mut at = 0;
        while let Some(step) = steps.get(at).filter(|_| !self.stopped) {
            self.n_steps += 1;
            self.stopped |= self.n_steps > MAX_STEPS;
            let words: Vec<&str> = step.words.iter().map(String::as_str).collect();
            match words.first().copied() {
                Some("while" | "until" | "for") => {
                    let end = end_of_loop(steps, at);
                    self.repeat(&words, &steps[at..end]);
                    at = end;
                }
                Some("exit") => self.stopped = true,
                _ => self.argv(&words, step.to_file),
            }
            at += 1;
        }
        self.depth -= 1;
    }

    /// `steps` begins with the head of the loop; its `done` is left out.
    fn repeat(&mut self, head: &[&str], steps: &[Step]) {
        let items: Option<Vec<&str>> = match head {
            ["for", _, "in", items @ ..] => Some(items.to_vec()),
            ["while", "true" | ":"] | ["while", "[", "1", "]"] | ["until", "false"] => None,
            _ => {
                self.stopped = true;
                return;
            }
        };
        let rounds = items.as_ref().map_or(MAX_LINES, Vec::len);
        let variable = head.get(1).copied().unwrap_or_default();
        for round in 0..rounds {
            let item = items.as_ref().and_then(|it| it.get(round)).copied();
            let body = steps.iter().skip(1).enumerate().filter_map(|(n, step)| {
                let from = usize::from(n == 0 && step.words.first().is_some_and(|it| it == "do"));
                let words = step.words.get(from..).filter(|it| !it.is_empty())?;
                let words = words.iter().map(|it| match item {
                    Some(item) => it
                        .replace(&format!("${{{variable}}}"), item)
                        .replace(&format!("${variable}"), item),
                    None => it.clone(),
                });
                Some(step.with(words.collect()))
            });
            let body: Vec<Step> = body.collect();
            let before = (self.at, self.lines.len());
            self.stopped |=
                body.iter().flat_map(|it| &it.words).map(String::len).sum::<usize>() > MAX_BODY;
            self.steps(&body);
            // A loop that neither waits nor prints says nothing more.
            if self.stopped || before == (self.at, self.lines.len()) {
                return;
            }
        }
    }
}

/// The place of the `done` of the loop that begins at `at`.
fn end_of_loop(steps: &[Step], at: usize) -> usize {
    let mut depth = 0;
    for (n, step) in steps.iter().enumerate().skip(at) {
        let inner = step.words.get(usize::from(step.words.first().is_some_and(|it| it == "do")));
        match inner.map(String::as_str) {
            Some("while" | "until" | "for") => depth += 1,
            Some("done") if depth <= 1 => return n,
            Some("done") => depth -= 1,
            _ => {}
        }
    }
    steps.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(words: &[&str], until: i64) -> String {
        let mut it = Printed { until, ..Printed::default() };
        it.argv(words, false);
        let lines: Vec<String> = it.lines.into_iter().map(|it| it.1).collect();
        lines.join("|")
    }

    #[test]
    fn a_command_prints_what_it_echoes_up_to_now() {
        let sh = |script: &str, ms: i64| printed(&["sh", "-c", script], ms);
        for (script, ms, expected) in [
            ("echo a; sleep 5; echo b", 4_000, "a"),
            ("echo a; sleep 5; echo b", 5_000, "a|b"),
            ("echo \"Hello from $(hostname)\" && sleep 3600", 0, "Hello from $"),
            ("while true; do echo tick; sleep 10; done", 25_000, "tick|tick|tick"),
            (
                "for i in 1 2 3; do echo $i of ${i}; sleep 1; done; echo end",
                9_000,
                "1 of 1|2 of 2|3 of 3|end",
            ),
            (
                "echo a > /data/x; echo b >> /data/x; echo c >&2; echo d > /dev/null; echo e 2> /x",
                0,
                "c|e",
            ),
            ("printf 'a %s\\nb\\n' x", 0, "a x|b"),
            ("echo a; java -jar x; echo b", 9_000, "a"),
            ("echo a; exit 1; echo b", 9_000, "a"),
            ("while true; do true; done", 9_000, ""),
            ("echo a | grep b", 0, ""),
        ] {
            assert_eq!(sh(script, ms), expected, "{script}");
        }
        assert_eq!(printed(&["echo", "-n", "x", "y"], 0), "x y");
        assert_eq!(printed(&["nginx"], 0), "");
        assert_eq!(sh("while true; do echo x; done", 0).split('|').count(), MAX_LINES);
    }

    #[test]
    fn what_has_no_end_ends_at_a_bound() {
        let nested = |head: &str, n: usize, body: &str| {
            format!("{}{body}; {}", format!("{head}; do ").repeat(n), "done; ".repeat(n))
        };
        let year = 365 * 86_400_000;
        let doubled = nested("for i in $i$i$i$i$i$i$i$i$i$i$i$i", 8, "echo $i");
        for (script, words) in [
            (nested("while true", 20_000, "echo a"), vec![]),
            (nested("while true", 6, "sleep 0.001"), vec![]),
            (format!("for i in {}; do {doubled} done", "x".repeat(1000)), vec![]),
            (String::new(), vec!["exec"; 100_000]),
            (String::new(), [vec!["exec"; 1_000], vec!["echo", "a"]].concat()),
        ] {
            let words = if words.is_empty() { vec!["sh", "-c", &script] } else { words };
            let said = printed(&words, year);
            assert!(said.len() < 1_000_000, "{}", said.len());
        }
        assert_eq!(printed(&["exec", "exec", "echo", "a"], 0), "a");
        assert_eq!(printed(&["sh", "-c", &nested("for i in 1 2", 7, "echo a")], 0).len(), 255);
    }
}
