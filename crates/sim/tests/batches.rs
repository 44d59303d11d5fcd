//! Pods are created in batches that double: after a refusal only those of its batch are still tried.

#![expect(clippy::unwrap_used, reason = "tests may stop")]

use api::Event;
use api::k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use api::k8s_openapi::api::core::v1::Pod;
use sim::{Options, Simulation};

const POD: &str = "  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i}]}
";

/// A workload under a quota, after its controller has looked at it for the first time.
fn run(head: &str, tail: &str, quota: &str) -> Simulation {
    let text = format!(
        "{{apiVersion: v1, kind: ResourceQuota, metadata: {{name: q}}, spec: {{hard: {quota}}}}}\n\
         ---\n{head}\n{tail}"
    );
    let mut simulation = Simulation::load(&text, Options::default()).unwrap();
    simulation.run_until(9, 100_000);
    simulation
}

fn refusals(simulation: &Simulation) -> Vec<String> {
    let events = simulation.listers().list::<Event>();
    let refused = events.filter(|it| it.reason() == "FailedCreate");
    let mut messages: Vec<String> = refused.map(|it| it.message().to_owned()).collect();
    messages.sort();
    messages
}

#[test]
fn a_refused_pod_does_not_keep_those_of_its_batch_from_being_tried() {
    let replica_set = |n: i32| {
        format!(
            "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {{name: w}}\nspec:\n  replicas: {n}"
        )
    };
    let stateful_set = |n: i32, policy: &str| {
        format!(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: w}}\nspec:\n  \
             replicas: {n}\n  serviceName: w\n  podManagementPolicy: {policy}"
        )
    };
    let daemon_set = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: w}\nspec:".to_owned();
    let job = |mode: &str| {
        format!(
            "{{apiVersion: batch/v1, kind: Job, metadata: {{name: w}}, spec: {{completions: 20, \
             parallelism: 20, completionMode: {mode}, template: {{spec: {{restartPolicy: Never, \
             containers: [{{name: c, image: i}}]}}}}}}}}"
        )
    };
    // The batches are of 1, 2, 4 and 8 pods.
    for (head, tail, quota, created, refused) in [
        (replica_set(20), POD, 0, 0, 1),
        (replica_set(20), POD, 1, 1, 2),
        (replica_set(20), POD, 2, 2, 1),
        (replica_set(20), POD, 4, 4, 3),
        (replica_set(20), POD, 7, 7, 8),
        (replica_set(5), POD, 3, 3, 2),
        (stateful_set(20, "Parallel"), POD, 4, 4, 3),
        (stateful_set(20, "OrderedReady"), POD, 0, 0, 1),
        (daemon_set, POD, 1, 1, 2),
        (job("NonIndexed"), "", 4, 4, 3),
        (job("Indexed"), "", 9, 9, 6),
    ] {
        let simulation = run(&head, tail, &format!("{{pods: {quota}}}"));
        let n_pods = simulation.listers().list::<Pod>().count();
        let refusals = refusals(&simulation);
        assert_eq!((n_pods, refusals.len()), (created, refused), "{head} {quota}: {refusals:?}");
    }
}

#[test]
fn the_status_is_written_although_pods_were_refused() {
    let head = "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: w}\nspec:\n  replicas: 9";
    let simulation = run(head, POD, "{pods: 1}");
    let rs = simulation.listers().get::<ReplicaSet>("default", "w").unwrap().clone();
    let status = rs.status.unwrap();
    assert_eq!((status.replicas, status.observed_generation), (1, Some(1)));
    assert_eq!(status.conditions.unwrap()[0].reason.as_deref(), Some("FailedCreate"));

    let head =
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: w}\nspec:\n  serviceName: w";
    let simulation = run(head, POD, "{pods: 0}");
    let set = simulation.listers().get::<StatefulSet>("default", "w").unwrap().clone();
    let status = set.status.unwrap();
    assert_eq!((status.replicas, status.observed_generation), (0, Some(1)));
    assert!(status.update_revision.is_some_and(|it| it.starts_with("w-")));
}

#[test]
fn refused_claims_are_told_each_and_together_for_their_pod() {
    let claim = |name: &str| {
        format!(
            "{{metadata: {{name: {name}}}, spec: {{accessModes: [ReadWriteOnce], resources: {{requests: \
             {{storage: 1Gi}}}}}}}}"
        )
    };
    let why = |name: &str| {
        format!(
            "persistentvolumeclaims \"{name}-w-0\" is forbidden: exceeded quota: q, requested: \
             persistentvolumeclaims=1, used: persistentvolumeclaims=0, limited: \
             persistentvolumeclaims=0"
        )
    };
    let text = |name: &str| format!("failed to create PVC {name}-w-0: {}", why(name));
    for (names, together) in [
        (vec!["data"], text("data")),
        (vec!["data", "logs"], format!("[{}, {}]", text("data"), text("logs"))),
    ] {
        let claims: Vec<String> = names.iter().map(|it| claim(it)).collect();
        let head = format!(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: w}}\nspec:\n  serviceName: w\n  \
             volumeClaimTemplates: [{}]",
            claims.join(", ")
        );
        let simulation = run(&head, POD, "{persistentvolumeclaims: 0}");
        let mut expected: Vec<String> = names
            .iter()
            .map(|it| {
                let why = why(it);
                format!("Create Claim {it}-w-0 for Pod w-0 in StatefulSet w failed error: {why}")
            })
            .collect();
        expected.push(format!("Create Pod w-0 in StatefulSet w failed error: {together}"));
        assert_eq!(refusals(&simulation), expected, "{names:?}");
        assert_eq!(simulation.listers().list::<Pod>().count(), 0, "{names:?}");
    }
}

/// Although the status was written after the refusal.
#[test]
fn a_refused_pod_is_tried_again_with_delays_that_double() {
    let head =
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: w}\nspec:\n  serviceName: w";
    let mut simulation = run(head, POD, "{pods: 0}");
    // Tried at 5, 10, 20, 40, 80, 160, 320 and 640 ms.
    for (ms, times) in [(9, 1), (19, 2), (300, 6), (639, 7), (700, 8)] {
        simulation.run_until(ms, 100_000);
        let events = simulation.listers().list::<Event>();
        let refused = events.filter(|it| it.reason() == "FailedCreate");
        let tried: i32 = refused.map(Event::count).sum();
        assert_eq!(tried, times, "at {ms} ms");
    }
}
