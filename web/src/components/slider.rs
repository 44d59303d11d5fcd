//! The slider over the time line: drags simulated time back and forth.

use ::view::RunState;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::Send;
use crate::format;
use crate::msg::Msg;
use crate::shared::Shared;
use crate::timeline;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub state: Shared<RunState>,
    /// Length of the axis.
    pub window: i64,
    pub n_pending: usize,
    pub send: Send,
}

/// A range input over the axis.
#[component]
pub fn Slider(props: &Props) -> Html {
    let state = &props.state;
    let now = state.now_ms;
    let window = props.window;
    let oninput = {
        let send = props.send.clone();
        Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>()
                && let Ok(to) = input.value().parse()
            {
                send.emit(Msg::Seek(to));
            }
        })
    };
    let spoken =
        format!("{}, {}", format::clock(now), format::count(props.n_pending, "pending pod"));
    html! {
        <>
            <div class="slider">
                <input
                    type="range"
                    data-testid="slider"
                    aria-label="Time"
                    aria-valuetext={spoken}
                    min="0"
                    max={window.to_string()}
                    step={step(window).to_string()}
                    value={now.to_string()}
                    {oninput}
                />
            </div>
            <div class="needlebox" aria-hidden="true">
                <div class="needle" style={format!("left:{}", format::css_percent(timeline::at(now, window)))}></div>
            </div>
        </>
    }
}

/// An arrow key moves by a second at least, by a three-hundredth of a long axis.
fn step(window_ms: i64) -> i64 {
    if window_ms > 600_000 { window_ms / 300 / 1000 * 1000 } else { 1000 }
}
