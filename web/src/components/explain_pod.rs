//! Why a pod waits, or why it is where it is.

use std::rc::Rc;

use ::view::{Attempt, Diagnosis, PodTile, RunState};
use yew::prelude::*;

use super::fixes::{fixes, room};
use super::matrix::Matrix;
use super::reach::reach;
use super::scores::Scores;
use super::{Send, object_link, on, segment};
use crate::app::Subject;
use crate::cluster::node_object;
use crate::format;
use crate::msg::Msg;
use crate::sentence::{Piece, pieces};
use crate::shared::Shared;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub pod: Option<Rc<PodTile>>,
    pub subject: Shared<Subject>,
    pub state: Shared<RunState>,
    pub scores: bool,
    pub reason: Option<String>,
    pub send: Send,
}

/// The sentence, the matrix, what preemption did, the containers.
#[component]
pub fn ExplainPod(props: &Props) -> Html {
    let Some(pod) = &props.pod else {
        return html! { <p class="muted">{ "The pod does not exist at this time." }</p> };
    };
    html! {
        <>
            { match &props.subject.diagnosis {
                Some(diagnosis) => attempt(pod, diagnosis, props),
                None => not_scheduled(pod),
            } }
            if let Some(found) = &props.subject.fixes {
                { fixes(found, &props.send) }
            }
            { room(props.subject.room.as_ref(), &props.send) }
            if !pod.node.is_empty() {
                { reach(props.subject.reach.as_ref(), &props.send) }
            }
            { attempts(props) }
            <h3>{ "Pod" }</h3>
            <dl class="facts">
                { fact("asks", &format!("{} cpu, {} memory", format::cpu(pod.cpu), format::bytes(pod.memory))) }
                if pod.priority != 0 {
                    { fact("priority", &pod.priority.to_string()) }
                }
                { fact("created", &format::clock(pod.created_ms)) }
                if let Some(ms) = pod.started_ms {
                    { fact("started", &format::clock(ms)) }
                }
                if let (Some(start), Some(end)) = (pod.started_ms, pod.finished_ms) {
                    { fact("finished", &format!("{}, after {}", format::clock(end), format::duration(end - start))) }
                }
            </dl>
            if !pod.containers.is_empty() {
                <h3>{ "Containers" }</h3>
                <dl class="facts">{ for pod.containers.iter().map(container) }</dl>
            }
        </>
    }
}

fn fact(name: &'static str, value: &str) -> Html {
    html! { <><dt>{ name }</dt><dd>{ value.to_owned() }</dd></> }
}

fn container(it: &::view::ContainerTile) -> Html {
    let restarts = match it.restarts {
        0 => String::new(),
        1 => ", 1 restart".to_owned(),
        n => format!(", {n} restarts"),
    };
    let reason = if it.reason.is_empty() { String::new() } else { format!(": {}", it.reason) };
    html! { <><dt class="mono">{ &it.name }</dt><dd>{ format!("{}{reason}{restarts}", it.state) }</dd></> }
}

fn not_scheduled(pod: &PodTile) -> Html {
    let text = match (pod.is_static, pod.node.is_empty()) {
        (true, _) => "A static pod: its node's kubelet runs it, the scheduler never saw it.",
        (false, true) => "The scheduler has not tried this pod yet.",
        (false, false) => "No scheduling attempt is known: the pod named its node itself.",
    };
    html! { <p class="sentence">{ text }</p> }
}

fn attempt(pod: &PodTile, diagnosis: &Rc<Diagnosis>, props: &Props) -> Html {
    let n_fit = diagnosis.scores.len().max(usize::from(diagnosis.chosen.is_some()));
    let scores = props.scores && !diagnosis.scores.is_empty();
    let send = &props.send;
    html! {
        <>
            { sentence(pod, diagnosis, n_fit, props) }
            if !diagnosis.verdicts.is_empty() {
                <div class="row">
                    if !diagnosis.scores.is_empty() {
                        <div class="seg" role="group" aria-label="Phase">
                            { segment("Filter", !scores, send, Msg::Scores(false)) }
                            { segment("Score", scores, send, Msg::Scores(true)) }
                        </div>
                    }
                    <span class="muted">
                        { format!("attempt {} at {}", diagnosis.attempt, format::clock(diagnosis.at_ms)) }
                    </span>
                </div>
                if scores {
                    <Scores diagnosis={Rc::clone(diagnosis)} send={send.clone()} />
                } else {
                    <Matrix diagnosis={Rc::clone(diagnosis)} reason={props.reason.clone()} send={send.clone()} />
                }
            }
            { preemption(diagnosis, send) }
        </>
    }
}

