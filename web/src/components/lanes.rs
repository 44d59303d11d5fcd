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
    let more = unlisted_words(lane).map(|it| format!(", {it}")).unwrap_or_default();
    let spoken = format!(
        "{} {}: {}{more}",
        lane.object.kind,
        lane.object.name,
        format::count(n_runs, "run")
    );
    html! {
        <div class={classes!("lane", color_class(color))} role="listitem" key={format!("{}/{}/{}", lane.object.kind, lane.object.namespace, lane.object.name)}>
            <button class="plain" onclick={select} title={spoken.clone()}>
                <small>{ short_kind(&lane.object.kind) }</small>{ " " }{ &lane.object.name }
            </button>
            <svg role="img" aria-label={spoken}>
                { for ticks.iter().map(|it| grid(*it, window)) }
                { for timeline::unlisted(lane, state.now_ms).map(|it| unlisted(it, lane, window)) }
                { for bars.iter().map(|it| bar(it, n_rows, lane, &props.send)) }
                { for timeline::coming(lane, state.now_ms, window).into_iter().map(|it| ring(it, window)) }
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
    let (fill, stroke, ink) = match it.outcome {
        Outcome::Failed => ("var(--bad-bg)", "var(--bad)", "var(--bad)"),
        Outcome::Deleted => ("var(--sunk)", "var(--c)", "var(--ink)"),
        Outcome::Running | Outcome::Succeeded => ("var(--c)", "none", "var(--on-w)"),
    };
    // Runs that lie too close together to be told apart are no single long run.
    let (fill, stroke, ink) = match (it.n_runs, it.outcome) {
        (1, _) => (fill, stroke, ink),
        (_, Outcome::Failed) => ("var(--bad)", "none", "var(--ink)"),
        _ => (fill, "none", "var(--ink)"),
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
    let text = (n_rows == 1 && it.width > 5000).then(|| match it.n_runs {
        1 => tail(&it.object, lane),
        n => format::count(n, "run"),
    });
    html! {
        <g key={format!("{}{}", it.object.name, it.start_ms)}>
            <rect
                class={classes!("bar", it.ahead.then_some("ahead"), (it.n_runs > 1).then_some("many"))}
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
                <text x={css_percent(it.x)} dx="5" y="15.500" style={format!("fill:{ink}")}>{ text }</text>
            }
        </g>
    }
}

/// What tells a run from the others of its lane.
fn tail(object: &ObjectName, lane: &Lane) -> String {
    let rest = object.name.strip_prefix(&lane.object.name).unwrap_or(&object.name);
    rest.trim_start_matches('-').to_owned()
}

/// What there is to say of runs that are not listed.
fn unlisted_words(lane: &Lane) -> Option<String> {
    lane.dropped_from_ms?;
    Some(match lane.n_dropped {
        0 => "earlier runs are no longer kept".to_owned(),
        n => {
            let n = usize::try_from(n).unwrap_or(usize::MAX);
            format!("{}, not listed", format::count(n, "earlier run"))
        }
    })
}

/// The stretch of a lane whose runs are not listed.
fn unlisted((from, to): (i64, i64), lane: &Lane, window: i64) -> Html {
    let x = timeline::at(from, window);
    let width = timeline::at(to, window) - x;
    let words = unlisted_words(lane).unwrap_or_default();
    html! {
        <g key="unlisted">
            <rect class="unlisted" x={css_percent(x)} width={css_percent(width)} y="2.500" height="18" rx="2.5">
                <title>{ words.clone() }</title>
            </rect>
            if width > 18_000 {
                <text x={css_percent(x)} dx="5" y="15.500" class="unlisted">{ words }</text>
            }
        </g>
    }
}

/// A coming run, or several that lie close together.
fn ring((ms, n_more): (i64, usize), window: i64) -> Html {
    let title = match n_more {
        0 => format!("expected at {}", format::clock(ms)),
        n => {
            format!("expected at {} and {} soon after", format::clock(ms), format::count(n, "run"))
        }
    };
    html! {
        <circle key={format!("f{ms}")} cx={css_percent(timeline::at(ms, window))} cy="12" r="4.5" fill="var(--panel)" stroke="var(--brass)" stroke-width="1.5">
            <title>{ title }</title>
        </circle>
    }
}
