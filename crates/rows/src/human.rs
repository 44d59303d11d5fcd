//! Durations for people. Upstream: `staging/src/k8s.io/apimachinery/pkg/util/duration`, v1.36.

use api::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// `5s`, `2m30s`, `3h`, `12d`.
#[must_use]
pub fn duration(seconds: i64) -> String {
    let mut text = String::new();
    put_duration(&mut text, seconds);
    text
}

/// Writes a duration.
pub(crate) fn put_duration(to: &mut String, seconds: i64) {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    let (n, unit, rest, small) = match seconds {
        ..-1 => return to.push_str("<invalid>"),
        -1 => (0, 's', 0, ' '),
        0..120 => (seconds, 's', 0, ' '),
        _ if minutes < 10 => (minutes, 'm', seconds % 60, 's'),
        _ if minutes < 180 => (minutes, 'm', 0, ' '),
        _ if hours < 8 => (hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => (hours, 'h', 0, ' '),
        _ if days < 8 => (days, 'd', hours % 24, 'h'),
        _ if years < 2 => (days, 'd', 0, ' '),
        _ if years < 8 => (years, 'y', days % 365, 'd'),
        _ => (years, 'y', 0, ' '),
    };
    put_number(to, n);
    to.push(unit);
    if rest > 0 {
        put_number(to, rest);
        to.push(small);
    }
}

/// Writes a number that is not negative. The library's way is ten times as long for a digit or two.
fn put_number(to: &mut String, n: i64) {
    if n >= 10 {
        put_number(to, n / 10);
    }
    to.push(char::from(b"0123456789"[usize::try_from(n % 10).unwrap_or_default()]));
}

/// Whole seconds from one time to another, cut as Go cuts them.
#[must_use]
pub fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    api::time::ms_between(from, to) / 1_000
}

/// How long ago a time was, `<unknown>` if there is none.
#[must_use]
pub fn since(time: Option<&Time>, now: Timestamp) -> String {
    since_timestamp(time.map(|it| it.0), now)
}

/// As [`since`].
#[must_use]
pub fn since_timestamp(time: Option<Timestamp>, now: Timestamp) -> String {
    match time {
        Some(time) => duration(seconds_between(time, now)),
        None => "<unknown>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let check = |seconds: i64, text: &str| assert_eq!(duration(seconds), text);
        check(-5, "<invalid>");
        check(-1, "0s");
        check(119, "119s");
        check(120, "2m");
        check(150, "2m30s");
        check(3600, "60m");
        check(4 * 3600 + 60, "4h1m");
        check(30 * 3600, "30h");
        check(49 * 3600, "2d1h");
        check(324 * 86400, "324d");
        check(3 * 365 * 86400, "3y");
    }
}
