//! The gallery, in the order of the book's chapters.

use yew::prelude::*;

use super::{Send, on};
use crate::examples;
use crate::msg::Msg;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub send: Send,
}

/// The open menu.
#[component]
pub fn Examples(props: &Props) -> Html {
    let all = examples::all();
    let mut chapters: Vec<&'static str> = all.iter().map(|it| it.chapter).collect();
    chapters.dedup();
    let section = |chapter: &&'static str| {
        let items = all.iter().filter(|it| it.chapter == *chapter).map(|it| {
            html! {
                <button key={it.id} class="item" data-testid="example" data-example={it.id} onclick={on(&props.send, Msg::Example(it.id))}>
                    <b>{ it.title }</b>
                    <span>{ it.lesson }</span>
                </button>
            }
        });
        html! { <section key={*chapter}><h2>{ *chapter }</h2>{ for items }</section> }
    };
    html! {
        <nav class="menu drop gallery" aria-label="Examples">{ for chapters.iter().map(section) }</nav>
    }
}
