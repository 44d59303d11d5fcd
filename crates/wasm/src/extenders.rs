//! The handlers of extenders, given as JavaScript functions.
//!
//! A run is played again whenever time goes back, so each answer is kept: the same call gets the same
//! answer for as long as the page lives, whatever the function would say the second time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use serde_json::Value;
use sim::Handlers;
use wasm_bindgen::JsValue;

/// So many answers are kept; then the oldest calls may be asked again.
const MAX_ANSWERS: usize = 50_000;

/// Prefix, verb, length and hash of the body.
type Call = (String, String, usize, u64);

#[derive(Default)]
struct Registry {
    functions: BTreeMap<String, js_sys::Function>,
    answers: BTreeMap<Call, Result<Value, String>>,
}

thread_local! {
    static REGISTRY: RefCell<Registry> = RefCell::new(Registry::default());
}

/// Registers a function for all runs that are set up from now on.
pub(crate) fn register(url_prefix: &str, function: js_sys::Function) {
    REGISTRY.with(|it| {
        let mut it = it.borrow_mut();
        it.functions.insert(url_prefix.to_owned(), function);
        it.answers.clear();
    });
}

/// All handlers so far.
pub(crate) fn all() -> Handlers {
    let mut handlers = Handlers::default();
    let prefixes: Vec<String> = REGISTRY.with(|it| it.borrow().functions.keys().cloned().collect());
    for prefix in prefixes {
        let name = prefix.clone();
        handlers.insert(&prefix, Arc::new(move |verb, body| call(&name, verb, body)));
    }
    handlers
}

fn call(prefix: &str, verb: &str, body: &Value) -> Result<Value, String> {
    let body = body.to_string();
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let key = (prefix.to_owned(), verb.to_owned(), body.len(), hasher.finish());
    let (kept, function) = REGISTRY.with(|it| {
        let it = it.borrow();
        (it.answers.get(&key).cloned(), it.functions.get(prefix).cloned())
    });
    if let Some(answer) = kept {
        return answer;
    }
    let Some(function) = function else { return Err("no handler".to_owned()) };
    // The function runs while nothing is borrowed: it may call the engine.
    let answer = ask(&function, verb, &body);
    REGISTRY.with(|it| {
        let answers = &mut it.borrow_mut().answers;
        if answers.len() >= MAX_ANSWERS {
            answers.clear();
        }
        answers.insert(key, answer.clone());
    });
    answer
}

/// Bodies cross the border as objects, because that is what handlers are written for.
fn ask(function: &js_sys::Function, verb: &str, body: &str) -> Result<Value, String> {
    let text = |it: &JsValue| it.as_string().unwrap_or_else(|| format!("{it:?}"));
    let body = js_sys::JSON::parse(body).map_err(|it| text(&it))?;
    let answer = function.call2(&JsValue::NULL, &verb.into(), &body).map_err(|it| text(&it))?;
    if answer.is_undefined() {
        return Ok(Value::Null);
    }
    let json = js_sys::JSON::stringify(&answer).map_err(|it| text(&it))?;
    serde_json::from_str(&String::from(json)).map_err(|it| it.to_string())
}
