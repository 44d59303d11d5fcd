//! What is kept between attempts says the same as a plain computation from the objects alone, for
//! random clusters and random changes; and a pod that is bound fits its node at that moment.
#![expect(clippy::unwrap_used, reason = "tests may stop")]

mod oracle;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use api::{Kind, Listers, Objects, Resource, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod};
use scheduler::Scheduler;
use serde_json::{Value, json};
use world::{Random, World, node, pod};

const N_NODES: u64 = 14;

fn one_of<'a>(random: &mut Random, all: &[&'a str]) -> &'a str {
    all[usize::try_from(random.below(all.len() as u64)).unwrap()]
}

fn random_node(random: &mut Random) -> Value {
    let name = format!("n{}", random.below(N_NODES));
    let mut labels = json!({"disk": one_of(random, &["ssd", "hdd"])});
    if random.below(6) > 0 {
        labels["zone"] = format!("z{}", random.below(3)).into();
    }
    let mut it = node(&name, one_of(random, &["2", "4"]), labels);
    let effect = one_of(random, &["NoSchedule", "PreferNoSchedule"]);
    match random.below(8) {
        0 => it["spec"]["unschedulable"] = true.into(),
        1 => it["spec"]["taints"] = json!([{"key": "t", "value": "v", "effect": effect}]),
        _ => {}
    }
    it
}

fn random_term(random: &mut Random) -> Value {
    let mut term = json!({
        "topologyKey": one_of(random, &["kubernetes.io/hostname", "zone"]),
        "labelSelector": {"matchLabels": {"app": one_of(random, &["web", "db", "batch"])}},
    });
    match random.below(4) {
        0 => term["namespaces"] = json!(["default", "other"]),
        1 => {
            term["labelSelector"] = json!({"matchExpressions": [
                {"key": "app", "operator": "NotIn", "values": ["web"]}]});
        }
        _ => {}
    }
    term
}

fn random_constraint(random: &mut Random) -> Value {
    let mut it = json!({
        "maxSkew": 1 + random.below(2),
        "topologyKey": one_of(random, &["kubernetes.io/hostname", "zone"]),
        "whenUnsatisfiable": one_of(random, &["DoNotSchedule", "DoNotSchedule", "ScheduleAnyway"]),
        "labelSelector": {"matchLabels": {"app": one_of(random, &["web", "db", "batch"])}},
    });
    if random.below(3) == 0 {
        it["nodeTaintsPolicy"] = "Honor".into();
    }
    if random.below(4) == 0 && it["whenUnsatisfiable"] == "DoNotSchedule" {
        it["minDomains"] = 3.into();
    }
    it
}

fn random_pod(random: &mut Random, at: u64) -> Value {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    let (term, other) = (random_term(random), random_term(random));
    let wish = json!([{"weight": 1 + random.below(100), "podAffinityTerm": term}]);
    let mut spec = match random.below(10) {
        0 => json!({"topologySpreadConstraints": [random_constraint(random)]}),
        1 => json!({"topologySpreadConstraints":
            [random_constraint(random), random_constraint(random)]}),
        2 => json!({"affinity": {"podAntiAffinity": {required: [term]}}}),
        3 => json!({"affinity": {"podAffinity": {required: [term]}}}),
        4 => json!({"affinity": {"podAffinity": {required: [term, other]}}}),
        5 => json!({"affinity": {"podAffinity": {preferred: wish}}}),
        6 => json!({"affinity": {"podAntiAffinity": {preferred: wish, required: [other]}}}),
        7 => json!({"affinity": {"nodeAffinity": {preferred: [{"weight": 7, "preference":
            {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}}]}}}),
        _ => json!({}),
    };
    match random.below(8) {
        0 => spec["nodeSelector"] = json!({"disk": one_of(random, &["ssd", "hdd"])}),
        1 => spec["tolerations"] = json!([{"key": "t", "operator": "Exists"}]),
        2 => spec["priority"] = 10.into(),
        _ => {}
    }
    let app = one_of(random, &["web", "db", "batch"]);
    let cpu = one_of(random, &["200m", "500m", "800m"]);
    let mut it = pod(&format!("{app}-{at}"), cpu, spec);
    if random.below(8) == 0 {
        it["spec"]["containers"][0]["ports"] =
            json!([{"containerPort": 80, "hostPort": 8_000 + random.below(2)}]);
    }
    it
}

