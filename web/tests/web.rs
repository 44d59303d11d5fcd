//! The page in a browser with a scripted engine: it mounts, plays, selects.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{Document, Element, HtmlElement};

wasm_bindgen_test_configure!(run_in_browser);

/// A host that notes what it is asked and says what the test wants. Everything else does nothing.
const FAKE_HOST: &str = "
    const asked = [];
    let listener = () => {};
    const own = {
        listen: (callback) => { listener = callback; },
        ask: (request) => asked.push(request),
        address: (page, fragment) => `${page}#${fragment}`,
        emit: (kind, payload) => listener(kind, payload),
        asked: () => asked[asked.length - 1] ?? '',
        nAsked: () => asked.length,
    };
    return new Proxy(own, { get: (it, name) => it[name] ?? (() => {}) });
";

#[wasm_bindgen]
extern "C" {
    type Fake;
    #[wasm_bindgen(method)]
    fn emit(this: &Fake, kind: &str, payload: &str);
    #[wasm_bindgen(method)]
    fn asked(this: &Fake) -> String;
}

struct Page {
    fake: Fake,
    root: Element,
}

fn document() -> Document {
    web_sys::window().unwrap().document().unwrap()
}

/// Lets Yew's scheduler draw.
async fn drawn() {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let window = web_sys::window().unwrap();
        window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, 120).unwrap();
    });
    wasm_bindgen_futures::JsFuture::from(promise).await.unwrap();
}

impl Page {
    async fn open(options: Value) -> Self {
        let root = document().create_element("div").unwrap();
        document().body().unwrap().append_child(&root).unwrap();
        let host = js_sys::Function::new_no_args(FAKE_HOST).call0(&JsValue::NULL).unwrap();
        let fake = host.clone().unchecked_into();
        web::start(root.clone(), host.unchecked_into(), &options.to_string());
        drawn().await;
        Self { fake, root }
    }

    /// What the page asked the engine last.
    fn asked(&self) -> Value {
        serde_json::from_str(&self.fake.asked()).unwrap_or_default()
    }

    /// Something happens outside.
    async fn hear(&self, kind: &str, payload: &str) {
        self.fake.emit(kind, payload);
        drawn().await;
    }

    /// The engine's answer to the last request.
    async fn answer(&self, mut reply: Value) {
        let asked = self.asked();
        reply["id"] = asked["id"].clone();
        reply["op"] = asked["body"]["op"].clone();
        self.hear("reply", &reply.to_string()).await;
    }

    /// The element, as soon as it is drawn: a loaded machine may take its time.
    async fn find(&self, selector: &str) -> Element {
        for _ in 0..40 {
            if let Some(found) = self.root.query_selector(selector).unwrap() {
                return found;
            }
            drawn().await;
        }
        panic!("nothing matches {selector}")
    }

    fn count(&self, selector: &str) -> u32 {
        self.root.query_selector_all(selector).unwrap().length()
    }

    async fn click(&self, selector: &str) {
        self.find(selector).await.unchecked_into::<HtmlElement>().click();
        drawn().await;
    }
}

fn node(name: &str) -> Value {
    json!({"name": name, "zone": "zone-a", "ready": true, "cordoned": false, "controlPlane": false,
        "taints": [], "labels": [], "nPods": 0, "maxPods": 110, "amounts": [
            {"resource": "cpu", "requested": 500, "allocatable": 4000},
            {"resource": "memory", "requested": 0, "allocatable": 8_589_934_592_u64}]})
}

fn pod(name: &str, node: &str) -> Value {
    let phase = if node.is_empty() { "Pending" } else { "Running" };
    json!({"namespace": "default", "name": name, "node": node, "phase": phase, "status": phase,
        "ready": !node.is_empty(), "terminating": false, "workload": "Deployment/web", "owners": [],
        "cpu": 500, "memory": 0, "isStatic": false, "containers": [], "priority": 0, "createdMs": 0,
        "message": if node.is_empty() { "0/1 nodes are available: 1 Insufficient cpu." } else { "" }})
}

