//! A short message at the bottom, sometimes with a way back.

use yew::prelude::*;

use super::icon::{Icon, icon};
use super::{Send, on};
use crate::msg::Msg;
use crate::ui::Toast;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub toast: Toast,
    pub send: Send,
}

/// The message, Undo where there is something to undo, and a way to put it away.
#[component]
pub fn ToastLine(props: &Props) -> Html {
    let send = &props.send;
    html! {
        <div class="toast" role="status" data-testid="toast">
            <span>{ &props.toast.text }</span>
            if props.toast.undo.is_some() {
                <button onclick={on(send, Msg::Undo)}>{ "Undo" }</button>
            }
            <button class="square" aria-label="Dismiss" onclick={on(send, Msg::DismissToast)}>
                { icon(Icon::Close) }
            </button>
        </div>
    }
}
