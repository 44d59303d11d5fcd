//! A real cluster's objects as the start of a run, and a run's objects for another cluster.

use sim::{Export, Options, Simulation};

/// What `kubectl get nodes,pods,deployments,replicasets -A -o yaml` prints, shortened.
const DUMP: &str = "
apiVersion: v1
kind: List
metadata:
  resourceVersion: ''
items:
- apiVersion: v1
  kind: Node
  metadata:
    name: real-1
    uid: 0c2e4e8c-0000-4000-8000-000000000001
    resourceVersion: '812'
    creationTimestamp: '2026-03-01T08:00:00Z'
    annotations: {kubeadm.alpha.kubernetes.io/cri-socket: unix:///run/containerd.sock}
    labels: {kubernetes.io/hostname: real-1}
    managedFields:
    - {manager: kubelet, operation: Update, apiVersion: v1, time: '2026-03-02T10:00:00Z', fieldsType: FieldsV1, fieldsV1: {'f:metadata': {}}}
  spec: {podCIDR: 10.244.0.0/24}
  status:
    capacity: {cpu: '2', memory: 4Gi, pods: '110'}
    allocatable: {cpu: '2', memory: 4Gi, pods: '110'}
    addresses: [{type: InternalIP, address: 172.20.0.3}]
    conditions:
    - {type: Ready, status: 'True', reason: KubeletReady, lastHeartbeatTime: '2026-03-02T10:00:00Z', lastTransitionTime: '2026-03-01T08:00:30Z'}
- apiVersion: apps/v1
  kind: ReplicaSet
  metadata:
    name: shop-7f
    namespace: store
    uid: 0c2e4e8c-0000-4000-8000-000000000002
    resourceVersion: '900'
    creationTimestamp: '2026-03-01T09:00:00Z'
    labels: {app: shop}
  spec:
    replicas: 1
    selector: {matchLabels: {app: shop}}
    template:
      metadata: {labels: {app: shop}}
      spec: {containers: [{name: shop, image: 'shop:1'}]}
  status: {replicas: 1, readyReplicas: 1, availableReplicas: 1, observedGeneration: 1, fieldOfTheFuture: 3}
- apiVersion: v1
  kind: Pod
  metadata:
    name: shop-7f-abcde
    namespace: store
    uid: 0c2e4e8c-0000-4000-8000-000000000003
    resourceVersion: '901'
    creationTimestamp: '2026-03-01T09:00:00Z'
    labels: {app: shop}
    ownerReferences:
    - {apiVersion: apps/v1, kind: ReplicaSet, name: shop-7f, uid: 0c2e4e8c-0000-4000-8000-000000000002, controller: true, blockOwnerDeletion: true}
  spec:
    nodeName: real-1
    containers: [{name: shop, image: 'shop:1', resources: {requests: {cpu: '1'}}}]
  status:
    phase: Running
    startTime: '2026-03-01T09:00:01Z'
    podIP: 10.244.0.9
    podIPs: [{ip: 10.244.0.9}]
    hostIP: 172.20.0.3
    conditions: [{type: Ready, status: 'True', lastTransitionTime: '2026-03-01T09:00:05Z'}]
    containerStatuses:
    - {name: shop, image: 'shop:1', imageID: '', ready: true, restartCount: 2, started: true, state: {running: {startedAt: '2026-03-01T09:00:04Z'}}}
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata: {name: in, namespace: store, uid: 0c2e4e8c-0000-4000-8000-000000000004, resourceVersion: '7'}
";

const NODE: &str = "{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {allocatable: \
                    {cpu: '4', memory: 8Gi, pods: '110'}}}\n";

fn load(text: &str) -> Simulation {
    Simulation::load(text, Options::default()).expect("the text is accepted")
}

fn print(simulation: &Simulation, line: &str) -> String {
    simulation.look(line).output
}

#[test]
fn what_a_real_cluster_shows_is_the_start_of_a_run() {
    let mut simulation = load(DUMP);
    simulation.run_until(60_000, 100_000);
    let pods = print(&simulation, "kubectl get pods -A -o wide --no-headers");
    let row: Vec<&str> = pods.split_whitespace().collect();
    assert_eq!(pods.lines().count(), 1, "{pods}");
    assert_eq!(row[..5], ["store", "shop-7f-abcde", "1/1", "Running", "2"], "{pods}");
    // A day and an hour after its creation, plus the minute of the run.
    assert_eq!(row[5..8], ["25h", "10.244.0.9", "real-1"], "{pods}");
    let sets = print(&simulation, "kubectl get rs -n store --no-headers");
    assert_eq!(sets.split_whitespace().collect::<Vec<_>>()[..4], ["shop-7f", "1", "1", "1"]);
    let nodes = print(&simulation, "kubectl get nodes --no-headers");
    assert!(nodes.starts_with("real-1   Ready"), "{nodes}");
    // What cannot be simulated is told, and does not stand in the way.
    assert!(!simulation.diagnostics().is_empty());
}

#[test]
fn an_imported_pod_is_an_ordinary_one() {
    let mut simulation = load(DUMP);
    simulation.command("kubectl delete pod shop-7f-abcde -n store --wait=false");
    simulation.run_until(60_000, 100_000);
    let pods = print(&simulation, "kubectl get pods -n store --no-headers");
    assert_eq!(pods.lines().count(), 1);
    assert!(!pods.contains("abcde") && pods.contains("Running"), "{pods}");
}

#[test]
fn a_state_is_written_as_a_user_would_write_it() {
    let mut simulation = load(NODE);
    for line in [
        "kubectl create deployment shop --image=shop:1 --replicas=2",
        "kubectl create job pi --image=pi:1",
        "kubectl run bare --image=nginx",
        "kubectl expose deployment shop --port=80",
    ] {
        let came = simulation.command(line);
        assert_eq!(came.exit_code, 0, "{}", came.output);
    }
    simulation.run_until(5_000, 100_000);
    let text = simulation.export(Export::Cluster);
    let kinds: Vec<&str> = text.lines().filter_map(|it| it.strip_prefix("kind: ")).collect();
    assert_eq!(kinds, ["Service", "Deployment", "Job", "Pod"], "{text}");
    for own in ["uid", "resourceVersion", "status", "nodeName", "clusterIP", "controller-uid"] {
        assert!(!text.contains(&format!("{own}:")), "{own}: {text}");
    }
    // The text is a scenario again, and comes to the same.
    let mut again = load(&format!("{NODE}{text}"));
    again.run_until(5_000, 100_000);
    assert_eq!(again.export(Export::Cluster), text);
}

#[test]
fn kwok_gets_the_nodes_and_how_long_containers_run() {
    let mut simulation = load(
        "{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {allocatable: {cpu: '4', \
         memory: 8Gi, pods: '110'}}}\n---\n{apiVersion: v1, kind: Pod, metadata: {name: p, \
         annotations: {sim.orrery.dev/duration: 20s..40s}}, spec: {containers: [{name: c, image: i}]}}",
    );
    simulation.run_until(5_000, 100_000);
    let text = simulation.export(Export::Kwok);
    for line in [
        "    kwok.x-k8s.io/node: fake",
        "    pod-complete.stage.kwok.x-k8s.io/delay: 20s",
        "    pod-complete.stage.kwok.x-k8s.io/jitter-delay: 40s",
        "  nodeName: n1",
        "  allocatable:",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}: {text}");
    }
    assert!(!text.contains("conditions:"), "{text}");
}

#[test]
fn lines_of_the_console_are_completed() {
    let simulation = load(DUMP);
    let check = |line: &str, from: usize, candidates: &[&str]| {
        let completion = simulation.complete(line, line.encode_utf16().count());
        assert_eq!((completion.from, &completion.candidates[..]), (from, &owned(candidates)[..]));
    };
    check("fail node r", 10, &["real-1"]);
    check("watch kubectl get pods -n store s", 32, &["shop-7f-abcde"]);
    check("stop controller dae", 16, &["daemonset"]);
    check("wa", 0, &["wait", "watch"]);
    check("# \u{1f600} ", 5, &[]);
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|it| (*it).to_owned()).collect()
}
