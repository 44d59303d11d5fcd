//! On small screens: which pane has the space.

use yew::prelude::*;

use super::{Send, segment};
use crate::msg::Msg;
use crate::ui::Pane;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub pane: Pane,
    pub send: Send,
}

/// Edit, Cluster, Explain.
#[component]
pub fn PaneSwitch(props: &Props) -> Html {
    let item = |label, pane| segment(label, props.pane == pane, &props.send, Msg::Pane(pane));
    html! {
        <div class="seg switch" role="group" aria-label="Pane">
            { item("Edit", Pane::Edit) }
            { item("Cluster", Pane::Cluster) }
            { item("Explain", Pane::Explain) }
        </div>
    }
}
