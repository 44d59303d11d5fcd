//! One node: name, marks, bars, pods, and its answer to the selected pod.

use std::collections::BTreeMap;
use std::rc::Rc;

use ::view::{Amount, NodeCard, PodTile};
use yew::prelude::*;

use super::cluster_map::Verdict;
use super::icon::{Icon, icon};
use super::pod_tile::tile;
use super::{Send, color_class, on};
use crate::cluster::node_object;
use crate::format;
use crate::msg::Msg;
use crate::shared::Shared;
use crate::stranded::Stranded;

/// More pods than this are small squares without text.
const MAX_TILES: usize = 24;
/// More pods than this are only counted.
pub const MAX_SQUARES: usize = 120;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub node: Shared<NodeCard>,
    pub pods: Shared<Vec<Rc<PodTile>>>,
    pub colors: Shared<BTreeMap<String, usize>>,
    pub stranded: Stranded,
    pub verdict: Option<Verdict>,
    pub selected: bool,
    pub selected_pod: Option<AttrValue>,
    pub filter: AttrValue,
    pub send: Send,
}

/// The card.
#[component]
pub fn NodeBox(props: &Props) -> Html {
    let node = &props.node;
    let fits = props.verdict.as_ref().is_some_and(|it| it.ok);
    let filtered = !props.filter.is_empty()
        && !node.name.contains(props.filter.as_str())
        && !props.pods.iter().any(|it| it.name.contains(props.filter.as_str()));
    let class = classes!(
        "node",
        props.selected.then_some("sel"),
        fits.then_some("fits"),
        (!node.ready).then_some("down"),
        (filtered || props.verdict.as_ref().is_some_and(|it| it.dim)).then_some("dim"),
    );
    let taints = node.taints.iter().filter(|it| !is_told_by_chip(it, node));
    html! {
        <article {class} role="listitem" aria-label={format!("Node {}", node.name)} data-testid="node-card" data-node={node.name.clone()}>
            { head(props) }
            { for taints.map(|it| html! { <div class="taint">{ icon(Icon::Taint) }<span>{ it }</span></div> }) }
            if let Some(verdict) = &props.verdict {
                <div class={classes!("verdict", verdict.ok.then_some("yes"))}>
                    { icon(if verdict.ok { Icon::Check } else { Icon::Cross }) }<span>{ &verdict.text }</span>
                </div>
            }
            { for node.amounts.iter().filter(|it| is_shown(it)).map(|it| bar(it, props)) }
            { tiles(props) }
        </article>
    }
}

/// Taints that a chip of the head says already.
fn is_told_by_chip(taint: &str, node: &NodeCard) -> bool {
    node.cordoned && taint.starts_with("node.kubernetes.io/unschedulable")
        || !node.ready && taint.starts_with("node.kubernetes.io/not-ready")
        || !node.ready && taint.starts_with("node.kubernetes.io/unreachable")
}

fn is_shown(amount: &Amount) -> bool {
    matches!(amount.resource.as_str(), "cpu" | "memory")
        || (amount.allocatable > 0 && amount.resource.contains('/'))
        || (amount.resource == "ephemeral-storage" && amount.requested > 0)
}

fn head(props: &Props) -> Html {
    let node = &props.node;
    let select = on(&props.send, Msg::Select(Some(node_object(&node.name))));
    html! {
        <div class="nh">
            <button class="plain who" onclick={select} title={node.labels.join("\n")}>{ &node.name }</button>
            <span class="z">{ &node.zone }</span>
            <span class="grow"></span>
            if node.cordoned {
                <span class="chip warn">{ icon(Icon::Lock) }{ "cordoned" }</span>
            }
            if !node.ready {
                <span class="chip bad">{ icon(Icon::Off) }{ "not ready" }</span>
            }
            <span class="chip" title="Pods, and how many the node may have">{ format!("{}/{}", node.n_pods, node.max_pods) }</span>
        </div>
    }
}

/// Is the pod one whose requests the node still carries?
fn counts(pod: &PodTile) -> bool {
    !matches!(pod.phase.as_str(), "Succeeded" | "Failed")
}

fn width(part: i64, whole: i64) -> String {
    format!("width:{}", format::css_percent(format::milli_percent(part, whole)))
}

fn bar(amount: &Amount, props: &Props) -> Html {
    let of = |pod: &PodTile| match amount.resource.as_str() {
        "cpu" => pod.cpu,
        "memory" => pod.memory,
        _ => 0,
    };
    let known: i64 = props.pods.iter().filter(|it| counts(it)).map(|it| of(it)).sum();
    let segments = props.pods.iter().filter(|it| counts(it) && of(it) > 0).map(|pod| {
        let color = props.colors.get(&pod.workload).copied().unwrap_or(7);
        let style = width(of(pod), amount.allocatable);
        html! { <s key={pod.name.clone()} class={color_class(color)} {style}></s> }
    });
    let rest = (amount.requested - known).max(0);
    let stranded = match amount.resource.as_str() {
        "cpu" => props.stranded.cpu,
        "memory" => props.stranded.memory,
        _ => 0,
    };
    let label = format::share(&amount.resource, amount.requested, amount.allocatable);
    let spoken = format!("{} requested {label}", amount.resource);
    html! {
        <div key={amount.resource.clone()} class="resr">
            <span title={amount.resource.clone()}>{ format::resource(&amount.resource).to_owned() }</span>
            <div class="resb" role="img" aria-label={spoken}>
                { for segments }
                if rest > 0 {
                    <s class="w7" style={width(rest, amount.allocatable)}></s>
                }
                if stranded > 0 {
                    <s class="hatch" style={width(stranded, amount.allocatable)} title="Stranded: no known pod can use it"></s>
                }
            </div>
            <span class="num">{ label }</span>
        </div>
    }
}

fn tiles(props: &Props) -> Html {
    if props.pods.is_empty() {
        return Html::default();
    }
    let allocatable = |resource: &str| {
        let amount = props.node.amounts.iter().find(|it| it.resource == resource);
        amount.map_or(0, |it| it.allocatable)
    };
    let (cpu, memory) = (allocatable("cpu"), allocatable("memory"));
    let surplus = props.pods.len().saturating_sub(MAX_SQUARES);
    let dense = props.pods.len() > MAX_TILES;
    let draw = |pod: &Rc<PodTile>| {
        let share =
            format::milli_percent(pod.cpu, cpu).max(format::milli_percent(pod.memory, memory));
        let color = props.colors.get(&pod.workload).copied().unwrap_or(7);
        let selected = props.selected_pod.as_deref() == Some(&pod.name);
        let dim = !props.filter.is_empty() && !pod.name.contains(props.filter.as_str());
        tile(pod, color, share, selected, dim, &props.send)
    };
    html! {
        <div class={classes!("tiles", dense.then_some("dense"))}>
            { for props.pods.iter().take(MAX_SQUARES).map(draw) }
            if surplus > 0 {
                <span class="more">{ format!("+{surplus}") }</span>
            }
        </div>
    }
}
