//! When a schedule fires next.
//!
//! Upstream: `vendor/github.com/robfig/cron/v3/spec.go` and `constantdelay.go`, v1.36, with Go's
//! `time.Date` and `AddDate` beneath. Where the search meets a change of the zone's offset, its
//! results are upstream's step by step, mistakes included.
//!
//! Differs from upstream: a search that would never end stops with [`Hang`], because a browser tab
//! must not freeze.

use jiff::tz::TimeZone;

use crate::Timestamp;

/// Marks a day field that was written `*` or `?`.
pub(super) const STAR_BIT: u64 = 1 << 63;

/// Go's zero time, 1 January of year 1: what a schedule answers that does not fire within five
/// years.
pub const ZERO: Timestamp = Timestamp::constant(-62_135_596_800, 0);

/// The longest search that ends goes through some 2,000 days and their hours.
const MAX_STEPS: u32 = 500_000;

const NANOS: i64 = 1_000_000_000;

/// The search for the next time goes round in circles: the zone skipped a whole day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the search for the next start time never ends: the time zone skipped a whole day")]
pub struct Hang;

/// The values at which the fields match, as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    pub(super) minute: u64,
    pub(super) hour: u64,
    pub(super) dom: u64,
    pub(super) month: u64,
    pub(super) dow: u64,
}

/// A schedule that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// Five fields, in a zone.
    Spec {
        /// The values.
        fields: Fields,
        /// The zone in which they are meant.
        zone: TimeZone,
    },
    /// `@every`.
    Every {
        /// Whole seconds, at least one.
        seconds: i64,
    },
}

impl Schedule {
    /// `@every` so many nanoseconds: whole seconds, at least one.
    pub(super) fn every(nanos: i64) -> Self {
        Schedule::Every { seconds: (nanos / NANOS).max(1) }
    }

    /// The first time after `from`, or [`ZERO`] if there is none in this calendar year and the
    /// five that follow.
    ///
    /// # Errors
    /// [`Hang`] where the search would never end.
    pub fn next(&self, from: Timestamp) -> Result<Timestamp, Hang> {
        // The whole second at or before.
        let floor = from.as_nanosecond().div_euclid(i128::from(NANOS));
        let floor = i64::try_from(floor).unwrap_or(i64::MAX / 2);
        let seconds = match self {
            Schedule::Every { seconds } => floor.saturating_add(*seconds),
            Schedule::Spec { fields, zone } => match next(fields, zone, floor + 1)? {
                Some(seconds) => seconds,
                None => return Ok(ZERO),
            },
        };
        Ok(Timestamp::from_second(seconds).unwrap_or(ZERO))
    }

    /// The first time after `from`, for showing: `None` where it never fires again.
    #[must_use]
    pub fn next_fire(&self, from: Timestamp) -> Option<Timestamp> {
        self.next(from).ok().filter(|it| *it != ZERO)
    }
}

/// A wall clock reading.
struct Local {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    /// Sunday is 0.
    weekday: i64,
}

/// The zone's offset from UTC at an instant, in seconds.
fn offset(zone: &TimeZone, unix: i64) -> i64 {
    let unix = unix.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let at = Timestamp::from_second(unix).unwrap_or(Timestamp::UNIX_EPOCH);
    i64::from(zone.to_offset(at).seconds())
}

