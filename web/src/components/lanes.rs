//! The time line: an axis with marks, and a row for each workload.

use std::collections::BTreeMap;

use ::view::{Lane, Mark, MarkKind, ObjectName, Outcome, RunState};
use yew::prelude::*;

use super::{Send, color_class, on};
use crate::format::{self, css_percent};
use crate::msg::Msg;
use crate::shared::Shared;
use crate::timeline::{self, BarShape};

/// More marks than this are thinned out.
const MAX_MARKS: usize = 200;
/// Height of the bars of a lane together, in tenths of pixels.
const BARS: usize = 190;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub lanes: Shared<Vec<Lane>>,
    pub marks: Shared<Vec<Mark>>,
    pub state: Shared<RunState>,
    /// Length of the axis.
    pub window: i64,
    pub colors: Shared<BTreeMap<String, usize>>,
    pub send: Send,
}

/// Axis and rows.
#[component]
pub fn Lanes(props: &Props) -> Html {
    let window = props.window;
    let ticks = timeline::ticks(window);
    let has_something = |it: &&Lane| !it.spans.is_empty() || !it.expected_ms.is_empty();
    let lanes: Vec<&Lane> = props.lanes.iter().filter(has_something).collect();
    html! {
        <div data-testid="lanes">
            <div class="track">
                <span class="muted n-lanes">{ lanes_title(lanes.len()) }</span>
                <svg class="axis" role="img" aria-label="Time line with marks">
                    { for ticks.iter().map(|it| tick(*it, window)) }
                    { for marks(&props.marks, window) }
                </svg>
            </div>
            <div class="rows" role="list" aria-label="Lanes" tabindex="0">
                { for lanes.iter().map(|it| lane(it, &ticks, window, props)) }
            </div>
        </div>
    }
}

fn lanes_title(n: usize) -> String {
    if n == 0 { String::new() } else { format::count(n, "lane") }
}

fn tick(ms: i64, window: i64) -> Html {
    let x = css_percent(timeline::at(ms, window));
    html! {
        <g key={ms}>
            <line x1={x.clone()} x2={x.clone()} y1="2" y2="30" stroke="var(--line-soft)" />
            <text x={x} dx="4" y="11">{ format::short_time(ms) }</text>
        </g>
    }
}

/// One small tick for each interesting moment; bad ones reach higher and are red.
fn marks(marks: &[Mark], window: i64) -> Vec<Html> {
    let every = marks.len() / MAX_MARKS + 1;
    let bad =
        |kind| matches!(kind, MarkKind::Unschedulable | MarkKind::JobFailed | MarkKind::PodFailed);
    marks
        .iter()
        .enumerate()
        .filter(|(index, it)| index % every == 0 || it.kind == MarkKind::Step)
        .map(|(index, it)| {
            let x = css_percent(timeline::at(it.at_ms, window));
            let (top, color) = match it.kind {
                MarkKind::Step => ("16", "var(--brass)"),
                kind if bad(kind) => ("20", "var(--bad)"),
                MarkKind::JobDone => ("22", "var(--ok)"),
                _ => ("24", "var(--faint)"),
            };
            html! { <line key={format!("m{index}")} x1={x.clone()} x2={x} y1={top} y2="30" stroke={color} stroke-width="1.5"><title>{ format!("{} {}", format::clock(it.at_ms), it.text) }</title></line> }
        })
        .collect()
}

fn lane(lane: &Lane, ticks: &[i64], window: i64, props: &Props) -> Html {
    let state = &props.state;
    let color = props.colors.get(&lane.workload).copied().unwrap_or(7);
    let (bars, n_rows) = timeline::bars(lane, state.now_ms, state.horizon_ms, window);
    let select = on(&props.send, Msg::Select(Some(lane.object.clone())));
    let n_runs = lane.spans.len();
    let spoken =
        format!("{} {}: {}", lane.object.kind, lane.object.name, format::count(n_runs, "run"));
    html! {
        <div class={classes!("lane", color_class(color))} role="listitem" key={format!("{}/{}/{}", lane.object.kind, lane.object.namespace, lane.object.name)}>
            <button class="plain" onclick={select} title={spoken.clone()}>
                <small>{ short_kind(&lane.object.kind) }</small>{ " " }{ &lane.object.name }
            </button>
            <svg role="img" aria-label={spoken}>
                { for ticks.iter().map(|it| grid(*it, window)) }
                { for bars.iter().map(|it| bar(it, n_rows, lane, &props.send)) }
                { for lane.expected_ms.iter().filter(|it| **it <= window).map(|it| fire(*it, state.now_ms, window)) }
            </svg>
        </div>
    }
}

fn short_kind(kind: &str) -> &str {
    match kind {
        "Deployment" => "deploy",
        "StatefulSet" => "sts",
        "DaemonSet" => "daemon",
        "CronJob" => "cron",
        "ReplicaSet" => "rs",
        "Job" => "job",
        "Node" => "node",
        "Pod" => "pod",
        other => other,
    }
}

fn grid(ms: i64, window: i64) -> Html {
    let x = css_percent(timeline::at(ms, window));
    html! { <line class="grid" x1={x.clone()} x2={x} y1="0" y2="24" /> }
}

fn bar(it: &BarShape, n_rows: usize, lane: &Lane, send: &Send) -> Html {
    let (height, top) = (BARS / n_rows, it.row * BARS / n_rows + 25);
    let tenths = |it: usize| format!("{}.{}", it / 10, it % 10);
    let (fill, stroke) = match it.outcome {
        Outcome::Failed => ("var(--bad-bg)", "var(--bad)"),
        Outcome::Deleted => ("var(--sunk)", "var(--c)"),
        Outcome::Running | Outcome::Succeeded => ("var(--c)", "none"),
    };
    let word = match it.outcome {
        Outcome::Running => "running",
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Deleted => "deleted",
    };
    let title = match it.n_runs {
        1 => format!(
            "{} {}: {word}, from {}",
            it.object.kind,
            it.object.name,
            format::clock(it.start_ms)
        ),
        n => format!("{n} runs {word}, from {}", format::clock(it.start_ms)),
    };
    let select = on(send, Msg::Select(Some(it.object.clone())));
    let text =
        (n_rows == 1 && it.width > 5000 && fill == "var(--c)").then(|| tail(&it.object, lane));
    html! {
        <g key={format!("{}{}", it.object.name, it.start_ms)}>
            <rect
                class={classes!("bar", it.ahead.then_some("ahead"))}
                x={css_percent(it.x)}
                width={css_percent(it.width)}
                y={tenths(top)}
                height={tenths(height - 10)}
                rx="2.5"
                {fill}
                {stroke}
                onclick={select}
            >
                <title>{ title }</title>
            </rect>
            if let Some(text) = text {
                <text x={css_percent(it.x)} dx="5" y="15.500">{ text }</text>
            }
        </g>
    }
}

/// What tells a run from the others of its lane.
fn tail(object: &ObjectName, lane: &Lane) -> String {
    let rest = object.name.strip_prefix(&lane.object.name).unwrap_or(&object.name);
    rest.trim_start_matches('-').to_owned()
}

fn fire(ms: i64, now_ms: i64, window: i64) -> Html {
    let fill = if ms <= now_ms { "var(--brass)" } else { "var(--panel)" };
    html! {
        <circle key={format!("f{ms}")} cx={css_percent(timeline::at(ms, window))} cy="12" r="4.5" {fill} stroke="var(--brass)" stroke-width="1.5">
            <title>{ format!("expected at {}", format::clock(ms)) }</title>
        </circle>
    }
}
