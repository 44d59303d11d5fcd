//! `kubectl set`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/set/*.go`, v1.36.

use api::{Action, Kind, Object, Patch, sent};
use serde_json::{Value, json};

use super::{Next, Session, files, generate, help};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::resources;

pub(super) const FLAGS: &[Flag] = &[
    value("filename").or('f'),
    value("kustomize").or('k'),
    switch("recursive").or('R'),
    value("selector").or('l'),
    switch("all"),
    switch("local"),
    switch("list"),
    switch("resolve"),
    switch("overwrite"),
    value("containers").or('c'),
    value("env").or('e'),
    value("from"),
    value("prefix"),
    value("keys"),
    value("limits"),
    value("requests"),
    value("resource-version"),
    value("dry-run").optional("unchanged"),
    value("output").or('o'),
    value("field-manager"),
    switch("record"),
];

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    let Some((verb, words)) = words.split_first() else {
        return Err(Failure::Raw(help::parent("set")));
    };
    let verb = if verb == "sa" { "serviceaccount" } else { verb };
    match verb {
        "image" | "env" | "resources" | "selector" | "serviceaccount" => {
            session.command = format!("kubectl set {verb}");
        }
        "subject" => {
            return Err(Failure::text(
                "\"kubectl set subject\" is not possible in the simulation: it keeps no roles and no \
                 bindings, everything is allowed",
            ));
        }
        other => return Err(Failure::Usage(format!("unknown command {other:?}"))),
    }
    let is_pair = |it: &String| {
        verb != "resources"
            && (it.contains('=') && !it.starts_with('=') || verb == "env" && it.ends_with('-'))
    };
    let at = match verb {
        // The last word, whatever it is.
        "selector" | "serviceaccount" => words.len().saturating_sub(1),
        _ => words.iter().position(is_pair).unwrap_or(words.len()),
    };
    let (resources, pairs) = words.split_at(at);
    let list = session.args.is_on("list");
    match verb {
        "image" if pairs.is_empty() => {
            return Err(Failure::text("at least one image update is required"));
        }
        "selector" if pairs.is_empty() => {
            return Err(Failure::text("one selector is required"));
        }
        "serviceaccount" if pairs.is_empty() => {
            return Err(Failure::text("serviceaccount is required"));
        }
        "env" if pairs.is_empty() && !list && session.args.all("env").is_empty() => {
            return Err(Failure::text("at least one environment variable must be provided"));
        }
        "resources" if !session.args.has("limits") && !session.args.has("requests") => {
            return Err(Failure::text(
                "you must specify an update to requests or limits (in the form of \
                 --requests/--limits)",
            ));
        }
        _ => {}
    }
    let asked = match session.args.has("filename") {
        true => files::named(session)?,
        false => resources::resolve(resources, &session.query(false))?,
    };
    let (objects, failures) = session.find(&asked, false)?;
    Failure::all(failures)?;
    let mut failures = vec![];
    for object in &objects {
        let result = match verb {
            "serviceaccount" => service_account(session, object, pairs),
            "image" => image(session, object, pairs),
            "env" if list => list_env(session, object),
            "env" => env(session, object, pairs),
            "resources" => limits(session, object),
            _ => selector(session, object, pairs),
        };
        if let Err(failure) = result {
            failures.push(failure);
        }
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

/// Where the pod spec of an object is.
fn pod_spec(kind: Kind) -> Result<&'static str, Failure> {
    match kind {
        Kind::Pod => Ok("/spec"),
        Kind::CronJob => Ok("/spec/jobTemplate/spec/template/spec"),
        Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::DaemonSet | Kind::Job => {
            Ok("/spec/template/spec")
        }
        other => Err(Failure::Text(format!(
            "the object is not a pod or does not have a pod template: *{}.{other}",
            other.version()
        ))),
    }
}