fn local(zone: &TimeZone, unix: i64) -> Local {
    let wall = unix + offset(zone, unix);
    let (days, seconds) = (wall.div_euclid(86_400), wall.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    Local {
        year,
        month,
        day,
        hour: seconds / 3_600,
        minute: seconds / 60 % 60,
        second: seconds % 60,
        weekday: (days + 4).rem_euclid(7),
    }
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years are counted from March, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// The inverse of [`civil`], for any month and day: those beyond the calendar carry over.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = (year + (month - 1).div_euclid(12), (month - 1).rem_euclid(12) + 1);
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468 + day - 1
}

/// The instant of a wall clock reading. Upstream: Go's `time.Date`, which guesses the offset from
/// the reading taken as UTC and corrects the guess once.
fn date(zone: &TimeZone, year: i64, month: i64, day: i64, second_of_day: i64) -> i64 {
    let wall = days_from_civil(year, month, day) * 86_400 + second_of_day;
    match offset(zone, wall) {
        0 => wall,
        guess => wall - offset(zone, wall - guess),
    }
}

/// Go's `Time.AddDate`: the same reading of the clock in another month or on another day.
fn add_date(zone: &TimeZone, unix: i64, months: i64, days: i64) -> i64 {
    let it = local(zone, unix);
    let second_of_day = it.hour * 3_600 + it.minute * 60 + it.second;
    date(zone, it.year, it.month + months, it.day + days, second_of_day)
}

fn matches(value: i64, bits: u64) -> bool {
    bits >> value & 1 == 1
}

/// With a star in either field both must match (the star always does); else one is enough.
fn day_matches(fields: &Fields, it: &Local) -> bool {
    let (dom, dow) = (matches(it.day, fields.dom), matches(it.weekday, fields.dow));
    if (fields.dom | fields.dow) & STAR_BIT != 0 { dom && dow } else { dom || dow }
}

/// How a stage of the search ended.
enum Stage {
    /// The field matches at this time.
    Found(i64),
    /// The field ran over into the next unit: begin again with the month.
    Wrapped(i64),
}

/// The search, one field after the other, from the largest to the smallest unit.
struct Search<'a> {
    fields: &'a Fields,
    zone: &'a TimeZone,
    /// The zone's offset in seconds, where it is always the same: there one step goes straight to
    /// the next match.
    fixed: Option<i64>,
    /// Whether the schedule fires on every day of every month.
    daily: bool,
    /// Whether smaller units were set to their start already, which happens once.
    added: bool,
    steps: u32,
}

/// The first matching second at or after `start`; `None` beyond the fifth following year.
fn next(fields: &Fields, zone: &TimeZone, start: i64) -> Result<Option<i64>, Hang> {
    let empty = |bits: u64| bits & !STAR_BIT == 0;
    if empty(fields.minute) || empty(fields.hour) || empty(fields.month) {
        return Ok(None);
    }
    let all = |bits: u64, values: std::ops::RangeInclusive<i64>| {
        values.into_iter().all(|it| matches(it, bits))
    };
    let daily = all(fields.month, 1..=12) && all(fields.dom, 1..=31) && all(fields.dow, 0..=6);
    let fixed = zone.to_fixed_offset().ok().map(|it| i64::from(it.seconds()));
    let mut search = Search { fields, zone, fixed, daily, added: false, steps: 0 };
    let mut at = start;
    if daily && fixed.is_some() {
        // Within a day something matches: the limit is never met.
        loop {
            match search.pass(at)? {
                Stage::Found(found) => return Ok(Some(found)),
                Stage::Wrapped(wrapped) => at = wrapped,
            }
        }
    }
    let year_limit = local(zone, start).year + 5;
    while local(zone, at).year <= year_limit {
        match search.pass(at)? {
            Stage::Found(found) => return Ok(Some(found)),
            Stage::Wrapped(wrapped) => at = wrapped,
        }
    }
    Ok(None)
}

