//! `kubectl set`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/set/*.go`, v1.36.

mod env;

use api::Order;
use api::{Action, ApiError, ApiReason, Kind, Object, Patch, sent};
use serde_json::{Value, json};

use super::{Next, Session, generate, help, label};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::names;

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
    if session.args.is_on("all") && session.args.has("selector") {
        return Err(Failure::text("cannot set --all and --selector at the same time"));
    }
    let (resources, pairs) = match verb {
        "env" => env::split(words)?,
        "image" => label::split(words, "image").map_err(Failure::Text)?,
        "resources" => (words, &[][..]),
        // The last word, whatever it is.
        _ => words.split_at(words.len().saturating_sub(1)),
    };
    let changes = match verb {
        "env" => Some(env::changes(session, resources, pairs)?),
        _ => None,
    };
    let missing = missing(session, verb, pairs);
    if let Some(text) = missing.filter(|_| verb != "resources") {
        return Err(Failure::text(text));
    }
    let (objects, failures, _) = session.named(resources)?;
    Failure::all(failures)?;
    if let Some(text) = missing {
        return Err(Failure::text(text));
    }
    if verb == "image" {
        check_images(pairs)?;
    }
    let mut failures = vec![];
    for object in &objects {
        let result = match (verb, &changes) {
            (_, Some(changes)) => env::update(session, object, changes),
            ("serviceaccount", _) => service_account(session, object, pairs),
            ("image", _) => image(session, object, pairs),
            ("resources", _) => limits(session, object),
            _ => selector(session, object, pairs),
        };
        if let Err(failure) = result {
            failures.push(failure);
        }
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

/// What a command cannot do without.
fn missing(session: &Session<'_>, verb: &str, pairs: &[String]) -> Option<&'static str> {
    match verb {
        "selector" if pairs.is_empty() => Some("one selector is required"),
        "serviceaccount" if pairs.is_empty() => Some("serviceaccount is required"),
        "resources" if !session.args.has("limits") && !session.args.has("requests") => Some(
            "you must specify an update to requests or limits (in the form of --requests/--limits)",
        ),
        _ => None,
    }
}

/// The images are looked at once the objects are found.
fn check_images(pairs: &[String]) -> Result<(), Failure> {
    let bad: Vec<&str> = pairs.iter().map(String::as_str).filter(|it| !it.contains('=')).collect();
    if !bad.is_empty() {
        return Err(Failure::Text(format!("invalid image format: {}", bad.join(", "))));
    }
    if pairs.is_empty() {
        return Err(Failure::text("at least one image update is required"));
    }
    if pairs.len() > 1 && pairs.iter().any(|it| it.starts_with("*=")) {
        return Err(Failure::text(
            "all containers are already specified by *, but saw more than one \
             container_name=container_image pairs",
        ));
    }
    Ok(())
}

/// Where the pod spec of an object is.
fn pod_spec(object: &Object) -> Result<&'static str, Failure> {
    match object.kind() {
        Kind::Pod => Ok("/spec"),
        Kind::CronJob => Ok("/spec/jobTemplate/spec/template/spec"),
        Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::DaemonSet | Kind::Job => {
            Ok("/spec/template/spec")
        }
        other => Err(Failure::Text(format!(
            "error: {}/{} the object is not a pod or does not have a pod template: *{}.{other}",
            other.plural(),
            object.name(),
            other.version()
        ))),
    }
}

/// Both kinds of containers of an object.
fn containers(object: &Object) -> Result<Vec<(&'static str, Value)>, Failure> {
    let value = sent::object_value(object);
    let spec = value.pointer(pod_spec(object)?).cloned().unwrap_or_default();
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
    // In the order in which they are, for that of a patch counts.
    let all = containers(object)?;
    let place = |it: &Value| all.iter().position(|(_, old)| old["name"] == it["name"]);
    let mut changed = changed.to_vec();
    changed.order_by_key(|it| place(&it.1));
    for (field, container) in &changed {
        if !spec[*field].is_array() {
            spec[*field] = json!([]);
        }
        if let Some(list) = spec[*field].as_array_mut() {
            list.push(container.clone());
        }
    }
    let path = pod_spec(object)?;
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
    let (mut changed, mut failures) = (vec![], vec![]);
    for pair in pairs {
        let (name, image) = pair.split_once('=').unwrap_or((pair, ""));
        let fits = |it: &Value| name == "*" || it["name"] == name;
        if !all.iter().any(|it| fits(&it.1)) {
            failures.push(Failure::Text(format!("unable to find container named {name:?}")));
        }
        for (field, container) in all.iter().filter(|it| fits(&it.1) && it.1["image"] != image) {
            changed.push((*field, json!({"name": container["name"], "image": image})));
        }
    }
    send(session, object, &changed, "image update to pod template:", "image updated")?;
    Failure::all(failures)
}

/// Whether `-c` names a container; it may hold `*`, and then `e*` also fits `side`. Upstream:
/// `selectString`.
fn selected(session: &Session<'_>, container: &Value) -> bool {
    let pattern = session.args.get("containers").unwrap_or("*");
    let name = container["name"].as_str().unwrap_or_default();
    if !pattern.contains('*') {
        return name == pattern;
    }
    let parts: Vec<&str> = pattern.split('*').collect();
    let mut at = 0;
    for (i, part) in parts.iter().enumerate().filter(|it| !it.1.is_empty()) {
        let Some(next) = name.get(at..).and_then(|it| it.find(part)) else { return false };
        // Upstream counts each place from the one before and compares it with that one nevertheless.
        if next < at || (i + 1 == parts.len() && name.len() != part.len() + next) {
            return false;
        }
        at = next;
    }
    true
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
        let has = |(flag, wanted): (&String, &Value)| {
            let has = |(name, it): (&String, &Value)| container["resources"][flag][name] == *it;
            wanted.as_object().into_iter().flatten().all(has)
        };
        let is_so = amounts.as_object().into_iter().flatten().all(has);
        if selected(session, &container) && field == "containers" && !is_so {
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
    let path = pod_spec(object)?;
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
    let selector = names::selector(text).map_err(bad)?;
    let mut map = serde_json::Map::new();
    for pair in text.split(',').filter(|it| !it.is_empty()) {
        let pair = pair.split_once("==").or_else(|| pair.split_once('='));
        let Some((key, value)) = pair.filter(|it| !it.0.contains(['!', ' '])) else {
            let shown: Vec<String> = selector.requirements.iter().map(go_requirement).collect();
            let shown = shown.join(" ");
            let text = format!("match expression [{shown}] not supported on this object");
            return Err(Failure::Text(text));
        };
        map.insert(key.trim().to_owned(), value.trim().into());
    }
    Ok(map)
}

/// A requirement as Go's `%v` shows it. Upstream: `metav1.LabelSelectorRequirement`.
fn go_requirement(it: &api::selector::Requirement) -> String {
    use api::selector::Operator;
    let operator = match it.operator {
        Operator::In => "In",
        Operator::NotIn => "NotIn",
        Operator::Exists => "Exists",
        Operator::DoesNotExist => "DoesNotExist",
        Operator::Gt => "Gt",
        Operator::Lt => "Lt",
    };
    format!("{{{} {operator} [{}]}}", it.key, it.values.join(" "))
}

fn selector(session: &mut Session<'_>, object: &Object, pairs: &[String]) -> Result<(), Failure> {
    if object.kind() != Kind::Service {
        return Err(Failure::text("setting a selector is only supported for Services"));
    }
    let map = equalities(pairs.first().map(String::as_str).unwrap_or_default())?;
    let patch = Patch::Json(json!([{"op": "add", "path": "/spec/selector", "value": map}]));
    let action = Action::Patch { key: object.object_ref(), subresource: "", patch };
    let version = object.meta().resource_version.as_deref();
    if session.args.get("resource-version").is_some_and(|it| Some(it) != version) {
        let key = object.object_ref();
        let (resource, name) = (key.kind.plural(), &key.name);
        return Err(ApiError::new(
            ApiReason::Conflict,
            format!(
                "Operation cannot be fulfilled on {resource} \"{name}\": the object has been \
                 modified; please apply your changes to the latest version and try again"
            ),
        )
        .into());
    }
    let result = session.patched(object, &action)?;
    session.print(&result, "selector updated")
}
