//! Small clusters, workloads and trouble at random.

use std::fmt::Write;

/// A random number generator of a few lines: the tests need variety, not quality.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    pub(crate) fn time(&mut self, below_ms: i64) -> i64 {
        i64::try_from(self.below(below_ms.unsigned_abs())).unwrap()
    }

    pub(crate) fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(u64::try_from(all.len()).unwrap())).unwrap()]
    }
}

/// The cluster, and the names of what runs on it.
pub(crate) fn cluster(random: &mut Random) -> (String, Vec<String>) {
    let mut text = format!(
        "apiVersion: sim.orrery.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: random}}\nspec: {{seed: {}, preset: empty}}\n",
        random.below(100)
    );
    for i in 1..=2 + random.below(3) {
        let (cpu, pods) = (1 + random.below(4), 4 + random.below(8));
        writeln!(
            text,
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: n{i}, labels: {{topology.kubernetes.io/zone: z{}}}}}\n\
             status: {{capacity: {{cpu: {cpu}, memory: 4Gi, pods: {pods}}}, allocatable: {{cpu: {cpu}, memory: 4Gi, pods: {pods}}}}}",
            i % 2
        )
        .unwrap();
    }
    let mut names = vec![];
    for i in 0..1 + random.below(3) {
        let workload = workload(random, i);
        let kind = workload.lines().nth(1).and_then(|it| it.strip_prefix("kind: ")).unwrap();
        names.push(format!("{}/w{i}", kind.to_lowercase()));
        text += "---\n";
        text += &workload;
        writeln!(text, "---\napiVersion: v1\nkind: Service\nmetadata: {{name: w{i}}}\nspec: {{selector: {{app: w{i}}}, ports: [{{port: 80}}]}}").unwrap();
    }
    (text, names)
}

fn workload(random: &mut Random, i: u64) -> String {
    let n = 1 + random.below(6);
    let selector = format!("selector: {{matchLabels: {{app: w{i}}}}}");
    let (kind, spec, restart) = match random.below(6) {
        0 => {
            let more = random.pick(&[
                "",
                "strategy: {type: Recreate}, ",
                "strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 50%}}, ",
                "minReadySeconds: 5, progressDeadlineSeconds: 30, ",
            ]);
            ("apps/v1\nkind: Deployment", format!("replicas: {n}, {more}{selector}"), "Always")
        }
        1 => {
            let more = random.pick(&[
                "",
                "podManagementPolicy: Parallel, ",
                "updateStrategy: {type: OnDelete}, ",
                "updateStrategy: {rollingUpdate: {partition: 1}}, ",
            ]);
            let spec = format!("replicas: {n}, serviceName: w{i}, {more}{selector}");
            ("apps/v1\nkind: StatefulSet", spec, "Always")
        }
        2 => {
            let more = random.pick(&[
                "",
                "updateStrategy: {type: OnDelete}, ",
                "updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}, ",
            ]);
            ("apps/v1\nkind: DaemonSet", format!("{more}{selector}"), "Always")
        }
        3 => {
            let period = 1 + random.below(2);
            let policy = random.pick(&["Allow", "Forbid", "Replace"]);
            let spec = format!("schedule: \"*/{period} * * * *\", concurrencyPolicy: {policy}");
            ("batch/v1\nkind: CronJob", spec, "OnFailure")
        }
        _ => {
            let (spec, restart) = job(random, n);
            ("batch/v1\nkind: Job", spec, restart)
        }
    };
    let mut template = template(random, i, restart);
    if kind.ends_with("CronJob") {
        template = format!("jobTemplate: {{spec: {{{template}}}}}");
    }
    format!("apiVersion: {kind}\nmetadata: {{name: w{i}}}\nspec: {{{spec}, {template}}}\n")
}

/// The spec of a Job of `n` completions without its template, and the restart policy for that.
fn job(random: &mut Random, n: u64) -> (String, &'static str) {
    let mode = random.pick(&["Indexed", "NonIndexed"]);
    let more = match (mode, random.below(7)) {
        ("Indexed", 0) => ", backoffLimitPerIndex: 1",
        ("Indexed", 3) => ", successPolicy: {rules: [{succeededCount: 1}]}",
        (_, 1) => ", podReplacementPolicy: Failed",
        (_, 2) => ", ttlSecondsAfterFinished: 20",
        (_, 4) => ", activeDeadlineSeconds: 40",
        (_, 5) => {
            ", podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}, \
             {action: FailJob, onExitCodes: {operator: In, values: [3]}}]}"
        }
        _ => "",
    };
    let restart = if more.contains("PerIndex") || more.contains("podFailurePolicy") {
        "Never"
    } else {
        random.pick(&["Never", "OnFailure"])
    };
    let parallelism = 1 + random.below(4);
    (format!("completionMode: {mode}, completions: {n}, parallelism: {parallelism}{more}"), restart)
}

