//! Pods per second at 100 to 15,000 nodes: `cargo bench -p scheduler [NODES...]`.
//!
//! The best of three rounds, without and with the record that the page shows. With
//! `ORRERY_BENCH_RESULTS` set to a path, the figures are written there too.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

mod workload;

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use api::Objects;
use workload::{Bench, KINDS, N_PODS, cluster, go, is_possible};

const N_ROUNDS: usize = 3;

/// Time on the processor, where the system tells, so that other work on the machine does not count.
fn cpu_seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match stat.split(' ').next().and_then(|it| it.parse::<f64>().ok()) {
        Some(ns) => ns / 1e9,
        None => START.get_or_init(Instant::now).elapsed().as_secs_f64(),
    }
}

/// The best rate of some rounds.
fn best(objects: &Arc<Objects>, kind: usize, with_record: bool) -> f64 {
    let round = |_| {
        let mut bench = Bench::new(objects.clone(), kind, N_PODS);
        let start = cpu_seconds();
        let n_placed = bench.place_all(with_record);
        let seconds = cpu_seconds() - start;
        assert_eq!(n_placed, N_PODS, "{}: a pod found no node", KINDS[kind].0);
        N_PODS as f64 / seconds
    };
    (0..N_ROUNDS).map(round).fold(0.0, f64::max)
}

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|it| it.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![100, 1_000, 5_000, 15_000] } else { sizes };
    let mut results = String::new();
    println!("pods placed per second, native; recorded = with what the page shows of each attempt");
    println!(
        "{:>6}  {:<24} {:>9} {:>9} {:>7} {:>7}",
        "nodes", "pods", "placed", "recorded", "Go", "ratio"
    );
    for n_nodes in sizes {
        let objects = Arc::new(cluster(n_nodes));
        for (kind, (name, _)) in KINDS.iter().enumerate() {
            if !is_possible(kind, n_nodes) {
                continue;
            }
            let rate = best(&objects, kind, false);
            let recorded = best(&objects, kind, true);
            let reference = go(kind, n_nodes);
            let show = |it: Option<f64>, digits: usize| {
                it.map_or("-".to_owned(), |it| format!("{it:.digits$}"))
            };
            let (reference, ratio) = (show(reference, 0), show(reference.map(|it| rate / it), 1));
            println!(
                "{n_nodes:>6}  {name:<24} {rate:>9.0} {recorded:>9.0} {reference:>7} {ratio:>7}"
            );
            writeln!(results, "{kind}\t{name}\t{n_nodes}\t{rate:.0}\t{reference}").unwrap();
        }
    }
    if let Some(path) = std::env::var_os("ORRERY_BENCH_RESULTS") {
        std::fs::write(path, results).unwrap();
    }
}
