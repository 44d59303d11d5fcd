//! `kubectl set env`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/set/set_env.go`, `set/env/*.go`, v1.36.
//! Differs from upstream: variables are not read from the standard input.

use std::collections::{BTreeMap, BTreeSet};

use api::{ApiError, Kind, Object, ObjectRef, Order, quantity};
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
            session.output.out(head);
            list(session, object, &container, &new);
        } else if !patch.is_empty() {
            let order: Vec<Value> = new.iter().map(|it| json!({"name": it["name"]})).collect();
            let name = &container["name"];
            let patch = json!({"name": name, "env": patch, "$setElementOrder/env": order});
            sent.push((field, patch));
        }
    }
    send(session, object, &sent, "env update to pod template:", "env updated")
}

/// Shows variables, with `--resolve` what they are. One that cannot be resolved is told of and
/// does not make the command fail, though upstream means it to.
fn list(session: &mut Session<'_>, object: &Object, container: &Value, rows: &[Value]) {
    let mut failures: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let resolves = session.args.is_on("resolve");
    for row in rows {
        let name = row["name"].as_str().unwrap_or_default();
        let value = match &row["valueFrom"] {
            from if resolves && !from.is_null() => resolved(session, object, container, from),
            _ => Err(String::new()),
        };
        match value {
            Ok(value) => session.output.out(format!("{name}={value}\n")),
            Err(why) => {
                session.output.out(line(row));
                if !why.is_empty() {
                    failures.entry(why).or_default().push(name);
                }
            }
        }
    }
    let mut lines: Vec<String> = vec![];
    for (why, mut names) in failures {
        names.order();
        lines.push(format!("error retrieving reference for {}: {why}\n", names.join(", ")));
    }
    lines.order();
    session.output.err(lines.concat());
}

/// What a reference stands for. Upstream: `GetEnvVarRefValue`.
fn resolved(
    session: &Session<'_>,
    object: &Object,
    container: &Value,
    from: &Value,
) -> Result<String, String> {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let parts = [
        ("configMapKeyRef", Kind::ConfigMap, "config map"),
        ("secretKeyRef", Kind::Secret, "secret"),
    ];
    for (field, kind, what) in parts {
        let Some(reference) = from.get(field) else { continue };
        let (name, key) = (text(&reference["name"]), text(&reference["key"]));
        let target = ObjectRef::new(kind, &session.namespace, &name);
        let found = session.client.objects().get(&target);
        let found = found.ok_or_else(|| ApiError::not_found(&target).message)?;
        let value = match found {
            Object::ConfigMap(it) => it.data.as_ref().and_then(|it| it.get(&key)).cloned(),
            Object::Secret(it) => {
                let bytes = it.data.as_ref().and_then(|it| it.get(&key));
                bytes.map(|it| String::from_utf8_lossy(&it.0).into_owned())
            }
            _ => None,
        };
        return value.ok_or_else(|| format!("key {key} not found in {what} {name}"));
    }
    if let Some(field) = from.get("fieldRef") {
        return field_of(object, field["fieldPath"].as_str().unwrap_or_default());
    }
    let reference = &from["resourceFieldRef"];
    amount(container, &text(&reference["resource"]), &text(&reference["divisor"]))
}

/// A field of the metadata of what holds the container. Upstream: `extractFieldPathAsString`.
fn field_of(object: &Object, path: &str) -> Result<String, String> {
    let meta = object.meta();
    let (labels, annotations) = (meta.labels.as_ref(), meta.annotations.as_ref());
    let all = |map: Option<&BTreeMap<String, String>>| {
        let lines = map.into_iter().flatten().map(|(key, it)| format!("{key}={it:?}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    if let Some((start, key)) = path.strip_suffix("']").and_then(|it| it.split_once("['")) {
        let map = match start {
            "metadata.labels" => labels,
            "metadata.annotations" => annotations,
            _ => return Err(format!("fieldPath {path:?} does not support subscript")),
        };
        return Ok(map.and_then(|it| it.get(key)).cloned().unwrap_or_default());
    }
    Ok(match path {
        "metadata.name" => object.name().to_owned(),
        "metadata.namespace" => object.namespace().to_owned(),
        "metadata.uid" => object.uid().to_owned(),
        "metadata.labels" => all(labels),
        "metadata.annotations" => all(annotations),
        _ => return Err(format!("unsupported fieldPath: {path}")),
    })
}

/// A container's own amount of something, counted in units of the divisor and rounded up. Upstream:
/// `ExtractContainerResourceValue`.
fn amount(container: &Value, resource: &str, divisor: &str) -> Result<String, String> {
    let parts = resource.split_once('.').filter(|it| matches!(it.0, "limits" | "requests"));
    let Some((list, name)) = parts else {
        return Err(format!("unsupported container resource : {resource}"));
    };
    let count = |text: &str| {
        let exact = quantity::parse(text).unwrap_or_default();
        if name == "cpu" { exact.milli_value() } else { exact.value() }
    };
    let own = container["resources"][list][name].as_str().map_or(0, count);
    let unit = count(if divisor.is_empty() { "1" } else { divisor });
    let unit = if unit == 0 { count("1") } else { unit };
    Ok((own / unit + i64::from(own % unit > 0)).to_string())
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
