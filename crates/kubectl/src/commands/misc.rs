//! Commands that only tell something, and the words for those that need a real cluster.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/{events,top}`, v1.36.

use api::{Event, Kind, Object, Resource, Timestamp, sent};
use serde_json::{Value, json};

use super::{Next, Session, help};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::output_format::{self, Format, PrintOptions};
use crate::resources::{self, Asked};
use rows::{Cells, human};

pub(super) const EVENTS_FLAGS: &[Flag] = &[
    switch("all-namespaces").or('A'),
    value("for"),
    value("types"),
    value("sort-by"),
    value("output").or('o'),
    value("chunk-size"),
    switch("no-headers"),
    switch("watch").or('w'),
    value("template"),
    switch("allow-missing-template-keys"),
    switch("show-managed-fields"),
];

/// Flags of commands that are not carried out; they only must not be called unknown.
pub(super) const ANY_FLAGS: &[Flag] = &[
    value("container").or('c'),
    switch("stdin").or('i'),
    switch("tty").or('t'),
    value("filename").or('f'),
    value("output").or('o'),
    switch("recursive"),
    value("selector").or('l'),
    switch("all-namespaces").or('A'),
    value("sort-by"),
    switch("no-headers"),
    switch("containers"),
];

pub(super) fn events(session: &mut Session<'_>) -> Result<Next, Failure> {
    let all = session.args.is_on("all-namespaces");
    let about = match session.args.get("for") {
        Some(word) if !word.contains('/') => {
            return Err(Failure::text("--for must be in resource/name form"));
        }
        Some(word) => {
            let query = session.query(false);
            let asked = resources::resolve(&[word.to_owned()], &query);
            match asked.map_err(Failure::without_prefix)? {
                Asked::Names(names) => names.into_iter().next(),
                Asked::Kinds(_) => None,
            }
        }
        None => None,
    };
    let types: Vec<String> =
        session.args.list("types").iter().map(|it| it.to_lowercase()).collect();
    if types.iter().any(|it| it != "normal" && it != "warning") {
        return Err(Failure::text("valid --types are Normal or Warning"));
    }
    let format = Format::parse(session.args.get("output"), session.args.get("template"))?;
    let query = session.query(true);
    let objects = session.client.objects();
    let found = match &about {
        Some((_, name)) => {
            let namespace = Some(query.namespace).filter(|_| !all);
            rows::listed_about(objects, name, namespace)
        }
        None => rows::listed(objects, Kind::Event, Some(query.namespace).filter(|_| !all)),
    };
    let mut events: Vec<&Event> = found
        .iter()
        .filter_map(|it| it.object.as_kind::<Event>())
        .filter(|it| {
            let fits = about.as_ref().is_none_or(|(kind, name)| {
                it.about_kind() == kind.name() && it.about_name() == name
            });
            fits && (types.is_empty() || types.contains(&it.type_name().to_lowercase()))
        })
        .collect();
    // What lacks the time comes first.
    let time = |it: &&Event| it.last_timestamp().map_or(i64::MIN, Timestamp::as_second);
    let times: Vec<i64> = events.iter().map(time).collect();
    events = rows::order_of_numbers(&times).into_iter().map(|at| events[at]).collect();
    if events.is_empty() {
        session.output.err(match all {
            true => "No events found.\n".to_owned(),
            false => format!("No events found in {} namespace.\n", session.namespace),
        });
        return Ok(Next::Done);
    }
    if format != (Format::Table { wide: false }) {
        let objects: Vec<Object> = events.into_iter().map(|it| it.clone().into_object()).collect();
        let items: Vec<Value> = objects.iter().map(sent::object_value).collect();
        let list = json!({"apiVersion": "v1", "items": items, "kind": "EventList", "metadata": {}});
        let text = match format {
            Format::Name => {
                output_format::print(&format, &objects, false, &PrintOptions::default())
            }
            _ => output_format::print_value(&format, &list),
        };
        session.output.out(text?);
        return Ok(Next::Done);
    }
    let text = table_of(&events, all, session.args.is_on("no-headers"), session.client.now());
    session.output.out(text);
    Ok(Next::Done)
}

