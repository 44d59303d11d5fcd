//! `kubectl logs`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/logs/logs.go`,
//! `staging/src/k8s.io/kubectl/pkg/polymorphichelpers/logsforobject.go`, v1.36.
//! Differs from upstream: `--follow` ends with what there is.

mod location;

use api::{Kind, Object, Order, Timestamp, time};
use k8s_openapi::api::core::v1::{Container, Pod};

use super::{Next, Session};
use crate::args::{Args, Flag, switch, value};
use crate::failure::Failure;
use crate::resources;

pub(super) const FLAGS: &[Flag] = &[
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
    switch("all-pods"),
    switch("insecure-skip-tls-verify-backend"),
];

const USAGE: &str = "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a \
                     required argument for the logs command";

/// With a selector only so many lines of each container, unless `--tail` says otherwise.
const SELECTOR_TAIL: usize = 10;

/// Which lines are wanted.
struct Wanted {
    tail: Option<usize>,
    since: Option<Timestamp>,
    limit_bytes: Option<usize>,
}

pub(super) fn run(session: &mut Session<'_>) -> Result<Next, Failure> {
    let words = session.args.positional.clone();
    let by_selector = session.args.has("selector");
    match words.len() {
        0 if !by_selector => return Err(Failure::Usage(USAGE.to_owned())),
        1 if by_selector => {
            return Err(Failure::Usage("only a selector (-l) or a POD name is allowed".to_owned()));
        }
        0..=2 => {}
        _ => return Err(Failure::Usage(USAGE.to_owned())),
    }
    let flag = session.args.get("container");
    let container = match (flag, words.get(1)) {
        (Some(_), Some(_)) => {
            return Err(Failure::text("only one of -c or an inline [CONTAINER] arg is allowed"));
        }
        (given, word) => given.or(word.map(String::as_str)).map(str::to_owned),
    };
    if let Some(container) = container.as_ref().filter(|_| session.args.is_on("all-containers")) {
        return Err(Failure::Text(format!(
            "--all-containers=true should not be specified with container name {container}"
        )));
    }
    let wanted = wanted(&session.args, session.client.now(), by_selector)?;
    let pods = pods(session, &words)?;
    if pods.is_empty() && by_selector {
        session.output.err(format!("No resources found in {} namespace.\n", session.namespace));
    }
    for pod in pods {
        of_pod(session, &pod, container.as_deref(), &wanted)?;
    }
    Ok(Next::Done)
}

fn wanted(args: &Args, now: Timestamp, by_selector: bool) -> Result<Wanted, Failure> {
    let int = |flag| args.int(flag).map_err(Failure::Flags);
    let limit = int("limit-bytes")?;
    if limit.is_some_and(|it| it < 1) {
        return Err(Failure::text("--limit-bytes must be greater than 0"));
    }
    let since = args.duration("since").map_err(Failure::Flags)?.map(|it| it.as_millis());
    let since_time = args.get("since-time");
    if since.is_some() && since_time.is_some() {
        return Err(Failure::text("at most one of `sinceTime` or `sinceSeconds` may be specified"));
    }
    if since.is_some_and(|it| it <= 0) {
        return Err(Failure::text("--since must be greater than 0"));
    }
    let tail = int("tail")?;
    if tail.is_some_and(|it| it < -1) {
        return Err(Failure::text("--tail must be greater than or equal to -1"));
    }
    let since_time = match since_time {
        Some(text) => Some(text.parse().map_err(|_| {
            Failure::Text(format!(
                "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\""
            ))
        })?),
        None => None,
    };
    let default_tail = by_selector.then_some(SELECTOR_TAIL);
    Ok(Wanted {
        tail: tail.map_or(default_tail, |it| usize::try_from(it).ok()),
        since: since.map(|it| time::after_ms(now, -it)).or(since_time),
        limit_bytes: limit.and_then(|it| usize::try_from(it).ok()),
    })
}

