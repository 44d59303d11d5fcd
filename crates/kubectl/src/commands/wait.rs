//! `kubectl wait`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/wait/*.go`, v1.36.

use api::duration::Duration;
use api::{Object, ObjectRef, Timestamp, sent, time};
use serde_json::Value;

use super::{Next, Session, Waiting, display_name, files};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::jsonpath::{self, Template};
use crate::resources::{self, Asked};

pub(super) const FLAGS: &[Flag] = &[
    value("for"),
    value("timeout"),
    value("selector").or('l'),
    value("field-selector"),
    switch("all"),
    switch("all-namespaces").or('A'),
    value("filename").or('f'),
    switch("recursive").or('R'),
    switch("local"),
    value("output").or('o'),
];

/// What is waited for.
#[derive(Clone, Debug)]
enum Condition {
    Delete,
    Create,
    /// `status.conditions[type].status`, both compared without regard to case.
    Status(String, String),
    Path(Template, Option<String>),
}

/// Objects that have not met their condition yet, in order.
#[derive(Clone, Debug)]
pub(crate) struct Awaiting {
    condition: Condition,
    keys: Vec<(ObjectRef, String)>,
    deadline: Timestamp,
    failures: Vec<Failure>,
}

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let condition = parse(session.args.get("for"))?;
    let timeout = session.args.duration("timeout").map_err(Failure::Flags)?;
    let timeout = timeout.unwrap_or(Duration::from_secs(30));
    let timeout = if timeout.as_nanos() < 0 { Duration::from_secs(7 * 24 * 3600) } else { timeout };
    let words = session.args.positional.clone();
    let asked = match session.args.has("filename") {
        true => files::named(session)?,
        false => resources::resolve(&words, &session.query(false))?,
    };
    let deadline = time::after_ms(session.client.now(), timeout.as_millis());
    let keys = keys(session, &asked, &condition)?;
    let waits_for_creation = matches!(condition, Condition::Create);
    if keys.is_empty() && !matches!(condition, Condition::Delete) && !waits_for_creation {
        return Err(Failure::text("no matching resources found"));
    }
    go_on(session, Awaiting { condition, keys, deadline, failures: vec![] })
}

/// The objects that the command means, with their uids.
fn keys(
    session: &Session<'_>,
    asked: &Asked,
    condition: &Condition,
) -> Result<Vec<(ObjectRef, String)>, Failure> {
    let (objects, failures) = session.find(asked, false)?;
    if matches!(condition, Condition::Create)
        && let Asked::Names(names) = asked
    {
        let key = |(kind, name): &(api::Kind, String)| {
            let namespace = if kind.namespaced() { session.namespace.as_str() } else { "" };
            (ObjectRef::new(*kind, namespace, name), String::new())
        };
        return Ok(names.iter().map(key).collect());
    }
    // What is gone already has been waited for long enough.
    if !matches!(condition, Condition::Delete) {
        Failure::all(failures)?;
    }
    Ok(objects.iter().map(|it| (it.object_ref(), it.uid().to_owned())).collect())
}

pub(super) fn go_on(session: &mut Session<'_>, mut state: Awaiting) -> Result<Next, Failure> {
    let now = session.client.now();
    while let Some((key, uid)) = state.keys.first().cloned() {
        let object = session.client.objects().get(&key).cloned();
        if is_met(&state.condition, object.as_ref(), &uid)? {
            let name = display_name(key.kind, &key.name);
            if session.args.get("output") == Some("name") {
                session.output.out(format!("{name}\n"));
            } else {
                session.output.out(format!("{name} condition met\n"));
            }
        } else if object.is_none() && !matches!(state.condition, Condition::Create) {
            state.failures.push(api::ApiError::not_found(&key).into());
        } else if now < state.deadline {
            let deadline = Some(state.deadline);
            return Ok(Next::Wait { deadline, waiting: Waiting::Wait(state) });
        } else {
            let about = match state.condition {
                Condition::Create => String::new(),
                _ => format!(" on {}/{}", key.kind.plural(), key.name),
            };
            let text = format!("timed out waiting for the condition{about}");
            state.failures.push(Failure::Text(text));
        }
        state.keys.remove(0);
    }
    Failure::all(state.failures)?;
    Ok(Next::Done)
}

fn is_met(condition: &Condition, object: Option<&Object>, uid: &str) -> Result<bool, Failure> {
    let Some(object) = object else { return Ok(matches!(condition, Condition::Delete)) };
    match condition {
        Condition::Delete => Ok(object.uid() != uid),
        Condition::Create => Ok(true),
        Condition::Status(type_, status) => Ok(status_is(object, type_, status)),
        Condition::Path(template, wanted) => path_is(object, template, wanted.as_deref()),
    }
}

fn status_is(object: &Object, type_: &str, wanted: &str) -> bool {
    let value = sent::object_value(object);
    let conditions = value.pointer("/status/conditions").and_then(Value::as_array);
    let text = |it: &Value, field: &str| {
        it.get(field).and_then(Value::as_str).unwrap_or_default().to_lowercase()
    };
    let found =
        conditions.into_iter().flatten().find(|it| text(it, "type") == type_.to_lowercase());
    let Some(condition) = found else { return false };
    // What was said about an older generation does not count.
    let generation = object.meta().generation;
    let observed = condition.get("observedGeneration").and_then(Value::as_i64);
    let observed = observed.or(value.pointer("/status/observedGeneration").and_then(Value::as_i64));
    if let (Some(observed), Some(generation)) = (observed, generation)
        && observed < generation
    {
        return false;
    }
    text(condition, "status") == wanted.to_lowercase()
}

fn path_is(object: &Object, template: &Template, wanted: Option<&str>) -> Result<bool, Failure> {
    let values = template.find(&sent::object_value(object));
    match (&values[..], wanted) {
        ([], _) => Ok(false),
        ([_, _, ..], _) => {
            Err(Failure::text("given jsonpath expression matches more than one value"))
        }
        ([Value::Object(_) | Value::Array(_)], _) => {
            Err(Failure::text("jsonpath leads to a nested object or list which is not supported"))
        }
        ([_], None) => Ok(true),
        ([value], Some(wanted)) => Ok(jsonpath::text(value) == wanted),
    }
}

fn parse(text: Option<&str>) -> Result<Condition, Failure> {
    let Some(text) = text else {
        return Err(Failure::text("unrecognized condition: []"));
    };
    match text.to_lowercase().as_str() {
        "delete" => return Ok(Condition::Delete),
        "create" => return Ok(Condition::Create),
        _ => {}
    }
    if let Some(rest) = text.strip_prefix("condition=") {
        let (type_, status) = rest.split_once('=').unwrap_or((rest, "true"));
        return Ok(Condition::Status(type_.to_owned(), status.to_owned()));
    }
    if let Some(rest) = text.strip_prefix("jsonpath=") {
        // The path may be in quotes that the shell has left.
        let rest = rest.trim_matches('\'');
        let end = rest.rfind('}').map_or(rest.len(), |it| it + 1);
        let (path, wanted) = rest.split_at(end);
        let wanted = wanted.trim_matches('\'').strip_prefix('=').map(str::to_owned);
        if wanted.as_deref() == Some("") {
            return Err(Failure::text(
                "jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3",
            ));
        }
        let template = Template::parse(&jsonpath::relaxed(path)?).map_err(Failure::Text)?;
        return Ok(Condition::Path(template, wanted));
    }
    Err(Failure::Text(format!("unrecognized condition: {text:?}")))
}
