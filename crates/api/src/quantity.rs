//! Quantities such as `500m`, `1.5Gi` and `1e3`: parsing, exact arithmetic, canonical text.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/api/resource/{quantity,suffix}.go`, v1.36.
//! Differs from upstream: one exact integer of nano-units instead of an int64 with a scale and a
//! big decimal, because 128 bits hold every value that the API can print.

use std::cmp::Ordering;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// One unit in nano-units.
const UNIT: i128 = 1_000_000_000;
/// Larger values are kept at this bound, so that sums of them cannot overflow. Upstream caps
/// binary values at 2^63-1 units.
const MAX_UNITS: i128 = i64::MAX as i128;

/// The text forms of a quantity, kept through arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `12Mi`
    BinarySi,
    /// `12M`, `500m`
    DecimalSi,
    /// `12e6`
    DecimalExponent,
}

/// Why a text is not a quantity, in upstream's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The shape is wrong.
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// The number is wrong.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// An exact quantity.
#[derive(Clone, Copy, Debug)]
pub struct Exact {
    nanos: i128,
    format: Format,
}

impl Default for Exact {
    fn default() -> Self {
        Self { nanos: 0, format: Format::DecimalSi }
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Exact {}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Exact {
    /// `value` units, such as bytes or pieces.
    #[must_use]
    pub fn from_value(value: i64, format: Format) -> Self {
        Self { nanos: i128::from(value) * UNIT, format }
    }

    /// `value` thousandths, such as millicores.
    #[must_use]
    pub fn from_milli(value: i64) -> Self {
        Self { nanos: i128::from(value) * (UNIT / 1_000), format: Format::DecimalSi }
    }

    /// Units, rounded up (away from zero), held at the bounds of 64 bits.
    #[must_use]
    pub fn value(self) -> i64 {
        clamp(div_away(self.nanos, UNIT))
    }

    /// Thousandths, rounded up (away from zero), held at the bounds of 64 bits.
    #[must_use]
    pub fn milli_value(self) -> i64 {
        clamp(div_away(self.nanos, UNIT / 1_000))
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// -1, 0 or 1.
    #[must_use]
    pub fn sign(self) -> i32 {
        match self.nanos.cmp(&0) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }
    }

    /// The form in which it prints.
    #[must_use]
    pub fn format(self) -> Format {
        self.format
    }

    /// The sum. A zero takes over the other's form, as upstream's does.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let format = if self.is_zero() { other.format } else { self.format };
        Self { nanos: self.nanos.saturating_add(other.nanos), format }
    }

    /// The difference. A zero takes over the other's form, as upstream's does.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        let format = if self.is_zero() { other.format } else { self.format };
        Self { nanos: self.nanos.saturating_sub(other.nanos), format }
    }

    /// As it is written into objects.
    #[must_use]
    pub fn to_quantity(self) -> Quantity {
        Quantity(self.to_string())
    }
}

impl std::fmt::Display for Exact {
    /// The canonical text: no fraction, the largest suffix that keeps the value exact.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let binary = self.format == Format::BinarySi
            && !(-1024 * UNIT < self.nanos && self.nanos < 1024 * UNIT)
            && self.nanos % UNIT == 0;
        if self.nanos == 0 {
            return f.write_str("0");
        }
        if binary {
            const SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
            let (mut number, mut power) = (self.nanos / UNIT, 0);
            while number % 1024 == 0 && power + 1 < SUFFIXES.len() {
                (number, power) = (number / 1024, power + 1);
            }
            return write!(f, "{number}{}", SUFFIXES[power]);
        }
        const SUFFIXES: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        let (mut number, mut power) = (self.nanos, 0_usize);
        while number % 1_000 == 0 && power + 1 < SUFFIXES.len() {
            (number, power) = (number / 1_000, power + 1);
        }
        match self.format {
            Format::DecimalExponent if power == 3 => write!(f, "{number}"),
            Format::DecimalExponent => {
                write!(f, "{number}e{}", 3 * i32::try_from(power).unwrap_or(0) - 9)
            }
            _ => write!(f, "{number}{}", SUFFIXES[power]),
        }
    }
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// Division that rounds away from zero.
fn div_away(value: i128, by: i128) -> i128 {
    value / by + (value % by).signum()
}

/// Reads a quantity.
///
/// # Errors
/// Upstream's three complaints.
pub fn parse(text: &str) -> Result<Exact, QuantityError> {
    if text.is_empty() {
        return Err(QuantityError::Format);
    }
    let (negative, rest) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = |it: &str| it.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = rest.split_at(digits(rest));
    let (fraction, suffix, point) = match rest.strip_prefix('.') {
        Some(rest) => {
            let (fraction, suffix) = rest.split_at(digits(rest));
            (fraction, suffix, true)
        }
        None => ("", rest, false),
    };
    check_suffix_shape(suffix)?;
    let (base, exponent, format) = interpret(suffix).ok_or(QuantityError::Suffix)?;
    if whole.is_empty() && fraction.is_empty() && (point || text.len() == 1 || !suffix.is_empty()) {
        return Err(QuantityError::Numeric);
    }
    let nanos = scale(whole, fraction, base, exponent);
    // A binary value below one prints as a decimal, which avoids a fraction.
    let format = if format == Format::BinarySi && (0 < nanos && nanos < UNIT) {
        Format::DecimalSi
    } else {
        format
    };
    Ok(Exact { nanos: if negative { -nanos } else { nanos }, format })
}

/// Letters of suffixes, a sign, digits, and nothing else.
fn check_suffix_shape(suffix: &str) -> Result<(), QuantityError> {
    let rest = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.is_empty() { Ok(()) } else { Err(QuantityError::Format) }
}

