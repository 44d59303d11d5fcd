//! Runs recorded answers of real Kubernetes through the engine, area by area.
//!
//! An area reads the text of one file and returns a verdict for each case in it. Files may be
//! compressed (`.gz`); the project's own are under `tests/conformance/<area>/`.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What became of one case: `Err` is the first difference.
pub struct Verdict {
    /// The case's name, unique within its file.
    pub name: String,
    /// The first difference, if there is one.
    pub result: Result<(), String>,
}

/// A case that did not come out as recorded.
pub struct Failure {
    /// File and name of the case.
    pub case: String,
    /// The first difference.
    pub why: String,
}

/// Runs the cases of one file; of all or only of the one with the given name.
pub type Run = fn(path: &Path, text: &str, only: Option<&str>) -> Vec<Verdict>;

/// The areas.
pub const AREAS: &[(&str, Run)] = &[
    ("api", crate::api::run),
    ("controllers", crate::controllers::run),
    ("cron", crate::cron::run),
    ("kubectl", crate::kubectl::run),
    ("scheduler", crate::scheduler::run),
];

/// The project's own data of an area.
#[must_use]
pub fn own_data(area: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(area)
}

/// The data files at a path, in order: itself, or all beneath it.
///
/// # Errors
/// What the file system says.
pub fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = vec![];
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let name = path.to_string_lossy().into_owned();
        let data = [".json", ".jsonl", ".json.gz", ".jsonl.gz"];
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if data.iter().any(|it| name.ends_with(it)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The text of a file, decompressed.
///
/// # Errors
/// What the file system says, or what is wrong with the data.
pub fn read(path: &Path) -> io::Result<String> {
    let bytes = fs::read(path)?;
    let mut text = String::new();
    if path.extension().is_some_and(|it| it == "gz") {
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
    } else {
        text = String::from_utf8(bytes).map_err(io::Error::other)?;
    }
    Ok(text)
}

/// Runs an area over paths (its own data if there are none). Returns how many cases passed, and
/// the failures.
///
/// # Errors
/// An unknown area, or what cannot be read.
pub fn run(
    area: &str,
    only: Option<&str>,
    paths: &[PathBuf],
) -> Result<(usize, Vec<Failure>), String> {
    let Some((_, run)) = AREAS.iter().find(|(name, _)| *name == area) else {
        let known: Vec<&str> = AREAS.iter().map(|(name, _)| *name).collect();
        return Err(format!("unknown area {area}; known are {}", known.join(", ")));
    };
    let own = [own_data(area)];
    let (mut passed, mut failures) = (0, vec![]);
    for path in if paths.is_empty() { &own } else { paths } {
        let files = files(path).map_err(|error| format!("{}: {error}", path.display()))?;
        for file in files {
            let text = read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let short = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for verdict in run(&file, &text, only) {
                match verdict.result {
                    Ok(()) => passed += 1,
                    Err(why) => {
                        failures.push(Failure { case: format!("{short} {}", verdict.name), why });
                    }
                }
            }
        }
    }
    Ok((passed, failures))
}
