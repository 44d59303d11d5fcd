//! The forms of names, keys, labels and other texts, each with upstream's words for what is wrong.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/util/validation/validation.go` and
//! `staging/src/k8s.io/apimachinery/pkg/api/validate/content/*.go`, v1.36.
//! Differs from upstream: the regular expressions are hand-written matchers, because a regular
//! expression engine is too large for the page.

/// What is wrong with a text; empty when nothing is.
pub(crate) type Messages = Vec<&'static str>;

const LABEL_1123: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
    characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or \
    '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

macro_rules! subdomain_text {
    () => {
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' \
         or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex \
         used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    };
}

const SUBDOMAIN: &str = subdomain_text!();
const PREFIX_SUBDOMAIN: &str = concat!("prefix part ", subdomain_text!());

const SUBDOMAIN_UNDERSCORE: &str = "a lowercase RFC 1123 subdomain must consist of lower case \
    alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric \
    character (e.g. 'example.com', regex used for validation is \
    '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";

macro_rules! key_text {
    () => {
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
         alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
         validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    };
}

const KEY_PARTS: &str = concat!(
    "a valid label key ",
    key_text!(),
    " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
);
const KEY_NAME: &str = concat!("name part ", key_text!());

const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric \
    characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
    'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' \
    (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

const HTTP_HEADER: &str = "a valid HTTP header must consist of alphanumeric characters or '-' \
    (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";

const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or \
    '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
    '[-._a-zA-Z0-9]+')";

const ENV_NAME: &str = "a valid environment variable name must consist only of printable ASCII \
    characters other than '='";

/// `must be between 1 and 65535, inclusive`.
pub(crate) const PORT_RANGE: &str = "must be between 1 and 65535, inclusive";
/// Upstream: `IsNegativeErrorMsg`.
pub(crate) const NEGATIVE: &str = "must be greater than or equal to 0";
/// Upstream: `isNotPositiveErrorMsg`.
pub(crate) const NOT_POSITIVE: &str = "must be greater than zero";
/// Upstream: `FieldImmutableErrorMsg`.
pub(crate) const IMMUTABLE: &str = "field is immutable";

fn lower(it: u8) -> bool {
    it.is_ascii_lowercase() || it.is_ascii_digit()
}

/// Whether the text is `first (middle* last)?`.
fn fits(text: &str, first: fn(u8) -> bool, middle: fn(u8) -> bool, last: fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [] => false,
        [one] => first(*one),
        [a, inner @ .., z] => first(*a) && last(*z) && inner.iter().all(|it| middle(*it)),
    }
}

fn is_label(text: &str) -> bool {
    fits(text, lower, |it| lower(it) || it == b'-', lower)
}

pub(crate) fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, at most 63 letters.
pub(crate) fn dns1123_label(value: &str) -> Messages {
    let mut messages = Messages::new();
    if value.len() > 63 {
        messages.push("must be no more than 63 characters");
    }
    if !is_label(value) {
        messages.push(if is_subdomain(value) { "must not contain dots" } else { LABEL_1123 });
    }
    messages
}

/// Labels with dots between them, at most 253 letters.
pub(crate) fn dns1123_subdomain(value: &str) -> Messages {
    let mut messages = Messages::new();
    if value.len() > 253 {
        messages.push("must be no more than 253 characters");
    }
    if !is_subdomain(value) {
        messages.push(SUBDOMAIN);
    }
    messages
}

/// As [`dns1123_subdomain`], with underscores.
pub(crate) fn dns1123_subdomain_with_underscore(value: &str) -> Messages {
    let mut messages = Messages::new();
    if value.len() > 253 {
        messages.push("must be no more than 253 characters");
    }
    let label = |text: &str| {
        let rest = text.strip_prefix('_').unwrap_or(text);
        fits(rest, lower, |it| lower(it) || it == b'-' || it == b'_', lower)
    };
    if !value.split('.').all(label) {
        messages.push(SUBDOMAIN_UNDERSCORE);
    }
    messages
}

fn is_key_name(text: &str) -> bool {
    let alphanumeric = |it: u8| it.is_ascii_alphanumeric();
    fits(
        text,
        alphanumeric,
        |it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.'),
        alphanumeric,
    )
}

