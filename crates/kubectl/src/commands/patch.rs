//! `kubectl patch`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/patch/patch.go`, v1.36.

use api::{Action, ApiError, ApiReason, Object, Patch, json_patch, sent, yaml};
use serde_json::Value;

use super::{Next, Session, files, subresource};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::output_format::Format;
use crate::{DryRun, output_format, resources};

pub(super) const FLAGS: &[Flag] = &[
    value("patch").or('p'),
    value("patch-file"),
    value("type"),
    switch("local"),
    value("subresource"),
    value("filename").or('f'),
    value("kustomize").or('k'),
    switch("recursive").or('R'),
    value("dry-run").optional("unchanged"),
    value("output").or('o'),
    value("field-manager"),
    switch("record"),
];

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let kind = session.args.get("type").unwrap_or("strategic").to_lowercase();
    if !["json", "merge", "strategic"].contains(&kind.as_str()) {
        return Err(Failure::Text(format!(
            "--type must be one of [json merge strategic], not {kind:?}"
        )));
    }
    let has = |flag| session.args.get(flag).is_some_and(|it| !it.is_empty());
    if has("patch") && has("patch-file") {
        return Err(Failure::text("cannot specify --patch and --patch-file together"));
    }
    let text = match (session.args.get("patch"), session.args.get("patch-file")) {
        (Some(text), _) => text.to_owned(),
        (None, Some(file)) => session.client.file(file).ok_or_else(|| {
            Failure::Text(format!(
                "unable to read patch file: open {file}: no such file or directory"
            ))
        })?,
        (None, None) => String::new(),
    };
    if text.is_empty() {
        return Err(Failure::text(
            "must specify --patch or --patch-file containing the contents of the patch",
        ));
    }
    let shown = session.args.get("patch").unwrap_or_default().to_owned();
    let words = session.args.positional.clone();
    let (objects, mut failures) = if session.args.is_on("local") {
        (files::local(session)?, vec![])
    } else {
        let asked = match session.args.has("filename") {
            true => files::named(session, &words)?,
            false => resources::resolve(&words, &session.query(false))?,
        };
        subresource::asked(session, &asked)?;
        session.find(&asked, false)?
    };
    if objects.is_empty() && failures.is_empty() {
        return Err(Failure::text("no objects passed to patch"));
    }
    for object in &objects {
        let result =
            parse(&kind, &text, &shown).and_then(|patch| patch_one(session, object, patch));
        if let Err(failure) = result {
            failures.push(failure);
        }
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

fn parse(kind: &str, text: &str, shown: &str) -> Result<Patch, Failure> {
    let bad = |message: &str| Failure::from(ApiError::new(ApiReason::BadRequest, message));
    let looks_like_json = text.trim_start().starts_with('{');
    let value = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        Err(_) if looks_like_json => return Err(bad(&json_error(text))),
        Err(_) => yaml_value(text, shown)?,
    };
    match kind {
        "json" => Ok(Patch::Json(value)),
        "merge" => Ok(Patch::Merge(value)),
        _ => Ok(Patch::Strategic(value)),
    }
}

/// Refuses a JSON patch that is no list of maps, as the types of whoever decodes it.
fn check_operations(patch: &Patch, list: &str, operation: &str) -> Result<(), String> {
    let Patch::Json(value) = patch else { return Ok(()) };
    let (what, of) = match value {
        Value::Array(items) => match items.iter().find(|it| !it.is_object() && !it.is_null()) {
            Some(item) => (item, operation),
            None => return Ok(()),
        },
        other => (other, list),
    };
    let what = match what {
        Value::Null => return Ok(()),
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    Err(format!("json: cannot unmarshal {what} into Go value of type {of}"))
}

/// What Go says of a text that is no JSON.
fn json_error(text: &str) -> String {
    let trimmed = text.trim_start();
    let second = trimmed[1..].trim_start().chars().next();
    match (trimmed.starts_with('{'), second) {
        (true, Some(c)) if c != '"' && c != '}' => {
            format!("invalid character {c:?} looking for beginning of object key string")
        }
        _ => "unexpected end of JSON input".to_owned(),
    }
}

fn yaml_value(text: &str, shown: &str) -> Result<Value, Failure> {
    let reading = yaml::read(text);
    match (reading.stop, reading.documents.into_iter().next()) {
        (Some(stop), _) => {
            let why = stop.message.trim_start_matches("error converting YAML to JSON: ");
            Err(Failure::Text(format!("unable to parse {}: {why}", api::fields::quote(shown))))
        }
        (None, Some(document)) => Ok(document.value()),
        (None, None) => Ok(Value::Null),
    }
}

fn patch_one(session: &mut Session<'_>, object: &Object, patch: Patch) -> Result<(), Failure> {
    let name = session.args.get("subresource").unwrap_or_default();
    let subresource = subresource::of(object, name)?;
    if let Patch::Json(operations) = &patch
        && (session.args.is_on("local") || session.dry_run()? == Some(DryRun::None))
    {
        check_operations(&patch, "jsonpatch.Patch", "jsonpatch.Operation")
            .map_err(Failure::Text)?;
        return print_here(session, object, operations);
    }
    check_operations(&patch, "[]handlers.jsonPatchOp", "handlers.jsonPatchOp").map_err(|why| {
        ApiError::new(ApiReason::BadRequest, format!("error decoding patch: {why}"))
    })?;
    let action = Action::Patch { key: object.object_ref(), subresource, patch };
    let result = session.patched(object, &action)?;
    // The client does not know what the server would refuse, and takes it for a change.
    let refused = result == *object
        && session.dry_run()? == Some(DryRun::None)
        && session.client.write(&action, DryRun::Server).is_err();
    session.client.take_warnings();
    if subresource == "scale" {
        let text = match session.args.get("output") {
            None => format!("scale.autoscaling/{} patched\n", object.name()),
            output => {
                let format = Format::parse(output, None)?;
                subresource::print_scales(session, &[result], &format)?
            }
        };
        session.output.out(text);
        return Ok(());
    }
    // What is read of a file is never what the server has.
    let is_same = result == *object && !refused && !session.args.has("filename");
    session.print_done(&result, if is_same { NO_CHANGE } else { "patched" })
}

const NO_CHANGE: &str = "patched (no change)";

/// Applies a JSON patch without a server: whatever comes of it is printed.
fn print_here(
    session: &mut Session<'_>,
    object: &Object,
    operations: &Value,
) -> Result<(), Failure> {
    let before = sent::object_value(object);
    let after = json_patch::apply(before.clone(), operations).map_err(Failure::Text)?;
    let text = |key: &str| after[key].as_str().unwrap_or_default();
    if text("kind").is_empty() {
        return Err(Failure::Text(format!("Object 'Kind' is missing in '{after}'")));
    }
    let format = Format::parse(session.args.get("output"), session.args.get("template"))?;
    let name = || {
        let group = text("apiVersion").split_once('/').map(|it| format!(".{}", it.0));
        let name = after["metadata"]["name"].as_str().unwrap_or_default();
        format!("{}{}/{name}", text("kind").to_lowercase(), group.unwrap_or_default())
    };
    let printed = match format {
        Format::Table { .. } => {
            format!("{} {}\n", name(), if before == after { NO_CHANGE } else { "patched" })
        }
        Format::Name => format!("{}\n", name()),
        other => output_format::print_value(&other, &after)?,
    };
    session.output.out(printed);
    Ok(())
}
