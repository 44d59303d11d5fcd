//! `kubectl create -f`, `replace -f` and what their subcommands share.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/create/create.go`, `replace/replace.go`, v1.36.

use api::{Action, Object, ObjectRef};

use super::{Next, Session, files};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::{DryRun, last_applied, names};

pub(super) const FLAGS: &[Flag] = &[
    value("filename").or('f'),
    value("kustomize").or('k'),
    switch("recursive").or('R'),
    value("validate").optional("strict"),
    value("output").or('o'),
    value("dry-run").optional("unchanged"),
    value("field-manager"),
    switch("record"),
    switch("save-config"),
    switch("edit"),
    switch("windows-line-endings"),
    switch("show-managed-fields"),
    switch("allow-missing-template-keys"),
    value("template"),
    value("raw"),
];

/// Of those that select what files say.
pub(super) const SELECT: &[Flag] = &[value("selector").or('l')];

pub(super) const REPLACE_FLAGS: &[Flag] = &[
    value("cascade").optional("background"),
    switch("force"),
    value("grace-period"),
    value("timeout"),
    switch("wait"),
    value("subresource"),
];

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    if !session.args.has("filename") {
        return Err(no_files(session));
    }
    if let Some(path) = session.args.get("raw").map(str::to_owned) {
        return super::raw::create(session, &path);
    }
    let words = session.args.positional.clone();
    if !words.is_empty() {
        return Err(Failure::Usage(format!("Unexpected args: [{}]", words.join(" "))));
    }
    let input = files::input(session)?;
    let mut failures = vec![];
    let mut n_tried = 0;
    for item in &input.items {
        n_tried += 1;
        if let Err(failure) = create_one(session, item) {
            failures.push(failure);
        }
    }
    files::in_order(&mut failures, input.failures);
    if n_tried == 0 && failures.is_empty() {
        return Err(Failure::text("no objects passed to create"));
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

fn create_one(session: &mut Session<'_>, item: &files::Item) -> Result<(), Failure> {
    let mut read = item.object(session, "creating")?;
    if session.args.is_on("save-config") {
        last_applied::set(&mut read.object, &read.value);
        read.value = last_applied::annotated(&read.value);
    }
    if session.dry_run()? == Some(DryRun::None) {
        return session.print_read(&read, "created");
    }
    let created = send(session, read.object).map_err(|it| it.when("creating", &read.source))?;
    session.print(&created, "created")
}

/// Creates an object, unless the client only pretends to.
pub(super) fn send(session: &mut Session<'_>, object: Object) -> Result<Object, Failure> {
    if session.dry_run()? == Some(DryRun::None) {
        return Ok(object);
    }
    let action = Action::Create { object: object.clone(), created: None, failed: None };
    Ok(session.write(&action)?.unwrap_or(object))
}

/// The mistake of a command that needs files and has none.
pub(super) fn no_files(session: &Session<'_>) -> Failure {
    let words = &session.args.positional;
    if words.is_empty() {
        Failure::text("must specify one of -f and -k")
    } else {
        Failure::Usage(format!("Unexpected args: [{}]", words.join(" ")))
    }
}

pub(super) fn replace(session: &mut Session<'_>) -> Result<Next, Failure> {
    if !session.args.has("filename") {
        return Err(Failure::text("must specify one of -f and -k"));
    }
    if session.args.is_on("force") && session.dry_run()?.is_some() {
        return Err(Failure::text("--dry-run can not be used when --force is set"));
    }
    let input = files::input(session)?;
    if session.args.is_on("force") {
        for item in &input.items {
            delete_first(session, item)?;
        }
    }
    let mut failures = vec![];
    for item in &input.items {
        if let Err(failure) = replace_one(session, item) {
            failures.push(failure);
        }
    }
    files::in_order(&mut failures, input.failures);
    if input.items.is_empty() && failures.is_empty() {
        return Err(Failure::text("no objects passed to replace"));
    }
    Failure::all(failures)?;
    Ok(Next::Done)
}

/// Deletes what `--force` replaces, if it is there. Upstream: `forceReplace`, which waits until it
/// is gone; here it goes at once.
fn delete_first(session: &mut Session<'_>, item: &files::Item) -> Result<(), Failure> {
    let read = item.object(session, "replacing")?;
    let key: ObjectRef = read.object.object_ref();
    let options = api::DeleteOptions { grace_period_seconds: Some(0), ..Default::default() };
    match session.write(&Action::Delete { key, options }) {
        Ok(_) => session.print_deleted(&read.object, false),
        Err(failure) if failure.is_not_found() => Ok(()),
        Err(failure) => Err(failure.when("deleting", &read.source)),
    }
}

fn replace_one(session: &mut Session<'_>, item: &files::Item) -> Result<(), Failure> {
    let read = item.object(session, "replacing")?;
    if let Some(why) = names::unfit_for_path(read.object.name()) {
        return Err(Failure::Text(why).when("replacing", &read.source));
    }
    if session.args.is_on("force") {
        let object = send(session, read.object).map_err(|it| it.when("replacing", &read.source))?;
        return session.print(&object, "replaced");
    }
    if session.dry_run()? == Some(DryRun::None) {
        return session.print(&read.object, "replaced");
    }
    let part = session.args.get("subresource").unwrap_or_default();
    let action =
        super::subresource::replacing(super::subresource::of(&read.object, part)?, &read.object)?;
    let result = session.write(&action);
    let object = result.map_err(|it| it.when("replacing", &read.source))?;
    session.print(&object.unwrap_or(read.object), "replaced")
}
