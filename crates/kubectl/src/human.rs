//! Durations for people. Upstream: `staging/src/k8s.io/apimachinery/pkg/util/duration`, v1.36.

use api::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// `5s`, `2m30s`, `3h`, `12d`.
pub(crate) fn duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let pair = |n: i64, unit: &str, rest: i64, small: &str| match rest {
        0 => format!("{n}{unit}"),
        _ => format!("{n}{unit}{rest}{small}"),
    };
    if seconds < -1 {
        "<invalid>".to_owned()
    } else if seconds < 0 {
        "0s".to_owned()
    } else if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        pair(minutes, "m", seconds % 60, "s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        pair(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if hours < 24 * 8 {
        pair(hours / 24, "d", hours % 24, "h")
    } else if hours < 24 * 365 * 2 {
        format!("{}d", hours / 24)
    } else if hours < 24 * 365 * 8 {
        pair(hours / 24 / 365, "y", hours / 24 % 365, "d")
    } else {
        format!("{}y", hours / 24 / 365)
    }
}

/// Whole seconds from one time to another, cut as Go cuts them.
pub(crate) fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    api::time::ms_between(from, to) / 1_000
}

/// How long ago a time was, `<unknown>` if there is none.
pub(crate) fn since(time: Option<&Time>, now: Timestamp) -> String {
    since_timestamp(time.map(|it| it.0), now)
}

/// As [`since`].
pub(crate) fn since_timestamp(time: Option<Timestamp>, now: Timestamp) -> String {
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
