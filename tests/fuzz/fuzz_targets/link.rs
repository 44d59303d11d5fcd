//! Any link is decoded or refused without a panic, and what a link asks for can be run.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sim::{Options, Simulation};

#[path = "../../../crates/cli/src/link.rs"]
mod link;

fuzz_target!(|text: &str| {
    let direct = serde_json::from_str(text).ok();
    let Some(state) = direct.or_else(|| link::decode(text).ok()) else { return };
    let fragment = link::encode(&state).expect("what was read can be written");
    assert_eq!(link::decode(&fragment).as_ref(), Ok(&state));
    let yaml: Vec<&str> = state.files.iter().map(|it| it.text.as_str()).collect();
    let options = Options { actions: state.actions, ..Options::default() };
    let Ok(mut run) = Simulation::load(&yaml.join("\n---\n"), options) else { return };
    run.run_until(state.cursor_ms, 200);
});
