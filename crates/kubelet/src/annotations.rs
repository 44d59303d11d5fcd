//! Whether the annotations that tell the simulated kubelet something can be read. What cannot is as
//! if it were not there, so whoever wrote it is told.

use std::collections::BTreeMap;

use api::quantity;
use serde_json::Value;

use crate::duration::{Range, parse_ms};
use crate::workload::PREFIX;

/// A key, what its value should be, and whether a value is that.
type Rule = (&'static str, &'static str, fn(&str) -> bool);

const DURATION: &str = "a duration such as 30s or 20s..40s";
const SWITCH: &str = "true or false";
const AMOUNT: &str = "an amount such as 500Mi";
const ANSWERS: &str = "pass, fail, pass-after=20s or fail-after=30s, joined by commas";

/// What annotations of pods tell; see the table of this crate.
const OF_PODS: [Rule; 10] = [
    ("duration", "a duration such as 30s or 20s..40s, or infinity", |it| {
        matches!(it, "infinity" | "forever") || is_range(it)
    }),
    ("exit-code", "a number, or a list of numbers by attempt such as 1,1,0", |it| {
        it.split(',').all(|it| it.trim().parse::<i32>().is_ok())
    }),
    ("image-pull", "a duration such as 5s, or fail", |it| it == "fail" || parse_ms(it).is_some()),
    ("liveness", ANSWERS, are_answers),
    ("memory-usage", AMOUNT, is_amount),
    ("readiness", ANSWERS, are_answers),
    ("ready", SWITCH, is_switch),
    ("ready-after", DURATION, is_range),
    ("startup", ANSWERS, are_answers),
    ("stop-delay", DURATION, is_range),
];
/// As [`OF_PODS`], only of the whole pod.
const OF_WHOLE_PODS: [Rule; 1] = [("start-delay", DURATION, is_range)];
/// What annotations of nodes tell.
const OF_NODES: [Rule; 8] = [
    ("disk-pressure", SWITCH, is_any),
    ("failed", SWITCH, is_any),
    ("kubelet-configuration", "a JSON object", |it| is_json(it, Value::is_object)),
    ("memory-pressure", SWITCH, is_any),
    ("memory-usage", AMOUNT, is_amount),
    ("not-ready", SWITCH, is_any),
    ("pid-pressure", SWITCH, is_any),
    ("static-pods", "a JSON list of pods", |it| is_json(it, Value::is_array)),
];
/// What the simulator itself writes or a scenario says of any object.
const OTHER: [&str; 2] = ["renewing", "title"];

/// The annotations of a pod, or of a template for pods, that cannot be read, each with the reason.
#[must_use]
pub fn unread_of_pod(annotations: &BTreeMap<String, String>) -> Vec<(&str, String)> {
    unread(annotations, &OF_PODS, &OF_WHOLE_PODS)
}

/// As [`unread_of_pod`], of a node.
#[must_use]
pub fn unread_of_node(annotations: &BTreeMap<String, String>) -> Vec<(&str, String)> {
    unread(annotations, &[], &OF_NODES)
}

fn unread<'a>(
    annotations: &'a BTreeMap<String, String>,
    of_containers: &[Rule],
    of_all: &[Rule],
) -> Vec<(&'a str, String)> {
    let problem = |(key, value): (&'a String, &'a String)| {
        let name = key.strip_prefix(PREFIX).filter(|it| !OTHER.contains(it))?;
        let of = |rules: &[Rule], name: &str| rules.iter().find(|it| it.0 == name).copied();
        let whole = of(of_all, name).or_else(|| of(of_containers, name));
        let container = || of(of_containers, name.split_once('.')?.0);
        let Some((_, wanted, is_right)) = whole.or_else(container) else {
            let known: Vec<_> = of_containers.iter().chain(of_all).map(|it| it.0).collect();
            let known = known.join(", ");
            return Some((key.as_str(), format!("nothing reads it; what is read here: {known}")));
        };
        let value = value.trim();
        let is_read = value.is_empty() || is_right(value);
        (!is_read).then(|| (key.as_str(), format!("{value:?} is not read; it should be {wanted}")))
    };
    annotations.iter().filter_map(problem).collect()
}

fn is_range(text: &str) -> bool {
    Range::parse(text).is_some()
}

/// All but `false` switches on.
fn is_any(_: &str) -> bool {
    true
}

fn is_switch(text: &str) -> bool {
    matches!(text, "true" | "false")
}

fn is_amount(text: &str) -> bool {
    quantity::parse(text).is_ok()
}

fn are_answers(text: &str) -> bool {
    text.split(',').map(str::trim).all(|it| match it.split_once('=') {
        Some(("pass-after" | "fail-after", it)) => parse_ms(it).is_some(),
        Some(_) => false,
        None => matches!(it, "pass" | "fail" | "true" | "false"),
    })
}

fn is_json(text: &str, is_right: fn(&Value) -> bool) -> bool {
    serde_json::from_str(text).is_ok_and(|it| is_right(&it))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Unread = fn(&BTreeMap<String, String>) -> Vec<(&str, String)>;

    fn check(of: Unread, rows: &[(&str, &str, &str)]) {
        for (key, value, expected) in rows {
            let annotations = [(format!("{PREFIX}{key}"), (*value).to_owned())].into();
            let found = of(&annotations);
            let found = found.first().map_or("", |it| it.1.as_str());
            assert!(
                found.starts_with(expected) && found.is_empty() == expected.is_empty(),
                "{key}: {found}"
            );
        }
    }

    #[test]
    fn what_a_pod_tells_is_read_or_its_author_hears_why_not() {
        check(
            unread_of_pod,
            &[
                ("duration", "30s", ""),
                ("duration", "20s..40s", ""),
                ("duration.main", " forever ", ""),
                ("duration", "", ""),
                ("duration", "soon", "\"soon\" is not read; it should be a duration such as 30s"),
                ("duration.main", "30 apples", "\"30 apples\" is not read"),
                ("exit-code", "1, 1,0", ""),
                ("exit-code", "1,x", "\"1,x\" is not read; it should be a number"),
                ("image-pull", "fail", ""),
                ("image-pull", "never", "\"never\""),
                ("ready", "no", "\"no\" is not read; it should be true or false"),
                ("memory-usage", "500Mi", ""),
                ("memory-usage", "500 MB", "\"500 MB\""),
                ("liveness.c", "pass-after=20s, fail-after=1m", ""),
                ("liveness", "fails-after=20s", "\"fails-after=20s\""),
                ("start-delay", "2s", ""),
                ("start-delay.c", "2s", "nothing reads it; what is read here: duration, exit-code"),
                ("durations", "3s", "nothing reads it"),
                ("title", "A pod", ""),
            ],
        );
    }

    #[test]
    fn what_a_node_tells_is_read_or_its_author_hears_why_not() {
        check(
            unread_of_node,
            &[
                ("failed", "true", ""),
                ("failed", "yes", ""),
                ("renewing", "x", ""),
                ("duration", "3s", "nothing reads it; what is read here: disk-pressure"),
                ("kubelet-configuration", "{}", ""),
                ("kubelet-configuration", "{evictionHard", "\"{evictionHard\" is not read"),
                ("static-pods", "[]", ""),
                ("static-pods", "{}", "\"{}\" is not read; it should be a JSON list of pods"),
            ],
        );
    }

    #[test]
    fn annotations_of_others_are_theirs() {
        let annotations = [("example.com/duration".to_owned(), "soon".to_owned())].into();
        assert!(unread_of_pod(&annotations).is_empty() && unread_of_node(&annotations).is_empty());
    }
}
