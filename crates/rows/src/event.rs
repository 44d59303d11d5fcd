//! Rows of events.
//!
//! Upstream: `printEvent` in `pkg/printers/internalversion/printers.go`, v1.36.

use api::{Event, EventRow, Timestamp};

use crate::Cells;

/// The text without white space around it. Mostly there is none, which the first and the last byte
/// tell.
fn trimmed(text: &str) -> &str {
    let is_visible = |it: Option<&u8>| it.is_some_and(u8::is_ascii_graphic);
    let bytes = text.as_bytes();
    if is_visible(bytes.first()) && is_visible(bytes.last()) { text } else { text.trim() }
}

/// What comes before the message.
fn put_row(row: &EventRow, to: &mut Cells) {
    to.age_of(Some(row.last));
    to.put_plain(type_of(row));
    to.put(row.reason());
    to.put(row.about());
}

fn type_of(row: &EventRow) -> &'static str {
    if row.warning { "Warning" } else { "Normal" }
}

/// Nearly all events are of a recorder, and nearly all that they say needs no change.
fn is_ready(row: &EventRow) -> bool {
    row.plain && !row.text().ends_with(' ') && !row.message().starts_with(' ')
}

fn put_whole(event: &Event, to: &mut Cells) {
    to.age_of(match event.series() {
        Some(series) => series.last_observed_time.as_ref().map(|it| it.0),
        None => event.last_timestamp().or_else(|| first(event)),
    });
    to.put(event.type_name());
    to.put(event.reason());
    let slash = if event.about_name().is_empty() { "" } else { "/" };
    let kind = event.about_kind().to_ascii_lowercase();
    to.format(format_args!("{kind}{slash}{}", event.about_name()));
}

fn first(event: &Event) -> Option<Timestamp> {
    event.first_timestamp().or(event.event_time())
}

/// Puts the cells of an event: source, first time, count and name only into a `wide` table,
/// `event/` before the name `with_kind`.
pub fn event(event: &Event, wide: bool, with_kind: bool, to: &mut Cells) {
    match event.row() {
        Some(row) if !wide && is_ready(row) => {
            to.age_of(Some(row.last));
            to.put_plain(type_of(row));
            return to.put_plain_cells(row.text(), row.lengths());
        }
        Some(row) => put_row(row, to),
        None => put_whole(event, to),
    }
    let message = trimmed(event.message());
    if !wide {
        return to.put(message);
    }
    to.put(event.field_path());
    fn or<'a>(it: &'a str, other: &'a str) -> &'a str {
        if it.is_empty() { other } else { it }
    }
    let component = or(event.component(), event.reporting_component());
    match or(event.host(), event.reporting_instance()) {
        "" => to.put(component),
        host => to.format(format_args!("{component}, {host}")),
    }
    to.put(message);
    to.age_of(first(event));
    let count = match event.series() {
        Some(series) => series.count.unwrap_or_default(),
        None => event.count().max(1),
    };
    to.format(format_args!("{count}"));
    if with_kind {
        to.format(format_args!("event/{}", event.name()));
    } else {
        to.put(event.name());
    }
}

#[cfg(test)]
mod tests {
    use api::k8s_openapi::api::core::v1;
    use api::{EventSpec, Kind, ObjectRef, Recorded, SmolStr};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// An event that was said at 10 s, at 70 s and at 90 s.
    fn repeated(regarding: ObjectRef, message: &str) -> Event {
        let spec = EventSpec {
            warning: true,
            reason: "BackOff".into(),
            message: message.to_owned(),
            regarding,
            uid: SmolStr::default(),
            component: "kubelet".into(),
            host: "n1".into(),
            field_path: "spec.containers{c}".into(),
        };
        let mut event = Event::recorded(Recorded {
            first: at(10),
            last: at(70),
            count: 2,
            spec,
            name: "web-1.18".into(),
            uid: 1,
            about_version: SmolStr::default(),
            created: at(10),
            version: 7,
        });
        event.repeat(message.to_owned(), 3, at(90));
        event
    }

    fn check(event: &Event, wide: bool, expected: &[&str]) {
        for it in [event, &Event::from(event.whole().clone())] {
            let mut cells = Cells::new(expected.len(), at(100));
            super::event(it, wide, false, &mut cells);
            let text = cells.aligned(1);
            assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_repeated_event_was_last_seen_when_it_was_said_last() {
        let pod = ObjectRef::new(Kind::Pod, "default", "web-1");
        for message in [" Back-off restarting\n", "  Back-off restarting", "Back-off restarting"] {
            let event = repeated(pod.clone(), message);
            let row = ["10s", "Warning", "BackOff", "pod/web-1", "Back-off restarting"];
            check(&event, false, &row);
        }
        let event = repeated(pod, " Back-off restarting\n");
        let wide = [
            "10s",
            "Warning",
            "BackOff",
            "pod/web-1",
            "spec.containers{c}",
            "kubelet, n1",
            "Back-off restarting",
            "90s",
            "3",
            "web-1.18",
        ];
        check(&event, true, &wide);
    }

    #[test]
    fn what_an_event_is_about_may_lack_a_name_or_have_an_odd_one() {
        for (name, shown) in [("", "cronjob"), ("\u{e9}t\u{e9}", "cronjob/\u{e9}t\u{e9}")] {
            let event = v1::Event {
                involved_object: v1::ObjectReference {
                    kind: Some("CronJob".to_owned()),
                    name: Some(name.to_owned()),
                    ..v1::ObjectReference::default()
                },
                ..v1::Event::default()
            };
            check(&event.into(), false, &["<unknown>", "", "", shown, ""]);
        }
    }
}