fn picture(now_ms: i64) -> Value {
    json!({
        "state": {"nowMs": now_ms, "startUnixMs": 1_767_225_600_000_i64, "horizonMs": now_ms,
            "nextMs": now_ms + 100, "nEvents": 3, "hash": "0123456789abcdef", "revision": 1, "epoch": 1},
        "delta": {"revision": 1, "full": true, "nodes": [node("n1")],
            "pods": [pod("placed", "n1"), pod("waiting", "")]},
        "diagnostics": [], "marks": [], "lanes": [],
    })
}

#[wasm_bindgen_test]
async fn the_page_mounts_and_draws_what_the_engine_says() {
    let page = Page::open(json!({"fragment": "example/batch"})).await;
    assert_eq!(page.asked()["body"]["op"], "open");
    page.answer(picture(90_000)).await;
    assert_eq!(page.count("[data-testid=node-card][data-node=n1]"), 1);
    assert_eq!(page.count("[data-testid=pod-tile][data-pod='default/placed']"), 1);
    assert!(
        page.find("[data-testid=pending-tray]")
            .await
            .text_content()
            .unwrap()
            .contains("Insufficient cpu")
    );
    assert!(page.find("[data-testid=clock]").await.text_content().unwrap().contains("00:01:30"));
}

#[wasm_bindgen_test]
async fn playing_asks_for_the_next_frame_only_after_the_last_came() {
    let page = Page::open(json!({"fragment": "example/batch"})).await;
    page.answer(picture(0)).await;
    page.answer(json!({"yaml": "", "diagnosis": null})).await;
    page.click("[data-testid=play]").await;
    page.hear("frame", "1000").await;
    let first = page.asked();
    assert_eq!(first["body"]["op"], "advance");
    page.hear("frame", "1016").await;
    assert_eq!(page.asked()["id"], first["id"], "the first frame is still being computed");
    page.answer(picture(480)).await;
    page.answer(json!({"yaml": "", "diagnosis": null})).await;
    page.hear("frame", "1032").await;
    assert!(page.asked()["body"]["to"].as_i64().unwrap() > 480);
    page.click("[data-testid=play]").await;
}

#[wasm_bindgen_test]
async fn a_selected_pending_pod_shows_its_matrix_and_each_node_answers() {
    let page = Page::open(json!({"fragment": "example/batch"})).await;
    page.answer(picture(0)).await;
    page.click("[data-testid=pending-pod]").await;
    assert_eq!(page.asked()["body"]["name"], "waiting");
    let verdict = json!({"node": "n1", "code": "Unschedulable", "plugin": "NodeResourcesFit",
        "reasons": ["Insufficient cpu"],
        "terms": [{"text": "cpu: asks 5, free 1", "short": "short by 4 cpu"}]});
    let diagnosis = json!({"pod": "default/waiting", "profile": "default-scheduler", "atMs": 5, "attempt": 1,
        "nNodes": 1, "filters": ["NodeUnschedulable", "NodeResourcesFit"], "verdicts": [verdict],
        "scores": [], "ties": [], "message": "0/1 nodes are available: 1 Insufficient cpu."});
    page.answer(json!({"yaml": "kind: Pod\n", "diagnosis": diagnosis})).await;
    assert_eq!(page.count("[data-testid=matrix] tr[data-node=n1] .x"), 1);
    assert!(
        page.find("[data-node=n1] .verdict")
            .await
            .text_content()
            .unwrap()
            .contains("short by 4 cpu")
    );
}

