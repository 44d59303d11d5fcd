//! Compares what was seen with a transcript, as leniently as its README says.

use std::collections::{BTreeMap, BTreeSet};

use super::events::compare_events;
use super::final_state;
use super::replay::Seen;
use super::transcript::{NONE, Transcript, Words, words};

/// How far apart reactions may be, seconds.
const TOLERANCE: f64 = 2.0;
/// The same when a node was lost: its lease is looked at every 5 s, at a phase of its own.
const TOLERANCE_LOST: f64 = TOLERANCE + 5.0;
/// So long after a failure the lease is 50 s old at the earliest.
const LOST_AFTER: f64 = 40.0 - TOLERANCE;
/// The same when a node was deleted: the pod garbage collector takes 40 to 65 s.
const TOLERANCE_DELETED: f64 = TOLERANCE + 25.0;
/// So long after the deletion the garbage collector comes at the earliest.
const DELETED_AFTER: f64 = 40.0 - TOLERANCE;

/// What lasts no longer than this may be passed over, seconds.
const TRANSIENT: f64 = 0.3;

/// When something may be, seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    from: f64,
    to: f64,
}

impl Window {
    /// Around a time and that of a second run.
    pub(super) fn new(t: f64, shift: f64, tolerance: f64) -> Self {
        Self { from: t + shift.min(0.0) - tolerance, to: t + shift.max(0.0) + tolerance }
    }

    fn at(t: f64) -> Self {
        Self::new(t, 0.0, 0.0)
    }

    pub(super) fn has(self, t: f64) -> bool {
        // Times are rounded to tenths.
        self.from - 0.05 <= t && t <= self.to + 0.05
    }

    fn slack(self) -> f64 {
        (self.to - self.from) / 2.0
    }
}

/// A value with its time, when it may be, and whether it must be there.
#[derive(Clone, Debug)]
struct Point {
    t: f64,
    value: String,
    window: Window,
    varies: bool,
}

/// The life of one object.
#[derive(Clone, Debug, Default)]
struct Life {
    created: Option<(f64, Window)>,
    initial: BTreeMap<String, String>,
    fields: BTreeMap<String, Vec<Point>>,
    deleted: Option<(f64, Window)>,
    /// Whether and when it goes came out differently in a second run.
    deletion_varies: bool,
    /// Nothing about it came out the same in a second run.
    optional: bool,
}

impl Life {
    fn add(&mut self, t: f64, words: Words, window: Window, varies: bool) {
        match words {
            Words::Created(fields) => {
                self.created = Some((t, window));
                self.optional = varies;
                self.initial = fields.into_iter().collect();
            }
            Words::Deleted => {
                self.deleted = Some((t, window));
                self.deletion_varies = varies;
            }
            Words::Changed(fields) => {
                for (path, value) in fields {
                    let value = plain(&path, value);
                    let points = self.fields.entry(path).or_default();
                    points.push(Point { t, value, window, varies });
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
        let window = Window::new(entry.t, entry.shift, tolerance(entry.t));
        let life = expected.entry(entry.object.clone()).or_default();
        life.add(entry.t, words(&entry.change), window, entry.varies);
    }
    // Nodes are watched only where the cluster was the scenario's own.
    let with_nodes = transcript.timeline.iter().any(|it| kind_of(&it.object) == "Node");
    let mut actual = Lives::new();
    for change in seen.changes.iter().filter(|it| with_nodes || kind_of(&it.object) != "Node") {
        let life = actual.entry(change.object.clone()).or_default();
        life.add(change.t, change.words.clone(), Window::at(change.t), false);
    }
    let mut problems = vec![];
    let renames = assign(&expected, &actual, &mut problems);
    compare_rest(&expected, &actual, &renames, &mut problems);
    compare_events(transcript, seen, &renames, &tolerance, &mut problems);
    problems.extend(compare_ends(transcript, seen, &renames));
    problems.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    problems.into_iter().map(|(t, text)| format!("{t:.1} s: {text}")).collect()
}

/// What there is at the end; where two runs ended alike.
fn compare_ends(
    transcript: &Transcript,
    seen: &Seen,
    renames: &BTreeMap<String, String>,
) -> Vec<(f64, String)> {
    if !transcript.repeat.same_final {
        return vec![];
    }
    let ours = seen.ends.iter().map(|(name, value)| {
        let name = renames.get(name).cloned().unwrap_or_else(|| name.clone());
        (name, serde_json::from_str(&rename(&value.to_string(), renames)).unwrap_or_default())
    });
    let found = final_state::differences(&transcript.end, &ours.collect());
    found.into_iter().map(|it| (transcript.seconds, it)).collect()
}

/// From when on times may be further apart, and how far.
fn tolerances(transcript: &Transcript) -> Vec<(f64, f64)> {
    let of = |step: &super::transcript::Step| {
        let line = step.kubectl.as_deref().unwrap_or_default();
        let (after, loose) = if line.starts_with("kubectl delete node") {
            (DELETED_AFTER, TOLERANCE_DELETED)
        } else if step.node_fail.is_some() {
            (LOST_AFTER, TOLERANCE_LOST)
        } else if line.starts_with("kubectl drain") || step.node_notready.is_some() {
            // Both are tried or looked at again every 5 s.
            (0.0, TOLERANCE_LOST)
        } else {
            return None;
        };
        Some((step.at_seconds + after, loose))
    };
    transcript.steps.iter().filter_map(of).collect()
}

pub(super) fn kind_of(object: &str) -> &str {
    object.split('/').next().unwrap_or_default()
}

/// The name with random parts struck out: which of equal pods is which does not matter.
pub(super) fn family(object: &str) -> Option<String> {
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
pub(super) fn rename(text: &str, renames: &BTreeMap<String, String>) -> String {
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
    // Of the rest, transcripts do not list what is usual.
    let listed = ["labels.", "annotations.", "ownerReferences", "finalizers"];
    let ours = actual.initial.keys().filter(|path| listed.iter().any(|it| path.starts_with(it)));
    let paths: BTreeSet<&String> = expected.initial.keys().chain(ours).collect();
    for path in paths {
        let of = |life: &'_ Life| life.initial.get(path).map_or(NONE.to_owned(), Clone::clone);
        let (value, got) = (of(expected), of(actual));
        if !same(&value, &got, 0.0) {
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
    if !expected.deletion_varies {
        both(&mut found, "deleted", expected.deleted, actual.deleted);
    }
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
    expected: Option<(f64, Window)>,
    actual: Option<(f64, Window)>,
) {
    match (expected, actual) {
        (Some((t, window)), Some((got, _))) if !window.has(got) => {
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
        // Certain is where it ends, and what came in both runs.
        let counts = is_count(expected) && is_count(actual);
        let all = steps(actual);
        let mut rest = all.iter();
        for point in wanted.iter().filter(|it| !it.varies && !counts) {
            let found = |it: &Point| {
                same(&point.value, &it.value, point.window.slack()) && point.window.has(it.t)
            };
            if !rest.any(found) {
                return differ(point.t);
            }
        }
        let (Some(a), Some(b)) = (wanted.last(), got.last()) else { return None };
        return if same(&a.value, &b.value, a.window.slack()) { None } else { differ(a.t) };
    }
    for (a, b) in wanted.iter().zip(&got) {
        if !same(&a.value, &b.value, a.window.slack()) || !a.window.has(b.t) {
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
