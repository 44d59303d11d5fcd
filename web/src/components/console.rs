//! A kubectl command line.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::{Send, on};
use crate::msg::Msg;
use crate::shared::Shared;
use crate::ui::Said;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub open: bool,
    pub said: Shared<Vec<Said>>,
    pub send: Send,
}

/// The prompt, and above it what was said where the console is open.
#[component]
pub fn Console(props: &Props) -> Html {
    let at = use_state(|| None::<usize>);
    let onsubmit = {
        let (send, at) = (props.send.clone(), at.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let Some(form) = event.target_dyn_into::<web_sys::Element>() else { return };
            let input = form.query_selector("input").ok().flatten();
            let Some(input) =
                input.and_then(|it| wasm_bindgen::JsCast::dyn_into::<HtmlInputElement>(it).ok())
            else {
                return;
            };
            send.emit(Msg::Command(input.value()));
            input.set_value("");
            at.set(None);
        })
    };
    let onkeydown = {
        let said = props.said.clone();
        Callback::from(move |event: KeyboardEvent| {
            let older = match event.key().as_str() {
                "ArrowUp" => true,
                "ArrowDown" => false,
                _ => return,
            };
            event.prevent_default();
            let now = at.unwrap_or(said.len());
            let to = if older { now.saturating_sub(1) } else { (now + 1).min(said.len()) };
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            input.set_value(said.get(to).map_or("", |it| it.line.as_str()));
            at.set(Some(to));
        })
    };
    html! {
        <section class="console" aria-label="Console" data-testid="console">
            if props.open && !props.said.is_empty() {
                <div class="log" role="log" aria-label="Console output" data-testid="console-log" tabindex="0">
                    <div>{ for props.said.iter().map(said) }</div>
                </div>
            }
            <form {onsubmit}>
                <label class="ps" for="console-input" aria-label="Command">{ "$" }</label>
                <input
                    id="console-input"
                    data-testid="console-input"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    placeholder="kubectl get pods -o wide"
                    {onkeydown}
                />
                if props.open {
                    <button class="ghost" type="button" onclick={on(&props.send, Msg::Console(false))}>{ "Close" }</button>
                } else {
                    <span class="hint"><kbd>{ ":" }</kbd>{ " console" }</span>
                }
            </form>
        </section>
    }
}

fn said(it: &Said) -> Html {
    html! {
        <div>
            <div class="said">{ format!("$ {}", it.line) }</div>
            <div class={it.failed.then_some("failed")}>{ it.output.clone().unwrap_or_default() }</div>
        </div>
    }
}
