//! The left wing: outline, editor, problems, and what to do with the text.

use ::view::{Diagnostic, Severity};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::icon::{Icon, icon};
use super::{Send, on};
use crate::msg::Msg;
use crate::outline::Document;
use crate::shared::Shared;

/// More problems than this are only counted.
const MAX_PROBLEMS: usize = 50;

#[derive(PartialEq, Properties)]
pub struct Props {
    pub editor: NodeRef,
    pub outline: Shared<Vec<Document>>,
    pub cursor_line: usize,
    pub diagnostics: Shared<Vec<Diagnostic>>,
    /// What the engine had to assume about the text.
    pub assumed: Vec<String>,
    /// Lesson and hint of the untouched example.
    pub example: Option<(&'static str, &'static str)>,
    pub auto_run: bool,
    pub send: Send,
}

/// The pane. The editor's element is drawn once and then belongs to `CodeMirror`.
#[component]
pub fn Manifests(props: &Props) -> Html {
    let send = &props.send;
    html! {
        <section class="pane manifests" aria-label="Manifests">
            <div class="tabs" role="navigation" aria-label="Documents">{ outline(props) }</div>
            if let Some((lesson, hint)) = props.example {
                <p class="lesson">{ lesson }{ " " }<b>{ "Try: " }</b>{ hint }</p>
            }
            <div class="editor" data-testid="editor" ref={props.editor.clone()}></div>
            { problems(&props.diagnostics, send) }
            if let [first, rest @ ..] = &props.assumed[..] {
                <details class="problems assumed">
                    <summary>
                        { icon(Icon::Info) }{ " " }
                        { if rest.is_empty() { "An assumption".to_owned() } else { format!("{} assumptions", rest.len() + 1) } }
                    </summary>
                    <p>{ first }</p>
                    { for rest.iter().map(|it| html! { <p>{ it }</p> }) }
                </details>
            }
            <div class="applybar">
                <button class="primary" data-testid="run-button" onclick={on(send, Msg::RunFromStart)}>
                    { "Run from start" }
                </button>
                <button data-testid="apply-button" title="Apply this text to the running cluster at the present time" onclick={on(send, Msg::ApplyNow)}>
                    { "Apply now" }
                </button>
                <label class="chk">
                    <input type="checkbox" checked={props.auto_run} onchange={auto_run(send)} />
                    { "re-run on edit" }
                </label>
            </div>
        </section>
    }
}

fn auto_run(send: &Send) -> Callback<Event> {
    let send = send.clone();
    Callback::from(move |event: Event| {
        let checked = event.target_dyn_into::<HtmlInputElement>().is_some_and(|it| it.checked());
        send.emit(Msg::AutoRun(checked));
    })
}

fn outline(props: &Props) -> Html {
    let documents = &props.outline;
    if documents.is_empty() {
        return html! { <button aria-current="true">{ "Manifests" }</button> };
    }
    let current = documents.iter().rposition(|it| it.line <= props.cursor_line).unwrap_or(0);
    documents
        .iter()
        .enumerate()
        .map(|(index, it)| {
            let reveal = on(&props.send, Msg::Reveal(it.offset, it.offset));
            let is_current = (index == current).then_some("true");
            html! {
                <button key={index} aria-current={is_current} onclick={reveal} title={it.kind.clone()}>
                    if it.name.is_empty() {
                        { &it.kind }
                    } else {
                        { &it.name }{ " " }<small>{ &it.kind }</small>
                    }
                </button>
            }
        })
        .collect()
}

fn problems(diagnostics: &[Diagnostic], send: &Send) -> Html {
    if diagnostics.is_empty() {
        return Html::default();
    }
    let worst = diagnostics.iter().map(|it| it.severity).min();
    let class = match worst {
        Some(Severity::Error) => "bad",
        Some(Severity::Warning) => "warn",
        _ => "info",
    };
    html! {
        <div class="problems" data-testid="problems" role="region" aria-label="Problems" tabindex="0">
            <h2>{ "Problems" }<span class={classes!("chip", class)}>{ diagnostics.len() }</span></h2>
            <ul>{ for diagnostics.iter().take(MAX_PROBLEMS).enumerate().map(|(index, it)| problem(index, it, send)) }</ul>
        </div>
    }
}

fn problem(index: usize, it: &Diagnostic, send: &Send) -> Html {
    let (class, sign, word) = match it.severity {
        Severity::Error => ("error", Icon::Cross, "Error"),
        Severity::Warning => ("warning", Icon::Warning, "Warning"),
        Severity::Info => ("info", Icon::Info, "Note"),
    };
    let reveal = on(send, Msg::Reveal(it.span.start.offset, it.span.end.offset));
    html! {
        <li key={index} class={class}>
            <button class="plain" onclick={reveal}>
                <span>{ icon(sign) }<span class="sr">{ word }</span></span>
                <span class="at">{ format!("{}:{}", it.span.start.line, it.span.start.column) }</span>
                <span>
                    { &it.message }
                    if let Some(hint) = &it.hint {
                        <span class="muted">{ format!(" {hint}") }</span>
                    }
                </span>
            </button>
        </li>
    }
}
