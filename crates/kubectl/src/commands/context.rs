//! What the client knows of the server: `version`, `cluster-info`, `auth`, `config`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/{auth,clusterinfo,config,version}`, v1.36.
//! Differs from upstream: there is one context, `orrery`, and it cannot be changed; everybody may do
//! everything.

use api::go_order::InOrder;
use api::yaml;
use serde_json::{Value, json};

use super::discovery::resources;
use super::{Next, Session, help};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::output_format::{self, Format};

pub(super) const VERSION_FLAGS: &[Flag] = &[switch("client"), value("output").or('o')];

pub(super) const AUTH_FLAGS: &[Flag] = &[
    switch("all-namespaces").or('A'),
    switch("quiet").or('q'),
    switch("list"),
    value("subresource"),
    value("filename").or('f'),
    switch("no-headers"),
    value("output").or('o'),
];

pub(super) const CONFIG_FLAGS: &[Flag] = &[
    value("output").or('o'),
    switch("current"),
    switch("minify"),
    switch("raw"),
    switch("flatten"),
    switch("no-headers"),
];

fn client_version() -> Value {
    json!({
        "buildDate": "2026-06-10T00:00:00Z", "compiler": "rustc", "gitTreeState": "clean",
        "gitVersion": "v1.36.2", "major": "1", "minor": "36", "platform": "orrery/simulated",
    })
}

/// The server's version, as `/version` tells it.
pub(super) fn server_version() -> String {
    in_order(&of_server(), "serverVersion")
}

fn of_server() -> Value {
    let mut version = client_version();
    version["emulationMajor"] = "1".into();
    version["emulationMinor"] = "36".into();
    version["minCompatibilityMajor"] = "1".into();
    version["minCompatibilityMinor"] = "35".into();
    version
}

/// JSON with two spaces, in the order of Go's structs; `of` is the field that has it.
fn in_order(value: &Value, of: &str) -> String {
    serde_json::to_string_pretty(&InOrder::of(value, of)).unwrap_or_default()
}

pub(super) fn version(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = &session.args.positional;
    if !words.is_empty() {
        return Err(Failure::Text(format!("extra arguments: [{}]", words.join(" "))));
    }
    let mut all = json!({"clientVersion": client_version(), "kustomizeVersion": "v5.8.1"});
    let with_server = !session.args.is_on("client");
    if with_server {
        all["serverVersion"] = of_server();
    }
    let text = match session.args.get("output") {
        None | Some("") => {
            let server = if with_server { "Server Version: v1.36.2\n" } else { "" };
            format!("Client Version: v1.36.2\nKustomize Version: v5.8.1\n{server}")
        }
        Some("yaml") => format!("{}\n", yaml::to_string(&all)),
        Some("json") => format!("{}\n", in_order(&all, "")),
        Some(_) => return Err(Failure::text("--output must be 'yaml' or 'json'")),
    };
    session.output.out(text);
    Ok(Next::Done)
}

pub(super) fn cluster_info(session: &mut Session<'_>) -> Result<Next, Failure> {
    if session.args.positional.first().map(String::as_str) == Some("dump") {
        return Err(Failure::text(
            "\"kubectl cluster-info dump\" is not possible in the simulation",
        ));
    }
    session.output.out(
        "Kubernetes control plane is running at https://10.96.0.1:443\n\nTo further debug and \
         diagnose cluster problems, use 'kubectl cluster-info dump'.\n",
    );
    Ok(Next::Done)
}

const VERBS: &str = "get,list,watch,create,update,patch,delete,deletecollection,use,bind,\
                     impersonate,*,approve,sign,escalate,attest";

pub(super) fn auth(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    match words.first().map(String::as_str) {
        None => Err(Failure::Raw(help::parent("auth"))),
        Some("can-i") => can_i(session, &words[1..]),
        Some("whoami") => whoami(session),
        Some("reconcile") => {
            Err(Failure::text("\"kubectl auth reconcile\" is not possible in the simulation"))
        }
        Some(other) => Err(Failure::Usage(format!("unknown command {other:?}"))),
    }
}

/// Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/auth/whoami.go`.
fn whoami(session: &mut Session<'_>) -> Result<Next, Failure> {
    let text = match Format::parse(session.args.get("output"), None)? {
        Format::Table { .. } => rows::align(
            "ATTRIBUTE\tVALUE\nUsername\tkubernetes-admin\nGroups\t[kubeadm:cluster-admins \
             system:authenticated]\n",
            6,
            3,
        ),
        format => {
            let review = json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview",
                "metadata": {"creationTimestamp": session.client.now().to_string()},
                "status": {"userInfo": {
                    "groups": ["kubeadm:cluster-admins", "system:authenticated"],
                    "username": "kubernetes-admin",
                }},
            });
            output_format::print_value(&format, &review)?
        }
    };
    session.output.out(text);
    Ok(Next::Done)
}

