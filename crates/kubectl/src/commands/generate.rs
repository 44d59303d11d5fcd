//! `kubectl create deployment` and its kin: objects made from flags.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/create/*.go`, v1.36.

mod config;
mod expose;
mod run;
mod service;

pub(super) use expose::{EXPOSE_FLAGS, expose};
pub(super) use run::{RUN_FLAGS, run};

use api::quantity;
use api::selector::Operator;
use api::yaml::{self, Document};
use api::{ApiError, Kind, Object, Patch};
use serde_json::{Map, Value, json};

use super::{Next, Session, create};
use crate::DryRun;
use crate::args::{Args, Flag, switch, value};
use crate::failure::Failure;
use crate::{hash, last_applied, names, resources};

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
const REGISTRY: &[Flag] = &[
    value("docker-username"),
    value("docker-password"),
    value("docker-email"),
    value("docker-server"),
    value("from-file"),
    switch("append-hash"),
];
const TLS: &[Flag] = &[value("cert"), value("key"), switch("append-hash")];
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
    Sub { name: "configmap", aliases: &["cm"], flags: CONFIG, make: config::config_map },
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
    // Of the three kinds of secrets together.
    let secrets = if name == "secret" { [REGISTRY, TLS] } else { [&[][..], &[]] };
    let more =
        secrets.into_iter().flatten().filter(|it| !own.iter().any(|own| own.long == it.long));
    COMMON.iter().chain(own).chain(more)
}

/// The names of the subcommands of `create`.
pub(super) fn subcommands() -> impl Iterator<Item = &'static str> {
    SUBS.iter().map(|it| it.name).chain(["service", "secret"])
}

/// What kubectl can create and this cluster does not keep.
const OUT_OF_REACH: [(&str, &str); 6] = [
    ("clusterrole", "it keeps no roles, everything is allowed"),
    ("clusterrolebinding", "it keeps no bindings of roles, everything is allowed"),
    ("ingress", "it keeps no ingresses"),
    ("role", "it keeps no roles, everything is allowed"),
    ("rolebinding", "it keeps no bindings of roles, everything is allowed"),
    ("token", "nobody has to sign in, and no tokens are issued"),
];

fn aliased(name: &str, word: &str) -> bool {
    matches!((name, word), ("ingress", "ing"))
}

/// Carries out `create SUBCOMMAND`, if the words name one.
pub(super) fn create(session: &mut Session<'_>, words: &[String]) -> Option<Result<Next, Failure>> {
    let name = words.first()?.as_str();
    if matches!(name, "service" | "svc") {
        return Some(service::service_words(session, &words[1..]));
    }
    if name == "secret" {
        return Some(config::secret_words(session, &words[1..]));
    }
    if let Some((name, why)) = OUT_OF_REACH.iter().find(|it| it.0 == name || aliased(it.0, name)) {
        let why = format!("\"kubectl create {name}\" is not possible in the simulation: {why}");
        return Some(Err(Failure::Text(why)));
    }
    let sub = SUBS.iter().find(|it| it.name == name || it.aliases.contains(&name))?;
    session.command = format!("kubectl create {}", sub.name);
    Some(sub_command(session, sub, &words[1..]))
}

