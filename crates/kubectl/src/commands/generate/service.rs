//! `kubectl create service`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/create/create_service.go`, v1.36.

use api::Kind;
use serde_json::json;

use super::{COMMON, SERVICE, finish, int_flag, int_or_text, object, only_name};
use crate::commands::{Next, Session};
use crate::failure::Failure;
use crate::names;

const SERVICE_TYPES: [(&str, &str); 4] = [
    ("clusterip", "ClusterIP"),
    ("nodeport", "NodePort"),
    ("loadbalancer", "LoadBalancer"),
    ("externalname", "ExternalName"),
];

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

pub(super) fn service_words(session: &mut Session<'_>, words: &[String]) -> Result<Next, Failure> {
    let word = words.first().map(String::as_str).unwrap_or_default();
    let Some((name, kind)) = SERVICE_TYPES.iter().find(|it| it.0 == word) else {
        session.command = "kubectl create service".to_owned();
        return Err(match words {
            [] => Failure::Raw(SERVICE_HELP.to_owned()),
            _ => Failure::Usage(format!("unknown command {:?}", words.join(" "))),
        });
    };
    session.command = format!("kubectl create service {name}");
    session.parse(&words[1..], &[COMMON, SERVICE])?;
    if name == &"externalname" && !session.args.has("external-name") {
        return Err(Failure::text("required flag(s) \"external-name\" not set"));
    }
    let name = only_name(&session.args)?;
    if let Some(external) = session.args.get("external-name").filter(|it| !names::is_subdomain(it))
    {
        return Err(Failure::Text(format!("invalid service external name {external}")));
    }
    let node_port = int_flag(session, "node-port")?;
    let mut ports = vec![];
    for text in session.args.list("tcp") {
        let (port, target) = text.split_once(':').unwrap_or((&text, &text));
        let Ok(number) = port.parse::<u16>() else {
            let is_number = !port.is_empty() && port.chars().all(|it| it.is_ascii_digit());
            let why = if is_number { "value out of range" } else { "invalid syntax" };
            return Err(Failure::Text(format!("strconv.ParseUint: parsing {port:?}: {why}")));
        };
        if target.parse::<i64>().is_ok_and(|it| !(1..=65_535).contains(&it)) && text.contains(':') {
            return Err(Failure::text("must be between 1 and 65535, inclusive"));
        }
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
    let what = format!("{kind} service:");
    finish(session, made, Some(&what))
}
