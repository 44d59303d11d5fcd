//! Each of the nearest fixes, carried out in a run, brings the pods to nodes.

use api::k8s_openapi::api::core::v1::Pod;
use sim::{Options, Simulation};

/// Where the pod waits and for how many pods of the text a node must be found.
const CASES: [(&str, &str); 7] = [
    (
        "a bare pod",
        "kind: Pod\napiVersion: v1\nmetadata: {name: web}\nspec:\n  nodeSelector: {disk: ssd}\n  \
         containers: [{name: c, image: i, resources: {requests: {cpu: 100m}}}]\n",
    ),
    (
        "a deployment that asks for too much",
        "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: web}\nspec:\n  replicas: 2\n  \
         selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    \
         spec:\n      containers: [{name: c, image: i, resources: {requests: {cpu: \"5\"}}}]\n",
    ),
    (
        "a stateful set that must keep away from itself",
        "kind: StatefulSet\napiVersion: apps/v1\nmetadata: {name: web}\nspec:\n  replicas: 4\n  \
         podManagementPolicy: Parallel\n  selector: {matchLabels: {app: web}}\n  serviceName: web\n  \
         template:\n    metadata: {labels: {app: web}}\n    spec:\n      \
         containers: [{name: c, image: i}]\n      affinity:\n        podAntiAffinity:\n          \
         requiredDuringSchedulingIgnoredDuringExecution:\n          - topologyKey: \
         kubernetes.io/hostname\n            labelSelector: {matchLabels: {app: web}}\n",
    ),
    (
        "a job whose port is taken",
        "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec:\n  nodeName: worker-a\n  containers: \
         [{name: c, image: i, ports: [{containerPort: 80, hostPort: 80}]}]\n---\nkind: Job\n\
         apiVersion: batch/v1\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      \
         restartPolicy: Never\n      nodeSelector: {kubernetes.io/hostname: worker-a}\n      \
         containers: [{name: c, image: i, ports: [{containerPort: 80, hostPort: 80}]}]\n",
    ),
    (
        "a replica set spread over zones",
        "kind: ReplicaSet\napiVersion: apps/v1\nmetadata: {name: web}\nspec:\n  replicas: 2\n  \
         selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    \
         spec:\n      nodeSelector: {kubernetes.io/hostname: worker-a}\n      containers: \
         [{name: c, image: i}]\n      topologySpreadConstraints:\n      - {maxSkew: 1, minDomains: 2, \
         topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule, \
         labelSelector: {matchLabels: {app: web}}}\n",
    ),
    (
        "a cron job with two things in the way",
        "kind: CronJob\napiVersion: batch/v1\nmetadata: {name: web}\nspec:\n  schedule: \
         '* * * * *'\n  concurrencyPolicy: Forbid\n  jobTemplate:\n    spec:\n      template:\n        \
         spec:\n          restartPolicy: Never\n          nodeSelector: {disk: ssd, \
         kubernetes.io/hostname: control-plane}\n          containers: [{name: c, image: i}]\n",
    ),
    (
        "a pod behind a gate",
        "kind: Pod\napiVersion: v1\nmetadata: {name: web}\nspec:\n  schedulingGates: [{name: a.b/c}]\n  \
         containers: [{name: c, image: i}]\n",
    ),
];

fn waiting(simulation: &Simulation) -> Vec<String> {
    let pods = simulation.listers().list::<Pod>();
    let pods = pods.filter(|it| api::pods::node_name(it).is_none_or(str::is_empty));
    pods.filter_map(|it| it.metadata.name.clone()).filter(|it| it.starts_with("web")).collect()
}

#[test]
fn every_fix_that_is_told_works_when_it_is_carried_out() {
    for (name, text) in CASES {
        let start = || {
            let mut simulation = Simulation::load(text, Options::default()).unwrap();
            simulation.run_until(70_000, 1_000_000);
            simulation
        };
        let first = start();
        let pod = waiting(&first).pop().unwrap();
        let fixes = first.fixes("default", &pod).unwrap().fixes;
        assert!(!fixes.is_empty(), "{name}");
        for fix in fixes {
            let mut simulation = start();
            for step in &fix.steps {
                let result = simulation.act(step.clone());
                assert_eq!(result.exit_code, 0, "{name}: {}: {}", step.command, result.output);
            }
            simulation.run_until(110_000, 1_000_000);
            let left = waiting(&simulation);
            let gone = left.len() < waiting(&first).len();
            assert!(gone, "{name}: {}: {left:?}", fix.text);
        }
    }
}

#[test]
fn the_room_is_that_of_the_cluster_as_it_is() {
    let mut simulation = Simulation::load(CASES[0].1, Options::default()).unwrap();
    simulation.run_until(1_000, 1_000_000);
    let room = simulation.room("default", "web").unwrap();
    assert_eq!((room.n, room.nodes.len()), (0, 0));
    assert!(simulation.room("default", "nobody").is_none());
    simulation.command("kubectl label node worker-b disk=ssd");
    simulation.run_until(20_000, 1_000_000);
    assert!(simulation.fixes("default", "web").is_none(), "it has its node");
    let room = simulation.room("default", "web").unwrap();
    assert_eq!((room.n, room.nodes), (39, vec![("worker-b".to_owned(), 39)]));
}
