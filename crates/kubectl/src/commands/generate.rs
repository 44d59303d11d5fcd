//! `kubectl create deployment` and its kin: objects made from flags.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/create/*.go`, v1.36.

mod expose;
mod run;

pub(super) use expose::{EXPOSE_FLAGS, expose};
pub(super) use run::{RUN_FLAGS, run};

use api::quantity;
use api::yaml::{self, Document};
use api::{ApiError, Kind, Object};
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

/// The flags of `create` with this subcommand.
pub(super) fn flags_of(name: &str) -> impl Iterator<Item = &'static Flag> + use<> {
    let sub = SUBS.iter().find(|it| it.name == name);
    let own = match (sub, name) {
        (Some(sub), _) => sub.flags,
        (None, "service") => SERVICE,
        (None, "secret") => CONFIG,
        (None, _) => &[],
    };
    COMMON.iter().chain(own)
}

/// The names of the subcommands of `create`.
pub(super) fn subcommands() -> impl Iterator<Item = &'static str> {
    SUBS.iter().map(|it| it.name).chain(["service", "secret"])
}

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
