//! Benchmarks: the native ones of the crates, then the same engine in headless Chromium.

use crate::build;
use crate::shell::{self, Result, cargo, command, root};
use crate::tools;

/// Runs the benchmarks. Further arguments go to the native ones.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut native = cargo(&["bench", "--workspace", "--exclude", "web", "--benches"]);
    if !args.is_empty() {
        native.arg("--").args(args);
    }
    shell::run("native benchmarks", native)?;
    build::build()?;
    let browsers = tools::browsers()?;
    let mut node = command("node", &["tests/e2e/bench.mjs"]);
    node.env("ORRERY_CHROMIUM", browsers.chromium).env("ORRERY_DIST", root().join("dist"));
    shell::run("benchmarks in Chromium", node)
}
