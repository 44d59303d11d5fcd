//! `kubectl patch`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/patch/patch.go`, v1.36.

use api::{Action, ApiError, ApiReason, Object, Patch, yaml};

use super::{Next, Session, files, subresource};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::output_format::Format;
use crate::{DryRun, resources};

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
        (None, None) => {
            return Err(Failure::text(
                "must specify --patch or --patch-file containing the contents of the patch",
            ));
        }
    };
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
    let looks_like_json = text.trim_start().starts_with(['{', '[']);
    let value = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => value,
        Err(_) if looks_like_json => return Err(bad(&json_error(text))),
        Err(_) => yaml_value(text, shown)?,
    };
    match kind {
        "json" if !value.is_array() => {
            Err(bad("error decoding patch: json: cannot unmarshal object into Go value of type \
             []handlers.jsonPatchOp"))
        }
        "json" => Ok(Patch::Json(value)),
        "merge" => Ok(Patch::Merge(value)),
        _ => Ok(Patch::Strategic(value)),
    }
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

fn yaml_value(text: &str, shown: &str) -> Result<serde_json::Value, Failure> {
    let reading = yaml::read(text);
    match (reading.stop, reading.documents.into_iter().next()) {
        (Some(stop), _) => {
            let why = stop.message.trim_start_matches("error converting YAML to JSON: ");
            Err(Failure::Text(format!("unable to parse {}: {why}", api::fields::quote(shown))))
        }
        (None, Some(document)) => Ok(document.value()),
        (None, None) => Ok(serde_json::Value::Null),
    }
}

fn patch_one(session: &mut Session<'_>, object: &Object, patch: Patch) -> Result<(), Failure> {
    let name = session.args.get("subresource").unwrap_or_default();
    let subresource = subresource::of(object, name)?;
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
    let done = if result == *object && !refused { "patched (no change)" } else { "patched" };
    session.print_done(&result, done)
}
