//! `kubectl set env`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/set/set_env.go`, `set/env/*.go`, v1.36.
//! Differs from upstream: variables are not read from the standard input, and `--resolve` shows where
//! a value is from.

use std::collections::BTreeSet;

use api::Object;
use serde_json::{Map, Value, json};

use super::{Session, containers, selected, send};
use crate::failure::Failure;
use crate::resources;

/// What `set env` is to do.
pub(super) struct Changes {
    /// Rows as the API has them.
    rows: Vec<Value>,
    remove: BTreeSet<String>,
}

/// Parts the words into resources and variables.
pub(super) fn split(words: &[String]) -> Result<(&[String], &[String]), Failure> {
    let is_variable = |it: &String| it.find('=').is_some_and(|at| at > 0) || it.ends_with('-');
    let at = words.iter().position(is_variable).unwrap_or(words.len());
    let (resources, pairs) = words.split_at(at);
    if !pairs.iter().all(is_variable) {
        return Err(Failure::Text(format!(
            "all resources must be specified before environment changes: {}",
            words.join(" ")
        )));
    }
    Ok((resources, pairs))
}

/// The words after the resources, and `--from`.
pub(super) fn changes(
    session: &mut Session<'_>,
    resources: &[String],
    pairs: &[String],
) -> Result<Changes, Failure> {
    let args = &session.args;
    let wrong = [
        (
            resources.is_empty() && !args.has("filename"),
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ),
        (
            args.is_on("list") && args.has("output"),
            "--list and --output may not be specified together",
        ),
        (
            args.has("keys") && !args.has("from"),
            "when specifying --keys, a configmap or secret must be provided with --from",
        ),
    ];
    if let Some((_, text)) = wrong.iter().find(|it| it.0) {
        return Err(Failure::text(*text));
    }
    let mut changes = Changes { rows: vec![], remove: BTreeSet::new() };
    for pair in args.all("env").iter().chain(pairs) {
        if let Some((name, value)) = pair.split_once('=') {
            check_name(name)?;
            changes.rows.push(json!({"name": name, "value": value}));
        } else if let Some(name) = pair.strip_suffix('-') {
            changes.remove.insert(name.to_owned());
        } else {
            return Err(Failure::Text(format!("unknown environment variable: {pair}")));
        }
    }
    if changes
        .rows
        .iter()
        .filter_map(|it| it["name"].as_str())
        .any(|it| changes.remove.contains(it))
    {
        return Err(Failure::text(
            "can not both modify and remove the same environment variable in the same command",
        ));
    }
    if let Some(from) = session.args.get("from").map(str::to_owned) {
        referred(session, &from, &mut changes.rows)?;
    }
    let prefix = session.args.get("prefix").unwrap_or_default();
    for row in &mut changes.rows {
        row["name"] = format!("{prefix}{}", row["name"].as_str().unwrap_or_default()).into();
    }
    Ok(changes)
}

/// Upstream: `IsEnvVarName`.
fn check_name(name: &str) -> Result<(), Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut why = vec![];
    if !name.chars().all(fits) || name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty()
    {
        why.push(
            "a valid environment variable name must consist of alphabetic characters, digits, '_', \
             '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  \
             or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')",
        );
    }
    match name {
        "." => why.push("must not be '.'"),
        ".." => why.push("must not be '..'"),
        _ if name.starts_with("..") => why.push("must not start with '..'"),
        _ => {}
    }
    if why.is_empty() {
        return Ok(());
    }
    let name = api::fields::quote(name);
    Err(Failure::Text(format!("{name} is not a valid key name: {}", why.join(";"))))
}

/// A variable for each key of a config map or secret, which refers to it.
fn referred(session: &mut Session<'_>, from: &str, rows: &mut Vec<Value>) -> Result<(), Failure> {
    let asked = resources::resolve(&[from.to_owned()], &session.query(false))?;
    let (objects, failures) = session.find(&asked, false)?;
    Failure::all(failures)?;
    let wanted = session.args.list("keys");
    for object in &objects {
        let (field, keys): (_, Vec<&String>) = match object {
            Object::ConfigMap(it) => {
                ("configMapKeyRef", it.data.iter().flatten().map(|it| it.0).collect())
            }
            Object::Secret(it) => {
                ("secretKeyRef", it.data.iter().flatten().map(|it| it.0).collect())
            }
            _ => return Err(Failure::text("unsupported resource specified in --from")),
        };
        for key in keys.into_iter().filter(|it| wanted.is_empty() || wanted.contains(it)) {
            let letter =
                |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
            let name: String = key.chars().map(letter).collect();
            if name != *key {
                session.output.err(format!("Warning: key {key} transferred to {name}\n"));
            }
            let source = json!({field: {"name": object.name(), "key": key}});
            rows.push(json!({"name": name, "valueFrom": source}));
        }
    }
    Ok(())
}