fn sub_command(session: &mut Session<'_>, sub: &Sub, words: &[String]) -> Result<Next, Failure> {
    session.parse(words, &[COMMON, sub.flags])?;
    let required: &[&str] = match sub.name {
        "deployment" => &["image"],
        "cronjob" => &["image", "schedule"],
        _ => &[],
    };
    let missing = required.iter().filter(|it| !session.args.has(it));
    let missing: Vec<String> = missing.map(|it| format!("{it:?}")).collect();
    if !missing.is_empty() {
        let text = format!("required flag(s) {} not set", missing.join(", "));
        return Err(Failure::Text(text));
    }
    let name = only_name(&session.args)?;
    let object = (sub.make)(session, &name)?;
    let what = match sub.name {
        "namespace" => None,
        "poddisruptionbudget" => Some("poddisruptionbudgets:"),
        "deployment" => Some("deployment:"),
        "job" => Some("job:"),
        "cronjob" => Some("cronjob:"),
        "configmap" => Some("configmap:"),
        "serviceaccount" => Some("serviceaccount:"),
        "priorityclass" => Some("priorityclass:"),
        _ => Some("quota:"),
    };
    finish(session, object, what)
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
    if session.args.is_on("append-hash")
        && let Some(hash) = hash::of(&object)
    {
        let name = format!("{}-{hash}", object.name());
        object.meta_mut().name = Some(name);
    }
    let pretends = session.dry_run()? == Some(DryRun::None);
    if object.kind().namespaced() && (!pretends || session.args.has("namespace")) {
        object.meta_mut().namespace = Some(session.namespace.clone());
    }
    if session.args.is_on("save-config") {
        let text = last_applied::generated(&object);
        let annotations = object.meta_mut().annotations.get_or_insert_default();
        annotations.insert(last_applied::ANNOTATION.to_owned(), text);
    }
    let sent = create::send(session, object).map_err(|failure| match (failure, what) {
        (Failure::Api(_, error), Some(what)) => {
            Failure::Text(format!("failed to create {what} {}", prefixed(&error)))
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

/// A generated object with what `--overrides` says of it. Upstream: `Overrider`.
fn overridden(session: &Session<'_>, object: Object) -> Result<Object, Failure> {
    let Some(text) = session.args.get("overrides") else { return Ok(object) };
    let form: fn(Value) -> Patch = match session.args.get("override-type").unwrap_or("merge") {
        "merge" => Patch::Merge,
        "strategic" => Patch::Strategic,
        "json" => Patch::Json,
        other => return Err(Failure::Text(format!("invalid override type: {other}"))),
    };
    let overrides = serde_json::from_str(text).map_err(|_| Failure::text("Invalid JSON Patch"))?;
    Ok(session.client.patch(&object, &form(overrides))?)
}

/// The words after `--`.
fn container_command(args: &Args) -> Vec<String> {
    args.n_before_dash.map_or_else(Vec::new, |it| args.positional[it..].to_vec())
}

/// The name of an image without registry, tag and digest. Where it is no name for a container, it
/// is made one, and upstream adds a random ending; here the image decides it.
fn image_name(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    let name = name.split([':', '@']).next().unwrap_or(name);
    if !name.contains(['_', '.']) {
        return name.to_owned();
    }
    const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut hash = image.bytes().fold(14_695_981_039_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211)
    });
    let mut name = format!("{}-", name.replace(['_', '.'], "-"));
    for _ in 0..5 {
        let at = usize::try_from(hash % 27).unwrap_or_default();
        name.push(LETTERS.get(at).map_or('b', |it| char::from(*it)));
        hash /= 27;
    }
    name
}

fn int_flag(session: &Session<'_>, flag: &str) -> Result<Option<i64>, Failure> {
    session.args.int(flag).map_err(Failure::Flags)
}

fn deployment(session: &Session<'_>, name: &str) -> Result<Object, Failure> {
    let port = int_flag(session, "port")?.filter(|it| *it >= 0);
    let command = container_command(&session.args);
    let images = session.args.list("image");
    if images.len() > 1 && !command.is_empty() {
        return Err(Failure::text("cannot specify multiple --image options and command"));
    }
    let containers: Vec<Value> = images
        .iter()
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
    let given = |flag| session.args.get(flag).filter(|it| !it.is_empty());
    match (given("image"), given("from")) {
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
        (None, Some(_)) if !container_command(&session.args).is_empty() => {
            Err(Failure::text("cannot specify --from and command"))
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
    let cron_job = match &objects[..] {
        [Object::CronJob(it)] => it,
        [other] => {
            let (version, kind) = (other.kind().version(), other.kind());
            return Err(Failure::Text(format!("unknown object type *{version}.{kind}")));
        }
        _ => return Err(Failure::text("from must be an existing cronjob")),
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
    let schedule = session.args.get("schedule").unwrap_or_default();
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
    let mut spec = json!({"selector": label_selector(selector)?});
    let is_amount = |it: &str| {
        let digits = it.strip_suffix('%').unwrap_or(it);
        !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit())
    };
    let wrong = |given: Option<&str>| given.is_some_and(|it| !it.is_empty() && !is_amount(it));
    for (flag, given) in [("min-available", min), ("max-unavailable", max)] {
        if min.is_some() != max.is_some() && wrong(given) {
            return Err(Failure::Text(format!("invalid format specified for {flag}")));
        }
    }
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

/// The text of a selector as the API has it. Upstream: `ParseToLabelSelector`.
fn label_selector(text: &str) -> Result<Value, Failure> {
    let parsed = names::selector(text).map_err(|it| {
        Failure::Text(format!("couldn't parse the selector string \"{text}\": {it}"))
    })?;
    let plain: String = text.chars().filter(|it| !it.is_whitespace()).collect();
    let mut selector = json!({});
    for it in parsed.requirements {
        let value = it.values.first().map(String::as_str).unwrap_or_default();
        let is_equality =
            |sign| plain.split(',').any(|part| part == format!("{}{sign}{value}", it.key));
        let operator = match it.operator {
            Operator::In if is_equality("=") || is_equality("==") => {
                selector["matchLabels"][it.key] = value.into();
                continue;
            }
            Operator::NotIn if is_equality("!=") => {
                return Err(Failure::text("\"!=\" is not a valid label selector operator"));
            }
            Operator::Gt => {
                return Err(Failure::text("\"gt\" isn't supported in label selectors"));
            }
            Operator::Lt => {
                return Err(Failure::text("\"lt\" isn't supported in label selectors"));
            }
            Operator::In => "In",
            Operator::NotIn => "NotIn",
            Operator::Exists => "Exists",
            Operator::DoesNotExist => "DoesNotExist",
        };
        let mut row = json!({"key": it.key, "operator": operator});
        if !it.values.is_empty() {
            row["values"] = json!(it.values);
        }
        match &mut selector["matchExpressions"] {
            Value::Array(rows) => rows.push(row),
            none => *none = json!([row]),
        }
    }
    Ok(selector)
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
