//! The arithmetic of start times: which one is due, how many were missed, when to look again.
//!
//! Upstream: `pkg/controller/cronjob/utils.go`, v1.36. Durations are 64-bit nanoseconds as in Go,
//! which shows at the limits.
//!
//! Differs from upstream: where the real controller would loop for ever (a schedule that fires no
//! more, a day that the zone skipped), the schedule counts as invalid, because a browser tab must
//! not freeze.

use api::cron::{self, Schedule, ZERO};
use api::{Resource, Timestamp, Zones};
use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::ObjectReference;

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// Upstream: `nextScheduleDelta`, against clock skew.
const NEXT_SCHEDULE_DELTA: SignedDuration = SignedDuration::from_millis(100);

/// How many start times were missed, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// None that were counted.
    None,
    /// Up to a hundred.
    Few,
    /// More.
    Many,
}

impl Missed {
    /// Upstream's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Few => "few",
            Self::Many => "many",
        }
    }
}

/// The state of a CronJob's schedule at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    /// From when start times count: the last one, or the creation, or the starting deadline.
    pub earliest: Timestamp,
    /// The last start time that is due, if one is.
    pub most_recent: Option<Timestamp>,
    /// How many were due.
    pub missed: Missed,
    /// What is wrong with a schedule that can be read but makes no sense.
    pub error: Option<String>,
}

/// The schedule with its time zone in front, and whether it has one of its own, which is not
/// supported officially.
#[must_use]
pub fn format_schedule(cron_job: &CronJob, zones: &Zones) -> (String, bool) {
    let spec = &cron_job.spec;
    if spec.schedule.contains("TZ") {
        return (spec.schedule.clone(), true);
    }
    match &spec.time_zone {
        Some(zone) if cron::load_location(zone, zones).is_ok() => {
            (format!("TZ={zone} {}", spec.schedule), false)
        }
        _ => (spec.schedule.clone(), false),
    }
}

/// Go's `Time.Sub`, which saturates.
fn sub(a: Timestamp, b: Timestamp) -> i64 {
    let nanos = a.as_nanosecond() - b.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// Go's `Time.Add`, held at the ends of time.
fn add(at: Timestamp, nanos: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_nanos(nanos)).unwrap_or(if nanos < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// Go's `int64(Duration.Seconds())`, which goes through floating point.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a duration has at most 34 bits of seconds"
)]
fn whole_seconds(nanos: i64) -> i64 {
    ((nanos / SECOND) as f64 + (nanos % SECOND) as f64 / 1e9) as i64
}

/// Go's `Duration.Round(time.Second)`: half away from zero, held at the ends.
fn round_to_second(nanos: i64) -> i64 {
    let rest = nanos % SECOND;
    if rest.abs() * 2 < SECOND {
        return nanos - rest;
    }
    if nanos < 0 {
        nanos.saturating_sub(SECOND + rest)
    } else {
        nanos.saturating_add(SECOND - rest)
    }
}

/// The starting deadline in nanoseconds; too large ones overflow, as upstream's do.
fn deadline_nanos(cron_job: &CronJob) -> Option<i64> {
    let seconds = cron_job.spec.starting_deadline_seconds?;
    Some(seconds.wrapping_mul(SECOND))
}

/// Whether a start time is older than the starting deadline allows.
pub(super) fn too_late(cron_job: &CronJob, scheduled: Timestamp, now: Timestamp) -> bool {
    deadline_nanos(cron_job).is_some_and(|it| add(scheduled, it) < now)
}

/// The start time that is due, and what was missed. Upstream: `mostRecentScheduleTime`.
#[must_use]
pub fn most_recent_schedule_time(
    cron_job: &CronJob,
    now: Timestamp,
    schedule: &Schedule,
    include_deadline: bool,
) -> Recent {
    let created = cron_job.metadata.creation_timestamp.as_ref();
    let last = cron_job.status.as_ref().and_then(|it| it.last_schedule_time.as_ref());
    let mut earliest = last.or(created).map_or(ZERO, |it| it.0);
    if let Some(deadline) = deadline_nanos(cron_job).filter(|_| include_deadline) {
        earliest = earliest.max(add(now, deadline.wrapping_neg()));
    }
    let mut recent = Recent { earliest, most_recent: None, missed: Missed::None, error: None };
    if let Err(error) = find_most_recent(&mut recent, now, schedule) {
        recent.error = Some(error);
    }
    recent
}

fn find_most_recent(
    recent: &mut Recent,
    now: Timestamp,
    schedule: &Schedule,
) -> Result<(), String> {
    let next = |at| schedule.next(at).map_err(|it| it.to_string());
    let t1 = next(recent.earliest)?;
    let t2 = next(t1)?;
    if now < t1 {
        return Ok(());
    }
    if now < t2 {
        recent.most_recent = Some(t1);
        return Ok(());
    }
    let between = whole_seconds(round_to_second(sub(t2, t1)));
    if between < 1 {
        return Err("time difference between two schedules is less than 1 second".to_owned());
    }
    // An estimate: the first interval stands for all.
    let missed = whole_seconds(sub(now, t1)) / between + 1;
    // One interval back, since the intervals may differ.
    let back = (missed - 2).wrapping_mul(between).wrapping_mul(SECOND);
    let mut at = next(add(t1, back))?;
    let mut most_recent = ZERO;
    while at <= now {
        most_recent = at;
        at = next(at)?;
        if at <= most_recent {
            return Err("the schedule does not fire again within five years".to_owned());
        }
    }
    recent.missed = match missed {
        101.. => Missed::Many,
        1.. => Missed::Few,
        _ => Missed::None,
    };
    recent.most_recent = Some(most_recent).filter(|it| *it != ZERO);
    Ok(())
}

