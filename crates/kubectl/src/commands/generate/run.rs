//! `kubectl run`: a pod made from flags.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/run/run.go`, v1.36.

use api::{Kind, sent};
use serde_json::{Value, json};

use super::{finish, object, overridden, pairs};
use crate::DryRun;
use crate::args::{Args, Flag, switch, value};
use crate::commands::{Next, Session, create};
use crate::failure::Failure;
use crate::names;

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
    switch("record"),
    value("filename").or('f'),
    value("cascade").optional("background"),
    switch("force"),
    value("grace-period"),
    value("timeout"),
    switch("wait"),
    value("pod-running-timeout"),
];

fn check_image(image: &str, is_given: bool) -> Result<(), Failure> {
    if is_given && image.is_empty() {
        return Err(Failure::text("--image is required"));
    }
    if !names::is_image(image) {
        let text = format!("Invalid image name {image:?}: invalid reference format");
        return Err(Failure::Text(text));
    }
    Ok(())
}

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
    check_image(image, args.has("image"))?;
    if args.is_on("tty") && !args.is_on("stdin") {
        let why = "-i/--stdin is required for containers with -t/--tty=true";
        return Err(Failure::Usage(why.to_owned()));
    }
    if args.is_on("expose") && !args.has("port") {
        return Err(Failure::Usage("--port must be set when exposing a service".to_owned()));
    }
    let restart = args.get("restart").unwrap_or("Always");
    if !["Always", "OnFailure", "Never"].contains(&restart) {
        return Err(Failure::Usage(format!("invalid restart policy: {restart}")));
    }
    let attaches = args.is_on("attach") || (args.is_on("stdin") && !args.is_off("attach"));
    if args.is_on("rm") && !attaches {
        let why = "--rm should only be used for attached containers";
        return Err(Failure::Usage(why.to_owned()));
    }
    if attaches && session.dry_run()?.is_some() {
        return Err(Failure::Usage(
            "--dry-run=[server|client] can't be used with attached containers options (--attach, \
             --stdin, or --tty)"
                .to_owned(),
        ));
    }
    let policy = args.get("image-pull-policy").unwrap_or_default();
    if !["", "Always", "IfNotPresent", "Never"].contains(&policy) {
        return Err(Failure::Usage(format!("invalid image pull policy: {policy}")));
    }
    if attaches {
        return Err(Failure::text("attaching to containers is not supported here"));
    }
    let pod = pod_value(&args, name, words, restart)?;
    let mut pod = overridden(session, object(Kind::Pod, pod)?)?;
    let labels = sent::object_value(&pod)["metadata"]["labels"].clone();
    if session.dry_run()? != Some(DryRun::None) || session.args.has("namespace") {
        pod.meta_mut().namespace = Some(session.namespace.clone());
    }
    let pod = create::send(session, pod)?;
    // The service is told of first, although it comes after the pod.
    let mut exposed = Ok(());
    if args.is_on("expose") {
        let port = port(&args)?.unwrap_or_default();
        let ports = json!([{"port": port, "targetPort": port, "protocol": "TCP"}]);
        let value =
            json!({"metadata": {"name": name}, "spec": {"selector": labels, "ports": ports}});
        exposed = finish(session, object(Kind::Service, value)?, None).map(|_| ());
        if session.args.get("output") == Some("yaml") {
            session.output.out("---\n");
        }
    }
    session.print(&pod, "created")?;
    exposed?;
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
    if let Some(port) = port(args)? {
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
        let text = args.all("annotations").join(",");
        let bad = text.split(',').find(|it| !it.contains('='));
        if let Some(bad) = bad {
            return Err(Failure::Text(format!("invalid annotations format: {bad}")));
        }
        meta["annotations"] = pairs(&text)?;
    }
    for (flag, field) in [("stdin", "stdin"), ("stdin", "stdinOnce"), ("tty", "tty")] {
        if args.is_on(flag) {
            container[field] = true.into();
        }
    }
    let spec = json!({
        "containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": restart,
    });
    Ok(json!({"metadata": meta, "spec": spec}))
}

/// Upstream: `updatePodPorts`, which Go's `Atoi` reads.
fn port(args: &Args) -> Result<Option<i64>, Failure> {
    let Some(text) = args.get("port").filter(|it| !it.is_empty()) else { return Ok(None) };
    match text.parse() {
        Ok(port) => Ok(Some(port)),
        Err(_) => Err(Failure::Text(format!("strconv.Atoi: parsing {text:?}: invalid syntax"))),
    }
}
