//! Many nodes: one cell each, filled by its fullest resource.

use std::rc::Rc;

use ::view::ObjectName;
use yew::prelude::*;

use super::cluster_map::Verdicts;
use super::{Send, on};
use crate::cluster::{Cluster, node_object};
use crate::format;
use crate::msg::Msg;
use crate::shared::Shared;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub cluster: Shared<Cluster>,
    pub verdicts: Rc<Verdicts>,
    pub selected: Option<ObjectName>,
    pub send: Send,
}

/// The grid of cells; a click shows the node in the inspector.
#[component]
pub fn Cells(props: &Props) -> Html {
    let cells = props.cluster.nodes.values().map(|node| {
        let used = node.amounts.iter().map(|it| format::percent(it.requested, it.allocatable));
        let used = used.max().unwrap_or_default();
        let verdict = props.verdicts.get(&node.name);
        let object = node_object(&node.name);
        let class = classes!(
            "cell",
            verdict.map(|it| if it.ok { "fits" } else { "no" }),
            (!node.ready).then_some("down"),
            (props.selected.as_ref() == Some(&object)).then_some("sel"),
        );
        let why = verdict.map(|it| format!(", {}", it.text)).unwrap_or_default();
        let label = format!("Node {}, {used} % used{why}", node.name);
        html! {
            <button
                key={node.name.clone()}
                {class}
                data-testid="node-card"
                data-node={node.name.clone()}
                style={format!("--u:{used}")}
                title={label.clone()}
                aria-label={label}
                onclick={on(&props.send, Msg::Select(Some(object)))}
            >
                <i></i>
            </button>
        }
    });
    html! { <div class="cells">{ for cells }</div> }
}
