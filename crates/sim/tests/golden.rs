//! The golden scenario has the recorded hash. The tests of `wasm` run the same scenario in browsers
//! against the same file; `UPDATE_EXPECT=1` records it anew after a change of behaviour.

use sim::{Options, Simulation};

const TEXT: &str = include_str!("golden/scenario.yaml");
const HASH: &str = include_str!("golden/hash.txt");

#[test]
fn the_golden_scenario_has_the_recorded_history() {
    let mut simulation = Simulation::load(TEXT, Options::default()).ok().unwrap();
    assert!(simulation.run_until(600_000, 1_000_000).reached);
    let line = format!("{:016x} after {} events\n", simulation.hash(), simulation.n_events());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/hash.txt");
        std::fs::write(path, &line).unwrap();
    } else {
        assert_eq!(line, HASH, "record it with UPDATE_EXPECT=1 if the behaviour was to change");
    }
}
