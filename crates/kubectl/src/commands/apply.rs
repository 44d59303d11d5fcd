//! `kubectl apply`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/apply/apply.go`, v1.36.
//! Differs from upstream: `--prune` is refused; what is written in an older version of a kind is
//! printed in the one that is kept.

mod refused;
mod server_side;

use api::yaml::Refusal;
use api::{Action, Kind, Object, ObjectRef, Patch, sent, yaml};
use serde_json::{Value, json};

pub(super) use server_side::configuration;

use super::{Next, Session, create, files};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::output_format::{self, Format};
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
    check(session)?;
    let input = files::input(session)?;
    let format = Format::parse(session.args.get("output"), session.args.get("template"))?;
    if !matches!(format, Format::Table { .. } | Format::Name | Format::CustomColumns(_)) {
        session.kept = Some(vec![]);
    }
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
    let kept = session.kept.take().unwrap_or_default();
    if !kept.is_empty() {
        session.output.out(output_format::print_applied(&format, kept)?);
    }
    Ok(Next::Done)
}

/// Which flags do not go together. Upstream: `ApplyOptions.Validate`.
fn check(session: &Session<'_>) -> Result<(), Failure> {
    let args = &session.args;
    let on = |flag: &str| args.is_on(flag);
    let dry_run = session.dry_run()?;
    let rules = [
        (
            on("force-conflicts") && !on("server-side"),
            "--force-conflicts only works with --server-side",
        ),
        (
            dry_run == Some(DryRun::None) && on("server-side"),
            "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)",
        ),
        (on("server-side") && on("force"), "--force cannot be used with --server-side"),
        (
            dry_run == Some(DryRun::Server) && on("force"),
            "--dry-run=server cannot be used with --force",
        ),
        (on("all") && args.has("selector"), "cannot set --all and --selector at the same time"),
        (on("prune") && on("force"), "--force cannot be used with --prune"),
        (
            on("prune") && !on("all") && !args.has("selector"),
            "all resources selected for prune without explicitly passing --all. To prune all \
             resources, pass the --all flag. If you did not mean to prune all resources, specify a \
             label selector",
        ),
        (
            on("prune") && on("server-side"),
            "--prune is in alpha and doesn't currently work on objects created by server-side apply",
        ),
        (on("prune"), "--prune is not supported here"),
        (
            args.has("subresource") && !on("server-side"),
            "--subresource can only be specified for --server-side",
        ),
        (
            args.has("subresource"),
            "applying to a subresource is not possible in the simulation: use \"kubectl patch\"",
        ),
    ];
    match rules.iter().find(|it| it.0) {
        Some((_, why)) => Err(Failure::text(*why)),
        None => Ok(()),
    }
}

/// Upstream: `WarnIfDeleting`.
fn warn_if_deleting(session: &mut Session<'_>, object: &Object) {
    if object.meta().deletion_timestamp.is_some() {
        session.output.err(format!(
            "Warning: Detected changes to resource {} which is currently being deleted.\n",
            object.name()
        ));
    }
}

fn apply_one(session: &mut Session<'_>, item: &files::Item) -> Result<(), Failure> {
    let generate = item.document.value();
    let prefix = generate.pointer("/metadata/generateName").and_then(|it| it.as_str());
    if let Some(prefix) = prefix.filter(|it| !it.is_empty() && item.document.name.is_empty()) {
        return Err(Failure::Text(format!("from {prefix}: cannot use generate name with apply")));
    }
    if session.args.is_on("server-side") {
        return server_side::apply(session, item);
    }
    if let Some(why) = item.unfit_name()
        && let Some(key) = item.document.object_ref(&session.namespace)
    {
        return Err(Failure::Text(format!(
            "error when retrieving current configuration of:\n{}from server for: {}: {why}",
            told(&key),
            api::fields::quote(&item.source)
        )));
    }
    if let Some(Refusal::BadRequest(text)) = &item.document.refusal
        && !matches!(session.args.get("validate"), Some("false" | "ignore" | "warn"))
    {
        let mut live = None;
        let find = |key: &_| {
            live = session.client.objects().get(key).cloned();
            live.clone()
        };
        if let Some(error) = refused::refusal(&item.document, text, &session.namespace, find) {
            live.inspect(|it| warn_if_not_annotated(session, it));
            return Err(error.into());
        }
    }
    let mut read = item.object(session, "creating")?;
    let live = session.client.objects().get(&read.object.object_ref()).cloned();
    let Some(live) = live else {
        if session.dry_run()? == Some(DryRun::None) {
            read.value = last_applied::annotated(&read.value);
            return session.print_read(&read, "created");
        }
        last_applied::set(&mut read.object, &read.value);
        let created =
            create::send(session, read.object).map_err(|it| it.when("creating", &read.source))?;
        return session.print(&created, "created");
    };
    warn_if_not_annotated(session, &live);
    let (object, done) = patch(session, &read, &live)?;
    warn_if_deleting(session, &object);
    session.print(&object, done)
}

