//! What the user and the scenario do at a time of the run.

use api::Gather;
use api::{Action, ComponentId, Kind, Object, ObjectRef, Patch, yaml};
use kubectl::{Outcome, Output, Pending};
use serde_json::json;
use view::{CommandResult, Severity, TimedAction};

use crate::client::{Reader, StoreClient};
use crate::history::Actor;
use crate::world::{Logs, Run, World};

/// The simulated power switch of a node.
pub(crate) const FAILED: &str = "sim.orrery.dev/failed";
/// The kubelet reports `Ready=False` while this is set, and goes on working.
pub(crate) const NOT_READY: &str = "sim.orrery.dev/not-ready";
/// What a node can be short of, as the words of steps have it, and the annotation that says so.
const PRESSURES: [(&str, &str); 3] = [
    ("memory-pressure", "sim.orrery.dev/memory-pressure"),
    ("disk-pressure", "sim.orrery.dev/disk-pressure"),
    ("pid-pressure", "sim.orrery.dev/pid-pressure"),
];
/// The manifests that a node runs by itself.
const STATIC_PODS: &str = "sim.orrery.dev/static-pods";
/// The memory that a node uses outside of pods.
const MEMORY_USAGE: &str = "sim.orrery.dev/memory-usage";

/// A step of a run.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) at_ms: i64,
    pub(crate) by: Actor,
    pub(crate) action: TimedAction,
    /// A sentence for the time line instead of the command.
    pub(crate) note: Option<String>,
}

impl Step {
    pub(crate) fn of_user(action: TimedAction) -> Self {
        Self { at_ms: action.at_ms.max(0), by: Actor::User, action, note: None }
    }
}

/// A command line, understood.
enum Command<'a> {
    Kubectl(&'a str),
    Switch {
        node: &'a str,
        annotation: &'static str,
        on: bool,
    },
    /// The manifests come with the step.
    StaticPods(&'a str),
    /// Of a node outside of pods, or of the containers of a pod: `kind`, `name`.
    MemoryUsage {
        kind: Kind,
        name: &'a str,
        amount: &'a str,
    },
    Capacity {
        node: &'a str,
        amounts: Vec<(&'a str, &'a str)>,
    },
    Stop(ComponentId),
    Start(ComponentId),
    Wrong(String),
}

fn parse(line: &str) -> Command<'_> {
    let line = line.trim();
    let words: Vec<&str> = line.split_whitespace().collect();
    let switch = |node, annotation, on| Command::Switch { node, annotation, on };
    match words.as_slice() {
        ["kubectl" | "k", ..] => {
            Command::Kubectl(line.split_once(char::is_whitespace).map_or("", |it| it.1))
        }
        ["fail", "node", node] => switch(node, FAILED, true),
        ["recover", "node", node] => switch(node, FAILED, false),
        ["not-ready" | "notready", "node", node] => switch(node, NOT_READY, true),
        ["ready", "node", node] => switch(node, NOT_READY, false),
        [word, "node", node, state @ ("on" | "off")] => {
            match PRESSURES.iter().find(|it| it.0 == *word) {
                Some((_, annotation)) => switch(node, annotation, *state == "on"),
                None => Command::Kubectl(line),
            }
        }
        ["static-pods", "node", node] => Command::StaticPods(node),
        ["memory-usage", "node", name, amount] if is_amount(amount) => {
            Command::MemoryUsage { kind: Kind::Node, name, amount }
        }
        ["memory-usage", "pod", name, amount] if is_amount(amount) => {
            Command::MemoryUsage { kind: Kind::Pod, name, amount }
        }
        ["memory-usage", ..] => Command::Wrong(
            "write: memory-usage node NAME AMOUNT or memory-usage pod [NAMESPACE/]NAME AMOUNT, \
             such as 6Gi or 0"
                .to_owned(),
        ),
        ["capacity", "node", node, amounts @ ..] => capacity(node, amounts),
        ["stop", "controller", name] => component(name, Command::Stop),
        ["start", "controller", name] => component(name, Command::Start),
        ["stop", "scheduler"] => Command::Stop(ComponentId::Scheduler),
        ["start", "scheduler"] => Command::Start(ComponentId::Scheduler),
        [] => Command::Wrong("an empty command".to_owned()),
        _ => Command::Kubectl(line),
    }
}

