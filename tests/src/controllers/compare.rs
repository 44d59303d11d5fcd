//! Compares what was seen with a transcript, as leniently as its README says.

use std::collections::{BTreeMap, BTreeSet};

use super::replay::{Seen, SeenEvent};
use super::transcript::{EventEntry, NONE, Transcript, Words, words};

/// How far apart reactions may be, seconds.
const TOLERANCE: f64 = 2.0;
/// The same after a node was lost: its leases are looked at every 5 s.
const TOLERANCE_LOST: f64 = 7.5;
/// The same after a node was deleted: the pod garbage collector takes its time.
const TOLERANCE_DELETED: f64 = 25.0;

/// What lasts no longer than this may be passed over, seconds.
const TRANSIENT: f64 = 0.3;

/// A value with its time, how far it may be off, and whether it must be there.
#[derive(Clone, Debug)]
struct Point {
    t: f64,
    value: String,
    slack: f64,
    varies: bool,
}

/// The life of one object.
#[derive(Clone, Debug, Default)]
struct Life {
    created: Option<(f64, f64)>,
    initial: BTreeMap<String, String>,
    fields: BTreeMap<String, Vec<Point>>,
    deleted: Option<(f64, f64)>,
    /// Nothing about it came out the same in a second run.
    optional: bool,
}

impl Life {
    fn add(&mut self, t: f64, words: Words, slack: f64, varies: bool) {
        match words {
            Words::Created(fields) => {
                self.created = Some((t, slack));
                self.optional = varies;
                self.initial = fields.into_iter().collect();
            }
            Words::Deleted => self.deleted = Some((t, slack)).filter(|_| !varies),
            Words::Changed(fields) => {
                for (path, value) in fields {
                    let value = plain(&path, value);
                    let points = self.fields.entry(path).or_default();
                    points.push(Point { t, value, slack, varies });
                }
            }
        }
    }
}

/// Nought and nothing are the same in a status.
fn plain(path: &str, value: String) -> String {
    let nothing = path.starts_with("status.") && (value == "0" || value.is_empty());
    if nothing { NONE.to_owned() } else { value }
}

type Lives = BTreeMap<String, Life>;

/// All differences, the first in time first.
pub(super) fn compare(transcript: &Transcript, seen: &Seen) -> Vec<String> {
    let loose = tolerances(transcript);
    let tolerance = |t: f64| {
        loose.iter().filter(|(from, _)| t >= *from).map(|(_, it)| *it).fold(TOLERANCE, f64::max)
    };
    let mut expected = Lives::new();
    for entry in &transcript.timeline {
        let slack = tolerance(entry.t) + entry.shift.abs();
        let life = expected.entry(entry.object.clone()).or_default();
        life.add(entry.t, words(&entry.change), slack, entry.varies);
    }
    let watched: BTreeSet<&str> =
        transcript.timeline.iter().map(|it| kind_of(&it.object)).chain(["Pod", "Job"]).collect();
    let mut actual = Lives::new();
    for change in seen.changes.iter().filter(|it| watched.contains(kind_of(&it.object))) {
        let life = actual.entry(change.object.clone()).or_default();
        life.add(change.t, change.words.clone(), 0.0, false);
    }
    let mut problems = vec![];
    let renames = assign(&expected, &actual, &mut problems);
    compare_rest(&expected, &actual, &renames, &mut problems);
    compare_events(transcript, seen, &renames, &tolerance, &mut problems);
    problems.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    problems.into_iter().map(|(t, text)| format!("{t:.1} s: {text}")).collect()
}

/// From when on times may be further apart, and how far.
fn tolerances(transcript: &Transcript) -> Vec<(f64, f64)> {
    let of = |step: &super::transcript::Step| {
        let lost = step.node_fail.is_some() || step.node_notready.is_some();
        let line = step.kubectl.as_deref().unwrap_or_default();
        let loose = if line.starts_with("kubectl delete node") {
            TOLERANCE_DELETED
        } else if line.starts_with("kubectl drain") || lost {
            TOLERANCE_LOST
        } else {
            return None;
        };
        Some((step.at_seconds, loose))
    };
    transcript.steps.iter().filter_map(of).collect()
}

fn kind_of(object: &str) -> &str {
    object.split('/').next().unwrap_or_default()
}

