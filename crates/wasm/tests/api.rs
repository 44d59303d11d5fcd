//! The published API, in a browser: the same engine, the same history, errors as values.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use serde_json::Value;
use wasm::Simulation;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

const GOLDEN: &str = include_str!("../../sim/tests/golden/scenario.yaml");
const HASH: &str = include_str!("../../sim/tests/golden/hash.txt");

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  \
                   - {name: c, image: busybox, command: [sleep, \"30\"]}\n  restartPolicy: Never\n";

fn load(text: &str) -> Simulation {
    Simulation::new(text, None).ok().unwrap()
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What a command answered.
fn said(answer: &wasm_bindgen::JsValue) -> Value {
    parse(&String::from(js_sys::JSON::stringify(answer).unwrap()))
}

fn pod(simulation: &Simulation) -> Value {
    parse(&simulation.delta(0.0))["pods"][0].clone()
}

#[wasm_bindgen_test]
fn the_golden_scenario_has_the_history_of_the_native_engine() {
    let mut simulation = load(GOLDEN);
    assert!(simulation.run_until(600_000.0, None));
    let n_events = &parse(&simulation.state())["nEvents"];
    assert_eq!(format!("{} after {n_events} events\n", simulation.hash()), HASH);
}

#[wasm_bindgen_test]
fn going_back_and_forth_shows_the_same() {
    let mut simulation = load(GOLDEN);
    simulation.run_until(120_000.0, None);
    let (hash, lanes) = (simulation.hash(), simulation.lanes());
    simulation.run_until(400_000.0, None);
    simulation.seek(30_000.0, None);
    simulation.seek(120_000.0, None);
    assert_eq!((simulation.hash(), simulation.lanes()), (hash, lanes));
}

#[wasm_bindgen_test]
fn a_pod_runs_and_ends() {
    let mut simulation = load(POD);
    assert!(simulation.step_interesting(None));
    simulation.seek(10_000.0, None);
    assert_eq!(pod(&simulation)["phase"], "Running");
    let node = pod(&simulation)["node"].as_str().unwrap().to_owned();
    let diagnosis = parse(&simulation.diagnosis("default", "a", None).unwrap());
    assert_eq!(diagnosis["chosen"].as_str(), Some(node.as_str()));
    simulation.seek(60_000.0, None);
    assert_eq!(pod(&simulation)["phase"], "Succeeded");
    assert!(simulation.yaml("Pod", "default", "a").unwrap().starts_with("apiVersion: v1\n"));
    assert!(simulation.step_back());
}

#[wasm_bindgen_test]
fn a_command_answers_as_kubectl_and_a_fork_can_be_undone() {
    let mut simulation = load(POD);
    simulation.run_until(50_000.0, None);
    let result = said(&simulation.command("kubectl get pods", None));
    assert!(result["output"].as_str().unwrap().starts_with("NAME"), "{result}");
    let hash = simulation.hash();
    simulation.seek(10_000.0, None);
    let result = said(&simulation.command("kubectl delete pod a --wait=false", None));
    assert_eq!(result["exitCode"], 0, "{result}");
    assert_eq!(result["forked"]["horizonMs"], 50_000);
    simulation.set_actions(&result["forked"]["actions"].to_string()).ok().unwrap();
    simulation.run_until(50_000.0, None);
    assert_eq!(simulation.hash(), hash);
}

#[wasm_bindgen_test]
fn what_a_command_prints_comes_as_it_is() {
    let mut simulation = load(POD);
    let text = "\"quoted\" \\ \u{e9}\u{1f980} <&>";
    let line = format!("kubectl create configmap c --from-literal='k={text}'");
    let created = said(&simulation.command(&line, None));
    assert_eq!(created, serde_json::json!({"output": "configmap/c created\n", "exitCode": 0}));
    let shown = said(&simulation.command("kubectl get cm c -o jsonpath='{.data.k}'", None));
    assert_eq!(shown, serde_json::json!({"output": text, "exitCode": 0}));
    // At the ends of pieces stand characters of two bytes.
    let long = "\u{e9}1".repeat(100_000);
    let patch = format!("kubectl patch cm c -p '{{\"data\":{{\"k\":\"{long}\"}}}}'");
    assert_eq!(said(&simulation.command(&patch, None))["exitCode"], 0);
    let shown = said(&simulation.command("kubectl get cm c -o jsonpath='{.data.k}'", None));
    assert_eq!(shown, serde_json::json!({"output": long, "exitCode": 0}));
    let refused = said(&simulation.command("kubectl get cm \\\"d", None));
    let text = "Error from server (NotFound): configmaps \"\\\"d\" not found\n";
    assert_eq!(refused, serde_json::json!({"output": text, "stderr": text, "exitCode": 1}));
}

#[wasm_bindgen_test]
fn a_waiting_pod_is_told_its_nearest_fixes_and_they_can_be_carried_out() {
    let text = POD.replace("spec:\n", "spec:\n  nodeSelector: {disk: ssd}\n");
    let mut simulation = load(&text);
    simulation.run_until(5_000.0, None);
    let fixes = parse(&simulation.fixes("default", "a").unwrap());
    let step = &fixes["fixes"][0]["steps"][0];
    let line = step["command"].as_str().unwrap();
    assert!(line.ends_with("disk=ssd"), "{fixes}");
    assert_eq!(said(&simulation.command(line, None))["exitCode"], 0);
    simulation.run_until(20_000.0, None);
    assert!(simulation.fixes("default", "a").is_none(), "it has its node");
    let list = parse(&simulation.attempt_list("default", "a"));
    assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
    let first = parse(&simulation.diagnosis("default", "a", Some(0)).unwrap());
    assert_eq!(first["attempt"], 1);
    let room = parse(&simulation.room("default", "a").unwrap());
    assert!(room["n"].as_u64().unwrap() > 0, "{room}");
}

#[wasm_bindgen_test]
fn a_pod_is_told_whom_it_reaches() {
    let daemon = POD.replace("{name: a}", "{name: b}").replace(
        "image: busybox,",
        "image: busybox, ports: [{containerPort: 80, hostPort: 8080}],",
    );
    let mut simulation = load(&format!("{POD}---\n{daemon}"));
    simulation.run_until(10_000.0, None);
    let reach = parse(&simulation.reach("default", "a").unwrap());
    let ways = reach["ways"].as_array().unwrap();
    let way = ways.iter().find(|it| it["kind"] == "hostPort").unwrap();
    assert_eq!(way["targets"][0]["pod"], "b", "{reach}");
    assert_eq!(reach["client"]["name"], "a");
    assert!(simulation.reach("default", "nobody").is_none());
}

#[wasm_bindgen_test]
fn a_bad_text_is_told_with_its_place() {
    let text = POD.replace("image:", "imge:");
    let diagnostics = parse(&Simulation::diagnostics(&text, None).ok().unwrap());
    let of = &diagnostics[0];
    assert_eq!(
        (&of["severity"], &of["span"]["start"]["line"]),
        (&"error".into(), &6.into()),
        "{of}"
    );
    assert!(Simulation::new(&text, None).is_err());
    assert!(Simulation::new(POD, Some("{\"seed\": true}".to_owned())).is_err());
}

#[wasm_bindgen_test]
fn options_choose_cluster_and_seed() {
    let options = r#"{"preset":"minikube","seed":7}"#.to_owned();
    let simulation = Simulation::new(POD, Some(options)).ok().unwrap();
    assert_eq!(parse(&simulation.delta(0.0))["nodes"][0]["name"], "minikube");
    assert_eq!(parse(&simulation.state())["seed"], 7);
}

#[wasm_bindgen_test]
fn the_zones_of_a_text_can_be_asked_for_and_added() {
    let text =
        GOLDEN.replace("  concurrencyPolicy", "  timeZone: Europe/Zurich\n  concurrencyPolicy");
    assert_eq!(wasm::zones_of(&text), r#"["Europe/Zurich"]"#);
    assert!(!wasm::add_zone("Europe/Zurich", b"not a zone"));
}

#[wasm_bindgen_test]
fn a_function_answers_for_an_extender() {
    let prefix = "http://localhost:9/ext";
    let body = "return verb === 'filter' ? { NodeNames: body.NodeNames.filter((it) => it === 'worker-c') } : null";
    let function = js_sys::Function::new_with_args("verb, body", body);
    wasm::register_extender(prefix, function);
    let config = format!(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nextenders:\n\
         - {{urlPrefix: {prefix}, filterVerb: filter, nodeCacheCapable: true}}\n---\n{POD}"
    );
    let mut simulation = load(&config);
    simulation.run_until(5_000.0, None);
    assert_eq!(pod(&simulation)["node"], "worker-c");
}
