//! `kubectl create deployment` and its kin, `kubectl run` and `kubectl expose`: objects made from
//! flags.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/create/*.go`, `run/run.go`, `expose/expose.go`, v1.36.

use api::quantity;
use api::yaml::{self, Document};
use api::{ApiError, Kind, Object, sent};
use serde_json::{Map, Value, json};

use super::{Next, Session, create};
use crate::DryRun;
use crate::args::{Args, Flag, switch, value};
use crate::failure::Failure;
use crate::resources;

/// Flags of all commands here.
const COMMON: &[Flag] = &[
    value("output").or('o'),
    value("dry-run").optional("unchanged"),
    value("validate").optional("strict"),
    value("field-manager"),
    value("template"),
    switch("save-config"),
    switch("show-managed-fields"),
    switch("allow-missing-template-keys"),
];

const DEPLOYMENT: &[Flag] = &[value("image"), value("replicas").or('r'), value("port")];
const JOB: &[Flag] = &[value("image"), value("from")];
const CRON_JOB: &[Flag] = &[value("image"), value("schedule"), value("restart")];
const CONFIG: &[Flag] = &[
    value("from-literal"),
    value("from-file"),
    value("from-env-file"),
    switch("append-hash"),
    value("type"),
];
const PRIORITY_CLASS: &[Flag] =
    &[value("value"), value("description"), switch("global-default"), value("preemption-policy")];
const BUDGET: &[Flag] = &[value("selector"), value("min-available"), value("max-unavailable")];
const QUOTA: &[Flag] = &[value("hard"), value("scopes")];
const SERVICE: &[Flag] =
    &[value("tcp"), value("clusterip"), value("node-port"), value("external-name")];

