//! The pieces of Go's standard library whose exact behaviour shows in schedules and their errors:
//! `strconv.Atoi`, `strconv.Quote`, `time.ParseDuration` and `time.LoadLocation`.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::Zones;

const INVALID_LOCATION: &str = "time: invalid location name";

/// The zone that a name stands for. Empty and `UTC` are UTC, and so is `Local`, because the
/// controller manager's own zone is UTC.
///
/// # Errors
/// Go's text: `unknown time zone X`, or `time: invalid location name` for paths that lead out of
/// the zone database.
pub fn load_location(name: &str, zones: &Zones) -> Result<TimeZone, String> {
    if name.is_empty() || name == "UTC" || name == "Local" {
        return Ok(TimeZone::UTC);
    }
    if name.contains("..") || name.starts_with(['/', '\\']) {
        return Err(INVALID_LOCATION.to_owned());
    }
    zones.get(name).ok_or_else(|| format!("unknown time zone {name}"))
}

/// A Go string literal, as `%q` prints it.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            _ if is_print(c) => out.push(c),
            _ => escape(&mut out, c),
        }
    }
    out.push('"');
    out
}

fn escape(out: &mut String, c: char) {
    let code = u32::from(c);
    // Writing to a string cannot fail.
    let _ = match code {
        0..0x20 | 0x7f => write!(out, "\\x{code:02x}"),
        0..0x1_0000 => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Go's `unicode.IsPrint`. Rust's debug format asks the same question of a character that is not
/// the first.
fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return c == ' ' || c.is_ascii_graphic();
    }
    let text: String = ['a', c].into_iter().collect();
    text.escape_debug().nth(1) == Some(c)
}

/// The quoting of Go's package `time`, which escapes byte by byte.
fn quote_time(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if !c.is_ascii() || c < ' ' {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                let _ = write!(out, "\\x{byte:02x}");
            }
        } else {
            if c == '"' || c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out.push('"');
    out
}

/// `strconv.Atoi`.
pub(super) fn atoi(text: &str) -> Result<i64, String> {
    let error = |what: &str| format!("strconv.Atoi: parsing {}: {what}", quote(text));
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() {
        return Err(error("invalid syntax"));
    }
    let mut value: u64 = 0;
    for c in digits.chars() {
        let Some(digit) = c.to_digit(10) else {
            return Err(error("invalid syntax"));
        };
        value = value
            .checked_mul(10)
            .and_then(|it| it.checked_add(u64::from(digit)))
            .ok_or_else(|| error("value out of range"))?;
    }
    let value = i128::from(value);
    i64::try_from(if negative { -value } else { value }).map_err(|_| error("value out of range"))
}

/// Half of the range of `u64`: what a duration in nanoseconds must not exceed.
const LIMIT: u64 = 1 << 63;

/// `time.ParseDuration`, in nanoseconds.
pub(super) fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote_time(text));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (nanos, left) = duration_part(text, rest)?;
        total = total.checked_add(nanos).filter(|it| *it <= LIMIT).ok_or_else(invalid)?;
        rest = left;
    }
    let total = i128::from(total);
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

/// One number with its unit.
fn duration_part<'a>(text: &str, rest: &'a str) -> Result<(u64, &'a str), String> {
    let invalid = || format!("time: invalid duration {}", quote_time(text));
    let (whole, after) = leading_int(rest).ok_or_else(invalid)?;
    let has_whole = after.len() != rest.len();
    let (fraction, scale, after_fraction) = match after.strip_prefix('.') {
        Some(digits) => leading_fraction(digits),
        None => (0, 1.0, after),
    };
    if !has_whole && after_fraction.len() + 1 >= after.len() {
        return Err(invalid());
    }
    let end = after_fraction.find(|c: char| c == '.' || c.is_ascii_digit());
    let (unit, left) = after_fraction.split_at(end.unwrap_or(after_fraction.len()));
    if unit.is_empty() {
        return Err(format!("time: missing unit in duration {}", quote_time(text)));
    }
    let factor = unit_nanos(unit).ok_or_else(|| {
        format!("time: unknown unit {} in duration {}", quote_time(unit), quote_time(text))
    })?;
    let mut nanos = whole.checked_mul(factor).filter(|it| *it <= LIMIT).ok_or_else(invalid)?;
    if fraction > 0 {
        nanos = nanos.checked_add(scaled(fraction, factor, scale)).ok_or_else(invalid)?;
        if nanos > LIMIT {
            return Err(invalid());
        }
    }
    Ok((nanos, left))
}

fn unit_nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // The micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go computes the fraction in floating point"
)]
fn scaled(fraction: u64, factor: u64, scale: f64) -> u64 {
    (fraction as f64 * (factor as f64 / scale)) as u64
}

fn leading_int(text: &str) -> Option<(u64, &str)> {
    let mut value: u64 = 0;
    for (at, c) in text.char_indices() {
        let Some(digit) = c.to_digit(10) else {
            return (at > 0 || c == '.').then_some((value, &text[at..]));
        };
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        if value > LIMIT {
            return None;
        }
    }
    Some((value, ""))
}

fn leading_fraction(text: &str) -> (u64, f64, &str) {
    let (mut value, mut scale, mut overflow): (u64, f64, bool) = (0, 1.0, false);
    for (at, c) in text.char_indices() {
        let Some(digit) = c.to_digit(10) else {
            return (value, scale, &text[at..]);
        };
        if overflow || value > (LIMIT - 1) / 10 {
            overflow = true;
            continue;
        }
        let next = value * 10 + u64::from(digit);
        if next > LIMIT {
            overflow = true;
            continue;
        }
        value = next;
        scale *= 10.0;
    }
    (value, scale, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        let check = |text: &str, expected: Result<i64, &str>| {
            assert_eq!(parse_duration(text), expected.map_err(str::to_owned), "{text}");
        };
        check("1h30m", Ok(5_400_000_000_000));
        check("-1.5s", Ok(-1_500_000_000));
        check(".5s", Ok(500_000_000));
        check("1.s", Ok(1_000_000_000));
        check("0", Ok(0));
        check("9223372036854775807ns", Ok(i64::MAX));
        check(".", Err("time: invalid duration \".\""));
        check(".s", Err("time: invalid duration \".s\""));
        check("1.2.3s", Err("time: missing unit in duration \"1.2.3s\""));
        check("1d", Err("time: unknown unit \"d\" in duration \"1d\""));
    }

    #[test]
    fn numbers_read_as_in_go() {
        let check = |text: &str, expected: Result<i64, &str>| {
            let expected =
                expected.map_err(|it| format!("strconv.Atoi: parsing {}: {it}", quote(text)));
            assert_eq!(atoi(text), expected, "{text}");
        };
        check("+5", Ok(5));
        check("-5", Ok(-5));
        check("", Err("invalid syntax"));
        check("1_0", Err("invalid syntax"));
        check("9223372036854775808", Err("value out of range"));
        check("999999999999999999999x", Err("value out of range"));
        check("9223372036854775808x", Err("invalid syntax"));
    }

    #[test]
    fn quoting_escapes_what_go_does_not_print() {
        assert_eq!(quote("a\"\\\t\u{0}\u{a0}\u{200b}é"), r#""a\"\\\t\x00\u00a0\u200bé""#);
    }
}
