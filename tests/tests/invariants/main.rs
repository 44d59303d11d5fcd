//! What must hold after every event of any run: many small clusters at random, with workloads at
//! random, and trouble at random.
//!
//! `SEEDS=7 cargo test --release -p tests --test invariants` runs one seed, `SEEDS=0..5000` many.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod cluster;
mod seen;
mod statuses;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use api::k8s_openapi::api::batch::v1::Job;
use api::k8s_openapi::api::core::v1::{Node, Pod};
use api::{Kind, Object, ObjectRef, Resource, pods, quantity, resources};
use sim::{Options, Simulation};
use view::TimedAction;

use cluster::{Random, change, cluster, trouble};
use seen::Seen;
use statuses::lies;

/// How many runs there are if nobody says otherwise.
const SEEDS: u64 = 500;
/// Until when there is trouble.
const TROUBLE_MS: i64 = 150_000;
/// So long after the last trouble the cluster has cleaned up: a lost node is noticed, pods of a
/// deleted node are collected, and back-offs of some minutes are over.
const CLEANUP_MS: i64 = 200_000;

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

/// Whoever is controlled has an owner, or is being collected; nobody runs on a node that is gone.
fn check_end(simulation: &Simulation) {
    let listers = simulation.listers();
    for object in Kind::ALL.iter().flat_map(|kind| listers.0.list(*kind)) {
        let Some(owner) = object.controller() else { continue };
        let Some(key) = ObjectRef::of_owner(owner, object.namespace()) else { continue };
        let there = listers.object(&key).is_some_and(|it| it.uid() == owner.uid);
        let leaving = object.meta().deletion_timestamp.is_some();
        assert!(there || leaving, "{} has lost its owner {key}", object.object_ref());
    }
    // The last failed pod of a Job's index stays until the next one is made.
    for pod in listers.list::<Pod>().filter(|it| !pods::is_terminal(it)) {
        let Some(node) = pods::node_name(pod) else { continue };
        assert!(listers.node(node).is_some(), "{} is on {node}, which is gone", pod.object_ref());
    }
}

/// Whatever a status says and is not so is put right in a while: nobody waits for a word that never
/// comes. A job whose pods fail writes no status while it waits for up to six minutes.
fn check_statuses(simulation: &mut Simulation, seen: &mut Seen) {
    let mut all: Option<BTreeSet<String>> = None;
    for _ in 0..50 {
        let lies: BTreeSet<String> = lies(simulation).into_iter().collect();
        let left = all.map_or(lies.clone(), |it| it.intersection(&lies).cloned().collect());
        if left.is_empty() {
            return;
        }
        all = Some(left);
        let later = simulation.now_ms() + 8_500;
        run(simulation, later, seen);
    }
    panic!("{:?}", all.unwrap_or_default());
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
    let (text, workloads) = cluster(&mut random);
    let workloads: Vec<&str> = workloads.iter().map(String::as_str).collect();
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
        let command = match random.below(2) {
            0 => trouble(&mut random),
            _ => {
                let workload = random.pick(&workloads);
                change(&mut random, workload)
            }
        };
        simulation.command(&command);
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
    check_statuses(&mut simulation, &mut seen);
    let settled = simulation.now_ms();
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
