//! Durations as Go writes them: `1h30m`, `90s`, `500ms`, `1.5h`.
//!
//! Upstream: Go's `time.ParseDuration` and `Duration.String`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A span of time in nanoseconds, read and written as Go does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

/// The text is no duration. Its words are Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not of the form `1h30m`.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A unit that Go does not know, such as `d`.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The whole text.
        text: String,
    },
}

const SECOND: i64 = 1_000_000_000;

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From milliseconds, held at the ends of the range (292 years).
    #[must_use]
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// From seconds, held at the ends of the range.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// From nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds, cut towards zero.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0 / 1_000_000
    }

    /// Whole seconds, cut towards zero.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0 / SECOND
    }
}

/// Reads a duration. Upstream: `time.ParseDuration`.
///
/// # Errors
/// Go's three: not a duration (also: out of range), no unit, unknown unit.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (nanos, after) = parse_part(rest, text)?;
        total = total.checked_add(nanos).ok_or_else(invalid)?;
        rest = after;
    }
    match (negative, i64::try_from(total)) {
        (false, Ok(nanos)) => Ok(Duration(nanos)),
        (true, Ok(nanos)) => Ok(Duration(-nanos)),
        (true, Err(_)) if total == 1 << 63 => Ok(Duration(i64::MIN)),
        _ => Err(invalid()),
    }
}

/// Reads one number with its unit, and returns what follows.
fn parse_part<'a>(rest: &'a str, text: &str) -> Result<(u64, &'a str), DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let digits = |it: &str| it.bytes().take_while(u8::is_ascii_digit).count();
    let n_whole = digits(rest);
    let (whole, mut rest) = rest.split_at(n_whole);
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        (fraction, rest) = after.split_at(digits(after));
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let scale: u64 = match unit {
        "" => return Err(DurationError::MissingUnit(text.to_owned())),
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => {
            let unit = unit.to_owned();
            return Err(DurationError::UnknownUnit { unit, text: text.to_owned() });
        }
    };
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
    let nanos = whole.checked_mul(scale).ok_or_else(invalid)?;
    // Digits beyond a nanosecond of the largest unit cannot matter.
    let (mut part, mut divisor) = (0_u64, 1_u64);
    for digit in fraction.bytes().take(14) {
        part = part * 10 + u64::from(digit - b'0');
        divisor *= 10;
    }
    let extra = u128::from(part) * u128::from(scale) / u128::from(divisor);
    let extra = u64::try_from(extra).map_err(|_| invalid())?;
    Ok((nanos.checked_add(extra).ok_or_else(invalid)?, rest))
}

impl FromStr for Duration {
    type Err = DurationError;
    fn from_str(text: &str) -> Result<Self, DurationError> {
        parse(text)
    }
}

/// As Go prints it: `1h30m0s`, `1.5s`, `100ms`, `0s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let second = SECOND.unsigned_abs();
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write!(f, "{}µs", decimal(nanos, 1_000)),
            1_000_000..1_000_000_000 => write!(f, "{}ms", decimal(nanos, 1_000_000)),
            _ => {
                let (hours, minutes) = (nanos / second / 3600, nanos / second / 60 % 60);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if hours > 0 || minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                write!(f, "{}s", decimal(nanos % (60 * second), second))
            }
        }
    }
}

/// `nanos / scale` without trailing zeros; `scale` is a power of ten.
fn decimal(nanos: u64, scale: u64) -> String {
    let (whole, part) = (nanos / scale, nanos % scale);
    if part == 0 {
        return whole.to_string();
    }
    let width = scale.ilog10() as usize;
    let text = format!("{whole}.{part:0width$}");
    text.trim_end_matches('0').to_owned()
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_in_go() {
        let check = |text: &str, nanos: i64, printed: &str| {
            let duration = parse(text).unwrap();
            assert_eq!((duration.as_nanos(), duration.to_string().as_str()), (nanos, printed));
        };
        check("0", 0, "0s");
        check("1h30m", 5_400 * SECOND, "1h30m0s");
        check("90s", 90 * SECOND, "1m30s");
        check("500ms", SECOND / 2, "500ms");
        check("1.5h", 5_400 * SECOND, "1h30m0s");
        check("-1.25s", -5 * SECOND / 4, "-1.25s");
        check("1h1ms", 3600 * SECOND + 1_000_000, "1h0m0.001s");
        check("1µs", 1_000, "1µs");
        check(".5s", SECOND / 2, "500ms");
        check("-9223372036854775808ns", i64::MIN, "-2562047h47m16.854775808s");
    }

    #[test]
    fn what_is_no_duration_is_refused_in_the_words_of_go() {
        let check = |text: &str, message: &str| {
            assert_eq!(parse(text).unwrap_err().to_string(), message);
        };
        check("", "time: invalid duration \"\"");
        check("1d", "time: unknown unit \"d\" in duration \"1d\"");
        check("30", "time: missing unit in duration \"30\"");
        check("soon", "time: invalid duration \"soon\"");
        check("9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\"");
    }
}