fn warn_if_not_annotated(session: &mut Session<'_>, live: &Object) {
    let annotated =
        live.meta().annotations.iter().flatten().any(|it| it.0 == last_applied::ANNOTATION);
    if !annotated {
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
}

fn patch(
    session: &mut Session<'_>,
    read: &files::Read,
    live: &Object,
) -> Result<(Object, &'static str), Failure> {
    let Some(difference) = difference(&read.value, live, true) else {
        return Ok((live.clone(), "unchanged"));
    };
    let done = "configured";
    if session.dry_run()? == Some(DryRun::None) {
        // The client works out by itself what would come of it.
        return Ok((session.client.patch(live, &Patch::Strategic(difference))?, done));
    }
    let text = yaml::to_json_string(&difference);
    let patch = Patch::Strategic(difference);
    let action = Action::Patch { key: live.object_ref(), subresource: "", patch };
    let object = session.write(&action).map_err(|it| refused(it, &read.source, &text, live))?;
    Ok((object.unwrap_or_else(|| live.clone()), done))
}

/// A refusal with all that kubectl tells of the patch. Upstream: `Patcher.Patch`,
/// `ApplyOptions.applyOneObject`.
fn refused(failure: Failure, source: &str, patch: &str, live: &Object) -> Failure {
    let Failure::Api(_, error) = failure else { return failure };
    let source = api::fields::quote(source);
    let prefix = format!(
        "error when applying patch:\n{patch}\nto:\n{}for: {source}: error when patching {source}: ",
        told(&live.object_ref())
    );
    Failure::Api(prefix, error)
}

/// Two lines that say of which object something is told. Upstream: `Info.String`.
fn told(key: &ObjectRef) -> String {
    let kind = key.kind;
    let (group, version) = (kind.group(), kind.version());
    let [resource, gvk, name, namespace] = [
        &format!("{group}/{version}, Resource={}", kind.plural()),
        &format!("{group}/{version}, Kind={}", kind.name()),
        &*key.name,
        &*key.namespace,
    ]
    .map(api::fields::quote);
    format!("Resource: {resource}, GroupVersionKind: {gvk}\nName: {name}, Namespace: {namespace}\n")
}

/// The patch that leads from the live object to a manifest, if one is needed. `annotate` adds the
/// annotation that remembers the manifest.
pub(super) fn difference(manifest: &Value, live: &Object, annotate: bool) -> Option<Value> {
    let mut modified = match annotate {
        true => last_applied::annotated(manifest),
        false => manifest.clone(),
    };
    if !modified["metadata"]["annotations"].is_object() {
        modified["metadata"]["annotations"] = json!({});
    }
    // The fields of an older version are compared as those that the server keeps.
    let modified = yaml::upgraded(modified);
    let mut original = last_applied::get(live).map(yaml::upgraded);
    // What kubectl itself wrote into the annotations is not the user's to remove.
    if let Some(original) = &mut original
        && original["metadata"]["annotations"].is_null()
    {
        original["metadata"]["annotations"] = json!({});
    }
    let difference =
        last_applied::three_way(original.as_ref(), &modified, &sent::object_value(live));
    // The selector of a budget is replaced as a whole, so it is always in kubectl's patch.
    if difference.is_none() && live.kind() == Kind::PodDisruptionBudget {
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
        true => files::named(session, &words)?,
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
