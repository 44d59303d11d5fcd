//! The pods that wait for a node, each with the scheduler's sentence.

use std::collections::BTreeMap;
use std::rc::Rc;

use ::view::{ObjectName, PodTile};
use yew::prelude::*;

use super::icon::{Icon, icon};
use super::{Send, color_class, on};
use crate::cluster::pod_object;
use crate::msg::Msg;
use crate::sentence::{Piece, pieces};
use crate::shared::Shared;

/// More waiting pods than this are only counted.
const MAX_LINES: usize = 60;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub pending: Shared<Vec<Rc<PodTile>>>,
    pub n_pods: usize,
    pub colors: Shared<BTreeMap<String, usize>>,
    pub selected: Option<ObjectName>,
    pub send: Send,
}

/// The tray; one quiet line when every pod has its node.
#[component]
pub fn PendingTray(props: &Props) -> Html {
    let pending = &props.pending;
    if pending.is_empty() {
        let text = if props.n_pods == 0 { "No pods yet" } else { "All pods placed" };
        return html! {
            <div class="tray calm" data-testid="pending-tray">{ icon(Icon::Check) }{ text }</div>
        };
    }
    let surplus = pending.len().saturating_sub(MAX_LINES);
    html! {
        <div class="tray" data-testid="pending-tray">
            <h2>{ "Pending" }<span class="chip warn">{ pending.len() }</span></h2>
            <ul>
                { for pending.iter().take(MAX_LINES).map(|it| line(it, props)) }
                if surplus > 0 {
                    <li class="muted">{ format!("and {surplus} more") }</li>
                }
            </ul>
        </div>
    }
}

fn line(pod: &PodTile, props: &Props) -> Html {
    let color = props.colors.get(&pod.workload).copied().unwrap_or(7);
    let object = pod_object(pod);
    let selected = props.selected.as_ref() == Some(&object);
    let select = on(&props.send, Msg::Select(Some(object)));
    let class = classes!("pod", color_class(color), selected.then_some("sel"));
    let why = match pod.message.as_str() {
        "" => html! { "not tried yet" },
        message => short(message),
    };
    html! {
        <li key={pod.name.clone()} class="pend">
            <button {class} data-testid="pending-pod" data-pod={format!("{}/{}", pod.namespace, pod.name)} aria-pressed={selected.to_string()} onclick={select}>{ &pod.name }</button>
            <span class="why" title={pod.message.clone()}>{ why }</span>
        </li>
    }
}

/// The sentence up to the part on preemption, the counts set off.
fn short(message: &str) -> Html {
    let mut html = Vec::new();
    for piece in pieces(message) {
        match piece {
            Piece::Text(text) if text.starts_with(". ") => html.push(html! { "." }),
            Piece::Text(text) => html.push(html! { { text } }),
            Piece::Clause { text, .. } => html.push(html! { <u>{ text }</u> }),
        }
    }
    html.into_iter().collect()
}