fn is_amount(text: &str) -> bool {
    api::quantity::parse(text).is_ok()
}

fn capacity<'a>(node: &'a str, amounts: &[&'a str]) -> Command<'a> {
    let pairs = amounts.iter().map(|it| it.split_once('=').filter(|(_, it)| is_amount(it)));
    match pairs.collect::<Option<Vec<_>>>().filter(|it| !it.is_empty()) {
        Some(amounts) => Command::Capacity { node, amounts },
        None => Command::Wrong("write: capacity node NAME cpu=8 memory=16Gi".to_owned()),
    }
}

fn component(name: &str, make: fn(ComponentId) -> Command<'static>) -> Command<'static> {
    match ComponentId::ALL.iter().find(|it| it.name() == name) {
        Some(id) => make(*id),
        None => {
            let names: Vec<_> = ComponentId::ALL.iter().map(|it| it.name()).collect();
            Command::Wrong(format!("no controller \"{name}\"; there are: {}", names.join(", ")))
        }
    }
}

/// Verbs of kubectl that change nothing.
const READING: &[&str] = &[
    "get",
    "describe",
    "explain",
    "logs",
    "top",
    "version",
    "api-resources",
    "api-versions",
    "cluster-info",
    "events",
    "diff",
    "help",
    "wait",
    "auth",
    "options",
    "completion",
];

/// Whether an action only looks: it is no step of the run then.
pub(crate) fn only_reads(action: &TimedAction) -> bool {
    let Command::Kubectl(line) = parse(&action.command) else {
        return matches!(parse(&action.command), Command::Wrong(_)) && action.yaml.is_empty();
    };
    let words: Vec<_> = line.split_whitespace().collect();
    let mut verbs = verbs(&words);
    match verbs.next() {
        Some("config") => verbs.next() != Some("set-context"),
        Some("rollout") => matches!(verbs.next(), Some("status" | "history")),
        Some(verb) => {
            READING.contains(&verb) || words.iter().any(|it| *it == "--help" || *it == "-h")
        }
        None => true,
    }
}

/// The words that are neither flags nor the values of the global flags that may come first.
fn verbs<'a>(words: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let mut is_value = false;
    words.iter().copied().filter(move |word| {
        if std::mem::take(&mut is_value) {
            return false;
        }
        is_value = matches!(
            *word,
            "-n" | "--namespace"
                | "--context"
                | "--kubeconfig"
                | "-s"
                | "--server"
                | "--user"
                | "--cluster"
                | "-v"
        );
        !word.starts_with('-')
    })
}

/// A command that waits for the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    /// The number of its step.
    pub(crate) step: usize,
    pub(crate) by: Actor,
    pub(crate) line: String,
    pub(crate) pending: Pending,
}

/// What a step came to.
pub(crate) enum Came {
    Done(CommandResult),
    Waits(Box<Pending>),
}

