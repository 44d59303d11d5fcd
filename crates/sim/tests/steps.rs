//! What steps of a scenario come to in the whole engine.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use sim::{Options, Preset, Simulation};
use view::TimedAction;

const NODE: &str = "
kind: Node
apiVersion: v1
metadata: {name: n1}
status: {allocatable: {cpu: 4, memory: 8Gi, pods: 10}, capacity: {cpu: 4, memory: 8Gi, pods: 10}}
";

const STATEFUL_SET: &str = "
---
kind: StatefulSet
apiVersion: apps/v1
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: pause}]}
";

fn load(text: &str) -> Simulation {
    let options = Options { preset: Some(Preset::Empty), ..Options::default() };
    Simulation::load(text, options).unwrap()
}

/// What a command line prints at a time.
fn at(simulation: &mut Simulation, seconds: i64, line: &str) -> String {
    assert!(simulation.run_until(seconds * 1_000, 100_000).reached);
    simulation.act(TimedAction { command: line.to_owned(), ..TimedAction::default() }).output
}

#[test]
fn a_node_that_recovers_is_ready_whatever_was_wrong_with_it() {
    let ready = "kubectl get nodes --no-headers -o custom-columns=R:.status.conditions[-1:].status";
    for (step, wrong) in [("fail node n1", "Unknown\n"), ("not-ready node n1", "False\n")] {
        let mut simulation = load(NODE);
        at(&mut simulation, 10, step);
        assert_eq!(at(&mut simulation, 80, ready), wrong, "{step}");
        at(&mut simulation, 90, "recover node n1");
        assert_eq!(at(&mut simulation, 100, ready), "True\n", "{step}");
    }
}

/// The controller writes its revision anew while the set is being deleted.
#[test]
fn a_stateful_set_that_waits_for_its_pods_goes_with_the_last() {
    let mut simulation = load(&format!("{NODE}{STATEFUL_SET}"));
    at(&mut simulation, 10, "kubectl delete sts db --cascade=foreground --wait=false");
    let left = "kubectl get statefulsets,pods,controllerrevisions -o name";
    assert_eq!(at(&mut simulation, 20, left), "");
}

#[test]
fn every_preset_makes_the_volumes_that_claims_ask_for() {
    let claim = "
kind: PersistentVolumeClaim
apiVersion: v1
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
kind: Pod
apiVersion: v1
metadata: {name: p}
spec:
  containers: [{name: c, image: pause}]
  volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]
";
    for preset in [Preset::Default, Preset::Minikube, Preset::ThreeZones] {
        let options = Options { preset: Some(preset), ..Options::default() };
        let mut simulation = Simulation::load(claim, options).unwrap();
        let line = "kubectl get pvc,pod -o jsonpath={.items[*].status.phase}";
        assert_eq!(at(&mut simulation, 10, line), "Bound Running", "{preset:?}");
    }
}

/// Nothing tells the controller that the claim has gone: it sees that with the first look after
/// that, and looks again 5 ms * 2^n after the look before.
#[test]
fn a_stateful_set_whose_claim_is_being_deleted_looks_again_ever_more_rarely() {
    let claim = "
---
kind: PersistentVolumeClaim
apiVersion: v1
metadata: {name: data-db-0, finalizers: [example.com/hold]}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";
    let templates = "
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";
    let mut simulation = load(&format!("{NODE}{claim}{STATEFUL_SET}{templates}"));
    at(&mut simulation, 0, "kubectl delete pvc data-db-0 --wait=false");
    let tries = "kubectl get events --field-selector=reason=FailedCreate \
                 -o jsonpath={.items[*].count}";
    // After n failures 5 ms * (2^n - 1) have passed.
    for (seconds, n) in [(1, "8"), (10, "11"), (30, "13"), (60, "14")] {
        assert_eq!(at(&mut simulation, seconds, tries), n, "after {seconds} s");
    }
    at(
        &mut simulation,
        61,
        "kubectl patch pvc data-db-0 -p '{\"metadata\":{\"finalizers\":null}}'",
    );
    let pods = "kubectl get pods -o name";
    assert_eq!(at(&mut simulation, 81, pods), "");
    assert_eq!(at(&mut simulation, 82, pods), "pod/db-0\n");
}
