//! The stage: cluster, tables of workloads, events.

use std::rc::Rc;

use ::view::{ObjectName, RunState, StatusCode};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::cells::Cells;
use super::cluster_map::{ClusterMap, Verdict, Verdicts};
use super::cluster_table::ClusterTable;
use super::events_table::EventsTable;
use super::icon::{Icon, icon};
use super::legend::Legend;
use super::pending_tray::PendingTray;
use super::workloads_table::WorkloadsTable;
use super::{Send, segment, tab};
use crate::app::Subject;
use crate::cluster::Cluster;
use crate::format;
use crate::msg::Msg;
use crate::shared::Shared;
use crate::ui::Stage;

/// More nodes than this are drawn as cells.
const MAX_CARDS: usize = 200;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub cluster: Shared<Cluster>,
    pub state: Shared<RunState>,
    pub subject: Shared<Subject>,
    pub stage: Stage,
    pub table: bool,
    pub filter: AttrValue,
    pub selected: Option<ObjectName>,
    pub reason: Option<String>,
    /// The picture is older than the text.
    pub stale: bool,
    /// The engine has answered once.
    pub loaded: bool,
    /// In an embed: where the whole page is.
    pub playground: Option<AttrValue>,
    pub title: AttrValue,
    pub send: Send,
}

/// The middle pane.
#[component]
pub fn StagePane(props: &Props) -> Html {
    let cluster = &props.cluster;
    let verdicts = use_memo(
        (props.subject.clone(), props.reason.clone(), cluster.clone()),
        |(subject, reason, cluster)| verdicts(subject, reason.as_deref(), cluster),
    );
    let body = match props.stage {
        Stage::Cluster => cluster_body(props, &verdicts),
        Stage::Workloads => html! {
            <WorkloadsTable cluster={cluster.clone()} state={props.state.clone()} selected={props.selected.clone()} send={props.send.clone()} />
        },
        Stage::Events => html! {
            <EventsTable cluster={cluster.clone()} send={props.send.clone()} />
        },
    };
    let flat = props.stage != Stage::Cluster || props.table;
    html! {
        <section class="pane stage" aria-label="Cluster" data-keys="" tabindex="-1">
            { head(props) }
            <div id="stage-body" class={classes!("stage-body", props.stale.then_some("stale"), flat.then_some("table"))}>
                if props.stale {
                    <p class="stale-note">{ "The text has errors: this is the cluster from before them." }</p>
                }
                { body }
            </div>
            if props.stage == Stage::Cluster {
                <Legend cluster={cluster.clone()} filter={props.filter.clone()} send={props.send.clone()} />
            }
        </section>
    }
}

fn head(props: &Props) -> Html {
    let (cluster, send) = (&props.cluster, &props.send);
    let label = |word: &'static str, n: usize| match n {
        0 => html! { { word } },
        n => html! { <>{ word }{ " " }<small>{ n }</small></> },
    };
    let item = |id: &'static str, html: Html, stage: Stage| {
        tab(id, html, props.stage == stage, "stage-body", send, Msg::Stage(stage))
    };
    if let Some(href) = &props.playground {
        return html! {
            <div class="ptitle">
                <h1 class="grow">{ &props.title }</h1>
                <a href={href.clone()} target="_blank" rel="noopener" data-testid="open-in-playground">
                    { "Open in playground " }{ icon(Icon::Open) }
                </a>
            </div>
        };
    }
    html! {
        <div class="ptitle">
            <div class="tabs" role="tablist" aria-label="Stage">
                { item("tab-cluster", html! { "Cluster" }, Stage::Cluster) }
                { item("tab-workloads", label("Workloads", cluster.workloads.len()), Stage::Workloads) }
                { item("tab-events", label("Events", cluster.events.len()), Stage::Events) }
            </div>
            if props.stage == Stage::Cluster {
                <span class="muted figures">
                    { format!("{} \u{b7} {}", format::count(cluster.nodes.len(), "node"), format::count(cluster.pods.len(), "pod")) }
                </span>
                <input data-testid="filter" aria-label="Filter nodes and pods" placeholder="Filter" value={props.filter.clone()} oninput={filter(send)} />
                <div class="seg" role="group" aria-label="Form">
                    { segment("Map", !props.table, send, Msg::Table(false)) }
                    { segment("Table", props.table, send, Msg::Table(true)) }
                </div>
            }
        </div>
    }
}

fn filter(send: &Send) -> Callback<InputEvent> {
    let send = send.clone();
    Callback::from(move |event: InputEvent| {
        if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
            send.emit(Msg::Filter(input.value()));
        }
    })
}

fn cluster_body(props: &Props, verdicts: &Rc<Verdicts>) -> Html {
    let (cluster, send) = (&props.cluster, &props.send);
    let selected = props.selected.clone();
    let tray = html! {
        <PendingTray pending={cluster.pending.clone()} n_pods={cluster.pods.len()} colors={cluster.colors.clone()} selected={selected.clone()} send={send.clone()} />
    };
    if !props.loaded {
        return html! {
            <div class="empty" role="status">
                <b>{ "Winding up the clockwork" }</b>
                <div class="shell-bar"></div>
            </div>
        };
    }
    let nodes = if cluster.nodes.is_empty() && cluster.by_node.is_empty() {
        html! {
            <div class="empty">
                <b>{ "No nodes yet" }</b>
                { "Step or play to start the clock, or add Node documents to the text." }
            </div>
        }
    } else if props.table {
        html! { <ClusterTable cluster={cluster.clone()} selected={selected} send={send.clone()} /> }
    } else if cluster.nodes.len() > MAX_CARDS {
        html! { <Cells cluster={cluster.clone()} verdicts={Rc::clone(verdicts)} selected={selected} send={send.clone()} /> }
    } else {
        html! {
            <ClusterMap cluster={cluster.clone()} verdicts={Rc::clone(verdicts)} filter={props.filter.clone()} selected={selected} send={send.clone()} />
        }
    };
    html! { <>{ tray }{ nodes }</> }
}

/// What each node answers to the selected pod, while that waits for a node.
fn verdicts(subject: &Subject, reason: Option<&str>, cluster: &Cluster) -> Verdicts {
    let mut verdicts = Verdicts::new();
    let pod = subject.object.as_ref().and_then(|it| cluster.pod(it));
    let (Some(pod), Some(diagnosis)) = (pod, &subject.diagnosis) else { return verdicts };
    if !pod.node.is_empty() {
        return verdicts;
    }
    for it in &diagnosis.verdicts {
        let ok = it.code == StatusCode::Success;
        let short = it.terms.first().map(|it| it.short.clone()).filter(|it| !it.is_empty());
        let why = short.unwrap_or_else(|| it.reasons.join(", "));
        let text = match &it.plugin {
            Some(plugin) => format!("{plugin}: {why}"),
            None if ok => "would fit".to_owned(),
            None => why,
        };
        let lit = reason.is_none_or(|reason| it.reasons.iter().any(|it| it == reason));
        verdicts.insert(it.node.clone(), Verdict { ok, text: text.into(), dim: !lit });
    }
    verdicts
}