/// Carries out a step in the present of a world.
pub(crate) fn carry_out(step: &Step, world: &mut World, run: &Run, logs: &mut Logs) -> Came {
    let TimedAction { command, yaml, .. } = &step.action;
    let by = step.by;
    if command.trim().is_empty() {
        return kubectl("apply -f -", yaml, by, world, run, logs);
    }
    Came::Done(match parse(command) {
        Command::Kubectl(line) => return kubectl(line, yaml, by, world, run, logs),
        Command::Switch { node, annotation, on } => {
            switch(node, annotation, on, by, world, run, logs)
        }
        Command::StaticPods(node) => match static_pods(yaml) {
            Ok(list) => {
                let value = (!list.is_empty()).then(|| json!(json!(list).to_string()));
                let done = format!("node/{node} runs {} static pods", list.len());
                patch_node(node, "", annotation(STATIC_PODS, value), &done, by, world, run, logs)
            }
            Err(why) => failure(&format!("error: {why}")),
        },
        Command::MemoryUsage { kind, name, amount } => {
            let value = annotation(MEMORY_USAGE, Some(json!(amount)));
            let (key, done) = if kind == Kind::Node {
                let done = format!("node/{name} uses {amount} of memory outside of pods");
                (ObjectRef::new(Kind::Node, "", name), done)
            } else {
                let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
                let done = format!("each container of pod/{name} uses {amount} of memory");
                (ObjectRef::new(Kind::Pod, namespace, name), done)
            };
            patch(key, "", value, &done, by, world, run, logs)
        }
        Command::Capacity { node, amounts } => {
            let amounts: serde_json::Map<_, _> =
                amounts.iter().map(|(name, it)| ((*name).to_owned(), json!(it))).to_object();
            let value = json!({"status": {"capacity": amounts, "allocatable": amounts}});
            let done = format!("node/{node} has another capacity");
            patch_node(node, "status", value, &done, by, world, run, logs)
        }
        Command::Stop(id) => {
            said(world.stop(id), format!("controller {id} stopped"), "it is not running")
        }
        Command::Start(id) => {
            let done = world.restart(id, run);
            said(done, format!("controller {id} started"), "it is running already")
        }
        Command::Wrong(why) => failure(&format!("error: {why}")),
    })
}

/// Carries out an action that only reads.
pub(crate) fn look(action: &TimedAction, client: &mut Reader<'_>) -> Came {
    match parse(&action.command) {
        Command::Wrong(why) => Came::Done(failure(&format!("error: {why}"))),
        Command::Kubectl(line) => came(kubectl::run_line(line, client)),
        _ => Came::Done(CommandResult::default()),
    }
}

fn came(outcome: Outcome) -> Came {
    match outcome {
        Outcome::Done(output) => Came::Done(result_of(output)),
        Outcome::Pending(pending) => Came::Waits(Box::new(pending)),
    }
}

/// The step in a few words.
pub(crate) fn words(step: &Step) -> String {
    match (step.action.command.trim(), &step.note) {
        (_, Some(note)) => note.clone(),
        ("", None) => "apply".to_owned(),
        (line, None) => line.to_owned(),
    }
}

/// What kubectl printed, as the page gets it.
pub(crate) fn result_of(output: Output) -> CommandResult {
    let (stderr, exit_code) = (output.stderr(), output.exit_code);
    let stdout = if stderr.is_empty() { String::new() } else { output.stdout() };
    CommandResult { output: output.into_text(), stdout, stderr, exit_code, forked: None }
}

fn said(done: bool, text: String, otherwise: &str) -> CommandResult {
    if done { success(&text) } else { failure(&format!("error: {otherwise}")) }
}

fn failure(text: &str) -> CommandResult {
    let output = format!("{text}\n");
    CommandResult { stderr: output.clone(), output, exit_code: 1, ..CommandResult::default() }
}

fn success(text: &str) -> CommandResult {
    let output = format!("{text}\n");
    CommandResult { output, ..CommandResult::default() }
}

fn kubectl(
    line: &str,
    input: &str,
    by: Actor,
    world: &mut World,
    run: &Run,
    logs: &mut Logs,
) -> Came {
    let mut client = StoreClient { world, run, logs, by, input };
    came(kubectl::run_line(line, &mut client))
}

