//! Facts about the tree that a compiler does not see.

use std::path::{Path, PathBuf};

use crate::shell::{Result, cargo, output, root};

/// Crates and the workspace crates that they may depend on (design: "The components meet only
/// through objects"). Test-only dependencies are free.
const MAY_DEPEND_ON: [(&str, &[&str]); 14] = [
    ("view", &[]),
    ("schema", &[]),
    ("api", &["view"]),
    ("apiserver", &["api"]),
    ("scheduler", &["api", "view"]),
    ("controllers", &["api"]),
    ("kubelet", &["api"]),
    ("rows", &["api"]),
    ("kubectl", &["api", "rows"]),
    ("sim", &["api", "apiserver", "controllers", "kubelet", "kubectl", "scheduler", "view"]),
    ("wasm", &["api", "kubectl", "rows", "sim", "view"]),
    ("cli", &["api", "kubectl", "schema", "sim", "view"]),
    ("web", &["view"]),
    ("xtask", &["schema"]),
];

const TOP_LEVEL: [&str; 8] =
    ["Cargo.toml", "Cargo.lock", "crates", "web", "index.html", "tests", "docs", "README.md"];

/// Runs all checks.
pub(crate) fn run() -> Result<()> {
    let mut complaints = Vec::new();
    complaints.extend(top_level());
    complaints.extend(file_headers());
    complaints.extend(dependencies());
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n   ")) }
}

fn tracked() -> Vec<PathBuf> {
    let files = output(crate::shell::command("git", &["ls-files"])).unwrap_or_default();
    files.lines().map(PathBuf::from).collect()
}

/// Only what must lie at the top lies there.
fn top_level() -> Vec<String> {
    let allowed = |name: &str| {
        name.starts_with('.')
            || TOP_LEVEL.contains(&name)
            || ["LICENSE", "rustfmt.toml", "deny.toml"].contains(&name)
    };
    let mut names: Vec<String> = tracked()
        .iter()
        .filter_map(|path| {
            Some(path.components().next()?.as_os_str().to_string_lossy().into_owned())
        })
        .filter(|name| !allowed(name))
        .collect();
    names.dedup();
    names.into_iter().map(|name| format!("{name} does not belong at the top level")).collect()
}

/// Every Rust file says first what it is.
fn file_headers() -> Vec<String> {
    let is_source = |path: &&PathBuf| path.extension().is_some_and(|it| it == "rs");
    let lacks = |path: &Path| {
        let text = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
        first.is_some_and(|line| !line.starts_with("//!"))
    };
    let files = tracked();
    let lacking = files.iter().filter(is_source).filter(|path| lacks(path));
    lacking.map(|path| format!("{} does not open with `//!`", path.display())).collect()
}

/// The table of the design holds.
fn dependencies() -> Vec<String> {
    let mut complaints = Vec::new();
    for (package, allowed) in MAY_DEPEND_ON {
        let mut tree = cargo(&["tree", "--package", package, "--depth", "1", "--edges", "normal"]);
        tree.args(["--prefix", "none", "--format", "{p}", "--target", "all"]);
        let tree = output(tree).unwrap_or_default();
        if tree.is_empty() {
            complaints.push(format!("cargo tree knows no package {package}"));
        }
        let own = tree.lines().skip(1).filter(|line| line.contains(&*root().to_string_lossy()));
        let names = own.filter_map(|line| line.split(' ').next());
        for name in names.filter(|name| !allowed.contains(name)) {
            complaints.push(format!("{package} must not depend on {name}"));
        }
    }
    complaints
}
