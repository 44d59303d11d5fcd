//! `kubectl get`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/get/get.go`, v1.36.

use std::collections::BTreeMap;

use api::{Gather, Kind, Object, Timestamp};
use rows::Listed;

use super::{Next, Session, Waiting, raw, subresource};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::jsonpath;
use crate::output_format::{self, Format};
use crate::resources::{self, Asked};
use crate::sorter::{self, By};
use crate::table::{Options, Table};

pub(super) const FLAGS: &[Flag] = &[
    value("output").or('o'),
    switch("all-namespaces").or('A'),
    value("selector").or('l'),
    value("field-selector"),
    value("filename").or('f'),
    switch("recursive").or('R'),
    switch("show-labels"),
    switch("show-kind"),
    switch("show-managed-fields"),
    value("label-columns").or('L'),
    value("sort-by"),
    switch("no-headers"),
    switch("watch").or('w'),
    switch("watch-only"),
    switch("output-watch-events"),
    switch("ignore-not-found"),
    value("chunk-size"),
    value("template"),
    switch("allow-missing-template-keys"),
    value("subresource"),
    switch("server-print"),
    value("raw"),
    value("kustomize").or('k'),
];

fn warn_of_short_name(session: &mut Session<'_>, args: &[String]) {
    if args.iter().any(|it| it.split([',', '/']).any(|it| it == "ev")) {
        session.output.err(
            "Warning: short name \"ev\" could also match lower priority resource \
             events.events.k8s.io\n",
        );
    }
}

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let args = session.args.positional.clone();
    if let Some(path) = session.args.get("raw").map(str::to_owned) {
        return raw::get(session, &path);
    }
    if args.is_empty() && !session.args.has("filename") {
        return Err(Failure::Raw(format!(
            "You must specify the type of resource to get. Use \"kubectl api-resources\" for a \
             complete list of supported resources.\n\nerror: Required resource not specified.\nUse \
             \"kubectl explain <resource>\" for a detailed description of that resource (e.g. kubectl \
             explain pods).\nSee '{} -h' for help and examples\n",
            session.command
        )));
    }
    let format = Format::parse(session.args.get("output"), session.args.get("template"))?;
    if session.args.is_on("show-labels") && !matches!(format, Format::Table { .. }) {
        let output = session.args.get("output").unwrap_or_default();
        let why = format!("--show-labels option cannot be used with {output} printer");
        return Err(Failure::Text(why));
    }
    let watching = session.args.is_on("watch") || session.args.is_on("watch-only");
    if session.args.is_on("output-watch-events") && !watching {
        return Err(Failure::text(
            "--output-watch-events option can only be used with --watch or --watch-only",
        ));
    }
    warn_of_short_name(session, &args);
    let asked = if session.args.has("filename") {
        super::files::named(session, &args)?
    } else {
        resources::resolve(&args, &session.query(true))?
    };
    let part = subresource::asked(session, &asked)?;
    match format {
        Format::Table { wide } if part.is_empty() && !watching => table(session, &asked, wide),
        Format::Name if part.is_empty() && !watching => names(session, &asked),
        format => shown(session, asked, &part, watching, &format),
    }
}

/// Prints copies of what was asked for, which a watch keeps.
fn shown(
    session: &mut Session<'_>,
    asked: Asked,
    part: &str,
    watching: bool,
    format: &Format,
) -> Result<Next, Failure> {
    let (mut objects, mut failures) = session.find(&asked, true)?;
    subresource::keep(part, &mut objects, &mut failures);
    if part == "scale" && !objects.is_empty() {
        session.output.out(subresource::print_scales(session, &objects, format)?);
        return Failure::all(failures).map(|()| Next::Done);
    }
    let seen = if watching { objects.clone() } else { vec![] };
    if session.args.is_on("watch-only") {
        return Ok(wait(asked, seen));
    }
    if session.args.is_on("ignore-not-found") {
        failures.retain(|it| !it.is_not_found());
    }
    match format {
        Format::Table { wide } => {
            if !(watching && objects.is_empty() && failures.is_empty()) {
                let found = Listed::all(&objects);
                tables(session, &asked, found, *wide, failures.is_empty())?.print(session);
                Failure::all(failures)?;
            }
        }
        other => {
            let single = matches!(&asked, Asked::Names(names) if names.len() == 1);
            if let Some(path) = sort_by(session).filter(|_| !single) {
                let mut found = Listed::all(&objects);
                sorter::sort(&mut found, path, By::Objects, session.client.now())?;
                objects = found.into_iter().map(|it| it.object.clone()).collect();
            }
            if !(single && objects.is_empty()) {
                let text =
                    output_format::print(other, &objects, single, &session.output_options())?;
                session.output.out(text);
            }
            Failure::all(failures)?;
        }
    }
    Ok(if watching { wait(asked, seen) } else { Next::Done })
}