/// A label key, upstream also called a qualified name.
pub(crate) fn label_key(value: &str) -> Messages {
    let mut messages = Messages::new();
    let mut parts = value.split('/');
    let (first, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let name = match (second, third) {
        (None, _) => first,
        (Some(name), None) => {
            if first.is_empty() {
                messages.push("prefix part must be non-empty");
            } else {
                if first.len() > 253 {
                    messages.push("prefix part must be no more than 253 bytes");
                }
                if !is_subdomain(first) {
                    messages.push(PREFIX_SUBDOMAIN);
                }
            }
            name
        }
        _ => {
            messages.push(KEY_PARTS);
            return messages;
        }
    };
    if name.is_empty() {
        messages.push("name part must be non-empty");
    } else if name.len() > 63 {
        messages.push("name part must be no more than 63 bytes");
    }
    if !is_key_name(name) {
        messages.push(KEY_NAME);
    }
    messages
}

/// A label's value.
pub(crate) fn label_value(value: &str) -> Messages {
    let mut messages = Messages::new();
    if value.len() > 63 {
        messages.push("must be no more than 63 bytes");
    }
    if !value.is_empty() && !is_key_name(value) {
        messages.push(LABEL_VALUE);
    }
    messages
}

/// A port number.
pub(crate) fn port_number(port: i32) -> Messages {
    if (1..=65_535).contains(&port) { Messages::new() } else { vec![PORT_RANGE] }
}

/// A port's name.
pub(crate) fn port_name(name: &str) -> Messages {
    let mut messages = Messages::new();
    if name.len() > 15 {
        messages.push("must be no more than 15 characters");
    }
    if name.is_empty() || !name.bytes().all(|it| lower(it) || it == b'-') {
        messages.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !name.bytes().any(|it| it.is_ascii_lowercase()) {
        messages.push("must contain at least one letter (a-z)");
    }
    if name.contains("--") {
        messages.push("must not contain consecutive hyphens");
    }
    if name.starts_with('-') || name.ends_with('-') {
        messages.push("must not begin or end with a hyphen");
    }
    messages
}

/// Digits and `%`.
pub(crate) fn percent(value: &str) -> Messages {
    if is_percent(value) { Messages::new() } else { vec![PERCENT] }
}

/// Whether the text is digits and `%`.
pub(crate) fn is_percent(value: &str) -> bool {
    let digits = value.strip_suffix('%').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit())
}

/// The name of an HTTP header.
pub(crate) fn http_header_name(value: &str) -> Messages {
    let fits =
        !value.is_empty() && value.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
    if fits { Messages::new() } else { vec![HTTP_HEADER] }
}

/// The name of an environment variable.
pub(crate) fn env_name(value: &str) -> Messages {
    let mut messages = Messages::new();
    if value.is_empty() {
        messages.push("environment variable name must be non-empty");
    }
    if !value.chars().all(|it| matches!(it, ' '..='~') && it != '=') {
        messages.push(ENV_NAME);
    }
    messages
}

/// A key of a config map or secret.
pub(crate) fn config_key(value: &str) -> Messages {
    let mut messages = Messages::new();
    if value.len() > 253 {
        messages.push("must be no more than 253 characters");
    }
    let word = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    if value.is_empty() || !value.bytes().all(word) {
        messages.push(CONFIG_KEY);
    }
    match value {
        "." => messages.push("must not be '.'"),
        ".." => messages.push("must not be '..'"),
        it if it.starts_with("..") => messages.push("must not start with '..'"),
        _ => {}
    }
    messages
}

/// What an object's name in a URL may not be.
pub(crate) fn path_segment_name(value: &str) -> Messages {
    match value {
        "." => vec!["may not be '.'"],
        ".." => vec!["may not be '..'"],
        _ => {
            let mut messages = Messages::new();
            if value.contains('/') {
                messages.push("may not contain '/'");
            }
            if value.contains('%') {
                messages.push("may not contain '%'");
            }
            messages
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_accepts_and_refuses_as_its_expression_does() {
        type Row = (fn(&str) -> Messages, &'static str, bool);
        let rows: &[Row] = &[
            (dns1123_label, "a-b", true),
            (dns1123_label, "a", true),
            (dns1123_label, "-a", false),
            (dns1123_label, "", false),
            (dns1123_subdomain, "a.b-c.d", true),
            (dns1123_subdomain, "a..b", false),
            (dns1123_subdomain, "A", false),
            (label_key, "example.com/My_Name", true),
            (label_key, "a/b/c", false),
            (label_key, "/b", false),
            (label_key, "", false),
            (label_value, "", true),
            (label_value, "a b", false),
            (label_value, "-4", false),
            (port_name, "http", true),
            (port_name, "80", false),
            (percent, "50%", true),
            (percent, "%", false),
            (env_name, "a b", true),
            (env_name, "a=b", false),
            (config_key, "..a", false),
            (config_key, "a.b", true),
        ];
        for (form, text, accepted) in rows {
            assert_eq!(form(text).is_empty(), *accepted, "{text}");
        }
    }

    #[test]
    fn a_label_with_dots_is_told_so() {
        assert_eq!(dns1123_label("a.b"), ["must not contain dots"]);
    }
}
