//! Runs all recorded answers of real Kubernetes that lie in `tests/conformance`.
//!
//! `conformance/known-differences.txt` names the cases that do not come out as recorded yet. A case
//! that differs without being named there fails the test, and so does a name whose case passes: the
//! list can only shrink. `UPDATE_EXPECT=1` rewrites it.
#![expect(clippy::print_stdout, reason = "this is the test runner itself")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use tests::conformance::{AREAS, run};

const KNOWN: &str = "conformance/known-differences.txt";

fn main() -> ExitCode {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(KNOWN);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let known: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let (mut passed, mut failed) = (0, 0);
    let mut different = BTreeSet::new();
    for (area, _) in AREAS {
        let (n, failures) = match run(area, None, &[]) {
            Ok(it) => it,
            Err(error) => {
                println!("{area}: {error}");
                failed += 1;
                continue;
            }
        };
        println!("{area}: {n} as recorded, {} not", failures.len());
        passed += n;
        for failure in failures {
            let name = format!("{area} {}", failure.case);
            if !known.contains(&name) {
                failed += 1;
                println!("NEW DIFFERENCE {name}: {}", failure.why);
            }
            different.insert(name);
        }
    }
    for name in known.difference(&different) {
        failed += 1;
        println!("PASSES NOW {name}: take it out of {KNOWN}");
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let lines: String = different.iter().flat_map(|it| [it.as_str(), "\n"]).collect();
        failed = usize::from(std::fs::write(&path, lines).is_err());
    }
    println!("{} known differences are not counted", known.intersection(&different).count());
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {passed} passed; {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
