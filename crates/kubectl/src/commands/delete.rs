//! `kubectl delete`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/delete/delete.go`, v1.36.
//! Differs from upstream: where kubectl would wait for a week, it waits for two minutes longer
//! than the longest grace period and then says what it would go on waiting for.

use api::duration::Duration;
use api::{Action, DeleteOptions, Kind, Object, ObjectRef, Propagation, time, wire};
use serde_json::json;

use super::{Next, Session, files, wait};
use crate::args::{Args, Flag, switch, value};
use crate::failure::Failure;
use crate::resources::{self, Asked};
use crate::{DryRun, names};

pub(super) const FLAGS: &[Flag] = &[
    value("filename").or('f'),
    value("kustomize").or('k'),
    switch("recursive").or('R'),
    value("selector").or('l'),
    value("field-selector"),
    switch("all"),
    switch("all-namespaces").or('A'),
    value("cascade").optional("background"),
    switch("force"),
    value("grace-period"),
    switch("now"),
    switch("wait"),
    value("timeout"),
    switch("ignore-not-found"),
    switch("interactive").or('i'),
    value("dry-run").optional("unchanged"),
    value("output").or('o'),
    value("raw"),
];

const IMMEDIATE: &str = "Warning: Immediate deletion does not wait for confirmation that the running \
                         resource has been terminated. The resource may continue to run on the \
                         cluster indefinitely.\n";

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let options = options(session)?;
    let words = session.args.positional.clone();
    let from_files = session.args.has("filename");
    let mut failures = vec![];
    let mut sources = vec![];
    let objects = if from_files {
        files::no_words(&words)?;
        let input = files::input(session)?;
        failures.extend(input.failures);
        let mut objects = vec![];
        for item in &input.items {
            match item.object(session, "deleting") {
                Ok(read) if names::unfit_for_path(read.object.name()).is_some() => {
                    let why = names::unfit_for_path(read.object.name()).unwrap_or_default();
                    failures.push(Failure::Text(why).when("deleting", &read.source));
                }
                Ok(read) => {
                    sources.push(read.source);
                    objects.push(read.object);
                }
                Err(failure) => failures.push(failure),
            }
        }
        objects
    } else {
        let asked = resources::resolve(&words, &session.query(false))?;
        let (objects, missing) = asked_for(session, asked)?;
        failures.extend(missing);
        objects
    };
    if options.grace_period_seconds == Some(0) && session.args.is_on("force") {
        session.output.err(IMMEDIATE);
    }
    if session.args.has("namespace") && objects.iter().any(|it| !it.kind().namespaced()) {
        let note = "deleting cluster-scoped resources, not scoped to the provided namespace";
        session.output.err(format!("Warning: {note}\n"));
    }
    let mut deleted = vec![];
    for (n, object) in objects.into_iter().enumerate() {
        let key = object.object_ref();
        // An object of a file knows no uid: it is the server's that goes.
        let uid = session.client.objects().get(&key).map(|it| it.uid().to_owned());
        match delete_one(session, &object, &options) {
            Ok(()) => deleted.push((key, uid.unwrap_or_default())),
            Err(failure) => failures.push(match sources.get(n) {
                Some(source) => failure.when("deleting", source),
                None => failure,
            }),
        }
    }
    let ignores = session.args.is_on("ignore-not-found")
        || session.args.is_on("all")
        || session.args.has("selector");
    if ignores {
        failures.retain(|it| !it.is_not_found());
    }
    if deleted.is_empty() && failures.is_empty() && !session.args.is_on("ignore-not-found") {
        session.output.out("No resources found\n");
    }
    Failure::all(failures)?;
    if session.args.is_off("wait") || session.dry_run()?.is_some() {
        return Ok(Next::Done);
    }
    wait_for(session, deleted)
}

/// The objects that words ask for. Who only pretends does not even look whether those that are
/// named exist.
fn asked_for(session: &Session<'_>, asked: Asked) -> Result<(Vec<Object>, Vec<Failure>), Failure> {
    match asked {
        Asked::Names(names) if session.dry_run()? == Some(DryRun::None) => {
            let named = |(kind, name): (Kind, String)| {
                let meta = json!({"name": name, "namespace": session.namespace});
                wire::object_from_value(kind, &json!({"metadata": meta})).ok()
            };
            Ok((names.into_iter().filter_map(named).collect(), vec![]))
        }
        asked => session.find(&asked, false),
    }
}

