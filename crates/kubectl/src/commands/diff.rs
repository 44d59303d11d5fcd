//! `kubectl diff`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/diff/diff.go`, v1.36, and the `diff -u -N` that it
//! runs on two directories.
//! Differs from upstream: there are no directories, so their numbers are always the same;
//! `--prune` is refused.

use api::Order;
use api::{Action, Kind, Object, Patch, sent, yaml};
use serde_json::{Value, json};

use super::{Next, Session, apply, create, files};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::{DryRun, names, unified};

pub(super) const FLAGS: &[Flag] = &[
    switch("server-side"),
    switch("force-conflicts"),
    switch("prune"),
    value("prune-allowlist"),
    switch("show-secrets"),
    value("concurrency"),
];

/// A live object and what it would become, as two files of one name.
struct Pair {
    name: String,
    live: Option<Value>,
    merged: Value,
}

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    session.failure_code = 2;
    if !session.args.has("filename") {
        return Err(create::no_files(session));
    }
    if session.args.is_on("prune") {
        return Err(Failure::text("--prune is not supported here"));
    }
    let input = files::input(session)?;
    let mut pairs = vec![];
    for item in &input.items {
        pairs.push(pair(session, item)?);
    }
    Failure::all(input.failures)?;
    pairs.order_by(|a, b| a.name.cmp(&b.name));
    let now = session.client.now().to_string().replace('T', " ").replace('Z', "");
    let (seconds, fraction) = now.split_once('.').unwrap_or((&now, ""));
    let now = format!("{seconds}.{fraction:0<9} +0000");
    let mut differs = false;
    for Pair { name, live, merged } in &pairs {
        let old = live.as_ref().map(yaml::to_string).unwrap_or_default();
        let new = yaml::to_string(merged);
        let hunks = unified::hunks(&old, &new);
        if hunks.is_empty() {
            continue;
        }
        differs = true;
        let (from, to) = (format!("/tmp/LIVE-1/{name}"), format!("/tmp/MERGED-1/{name}"));
        let before = if live.is_some() { &now } else { "1970-01-01 00:00:00.000000000 +0000" };
        session
            .output
            .out(format!("diff -u -N {from} {to}\n--- {from}\t{before}\n+++ {to}\t{now}\n{hunks}"));
    }
    if differs {
        session.failure_code = 1;
        return Err(Failure::Raw(String::new()));
    }
    Ok(Next::Done)
}

fn pair(session: &mut Session<'_>, item: &files::Item) -> Result<Pair, Failure> {
    let read = item.object(session, "reading").map_err(|it| match it {
        Failure::Api(_, error) => error.into(),
        other => other,
    })?;
    if let Some(why) = names::unfit_for_path(read.object.name()) {
        return Err(Failure::Text(why));
    }
    let key = read.object.object_ref();
    let live = session.client.objects().get(&key).cloned();
    session.client.set_manager(&session.manager());
    let merged = match &live {
        _ if session.args.is_on("server-side") => {
            let action = apply::configuration(session, &key, &read.value);
            session.client.write(&action, DryRun::Server)?
        }
        None => {
            let object = read.object.clone();
            let action = Action::Create { object, created: None, failed: None };
            session.client.write(&action, DryRun::Server)?
        }
        Some(live) => match apply::difference(&read.value, live, false) {
            None => Some(live.clone()),
            Some(patch) => {
                let patch = Patch::Strategic(patch);
                let action = Action::Patch { key: key.clone(), subresource: "", patch };
                session.client.write(&action, DryRun::Server)?
            }
        },
    };
    session.warnings();
    let merged = merged.map(|mut it| {
        session.keep_version(&mut it);
        it
    });
    let value = |object: &Object| sent::object_value(object);
    let mut merged = value(&merged.unwrap_or(read.object));
    let mut live = live.as_ref().map(value);
    if key.kind == Kind::Secret && !session.args.is_on("show-secrets") {
        mask(live.as_mut(), &mut merged);
    }
    let group = match key.kind.group() {
        "" => String::new(),
        group => format!("{group}."),
    };
    let name = format!("{group}{}.{}.{}.{}", key.kind.version(), key.kind, key.namespace, key.name);
    Ok(Pair { name, live, merged })
}

/// Hides the values of a Secret, but not whether they differ. Upstream: `Masker`.
fn mask(live: Option<&mut Value>, merged: &mut Value) {
    let mut none = json!({});
    let live = live.unwrap_or(&mut none);
    let keys = |it: &Value| -> Vec<String> {
        it["data"].as_object().map(|it| it.keys().cloned().collect()).unwrap_or_default()
    };
    let mut all = keys(live);
    all.extend(keys(merged));
    for key in all {
        let (old, new) = (live["data"].get(&key).cloned(), merged["data"].get(&key).cloned());
        let differ = old.is_some() && new.is_some() && old != new;
        if old.is_some() && !is_masked(old.as_ref()) {
            live["data"][&key] = json!(if differ { "*** (before)" } else { "***" });
        }
        if new.is_some() && !is_masked(new.as_ref()) {
            merged["data"][&key] = json!(if differ { "*** (after)" } else { "***" });
        }
    }
}

/// Whether a value was hidden already: a key of both objects is met twice.
fn is_masked(value: Option<&Value>) -> bool {
    value.and_then(Value::as_str).is_some_and(|it| it.starts_with("***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_but_their_changes_are_not() {
        let mut live = json!({"data": {"a": "MQ==", "b": "Mg==", "c": "Mw=="}});
        let mut merged = json!({"data": {"a": "MQ==", "b": "eA==", "d": "NA=="}});
        mask(Some(&mut live), &mut merged);
        assert_eq!(live["data"], json!({"a": "***", "b": "*** (before)", "c": "***"}));
        assert_eq!(merged["data"], json!({"a": "***", "b": "*** (after)", "d": "***"}));
    }
}
