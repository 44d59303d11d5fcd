//! Overviews of workloads and nodes.

use ::view::{NodeCard, RunState, Workload, WorkloadDetail};
use yew::prelude::*;

use super::{Send, color_class, on};
use crate::cluster::{Cluster, node_object, pod_object};
use crate::format;
use crate::msg::Msg;

/// So many indexes are drawn as boxes.
const MAX_INDEXES: i32 = 100;

/// Figures by kind, then the pods.
pub fn explain_workload(it: &Workload, cluster: &Cluster, state: &RunState, send: &Send) -> Html {
    let facts = match &it.detail {
        WorkloadDetail::Replicas { desired, current, ready, updated } => facts(&[
            ("wanted", desired.to_string()),
            ("there", current.to_string()),
            ("ready", ready.to_string()),
            ("of the newest template", updated.to_string()),
        ]),
        WorkloadDetail::DaemonSet { desired, current, ready, updated, misscheduled } => facts(&[
            ("nodes that should run it", desired.to_string()),
            ("nodes that run it", current.to_string()),
            ("ready", ready.to_string()),
            ("of the newest template", updated.to_string()),
            ("on nodes that should not", misscheduled.to_string()),
        ]),
        WorkloadDetail::Job { .. } => job(it, state),
        WorkloadDetail::CronJob { .. } => cron_job(&it.detail, state),
    };
    html! { <>{ facts }{ pods(&it.object, cluster, send) }</> }
}

fn facts(rows: &[(&'static str, String)]) -> Html {
    let row = |(name, value): &(&'static str, String)| html! { <><dt>{ *name }</dt><dd>{ value.clone() }</dd></> };
    html! { <dl class="facts">{ for rows.iter().map(row) }</dl> }
}

fn job(it: &Workload, state: &RunState) -> Html {
    let WorkloadDetail::Job {
        completions,
        parallelism,
        active,
        succeeded,
        failed,
        completed_indexes,
        finished_ms,
    } = &it.detail
    else {
        return Html::default();
    };
    let wanted = completions
        .map_or_else(|| "work queue: until one succeeds".to_owned(), |it| it.to_string());
    let took = finished_ms.unwrap_or(state.now_ms) - it.created_ms;
    let end = finished_ms.map_or_else(|| "not yet".to_owned(), format::clock);
    let boxes = completions
        .filter(|_| !completed_indexes.is_empty())
        .map(|n| indexes(n, completed_indexes));
    html! {
        <>
            { facts(&[
                ("completions", wanted),
                ("succeeded", succeeded.to_string()),
                ("failed", failed.to_string()),
                ("active", format!("{active} of at most {parallelism}")),
                ("started", format::clock(it.created_ms)),
                ("finished", end),
                ("took", format::duration(took.max(0))),
            ]) }
            { boxes.unwrap_or_default() }
        </>
    }
}

fn indexes(n: i32, completed: &str) -> Html {
    let cell = |index: i32| {
        let done = contains(completed, index);
        let spoken = if done { "completed" } else { "open" };
        html! { <i key={index} class={done.then_some("done")} title={format!("index {index}: {spoken}")}>{ index }</i> }
    };
    html! {
        <>
            <h3>{ "Indexes " }<span class="muted">{ completed.to_owned() }</span></h3>
            <div class="indexes">{ for (0..n.min(MAX_INDEXES)).map(cell) }</div>
        </>
    }
}

/// Is an index in a list such as `0-2,4`?
fn contains(list: &str, index: i32) -> bool {
    list.split(',').any(|it| {
        let (from, to) = it.split_once('-').unwrap_or((it, it));
        let bounds = (from.trim().parse::<i32>(), to.trim().parse::<i32>());
        matches!(bounds, (Ok(from), Ok(to)) if (from..=to).contains(&index))
    })
}

fn cron_job(detail: &WorkloadDetail, state: &RunState) -> Html {
    let WorkloadDetail::CronJob { schedule, time_zone, suspended, active, last_ms, next_ms } =
        detail
    else {
        return Html::default();
    };
    let zone = if time_zone.is_empty() { "UTC" } else { time_zone };
    let next = |ms: &i64| {
        html! {
            <li key={*ms}>
                <span class="mono">{ format::clock(*ms) }</span>
                <span class="muted">{ format::date(state.start_unix_ms + ms) }</span>
            </li>
        }
    };
    html! {
        <>
            { facts(&[
                ("schedule", schedule.clone()),
                ("time zone", zone.to_owned()),
                ("suspended", if *suspended { "yes" } else { "no" }.to_owned()),
                ("running now", active.to_string()),
                ("last run", last_ms.map_or_else(|| "never".to_owned(), format::clock)),
            ]) }
            <h3>{ "Next runs" }</h3>
            <ul class="next5">{ for next_ms.iter().map(next) }</ul>
        </>
    }
}

fn pods(object: &::view::ObjectName, cluster: &Cluster, send: &Send) -> Html {
    let pods = cluster.pods_of(object);
    if pods.is_empty() {
        return Html::default();
    }
    let pod = |it: &std::rc::Rc<::view::PodTile>| {
        let color = color_class(cluster.color(&it.workload));
        let select = on(send, Msg::Select(Some(pod_object(it))));
        html! { <button key={it.name.clone()} class={classes!("pod", color)} title={it.status.clone()} onclick={select}>{ &it.name }</button> }
    };
    html! {
        <>
            <h3>{ "Pods " }<span class="muted">{ pods.len() }</span></h3>
            <div class="podlist">{ for pods.iter().take(60).map(pod) }</div>
        </>
    }
}

/// What a node offers and carries.
pub fn explain_node(node: &NodeCard, cluster: &Cluster, send: &Send) -> Html {
    let amount = |it: &::view::Amount| {
        html! {
            <>
                <dt>{ &it.resource }</dt>
                <dd>{ format!("{} ({} %)", format::share(&it.resource, it.requested, it.allocatable), format::percent(it.requested, it.allocatable)) }</dd>
            </>
        }
    };
    let list = |title: &'static str, items: &[String]| {
        if items.is_empty() {
            return Html::default();
        }
        html! { <><h3>{ title }</h3><ul class="mono muted">{ for items.iter().map(|it| html! { <li>{ it }</li> }) }</ul></> }
    };
    html! {
        <>
            <dl class="facts">{ for node.amounts.iter().map(amount) }</dl>
            { list("Taints", &node.taints) }
            { list("Labels", &node.labels) }
            { pods(&node_object(&node.name), cluster, send) }
        </>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completed_indexes_are_read_as_ranges() {
        let done: Vec<_> = (0..7).filter(|it| contains("0-2,4, 6", *it)).collect();
        assert_eq!(done, [0, 1, 2, 4, 6]);
        assert!(!contains("", 0));
    }
}
