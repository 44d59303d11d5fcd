//! `cargo xtask`: builds, serves, tests and measures Orrery, and installs what that needs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a build tool talks to its user")]
#![expect(clippy::disallowed_methods, reason = "a build tool measures real time")]

mod bench;
mod build;
mod fuzz;
mod parts;
mod shell;
mod size;
mod test;
mod tidy;
mod tools;
mod zones;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <command>

  serve [--port N]   build the playground and serve it; prints the URL
  build              write the static site to dist/; it works under any path
  test [--only PART] everything that CI runs; ends with `N passed, M failed`
                     parts: fmt, clippy, unit, conformance, browser, e2e, size, deny
  bench              benchmarks, native and in headless Chromium, side by side
  fuzz [TARGET] [--seconds N]
                     run the fuzz targets, each for N seconds (default 60)
  size               brotli sizes of the built site against their budgets
  tidy               headers, dependency table, top level of the repository
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let result = match command.as_str() {
        "serve" => build::serve(&rest),
        "build" => build::build(),
        "test" => return test::run(&rest),
        "bench" => bench::run(&rest),
        "fuzz" => fuzz::run(&rest),
        "size" => size::print_table(),
        "tidy" => tidy::run(),
        "" | "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("unknown command `{other}`\n\n{HELP}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