/// What of a row counts: a variable without a value is an empty one.
fn meaning(row: &Value) -> (&Value, &str) {
    (&row["valueFrom"], row["value"].as_str().unwrap_or_default())
}

/// The rows that the changes make of those of a container, and the patch that leads there.
fn changed(old: &[Value], changes: &Changes) -> (Vec<Value>, Vec<Value>) {
    let (mut new, mut patch) = (vec![], vec![]);
    let of = |rows: &[Value], name: &Value| rows.iter().find(|it| it["name"] == *name).cloned();
    for row in old {
        let name = &row["name"];
        if name.as_str().is_some_and(|it| changes.remove.contains(it)) {
            patch.push(json!({"name": name, "$patch": "delete"}));
            continue;
        }
        let newer = of(&changes.rows, name);
        if let Some(newer) = newer.as_ref().filter(|it| meaning(it) != meaning(row)) {
            let mut sent = Map::new();
            for field in ["value", "valueFrom"] {
                if row.get(field).is_some() || newer.get(field).is_some() {
                    sent.insert(field.to_owned(), newer[field].clone());
                }
            }
            sent.insert("name".to_owned(), name.clone());
            patch.push(Value::Object(sent));
        }
        new.push(newer.unwrap_or_else(|| row.clone()));
    }
    for row in &changes.rows {
        let is_removed = row["name"].as_str().is_some_and(|it| changes.remove.contains(it));
        if !is_removed && of(&new, &row["name"]).is_none() {
            new.push(row.clone());
            patch.push(row.clone());
        }
    }
    (new, patch)
}

pub(super) fn update(
    session: &mut Session<'_>,
    object: &Object,
    changes: &Changes,
) -> Result<(), Failure> {
    let mut all = containers(object)?;
    all.retain(|it| selected(session, &it.1));
    // The containers come before those that only start the pod.
    all.sort_by_key(|it| it.0);
    if all.is_empty() {
        let wanted = session.args.get("containers").unwrap_or("*");
        let name = format!("{}/{}", object.kind(), object.name());
        session
            .output
            .err(format!("Warning: {name} does not have any containers matching {wanted:?}\n"));
        return Ok(());
    }
    let mut sent = vec![];
    for (field, container) in all {
        let old = container["env"].as_array().cloned().unwrap_or_default();
        if session.args.is_off("overwrite") {
            keep(object, &old, changes)?;
        }
        let (new, patch) = changed(&old, changes);
        if session.args.is_on("list") {
            let name = container["name"].as_str().unwrap_or_default();
            let head = format!("# {} {}, container {name}\n", object.kind(), object.name());
            session.output.out(head + &new.iter().map(line).collect::<String>());
        } else if !patch.is_empty() {
            sent.push((field, json!({"name": container["name"], "env": patch})));
        }
    }
    send(session, object, &sent, "env update to pod template:", "env updated")
}

/// Refuses to change a variable that has a value.
fn keep(object: &Object, old: &[Value], changes: &Changes) -> Result<(), Failure> {
    for row in &changes.rows {
        let current = old.iter().find(|it| it["name"] == row["name"]);
        if let Some(current) = current.filter(|it| meaning(it).1 != meaning(row).1) {
            return Err(Failure::Text(format!(
                "error: {}/{} '{}' already has a value ({}), and --overwrite is false",
                object.kind().plural(),
                object.name(),
                row["name"].as_str().unwrap_or_default(),
                meaning(current).1
            )));
        }
    }
    Ok(())
}

/// A variable in the list. Upstream: `GetEnvVarRefString`.
fn line(row: &Value) -> String {
    let name = row["name"].as_str().unwrap_or_default();
    let from = &row["valueFrom"];
    if from.is_null() {
        return format!("{name}={}\n", meaning(row).1);
    }
    let text = |at: &str| from.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let of_key = |what: &str, field: &str| {
        format!(
            "{what} {}, key {}",
            text(&format!("/{field}/name")),
            text(&format!("/{field}/key"))
        )
    };
    let source = if from.get("configMapKeyRef").is_some() {
        of_key("configmap", "configMapKeyRef")
    } else if from.get("secretKeyRef").is_some() {
        of_key("secret", "secretKeyRef")
    } else if from.get("fieldRef").is_some() {
        format!("field path {}", text("/fieldRef/fieldPath"))
    } else {
        let container = text("/resourceFieldRef/containerName");
        let slash = if container.is_empty() { "" } else { "/" };
        format!("resource field {container}{slash}{}", text("/resourceFieldRef/resource"))
    };
    format!("# {name} from {source}\n")
}
