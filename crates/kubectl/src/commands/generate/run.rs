//! `kubectl run`: a pod made from flags.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/run/run.go`, v1.36.

use api::{Kind, sent};
use serde_json::{Value, json};

use super::{finish, int_flag, object, pairs};
use crate::args::{Args, Flag, switch, value};
use crate::commands::{Next, Session};
use crate::failure::Failure;

pub(in crate::commands) const RUN_FLAGS: &[Flag] = &[
    value("image"),
    value("port"),
    value("labels").or('l'),
    value("env"),
    value("restart"),
    switch("command"),
    value("overrides"),
    value("override-type"),
    switch("expose"),
    value("annotations"),
    value("image-pull-policy"),
    switch("privileged"),
    switch("rm"),
    switch("stdin").or('i'),
    switch("tty").or('t'),
    switch("attach"),
    switch("quiet").or('q'),
    value("output").or('o'),
    value("dry-run").optional("unchanged"),
    switch("save-config"),
    value("field-manager"),
    value("filename").or('f'),
    value("cascade").optional("background"),
    switch("force"),
    value("grace-period"),
    value("timeout"),
    switch("wait"),
    value("pod-running-timeout"),
];

pub(in crate::commands) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    if !session.args.has("image") {
        return Err(Failure::text("required flag(s) \"image\" not set"));
    }
    let args = session.args.clone();
    let Some((name, words)) =
        args.positional.split_first().filter(|_| args.n_before_dash != Some(0))
    else {
        return Err(Failure::Usage("NAME is required for run".to_owned()));
    };
    let image = args.get("image").unwrap_or_default();
    if image.is_empty() || image.contains(char::is_whitespace) {
        return Err(Failure::Text(format!(
            "Invalid image name {image:?}: invalid reference format"
        )));
    }
    if args.is_on("expose") && !args.has("port") {
        return Err(Failure::Usage("--port must be set when exposing a service".to_owned()));
    }
    let restart = args.get("restart").unwrap_or("Always");
    if !["Always", "OnFailure", "Never"].contains(&restart) {
        return Err(Failure::Usage(format!("invalid restart policy: {restart}")));
    }
    if args.is_on("stdin") || args.is_on("tty") || args.is_on("attach") {
        return Err(Failure::text("attaching to containers is not supported here"));
    }
    let mut pod = pod_value(&args, name, words, restart)?;
    if let Some(overrides) = args.get("overrides") {
        let overrides: Value = serde_json::from_str(overrides)
            .map_err(|it| Failure::Text(format!("Invalid JSON Patch: {it}")))?;
        merge(&mut pod, &overrides);
    }
    let pod = object(Kind::Pod, pod)?;
    let mut made = vec![pod];
    if args.is_on("expose") {
        let labels = sent::object_value(&made[0])["metadata"]["labels"].clone();
        let port: i64 = int_flag(session, "port")?.unwrap_or_default();
        let ports = json!([{"port": port, "targetPort": port, "protocol": "TCP"}]);
        let value =
            json!({"metadata": {"name": name}, "spec": {"selector": labels, "ports": ports}});
        made.insert(0, object(Kind::Service, value)?);
    }
    for object in made {
        finish(session, object, None)?;
    }
    Ok(Next::Done)
}

fn pod_value(args: &Args, name: &str, words: &[String], restart: &str) -> Result<Value, Failure> {
    let mut container = json!({"name": name, "image": args.get("image")});
    if !words.is_empty() {
        let field = if args.is_on("command") { "command" } else { "args" };
        container[field] = json!(words);
    }
    let mut env = vec![];
    for pair in args.all("env") {
        let Some((key, value)) = pair.split_once('=').filter(|it| !it.0.is_empty()) else {
            return Err(Failure::Text(format!("invalid env: {pair}")));
        };
        env.push(json!({"name": key, "value": value}));
    }
    if !env.is_empty() {
        container["env"] = json!(env);
    }
    if let Some(port) = args.int("port").map_err(Failure::Flags)? {
        container["ports"] = json!([{"containerPort": port}]);
    }
    if let Some(policy) = args.get("image-pull-policy") {
        container["imagePullPolicy"] = policy.into();
    }
    if args.is_on("privileged") {
        container["securityContext"] = json!({"privileged": true});
    }
    let labels = match args.get("labels") {
        Some(labels) => pairs(labels)?,
        None => json!({"run": name}),
    };
    let mut meta = json!({"name": name, "labels": labels});
    if args.has("annotations") {
        meta["annotations"] = pairs(&args.all("annotations").join(","))?;
    }
    let spec = json!({
        "containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": restart,
    });
    Ok(json!({"metadata": meta, "spec": spec}))
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(target) = target.as_object_mut() else { return };
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(key);
            }
            value => merge(target.entry(key).or_insert(Value::Null), value),
        }
    }
}
