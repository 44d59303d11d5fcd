//! The right wing: what is selected, why it is so, its YAML, its events.

use ::view::{ObjectName, RunState};
use yew::prelude::*;

use super::explain_pod::ExplainPod;
use super::explain_workload::{explain_node, explain_workload};
use super::icon::{Icon, icon};
use super::object_yaml::ObjectYaml;
use super::workloads_table::status_class;
use super::{Send, object_link, on, tab};
use crate::app::Subject;
use crate::cluster::Cluster;
use crate::format;
use crate::msg::Msg;
use crate::shared::Shared;
use crate::ui::Tab;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub subject: Shared<Subject>,
    pub selected: Option<ObjectName>,
    pub cluster: Shared<Cluster>,
    pub state: Shared<RunState>,
    pub tab: Tab,
    pub scores: bool,
    pub reason: Option<String>,
    pub send: Send,
}

/// The pane.
#[component]
pub fn Inspector(props: &Props) -> Html {
    let Some(object) = &props.selected else {
        return html! {
            <section class="pane inspector" aria-label="Inspector" data-testid="inspector" data-keys="" tabindex="-1">
                <div class="empty">
                    <b>{ "Nothing selected" }</b>
                    { "Choose a pod, a node or a workload to see why it is as it is." }
                </div>
            </section>
        };
    };
    let send = &props.send;
    let events = props.cluster.events_of(Some(object));
    let item = |id: &'static str, html: Html, it: Tab| {
        tab(id, html, props.tab == it, "inspector-body", send, Msg::Tab(it))
    };
    let explain = if object.kind == "Pod" { "Explain" } else { "Overview" };
    html! {
        <section class="pane inspector" aria-label="Inspector" data-testid="inspector" data-keys="" tabindex="-1">
            { head(object, props) }
            <div class="tabs" role="tablist" aria-label="Inspector">
                { item("tab-explain", html! { { explain } }, Tab::Explain) }
                { item("tab-yaml", html! { "YAML" }, Tab::Yaml) }
                { item("tab-object-events", html! { <>{ "Events " }<small>{ events.len() }</small></> }, Tab::Events) }
            </div>
            <div class="ibody" id="inspector-body" tabindex="0" role="tabpanel" aria-label="Inspector">
                { match props.tab {
                    Tab::Explain => body(object, props),
                    Tab::Yaml => html! { <ObjectYaml subject={props.subject.clone()} /> },
                    Tab::Events if events.is_empty() => html! { <p class="muted">{ "No events about it." }</p> },
                    Tab::Events => html! { <ul class="evlist">{ for events.iter().map(|it| event(it)) }</ul> },
                } }
            </div>
        </section>
    }
}

fn head(object: &ObjectName, props: &Props) -> Html {
    let send = &props.send;
    let kind = match object.namespace.as_str() {
        "" => object.kind.clone(),
        namespace => format!("{} \u{b7} {namespace}", object.kind),
    };
    html! {
        <div class="phead">
            <div class="kind">
                <span class="grow">{ kind }</span>
                <button class="ghost square" aria-label="Clear selection" onclick={on(send, Msg::Select(None))}>
                    { icon(Icon::Close) }
                </button>
            </div>
            <h2>{ &object.name }{ " " }{ status(object, &props.cluster) }</h2>
            { chain(object, props) }
        </div>
    }
}

fn status(object: &ObjectName, cluster: &Cluster) -> Html {
    let word = match object.kind.as_str() {
        "Pod" => cluster.pod(object).map(|it| it.status.clone()),
        "Node" => cluster
            .nodes
            .get(&object.name)
            .map(|it| if it.ready { "Ready" } else { "Failed" }.to_owned()),
        _ => cluster.workloads.get(object).map(|it| it.status.clone()),
    };
    match word {
        Some(word) if !word.is_empty() => {
            html! { <span class={classes!("chip", status_class(&word))}>{ word }</span> }
        }
        None if !cluster.has(object) => html! { <span class="chip">{ "not there now" }</span> },
        _ => Html::default(),
    }
}

/// Top-most owner first, then down to the object; for pods also their node.
fn chain(object: &ObjectName, props: &Props) -> Html {
    let Some(pod) = props.cluster.pod(object) else { return Html::default() };
    let owners = pod.owners.iter().rev().enumerate().map(|(index, it)| {
        html! {
            <>
                if index > 0 {
                    { icon(Icon::Right) }
                }
                <span>{ &it.kind }</span>
                { object_link(it, &it.name, &props.send) }
            </>
        }
    });
    html! {
        <div class="chain">
            { for owners }
            if !pod.node.is_empty() {
                if !pod.owners.is_empty() {
                    <span>{ "\u{b7}" }</span>
                }
                <span>{ "on" }</span>
                { object_link(&crate::cluster::node_object(&pod.node), &pod.node, &props.send) }
            }
        </div>
    }
}

fn body(object: &ObjectName, props: &Props) -> Html {
    match object.kind.as_str() {
        "Pod" => html! {
            <ExplainPod
                pod={props.cluster.pod(object).cloned()}
                subject={props.subject.clone()}
                state={props.state.clone()}
                scores={props.scores}
                reason={props.reason.clone()}
                send={props.send.clone()}
            />
        },
        "Node" => match props.cluster.nodes.get(&object.name) {
            Some(node) => explain_node(node, &props.cluster, &props.send),
            None => html! { <p class="muted">{ "The node does not exist at this time." }</p> },
        },
        _ => match props.cluster.workloads.get(object) {
            Some(workload) => explain_workload(workload, &props.cluster, &props.state, &props.send),
            None => html! { <ObjectYaml subject={props.subject.clone()} /> },
        },
    }
}

fn event(it: &::view::EventRow) -> Html {
    let class = if it.level == "Warning" { "warn" } else { "" };
    let times = if it.count > 1 { format!(" \u{d7}{}", it.count) } else { String::new() };
    html! {
        <li key={it.key.clone()}>
            <span class="when">{ format::clock(it.at_ms) }</span>
            <span><span class={classes!("chip", class)}>{ &it.reason }</span><span class="muted">{ times }{ " " }{ &it.source }</span></span>
            <p>{ &it.message }</p>
        </li>
    }
}
