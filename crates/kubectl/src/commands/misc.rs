//! Commands that only tell something, and the words for those that need a real cluster.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/{events,logs,top}`, v1.36.

use api::Order;
use api::{Kind, Object};
use k8s_openapi::api::core::v1::{Event, Pod};

use super::{Next, Session, help};
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::resources::{self, Asked};
use crate::{human, tabwriter};

pub(super) const EVENTS_FLAGS: &[Flag] = &[
    switch("all-namespaces").or('A'),
    value("for"),
    value("types"),
    value("sort-by"),
    value("output").or('o'),
    value("chunk-size"),
    switch("no-headers"),
    switch("watch").or('w'),
];

pub(super) const LOGS_FLAGS: &[Flag] = &[
    value("container").or('c'),
    switch("previous").or('p'),
    switch("follow").or('f'),
    value("tail"),
    value("since"),
    value("since-time"),
    switch("timestamps"),
    switch("prefix"),
    switch("all-containers"),
    switch("ignore-errors"),
    value("selector").or('l'),
    value("max-log-requests"),
    value("limit-bytes"),
    value("pod-running-timeout"),
];

/// Flags of commands that are not carried out; they only must not be called unknown.
pub(super) const ANY_FLAGS: &[Flag] = &[
    value("container").or('c'),
    switch("stdin").or('i'),
    switch("tty").or('t'),
    value("filename").or('f'),
    value("output").or('o'),
    value("min"),
    value("max"),
    value("cpu"),
    value("cpu-percent"),
    value("memory"),
    value("name"),
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
        Some(word) => {
            let query = session.query(false);
            match resources::resolve(&[word.to_owned()], &query)? {
                Asked::Names(names) => names.into_iter().next(),
                Asked::Kinds(_) => None,
            }
        }
        None => None,
    };
    let types: Vec<String> =
        session.args.list("types").iter().map(|it| it.to_lowercase()).collect();
    if let Some(wrong) = types.iter().find(|it| *it != "normal" && *it != "warning") {
        return Err(Failure::Text(format!("valid --types are Normal or Warning, not {wrong:?}")));
    }
    let mut query = session.query(true);
    query.all_namespaces = all;
    let found = resources::list(session.client.objects(), Kind::Event, &query)?;
    let mut events: Vec<Event> = found
        .iter()
        .filter_map(|it| it.as_kind::<Event>().cloned())
        .filter(|it| {
            let object = &it.involved_object;
            let fits = about.as_ref().is_none_or(|(kind, name)| {
                object.kind.as_deref() == Some(kind.name()) && object.name.as_ref() == Some(name)
            });
            let type_ = it.type_.as_deref().unwrap_or_default().to_lowercase();
            fits && (types.is_empty() || types.contains(&type_))
        })
        .collect();
    events.order_by_key(|it| it.last_timestamp.as_ref().map(|it| it.0));
    if events.is_empty() {
        session.output.err(match all {
            true => "No events found.\n".to_owned(),
            false => format!("No events found in {} namespace.\n", session.namespace),
        });
        return Ok(Next::Done);
    }
    let mut text = String::new();
    if !session.args.is_on("no-headers") {
        let namespace = if all { "NAMESPACE\t" } else { "" };
        text.push_str(&format!("{namespace}LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE\n"));
    }
    let now = session.client.now();
    events.iter().for_each(|it| text.push_str(&event_line(it, all, now)));
    session.output.out(tabwriter::align(&text, 6, 3));
    Ok(Next::Done)
}

fn event_line(event: &Event, with_namespace: bool, now: api::Timestamp) -> String {
    let first = event.first_timestamp.as_ref().map(|it| it.0);
    let first = human::since_timestamp(first.or(event.event_time.as_ref().map(|it| it.0)), now);
    let count = event.count.unwrap_or_default();
    let age = match (&event.series, count) {
        (Some(series), _) => {
            let last = series.last_observed_time.as_ref().map(|it| it.0);
            let n = series.count.unwrap_or_default();
            format!("{} (x{n} over {first})", human::since_timestamp(last, now))
        }
        (None, 2..) => {
            let last = human::since(event.last_timestamp.as_ref(), now);
            format!("{last} (x{count} over {first})")
        }
        _ => first,
    };
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    let namespace = match with_namespace {
        true => format!("{}\t", text(&event.metadata.namespace)),
        false => String::new(),
    };
    let object = &event.involved_object;
    format!(
        "{namespace}{age}\t{}\t{}\t{}/{}\t{}\n",
        text(&event.type_),
        text(&event.reason),
        text(&object.kind),
        text(&object.name),
        text(&event.message).trim().replace('\n', " "),
    )
}

pub(super) fn logs(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    if words.is_empty() && !session.args.has("selector") {
        return Err(Failure::Usage(
            "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a \
             required argument for the logs command"
                .to_owned(),
        ));
    }
    let pods = pods_for_logs(session, &words)?;
    let wanted = session.args.get("container").or(words.get(1).map(String::as_str));
    let wanted = wanted.map(str::to_owned);
    for pod in pods {
        container_logs(session, &pod, wanted.as_deref())?;
    }
    Ok(Next::Done)
}

