//! Whom a pod reaches, and how: the ways to the daemon of its node, and to anybody else.

use std::rc::Rc;

use ::view::{ObjectName, Reach, Target, Way, WayKind};
use yew::prelude::*;

use super::{Send, object_link, on};
use crate::cluster::node_object;
use crate::msg::Msg;

/// Of a long list only the beginning is drawn: those on the own node come first.
const MAX_WAYS: usize = 20;
const MAX_TARGETS: usize = 5;

/// The list of ways, or the button that shows it.
pub(super) fn reach(found: Option<&Rc<Reach>>, send: &Send) -> Html {
    let Some(found) = found else {
        return html! {
            <p><button data-testid="ask-reach" onclick={on(send, Msg::Reach(true))}>{ "Whom does it reach?" }</button></p>
        };
    };
    let surplus = found.ways.len().saturating_sub(MAX_WAYS);
    html! {
        <section data-testid="reach">
            <div class="row">
                <h3 class="grow">{ "From this pod" }<span class="muted">{ format!(" on {}", found.node) }</span></h3>
                <button class="ghost" onclick={on(send, Msg::Reach(false))}>{ "Hide" }</button>
            </div>
            if found.ways.is_empty() {
                <p class="muted">{ "No Service and no port of a node leads to a pod of this namespace." }</p>
            } else {
                <dl class="reach">{ for found.ways.iter().take(MAX_WAYS).map(|it| way(it, found, send)) }</dl>
            }
            if surplus > 0 {
                <p class="muted">{ format!("and {surplus} more addresses") }</p>
            }
        </section>
    }
}

fn way(it: &Way, found: &Reach, send: &Send) -> Html {
    let (class, where_to) = match (it.targets.is_empty(), it.local) {
        (true, _) => ("bad", "nobody answers"),
        (false, true) => ("ok", "own node"),
        (false, false) => ("", "any node"),
    };
    let where_to = match it.kind {
        WayKind::HostPort | WayKind::HostNetwork if !it.local => "another node",
        _ if it.targets.first().is_some_and(|it| it.pod.is_empty()) => "not a pod",
        _ => where_to,
    };
    html! {
        <>
            <dt><code>{ &it.address }</code><span class={classes!("chip", class)}>{ where_to }</span></dt>
            <dd>{ answer(it, found, send) }</dd>
        </>
    }
}

/// Who answers, as a sentence.
fn answer(it: &Way, found: &Reach, send: &Send) -> Html {
    let n = it.targets.len();
    let how = match it.kind {
        _ if n == 0 => return html! { format!("{}.", capital(&it.why_nobody)) },
        WayKind::Service if it.only_local => "internalTrafficPolicy Local leads to ".to_owned(),
        WayKind::Service if n == 1 => "The Service leads to ".to_owned(),
        WayKind::Service => format!("The Service leads to one of {n}, chosen at random: "),
        WayKind::Headless if n == 1 => "The name stands for the address of ".to_owned(),
        WayKind::Headless => {
            format!("The name stands for {n} addresses, and the client chooses: ")
        }
        WayKind::HostPort if it.local => {
            "The port of its own node (status.hostIP) leads to ".to_owned()
        }
        WayKind::HostPort => "A host port leads to ".to_owned(),
        WayKind::HostNetwork => "In the network of its node listens ".to_owned(),
    };
    let one = |(index, it): (usize, &Target)| {
        let comma = if index > 0 { ", " } else { "" };
        html! { <>{ comma }{ target(it, found, send) }</> }
    };
    let surplus = n.saturating_sub(MAX_TARGETS);
    html! {
        <>
            { how }
            { for it.targets.iter().take(MAX_TARGETS).enumerate().map(one) }
            if surplus > 0 {
                { format!(" and {} more", surplus) }
            }
            { "." }
        </>
    }
}

fn target(it: &Target, found: &Reach, send: &Send) -> Html {
    if it.pod.is_empty() {
        return html! { &it.address };
    }
    let namespace = found.client.namespace.clone();
    let pod = ObjectName { kind: "Pod".to_owned(), namespace, name: it.pod.clone() };
    html! {
        <>
            { object_link(&pod, &it.pod, send) }
            if it.node != found.node {
                { " on " }{ object_link(&node_object(&it.node), &it.node, send) }
            }
        </>
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|it| it.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
