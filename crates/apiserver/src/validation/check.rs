//! The small checks that rules are made of.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::validation::text::{self, Messages};
use crate::validation::{Bad, Errors, Path};

/// A text that may be missing; missing and empty are the same, as in Go.
pub(crate) fn str_of(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

/// The elements of a list that may be missing.
pub(crate) fn list_of<T>(list: &Option<Vec<T>>) -> &[T] {
    list.as_deref().unwrap_or_default()
}

/// Reports what is wrong with the form of a text.
pub(crate) fn form(errors: &mut Errors, path: &Path<'_>, value: &str, messages: Messages) {
    for message in messages {
        errors.invalid(path, value, message);
    }
}

/// Upstream: `ValidateNonnegativeField`.
pub(crate) fn non_negative(errors: &mut Errors, path: &Path<'_>, value: impl Into<i64>) {
    let value = value.into();
    if value < 0 {
        errors.invalid(path, value, text::NEGATIVE);
    }
}

/// As [`non_negative`], where there is a value.
pub(crate) fn non_negative_if_set(
    errors: &mut Errors,
    path: &Path<'_>,
    value: Option<impl Into<i64>>,
) {
    if let Some(value) = value {
        non_negative(errors, path, value);
    }
}

/// Upstream: `ValidatePositiveField`.
pub(crate) fn positive(errors: &mut Errors, path: &Path<'_>, value: impl Into<i64>) {
    let value = value.into();
    if value <= 0 {
        errors.invalid(path, value, text::NOT_POSITIVE);
    }
}

/// A text that must be one of a list.
pub(crate) fn one_of(errors: &mut Errors, path: &Path<'_>, value: &str, supported: &[&str]) {
    if !supported.contains(&value) {
        errors.not_supported(path, value, supported);
    }
}

/// As [`one_of`]; an empty text is a missing one.
pub(crate) fn required_one_of(
    errors: &mut Errors,
    path: &Path<'_>,
    value: &str,
    supported: &[&str],
) {
    if value.is_empty() {
        errors.required(path, "");
    } else {
        one_of(errors, path, value, supported);
    }
}

/// Reports a missing text.
pub(crate) fn not_empty(errors: &mut Errors, path: &Path<'_>, value: &str) {
    if value.is_empty() {
        errors.required(path, "");
    }
}

/// Upstream: `ValidateDNS1123Label`.
pub(crate) fn label(errors: &mut Errors, path: &Path<'_>, value: &str) {
    form(errors, path, value, text::dns1123_label(value));
}

/// Upstream: `ValidateDNS1123Subdomain`.
pub(crate) fn subdomain(errors: &mut Errors, path: &Path<'_>, value: &str) {
    form(errors, path, value, text::dns1123_subdomain(value));
}

/// Upstream: `ValidateQualifiedName`, and `ValidateLabelName`.
pub(crate) fn qualified_name(errors: &mut Errors, path: &Path<'_>, value: &str) {
    form(errors, path, value, text::label_key(value));
}

/// Upstream: `ValidatePortNumOrName`.
pub(crate) fn port(errors: &mut Errors, path: &Path<'_>, port: &IntOrString) {
    match port {
        IntOrString::Int(number) => {
            for message in text::port_number(*number) {
                errors.invalid(path, *number, message);
            }
        }
        IntOrString::String(name) => form(errors, path, name, text::port_name(name)),
    }
}

/// A number or a text, as an error shows it.
pub(crate) fn shown(value: &IntOrString) -> Bad {
    match value {
        IntOrString::Int(number) => (*number).into(),
        IntOrString::String(text) => text.into(),
    }
}

/// Upstream: `ValidatePositiveIntOrPercent`.
pub(crate) fn int_or_percent(errors: &mut Errors, path: &Path<'_>, value: &IntOrString) {
    match value {
        IntOrString::Int(number) => non_negative(errors, path, *number),
        IntOrString::String(percent) => {
            for message in text::percent(percent) {
                errors.invalid(path, shown(value), message);
            }
        }
    }
}

fn percent_of(value: &IntOrString) -> Option<i64> {
    match value {
        IntOrString::String(it) if text::is_percent(it) => {
            Some(it.trim_end_matches('%').parse().unwrap_or(i64::MAX))
        }
        _ => None,
    }
}

/// Upstream: `IsNotMoreThan100Percent`.
pub(crate) fn at_most_100_percent(errors: &mut Errors, path: &Path<'_>, value: &IntOrString) {
    if percent_of(value).is_some_and(|it| it > 100) {
        errors.invalid(path, shown(value), "must not be greater than 100%");
    }
}

/// The number of a number or of a percentage. Upstream: `getIntOrPercentValue`.
pub(crate) fn int_or_percent_value(value: &IntOrString) -> i64 {
    match (value, percent_of(value)) {
        (_, Some(percent)) => percent,
        (IntOrString::Int(number), None) => i64::from(*number),
        (IntOrString::String(text), None) => text.parse().unwrap_or_default(),
    }
}

/// Upstream: `IsValidIPForLegacyField`, with strict validation.
pub(crate) fn ip(errors: &mut Errors, path: &Path<'_>, value: &str) -> bool {
    let before = errors.len();
    match value.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V6(it)) if it.to_ipv4_mapped().is_some() => {
            errors.invalid(path, value, "must not be an IPv4-mapped IPv6 address");
        }
        Ok(_) => {}
        Err(_) if has_leading_zeros(value) => {
            errors.invalid(path, value, "must not have leading 0s");
        }
        Err(_) => {
            let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            errors.invalid(path, value, why);
        }
    }
    errors.len() == before
}

