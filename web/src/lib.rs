//! The page: a Yew application on the main thread that watches an engine in a worker.
//!
//! `app` is the only part that talks to the engine; `components` are pure in their props; the
//! other modules are pure and know neither DOM nor engine. `js/` holds what only JavaScript can
//! do, handed in as one [`Host`].
//!
//! Tests and automation find elements by `data-testid`: `editor`, `problems`, `run-button`,
//! `apply-button`, `step-back`, `step`, `step-interesting`, `play`, `start`, `slider`, `clock`,
//! `jump`, `speed`, `skip-idle`, `lanes`, `pending-tray`, `node-card` (with `data-node`),
//! `pod-tile` (with `data-pod`, `data-phase`), `cluster-table`, `workloads-table`, `events-table`,
//! `inspector`, `matrix`, `object-yaml`, `examples`, `example` (with `data-example`), `share`,
//! `theme`, `help`, `console`, `console-log`, `toast`, `banner`, `legend`, `open-in-playground`.
#![expect(
    unreachable_pub,
    reason = "modules are private, their items are named pub for each other"
)]

mod app;
mod cluster;
mod components;
mod console;
mod examples;
mod format;
mod host;
mod link;
mod linked;
mod msg;
mod outline;
mod play;
mod protocol;
mod sentence;
mod shared;
mod stranded;
mod timeline;
mod ui;

pub use app::{App, AppProps};
pub use host::Host;
use wasm_bindgen::prelude::*;

/// Mounts the application into `root`. `options` is JSON of what `js/boot.js` found out.
#[wasm_bindgen]
pub fn start(root: web_sys::Element, host: Host, options: &str) {
    let options = serde_json::from_str(options).unwrap_or_default();
    let props = AppProps { host: std::rc::Rc::new(host), options };
    yew::Renderer::<App>::with_root_and_props(root, props).render();
}
