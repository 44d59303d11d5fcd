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
    /// Each object must meet them one after the other.
    conditions: Vec<Condition>,
    /// How many of them the first object has met.
    n_met: usize,
    keys: Vec<(ObjectRef, String)>,
    deadline: Timestamp,
    /// With a timeout of zero it looks once.
    looks_once: bool,
    failures: Vec<Failure>,
    /// An object was waited for until the end.
    is_over: bool,
    for_whom: Waiter,
}

/// Whose waiting it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiter {
    Wait,
    /// `delete` says nothing of what is gone.
    Delete,
    /// And kubectl would wait on and on.
    PatientDelete,
}

/// What `delete` does at its end.
pub(super) fn deletion(
    keys: Vec<(ObjectRef, String)>,
    deadline: Timestamp,
    patient: bool,
) -> Awaiting {
    let for_whom = if patient { Waiter::PatientDelete } else { Waiter::Delete };
    let conditions = vec![Condition::Delete];
    Awaiting {
        conditions,
        n_met: 0,
        keys,
        deadline,
        looks_once: false,
        failures: vec![],
        is_over: false,
        for_whom,
    }
}

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let conditions = conditions(session.args.all("for"))?;
    let waits_for = |it: fn(&Condition) -> bool| conditions.iter().any(it);
    let for_creation = waits_for(|it| matches!(it, Condition::Create));
    let for_deletion = waits_for(|it| matches!(it, Condition::Delete));
    let timeout = session.args.duration("timeout").map_err(Failure::Flags)?;
    let timeout = timeout.unwrap_or(Duration::from_secs(30));
    let timeout = if timeout.as_nanos() < 0 { Duration::from_secs(7 * 24 * 3600) } else { timeout };
    let words = session.args.positional.clone();
    let asked = match session.args.has("filename") {
        true => files::named(session, &words)?,
        false => resources::resolve(&words, &session.query(false))?,
    };
    let deadline = time::after_ms(session.client.now(), timeout.as_millis());
    let keys = keys(session, &asked, for_creation, for_deletion)?;
    if keys.is_empty() && !for_creation && !for_deletion {
        return Err(Failure::text("no matching resources found"));
    }
    let looks_once = timeout.as_nanos() == 0;
    let for_whom = Waiter::Wait;
    let state = Awaiting {
        conditions,
        n_met: 0,
        keys,
        deadline,
        looks_once,
        failures: vec![],
        is_over: false,
        for_whom,
    };
    go_on(session, state)
}

/// The objects that the command means, with their uids.
fn keys(
    session: &Session<'_>,
    asked: &Asked,
    for_creation: bool,
    for_deletion: bool,
) -> Result<Vec<(ObjectRef, String)>, Failure> {
    let (objects, failures) = session.find(asked, false)?;
    if for_creation && let Asked::Names(names) = asked {
        let key = |(kind, name): &(api::Kind, String)| {
            let namespace = if kind.namespaced() { session.namespace.as_str() } else { "" };
            (ObjectRef::new(*kind, namespace, name), String::new())
        };
        return Ok(names.iter().map(key).collect());
    }
    // What is gone already has been waited for long enough.
    if !for_deletion {
        Failure::all(failures)?;
    }
    Ok(objects.iter().map(|it| (it.object_ref(), it.uid().to_owned())).collect())
}

pub(super) fn go_on(session: &mut Session<'_>, mut state: Awaiting) -> Result<Next, Failure> {
    let now = session.client.now();
    while let Some((key, uid)) = state.keys.first().cloned() {
        let Some(condition) = state.conditions.get(state.n_met) else {
            state.keys.remove(0);
            state.n_met = 0;
            continue;
        };
        let object = session.client.objects().get(&key).cloned();
        // When the time is over, nobody looks at the others.
        if !state.is_over && is_met(condition, object.as_ref(), &uid)? {
            print_met(session, &key, state.for_whom);
            state.n_met += 1;
            continue;
        }
        let for_creation = matches!(condition, Condition::Create);
        let about = format!("{}/{}", key.kind.plural(), key.name);
        if object.is_none() && !for_creation {
            state.failures.push(api::ApiError::not_found(&key).into());
        } else if state.looks_once && !for_creation {
            state.failures.push(Failure::Text(format!("condition not met for {about}")));
        } else if now < state.deadline {
            let deadline = Some(state.deadline);
            return Ok(Next::Wait { deadline, waiting: Waiting::Wait(state) });
        } else if state.for_whom == Waiter::PatientDelete {
            state.failures.push(Failure::Raw(still_there(&state.keys, object.as_ref())));
            break;
        } else {
            let about = if for_creation { String::new() } else { format!(" on {about}") };
            let text = format!("timed out waiting for the condition{about}");
            state.failures.push(Failure::Text(text));
            state.is_over = state.for_whom == Waiter::Wait;
        }
        state.keys.remove(0);
        state.n_met = 0;
    }
    Failure::all(state.failures)?;
    Ok(Next::Done)
}

fn print_met(session: &mut Session<'_>, key: &ObjectRef, for_whom: Waiter) {
    if for_whom != Waiter::Wait {
        return;
    }
    let name = display_name(key.kind, &key.name);
    session.output.out(match session.args.get("output") {
        Some("name") => format!("{name}\n"),
        _ => format!("{name} condition met\n"),
    });
}

/// What of the deleted is not gone although its time is over.
fn still_there(keys: &[(ObjectRef, String)], first: Option<&Object>) -> String {
    let names: Vec<String> = keys.iter().map(|it| display_name(it.0.kind, &it.0.name)).collect();
    let finalizers = first.and_then(|it| it.meta().finalizers.clone()).unwrap_or_default();
    let why = match &finalizers[..] {
        [] => "nothing removes it".to_owned(),
        all => format!("finalizers: {}", all.join(", ")),
    };
    let names = names.join(", ");
    format!("(kubectl would go on waiting for {names}: {why}; --wait=false does not wait)\n")
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

/// What all `--for` say.
fn conditions(texts: &[String]) -> Result<Vec<Condition>, Failure> {
    if texts.is_empty() {
        return Err(Failure::text("unrecognized condition: []"));
    }
    texts.iter().map(|it| parse(it)).collect()
}

fn parse(text: &str) -> Result<Condition, Failure> {
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
        // A value stands after one equal sign; two are a comparison. Upstream:
        // `splitJSONPathInput`.
        let rest = rest.replace("==", "\0");
        let mut parts = rest.split('=').map(|it| it.replace('\0', "=="));
        let path = parts.next().unwrap_or_default();
        let wanted = parts.next().map(|it| it.trim_matches(['\'', '"']).to_owned());
        if parts.next().is_some() {
            return Err(Failure::text(
                "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or \
                 --for=jsonpath='{.status.readyReplicas}'",
            ));
        }
        if path.is_empty() {
            return Err(Failure::text("jsonpath expression cannot be empty"));
        }
        if wanted.as_deref() == Some("") {
            return Err(Failure::text(
                "jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3",
            ));
        }
        let template = Template::parse(&jsonpath::relaxed(&path)?).map_err(Failure::Text)?;
        return Ok(Condition::Path(template, wanted));
    }
    Err(Failure::Text(format!("unrecognized condition: {text:?}")))
}
