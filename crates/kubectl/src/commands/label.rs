//! `kubectl label` and `kubectl annotate`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/label/label.go`, `annotate/annotate.go`, v1.36.

use std::collections::BTreeMap;

use api::Gather;
use api::{Action, Object, Patch};
use serde_json::{Value, json};

use super::{Next, Session};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::names;

pub(super) const FLAGS: &[Flag] = &[
    switch("overwrite"),
    switch("all"),
    switch("all-namespaces").or('A'),
    value("selector").or('l'),
    value("field-selector"),
    value("filename").or('f'),
    value("kustomize").or('k'),
    switch("recursive").or('R'),
    switch("list"),
    switch("local"),
    value("resource-version"),
    value("dry-run").optional("unchanged"),
    value("output").or('o'),
    value("field-manager"),
    switch("record"),
];

/// What is to be set and what removed.
struct Changes {
    set: BTreeMap<String, String>,
    remove: Vec<String>,
}

impl Changes {
    /// What they make of the pairs of an object.
    fn applied(&self, mut pairs: BTreeMap<String, String>) -> BTreeMap<String, String> {
        pairs.extend(self.set.clone());
        pairs.retain(|key, _| !self.remove.contains(key));
        pairs
    }
}

pub(super) fn label(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    let (resources, pairs) = split(&words, "label").map_err(Failure::Text)?;
    let changes = parse_labels(pairs).map_err(Failure::Text)?;
    let list = session.args.is_on("list");
    check(
        session,
        resources,
        "one or more resources must be specified as <resource> <name> or <resource>/<name>",
    )?;
    if changes.set.is_empty() && changes.remove.is_empty() && !list {
        return Err(Failure::text("at least one label update is required"));
    }
    each(session, resources, &mut |session, object, one| {
        let labels = object.meta().labels.clone().unwrap_or_default();
        let pretends = session.dry_run()? == Some(crate::DryRun::None);
        for key in changes.remove.iter().filter(|_| !pretends && !list) {
            if !labels.contains_key(key) {
                session.output.out(format!("label {} not found.\n", api::fields::quote(key)));
            }
        }
        if !session.args.is_on("overwrite") {
            let clashes = changes.set.iter().filter_map(|(key, value)| {
                let current = labels.get(key).filter(|it| *it != value)?;
                Some(Failure::Text(format!(
                    "'{key}' already has a value ({current}), and --overwrite is false"
                )))
            });
            Failure::all(clashes.collect())?;
        }
        if list {
            return list_pairs(session, object, changes.applied(labels), "labels", one);
        }
        let added: Vec<&String> = changes
            .set
            .iter()
            .filter(|(key, value)| labels.get(*key) != Some(value))
            .map(|it| it.0)
            .collect();
        let removed: Vec<&String> =
            changes.remove.iter().filter(|it| labels.contains_key(*it)).collect();
        let done = match (added.is_empty(), removed.is_empty()) {
            (true, true) => "not labeled",
            (false, false) => "modified",
            (false, true) => "labeled",
            (true, false) => "unlabeled",
        };
        let result = match added.is_empty() && removed.is_empty() {
            true => object.clone(),
            false => send(session, object, "labels", &changes)?,
        };
        session.print(&result, done)
    })
}

pub(super) fn annotate(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    let (resources, pairs) = split(&words, "annotation").map_err(Failure::Text)?;
    let list = session.args.is_on("list");
    check(
        session,
        resources,
        "one or more resources must be specified as <resource> <name> or <resource>/<name>",
    )?;
    if pairs.is_empty() && !list {
        return Err(Failure::text("at least one annotation update is required"));
    }
    let changes = parse_pairs(pairs).map_err(Failure::Text)?;
    each(session, resources, &mut |session, object, one| {
        let annotations = object.meta().annotations.clone().unwrap_or_default();
        if !session.args.is_on("overwrite") {
            let clashes: Vec<String> = changes
                .set
                .iter()
                .filter(|it| it.0 != "kubernetes.io/change-cause")
                .filter_map(|(key, value)| {
                    let current = annotations.get(key).filter(|it| *it != value)?;
                    Some(format!("'{key}' already has a value ({current})"))
                })
                .collect();
            if !clashes.is_empty() {
                return Err(Failure::Text(format!(
                    "--overwrite is false but found the following declared annotation(s): {}",
                    clashes.join("; ")
                )));
            }
        }
        if list {
            return list_pairs(session, object, changes.applied(annotations), "annotations", one);
        }
        let result = send(session, object, "annotations", &changes)?;
        session.print(&result, "annotated")
    })
}

