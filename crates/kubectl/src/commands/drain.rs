//! `kubectl cordon`, `uncordon` and `drain`.
//!
//! Upstream: `staging/src/k8s.io/kubectl/pkg/cmd/drain/drain.go`, `pkg/drain/*.go`, v1.36.
//! Differs from upstream: nodes and pods are handled in the order in which they are listed, because
//! a run must not depend on threads.

use api::{
    Action, ApiReason, DeleteOptions, Kind, Listers, Object, ObjectRef, Patch, Resource as _,
    Timestamp, pods, time,
};
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::{Next, Session, Waiting};
use crate::DryRun;
use crate::args::{Flag, switch, value};
use crate::failure::Failure;
use crate::names;
use crate::resources::{self, Asked};

pub(super) const CORDON_FLAGS: &[Flag] =
    &[value("selector").or('l'), value("dry-run").optional("unchanged")];

pub(super) const FLAGS: &[Flag] = &[
    switch("ignore-daemonsets"),
    switch("delete-emptydir-data"),
    switch("force"),
    switch("disable-eviction"),
    value("grace-period"),
    value("timeout"),
    value("pod-selector"),
    value("skip-wait-for-delete-timeout"),
    value("chunk-size"),
];

/// Upstream: `EvictErrorRetryDelay`.
const RETRY_SECS: i64 = 5;
/// What a wait says whose time is over.
const DEADLINE: &str = "context deadline exceeded";

/// A drain that waits for its pods to go.
#[derive(Clone, Debug)]
pub(crate) struct Draining {
    nodes: Vec<Object>,
    /// Of the first node: pods still to be evicted, with the time of the next try.
    to_evict: Vec<(ObjectRef, Timestamp)>,
    /// Of the first node: evicted pods that are still there, with their uid.
    leaving: Vec<(ObjectRef, String)>,
    began: bool,
    /// When the first node has had its time.
    deadline: Option<Timestamp>,
    /// Of the first node: what has not gone in time.
    late: Vec<Failure>,
    failed: Vec<(String, Vec<Failure>)>,
}

pub(super) fn cordon(session: &mut Session<'_>) -> Result<Next, Failure> {
    let nodes = nodes(session, "cordon")?;
    nodes.iter().for_each(|it| set_unschedulable(session, it, true));
    finish_cordon(session)
}

pub(super) fn uncordon(session: &mut Session<'_>) -> Result<Next, Failure> {
    let nodes = nodes(session, "uncordon")?;
    nodes.iter().for_each(|it| set_unschedulable(session, it, false));
    finish_cordon(session)
}

fn finish_cordon(_: &mut Session<'_>) -> Result<Next, Failure> {
    Ok(Next::Done)
}

/// The nodes that the command names.
fn nodes(session: &Session<'_>, command: &str) -> Result<Vec<Object>, Failure> {
    let words = &session.args.positional;
    let selects = session.args.has("selector");
    if words.is_empty() && !selects {
        return Err(Failure::Usage(format!("USAGE: {command} NODE [flags]")));
    }
    if !words.is_empty() && selects {
        return Err(Failure::Usage(
            "cannot specify both a node name and a --selector option".to_owned(),
        ));
    }
    let asked = match selects {
        true => Asked::Kinds(vec![Kind::Node]),
        false => Asked::Names(named(session, words)?),
    };
    let (nodes, failures) = session.find(&asked, false)?;
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    match nodes.iter().map(Object::kind).find(|it| *it != Kind::Node) {
        Some(kind) => {
            let resource =
                format!("{}/{}, Resource={}", kind.group(), kind.version(), kind.plural());
            let resource = api::fields::quote(&resource);
            Err(Failure::Text(format!("error: expected resource of type node, got {resource}")))
        }
        None => Ok(nodes),
    }
}

/// The objects that words name: nodes, unless a word says another kind before a slash.
fn named(session: &Session<'_>, words: &[String]) -> Result<Vec<(Kind, String)>, Failure> {
    let mut names = vec![];
    for word in words {
        if !word.contains('/') {
            names.push((Kind::Node, word.clone()));
            continue;
        }
        match resources::resolve(std::slice::from_ref(word), &session.query(false))? {
            Asked::Names(more) => names.extend(more),
            Asked::Kinds(_) => {}
        }
    }
    Ok(names)
}