/// The pods that are meant, in the order in which they are told.
fn pods(session: &mut Session<'_>, words: &[String]) -> Result<Vec<Pod>, Failure> {
    if session.args.has("selector") {
        let found = resources::list(session.client.objects(), Kind::Pod, &session.query(true))?;
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
    let objects = session.client.objects();
    let listers = api::Listers(objects);
    // A deployment's pods belong to its replica sets, a cron job's to its jobs.
    let mut owners = vec![object.uid().to_owned()];
    let between = objects.owned_by(object.uid()).filter(|it| it.kind != Kind::Pod);
    owners.extend(between.filter_map(|it| Some(objects.get(it)?.uid().to_owned())));
    let mut all: Vec<Pod> =
        owners.iter().flat_map(|it| listers.owned_by::<Pod>(it)).cloned().collect();
    // Those that run and are ready first, then the oldest.
    all.order_by_key(|it| {
        let phase = it.status.as_ref().and_then(|it| it.phase.clone());
        let created = it.metadata.creation_timestamp.as_ref().map(|it| it.0);
        (phase.as_deref() != Some("Running"), !api::pods::is_ready(it), created)
    });
    if all.len() > 1 && !session.args.is_on("all-pods") {
        let name = all.first().and_then(|it| it.metadata.name.clone()).unwrap_or_default();
        session.output.err(format!("Found {} pods, using pod/{name}\n", all.len()));
        all.truncate(1);
    }
    if all.is_empty() {
        return Err(Failure::text("timed out waiting for the condition"));
    }
    Ok(all)
}

/// `a, b, setup (init)`.
fn all_names(containers: &[Container], inits: &[Container]) -> String {
    let own = containers.iter().map(|it| it.name.clone());
    let inits = inits.iter().map(|it| format!("{} (init)", it.name));
    own.chain(inits).collect::<Vec<_>>().join(", ")
}

fn of_pod(
    session: &mut Session<'_>,
    pod: &Pod,
    wanted: Option<&str>,
    lines: &Wanted,
) -> Result<(), Failure> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let Some(spec) = &pod.spec else { return Ok(()) };
    let inits = spec.init_containers.as_deref().unwrap_or_default();
    let all: Vec<&str> = inits.iter().chain(&spec.containers).map(|it| it.name.as_str()).collect();
    let marked = pod.metadata.annotations.as_ref();
    let marked = marked.and_then(|it| it.get("kubectl.kubernetes.io/default-container"));
    let marked = marked.map(String::as_str).filter(|it| all.contains(it));
    let containers = match wanted.or(marked.filter(|_| !session.args.is_on("all-containers"))) {
        Some(wanted) if !all.contains(&wanted) => {
            return Err(Failure::Text(format!(
                "container {wanted} is not valid for pod {name} out of: {}",
                all_names(&spec.containers, inits)
            )));
        }
        Some(wanted) => vec![wanted],
        None if session.args.is_on("all-containers") => all,
        None => {
            let first = spec.containers.first().map(|it| it.name.as_str()).unwrap_or_default();
            if all.len() > 1 && !session.args.is_on("all-pods") {
                let names = all_names(&spec.containers, inits);
                session.output.err(format!("Defaulted container {first:?} out of: {names}\n"));
            }
            vec![first]
        }
    };
    for container in containers {
        of_container(session, pod, &name, container, lines)?;
    }
    Ok(())
}

fn of_container(
    session: &mut Session<'_>,
    pod: &Pod,
    name: &str,
    container: &str,
    wanted: &Wanted,
) -> Result<(), Failure> {
    let previous = session.args.is_on("previous");
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    location::reach_kubelet(session, pod, container)?;
    let Some(all) = session.client.logs(&namespace, name, container, previous) else {
        // Where no node has the pod, nobody is asked.
        if pod.spec.as_ref().is_none_or(|it| it.node_name.is_none()) {
            return Ok(());
        }
        if previous {
            return Err(bad_request(format!(
                "previous terminated container {container:?} in pod {name:?} not found"
            )));
        }
        let reason = waiting_reason(pod, container);
        return Err(bad_request(format!(
            "container {container:?} in pod {name:?} is waiting to start: {reason}"
        )));
    };
    let mut lines: Vec<_> =
        all.iter().filter(|it| wanted.since.is_none_or(|since| it.0 >= since)).collect();
    if let Some(n) = wanted.tail {
        lines.drain(..lines.len().saturating_sub(n));
    }
    let mut text = String::new();
    for (at, line) in lines {
        if session.args.is_on("prefix") {
            text.push_str(&format!("[pod/{name}/{container}] "));
        }
        if session.args.is_on("timestamps") {
            text.push_str(&format!("{} ", at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ")));
        }
        text.push_str(line);
        text.push('\n');
    }
    if let Some(n) = wanted.limit_bytes {
        let cut = (0..=n.min(text.len())).rev().find(|it| text.is_char_boundary(*it));
        text.truncate(cut.unwrap_or_default());
    }
    session.output.out(text);
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
