//! How long a command and a completion take on 1,000 nodes with 10,000 pods, native.
//! `tests/e2e/kubectl.bench.mjs` asks the same in Chromium; the bar is 10 ms.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark tells times")]

use std::fmt::Write as _;
use std::time::Instant;

use sim::{Options, Preset, Simulation};

/// What the page must stay below.
const BAR_MS: f64 = 10.0;
const N_ROUNDS: usize = 7;

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let wanted = |line: &str| {
        named.is_empty() || named.iter().any(|it| it == "kubectl" || line.contains(it))
    };
    // The module in the browser is asked the same: one list for both.
    let list = include_str!("../../../tests/e2e/kubectl.bench.txt");
    let lines = list.lines().filter(|it| !it.is_empty() && !it.starts_with('#'));
    let lines: Vec<&str> = lines.filter(|it| wanted(it)).collect();
    if lines.is_empty() {
        return;
    }
    let options = Options { preset: Some(Preset::Empty), ..Options::default() };
    let mut simulation = match Simulation::load(&cluster(), options) {
        Ok(simulation) => simulation,
        Err(diagnostics) => return println!("{:?}", diagnostics.first()),
    };
    simulation.run_until(60_000, u64::MAX);
    println!("{:<52} {:>9} {:>10}", "native, 1,000 nodes, 10,000 pods", "ms", "bytes");
    for line in lines {
        let mut times = vec![];
        let mut n_bytes = 0;
        for round in 0..N_ROUNDS {
            let line = line.replace("ROUND", &round.to_string());
            let started = Instant::now();
            n_bytes = match line.strip_prefix("Tab: ") {
                Some(line) => {
                    let found = simulation.complete(line, line.len());
                    found.candidates.iter().map(String::len).sum()
                }
                None => simulation.command(&line).output.len(),
            };
            times.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
        times.sort_by(f64::total_cmp);
        let ms = times[N_ROUNDS / 2];
        let over = if ms > BAR_MS { "  above the bar" } else { "" };
        println!("{line:<52} {ms:>9.2} {n_bytes:>10}{over}");
    }
}

fn cluster() -> String {
    let mut text = String::new();
    for i in 0..1_000 {
        let _ = write!(
            text,
            "apiVersion: v1\nkind: Node\nmetadata: {{name: n{i}, labels: {{kubernetes.io/hostname: n{i}}}}}\n\
             status: {{allocatable: {{cpu: \"16\", memory: 64Gi, pods: \"110\"}}}}\n---\n"
        );
    }
    for i in 0..10_000 {
        let (node, app, space) =
            (i % 1_000, i % 20, if i % 2 == 0 { "default" } else { "kube-system" });
        let _ = write!(
            text,
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: web-{i}, namespace: {space}, labels: {{app: a{app}}}}}\n\
             spec: {{nodeName: n{node}, containers: [{{name: c, image: nginx, resources: {{requests: \
             {{cpu: 100m, memory: 64Mi}}}}}}]}}\n---\n"
        );
    }
    text
}