fn template(random: &mut Random, i: u64, restart: &str) -> String {
    let (from, to) = (1 + random.below(5), 6 + random.below(30));
    let code = random.pick(&["0", "1", "1,0", "0,1"]);
    let cpu = 100 * (1 + random.below(12));
    // Where pods end again and again, they wake everybody up; a word that is not heard shows where
    // all is quiet.
    let is_steady = random.below(2) == 0;
    let behaviour = match (is_steady, restart) {
        (true, "Always") => String::new(),
        _ => format!(
            ", annotations: {{sim.orrery.dev/duration: {from}s..{to}s, sim.orrery.dev/exit-code: \"{code}\"}}"
        ),
    };
    format!(
        "template: {{metadata: {{labels: {{app: w{i}}}{behaviour}}}, \
         spec: {{restartPolicy: {restart}, containers: [{{name: c, image: x, resources: {{requests: {{cpu: {cpu}m}}}}}}]}}}}"
    )
}

/// Something that goes wrong, or is done.
pub(crate) fn trouble(random: &mut Random) -> String {
    let node = random.pick(&["n1", "n2", "n3"]);
    let component = random.pick(&[
        "job",
        "cronjob",
        "daemonset",
        "replicaset",
        "deployment",
        "statefulset",
        "garbage-collector",
        "node-lifecycle",
        "pod-gc",
        "taint-eviction",
    ]);
    match random.below(13) {
        0 | 1 => format!("fail node {node}"),
        2 => format!("recover node {node}"),
        3 => format!("not-ready node {node}"),
        4 => "kubectl delete pods --all".to_owned(),
        5 => format!(
            "kubectl taint node {node} a{}",
            random.pick(&["=b:NoExecute", "=b:NoSchedule", "-"])
        ),
        6 => format!("stop controller {component}"),
        7 => format!("start controller {component}"),
        8 => format!("kubectl delete node {node}"),
        9 => format!(
            "kubectl drain {node} --ignore-daemonsets --force --timeout={}s",
            1 + random.below(30)
        ),
        10 => format!("kubectl uncordon {node}"),
        11 => "kubectl delete jobs --all --wait=false".to_owned(),
        _ => format!("kubectl create quota q --hard=pods={}", 1 + random.below(8)),
    }
}

/// Something that is done to a workload, named as kubectl names it: `job/w0`.
pub(crate) fn change(random: &mut Random, workload: &str) -> String {
    let (kind, name) = workload.split_once('/').unwrap_or((workload, ""));
    let cascade = random.pick(&["background", "orphan", "foreground"]);
    let patch =
        |spec: String| format!("kubectl patch {workload} --type=merge -p '{{\"spec\":{spec}}}'");
    match (random.below(6), kind) {
        (0, _) => format!("kubectl delete {workload} --wait=false --cascade={cascade}"),
        (1, _) => format!("kubectl delete pods -l app={name} --wait=false"),
        (2, _) => format!(
            "kubectl create pdb {name} --selector=app={name} --{}={}",
            random.pick(&["min-available", "max-unavailable"]),
            random.pick(&["0", "1", "2", "50%"])
        ),
        (3, "job") => patch(format!("{{\"suspend\":{}}}", random.below(2) == 0)),
        (_, "job") => patch(format!("{{\"parallelism\":{}}}", random.below(5))),
        (_, "cronjob") => patch(format!("{{\"suspend\":{}}}", random.below(2) == 0)),
        (3, "deployment" | "statefulset") => {
            format!("kubectl scale {workload} --replicas={}", random.below(6))
        }
        (4, _) => format!("kubectl rollout {} {workload}", random.pick(&["undo", "restart"])),
        (5, "deployment") => {
            format!("kubectl rollout {} {workload}", random.pick(&["pause", "resume"]))
        }
        _ => format!("kubectl set env {workload} V={}", random.below(3)),
    }
}
