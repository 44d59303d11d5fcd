//! The sheet of shortcuts.

use yew::prelude::*;

use super::icon::{Icon, icon};
use super::{Send, on};
use crate::msg::Msg;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub apple: bool,
    pub send: Send,
}

const KEYS: [(&str, &str); 18] = [
    ("Space", "play, pause"),
    (", .", "one event back, forward"),
    (">", "next interesting event"),
    ("[ ]", "previous, next mark"),
    ("\u{2190} \u{2192}", "one minute (Shift: a tenth)"),
    ("0 \u{2013} 9", "to a tenth of the time line"),
    ("- =", "slower, faster"),
    ("S", "skip idle time"),
    ("/", "filter the cluster"),
    (":", "console"),
    ("E Y D", "explain, YAML, events"),
    ("Shift J", "owner of the selection"),
    ("F6", "next pane (Shift: previous)"),
    ("Mod Enter", "apply the text now"),
    ("Mod S", "copy the link"),
    ("?", "this sheet"),
    ("Esc", "close, clear the selection"),
    ("Esc Tab", "leave the editor"),
];

/// A dialog over the page.
#[component]
pub fn Help(props: &Props) -> Html {
    let close = on(&props.send, Msg::Help(false));
    let modifier = if props.apple { "\u{2318}" } else { "Ctrl" };
    let row = |(keys, what): &(&str, &'static str)| {
        let keys = keys.replace("Mod", modifier);
        html! {
            <div>
                <dt>{ for keys.split(' ').map(|it| html! { <><kbd>{ it.to_owned() }</kbd>{ " " }</> }) }</dt>
                <dd>{ *what }</dd>
            </div>
        }
    };
    html! {
        <>
            <div class="scrim" onclick={on(&props.send, Msg::Help(false))}></div>
            <dialog class="sheet" open={true} aria-modal="true" aria-labelledby="help-title">
                <div class="row">
                    <h2 id="help-title" class="grow">{ "Keyboard" }</h2>
                    <button class="ghost square" aria-label="Close" onclick={close}>{ icon(Icon::Close) }</button>
                </div>
                <dl class="keys">{ for KEYS.iter().map(row) }</dl>
                <p class="muted" style="margin-top:12px">
                    { "Single keys work while the focus is on cluster, inspector or time. Orrery simulates Kubernetes 1.36 in this browser; nothing leaves it." }
                </p>
            </dialog>
        </>
    }
}