/// The name with random parts struck out: which of equal pods is which does not matter.
fn family(object: &str) -> Option<String> {
    let from = object.find("<r").or_else(|| object.find("<s"))?;
    let to = from + object[from..].find('>')?;
    Some(format!("{}<*{}", &object[..from], &object[to..]))
}

fn families(lives: &Lives) -> BTreeMap<String, Vec<&String>> {
    let mut result: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    let mut names: Vec<(&String, f64)> =
        lives.iter().map(|(name, life)| (name, life.created.map_or(0.0, |it| it.0))).collect();
    names.sort_by(|a, b| a.1.total_cmp(&b.1));
    for (name, _) in names {
        if let Some(family) = family(name) {
            result.entry(family).or_default().push(name);
        }
    }
    result
}

/// Finds for each expected pod the one that lived the same life. Returns what the actual ones are
/// called in the transcript.
fn assign(
    expected: &Lives,
    actual: &Lives,
    problems: &mut Vec<(f64, String)>,
) -> BTreeMap<String, String> {
    let mut renames = BTreeMap::new();
    let ours = families(actual);
    for (family, wanted) in families(expected) {
        if !family.starts_with("Pod/") {
            continue;
        }
        let empty = vec![];
        let candidates = ours.get(&family).unwrap_or(&empty);
        let differences: Vec<Vec<Vec<(f64, String)>>> = wanted
            .iter()
            .map(|w| {
                candidates.iter().map(|c| differences("Pod", &expected[*w], &actual[*c])).collect()
            })
            .collect();
        let matched = matching(&differences, candidates.len());
        for (index, name) in wanted.iter().enumerate() {
            if let Some(candidate) = matched[index] {
                renames.insert(candidates[candidate].clone(), (*name).clone());
            }
        }
        for (index, name) in wanted.iter().enumerate() {
            if matched[index].is_some() || expected[*name].optional {
                continue;
            }
            let free = (0..candidates.len()).filter(|it| !renames.contains_key(candidates[*it]));
            // What differs latest is the likeliest counterpart.
            let best = free.max_by(|a, b| {
                let first = |it: &usize| differences[index][*it].first().map_or(0.0, |it| it.0);
                first(a).total_cmp(&first(b))
            });
            let t = expected[*name].created.map_or(0.0, |it| it.0);
            let Some(best) = best else {
                problems.push((t, format!("{name} is missing")));
                continue;
            };
            renames.insert(candidates[best].clone(), (*name).clone());
            let found = differences[index][best].iter();
            problems.extend(found.map(|(t, text)| (*t, format!("{name} {text}"))));
        }
        for candidate in candidates.iter().filter(|it| !renames.contains_key(**it)) {
            let t = actual[*candidate].created.map_or(0.0, |it| it.0);
            problems.push((t, format!("{candidate} is not in the transcript")));
        }
    }
    for (family, names) in ours {
        let known = families(expected).contains_key(&family);
        for name in names.iter().filter(|_| !known && family.starts_with("Pod/")) {
            let t = actual[*name].created.map_or(0.0, |it| it.0);
            problems.push((t, format!("{name} is not in the transcript")));
        }
    }
    renames
}

/// A largest matching of those without differences, by augmenting paths.
fn matching(differences: &[Vec<Vec<(f64, String)>>], n: usize) -> Vec<Option<usize>> {
    let mut owner: Vec<Option<usize>> = vec![None; n];
    for row in 0..differences.len() {
        augment(row, differences, &mut owner, &mut vec![false; n]);
    }
    let mut result = vec![None; differences.len()];
    for (column, row) in owner.iter().enumerate() {
        if let Some(row) = row {
            result[*row] = Some(column);
        }
    }
    result
}

fn augment(
    row: usize,
    differences: &[Vec<Vec<(f64, String)>>],
    owner: &mut Vec<Option<usize>>,
    visited: &mut Vec<bool>,
) -> bool {
    for column in 0..owner.len() {
        if !differences[row][column].is_empty() || visited[column] {
            continue;
        }
        visited[column] = true;
        if owner[column].is_none_or(|other| augment(other, differences, owner, visited)) {
            owner[column] = Some(row);
            return true;
        }
    }
    false
}