impl Search<'_> {
    fn pass(&mut self, start: i64) -> Result<Stage, Hang> {
        let stages = [Self::month, Self::day, Self::hour, Self::minute, Self::second];
        let mut at = start;
        for stage in stages {
            match stage(self, at)? {
                Stage::Found(found) => at = found,
                wrapped @ Stage::Wrapped(_) => return Ok(wrapped),
            }
        }
        Ok(Stage::Found(at))
    }

    fn count(&mut self) -> Result<(), Hang> {
        self.steps += 1;
        if self.steps > MAX_STEPS { Err(Hang) } else { Ok(()) }
    }

    /// Whether this is the first step of the search, before which smaller units must be reset.
    fn first(&mut self) -> bool {
        !std::mem::replace(&mut self.added, true)
    }

    fn month(&mut self, mut at: i64) -> Result<Stage, Hang> {
        if self.daily {
            return Ok(Stage::Found(at));
        }
        loop {
            let it = local(self.zone, at);
            if matches(it.month, self.fields.month) {
                return Ok(Stage::Found(at));
            }
            self.count()?;
            if self.first() {
                at = date(self.zone, it.year, it.month, 1, 0);
            }
            at = add_date(self.zone, at, 1, 0);
            if local(self.zone, at).month == 1 {
                return Ok(Stage::Wrapped(at));
            }
        }
    }

    fn day(&mut self, mut at: i64) -> Result<Stage, Hang> {
        if self.daily {
            return Ok(Stage::Found(at));
        }
        loop {
            let it = local(self.zone, at);
            if day_matches(self.fields, &it) {
                return Ok(Stage::Found(at));
            }
            self.count()?;
            if self.first() {
                at = date(self.zone, it.year, it.month, it.day, 0);
            }
            at = add_date(self.zone, at, 0, 1);
            // Where midnight does not exist, upstream goes to the nearest one.
            let hour = local(self.zone, at).hour;
            if hour > 12 {
                at += (24 - hour) * 3_600;
            } else {
                at -= hour * 3_600;
            }
            if local(self.zone, at).day == 1 {
                return Ok(Stage::Wrapped(at));
            }
        }
    }

    /// The next value of a field of the clock that matches, straight away: the field has `size`
    /// values that last `unit` seconds each.
    fn jump(&mut self, at: i64, offset: i64, bits: u64, size: i64, unit: i64) -> Stage {
        let wall = at + offset;
        let value = wall.div_euclid(unit).rem_euclid(size);
        if matches(value, bits) {
            return Stage::Found(at);
        }
        self.added = true;
        let start = wall - wall.rem_euclid(unit) - offset;
        match (value + 1..size).find(|it| matches(*it, bits)) {
            Some(next) => Stage::Found(start + (next - value) * unit),
            None => Stage::Wrapped(start + (size - value) * unit),
        }
    }

    fn hour(&mut self, mut at: i64) -> Result<Stage, Hang> {
        if let Some(offset) = self.fixed {
            return Ok(self.jump(at, offset, self.fields.hour, 24, 3_600));
        }
        loop {
            let it = local(self.zone, at);
            if matches(it.hour, self.fields.hour) {
                return Ok(Stage::Found(at));
            }
            self.count()?;
            if self.first() {
                at = date(self.zone, it.year, it.month, it.day, it.hour * 3_600);
            }
            at += 3_600;
            if local(self.zone, at).hour == 0 {
                return Ok(Stage::Wrapped(at));
            }
        }
    }

    fn minute(&mut self, mut at: i64) -> Result<Stage, Hang> {
        if let Some(offset) = self.fixed {
            return Ok(self.jump(at, offset, self.fields.minute, 60, 60));
        }
        loop {
            if matches(local(self.zone, at).minute, self.fields.minute) {
                return Ok(Stage::Found(at));
            }
            self.count()?;
            if self.first() {
                at -= at.rem_euclid(60);
            }
            at += 60;
            if local(self.zone, at).minute == 0 {
                return Ok(Stage::Wrapped(at));
            }
        }
    }

    /// Standard schedules fire at second 0.
    fn second(&mut self, mut at: i64) -> Result<Stage, Hang> {
        if let Some(offset) = self.fixed {
            return Ok(self.jump(at, offset, 1, 60, 1));
        }
        loop {
            if local(self.zone, at).second == 0 {
                return Ok(Stage::Found(at));
            }
            self.count()?;
            self.added = true;
            at += 1;
            if local(self.zone, at).second == 0 {
                return Ok(Stage::Wrapped(at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Zones, cron};

    fn next_of(schedule: &str, from: &str) -> String {
        let schedule = cron::parse(schedule, &Zones::default()).unwrap();
        schedule.next(from.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn days_and_civil_dates_are_inverse() {
        for days in [-719_162, -1, 0, 58, 59, 60, 11_016, 20_000, 2_932_896] {
            let (year, month, day) = civil(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }

    #[test]
    fn a_step_loses_the_star_so_that_days_combine_with_or() {
        assert_eq!(next_of("0 0 13 * *", "2026-01-01T00:00:00Z"), "2026-01-13T00:00:00Z");
        assert_eq!(next_of("0 0 13 * */2", "2026-01-01T00:00:00Z"), "2026-01-03T00:00:00Z");
    }

    #[test]
    fn a_schedule_that_never_fires_answers_the_zero_time() {
        assert_eq!(next_of("0 0 31 2 *", "2026-01-01T00:00:00Z"), ZERO.to_string());
        assert_eq!(next_of(", * * * *", "2026-01-01T00:00:00Z"), ZERO.to_string());
    }

    #[test]
    fn every_counts_from_the_whole_second_before() {
        assert_eq!(next_of("@every 90s", "2026-01-01T00:00:00.7Z"), "2026-01-01T00:01:30Z");
        assert_eq!(next_of("@every 10ms", "2026-01-01T00:00:00Z"), "2026-01-01T00:00:01Z");
    }
}
