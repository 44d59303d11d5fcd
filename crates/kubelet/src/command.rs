//! Reads how long a command runs and how it ends, where it can be read.
//!
//! Nothing is executed: only a handful of programs and the plainest shell are understood. Whatever
//! goes beyond them is not guessed at.

use crate::duration::parse_ms;

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How long it runs; `None` for ever.
    pub duration_ms: Option<i64>,
    /// Its exit code, if it ends.
    pub exit_code: i32,
}

impl Reading {
    const FOR_EVER: Self = Self { duration_ms: None, exit_code: 0 };

    const fn exits(code: i32) -> Self {
        Self { duration_ms: Some(0), exit_code: code }
    }
}

/// Programs whose work takes no time worth mentioning and goes well.
const INSTANT: &[&str] = &[
    "true", ":", "echo", "printf", "date", "hostname", "pwd", "whoami", "env", "uname", "set",
    "export", "cd", "mkdir", "touch", "trap", "ls", "umask", "unset", "printenv", "id", "chmod",
    "chown",
];

/// Nested loops and shells deeper than this are not read.
const MAX_DEPTH: usize = 8;

/// Reads a container's `command` and `args` together.
#[must_use]
pub fn read(words: &[&str]) -> Option<Reading> {
    argv(words, 0)
}

fn argv(words: &[&str], depth: usize) -> Option<Reading> {
    let (program, args) = words.split_first()?;
    if depth > MAX_DEPTH {
        return None;
    }
    match program.rsplit('/').next().unwrap_or(program) {
        "sh" | "bash" | "ash" | "dash" | "zsh" => shell(args, depth),
        "sleep" => sleep(args),
        "false" => Some(Reading::exits(1)),
        "pause" => Some(Reading::FOR_EVER),
        "tail" if args.iter().any(|it| it.starts_with('-') && it.contains(['f', 'F'])) => {
            Some(Reading::FOR_EVER)
        }
        "exec" | "nohup" | "time" | "command" => argv(args, depth + 1),
        "timeout" => timeout(args, depth),
        name if INSTANT.contains(&name) => Some(Reading::exits(0)),
        _ => None,
    }
}

/// `sh -c SCRIPT`, with other single-letter options such as in `-ec`.
fn shell(args: &[&str], depth: usize) -> Option<Reading> {
    let at = args.iter().position(|it| it.starts_with('-') && it.ends_with('c'))?;
    script(args.get(at + 1)?, depth + 1)
}

fn sleep(args: &[&str]) -> Option<Reading> {
    let mut total = 0_i64;
    for arg in args {
        if matches!(*arg, "infinity" | "inf") {
            return Some(Reading::FOR_EVER);
        }
        total = total.checked_add(parse_ms(arg)?)?;
    }
    (!args.is_empty()).then_some(Reading { duration_ms: Some(total), exit_code: 0 })
}

/// `timeout 5 COMMAND`: ends with 124 when the time is over first.
fn timeout(args: &[&str], depth: usize) -> Option<Reading> {
    let limit = parse_ms(args.first()?)?;
    let inner = argv(args.get(1..)?, depth + 1)?;
    match inner.duration_ms {
        Some(ms) if ms <= limit => Some(inner),
        _ => Some(Reading { duration_ms: Some(limit), exit_code: 124 }),
    }
}

/// One step of a script: the words of a command and what stands before it.
#[derive(Debug)]
pub(crate) struct Step {
    joint: Joint,
    pub(crate) words: Vec<String>,
    /// What it prints goes to a file.
    pub(crate) to_file: bool,
}