fn pods_for_logs(session: &Session<'_>, words: &[String]) -> Result<Vec<Pod>, Failure> {
    let objects = session.client.objects();
    if session.args.has("selector") {
        let found = resources::list(objects, Kind::Pod, &session.query(true))?;
        return Ok(found.iter().filter_map(|it| it.as_kind::<Pod>().cloned()).collect());
    }
    let word = words.first().cloned().unwrap_or_default();
    let word = if word.contains('/') { word } else { format!("pod/{word}") };
    let asked = resources::resolve(&[word], &session.query(false))?;
    let (found, failures) = session.find(&asked, false)?;
    if let Some(Failure::Api(_, error)) = failures.first() {
        return Err(Failure::Text(format!(
            "error from server (NotFound): {} in namespace {:?}",
            error.message, session.namespace
        )));
    }
    let Some(object) = found.first() else { return Ok(vec![]) };
    if let Object::Pod(pod) = object {
        return Ok(vec![pod.as_ref().clone()]);
    }
    let listers = api::Listers(objects);
    // A deployment's pods belong to its replica sets, a cron job's to its jobs.
    let mut owners = vec![object.uid().to_owned()];
    let between = objects.owned_by(object.uid()).filter(|it| it.kind != Kind::Pod);
    owners.extend(between.filter_map(|it| Some(objects.get(it)?.uid().to_owned())));
    let first = owners.iter().find_map(|it| listers.owned_by::<Pod>(it).next());
    first
        .cloned()
        .map(|it| vec![it])
        .ok_or_else(|| Failure::Text("timed out waiting for the condition".to_owned()))
}

fn container_logs(
    session: &mut Session<'_>,
    pod: &Pod,
    wanted: Option<&str>,
) -> Result<(), Failure> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let spec = pod.spec.clone().unwrap_or_default();
    let all: Vec<String> = spec
        .init_containers
        .iter()
        .flatten()
        .chain(&spec.containers)
        .map(|it| it.name.clone())
        .collect();
    let first = spec.containers.first().map(|it| it.name.clone()).unwrap_or_default();
    let containers = match wanted {
        Some(wanted) if !all.iter().any(|it| it == wanted) => {
            return Err(Failure::Text(format!("container {wanted} is not valid for pod {name}")));
        }
        Some(wanted) => vec![wanted.to_owned()],
        None if session.args.is_on("all-containers") => all,
        None => {
            if spec.containers.len() > 1 {
                let names: Vec<&str> = spec.containers.iter().map(|it| it.name.as_str()).collect();
                session
                    .output
                    .err(format!("Defaulted container {first:?} out of: {}\n", names.join(", ")));
            }
            vec![first]
        }
    };
    let previous = session.args.is_on("previous");
    for container in containers {
        match session.client.logs(&session.namespace, &name, &container, previous) {
            Some(text) => session.output.out(tail(&text, session.args.get("tail"))),
            None if previous => {
                return Err(bad_request(format!(
                    "previous terminated container {container:?} in pod {name:?} not found"
                )));
            }
            None if pod.spec.as_ref().is_none_or(|it| it.node_name.is_none()) => {
                return Err(bad_request(format!("pod {name} does not have a host assigned")));
            }
            None => {
                let reason = waiting_reason(pod, &container);
                return Err(bad_request(format!(
                    "container {container:?} in pod {name:?} is waiting to start: {reason}"
                )));
            }
        }
    }
    Ok(())
}

fn bad_request(text: String) -> Failure {
    api::ApiError::new(api::ApiReason::BadRequest, text).into()
}

fn waiting_reason(pod: &Pod, container: &str) -> String {
    let statuses = pod.status.iter().flat_map(|it| it.container_statuses.iter().flatten());
    let status = statuses.into_iter().find(|it| it.name == container);
    let waiting = status.and_then(|it| it.state.as_ref()).and_then(|it| it.waiting.as_ref());
    waiting.and_then(|it| it.reason.clone()).unwrap_or_else(|| "ContainerCreating".to_owned())
}

fn tail(text: &str, lines: Option<&str>) -> String {
    let Some(n) = lines.and_then(|it| it.parse::<usize>().ok()) else { return text.to_owned() };
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    all[all.len().saturating_sub(n)..].concat()
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
    let words = session.args.positional.clone();
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
        "cp" if n < 2 => return Err(Failure::text("source and destination are required")),
        "autoscale" if !session.args.has("max") => {
            return Err(Failure::text("required flag(s) \"max\" not set"));
        }
        _ => {}
    }
    let named = match command.as_str() {
        "edit" | "autoscale" => words,
        _ => words
            .first()
            .map(|it| if it.contains('/') { it.clone() } else { format!("pod/{it}") })
            .into_iter()
            .collect(),
    };
    let asked = resources::resolve(&named, &session.query(true))?;
    let (_, failures) = session.find(&asked, true)?;
    Failure::all(failures)?;
    let why = match command.as_str() {
        "autoscale" => "nothing measures load, so it keeps no HorizontalPodAutoscaler",
        _ => "containers do not really run",
    };
    Err(Failure::Text(format!("\"kubectl {command}\" is not possible in the simulation: {why}")))
}
