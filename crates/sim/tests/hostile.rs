//! Bad input at the console: an answer in kubectl's words, and nothing lost.

use sim::{Options, Simulation};
use view::TimedAction;

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

#[test]
fn an_apply_that_is_refused_tells_its_patch_and_of_what() {
    let mut simulation = Simulation::load(TEXT, Options::default()).expect("the text is accepted");
    let manifest = |rest: &str| {
        format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: a{rest}}}, data: {{k: <v>}}}}"
        )
    };
    assert_eq!(simulation.apply(&manifest("")).output, "configmap/a created\n");
    let refused = simulation.apply(&manifest(", resourceVersion: '1'"));
    assert_eq!(refused.exit_code, 1);
    let expected = r#"Error from server (Conflict): error when applying patch:
{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"apiVersion\":\"v1\",\"data\":{\"k\":\"\\u003cv\\u003e\"},\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{},\"name\":\"a\",\"namespace\":\"default\",\"resourceVersion\":\"1\"}}\n"},"resourceVersion":"1"}}
to:
Resource: "/v1, Resource=configmaps", GroupVersionKind: "/v1, Kind=ConfigMap"
Name: "a", Namespace: "default"
for: "STDIN": error when patching "STDIN": Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again
"#;
    assert_eq!(refused.output, expected);
}

#[test]
fn what_nobody_checks_fails_where_it_is_read_and_the_rest_is_carried_out() {
    let good = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}";
    for (document, expected) in [
        ("hello", "json: cannot unmarshal string into Go value of type unstructured.detector"),
        ("[1]", "json: cannot unmarshal array into Go value of type unstructured.detector"),
        ("{}", "Object 'Kind' is missing in '{}'"),
        (
            "{apiVersion: v1, kind: 5}",
            "Object 'Kind' is missing in '{\"apiVersion\":\"v1\",\"kind\":5}'",
        ),
        (
            "{apiVersion: 1, kind: ConfigMap, metadata: {name: b}}",
            "json: cannot unmarshal number into Go struct field \
             metadataOnlyObject.TypeMeta.apiVersion of type string",
        ),
        (
            "{apiVersion: v1, kind: List, items: {}}",
            "json: cannot unmarshal object into Go struct field decodeList.items of type \
             []json.RawMessage",
        ),
    ] {
        let mut simulation = Simulation::load(TEXT, Options::default()).expect("it is accepted");
        let text = format!("{document}\n---\n{good}\n");
        let mut create = |flag: &str| {
            let command = format!("kubectl create -f - {flag}");
            simulation.act(TimedAction { command, yaml: text.clone(), ..TimedAction::default() })
        };
        let came = create("--validate=false");
        let expected =
            format!("configmap/a created\nerror: unable to decode \"STDIN\": {expected}\n");
        assert_eq!(came.output, expected);
        let came = create("");
        assert!(came.output.starts_with("error: error validating \"STDIN\": "), "{}", came.output);
    }
}
