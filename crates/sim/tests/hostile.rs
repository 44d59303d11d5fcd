//! Bad input at the console: an answer in kubectl's words, and nothing lost.

use sim::{Options, Simulation};

const TEXT: &str = "{apiVersion: v1, kind: Node, metadata: {name: node-a}}";

fn check(line: &str, expected: &str) {
    let mut simulation = Simulation::load(TEXT, Options::default()).expect("the text is accepted");
    let n_objects = simulation.names(sim::Kind::Node).len();
    let came = simulation.command(line);
    assert_ne!(came.exit_code, 0, "{:.99}: {}", line, came.output);
    let start: String = came.output.chars().take(200).collect();
    assert!(start.contains(expected), "{start}");
    assert_eq!(simulation.names(sim::Kind::Node).len(), n_objects);
}

#[test]
fn malformed_lines_are_refused_in_kubectls_words() {
    check("kubectl get 'pods", "error: a quote is not closed");
    check("kubectl get \"pods", "error: a quote is not closed");
    check("kubectl \u{1}\u{7}\u{1b}[2J", "error: unknown command");
    check("kubectl get \u{0}", "error: the server doesn't have a resource type");
    check("kubectl get pods \u{fffd}\u{202e}", "NotFound");
    check("kubectl get pods --\u{1f600}", "error: unknown flag: --");
    check("kubectl get pods -", "NotFound");
    check("kubectl ---", "error: bad flag syntax: ---");
    check("kubectl get pods -o jsonpath={", "error");
    check("kubectl patch node node-a -p '{'", "BadRequest");
}

#[test]
fn a_megabyte_is_answered_too() {
    check(&format!("kubectl {}", "x".repeat(1 << 20)), "error: unknown command");
    check(&format!("kubectl get {}", "x".repeat(1 << 20)), "error: the server doesn't have");
    check(&format!("kubectl get pods {}", "a ".repeat(1 << 18)), "NotFound");
    check(&format!("kubectl get pods -l {}", "(".repeat(1 << 20)), "BadRequest");
    check(&format!("kubectl get pods -o jsonpath={}", "{".repeat(1 << 16)), "error");
    check(&format!("kubectl '{}", "x ".repeat(1 << 19)), "error: a quote is not closed");
}
