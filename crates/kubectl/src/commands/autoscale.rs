//! `kubectl autoscale`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/autoscale/autoscale.go`, v1.36.
//! Differs from upstream: nothing measures load, so nobody acts on the object.

use api::{Kind, Object, quantity};
use serde_json::{Value, json};

use super::{Next, Session, create, files, generate};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::{DryRun, last_applied, resources};

pub(super) const FLAGS: &[Flag] = &[
    value("filename").or('f'),
    value("kustomize").or('k'),
    switch("recursive").or('R'),
    value("min"),
    value("max"),
    value("cpu-percent"),
    value("cpu"),
    value("memory"),
    value("name"),
    value("dry-run").optional("unchanged"),
    value("output").or('o'),
    value("template"),
    value("field-manager"),
    switch("record"),
    switch("save-config"),
    switch("show-managed-fields"),
    switch("allow-missing-template-keys"),
];

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    if session.args.has("cpu-percent") {
        session.output.err(
            "Flag --cpu-percent has been deprecated, Use --cpu with percentage or resource quantity \
             format (e.g., '70%' for utilization or '500m' for milliCPU).\n",
        );
    }
    if !session.args.has("max") {
        return Err(Failure::text("required flag(s) \"max\" not set"));
    }
    let int = |flag| session.args.int(flag).map_err(Failure::Flags);
    let (max, min) = (int("max")?.unwrap_or_default(), int("min")?.unwrap_or(-1));
    let share = int("cpu-percent")?.filter(|it| *it > 0);
    if max < 1 {
        return Err(Failure::Text(format!(
            "--max=MAXPODS is required and must be at least 1, max: {max}"
        )));
    }
    if max < min {
        return Err(Failure::Text(format!(
            "--max=MAXPODS must be larger or equal to --min=MINPODS, max: {max}, min: {min}"
        )));
    }
    let given = |flag: &str| session.args.get(flag).filter(|it| !it.is_empty());
    if share.is_some() && given("cpu").is_some() {
        return Err(Failure::text("--cpu-percent and --cpu are mutually exclusive"));
    }
    let mut metrics = vec![];
    metrics.extend(share.map(|it| resource("cpu", &share_target(it))));
    for (flag, unit) in [("cpu", "m"), ("memory", "Mi")] {
        if let Some(text) = given(flag) {
            metrics.push(resource(flag, &target(text, flag, unit)?));
        }
    }
    let words = session.args.positional.clone();
    // As with `expose`, an object of a file need not be on the server.
    let (objects, failures) = if session.args.has("filename") {
        files::no_words(&words)?;
        (files::local(session)?, vec![])
    } else {
        let asked = resources::resolve(&words, &session.query(false))?;
        session.find(&asked, false)?
    };
    if objects.is_empty() && failures.is_empty() {
        return Err(Failure::text("no objects passed to autoscale"));
    }
    for object in &objects {
        autoscale(session, object, (min, max), &metrics)?;
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

fn autoscale(
    session: &mut Session<'_>,
    object: &Object,
    (min, max): (i64, i64),
    metrics: &[Value],
) -> Result<(), Failure> {
    let kind = object.kind();
    if !matches!(kind, Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet) {
        let (group, version) = (kind.group(), kind.version());
        return Err(Failure::Text(format!(
            "cannot autoscale a {kind}: could not find scale subresource for {group}/{version}, \
             Resource={} in discovery information",
            kind.plural()
        )));
    }
    let name = session.args.get("name").filter(|it| !it.is_empty()).unwrap_or(object.name());
    let mut value = json!({
        "metadata": {"name": name, "namespace": session.namespace},
        "spec": {
            "scaleTargetRef":
                {"apiVersion": kind.api_version(), "kind": kind.name(), "name": object.name()},
            "maxReplicas": max,
        },
    });
    if min > 0 {
        value["spec"]["minReplicas"] = min.into();
    }
    if !metrics.is_empty() {
        value["spec"]["metrics"] = metrics.into();
    }
    let mut autoscaler = generate::object(Kind::HorizontalPodAutoscaler, value.clone())?;
    if session.dry_run()? == Some(DryRun::None) {
        if !session.args.has("namespace") {
            autoscaler.meta_mut().namespace = None;
        }
        return session.print(&autoscaler, "created");
    }
    if session.args.is_on("save-config") {
        last_applied::set(&mut autoscaler, &value);
    }
    let created = create::send(session, autoscaler).map_err(|it| refused(session, it))?;
    session.print(&created, "autoscaled")
}

/// A refusal sends kubectl to the older version of the API, where that can say as much; the server
/// refuses there, too. Upstream: `canCreateHPAV1`.
fn refused(session: &Session<'_>, refusal: Failure) -> Failure {
    let cpu = session.args.get("cpu").unwrap_or_default();
    let why = match cpu {
        "" => "empty input",
        _ if cpu.trim().ends_with('%') && !session.args.has("memory") => return refusal,
        _ => "%!w(<nil>)",
    };
    Failure::Text(format!(
        "failed to create autoscaling/v2 HPA and the configuration is incompatible with \
         autoscaling/v1: {why}"
    ))
}

fn resource(name: &str, target: &Value) -> Value {
    json!({"type": "Resource", "resource": {"name": name, "target": target}})
}

fn share_target(percent: i64) -> Value {
    json!({"type": "Utilization", "averageUtilization": percent})
}

/// What `70%`, `500m` or a number without a unit asks for. Upstream: `parseResourceInput`.
fn target(text: &str, resource: &str, unit: &str) -> Result<Value, Failure> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::text("empty input"));
    }
    if let Some(number) = text.strip_suffix('%') {
        let percent = number.parse::<i32>().ok().filter(|it| *it >= 0);
        return match percent {
            Some(it) => Ok(share_target(it.into())),
            None => Err(Failure::Text(format!("invalid percentage value: {number}"))),
        };
    }
    let bare = text.parse::<f64>().is_ok();
    let with_unit = if bare { format!("{text}{unit}") } else { text.to_owned() };
    match quantity::parse(&with_unit) {
        Ok(_) => Ok(json!({"type": "AverageValue", "averageValue": with_unit})),
        Err(_) => Err(Failure::Text(format!("invalid resource {resource} value: {text}"))),
    }
}
