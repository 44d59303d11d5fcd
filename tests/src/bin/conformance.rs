//! `conformance AREA [--case NAME] [PATH...]`: prints each failing case with its first difference,
//! and ends with `N passed, M failed`. `conformance story FILE...` prints what the engine does in the
//! scenarios of such files of the area `controllers`, which need no recording for that.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(area) = arguments.next() else {
        eprintln!("usage: conformance AREA [--case NAME] [PATH...]");
        return ExitCode::from(2);
    };
    if area == "story" {
        return stories(arguments);
    }
    let (mut case, mut paths) = (None, vec![]);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--case" => case = arguments.next(),
            _ => paths.push(PathBuf::from(argument)),
        }
    }
    match tests::conformance::run(&area, case.as_deref(), &paths) {
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
        Ok((passed, failures)) => {
            for failure in &failures {
                println!("{}: {}", failure.case, failure.why);
            }
            println!("{passed} passed, {} failed", failures.len());
            if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn stories(paths: impl Iterator<Item = String>) -> ExitCode {
    let story = |path: &String| {
        let text = tests::conformance::read(Path::new(path)).map_err(|it| it.to_string())?;
        tests::controllers::story(&text)
    };
    let mut code = ExitCode::SUCCESS;
    for path in paths {
        match story(&path) {
            Ok(text) => println!("== {path}\n{text}"),
            Err(error) => {
                eprintln!("{path}: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}