/// Renames pods in a text.
fn rename(text: &str, renames: &BTreeMap<String, String>) -> String {
    let mut result = text.to_owned();
    let mut later = vec![];
    for (index, (from, to)) in renames.iter().enumerate() {
        let (from, to) = (name_of(from), name_of(to));
        if from != to && result.contains(from) {
            let mark = format!("\u{1}{index}\u{2}");
            result = result.replace(from, &mark);
            later.push((mark, to));
        }
    }
    later.iter().fold(result, |text, (mark, to)| text.replace(mark.as_str(), to))
}

fn name_of(object: &str) -> &str {
    object.split_once('/').map_or(object, |(_, name)| name)
}

fn renamed(life: &Life, renames: &BTreeMap<String, String>) -> Life {
    let mut life = life.clone();
    let fields = std::mem::take(&mut life.fields);
    for (path, mut points) in fields {
        for point in &mut points {
            point.value = rename(&point.value, renames);
        }
        life.fields.insert(rename(&path, renames), points);
    }
    life
}

/// Everything but pods with random names.
fn compare_rest(
    expected: &Lives,
    actual: &Lives,
    renames: &BTreeMap<String, String>,
    problems: &mut Vec<(f64, String)>,
) {
    let is_pod = |name: &str| name.starts_with("Pod/") && family(name).is_some();
    for (name, life) in expected.iter().filter(|(name, _)| !is_pod(name)) {
        match actual.get(name) {
            None if life.optional => {}
            None => {
                let t = life.created.map_or(0.0, |it| it.0);
                problems.push((t, format!("{name} is missing or never changes")));
            }
            Some(actual) => {
                let found = differences(kind_of(name), life, &renamed(actual, renames));
                problems.extend(found.into_iter().map(|(t, it)| (t, format!("{name} {it}"))));
            }
        }
    }
    for (name, life) in actual.iter().filter(|(name, _)| !is_pod(name)) {
        if !expected.contains_key(name) {
            let t = life.created.map_or(0.0, |it| it.0);
            problems
                .push((t, format!("{name} is not in the transcript: {:?}", life.fields.keys())));
        }
    }
}

fn differences(kind: &str, expected: &Life, actual: &Life) -> Vec<(f64, String)> {
    let mut found = vec![];
    both(&mut found, "created", expected.created, actual.created);
    for (path, value) in &expected.initial {
        let got = actual.initial.get(path).map_or(NONE, String::as_str);
        if !same(value, got, 0.0) {
            let t = expected.created.map_or(0.0, |it| it.0);
            found.push((t, format!("{path} is created as {got}, expected {value}")));
        }
    }
    let paths: BTreeSet<&String> = expected.fields.keys().chain(actual.fields.keys()).collect();
    // How often a ReplicaSet is scaled depends on how many changes one sync sees.
    let steps_count =
        |path: &str| kind == "ReplicaSet" && path.to_lowercase().ends_with("generation");
    for path in paths.into_iter().filter(|it| !steps_count(it)) {
        let none = vec![];
        let wanted = expected.fields.get(path).unwrap_or(&none);
        let got = actual.fields.get(path).unwrap_or(&none);
        // The last finalizer goes with the object or just before, as two writers race.
        let (wanted, got) = if path == "finalizers" {
            (&before_deletion(wanted, expected), &before_deletion(got, actual))
        } else {
            (wanted, got)
        };
        found.extend(compare_points(kind, path, wanted, got));
    }
    both(&mut found, "deleted", expected.deleted, actual.deleted);
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
}

fn before_deletion(points: &[Point], life: &Life) -> Vec<Point> {
    let last = |it: &&Point| life.deleted.is_none_or(|(t, _)| t - it.t > TRANSIENT);
    points.iter().filter(last).cloned().collect()
}

fn both(
    found: &mut Vec<(f64, String)>,
    what: &str,
    expected: Option<(f64, f64)>,
    actual: Option<(f64, f64)>,
) {
    match (expected, actual) {
        (Some((t, slack)), Some((got, _))) if (t - got).abs() > slack => {
            found.push((t, format!("is {what} at {got:.1} s, expected at {t:.1} s")));
        }
        (Some((t, _)), None) => found.push((t, format!("is not {what}, expected at {t:.1} s"))),
        (None, Some((got, _))) => found.push((got, format!("is {what}, not expected"))),
        _ => {}
    }
}

