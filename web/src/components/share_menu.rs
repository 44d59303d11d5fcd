//! What can be done with the scenario outside of the page.

use yew::prelude::*;

use super::header::caret;
use super::{Send, on};
use crate::msg::{Msg, Share};
use crate::ui::Menu;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub open: bool,
    pub send: Send,
}

/// Button and menu.
#[component]
pub fn ShareMenu(props: &Props) -> Html {
    let send = &props.send;
    let toggle = on(send, Msg::Menu((!props.open).then_some(Menu::Share)));
    let item = |share: Share, id: &'static str, label: &'static str| {
        html! { <button class="item" role="menuitem" data-testid={id} onclick={on(send, Msg::Share(share))}>{ label }</button> }
    };
    html! {
        <div class="menu">
            <button class="ghost" data-testid="share" aria-haspopup="true" aria-expanded={props.open.to_string()} onclick={toggle}>
                { "Share" }<span class="car">{ caret() }</span>
            </button>
            if props.open {
                <div class="drop right">
                    <div role="menu" aria-label="Share">
                        { item(Share::Link, "share-link", "Copy link") }
                        { item(Share::Markdown, "share-markdown", "Copy as Markdown link") }
                        { item(Share::Embed, "share-embed", "Copy embed code") }
                        { item(Share::Yaml, "share-yaml", "Download the scenario") }
                        { item(Share::Cluster, "share-cluster", "Download the cluster as it is now") }
                        { item(Share::Kwok, "share-kwok", "Download it for KWOK") }
                    </div>
                    <p class="note">
                        { "The link holds the whole scenario and where its clock stands. Nothing leaves this browser." }
                    </p>
                </div>
            }
        </div>
    }
}
