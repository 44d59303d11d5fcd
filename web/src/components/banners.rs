//! Lines under the header: what the engine, the link or a command had to say.

use ::view::Notice;
use yew::prelude::*;

use super::{Send, on};
use crate::msg::Msg;
use crate::shared::Shared;
use crate::ui::Health;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub notices: Shared<Vec<Notice>>,
    pub health: Health,
    pub refused: Option<String>,
    pub send: Send,
}

/// None, one or several lines.
#[component]
pub fn Banners(props: &Props) -> Html {
    let send = &props.send;
    let button = |label: &'static str, msg: Msg| html! { <button onclick={on(send, msg)}>{ label }</button> };
    let line = |class: &'static str, text: &str, buttons: Html| {
        html! {
            <div class={classes!("banner", class)} role="status" data-testid="banner">
                <p>{ text.to_owned() }</p>
                { buttons }
            </div>
        }
    };
    let dismiss = || button("Dismiss", Msg::DismissNotices);
    html! {
        <div class="banners">
            { match &props.health {
                Health::Well => Html::default(),
                Health::Slow => line("", "Still simulating.", html! {
                    <>{ button("Stop", Msg::Stop) }{ button("Keep going", Msg::KeepGoing) }</>
                }),
                Health::Restarted(why) => line("bad", why, dismiss()),
                Health::Crashed(why) => {
                    let text = format!("The simulator crashed; your text is safe. {why}");
                    line("bad", &text, button("Restart", Msg::Restart))
                }
            } }
            if let Some(refused) = &props.refused {
                { line("bad", refused, dismiss()) }
            }
            { match &props.notices[..] {
                [] => Html::default(),
                [one] => line("info", &one.message, dismiss()),
                many => html! {
                    <div class="banner info" data-testid="banner">
                        <details>
                            <summary>{ format!("{} notices: {}", many.len(), many[0].message) }</summary>
                            <ul>{ for many.iter().skip(1).map(|it| html! { <li>{ &it.message }</li> }) }</ul>
                        </details>
                        { dismiss() }
                    </div>
                },
            } }
        </div>
    }
}
