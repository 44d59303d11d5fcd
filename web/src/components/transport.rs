//! Keys, clock, speed.

use ::view::RunState;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::icon::{Icon, icon};
use super::{Send, on, segment};
use crate::format;
use crate::msg::Msg;
use crate::play::Speed;
use crate::shared::Shared;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub state: Shared<RunState>,
    pub playing: bool,
    pub speed: Speed,
    pub skip_idle: bool,
    pub send: Send,
}

/// The bar above the time line.
#[component]
pub fn Transport(props: &Props) -> Html {
    let (state, send) = (&props.state, &props.send);
    let speed = |it: &Speed| segment(it.label(), props.speed == *it, send, Msg::Speed(*it));
    let hash = state.hash.get(..4).unwrap_or_default();
    html! {
        <div class="transport">
            { keys(props) }
            <div class="clock" data-testid="clock" data-ms={state.now_ms.to_string()}>
                <b>{ format::clock(state.now_ms) }<small>{ format::clock_fraction(state.now_ms) }</small></b>
                <span>{ if state.start_unix_ms == 0 { String::new() } else { format::date(state.start_unix_ms + state.now_ms) } }</span>
            </div>
            <div class="seg" role="group" aria-label="Speed" data-testid="speed">{ for Speed::ALL.iter().map(speed) }</div>
            <label class="chk">
                <input type="checkbox" data-testid="skip-idle" checked={props.skip_idle} onchange={on(send, Msg::SkipIdle(!props.skip_idle))} />
                { "skip idle" }
            </label>
            <form class="jump" onsubmit={jump(send)}>
                <input data-testid="jump" aria-label="Jump to a time" placeholder="Jump to 15m" autocomplete="off" />
            </form>
            <span class="grow"></span>
            <span class="hist" data-testid="run-hash" data-hash={state.hash.clone()} title={format!("History hash {}", state.hash)}>
                { format!("seed {} \u{b7} {} events \u{b7} hash ", state.seed, state.n_events) }<code>{ hash.to_owned() }{ "\u{2026}" }</code>
            </span>
        </div>
    }
}

fn keys(props: &Props) -> Html {
    let send = &props.send;
    let key = |id: &'static str, label: &'static str, it: Icon, msg: Msg| {
        html! { <button data-testid={id} aria-label={label} title={label} onclick={on(send, msg)}>{ icon(it) }</button> }
    };
    let (label, it) = if props.playing { ("Pause", Icon::Pause) } else { ("Play", Icon::Play) };
    html! {
        <div class="keys5" role="group" aria-label="Transport">
            { key("start", "To the start", Icon::Start, Msg::Seek(0)) }
            { key("step-back", "Step back", Icon::Back, Msg::StepBack) }
            <button class="play" data-testid="play" aria-label={label} title={label} onclick={on(send, Msg::Play(!props.playing))}>
                { icon(it) }
            </button>
            { key("step", "Step: next event", Icon::Step, Msg::Step) }
            { key("step-interesting", "Next interesting event", Icon::Interesting, Msg::Interesting) }
        </div>
    }
}

fn jump(send: &Send) -> Callback<SubmitEvent> {
    let send = send.clone();
    Callback::from(move |event: SubmitEvent| {
        event.prevent_default();
        let form = event.target_dyn_into::<web_sys::Element>();
        let input = form.and_then(|it| it.query_selector("input").ok().flatten());
        if let Some(input) =
            input.and_then(|it| wasm_bindgen::JsCast::dyn_into::<HtmlInputElement>(it).ok())
        {
            send.emit(Msg::Jump(input.value()));
            input.set_value("");
        }
    })
}
