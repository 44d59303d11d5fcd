//! Pods whose node has no object: it was deleted, or there never was one of that name.

use std::collections::BTreeMap;
use std::rc::Rc;

use ::view::PodTile;
use yew::prelude::*;

use super::Send;
use super::icon::{Icon, icon};
use super::node_card::MAX_SQUARES;
use super::pod_tile::tile;
use crate::shared::Shared;

#[derive(PartialEq, Properties)]
pub struct Props {
    /// The name that the pods bear.
    pub name: AttrValue,
    pub pods: Shared<Vec<Rc<PodTile>>>,
    pub colors: Shared<BTreeMap<String, usize>>,
    pub selected_pod: Option<AttrValue>,
    pub filter: AttrValue,
    pub send: Send,
}

/// A card without bars: nobody knows what there is room for.
#[component]
pub fn UnknownNode(props: &Props) -> Html {
    let fits = |text: &str| text.contains(props.filter.as_str());
    let dim = !fits(&props.name) && !props.pods.iter().any(|it| fits(&it.name));
    let draw = |pod: &Rc<PodTile>| {
        let color = props.colors.get(&pod.workload).copied().unwrap_or(7);
        let selected = props.selected_pod.as_deref() == Some(&pod.name);
        tile(pod, color, 0, selected, !fits(&pod.name), &props.send)
    };
    html! {
        <article
            class={classes!("node", "unknown", dim.then_some("dim"))}
            role="listitem"
            aria-label={format!("No node {}", props.name)}
            data-testid="unknown-node"
        >
            <div class="nh">
                <span class="who">{ &props.name }</span>
                <span class="grow"></span>
                <span class="chip warn" title="The pod garbage collector removes its pods within about a minute">
                    { icon(Icon::Off) }{ "no such Node" }
                </span>
            </div>
            <div class="tiles">{ for props.pods.iter().take(MAX_SQUARES).map(draw) }</div>
        </article>
    }
}