/// Everybody may do everything; what is asked about is still checked.
fn can_i(session: &mut Session<'_>, words: &[String]) -> Result<Next, Failure> {
    if session.args.is_on("list") {
        if !words.is_empty() {
            return Err(Failure::text("list option must be specified with no arguments"));
        }
        session.output.out(rows::align(
            "Resources\tNon-Resource URLs\tResource Names\tVerbs\n*.*\t[]\t[]\t[*]\n\t[*]\t[]\t[*]\n",
            6,
            3,
        ));
        return Ok(Next::Done);
    }
    let [verb, what] = words else {
        return Err(Failure::text(
            "you must specify two arguments: verb resource or verb resource/resourceName.\nSee \
             'kubectl auth can-i -h' for help and examples.",
        ));
    };
    let mut warn = |text: String| session.output.err(format!("Warning: {text}\n\n"));
    let name = what.split('/').next().unwrap_or_default();
    if !what.starts_with('/') && name != "*" {
        match resources().find(|it| it.is_named(name)) {
            None => warn(format!("the server doesn't have a resource type '{name}'")),
            Some(it) if !it.namespaced && !session.args.is_on("all-namespaces") => {
                let group = match it.group() {
                    "" => String::new(),
                    group => format!(" in group '{group}'"),
                };
                warn(format!("resource '{}' is not namespace scoped{group}", it.plural));
            }
            Some(_) => {}
        }
        if !VERBS.split(',').any(|it| it == verb.to_lowercase()) {
            warn(format!("verb '{verb}' is not a known verb"));
        }
    }
    if !session.args.is_on("quiet") {
        session.output.out("yes\n");
    }
    Ok(Next::Done)
}

/// The namespace that the context was given.
fn context_namespace<'a>(session: &'a Session<'_>) -> &'a str {
    Some(session.client.namespace()).filter(|it| *it != "default").unwrap_or_default()
}

/// Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/config/set_context.go`.
fn set_context(session: &mut Session<'_>) -> Result<&'static str, Failure> {
    let words = session.args.positional.clone();
    let current = session.args.is_on("current");
    match &words[1..] {
        [] if !current => {
            return Err(Failure::text("you must specify a non-empty context name or --current"));
        }
        [_] if current => {
            return Err(Failure::text("you cannot specify both a context name and --current"));
        }
        [other] if other != "orrery" => {
            return Err(Failure::text("the simulation has one context, orrery"));
        }
        [_, _, ..] => {
            return Err(Failure::Usage(format!("Unexpected args: [{}]", words[1..].join(" "))));
        }
        _ => {}
    }
    if session.args.has("namespace") {
        let namespace = if session.namespace.is_empty() { "default" } else { &session.namespace };
        session.client.set_namespace(namespace);
    }
    Ok("Context \"orrery\" modified.\n")
}

pub(super) fn config(session: &mut Session<'_>) -> Result<Next, Failure> {
    let verb = session.args.positional.first().cloned().unwrap_or_default();
    let text = match verb.as_str() {
        "" => return Err(Failure::Raw(help::parent("config"))),
        "current-context" => "orrery\n".to_owned(),
        "get-contexts" if session.args.get("output") == Some("name") => "orrery\n".to_owned(),
        "get-contexts" => {
            if let Some(other) = session.args.positional.get(1).filter(|it| *it != "orrery") {
                let head = rows::align("CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n", 6, 3);
                let failure = Failure::Text(format!("context {other} not found"));
                return Err(Failure::After(head, Box::new(failure)));
            }
            let text = format!(
                "CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n*\torrery\torrery\tkubernetes-admin\t{}\n",
                context_namespace(session)
            );
            rows::align(&text, 6, 3)
        }
        "set-context" => set_context(session)?.to_owned(),
        "get-clusters" => "NAME\norrery\n".to_owned(),
        "get-users" => "NAME\nkubernetes-admin\n".to_owned(),
        "view" => {
            let mut context = json!({"cluster": "orrery", "user": "kubernetes-admin"});
            let namespace = context_namespace(session);
            if !namespace.is_empty() {
                context["namespace"] = namespace.into();
            }
            let value = json!({
                "apiVersion": "v1", "kind": "Config",
                "current-context": "orrery",
                "clusters": [{"name": "orrery", "cluster": {"server": "https://10.96.0.1:443"}}],
                "contexts": [{"name": "orrery", "context": context}],
                "users": [{"name": "kubernetes-admin", "user": {}}],
            });
            let format = Format::parse(session.args.get("output"), None)?;
            output_format::print_value(&format, &value)?
        }
        "use-context" => match session.args.positional.get(1).map(String::as_str) {
            Some("orrery") => "Switched to context \"orrery\".\n".to_owned(),
            Some(other) => {
                return Err(Failure::Text(format!("no context exists with the name: {other:?}")));
            }
            None => return Err(Failure::text("Unexpected args: []")),
        },
        known if help::subcommands("config").iter().any(|it| it.0 == known) => {
            return Err(Failure::Text(format!(
                "\"kubectl config {known}\" is not possible in the simulation: it has one context"
            )));
        }
        other => return Err(Failure::Usage(format!("unknown command {other:?}"))),
    };
    session.output.out(text);
    Ok(Next::Done)
}
