//! Going back and forth gives the same run, whatever the way.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use sim::{Options, Simulation};

/// A random number generator of a few lines: the tests need variety, not quality.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let n = self.below(u64::try_from(all.len()).unwrap());
        all[usize::try_from(n).unwrap()]
    }
}

/// A scenario of some workloads and some trouble.
fn scenario(random: &mut Random) -> String {
    let mut text = String::from(
        "apiVersion: sim.orrery.dev/v1alpha1\nkind: Scenario\nmetadata: {name: random}\nspec:\n",
    );
    text += &format!(
        "  seed: {}\n  preset: {}\n  steps:\n",
        random.below(100),
        random.pick(&["default", "minikube", "three-zones"])
    );
    let mut at = 0;
    for _ in 0..random.below(5) {
        at += random.below(60);
        let step = random.pick(&[
            "fail node worker-a",
            "recover node worker-a",
            "stop controller job",
            "start controller job",
            "fail node minikube",
            "kubectl delete pods --all",
            "kubectl cordon worker-b",
        ]);
        text += &format!("  - {{at: {at}s, do: \"{step}\"}}\n");
    }
    if at == 0 {
        text = text.replace("  steps:\n", "");
    }
    for i in 0..1 + random.below(4) {
        let duration = format!("{}s..{}s", 1 + random.below(5), 6 + random.below(30));
        let cpu = 100 * (1 + random.below(20));
        let template = |restart: &str| {
            format!(
                "template:\n    metadata:\n      labels: {{app: w{i}}}\n      annotations: {{sim.orrery.dev/duration: {duration}, sim.orrery.dev/exit-code: \"{}\"}}\n    spec:\n      restartPolicy: {restart}\n      containers:\n      - {{name: c, image: x, resources: {{requests: {{cpu: {cpu}m}}}}}}\n",
                i % 2
            )
        };
        let n = 1 + random.below(6);
        text += "---\n";
        text += &match random.below(4) {
            0 => format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: w{i}}}\nspec:\n  replicas: {n}\n  selector: {{matchLabels: {{app: w{i}}}}}\n  {}",
                template("Always")
            ),
            1 => format!(
                "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: w{i}}}\nspec:\n  completions: {n}\n  parallelism: 2\n  {}",
                template("Never")
            ),
            2 => format!(
                "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: w{i}}}\nspec:\n  selector: {{matchLabels: {{app: w{i}}}}}\n  {}",
                template("Always")
            ),
            _ => format!(
                "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: w{i}}}\nspec:\n  schedule: \"*/1 * * * *\"\n  jobTemplate:\n    spec:\n      {}",
                template("OnFailure")
                    .replace("\n    ", "\n        ")
                    .replace("\n      spec", "\n        spec")
            ),
        };
    }
    text
}

fn load(text: &str) -> Simulation {
    Simulation::load(text, Options::default()).unwrap_or_else(|it| {
        panic!(
            "{text}\n{}",
            it.iter().map(|d| format!("{}: {}\n", d.path, d.message)).collect::<String>()
        )
    })
}

/// What must be the same however one came here.
fn shown(simulation: &Simulation) -> (u64, u64, String, String) {
    let mut delta = simulation.delta(0);
    delta.revision = 0;
    let all = serde_json::to_string(&(delta, simulation.lanes())).unwrap();
    (simulation.hash(), simulation.n_events(), simulation.history_text(usize::MAX), all)
}

const MINUTES: i64 = 60_000;

#[test]
fn any_way_to_a_time_shows_the_same() {
    for seed in 0..6 {
        let mut random = Random(seed);
        let text = scenario(&mut random);
        let mut straight = load(&text);
        let mut times: Vec<i64> =
            (0..5).map(|_| i64::try_from(random.below(600_000)).unwrap()).collect();
        times.sort_unstable();
        let expected: Vec<_> = times
            .iter()
            .map(|at| {
                assert!(straight.run_until(*at, u64::MAX).reached, "{text}");
                shown(&straight)
            })
            .collect();
        straight.run_until(10 * MINUTES, u64::MAX);
        let end = shown(&straight);
        let mut wanderer = load(&text);
        wanderer.run_until(10 * MINUTES, u64::MAX);
        for _ in 0..12 {
            let at = usize::try_from(random.below(5)).unwrap();
            wanderer.seek(times[at], u64::MAX);
            assert_eq!(shown(&wanderer), expected[at], "seed {seed}, {} ms\n{text}", times[at]);
        }
        while wanderer.n_events() < end.1 {
            wanderer.step();
        }
        wanderer.seek(10 * MINUTES, u64::MAX);
        assert_eq!(shown(&wanderer), end, "seed {seed}");
    }
}

