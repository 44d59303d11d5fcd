//! `kubectl apply`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/apply/apply.go`, v1.36.
//! Differs from upstream: `--server-side` merges as the client side does and knows no managers of
//! fields, because the store keeps none; `--prune` is refused.

mod refused;

use api::yaml::Refusal;
use api::{Action, Kind, Object, Patch, sent, yaml};
use serde_json::{Value, json};

use super::{Next, Session, create, files};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::resources;
use crate::{DryRun, last_applied};

pub(super) const FLAGS: &[Flag] = &[
    switch("server-side"),
    switch("force-conflicts"),
    switch("prune"),
    value("prune-allowlist"),
    value("cascade").optional("background"),
    switch("force"),
    value("grace-period"),
    value("timeout"),
    switch("wait"),
    switch("all"),
    switch("overwrite"),
    switch("openapi-patch"),
    value("subresource"),
    switch("create-annotation"),
];

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    match session.args.positional.first().map(String::as_str) {
        Some("view-last-applied") => return view_last_applied(session),
        Some("set-last-applied") => return set_last_applied(session),
        Some("edit-last-applied") => {
            return Err(Failure::text(
                "\"kubectl apply edit-last-applied\" is not possible in the simulation: there is no \
                 editor on this command line; use \"kubectl apply set-last-applied\"",
            ));
        }
        _ => {}
    }
    if !session.args.has("filename") {
        return Err(create::no_files(session));
    }
    if session.args.is_on("prune") {
        return Err(Failure::text("--prune is not supported here"));
    }
    if session.args.has("subresource") {
        let why = match session.args.is_on("server-side") {
            true => {
                "applying to a subresource is not possible in the simulation: use \"kubectl patch\""
            }
            false => "--subresource can only be specified for --server-side",
        };
        return Err(Failure::text(why));
    }
    let input = files::input(session)?;
    let mut failures = vec![];
    for item in &input.items {
        if let Err(failure) = apply_one(session, item) {
            failures.push(failure);
        }
    }
    failures.extend(input.failures);
    if input.items.is_empty() && failures.is_empty() {
        return Err(Failure::text("no objects passed to apply"));
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

fn apply_one(session: &mut Session<'_>, item: &files::Item) -> Result<(), Failure> {
    let generate = item.document.value();
    let prefix = generate.pointer("/metadata/generateName").and_then(|it| it.as_str());
    if let Some(prefix) = prefix.filter(|it| !it.is_empty() && item.document.name.is_empty()) {
        return Err(Failure::Text(format!("from {prefix}: cannot use generate name with apply")));
    }
    if let Some(Refusal::BadRequest(text)) = &item.document.refusal
        && !matches!(session.args.get("validate"), Some("false" | "ignore" | "warn"))
    {
        let find = |key: &_| session.client.objects().get(key).cloned();
        if let Some(error) = refused::refusal(&item.document, text, &session.namespace, find) {
            return Err(error.into());
        }
    }
    let mut read = item.object(session, "creating")?;
    let live = session.client.objects().get(&read.object.object_ref()).cloned();
    let server_side = session.args.is_on("server-side");
    let Some(live) = live else {
        if !server_side {
            last_applied::set(&mut read.object, &read.value);
        }
        let created =
            create::send(session, read.object).map_err(|it| it.when("creating", &read.source))?;
        let done = if server_side { "serverside-applied" } else { "created" };
        return session.print(&created, done);
    };
    let annotated =
        live.meta().annotations.iter().flatten().any(|it| it.0 == last_applied::ANNOTATION);
    if !annotated && !server_side {
        session.output.err(format!(
            "Warning: resource {}/{} is missing the {} annotation which is required by kubectl apply. \
             kubectl apply should only be used on resources created declaratively by either kubectl \
             create --save-config or kubectl apply. The missing annotation will be patched \
             automatically.\n",
            live.kind().plural(),
            live.name(),
            last_applied::ANNOTATION
        ));
    }
    let (object, done) = patch(session, &read, &live, server_side)?;
    session.print(&object, done)
}

fn patch(
    session: &mut Session<'_>,
    read: &files::Read,
    live: &Object,
    server_side: bool,
) -> Result<(Object, &'static str), Failure> {
    let difference = difference(&read.value, live, server_side, !server_side);
    let Some(difference) = difference else {
        return Ok((live.clone(), if server_side { "serverside-applied" } else { "unchanged" }));
    };
    let done = if server_side { "serverside-applied" } else { "configured" };
    if session.dry_run()? == Some(DryRun::None) {
        return Ok((live.clone(), done));
    }
    let patch = Patch::Strategic(difference);
    let action = Action::Patch { key: live.object_ref(), subresource: "", patch };
    let object = session.write(&action)?;
    Ok((object.unwrap_or_else(|| live.clone()), done))
}

/// The patch that leads from the live object to a manifest, if one is needed. `annotate` adds the
/// annotation that remembers the manifest.
pub(super) fn difference(
    manifest: &Value,
    live: &Object,
    server_side: bool,
    annotate: bool,
) -> Option<Value> {
    let mut modified = match annotate {
        true => last_applied::annotated(manifest),
        false => manifest.clone(),
    };
    if !server_side && !modified["metadata"]["annotations"].is_object() {
        modified["metadata"]["annotations"] = json!({});
    }
    let mut original = last_applied::get(live);
    // What kubectl itself wrote into the annotations is not the user's to remove.
    if let Some(original) = &mut original
        && original["metadata"]["annotations"].is_null()
    {
        original["metadata"]["annotations"] = json!({});
    }
    if let Some(meta) = original.as_mut().and_then(|it| it["metadata"].as_object_mut())
        && server_side
    {
        meta.remove("annotations");
    }
    let difference =
        last_applied::three_way(original.as_ref(), &modified, &sent::object_value(live));
    // The selector of a budget is replaced as a whole, so it is always in kubectl's patch.
    if difference.is_none() && live.kind() == Kind::PodDisruptionBudget && !server_side {
        let selector = &modified["spec"]["selector"];
        return (!selector.is_null()).then(|| json!({"spec": {"selector": selector}}));
    }
    difference
}

/// Writes a manifest into the annotation, as if it had been applied.
fn set_last_applied(session: &mut Session<'_>) -> Result<Next, Failure> {
    if !session.args.has("filename") {
        return Err(create::no_files(session));
    }
    let input = files::input(session)?;
    Failure::all(input.failures)?;
    for item in &input.items {
        let read = item.object(session, "applying")?;
        let key = read.object.object_ref();
        let live = session.client.objects().get(&key).cloned();
        let live = live.ok_or_else(|| api::ApiError::not_found(&key))?;
        let before = live.meta().annotations.as_ref();
        let before = before.and_then(|it| it.get(last_applied::ANNOTATION));
        if before.is_none() && !session.args.is_on("create-annotation") {
            return Err(Failure::Text(format!(
                "no last-applied-configuration annotation found on resource: {}, to create the \
                 annotation, run the command with --create-annotation",
                live.name()
            )));
        }
        // As written, without the empty annotations that `apply` itself adds.
        let text = format!("{}\n", yaml::to_json_string(&read.value));
        if before == Some(&text) {
            let name = live.name();
            session.output.out(format!("set-last-applied {name}: no changes required.\n"));
            continue;
        }
        let annotations = json!({last_applied::ANNOTATION: text});
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        if session.dry_run()? != Some(DryRun::None) {
            session.write(&Action::Patch { key, subresource: "", patch })?;
        }
        session.print(&live, "configured")?;
    }
    Ok(Next::Done)
}

fn view_last_applied(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional[1..].to_vec();
    let asked = match session.args.has("filename") {
        true => files::named(session)?,
        false => resources::resolve(&words, &session.query(true))?,
    };
    let (objects, failures) = session.find(&asked, true)?;
    for object in objects {
        let Some(value) = last_applied::get(&object) else {
            return Err(Failure::Text(format!(
                "no last-applied-configuration annotation found on resource: {}",
                object.name()
            )));
        };
        let text = match session.args.get("output") {
            Some("json") => yaml::to_json_pretty(&value),
            _ => yaml::to_string(&value),
        };
        session.output.out(text);
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}