pub(super) const RUN_FLAGS: &[Flag] = &[
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

pub(super) const EXPOSE_FLAGS: &[Flag] = &[
    value("port"),
    value("target-port"),
    value("name"),
    value("type"),
    value("cluster-ip"),
    value("selector"),
    value("labels").or('l'),
    value("protocol"),
    value("external-ip"),
    value("load-balancer-ip"),
    value("session-affinity"),
    value("overrides"),
    value("override-type"),
    value("filename").or('f'),
    value("output").or('o'),
    value("dry-run").optional("unchanged"),
    switch("save-config"),
    value("field-manager"),
];

/// A subcommand of `create`.
struct Sub {
    name: &'static str,
    aliases: &'static [&'static str],
    flags: &'static [Flag],
    make: fn(&Session<'_>, &str) -> Result<Object, Failure>,
}

const SUBS: &[Sub] = &[
    Sub { name: "deployment", aliases: &["deploy"], flags: DEPLOYMENT, make: deployment },
    Sub { name: "job", aliases: &[], flags: JOB, make: job },
    Sub { name: "cronjob", aliases: &["cj"], flags: CRON_JOB, make: cron_job },
    Sub { name: "namespace", aliases: &["ns"], flags: &[], make: namespace },
    Sub { name: "configmap", aliases: &["cm"], flags: CONFIG, make: config_map },
    Sub { name: "serviceaccount", aliases: &["sa"], flags: &[], make: service_account },
    Sub { name: "priorityclass", aliases: &["pc"], flags: PRIORITY_CLASS, make: priority_class },
    Sub { name: "poddisruptionbudget", aliases: &["pdb"], flags: BUDGET, make: budget },
    Sub { name: "quota", aliases: &["resourcequota"], flags: QUOTA, make: quota },
];

const SERVICE_TYPES: [(&str, &str); 4] = [
    ("clusterip", "ClusterIP"),
    ("nodeport", "NodePort"),
    ("loadbalancer", "LoadBalancer"),
    ("externalname", "ExternalName"),
];

/// Carries out `create SUBCOMMAND`, if the words name one.
pub(super) fn create(session: &mut Session<'_>, words: &[String]) -> Option<Result<Next, Failure>> {
    let name = words.first()?.as_str();
    if matches!(name, "service" | "svc") {
        return Some(service_words(session, &words[1..]));
    }
    if name == "secret" {
        return Some(secret_words(session, &words[1..]));
    }
    let sub = SUBS.iter().find(|it| it.name == name || it.aliases.contains(&name))?;
    session.command = format!("kubectl create {}", sub.name);
    Some(sub_command(session, sub, &words[1..]))
}

fn sub_command(session: &mut Session<'_>, sub: &Sub, words: &[String]) -> Result<Next, Failure> {
    session.parse(words, &[COMMON, sub.flags])?;
    if matches!(sub.name, "deployment" | "cronjob") && !session.args.has("image") {
        return Err(Failure::text("required flag(s) \"image\" not set"));
    }
    let name = only_name(&session.args)?;
    let object = (sub.make)(session, &name)?;
    let wraps = matches!(sub.name, "deployment" | "job" | "cronjob" | "serviceaccount");
    finish(session, object, wraps.then_some(sub.name))
}

/// The one name that a command is given; what follows `--` is the command of a container.
fn only_name(args: &Args) -> Result<String, Failure> {
    let n = args.n_before_dash.unwrap_or(args.positional.len());
    match &args.positional[..n] {
        [name] => Ok(name.clone()),
        names => Err(Failure::Usage(format!("exactly one NAME is required, got {}", names.len()))),
    }
}

/// Sends the object, with the words before the server's refusal that some commands have.
fn finish(
    session: &mut Session<'_>,
    mut object: Object,
    what: Option<&str>,
) -> Result<Next, Failure> {
    let pretends = session.dry_run()? == Some(DryRun::None);
    if object.kind().namespaced() && (!pretends || session.args.has("namespace")) {
        object.meta_mut().namespace = Some(session.namespace.clone());
    }
    let sent = create::send(session, object).map_err(|failure| match (failure, what) {
        (Failure::Api(_, error), Some(what)) => {
            Failure::Text(format!("failed to create {what}: {}", prefixed(&error)))
        }
        (failure, _) => failure,
    })?;
    session.print(&sent, "created")?;
    Ok(Next::Done)
}

/// The message of a refusal with the kind's group, as the client library has it.
fn prefixed(error: &ApiError) -> String {
    error.message.clone()
}

/// An object out of JSON.
pub(super) fn object(kind: Kind, mut value: Value) -> Result<Object, Failure> {
    value["apiVersion"] = kind.api_version().into();
    value["kind"] = kind.name().into();
    let reading = yaml::read(&value.to_string());
    let object = reading.documents.first().and_then(Document::object).cloned();
    let problem = || reading.diagnostics.first().map_or("invalid object", |it| &it.message);
    object.ok_or_else(|| Failure::text(problem()))
}

/// The words after `--`.
fn container_command(args: &Args) -> Vec<String> {
    args.n_before_dash.map_or_else(Vec::new, |it| args.positional[it..].to_vec())
}

/// The name of an image without registry, tag and digest.
fn image_name(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split([':', '@']).next().unwrap_or(name).to_owned()
}

fn int_flag(session: &Session<'_>, flag: &str) -> Result<Option<i64>, Failure> {
    session.args.int(flag).map_err(Failure::Flags)
}

fn deployment(session: &Session<'_>, name: &str) -> Result<Object, Failure> {
    let port = int_flag(session, "port")?.filter(|it| *it >= 0);
    let command = container_command(&session.args);
    let containers: Vec<Value> = session
        .args
        .all("image")
        .iter()
        .flat_map(|it| it.split(','))
        .map(|image| {
            let mut container = json!({"name": image_name(image), "image": image});
            if let Some(port) = port {
                container["ports"] = json!([{"containerPort": port}]);
            }
            if !command.is_empty() {
                container["command"] = json!(command);
            }
            container
        })
        .collect();
    let labels = json!({"app": name});
    let replicas = int_flag(session, "replicas")?.unwrap_or(1);
    let spec = json!({
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
    });
    object(Kind::Deployment, json!({"metadata": {"name": name, "labels": labels}, "spec": spec}))
}

fn job(session: &Session<'_>, name: &str) -> Result<Object, Failure> {
    let (image, from) = (session.args.get("image"), session.args.get("from"));
    match (image, from) {
        (Some(image), None) => {
            let mut container = json!({"name": name, "image": image});
            let command = container_command(&session.args);
            if !command.is_empty() {
                container["command"] = json!(command);
            }
            let pod = json!({"containers": [container], "restartPolicy": "Never"});
            let spec = json!({"template": {"spec": pod}});
            object(Kind::Job, json!({"metadata": {"name": name}, "spec": spec}))
        }
        (None, Some(from)) => job_from(session, name, from),
        _ => Err(Failure::text("either --image or --from must be specified")),
    }
}

fn job_from(session: &Session<'_>, name: &str, from: &str) -> Result<Object, Failure> {
    let asked = resources::resolve(&[from.to_owned()], &session.query(false))?;
    let (objects, failures) = session.find(&asked, false)?;
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    let [Object::CronJob(cron_job)] = &objects[..] else {
        return Err(Failure::text("from must be an existing cronjob"));
    };
    let template = &cron_job.spec.job_template;
    let meta = template.metadata.clone().unwrap_or_default();
    let mut annotations = json!({"cronjob.kubernetes.io/instantiate": "manual"});
    for (key, value) in meta.annotations.into_iter().flatten() {
        annotations[key] = value.into();
    }
    let owner = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "controller": true,
        "name": cron_job.metadata.name, "uid": cron_job.metadata.uid,
    });
    let meta = json!({
        "name": name, "annotations": annotations, "labels": meta.labels, "ownerReferences": [owner],
    });
    object(Kind::Job, json!({"metadata": meta, "spec": template.spec}))
}

