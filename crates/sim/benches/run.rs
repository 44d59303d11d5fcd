//! Events per second of whole runs, native. `tests/e2e/bench.mjs` runs the same texts in Chromium.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark tells times")]

use std::fmt::Write as _;
use std::time::Instant;

use sim::{Options, Preset, Simulation};

fn main() {
    let hours = |hours: i64| hours * 3_600_000;
    let runs = [
        ("job", "job, 500 pods, 20 at a time", big_job(), hours(2)),
        ("1h", "100 cron jobs, 50 nodes, an hour", cron_jobs(), hours(1)),
        ("6h", "100 cron jobs, 50 nodes, 6 hours", cron_jobs(), hours(6)),
        ("day", "100 cron jobs, 50 nodes, a day", cron_jobs(), hours(24)),
        ("week", "100 cron jobs, 50 nodes, a week", cron_jobs(), hours(7 * 24)),
        ("billion", "a billion replicas", billion(), hours(1)),
    ];
    // `cargo bench -p sim -- week` runs one; an hour and the week are run only when named.
    let named: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    println!(
        "{:<34} {:>10} {:>10} {:>8} {:>8}",
        "native", "events", "events/s", "seconds", "peak MB"
    );
    for (id, name, text, until_ms) in runs {
        let by_default = !matches!(id, "1h" | "week");
        if named.iter().any(|it| it == id) || (named.is_empty() && by_default) {
            measure(name, &text, until_ms);
        }
    }
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
    let peak = peak_mb().map_or("?".to_owned(), |it| it.to_string());
    println!("{name:<34} {:>10} {rate:>10.0} {seconds:>8.2} {peak:>8}", progress.n_events);
    if let Some(notice) = simulation.stopped() {
        println!("   {}", notice.message);
    }
}

/// The most memory that this process has had so far, where the system tells.
fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? / 1_000)
}

fn billion() -> String {
    let mut text = String::new();
    nodes(&mut text, 3);
    text.push_str(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1000000000\n  \
         selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    \
         spec: {containers: [{name: c, image: nginx}]}\n",
    );
    text
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