fn check(session: &Session<'_>, resources: &[String], message: &str) -> Result<(), Failure> {
    if session.args.is_on("list") && session.args.has("output") {
        return Err(Failure::text("--list and --output may not be specified together"));
    }
    let selector = ["selector", "field-selector"].into_iter().find(|it| session.args.has(it));
    if let Some(selector) = selector.filter(|_| session.args.is_on("all")) {
        return Err(Failure::Text(format!("cannot set --all and --{selector} at the same time")));
    }
    if resources.is_empty() && !session.args.has("filename") {
        return Err(Failure::text(message));
    }
    Ok(())
}

/// Does something to each object that the command names.
fn each(
    session: &mut Session<'_>,
    words: &[String],
    act: &mut dyn FnMut(&mut Session<'_>, &Object, bool) -> Result<(), Failure>,
) -> Result<Next, Failure> {
    let (objects, mut failures, one) = session.named(words)?;
    if session.args.has("resource-version") && objects.len() > 1 {
        return Err(Failure::text("--resource-version may only be used with a single resource"));
    }
    for object in &objects {
        if let Err(failure) = act(session, object, one) {
            failures.push(failure);
        }
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

fn send(
    session: &mut Session<'_>,
    object: &Object,
    field: &str,
    changes: &Changes,
) -> Result<Object, Failure> {
    let mut pairs: serde_json::Map<String, Value> =
        changes.set.iter().map(|(key, value)| (key.clone(), json!(value))).to_object();
    pairs.extend(changes.remove.iter().map(|it| (it.clone(), Value::Null)));
    let mut patch = json!({"metadata": {field: pairs}});
    if let Some(version) = session.args.get("resource-version") {
        patch["metadata"]["resourceVersion"] = version.into();
    }
    let patch = Patch::Merge(patch);
    let action = Action::Patch { key: object.object_ref(), subresource: "", patch };
    session.patched(object, &action)
}

fn list_pairs(
    session: &mut Session<'_>,
    object: &Object,
    pairs: BTreeMap<String, String>,
    what: &str,
    one: bool,
) -> Result<(), Failure> {
    let indent = if one { "" } else { " " };
    if !one {
        let (kind, group, name) = (object.kind(), object.kind().group(), object.name());
        session.output.out(format!("Listing {what} for {kind}.{group}/{name}:\n"));
    }
    for (key, value) in pairs {
        session.output.out(format!("{indent}{key}={value}\n"));
    }
    Ok(())
}

/// Parts the arguments into resources and pairs. Upstream: `GetResourcesAndPairs`.
pub(super) fn split<'a>(
    words: &'a [String],
    what: &str,
) -> Result<(&'a [String], &'a [String]), String> {
    let is_pair = |it: &String| {
        (it.contains('=') && !it.starts_with('=')) || (it.ends_with('-') && it != "-")
    };
    let at = words.iter().position(is_pair).unwrap_or(words.len());
    let (resources, pairs) = words.split_at(at);
    match pairs.iter().find(|it| !is_pair(it)) {
        Some(word) => Err(format!("all resources must be specified before {what} changes: {word}")),
        None => Ok((resources, pairs)),
    }
}

fn parse_labels(pairs: &[String]) -> Result<Changes, String> {
    let mut changes = Changes { set: BTreeMap::new(), remove: vec![] };
    for pair in pairs {
        if let Some((key, value)) = pair.split_once('=') {
            if value.contains('=') {
                return Err(format!("invalid label spec: {pair}"));
            }
            let problems = names::label_value(value);
            if !problems.is_empty() {
                return Err(format!("invalid label value: {pair:?}: {}", problems.join(";")));
            }
            changes.set.insert(key.to_owned(), value.to_owned());
        } else {
            changes.remove.push(pair.trim_end_matches('-').to_owned());
        }
    }
    if changes.remove.iter().any(|it| changes.set.contains_key(it)) {
        return Err("can not both modify and remove a label in the same command".to_owned());
    }
    Ok(changes)
}

fn parse_pairs(pairs: &[String]) -> Result<Changes, String> {
    let mut changes = Changes { set: BTreeMap::new(), remove: vec![] };
    for pair in pairs {
        match pair.split_once('=') {
            Some((key, value)) => {
                changes.set.insert(key.to_owned(), value.to_owned());
            }
            None => changes.remove.push(pair.strip_suffix('-').unwrap_or(pair).to_owned()),
        }
    }
    let both: Vec<&str> = changes
        .remove
        .iter()
        .filter(|it| changes.set.contains_key(*it))
        .map(String::as_str)
        .collect();
    if both.is_empty() {
        return Ok(changes);
    }
    let what = "can not both modify and remove the following annotation(s) in the same command";
    Err(format!("{what}: {}", both.join(", ")))
}
