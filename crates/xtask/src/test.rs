//! `cargo xtask test`: everything that CI runs, in order, each part with its time.

use std::process::{Command, ExitCode};

use crate::parts::Parts;
use crate::shell::{Result, cargo, command, root};
use crate::{build, size, tidy, tools};

/// Crates that are compiled to wasm themselves.
const WASM_CRATES: [&str; 2] = ["wasm", "web"];

/// Runs all parts, or the one that `--only` names.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let only = match args {
        [] => None,
        [flag, part] if flag == "--only" => Some(part.as_str()),
        _ => {
            eprintln!("error: usage: cargo xtask test [--only PART]");
            return ExitCode::FAILURE;
        }
    };
    let wanted = |part: &str| only.is_none_or(|it| it == part);
    let mut parts = Parts::default();
    if wanted("fmt") {
        parts.check("fmt", || crate::shell::run("cargo fmt", cargo(&["fmt", "--all", "--check"])));
        parts.check("tidy", tidy::run);
    }
    if wanted("clippy") {
        parts.check("clippy, native", clippy_native);
        parts.check("clippy, wasm32", clippy_wasm);
    }
    if wanted("unit") {
        let native = ["test", "--workspace", "--exclude", "web", "--exclude", "tests"];
        parts.tests("unit tests", Ok(cargo(&native)));
        parts.tests("unit tests of the page", Ok(cargo(&["test", "-p", "web", "--lib"])));
    }
    if wanted("conformance") {
        parts.tests("scenarios and conformance", Ok(cargo(&["test", "--release", "-p", "tests"])));
    }
    if wanted("browser") {
        in_browsers(&mut parts);
    }
    if wanted("e2e") || wanted("size") {
        parts.check("build of the site", build::build);
    }
    if wanted("e2e") {
        parts.tests("end to end and accessibility", end_to_end());
    }
    if wanted("size") {
        parts.check("size budget", size::check);
    }
    if wanted("deny") {
        parts.check("cargo deny", deny);
    }
    if parts.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn clippy_native() -> Result<()> {
    let args = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    run_part("cargo clippy", cargo(&args))
}

fn clippy_wasm() -> Result<()> {
    tools::wasm_target()?;
    let mut clippy = cargo(&["clippy", "--quiet", "--all-targets"]);
    clippy.args(["--target", "wasm32-unknown-unknown"]);
    clippy.args(WASM_CRATES.iter().flat_map(|it| ["-p", it])).args(["--", "-D", "warnings"]);
    run_part("cargo clippy for wasm32", clippy)
}

fn run_part(what: &str, command: Command) -> Result<()> {
    crate::shell::run(what, command)
}

/// `wasm-bindgen-test` in headless Chromium, then in headless Firefox.
fn in_browsers(parts: &mut Parts) {
    let prepared = tools::wasm_target()
        .and_then(|()| Ok((tools::browsers()?, tools::wasm_bindgen_test_runner()?)));
    let (browsers, runner) = match prepared {
        Ok(it) => it,
        Err(error) => return parts.check("browsers", || Err(error)),
    };
    for package in WASM_CRATES {
        let drivers = [
            ("Chromium", "CHROMEDRIVER", &browsers.chromedriver),
            ("Firefox", "GECKODRIVER", &browsers.geckodriver),
        ];
        for (name, variable, driver) in drivers {
            let mut test = cargo(&["test", "-p", package, "--target", "wasm32-unknown-unknown"]);
            test.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", &runner);
            test.env(variable, driver).env("WASM_BINDGEN_TEST_TIMEOUT", "300");
            test.env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", root().join("tests/webdriver.json"));
            parts.tests(&format!("{package} in {name}"), Ok(test));
        }
    }
}

fn end_to_end() -> Result<Command> {
    let browsers = tools::browsers()?;
    let mut node = command("node", &["tests/e2e/run.mjs"]);
    node.env("ORRERY_CHROMIUM", browsers.chromium).env("ORRERY_DIST", root().join("dist"));
    Ok(node)
}

fn deny() -> Result<()> {
    let deny = tools::cargo_deny()?;
    crate::shell::run("cargo deny", command(deny, &["check", "bans", "licenses", "sources"]))
}
