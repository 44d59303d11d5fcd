//! Compares events: what each says, how often, when, and in which order for each object.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{Window, family, kind_of, rename};
use super::replay::{Seen, SeenEvent};
use super::transcript::{EventEntry, Transcript};

/// What is no further apart may come in any order, seconds.
const SAME_INSTANT: f64 = 0.2;

/// Events whose number depends on how many changes one look sees, as the README says; of a job that a
/// `CronJob` did not start each look says the same.
const REPEATING: &[&str] = &["JobAlreadyActive", "SawCompletedJob", "UnexpectedJob"];

/// Events that are said of each change that a budget or its pod is seen to go through. How many
/// changes that are while both come into being depends on who comes first.
const OF_EACH_CHANGE: &[&str] = &["NoPods", "UnmanagedPods", "MultiplePodDisruptionBudgets"];
/// So long objects that have just been applied may come into being, seconds.
const COMING: f64 = 0.3;

/// Steps of one scaling are one: from where to where in the end, by object and direction.
fn scaling(message: &str) -> Option<(String, i64, i64)> {
    let rest = message.strip_prefix("Scaled ")?;
    let (head, counts) = rest.split_once(" from ")?;
    let (from, to) = counts.split_once(" to ")?;
    Some((head.to_owned(), from.parse().ok()?, to.parse().ok()?))
}