/// So much longer than what is known to pass before an object is gone.
const PATIENCE_MS: i64 = 120_000;

/// Until all are gone.
fn wait_for(session: &mut Session<'_>, deleted: Vec<(ObjectRef, String)>) -> Result<Next, Failure> {
    let timeout = session.args.duration("timeout").map_err(Failure::Flags)?;
    let timeout = timeout.filter(|it| *it != Duration::from_secs(0)).map(Duration::as_millis);
    let now = session.client.now();
    let deadline = match timeout {
        Some(ms) => time::after_ms(now, ms),
        None => {
            let goes = |(key, _): &(ObjectRef, String)| {
                let object = session.client.objects().get(key)?;
                object.meta().deletion_timestamp.as_ref().map(|it| it.0)
            };
            let last = deleted.iter().filter_map(goes).max();
            time::after_ms(last.unwrap_or(now).max(now), PATIENCE_MS)
        }
    };
    wait::go_on(session, wait::deletion(deleted, deadline, timeout.is_none()))
}

/// Flags that do not go together.
fn check_flags(args: &Args) -> Result<(), Failure> {
    if let Some(other) = args.get("output").filter(|it| !matches!(*it, "" | "name")) {
        let text = format!("unexpected -o output mode: {other}. We only support '-o name'");
        return Err(Failure::Text(text));
    }
    if args.is_on("all") && args.has("field-selector") && !args.has("selector") {
        let text = "setting 'all' parameter but found a non empty selector. ";
        return Err(Failure::text(text));
    }
    let other = ["selector", "field-selector"].into_iter().find(|it| args.has(it));
    if let Some(other) = other.filter(|_| args.is_on("all")) {
        return Err(Failure::Text(format!("cannot set --all and --{other} at the same time")));
    }
    let grace = args.int("grace-period").map_err(Failure::Flags)?.unwrap_or_default();
    if args.is_on("force") && (grace > 0 || args.is_on("now")) {
        let text = "--force and --grace-period greater than 0 cannot be specified together";
        return Err(Failure::text(text));
    }
    Ok(())
}

fn options(session: &mut Session<'_>) -> Result<DeleteOptions, Failure> {
    check_flags(&session.args)?;
    let propagation = match session.args.get("cascade") {
        None | Some("background" | "true") => Propagation::Background,
        Some("foreground") => Propagation::Foreground,
        Some("orphan") => Propagation::Orphan,
        Some("false") => {
            session.output.err(
                "warning: --cascade=false is deprecated (boolean value) and can be replaced with \
                 --cascade=orphan.\n",
            );
            Propagation::Orphan
        }
        Some(other) => {
            return Err(Failure::Text(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            )));
        }
    };
    let grace = session.args.int("grace-period").map_err(Failure::Flags)?.filter(|it| *it >= 0);
    let force = session.args.is_on("force");
    if session.args.is_on("now") && grace.is_some() {
        return Err(Failure::text("--now and --grace-period cannot be specified together"));
    }
    if grace == Some(0) && !force {
        // Without --force a grace period of nothing is one second.
        return Ok(DeleteOptions {
            grace_period_seconds: Some(1),
            propagation: Some(propagation),
            uid: None,
        });
    }
    let grace = if session.args.is_on("now") { Some(1) } else { grace };
    let grace = if force && grace.is_none() { Some(0) } else { grace };
    Ok(DeleteOptions { grace_period_seconds: grace, propagation: Some(propagation), uid: None })
}

fn delete_one(
    session: &mut Session<'_>,
    object: &Object,
    options: &DeleteOptions,
) -> Result<(), Failure> {
    if session.dry_run()? != Some(DryRun::None) {
        let action = Action::Delete { key: object.object_ref(), options: options.clone() };
        session.write(&action)?;
    }
    let forced = session.args.is_on("force") && options.grace_period_seconds == Some(0);
    session.print_deleted(object, forced)
}