/// What `get --watch` has shown.
#[derive(Clone, Debug)]
pub(crate) struct Watching {
    asked: Asked,
    seen: Vec<Object>,
}

fn wait(asked: Asked, seen: Vec<Object>) -> Next {
    Next::Wait { deadline: None, waiting: Waiting::Get(Watching { asked, seen }) }
}

/// Ends with the first change: the console would never come back otherwise.
pub(super) fn go_on(session: &mut Session<'_>, state: Watching) -> Result<Next, Failure> {
    let (now, _) = session.find(&state.asked, true)?;
    // By kind and uid, so that thousands of objects are not compared each with all.
    let versions = |all: &[Object]| -> BTreeMap<(Kind, String), Option<String>> {
        let key = |it: &Object| (it.kind(), it.uid().to_owned());
        all.iter().map(|it| (key(it), it.meta().resource_version.clone())).to_map()
    };
    let (before, after) = (versions(&state.seen), versions(&now));
    let key = |it: &Object| (it.kind(), it.uid().to_owned());
    let is_new = |it: &&Object| before.get(&key(it)) != Some(&it.meta().resource_version);
    let mut changed: Vec<Object> = now.iter().filter(is_new).cloned().collect();
    changed.extend(state.seen.iter().filter(|it| !after.contains_key(&key(it))).cloned());
    if changed.is_empty() {
        return Ok(wait(state.asked, state.seen));
    }
    let format = Format::parse(session.args.get("output"), session.args.get("template"))?;
    for object in &changed {
        let object = std::slice::from_ref(object);
        let listed = Listed::all(object);
        let text = match format {
            Format::Table { wide } => {
                let no_headers = session.args.is_on("no-headers") || !state.seen.is_empty();
                let options =
                    Options { no_headers, ..table_options(session, &kinds(&state.asked), wide) };
                Table::of(object[0].kind(), &listed).print(&options, session.client.now())
            }
            ref other => output_format::print(other, object, true, &session.output_options())?,
        };
        session.output.out(text);
    }
    Ok(Next::Done)
}

fn table_options(session: &Session<'_>, kinds: &[Kind], wide: bool) -> Options {
    Options {
        wide,
        no_headers: session.args.is_on("no-headers"),
        with_namespace: session.args.is_on("all-namespaces"),
        with_kind: session.args.is_on("show-kind") || kinds.len() > 1,
        plain: session.args.is_off("server-print"),
        show_labels: session.args.is_on("show-labels"),
        label_columns: session.args.list("label-columns"),
    }
}

/// Prints what was asked for in tables. Nothing is copied out of the store: there may be thousands
/// of rows.
fn table(session: &mut Session<'_>, asked: &Asked, wide: bool) -> Result<Next, Failure> {
    let (found, mut failures) =
        resources::find(session.client.objects(), asked, &session.query(true))?;
    session.say_namespace(&mut failures);
    if session.args.is_on("ignore-not-found") {
        failures.retain(|it| !it.is_not_found());
    }
    let printed = tables(session, asked, found, wide, failures.is_empty())?;
    printed.print(session);
    Failure::all(failures).map(|()| Next::Done)
}

