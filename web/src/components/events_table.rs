//! All events, latest first, as `kubectl get events` has them.

use yew::prelude::*;

use super::{Send, object_link};
use crate::cluster::Cluster;
use crate::format;
use crate::shared::Shared;

/// Older ones are in the console's `kubectl get events`.
const MAX_ROWS: usize = 200;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub cluster: Shared<Cluster>,
    pub send: Send,
}

/// The table.
#[component]
pub fn EventsTable(props: &Props) -> Html {
    let events = props.cluster.events_of(None);
    if events.is_empty() {
        return html! { <div class="empty"><b>{ "No events yet" }</b>{ "Step or play to start the clock." }</div> };
    }
    let surplus = events.len().saturating_sub(MAX_ROWS);
    let row = |it: &std::rc::Rc<::view::EventRow>| {
        let class = if it.level == "Warning" { "warn" } else { "" };
        html! {
            <tr key={it.key.clone()}>
                <td class="when num">{ format::clock(it.at_ms) }</td>
                <td><span class={classes!("chip", class)}>{ &it.reason }</span></td>
                <td>{ object_link(&it.object, &format!("{} {}", it.object.kind, it.object.name), &props.send) }</td>
                <td class="msg">
                    { &it.message }
                    if it.count > 1 {
                        <span class="muted">{ format!(" \u{d7}{}", it.count) }</span>
                    }
                </td>
                <td class="opt muted">{ &it.source }</td>
            </tr>
        }
    };
    html! {
        <div class="tablewrap">
            <table class="list events" data-testid="events-table" aria-label="Events">
                <thead>
                    <tr>
                        <th scope="col" class="num">{ "last seen" }</th>
                        <th scope="col">{ "reason" }</th>
                        <th scope="col">{ "object" }</th>
                        <th scope="col">{ "message" }</th>
                        <th scope="col" class="opt">{ "source" }</th>
                    </tr>
                </thead>
                <tbody>{ for events.iter().take(MAX_ROWS).map(row) }</tbody>
            </table>
            if surplus > 0 {
                <p class="muted">{ format!("and {surplus} older ones") }</p>
            }
        </div>
    }
}