impl Step {
    /// The same with other words.
    pub(crate) fn with(&self, words: Vec<String>) -> Self {
        Self { joint: self.joint, words, to_file: self.to_file }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joint {
    Then,
    And,
    Or,
}

fn script(text: &str, depth: usize) -> Option<Reading> {
    let steps = split(text)?;
    let mut at = 0;
    block(&steps, &mut at, depth)
}

/// Runs the steps to the end.
fn block(steps: &[Step], at: &mut usize, depth: usize) -> Option<Reading> {
    let mut elapsed = 0_i64;
    let mut code = 0;
    while let Some(step) = steps.get(*at) {
        let words: Vec<&str> = step.words.iter().map(String::as_str).collect();
        let first = *words.first()?;
        let skipped = match step.joint {
            Joint::Then => false,
            Joint::And => code != 0,
            Joint::Or => code == 0,
        };
        let (done, exits) = match first {
            "while" | "until" | "for" => (looped(steps, at, depth)?, false),
            "exit" => (exit(&words, code)?, true),
            _ => (argv(&words, depth)?, first == "exec"),
        };
        *at += 1;
        if skipped {
            continue;
        }
        code = done.exit_code;
        let Some(ms) = done.duration_ms else { return Some(Reading::FOR_EVER) };
        elapsed = elapsed.checked_add(ms)?;
        if exits {
            return Some(Reading { duration_ms: Some(elapsed), exit_code: code });
        }
    }
    Some(Reading { duration_ms: Some(elapsed), exit_code: code })
}

fn exit(words: &[&str], last: i32) -> Option<Reading> {
    match words.get(1) {
        Some(code) => code.parse::<i32>().ok().map(|it| Reading::exits(it.rem_euclid(256))),
        None => Some(Reading::exits(last)),
    }
}

/// `while true; do ...; done` runs for ever, `for i in a b c; do ...; done` as often as it says.
/// Leaves `at` at the step with `done`.
fn looped(steps: &[Step], at: &mut usize, depth: usize) -> Option<Reading> {
    if depth > MAX_DEPTH {
        return None;
    }
    let head = &steps.get(*at)?.words;
    let rounds = match head.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["while", "true" | ":"] | ["while", "[", "1", "]"] | ["until", "false"] => None,
        ["for", _, "in", items @ ..] => Some(i64::try_from(items.len()).ok()?),
        _ => return None,
    };
    *at += 1;
    let first = steps.get(*at)?;
    if first.words.first().map(String::as_str) != Some("do") {
        return None;
    }
    let mut body: Vec<Step> = Vec::new();
    let inner = first.words.get(1..)?;
    if !inner.is_empty() {
        body.push(first.with(inner.to_vec()));
    }
    let mut nesting = 0;
    loop {
        *at += 1;
        let step = steps.get(*at)?;
        match step.words.first().map(String::as_str) {
            Some("while" | "until" | "for") => nesting += 1,
            Some("done") if nesting == 0 => break,
            Some("done") => nesting -= 1,
            _ => {}
        }
        body.push(step.with(step.words.clone()));
    }
    // A loop that something inside may leave is beyond this reader.
    if body.iter().any(|it| it.words.iter().any(|word| matches!(word.as_str(), "break" | "exit"))) {
        return None;
    }
    let Some(rounds) = rounds else { return Some(Reading::FOR_EVER) };
    let once = block(&body, &mut 0, depth + 1)?;
    let duration_ms = match once.duration_ms {
        Some(ms) => Some(ms.checked_mul(rounds)?),
        None if rounds == 0 => Some(0),
        None => None,
    };
    Some(Reading { duration_ms, exit_code: once.exit_code })
}

/// Splits a script into steps. `None` where it has what this reader does not know: pipes,
/// background jobs, conditionals, functions. Expansions survive as text; they do no harm in the
/// arguments of programs that take no time, and make a `sleep` unreadable.
pub(crate) fn split(text: &str) -> Option<Vec<Step>> {
    let mut splitter =
        Splitter { joint: Joint::Then, steps: vec![], words: vec![], word: None, to_file: false };
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => splitter.quoted(c, &mut chars)?,
            '\\' => match chars.next()? {
                '\n' => {}
                next => splitter.push(next),
            },
            '$' if chars.peek() == Some(&'(') => {
                chars.next();
                splitter.push('$');
                substitution(&mut chars)?;
            }
            '`' => {
                splitter.push('$');
                chars.by_ref().find(|it| *it == '`')?;
            }
            '#' if splitter.word.is_none() => {
                chars.by_ref().find(|it| *it == '\n');
                splitter.step(Joint::Then);
            }
            ';' | '\n' => splitter.step(Joint::Then),
            '&' if chars.next_if_eq(&'&').is_some() => splitter.step(Joint::And),
            '|' if chars.next_if_eq(&'|').is_some() => splitter.step(Joint::Or),
            '>' => splitter.redirect(&mut chars),
            '&' | '|' | '<' | '(' | ')' => return None,
            c if c.is_whitespace() => splitter.end_word(),
            c => splitter.push(c),
        }
    }
    splitter.step(Joint::Then);
    Some(splitter.steps)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

struct Splitter {
    steps: Vec<Step>,
    joint: Joint,
    words: Vec<String>,
    word: Option<String>,
    to_file: bool,
}

impl Splitter {
    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn end_word(&mut self) {
        self.words.extend(self.word.take());
    }

