//! Any command line, with any input, is answered without a panic, and so is Tab at any place of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sim::{Options, Simulation};
use view::TimedAction;

const CLUSTER: &str = "
{apiVersion: v1, kind: Node, metadata: {name: node-a}, status: {allocatable: {cpu: '4', pods: '9'}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: i}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}
";

fuzz_target!(|line: (&str, &str, usize)| {
    let (command, yaml, cursor) = line;
    let Ok(mut simulation) = Simulation::load(CLUSTER, Options::default()) else { return };
    let completion = simulation.complete(command, cursor);
    assert!(completion.from <= command.encode_utf16().count());
    let command = format!("kubectl {command}");
    simulation.act(TimedAction { command, yaml: yaml.to_owned(), at_ms: 0 });
});