fn set_unschedulable(session: &mut Session<'_>, node: &Object, wanted: bool) {
    let Object::Node(it) = node else { return };
    let is = it.spec.as_ref().and_then(|it| it.unschedulable).unwrap_or_default();
    let done = match (wanted, is == wanted) {
        (true, true) => "already cordoned",
        (true, false) => "cordoned",
        (false, true) => "already uncordoned",
        (false, false) => "uncordoned",
    };
    let is_client = matches!(session.dry_run(), Ok(Some(DryRun::None)));
    if is != wanted && !is_client {
        let value = if wanted { json!(true) } else { json!(null) };
        let patch = Patch::Strategic(json!({"spec": {"unschedulable": value}}));
        let action = Action::Patch { key: node.object_ref(), subresource: "", patch };
        if let Err(failure) = session.write(&action) {
            let text = failure.print("");
            let verb = if wanted { "cordon" } else { "uncordon" };
            session.output.err(format!("error: unable to {verb} node {:?}: {text}", node.name()));
            return;
        }
    }
    if let Err(failure) = session.print(node, done) {
        let text = failure.print("");
        session.output.err(text);
    }
}

pub(super) fn drain(session: &mut Session<'_>) -> Result<Next, Failure> {
    let selector = session.args.get("pod-selector").unwrap_or_default();
    if names::selector(selector).is_err() {
        let text = "--pod-selector=<pod_selector> must be a valid label selector";
        return Err(Failure::text(text));
    }
    let nodes = nodes(session, "drain")?;
    timeout(session)?;
    for node in &nodes {
        set_unschedulable(session, node, true);
    }
    go_on(
        session,
        Draining {
            nodes,
            to_evict: vec![],
            leaving: vec![],
            began: false,
            deadline: None,
            late: vec![],
            failed: vec![],
        },
    )
}

/// Does what can be done now, and waits for the rest.
pub(super) fn go_on(session: &mut Session<'_>, mut state: Draining) -> Result<Next, Failure> {
    while let Some(node) = state.nodes.first().cloned() {
        if !state.began {
            match pods_to_evict(session, node.name()) {
                Ok((pods, warning)) => begin(session, &mut state, pods, &warning)?,
                Err(failures) => {
                    give_up(session, &mut state, failures);
                    continue;
                }
            }
        }
        let now = session.client.now();
        let over = state.deadline.is_some_and(|it| it <= now);
        if let Err(failure) = evict_due(session, &mut state, over) {
            list_pending(session, node.name(), std::slice::from_ref(&failure));
            give_up(session, &mut state, vec![failure]);
            continue;
        }
        report_gone(session, &mut state);
        if over {
            stop_waiting(session, &mut state);
        }
        if state.to_evict.is_empty() && state.leaving.is_empty() {
            let late = std::mem::take(&mut state.late);
            if late.is_empty() {
                session.print(&node, "drained")?;
                next_node(&mut state);
            } else {
                list_pending(session, node.name(), &late);
                give_up(session, &mut state, late);
            }
            continue;
        }
        let retry = state.to_evict.iter().map(|it| it.1).min();
        let deadline = [retry, state.deadline.filter(|_| !over)].into_iter().flatten().min();
        return Ok(Next::Wait { deadline, waiting: Waiting::Drain(state) });
    }
    if state.failed.is_empty() {
        return Ok(Next::Done);
    }
    let mut lines = "There are pending nodes to be drained:\n".to_owned();
    for (name, _) in &state.failed {
        lines.push_str(&format!(" {name}\n"));
    }
    session.output.err(lines);
    let failures = state.failed.into_iter().flat_map(|it| it.1);
    // These lines carry no word before them.
    let lines: Vec<String> = failures
        .map(|it| match it {
            Failure::Text(text) => format!("{text}\n"),
            other => other.print(""),
        })
        .collect();
    // But for the one error of pods that are deleted: it is not in a list of errors.
    let prefix = if lines.len() == 1 && lines[0].starts_with(DEADLINE) { "error: " } else { "" };
    Err(Failure::Raw(format!("{prefix}{}", lines.concat())))
}

/// The time that each node has.
fn timeout(session: &Session<'_>) -> Result<Option<api::duration::Duration>, Failure> {
    let timeout = session.args.duration("timeout").map_err(Failure::Flags)?;
    Ok(timeout.filter(|it| it.as_nanos() > 0))
}

fn begin(
    session: &mut Session<'_>,
    state: &mut Draining,
    pods: Vec<Object>,
    warning: &str,
) -> Result<(), Failure> {
    state.began = true;
    if !warning.is_empty() {
        session.output.err(format!("Warning: {warning}\n"));
    }
    let now = session.client.now();
    state.deadline = timeout(session)?.map(|it| time::after_ms(now, it.as_millis()));
    if session.dry_run()? == Some(DryRun::None) {
        for pod in pods {
            let key = pod.object_ref();
            session.output.out(format!("evicting pod {} (dry run)\n", key.namespaced_name()));
        }
        return Ok(());
    }
    state.to_evict = pods.iter().map(|it| (it.object_ref(), now)).collect();
    Ok(())
}

