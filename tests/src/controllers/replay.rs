//! Carries out a transcript in the engine and watches what happens.

use std::collections::BTreeMap;

use api::k8s_openapi::api::core::v1::Pod;
use api::{Change, Event, Kind, Object, Timestamp, Zones, yaml};
use serde_json::{Value, json};
use sim::{Options, Simulation};
use view::TimedAction;

use super::final_state;
use super::project::{Fields, KINDS, project};
use super::transcript::{NONE, Step, Transcript, Words};

/// The length of what the server appends to a `generateName`. The pods of a StatefulSet have one
/// too, but are named by their number.
const RANDOM_LENGTH: usize = 5;

/// What such an end is made of: no word of a manifest is taken for one that has a vowel.
const LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";

/// What the controller notes on the Jobs that it starts.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// No scenario needs as many events.
const MAX_EVENTS: u64 = 200_000;

/// How a container ends that outlives the grace period, and how one that stops when asked. The
/// kubelet of the recordings does not kill: what it stops ends the second way, however short the
/// grace period.
const KILLED: &str = "terminated(137 Error)";
const STOPPED: &str = "terminated(143 Error)";

/// A change in the words of the transcripts, names normalised.
#[derive(Clone, Debug)]
pub(super) struct SeenChange {
    pub(super) t: f64,
    pub(super) object: String,
    pub(super) words: Words,
}

/// An event, each time that it is counted.
#[derive(Clone, Debug)]
pub(super) struct SeenEvent {
    pub(super) t: f64,
    pub(super) object: String,
    pub(super) type_: String,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) source: String,
    pub(super) count: i64,
}

/// All that was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) changes: Vec<SeenChange>,
    pub(super) events: Vec<SeenEvent>,
    /// What there is at the end.
    pub(super) ends: BTreeMap<String, Value>,
}

/// Generated parts of names and what the transcripts call them.
#[derive(Default)]
struct Tokens {
    names: BTreeMap<String, String>,
    n_pods: usize,
    n_hashes: usize,
    n_slices: usize,
    first_minute: Option<i64>,
    /// Nodes and what the transcript calls them.
    nodes: BTreeMap<String, String>,
}

impl Tokens {
    /// Learns the names that a new object brings.
    fn learn(&mut self, object: &Object) {
        let meta = object.meta();
        let labels =
            ["pod-template-hash", "controller-revision-hash", "controller.kubernetes.io/hash"];
        for label in labels {
            if let Some(value) = meta.labels.as_ref().and_then(|it| it.get(label)) {
                // StatefulSets put the whole name of the revision into the label.
                let hash = value.rsplit('-').next().unwrap_or_default().to_owned();
                if !self.names.contains_key(&hash) {
                    self.n_hashes += 1;
                    self.names.insert(hash, format!("<h{}>", self.n_hashes));
                }
            }
        }
        // StatefulSets set the prefix, but choose the names.
        let is_random = object.controller().is_none_or(|it| it.kind != "StatefulSet");
        if let Some(prefix) = meta.generate_name.as_deref().filter(|_| is_random)
            && let Some(suffix) = object.name().strip_prefix(prefix)
            && suffix.len() == RANDOM_LENGTH
        {
            let token = match object.kind() {
                Kind::Pod => {
                    self.n_pods += 1;
                    format!("<r{}>", self.n_pods)
                }
                _ => {
                    self.n_slices += 1;
                    format!("<s{}>", self.n_slices)
                }
            };
            self.names.entry(suffix.to_owned()).or_insert(token);
        }
        // A Job that was made by hand from a CronJob has a name of its own.
        let annotations = meta.annotations.as_ref();
        if annotations.is_some_and(|it| it.contains_key(SCHEDULED))
            && let Some((_, suffix)) = object.name().rsplit_once('-')
            && let Ok(minute) = suffix.parse::<i64>()
        {
            let first = *self.first_minute.get_or_insert(minute);
            self.names.insert(suffix.to_owned(), format!("<m{}>", minute - first + 1));
        }
    }

    /// Replaces generated parts by what the transcripts call them.
    fn normalise(&self, text: &str) -> String {
        let text = &addresses(&swap(text, self.nodes.iter()));
        let mut result = String::new();
        let mut word = String::new();
        for c in text.chars().chain(['\0']) {
            if c.is_ascii_alphanumeric() {
                word.push(c);
                continue;
            }
            match self.names.get(&word) {
                Some(token) => result.push_str(token),
                None => result.push_str(&word),
            }
            word.clear();
            if c != '\0' {
                result.push(c);
            }
        }
        strike_refused(&result)
    }

