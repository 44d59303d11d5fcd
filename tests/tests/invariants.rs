//! What must hold after every event of any run: many small clusters at random, with workloads at
//! random, and trouble at random.
//!
//! `SEEDS=7 cargo test --release -p tests --test invariants` runs one seed, `SEEDS=0..5000` many.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Range;

use api::k8s_openapi::api::batch::v1::Job;
use api::k8s_openapi::api::core::v1::{Node, Pod};
use api::{Change, Kind, Object, ObjectRef, Resource, pods, quantity, resources};
use sim::{Options, Simulation};
use view::TimedAction;

/// How many runs there are if nobody says otherwise.
const SEEDS: u64 = 500;
/// Until when there is trouble.
const TROUBLE_MS: i64 = 150_000;
/// So long after the last trouble the cluster has cleaned up: a lost node is noticed, pods of a
/// deleted node are collected, and back-offs of some minutes are over.
const CLEANUP_MS: i64 = 200_000;

/// A random number generator of a few lines: the tests need variety, not quality.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn time(&mut self, below_ms: i64) -> i64 {
        i64::try_from(self.below(below_ms.unsigned_abs())).unwrap()
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(u64::try_from(all.len()).unwrap())).unwrap()]
    }
}

/// The cluster and what runs on it.
fn cluster(random: &mut Random) -> String {
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
    for i in 0..1 + random.below(3) {
        text += "---\n";
        text += &workload(random, i);
    }
    text
}

fn workload(random: &mut Random, i: u64) -> String {
    let (from, to) = (1 + random.below(5), 6 + random.below(30));
    let code = random.pick(&["0", "1", "1,0", "0,1"]);
    let cpu = 100 * (1 + random.below(12));
    let template = |restart: &str| {
        format!(
            "template: {{metadata: {{labels: {{app: w{i}}}, annotations: {{sim.orrery.dev/duration: {from}s..{to}s, sim.orrery.dev/exit-code: \"{code}\"}}}}, \
             spec: {{restartPolicy: {restart}, containers: [{{name: c, image: x, resources: {{requests: {{cpu: {cpu}m}}}}}}]}}}}"
        )
    };
    let n = 1 + random.below(6);
    let selector = format!("selector: {{matchLabels: {{app: w{i}}}}}");
    match random.below(6) {
        0 => format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: w{i}}}\nspec: {{replicas: {n}, {selector}, {}}}\n",
            template("Always")
        ),
        1 => format!(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: w{i}}}\nspec: {{replicas: {n}, serviceName: w{i}, {selector}, {}}}\n",
            template("Always")
        ),
        2 => format!(
            "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: w{i}}}\nspec: {{{selector}, {}}}\n",
            template("Always")
        ),
        3 => {
            let period = 1 + random.below(2);
            let policy = random.pick(&["Allow", "Forbid", "Replace"]);
            format!(
                "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: w{i}}}\nspec: {{schedule: \"*/{period} * * * *\", concurrencyPolicy: {policy}, jobTemplate: {{spec: {{{}}}}}}}\n",
                template("OnFailure")
            )
        }
        _ => {
            let mode = random.pick(&["Indexed", "NonIndexed"]);
            let more = match (mode, random.below(4)) {
                ("Indexed", 0) => "backoffLimitPerIndex: 1, ",
                (_, 1) => "podReplacementPolicy: Failed, ",
                (_, 2) => "ttlSecondsAfterFinished: 20, ",
                _ => "",
            };
            let restart = if more.starts_with("backoffLimitPerIndex") {
                "Never"
            } else {
                random.pick(&["Never", "OnFailure"])
            };
            let parallelism = 1 + random.below(4);
            format!(
                "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: w{i}}}\nspec: {{completionMode: {mode}, completions: {n}, parallelism: {parallelism}, {more}{}}}\n",
                template(restart)
            )
        }
    }
}

/// Something that goes wrong, or is done.
fn trouble(random: &mut Random) -> String {
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
    let workload = random.pick(&["w0", "w1", "w2"]);
    match random.below(16) {
        0 | 1 => format!("fail node {node}"),
        2 | 3 => format!("recover node {node}"),
        4 => format!("not-ready node {node}"),
        5 => "kubectl delete pods --all".to_owned(),
        6 => format!("kubectl delete pods -l app={workload}"),
        7 => format!("kubectl scale deployment {workload} --replicas={}", random.below(6)),
        8 => format!("kubectl scale statefulset {workload} --replicas={}", random.below(5)),
        9 => format!("kubectl taint node {node} a=b:NoExecute"),
        10 => format!("kubectl taint node {node} a-"),
        11 => format!("stop controller {component}"),
        12 => format!("start controller {component}"),
        13 => format!("kubectl delete node {node}"),
        14 => format!(
            "kubectl patch job {workload} --type=merge -p '{{\"spec\":{{\"suspend\":{}}}}}'",
            random.below(2) == 0
        ),
        _ => format!(
            "kubectl delete {} {workload}",
            random.pick(&["job", "daemonset", "deployment", "cronjob", "statefulset"])
        ),
    }
}