/// Joins scalings of one instant that go on where the one before ended: whether 3 to 1 takes one
/// step or two depends on how many changes one sync sees.
fn join_scalings<T: Clone>(
    events: Vec<T>,
    at: impl Fn(&T) -> f64,
    of: impl Fn(&mut T) -> (&str, &mut String),
) -> Vec<T> {
    let mut result: Vec<T> = vec![];
    for mut event in events {
        let now = at(&event);
        let (object, message) = of(&mut event);
        let object = object.to_owned();
        let Some((head, from, to)) = scaling(&message_of(message)) else {
            result.push(event);
            continue;
        };
        let before = result.iter_mut().rev().find_map(|it| {
            if now - at(it) > SAME_INSTANT {
                return None;
            }
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

/// An attempt of the scheduler that failed.
const ATTEMPT: &str = "FailedScheduling";

/// Without the attempts for a pod that were followed by another one in the same instant: whether
/// two pods that end together wake others once or twice depends on what comes first.
fn last_attempts<T: Clone>(events: &[T], of: impl Fn(&T) -> (f64, &str, &str)) -> Vec<T> {
    let followed = |at: usize| {
        let (t, object, reason) = of(&events[at]);
        let mut later = events[at + 1..].iter().map(&of).take_while(|it| it.0 - t < SAME_INSTANT);
        reason == ATTEMPT
            && later.any(|it| it.1 == object && [ATTEMPT, "Scheduled"].contains(&it.2))
    };
    (0..events.len()).filter(|at| !followed(*at)).map(|at| events[at].clone()).collect()
}

fn size(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

type EventKey = (String, String, String, String, String);

pub(super) fn compare_events(
    transcript: &Transcript,
    seen: &Seen,
    renames: &BTreeMap<String, String>,
    tolerance: &impl Fn(f64) -> f64,
    problems: &mut Vec<(f64, String)>,
) {
    let wanted = last_attempts(&transcript.events, |it| (it.t, &it.object, &it.reason));
    let wanted = join_scalings(wanted, |it| it.t, |it| (&it.object, &mut it.message));
    let got = last_attempts(&seen.events, |it| (it.t, &it.object, &it.reason));
    let got = join_scalings(got, |it| it.t, |it| (&it.object, &mut it.message));
    let mut expected: BTreeMap<EventKey, Vec<&EventEntry>> = BTreeMap::new();
    for event in &wanted {
        expected.entry(expected_key(event)).or_default().push(event);
    }
    let mut actual: BTreeMap<EventKey, Vec<&SeenEvent>> = BTreeMap::new();
    let objects: BTreeSet<&str> = transcript.events.iter().map(|it| kind_of(&it.object)).collect();
    for event in &got {
        let is_node = event.object.starts_with("Node/") && !objects.contains("Node");
        if event.source != "kubelet" && !is_node {
            actual.entry(actual_key(event, renames)).or_default().push(event);
        }
    }
    let applied: Vec<f64> =
        transcript.steps.iter().filter(|it| it.apply.is_some()).map(|it| it.at_seconds).collect();
    let coming = |t: f64| applied.iter().any(|at| *at <= t && t < at + COMING);
    for (key, events) in &expected {
        match actual.get(key) {
            Some(got) if OF_EACH_CHANGE.contains(&key.2.as_str()) => {
                compare_one(key, events, got, tolerance, problems);
                let a = size(events.iter().filter(|it| !coming(it.t)).count());
                let b = size(got.iter().filter(|it| !coming(it.t)).count());
                if a != b && !events.iter().any(|it| it.varies) {
                    let text = format!("event {}: later {b} times, expected {a}", words(key));
                    problems.push((events[0].t, text));
                }
            }
            Some(got) => compare_one(key, events, got, tolerance, problems),
            None if events.iter().all(|it| it.varies) => {}
            None => problems.push((events[0].t, format!("event {} is missing", words(key)))),
        }
    }
    for (key, events) in &actual {
        if !expected.contains_key(key) {
            let text = format!("event {} {} is not in the transcript", key.1, words(key));
            problems.push((events[0].t, text));
        }
    }
    compare_order(&expected, &actual, problems);
}

fn words(key: &EventKey) -> String {
    let (object, _, reason, message, source) = key;
    format!("{object} {reason}: {message} ({source})")
}

/// How often, and when each time.
fn compare_one(
    key: &EventKey,
    wanted: &[&EventEntry],
    got: &[&SeenEvent],
    tolerance: &impl Fn(f64) -> f64,
    problems: &mut Vec<(f64, String)>,
) {
    let repeating = [REPEATING, OF_EACH_CHANGE].iter().any(|it| it.contains(&key.2.as_str()));
    let varies = wanted.iter().any(|it| it.varies);
    let same_number = wanted.len() == got.len() && !repeating && !varies;
    // Without a counterpart for each, only the first is certain.
    let n = if same_number { wanted.len() } else { 1 };
    for (event, got) in wanted.iter().zip(got).take(n).filter(|(it, _)| !it.varies) {
        let window = Window::new(event.t, event.shift, tolerance(event.t));
        if !window.has(got.t) {
            let (at, expected) = (got.t, event.t);
            let text = format!("event {} is at {at:.1} s, expected at {expected:.1} s", words(key));
            problems.push((expected, text));
        }
    }
    let (a, b) = match key.2.as_str() {
        ATTEMPT => (size(wanted.len()), size(got.len())),
        _ => (total(wanted.iter().map(|it| it.count)), total(got.iter().map(|it| it.count))),
    };
    if a != b && !repeating && !varies {
        problems.push((wanted[0].t, format!("event {}: {b} times, expected {a}", words(key))));
    }
}

/// By object, reason and message: when it was said, and whether the time may vary.
type Sayings<'a> = BTreeMap<(&'a str, &'a str, String), Vec<(f64, bool)>>;

/// When something is said of an object: by reason and message, with random names struck out, since
/// which of equal pods came first does not matter.
fn sayings<'a>(events: impl Iterator<Item = (&'a EventKey, f64, bool)>) -> Sayings<'a> {
    let mut sayings: BTreeMap<_, Vec<(f64, bool)>> = BTreeMap::new();
    for (key, t, varies) in events {
        let message = family(&key.3).unwrap_or_else(|| key.3.clone());
        let times = sayings.entry((key.0.as_str(), key.2.as_str(), message)).or_default();
        times.push((t, varies));
    }
    for times in sayings.values_mut() {
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    sayings
}

/// What was said of an object later was not said before what was said earlier.
fn compare_order(
    expected: &BTreeMap<EventKey, Vec<&EventEntry>>,
    actual: &BTreeMap<EventKey, Vec<&SeenEvent>>,
    problems: &mut Vec<(f64, String)>,
) {
    let wanted = sayings(expected.iter().map(|(key, all)| (key, all[0].t, all[0].varies)));
    let got = sayings(actual.iter().map(|(key, all)| (key, all[0].t, false)));
    let mut by_object: BTreeMap<&str, Vec<(f64, f64, String)>> = BTreeMap::new();
    for ((object, reason, message), times) in &wanted {
        let Some(ours) = got.get(&(*object, *reason, message.clone())) else { continue };
        if times.len() != ours.len() || times.iter().any(|it| it.1) {
            continue;
        }
        let pairs = times.iter().zip(ours).map(|(a, b)| (a.0, b.0, format!("{reason}: {message}")));
        by_object.entry(*object).or_default().extend(pairs);
    }
    for (object, mut events) in by_object {
        events.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (at, earlier) in events.iter().enumerate() {
            let later = events[at..].iter().find(|later| {
                later.0 - earlier.0 > SAME_INSTANT && earlier.1 - later.1 > SAME_INSTANT
            });
            if let Some(later) = later {
                let text = format!("event {object} {} comes after {}", earlier.2, later.2);
                problems.push((earlier.0, text));
            }
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
