//! Any text is loaded and run for a while without a panic, and the same text gives the same run;
//! going back and forth does not change it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sim::{Options, Simulation};

/// So many events of each run: enough to place pods and to restart some.
const N_EVENTS: u64 = 200;

fuzz_target!(|text: &str| {
    let Ok(mut run) = Simulation::load(text, Options::default()) else { return };
    run.run_until(3_600_000, N_EVENTS);
    let (hash, n_events) = (run.hash(), run.state().n_events);
    run.seek_event(n_events / 2);
    run.seek_event(n_events);
    assert_eq!(run.hash(), hash, "rewound and replayed");
});
