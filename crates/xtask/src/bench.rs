//! Benchmarks: the native ones of the crates, then the same engine in headless Chromium.

use std::path::PathBuf;

use crate::build;
use crate::shell::{self, Result, cargo, command, root};
use crate::tools;

/// Runs the benchmarks. Further arguments go to the native ones.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut native = cargo(&["bench", "--workspace", "--exclude", "web", "--benches"]);
    if !args.is_empty() {
        native.arg("--").args(args);
    }
    let results = build::target().join("scheduling.tsv");
    native.env("ORRERY_BENCH_RESULTS", &results);
    shell::run("native benchmarks", native)?;
    build::build()?;
    let browsers = tools::browsers()?;
    let mut node = command("node", &["tests/e2e/bench.mjs"]);
    node.env("ORRERY_CHROMIUM", browsers.chromium).env("ORRERY_DIST", root().join("dist"));
    shell::run("benchmarks in Chromium", node)?;
    let mut node = command("node", &["tests/e2e/kubectl.bench.mjs"]);
    node.env("ORRERY_CHROMIUM", tools::browsers()?.chromium);
    shell::run("commands of the console in Chromium", node)?;
    let module = scheduling_module()?;
    let mut node = command("node", &["tests/e2e/scheduling.bench.mjs"]);
    node.args(args.iter().filter(|it| it.parse::<usize>().is_ok()));
    node.env("ORRERY_CHROMIUM", tools::browsers()?.chromium);
    node.env("ORRERY_BENCH_RESULTS", results).env("ORRERY_SCHEDULING_WASM", module);
    shell::run("scheduling in Chromium, native and Go side by side", node)
}

/// The scheduler's workload as a wasm module, compiled and optimized as the engine is.
fn scheduling_module() -> Result<PathBuf> {
    let mut compile = cargo(&["build", "-p", "scheduler", "--example", "scheduling_wasm"]);
    compile.args(["--profile", "wasm", "--target", "wasm32-unknown-unknown"]);
    shell::run("compiling the scheduler's benchmark to wasm", compile)?;
    let examples = build::target().join("wasm32-unknown-unknown/wasm/examples");
    let small = examples.join("scheduling_wasm.opt.wasm");
    build::optimize(&examples.join("scheduling_wasm.wasm"), &small)?;
    Ok(small)
}