    fn step(&mut self, next: Joint) {
        self.end_word();
        if !self.words.is_empty() {
            let words = std::mem::take(&mut self.words);
            self.steps.push(Step { joint: self.joint, words, to_file: self.to_file });
            self.joint = next;
        } else if next != Joint::Then {
            self.joint = next;
        }
        self.to_file = false;
    }

    fn quoted(&mut self, quote: char, chars: &mut Chars<'_>) -> Option<()> {
        self.word.get_or_insert_default();
        loop {
            match chars.next()? {
                c if c == quote => return Some(()),
                '\\' if quote == '"' => self.push(chars.next()?),
                '$' if quote == '"' && chars.peek() == Some(&'(') => {
                    chars.next();
                    self.push('$');
                    substitution(chars)?;
                }
                c => self.push(c),
            }
        }
    }

    /// Drops `> file`, `>> file`, `2>&1`; of what goes to a file only that is kept.
    fn redirect(&mut self, chars: &mut Chars<'_>) {
        let mut is_stdout = true;
        if self.word.as_deref().is_some_and(|it| it.bytes().all(|b| b.is_ascii_digit())) {
            is_stdout = self.word.take().as_deref() == Some("1");
        }
        self.end_word();
        let mut to_stream = false;
        while let Some(c) = chars.next_if(|it| matches!(it, '>' | '&' | ' ')) {
            to_stream |= c == '&';
        }
        let mut target = String::new();
        while let Some(c) =
            chars.next_if(|it| !it.is_whitespace() && !matches!(it, ';' | '&' | '|'))
        {
            target.push(c);
        }
        let is_log = to_stream || target.starts_with("/dev/std") || target.starts_with("/proc/1/");
        self.to_file |= is_stdout && !is_log;
    }
}

/// Skips the rest of `$( ... )`.
fn substitution(chars: &mut Chars<'_>) -> Option<()> {
    let mut depth = 1;
    while depth > 0 {
        match chars.next()? {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], expected: Option<(Option<i64>, i32)>) {
        let reading = read(words).map(|it| (it.duration_ms, it.exit_code));
        assert_eq!(reading, expected, "{words:?}");
    }

    #[test]
    fn plain_programs_are_read() {
        check(&["sleep", "30"], Some((Some(30_000), 0)));
        check(&["/bin/sleep", "1m", "0.5"], Some((Some(60_500), 0)));
        check(&["sleep", "infinity"], Some((None, 0)));
        check(&["sleep"], None);
        check(&["true"], Some((Some(0), 0)));
        check(&["/bin/false"], Some((Some(0), 1)));
        check(&["tail", "-f", "/dev/null"], Some((None, 0)));
        check(&["timeout", "5", "sleep", "9"], Some((Some(5_000), 124)));
        check(&["nginx"], None);
        check(&["perl", "-wle", "print bpi(2000)"], None);
        check(&[], None);
    }

    #[test]
    fn plain_scripts_are_read() {
        let sh = |text: &str, expected| check(&["sh", "-c", text], expected);
        sh("sleep 5; exit 1", Some((Some(5_000), 1)));
        sh("exit 3", Some((Some(0), 3)));
        sh("echo 'a; b' && sleep 2 && false", Some((Some(2_000), 1)));
        sh("false || sleep 3", Some((Some(3_000), 0)));
        sh("false && sleep 3", Some((Some(0), 1)));
        sh("date; echo Hello from $(hostname) > /data/x 2>&1; sleep 1", Some((Some(1_000), 0)));
        sh("while true; do echo .; sleep 1; done", Some((None, 0)));
        sh("while true; do date\nsleep 60\ndone", Some((None, 0)));
        sh("for i in 1 2 3; do echo $i; sleep 2; done", Some((Some(6_000), 0)));
        sh("sleep 1\n# a comment\nexit", Some((Some(1_000), 0)));
        sh("exec sleep 4", Some((Some(4_000), 0)));
        sh("echo start && sleep 10 || exit 1", Some((Some(10_000), 0)));
        check(&["/bin/bash", "-ec", "sleep 7"], Some((Some(7_000), 0)));
    }

    #[test]
    fn what_cannot_be_read_is_not_guessed() {
        for text in [
            "sleep $((RANDOM % 10))",
            "sleep $N",
            "if true; then sleep 5; fi",
            "cat /etc/hosts | grep x",
            "sleep 5 &",
            "python work.py; sleep 5",
            "while true; do sleep 1; break; done",
            "echo 'unterminated",
        ] {
            check(&["sh", "-c", text], None);
        }
        check(&["sh", "script.sh"], None);
    }
}