fn table_of(events: &[&Event], all: bool, no_headers: bool, now: Timestamp) -> String {
    let header = ["NAMESPACE", "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
    let header = header.get(usize::from(!all)..).unwrap_or_default();
    let mut cells = Cells::new((events.len() + 1) * header.len(), now);
    if !no_headers {
        header.iter().for_each(|it| cells.put(it));
    }
    events.iter().for_each(|it| put_event(it, all, &mut cells));
    cells.aligned(header.len())
}

/// Upstream: `eventPrinter` in `staging/src/k8s.io/kubectl/pkg/cmd/events/event_printer.go`.
fn put_event(event: &Event, with_namespace: bool, to: &mut Cells) {
    if with_namespace {
        to.put(event.namespace());
    }
    let first = event.event_time().or(event.first_timestamp());
    let now = to.now();
    let over = || human::since_timestamp(first, now);
    match (event.series(), event.count()) {
        (Some(series), _) => {
            let last = series.last_observed_time.as_ref().map(|it| it.0);
            let n = series.count.unwrap_or_default();
            let last = human::since_timestamp(last, now);
            to.format(format_args!("{last} (x{n} over {})", over()));
        }
        (None, count @ 2..) => {
            let last = human::since_timestamp(event.last_timestamp(), now);
            to.format(format_args!("{last} (x{count} over {})", over()));
        }
        _ => to.age_of(first),
    }
    to.put_whole(event.type_name());
    to.put_whole(event.reason());
    to.put_whole(&format!("{}/{}", event.about_kind(), event.about_name()));
    to.put_whole(event.message().trim());
}

pub(super) fn top(session: &mut Session<'_>) -> Result<Next, Failure> {
    match session.args.positional.first().map(String::as_str) {
        Some("node" | "nodes" | "no" | "pod" | "pods" | "po") => {
            Err(Failure::text("Metrics API not available"))
        }
        Some(other) => Err(Failure::Usage(format!("unknown command {other:?}"))),
        None => Err(Failure::Raw(help::parent("top"))),
    }
}

/// Commands that reach into containers or edit with an editor.
pub(super) fn out_of_reach(session: &mut Session<'_>) -> Result<Next, Failure> {
    let mut words = session.args.positional.clone();
    let command = session.command.trim_start_matches("kubectl ").to_owned();
    let n = words.len();
    match command.as_str() {
        "exec" if n == 0 => {
            return Err(Failure::text("pod, type/name or --filename must be specified"));
        }
        "port-forward" if n < 2 => {
            return Err(Failure::Usage(
                "TYPE/NAME and list of ports are required for port-forward".to_owned(),
            ));
        }
        "attach" if n == 0 => {
            return Err(Failure::text("at least 1 argument is required for attach"));
        }
        "exec" if session.args.n_before_dash.is_none() && n > 1 => {
            return Err(Failure::Usage(
                "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead"
                    .to_owned(),
            ));
        }
        "exec" if n == 1 => {
            return Err(Failure::text("you must specify at least one command for the container"));
        }
        "cp" if n < 2 => return Err(Failure::text("source and destination are required")),
        "cp" => {
            let there: Vec<&String> = words.iter().filter(|it| it.contains(':')).collect();
            let [pod] = there[..] else {
                let where_ = if there.is_empty() { "remote" } else { "local" };
                return Err(Failure::Text(format!(
                    "one of src or dest must be a {where_} file specification"
                )));
            };
            let pod = pod.split(':').next().unwrap_or_default();
            let (namespace, pod) = pod.split_once('/').unwrap_or((&session.namespace, pod));
            let (namespace, pod) = (namespace.to_owned(), format!("pod/{pod}"));
            words = vec![pod];
            session.namespace = namespace;
        }
        _ => {}
    }
    let named = match command.as_str() {
        "edit" => words,
        _ => words
            .first()
            .map(|it| if it.contains('/') { it.clone() } else { format!("pod/{it}") })
            .into_iter()
            .collect(),
    };
    let asked = resources::resolve(&named, &session.query(true))?;
    let (_, failures) = session.find(&asked, true)?;
    Failure::all(failures)?;
    Err(Failure::Text(format!(
        "\"kubectl {command}\" is not possible in the simulation: containers do not really run"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_message_stay_lines() {
        let value = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "default"},
            "involvedObject": {"kind": "Pod", "name": "p"}, "reason": "Foo", "type": "Normal",
            "message": "one\ntwo\n", "firstTimestamp": "1970-01-01T00:00:00Z", "count": 1,
        });
        let object = api::wire::object_from_value(Kind::Event, &value).unwrap();
        let event = object.as_kind::<Event>().unwrap();
        let mut cells = Cells::new(5, Timestamp::UNIX_EPOCH);
        put_event(event, false, &mut cells);
        assert_eq!(cells.aligned(5), "0s    Normal   Foo   Pod/p   one\ntwo\n");
    }
}
