//! Tables of workloads by kind: what each asks, what it has, when it runs.

use std::rc::Rc;

use ::view::{ObjectName, RunState, Workload, WorkloadDetail};
use yew::prelude::*;

use super::{Send, color_class, object_link};
use crate::cluster::Cluster;
use crate::format;
use crate::shared::Shared;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub cluster: Shared<Cluster>,
    pub state: Shared<RunState>,
    pub selected: Option<ObjectName>,
    pub send: Send,
}

/// Kinds in the order in which one looks for them.
const KINDS: [(&str, &str); 6] = [
    ("Deployment", "Deployments"),
    ("StatefulSet", "Stateful sets"),
    ("DaemonSet", "Daemon sets"),
    ("CronJob", "Cron jobs"),
    ("Job", "Jobs"),
    ("ReplicaSet", "Replica sets"),
];

/// One table a kind.
#[component]
pub fn WorkloadsTable(props: &Props) -> Html {
    let workloads = &props.cluster.workloads;
    if workloads.is_empty() {
        return html! { <div class="empty"><b>{ "No workloads yet" }</b>{ "Step or play, or write a Job, CronJob, DaemonSet or Deployment." }</div> };
    }
    let table = |(kind, title): &(&str, &'static str)| {
        let rows: Vec<_> = workloads.values().filter(|it| it.object.kind == *kind).collect();
        if rows.is_empty() { Html::default() } else { table(kind, title, &rows, props) }
    };
    html! { <div class="tablewrap" data-testid="workloads-table">{ for KINDS.iter().map(table) }</div> }
}

fn columns(kind: &str) -> &'static [&'static str] {
    match kind {
        "Job" => &["completions", "active", "failed", "started", "took"],
        "CronJob" => &["schedule", "active", "last run", "next run"],
        "DaemonSet" => &["nodes", "current", "ready", "up to date"],
        _ => &["ready", "current", "up to date"],
    }
}

fn table(kind: &str, title: &'static str, rows: &[&Rc<Workload>], props: &Props) -> Html {
    let id = format!("table-{kind}");
    let number = |it: &&'static str| html! { <th scope="col" class={(*it != "schedule").then_some("num")}>{ *it }</th> };
    html! {
        <>
            <h2 id={id.clone()}>{ title }{ " " }<span class="muted">{ rows.len() }</span></h2>
            <table class="list" aria-labelledby={id}>
                <thead>
                    <tr>
                        <th scope="col">{ "name" }</th>
                        <th scope="col">{ "status" }</th>
                        { for columns(kind).iter().map(number) }
                    </tr>
                </thead>
                <tbody>{ for rows.iter().map(|it| row(it, props)) }</tbody>
            </table>
        </>
    }
}

fn row(it: &Workload, props: &Props) -> Html {
    let color = color_class(props.cluster.color(&it.workload));
    let selected = props.selected.as_ref() == Some(&it.object);
    html! {
        <tr key={format!("{}/{}", it.object.namespace, it.object.name)} aria-selected={selected.to_string()} data-kind={it.object.kind.clone()} data-name={it.object.name.clone()}>
            <td class="name">
                <span class="row"><i class={classes!("sw", color)}></i>{ object_link(&it.object, &it.object.name, &props.send) }</span>
            </td>
            <td><span class={classes!("chip", status_class(&it.status))}>{ &it.status }</span></td>
            { cells(it, &props.state, color) }
        </tr>
    }
}

/// The colour of a status word; the word itself says it too.
#[must_use]
pub fn status_class(status: &str) -> &'static str {
    match status {
        "Complete" | "Running" | "Available" | "Ready" | "Active" | "Scheduled" => "ok",
        "Failed" | "Error" | "CrashLoopBackOff" | "Evicted" => "bad",
        "Pending" | "Suspended" | "Progressing" | "FailureTarget" | "ContainerCreating" => "warn",
        _ => "",
    }
}

fn cells(it: &Workload, state: &RunState, color: &'static str) -> Html {
    let number = |text: String| html! { <td class="num">{ text }</td> };
    match &it.detail {
        WorkloadDetail::Replicas { desired, current, ready, updated } => html! {
            <>{ figure(*ready, *desired, color) }{ number(current.to_string()) }{ number(updated.to_string()) }</>
        },
        WorkloadDetail::DaemonSet { desired, current, ready, updated, .. } => html! {
            <>{ number(desired.to_string()) }{ number(current.to_string()) }{ figure(*ready, *desired, color) }{ number(updated.to_string()) }</>
        },
        WorkloadDetail::Job {
            completions,
            parallelism,
            active,
            succeeded,
            failed,
            finished_ms,
            ..
        } => {
            let took = finished_ms.unwrap_or(state.now_ms) - it.created_ms;
            let done = match completions {
                Some(completions) => figure(*succeeded, *completions, color),
                None => number(format!("{succeeded} / 1 of {parallelism}")),
            };
            html! {
                <>
                    { done }
                    { number(format!("{active} / {parallelism}")) }
                    { number(failed.to_string()) }
                    { number(format::clock(it.created_ms)) }
                    { number(format::duration(took.max(0))) }
                </>
            }
        }
        WorkloadDetail::CronJob { schedule, time_zone, suspended, active, last_ms, next_ms } => {
            let at = |ms: Option<i64>| ms.map_or_else(|| "\u{2013}".to_owned(), format::clock);
            let next = next_ms.iter().copied().find(|it| *it > state.now_ms);
            html! {
                <>
                    <td><code>{ schedule }</code>{ " " }<span class="muted">{ time_zone }</span></td>
                    { number(active.to_string()) }
                    { number(at(*last_ms)) }
                    { number(if *suspended { "suspended".to_owned() } else { at(next) }) }
                </>
            }
        }
    }
}

/// `3 / 5` with a small bar.
fn figure(part: i32, whole: i32, color: &'static str) -> Html {
    let per_cent = format::percent(i64::from(part), i64::from(whole)).min(100);
    html! {
        <td class="num">
            <span class={classes!("figure", color)}>
                { format!("{part} / {whole}") }
                <span class="meter" aria-hidden="true"><i style={format!("width:{per_cent}%")}></i></span>
            </span>
        </td>
    }
}
