//! Which colour is which workload, what the forms mean, and the totals.

use yew::prelude::*;

use super::{Send, color_class, on};
use crate::cluster::Cluster;
use crate::format;
use crate::msg::Msg;
use crate::shared::Shared;
use crate::stranded;

/// More workloads than this are left to the table.
const MAX_NAMES: usize = 10;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub cluster: Shared<Cluster>,
    pub filter: AttrValue,
    pub send: Send,
}

/// The line under the map. A click on a name filters by it.
#[component]
pub fn Legend(props: &Props) -> Html {
    let cluster = &props.cluster;
    let present = |workload: &str| {
        cluster.pods.values().any(|it| it.workload == workload)
            || cluster.workloads.values().any(|it| it.workload == workload)
    };
    let mut names: Vec<_> = cluster.colors.iter().filter(|it| present(it.0)).collect();
    names.sort_by_key(|it| *it.1);
    let stranded = stranded::total(cluster, &stranded::shapes(cluster));
    let has = |what: fn(&::view::PodTile) -> bool| cluster.pods.values().any(|it| what(it));
    let (cpu, memory) = (cluster.total("cpu"), cluster.total("memory"));
    html! {
        <div class="legend" data-testid="legend">
            { for names.iter().take(MAX_NAMES).map(|(workload, color)| name(workload, **color, props)) }
            if has(|it| it.is_static) {
                <span><i class="sw w7"></i>{ "static" }</span>
            }
            if stranded.cpu > 0 || stranded.memory > 0 {
                <span><i class="sw hatch"></i>{ "stranded " }<b>{ stranded_text(stranded) }</b></span>
            }
            <span class="grow"></span>
            <span>
                { "cpu " }<b>{ format!("{} %", format::percent(cpu.0, cpu.1)) }</b>
                { " \u{b7} memory " }<b>{ format!("{} %", format::percent(memory.0, memory.1)) }</b>
            </span>
        </div>
    }
}

fn name(workload: &str, color: usize, props: &Props) -> Html {
    let short = workload.split('/').next_back().unwrap_or(workload).to_owned();
    let pressed = props.filter == short;
    let filter = if pressed { String::new() } else { short.clone() };
    html! {
        <button key={workload.to_owned()} class="plain" title={workload.to_owned()} aria-pressed={pressed.to_string()} onclick={on(&props.send, Msg::Filter(filter))}>
            <i class={classes!("sw", color_class(color))}></i>{ short }
        </button>
    }
}

fn stranded_text(it: stranded::Stranded) -> String {
    match (it.cpu, it.memory) {
        (cpu, 0) => format!("{} cpu", format::cpu(cpu)),
        (0, memory) => format::bytes(memory),
        (cpu, memory) => format!("{} cpu, {}", format::cpu(cpu), format::bytes(memory)),
    }
}
