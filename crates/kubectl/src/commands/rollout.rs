//! `kubectl rollout`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/rollout`, `pkg/polymorphichelpers`, v1.36.

use api::{Action, Kind, Object, ObjectRef, Patch, Resource as _, Timestamp, sent, time};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use serde_json::{Value, json};

use super::{Next, Session, Waiting, files, help};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::resources;

mod history;

pub(super) const FLAGS: &[Flag] = &[
    value("filename").or('f'),
    value("kustomize").or('k'),
    switch("recursive").or('R'),
    value("selector").or('l'),
    value("revision"),
    value("to-revision"),
    value("timeout"),
    switch("watch").or('w'),
    value("dry-run").optional("unchanged"),
    value("output").or('o'),
    value("field-manager"),
];

/// The flags that only some of the subcommands have.
const VERBS: &[(&str, &str)] = &[
    ("revision", "history status"),
    ("to-revision", "undo"),
    ("timeout", "status"),
    ("watch", "status"),
    ("dry-run", "undo"),
    ("field-manager", "pause restart resume"),
    ("output", "history pause restart resume undo"),
];

const REVISION: &str = "deployment.kubernetes.io/revision";
const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// A rollout that is watched.
#[derive(Clone, Debug)]
pub(crate) struct Watching {
    keys: Vec<ObjectRef>,
    deadline: Option<Timestamp>,
    version: Option<String>,
}

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    let Some((verb, words)) = words.split_first() else {
        // Unlike other commands without their subcommand it prints its help to standard output.
        session.output.out(help::parent("rollout"));
        return Err(Failure::Raw(String::new()));
    };
    if !["history", "pause", "restart", "resume", "status", "undo"].contains(&verb.as_str()) {
        let all = session.args.positional.join(" ");
        return Err(Failure::Usage(format!("unknown command {all:?}")));
    }
    session.command = format!("kubectl rollout {verb}");
    let is_foreign = |flag: &str| VERBS.iter().any(|it| it.0 == flag && !it.1.contains(verb));
    if let Some((flag, _)) = session.args.given.iter().find(|it| is_foreign(it.0)) {
        return Err(Failure::Flags(format!("unknown flag: --{flag}")));
    }
    if words.is_empty() && !session.args.has("filename") {
        return Err(Failure::text("required resource not specified"));
    }
    let revision = session.args.int("revision").map_err(Failure::Flags)?.unwrap_or_default();
    if revision < 0 {
        return Err(Failure::Text(format!("revision must be a positive integer: {revision}")));
    }
    let asked = match session.args.has("filename") {
        true => files::named(session, words)?,
        false => resources::resolve(words, &session.query(true))?,
    };
    let (objects, mut failures) = session.find(&asked, true)?;
    if verb == "status" {
        Failure::all(failures)?;
        if objects.is_empty() {
            session.output.err(format!("No resources found in {} namespace.\n", session.namespace));
        }
        return status(session, &objects);
    }
    let says_nothing = matches!(verb.as_str(), "restart" | "pause" | "resume");
    if says_nothing && objects.is_empty() && failures.is_empty() {
        session.output.err(format!("No resources found in {} namespace.\n", session.namespace));
    }
    for object in &objects {
        let result = match verb.as_str() {
            "history" => history::history(session, object),
            "undo" => history::undo(session, object),
            "restart" => restart(session, object),
            verb => pause(session, object, verb == "pause"),
        };
        if let Err(failure) = result {
            failures.push(failure);
        }
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

/// Why nothing is known of the revisions of a kind. Upstream: `GroupKindElement.Accept`.
fn no_revisions(kind: Kind, viewer: &str, what: &str) -> Failure {
    let name = group_kind(kind);
    let is_known = matches!(kind, Kind::Pod | Kind::ReplicaSet | Kind::Job | Kind::CronJob);
    Failure::Text(match is_known {
        true => format!("no {viewer} has been implemented for {name:?}"),
        false => format!(
            "error retrieving {what} for {name:?}, no visitor method exists for {{{} {kind}}}",
            kind.group()
        ),
    })
}

/// `Job.batch`.
fn group_kind(kind: Kind) -> String {
    match kind.group() {
        "" => kind.name().to_owned(),
        group => format!("{kind}.{group}"),
    }
}

fn status(session: &mut Session<'_>, objects: &[Object]) -> Result<Next, Failure> {
    for object in objects {
        if !matches!(object.kind(), Kind::Deployment | Kind::DaemonSet | Kind::StatefulSet) {
            let kind = group_kind(object.kind());
            return Err(Failure::Text(format!("no status viewer has been implemented for {kind}")));
        }
    }
    let timeout = session.args.duration("timeout").map_err(Failure::Flags)?;
    let timeout = timeout.filter(|it| it.as_nanos() > 0);
    let now = session.client.now();
    let deadline = timeout.map(|it| time::after_ms(now, it.as_millis()));
    let keys = objects.iter().map(Object::object_ref).collect();
    go_on(session, Watching { keys, deadline, version: None })
}

pub(super) fn go_on(session: &mut Session<'_>, mut state: Watching) -> Result<Next, Failure> {
    while let Some(key) = state.keys.first().cloned() {
        let Some(object) = session.client.objects().get(&key).cloned() else {
            return Err(Failure::text("object has been deleted"));
        };
        let wanted = session.args.int("revision").map_err(Failure::Flags)?.unwrap_or_default();
        if wanted > 0 && object.kind() == Kind::Deployment {
            let annotations = object.meta().annotations.as_ref();
            let running = annotations.and_then(|it| it.get(REVISION)).map_or("0", String::as_str);
            if running != wanted.to_string() {
                return Err(Failure::Text(format!(
                    "desired revision ({wanted}) is different from the running revision ({running})"
                )));
            }
        }
        let (text, done) = progress(&object)?;
        // Each change is told of, also one that leaves the text as it was.
        let version = object.meta().resource_version.clone();
        if version != state.version {
            session.output.out(text);
            state.version = version;
        }
        if done || session.args.is_off("watch") {
            state.keys.remove(0);
            state.version = None;
            continue;
        }
        if state.deadline.is_some_and(|it| it <= session.client.now()) {
            return Err(Failure::text("timed out waiting for the condition"));
        }
        return Ok(Next::Wait { deadline: state.deadline, waiting: Waiting::Rollout(state) });
    }
    Ok(Next::Done)
}

/// How far a rollout is, and whether it is done.
fn progress(object: &Object) -> Result<(String, bool), Failure> {
    match object {
        Object::Deployment(it) => deployment_progress(it),
        Object::DaemonSet(it) => daemon_set_progress(it),
        Object::StatefulSet(it) => stateful_set_progress(it),
        _ => Err(Failure::text("no status viewer has been implemented")),
    }
}

fn deployment_progress(deployment: &Deployment) -> Result<(String, bool), Failure> {
    let name = deployment.name();
    let status = deployment.status.clone().unwrap_or_default();
    let generation = deployment.metadata.generation.unwrap_or_default();
    if generation > status.observed_generation.unwrap_or_default() {
        return Ok(("Waiting for deployment spec update to be observed...\n".to_owned(), false));
    }
    let progressing = status.conditions.iter().flatten().find(|it| it.type_ == "Progressing");
    if progressing.is_some_and(|it| it.reason.as_deref() == Some("ProgressDeadlineExceeded")) {
        return Err(Failure::Text(format!("deployment {name:?} exceeded its progress deadline")));
    }
    let replicas = deployment.spec.as_ref().and_then(|it| it.replicas).unwrap_or(1);
    let updated = status.updated_replicas.unwrap_or_default();
    let all = status.replicas.unwrap_or_default();
    let available = status.available_replicas.unwrap_or_default();
    let waiting = |what: String| {
        Ok((format!("Waiting for deployment {name:?} rollout to finish: {what}...\n"), false))
    };
    if updated < replicas {
        waiting(format!("{updated} out of {replicas} new replicas have been updated"))
    } else if all > updated {
        waiting(format!("{} old replicas are pending termination", all - updated))
    } else if available < updated {
        waiting(format!("{available} of {updated} updated replicas are available"))
    } else {
        Ok((format!("deployment {name:?} successfully rolled out\n"), true))
    }
}

fn daemon_set_progress(set: &DaemonSet) -> Result<(String, bool), Failure> {
    let name = set.name();
    let strategy = set.spec.as_ref().and_then(|it| it.update_strategy.as_ref());
    if strategy.and_then(|it| it.type_.as_deref()) == Some("OnDelete") {
        return Err(Failure::text(
            "rollout status is only available for RollingUpdate strategy type",
        ));
    }
    let status = set.status.clone().unwrap_or_default();
    if set.metadata.generation.unwrap_or_default() > status.observed_generation.unwrap_or_default()
    {
        return Ok(("Waiting for daemon set spec update to be observed...\n".to_owned(), false));
    }
    let desired = status.desired_number_scheduled;
    let updated = status.updated_number_scheduled.unwrap_or_default();
    let available = status.number_available.unwrap_or_default();
    let waiting = |what: String| {
        Ok((format!("Waiting for daemon set {name:?} rollout to finish: {what}...\n"), false))
    };
    if updated < desired {
        waiting(format!("{updated} out of {desired} new pods have been updated"))
    } else if available < desired {
        waiting(format!("{available} of {desired} updated pods are available"))
    } else {
        Ok((format!("daemon set {name:?} successfully rolled out\n"), true))
    }
}

fn stateful_set_progress(set: &StatefulSet) -> Result<(String, bool), Failure> {
    let spec = set.spec.clone().unwrap_or_default();
    let strategy = spec.update_strategy.unwrap_or_default();
    if strategy.type_.as_deref() == Some("OnDelete") {
        return Err(Failure::text(
            "rollout status is only available for RollingUpdate strategy type",
        ));
    }
    let status = set.status.clone().unwrap_or_default();
    let observed = status.observed_generation.unwrap_or_default();
    if observed == 0 || set.metadata.generation.unwrap_or_default() > observed {
        return Ok(("Waiting for statefulset spec update to be observed...\n".to_owned(), false));
    }
    let replicas = spec.replicas.unwrap_or(1);
    let ready = status.ready_replicas.unwrap_or_default();
    if ready < replicas {
        return Ok((format!("Waiting for {} pods to be ready...\n", replicas - ready), false));
    }
    let updated = status.updated_replicas.unwrap_or_default();
    if let Some(rolling) = strategy.rolling_update {
        let wanted = replicas - rolling.partition.unwrap_or_default();
        if rolling.partition.is_some() && updated < wanted {
            return Ok((
                format!(
                    "Waiting for partitioned roll out to finish: {updated} out of {wanted} new pods \
                     have been updated...\n"
                ),
                false,
            ));
        }
        return Ok((
            format!("partitioned roll out complete: {updated} new pods have been updated...\n"),
            true,
        ));
    }
    let (update, current) = (status.update_revision, status.current_revision);
    if update != current {
        let update = update.unwrap_or_default();
        return Ok((
            format!(
                "waiting for statefulset rolling update to complete {updated} pods at revision \
                 {update}...\n"
            ),
            false,
        ));
    }
    let n = status.current_replicas.unwrap_or_default();
    let current = current.unwrap_or_default();
    Ok((format!("statefulset rolling update complete {n} pods at revision {current}...\n"), true))
}

fn restart(session: &mut Session<'_>, object: &Object) -> Result<(), Failure> {
    if !matches!(object.kind(), Kind::Deployment | Kind::DaemonSet | Kind::StatefulSet) {
        let resource = object.kind().qualified_resource();
        return Err(Failure::Text(format!(
            "{resource} {:?} restarting is not supported",
            object.name()
        )));
    }
    if let Object::Deployment(it) = object
        && it.spec.as_ref().is_some_and(|it| it.paused == Some(true))
    {
        let (resource, name) = (object.kind().qualified_resource(), object.name());
        return Err(Failure::Text(format!(
            "{resource} {name:?} can't restart paused deployment (run rollout resume first)"
        )));
    }
    let at = session.client.now();
    let at = Timestamp::from_second(at.as_second()).unwrap_or(at).to_string();
    let annotations = json!({"kubectl.kubernetes.io/restartedAt": at});
    let patch = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
    let old = sent::object_value(object);
    let place = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
    if old.pointer(place) == patch.pointer(place) {
        return Err(Failure::Text(format!(
            "failed to create patch for {}: if restart has already been triggered within the past \
             second, please wait before attempting to trigger another",
            object.name()
        )));
    }
    let changed = change(session, object, patch)?;
    session.print(&changed, "restarted")
}

fn pause(session: &mut Session<'_>, object: &Object, wanted: bool) -> Result<(), Failure> {
    let (verb, done) = if wanted { ("pausing", "paused") } else { ("resuming", "resumed") };
    let Object::Deployment(deployment) = object else {
        let resource = object.kind().qualified_resource();
        return Err(Failure::Text(format!(
            "{resource} {:?} {verb} is not supported",
            object.name()
        )));
    };
    let is = deployment.spec.as_ref().and_then(|it| it.paused).unwrap_or_default();
    if is == wanted {
        let resource = object.kind().qualified_resource();
        let state = if wanted { "is already paused" } else { "is not paused" };
        return Err(Failure::Text(format!("{resource} {:?} {state}", object.name())));
    }
    let value = if wanted { json!(true) } else { Value::Null };
    let changed = change(session, object, json!({"spec": {"paused": value}}))?;
    session.print(&changed, done)
}

fn change(session: &mut Session<'_>, object: &Object, patch: Value) -> Result<Object, Failure> {
    let patch = Patch::Strategic(patch);
    session.patched(object, &Action::Patch { key: object.object_ref(), subresource: "", patch })
}