    /// Puts real names in the place of what the transcripts call them.
    fn concrete(&self, text: &str) -> String {
        let text = swap(text, self.nodes.iter().map(|(ours, theirs)| (theirs, ours)));
        self.names.iter().fold(text, |text, (name, token)| text.replace(token, name))
    }
}

/// Strikes out the random ends of names that the server chose for what it then refused: nobody
/// learns them. The text may be JSON, where quotation marks have backslashes.
pub(super) fn strike_refused(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    let verdicts = ["\" is forbidden", "\" is invalid"];
    while let Some(at) = verdicts.iter().filter_map(|it| rest.find(it)).min() {
        let name = rest[..at].trim_end_matches('\\');
        let is_random =
            |it: &str| it.len() == RANDOM_LENGTH && it.chars().all(|c| LETTERS.contains(c));
        match name.rsplit_once('-').filter(|(_, end)| is_random(end)) {
            Some((before, _)) => result.extend([before, "-*"]),
            None => result.push_str(name),
        }
        result.push_str(&rest[name.len()..=at]);
        rest = &rest[at + 1..];
    }
    result + rest
}

/// Writes `UID` and `IP` for what is one.
fn addresses(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let mut result = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let groups: Vec<usize> = word.split('-').map(str::len).collect();
        let hexadecimal = word.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
        let octets = word.split('.').filter(|it| it.parse::<u8>().is_ok()).count();
        if groups == [8, 4, 4, 4, 12] && hexadecimal {
            result.push_str("UID");
        } else if octets == 4 && word.split('.').count() == 4 {
            result.push_str("IP");
        } else {
            result.push_str(word);
        }
        let next = after.chars().next();
        result.extend(next);
        rest = &after[next.map_or(0, char::len_utf8)..];
    }
    result
}

/// Replaces whole words, all at once.
fn swap<'a>(text: &str, pairs: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let pairs: Vec<_> = pairs.filter(|(from, to)| from != to).collect();
    let mut result = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let starts = !result.chars().last().is_some_and(is_word);
        let found = pairs.iter().find(|(from, _)| {
            let after = rest.strip_prefix(from.as_str()).and_then(|it| it.chars().next());
            starts && rest.starts_with(from.as_str()) && !after.is_some_and(is_word)
        });
        if let Some((from, to)) = found {
            result.push_str(to);
            rest = &rest[from.len()..];
        } else {
            result.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    result
}

struct Watch {
    namespace: String,
    start: Timestamp,
    tokens: Tokens,
    raw: Vec<(f64, Change)>,
}

impl Watch {
    fn take(&mut self, simulation: &mut Simulation) {
        for (ms, change) in simulation.take_changes() {
            let Some(object) = change.object() else { continue };
            // Events about nodes are in the namespace `default`.
            let about_node = object.as_kind::<Event>().is_some_and(|it| it.about_kind() == "Node");
            let is_node = object.kind() == Kind::Node || about_node;
            if !is_node && object.namespace() != self.namespace {
                continue;
            }
            if let (None, Some(new)) = (&change.old, &change.new)
                && KINDS.contains(&new.kind())
            {
                self.tokens.learn(new);
            }
            #[expect(clippy::cast_precision_loss, reason = "a few minutes")]
            let t = ms as f64 / 1_000.0;
            self.raw.push((t, change));
        }
    }

    fn ends(&self, simulation: &Simulation) -> BTreeMap<String, Value> {
        let listers = simulation.listers();
        let all = KINDS.iter().flat_map(|kind| listers.0.list(*kind));
        let own = all.filter(|it| it.kind() == Kind::Node || it.namespace() == self.namespace);
        let ends = own.map(|it| {
            let name = self.tokens.normalise(&format!("{}/{}", it.kind(), it.name()));
            (name, self.normalised(final_state::project(it, self.start)))
        });
        ends.collect()
    }