#[test]
fn stepping_back_undoes_one_event() {
    let text = scenario(&mut Random(7));
    let mut simulation = load(&text);
    let mut hashes = vec![simulation.hash()];
    for _ in 0..200 {
        simulation.step();
        hashes.push(simulation.hash());
    }
    for n in (0..200).rev() {
        assert!(simulation.step_back());
        assert_eq!(
            (simulation.n_events(), simulation.hash()),
            (n, hashes[usize::try_from(n).unwrap()])
        );
    }
    assert!(!simulation.step_back());
}

#[test]
fn a_page_that_follows_the_deltas_has_the_whole_picture() {
    use std::collections::BTreeMap;
    let mut random = Random(3);
    let text = scenario(&mut random);
    let mut simulation = load(&text);
    let mut pods = BTreeMap::new();
    let mut nodes = BTreeMap::new();
    let mut revision = 0;
    for _ in 0..60 {
        simulation.seek(i64::try_from(random.below(300_000)).unwrap(), u64::MAX);
        let delta = simulation.delta(revision);
        revision = delta.revision;
        if delta.full {
            pods.clear();
            nodes.clear();
        }
        for it in delta.removed {
            match it.kind.as_str() {
                "Pod" => drop(pods.remove(&(it.namespace, it.name))),
                "Node" => drop(nodes.remove(&it.name)),
                _ => {}
            }
        }
        pods.extend(delta.pods.into_iter().map(|it| ((it.namespace.clone(), it.name.clone()), it)));
        nodes.extend(delta.nodes.into_iter().map(|it| (it.name.clone(), it)));
        let whole = simulation.delta(0);
        assert_eq!(pods.values().cloned().collect::<Vec<_>>(), whole.pods);
        assert_eq!(nodes.values().cloned().collect::<Vec<_>>(), whole.nodes);
    }
}

#[test]
fn a_command_in_the_past_discards_the_future_and_can_be_undone() {
    let text = scenario(&mut Random(7));
    let mut simulation = load(&text);
    simulation.run_until(MINUTES, u64::MAX);
    assert_eq!(simulation.command("fail node minikube").forked, None);
    simulation.run_until(3 * MINUTES, u64::MAX);
    let before = shown(&simulation);
    simulation.seek(2 * MINUTES, u64::MAX);
    let fork = simulation.command("recover node minikube").forked.unwrap();
    assert_eq!((fork.at_ms, fork.horizon_ms, fork.actions.len()), (2 * MINUTES, 3 * MINUTES, 1));
    assert_eq!(simulation.state().horizon_ms, 2 * MINUTES);
    simulation.run_until(3 * MINUTES, u64::MAX);
    assert_ne!(simulation.hash(), before.0);
    simulation.set_actions(fork.actions).unwrap();
    simulation.run_until(fork.horizon_ms, u64::MAX);
    assert_eq!(shown(&simulation), before);
}

#[test]
fn a_run_with_commands_is_repeated_from_its_actions() {
    for seed in 0..6 {
        let mut random = Random(seed);
        let text = scenario(&mut random);
        let mut simulation = load(&text);
        for _ in 0..6 {
            for _ in 0..random.below(200) {
                simulation.step();
            }
            simulation.command(random.pick(&[
                "fail node worker-b",
                "recover node worker-b",
                "stop controller daemonset",
                "start controller daemonset",
            ]));
        }
        simulation.run_until(simulation.now_ms() + MINUTES, u64::MAX);
        let mut again = Simulation::load(
            &text,
            Options { actions: simulation.actions(), ..Options::default() },
        )
        .ok()
        .unwrap();
        again.run_until(simulation.now_ms(), u64::MAX);
        assert_eq!(shown(&again), shown(&simulation), "seed {seed}\n{text}");
    }
}
