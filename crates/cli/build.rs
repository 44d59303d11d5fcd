//! Writes the documentation of all fields, for `kubectl explain`, where the program includes it.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let out = std::env::var_os("OUT_DIR").unwrap_or_default();
    let text = schema::document(Path::new(&here)).unwrap_or_else(|why| {
        println!("cargo::warning=no documentation for `kubectl explain`: {why}");
        String::new()
    });
    if let Err(why) = std::fs::write(Path::new(&out).join("explain.txt"), text) {
        println!("cargo::error={why}");
    }
}
