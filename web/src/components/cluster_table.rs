//! The map as a table: to read aloud, to copy, to compare.

use ::view::{NodeCard, ObjectName};
use yew::prelude::*;

use super::{Send, object_link};
use crate::cluster::{Cluster, node_object, pod_object};
use crate::format;
use crate::shared::Shared;

/// Tables end here; the filter narrows them.
const MAX_ROWS: usize = 500;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub cluster: Shared<Cluster>,
    pub selected: Option<ObjectName>,
    pub send: Send,
}

/// Nodes, then pods.
#[component]
pub fn ClusterTable(props: &Props) -> Html {
    let cluster = &props.cluster;
    html! {
        <div class="tablewrap" data-testid="cluster-table">
            <h2 id="nodes-title">{ "Nodes" }</h2>
            <table class="list" aria-labelledby="nodes-title">
                <thead>
                    <tr>
                        <th scope="col">{ "name" }</th>
                        <th scope="col">{ "zone" }</th>
                        <th scope="col">{ "state" }</th>
                        <th scope="col" class="num">{ "cpu" }</th>
                        <th scope="col" class="num">{ "memory" }</th>
                        <th scope="col" class="num">{ "pods" }</th>
                        <th scope="col" class="opt">{ "taints" }</th>
                    </tr>
                </thead>
                <tbody>{ for cluster.nodes.values().take(MAX_ROWS).map(|it| node_row(it, props)) }</tbody>
            </table>
            <h2 id="pods-title">{ "Pods" }</h2>
            <table class="list" aria-labelledby="pods-title">
                <thead>
                    <tr>
                        <th scope="col">{ "name" }</th>
                        <th scope="col">{ "status" }</th>
                        <th scope="col">{ "node" }</th>
                        <th scope="col" class="num">{ "cpu" }</th>
                        <th scope="col" class="num">{ "memory" }</th>
                        <th scope="col" class="opt">{ "owner" }</th>
                    </tr>
                </thead>
                <tbody>{ for cluster.pods.values().take(MAX_ROWS).map(|it| pod_row(it, props)) }</tbody>
            </table>
        </div>
    }
}

fn node_row(node: &NodeCard, props: &Props) -> Html {
    let object = node_object(&node.name);
    let state = match (node.ready, node.cordoned) {
        (true, false) => "Ready",
        (true, true) => "Ready, cordoned",
        (false, false) => "NotReady",
        (false, true) => "NotReady, cordoned",
    };
    let amount = |resource: &str| {
        let it = node.amounts.iter().find(|it| it.resource == resource);
        it.map(|it| format::share(resource, it.requested, it.allocatable)).unwrap_or_default()
    };
    html! {
        <tr key={node.name.clone()} aria-selected={(props.selected.as_ref() == Some(&object)).to_string()}>
            <td class="name">{ object_link(&object, &node.name, &props.send) }</td>
            <td>{ &node.zone }</td>
            <td>{ state }</td>
            <td class="num">{ amount("cpu") }</td>
            <td class="num">{ amount("memory") }</td>
            <td class="num">{ format!("{} / {}", node.n_pods, node.max_pods) }</td>
            <td class="opt mono">{ node.taints.join(", ") }</td>
        </tr>
    }
}

fn pod_row(pod: &::view::PodTile, props: &Props) -> Html {
    let object = pod_object(pod);
    let owner = pod.owners.first().map(|it| object_link(it, &it.name, &props.send));
    html! {
        <tr key={pod.name.clone()} aria-selected={(props.selected.as_ref() == Some(&object)).to_string()}>
            <td class="name">{ object_link(&object, &pod.name, &props.send) }</td>
            <td>{ &pod.status }</td>
            <td>{ &pod.node }</td>
            <td class="num">{ format::cpu(pod.cpu) }</td>
            <td class="num">{ format::bytes(pod.memory) }</td>
            <td class="opt">{ owner.unwrap_or_default() }</td>
        </tr>
    }
}