    /// A value with all names as the transcripts have them.
    fn normalised(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.tokens.normalise(&text)),
            Value::Array(items) => items.into_iter().map(|it| self.normalised(it)).collect(),
            Value::Object(map) => {
                let pairs = map.into_iter();
                pairs.map(|(key, it)| (self.tokens.normalise(&key), self.normalised(it))).collect()
            }
            other => other,
        }
    }

    fn seen(self) -> Seen {
        let mut seen = Seen::default();
        for (t, change) in &self.raw {
            let Some(object) = change.object() else { continue };
            if let Some(event) = change.new.as_ref().and_then(Object::as_kind::<Event>) {
                seen.events.push(self.event(*t, event));
            } else if KINDS.contains(&object.kind())
                && let Some(words) = self.words(change)
            {
                let name = format!("{}/{}", object.kind(), object.name());
                let object = self.tokens.normalise(&name);
                seen.changes.push(SeenChange { t: *t, object, words });
            }
        }
        seen
    }

    fn words(&self, change: &Change) -> Option<Words> {
        let fields = |object: &Option<Object>| {
            object.as_ref().map(|it| project(it, self.start)).unwrap_or_default()
        };
        let all = |fields: Fields| {
            let pairs = fields
                .into_iter()
                .map(|(path, value)| (self.tokens.normalise(&path), self.tokens.normalise(&value)));
            pairs.collect::<Vec<_>>()
        };
        match (&change.old, &change.new) {
            (_, None) => Some(Words::Deleted),
            (None, Some(_)) => Some(Words::Created(all(fields(&change.new)))),
            (Some(_), Some(_)) => {
                let (old, new) = (fields(&change.old), fields(&change.new));
                let mut changed = Fields::new();
                for path in old.keys().chain(new.keys()) {
                    if old.get(path) != new.get(path) {
                        let value = new.get(path).cloned().unwrap_or_else(|| NONE.to_owned());
                        changed.insert(path.clone(), value);
                    }
                }
                // What somebody else has called failed is killed by both.
                let failed = change.old.as_ref().and_then(Object::as_kind::<Pod>);
                let failed = failed.is_some_and(api::pods::is_terminal);
                let deleted =
                    change.object().is_some_and(|it| it.meta().deletion_timestamp.is_some());
                if deleted && !failed {
                    changed.values_mut().filter(|it| *it == KILLED).for_each(|it| {
                        STOPPED.clone_into(it);
                    });
                }
                (!changed.is_empty()).then(|| Words::Changed(all(changed)))
            }
        }
    }

    fn event(&self, t: f64, event: &Event) -> SeenEvent {
        let object = format!("{}/{}", event.about_kind(), event.about_name());
        SeenEvent {
            t,
            object: self.tokens.normalise(&object),
            type_: event.type_name().to_owned(),
            reason: event.reason().to_owned(),
            message: self.tokens.normalise(event.message()),
            source: event.component().to_owned(),
            count: i64::from(event.count()),
        }
    }
}

/// Runs a transcript's steps.
pub(super) fn replay(
    transcript: &Transcript,
    seed: u64,
    nodes: BTreeMap<String, String>,
    zones: &Zones,
) -> Result<Seen, String> {
    let start = match &transcript.start_clock {
        Some(text) => text.parse().map_err(|error| format!("startClock: {error}"))?,
        None => Timestamp::constant(1_767_225_600, 0),
    };
    let options = Options {
        seed: Some(seed),
        start: Some(start),
        zones: zones.clone(),
        preset: Some(sim::Preset::Empty),
        ..Options::default()
    };
    let mut simulation = Simulation::load(&cluster(transcript), options).map_err(|errors| {
        let texts: Vec<String> = errors.into_iter().map(|it| it.message).collect();
        format!("the cluster cannot be loaded: {}", texts.join("; "))
    })?;
    simulation.take_changes();
    let namespace = transcript.namespace.clone();
    let mut watch =
        Watch { namespace, start, tokens: Tokens { nodes, ..Tokens::default() }, raw: vec![] };
    for step in &transcript.steps {
        run_to(&mut simulation, step.at_seconds)?;
        watch.take(&mut simulation);
        carry_out(&mut simulation, step, &watch)?;
    }
    run_to(&mut simulation, transcript.seconds)?;
    watch.take(&mut simulation);
    let mut seen = Seen { ends: watch.ends(&simulation), ..watch.seen() };
    // Most recordings did not watch claims.
    let is_claim = |it: &str| it.starts_with("PersistentVolumeClaim/");
    if !transcript.timeline.iter().any(|it| is_claim(&it.object)) {
        seen.changes.retain(|it| !is_claim(&it.object));
        seen.ends.retain(|name, _| !is_claim(name));
    }
    Ok(seen)
}

