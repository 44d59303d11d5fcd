//! Runs the fuzz targets in `tests/fuzz`, on the stable toolchain: libFuzzer needs only coverage
//! counters, which stable compilers can add. `cargo fuzz` (with its sanitizers) works too.

use std::path::Path;

use crate::shell::{self, Result, cargo, command, root};

/// What the compiler adds for libFuzzer.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cdebug-assertions -Coverflow-checks";

/// Texts that the fuzzer begins with.
const SEEDS: [&str; 2] = ["web/examples", "tests/suite"];

/// Builds the targets and runs one, or all.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let (mut only, mut seconds) = (None, "60".to_owned());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => seconds = args.next().ok_or("--seconds needs a number")?.clone(),
            target => only = Some(target.to_owned()),
        }
    }
    let target = root().join("target/fuzz");
    let mut build = cargo(&["build", "--release", "--manifest-path", "tests/fuzz/Cargo.toml"]);
    // With a target named, the flags do not reach build scripts, which have no counters to report to.
    let host = host()?;
    build.args(["--target", &host]);
    build.env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", &target);
    shell::run("building the fuzz targets", build)?;
    let names = names()?;
    if only.as_ref().is_some_and(|it| !names.contains(it)) {
        return Err(format!("there is no such target; there are {}", names.join(", ")));
    }
    for name in names.iter().filter(|name| only.as_ref().is_none_or(|it| it == *name)) {
        fuzz(&target, &host, name, &seconds)?;
    }
    Ok(())
}

/// One target; what it finds and learns stays under `target/`.
fn fuzz(target: &Path, host: &str, name: &str, seconds: &str) -> Result<()> {
    let corpus = target.join("corpus").join(name);
    std::fs::create_dir_all(&corpus).map_err(|error| error.to_string())?;
    let program = target.join(host).join("release").join(name);
    let mut fuzz = command(program, &["-max_len=8192", "-timeout=30"]);
    fuzz.arg(format!("-max_total_time={seconds}")).arg("-rss_limit_mb=4096");
    fuzz.arg(format!("-artifact_prefix={}/", target.join("corpus").display()));
    fuzz.arg(&corpus).args(SEEDS.iter().map(|it| root().join(it)).filter(|it| it.is_dir()));
    shell::run(&format!("fuzzing {name}"), fuzz)
}

/// The platform of this machine, in the compiler's words.
fn host() -> Result<String> {
    let printed = shell::output(command("rustc", &["-vV"])).unwrap_or_default();
    let host = printed.lines().find_map(|it| it.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not say its host".to_owned())
}

/// The targets are the files.
fn names() -> Result<Vec<String>> {
    let files = std::fs::read_dir(root().join("tests/fuzz/fuzz_targets"));
    let files = files.map_err(|error| error.to_string())?.filter_map(std::result::Result::ok);
    let mut names: Vec<String> = files
        .filter_map(|it| it.path().file_stem().map(|it| it.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}
