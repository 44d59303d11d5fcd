//! From Rust and JavaScript sources to the static site in `dist/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Result, cargo, command, root, run};
use crate::{tools, zones};

/// The two modules: crate and directory under `web/pkg`.
const MODULES: [(&str, &str); 2] = [("wasm", "engine"), ("web", "ui")];

/// How wasm-opt makes a module small. What counts is its size behind Brotli, which finds what is
/// alike: functions put into their only callers and subexpressions kept in locals save bytes and
/// hide likeness, so that the plain `-Oz` made both modules a tenth larger to download than no
/// wasm-opt at all.
const SMALL: [&str; 4] = [
    "-Oz",
    "--one-caller-inline-max-function-size=20",
    "--skip-pass=local-cse",
    "--skip-pass=merge-locals",
];

/// What every browser that we support can do.
const FEATURES: [&str; 7] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Writes the site to `dist/`.
pub(crate) fn build() -> Result<()> {
    tools::wasm_target()?;
    tools::npm_packages()?;
    let bindgen = tools::wasm_bindgen()?;
    for (package, _) in MODULES {
        let args = ["build", "-p", package, "--lib", "--profile", "wasm", "--target"];
        let mut build = cargo(&args);
        build.arg("wasm32-unknown-unknown");
        run(&format!("compiling {package} to wasm"), build)?;
    }
    for (package, directory) in MODULES {
        bind(&bindgen, package, directory)?;
    }
    zones::write()?;
    zones::write_documentation()?;
    run("bundling with Vite", command("npm", &["run", "--silent", "build", "--prefix", "web"]))?;
    println!("   the site is in dist/");
    Ok(())
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| root().join("target"))
}

/// Optimizes a module for size, as the engine's.
pub(crate) fn optimize(module: &Path, small: &Path) -> Result<()> {
    run("optimizing the scheduler's benchmark", wasm_opt(module, small))
}

fn wasm_opt(module: &Path, small: &Path) -> Command {
    let mut opt = command(root().join("web/node_modules/.bin/wasm-opt"), &SMALL);
    opt.args(FEATURES).arg("-o").arg(small).arg(module);
    opt
}

/// Makes the JavaScript bindings of a module and optimizes it.
fn bind(bindgen: &Path, package: &str, directory: &str) -> Result<()> {
    let target = target();
    let wasm = target.join("wasm32-unknown-unknown/wasm").join(format!("{package}.wasm"));
    let out = root().join("web/pkg").join(directory);
    let mut bind = command(bindgen, &["--target", "web", "--out-name", directory, "--out-dir"]);
    bind.arg(&out).arg(&wasm);
    run(&format!("binding {package}"), bind)?;
    let module = out.join(format!("{directory}_bg.wasm"));
    let small = out.join(format!("{directory}_bg.opt.wasm"));
    let key = key(&module)?;
    let kept = target.join("wasm-opt").join(package);
    if std::fs::read(kept.with_extension("key")).is_ok_and(|it| it == key) {
        println!("   {package} is optimized already");
        std::fs::copy(kept.with_extension("wasm"), &module).map_err(|it| it.to_string())?;
        return Ok(());
    }
    run(&format!("optimizing {package}"), wasm_opt(&module, &small))?;
    keep(&small, &kept, &key).map_err(|error| error.to_string())?;
    std::fs::rename(&small, &module).map_err(|error| error.to_string())
}

/// All that decides what wasm-opt makes: its options, its version and the module.
fn key(module: &Path) -> Result<Vec<u8>> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let lock = read(&root().join("web/package-lock.json"))?;
    Ok([FEATURES.join(" ").as_bytes(), SMALL.join(" ").as_bytes(), &lock, &read(module)?].concat())
}

/// Keeps an optimized module with its key; the key last, so that it never belongs to another.
fn keep(small: &Path, kept: &Path, key: &[u8]) -> std::io::Result<()> {
    if let Some(directory) = kept.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::remove_file(kept.with_extension("key")).ok();
    std::fs::copy(small, kept.with_extension("wasm"))?;
    std::fs::write(kept.with_extension("key"), key)
}

/// Builds the site and serves it until the user stops it.
pub(crate) fn serve(args: &[String]) -> Result<()> {
    let port = match args {
        [] => "4173",
        [flag, port] if flag == "--port" => port,
        _ => return Err("usage: cargo xtask serve [--port N]".to_owned()),
    };
    build()?;
    println!("\n   Orrery is at http://localhost:{port}/  (Ctrl-C ends it)\n");
    let vite =
        ["exec", "--prefix", "web", "--", "vite", "preview", "--config", "web/vite.config.js"];
    let mut preview = command("npm", &vite);
    preview.args(["--port", port, "--strictPort"]);
    run("serving", preview)
}