fn cron_job(session: &Session<'_>, name: &str) -> Result<Object, Failure> {
    let Some(schedule) = session.args.get("schedule") else {
        return Err(Failure::text("required flag(s) \"schedule\" not set"));
    };
    let image = session.args.get("image").unwrap_or_default();
    let mut container = json!({"name": name, "image": image});
    let command = container_command(&session.args);
    if !command.is_empty() {
        container["command"] = json!(command);
    }
    let restart = session.args.get("restart").unwrap_or("OnFailure");
    let pod = json!({"containers": [container], "restartPolicy": restart});
    let template = json!({"metadata": {"name": name}, "spec": {"template": {"spec": pod}}});
    let spec = json!({"schedule": schedule, "jobTemplate": template});
    object(Kind::CronJob, json!({"metadata": {"name": name}, "spec": spec}))
}

fn namespace(_: &Session<'_>, name: &str) -> Result<Object, Failure> {
    object(Kind::Namespace, json!({"metadata": {"name": name}}))
}

fn service_account(_: &Session<'_>, name: &str) -> Result<Object, Failure> {
    object(Kind::ServiceAccount, json!({"metadata": {"name": name}}))
}

/// What `--from-literal`, `--from-file` and `--from-env-file` give.
fn data(session: &Session<'_>) -> Result<Map<String, Value>, Failure> {
    let mut data = Map::new();
    for literal in session.args.all("from-literal") {
        let pair = literal.split_once('=').filter(|it| !it.0.is_empty());
        let Some((key, value)) = pair else {
            return Err(Failure::Text(format!(
                "invalid literal source {literal}, expected key=value"
            )));
        };
        data.insert(key.to_owned(), value.trim_matches(['\'', '"']).into());
    }
    let text = |file: &str| {
        session.client.file(file).ok_or_else(|| {
            Failure::Text(format!("error reading {file}: no such file or directory"))
        })
    };
    for source in session.args.all("from-file") {
        let base = source.rsplit('/').next().unwrap_or(source);
        let (key, file) = source.split_once('=').unwrap_or((base, source));
        data.insert(key.to_owned(), text(file)?.into());
    }
    for file in session.args.all("from-env-file") {
        for line in text(file)?.lines().map(str::trim_start) {
            if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                data.insert(key.to_owned(), value.into());
            }
        }
    }
    Ok(data)
}