/// The pods of a text, as the kubelet reads its folder of manifests.
fn static_pods(text: &str) -> Result<Vec<serde_json::Value>, String> {
    let reading = yaml::read(text);
    if let Some(problem) = reading.diagnostics.iter().find(|it| it.severity == Severity::Error) {
        return Err(problem.message.clone());
    }
    let pod = |object: &Object| match object {
        Object::Pod(pod) => Ok(api::wire::to_value(&**pod)),
        other => Err(format!("a static pod is a Pod, not a {}", other.kind())),
    };
    reading.documents.iter().filter_map(|it| it.object()).map(pod).collect()
}

fn annotation(key: &str, value: Option<serde_json::Value>) -> serde_json::Value {
    json!({"metadata": {"annotations": {key: value}}})
}

fn switch(
    node: &str,
    key: &str,
    on: bool,
    by: Actor,
    world: &mut World,
    run: &Run,
    logs: &mut Logs,
) -> CommandResult {
    let value = on.then(|| json!("true"));
    let word = match (key, on) {
        (FAILED, true) => "failed",
        (FAILED, false) => "recovered",
        _ if key.ends_with("-pressure") && on => "is under pressure",
        _ if key.ends_with("-pressure") => "is no longer under pressure",
        (_, true) => "not ready",
        (_, false) => "ready",
    };
    let done = format!("node/{node} {word}");
    let mut change = annotation(key, value);
    if (key, on) == (FAILED, false) {
        // A kubelet that recovers is ready, whatever was wrong with it.
        change["metadata"]["annotations"][NOT_READY] = serde_json::Value::Null;
    }
    patch_node(node, "", change, &done, by, world, run, logs)
}

#[expect(clippy::too_many_arguments, reason = "they are the change and its surroundings")]
fn patch_node(
    node: &str,
    subresource: &'static str,
    value: serde_json::Value,
    done: &str,
    by: Actor,
    world: &mut World,
    run: &Run,
    logs: &mut Logs,
) -> CommandResult {
    let key = ObjectRef::new(Kind::Node, "", node);
    patch(key, subresource, value, done, by, world, run, logs)
}

#[expect(clippy::too_many_arguments, reason = "they are the change and its surroundings")]
fn patch(
    key: ObjectRef,
    subresource: &'static str,
    value: serde_json::Value,
    done: &str,
    by: Actor,
    world: &mut World,
    run: &Run,
    logs: &mut Logs,
) -> CommandResult {
    let action = Action::Patch { key, subresource, patch: Patch::Merge(value) };
    match world.write(action, by, run, logs) {
        Ok(_) => success(done),
        Err(error) => failure(&format!("Error from server ({}): {error}", error.reason)),
    }
}

#[cfg(test)]
mod tests {
    use view::TimedAction;

    use super::only_reads;

    #[test]
    fn commands_that_only_look_are_no_steps() {
        for (line, reads) in [
            ("kubectl get pods", true),
            ("kubectl -n shop get pods -o wide", true),
            ("k describe node n1", true),
            ("kubectl rollout status deployment/web", true),
            ("kubectl rollout restart deployment/web", false),
            ("kubectl wait --for=condition=complete job/a", true),
            ("kubectl delete pod get", false),
            ("kubectl drain n1", false),
            ("get pods", true),
            ("fail node n1", false),
            ("stop controller job", false),
            ("memory-usage node n1 6Gi", false),
            ("memory-usage node n1 much", true),
            ("memory-usage pod web-0 600Mi", false),
            ("memory-usage pod shop/web-0 600Mi", false),
            ("memory-usage job web 600Mi", true),
            ("disk-pressure node n1 on", false),
            ("pid-pressure node n1 off", false),
            ("capacity node n1 cpu=8 memory=16Gi", false),
            ("capacity node n1 cpu", true),
            ("static-pods node n1", false),
            ("stop controller jib", true),
            ("kubectl", true),
        ] {
            let action = TimedAction { command: line.to_owned(), ..TimedAction::default() };
            assert_eq!(only_reads(&action), reads, "{line}");
        }
        let apply = TimedAction { yaml: "kind: Pod".to_owned(), ..TimedAction::default() };
        assert!(!only_reads(&apply));
    }
}
