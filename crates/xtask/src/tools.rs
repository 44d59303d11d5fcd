//! Finds or installs what the build and the tests need. Rust tools go to `target/tools`, so that
//! a clean clone is complete by itself and nothing outside of it changes.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{Result, cargo, command, find_program, output, root, run};

const WASM: &str = "wasm32-unknown-unknown";

fn tools_dir() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| root().join("target")).join("tools")
}

/// Makes sure that the wasm target of the toolchain is there.
pub(crate) fn wasm_target() -> Result<()> {
    let sysroot = output(command("rustc", &["--print", "sysroot"])).unwrap_or_default();
    if PathBuf::from(sysroot).join("lib/rustlib").join(WASM).is_dir() {
        return Ok(());
    }
    run("rustup target add wasm32-unknown-unknown", command("rustup", &["target", "add", WASM]))
        .map_err(|error| format!("{error}; the wasm target is needed, install it with rustup"))
}

/// The version of a package in `Cargo.lock`.
fn locked_version(package: &str) -> Result<String> {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).map_err(|e| e.to_string())?;
    let start = format!("name = \"{package}\"\nversion = \"");
    let found = lock.split_once(&start).and_then(|(_, rest)| rest.split_once('"'));
    found.map(|(version, _)| version.to_owned()).ok_or(format!("{package} is not in Cargo.lock"))
}

/// Installs a program from crates.io into `target/tools`, once. An exact version replaces another.
fn cargo_tool(
    package: &str,
    program: &str,
    version: Option<&str>,
    locked: bool,
) -> Result<PathBuf> {
    let dir = tools_dir();
    let path = dir.join("bin").join(program);
    let have = output(command(&path, &["--version"])).unwrap_or_default();
    if !have.is_empty() && version.is_none_or(|version| have.ends_with(version)) {
        return Ok(path);
    }
    let mut install = cargo(&["install", "--quiet", package]);
    install.arg("--root").arg(&dir).arg("--target-dir").arg(dir.join("build"));
    if let Some(version) = version {
        install.args(["--version", version, "--force"]);
    }
    if locked {
        install.arg("--locked");
    }
    run(&format!("installing {package} (once, a few minutes)"), install)?;
    Ok(path)
}

/// `wasm-bindgen` at exactly the version of `Cargo.lock`: its schema must match.
pub(crate) fn wasm_bindgen() -> Result<PathBuf> {
    cargo_tool("wasm-bindgen-cli", "wasm-bindgen", Some(&locked_version("wasm-bindgen")?), false)
}

/// The test runner that comes with `wasm-bindgen`.
pub(crate) fn wasm_bindgen_test_runner() -> Result<PathBuf> {
    Ok(wasm_bindgen()?.with_file_name("wasm-bindgen-test-runner"))
}

/// `cargo-deny`.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    cargo_tool("cargo-deny", "cargo-deny", None, true)
}

/// Installs the npm packages of `web/` as its lock file says, unless they are there.
pub(crate) fn npm_packages() -> Result<()> {
    let web = root().join("web");
    let stamp = web.join("node_modules/.package-lock.json");
    let newer = |a: &PathBuf, b: &PathBuf| {
        let time = |path: &PathBuf| path.metadata().and_then(|it| it.modified()).ok();
        time(a) >= time(b)
    };
    if stamp.is_file() && newer(&stamp, &web.join("package-lock.json")) {
        return Ok(());
    }
    let node = output(command("node", &["--version"])).unwrap_or_default();
    let major =
        node.trim_start_matches('v').split('.').next().and_then(|it| it.parse::<u32>().ok());
    if major.is_none_or(|it| it < 20) {
        return Err(format!("Node 20 or newer is needed, found `{node}`"));
    }
    run("npm ci", command("npm", &["ci", "--prefix", "web", "--no-audit", "--no-fund"]))
}

/// The browsers and drivers of the tests.
pub(crate) struct Browsers {
    pub(crate) chromium: PathBuf,
    pub(crate) chromedriver: PathBuf,
    pub(crate) geckodriver: PathBuf,
}

/// Finds the browsers, or installs Debian's packages where this runs as root with apt.
pub(crate) fn browsers() -> Result<Browsers> {
    let chromium = || find_program("chromium").or_else(|| find_program("google-chrome"));
    let firefox = || find_program("firefox-esr").or_else(|| find_program("firefox"));
    let complete =
        || chromium().is_some() && find_program("chromedriver").is_some() && firefox().is_some();
    let is_root = output(command("id", &["-u"])).as_deref() == Some("0");
    if !complete() && is_root && find_program("apt-get").is_some() {
        run("apt-get update", quiet_apt(&["update"]))?;
        let packages = ["install", "-y", "chromium", "chromium-driver", "firefox-esr"];
        run("installing Chromium and Firefox", quiet_apt(&packages))?;
    }
    let missing = |what: &str| {
        format!(
            "{what} is missing: install it (Debian: apt-get install chromium chromium-driver firefox-esr)"
        )
    };
    if firefox().is_none() {
        return Err(missing("Firefox"));
    }
    let geckodriver = match find_program("geckodriver") {
        Some(path) => path,
        None => cargo_tool("geckodriver", "geckodriver", None, false)?,
    };
    Ok(Browsers {
        chromium: chromium().ok_or_else(|| missing("Chromium"))?,
        chromedriver: find_program("chromedriver").ok_or_else(|| missing("ChromeDriver"))?,
        geckodriver,
    })
}

fn quiet_apt(args: &[&str]) -> Command {
    let mut apt = command("apt-get", args);
    apt.env("DEBIAN_FRONTEND", "noninteractive").stdout(std::process::Stdio::null());
    apt
}