fn config_map(session: &Session<'_>, name: &str) -> Result<Object, Failure> {
    let data = data(session)?;
    let data = if data.is_empty() { Value::Null } else { Value::Object(data) };
    object(Kind::ConfigMap, json!({"metadata": {"name": name}, "data": data}))
}

fn secret_words(session: &mut Session<'_>, words: &[String]) -> Result<Next, Failure> {
    session.command = "kubectl create secret generic".to_owned();
    let Some(("generic", words)) = words.split_first().map(|it| (it.0.as_str(), it.1)) else {
        return Err(Failure::text("only \"kubectl create secret generic\" is supported here"));
    };
    session.parse(words, &[COMMON, CONFIG])?;
    let name = only_name(&session.args)?;
    let data = data(session)?;
    let kind = session.args.get("type").unwrap_or("Opaque");
    let meta = json!({"name": name});
    let value = json!({"metadata": meta, "stringData": data, "type": kind});
    let mut secret = object(Kind::Secret, value)?;
    if let Object::Secret(it) = &mut secret {
        let it = std::sync::Arc::make_mut(it);
        let texts = it.string_data.take().unwrap_or_default();
        let bytes = |text: String| k8s_openapi::ByteString(text.into_bytes());
        it.data = Some(texts.into_iter().map(|(key, text)| (key, bytes(text))).collect());
    }
    finish(session, secret, Some("secret"))
}

fn priority_class(session: &Session<'_>, name: &str) -> Result<Object, Failure> {
    let mut value = json!({
        "metadata": {"name": name},
        "value": int_flag(session, "value")?.unwrap_or_default(),
        "globalDefault": session.args.is_on("global-default"),
        "preemptionPolicy": session.args.get("preemption-policy").unwrap_or("PreemptLowerPriority"),
    });
    if let Some(description) = session.args.get("description") {
        value["description"] = description.into();
    }
    object(Kind::PriorityClass, value)
}

/// A number, or a text such as `50%`.
fn int_or_text(text: &str) -> Value {
    text.parse::<i32>().map_or_else(|_| Value::from(text), Value::from)
}

fn budget(session: &Session<'_>, name: &str) -> Result<Object, Failure> {
    let (min, max) = (session.args.get("min-available"), session.args.get("max-unavailable"));
    let selector = session.args.get("selector").unwrap_or_default();
    if selector.is_empty() {
        return Err(Failure::text("a selector must be specified"));
    }
    let mut spec = json!({"selector": {"matchLabels": pairs(selector)?}});
    match (min, max) {
        (None, None) => {
            return Err(Failure::text("one of min-available or max-unavailable must be specified"));
        }
        (Some(_), Some(_)) => {
            return Err(Failure::text(
                "min-available and max-unavailable cannot be both specified",
            ));
        }
        (Some(min), None) => spec["minAvailable"] = int_or_text(min),
        (None, Some(max)) => spec["maxUnavailable"] = int_or_text(max),
    }
    object(Kind::PodDisruptionBudget, json!({"metadata": {"name": name}, "spec": spec}))
}

/// `a=b,c=d` as a map.
fn pairs(text: &str) -> Result<Value, Failure> {
    let mut map = Map::new();
    for pair in text.split(',').filter(|it| !it.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Failure::Text(format!("unexpected label spec: {pair}")));
        };
        map.insert(key.to_owned(), value.into());
    }
    Ok(Value::Object(map))
}

/// `cpu=1,memory=1Gi` as amounts.
pub(super) fn amounts(text: &str) -> Result<Value, Failure> {
    let mut map = Map::new();
    for pair in text.split(',').filter(|it| !it.is_empty()) {
        let Some((name, amount)) = pair.split_once('=') else {
            return Err(Failure::Text(format!(
                "Invalid argument syntax {pair}, expected <resource>=<value>"
            )));
        };
        quantity::parse(amount).map_err(|it| Failure::Text(it.to_string()))?;
        map.insert(name.to_owned(), amount.into());
    }
    Ok(Value::Object(map))
}

