//! Function components, pure in their props: they draw what they are given and send [`Msg`]s.

mod banners;
mod cells;
mod cluster_map;
mod cluster_table;
mod console;
mod events_table;
mod examples;
mod explain_pod;
mod explain_workload;
mod fixes;
mod header;
mod help;
mod icon;
mod inspector;
mod lanes;
mod legend;
mod manifests;
mod matrix;
mod node_card;
mod object_yaml;
mod pane_switch;
mod pending_tray;
mod pod_tile;
mod reach;
mod scores;
mod share_menu;
mod slider;
mod splitter;
mod stage;
mod toast;
mod transport;
mod unknown_node;
mod workloads_table;

use ::view::ObjectName;
use yew::prelude::*;

use crate::msg::Msg;

pub use banners::Banners;
pub use console::Console;
pub use examples::Examples;
pub use header::Header;
pub use help::Help;
pub use inspector::Inspector;
pub use lanes::Lanes;
pub use manifests::Manifests;
pub use pane_switch::PaneSwitch;
pub use slider::Slider;
pub use splitter::Splitter;
pub use stage::StagePane;
pub use toast::ToastLine;
pub use transport::Transport;

/// How components speak.
pub type Send = Callback<Msg>;

/// A click that sends a message.
fn on<E>(send: &Send, msg: Msg) -> Callback<E> {
    let send = send.clone();
    Callback::from(move |_| send.emit(msg.clone()))
}

/// A link that selects an object.
fn object_link(object: &ObjectName, text: &str, send: &Send) -> Html {
    let select = on(send, Msg::Select(Some(object.clone())));
    html! { <button class="plain link" onclick={select}>{ text.to_owned() }</button> }
}

/// The class that sets the colour of a workload.
fn color_class(color: usize) -> &'static str {
    ["w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7"].get(color).copied().unwrap_or("w7")
}

/// One button of a switch of which exactly one is pressed.
fn segment(label: &'static str, pressed: bool, send: &Send, msg: Msg) -> Html {
    html! {
        <button aria-pressed={pressed.to_string()} onclick={on(send, msg)}>{ label }</button>
    }
}

/// One tab; `id` is what tests find it by.
fn tab(
    id: &'static str,
    label: Html,
    selected: bool,
    controls: &'static str,
    send: &Send,
    msg: Msg,
) -> Html {
    html! {
        <button
            role="tab"
            data-testid={id}
            aria-selected={selected.to_string()}
            aria-controls={controls}
            onclick={on(send, msg)}
        >
            { label }
        </button>
    }
}