/// What was seen of the run before.
#[derive(Default)]
struct Seen {
    version: u64,
    pods: BTreeMap<String, (Option<String>, String)>,
    jobs: BTreeMap<String, (i32, i32, BTreeSet<i64>)>,
    /// Active pods of each Job.
    active: BTreeMap<String, BTreeSet<String>>,
    parallelism: BTreeMap<String, i32>,
}

impl Seen {
    fn look(&mut self, change: &Change) {
        if let Some(new) = &change.new {
            let version: u64 = new.meta().resource_version.as_deref().unwrap().parse().unwrap();
            assert!(
                version > self.version,
                "{}: {version} after {}",
                new.object_ref(),
                self.version
            );
            self.version = version;
        }
        match (&change.old, &change.new) {
            (old, Some(Object::Pod(pod))) => self.pod(old.is_none(), pod),
            (Some(Object::Pod(pod)), None) => self.inactive(pod),
            (_, Some(Object::Job(job))) => self.job(job),
            _ => {}
        }
    }

    fn inactive(&mut self, pod: &Pod) {
        for active in self.active.values_mut() {
            active.remove(pod.uid());
        }
    }

    fn pod(&mut self, is_new: bool, pod: &Pod) {
        let node = pods::node_name(pod).map(str::to_owned);
        let phase = pods::phase(pod).to_owned();
        if let Some((bound, before)) = self.pods.get(pod.uid()) {
            assert!(bound.is_none() || *bound == node, "{}: bound again", pod.object_ref());
            let ended = matches!(before.as_str(), "Succeeded" | "Failed");
            assert!(!ended || *before == phase, "{}: {phase} after its end", pod.object_ref());
        }
        self.pods.insert(pod.uid().to_owned(), (node, phase));
        if pods::is_terminal(pod) || pods::is_terminating(pod) {
            return self.inactive(pod);
        }
        let owner = pod.metadata.owner_references.iter().flatten().find(|it| it.kind == "Job");
        if let (true, Some(owner)) = (is_new, owner) {
            let active = self.active.entry(owner.uid.clone()).or_default();
            active.insert(pod.uid().to_owned());
            let most = self.parallelism.get(&owner.uid).copied().unwrap_or(1);
            let n = i32::try_from(active.len()).unwrap();
            assert!(n <= most, "{}: number {n} of {most} at a time", pod.object_ref());
        }
    }

    fn job(&mut self, job: &Job) {
        let status = job.status.clone().unwrap_or_default();
        let indexes = indexes(status.completed_indexes.as_deref().unwrap_or_default());
        let now = (status.succeeded.unwrap_or(0), status.failed.unwrap_or(0), indexes);
        let key = job.object_ref();
        if let Some(before) = self.jobs.get(job.uid()) {
            assert!(before.0 <= now.0 && before.1 <= now.1, "{key}: {before:?}, then {now:?}");
            assert!(before.2.is_subset(&now.2), "{key}: {before:?}, then {now:?}");
        }
        if job.spec.as_ref().and_then(|it| it.completion_mode.as_deref()) == Some("Indexed") {
            assert_eq!(usize::try_from(now.0).unwrap(), now.2.len(), "{key}: one pod an index");
        }
        let parallelism = job.spec.as_ref().and_then(|it| it.parallelism);
        self.parallelism.insert(job.uid().to_owned(), parallelism.unwrap_or(1));
        self.jobs.insert(job.uid().to_owned(), now);
    }
}

/// The numbers in a text such as `0,2-4`, each once and in order.
fn indexes(text: &str) -> BTreeSet<i64> {
    let mut all = BTreeSet::new();
    for part in text.split(',').filter(|it| !it.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (i64, i64) = (from.parse().unwrap(), to.parse().unwrap());
        for index in from..=to {
            assert!(all.last().is_none_or(|it| *it < index), "{text}");
            all.insert(index);
        }
    }
    all
}