fn quota(session: &Session<'_>, name: &str) -> Result<Object, Failure> {
    let hard = amounts(session.args.get("hard").unwrap_or_default())?;
    let mut spec = json!({"hard": hard});
    let scopes = session.args.list("scopes");
    if !scopes.is_empty() {
        spec["scopes"] = json!(scopes);
    }
    object(Kind::ResourceQuota, json!({"metadata": {"name": name}, "spec": spec}))
}

const SERVICE_HELP: &str = "Create a service using a specified subcommand.

Aliases:
service, svc

Available Commands:
  clusterip      Create a ClusterIP service
  externalname   Create an ExternalName service
  loadbalancer   Create a LoadBalancer service
  nodeport       Create a NodePort service

Usage:
  kubectl create service [flags] [options]

Use \"kubectl create service <command> --help\" for more information about a given command.
Use \"kubectl options\" for a list of global command-line options (applies to all commands).
";

fn service_words(session: &mut Session<'_>, words: &[String]) -> Result<Next, Failure> {
    let word = words.first().map(String::as_str).unwrap_or_default();
    let Some((name, kind)) = SERVICE_TYPES.iter().find(|it| it.0 == word) else {
        return Err(Failure::Raw(SERVICE_HELP.to_owned()));
    };
    session.command = format!("kubectl create service {name}");
    session.parse(&words[1..], &[COMMON, SERVICE])?;
    let name = only_name(&session.args)?;
    let node_port = int_flag(session, "node-port")?;
    let mut ports = vec![];
    for text in session.args.list("tcp") {
        let (port, target) = text.split_once(':').unwrap_or((&text, &text));
        let Ok(number) = port.parse::<u16>() else {
            return Err(Failure::Text(format!(
                "strconv.ParseUint: parsing {port:?}: invalid syntax"
            )));
        };
        let mut it = json!({
            "name": text.replace(':', "-"), "port": number, "targetPort": int_or_text(target),
            "protocol": "TCP",
        });
        if let Some(node_port) = node_port {
            it["nodePort"] = node_port.into();
        }
        ports.push(it);
    }
    let cluster_ip = session.args.get("clusterip");
    if ports.is_empty() && *kind != "ExternalName" && cluster_ip != Some("None") {
        return Err(Failure::text("at least one tcp port specifier must be provided"));
    }
    let app = json!({"app": name});
    let mut spec = json!({"type": kind, "selector": app, "ports": ports});
    if let Some(ip) = cluster_ip {
        spec["clusterIP"] = ip.into();
    }
    if let Some(external) = session.args.get("external-name") {
        spec["externalName"] = external.into();
    }
    let made =
        object(Kind::Service, json!({"metadata": {"name": name, "labels": app}, "spec": spec}))?;
    let what = format!("{kind} service");
    finish(session, made, Some(&what))
}

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
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

pub(super) fn expose(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    let asked = match session.args.has("filename") {
        true => super::files::named(session)?,
        false => {
            let mut query = session.query(false);
            query.selector = None;
            resources::resolve(&words, &query)?
        }
    };
    let mut query = session.query(false);
    query.selector = None;
    let (objects, failures) = resources::find(session.client.objects(), &asked, &query)?;
    Failure::all(failures)?;
    for exposed in &objects {
        let service = service_for(session, exposed)?;
        let pretends = session.dry_run()? == Some(DryRun::None);
        let mut service = service;
        if !pretends || session.args.has("namespace") {
            service.meta_mut().namespace = Some(session.namespace.clone());
        }
        let sent = create::send(session, service)?;
        session.print(&sent, "exposed")?;
    }
    Ok(Next::Done)
}

