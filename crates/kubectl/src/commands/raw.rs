//! `kubectl create --raw PATH -f FILE` for the one path that people use it for: the eviction of a
//! pod.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/rawhttp/raw.go`, v1.36.

use api::{Action, DeleteOptions, Kind, ObjectRef};

use super::{Next, Session};
use crate::failure::Failure;

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
        let text = "Error from server (NotFound): the server could not find the requested resource";
        return Err(Failure::Raw(format!("{text}\n")));
    };
    let body: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| Failure::text(format!("error parsing {file}: {error}")))?;
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

/// The pod of `/api/v1/namespaces/NAMESPACE/pods/NAME/eviction`.
fn evicted(path: &str) -> Option<ObjectRef> {
    let rest = path.strip_prefix("/api/v1/namespaces/")?;
    let parts: Vec<&str> = rest.split('/').collect();
    match parts.as_slice() {
        [namespace, "pods", name, "eviction"] => Some(ObjectRef::new(Kind::Pod, namespace, name)),
        _ => None,
    }
}
