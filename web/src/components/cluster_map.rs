//! The map: one card a node.

use std::collections::BTreeMap;
use std::rc::Rc;

use ::view::ObjectName;
use yew::prelude::*;

use super::Send;
use super::node_card::NodeBox;
use super::unknown_node::UnknownNode;
use crate::cluster::Cluster;
use crate::shared::Shared;
use crate::stranded;

/// A node's answer to the selected pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The pod fits.
    pub ok: bool,
    /// `NodeResourcesFit: short by 300m cpu`.
    pub text: AttrValue,
    /// Another reason is lit up.
    pub dim: bool,
}

/// By node name.
pub type Verdicts = BTreeMap<String, Verdict>;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub cluster: Shared<Cluster>,
    pub verdicts: Rc<Verdicts>,
    pub filter: AttrValue,
    pub selected: Option<ObjectName>,
    pub send: Send,
}

/// Cards in the order of zone and name; each is drawn again only when something on it changed.
#[component]
pub fn ClusterMap(props: &Props) -> Html {
    let empty = use_memo((), |()| Shared::new(Vec::new()));
    let cluster = &props.cluster;
    let shapes = stranded::shapes(cluster);
    let mut nodes: Vec<_> = cluster.nodes.values().collect();
    nodes.sort_by(|a, b| {
        let rank = |it: &::view::NodeCard| (!it.control_plane, it.zone.clone());
        rank(a).cmp(&rank(b)).then_with(|| natural(&a.name).cmp(&natural(&b.name)))
    });
    let selected = props.selected.as_ref();
    let selected_pod = selected.and_then(|it| cluster.pod(it));
    let cards = nodes.into_iter().map(|node| {
        let pods = cluster.by_node.get(&node.name).cloned().unwrap_or_else(|| (*empty).clone());
        let pod = selected_pod.filter(|it| it.node == node.name);
        html! {
            <NodeBox
                key={node.name.clone()}
                node={node.clone()}
                {pods}
                colors={cluster.colors.clone()}
                stranded={stranded::of_node(node, &shapes)}
                verdict={props.verdicts.get(&node.name).cloned()}
                selected={selected.is_some_and(|it| it.kind == "Node" && it.name == node.name)}
                selected_pod={pod.map(|it| AttrValue::from(it.name.clone()))}
                filter={props.filter.clone()}
                send={props.send.clone()}
            />
        }
    });
    let unknown = cluster.by_node.iter().filter(|(it, _)| !cluster.nodes.contains_key(*it));
    let unknown = unknown.map(|(name, pods)| {
        let pod = selected_pod.filter(|it| it.node == *name);
        html! {
            <UnknownNode
                key={name.clone()}
                name={AttrValue::from(name.clone())}
                pods={pods.clone()}
                colors={cluster.colors.clone()}
                selected_pod={pod.map(|it| AttrValue::from(it.name.clone()))}
                filter={props.filter.clone()}
                send={props.send.clone()}
            />
        }
    });
    html! {
        <div class="zones" role="list" aria-label="Nodes">{ for cards }{ for unknown }</div>
    }
}

/// `node-10` comes after `node-9`: the digits at the end count as a number.
fn natural(name: &str) -> (&str, u64) {
    let stem = name.trim_end_matches(|it: char| it.is_ascii_digit());
    (stem, name.get(stem.len()..).and_then(|it| it.parse().ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_the_end_of_names_count() {
        let mut names = ["n10", "n9", "m1", "n"];
        names.sort_by_key(|it| natural(it));
        assert_eq!(names, ["m1", "n", "n9", "n10"]);
    }
}