#[expect(clippy::cast_possible_truncation, reason = "a few minutes")]
fn run_to(simulation: &mut Simulation, seconds: f64) -> Result<(), String> {
    let ms = (seconds * 1_000.0).round() as i64;
    if simulation.run_until(ms, MAX_EVENTS).reached {
        return Ok(());
    }
    let notices = simulation.state().notices;
    let texts: Vec<String> = notices.into_iter().map(|it| it.message).collect();
    Err(format!("the run does not come to {seconds} s: {}", texts.join("; ")))
}

/// The nodes, and the namespace.
fn cluster(transcript: &Transcript) -> String {
    let mut documents = vec![];
    for node in &transcript.nodes {
        documents.push(node.to_string());
    }
    let meta = json!({ "name": transcript.namespace });
    documents
        .push(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": meta }).to_string());
    documents.join("\n---\n")
}

fn carry_out(simulation: &mut Simulation, step: &Step, watch: &Watch) -> Result<(), String> {
    let mut action = TimedAction::default();
    let at = step.at_seconds;
    if let Some(text) = &step.apply {
        action.yaml = in_namespace(&watch.tokens.concrete(text), &watch.namespace)?;
        // A node joins with what its kubelet has found of it, which no server-side apply could say.
        if !action.yaml.contains("\"kind\":\"Node\"") {
            action.command = "kubectl apply -f - --server-side --force-conflicts".to_owned();
        }
    } else if let Some(line) = &step.kubectl {
        let line = watch.tokens.concrete(line);
        let rest = line.strip_prefix("kubectl ").unwrap_or(&line);
        action.command = format!("kubectl {rest} -n {}", watch.namespace);
        action.yaml = step.stdin.as_deref().map(|it| watch.tokens.concrete(it)).unwrap_or_default();
    } else if let Some(node) = &step.node_fail {
        action.command = format!("fail node {}", watch.tokens.concrete(node));
    } else if let Some(node) = &step.node_recover {
        action.command = format!("recover node {}", watch.tokens.concrete(node));
    } else if let Some(node) = &step.node_notready {
        action.command = format!("not-ready node {}", watch.tokens.concrete(node));
    }
    let what = if action.command.is_empty() { "apply" } else { &action.command }.to_owned();
    let result = simulation.act(action);
    let refused = result.exit_code != 0;
    let expected = step.error.is_some() || step.exit_code.is_some_and(|it| it != 0);
    if refused != expected {
        return Err(format!("step at {at} s ({what}): {}", result.output.trim_end()));
    }
    let refusal = step.error.as_ref().and_then(Value::as_str).unwrap_or_default();
    let got = watch.tokens.normalise(&result.output);
    let printed = step.output.as_ref().is_none_or(|it| said(it) == said(&got));
    if !printed || !got.trim_end().ends_with(refusal_text(refusal)) {
        let wanted = step.output.as_deref().unwrap_or(refusal);
        return Err(format!("step at {at} s ({what}) prints {got:?}, expected {wanted:?}"));
    }
    Ok(())
}

/// The lines that a command prints, in an order of their own and with random names struck out: which
/// of equal pods comes first does not matter.
fn said(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(struck).collect();
    lines.sort();
    lines
}

/// A text without the numbers of random names.
fn struck(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(from) = rest.find("<r") {
        let (before, name) = rest.split_at(from + 2);
        result.push_str(before);
        rest = name.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    result + rest
}

/// What the server says, without the code and the object in front, which kubectl words anew.
fn refusal_text(error: &str) -> &str {
    error.split_once(" is invalid: ").map_or(error, |(_, text)| text)
}

/// The objects of a text as JSON documents, in the scenario's namespace.
fn in_namespace(text: &str, namespace: &str) -> Result<String, String> {
    let reading = yaml::read(text);
    let mut documents = vec![];
    for document in &reading.documents {
        let Some(object) = document.lenient_object() else { continue };
        let mut object = object.clone();
        if object.kind().namespaced() && object.meta().namespace.is_none() {
            object.meta_mut().namespace = Some(namespace.to_owned());
        }
        documents.push(serde_json::to_string(&object).map_err(|error| error.to_string())?);
    }
    Ok(documents.join("\n---\n"))
}