/// Equal, or times that are close.
fn same(expected: &str, actual: &str, slack: f64) -> bool {
    let time = |text: &str| -> Option<(f64, String)> {
        let rest = text.strip_prefix("T+")?;
        let end = rest.find('(').unwrap_or(rest.len());
        Some((rest[..end].parse().ok()?, rest[end..].to_owned()))
    };
    match (time(expected), time(actual)) {
        (Some((a, zone_a)), Some((b, zone_b))) => zone_a == zone_b && (a - b).abs() <= slack + 1.0,
        _ => expected == actual,
    }
}

/// Whether a field counts something: then only the turning points matter.
fn is_count(points: &[Point]) -> bool {
    points.iter().all(|it| it.value == NONE || it.value.parse::<i64>().is_ok())
}

fn compare_points(
    kind: &str,
    path: &str,
    expected: &[Point],
    actual: &[Point],
) -> Option<(f64, String)> {
    let varies = expected.iter().any(|it| it.varies);
    let (mut wanted, mut got) = (steps(expected), steps(actual));
    if !["Pod", "Node", "Job", "CronJob"].contains(&kind) {
        (wanted, got) = (settled(expected), settled(actual));
    }
    if path.starts_with("status.") || path == "spec.replicas" {
        // A status begins with nothing.
        for points in [&mut wanted, &mut got] {
            if points.first().is_some_and(|it| it.value == NONE) {
                points.remove(0);
            }
        }
        if is_count(expected) && is_count(actual) {
            (wanted, got) = (turns(&wanted), turns(&got));
        }
    }
    let values = |points: &[Point]| {
        let all: Vec<String> =
            points.iter().map(|it| format!("{}@{:.1}", it.value, it.t)).collect();
        all.join(" ")
    };
    let differ = |t: f64| {
        Some((t, format!("{path}: got [{}], expected [{}]", values(&got), values(&wanted))))
    };
    if varies {
        // Only where it ends is certain.
        let (Some(a), Some(b)) = (wanted.last(), got.last()) else { return None };
        return if same(&a.value, &b.value, a.slack) { None } else { differ(a.t) };
    }
    for (a, b) in wanted.iter().zip(&got) {
        if !same(&a.value, &b.value, a.slack) || (a.t - b.t).abs() > a.slack {
            return differ(a.t.min(b.t));
        }
    }
    if wanted.len() == got.len() {
        return None;
    }
    let n = wanted.len().min(got.len());
    let first = wanted.get(n).or(got.get(n)).map_or(0.0, |it| it.t);
    differ(first)
}

/// Values that follow one another are different.
fn steps(points: &[Point]) -> Vec<Point> {
    let mut result: Vec<Point> = vec![];
    for point in points {
        if result.last().is_none_or(|it| it.value != point.value) {
            result.push(point.clone());
        }
    }
    result
}

/// Without the values that something passed through: how many of them there are depends on how
/// many changes one sync sees.
fn settled(points: &[Point]) -> Vec<Point> {
    let stays = |index: usize| {
        points.get(index + 1).is_none_or(|next| next.t - points[index].t > TRANSIENT)
    };
    let left: Vec<Point> = points
        .iter()
        .enumerate()
        .filter(|(index, _)| stays(*index))
        .map(|(_, it)| it.clone())
        .collect();
    steps(&left)
}

/// Where a count turns from rising to falling or back, and where it ends.
fn turns(points: &[Point]) -> Vec<Point> {
    let number = |point: &Point| point.value.parse::<i64>().unwrap_or(0);
    let mut result: Vec<Point> = vec![];
    let mut before = 0;
    for point in steps(points) {
        if let Some(last) = result.last() {
            let (last, now) = (number(last), number(&point));
            if (before < last && last < now) || (before > last && last > now) {
                result.pop();
            } else {
                before = last;
            }
        }
        result.push(point);
    }
    result
}

/// Events whose number depends on how often a controller looks.
const REPEATING: &[&str] = &[
    "JobAlreadyActive",
    "SawCompletedJob",
    "FailedScheduling",
    "MultiplePodDisruptionBudgets",
    "UnmanagedPods",
    "NoPods",
];

/// Steps of one scaling are one: from where to where in the end, by object and direction.
fn scaling(message: &str) -> Option<(String, i64, i64)> {
    let rest = message.strip_prefix("Scaled ")?;
    let (head, counts) = rest.split_once(" from ")?;
    let (from, to) = counts.split_once(" to ")?;
    Some((head.to_owned(), from.parse().ok()?, to.parse().ok()?))
}

