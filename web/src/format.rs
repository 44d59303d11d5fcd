//! Numbers, times and amounts as people read them.

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The clock of the run: `00:01:30`, `2d 03:00:00`.
#[must_use]
pub fn clock(ms: i64) -> String {
    let (days, rest) = (ms.div_euclid(DAY), ms.rem_euclid(DAY));
    let (h, m, s) = (rest / HOUR, rest / MINUTE % 60, rest / SECOND % 60);
    match days {
        0 => format!("{h:02}:{m:02}:{s:02}"),
        _ => format!("{days}d {h:02}:{m:02}:{s:02}"),
    }
}

/// What the clock leaves out: `.350`, or nothing on a full second.
#[must_use]
pub fn clock_fraction(ms: i64) -> String {
    match ms.rem_euclid(SECOND) {
        0 => String::new(),
        fraction => format!(".{fraction:03}"),
    }
}

/// A short time for the axis and for lists: `45s`, `1:30`, `3h05`, `2d 4h`.
#[must_use]
pub fn short_time(ms: i64) -> String {
    if ms < MINUTE {
        return format!("{}s", ms / SECOND);
    }
    if ms < HOUR {
        return format!("{}:{:02}", ms / MINUTE, ms / SECOND % 60);
    }
    if ms < DAY {
        return format!("{}h{:02}", ms / HOUR, ms / MINUTE % 60);
    }
    match ms / HOUR % 24 {
        0 => format!("{}d", ms / DAY),
        hours => format!("{}d {hours}h", ms / DAY),
    }
}

/// A length of time as kubectl prints ages: `45s`, `2m30s`, `3h5m`, `2d4h`.
#[must_use]
pub fn duration(ms: i64) -> String {
    let pair = |big: i64, unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{small_unit}"),
    };
    match ms {
        ms if ms < 2 * MINUTE => format!("{}s", ms / SECOND),
        ms if ms < HOUR => pair(ms / MINUTE, "m", ms / SECOND % 60, "s"),
        ms if ms < DAY => pair(ms / HOUR, "h", ms / MINUTE % 60, "m"),
        ms => pair(ms / DAY, "d", ms / HOUR % 24, "h"),
    }
}

/// The date of an instant, milliseconds since 1970: `Thu 1 Jan 2026 00:01:30 UTC`.
#[must_use]
pub fn date(unix_ms: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = unix_ms.div_euclid(DAY);
    let (year, month, day) = civil(days);
    let week_day = usize::try_from(days.rem_euclid(7)).ok().and_then(|it| DAYS.get(it));
    let month = usize::try_from(month - 1).ok().and_then(|it| MONTHS.get(it));
    let time = clock(unix_ms.rem_euclid(DAY));
    format!("{} {day} {} {year} {time} UTC", week_day.unwrap_or(&""), month.unwrap_or(&""))
}

/// Year, month and day of a day count since 1970. From Howard Hinnant's description of the
/// proleptic Gregorian calendar: eras of 400 years, years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Reads a time that someone typed: `90`, `90s`, `1h30m`, `2d`, `15:00`, `00:15:00`.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.contains(':') {
        let parts = text.split(':').map(|it| it.parse::<i64>().ok()).collect::<Option<Vec<_>>>()?;
        let seconds = match parts[..] {
            [m, s] => m.checked_mul(60)?.checked_add(s)?,
            [h, m, s] => h.checked_mul(60)?.checked_add(m)?.checked_mul(60)?.checked_add(s)?,
            _ => return None,
        };
        return seconds.checked_mul(SECOND).filter(|it| *it >= 0);
    }
    let (mut total, mut number, mut any_unit) = (0_i64, String::new(), false);
    for it in text.chars().filter(|it| !it.is_whitespace()) {
        if it.is_ascii_digit() {
            number.push(it);
            continue;
        }
        let unit = match it {
            's' => SECOND,
            'm' => MINUTE,
            'h' => HOUR,
            'd' => DAY,
            'w' => 7 * DAY,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(unit)?)?;
        number.clear();
        any_unit = true;
    }
    match (number.is_empty(), any_unit) {
        (true, true) => Some(total),
        (false, _) => total.checked_add(number.parse::<i64>().ok()?.checked_mul(SECOND)?),
        (true, false) => None,
    }
}

/// Millicores as a user would write them on a tile: `250m`, `2`, `2.5`.
#[must_use]
pub fn cpu(milli: i64) -> String {
    match milli {
        milli if milli < 1000 => format!("{milli}m"),
        milli => tenths(milli, 1000),
    }
}

/// Bytes in binary units: `512Mi`, `1.5Gi`.
#[must_use]
pub fn bytes(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];
    let (mut scale, mut unit) = (1_i64, 0);
    while bytes / scale >= 1024 && unit + 1 < UNITS.len() {
        scale *= 1024;
        unit += 1;
    }
    format!("{}{}", tenths(bytes, scale), UNITS.get(unit).unwrap_or(&""))
}

