//! Rows of events.
//!
//! Upstream: `printEvent` in `pkg/printers/internalversion/printers.go`, v1.36.

use api::Event;

use crate::Cells;

/// The text without white space around it. Mostly there is none, which the first and the last byte
/// tell.
fn trimmed(text: &str) -> &str {
    let is_visible = |it: Option<&u8>| it.is_some_and(u8::is_ascii_graphic);
    let bytes = text.as_bytes();
    if is_visible(bytes.first()) && is_visible(bytes.last()) { text } else { text.trim() }
}

/// Puts the cells of an event: source, first time, count and name only into a `wide` table,
/// `event/` before the name `with_kind`.
pub fn event(event: &Event, wide: bool, with_kind: bool, to: &mut Cells) {
    let first = event.first_timestamp().or(event.event_time());
    let mut last = event.last_timestamp().or(first);
    let mut count = event.count().max(1);
    if let Some(series) = event.series() {
        last = series.last_observed_time.as_ref().map(|it| it.0);
        count = series.count.unwrap_or_default();
    }
    to.age_of(last);
    to.put(event.type_name());
    to.put(event.reason());
    to.make(|it| {
        let start = it.len();
        it.push_str(event.about_kind());
        it[start..].make_ascii_lowercase();
        let name = event.about_name();
        if !name.is_empty() {
            it.push('/');
            it.push_str(name);
        }
    });
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
    to.age_of(first);
    to.format(format_args!("{count}"));
    if with_kind {
        to.format(format_args!("event/{}", event.name()));
    } else {
        to.put(event.name());
    }
}
