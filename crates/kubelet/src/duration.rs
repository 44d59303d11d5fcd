//! Durations as annotations and commands write them.
//!
//! Upstream: Go's `time.ParseDuration`, whose syntax KWOK's annotations have, and coreutils' `sleep`.

/// Reads `30`, `1m30s`, `1.5h`, `500ms` as milliseconds. A bare number is seconds.
#[must_use]
pub fn parse_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() || text.starts_with(['-', '+']) {
        return None;
    }
    if let Some(nanos) = scaled(text, 1_000_000_000) {
        return i64::try_from(nanos / 1_000_000).ok();
    }
    let mut nanos = 0_i128;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        nanos = nanos.checked_add(scaled(number, unit_nanos(unit)?)?)?;
        rest = tail;
    }
    i64::try_from(nanos / 1_000_000).ok()
}

fn unit_nanos(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    })
}

/// A decimal number times a unit, without floating point.
fn scaled(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit()) && text.len() <= 18;
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let parse = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
    let power = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    parse(whole)?.checked_mul(unit)?.checked_add(parse(fraction)?.checked_mul(unit)? / power)
}

/// A fixed time or a range of which one value is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The least, milliseconds.
    pub low: i64,
    /// The most, milliseconds.
    pub high: i64,
}

impl Range {
    /// Reads `30s` or `20s..40s`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (low, high) = match text.split_once("..") {
            Some((low, high)) => (parse_ms(low)?, parse_ms(high)?),
            None => (parse_ms(text)?, parse_ms(text)?),
        };
        (low <= high).then_some(Self { low, high })
    }

    /// One value of the range, the same for the same seed and the same words.
    #[must_use]
    pub fn draw(self, seed: u64, words: &[&str]) -> i64 {
        let width = u64::try_from(self.high - self.low).unwrap_or(0);
        if width == 0 {
            return self.low;
        }
        let drawn = hash(seed, words) % (width + 1);
        self.low + i64::try_from(drawn).unwrap_or(0)
    }
}

/// A well mixed number from a seed and words: FNV-1a, finished as SplitMix64 does.
#[must_use]
pub fn hash(seed: u64, words: &[&str]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for word in words {
        for byte in word.bytes().chain([0xff]) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, ms) in [
            ("30s", Some(30_000)),
            ("30", Some(30_000)),
            ("0.5", Some(500)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("250ms", Some(250)),
            ("0", Some(0)),
            ("", None),
            ("-1s", None),
            ("s", None),
            ("1x", None),
            ("1s2", None),
            ("1.2.3s", None),
        ] {
            assert_eq!(parse_ms(text), ms, "{text}");
        }
    }

    #[test]
    fn a_range_draws_within_its_bounds_and_repeats_itself() {
        let range = Range::parse("20s..40s").unwrap();
        let drawn: Vec<i64> = (0..50).map(|it| range.draw(it, &["pod"])).collect();
        assert!(drawn.iter().all(|it| (20_000..=40_000).contains(it)));
        assert!(drawn.iter().any(|it| *it < 25_000) && drawn.iter().any(|it| *it > 35_000));
        assert_eq!(range.draw(7, &["a", "b"]), range.draw(7, &["a", "b"]));
        assert_ne!(range.draw(7, &["a", "b"]), range.draw(7, &["ab"]));
        assert_eq!(Range::parse("40s..20s"), None);
    }
}
