//! Feasible nodes by score plugins: raw, normalised, weighted, total.

use std::rc::Rc;

use ::view::{Diagnosis, NodeScores};
use yew::prelude::*;

use super::matrix::short;
use super::{Send, object_link};
use crate::cluster::node_object;

/// The best nodes.
const MAX_ROWS: usize = 50;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub diagnosis: Rc<Diagnosis>,
    pub send: Send,
}

/// The table, highest total first.
#[component]
pub fn Scores(props: &Props) -> Html {
    let mut rows: Vec<&NodeScores> = props.diagnosis.scores.iter().collect();
    rows.sort_by_key(|it| std::cmp::Reverse(it.total));
    let first = rows.first().map(|it| it.plugins.as_slice()).unwrap_or_default();
    html! {
        <>
            <div class="matrixwrap" tabindex="0" role="region" aria-label="Scores">
                <table class="matrix" data-testid="matrix">
                    <thead>
                        <tr>
                            <th scope="col">{ "node" }</th>
                            { for first.iter().map(|it| html! {
                                <th scope="col" class="num" title={it.plugin.clone()}>{ short(&it.plugin).to_owned() }</th>
                            }) }
                            <th scope="col" class="num">{ "total" }</th>
                        </tr>
                    </thead>
                    <tbody>{ for rows.iter().take(MAX_ROWS).map(|it| row(it, props)) }</tbody>
                </table>
            </div>
            <p class="muted">{ "Each cell: the weighted score, below it the raw one, normalised, times its weight." }</p>
        </>
    }
}

fn row(it: &NodeScores, props: &Props) -> Html {
    let won = props.diagnosis.chosen.as_ref() == Some(&it.node);
    let cell = |score: &::view::PluginScore| {
        let how = format!("{} \u{2192} {} \u{d7}{}", score.raw, score.normalized, score.weight);
        html! {
            <td class="num" title={score.formula.clone()}>
                { score.normalized * score.weight }<small>{ how }</small>
            </td>
        }
    };
    html! {
        <tr key={it.node.clone()} class={classes!("verdicts", won.then_some("won"))} data-node={it.node.clone()}>
            <th scope="row">{ object_link(&node_object(&it.node), &it.node, &props.send) }</th>
            { for it.plugins.iter().map(cell) }
            <td class="num total">{ it.total }</td>
        </tr>
    }
}
