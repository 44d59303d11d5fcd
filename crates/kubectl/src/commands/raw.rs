//! `kubectl get --raw PATH` for whether the server is well, its version and its objects, and
//! `kubectl create --raw PATH -f FILE` for the one path that people use it for: the eviction of a pod.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/rawhttp/raw.go`, v1.36.
//! Differs from upstream: of the query behind a path only selectors count; what a server tells of
//! its APIs is refused.

use api::{Action, ApiError, ApiReason, DeleteOptions, Kind, Object, ObjectRef, go_order, sent};
use serde_json::{Value, json};

use super::{Next, Session, context};
use crate::failure::Failure;

/// Prints what the server has under a path.
pub(super) fn get(session: &mut Session<'_>, path: &str) -> Result<Next, Failure> {
    let args = &session.args;
    if !args.positional.is_empty() {
        return Err(Failure::text("arguments may not be passed when --raw is specified"));
    }
    if args.is_on("watch") || args.is_on("watch-only") || args.has("selector") {
        return Err(Failure::text(
            "--raw may not be specified with other flags that filter the server request or alter \
             the output",
        ));
    }
    if args.get("output").is_some_and(|it| !it.is_empty()) {
        return Err(Failure::text("--raw and --output are mutually exclusive"));
    }
    if !path.starts_with('/') {
        let why = if path.is_empty() { "empty url" } else { "invalid URI for request" };
        return Err(Failure::Text(format!(
            "--raw must be a valid URL path: parse {}: {why}",
            api::fields::quote(path)
        )));
    }
    let text = match path {
        "/healthz" | "/livez" | "/readyz" => "ok".to_owned(),
        "/version" => context::server_version(),
        _ if is_discovery(path.split('?').next().unwrap_or_default()) => {
            return Err(Failure::text(
                "this path is not possible in the simulation: it has objects, the version and \
                 whether the server is well",
            ));
        }
        _ => {
            let value = objects(session, path)?;
            format!(
                "{}\n",
                serde_json::to_string(&go_order::InOrder::new(&value)).unwrap_or_default()
            )
        }
    };
    session.output.out(text);
    Ok(Next::Done)
}

/// `/api`, `/apis/apps/v1` and what else tells of the server.
fn is_discovery(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts[..] {
        ["api"] | ["api", "v1"] | ["apis"] => true,
        ["apis", group] | ["apis", group, _] => Kind::ALL.iter().any(|it| it.group() == group),
        ["openapi", ..] | ["metrics"] | [""] => true,
        _ => false,
    }
}

/// The object or the list that a path names.
fn objects(session: &Session<'_>, path: &str) -> Result<Value, Failure> {
    let (path, asked) = path.split_once('?').unwrap_or((path, ""));
    let (labels, fields) = (parameter(asked, "labelSelector"), parameter(asked, "fieldSelector"));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (version, rest) = match &parts[..] {
        ["api", version, rest @ ..] => ((*version).to_owned(), rest),
        ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
        _ => return Err(nothing_there()),
    };
    let find = |plural: &str| {
        let mut all = Kind::ALL.iter().copied();
        all.find(|it| it.plural() == plural && it.api_version() == version)
            .ok_or_else(nothing_there)
    };
    let (kind, namespace, name) = match rest {
        ["namespaces", namespace, plural] => (find(plural)?, Some(*namespace), None),
        ["namespaces", namespace, plural, name]
        | ["namespaces", namespace, plural, name, "status"] => {
            (find(plural)?, Some(*namespace), Some(*name))
        }
        [plural] => (find(plural)?, None, None),
        [plural, name] => (find(plural)?, Some(""), Some(*name)),
        _ => return Err(nothing_there()),
    };
    if namespace.is_some_and(|it| it.is_empty() == kind.namespaced()) {
        return Err(nothing_there());
    }
    let whole = |object: &Object| {
        let mut value = sent::object_value(object);
        if let Some(entries) = sent::managed_fields(object) {
            value["metadata"]["managedFields"] = entries;
        }
        value
    };
    if let Some(name) = name {
        let key = ObjectRef::new(kind, namespace.unwrap_or_default(), name);
        let missing = || ApiError::not_found(&key);
        return Ok(whole(session.client.objects().get(&key).ok_or_else(missing)?));
    }
    let query = crate::resources::Query {
        namespace: namespace.unwrap_or_default(),
        all_namespaces: namespace.is_none(),
        selector: labels.as_deref(),
        field_selector: fields.as_deref(),
        all: false,
        lists: true,
    };
    let all = crate::resources::list(session.client.objects(), kind, &query)?;
    let items: Vec<Value> = all
        .iter()
        .map(|it| {
            let mut item = whole(it);
            if let Some(map) = item.as_object_mut() {
                map.remove("kind");
                map.remove("apiVersion");
            }
            item
        })
        .collect();
    let mut versions = all.iter().filter_map(|it| it.meta().resource_version.as_deref());
    let newest =
        versions.by_ref().filter_map(|it| it.parse::<u64>().ok()).max().unwrap_or_default();
    Ok(json!({
        "kind": format!("{kind}List"), "apiVersion": version,
        "metadata": {"resourceVersion": newest.to_string()}, "items": items,
    }))
}