/// Both kinds of containers of an object.
fn containers(object: &Object) -> Result<Vec<(&'static str, Value)>, Failure> {
    let value = sent::object_value(object);
    let spec = value.pointer(pod_spec(object.kind())?).cloned().unwrap_or_default();
    let mut all = vec![];
    for field in ["initContainers", "containers"] {
        let list = spec[field].as_array().cloned().unwrap_or_default();
        all.extend(list.into_iter().map(|it| (field, it)));
    }
    Ok(all)
}

/// Sends changed containers, if there are any.
fn send(
    session: &mut Session<'_>,
    object: &Object,
    changed: &[(&'static str, Value)],
    what: &str,
    done: &str,
) -> Result<(), Failure> {
    if changed.is_empty() {
        return Ok(());
    }
    let mut spec = json!({});
    for (field, container) in changed {
        if !spec[*field].is_array() {
            spec[*field] = json!([]);
        }
        if let Some(list) = spec[*field].as_array_mut() {
            list.push(container.clone());
        }
    }
    let path = pod_spec(object.kind())?;
    let patch = path
        .rsplit('/')
        .filter(|it| !it.is_empty())
        .fold(spec, |inner, field| json!({field: inner}));
    let patch = Patch::Strategic(patch);
    let action = Action::Patch { key: object.object_ref(), subresource: "", patch };
    let result = session.patched(object, &action).map_err(|failure| match failure {
        Failure::Api(_, error) => {
            Failure::Text(format!("failed to patch {what} {}", error.message))
        }
        other => other,
    })?;
    session.print(&result, done)
}

fn image(session: &mut Session<'_>, object: &Object, pairs: &[String]) -> Result<(), Failure> {
    let all = containers(object)?;
    let mut changed = vec![];
    for pair in pairs {
        let (name, image) = pair.split_once('=').unwrap_or((pair, ""));
        let fits = |it: &Value| name == "*" || it["name"] == name;
        if !all.iter().any(|it| fits(&it.1)) {
            return Err(Failure::Text(format!("unable to find container named {name:?}")));
        }
        for (field, container) in all.iter().filter(|it| fits(&it.1) && it.1["image"] != image) {
            changed.push((*field, json!({"name": container["name"], "image": image})));
        }
    }
    send(session, object, &changed, "image update to pod template:", "image updated")
}

/// Whether `-c` names a container; it may hold `*`.
fn selected(session: &Session<'_>, container: &Value) -> bool {
    let pattern = session.args.get("containers").unwrap_or("*");
    let name = container["name"].as_str().unwrap_or_default();
    match pattern.split_once('*') {
        Some((start, end)) => name.starts_with(start) && name.ends_with(end),
        None => name == pattern,
    }
}

fn env(session: &mut Session<'_>, object: &Object, pairs: &[String]) -> Result<(), Failure> {
    let given = || session.args.all("env").iter().chain(pairs);
    let is_set = |name: &str| given().any(|it| it.split_once('=').is_some_and(|it| it.0 == name));
    if given().any(|it| !it.contains('=') && it.strip_suffix('-').is_some_and(is_set)) {
        return Err(Failure::text(
            "can not both modify and remove the same environment variable in the same command",
        ));
    }
    let mut changed = vec![];
    let is_own = |it: &(&'static str, Value)| it.0 == "containers" && selected(session, &it.1);
    if !containers(object)?.iter().any(is_own) {
        let wanted = session.args.get("containers").unwrap_or("*");
        let name = format!("{}/{}", object.kind(), object.name());
        session
            .output
            .err(format!("Warning: {name} does not have any containers matching {wanted:?}\n"));
        return Ok(());
    }
    for (field, container) in containers(object)? {
        if field == "initContainers" || !selected(session, &container) {
            continue;
        }
        let mut rows = vec![];
        let given = session.args.all("env").iter().chain(pairs);
        for pair in given {
            match pair.split_once('=') {
                Some((name, value)) => rows.push(json!({"name": name, "value": value})),
                None => {
                    let name = pair.strip_suffix('-').unwrap_or(pair);
                    rows.push(json!({"name": name, "$patch": "delete"}));
                }
            }
        }
        changed.push((field, json!({"name": container["name"], "env": rows})));
    }
    send(session, object, &changed, "env update to pod template:", "env updated")
}

fn list_env(session: &mut Session<'_>, object: &Object) -> Result<(), Failure> {
    for (field, container) in containers(object)? {
        if field == "initContainers" || !selected(session, &container) {
            continue;
        }
        let kind = object.kind();
        let name = container["name"].as_str().unwrap_or_default();
        session.output.out(format!("# {kind} {}, container {name}\n", object.name()));
        for row in container["env"].as_array().into_iter().flatten() {
            let name = row["name"].as_str().unwrap_or_default();
            let value = row["value"].as_str().unwrap_or_default();
            session.output.out(format!("{name}={value}\n"));
        }
    }
    Ok(())
}

fn limits(session: &mut Session<'_>, object: &Object) -> Result<(), Failure> {
    let mut amounts = json!({});
    for flag in ["limits", "requests"] {
        if let Some(text) = session.args.get(flag) {
            amounts[flag] = generate::amounts(text)?;
        }
    }
    let all = containers(object)?;
    if !all.iter().any(|it| it.0 == "containers" && selected(session, &it.1)) {
        let wanted = session.args.get("containers").unwrap_or("*");
        return Err(Failure::Text(format!("unable to find container named {wanted}")));
    }
    let mut changed = vec![];
    for (field, container) in all {
        if selected(session, &container) && field == "containers" {
            changed.push((field, json!({"name": container["name"], "resources": amounts})));
        }
    }
    let done = "resource requirements updated";
    send(session, object, &changed, "resources update to pod template", done)
}

fn service_account(
    session: &mut Session<'_>,
    object: &Object,
    names: &[String],
) -> Result<(), Failure> {
    let path = pod_spec(object.kind())?;
    let name = names.first().map(String::as_str).unwrap_or_default();
    let patch = path
        .rsplit('/')
        .filter(|it| !it.is_empty())
        .fold(json!({"serviceAccountName": name}), |inner, field| json!({field: inner}));
    let patch = Patch::Strategic(patch);
    let action = Action::Patch { key: object.object_ref(), subresource: "", patch };
    let result = session.patched(object, &action).map_err(|failure| match failure {
        Failure::Api(_, error) => {
            Failure::Text(format!("failed to patch ServiceAccountName {}", error.message))
        }
        other => other,
    })?;
    session.print(&result, "serviceaccount updated")
}

/// `a=b,c=d` as a map; the mistakes in the words of the API's own parser.
fn equalities(text: &str) -> Result<serde_json::Map<String, Value>, Failure> {
    let bad = |why: String| {
        Failure::Text(format!("couldn't parse the selector string \"{text}\": {why}"))
    };
    api::selector::Selector::parse(text).map_err(|it| bad(it.to_string()))?;
    let mut map = serde_json::Map::new();
    for pair in text.split(',').filter(|it| !it.is_empty()) {
        let pair = pair.split_once("==").or_else(|| pair.split_once('='));
        let Some((key, value)) = pair.filter(|it| !it.0.contains(['!', ' '])) else {
            let text = format!("match expression [{text}] not supported on this object");
            return Err(Failure::Text(text));
        };
        map.insert(key.trim().to_owned(), value.trim().into());
    }
    Ok(map)
}

fn selector(session: &mut Session<'_>, object: &Object, pairs: &[String]) -> Result<(), Failure> {
    if object.kind() != Kind::Service {
        return Err(Failure::text("setting a selector is only supported for Services"));
    }
    let map = equalities(pairs.first().map(String::as_str).unwrap_or_default())?;
    let patch = Patch::Json(json!([{"op": "add", "path": "/spec/selector", "value": map}]));
    let action = Action::Patch { key: object.object_ref(), subresource: "", patch };
    let result = session.patched(object, &action)?;
    session.print(&result, "selector updated")
}
