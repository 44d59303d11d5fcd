//! Any text is read without a panic, its places are inside it, and what is read can be printed and
//! read again.
#![no_main]

use api::yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let reading = yaml::read(text);
    let n_units = text.encode_utf16().count();
    for problem in &reading.diagnostics {
        assert!(problem.span.start <= problem.span.end);
        assert!(problem.span.end.offset as usize <= n_units);
    }
    for document in &reading.documents {
        let printed = yaml::to_string(&document.value());
        assert!(yaml::read(&printed).stop.is_none(), "{printed}");
    }
});