/// One random change of the world.
fn change(world: &mut World, random: &mut Random, at: u64) {
    match random.below(12) {
        0..=2 => {
            let it = random_node(random);
            world.put(it);
        }
        3 => {
            let all: Vec<String> =
                Listers(&world.objects).list::<Pod>().map(|it| it.name().to_owned()).collect();
            if !all.is_empty() {
                let at = usize::try_from(random.below(all.len() as u64)).unwrap();
                world.delete(Kind::Pod, &all[at]);
            }
        }
        4 if random.below(3) == 0 => {
            let name = format!("n{}", random.below(N_NODES));
            if Listers(&world.objects).node(&name).is_some() {
                world.delete(Kind::Node, &name);
            }
        }
        // A pod changes in a way that counts must follow, or in one that they need not.
        5 => {
            let all: Vec<Pod> = Listers(&world.objects).list::<Pod>().cloned().collect();
            if !all.is_empty() {
                let at = usize::try_from(random.below(all.len() as u64)).unwrap();
                let mut it = serde_json::to_value(&all[at]).unwrap();
                it["kind"] = "Pod".into();
                match random.below(4) {
                    0 => it["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(),
                    1 => it["status"]["startTime"] = "2026-01-01T00:00:00Z".into(),
                    _ => {
                        let app = one_of(random, &["web", "db", "batch"]);
                        it["metadata"]["labels"]["app"] = app.into();
                    }
                }
                world.put(it);
            }
        }
        _ => {
            let it = random_pod(random, at);
            world.put(it);
        }
    }
}

/// What a scheduler says about a pod, nodes by name, and the nodes that passed.
fn verdict(scheduler: &mut Scheduler, pod: &Value, objects: &Objects) -> (Value, BTreeSet<String>) {
    let pod: Pod = serde_json::from_value(pod.clone()).unwrap();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let (outcome, _) = scheduler.evaluate(&pod.into(), objects, now, 1).unwrap();
    let name = |id| scheduler.node_name(id).to_owned();
    let nodes = outcome.statuses.nodes.iter();
    let rejected: BTreeMap<String, String> =
        nodes.map(|(id, it)| (name(id), format!("{it:?}"))).collect();
    let points = |at: usize| -> Vec<(i64, i64)> {
        outcome.scores.iter().map(|it| (it.raw[at], it.normalized[at])).collect()
    };
    let feasible = outcome.feasible.iter().enumerate();
    let scores: BTreeMap<String, Vec<(i64, i64)>> =
        feasible.map(|(at, id)| (name(*id), points(at))).collect();
    let passed = scores.keys().cloned().collect();
    let chosen = outcome.chosen.map(name);
    // In the order of examination, which is another when the scheduler is new.
    let plugins: BTreeSet<&str> = outcome.unschedulable_plugins.iter().copied().collect();
    (
        json!({"rejected": rejected, "scores": scores, "message": outcome.message,
            "chosen": chosen, "plugins": plugins}),
        passed,
    )
}

#[test]
fn what_is_kept_says_the_same_as_a_plain_computation() {
    let (mut n_passed, mut n_rejected) = (0, 0);
    for seed in 0..6 {
        let mut random = Random(seed);
        let mut world = World::new(None);
        world.before_binding = Some(|objects, pod, node| {
            assert_eq!(oracle::obstacle(objects, pod, node), None, "a bound pod does not fit");
        });
        for at in 0..60 {
            change(&mut world, &mut random, at);
            world.run(1);
            let probe = random_pod(&mut random, 1_000 + at);
            let mut plain = world.scheduler.clone();
            plain.set_plain(true);
            let mut fresh = Scheduler::from_objects(None, &world.objects).unwrap();
            let (kept, passed) = verdict(&mut world.scheduler, &probe, &world.objects);
            let place = format!("seed {seed}, step {at}, {probe}");
            assert_eq!(kept, verdict(&mut plain, &probe, &world.objects).0, "plain, {place}");
            assert_eq!(kept, verdict(&mut fresh, &probe, &world.objects).0, "fresh, {place}");
            let pod: Pod = serde_json::from_value(probe.clone()).unwrap();
            let nodes = Listers(&world.objects).list::<Node>();
            let fits = nodes.filter(|it| oracle::obstacle(&world.objects, &pod, it).is_none());
            let fits: BTreeSet<String> = fits.map(|it| it.name().to_owned()).collect();
            n_passed += passed.len();
            n_rejected += Listers(&world.objects).list::<Node>().count() - passed.len();
            assert_eq!(passed, fits, "oracle, {place}");
        }
    }
    assert!(n_passed > 500 && n_rejected > 500, "{n_passed} passed, {n_rejected} did not");
}
