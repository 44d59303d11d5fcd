//! Any text is parsed as a quantity without a panic, and its canonical form is its own.
#![no_main]

use api::quantity;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if quantity::parse(text).is_ok() {
        let canonical = quantity::canonical(text);
        assert_eq!(quantity::canonical(&canonical), canonical);
    }
});