/// Joins scalings that go on where the one before ended: whether 3 to 1 takes one step or two
/// depends on how many changes one sync sees.
fn join_scalings<T: Clone>(events: Vec<T>, of: impl Fn(&mut T) -> (&str, &mut String)) -> Vec<T> {
    let mut result: Vec<T> = vec![];
    for mut event in events {
        let (object, message) = of(&mut event);
        let object = object.to_owned();
        let Some((head, from, to)) = scaling(&message_of(message)) else {
            result.push(event);
            continue;
        };
        let before = result.iter_mut().rev().find_map(|it| {
            let (same, message) = of(it);
            let (other, start, end) = scaling(&message_of(message))?;
            (same == object && other == head).then_some((start, end, message))
        });
        match before {
            Some((start, end, message)) if end == from => {
                *message = format!("Scaled {head} from {start} to {to}");
            }
            _ => result.push(event),
        }
    }
    result
}

type EventKey = (String, String, String, String, String);

fn compare_events(
    transcript: &Transcript,
    seen: &Seen,
    renames: &BTreeMap<String, String>,
    tolerance: &impl Fn(f64) -> f64,
    problems: &mut Vec<(f64, String)>,
) {
    let wanted = join_scalings(transcript.events.clone(), |it| (&it.object, &mut it.message));
    let got = join_scalings(seen.events.clone(), |it| (&it.object, &mut it.message));
    let mut expected: BTreeMap<EventKey, Vec<&EventEntry>> = BTreeMap::new();
    for event in &wanted {
        expected.entry(expected_key(event)).or_default().push(event);
    }
    let mut actual: BTreeMap<EventKey, Vec<&SeenEvent>> = BTreeMap::new();
    let objects: BTreeSet<&str> = transcript.events.iter().map(|it| kind_of(&it.object)).collect();
    for event in &got {
        let is_node = event.object.starts_with("Node/") && !objects.contains("Node");
        // The recorded control plane knew its nodes already.
        let known = event.reason == "RegisteredNode" && event.t < 1.0;
        if event.source != "kubelet" && !is_node && !known {
            actual.entry(actual_key(event, renames)).or_default().push(event);
        }
    }
    for (key, events) in &expected {
        let (object, _, reason, message, _) = key;
        let Some(first) = events.first() else { continue };
        let optional = events.iter().all(|it| it.varies);
        let Some(got) = actual.get(key) else {
            if !optional {
                problems.push((first.t, format!("event {object} {reason}: {message} is missing")));
            }
            continue;
        };
        let slack = tolerance(first.t) + first.shift.abs();
        if !first.varies && (got[0].t - first.t).abs() > slack {
            let text = format!(
                "event {object} {reason}: {message} is at {:.1} s, expected at {:.1} s",
                got[0].t, first.t
            );
            problems.push((first.t, text));
        }
        let (wanted, n) =
            (total(events.iter().map(|it| it.count)), total(got.iter().map(|it| it.count)));
        if wanted != n
            && !REPEATING.contains(&reason.as_str())
            && !events.iter().any(|it| it.varies)
        {
            let text = format!("event {object} {reason}: {message}: {n} times, expected {wanted}");
            problems.push((first.t, text));
        }
    }
    for (key, events) in &actual {
        if !expected.contains_key(key) {
            let (object, type_, reason, message, source) = key;
            let text = format!(
                "event {type_} {object} {reason}: {message} ({source}) is not in the transcript"
            );
            problems.push((events[0].t, text));
        }
    }
}

/// How often an event happened: counts grow until a new event object begins with 1.
fn total(counts: impl Iterator<Item = i64>) -> i64 {
    let (mut sum, mut last) = (0, 0);
    for count in counts {
        if count <= last {
            sum += last;
        }
        last = count;
    }
    sum + last
}

fn message_of(message: &str) -> String {
    message.strip_prefix("(combined from similar events): ").unwrap_or(message).to_owned()
}

fn expected_key(event: &EventEntry) -> EventKey {
    let EventEntry { object, type_, reason, message, source, .. } = event;
    (object.clone(), type_.clone(), reason.clone(), message_of(message), source.clone())
}

fn actual_key(event: &SeenEvent, renames: &BTreeMap<String, String>) -> EventKey {
    let SeenEvent { object, type_, reason, message, source, .. } = event;
    (
        rename(object, renames),
        type_.clone(),
        reason.clone(),
        rename(&message_of(message), renames),
        source.clone(),
    )
}
