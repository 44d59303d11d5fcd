//! Reads a schedule.
//!
//! Upstream: `vendor/github.com/robfig/cron/v3/parser.go` and
//! `pkg/util/parsers/parsers.go` (`ParseCronScheduleWithPanicRecovery`), v1.36.

use jiff::tz::TimeZone;

use super::gostd::{atoi, load_location, parse_duration};
use super::spec::{Fields, STAR_BIT, Schedule};
use crate::Zones;

/// What a field may hold.
struct Bounds {
    min: u64,
    max: u64,
    /// Three-letter names; the first stands for `min`.
    names: &'static [&'static str],
}

const MINUTES: Bounds = Bounds { min: 0, max: 59, names: &[] };
const HOURS: Bounds = Bounds { min: 0, max: 23, names: &[] };
const DOM: Bounds = Bounds { min: 1, max: 31, names: &[] };
const MONTHS: Bounds = Bounds {
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const DOW: Bounds =
    Bounds { min: 0, max: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// Reads five fields or a descriptor, with an optional `TZ=` or `CRON_TZ=` in front. Without one the
/// schedule is in UTC.
///
/// # Errors
/// Upstream's text. Where upstream panics, the text that Kubernetes makes of the panic.
pub fn parse(text: &str, zones: &Zones) -> Result<Schedule, String> {
    if text.is_empty() {
        return Err("empty spec string".to_owned());
    }
    let mut zone = TimeZone::UTC;
    let mut spec = text;
    if let Some(rest) = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ=")) {
        let Some((name, schedule)) = rest.split_once(' ') else {
            let panic = "runtime error: slice bounds out of range [:-1]";
            return Err(format!("invalid schedule format: {panic}"));
        };
        zone = load_location(name, zones)
            .map_err(|error| format!("provided bad location {name}: {error}"))?;
        spec = schedule.trim();
    }
    if spec.starts_with('@') {
        return parse_descriptor(spec, zone);
    }
    let fields: Vec<&str> = spec.split_whitespace().collect();
    let [minute, hour, dom, month, dow] = fields[..] else {
        let found = fields.len();
        return Err(format!("expected exactly 5 fields, found {found}: [{}]", fields.join(" ")));
    };
    Ok(Schedule::Spec {
        fields: Fields {
            minute: get_field(minute, &MINUTES)?,
            hour: get_field(hour, &HOURS)?,
            dom: get_field(dom, &DOM)?,
            month: get_field(month, &MONTHS)?,
            dow: get_field(dow, &DOW)?,
        },
        zone,
    })
}

/// The bits of a comma-separated list. Empty items count for nothing.
fn get_field(field: &str, bounds: &Bounds) -> Result<u64, String> {
    let items = field.split(',').filter(|it| !it.is_empty());
    items.map(|it| get_range(it, bounds)).try_fold(0, |bits, it| Ok(bits | it?))
}

/// The bits of `number | number "-" number [ "/" number ]`, where `*` and `?` stand for all.
fn get_range(expr: &str, bounds: &Bounds) -> Result<u64, String> {
    let parts: Vec<&str> = expr.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let star = ends[0] == "*" || ends[0] == "?";
    let (start, mut end) = if star {
        (bounds.min, bounds.max)
    } else {
        let start = parse_int_or_name(ends[0], bounds)?;
        match ends[..] {
            [_] => (start, start),
            [_, end] => (start, parse_int_or_name(end, bounds)?),
            _ => return Err(format!("too many hyphens: {expr}")),
        }
    };
    let step = match parts[..] {
        [_] => 1,
        [_, step] => {
            let step = must_parse_int(step)?;
            // "N/step" means "N-max/step".
            if ends.len() == 1 {
                end = bounds.max;
            }
            step
        }
        _ => return Err(format!("too many slashes: {expr}")),
    };
    let (min, max) = (bounds.min, bounds.max);
    if start < min {
        return Err(format!("beginning of range ({start}) below minimum ({min}): {expr}"));
    }
    if end > max {
        return Err(format!("end of range ({end}) above maximum ({max}): {expr}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {expr}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {expr}"));
    }
    let mut bits = if star && step == 1 { STAR_BIT } else { 0 };
    let mut at = start;
    while at <= end {
        bits |= 1 << at;
        at = at.saturating_add(step);
    }
    Ok(bits)
}

fn parse_int_or_name(expr: &str, bounds: &Bounds) -> Result<u64, String> {
    let lower: String = expr.chars().map(to_lower).collect();
    match (bounds.min..).zip(bounds.names).find(|(_, name)| **name == lower) {
        Some((value, _)) => Ok(value),
        None => must_parse_int(expr),
    }
}

/// Go's `unicode.ToLower`, which maps one character to one.
fn to_lower(c: char) -> char {
    if c == 'İ' { 'i' } else { c.to_lowercase().next().unwrap_or(c) }
}

fn must_parse_int(expr: &str) -> Result<u64, String> {
    let value = atoi(expr).map_err(|error| format!("failed to parse int from {expr}: {error}"))?;
    u64::try_from(value).map_err(|_| format!("negative number ({value}) not allowed: {expr}"))
}

fn parse_descriptor(descriptor: &str, zone: TimeZone) -> Result<Schedule, String> {
    let all = |bounds: &Bounds| get_range("*", bounds);
    let (hours, doms, months, dows) = (all(&HOURS)?, all(&DOM)?, all(&MONTHS)?, all(&DOW)?);
    let fields = |hour, dom, month, dow| Fields { minute: 1, hour, dom, month, dow };
    let fields = match descriptor {
        "@yearly" | "@annually" => fields(1, 1 << 1, 1 << 1, dows),
        "@monthly" => fields(1, 1 << 1, months, dows),
        "@weekly" => fields(1, doms, months, 1),
        "@daily" | "@midnight" => fields(1, doms, months, dows),
        "@hourly" => fields(hours, doms, months, dows),
        _ => {
            let Some(duration) = descriptor.strip_prefix("@every ") else {
                return Err(format!("unrecognized descriptor: {descriptor}"));
            };
            return parse_duration(duration)
                .map(Schedule::every)
                .map_err(|error| format!("failed to parse duration {descriptor}: {error}"));
        }
    };
    Ok(Schedule::Spec { fields, zone })
}