/// Nanoseconds until the CronJob is due again, not negative unless it is late. Upstream:
/// `nextScheduleTimeDuration`.
#[must_use]
pub fn next_schedule_time_duration(
    cron_job: &CronJob,
    now: Timestamp,
    schedule: &Schedule,
) -> Option<i64> {
    let recent = most_recent_schedule_time(cron_job, now, schedule, false);
    let from = match recent {
        Recent { error: Some(_), .. } => now,
        Recent { most_recent: Some(at), .. } => at,
        Recent { missed: Missed::None, earliest, .. } => earliest,
        Recent { .. } => now,
    };
    let next = schedule.next(from).ok()?;
    Some(sub(next.checked_add(NEXT_SCHEDULE_DELTA).unwrap_or(Timestamp::MAX), now))
}

/// The start time for which a Job is due now, and whether too many were missed, which is only
/// worth a warning. Upstream: `nextScheduleTime`.
///
/// # Errors
/// What is wrong with the schedule.
pub fn next_schedule_time(
    cron_job: &CronJob,
    now: Timestamp,
    schedule: &Schedule,
) -> Result<Option<(Timestamp, bool)>, String> {
    let recent = most_recent_schedule_time(cron_job, now, schedule, true);
    match (recent.most_recent, recent.error) {
        (_, Some(error)) => Err(error),
        (Some(at), None) if at <= now => Ok(Some((at, recent.missed == Missed::Many))),
        _ => Ok(None),
    }
}

/// The name of the Job for a start time, which serves as a lock: `<name>-<minutes since 1970>`.
#[must_use]
pub fn get_job_name(cron_job: &CronJob, scheduled: Timestamp) -> String {
    format!("{}-{}", cron_job.name(), scheduled.as_second() / 60)
}

/// The Job for a start time. Upstream: `getJobFromTemplate2`.
pub(super) fn get_job_from_template(
    cron_job: &CronJob,
    scheduled: Timestamp,
    zones: &Zones,
) -> Option<Job> {
    let spec = &cron_job.spec;
    let zone = cron::load_location(spec.time_zone.as_deref().unwrap_or_default(), zones).ok()?;
    let template = spec.job_template.metadata.clone().unwrap_or_default();
    let mut job = Job { spec: spec.job_template.spec.clone(), ..Job::default() };
    let mut annotations = template.annotations.unwrap_or_default();
    let annotation = "batch.kubernetes.io/cronjob-scheduled-timestamp";
    annotations.insert(annotation.to_owned(), rfc3339(scheduled, &zone));
    job.metadata.name = Some(get_job_name(cron_job, scheduled));
    job.metadata.namespace = cron_job.metadata.namespace.clone();
    job.metadata.labels = template.labels;
    job.metadata.annotations = Some(annotations);
    job.metadata.owner_references = Some(vec![cron_job.controller_ref()]);
    Some(job)
}

/// Go's `time.RFC3339`: `Z` where the offset is nought.
fn rfc3339(at: Timestamp, zone: &jiff::tz::TimeZone) -> String {
    let offset = zone.to_offset(at).seconds();
    let local = jiff::tz::Offset::UTC.to_datetime(add(at, i64::from(offset) * SECOND));
    let minutes = offset.abs() / 60;
    let suffix = match offset {
        0 => "Z".to_owned(),
        1.. => format!("+{:02}:{:02}", minutes / 60, minutes % 60),
        _ => format!("-{:02}:{:02}", minutes / 60, minutes % 60),
    };
    format!("{}{suffix}", local.strftime("%Y-%m-%dT%H:%M:%S"))
}

/// Whether the status lists a Job with this uid as active.
pub(super) fn in_active_list(cron_job: &CronJob, uid: &str) -> bool {
    active_list(cron_job).iter().any(|it| it.uid.as_deref() == Some(uid))
}

/// Whether the status lists a Job with this name as active.
pub(super) fn in_active_list_by_name(cron_job: &CronJob, name: &str) -> bool {
    active_list(cron_job).iter().any(|it| {
        it.name.as_deref() == Some(name)
            && it.namespace.as_deref().unwrap_or_default() == cron_job.namespace()
    })
}

/// `status.active`.
pub(super) fn active_list(cron_job: &CronJob) -> &[ObjectReference] {
    cron_job.status.as_ref().and_then(|it| it.active.as_deref()).unwrap_or_default()
}

/// Drops a Job from `status.active`.
pub(super) fn delete_from_active_list(cron_job: &mut CronJob, uid: &str) {
    let active = cron_job.status.get_or_insert_default().active.take().unwrap_or_default();
    let left: Vec<_> = active.into_iter().filter(|it| it.uid.as_deref() != Some(uid)).collect();
    cron_job.status.get_or_insert_default().active = Some(left).filter(|it| !it.is_empty());
}

/// A reference to a Job for `status.active`. Upstream: `getRef`.
pub(super) fn job_reference(job: &Job) -> ObjectReference {
    ObjectReference {
        api_version: Some(Job::KIND.api_version()),
        kind: Some(Job::KIND.name().to_owned()),
        name: job.metadata.name.clone(),
        namespace: job.metadata.namespace.clone(),
        uid: job.metadata.uid.clone(),
        resource_version: job.metadata.resource_version.clone(),
        field_path: None,
    }
}
