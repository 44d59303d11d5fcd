//! A kubectl command line.

use web_sys::{Element, HtmlInputElement};
use yew::prelude::*;

use super::{Send, on};
use crate::console::Completed;
use crate::msg::Msg;
use crate::shared::Shared;
use crate::ui::Said;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub open: bool,
    pub said: Shared<Vec<Said>>,
    /// What was entered, oldest first.
    pub entered: Shared<Vec<String>>,
    /// The answer to the last Tab.
    pub completed: Shared<Completed>,
    pub send: Send,
}

/// The prompt, and above it what was said where the console is open.
#[component]
pub fn Console(props: &Props) -> Html {
    let at = use_state(|| None::<usize>);
    let input = use_node_ref();
    let onsubmit = {
        let (send, at, input) = (props.send.clone(), at.clone(), input.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let Some(input) = input.cast::<HtmlInputElement>() else { return };
            send.emit(Msg::Command(input.value()));
            input.set_value("");
            at.set(None);
        })
    };
    let onkeydown = {
        let (entered, send) = (props.entered.clone(), props.send.clone());
        Callback::from(move |event: KeyboardEvent| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            let older = match event.key().as_str() {
                "ArrowUp" => true,
                "ArrowDown" => false,
                // In an empty line Tab goes on to what comes next on the page.
                "Tab" if !event.shift_key() && !input.value().is_empty() => {
                    event.prevent_default();
                    let cursor = input.selection_start().ok().flatten().unwrap_or(u32::MAX);
                    send.emit(Msg::Complete(input.value(), cursor));
                    return;
                }
                _ => return,
            };
            event.prevent_default();
            let now = at.unwrap_or(entered.len());
            let to = if older { now.saturating_sub(1) } else { (now + 1).min(entered.len()) };
            input.set_value(entered.get(to).map_or("", String::as_str));
            at.set(Some(to));
        })
    };
    let onpaste = {
        let send = props.send.clone();
        Callback::from(move |event: Event| {
            let event: &Event = &event;
            let event = wasm_bindgen::JsCast::dyn_ref::<web_sys::ClipboardEvent>(event);
            let Some(event) = event else { return };
            let text = event.clipboard_data().and_then(|it| it.get_data("text").ok());
            let text = text.unwrap_or_default();
            // An input has one line; several are several commands.
            if text.trim_end().contains('\n') {
                event.prevent_default();
                send.emit(Msg::Command(text));
            }
        })
    };
    use_effect_with((props.completed.clone(), input.clone()), |(completed, input)| {
        let Some(input) = input.cast::<HtmlInputElement>() else { return };
        if !completed.line.is_empty() {
            input.set_value(&completed.line);
            let cursor = u32::try_from(completed.cursor).unwrap_or(u32::MAX);
            // An input that was taken away meanwhile has no cursor.
            let _ = input.set_selection_range(cursor, cursor);
        }
    });
    let log = use_node_ref();
    use_effect_with(
        (props.said.clone(), props.completed.clone(), props.open, log.clone()),
        |(.., log)| {
            // What came last is what was asked for.
            if let Some(log) = log.cast::<Element>() {
                log.set_scroll_top(log.scroll_height());
            }
        },
    );
    let shown = &props.completed.shown;
    html! {
        <section class="console" aria-label="Console" data-testid="console">
            if props.open && !(props.said.is_empty() && shown.is_empty()) {
                <div ref={log} class="log" role="log" aria-label="Console output" data-testid="console-log" tabindex="0">
                    <div>{ for props.said.iter().map(|it| said(it, &props.send)) }</div>
                    if !shown.is_empty() {
                        <div class="said" data-testid="console-candidates">{ shown.join("  ") }</div>
                    }
                </div>
            }
            <form {onsubmit}>
                <label class="ps" for="console-input" aria-label="Command">{ "$" }</label>
                <input
                    ref={input}
                    id="console-input"
                    data-testid="console-input"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    placeholder="kubectl get pods -o wide"
                    {onkeydown}
                    {onpaste}
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

fn said(it: &Said, send: &Send) -> Html {
    html! {
        <div>
            <div class="said">{ format!("$ {}", it.line) }</div>
            <div class={it.failed.then_some("failed")}>{ output(it, send) }</div>
        </div>
    }
}

/// The output, in which the names of objects select them.
fn output(it: &Said, send: &Send) -> Html {
    let text = it.output.as_deref().unwrap_or_default();
    let Some(links) = &it.links else { return html! { text.to_owned() } };
    let mut end = 0;
    let parts = links.iter().map(|link| {
        let before = text.get(end..link.from).unwrap_or_default();
        end = link.to;
        let select = {
            let (send, object) = (send.clone(), link.object.clone());
            Callback::from(move |event: MouseEvent| {
                event.prevent_default();
                send.emit(Msg::Select(Some(object.clone())));
            })
        };
        let word = text.get(link.from..link.to).unwrap_or_default();
        html! { <>{ before.to_owned() }<a href="#" onclick={select}>{ word.to_owned() }</a></> }
    });
    let parts: Html = parts.collect();
    html! { <>{ parts }{ text.get(end..).unwrap_or_default().to_owned() }</> }
}