fn service_for(session: &Session<'_>, exposed: &Object) -> Result<Object, Failure> {
    let args = &session.args;
    let value = sent::object_value(exposed);
    let kind = exposed.kind();
    if !matches!(kind, Kind::Pod | Kind::Service | Kind::Deployment | Kind::ReplicaSet) {
        let name = match kind.group() {
            "" => kind.name().to_owned(),
            group => format!("{kind}.{group}"),
        };
        return Err(Failure::Text(format!("cannot expose a {name}")));
    }
    let selector = match args.get("selector") {
        Some(selector) => pairs(selector)?,
        None => selector_of(exposed, &value)?,
    };
    let found = ports_of(exposed, &value);
    let ports: Vec<(i64, String)> = match args.get("port") {
        Some(port) => {
            let number = port.parse().map_err(|_| {
                Failure::Text(format!("strconv.Atoi: parsing {port:?}: invalid syntax"))
            })?;
            let protocol = found.iter().find(|it| it.0 == number).map(|it| it.1.clone());
            vec![(number, protocol.unwrap_or_else(|| "TCP".to_owned()))]
        }
        None => found,
    };
    if ports.is_empty() && args.get("cluster-ip") != Some("None") {
        return Err(Failure::text("couldn't find port via --port flag or introspection"));
    }
    let many = ports.len() > 1;
    let rows: Vec<Value> = ports
        .iter()
        .enumerate()
        .map(|(n, (port, protocol))| {
            let target = args.get("target-port").map_or_else(|| json!(port), int_or_text);
            let protocol = args.get("protocol").unwrap_or(protocol);
            let mut row = json!({"port": port, "protocol": protocol, "targetPort": target});
            if many {
                row["name"] = format!("port-{}", n + 1).into();
            }
            row
        })
        .collect();
    let mut spec = json!({"selector": selector, "ports": rows});
    for (flag, field) in
        [("type", "type"), ("cluster-ip", "clusterIP"), ("session-affinity", "sessionAffinity")]
    {
        if let Some(value) = args.get(flag) {
            spec[field] = value.into();
        }
    }
    if let Some(ip) = args.get("external-ip") {
        spec["externalIPs"] = json!([ip]);
    }
    let labels = match args.get("labels") {
        Some(labels) => pairs(labels)?,
        None => value["metadata"]["labels"].clone(),
    };
    let name = args.get("name").unwrap_or(exposed.name());
    object(Kind::Service, json!({"metadata": {"name": name, "labels": labels}, "spec": spec}))
}

/// The labels by which the pods behind an object are found.
fn selector_of(exposed: &Object, value: &Value) -> Result<Value, Failure> {
    let fail = |why: &str| {
        Failure::Text(format!(
            "couldn't retrieve selectors via --selector flag or introspection: {why}"
        ))
    };
    let (found, why) = match exposed.kind() {
        Kind::Pod => (&value["metadata"]["labels"], "the pod has no labels and cannot be exposed"),
        Kind::Service => (&value["spec"]["selector"], "the service has no pod selector set"),
        _ => {
            if value["spec"]["selector"]["matchExpressions"].is_array() {
                return Err(fail(
                    "couldn't convert expressions - \"\" to map-based selector format",
                ));
            }
            (&value["spec"]["selector"]["matchLabels"], "invalid deployment: no selectors")
        }
    };
    if found.as_object().is_some_and(|it| !it.is_empty()) {
        Ok(found.clone())
    } else {
        Err(fail(why))
    }
}

/// The ports of the containers behind an object, with their protocols.
fn ports_of(exposed: &Object, value: &Value) -> Vec<(i64, String)> {
    let (path, field) = match exposed.kind() {
        Kind::Pod => ("/spec/containers", "containerPort"),
        Kind::Service => ("/spec", "port"),
        _ => ("/spec/template/spec/containers", "containerPort"),
    };
    let holders = match value.pointer(path) {
        Some(Value::Array(containers)) => containers.clone(),
        Some(spec) => vec![spec.clone()],
        None => vec![],
    };
    let ports = holders.iter().filter_map(|it| it["ports"].as_array()).flatten();
    let row = |it: &Value| {
        let protocol = it["protocol"].as_str().unwrap_or("TCP").to_owned();
        Some((it[field].as_i64()?, protocol))
    };
    ports.filter_map(row).collect()
}
