//! Brotli sizes of the built site against the budgets of the page.

use std::path::{Path, PathBuf};

use crate::shell::{Result, command, output, root};

/// What is measured: a name, how its files are told, the target and the limit in kB.
struct Budget {
    name: &'static str,
    is_part: fn(&str) -> bool,
    target_kb: f64,
    limit_kb: f64,
}

fn is_engine(name: &str) -> bool {
    name.contains("engine") && name.ends_with(".wasm")
}

fn is_ui(name: &str) -> bool {
    name.contains("ui") && name.ends_with(".wasm")
}

fn is_editor(name: &str) -> bool {
    name.contains("editor") && name.ends_with(".js")
}

fn is_glue(name: &str) -> bool {
    (name.ends_with(".js") && !is_editor(name)) || name.ends_with(".css")
}

/// The engine and the UI are still above what the page wants (450 and 180 kB at most): their limits
/// hold what has been reached, so that it can only get better.
const BUDGETS: [Budget; 4] = [
    Budget { name: "engine wasm", is_part: is_engine, target_kb: 350.0, limit_kb: 1_437.0 },
    Budget { name: "UI wasm", is_part: is_ui, target_kb: 130.0, limit_kb: 249.0 },
    Budget { name: "JS glue and CSS", is_part: is_glue, target_kb: 25.0, limit_kb: 40.0 },
    Budget { name: "editor chunk (lazy)", is_part: is_editor, target_kb: 120.0, limit_kb: 130.0 },
];

/// The files under `assets/` of the site with their brotli sizes in kB.
fn measured() -> Result<Vec<(String, f64)>> {
    let dist = root().join("dist");
    let mut files = Vec::new();
    collect(&dist.join("assets"), &mut files);
    if files.is_empty() {
        return Err("dist/ is empty: run `cargo xtask build` first".to_owned());
    }
    files.sort();
    let mut sizes = Vec::new();
    for file in files {
        let script = "const z=require('zlib'),f=require('fs');\
            process.stdout.write(String(z.brotliCompressSync(f.readFileSync(process.argv[1])).length))";
        let mut node = command("node", &["-e", script]);
        node.arg(&file);
        let size = output(node).and_then(|it| it.parse::<f64>().ok());
        let name = file.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        sizes.push((name, size.ok_or("cannot measure with node")? / 1_000.0));
    }
    Ok(sizes)
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if ["wasm", "js", "css"].iter().any(|it| path.extension().is_some_and(|e| e == *it))
        {
            files.push(path);
        }
    }
}

/// Prints the table and fails where a limit is exceeded.
pub(crate) fn check() -> Result<()> {
    let sizes = measured()?;
    let mut over = Vec::new();
    let mut total = 0.0;
    println!("{:<22} {:>9} {:>9} {:>9}", "brotli, kB", "size", "target", "limit");
    for budget in BUDGETS {
        let parts = sizes.iter().filter(|(name, _)| (budget.is_part)(name));
        let size: f64 = parts.map(|(_, size)| size).sum();
        total += size;
        let Budget { name, target_kb, limit_kb, .. } = budget;
        println!("{name:<22} {size:>9.1} {target_kb:>9.0} {limit_kb:>9.0}");
        if size > limit_kb {
            over.push(format!("{name} has {size:.1} kB, the limit is {limit_kb:.0}"));
        }
        if size == 0.0 {
            over.push(format!("{name} is missing in dist/assets"));
        }
    }
    println!("{:<22} {total:>9.1} {:>9} {:>9}", "full page", 640, 800);
    if over.is_empty() { Ok(()) } else { Err(over.join("; ")) }
}

/// Prints every file, then the table.
pub(crate) fn print_table() -> Result<()> {
    for (name, size) in measured()? {
        println!("{size:>9.1} kB  {name}");
    }
    check()
}
