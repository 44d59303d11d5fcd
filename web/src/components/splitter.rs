//! The line between two panes: drag it, or move it with the arrow keys.

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

/// Panes never get narrower than this.
const MIN_PX: i32 = 220;
const STEP_PX: i32 = 24;

#[derive(PartialEq, Properties)]
pub struct Props {
    /// The custom property of `.panes` that holds the width.
    pub name: &'static str,
    pub label: &'static str,
    #[prop_or_default]
    pub from_right: bool,
}

/// A separator with a value, as assistive technology knows it.
#[component]
pub fn Splitter(props: &Props) -> Html {
    let line = use_node_ref();
    let width = use_state(|| None::<i32>);
    let (name, from_right) = (props.name, props.from_right);

    let resize = {
        let (line, width) = (line.clone(), width.clone());
        move |wanted: i32| {
            let panes = line.cast::<Element>().and_then(|it| it.parent_element());
            let Some(panes) = panes.and_then(|it| it.dyn_into::<HtmlElement>().ok()) else {
                return;
            };
            let px = wanted.clamp(MIN_PX, (panes.client_width() / 2).max(MIN_PX));
            // A style property, set through the object model: no inline style for a CSP to refuse.
            let _ = panes.style().set_property(name, &format!("{px}px"));
            width.set(Some(px));
        }
    };
    let onpointermove = {
        let resize = resize.clone();
        Callback::from(move |event: PointerEvent| {
            let Some(line) = event.target_dyn_into::<Element>() else { return };
            let Some(panes) = line.parent_element().filter(|_| event.buttons() == 1) else {
                return;
            };
            let bounds = panes.get_bounding_client_rect();
            #[expect(clippy::cast_possible_truncation, reason = "pixels")]
            let (left, right) = (bounds.left() as i32, bounds.right() as i32);
            let x = event.client_x();
            resize(if from_right { right - x } else { x - left });
        })
    };
    let onpointerdown = Callback::from(|event: PointerEvent| {
        if let Some(line) = event.target_dyn_into::<Element>() {
            let _ = line.set_pointer_capture(event.pointer_id());
        }
    });
    let onkeydown = {
        let line = line.clone();
        Callback::from(move |event: KeyboardEvent| {
            let wider = match event.key().as_str() {
                "ArrowRight" => !from_right,
                "ArrowLeft" => from_right,
                _ => return,
            };
            event.prevent_default();
            event.stop_propagation();
            let neighbour = line.cast::<Element>().and_then(|it| match from_right {
                true => it.next_element_sibling(),
                false => it.previous_element_sibling(),
            });
            let now = neighbour.map_or(MIN_PX, |it| it.client_width());
            resize(if wider { now + STEP_PX } else { now - STEP_PX });
        })
    };
    html! {
        <div
            ref={line}
            class={classes!("split", from_right.then_some("right"))}
            role="separator"
            tabindex="0"
            aria-orientation="vertical"
            aria-label={props.label}
            aria-valuenow={width.unwrap_or(360).to_string()}
            aria-valuemin={MIN_PX.to_string()}
            {onpointerdown}
            {onpointermove}
            {onkeydown}
        ></div>
    }
}