fn interpret(suffix: &str) -> Option<(u32, i32, Format)> {
    let decimal = |exponent| Some((10, exponent, Format::DecimalSi));
    let binary = |exponent| Some((2, exponent, Format::BinarySi));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let exponent = exponent.parse::<i32>().ok()?;
            Some((10, exponent, Format::DecimalExponent))
        }
    }
}

/// `whole.fraction * base^exponent` in nano-units, rounded up, held at the bound.
fn scale(whole: &str, fraction: &str, base: u32, exponent: i32) -> i128 {
    let bound = MAX_UNITS * UNIT;
    let whole = whole.trim_start_matches('0');
    if base == 2 {
        // A fraction beyond 18 digits is below a nano-unit even after the largest suffix.
        let fraction = &fraction[..fraction.len().min(18)];
        let power = 1_i128 << exponent;
        let Some(units) = decimal(whole) else { return bound };
        let Some(units) = units.checked_mul(power).filter(|it| *it <= MAX_UNITS) else {
            return bound;
        };
        let part = decimal(fraction).unwrap_or(0).saturating_mul(power);
        let places = 10_i128.pow(u32::try_from(fraction.len()).unwrap_or(0));
        // Split the product so that it stays within 128 bits.
        let part = part / places * UNIT + div_away((part % places).saturating_mul(UNIT), places);
        return (units * UNIT).saturating_add(part).min(bound);
    }
    let mut text = format!("{whole}{fraction}");
    let shift = i64::from(exponent) + 9 - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    if text.bytes().all(|it| it == b'0') {
        return 0;
    }
    if shift < 0 {
        let drop = usize::try_from(-shift).unwrap_or(usize::MAX);
        let keep = text.len().saturating_sub(drop);
        let lost = text[keep..].bytes().any(|it| it != b'0');
        text.truncate(keep);
        let kept = decimal(&text).unwrap_or(bound).min(bound);
        return (kept + i128::from(lost)).min(bound);
    }
    let Some(value) = decimal(&text) else { return bound };
    let power = u32::try_from(shift).ok().and_then(|it| 10_i128.checked_pow(it));
    power.and_then(|it| value.checked_mul(it)).unwrap_or(bound).min(bound)
}

/// The digits as a number; `None` when it is beyond every bound.
fn decimal(digits: &str) -> Option<i128> {
    if digits.is_empty() { Some(0) } else { digits.parse().ok() }
}

/// Units of a quantity, rounded up; 0 if it cannot be read (validation has refused those).
#[must_use]
pub fn value(quantity: &Quantity) -> i64 {
    parse(&quantity.0).unwrap_or_default().value()
}

/// Thousandths of a quantity, rounded up; 0 if it cannot be read.
#[must_use]
pub fn milli_value(quantity: &Quantity) -> i64 {
    parse(&quantity.0).unwrap_or_default().milli_value()
}

/// The canonical text, or the text itself if it cannot be read. Upstream keeps a text that is
/// canonical already, which comes to the same.
#[must_use]
pub fn canonical(text: &str) -> String {
    parse(text).map_or_else(|_| text.to_owned(), |it| it.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_canonical_as_upstream_prints_them() {
        for (text, canonical_text, value, milli) in [
            ("0", "0", 0, 0),
            ("500m", "500m", 1, 500),
            ("0.5", "500m", 1, 500),
            (".5", "500m", 1, 500),
            ("1.", "1", 1, 1_000),
            ("1000m", "1", 1, 1_000),
            ("1500m", "1500m", 2, 1_500),
            ("1024", "1024", 1024, 1_024_000),
            ("1024Ki", "1Mi", 1 << 20, 1_048_576_000),
            ("1.5Gi", "1536Mi", 1_610_612_736, 1_610_612_736_000),
            ("0.5Ki", "512", 512, 512_000),
            ("0.0001Ki", "102400u", 1, 103),
            ("1e3", "1e3", 1_000, 1_000_000),
            ("12E6", "12e6", 12_000_000, 12_000_000_000),
            ("100k", "100k", 100_000, 100_000_000),
            ("1000k", "1M", 1_000_000, 1_000_000_000),
            ("0.1n", "1n", 1, 1),
            ("-500m", "-500m", -1, -500),
            ("+5", "5", 5, 5_000),
            ("9223372036854775807.0000000001", "9223372036854775807", i64::MAX, i64::MAX),
            ("10Ei", "9223372036854775807", i64::MAX, i64::MAX),
            ("007", "7", 7, 7_000),
        ] {
            let exact = parse(text).unwrap();
            assert_eq!(exact.to_string(), canonical_text, "{text}");
            assert_eq!((exact.value(), exact.milli_value()), (value, milli), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused_in_upstreams_words() {
        for (text, error) in [
            ("", QuantityError::Format),
            ("5OO", QuantityError::Format),
            ("1 Gi", QuantityError::Format),
            ("1GB", QuantityError::Format),
            ("abc", QuantityError::Format),
            ("1gi", QuantityError::Format),
            ("1mi", QuantityError::Suffix),
            ("1K", QuantityError::Suffix),
            ("1.2.3", QuantityError::Format),
            ("1e", QuantityError::Suffix),
        ] {
            assert_eq!(parse(text).err(), Some(error), "{text}");
        }
    }

    #[test]
    fn sums_keep_the_form_of_the_first_that_is_not_zero() {
        let sum = |a: &str, b: &str| parse(a).unwrap().plus(parse(b).unwrap()).to_string();
        assert_eq!(sum("1Gi", "512Mi"), "1536Mi");
        assert_eq!(sum("0", "512Mi"), "512Mi");
        assert_eq!(sum("1Gi", "1M"), "1074741824");
        assert_eq!(sum("250m", "750m"), "1");
    }
}
