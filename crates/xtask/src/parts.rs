//! The book-keeping of a test run: parts with their counts and times.

use std::time::{Duration, Instant};

use crate::shell::{Result, run_lines};

/// What came of one part.
pub(crate) struct Part {
    name: String,
    passed: u64,
    failed: u64,
    took: Duration,
}

/// The parts that have run.
#[derive(Default)]
pub(crate) struct Parts(Vec<Part>);

impl Parts {
    /// Runs a part that is itself one check.
    pub(crate) fn check(&mut self, name: &str, body: impl FnOnce() -> Result<()>) {
        println!("\n== {name}");
        let started = Instant::now();
        let result = body();
        if let Err(error) = &result {
            println!("   {name}: {error}");
        }
        let (passed, failed) = if result.is_ok() { (1, 0) } else { (0, 1) };
        self.0.push(Part { name: name.to_owned(), passed, failed, took: started.elapsed() });
    }

    /// Runs a command whose output says how many tests passed and failed. A command that fails
    /// without saying so counts as one failure; one that ran no test does too.
    pub(crate) fn tests(&mut self, name: &str, command: Result<std::process::Command>) {
        println!("\n== {name}");
        let started = Instant::now();
        let (mut passed, mut failed) = (0, 0);
        let result = command.and_then(|command| {
            run_lines(command, |line| {
                if let Some((p, f)) = counts(line) {
                    passed += p;
                    failed += f;
                }
            })
        });
        if let Err(error) = &result {
            println!("   {name}: {error}");
        }
        if failed == 0 && (result != Ok(true) || passed == 0) {
            failed = 1;
        }
        self.0.push(Part { name: name.to_owned(), passed, failed, took: started.elapsed() });
    }

    /// Prints the table and the closing line. Returns whether everything passed.
    pub(crate) fn finish(self) -> bool {
        println!("\n== summary");
        let (mut passed, mut failed) = (0, 0);
        for it in &self.0 {
            let seconds = it.took.as_secs_f32();
            println!(
                "{:<34} {:>6} passed {:>4} failed {seconds:>8.1} s",
                it.name, it.passed, it.failed
            );
            passed += it.passed;
            failed += it.failed;
        }
        println!("{passed} passed, {failed} failed");
        failed == 0 && passed > 0
    }
}

/// Reads `test result: ok. 3 passed; 0 failed; ...` and `3 passed, 0 failed`.
fn counts(line: &str) -> Option<(u64, u64)> {
    let rest = match line.strip_prefix("test result: ") {
        Some(rest) => rest.split_once(". ")?.1.replace(';', ","),
        None => line.to_owned(),
    };
    let mut parts = rest.split(", ");
    let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some((passed, failed))
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn closing_lines_of_the_runners_are_read() {
        for (line, expected) in [
            ("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured", Some((3, 0))),
            ("test result: FAILED. 3 passed; 2 failed; 0 ignored", Some((3, 2))),
            ("12 passed, 1 failed", Some((12, 1))),
            ("nothing passed, here failed", None),
            ("running 3 tests", None),
        ] {
            assert_eq!(counts(line), expected, "{line}");
        }
    }
}
