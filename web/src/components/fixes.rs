//! What would let a waiting pod run, each with a button that does it; and the room for more.

use std::rc::Rc;

use ::view::{Fix, Fixes as Found, Room, TimedAction};
use yew::prelude::*;

use super::matrix::Matrix;
use super::{Send, object_link, on};
use crate::cluster::node_object;
use crate::format;
use crate::msg::Msg;

/// The list of fixes.
pub(super) fn fixes(found: &Rc<Found>, send: &Send) -> Html {
    let none = "No single change and no pair of changes was found that makes it fit.";
    let more = if found.complete { "" } else { ", not all that are possible" };
    html! {
        <section data-testid="fixes">
            <h3>
                { "What would help" }
                <span class="muted">{ format!(" {} tried{more}", format::count(found.n_tried, "change")) }</span>
            </h3>
            if found.fixes.is_empty() {
                <p class="muted">{ none }</p>
            } else {
                <ol class="fixes">{ for found.fixes.iter().map(|it| fix(it, send)) }</ol>
            }
        </section>
    }
}

fn fix(it: &Fix, send: &Send) -> Html {
    let surplus = it.n_nodes.saturating_sub(it.nodes.len());
    html! {
        <li key={it.text.clone()}>
            <div class="grow">
                <b>{ &it.text }</b>
                <div class="muted">
                    { "then it fits on " }
                    { for it.nodes.iter().enumerate().map(|(index, name)| node(index, "", name, send)) }
                    if surplus > 0 {
                        { format!(" and {surplus} more") }
                    }
                </div>
                <details>
                    <summary>{ "how" }</summary>
                    <pre class="yaml" tabindex="0">{ for it.steps.iter().map(step) }</pre>
                </details>
            </div>
            <button data-testid="fix" aria-label={format!("Apply: {}", it.text)} onclick={on(send, Msg::Fix(it.steps.clone()))}>
                { "Apply" }
            </button>
        </li>
    }
}

/// A node in a list, behind what is to be said of it.
fn node(index: usize, before: &str, name: &str, send: &Send) -> Html {
    let comma = if index > 0 { ", " } else { "" };
    html! { <>{ format!("{comma}{before}") }{ object_link(&node_object(name), name, send) }</> }
}

fn step(it: &TimedAction) -> String {
    format!("{}\n{}", it.command, it.yaml)
}

/// The room for more of a pod, or the button that asks.
pub(super) fn room(found: Option<&Rc<Room>>, send: &Send) -> Html {
    let Some(room) = found else {
        return html! {
            <p><button data-testid="ask-room" onclick={on(send, Msg::Room)}>{ "How many more would fit?" }</button></p>
        };
    };
    let at_least = if room.more { "at least " } else { "" };
    let colon = if room.nodes.is_empty() { "" } else { ": " };
    let place = |(index, (name, n)): (usize, &(String, usize))| {
        node(index, &format!("{n} on "), name, send)
    };
    let next = room.next.as_ref().and_then(|it| it.message.as_ref());
    html! {
        <section data-testid="room">
            <h3>{ "Room for more" }</h3>
            <p>
                { format!("{at_least}{} more like it would fit{colon}", room.n) }
                { for room.nodes.iter().enumerate().map(place) }
                { "." }
                if let Some(message) = next {
                    <span class="muted">{ format!(" The next one: {message}") }</span>
                }
            </p>
            if let Some(next) = room.next.clone().filter(|it| !it.verdicts.is_empty()) {
                <details>
                    <summary>{ "what stops the next one, node by node" }</summary>
                    <Matrix diagnosis={Rc::new(next)} reason={None::<String>} send={send.clone()} />
                </details>
            }
        </section>
    }
}