/// One decimal, and none where it would be zero.
fn tenths(value: i64, scale: i64) -> String {
    let tenths = value.saturating_mul(10).saturating_add(scale / 2) / scale;
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole}"),
        (whole, tenth) => format!("{whole}.{tenth}"),
    }
}

/// `requested / allocatable` of a resource, as the bars print it.
#[must_use]
pub fn share(resource: &str, requested: i64, allocatable: i64) -> String {
    match resource {
        "cpu" => format!("{} / {}", tenths(requested, 1000), tenths(allocatable, 1000)),
        "memory" | "ephemeral-storage" => {
            let gi = 1 << 30;
            format!("{} / {} Gi", tenths(requested, gi), tenths(allocatable, gi))
        }
        _ => format!("{requested} / {allocatable}"),
    }
}

/// The name of a resource where space is short.
#[must_use]
pub fn resource(name: &str) -> &str {
    match name {
        "memory" => "mem",
        "ephemeral-storage" => "disk",
        name => name.rsplit('/').next().unwrap_or(name),
    }
}

/// Whole per cent of a part; zero of nothing.
#[must_use]
pub fn percent(part: i64, whole: i64) -> i64 {
    if whole <= 0 { 0 } else { part.saturating_mul(100) / whole }
}

/// A part in thousandths of a per cent, at most the whole: positions and widths on the page are
/// integers, since printing floating point alone would weigh several kilobytes.
#[must_use]
pub fn milli_percent(part: i64, whole: i64) -> i64 {
    if whole <= 0 {
        return 0;
    }
    let ratio = i128::from(part) * 100_000 / i128::from(whole);
    i64::try_from(ratio.clamp(0, 100_000)).unwrap_or_default()
}

/// Thousandths of a per cent as CSS and SVG write them: `12.345%`.
#[must_use]
pub fn css_percent(milli: i64) -> String {
    format!("{}.{:03}%", milli / 1000, milli % 1000)
}

/// `1 node`, `3 nodes`.
#[must_use]
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_clocks_and_ages() {
        let rows = [
            (0, "00:00:00", "0s", "0s"),
            (90 * SECOND, "00:01:30", "1:30", "90s"),
            (150 * SECOND, "00:02:30", "2:30", "2m30s"),
            (3 * HOUR + 5 * MINUTE, "03:05:00", "3h05", "3h5m"),
            (2 * DAY + 4 * HOUR, "2d 04:00:00", "2d 4h", "2d4h"),
        ];
        for (ms, clock_text, short, age) in rows {
            assert_eq!(
                (clock(ms).as_str(), short_time(ms).as_str(), duration(ms).as_str()),
                (clock_text, short, age)
            );
        }
        assert_eq!(clock_fraction(1350), ".350");
        assert_eq!(clock_fraction(2000), "");
    }

    #[test]
    fn dates_follow_the_calendar() {
        let rows = [
            (0, "Thu 1 Jan 1970 00:00:00 UTC"),
            (1_767_225_690_000, "Thu 1 Jan 2026 00:01:30 UTC"),
            (1_709_164_800_000, "Thu 29 Feb 2024 00:00:00 UTC"),
            (-1000, "Wed 31 Dec 1969 23:59:59 UTC"),
        ];
        for (unix_ms, text) in rows {
            assert_eq!(date(unix_ms), text);
        }
    }

    #[test]
    fn typed_times_are_read_in_every_usual_form() {
        let rows = [
            ("90", Some(90 * SECOND)),
            ("90s", Some(90 * SECOND)),
            ("1h30m", Some(90 * MINUTE)),
            ("2d", Some(2 * DAY)),
            ("15:00", Some(15 * MINUTE)),
            ("00:15:00", Some(15 * MINUTE)),
            ("", None),
            ("soon", None),
            ("99999999999999999999d", None),
        ];
        for (text, ms) in rows {
            assert_eq!(parse_time(text), ms, "{text}");
        }
    }

    #[test]
    fn positions_are_thousandths_of_a_per_cent() {
        assert_eq!(css_percent(milli_percent(1, 8)), "12.500%");
        assert_eq!(milli_percent(9, 8), 100_000);
        assert_eq!(milli_percent(i64::MAX, 1), 100_000);
        assert_eq!(milli_percent(1, 0), 0);
    }

    #[test]
    fn amounts_keep_one_decimal_at_most() {
        assert_eq!([cpu(250), cpu(2000), cpu(2500)], ["250m", "2", "2.5"]);
        assert_eq!([bytes(512 << 20), bytes(3 << 29), bytes(7)], ["512Mi", "1.5Gi", "7"]);
        assert_eq!(share("cpu", 2600, 4000), "2.6 / 4");
        assert_eq!(share("memory", 3 << 29, 8 << 30), "1.5 / 8 Gi");
        assert_eq!(share("nvidia.com/gpu", 1, 2), "1 / 2");
    }
}
