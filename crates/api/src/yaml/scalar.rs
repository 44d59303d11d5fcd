//! What a plain scalar means in the YAML of kubectl: YAML 1.1 with a few rules of its own.
//!
//! Upstream: go-yaml v2 `resolve.go`, as vendored in sigs.k8s.io/yaml.

use super::node::Data;

/// The meaning of a plain scalar without a tag.
pub(super) fn resolve(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Data::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Data::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Data::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Data::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Data::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let number = match text.as_bytes().first() {
        Some(b'+' | b'-' | b'0'..=b'9') => number(text),
        // Go takes more than YAML here, `.5e3` as well as `.5_0`, but no infinities.
        Some(b'.') if text.bytes().skip(1).all(|it| b"0123456789eE+-".contains(&it)) => float(text),
        _ => None,
    };
    number.unwrap_or_else(|| Data::Str(text.to_owned()))
}

/// A number with an optional sign, or nothing. Dates and times of day stay texts: what looks like
/// a timestamp is read as the text that it is, and base 60 is not supported.
fn number(text: &str) -> Option<Data> {
    let plain: String = text.chars().filter(|&c| c != '_').collect();
    integer(&plain).or_else(|| if is_yaml_float(&plain) { float(&plain) } else { None })
}

/// Go's `ParseInt` and `ParseUint` with base 0: `0x1f`, `0o17`, `017`, `0b11`, decimal.
fn integer(plain: &str) -> Option<Data> {
    let (negative, signed, digits) = match plain.as_bytes().first()? {
        b'-' => (true, true, &plain[1..]),
        b'+' => (false, true, &plain[1..]),
        _ => (false, false, plain),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match (negative, i64::try_from(magnitude)) {
        (false, Ok(n)) => Some(Data::Int(n)),
        (true, Ok(n)) => Some(Data::Int(-n)),
        (true, Err(_)) if magnitude == 1 << 63 => Some(Data::Int(i64::MIN)),
        (false, Err(_)) if !signed => Some(Data::UInt(magnitude)),
        _ => None,
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_yaml_float(plain: &str) -> bool {
    let digits = |it: &str| it.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = plain.strip_prefix(['+', '-']).unwrap_or(plain);
    let n_whole = digits(rest);
    rest = &rest[n_whole..];
    let mut n_fraction = 0;
    if let Some(after) = rest.strip_prefix('.') {
        n_fraction = digits(after);
        rest = &after[n_fraction..];
    }
    if n_whole == 0 && n_fraction == 0 {
        return false;
    }
    match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
        None => rest.is_empty(),
    }
}

fn float(plain: &str) -> Option<Data> {
    // Go refuses what is out of range; Rust answers with infinity.
    plain.parse().ok().filter(|it: &f64| it.is_finite()).map(Data::Float)
}

/// A float as Go's `encoding/json` prints it.
#[must_use]
pub fn go_float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        // Go writes the sign of an exponent, and at least two digits where it is positive.
        return match text.split_once('e') {
            Some((mantissa, exponent)) if exponent.starts_with('-') => {
                format!("{mantissa}e{exponent}")
            }
            Some((mantissa, exponent)) => format!("{mantissa}e+{exponent:0>2}"),
            None => text,
        };
    }
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_kubectl() {
        let check = |text: &str, expected: Data| assert_eq!(resolve(text), expected, "{text}");
        check("", Data::Null);
        check("~", Data::Null);
        check("y", Data::Bool(true));
        check("Off", Data::Bool(false));
        check("yEs", Data::Str("yEs".into()));
        check("12", Data::Int(12));
        check("-12", Data::Int(-12));
        check("+12", Data::Int(12));
        check("0777", Data::Int(0o777));
        check("0o17", Data::Int(15));
        check("0x1F", Data::Int(31));
        check("0b101", Data::Int(5));
        check("-0b101", Data::Int(-5));
        check("1_000", Data::Int(1000));
        check("08", Data::Float(8.0));
        check("0.5", Data::Float(0.5));
        check(".5", Data::Float(0.5));
        check("1e3", Data::Float(1000.0));
        check("1.", Data::Float(1.0));
        check("1e400", Data::Str("1e400".into()));
        check("9223372036854775808", Data::UInt(1 << 63));
        check("-9223372036854775808", Data::Int(i64::MIN));
        check("99999999999999999999", Data::Float(1e20));
        check("22:30", Data::Str("22:30".into()));
        check("2001-01-01", Data::Str("2001-01-01".into()));
        check("1.2.3", Data::Str("1.2.3".into()));
        check("100m", Data::Str("100m".into()));
        check("1e", Data::Str("1e".into()));
        check("-", Data::Str("-".into()));
        check("0x", Data::Str("0x".into()));
        check(".", Data::Str(".".into()));
        check("+-1", Data::Str("+-1".into()));
    }

    #[test]
    fn floats_print_as_in_go() {
        let check = |value: f64, text: &str| assert_eq!(go_float(value), text);
        check(1.0, "1");
        check(0.5, "0.5");
        check(1e20, "100000000000000000000");
        check(1e21, "1e+21");
        check(1.5e-7, "1.5e-7");
        check(-2.0e100, "-2e+100");
    }
}
