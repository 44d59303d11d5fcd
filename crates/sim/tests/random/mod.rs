//! Scenarios at random, from a number.

use sim::{Options, Simulation};

/// A random number generator of a few lines: the tests need variety, not quality.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    pub(crate) fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let n = self.below(u64::try_from(all.len()).unwrap());
        all[usize::try_from(n).unwrap()]
    }
}

/// A scenario of some workloads and some trouble.
pub(crate) fn scenario(random: &mut Random) -> String {
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

pub(crate) fn load(text: &str) -> Simulation {
    Simulation::load(text, Options::default()).unwrap_or_else(|it| {
        panic!(
            "{text}\n{}",
            it.iter().map(|d| format!("{}: {}\n", d.path, d.message)).collect::<String>()
        )
    })
}