/// A parameter of the query behind a path, with what stands for signs in it.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|it| it.split_once('='));
    let (_, text) = pairs.find(|it| it.0 == name)?;
    let mut bytes = text.bytes();
    let mut plain = vec![];
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(plain).ok()
}

fn nothing_there() -> Failure {
    let text = "Error from server (NotFound): the server could not find the requested resource";
    Failure::Raw(format!("{text}\n"))
}

/// Sends the file to the path and prints the server's answer.
pub(super) fn create(session: &mut Session<'_>, path: &str) -> Result<Next, Failure> {
    let files = session.args.list("filename");
    let [file] = files.as_slice() else {
        return Err(Failure::text("--raw can only use a single local file or stdin"));
    };
    let Some(text) = session.client.file(file) else {
        return Err(Failure::text(format!("the path {file:?} does not exist")));
    };
    let Some(pod) = evicted(path) else {
        return Err(nothing_there());
    };
    let body: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::text(format!("error parsing {file}: {error}")))?;
    let metadata = &body["metadata"];
    let own = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
    check_addressed(&pod, &own("namespace"), &own("name"))?;
    let options = DeleteOptions {
        grace_period_seconds: body["deleteOptions"]["gracePeriodSeconds"].as_i64(),
        uid: body["deleteOptions"]["preconditions"]["uid"].as_str().map(str::to_owned),
        ..DeleteOptions::default()
    };
    session.write(&Action::Evict { pod, options })?;
    let answer = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\
                  \"status\":\"Success\",\"code\":201}\n";
    session.output.out(answer);
    Ok(Next::Done)
}

/// The namespace and the name that a body gives itself have to be those of the path; only the
/// namespace may be left out. Upstream: `EnsureObjectNamespaceMatchesRequestNamespace` and
/// `EvictionREST.Create`.
fn check_addressed(pod: &ObjectRef, namespace: &str, name: &str) -> Result<(), ApiError> {
    let refused = |text: &str| Err(ApiError::new(ApiReason::BadRequest, text));
    if !namespace.is_empty() && namespace != &*pod.namespace {
        return refused(
            "the namespace of the provided object does not match the namespace sent on the request",
        );
    }
    if name != &*pod.name {
        return refused("name in URL does not match name in Eviction object");
    }
    Ok(())
}

/// The pod of `/api/v1/namespaces/NAMESPACE/pods/NAME/eviction`.
fn evicted(path: &str) -> Option<ObjectRef> {
    let rest = path.strip_prefix("/api/v1/namespaces/")?;
    let parts: Vec<&str> = rest.split('/').collect();
    match parts.as_slice() {
        [namespace, "pods", name, "eviction"] => Some(ObjectRef::new(Kind::Pod, namespace, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use api::{ApiReason, Kind, ObjectRef};

    #[test]
    fn the_parameters_of_a_query_are_read_with_their_signs() {
        let check = |query: &str, expected: Option<&str>| {
            assert_eq!(super::parameter(query, "labelSelector").as_deref(), expected, "{query}");
        };
        check("labelSelector=app%3Dweb,a+in+%28b%29&limit=1", Some("app=web,a in (b)"));
        check("limit=1", None);
        check("labelSelector=%zz", None);
        check("labelSelector=%e", None);
    }

    #[test]
    fn a_body_names_the_pod_of_the_path_or_leaves_its_namespace_out() {
        let pod = ObjectRef::new(Kind::Pod, "here", "web-0");
        let namespace =
            "the namespace of the provided object does not match the namespace sent on the request";
        let name = "name in URL does not match name in Eviction object";
        let check = |body: (&str, &str), refused: Option<&str>| {
            let error = super::check_addressed(&pod, body.0, body.1).err();
            let expected = refused.map(|it| (ApiReason::BadRequest, it.to_owned()));
            assert_eq!(error.map(|it| (it.reason, it.message)), expected, "{body:?}");
        };
        check(("here", "web-0"), None);
        check(("", "web-0"), None);
        check(("elsewhere", "web-0"), Some(namespace));
        check(("elsewhere", "web-1"), Some(namespace));
        check(("here", "web-1"), Some(name));
        check(("", ""), Some(name));
    }
}
