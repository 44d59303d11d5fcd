//! Whom a client reaches: the ways to a daemon.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use sim::{Options, Simulation};

const TEXT: &str = r#"
apiVersion: v1
kind: Node
metadata: {name: n1}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
---
apiVersion: v1
kind: Node
metadata: {name: n3, labels: {quiet: "yes"}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: logger}
spec:
  selector: {matchLabels: {app: logger}}
  template:
    metadata: {labels: {app: logger}}
    spec:
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms: [{matchExpressions: [{key: quiet, operator: DoesNotExist}]}]
      containers:
      - {name: c, image: logger, ports: [{containerPort: 8080, hostPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: any}
spec: {selector: {app: logger}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: near}
spec: {selector: {app: logger}, internalTrafficPolicy: Local, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: names}
spec: {selector: {app: logger}, clusterIP: None}
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec: {selector: {app: other}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: metrics, labels: {app: metrics}}
spec:
  nodeName: n1
  hostNetwork: true
  containers: [{name: c, image: metrics, ports: [{containerPort: 9100}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: client1}
spec: {nodeName: n1, containers: [{name: c, image: client}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client3}
spec: {nodeName: n3, containers: [{name: c, image: client}]}
"#;

/// The ways, one line each: address, nodes of the targets, or why nobody answers.
fn ways(simulation: &Simulation, client: &str) -> Vec<String> {
    let reach = simulation.reach("default", client).unwrap();
    let line = |way: &view::Way| {
        let mut nodes: Vec<&str> = way.targets.iter().map(|it| it.node.as_str()).collect();
        nodes.sort_unstable();
        let local = if way.local { " (local)" } else { "" };
        let port = way.address.rsplit_once(':').map_or("", |it| it.1);
        let name =
            if way.service.is_empty() { format!("node:{port}") } else { way.address.clone() };
        let end = if nodes.is_empty() { way.why_nobody.clone() } else { nodes.join(" ") };
        format!("{:?} {name} -> {end}{local}", way.kind)
    };
    reach.ways.iter().filter(|it| it.service != "kubernetes").map(line).collect()
}

#[test]
fn a_client_reaches_daemons_by_service_name_and_port_of_the_node() {
    let mut simulation =
        Simulation::load(TEXT, Options::default()).unwrap_or_else(|it| panic!("{it:?}"));
    simulation.run_until(10_000, u64::MAX);
    assert_eq!(
        ways(&simulation, "client1"),
        [
            "Service any.default.svc:80 -> n1 n2",
            "Headless names.default.svc -> n1 n2",
            "Service near.default.svc:80 -> n1 (local)",
            "Service nobody.default.svc:80 -> refused: the Service has no endpoint that is ready",
            "HostPort node:80 -> n1 (local)",
            "HostNetwork node:9100 -> n1 (local)",
            "HostPort node:80 -> n2",
        ]
    );
    let dropped = "Service near.default.svc:80 -> dropped: no pod on n3 is ready, and \
                   internalTrafficPolicy is Local";
    assert!(ways(&simulation, "client3").contains(&dropped.to_owned()));
    assert_eq!(simulation.reach("default", "client3").unwrap().node, "n3");
    assert!(simulation.reach("default", "nobody").is_none());

    // A pod that is not ready answers at its port, but not by a Service.
    simulation.command("kubectl annotate pod -l app=logger sim.orrery.dev/ready=false");
    simulation.run_until(20_000, u64::MAX);
    let ways = ways(&simulation, "client1");
    assert_eq!(
        ways[..3],
        [
            "Service any.default.svc:80 -> refused: the Service has no endpoint that is ready",
            "Headless names.default.svc -> the name has no address: no pod is ready",
            "Service near.default.svc:80 -> dropped: no pod on n1 is ready, and \
             internalTrafficPolicy is Local",
        ]
    );
    assert!(ways.contains(&"HostPort node:80 -> n1 (local)".to_owned()));
}