/// Whether the text is an IPv4 address but for zeros before its numbers.
fn has_leading_zeros(value: &str) -> bool {
    let parts: Vec<&str> = value.split('.').collect();
    parts.len() == 4
        && parts.iter().all(|it| {
            !it.is_empty()
                && it.bytes().all(|it| it.is_ascii_digit())
                && it.parse::<u32>().is_ok_and(|it| it < 256)
        })
}

/// Upstream: `IsValidCIDRForLegacyField`, with strict validation.
pub(crate) fn cidr(errors: &mut Errors, path: &Path<'_>, value: &str) {
    let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    let Some((address, length)) = value.split_once('/') else {
        errors.invalid(path, value, why);
        return;
    };
    let zeros = has_leading_zeros(address) && address.parse::<std::net::IpAddr>().is_err()
        || (length.len() > 1 && length.starts_with('0'));
    let length: Option<u32> = Some(length)
        .filter(|it| it.bytes().all(|it| it.is_ascii_digit()))
        .and_then(|it| it.parse().ok());
    let plain: String = address
        .split('.')
        .map(|it| if it.len() > 1 && zeros { it.trim_start_matches('0') } else { it })
        .map(|it| if it.is_empty() && zeros { "0" } else { it })
        .collect::<Vec<_>>()
        .join(".");
    match (plain.parse::<std::net::IpAddr>(), length) {
        (Ok(std::net::IpAddr::V4(it)), Some(length)) if length <= 32 => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or_default();
            if zeros {
                errors.invalid(path, value, "must not have leading 0s in IP or prefix length");
            } else if u32::from(it) & !mask != 0 {
                errors.invalid(path, value, "must not have bits set beyond the prefix length");
            }
        }
        (Ok(std::net::IpAddr::V6(it)), Some(length)) if length <= 128 => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or_default();
            if it.to_ipv4_mapped().is_some() {
                errors.invalid(path, value, "must not have an IPv4-mapped IPv6 address");
            } else if u128::from(it) & !mask != 0 {
                errors.invalid(path, value, "must not have bits set beyond the prefix length");
            }
        }
        _ => errors.invalid(path, value, why),
    }
}
