//! `kubectl expose`: a service made for an object.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/expose/expose.go`, v1.36.

use api::{Kind, Object, sent};
use serde_json::{Value, json};

use super::{int_or_text, object, overridden, pairs};
use crate::DryRun;
use crate::args::{Flag, switch, value};
use crate::commands::{Next, Session, create, files};
use crate::failure::Failure;
use crate::resources;

pub(in crate::commands) const EXPOSE_FLAGS: &[Flag] = &[
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
    switch("record"),
];

pub(in crate::commands) fn expose(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    // What a file says is exposed as it stands there, whether the server has it or not.
    let objects: Vec<Object> = if session.args.has("filename") {
        files::no_words(&words)?;
        files::local(session)?
    } else {
        let mut query = session.query(false);
        query.selector = None;
        let asked = resources::resolve(&words, &query)?;
        let (found, failures) = resources::find(session.client.objects(), &asked, &query)?;
        Failure::all(failures)?;
        found.into_iter().map(|it| it.object.clone()).collect()
    };
    let failures = objects.iter().filter_map(|it| expose_one(session, it).err()).collect();
    Failure::all(failures)?;
    Ok(Next::Done)
}

fn expose_one(session: &mut Session<'_>, exposed: &Object) -> Result<(), Failure> {
    let mut service = overridden(session, service_for(session, exposed)?)?;
    let pretends = session.dry_run()? == Some(DryRun::None);
    if !pretends || session.args.has("namespace") {
        service.meta_mut().namespace = Some(session.namespace.clone());
    }
    let sent = create::send(session, service)?;
    session.print(&sent, "exposed")
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
        Some(text) => {
            let port = |port: &str| {
                let number = port.parse().map_err(|_| {
                    Failure::Text(format!("strconv.Atoi: parsing {port:?}: invalid syntax"))
                })?;
                let protocol = found.iter().find(|it| it.0 == number).map(|it| it.1.clone());
                Ok((number, protocol.unwrap_or_else(|| "TCP".to_owned())))
            };
            text.split(',').map(port).collect::<Result<_, Failure>>()?
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
    for (flag, field) in [
        ("type", "type"),
        ("cluster-ip", "clusterIP"),
        ("session-affinity", "sessionAffinity"),
        ("load-balancer-ip", "loadBalancerIP"),
    ] {
        let fits = flag != "load-balancer-ip" || spec["type"] == "LoadBalancer";
        if let Some(value) = args.get(flag).filter(|_| fits) {
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
