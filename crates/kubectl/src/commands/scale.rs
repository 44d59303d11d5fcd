//! `kubectl scale`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/scale/scale.go`, v1.36.

use api::{Action, ApiError, ApiReason, Kind, Object, Patch, sent};
use serde_json::json;

use super::{Next, Session, files};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::{DryRun, resources};

pub(super) const FLAGS: &[Flag] = &[
    value("replicas"),
    switch("record"),
    value("current-replicas"),
    value("resource-version"),
    switch("all"),
    value("selector").or('l'),
    value("filename").or('f'),
    value("kustomize").or('k'),
    switch("recursive").or('R'),
    value("timeout"),
    value("dry-run").optional("unchanged"),
    value("output").or('o'),
];

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    if !session.args.has("replicas") {
        return Err(Failure::text("required flag(s) \"replicas\" not set"));
    }
    let replicas = session.args.int("replicas").map_err(Failure::Flags)?.unwrap_or_default();
    if replicas < 0 {
        return Err(Failure::text(
            "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
        ));
    }
    let expected =
        session.args.int("current-replicas").map_err(Failure::Flags)?.filter(|it| *it >= 0);
    let words = session.args.positional.clone();
    let asked = match session.args.has("filename") {
        true => files::named(session, &words)?,
        false => resources::resolve(&words, &session.query(false))?,
    };
    let (objects, mut failures) = session.find(&asked, false)?;
    if objects.is_empty() && failures.is_empty() {
        return Err(Failure::text("no objects passed to scale"));
    }
    if session.args.has("resource-version") && objects.len() > 1 {
        return Err(Failure::text("cannot use --resource-version with multiple resources"));
    }
    for object in &objects {
        if let Err(failure) = scale_one(session, object, replicas, expected) {
            failures.push(failure);
        }
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

fn scale_one(
    session: &mut Session<'_>,
    object: &Object,
    replicas: i64,
    expected: Option<i64>,
) -> Result<(), Failure> {
    if !matches!(object.kind(), Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet) {
        let message = "the server could not find the requested resource";
        return Err(ApiError::new(ApiReason::NotFound, message).into());
    }
    // Who only pretends does not ask what there is.
    if session.dry_run()? != Some(DryRun::None) {
        check(session, object, expected)?;
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        let action = Action::Patch { key: object.object_ref(), subresource: "scale", patch };
        session.write(&action)?;
    }
    // kubectl shows what it had, with the new number. Upstream: `updateReplicas`.
    let mut value = api::wire::to_value(object);
    value["spec"]["replicas"] = replicas.into();
    let scaled = api::wire::object_from_value(object.kind(), &value);
    session.print(scaled.as_ref().unwrap_or(object), "scaled")
}

/// What the command says that there must be.
fn check(session: &Session<'_>, object: &Object, expected: Option<i64>) -> Result<(), Failure> {
    let current = sent::object_value(object).pointer("/spec/replicas").and_then(|it| it.as_i64());
    if let (Some(expected), Some(current)) = (expected, current)
        && expected != current
    {
        return Err(Failure::Text(format!("Expected replicas to be {expected}, was {current}")));
    }
    let version = object.meta().resource_version.as_deref().unwrap_or_default();
    if let Some(wanted) = session.args.get("resource-version").filter(|it| *it != version) {
        let text = format!("Expected resource version to be {wanted}, was {version}");
        return Err(Failure::Text(text));
    }
    Ok(())
}