/// No node has more asked of it than it has.
fn check_room(simulation: &Simulation) {
    let listers = simulation.listers();
    for node in listers.list::<Node>() {
        let mut asked: BTreeMap<String, i64> = BTreeMap::new();
        for pod in listers.pods_on(node.name()).filter(|it| !pods::is_terminal(it)) {
            for (resource, amount) in resources::pod_requests(pod) {
                *asked.entry(resource).or_default() += amount;
            }
            *asked.entry("pods".to_owned()).or_default() += 1;
        }
        for (resource, amount) in node.status.iter().flat_map(|it| &it.allocatable).flatten() {
            let room = match resource.as_str() {
                "cpu" => quantity::milli_value(amount),
                _ => quantity::value(amount),
            };
            let asked = asked.get(resource).copied().unwrap_or_default();
            assert!(asked <= room, "{}: {asked} of {room} {resource} are asked", node.name());
        }
    }
}

/// Whoever is controlled has an owner, or is being collected; nobody is on a node that is gone.
fn check_end(simulation: &Simulation) {
    let listers = simulation.listers();
    for object in Kind::ALL.iter().flat_map(|kind| listers.0.list(*kind)) {
        let Some(owner) = object.controller() else { continue };
        let Some(key) = ObjectRef::of_owner(owner, object.namespace()) else { continue };
        let there = listers.object(&key).is_some_and(|it| it.uid() == owner.uid);
        let leaving = object.meta().deletion_timestamp.is_some();
        assert!(there || leaving, "{} has lost its owner {key}", object.object_ref());
    }
    for pod in listers.list::<Pod>() {
        let Some(node) = pods::node_name(pod) else { continue };
        assert!(listers.node(node).is_some(), "{} is on {node}, which is gone", pod.object_ref());
    }
}

/// Runs to a time, with all checks after each event.
fn run(simulation: &mut Simulation, to_ms: i64, seen: &mut Seen) {
    while simulation.next_ms().is_some_and(|it| it <= to_ms) && simulation.step() {
        look(simulation, seen);
    }
    assert!(simulation.run_until(to_ms, u64::MAX).reached);
    look(simulation, seen);
}

fn look(simulation: &mut Simulation, seen: &mut Seen) {
    let changes = simulation.take_changes();
    for (_, change) in &changes {
        seen.look(change);
    }
    let moved = |it: &Option<Object>| matches!(it, Some(Object::Pod(_) | Object::Node(_)));
    if changes.iter().any(|(_, it)| moved(&it.new)) {
        check_room(simulation);
    }
}

fn load(text: &str, actions: Vec<TimedAction>) -> Simulation {
    let options = Options { actions, ..Options::default() };
    Simulation::load(text, options).unwrap_or_else(|it| panic!("{text}\n{it:?}"))
}

fn one(seed: u64) {
    let mut random = Random(seed);
    let text = cluster(&mut random);
    let mut simulation = load(&text, vec![]);
    let mut seen = Seen::default();
    for job in simulation.listers().list::<Job>() {
        seen.job(job);
    }
    simulation.take_changes();
    let mut times: Vec<i64> = (0..random.below(8)).map(|_| random.time(TROUBLE_MS)).collect();
    times.sort_unstable();
    for at in times {
        run(&mut simulation, at, &mut seen);
        simulation.command(&trouble(&mut random));
        look(&mut simulation, &mut seen);
    }
    run(&mut simulation, TROUBLE_MS, &mut seen);
    for id in api::ComponentId::ALL {
        simulation.command(&format!("start controller {}", id.name()));
    }
    for node in ["n1", "n2", "n3", "n4"] {
        simulation.command(&format!("recover node {node}"));
        simulation.command(&format!("ready node {node}"));
    }
    // A command that waits for its end makes the last trouble later.
    let settled = simulation.now_ms() + CLEANUP_MS;
    run(&mut simulation, settled, &mut seen);
    check_end(&simulation);
    let end = (simulation.n_events(), simulation.hash());

    for _ in 0..2 {
        simulation.seek(random.time(settled), u64::MAX);
    }
    simulation.seek(settled, u64::MAX);
    assert_eq!((simulation.n_events(), simulation.hash()), end, "after going back and forth");
    if seed.is_multiple_of(4) {
        let mut again = load(&text, simulation.actions());
        again.run_until(settled, u64::MAX);
        assert_eq!((again.n_events(), again.hash()), end, "in a second run");
    }
}

fn seeds() -> Range<u64> {
    let text = std::env::var("SEEDS").unwrap_or_default();
    match text.split_once("..") {
        Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
        None => text.parse().map_or(0..SEEDS, |it: u64| it..it + 1),
    }
}

#[test]
fn whatever_happens_counts_and_bindings_and_owners_stay_true() {
    let mut failed = vec![];
    for seed in seeds() {
        if let Err(why) = std::panic::catch_unwind(|| one(seed)) {
            let text = why.downcast_ref::<String>().cloned().unwrap_or_default();
            failed.push(format!("seed {seed}: {text}"));
        }
    }
    assert!(failed.is_empty(), "{} of the runs failed:\n{}", failed.len(), failed.join("\n"));
}
