//! The gallery: nothing in it goes round in circles.

use std::path::Path;

use sim::{Options, Simulation};

/// What a cluster may do in six hours: the busiest example starts a job every three minutes, and
/// that takes about twenty events.
const MOST_EVENTS: u64 = 15_000;

#[test]
fn no_example_is_busy_without_end() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/examples");
    let mut n_examples = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let zones = tests::zones::all();
        let options = Options { zones, ..Options::default() };
        let mut simulation = Simulation::load(&text, options).unwrap();
        let progress = simulation.run_until(6 * 3_600_000, MOST_EVENTS + 1);
        assert!(progress.n_events <= MOST_EVENTS, "{}", path.display());
        n_examples += 1;
    }
    assert!(n_examples > 10);
}
