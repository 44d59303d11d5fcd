//! Events per second of whole runs, native. `tests/e2e/bench.mjs` runs the same texts in Chromium.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark tells times")]

use std::fmt::Write as _;
use std::time::Instant;

use sim::{Options, Preset, Simulation};

fn main() {
    println!("{:<34} {:>10} {:>12} {:>9}", "native", "events", "events/s", "seconds");
    measure("job, 500 pods, 20 at a time", &big_job(), 2 * 3_600_000);
    measure("100 cron jobs, 50 nodes, 6 hours", &cron_jobs(), 6 * 3_600_000);
}

fn measure(name: &str, text: &str, until_ms: i64) {
    let options = Options { preset: Some(Preset::Empty), ..Options::default() };
    let mut simulation = match Simulation::load(text, options) {
        Ok(simulation) => simulation,
        Err(diagnostics) => return println!("{name}: {diagnostics:?}"),
    };
    let started = Instant::now();
    let progress = simulation.run_until(until_ms, u64::MAX);
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
    let rate = progress.n_events as f64 / seconds;
    println!("{name:<34} {:>10} {rate:>12.0} {seconds:>9.2}", progress.n_events);
    if !progress.reached {
        println!("   stopped early: {:?}", simulation.state().notices);
    }
}

fn nodes(text: &mut String, n: usize) {
    for i in 0..n {
        let _ = write!(
            text,
            "apiVersion: v1\nkind: Node\nmetadata: {{name: n{i}, labels: {{kubernetes.io/hostname: n{i}}}}}\n\
             status: {{allocatable: {{cpu: \"16\", memory: 64Gi, pods: \"110\"}}}}\n---\n"
        );
    }
}

fn big_job() -> String {
    let mut text = String::new();
    nodes(&mut text, 5);
    text.push_str(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: big}\nspec:\n  completions: 500\n  \
         parallelism: 20\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n      \
         - {name: c, image: busybox, command: [sleep, \"30\"]}\n",
    );
    text
}

fn cron_jobs() -> String {
    let mut text = String::new();
    nodes(&mut text, 50);
    for i in 0..100 {
        let _ = write!(
            text,
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: c{i}}}\nspec:\n  schedule: \"*/5 * * * *\"\n  \
             jobTemplate:\n    spec:\n      template:\n        spec:\n          restartPolicy: Never\n          \
             containers:\n          - {{name: c, image: busybox, command: [sleep, \"30\"]}}\n---\n"
        );
    }
    text
}
