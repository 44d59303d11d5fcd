//! Nodes by filter plugins: who said no, and why.

use std::rc::Rc;

use ::view::{Diagnosis, NodeVerdict, StatusCode};
use yew::prelude::*;

use super::icon::{Icon, meaning};
use super::{Send, object_link};
use crate::cluster::node_object;

/// More nodes than this are only counted; those that fit come first.
const MAX_ROWS: usize = 100;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub diagnosis: Rc<Diagnosis>,
    /// Only rows with this reason.
    pub reason: Option<String>,
    pub send: Send,
}

/// Short names for the heads of columns.
#[must_use]
pub fn short(plugin: &str) -> &str {
    match plugin {
        "NodeUnschedulable" => "Unsched",
        "NodeName" => "Name",
        "TaintToleration" => "Taints",
        "NodeAffinity" => "Affinity",
        "NodePorts" => "Ports",
        "NodeResourcesFit" => "Fit",
        "NodeResourcesBalancedAllocation" => "Balance",
        "VolumeRestrictions" => "VolRestr",
        "NodeVolumeLimits" => "VolLimit",
        "VolumeBinding" => "Volumes",
        "VolumeZone" => "VolZone",
        "PodTopologySpread" => "Spread",
        "InterPodAffinity" => "Pods",
        "DynamicResources" => "Devices",
        "ImageLocality" => "Image",
        "sim.orrery.dev/Expression" => "Expr",
        // A plugin with a domain, or an extender by its address.
        other => other.rsplit('/').find(|it| !it.is_empty()).unwrap_or(other),
    }
}

/// Columns that say something: those that rejected a node, and those that everyone knows.
fn columns(diagnosis: &Diagnosis) -> Vec<(usize, &str)> {
    const ALWAYS: [&str; 5] =
        ["NodeUnschedulable", "TaintToleration", "NodeAffinity", "NodePorts", "NodeResourcesFit"];
    let rejects =
        |plugin: &str| diagnosis.verdicts.iter().any(|it| it.plugin.as_deref() == Some(plugin));
    let rare = |plugin: &str| matches!(plugin, "PodTopologySpread" | "InterPodAffinity");
    diagnosis
        .filters
        .iter()
        .enumerate()
        .map(|(index, it)| (index, it.as_str()))
        .filter(|(_, it)| ALWAYS.contains(it) || rejects(it) || rare(it))
        .collect()
}

/// The table.
#[component]
pub fn Matrix(props: &Props) -> Html {
    let diagnosis = &props.diagnosis;
    let columns = columns(diagnosis);
    let matches =
        |it: &&NodeVerdict| props.reason.as_ref().is_none_or(|reason| it.reasons.contains(reason));
    let mut rows: Vec<_> = diagnosis.verdicts.iter().filter(matches).collect();
    rows.sort_by_key(|it| it.code != StatusCode::Success);
    let surplus = rows.len().saturating_sub(MAX_ROWS);
    html! {
        <div class="matrixwrap" tabindex="0" role="region" aria-label="Verdicts of the filters">
            <table class="matrix" data-testid="matrix">
                <thead>
                    <tr>
                        <th scope="col">{ "node" }</th>
                        { for columns.iter().map(|(_, it)| html! { <th scope="col" title={(*it).to_owned()}>{ short(it).to_owned() }</th> }) }
                    </tr>
                </thead>
                <tbody>{ for rows.iter().take(MAX_ROWS).map(|it| row(it, &columns, props)) }</tbody>
            </table>
            if surplus > 0 {
                <p class="muted">{ format!("and {surplus} more nodes") }</p>
            }
        </div>
    }
}

fn row(it: &NodeVerdict, columns: &[(usize, &str)], props: &Props) -> Html {
    let filters = &props.diagnosis.filters;
    let failed_at =
        it.plugin.as_ref().and_then(|plugin| filters.iter().position(|it| it == plugin));
    let cell = |(index, _): &(usize, &str)| match failed_at {
        _ if it.code == StatusCode::Success => {
            html! { <td class="y">{ meaning(Icon::Check, "passed") }</td> }
        }
        Some(failed) if *index < failed => {
            html! { <td class="y">{ meaning(Icon::Check, "passed") }</td> }
        }
        Some(failed) if *index == failed => {
            html! { <td class="x">{ meaning(Icon::Cross, "rejected") }</td> }
        }
        _ => html! { <td class="skip">{ meaning(Icon::Dot, "not reached") }</td> },
    };
    let won = props.diagnosis.chosen.as_ref() == Some(&it.node);
    let node = object_link(&node_object(&it.node), &it.node, &props.send);
    html! {
        <>
            <tr key={it.node.clone()} class={classes!("verdicts", won.then_some("won"))} data-node={it.node.clone()}>
                <th scope="row">{ node }</th>
                { for columns.iter().map(cell) }
            </tr>
            { terms(it, columns.len() + 1) }
        </>
    }
}

/// What failed, in words; the part that matters most in bold.
fn terms(it: &NodeVerdict, span: usize) -> Html {
    if it.code == StatusCode::Success {
        return Html::default();
    }
    let emphasised = |text: &str, short: &str| match text
        .split_once(short)
        .filter(|_| !short.is_empty())
    {
        Some((before, after)) => {
            html! { <div>{ before.to_owned() }<b>{ short.to_owned() }</b>{ after.to_owned() }</div> }
        }
        None if short.is_empty() => html! { <div>{ text.to_owned() }</div> },
        None => html! { <div>{ text.to_owned() }{ ": " }<b>{ short.to_owned() }</b></div> },
    };
    html! {
        <tr class="term">
            <td colspan={span.to_string()}>
                if it.terms.is_empty() {
                    { it.reasons.join(", ") }
                } else {
                    { for it.terms.iter().map(|it| emphasised(&it.text, &it.short)) }
                }
            </td>
        </tr>
    }
}