/// Prints the names of what was asked for; as [`table`], without a copy.
fn names(session: &mut Session<'_>, asked: &Asked) -> Result<Next, Failure> {
    let (mut found, mut failures) =
        resources::find(session.client.objects(), asked, &session.query(true))?;
    session.say_namespace(&mut failures);
    if session.args.is_on("ignore-not-found") {
        failures.retain(|it| !it.is_not_found());
    }
    let single = matches!(asked, Asked::Names(names) if names.len() == 1);
    if let Some(path) = sort_by(session).filter(|_| !single) {
        sorter::sort(&mut found, path, By::Objects, session.client.now())?;
    }
    let text = output_format::names(&found);
    session.output.out(text);
    Failure::all(failures).map(|()| Next::Done)
}

/// What goes to the two outputs.
struct Printed {
    out: String,
    err: Option<String>,
}

impl Printed {
    fn print(self, session: &mut Session<'_>) {
        if let Some(text) = self.err {
            session.output.err(text);
        }
        session.output.out(self.out);
    }
}

fn sort_by<'a>(session: &'a Session<'_>) -> Option<&'a str> {
    session.args.get("sort-by").filter(|it| !it.is_empty())
}

/// Sorts what goes into tables. The server makes one for each kind or name that was asked for, and
/// kubectl sorts the rows of a single table, but several tables as if they were the objects; `false`
/// where it then prints none. Upstream: `RuntimeSorter.Sort`, `SortingPrinter`.
fn sorted(
    asked: &Asked,
    found: &mut Vec<Listed<'_>>,
    path: &str,
    plain: bool,
    now: Timestamp,
) -> Result<bool, Failure> {
    if found.len() < 2 {
        return Ok(true);
    }
    if plain {
        return sorter::sort(found, path, By::Objects, now).map(|()| true);
    }
    let n_tables = match asked {
        Asked::Kinds(kinds) => kinds.len(),
        Asked::Names(names) => names.len(),
    };
    if n_tables > 1 {
        return Err(sorter::not_found(&jsonpath::relaxed(path)?));
    }
    match sorter::sort(found, path, By::Rows, now) {
        Err(failure @ Failure::Raw(_)) => Err(failure),
        result => Ok(result.is_ok()),
    }
}

/// A table for each kind.
fn tables(
    session: &Session<'_>,
    asked: &Asked,
    mut found: Vec<Listed<'_>>,
    wide: bool,
    all_found: bool,
) -> Result<Printed, Failure> {
    let mut options = table_options(session, &kinds(asked), wide);
    let now = session.client.now();
    let mut sortable = true;
    if let Some(path) = sort_by(session).filter(|_| !found.is_empty()) {
        sortable = sorted(asked, &mut found, path, options.plain, now)?;
    }
    if options.plain || matches!(asked, Asked::Names(_)) {
        // kubectl goes by what it got, not by what was asked for.
        options.with_kind &=
            rows::runs_of_kinds(&found).len() > 1 || session.args.is_on("show-kind");
    }
    let mut texts: Vec<String> = vec![];
    if sortable {
        for kind in rows::runs_of_kinds(&found) {
            texts.push(Table::of(kind[0].object.kind(), kind).print(&options, now));
        }
    }
    let separator = if options.no_headers { "" } else { "\n" };
    let out = match <[String; 1]>::try_from(texts) {
        Ok([text]) => text,
        Err(texts) => texts.join(separator),
    };
    let quiet = !out.is_empty() || !all_found || session.args.is_on("ignore-not-found");
    let namespaced = !session.args.is_on("all-namespaces")
        && (options.plain || kinds(asked).iter().all(|it| it.namespaced()));
    let err = (!quiet).then(|| match namespaced {
        true => format!("No resources found in {} namespace.\n", session.namespace),
        false => "No resources found\n".to_owned(),
    });
    Ok(Printed { out, err })
}

/// The kinds that were asked for, each once.
fn kinds(asked: &Asked) -> Vec<Kind> {
    match asked {
        Asked::Kinds(kinds) => kinds.clone(),
        Asked::Names(names) => {
            let mut kinds: Vec<Kind> = names.iter().map(|it| it.0).collect();
            kinds.dedup();
            kinds
        }
    }
}
