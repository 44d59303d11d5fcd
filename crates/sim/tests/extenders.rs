//! Extenders in a run: the same answers give the same run, forwards and backwards.

#![expect(clippy::unwrap_used, reason = "tests may stop")]

use std::sync::Arc;

use serde_json::json;
use sim::{Handlers, Options, Simulation};

const PREFIX: &str = "http://localhost:9/ext";

const TEXT: &str = "apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
extenders:
- {urlPrefix: http://localhost:9/ext, filterVerb: filter, bindVerb: bind, nodeCacheCapable: true}
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers: [{name: c, image: i}]
";

fn run(handlers: &Handlers) -> Simulation {
    let options = Options { extenders: handlers.clone(), ..Options::default() };
    let mut simulation = Simulation::load(TEXT, options).unwrap();
    simulation.run_until(30_000, 100_000);
    simulation
}

/// One node is allowed; `bind` says what binding answers.
fn handlers(bind: serde_json::Value) -> Handlers {
    let mut handlers = Handlers::default();
    handlers.insert(
        PREFIX,
        Arc::new(move |verb, _| match verb {
            "filter" => Ok(json!({"NodeNames": ["worker-c"]})),
            _ => Ok(bind.clone()),
        }),
    );
    handlers
}

fn events(simulation: &Simulation) -> String {
    simulation.look("kubectl get events --sort-by=.metadata.name").output
}

#[test]
fn an_extender_filters_and_binds_and_the_run_can_be_played_again() {
    let mut simulation = run(&handlers(json!({})));
    let pods = simulation.look("kubectl get pods -o wide").output;
    assert!(pods.contains("Running") && pods.contains("worker-c"), "{pods}");
    let hash = simulation.hash();
    simulation.seek(0, 100_000);
    simulation.seek(30_000, 100_000);
    assert_eq!(simulation.hash(), hash);
}

#[test]
fn a_binding_that_is_refused_puts_the_pod_back_with_what_was_said() {
    let text = events(&run(&handlers(json!({"Error": "not today"}))));
    assert!(text.contains("FailedScheduling") && text.contains("not today"), "{text}");
}

#[test]
fn an_extender_that_nobody_answers_for_is_said_to_be_unreachable() {
    let text = events(&run(&Handlers::default()));
    let refused =
        "Post \"http://localhost:9/ext/filter\": dial tcp 127.0.0.1:9: connect: connection refused";
    assert!(text.contains(refused), "{text}");
}