fn sentence(pod: &PodTile, diagnosis: &Diagnosis, n_fit: usize, props: &Props) -> Html {
    let placed = diagnosis.chosen.is_some() && !pod.node.is_empty();
    if let Some(message) = diagnosis.message.as_deref().filter(|_| !placed) {
        let piece = |it: Piece| match it {
            Piece::Text(text) => {
                html! { <span class={text.starts_with(". ").then_some("muted")}>{ text }</span> }
            }
            Piece::Clause { text, reason } => {
                let lit = props.reason.as_ref() == Some(&reason);
                let class = reason.starts_with("Insufficient").then_some("r");
                let next = (!lit).then_some(reason);
                html! { <button class={classes!("plain", class)} aria-pressed={lit.to_string()} onclick={on(&props.send, Msg::Reason(next))}>{ text }</button> }
            }
        };
        return html! { <p class="sentence">{ for pieces(message).into_iter().map(piece) }</p> };
    }
    let Some(chosen) = &diagnosis.chosen else {
        let why =
            diagnosis.rejected_by.as_ref().map(|it| it.reasons.join(", ")).unwrap_or_default();
        return html! { <p class="sentence">{ why }</p> };
    };
    let others = diagnosis.ties.iter().filter(|it| *it != chosen).cloned().collect::<Vec<_>>();
    html! {
        <p class="sentence">
            { "Bound to " }{ object_link(&node_object(chosen), chosen, &props.send) }
            { format!(": {n_fit} of {} fit", format::count(diagnosis.n_nodes, "node")) }
            { match (n_fit, others.len()) {
                (1, _) => ", so there was no choice.".to_owned(),
                (_, 0) => ", and it had the highest score.".to_owned(),
                (_, 1) => format!("; it shared the highest score with {}, and the seed chose.", others[0]),
                (_, n) => format!("; it shared the highest score with {n} others, and the seed chose."),
            } }
        </p>
    }
}

fn preemption(diagnosis: &Diagnosis, send: &Send) -> Html {
    let Some(report) = &diagnosis.preemption else { return Html::default() };
    let Some(node) = &report.nominated else { return Html::default() };
    let candidate = |(name, victims, n_budgets): &(String, Vec<String>, i64)| {
        let budgets = match n_budgets {
            0 => String::new(),
            1 => ", against a disruption budget".to_owned(),
            n => format!(", {n} of them against disruption budgets"),
        };
        html! {
            <li key={name.clone()} class={(name == node).then_some("won")}>
                { object_link(&node_object(name), name, send) }
                { format!(": {} would go{budgets}", victims.join(", ")) }
            </li>
        }
    };
    html! {
        <section data-testid="preemption">
            <h3>{ "Preemption" }</h3>
            <p class="sentence">
                { format!("Makes room on {node}: {} must go. Chosen for: {}.", report.victims.join(", "), report.why) }
            </p>
            if report.candidates.len() > 1 {
                <ul class="candidates">{ for report.candidates.iter().map(candidate) }</ul>
            }
        </section>
    }
}

/// The list of attempts, where there was more than one.
fn attempts(props: &Props) -> Html {
    let (all, shown) = (&props.subject.attempts, &props.subject.diagnosis);
    if all.len() < 2 {
        return Html::default();
    }
    let at = shown.as_ref().map(|it| (it.at_ms, it.attempt));
    let last = all.len() - 1;
    let row = |(place, it): (usize, &Attempt)| {
        let here = at == Some((it.at_ms, it.attempt));
        let place = u32::try_from(place).ok().filter(|_| place != last);
        html! {
            <li key={it.at_ms.to_string()}>
                <button class="plain link" aria-pressed={here.to_string()} onclick={on(&props.send, Msg::Attempt(place))}>
                    { format!("{} at {}{}", it.attempt, format::clock(it.at_ms), format::clock_fraction(it.at_ms)) }
                </button>
                <span class="muted">{ &it.text }</span>
            </li>
        }
    };
    html! {
        <section data-testid="attempts">
            <h3>{ "Attempts" }</h3>
            <ol class="attempts">{ for all.iter().enumerate().map(row) }</ol>
        </section>
    }
}
