//! `kubectl patch`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/patch/patch.go`, v1.36.

use api::{Action, ApiError, ApiReason, Object, Patch, yaml};

use super::{Next, Session, files};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
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
];

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let kind = session.args.get("type").unwrap_or("strategic").to_lowercase();
    if !["json", "merge", "strategic"].contains(&kind.as_str()) {
        return Err(Failure::Text(format!(
            "--type must be one of [json merge strategic], not {kind:?}"
        )));
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
    let words = session.args.positional.clone();
    let asked = match session.args.has("filename") {
        true => files::named(session)?,
        false => resources::resolve(&words, &session.query(false))?,
    };
    let (objects, mut failures) = session.find(&asked, false)?;
    for object in &objects {
        let result = parse(&kind, &text).and_then(|patch| patch_one(session, object, patch));
        if let Err(failure) = result {
            failures.push(failure);
        }
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

fn parse(kind: &str, text: &str) -> Result<Patch, Failure> {
    let bad = |message: &str| Failure::from(ApiError::new(ApiReason::BadRequest, message));
    let looks_like_json = text.trim_start().starts_with(['{', '[']);
    let value = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => value,
        Err(_) if looks_like_json => return Err(bad(&json_error(text))),
        Err(_) => yaml_value(text)?,
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

fn yaml_value(text: &str) -> Result<serde_json::Value, Failure> {
    let reading = yaml::read(text);
    match (reading.stop, reading.documents.into_iter().next()) {
        (Some(stop), _) => {
            let text =
                stop.message.trim_start_matches("error converting YAML to JSON: ").to_owned();
            Err(Failure::Text(format!("unable to parse {text:?}")))
        }
        (None, Some(document)) => Ok(document.value()),
        (None, None) => Ok(serde_json::Value::Null),
    }
}

fn patch_one(session: &mut Session<'_>, object: &Object, patch: Patch) -> Result<(), Failure> {
    let subresource = match session.args.get("subresource") {
        None | Some("") => "",
        Some("status") => "status",
        Some("scale") => "scale",
        Some(other) => {
            return Err(Failure::Text(format!(
                "invalid subresource value: {other:?}. Must be one of [status scale resize]"
            )));
        }
    };
    if session.dry_run()? == Some(DryRun::None) {
        return session.print_done(object, "patched");
    }
    let key = object.object_ref();
    let result = session.write(&Action::Patch { key, subresource, patch })?;
    let result = result.unwrap_or_else(|| object.clone());
    if subresource == "scale" && !session.args.has("output") {
        session.output.out(format!("scale.autoscaling/{} patched\n", object.name()));
        return Ok(());
    }
    let done = if result == *object { "patched (no change)" } else { "patched" };
    session.print_done(&result, done)
}
