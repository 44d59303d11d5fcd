//! What the API server says of a CronJob's schedule, time zone and name.
//!
//! Upstream: `pkg/apis/batch/validation/validation.go` (`validateScheduleFormat`,
//! `validateTimeZone`), v1.36.

use super::{load_location, parse};
use crate::Zones;

/// The longest name: the controller appends eleven characters to it, and a Job's name may have 63.
const MAX_NAME: usize = 52;

/// The details of the `Invalid value` errors of `spec.schedule`, in order. An empty schedule is a
/// `Required value` instead, which is the caller's to say. `old` is the schedule before an update:
/// one that had `TZ` in it may keep it.
#[must_use]
pub fn validate_schedule(
    schedule: &str,
    old: Option<&str>,
    time_zone: Option<&str>,
    zones: &Zones,
) -> Vec<String> {
    let mut errors: Vec<String> = parse(schedule, zones).err().into_iter().collect();
    let has_zone = schedule.contains("TZ");
    if old.is_some_and(|it| it.contains("TZ")) {
        if has_zone && time_zone.is_some() {
            errors.push("cannot use both timeZone field and TZ or CRON_TZ in schedule".to_owned());
        }
    } else if has_zone {
        let text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.push(text.to_owned());
    }
    errors
}

/// The details of the `Invalid value` errors of `spec.timeZone`, in order. After an update it is
/// only looked at if it changed.
#[must_use]
pub fn validate_time_zone(time_zone: &str, zones: &Zones) -> Vec<String> {
    if time_zone.is_empty() {
        return vec!["timeZone must be nil or non-empty string".to_owned()];
    }
    if !time_zone.split('/').all(is_component) {
        return vec![format!("unknown time zone {time_zone}")];
    }
    let mut errors = vec![];
    if time_zone.eq_ignore_ascii_case("Local") {
        let text = "timeZone must be an explicit time zone as defined in \
                    https://www.iana.org/time-zones";
        errors.push(text.to_owned());
    }
    errors.extend(load_location(time_zone, zones).err());
    errors
}

/// The names that the zone database allows, and digits and `+` for its older names.
fn is_component(part: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    part != "."
        && part != ".."
        && !part.starts_with('-')
        && (1..=14).contains(&part.len())
        && part.chars().all(valid)
}

/// The detail of the `Invalid value` error that a CronJob's name adds to those of every name, at
/// its creation.
#[must_use]
pub fn validate_cron_job_name(name: &str) -> Option<String> {
    (name.len() > MAX_NAME).then(|| format!("must be no more than {MAX_NAME} characters"))
}