fn next_node(state: &mut Draining) {
    state.nodes.remove(0);
    state.began = false;
    state.to_evict.clear();
    state.leaving.clear();
}

fn give_up(session: &mut Session<'_>, state: &mut Draining, failures: Vec<Failure>) {
    let name = state.nodes.first().map(|it| it.name().to_owned()).unwrap_or_default();
    let all = listed(&failures);
    session.output.err(format!(
        "error: unable to drain node {name:?} due to error: {all}, continuing command...\n"
    ));
    state.failed.push((name, failures));
    next_node(state);
}

/// Errors as one text.
fn listed(failures: &[Failure]) -> String {
    let texts: Vec<String> = failures
        .iter()
        .map(|it| match it {
            Failure::Text(text) => text.clone(),
            other => other.print("").trim_end().to_owned(),
        })
        .collect();
    match &texts[..] {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

/// Says which pods are still on a node that could not be drained.
fn list_pending(session: &mut Session<'_>, node: &str, failures: &[Failure]) {
    let Ok((pods, _)) = pods_to_evict(session, node) else { return };
    if pods.is_empty() {
        return;
    }
    let all = listed(failures);
    let mut lines =
        format!("There are pending pods in node {node:?} when an error occurred: {all}\n");
    for pod in pods {
        lines.push_str(&format!("pod/{}\n", pod.name()));
    }
    session.output.err(lines);
}

/// The time is over: what is leaving is waited for no longer.
fn stop_waiting(session: &Session<'_>, state: &mut Draining) {
    let leaving = std::mem::take(&mut state.leaving);
    if session.args.is_on("disable-eviction") {
        let late = (!leaving.is_empty()).then(|| Failure::Text(DEADLINE.to_owned()));
        state.late.extend(late);
        return;
    }
    state.late.extend(leaving.iter().map(|(key, _)| {
        Failure::Text(format!(
            "error when waiting for pod \"{}\" in namespace \"{}\" to terminate: {DEADLINE}",
            key.name, key.namespace
        ))
    }));
}

/// Evicts what is due; what a budget forbids is tried again later.
fn evict_due(session: &mut Session<'_>, state: &mut Draining, over: bool) -> Result<(), Failure> {
    let now = session.client.now();
    let grace = session.args.int("grace-period").map_err(Failure::Flags)?.filter(|it| *it >= 0);
    let options = DeleteOptions { grace_period_seconds: grace, ..Default::default() };
    let server_only = session.dry_run()? == Some(DryRun::Server);
    let due = std::mem::take(&mut state.to_evict);
    for (key, at) in due {
        if at > now {
            state.to_evict.push((key, at));
            continue;
        }
        let note = if server_only { " (server dry run)" } else { "" };
        let deletes = session.args.is_on("disable-eviction");
        if !deletes {
            session.output.out(format!("evicting pod {}{note}\n", key.namespaced_name()));
        }
        if over && !deletes {
            // Each pod's time is looked at only when its turn has come again.
            let timeout = timeout(session)?.unwrap_or_default();
            state.late.push(Failure::Text(format!(
                "error when evicting pods/\"{}\" -n \"{}\": global timeout reached: {timeout}",
                key.name, key.namespace
            )));
            continue;
        }
        let Some(pod) = session.client.objects().get(&key) else { continue };
        let uid = pod.uid().to_owned();
        let action = match deletes {
            true => Action::Delete { key: key.clone(), options: options.clone() },
            false => Action::Evict { pod: key.clone(), options: options.clone() },
        };
        match session.write(&action) {
            Ok(_) if server_only => {}
            Ok(_) => state.leaving.push((key, uid)),
            Err(failure) if failure.is_not_found() => {}
            Err(Failure::Api(_, error)) if error.reason == ApiReason::TooManyRequests => {
                session.output.err(format!(
                    "error when evicting pods/\"{}\" -n \"{}\" (will retry after {RETRY_SECS}s): \
                     {error}\n",
                    key.name, key.namespace
                ));
                state.to_evict.push((key, time::after_secs(now, RETRY_SECS)));
            }
            Err(Failure::Api(_, error)) => {
                return Err(Failure::Text(format!(
                    "error when evicting pods/\"{}\" -n \"{}\": {error}",
                    key.name, key.namespace
                )));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

fn report_gone(session: &mut Session<'_>, state: &mut Draining) {
    let leaving = std::mem::take(&mut state.leaving);
    let done = if session.args.is_on("disable-eviction") { "deleted" } else { "evicted" };
    for (key, uid) in leaving {
        match session.client.objects().get(&key) {
            Some(pod) if pod.uid() == uid => state.leaving.push((key, uid)),
            _ => session.output.out(format!("pod/{} {done}\n", key.name)),
        }
    }
}

/// What a drain does with one pod.
enum Verdict {
    Evict,
    /// With a warning.
    Warn(&'static str),
    /// Not at all, with a warning.
    Ignore(&'static str),
    Skip,
    Refuse(String),
}

/// The pods of a node that must go, with the warning; or why the node cannot be drained.
fn pods_to_evict(session: &Session<'_>, node: &str) -> Result<(Vec<Object>, String), Vec<Failure>> {
    let objects = session.client.objects();
    let listers = Listers(objects);
    let selector = session.args.get("pod-selector").unwrap_or_default();
    let selector = names::selector(selector).map_err(|it| vec![Failure::Text(it)])?;
    let (mut go, mut warnings, mut errors) = (vec![], Grouped::default(), Grouped::default());
    let none = std::collections::BTreeMap::new();
    for pod in listers.pods_on(node) {
        if !selector.matches(pod.metadata.labels.as_ref().unwrap_or(&none)) {
            continue;
        }
        let name = pod.object_ref().namespaced_name();
        let evict = match verdict(session, &listers, pod) {
            Verdict::Evict => true,
            Verdict::Skip => false,
            Verdict::Warn(why) => {
                warnings.add(why, &name);
                true
            }
            Verdict::Ignore(why) => {
                warnings.add(why, &name);
                false
            }
            Verdict::Refuse(why) => {
                errors.add(&why, &name);
                false
            }
        };
        if evict {
            go.extend(objects.get(&pod.object_ref()).cloned());
        }
    }
    if errors.0.is_empty() {
        return Ok((go, warnings.lines("").join("; ")));
    }
    Err(errors.lines("cannot delete ").into_iter().map(Failure::Text).collect())
}

/// Names by what is said of them, in the order in which it is first said.
#[derive(Default)]
struct Grouped(Vec<(String, Vec<String>)>);

impl Grouped {
    fn add(&mut self, why: &str, name: &str) {
        match self.0.iter_mut().find(|it| it.0 == why) {
            Some(it) => it.1.push(name.to_owned()),
            None => self.0.push((why.to_owned(), vec![name.to_owned()])),
        }
    }

    fn lines(&self, before: &str) -> Vec<String> {
        self.0.iter().map(|(why, names)| format!("{before}{why}: {}", names.join(", "))).collect()
    }
}

const DAEMON_SET: &str = "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)";
const LOCAL_STORAGE: &str = "Pods with local storage (use --delete-emptydir-data to override)";
const UNMANAGED: &str = "Pods that declare no controller (use --force to override)";

/// Upstream: the filters of `pkg/drain/filters.go`; of several warnings the last stays.
fn verdict(session: &Session<'_>, listers: &Listers<'_>, pod: &Pod) -> Verdict {
    let finished = pods::is_terminal(pod);
    let is_on = |flag: &str| session.args.is_on(flag);
    let owner =
        pod.metadata.owner_references.iter().flatten().find(|it| it.controller == Some(true));
    let mut verdict = Verdict::Evict;
    if let Some(owner) = owner.filter(|it| it.kind == "DaemonSet" && !finished) {
        let key = ObjectRef::new(Kind::DaemonSet, pod.namespace(), &owner.name);
        if listers.object(&key).is_none() {
            return Verdict::Refuse(api::ApiError::not_found(&key).message);
        }
        return match is_on("ignore-daemonsets") {
            true => Verdict::Ignore("ignoring DaemonSet-managed Pods"),
            false => Verdict::Refuse(DAEMON_SET.to_owned()),
        };
    }
    if pod.metadata.annotations.iter().flatten().any(|it| it.0 == "kubernetes.io/config.mirror") {
        return Verdict::Skip;
    }
    let volumes = pod.spec.iter().flat_map(|it| it.volumes.iter().flatten());
    if volumes.into_iter().any(|it| it.empty_dir.is_some()) && !finished {
        if !is_on("delete-emptydir-data") {
            return Verdict::Refuse(LOCAL_STORAGE.to_owned());
        }
        verdict = Verdict::Warn("deleting Pods with local storage");
    }
    match owner {
        _ if finished => Verdict::Evict,
        // The last filter has no complaint, which takes the warning of the one before away.
        Some(_) => match verdict {
            Verdict::Warn(_) => Verdict::Evict,
            other => other,
        },
        None if is_on("force") => Verdict::Warn("deleting Pods that declare no controller"),
        None => Verdict::Refuse(UNMANAGED.to_owned()),
    }
}