#[wasm_bindgen_test]
async fn whom_a_pod_reaches_is_asked_for_once_and_told_address_by_address() {
    let page = Page::open(json!({"fragment": "example/batch"})).await;
    page.answer(picture(0)).await;
    page.click("[data-testid=pod-tile][data-pod='default/placed']").await;
    assert_eq!(page.asked()["body"]["reach"], false);
    page.answer(json!({"yaml": "kind: Pod\n", "diagnosis": null})).await;
    page.click("[data-testid=ask-reach]").await;
    assert_eq!(page.asked()["body"]["reach"], true, "{}", page.asked());
    let target =
        |name: &str, node: &str| json!({"pod": name, "node": node, "address": "10.0.0.1:80"});
    let ways = json!([
        {"kind": "service", "address": "log.default.svc:80", "service": "log",
            "targets": [target("log-a", "n1"), target("log-b", "n2")]},
        {"kind": "service", "address": "near.default.svc:80", "service": "near", "onlyLocal": true,
            "local": true, "targets": [target("log-a", "n1")]},
        {"kind": "headless", "address": "names.default.svc", "service": "names",
            "whyNobody": "the name has no address: no pod is ready"},
        {"kind": "hostPort", "address": "172.18.0.2:80", "local": true,
            "targets": [target("log-a", "n1")]},
        {"kind": "hostNetwork", "address": "172.18.0.3:9100", "targets": [target("metrics", "n2")]},
    ]);
    let client = json!({"kind": "Pod", "namespace": "default", "name": "placed"});
    let reach = json!({"client": client, "node": "n1", "ways": ways});
    page.answer(json!({"yaml": "kind: Pod\n", "diagnosis": null, "reach": reach})).await;
    let text = page.find("[data-testid=reach]").await.text_content().unwrap();
    for wanted in [
        "From this pod on n1",
        "log.default.svc:80any nodeThe Service leads to one of 2, chosen at random: log-a, log-b on n2.",
        "near.default.svc:80own nodeinternalTrafficPolicy Local leads to log-a.",
        "names.default.svcnobody answersThe name has no address: no pod is ready.",
        "172.18.0.2:80own nodeThe port of its own node (status.hostIP) leads to log-a.",
        "172.18.0.3:9100another nodeIn the network of its node listens metrics on n2.",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    page.click("[data-testid=reach] .row button").await;
    assert_eq!(page.asked()["body"]["reach"], false);
}

#[wasm_bindgen_test]
async fn a_text_with_errors_keeps_the_last_good_picture() {
    let page = Page::open(json!({"fragment": "example/batch"})).await;
    page.answer(picture(0)).await;
    page.hear("text", "kind: [").await;
    let at = json!({"offset": 6, "line": 1, "column": 7});
    let problem = json!({"severity": "error", "code": "yaml", "path": "", "message": "unclosed",
        "span": {"start": at, "end": at}});
    page.answer(json!({"diagnostics": [problem]})).await;
    assert_eq!(page.count("[data-testid=node-card]"), 1);
    assert_eq!(page.count(".stage-body.stale"), 1);
    assert!(page.find("[data-testid=problems]").await.text_content().unwrap().contains("1:7"));
}

#[wasm_bindgen_test]
async fn an_embed_has_no_editor_and_a_way_to_the_playground() {
    let page = Page::open(json!({"embed": true, "fragment": "example/batch"})).await;
    page.answer(picture(0)).await;
    assert_eq!(page.count("[data-testid=editor], [data-testid=console], header"), 0);
    let link = page.find("[data-testid=open-in-playground]").await.get_attribute("href").unwrap();
    assert_eq!(link, "index.html#example/batch");
}

#[wasm_bindgen_test]
async fn a_crash_is_a_state_with_a_way_out() {
    let page = Page::open(json!({"fragment": "example/batch"})).await;
    page.hear("crashed", "the worker could not be loaded").await;
    let banner = page.find("[data-testid=banner]").await.text_content().unwrap();
    assert!(banner.contains("your text is safe"), "{banner}");
    page.click("[data-testid=banner] button").await;
    assert_eq!(page.asked()["body"]["op"], "open");
}
